"""Who is where, what is promised to whom, and what is shut: the state that all parts of the engine share.

Its methods keep the arrays of the planner in step with the paths and queues of the executor.
"""

from typing import Any

import numpy as np

from contracts.layout import Layout
from dispatcher.traffic.executor import RightOfWay
from dispatcher.traffic.graph import Flags, Roads
from dispatcher.traffic.params import TrafficParams
from dispatcher.traffic.state import NEVER_MS, Fleet


class Commitments:
    """The state of one floor's traffic; picklable, without the tables, which are built anew.

    Attributes
    ----------
    roads, fleet, right, params
        The road map, the planner's arrays, the queues and paths, and the numbers.
    now
        Time of the last call that told it, ms.
    want
        By robot: the goal it was given. It plans towards `Fleet.goal`, another one while it clears somebody's way.
    pinned, lost, stalled
        Robots that are not moved on, by why.
    closed
        Nodes closed by somebody.
    escape
        By robot that clears a way: until when (ms), and for whom.
    attempts, detour_ms, since
        By robot: attempts to clear its way and when the next one is due; time of its last detour; when its wait began.
    fresh
        Robots that were given a goal since the last planning: they have not stood for it yet.
    home
        Robots at whose goals the rest of their way was taken back since the last release: they have arrived.
    door_users
        By door node: who is promised a way through it.
    congestion
        What waiting costs.
    tables, detours, barred
        Distance tables, the rows of robots with one of their own, and the nodes that nobody may be planned into.
    """

    def __init__(self, layout: Layout, params: TrafficParams) -> None:
        self.params = params
        self.roads = Roads(layout)
        self.fleet = Fleet(self.roads)
        self.right = RightOfWay(self.roads)
        self.now = 0
        self.want: dict[int, int] = {}
        self.pinned: set[int] = set()
        self.lost: set[int] = set()
        self.stalled: set[int] = set()
        self.closed: set[int] = set()
        self.escape: dict[int, tuple[int, int]] = {}
        self.attempts: dict[int, tuple[int, int]] = {}
        self.detour_ms: dict[int, int] = {}
        self.since: dict[int, int] = {}
        self.fresh: set[int] = set()
        self.home: set[int] = set()
        self.door_users: dict[int, set[int]] = {}
        from dispatcher.traffic.congestion import Congestion  # here, as it loads numba, which most commands never need

        self.congestion: Congestion = Congestion(self.roads, params)
        self._load()

    def _load(self) -> None:
        from dispatcher.traffic.tables import Tables  # as above

        self.tables: Tables = Tables(self.roads, self.params.table_mb)
        self.detours: dict[int, int] = {}
        self.tables.forget(self._shut())
        self.barred: Flags = self.tables.shut
        self.bar()

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        for name in ("tables", "barred", "detours"):
            del state[name]
        state["_tables"] = self.tables.memory()
        state["_detour_tables"] = {r: self.tables.pool[row].copy() for r, row in self.detours.items()}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        shared, tables = state.pop("_tables"), state.pop("_detour_tables")
        self.__dict__.update(state)
        self._load()
        self.tables.remember(shared)
        f = self.fleet
        f.row[:] = -1
        for r, table in tables.items():
            row = self.tables.detour(int(f.goal[r]), int(f.kind[r]), np.zeros(self.roads.size, np.int32), -1, f.row)
            self.tables.pool[row] = table
            self.detours[r] = f.row[r] = row
        for r in range(len(f)):
            if f.goal[r] >= 0 and r not in self.detours:
                f.row[r] = self.tables.known(int(f.goal[r]), int(f.kind[r]))

    def calm(self, r: int) -> None:
        """End an escape: the robot wants again what it wanted before."""
        if self.escape.pop(r, None) is None:
            return
        self.fleet.boost[r] = 0
        if r in self.want:
            self.set_goal(r, self.want[r])
        else:
            self.fleet.goal[r] = self.fleet.row[r] = -1

    def set_goal(self, r: int, node: int) -> None:
        """Let a robot plan towards a node."""
        f = self.fleet
        f.goal[r] = node
        f.row[r] = self.tables.row(node, int(f.kind[r]), f.row)
        f.best[r] = self.tables.pool[f.row[r], f.end[r]]
        f.progress[r] = f.moved[r] = self.now
        if r not in self.escape:
            f.anchor[r] = NEVER_MS if f.pending[r] else self.now + self.params.grace_ms

    def drop_detour(self, r: int) -> None:
        """Let a robot go by the shared table of its goal again."""
        row = self.detours.pop(r, None)
        self.detour_ms.pop(r, None)
        if row is not None:
            self.tables.free(row)
            f = self.fleet
            f.row[r] = self.tables.row(int(f.goal[r]), int(f.kind[r]), f.row) if f.goal[r] >= 0 else -1

    def ended(self, changed: list[int]) -> None:
        """Bring the arrays in step after paths were cut or set."""
        f, right = self.fleet, self.right
        for r in changed:
            path = right.path[r]
            f.end[r] = path[-1]
            f.pending[r] = len(path) - 1
            f.heading[r] = self._heading(path[-2], path[-1]) if len(path) > 1 else -1
            f.moved[r] = f.progress[r] = self.now
            if f.goal[r] >= 0 and f.row[r] >= 0:
                f.best[r] = self.tables.pool[f.row[r], f.end[r]]
            self.watch(r)
        self._arrived(changed)
        self.hold()

    def take_back(self) -> None:
        """Take back all that is promised and not released, to promise it anew from where robots are now.

        Who was planned early and comes late would keep those waiting who are there; and no circle of waits can come of
        it, as only ends of queues are taken away.
        """
        f, right, doors = self.fleet, self.right, self.door_users
        changed = right.take_back()
        if not changed:
            return
        path = right.path
        f.end[changed] = [path[r][-1] for r in changed]
        f.pending[changed] = [len(path[r]) - 1 for r in changed]
        f.heading[changed] = [self._heading(path[r][-2], path[r][-1]) if len(path[r]) > 1 else -1 for r in changed]
        for r in changed if doors else ():
            self.watch(r)
        self._arrived(changed)
        self.hold()

    def _arrived(self, changed: list[int]) -> None:
        """Note who stands at its goal now that the rest of its way was taken back: it was to make way and come back."""
        f = self.fleet
        for r in changed:
            if f.pending[r] == 0 and f.end[r] == f.goal[r]:
                self.home.add(r)
                if f.anchor[r] == NEVER_MS:
                    f.anchor[r] = self.now + self.params.grace_ms

    def watch(self, r: int) -> None:
        """Note which doors a robot's path goes through."""
        path = self.right.path[r]
        for users in self.door_users.values():
            users.discard(r)
        for n in path:
            if self.roads.door[n] is not None:
                self.door_users.setdefault(n, set()).add(r)

    def hold(self) -> None:
        """Note whose end lies in which resource."""
        f = self.fleet
        f.holder[:] = -1
        there = np.flatnonzero(f.mode[: len(f)])
        f.holder[self.roads.res[f.end[there]]] = there

    def bar(self) -> None:
        """Mark what nobody may be planned into: what is shut, and the ways of stalled robots."""
        held = {self.roads.res_of[n] for r in self.stalled for n in self.right.path[r]}
        self.barred = self.tables.shut
        if held:
            self.barred = self.tables.shut | np.isin(self.roads.res, sorted(held)).astype(np.uint8)

    def reshut(self) -> None:
        """Compute anew what is shut, and the tables if it changed."""
        shut = self._shut()
        if np.array_equal(shut, self.tables.shut):
            self.bar()
            return
        self.rebuild()

    def rebuild(self) -> None:
        """Compute every table in use anew: other ways are open now."""
        for r in list(self.detours):
            self.drop_detour(r)
        self.tables.forget(self._shut())
        self.bar()
        self.aim()
        f = self.fleet
        for r in range(len(f)):
            if f.goal[r] >= 0:
                f.best[r] = self.tables.pool[f.row[r], f.end[r]]

    def aim(self) -> None:
        """Look the table of every goal up again, but for robots on a detour."""
        f = self.fleet
        stale = [r for r in range(len(f)) if f.goal[r] >= 0 and r not in self.detours]
        f.row[stale] = -1
        for r in stale:
            f.row[r] = self.tables.row(int(f.goal[r]), int(f.kind[r]), f.row)

    def _heading(self, u: int, v: int) -> int:
        return self.roads.heading.get((u, v), -1)

    def _shut(self) -> Flags:
        shut = np.zeros(self.roads.size, np.uint8)
        if self.closed:
            shut[sorted(self.closed)] = 1
        held = {self.roads.res_of[n] for r in self.lost for n in self.right.path[r]}
        if held:
            shut[np.isin(self.roads.res, sorted(held))] = 1
        return shut
