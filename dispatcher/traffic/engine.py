"""The traffic engine: which way each robot drives, and when it may.

Its face to the dispatcher. Deterministic, without I/O, and picklable: the same calls give the same answers, before and
after a pickle. The compiled planner is loaded when the first engine is built, not when this module is.
"""

from contracts.errors import Rejected
from contracts.ids import NodeId, RobotId
from contracts.layout import Layout
from dispatcher.traffic.answers import Answers
from dispatcher.traffic.graph import LONGEST_MS
from dispatcher.traffic.params import TrafficParams
from dispatcher.traffic.recovery import cut_back, evict, evict_edge, strand
from dispatcher.traffic.rounds import Rounds
from dispatcher.traffic.state import FIXED, FREE, NEVER_MS
from dispatcher.traffic.why import Reason, Wait

__all__ = ["Reason", "Traffic", "TrafficParams", "Wait"]


class Traffic(Answers):
    """Plans and releases the ways of all robots of one layout.

    Parameters
    ----------
    layout
        The road map.
    params
        See `TrafficParams`.
    """

    def __init__(self, layout: Layout, params: TrafficParams | None = None) -> None:
        super().__init__(layout, params)
        self._rounds = Rounds(self._c)

    # --- who is where ------------------------------------------------------------------------------------------

    def place(self, robot: RobotId, node: NodeId) -> None:
        """Put a robot on a node: a new one, or one that was lost or comes back.

        What others have planned there, but were not released, is taken back.

        Raises
        ------
        Rejected
            There is no such node, the robot is on the floor already, or the resource is held by another one.
        """
        n, f, right = self._c.roads.at("node", node), self._c.fleet, self._c.right
        r = f.number.get(robot, -1)
        if r >= 0 and r not in self._c.lost:
            raise Rejected("robot", robot, "a robot that is not on the floor yet, or lost")
        q = self._c.roads.res_of[n]
        cuts = []
        for o in dict.fromkeys(right.queue[q]):
            if o == r:
                continue
            step = next(k for k, at in enumerate(right.path[o]) if self._c.roads.res_of[at] == q)
            if step < right.released[o]:
                raise Rejected("node", node, f"free: it is held by {f.name(o)}")
            cuts.append((o, step))
        if r >= 0:
            right.leave(r)
            self._c.lost.discard(r)
        changed = cut_back(right, cuts)
        if r < 0:
            r = f.add(robot)
        right.stand(r, n)
        f.mode[r] = FIXED if r in self._c.pinned else FREE
        self._c.ended([*changed, r])
        self._c.reshut()
        self._c.watch(r)

    def remove(self, robot: RobotId) -> None:
        """Take a robot off the floor; all it holds is free."""
        f = self._c.fleet
        r = f.of(robot)
        self._c.calm(r)
        self._c.right.leave(r)
        self._c.drop_detour(r)
        for memory in (self._c.want, self._c.attempts, self._c.detour_ms, self._c.since):
            memory.pop(r, None)
        self._c.pinned.discard(r)
        self._c.lost.discard(r)
        self._c.stalled.discard(r)
        for users in self._c.door_users.values():
            users.discard(r)
        f.drop(robot)
        f.goal[r] = f.row[r] = -1
        self._c.hold()
        self._c.reshut()

    def passed(self, robot: RobotId, node: NodeId) -> None:
        """Note that a robot is at a node of its released path; what lies before it is free.

        A path may visit a node twice: the next visit is meant. Report every node, in order.

        Raises
        ------
        Rejected
            The node is not in the robot's released path; nothing was changed.
        """
        f, right = self._c.fleet, self._c.right
        r, n = f.of(robot), self._c.roads.at("node", node)
        path, released = right.path[r], right.released[r]
        try:
            steps = path.index(n, 0, released)
        except ValueError:
            ahead = " ".join(self._c.roads.ids[k] for k in path[:released])
            raise Rejected("node", node, f"in the released path of {robot}: {ahead}") from None
        if r in self._c.lost:
            raise Rejected("robot", robot, "a robot that is not lost; place it again")
        if steps == 0:
            return
        doors = [d for d in path[:steps] if d in self._c.door_users]
        right.passed(r, steps)
        f.pending[r] -= steps
        self._c.since[r] = self._c.now
        if r in self._c.stalled:
            self._c.bar()
        for d in doors:
            if d not in right.path[r]:
                self._c.door_users[d].discard(r)
        if f.pending[r] == 0 and n == f.goal[r]:
            f.anchor[r] = self._c.now + self._c.params.grace_ms

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
        f, t = self._c.fleet, self._c.tables
        r, n, kind = f.of(robot), self._c.roads.at("node", node), int(loaded)
        row = t.row(n, kind, f.row)
        if t.pool[row, f.end[r]] >= LONGEST_MS and t.reach_ms(n, kind, int(f.end[r])) >= LONGEST_MS:
            start = self._c.roads.ids[f.end[r]]
            raise Rejected("node", node, f"a node that {robot} reaches from {start}{' with its load' * loaded}")
        self._c.calm(r)
        self._c.drop_detour(r)
        self._c.want[r] = n
        f.kind[r] = kind
        f.key[r] = self._c.now - priority * self._c.params.priority_ms
        self._c.attempts.pop(r, None)
        self._c.since[r] = self._c.now
        self._c.set_goal(r, n)
        self._c.fresh.add(r)

    def rest(self, robot: RobotId) -> None:
        """Take the goal of a robot away that carries nothing: what is committed stays, and it may be pushed on."""
        f, r = self._c.fleet, self._c.fleet.of(robot)
        self._c.calm(r)
        self._c.drop_detour(r)
        self._c.want.pop(r, None)
        f.kind[r] = 0
        f.goal[r] = f.row[r] = -1

    def pin(self, robot: RobotId) -> None:
        """Hold a robot where it is: nothing more is planned for or released to it, nor is it pushed."""
        r = self._c.fleet.of(robot)
        self._c.calm(r)
        self._c.pinned.add(r)
        self._c.fleet.mode[r] = FIXED
        self._c.since[r] = self._c.now

    def unpin(self, robot: RobotId) -> None:
        """Let a robot move again."""
        f = self._c.fleet
        r = f.of(robot)
        if r not in self._c.pinned:
            return
        self._c.pinned.discard(r)
        self._c.congestion.worked(self._c.right.path[r][0], self._c.now - self._c.since[r])
        self._c.since[r] = f.moved[r] = f.progress[r] = self._c.now
        if r not in self._c.lost and r not in self._c.stalled:
            f.mode[r] = FREE
            f.anchor[r] = NEVER_MS if f.pending[r] else self._c.now + self._c.params.grace_ms
            self._c.right.wake([r])

    def lost(self, robot: RobotId) -> None:
        """Note that a robot stopped for good.

        It keeps what is released to it, as it may stand anywhere there; those nodes are shut until it is placed again
        or removed. All that depends on it is planned anew.
        """
        f = self._c.fleet
        r = f.of(robot)
        if r in self._c.lost:
            return
        self._c.calm(r)
        changed = strand(self._c.right, r)
        self._c.stalled.discard(r)
        self._c.lost.add(r)
        self._c.since[r] = self._c.now
        f.mode[r] = FIXED
        self._c.ended(changed)
        self._c.reshut()

    def stalled(self, robot: RobotId) -> None:
        """Note that a robot stands on its released way and may go on at any time: nobody is to wait behind it.

        It keeps what is released to it. Who was promised a place behind it drives around, and nobody plans to enter
        its way, until it is `found`. The distance tables stay, so this costs little.
        """
        f = self._c.fleet
        r = f.of(robot)
        if r in self._c.lost or r in self._c.stalled:
            return
        self._c.calm(r)
        changed = strand(self._c.right, r)
        self._c.stalled.add(r)
        self._c.since[r] = self._c.now
        f.mode[r] = FIXED
        self._c.ended(changed)
        self._c.bar()

    def found(self, robot: RobotId) -> None:
        """Let a stalled or lost robot go on along what is released to it: it moves again."""
        f = self._c.fleet
        r = f.of(robot)
        if r not in self._c.lost and r not in self._c.stalled:
            return
        self._c.lost.discard(r)
        self._c.stalled.discard(r)
        self._c.since[r] = f.moved[r] = f.progress[r] = self._c.now
        f.mode[r] = FIXED if r in self._c.pinned else FREE
        self._c.right.wake([r])
        self._c.reshut()
        self._c.bar()

    def keep(self, robot: RobotId, ahead: int) -> None:
        """Let a stalled or lost robot keep so many nodes of its released way: it said that it drives no further.

        What lay behind them is free. It may be `found` again, and goes on along what it kept.

        Raises
        ------
        Rejected
            It is neither stalled nor lost.
        """
        r = self._c.fleet.of(robot)
        if r not in self._c.lost and r not in self._c.stalled:
            raise Rejected("robot", robot, "a robot that is stalled or lost")
        self._c.right.give_back(r, ahead + 1)
        self._c.ended([r])
        self._c.reshut()
        self._c.bar()

    def close(self, node: NodeId) -> None:
        """Close a node: nobody plans to enter it, and what was planned but not released is taken back."""
        n = self._c.roads.at("node", node)
        if n not in self._c.closed:
            self._c.closed.add(n)
            self._c.ended(evict(self._c.right, frozenset({n})))
            self._c.reshut()

    def reopen(self, node: NodeId) -> None:
        """Open a closed node again."""
        self._c.closed.discard(self._c.roads.at("node", node))
        self._c.reshut()

    def close_edge(self, start: NodeId, end: NodeId) -> None:
        """Close an edge in its one direction: nobody plans to drive it; what is released is still driven."""
        u, v = self._c.roads.at("start", start), self._c.roads.at("end", end)
        self._c.roads.close_edge(u, v)
        self._c.ended(evict_edge(self._c.right, u, v))
        self._c.rebuild()

    def reopen_edge(self, start: NodeId, end: NodeId) -> None:
        """Open a closed edge again."""
        self._c.roads.reopen_edge(self._c.roads.at("start", start), self._c.roads.at("end", end))
        self._c.rebuild()

    # --- plan and release --------------------------------------------------------------------------------------

    def plan(self, now_ms: int) -> None:
        """Extend committed ends where few moves are left. Call it after facts, and at least every few seconds."""
        self._rounds.plan(now_ms)

    def release(self, now_ms: int, open_gates: frozenset[str]) -> dict[RobotId, tuple[NodeId, ...]]:
        """Release what robots have right of way for; return the new nodes of each, in order.

        A robot without new nodes is among them if it stands at its goal since the rest of its way was taken back.

        Parameters
        ----------
        open_gates
            Doors that are open, and lifts that stand open and will stay, by `graph.gate_of`.
        """
        self._c.now = now_ms
        found: dict[RobotId, tuple[NodeId, ...]] = {}
        ids, right = self._c.roads.ids, self._c.right
        for r, n in right.release(self._c.params.few_moves, self._c.pinned | self._c.lost, open_gates):
            path, end = right.path[r], right.released[r]
            found[self._c.fleet.name(r)] = tuple(ids[v] for v in path[end - n : end])
            stood_ms = now_ms - self._c.since.get(r, now_ms) if end - n == 1 else 0
            self._c.congestion.waited(path[end - n - 1 : end], stood_ms)
            self._c.since[r] = now_ms
        for r in sorted(self._c.home):
            if len(right.path[r]) == 1 and self.settled(self._c.fleet.name(r)):
                found.setdefault(self._c.fleet.name(r), ())
        self._c.home.clear()
        return found
