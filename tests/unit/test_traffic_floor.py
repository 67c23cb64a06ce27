"""The whole traffic engine against a floor of its own: robots with random travel times, and a checker that shares
nothing with the engine but the layout."""

import heapq
import random
from collections.abc import Callable

import pytest

from contracts.ids import DoorId, EdgeId, NodeId, RobotId
from contracts.layout import Edge, Layout, Node, NodeKind
from dispatcher.traffic.engine import Traffic
from dispatcher.traffic.params import TrafficParams
from dispatcher.traffic.why import Reason


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
    base; nothing released is taken back; a closed door is not entered; a loaded robot is on a storage node only if it
    was its start or its goal.
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
        group = self.layout.node[node].conflict
        return f"group {group}" if group else f"node {node}"

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
        self.after(self.period_ms, self.tick)

    def give(self) -> None:
        for robot, nodes in self.traffic.release(self.now, self.open).items():
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
                last = node
            self.base[robot].extend(nodes)
            self.drive(robot)

    def drive(self, robot: RobotId) -> None:
        if robot in self.moving or robot in self.dead or not self.base[robot]:
            return
        node = self.base[robot].pop(0)
        resource = self.resource(node)
        assert self.body.get(resource, robot) == robot, f"{robot} drives into {self.body[resource]} at {node}"
        self.body[resource] = robot
        self.moving[robot] = node
        edge = self.layout.edge[self.at[robot], node]
        self.after(1000 * self.layout.length_m(edge) / edge.max_speed_mps * self.slow(), lambda: self.arrive(robot))

    def arrive(self, robot: RobotId) -> None:
        if robot in self.dead:
            return
        node = self.moving.pop(robot)
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

    def all_settled(self) -> bool:
        return all(self.traffic.settled(r) for r in self.goal if r not in self.dead)


def test_robots_facing_each_other_in_a_narrow_corridor_change_places() -> None:
    """One backs out to the loop, as the corridor has no room to pass."""
    ring = [("a0", "a1"), ("a1", "a2"), ("a2", "a0"), ("b0", "b1"), ("b1", "b2"), ("b2", "b0")]
    corridor = [("a0", "c1"), ("c1", "c2"), ("c2", "c3"), ("c3", "b0")]
    names = sorted({n for pair in ring + corridor for n in pair})
    floor = Floor(layout_of([Node(NodeId(n), float(k), 0.0) for k, n in enumerate(names)], two_way(ring + corridor)), 1)
    x, y = floor.place("x", "c1"), floor.place("y", "c3")
    floor.target(x, "b1")
    floor.target(y, "a1")
    assert floor.run(120_000, floor.all_settled)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_who_is_at_the_bottom_of_a_dead_end_gets_out_before_the_next_gets_in(depth: int) -> None:
    ring = [("r0", "r1"), ("r1", "r2"), ("r2", "r3"), ("r3", "r0")]
    pocket = [("r0", "p1")] + [(f"p{k}", f"p{k + 1}") for k in range(1, depth)]
    names = sorted({n for pair in ring + pocket for n in pair})
    floor = Floor(layout_of([Node(NodeId(n), float(k), 0.0) for k, n in enumerate(names)], two_way(ring + pocket)), 1)
    bottom = f"p{depth}"
    inside, outside = floor.place("inside", bottom), floor.place("outside", "r0")
    floor.target(outside, bottom)
    floor.run(5_000)
    floor.target(inside, "r2")
    assert floor.run(200_000, floor.all_settled)


def test_a_robot_without_work_is_sent_out_of_a_dead_end_that_another_must_enter() -> None:
    pairs = [("r0", "r1"), ("r1", "r2"), ("r2", "r3"), ("r3", "r0"), ("r0", "p1"), ("p1", "p2"), ("p2", "p3")]
    names = sorted({n for pair in pairs for n in pair})
    floor = Floor(layout_of([Node(NodeId(n), float(k), 0.0) for k, n in enumerate(names)], two_way(pairs)), 1)
    floor.place("idle", "p2")
    busy = floor.place("busy", "r2")
    floor.target(busy, "p3")
    assert floor.run(200_000, floor.all_settled)


def test_two_in_a_dead_end_change_their_order() -> None:
    pairs = [("r0", "r1"), ("r1", "r2"), ("r2", "r3"), ("r3", "r0"), ("r0", "p1"), ("p1", "p2"), ("p2", "p3")]
    names = sorted({n for pair in pairs for n in pair})
    floor = Floor(layout_of([Node(NodeId(n), float(k), 0.0) for k, n in enumerate(names)], two_way(pairs)), 1)
    a, b = floor.place("a", "p3"), floor.place("b", "p2")
    floor.target(a, "p2")
    floor.target(b, "p3")
    assert floor.run(400_000, floor.all_settled)


def test_a_pinned_robot_is_driven_around_and_never_pushed() -> None:
    floor = Floor(grid(7, 3), 1)
    still, x = floor.place("still", "3_1"), floor.place("x", "0_1")
    floor.traffic.pin(still)
    floor.target(x, "6_1")
    assert floor.run(60_000, lambda: floor.traffic.settled(x))
    assert floor.at[still] == "3_1"


def test_why_names_the_pinned_robot_at_the_goal() -> None:
    floor = Floor(grid(5, 1), 1)
    still, x = floor.place("still", "4_0"), floor.place("x", "0_0")
    floor.traffic.pin(still)
    floor.target(x, "4_0")
    floor.run(20_000)
    assert floor.at[x] == "3_0"
    first, second = floor.traffic.why(x, floor.now)
    assert (first.reason, first.holder, second.reason) == (Reason.GOAL_TAKEN, still, Reason.PINNED)


def test_a_door_is_entered_only_while_it_is_open() -> None:
    nodes = [Node(NodeId(n), float(k), 0.0) for k, n in enumerate("abc")]
    nodes.insert(2, Node(NodeId("d"), 1.5, 0.0, NodeKind.DOOR, DoorId("D")))
    floor = Floor(layout_of(nodes, two_way([("a", "b"), ("b", "d"), ("d", "c")])), 1)
    floor.open = frozenset()
    x = floor.place("x", "a")
    floor.target(x, "c")
    floor.run(30_000)
    assert floor.at[x] == "b"
    assert floor.traffic.wanted_doors() == {"D"}
    assert floor.traffic.why(x, floor.now)[0].door == "D"
    floor.open = frozenset({DoorId("D")})
    assert floor.run(60_000, floor.all_settled)
    assert floor.traffic.wanted_doors() == set()


@pytest.mark.parametrize(("width", "height", "robots", "seed"), [(6, 6, 12, 1), (8, 8, 40, 2), (12, 5, 30, 3)])
def test_on_grids_everybody_arrives_again_and_again(width: int, height: int, robots: int, seed: int) -> None:
    floor = Floor(grid(width, height), seed)
    cells = [n.id for n in floor.layout.nodes]
    starts = floor.rng.sample(cells, robots)
    last: dict[RobotId, int] = {}

    def again(robot: RobotId) -> None:
        last[robot] = floor.now
        taken = {g for g, _ in floor.goal.values()}
        floor.target(robot, floor.rng.choice([c for c in cells if c not in taken]))

    floor.on_settled = again
    for k, start in enumerate(starts):
        again(floor.place(f"R{k}", start))
    floor.run(3_600_000)
    assert floor.standstill < 10_000
    assert floor.arrivals > 40 * robots
    assert min(last.values()) > 3_600_000 - 300_000
