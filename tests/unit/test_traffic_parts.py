"""The parts of the traffic engine: the compiled road map, distance tables, the queues, cutting back."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import Broken, Rejected
from contracts.ids import EdgeId, NodeId, RobotId
from contracts.layout import Edge, Layout, Node, NodeKind
from dispatcher.traffic.engine import Traffic
from dispatcher.traffic.executor import RightOfWay
from dispatcher.traffic.graph import EMPTY, LOADED, LONGEST_MS, Roads
from dispatcher.traffic.params import TrafficParams
from dispatcher.traffic.recovery import cut_back, evict, strand
from dispatcher.traffic.tables import Tables
from tests.unit.traffic_floor import Floor, grid, layout_of, two_way


def random_roads(seed: int) -> Roads:
    rng = random.Random(seed)
    n = rng.randint(2, 20)
    kinds = [rng.choice([NodeKind.AISLE, NodeKind.AISLE, NodeKind.STORAGE]) for _ in range(n)]
    nodes = tuple(Node(NodeId(f"n{k}"), rng.uniform(0, 9), rng.uniform(0, 9), kinds[k]) for k in range(n))
    pairs = {tuple(rng.sample(range(n), 2)) for _ in range(3 * n)}
    edges = tuple(
        Edge(EdgeId(f"{a}-{b}"), NodeId(f"n{a}"), NodeId(f"n{b}"), rng.choice([0.5, 1.0, 2.0]), rng.random() < 0.8)
        for a, b in sorted(pairs)
    )
    return Roads(Layout("random", "floor", "1", nodes, edges))


@settings(deadline=None)
@given(st.integers(0, 5_000), st.sampled_from([EMPTY, LOADED]))
def test_a_table_holds_the_shortest_time_over_roads_that_the_class_may_use(seed: int, kind: int) -> None:
    """Compared with relaxing every edge until nothing changes (Bellman-Ford)."""
    roads = random_roads(seed)
    rng = random.Random(seed)
    goal = rng.randrange(roads.size)
    tables = Tables(roads, 1)
    shut = tables.shut.copy()
    shut[rng.randrange(roads.size)] = 1
    tables.forget(shut)
    expected = [LONGEST_MS] * roads.size
    expected[goal] = 0
    for _ in range(roads.size):
        for u in range(roads.size):
            for e in range(roads.ptr[kind, u], roads.ptr[kind, u + 1]):
                v = int(roads.nbr[e])
                through = v == goal or not (kind == LOADED and roads.storage[v])
                if not shut[v] and through and expected[v] < LONGEST_MS:
                    expected[u] = min(expected[u], expected[v] + int(roads.ms[e]))
    assert tables.pool[tables.row(goal, kind)].tolist() == expected


def test_the_pool_forgets_the_table_used_longest_ago_but_none_in_use() -> None:
    roads = Roads(grid(20, 10))
    tables = Tables(roads, 0)
    first = tables.row(0, EMPTY)
    kept = tables.pool[first].copy()
    for goal in range(1, 150):
        tables.row(goal, EMPTY, {first})
    assert len(tables.pool) == 64
    assert tables.row(0, EMPTY) == first
    assert (tables.pool[first] == kept).all()


def test_dead_ends_are_trees_that_hang_on_the_rest() -> None:
    pairs = [("a", "b"), ("b", "c"), ("c", "a"), ("c", "p"), ("p", "q"), ("p", "r"), ("a", "s")]
    roads = Roads(layout_of([Node(NodeId(n), 0.0, 0.0) for n in "abcpqrs"], two_way(pairs)))
    pocket = dict(zip(roads.ids, roads.pocket[EMPTY].tolist(), strict=True))
    assert [pocket[NodeId(n)] for n in "abc"] == [-1, -1, -1]
    assert pocket[NodeId("p")] == pocket[NodeId("q")] == pocket[NodeId("r")] != pocket[NodeId("s")] != -1


def test_a_storage_node_with_one_aisle_is_a_dead_end_for_loaded_robots_alone() -> None:
    nodes = [Node(NodeId(n), 0.0, 0.0, NodeKind.STORAGE if n in "xy" else NodeKind.AISLE) for n in "abcxy"]
    roads = Roads(layout_of(nodes, two_way([("a", "b"), ("b", "c"), ("c", "a"), ("a", "x"), ("x", "y"), ("y", "b")])))
    assert roads.pocket[EMPTY].max() == -1
    assert roads.pocket[LOADED][roads.index[NodeId("x")]] >= 0


def right_of_way(width: int) -> RightOfWay:
    return RightOfWay(Roads(grid(width, 1)))


def test_who_queued_first_enters_first_and_a_passed_node_is_free() -> None:
    right = right_of_way(4)
    right.stand(0, 1)
    right.stand(1, 0)
    right.commit(0, 2)
    right.commit(1, 1)
    assert right.release(2, set(), frozenset()) == [(0, 1)]
    right.passed(0, 1)
    assert right.release(2, set(), frozenset()) == [(1, 1)]
    assert right.queue == [[1], [1], [0], []]


def test_a_robot_may_come_back_to_a_node_only_after_who_was_promised_it_meanwhile() -> None:
    right = right_of_way(4)
    right.stand(0, 1)
    right.stand(1, 0)
    right.commit(0, 2)
    right.commit(1, 1)
    right.commit(0, 1)
    assert right.release(9, set(), frozenset()) == [(0, 1)]
    right.passed(0, 1)
    right.release(9, set(), frozenset())
    assert not right.may_enter(0, 1)


def test_cutting_takes_followers_back_and_never_a_released_move() -> None:
    right = right_of_way(6)
    right.stand(0, 2)
    right.stand(1, 1)
    right.stand(2, 0)
    for robot, node in ((0, 3), (1, 2), (2, 1), (0, 4), (1, 3), (2, 2)):
        right.commit(robot, node)
    right.release(0, set(), frozenset())
    assert right.released == [3, 1, 1]
    with pytest.raises(Broken):
        right.cut(0, 2)
    assert strand(right, 0) == [1, 2]
    assert right.path == [[2, 3, 4], [1], [0]]
    right.commit(2, 1)
    right.commit(2, 2)
    assert evict(right, frozenset({1})) == [2]
    assert cut_back(right, [(2, 1)]) == []


@pytest.mark.parametrize("bad", [{"most_moves": 2}, {"most_moves": 17}, {"table_mb": 0}, {"grace_ms": -1}])
def test_params_out_of_bounds_are_refused(bad: dict[str, int]) -> None:
    with pytest.raises(Rejected):
        TrafficParams(**bad)


def test_a_layout_without_nodes_is_refused() -> None:
    with pytest.raises(Rejected):
        Roads(Layout("none", "floor", "1", (), ()))


def test_nobody_is_planned_past_the_goal_it_reaches_in_the_same_call() -> None:
    """A robot whose way to a station is planned is not pushed on through it by the one that is planned behind it."""
    ring = [f"n{k}" for k in range(12)]
    layout = Layout(
        "ring",
        "floor",
        "1",
        tuple(Node(NodeId(n), float(k), 0.0) for k, n in enumerate(ring)),
        tuple(Edge(EdgeId(f"{a}-{b}"), NodeId(a), NodeId(b)) for a, b in zip(ring, ring[1:] + ring[:1], strict=True)),
    )
    traffic = Traffic(layout, TrafficParams(most_moves=6, few_moves=2))
    served, other = RobotId("served"), RobotId("other")
    traffic.place(served, NodeId("n1"))
    traffic.place(other, NodeId("n0"))
    traffic.target(served, NodeId("n3"), loaded=False)
    traffic.target(other, NodeId("n8"), loaded=False, priority=9)
    traffic.plan(6_000)  # the goals were given long enough ago that nothing else holds them
    released, planned = traffic.route(served)
    assert (*released, *planned)[-1] == "n3"


def test_who_queues_behind_a_robot_at_work_is_not_sent_through_its_place() -> None:
    """A station's lane is one-way: to clear the way for the next in the queue would be a whole round for nothing."""
    ways = [("a", "q1"), ("q1", "q2"), ("q2", "w"), ("w", "x"), ("x", "y"), ("y", "a")]
    nodes = [Node(NodeId(n), float(k % 4), float(k // 4)) for k, n in enumerate(("a", "q1", "q2", "w", "x", "y"))]
    floor = Floor(layout_of(nodes, ways), 1)
    works, first, second = (floor.place(n, at) for n, at in (("R1", "w"), ("R2", "q2"), ("R3", "q1")))
    floor.traffic.pin(works)
    for robot in (first, second):
        floor.target(robot, "w")
    floor.run(59_900)  # the engine looks for standstill every second
    assert floor.moves == 0
    floor.traffic.unpin(works)
    floor.target(works, "y")
    floor.run(65_000)
    assert (floor.at[works], floor.at[first], floor.at[second]) == ("y", "w", "q2")
    assert floor.traffic.route(first) == ((), ())
