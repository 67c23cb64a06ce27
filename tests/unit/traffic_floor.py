"""A floor to attack the traffic engine with: robots with random travel times, and a checker that shares nothing with
the engine but the layout."""

import heapq
import random
from collections.abc import Callable
from itertools import pairwise

from contracts.errors import Rejected
from contracts.ids import DoorId, EdgeId, LiftId, NodeId, RobotId
from contracts.layout import Edge, Layout, Node, NodeKind
from dispatcher.traffic.engine import Traffic
from dispatcher.traffic.graph import gate_of
from dispatcher.traffic.params import TrafficParams


def layout_of(nodes: list[Node], ways: list[tuple[str, str]], empty_only: set[tuple[str, str]] = frozenset()) -> Layout:
    edges = tuple(
        Edge(EdgeId(f"{a}-{b}"), NodeId(a), NodeId(b), loaded=(a, b) not in empty_only) for a, b in dict.fromkeys(ways)
    )
    return Layout("test", "floor", "1", tuple(nodes), edges)


def two_way(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [w for a, b in pairs for w in ((a, b), (b, a))]


def grid(width: int, height: int, walls: set[tuple[int, int]] = frozenset()) -> Layout:
    cells = {(x, y) for x in range(width) for y in range(height)} - walls
    nodes = [Node(NodeId(f"{x}_{y}"), float(x), float(y)) for x, y in sorted(cells)]
    pairs = [(f"{x}_{y}", f"{a}_{b}") for x, y in sorted(cells) for a, b in ((x + 1, y), (x, y + 1)) if (a, b) in cells]
    return layout_of(nodes, two_way(pairs))


class Floor:
    """Robots that drive what is released to them, and nothing else.

    Checks at every event: a robot enters a resource only if no other body is in it; released nodes join on to the
    base; nothing released is taken back; a closed door is not entered; a lift stands open where a robot drives in or
    out, and does not leave before it has; a loaded robot is on a storage node only if it was its start or its goal.
    """

    def __init__(self, layout: Layout, seed: int, params: TrafficParams | None = None, period_ms: int = 250) -> None:
        self.layout = layout
        self.traffic = Traffic(layout, params)
        self.rng = random.Random(seed)
        self.now = 0
        self.period_ms = period_ms
        self.heap: list[tuple[int, int, Callable[[], None]]] = []
        self.count = 0
        self.base: dict[RobotId, list[NodeId]] = {}
        self.at: dict[RobotId, NodeId] = {}
        self.moving: dict[RobotId, NodeId] = {}
        self.body: dict[str, RobotId] = {}
        self.goal: dict[RobotId, tuple[NodeId, bool]] = {}
        self.open: frozenset[DoorId] = frozenset(n.door for n in layout.nodes if n.door)
        self.lift: dict[LiftId, str] = {n.lift: "" for n in layout.nodes if n.lift is not None}
        """Where each lift stands open; empty: under way."""
        self.called: dict[LiftId, str] = {}
        self.rides = 0
        self.dead: set[RobotId] = set()
        self.on_settled: Callable[[RobotId], None] = lambda _: None
        self.arrivals = 0
        self.moves = 0
        self.last_move = 0
        self.standstill = 0
        self.slow = lambda: self.rng.uniform(1.0, 1.6)
        self.after(0, self.tick)

    def after(self, delay_ms: float, do: Callable[[], None]) -> None:
        self.count += 1
        heapq.heappush(self.heap, (self.now + round(delay_ms), self.count, do))

    def run(self, until_ms: int, done: Callable[[], bool] = lambda: False) -> bool:
        while self.heap and self.heap[0][0] <= until_ms:
            self.now, _, do = heapq.heappop(self.heap)
            do()
            if done():
                return True
        return done()

    def resource(self, node: NodeId) -> str:
        return self.layout.node[node].resource

    def place(self, name: str, node: str) -> RobotId:
        robot, at = RobotId(name), NodeId(node)
        self.traffic.place(robot, at)
        assert self.resource(at) not in self.body
        self.body[self.resource(at)] = robot
        self.at[robot], self.base[robot] = at, []
        return robot

    def target(self, robot: RobotId, node: str, *, loaded: bool = False, priority: int = 0) -> None:
        self.traffic.target(robot, NodeId(node), loaded=loaded, priority=priority)
        self.goal[robot] = NodeId(node), loaded

    def tick(self) -> None:
        self.traffic.plan(self.now)
        self.give()
        self.call_lifts()
        self.after(self.period_ms, self.tick)

    def call_lifts(self) -> None:
        for lift, level in self.traffic.wanted_lifts().items():
            if self.lift[lift] not in {"", level}:
                self.leaves(lift)
            if self.lift[lift] != level and lift not in self.called:
                self.called[lift] = level
                self.after(self.rng.uniform(1_000, 12_000), lambda lift=lift: self.comes(lift))

    def leaves(self, lift: LiftId) -> None:
        for robot, to in self.moving.items():
            if robot not in self.dead:
                a, b = self.layout.node[self.at[robot]], self.layout.node[to]
                assert lift not in {a.lift, b.lift}, f"lift {lift} leaves while {robot} drives from {a.id} to {b.id}"
        self.lift[lift] = ""

    def comes(self, lift: LiftId) -> None:
        self.lift[lift] = self.called.pop(lift)
        self.rides += 1
        self.give()

    def gates(self) -> frozenset[str]:
        return self.open | {gate_of(lift, level) for lift, level in self.lift.items() if level}

    def through(self, before: NodeId, node: NodeId) -> None:
        """Assert that the lift that is entered or left stands open there."""
        nodes = self.layout.node
        a, b = nodes[before], nodes[node]
        if b.lift is not None:
            assert self.lift[b.lift] == self.layout.level(node), f"{before} -> {node}"
        if a.lift is not None and a.lift != b.lift:
            assert self.lift[a.lift] == self.layout.level(before), f"{before} -> {node}"

    def give(self) -> None:
        for robot, nodes in self.traffic.release(self.now, self.gates()).items():
            assert robot not in self.dead
            last = self.base[robot][-1] if self.base[robot] else self.moving.get(robot, self.at[robot])
            for node in nodes:
                edge = self.layout.edge[last, node]
                goal, loaded = self.goal.get(robot, (None, False))
                if loaded:
                    assert edge.loaded
                    assert self.layout.node[node].kind is not NodeKind.STORAGE or node == goal
                door = self.layout.node[node].door
                assert door is None or door in self.open
                self.through(last, node)
                last = node
            self.base[robot].extend(nodes)
            self.drive(robot)
            if not nodes and self.traffic.settled(robot):
                self.arrivals += 1
                self.on_settled(robot)

    def drive(self, robot: RobotId) -> None:
        if robot in self.moving or robot in self.dead or not self.base[robot]:
            return
        node = self.base[robot].pop(0)
        resource = self.resource(node)
        assert self.body.get(resource, robot) == robot, f"{robot} drives into {self.body[resource]} at {node}"
        self.body[resource] = robot
        self.moving[robot] = node
        self.through(self.at[robot], node)
        edge = self.layout.edge[self.at[robot], node]
        self.after(
            1000 * self.layout.length_m(edge) / edge.max_speed_mps * self.slow(), lambda: self.arrive(robot, node)
        )

    def arrive(self, robot: RobotId, node: NodeId) -> None:
        if robot in self.dead or self.moving.get(robot) != node:
            return
        del self.moving[robot]
        if self.resource(self.at[robot]) != self.resource(node):
            del self.body[self.resource(self.at[robot])]
        self.at[robot] = node
        self.standstill = max(self.standstill, self.now - self.last_move)
        self.last_move = self.now
        self.moves += 1
        self.traffic.passed(robot, node)
        released, _ = self.traffic.route(robot)
        assert list(released) == self.base[robot]
        self.drive(robot)
        if self.traffic.settled(robot):
            self.arrivals += 1
            self.on_settled(robot)
        self.give()

    def die(self, robot: RobotId) -> None:
        """Let a robot stop where it is, for good."""
        self.dead.add(robot)
        self.traffic.lost(robot)
        self.base[robot] = []

    def stay(self, robot: RobotId) -> None:
        """Let a dead robot say that it will drive no further than the edge that it is on."""
        self.traffic.keep(robot, int(robot in self.moving))

    def go_on(self, robot: RobotId) -> None:
        """Let one that has said so move again, to the end of the edge that it is on."""
        self.dead.discard(robot)
        self.traffic.found(robot)
        if robot in self.moving:
            self.base[robot] = [self.moving.pop(robot)]
            self.drive(robot)
        self.give()

    def revive(self, robot: RobotId, node: NodeId) -> bool:
        """Carry a dead robot to a node, if it is free, and let it report from there."""
        holds = {q for q, r in self.body.items() if r == robot}
        if self.body.get(self.resource(node), robot) != robot:
            return False
        try:
            self.traffic.place(robot, node)
        except Rejected:
            return False
        for q in holds:
            del self.body[q]
        self.body[self.resource(node)] = robot
        self.at[robot], self.base[robot] = node, []
        self.moving.pop(robot, None)
        self.dead.discard(robot)
        return True

    def all_settled(self) -> bool:
        return all(self.traffic.settled(r) for r in self.goal if r not in self.dead)


def check(traffic: Traffic) -> None:
    """Assert what must hold between any two calls.

    Queues and paths say the same; ends lie in different resources; nothing released waits for another robot; and the
    waits of all path entries (for the robot's own earlier entry, and for whoever is before it in the queue) close no
    circle.
    """
    right, fleet, roads = traffic._c.right, traffic._c.fleet, traffic._c.roads
    entries = {(r, k): roads.res_of[n] for r, path in enumerate(right.path) for k, n in enumerate(path)}
    before: dict[tuple[int, int], list[tuple[int, int]]] = {e: [] for e in entries}
    for q, queue in enumerate(right.queue):
        seen: dict[int, int] = {}
        line = []
        for r in queue:
            own = [k for k, n in enumerate(right.path[r]) if roads.res_of[n] == q]
            line.append((r, own[seen.get(r, 0)]))
            seen[r] = seen.get(r, 0) + 1
        assert sorted(line) == sorted(e for e, res in entries.items() if res == q)
        for a, b in pairwise(line):
            if a[0] != b[0]:  # b may enter when a's robot has gone on
                before[b].append((a[0], a[1] + 1) if (a[0], a[1] + 1) in entries else a)
                assert b[1] >= right.released[b[0]]
    for r, k in entries:
        if k:
            before[r, k].append((r, k - 1))
    colour: dict[tuple[int, int], int] = {}
    for start in entries:
        stack = [(start, iter(before[start]))]
        if start in colour:
            continue
        colour[start] = 1
        while stack:
            at, todo = stack[-1]
            for b in todo:
                assert colour.get(b) != 1, "a circle of waits"
                if b not in colour:
                    colour[b] = 1
                    stack.append((b, iter(before[b])))
                    break
            else:
                colour[at] = 2
                stack.pop()
    ends = [roads.res_of[path[-1]] for path in right.path if path]
    assert len(set(ends)) == len(ends)
    for robot, r in fleet.number.items():
        path = right.path[r]
        assert (fleet.end[r], fleet.pending[r]) == (path[-1], len(path) - 1), robot
        assert fleet.holder[roads.res_of[path[-1]]] == r
