"""The traffic engine: which way each robot drives, and when it may.

Its face to the dispatcher. Deterministic, without I/O, and picklable: the same calls give the same answers, before and
after a pickle. The compiled planner is loaded when the first engine is built, not when this module is.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.errors import Rejected
from contracts.ids import DoorId, LiftId, NodeId, RobotId
from contracts.layout import Layout
from dispatcher.traffic.executor import RightOfWay
from dispatcher.traffic.graph import LONGEST_MS, Flags, Ints, Roads
from dispatcher.traffic.params import TrafficParams
from dispatcher.traffic.recovery import cut_back, evict, evict_edge, strand
from dispatcher.traffic.state import FIXED, FREE, NEVER_MS, Fleet
from dispatcher.traffic.why import Reason, Wait

__all__ = ["Reason", "Traffic", "TrafficParams", "Wait"]


class Traffic:
    """Plans and releases the ways of all robots of one layout.

    Parameters
    ----------
    layout
        The road map.
    params
        See `TrafficParams`.
    """

    def __init__(self, layout: Layout, params: TrafficParams | None = None) -> None:
        self._p = params or TrafficParams()
        self._roads = Roads(layout)
        self._fleet = Fleet(self._roads)
        self._right = RightOfWay(self._roads)
        self._now = 0
        self._next_look = 0
        self._want: dict[int, int] = {}
        self._pinned: set[int] = set()
        self._lost: set[int] = set()
        self._stalled: set[int] = set()
        self._closed: set[int] = set()
        self._escape: dict[int, tuple[int, int]] = {}
        self._attempts: dict[int, int] = {}
        self._detour_ms: dict[int, int] = {}
        self._since: dict[int, int] = {}
        self._door_users: dict[int, set[int]] = {}
        self._load()

    def _load(self) -> None:
        from dispatcher.traffic import planner
        from dispatcher.traffic.tables import Tables

        self._extend = planner.extend
        self._tables: Tables = Tables(self._roads, self._p.table_mb)
        self._detours: dict[int, int] = {}
        self._scratch_for = -1
        self._scratch: tuple[Any, ...] = ()
        self._tables.forget(self._shut())
        self._barred: Flags = self._tables.shut
        self._bar()

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        for name in ("_extend", "_tables", "_barred", "_scratch", "_scratch_for", "_detours"):
            del state[name]
        state["_detour_tables"] = {r: self._tables.pool[row].copy() for r, row in self._detours.items()}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        tables = state.pop("_detour_tables")
        self.__dict__.update(state)
        self._load()
        f = self._fleet
        f.row[:] = -1
        for r, table in tables.items():
            row = self._tables.detour(int(f.goal[r]), int(f.kind[r]), np.zeros(self._roads.size, np.int32), -1, f.row)
            self._tables.pool[row] = table
            self._detours[r] = f.row[r] = row
        self._aim()

    # --- who is where ------------------------------------------------------------------------------------------

    def place(self, robot: RobotId, node: NodeId) -> None:
        """Put a robot on a node: a new one, or one that was lost or comes back.

        What others have planned there, but were not released, is taken back.

        Raises
        ------
        Rejected
            There is no such node, the robot is on the floor already, or the resource is held by another one.
        """
        n, f, right = self._roads.at("node", node), self._fleet, self._right
        r = f.number.get(robot, -1)
        if r >= 0 and r not in self._lost:
            raise Rejected("robot", robot, "a robot that is not on the floor yet, or lost")
        q = self._roads.res_of[n]
        cuts = []
        for o in dict.fromkeys(right.queue[q]):
            if o == r:
                continue
            step = next(k for k, at in enumerate(right.path[o]) if self._roads.res_of[at] == q)
            if step < right.released[o]:
                raise Rejected("node", node, f"free: it is held by {f.name(o)}")
            cuts.append((o, step))
        if r >= 0:
            right.leave(r)
            self._lost.discard(r)
        changed = cut_back(right, cuts)
        if r < 0:
            r = f.add(robot)
        right.stand(r, n)
        f.mode[r] = FIXED if r in self._pinned else FREE
        self._ended([*changed, r])
        self._reshut()
        self._watch(r)

    def remove(self, robot: RobotId) -> None:
        """Take a robot off the floor; all it holds is free."""
        f = self._fleet
        r = f.of(robot)
        self._calm(r)
        self._right.leave(r)
        self._drop_detour(r)
        for memory in (self._want, self._attempts, self._detour_ms, self._since):
            memory.pop(r, None)
        self._pinned.discard(r)
        self._lost.discard(r)
        self._stalled.discard(r)
        for users in self._door_users.values():
            users.discard(r)
        f.drop(robot)
        f.goal[r] = f.row[r] = -1
        self._hold()
        self._reshut()

    def passed(self, robot: RobotId, node: NodeId) -> None:
        """Note that a robot is at a node of its released path; what lies before it is free.

        A path may visit a node twice: the next visit is meant. Report every node, in order.

        Raises
        ------
        Rejected
            The node is not in the robot's released path; nothing was changed.
        """
        f, right = self._fleet, self._right
        r, n = f.of(robot), self._roads.at("node", node)
        path, released = right.path[r], right.released[r]
        try:
            steps = path.index(n, 0, released)
        except ValueError:
            ahead = " ".join(self._roads.ids[k] for k in path[:released])
            raise Rejected("node", node, f"in the released path of {robot}: {ahead}") from None
        if r in self._lost:
            raise Rejected("robot", robot, "a robot that is not lost; place it again")
        if steps == 0:
            return
        doors = [d for d in path[:steps] if d in self._door_users]
        right.passed(r, steps)
        f.pending[r] -= steps
        self._since[r] = self._now
        if r in self._stalled:
            self._bar()
        for d in doors:
            if d not in right.path[r]:
                self._door_users[d].discard(r)
        if f.pending[r] == 0 and n == f.goal[r]:
            f.anchor[r] = self._now + self._p.grace_ms

    # --- what is wanted ----------------------------------------------------------------------------------------

    def target(self, robot: RobotId, node: NodeId, *, loaded: bool, priority: int = 0) -> None:
        """Give a robot a goal; what is committed stays.

        Parameters
        ----------
        loaded
            Whether it carries a pod: then it enters storage nodes only as its goal.
        priority
            Each step counts as much as `TrafficParams.priority_ms` of waiting.

        Raises
        ------
        Rejected
            No road leads there, even with everything open; nothing was changed.
        """
        f, t = self._fleet, self._tables
        r, n, kind = f.of(robot), self._roads.at("node", node), int(loaded)
        row = t.row(n, kind, f.row)
        if t.pool[row, f.end[r]] >= LONGEST_MS and t.reach_ms(n, kind, int(f.end[r])) >= LONGEST_MS:
            start = self._roads.ids[f.end[r]]
            raise Rejected("node", node, f"a node that {robot} reaches from {start}{' with its load' * loaded}")
        self._calm(r)
        self._drop_detour(r)
        self._want[r] = n
        f.kind[r] = kind
        f.key[r] = self._now - priority * self._p.priority_ms
        self._attempts.pop(r, None)
        self._since[r] = self._now
        self._set_goal(r, n)

    def rest(self, robot: RobotId) -> None:
        """Take a robot's goal away: what is committed stays, and whoever needs its place may push it on."""
        f, r = self._fleet, self._fleet.of(robot)
        self._calm(r)
        self._drop_detour(r)
        self._want.pop(r, None)
        f.goal[r] = f.row[r] = -1

    def pin(self, robot: RobotId) -> None:
        """Hold a robot where it is: nothing more is planned for or released to it, nor is it pushed."""
        r = self._fleet.of(robot)
        self._calm(r)
        self._pinned.add(r)
        self._fleet.mode[r] = FIXED
        self._since[r] = self._now

    def unpin(self, robot: RobotId) -> None:
        """Let a robot move again."""
        f = self._fleet
        r = f.of(robot)
        if r not in self._pinned:
            return
        self._pinned.discard(r)
        self._since[r] = f.moved[r] = f.progress[r] = self._now
        if r not in self._lost and r not in self._stalled:
            f.mode[r] = FREE
            f.anchor[r] = NEVER_MS if f.pending[r] else self._now + self._p.grace_ms
            self._right.wake([r])

    def settled(self, robot: RobotId) -> bool:
        """Whether a robot stands at its goal with nothing pending."""
        r = self._fleet.of(robot)
        path = self._right.path[r]
        return len(path) == 1 and self._want.get(r) == path[0]

    def lost(self, robot: RobotId) -> None:
        """Note that a robot stopped for good.

        It keeps what is released to it, as it may stand anywhere there; those nodes are shut until it is placed again
        or removed. All that depends on it is planned anew.
        """
        f = self._fleet
        r = f.of(robot)
        if r in self._lost:
            return
        self._calm(r)
        changed = strand(self._right, r)
        self._stalled.discard(r)
        self._lost.add(r)
        self._since[r] = self._now
        f.mode[r] = FIXED
        self._ended(changed)
        self._reshut()

    def stalled(self, robot: RobotId) -> None:
        """Note that a robot stands on its released way and may go on at any time: nobody is to wait behind it.

        It keeps what is released to it. Who was promised a place behind it drives around, and nobody plans to enter
        its way, until it is `found`. The distance tables stay, so this costs little.
        """
        f = self._fleet
        r = f.of(robot)
        if r in self._lost or r in self._stalled:
            return
        self._calm(r)
        changed = strand(self._right, r)
        self._stalled.add(r)
        self._since[r] = self._now
        f.mode[r] = FIXED
        self._ended(changed)
        self._bar()

    def found(self, robot: RobotId) -> None:
        """Let a stalled or lost robot go on along what is released to it: it moves again."""
        f = self._fleet
        r = f.of(robot)
        if r not in self._lost and r not in self._stalled:
            return
        self._lost.discard(r)
        self._stalled.discard(r)
        self._since[r] = f.moved[r] = f.progress[r] = self._now
        f.mode[r] = FIXED if r in self._pinned else FREE
        self._right.wake([r])
        self._reshut()
        self._bar()

    def keep(self, robot: RobotId, ahead: int) -> None:
        """Let a stalled or lost robot keep so many nodes of its released way: it said that it drives no further.

        What lay behind them is free. It may be `found` again, and goes on along what it kept.

        Raises
        ------
        Rejected
            It is neither stalled nor lost.
        """
        r = self._fleet.of(robot)
        if r not in self._lost and r not in self._stalled:
            raise Rejected("robot", robot, "a robot that is stalled or lost")
        self._right.give_back(r, ahead + 1)
        self._ended([r])
        self._reshut()
        self._bar()

    def cut_off(self, robot: RobotId) -> bool:
        """Whether closed nodes, or robots that stopped, shut a robot off from its goal."""
        f, r = self._fleet, self._fleet.of(robot)
        return f.goal[r] >= 0 and bool(self._tables.pool[f.row[r], f.end[r]] >= LONGEST_MS)

    @property
    def impaired(self) -> bool:
        """Whether anything is closed, or shut by a robot that stopped for good."""
        return self._roads.impaired or bool(self._tables.shut.any())

    def close(self, node: NodeId) -> None:
        """Close a node: nobody plans to enter it, and what was planned but not released is taken back."""
        n = self._roads.at("node", node)
        if n not in self._closed:
            self._closed.add(n)
            self._ended(evict(self._right, frozenset({n})))
            self._reshut()

    def reopen(self, node: NodeId) -> None:
        """Open a closed node again."""
        self._closed.discard(self._roads.at("node", node))
        self._reshut()

    def close_edge(self, start: NodeId, end: NodeId) -> None:
        """Close an edge in its one direction: nobody plans to drive it; what is released is still driven."""
        u, v = self._roads.at("start", start), self._roads.at("end", end)
        self._roads.close_edge(u, v)
        self._ended(evict_edge(self._right, u, v))
        self._rebuild()

    def reopen_edge(self, start: NodeId, end: NodeId) -> None:
        """Open a closed edge again."""
        self._roads.reopen_edge(self._roads.at("start", start), self._roads.at("end", end))
        self._rebuild()

    # --- plan and release --------------------------------------------------------------------------------------

    def plan(self, now_ms: int) -> None:
        """Extend committed ends where few moves are left. Call it after facts, and at least every few seconds."""
        self._now = now_ms
        f, p, roads = self._fleet, self._p, self._roads
        if now_ms >= self._next_look:
            self._next_look = now_ms + p.look_ms
            self._look()
        count = len(f)
        if self._scratch_for != len(f.mode):
            self._make_scratch()
        wants = (f.mode == FREE) & (f.goal >= 0) & (f.end != f.goal) & (f.pending <= p.few_moves)
        if not wants.any():
            return
        self._take_back()
        moves = self._extend(
            now_ms, p.most_moves, p.few_moves, p.turn_ms_per_deg,
            roads.ptr, roads.nbr, roads.ms, roads.deg, roads.res, roads.storage, roads.shy, roads.pocket,
            self._barred, self._tables.pool, f.holder, count,
            f.mode, f.kind, f.boost, f.end, f.heading, f.pending, f.goal, f.row, f.best, f.key, f.anchor,
            f.moved, f.progress, *self._scratch,
        )  # fmt: skip
        if not moves:
            return
        commit, door = self._right.commit, roads.door
        for r, v in zip(self._scratch[-2][:moves].tolist(), self._scratch[-1][:moves].tolist(), strict=True):
            commit(r, v)
            if door[v] is not None:
                self._door_users.setdefault(v, set()).add(r)

    def release(self, now_ms: int, open_gates: frozenset[str]) -> dict[RobotId, tuple[NodeId, ...]]:
        """Release what robots have right of way for; return the new nodes of each, in order.

        Parameters
        ----------
        open_gates
            Doors that are open, and lifts that stand open and will stay, by `graph.gate_of`.
        """
        self._now = now_ms
        found: dict[RobotId, tuple[NodeId, ...]] = {}
        ids, right = self._roads.ids, self._right
        for r, n in right.release(self._p.few_moves, self._pinned | self._lost, open_gates):
            path, end = right.path[r], right.released[r]
            found[self._fleet.name(r)] = tuple(ids[v] for v in path[end - n : end])
            self._since[r] = now_ms
        return found

    # --- what can be asked -------------------------------------------------------------------------------------

    def route(self, robot: RobotId) -> tuple[tuple[NodeId, ...], tuple[NodeId, ...]]:
        """Return the released nodes that a robot has not passed, and those planned behind them."""
        r = self._fleet.of(robot)
        path, released, ids = self._right.path[r], self._right.released[r], self._roads.ids
        return tuple(ids[v] for v in path[1:released]), tuple(ids[v] for v in path[released:])

    def at(self, robot: RobotId) -> NodeId:
        """Return the node that a robot passed last."""
        return self._roads.ids[self._right.path[self._fleet.of(robot)][0]]

    def end(self, robot: RobotId) -> NodeId:
        """Return the node where a robot's committed way ends: from there it goes on to its next goal."""
        return self._roads.ids[int(self._fleet.end[self._fleet.of(robot)])]

    def wanted_doors(self) -> frozenset[DoorId]:
        """Return the doors that somebody is planned through or stands in."""
        doors = (self._roads.door[n] for n, users in self._door_users.items() if users)
        return frozenset(d for d in doors if d is not None)

    def wanted_lifts(self) -> dict[LiftId, str]:
        """Return the level at which each lift is to stand open that somebody is planned through or stands in.

        It is what the first in its queue needs next: the level where he gets in, then the one to which he rides, where
        it stays until he has got out. So no lift is called away from a robot that was let in or out.
        """
        found: dict[LiftId, str] = {}
        res, level = self._roads.res_of, self._roads.level
        for lift, q in self._roads.cabins.items():
            if not self._right.queue[q]:
                continue
            path = self._right.path[self._right.queue[q][0]]
            at = next(k for k, n in enumerate(path) if res[n] == q)
            rides = at == 0 and len(path) > 1 and res[path[1]] == q
            found[lift] = level[path[1 if rides else at]]
        return found

    def travel_s(self, start: NodeId, end: NodeId, *, loaded: bool) -> float:
        """Return the time to drive from one node to another on the open road, without stops; inf if there is no way."""
        t = self._tables
        row = t.row(self._roads.at("end", end), int(loaded), self._fleet.row)
        ms = int(t.pool[row, self._roads.at("start", start)])
        return ms / 1000 if ms < LONGEST_MS else math.inf

    def travel_times_s(self, starts: Sequence[NodeId], ends: Sequence[NodeId], *, loaded: bool) -> NDArray[np.float64]:
        """Return `travel_s` from each start to each end, shape (starts, ends), in seconds."""
        t, used = self._tables, self._fleet.row
        at = np.fromiter((self._roads.at("start", n) for n in starts), np.int64, len(starts))
        found = np.empty((len(starts), len(ends)))
        for j, end in enumerate(ends):
            row = t.row(self._roads.at("end", end), int(loaded), used)  # first: the pool may grow for it
            found[:, j] = t.pool[row][at]
        found[found >= LONGEST_MS] = math.inf
        return found / 1000

    def tables_to(self, ends: Sequence[NodeId], *, loaded: bool) -> tuple[Ints, Ints] | None:
        """Return the pool of distance tables, ms, (tables, nodes), and each end's row in it, to be read at once.

        None: they do not all fit into the memory for tables.
        """
        t, used = self._tables, self._fleet.row
        rows = np.fromiter((t.row(self._roads.at("end", n), int(loaded), used) for n in ends), np.int32, len(ends))
        return (t.pool, rows) if len(np.unique(rows)) == len(set(ends)) else None

    def numbers(self, nodes: Sequence[NodeId]) -> Ints:
        """Return the columns of nodes in the distance tables."""
        return np.fromiter((self._roads.at("node", n) for n in nodes), np.int32, len(nodes))

    def why(self, robot: RobotId, now_ms: int) -> tuple[Wait, ...]:  # noqa: ARG002 - part of the face
        """Return the chain of waits from a robot to the one that moves, or to what must happen outside."""
        chain: list[Wait] = []
        seen: set[int] = set()
        r: int | None = self._fleet.of(robot)
        while r is not None and r not in seen:
            seen.add(r)
            wait, r = self._wait(r)
            chain.append(wait)
        return tuple(chain)

    def _wait(self, r: int) -> tuple[Wait, int | None]:
        f, right, ids = self._fleet, self._right, self._roads.ids
        name, since = f.name(r), self._since.get(r, 0)
        path, released = right.path[r], right.released[r]
        if r in self._lost:
            return Wait(name, Reason.LOST, since, ids[path[0]]), None
        if r in self._stalled:
            return Wait(name, Reason.STALLED, since, ids[path[0]]), None
        if r in self._pinned:
            return Wait(name, Reason.PINNED, since, ids[path[0]]), None
        if released > 1:
            return Wait(name, Reason.MOVING, since, ids[path[1]]), None
        if len(path) > 1:
            node = path[1]
            if not right.may_enter(r, 1):
                o = next(o for o in right.queue[self._roads.res_of[node]] if o != r)
                return Wait(name, Reason.HELD, since, ids[node], f.name(o)), o
            door, lift = self._roads.door[node], self._lift(path[0], node)
            reason = Reason.DOOR if door else Reason.LIFT if lift else Reason.MOVING
            return Wait(name, reason, since, ids[node], door=door, lift=lift), None
        goal = int(f.goal[r])
        if goal < 0:
            return Wait(name, Reason.NO_GOAL, since, ids[path[0]]), None
        if goal == path[0]:
            return Wait(name, Reason.MOVING, since, ids[goal]), None
        if self._tables.pool[f.row[r], path[0]] >= LONGEST_MS:
            return Wait(name, Reason.CLOSED, since, ids[goal]), None
        from dispatcher.traffic.rescue import blocker, way

        taken = int(f.holder[self._roads.res[goal]])
        if taken >= 0 and taken != r and (f.mode[taken] == FIXED or f.goal[taken] == goal):
            return Wait(name, Reason.GOAL_TAKEN, since, ids[goal], f.name(taken)), taken
        nodes = way(self._roads, self._tables, f, r)
        o = self._staller(nodes)
        if o < 0:
            o = blocker(self._roads, f, nodes[1:], r)
        if o < 0:
            return Wait(name, Reason.MOVING, since, ids[nodes[-1]]), None
        return Wait(name, Reason.QUEUED, since, ids[int(f.end[o])], f.name(o)), o

    def _lift(self, before: int, node: int) -> LiftId | None:
        """Return the lift that a move leads into, or out of."""
        for lift, q in self._roads.cabins.items():
            if q in {self._roads.res_of[before], self._roads.res_of[node]}:
                return lift
        return None

    # --- standstill --------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Find robots that stand too long, and send them around, or clear their way."""
        now, p, f = self._now, self._p, self._fleet
        for r, (until, waiting) in list(self._escape.items()):
            there = f.end[waiting] == f.goal[waiting] and f.pending[waiting] == 0  # a mere promise may be taken back
            if now >= until or f.goal[waiting] < 0 or there:
                self._calm(r)
        n = len(f)
        free = (f.mode[:n] == FREE) & (f.goal[:n] >= 0) & (f.end[:n] != f.goal[:n]) & (f.boost[:n] == 0)
        waits = free & (f.pending[:n] == 0) & (now - f.moved[:n] >= min(p.detour_after_ms, p.rescue_after_ms))
        waits |= free & (now - f.progress[:n] >= p.astray_after_ms)
        for r in np.flatnonzero(waits).tolist():
            self._help(r)

    def _help(self, r: int) -> None:
        from dispatcher.traffic.rescue import blocker, refuge, way

        now, p, f, roads = self._now, self._p, self._fleet, self._roads
        if self._tables.pool[f.row[r], f.end[r]] >= LONGEST_MS or r in self._escape:
            return
        nodes = way(roads, self._tables, f, r)
        o = self._staller(nodes)
        if o < 0:
            o = blocker(roads, f, nodes[1:], r)
        if o >= 0 and f.mode[o] == FIXED and roads.res_of[int(f.end[o])] != roads.res_of[int(f.goal[r])]:
            if now - self._detour_ms.get(r, -NEVER_MS) >= p.detour_cost_ms // 2:
                self._go_around(r)
            return
        stands = o < 0 or (f.pending[o] == 0 and now - f.moved[o] >= p.rescue_after_ms and f.mode[o] != FIXED)
        astray = now - f.progress[r] >= p.astray_after_ms
        if not ((stands and now - f.moved[r] >= p.rescue_after_ms) or astray) or o in self._escape:
            return
        if o >= 0 and f.mode[o] == FIXED:
            return  # its goal is taken by one that is pinned there
        attempt = self._attempts.get(r, 0)
        self._attempts[r] = attempt + 1
        if o >= 0 and f.goal[o] >= 0 and f.goal[o] == f.goal[r]:
            return  # both want the same place, and one is there, or they queue for it
        gives_way, keep_free = (r, []) if o < 0 or attempt % 3 == 2 else (o, nodes)
        place = refuge(roads, self._tables, f, gives_way, keep_free, attempt)
        f.progress[r] = now
        if place < 0:
            return
        self._drop_detour(gives_way)
        self._escape[gives_way] = now + p.escape_ms, r if gives_way == o else gives_way
        f.boost[gives_way] = 1
        f.anchor[gives_way] = 0
        self._set_goal(gives_way, place)

    def _go_around(self, r: int) -> None:
        f = self._fleet
        self._detour_ms[r] = self._now
        cost = np.zeros(self._roads.size, np.int32)
        fixed = np.flatnonzero(f.mode[: len(f)] == FIXED)
        cost[np.isin(self._roads.res, self._roads.res[f.end[fixed]])] = self._p.detour_cost_ms
        cost[(self._barred > 0) & (self._tables.shut == 0)] = self._p.detour_cost_ms
        row = self._tables.detour(int(f.goal[r]), int(f.kind[r]), cost, self._detours.get(r, -1), f.row)
        self._detours[r] = f.row[r] = row
        f.best[r] = self._tables.pool[row, f.end[r]]

    def _calm(self, r: int) -> None:
        """End an escape: the robot wants again what it wanted before."""
        if self._escape.pop(r, None) is None:
            return
        self._fleet.boost[r] = 0
        if r in self._want:
            self._set_goal(r, self._want[r])
        else:
            self._fleet.goal[r] = self._fleet.row[r] = -1

    # --- keeping the arrays in step ----------------------------------------------------------------------------

    def _set_goal(self, r: int, node: int) -> None:
        f = self._fleet
        f.goal[r] = node
        f.row[r] = self._tables.row(node, int(f.kind[r]), f.row)
        f.best[r] = self._tables.pool[f.row[r], f.end[r]]
        f.progress[r] = f.moved[r] = self._now
        if r not in self._escape:
            f.anchor[r] = NEVER_MS if f.pending[r] else self._now + self._p.grace_ms

    def _drop_detour(self, r: int) -> None:
        row = self._detours.pop(r, None)
        self._detour_ms.pop(r, None)
        if row is not None:
            self._tables.free(row)
            f = self._fleet
            f.row[r] = self._tables.row(int(f.goal[r]), int(f.kind[r]), f.row) if f.goal[r] >= 0 else -1

    def _ended(self, changed: list[int]) -> None:
        """Bring the arrays in step after paths were cut or set."""
        f, right = self._fleet, self._right
        for r in changed:
            path = right.path[r]
            f.end[r] = path[-1]
            f.pending[r] = len(path) - 1
            f.heading[r] = self._heading(path[-2], path[-1]) if len(path) > 1 else -1
            f.moved[r] = f.progress[r] = self._now
            if f.goal[r] >= 0 and f.row[r] >= 0:
                f.best[r] = self._tables.pool[f.row[r], f.end[r]]
            self._watch(r)
        self._hold()

    def _heading(self, u: int, v: int) -> int:
        return self._roads.heading.get((u, v), -1)

    def _take_back(self) -> None:
        """Take back all that is promised and not released, to promise it anew from where robots are now.

        Who was planned early and comes late would keep those waiting who are there; and no circle of waits can come of
        it, as only ends of queues are taken away.
        """
        f, right, doors = self._fleet, self._right, self._door_users
        changed = right.take_back()
        if not changed:
            return
        path = right.path
        f.end[changed] = [path[r][-1] for r in changed]
        f.pending[changed] = [len(path[r]) - 1 for r in changed]
        f.heading[changed] = [self._heading(path[r][-2], path[r][-1]) if len(path[r]) > 1 else -1 for r in changed]
        for r in changed if doors else ():
            self._watch(r)
        self._hold()

    def _watch(self, r: int) -> None:
        """Note which doors a robot's path goes through."""
        path = self._right.path[r]
        for users in self._door_users.values():
            users.discard(r)
        for n in path:
            if self._roads.door[n] is not None:
                self._door_users.setdefault(n, set()).add(r)

    def _hold(self) -> None:
        f = self._fleet
        f.holder[:] = -1
        there = np.flatnonzero(f.mode[: len(f)])
        f.holder[self._roads.res[f.end[there]]] = there

    def _shut(self) -> Flags:
        shut = np.zeros(self._roads.size, np.uint8)
        if self._closed:
            shut[sorted(self._closed)] = 1
        held = {self._roads.res_of[n] for r in self._lost for n in self._right.path[r]}
        if held:
            shut[np.isin(self._roads.res, sorted(held))] = 1
        return shut

    def _bar(self) -> None:
        """Mark what nobody may be planned into: what is shut, and the ways of stalled robots."""
        held = {self._roads.res_of[n] for r in self._stalled for n in self._right.path[r]}
        self._barred = self._tables.shut
        if held:
            self._barred = self._tables.shut | np.isin(self._roads.res, sorted(held)).astype(np.uint8)

    def _staller(self, nodes: list[int]) -> int:
        """Return the stalled robot whose way begins right before the first of these, or -1."""
        if len(nodes) < 2 or not self._stalled or not self._barred[nodes[1]] or self._tables.shut[nodes[1]]:
            return -1
        q = self._roads.res_of[nodes[1]]
        return next((o for o in self._right.queue[q] if o in self._stalled), -1)

    def _reshut(self) -> None:
        shut = self._shut()
        if np.array_equal(shut, self._tables.shut):
            self._bar()
            return
        self._rebuild()

    def _rebuild(self) -> None:
        """Compute every table in use anew: other ways are open now."""
        for r in list(self._detours):
            self._drop_detour(r)
        self._tables.forget(self._shut())
        self._bar()
        self._aim()
        f = self._fleet
        for r in range(len(f)):
            if f.goal[r] >= 0:
                f.best[r] = self._tables.pool[f.row[r], f.end[r]]

    def _aim(self) -> None:
        """Look the table of every goal up again, but for robots on a detour."""
        f = self._fleet
        stale = [r for r in range(len(f)) if f.goal[r] >= 0 and r not in self._detours]
        f.row[stale] = -1
        for r in stale:
            f.row[r] = self._tables.row(int(f.goal[r]), int(f.kind[r]), f.row)

    def _make_scratch(self) -> None:
        n, roads = len(self._fleet.mode), self._roads
        wide = roads.degree
        self._scratch = (
            np.empty(roads.resources, np.int32),
            np.empty(roads.pockets + 1, np.int32),
            np.empty((n, wide), np.int32),
            np.empty((n, wide), np.int64),
            np.empty((n, wide), np.int32),
            np.empty(n * self._p.most_moves, np.int32),
            np.empty(n * self._p.most_moves, np.int32),
        )
        self._scratch_for = n
