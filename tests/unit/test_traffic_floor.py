"""The whole traffic engine on small floors: narrow corridors, dead ends, doors, pinned robots, crowded grids."""

from itertools import pairwise

import msgspec
import pytest

from contracts.geometry import Point
from contracts.ids import DoorId, NodeId, RobotId
from contracts.layout import Node, NodeKind, Zone, ZoneKind
from dispatcher.traffic.params import TrafficParams
from dispatcher.traffic.why import Reason
from tests.unit.traffic_floor import Floor, check, grid, layout_of, two_way


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


def test_a_stalled_robot_is_driven_around_and_goes_on_when_it_moves() -> None:
    """Nobody waits behind a robot that stands on its way, and it keeps what was released to it."""
    floor = Floor(grid(9, 3), 1)
    slow, quick = floor.place("slow", "1_1"), floor.place("quick", "0_1")
    floor.target(slow, "8_1")
    floor.run(1_000)
    floor.dead.add(slow)
    floor.traffic.stalled(slow)
    released = floor.traffic.route(slow)[0]
    assert released
    assert floor.traffic.why(slow, floor.now)[0].reason is Reason.STALLED
    floor.target(quick, "8_0")
    assert floor.run(60_000, lambda: floor.traffic.settled(quick))
    assert floor.traffic.route(slow)[0] == released
    floor.dead.discard(slow)
    floor.traffic.found(slow)
    floor.base[slow].insert(0, floor.moving.pop(slow))
    floor.drive(slow)
    assert floor.run(120_000, lambda: floor.traffic.settled(slow))


def test_who_is_there_first_does_not_wait_for_who_was_planned_first() -> None:
    """A crossing that was promised to a robot still far away is given to one that is before it."""
    floor = Floor(grid(9, 9), 1, TrafficParams(most_moves=8, few_moves=2))
    far = floor.place("far", "0_4")
    floor.target(far, "8_4")
    floor.traffic.plan(0)
    assert "4_4" in floor.traffic.route(far)[1]
    near = floor.place("near", "4_5")
    floor.target(near, "4_0")
    floor.traffic.plan(250)
    floor.traffic.release(250, frozenset())
    assert "4_4" in floor.traffic.route(near)[0]


def test_a_closed_edge_is_driven_around_in_its_one_direction_until_it_is_open() -> None:
    """What was planned over it is taken back; the way back over the same road stays open."""
    floor = Floor(grid(5, 2), 1)
    x = floor.place("x", "0_0")
    floor.target(x, "4_0")
    floor.traffic.plan(0)
    direct = floor.traffic.travel_s(NodeId("4_0"), NodeId("0_0"), loaded=False)
    floor.traffic.close_edge(NodeId("2_0"), NodeId("3_0"))
    assert floor.traffic.travel_s(NodeId("0_0"), NodeId("4_0"), loaded=False) > direct
    assert floor.traffic.travel_s(NodeId("4_0"), NodeId("0_0"), loaded=False) == direct
    seen = [floor.at[x]]
    while not floor.all_settled():
        assert floor.run(60_000, lambda: floor.at[x] != seen[-1])
        seen.append(floor.at[x])
    assert ("2_0", "3_0") not in set(pairwise(seen))
    floor.traffic.reopen_edge(NodeId("2_0"), NodeId("3_0"))
    assert floor.traffic.travel_s(NodeId("0_0"), NodeId("4_0"), loaded=False) == direct


def test_the_zones_of_a_layout_hold_for_every_robot() -> None:
    """A slow one is driven around where that is quicker; one for one robot never holds two."""
    whole = grid(6, 3)
    square = (Point(1.5, -0.5), Point(3.5, -0.5), Point(3.5, 1.5), Point(1.5, 1.5))
    slow = msgspec.structs.replace(whole, zones=(Zone("Z", ZoneKind.SPEED, square, 0.1),))
    plain, limited = Floor(whole, 1).traffic, Floor(slow, 1).traffic
    ends = NodeId("0_0"), NodeId("5_0")
    assert plain.travel_s(*ends, loaded=False) + 2 < limited.travel_s(*ends, loaded=False) < 20
    floor = Floor(msgspec.structs.replace(whole, zones=(Zone("Z", ZoneKind.ONE_ROBOT, square),)), 1)
    robots = [floor.place(f"R{k}", node) for k, node in enumerate(("0_0", "5_0", "0_1", "5_1"))]
    for robot, goal in zip(robots, ("5_0", "0_0", "5_1", "0_1"), strict=True):
        floor.target(robot, goal)
    inside = set(floor.layout.within["Z"])
    while not floor.all_settled():
        assert floor.run(300_000, lambda now=floor.moves: floor.moves > now)
        there = [r for r in robots if {floor.at[r], floor.moving.get(r)} & inside]
        assert len(there) <= 1
    check(floor.traffic)


def test_a_closed_zone_is_left_out_of_every_way_that_is_planned_next() -> None:
    """Within one planning period, a robot that was promised a way through it has another one."""
    floor = Floor(grid(6, 3), 1)
    x = floor.place("x", "0_1")
    floor.target(x, "5_1")
    floor.traffic.plan(0)
    assert "3_1" in floor.traffic.route(x)[1]
    zone = [NodeId("3_0"), NodeId("3_1")]
    for node in zone:
        floor.traffic.close(node)
    floor.traffic.plan(floor.period_ms)
    planned = floor.traffic.route(x)[1]
    assert planned
    assert not {*zone} & {*planned}
    assert floor.run(120_000, floor.all_settled)
