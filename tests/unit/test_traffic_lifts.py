"""The traffic engine with lifts attacked: random levels, slow lifts, robots that stop in the cabin and come back."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import Rejected
from contracts.ids import LiftId, NodeId, RobotId
from contracts.layout import Layout, Node, NodeKind
from tests.unit.traffic_floor import Floor, check, layout_of, two_way

SEEDS = st.integers(0, 10_000)
slow = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


def random_levels(rng: random.Random) -> Layout:
    """Two or three levels, each a one-way ring with chords and dead ends, and lifts from somewhere to somewhere."""
    nodes: list[Node] = []
    ways: list[tuple[str, str]] = []
    levels = ["", "up", "top"][: rng.randint(2, 3)]
    lifts = [LiftId(f"L{k}") for k in range(rng.randint(1, 3))]
    for mark, level in enumerate(levels):
        n = rng.randint(6, 12)
        nodes += [Node(NodeId(f"{mark}-{k}"), float(k % 4), float(k // 4), level=level) for k in range(n)]
        ways += [(f"{mark}-{k}", f"{mark}-{(k + 1) % n}") for k in range(n)]
        for _ in range(n // 3):
            a, b = rng.sample(range(n), 2)
            ways += two_way([(f"{mark}-{a}", f"{mark}-{b}")])
        for lift in lifts:
            nodes.append(Node(NodeId(f"{mark}-{lift}"), 5.0, 5.0, NodeKind.LIFT, level=level, lift=lift))
            ways += two_way([(f"{mark}-{lift}", f"{mark}-{rng.randrange(n)}")])
            if mark:
                ways += two_way([(f"{mark - 1}-{lift}", f"{mark}-{lift}")])
    return layout_of(nodes, ways)


def places(layout: Layout) -> list[NodeId]:
    """Return where a robot may be sent to."""
    return [n.id for n in layout.nodes if n.lift is None]


def on_the_levels(floor: Floor, robots: int) -> list[RobotId]:
    """Place robots outside the lifts."""
    there = floor.rng.sample(places(floor.layout), robots)
    return [floor.place(f"R{k}", node) for k, node in enumerate(there)]


@slow
@given(SEEDS)
def test_robots_cross_levels_and_every_one_arrives(seed: int) -> None:
    """Nobody drives in or out of a lift that does not stand open, no wait closes a circle, nobody is forgotten."""
    rng = random.Random(seed)
    layout = random_levels(rng)
    floor = Floor(layout, seed)
    cells = places(layout)
    robots = on_the_levels(floor, max(2, len(cells) // 5))
    arrived = dict.fromkeys(robots, 0)

    def again(robot: RobotId) -> None:
        floor.target(robot, rng.choice([c for c in cells if c != floor.at[robot]]))

    def note(robot: RobotId) -> None:
        arrived[robot] += 1
        again(robot)

    floor.on_settled = note
    for robot in robots:
        again(robot)
    for until in range(20_000, 1_800_000, 20_000):
        floor.run(until)
        check(floor.traffic)
        if min(arrived.values()) >= 2:
            break
    missing = {r: floor.traffic.why(r, floor.now) for r in robots if arrived[r] < 2}
    assert not missing
    assert floor.standstill < 120_000


@slow
@given(SEEDS)
def test_a_robot_that_stops_in_a_cabin_and_comes_back_elsewhere_breaks_nothing(seed: int) -> None:
    rng = random.Random(seed)
    layout = random_levels(rng)
    floor = Floor(layout, seed)
    cells = places(layout)
    robots = on_the_levels(floor, max(3, len(cells) // 6))

    def again(robot: RobotId) -> None:
        try:
            floor.target(robot, rng.choice([c for c in cells if c != floor.at[robot]]))
        except Rejected:
            pytest.fail("every level can be reached")

    floor.on_settled = again
    for robot in robots:
        again(robot)
    for until in range(3_000, 240_000, 3_000):
        floor.run(until)
        check(floor.traffic)
        riding = [r for r in robots if r not in floor.dead and layout.node[floor.at[r]].lift is not None]
        if riding and rng.random() < 0.5:
            floor.die(rng.choice(riding))
            check(floor.traffic)
        elif floor.dead and rng.random() < 0.3:
            robot = min(floor.dead)
            for node in rng.sample(cells, len(cells)):
                if floor.revive(robot, node):
                    again(robot)
                    break
            check(floor.traffic)
    for robot in sorted(floor.dead):
        for node in cells:
            if floor.revive(robot, node):
                again(robot)
                break
    assert not floor.dead
    arrived = dict.fromkeys(robots, 0)

    def note(robot: RobotId) -> None:
        arrived[robot] += 1
        again(robot)

    floor.on_settled = note
    floor.run(floor.now + 1_500_000, lambda: min(arrived.values()) > 0)
    check(floor.traffic)
    assert min(arrived.values()) > 0, {r: floor.traffic.why(r, floor.now) for r in robots if not arrived[r]}
