"""Dead ends attacked: goals at their ends, robots that stall, stop for good, come back elsewhere or lie."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import Rejected
from contracts.ids import NodeId, RobotId
from contracts.layout import Layout, Node
from tests.unit.traffic_floor import Floor, check, layout_of, two_way

slow = settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
PATIENCE_MS = 900_000
"""Nobody may wait longer for an arrival once nobody is stopped any more."""


def ring_with_pockets(rng: random.Random) -> Layout:
    """A two-way ring with chords, and dead ends of one to three places hanging on it."""
    n = rng.randint(10, 18)
    nodes = [Node(NodeId(f"n{k}"), float(k % 5), float(k // 5)) for k in range(n)]
    ways = two_way([(f"n{k}", f"n{(k + 1) % n}") for k in range(n)])
    for _ in range(n // 3):
        a, b = rng.sample(range(n), 2)
        ways += two_way([(f"n{a}", f"n{b}")])
    for k in range(rng.randint(3, 6)):
        before = f"n{rng.randrange(n)}"
        for depth in range(rng.randint(1, 3)):
            nodes.append(Node(NodeId(f"p{k}-{depth}"), float(k), 9.0 + depth))
            ways += two_way([(before, f"p{k}-{depth}")])
            before = f"p{k}-{depth}"
    return layout_of(nodes, ways)


@slow
@given(st.integers(0, 10_000))
def test_goals_in_dead_ends_are_reached_whoever_stops_comes_back_elsewhere_or_lies(seed: int) -> None:
    rng = random.Random(seed)
    layout = ring_with_pockets(rng)
    floor = Floor(layout, seed)
    pockets = [n.id for n in layout.nodes if n.id.startswith("p")]
    nodes = [n.id for n in layout.nodes]
    robots = [floor.place(f"R{k}", node) for k, node in enumerate(rng.sample(nodes, max(3, len(nodes) // 6)))]
    last = dict.fromkeys(robots, 0)
    waited = [0]

    def again(robot: RobotId) -> None:
        floor.target(robot, rng.choice([p for p in pockets if p != floor.at[robot]]))

    def note(robot: RobotId) -> None:
        waited[0] = max(waited[0], floor.now - last[robot])
        last[robot] = floor.now
        again(robot)

    floor.on_settled = note
    for robot in robots:
        again(robot)
    for until in range(5_000, 200_000, 5_000):
        floor.run(until)
        check(floor.traffic)
        live = [r for r in robots if r not in floor.dead]
        if rng.random() < 0.2 and len(live) > 2:
            floor.die(rng.choice(live))
        elif floor.dead and rng.random() < 0.5:
            robot = min(floor.dead)
            if any(floor.revive(robot, node) for node in rng.sample(nodes, 6)):
                again(robot)
        liar = rng.choice(live)
        elsewhere = rng.choice([n for n in nodes if n != floor.at[liar] and n not in floor.traffic.route(liar)[0]])
        with pytest.raises(Rejected):
            floor.traffic.passed(liar, elsewhere)
        check(floor.traffic)
    for robot in sorted(floor.dead):
        if any(floor.revive(robot, node) for node in nodes):
            again(robot)
    assert not floor.dead
    last.update(dict.fromkeys(robots, floor.now))
    waited[0] = 0
    begin, floor.arrivals = floor.now, 0
    floor.run(begin + 1_800_000)
    check(floor.traffic)
    worst = max(waited[0], *(floor.now - t for t in last.values()))
    assert worst < PATIENCE_MS, {r: floor.traffic.why(r, floor.now) for r in robots if floor.now - last[r] == worst}
    assert floor.arrivals > len(robots)
