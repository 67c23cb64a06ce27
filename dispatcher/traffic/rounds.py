"""Promising ways: robots' committed ends are taken back to what is released, and extended in rounds by the planner."""

from typing import Any

import numpy as np

from dispatcher.traffic.commitments import Commitments
from dispatcher.traffic.state import FREE


class Rounds:
    """The compiled planner with its scratch, over the state that it extends.

    Parameters
    ----------
    commitments
        The state; its arrays are changed in place.
    """

    def __init__(self, commitments: Commitments) -> None:
        self._c = commitments
        self._next_look = 0
        self._load()

    def _load(self) -> None:
        from dispatcher.traffic import planner, reroute, standstill

        self._extend, self._look, self._reroute = planner.extend, standstill.look, reroute.look
        self._scratch_for = -1
        self._scratch: tuple[Any, ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        return {"_c": self._c, "_next_look": self._next_look}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._load()

    def plan(self, now_ms: int) -> None:
        """Look for standstill, and extend committed ends where few moves are left."""
        c = self._c
        c.now = now_ms
        f, p, roads = c.fleet, c.params, c.roads
        for r in c.fresh:
            f.moved[r] = f.progress[r] = now_ms
        c.fresh.clear()
        if now_ms >= self._next_look:
            self._next_look = now_ms + p.look_ms
            self._look(c)
        count = len(f)
        if self._scratch_for != len(f.mode):
            self._make_scratch()
        wants = (f.mode == FREE) & (f.goal >= 0) & (f.end != f.goal) & (f.pending <= p.few_moves)
        if not wants.any():
            return
        c.take_back()
        self._reroute(c)
        moves = self._extend(
            now_ms, p.most_moves, p.few_moves, p.turn_ms_per_deg,
            roads.ptr, roads.nbr, c.tables.ms, roads.deg, roads.res, roads.storage, roads.shy, roads.pocket,
            c.barred, c.tables.pool, f.holder, count,
            f.mode, f.kind, f.boost, f.end, f.heading, f.pending, f.goal, f.row, f.best, f.key, f.anchor,
            f.moved, f.progress, *self._scratch,
        )  # fmt: skip
        if not moves:
            return
        commit, door = c.right.commit, roads.door
        for r, v in zip(self._scratch[-2][:moves].tolist(), self._scratch[-1][:moves].tolist(), strict=True):
            commit(r, v)
            if door[v] is not None:
                c.door_users.setdefault(v, set()).add(r)

    def _make_scratch(self) -> None:
        n, roads = len(self._c.fleet.mode), self._c.roads
        wide = roads.degree
        self._scratch = (
            np.empty(roads.resources, np.int32),
            np.empty(roads.pockets + 1, np.int32),
            np.empty((n, wide), np.int32),
            np.empty((n, wide), np.int64),
            np.empty((n, wide), np.int32),
            np.empty(n * self._c.params.most_moves, np.int32),
            np.empty(n * self._c.params.most_moves, np.int32),
        )
        self._scratch_for = n
