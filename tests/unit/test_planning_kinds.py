"""Plans of each kind step by step: what is told on the way gets never worse, and what was stopped is made again."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import Rejected
from dispatcher.planning.kinds import KINDS, solve

PROBLEMS: dict[str, dict[str, Any]] = {
    "waves": {
        "workers": [
            {"id": w, "skills": ["pick"], "zones": ["all"], "begin_s": 0, "end_s": 7_200} for w in ("ann", "bob")
        ],
        "batches": [
            {"id": f"b{k}", "duration_s": 600 + 60 * k, "due_s": 900 + 200 * (k % 4), "weight": 1 + k % 3}
            for k in range(9)
        ],
    },
    "transport": {
        "places": [{"id": f"p{k}", "x": 1000.0 * (k % 3), "y": 700.0 * (k // 3)} for k in range(9)],
        "depots": [{"id": "dock", "place": "p0"}],
        "vehicles": [{"id": "van", "start_depot": "dock", "end_depot": "dock", "count": 2, "capacity": [5],
                      "breaks": [{"open_s": 100, "close_s": 900, "duration_s": 60}]}],
        "stops": [{"id": f"s{k}", "place": f"p{k}", "delivery": [1]} for k in range(1, 9)],
    },
    "slotting": {
        "items": [{"id": f"i{k}", "pod": f"P{k % 4}"} for k in range(12)],
        "pods": [{"id": f"P{k}", "bins": 4, "x_m": 1.0 * k, "y_m": 0.0, "way_m": 9.0 * k} for k in range(4)],
        "orders": [[f"i{k % 12}", f"i{(k * 5 + 1) % 12}"] for k in range(40)],
        "most_share": 1.0,
        "together": 1,
    },
    "stations": {
        "stations": [{"id": "S1", "slots": 2}, {"id": "S2", "slots": 2}],
        "pods": [{"id": f"P{k}", "x_m": 3.0 * k} for k in range(8)],
        "orders": [{"id": f"o{k}", "pods": {f"P{k % 8}": 1, f"P{(3 * k + 1) % 8}": 1}} for k in range(0, 40, 3)],
    },
}  # fmt: skip
EFFORT = {"waves": 9_000, "transport": 120, "slotting": 200_000, "stations": 12_000}


def planned(kind: str, until: int, seed: int) -> tuple[Any, list[tuple[int, float | None]]]:
    told: list[tuple[int, float | None]] = []

    def report(done: int, effort: int, cost: float | None) -> bool:
        assert 0 <= done <= effort == EFFORT[kind]
        told.append((done, cost))
        return 0 < until <= done

    return solve(kind, msgspec.json.encode(PROBLEMS[kind]), EFFORT[kind], seed, report), told


@pytest.mark.parametrize(
    "kind", ["transport", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("slotting", "waves", "stations"))]
)  # the others compile first
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(1, 5), share=st.floats(0.05, 0.9))
def test_what_is_told_never_gets_worse_and_a_stopped_plan_is_made_again(kind: str, seed: int, share: float) -> None:
    """The effort that it took says it all; and whoever goes on gets nothing worse."""
    stopped, told = planned(kind, round(share * EFFORT[kind]), seed)
    costs = [c for _, c in told if c is not None]
    assert costs == sorted(costs, reverse=True)
    assert [n for n, _ in told] == sorted(n for n, _ in told)
    again, _ = planned(kind, stopped.effort, seed)
    assert (again.plan, again.effort) == (stopped.plan, stopped.effort)
    whole, _ = planned(kind, 0, seed)
    assert whole.cost <= stopped.cost + 1e-6


def test_every_kind_is_tried_here() -> None:
    assert set(PROBLEMS) <= set(KINDS)


@pytest.mark.parametrize(
    ("kind", "field", "change"),
    [
        ("transport", "matrices/0/distance_m", {"matrices": [{"distance_m": [[0, 1], [1, 0]], "duration_s": []}]}),
        ("transport", "problem/now_s", {"running": {"routes": [], "unplanned": [], "cost": 0, "distance_m": 0,
                                                    "iterations": 0, "feasible_within": 1}, "now_s": -1}),
        ("transport", "vehicles/van/breaks/0/duration_s", {"vehicles": [
            {"id": "van", "start_depot": "dock", "end_depot": "dock", "breaks": [
                {"open_s": 0, "close_s": 1, "duration_s": 0}]}], "stops": []}),
        ("slotting", "problem/pods/P0/held", {"pods": [
            {"id": "P0", "bins": 4, "x_m": 0, "y_m": 0, "way_m": 1, "held": 5}]}),
        ("slotting", "problem/most_moves", {"most_moves": -1}),
    ],
)  # fmt: skip
def test_bad_problems_are_refused_with_the_element_named(kind: str, field: str, change: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as refused:
        solve(kind, msgspec.json.encode(PROBLEMS[kind] | change), 10, 1, lambda *_: False)
    assert field in refused.value.field


def test_a_late_stop_goes_into_a_running_plan_and_a_table_of_a_router_is_used() -> None:
    """Given travel is taken as it is; -1 is no way; what is left is named as well."""
    n = 9
    rows = [[0 if a == b else 100 + 10 * abs(a - b) for b in range(n)] for a in range(n)]
    for a in range(8):
        rows[a][8] = rows[8][a] = -1
    problem = PROBLEMS["transport"] | {
        "vehicles": [PROBLEMS["transport"]["vehicles"][0] | {"count": 3}],
        "matrices": [{"distance_m": rows, "duration_s": rows}],
        "left": [{"id": "far", "reason": "nobody knows where it is"}],
    }
    first = solve("transport", msgspec.json.encode(problem), 60, 1, lambda *_: False)
    assert {u["id"]: u["reason"] for u in first.plan["unplanned"]} == {
        "far": "nobody knows where it is", "s8": "no way to s8",
    }  # fmt: skip
    late = problem | {
        "stops": [*problem["stops"], {"id": "late", "place": "p1", "delivery": [1]}],
        "running": first.plan | {"unplanned": [u for u in first.plan["unplanned"] if u["id"] != "far"]},
        "now_s": 1,
    }
    second = solve("transport", msgspec.json.encode(late), 60, 1, lambda *_: False)
    served = [v["id"] for r in second.plan["routes"] for v in r["visits"] if v["kind"] == "stop"]
    assert set(served) == {"late", *(f"s{k}" for k in range(1, 8))}
    assert len(served) == 8
    with pytest.raises(Rejected, match="problem/running"):
        solve("transport", msgspec.json.encode(late | {"stops": problem["stops"][1:]}), 9, 1, lambda *_: False)
