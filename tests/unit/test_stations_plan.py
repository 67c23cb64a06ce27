"""Stations and pods: plans pass an independent check, share visits, never get worse with effort, and name bad input."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import Broken, Rejected
from dispatcher.optimizers.stations import Params, Problem, check, first_come, plan, together
from dispatcher.planning.kinds import solve


def some(seed: int, orders: int = 24, stations: int = 2, pods: int = 12, slots: int = 3, standing: int = 0) -> Problem:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 4, orders)
    needs = [rng.choice(pods, int(n), replace=False) for n in sizes]
    stands = np.full(orders, -1, np.int64)
    stands[:standing] = np.arange(standing) % stations
    due = np.where(rng.random(orders) < 0.5, rng.uniform(60, 900, orders), np.inf)
    return Problem(
        np.concatenate(([0], np.cumsum(sizes))).astype(np.int64), np.concatenate(needs).astype(np.int64),
        rng.integers(1, 4, int(sizes.sum())), due, rng.uniform(0, 2, orders), stands,
        np.full(stations, slots, np.int64), rng.uniform(10, 60, (stations, pods)),
    )  # fmt: skip


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), orders=st.integers(1, 40), stations=st.integers(1, 4), standing=st.integers(0, 3))
def test_plans_pass_the_check_and_are_never_worse_than_first_come_or_with_less_effort(
    seed: int, orders: int, stations: int, standing: int
) -> None:
    """Two looks at each problem: one that was stopped early, and one that went on."""
    problem = some(seed, orders, stations, standing=min(standing, orders))
    base, greedy = first_come(problem), together(problem)
    short = plan(problem, Params(evaluations=500, seed=seed))
    long = plan(problem, Params(evaluations=5_000, seed=seed))
    for found in (base, greedy, short, long):
        check(problem, found)
    assert long.cost_s <= short.cost_s + 1e-6
    assert short.cost_s <= min(base.cost_s, greedy.cost_s) + 1e-6
    assert plan(problem, Params(evaluations=500, seed=seed)) == short


def test_orders_that_share_their_pods_stand_together() -> None:
    """Two families of orders, listed in turn: each family's pods come to one station alone."""
    pod = np.array([[0, 1], [2, 3]] * 8, np.int64).ravel()
    n = 16
    problem = Problem(
        np.arange(0, 2 * n + 1, 2), pod, np.ones(2 * n, np.int64), np.full(n, np.inf), np.ones(n),
        np.full(n, -1, np.int64), np.array([4, 4]), np.full((2, 4), 30.0),
    )  # fmt: skip
    found = plan(problem, Params(evaluations=4_000))
    check(problem, found)
    for seats in found.seats:
        assert len({int(pod[2 * k]) for k in seats}) == 1
    assert len(found.visits) == 8  # four pods, two fillings of four slots each
    assert len(first_come(problem).visits) > 8


def test_the_check_finds_what_is_wrong() -> None:
    problem = some(3)
    found = plan(problem, Params(evaluations=100))
    v = found.visits
    for wrong, told in (
        (msgspec.structs.replace(found, cost_s=found.cost_s - 1), "costs"),
        (msgspec.structs.replace(found, visits=v[:-1]), "still needs"),
        (msgspec.structs.replace(found, visits=(*v, v[-1])), "not free|does not stand"),
        (msgspec.structs.replace(found, seats=(found.seats[0][1:], found.seats[1])), "no seat"),
        (msgspec.structs.replace(found, visits=(msgspec.structs.replace(v[0], begin_s=0.0), *v[1:])), "not free"),
        (msgspec.structs.replace(found, seats=(found.seats[0][::-1], found.seats[1][::-1])), "does not stand"),
    ):
        with pytest.raises(Broken, match=told):
            check(problem, wrong)


ASKED: dict[str, Any] = {
    "stations": [{"id": "S1", "slots": 2}, {"id": "S2", "slots": 2, "x_m": 30.0}],
    "pods": [{"id": f"P{k}", "x_m": 5.0 * k, "y_m": 12.0} for k in range(6)],
    "orders": [{"id": f"o{k}", "pods": {f"P{k % 6}": 1, f"P{(k + 2) % 6}": 2}, "due_s": 90.0 * k} for k in range(10)],
}


def ask(rule: str = "optimized", **changed: Any) -> Any:
    return solve("stations", msgspec.json.encode(ASKED | {"rule": rule} | changed), 2_000, 1, lambda *_: False)


def test_the_kind_tells_orders_visits_and_its_baseline_and_draws_stations() -> None:
    found = ask()
    told = found.plan
    assert sorted(o for s in told["stations"] for o in s["orders"]) == sorted(o["id"] for o in ASKED["orders"])
    assert told["visits"] == sum(len(s["visits"]) for s in told["stations"]) == len(found.picture["bars"])
    assert told["cost_s"] <= told["baseline"]["cost_s"]
    assert (found.picture["kind"], found.picture["rows"]) == ("gantt", ["S1", "S2"])
    assert ask("first-come").plan["visits"] == told["baseline"]["visits"]
    assert told["cost_s"] <= ask("together").plan["cost_s"]


def test_a_pod_without_a_way_leaves_its_orders_unplanned_with_the_reason() -> None:
    ways = [[20.0] * 6, [25.0] * 6]
    ways[0][0] = ways[1][0] = ways[0][1] = -1
    told = ask(ways_s=ways).plan
    assert {u["order"]: u["reason"] for u in told["unplanned"]} == {
        o["id"]: "pod P0 has no way to any station" for o in ASKED["orders"] if "P0" in o["pods"]
    }
    (first, second) = (s["orders"] for s in told["stations"])
    assert all("P1" not in o["pods"] for o in ASKED["orders"] if o["id"] in first)
    assert second


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("problem/stations/S1/slots", {"stations": [{"id": "S1", "slots": 0}]}),
        ("problem/stations", {"stations": []}),
        ("problem/pods/P0", {"pods": [{"id": "P0"}, {"id": "P0"}]}),
        ("problem/orders/a/pods", {"orders": [{"id": "a", "pods": {"P99": 1}}]}),
        ("problem/orders/a/pods", {"orders": [{"id": "a", "pods": {}}]}),
        ("problem/orders/a/pods/P0", {"orders": [{"id": "a", "pods": {"P0": 0}}]}),
        ("problem/orders/a/weight", {"orders": [{"id": "a", "pods": {"P0": 1}, "weight": -1}]}),
        ("problem/orders/a/station", {"orders": [{"id": "a", "pods": {"P0": 1}, "station": "S9"}]}),
        ("problem/ways_s/1", {"ways_s": [[1.0] * 6, [1.0] * 5]}),
        ("problem/ways_s/0/0", {"ways_s": [[-2.0] * 6, [1.0] * 6]}),
        ("problem/speed_mps", {"speed_mps": 0}),
        ("problem/pick_s", {"pick_s": -1}),
        ("problem.rule", {"rule": "other"}),
    ],
)
def test_bad_input_is_named(field: str, changed: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as e:
        ask(**changed)
    assert e.value.field == field


def test_nothing_to_do_is_planned_as_nothing() -> None:
    assert ask(orders=[]).plan["visits"] == 0
