"""Transport routes: feasible, reproducible, never worse with more effort, near best known, all that is left named."""

import itertools
import json
import tarfile
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import Broken, Rejected
from dispatcher.optimizers.transport import (
    Break,
    Depot,
    Matrix,
    Params,
    Place,
    Problem,
    Shipment,
    Stop,
    Vehicle,
    check,
    insert,
    plan,
)
from dispatcher.optimizers.transport.guided_local_search import guided_local_search
from dispatcher.optimizers.transport.matrices import great_circle, rectangular, straight

VRP = Path(__file__).parents[3] / "shared/data/optimizers/vrp"
HOME = Place("home", 0.0, 0.0)


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """A dozen stops and shipments, two depots, vehicles with reloads, overtime and breaks, and a way that is closed."""
    n = draw(st.integers(2, 9))
    coordinate = st.integers(-800, 800)
    places = (HOME, Place("yard", 500.0, 0.0), *(Place(f"p{k}", draw(coordinate), draw(coordinate)) for k in range(n)))
    matrix = straight(places, 10.0, 1.2)
    if draw(st.booleans()):
        matrix.distance_m[2, 3] = matrix.duration_s[2, 3] = -1
    stops = []
    for k in range(n):
        opens = draw(st.integers(0, 2_000))
        stops.append(
            Stop(
                f"s{k}", f"p{k}", (draw(st.integers(0, 6)), 0), (0, draw(st.integers(0, 3))), 30, opens,
                opens + draw(st.integers(0, 2_000)), draw(st.sampled_from([0, 0, 400])),
                draw(st.sampled_from([None, None, 50, 3_000])),
            )
        )  # fmt: skip
    shipments = tuple(
        Shipment(f"h{k}", f"p{k}", f"p{k + 1}", (draw(st.integers(1, 4)), 0), 10)
        for k in range(draw(st.integers(0, min(3, n - 1))))
    )
    breaks = draw(
        st.sampled_from([(), (), (Break(300, 900, 200),), (Break(0, 400, 60), Break(500, 1_500, 300))])
    )  # fmt: skip
    return Problem(
        places,
        (matrix,),
        (Depot("d", "home", 0, 6_000, 60), Depot("y", "yard", 0, 6_000)),
        (
            Vehicle("van", "d", "d", 1, (8, 4), shift_s=1_500, max_overtime_s=1_500, cost_per_s=1,
                    cost_per_overtime_s=2, reload_depots=("d", "y"), max_reloads=2, breaks=breaks),
            Vehicle("truck", "y", "d", 2, (20, 9), fixed_cost=500, max_distance_m=9_000, close_s=5_000,
                    breaks=breaks[:1]),
        ),
        tuple(stops),
        shipments,
    )  # fmt: skip


@given(problems())
@settings(max_examples=25, deadline=None)
def test_a_plan_is_feasible_and_the_same_effort_gives_it_again(problem: Problem) -> None:
    """The independent check accepts it, whatever cannot be served is named, and nothing depends on the clock."""
    found = plan(problem, Params(iterations=60, feasible_within=30))
    check(problem, found)
    assert found == plan(problem, Params(iterations=found.iterations, feasible_within=found.feasible_within))
    assert all(u.reason for u in found.unplanned)


@given(problems())
@settings(max_examples=10, deadline=None)
def test_more_iterations_never_cost_more(problem: Problem) -> None:
    """The search keeps its best plan: with the same seed, routes and prizes left lying never get worse."""
    prize = {s.id: s.prize or 100_000 for s in problem.demands}
    worth = []
    for iterations in (40, 200):
        found = plan(problem, Params(iterations=iterations, feasible_within=20))
        worth.append(found.cost + sum(prize[u.id] for u in found.unplanned))
    assert worth[1] <= worth[0]


@st.composite
def where_only_capacity_binds(draw: st.DrawFn) -> Problem:
    """Up to a dozen stops that anyone may serve at any time, and any fleet that is large enough, or nearly."""
    n = draw(st.integers(1, 12))
    coordinate = st.integers(-800, 800)
    places = (HOME, *(Place(f"p{k}", draw(coordinate), draw(coordinate)) for k in range(n)))
    matrix = straight(places, 10.0, 1.2)
    if draw(st.booleans()):
        matrix.distance_m[1, 0] += 700  # not there and back alike
    fetched = draw(st.booleans())
    amounts = [(draw(st.integers(0, 6)), draw(st.integers(0, 3))) for _ in range(n)]
    stops = tuple(
        Stop(f"s{k}", f"p{k}", () if fetched else a, a if fetched else (), 30) for k, a in enumerate(amounts)
    )  # fmt: skip
    van = Vehicle("van", "d", "d", draw(st.integers(3, n + 3)), (9, 7), fixed_cost=draw(st.sampled_from([0, 500])),
                  cost_per_m=1, cost_per_s=draw(st.integers(0, 2)))  # fmt: skip
    return Problem(places, (matrix,), (Depot("d", "home", service_s=60),), (van,), stops)


@given(where_only_capacity_binds())
@settings(max_examples=12, deadline=None)
def test_string_removals_keep_loads_and_fleet_and_never_lose_what_was_found(problem: Problem) -> None:
    """Feasible, the same effort gives it again, the cost told is the cost there is, and more effort is never worse."""
    told: list[float | None] = []

    def watch(_done: int, cost: float | None) -> bool:
        told.append(cost)
        return False

    found = plan(problem, Params(iterations=450, feasible_within=200), watch=watch)
    check(problem, found)
    assert found == plan(problem, Params(iterations=450, feasible_within=200))
    longer = plan(problem, Params(iterations=700, feasible_within=200))
    check(problem, longer)
    if not found.unplanned:
        assert found.iterations == 450
        assert told[-1] == found.cost
        assert longer.cost <= found.cost
        assert all(a is None or (b is not None and b <= a) for a, b in itertools.pairwise(told))


@given(problems(), st.integers(0, 3_000), st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_late_order_leaves_history_alone(problem: Problem, now_s: int, shipment: bool) -> None:
    """After the insertion the plan is feasible, and no visit that had begun has moved."""
    running = plan(problem, Params(iterations=30, feasible_within=15))
    if shipment:
        late = msgspec.structs.replace(problem, shipments=(*problem.shipments, Shipment("late", "p0", "p1", (1, 0))))
    else:
        late = msgspec.structs.replace(problem, stops=(*problem.stops, Stop("late", "p0", (1, 0), (0, 1), 30)))
    changed = insert(late, running, "late", now_s)
    check(late, changed)
    assert len(changed.unplanned) <= len(running.unplanned) + 1
    for before in running.routes:
        after = next(r for r in changed.routes if (r.vehicle, r.number) == (before.vehicle, before.number))
        begun = [v for v in before.visits if v.begin_s <= now_s]
        assert [(v.id, v.begin_s) for v in after.visits[: len(begun)]] == [(v.id, v.begin_s) for v in begun]
        fresh = [v for v in after.visits if v.id == "late"]
        assert all(v.begin_s >= now_s for v in fresh)


def line(*stops: Stop, capacity: int = 10, count: int = 1, shipments: tuple[Shipment, ...] = ()) -> Problem:
    """Return places at 0, 100, 200 and 300 m on one road, one van at 0."""
    places = (HOME, *(Place(f"p{k}", 100.0 * k, 0.0) for k in (1, 2, 3)))
    van = Vehicle("van", "d", "d", count, (capacity,), cost_per_m=1)
    return Problem(places, (straight(places, 10.0),), (Depot("d", "home"),), (van,), stops, shipments)


def test_what_no_vehicle_can_serve_is_returned_with_the_reason() -> None:
    """Too large, too far to be in time, unreachable, not worth its cost, or one too many: each says so."""
    stops = (
        Stop("good", "p1", (1,)),
        Stop("large", "p1", (11,)),
        Stop("early", "p3", (1,), close_s=29),
        Stop("poor", "p3", (1,), prize=10),
    )
    problem = line(*stops)
    found = plan(problem, Params(iterations=50))
    check(problem, found)
    assert {u.id: u.reason for u in found.unplanned} == {
        "large": "11 of capacity 0 on board at d, van holds 10",
        "early": "early would be reached at 30 s, it closes at 29 s",
        "poor": "serving it costs more than the 10 that leaving it out costs",
    }
    full = line(Stop("a", "p1", (6,)), Stop("b", "p2", (6,)))
    found = plan(full, Params(iterations=50, feasible_within=10))
    check(full, found)
    assert len(found.unplanned) == 1
    assert "do not suffice" in found.unplanned[0].reason


def test_an_unreachable_place_is_named() -> None:
    """No way to a place leaves its stop unplanned; no way between two stops is driven round."""
    problem = line(Stop("a", "p1", (1,)), Stop("b", "p2", (1,)))
    m = problem.matrices[0]
    m.distance_m[:, 2] = m.duration_s[:, 2] = -1
    m.distance_m[2, 2] = m.duration_s[2, 2] = 0
    found = plan(problem, Params(iterations=20))
    check(problem, found)
    assert [(u.id, u.reason) for u in found.unplanned] == [("b", "no way to b")]


def test_bad_input_is_refused_with_the_element_named() -> None:
    """A window that ends before it begins, a negative distance, an unknown place, a name used twice."""
    with pytest.raises(Rejected, match=r"stops/a/close_s: \(9, 3\)"):
        line(Stop("a", "p1", open_s=9, close_s=3))
    with pytest.raises(Rejected, match="stops/a/place: 'nowhere'"):
        line(Stop("a", "nowhere"))
    with pytest.raises(Rejected, match="stops and shipments/1/id: 'a'"):
        line(Stop("a", "p1"), Stop("a", "p2"))
    with pytest.raises(Rejected, match="stops/a/delivery/0: -1"):
        line(Stop("a", "p1", (-1,)))
    good = line(Stop("a", "p1"))
    bad = good.matrices[0].distance_m.copy()
    bad[1, 2] = -5
    with pytest.raises(Rejected, match="matrices/0/distance_m/1/2: -5"):
        msgspec.structs.replace(good, matrices=(Matrix(bad, good.matrices[0].duration_s),))
    with pytest.raises(Rejected, match="iterations: -1"):
        Params(iterations=-1)


def test_numbers_too_large_to_reckon_with_are_refused_with_the_element_named() -> None:
    """Weights, prices and times that would run over 64 bits never reach a planner that would reckon on regardless."""
    for stop, named in (
        (Stop("a", "p1", (2**62,)), "stops/a/delivery/0"),
        (Stop("a", "p1", service_s=2**60), "stops/a/service_s"),
        (Stop("a", "p1", prize=2**70), "stops/a/prize"),
        (Stop("a", "p1", open_s=2**64, close_s=2**64), "stops/a/open_s"),
    ):
        with pytest.raises(Rejected, match=named):
            line(stop)
    good = line(Stop("a", "p1"))
    for change, named in (
        ({"capacity": (2**70,)}, "vehicles/van/capacity/0"),
        ({"fixed_cost": 2**62}, "vehicles/van/fixed_cost"),
        ({"cost_per_m": 2**63}, "vehicles/van/cost_per_m"),
        ({"cost_per_s": 2**40}, "vehicles/van/cost_per_s"),
    ):
        van = msgspec.structs.replace(good.vehicles[0], **change)
        with pytest.raises(Rejected, match=named):
            msgspec.structs.replace(good, vehicles=(van,))
    far = good.matrices[0].distance_m * 2**34
    with pytest.raises(Rejected, match="vehicles/van/cost_per_m"):
        msgspec.structs.replace(
            good, matrices=(Matrix(far, good.matrices[0].duration_s),),
            vehicles=(msgspec.structs.replace(good.vehicles[0], cost_per_m=2**20),),
        )  # fmt: skip


def test_long_drives_are_no_excuse_for_overloading() -> None:
    """Where a drive costs more than PyVRP lets a piece too many cost, everything is served all the same."""
    n = 30
    table = np.random.default_rng(1).integers(1, 1_000_000, (n + 1, n + 1))
    np.fill_diagonal(table, 0)
    places = (HOME, *(Place(f"p{k}", 0.0, 0.0) for k in range(n)))
    stops = tuple(Stop(f"s{k}", f"p{k}", (1,)) for k in range(n))
    for count, capacity in ((9, 5), (1_000_000_000, 5)):
        van = Vehicle("van", "d", "d", count, (capacity,))
        problem = Problem(places, (Matrix(table, table // 10),), (Depot("d", "home"),), (van,), stops)
        found = plan(problem, Params(iterations=250))
        check(problem, found)
        assert not found.unplanned


def test_the_check_can_fail() -> None:
    """A route that says it is shorter, a stop that vanished, and a load too many are each found."""
    problem = line(Stop("a", "p1", (6,)), Stop("b", "p2", (4,)), shipments=(Shipment("h", "p1", "p3", (2,)),))
    good = plan(problem, Params(iterations=50))
    check(problem, good)
    route = good.routes[0]
    shorter = msgspec.structs.replace(route, distance_m=route.distance_m - 1)
    gone = msgspec.structs.replace(route, visits=tuple(v for v in route.visits if v.id != "a"))
    for bad in (shorter, gone):
        with pytest.raises(Broken):
            check(problem, msgspec.structs.replace(good, routes=(bad,)))
    small = msgspec.structs.replace(problem, vehicles=(msgspec.structs.replace(problem.vehicles[0], capacity=(9,)),))
    with pytest.raises(Broken, match="holds"):
        check(small, good)


def test_a_break_is_taken_on_the_road_at_a_place_or_not_owed() -> None:
    """100 m are 10 s: a break falls within a drive, or waits at a place; it is not owed where the route is over."""
    problem = line(Stop("a", "p3", (1,), service_s=100, open_s=50), Stop("b", "p1", (1,)))

    def with_break(*breaks: Break) -> list[tuple[str, int, int]]:
        van = msgspec.structs.replace(problem.vehicles[0], breaks=breaks, cost_per_s=1)
        owed = msgspec.structs.replace(problem, vehicles=(van,))
        found = plan(owed, Params(iterations=40))
        check(owed, found)
        assert not found.unplanned
        return [(v.id, v.arrive_s, v.begin_s) for r in found.routes for v in r.visits]

    assert ("break 1", 40, 40) in with_break(Break(40, 45, 20))
    rested = with_break(Break(155, 160, 20))
    assert ("break 1", 155, 155) in rested
    assert rested[-1] == ("d", 200, 200)
    assert [name for name, *_ in with_break(Break(200, 300, 20))] == ["d", "b", "a", "d"]
    with pytest.raises(Rejected, match="vehicles/van/breaks/0/duration_s: 0"):
        with_break(Break(0, 10, 0))
    with pytest.raises(Rejected, match="vehicles/van/breaks/1/close_s: 20"):
        with_break(Break(0, 10, 30), Break(0, 20, 5))


def test_a_break_within_a_service_that_cannot_move_leaves_the_stop_unplanned() -> None:
    """The reason says that the breaks are in the way; the check sees a break that was left out."""
    problem = line(Stop("a", "p1", (1,), service_s=100, open_s=50, close_s=50))
    van = msgspec.structs.replace(problem.vehicles[0], breaks=(Break(60, 100, 30),))
    owed = msgspec.structs.replace(problem, vehicles=(van,))
    found = plan(owed, Params(iterations=20))
    check(owed, found)
    assert "breaks that van owes" in found.unplanned[0].reason or "does not fit" in found.unplanned[0].reason
    with pytest.raises(Broken, match="break 1 from 60 to 100 s is not taken"):
        check(owed, plan(problem, Params(iterations=20)))


def test_matrices_from_coordinates() -> None:
    """A 3-4-5 triangle straight and rectangular, and a degree of latitude over the globe."""
    places = (HOME, Place("a", 30.0, 40.0))
    assert straight(places, 5.0).distance_m[0, 1] == 50
    assert straight(places, 5.0).duration_s[0, 1] == 10
    assert rectangular(places, 5.0).distance_m[0, 1] == 70
    globe = great_circle((HOME, Place("a", 0.0, 1.0)), 20.0, 1.0)
    assert globe.distance_m[0, 1] == pytest.approx(111_195, abs=1)
    assert np.array_equal(globe.distance_m, globe.distance_m.T)
    for way in (straight, rectangular, great_circle):
        for bad, named in ((float("nan"), "places/1/"), (float("inf"), "places/1/"), (1e300, "places/1/")):
            with pytest.raises(Rejected, match=named):
                way((HOME, Place("a", bad, 0.0)), 5.0)
        with pytest.raises(Rejected, match="speed_mps"):
            way(places[:1], float("inf"))


def test_odd_but_valid_problems_are_planned_or_left_with_the_reason() -> None:
    """All at one place, no demand, a window without length, a vehicle that may not move: nothing is dropped."""
    here = (HOME, *(Place(str(n), 0.0, 0.0) for n in range(4)))
    there = (HOME, Place("0", 100.0, 0.0))
    truck = Vehicle("v", "depot", "depot", 2, (10,))
    depot = (Depot("depot", HOME.id),)
    for places, stops, vehicle, unplanned in (
        (here, [Stop(str(n), str(n), (5,)) for n in range(4)], truck, 0),
        (here, [Stop(str(n), "0", (0,)) for n in range(4)], truck, 0),
        (there, [Stop("0", "0")], truck, 0),
        (there, [Stop("0", "0", (1,), open_s=60, close_s=60)], truck, 0),
        (there, [Stop("0", "0", (1,), open_s=1, close_s=1)], truck, 1),
        (there, [Stop("0", "0", (1,))], Vehicle("v", "depot", "depot", 1, (10,), max_distance_m=0), 1),
        (there, [Stop("0", "0", (1,))], Vehicle("v", "depot", "depot", 1, (0,)), 1),
        (here, [Stop("0", HOME.id, (1,))], truck, 0),
        (here, [], truck, 0),
    ):  # fmt: skip
        problem = Problem(places, (straight(places, 10.0),), depot, (vehicle,), tuple(stops))
        found = plan(problem, Params(iterations=20, seed=1))
        check(problem, found)
        assert [bool(u.reason) for u in found.unplanned] == [True] * unplanned


@pytest.mark.skipif(not VRP.exists(), reason="the published instances are not beside this checkout")
def test_a_published_instance_is_nearly_met_and_or_tools_is_not_ahead() -> None:
    """R101 within 2 % of its best known distance after 2,500 iterations, and never below it."""
    from deploy.bench.transport import solomon

    known = json.loads((VRP / "bks_cvrplib_dimacs_2024-12-06.json").read_text())["R101"]
    with tarfile.open(VRP / "vrptw_solomon_gh200_gh400.tar.xz") as tar:
        content = tar.extractfile("benchmarks/VRPTW/solomon/R101.txt")
        assert content is not None
        problem = solomon(content.read().decode())
    found = plan(problem, Params(iterations=2_500, seconds=60))
    check(problem, found)
    assert not found.unplanned
    assert known * 10 <= found.distance_m <= known * 10 * 1.02
    other = guided_local_search(problem, 30.0, solutions=30)
    assert other is not None
    check(problem, other)
    assert found.distance_m <= other.distance_m
