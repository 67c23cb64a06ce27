"""Two roads to the same place: who drives past a queue takes the free one, and comes back when the queue is gone."""

import pickle
from itertools import pairwise

from contracts.ids import NodeId, RobotId
from contracts.layout import Layout, Node
from dispatcher.traffic.params import TrafficParams
from tests.unit.traffic_floor import Floor, check, layout_of

WORK_MS = 30_000
LENGTH, ASIDE, BACK = 24, 6, 3


def roads() -> Layout:
    """A ring of one-way roads: from `a` to `z` straight on, `s1` and on, or by a longer one, `l1` and on; back by `b`.

    All nodes stand a metre apart.
    """
    up, down = range(1, ASIDE + 1), range(ASIDE - 1, 0, -1)
    points = {
        "s": [(x, 0) for x in range(1, LENGTH)],
        "l": [*((0, y) for y in up), *((x, ASIDE) for x in range(1, LENGTH + 1)), *((LENGTH, y) for y in down)],
        "b": [
            *((LENGTH, -y) for y in range(1, BACK + 1)),
            *((x, -BACK) for x in range(LENGTH - 1, -1, -1)),
            *((0, -y) for y in range(BACK - 1, 0, -1)),
        ],
    }
    nodes = [Node(NodeId("a"), 0.0, 0.0), Node(NodeId("z"), float(LENGTH), 0.0)]
    ways: list[tuple[str, str]] = []
    for road, at in points.items():
        names = [f"{road}{k}" for k in range(1, len(at) + 1)]
        nodes += [Node(NodeId(n), float(x), float(y)) for n, (x, y) in zip(names, at, strict=True)]
        ways += pairwise(["z", *names, "a"] if road == "b" else ["a", *names, "z"])
    return layout_of(nodes, ways)


STATION = f"s{LENGTH - 8}"
FAR, NEAR = "b5", "b25"


class Ring(Floor):
    """Robots that drive round and round: some work at the station on the straight road, the others only pass."""

    def __init__(self, *, congestion: bool, workers: int, passers: int, seed: int = 1) -> None:
        super().__init__(roads(), seed, TrafficParams(congestion=congestion, most_moves=4, few_moves=1))
        self.trips = 0
        self.working = True
        self.by_long: dict[RobotId, list[tuple[int, bool]]] = {}
        self.workers: dict[RobotId, bool] = {}
        self.on_settled = self.next_goal
        for k in range(workers + passers):
            robot = self.place(f"r{k}", f"b{2 * k + 1}")
            self.workers[robot] = k < workers
            self.target(robot, STATION if k < workers else FAR)

    def next_goal(self, robot: RobotId) -> None:
        if self.at[robot] == STATION:
            self.traffic.pin(robot)
            self.after(WORK_MS, lambda: self.leave(robot))
        elif self.at[robot] == FAR:
            self.trips += not self.workers[robot]
            self.target(robot, NEAR)
        else:
            self.target(robot, STATION if self.workers[robot] and self.working else FAR)

    def leave(self, robot: RobotId) -> None:
        self.traffic.unpin(robot)
        self.target(robot, FAR)

    def arrive(self, robot: RobotId, node: NodeId) -> None:
        if node in {"s1", "l1"}:
            self.by_long.setdefault(robot, []).append((self.now, node == "l1"))
        super().arrive(robot, node)


def test_with_a_queue_on_the_straight_road_those_who_pass_take_the_other_one() -> None:
    """Half as many again get through, at least; and a robot that chose a road drives it to its end."""
    trips = {}
    for congestion in (False, True):
        floor = Ring(congestion=congestion, workers=5, passers=8)
        floor.run(600_000)
        check(floor.traffic)
        trips[congestion] = floor.trips
    assert trips[True] >= 1.5 * trips[False]


def test_without_a_queue_everybody_takes_the_straight_road() -> None:
    floor = Ring(congestion=True, workers=0, passers=8)
    floor.run(300_000)
    assert not any(long for ways in floor.by_long.values() for _, long in ways)


def test_when_the_queue_is_gone_robots_are_back_on_the_straight_road_within_a_minute() -> None:
    floor = Ring(congestion=True, workers=5, passers=8)
    floor.run(400_000)
    floor.working = False
    assert floor.run(800_000, lambda: all(goal != STATION for goal, _ in floor.goal.values()))
    gone = floor.now
    floor.run(gone + 180_000)
    later = [long for ways in floor.by_long.values() for when, long in ways if when > gone + 60_000]
    assert later
    assert not any(later)


def test_a_robot_behind_a_queue_is_not_the_nearest() -> None:
    """Travel times, by which work is given out, count what waiting costs."""
    floor = Ring(congestion=True, workers=5, passers=0)
    free = floor.traffic.travel_s(NodeId("s1"), NodeId("z"), loaded=False)
    floor.run(300_000)
    floor.traffic.plan(floor.now)
    assert floor.traffic.travel_s(NodeId("s1"), NodeId("z"), loaded=False) > free + 30
    assert floor.traffic.travel_s(NodeId("l1"), NodeId("z"), loaded=False) < 2 * free


def test_a_pickle_remembers_what_waiting_costs() -> None:
    floors = [Ring(congestion=True, workers=4, passers=8) for _ in range(2)]
    for until in range(30_000, 240_000, 30_000):
        for floor in floors:
            floor.run(until)
        floors[1].traffic = pickle.loads(pickle.dumps(floors[1].traffic))
        assert floors[0].at == floors[1].at
        assert floors[0].base == floors[1].base
