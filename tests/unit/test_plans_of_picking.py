"""Plans of walks and batches as a worker makes them from JSON: told, drawn, stopped, and refused by name."""

import json
from typing import Any

import pytest

from contracts.errors import Rejected
from dispatcher.planning.kinds import solve

AREA: dict[str, Any] = {
    "aisles": 4, "pitch_m": 2, "block_m": [10],
    "depots": [{"id": "in", "aisle": 0, "cross": 0}, {"id": "out", "aisle": 3, "cross": 0}],
    "one_way": [{"aisle": 1, "toward": "down"}],
}  # fmt: skip
BATCHING: dict[str, Any] = {
    "area": AREA,
    "orders": [
        {"id": f"o{k}", "lines": [{"aisle": k % 4, "at_m": 5, "spot": f"S-{k}", "item": "x", "volume_ml": 100}]}
        for k in range(9)
    ],
    "cart": {"totes": 3, "volume_ml": 250, "tote_volume_ml": 5_000},
    "pickers": [{"id": "anna"}, {"id": "bert", "free_s": 50}],
}  # fmt: skip


def planned(kind: str, problem: dict[str, Any], effort: int = 3_000, stop_at: int = 1 << 60) -> Any:
    return solve(kind, json.dumps(problem).encode(), effort, 1, lambda done, _effort, _cost: done >= stop_at)


def test_a_walk_is_told_and_drawn_beside_the_order_in_which_it_was_listed() -> None:
    """Of two places the better one; points and stops are in metres, on the walk."""
    wants = [
        {"id": "a", "spots": [{"aisle": 1, "at_m": 5, "id": "S-1"}, {"aisle": 2, "at_m": 5, "id": "S-2"}]},
        {"id": "b", "spots": [{"aisle": 3, "at_m": 2, "id": "S-3"}]},
    ]
    found = planned("picking", {"area": AREA, "wants": wants, "starts": ["in"]})
    assert (found.plan["cost_m"], found.plan["exact"], found.plan["baseline"]["cost_m"]) == (26, True, 32)
    assert [s["spot"] for s in found.plan["stops"]] == ["S-3", "S-2"]
    walk = found.picture["walks"][0]
    assert (walk["points"][0], walk["points"][-1]) == ([0, 0], [0, 0])
    assert [[s["x"], s["y"]] for s in walk["stops"]] == [[6, 2], [4, 5]]
    assert all([s["x"], s["y"]] in walk["points"] for s in walk["stops"])
    bad = {"id": "c", "spots": [{"aisle": 4, "at_m": 1}]}
    with pytest.raises(Rejected, match="wants/c"):
        planned("picking", {"area": AREA, "wants": [bad]})
    many = [{"id": f"w{k}", "spots": [{"aisle": 0, "at_m": 1}]} for k in range(1_001)]
    with pytest.raises(Rejected, match="problem/wants: 1001 is not at most 1000"):
        planned("picking", {"area": AREA, "wants": many})
    with pytest.raises(Rejected, match="problem/wants/w0/spots: 101"):
        planned("picking", {"area": AREA, "wants": [{"id": "w0", "spots": many[0]["spots"] * 101}]})


def test_batches_are_told_in_the_order_in_which_they_begin_and_never_walk_more_than_listed() -> None:
    """The cart's volume binds before its totes; a stopped plan is the one that as much effort gives."""
    found = planned("batching", BATCHING)
    told = found.plan["batches"]
    assert sorted(o for b in told for o in b["orders"]) == [f"o{k}" for k in range(9)]
    assert all(b["load"]["volume_ml"] <= 250 for b in told)
    assert [b["begin_s"] for b in told] == sorted(b["begin_s"] for b in told)
    assert found.plan["cost_m"] <= found.plan["baseline"]["cost_m"]
    assert found.plan["late"] == found.plan["unplanned"] == []
    assert [w["name"] for w in found.picture["walks"]] == [b["name"] for b in told]
    assert found.plan == planned("batching", BATCHING).plan
    assert planned("batching", BATCHING, 200_000, stop_at=1).plan == planned("batching", BATCHING, 50_000).plan


def test_what_fits_on_no_cart_is_left_with_the_reason_and_what_is_late_is_named() -> None:
    """A piece larger than a tote, an order larger than a cart; the rest is planned."""
    one = BATCHING["orders"][0]
    odd = [
        one | {"due_s": 10},
        one | {"id": "sofa", "lines": [{"aisle": 0, "at_m": 1, "item": "sofa", "volume_ml": 9_999}]},
        one | {"id": "big", "totes": 4},
    ]
    plan = planned("batching", BATCHING | {"orders": odd, "pickers": []}).plan
    assert {u["order"]: u["reason"] for u in plan["unplanned"]} == {
        "sofa": "a piece of sofa has 9999 ml, a tote holds 5000 ml",
        "big": "takes 4 totes, a cart holds 3",
    }
    assert [x["order"] for x in plan["late"]] == ["o0"]
    assert planned("batching", BATCHING | {"orders": odd[1:]}).plan["batches"] == []


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"depot": "door"}, "problem/depot"),
        ({"pick_s": -1}, "problem/pick_s"),
        ({"speed_mps": 0}, "speed_mps"),
        ({"cart": {"totes": 0}}, "problem/cart/totes"),
        ({"orders": BATCHING["orders"] + BATCHING["orders"][:1]}, "problem/orders/o0"),
        ({"orders": [{"id": "o", "lines": []}]}, "problem/orders/o/lines"),
        ({"orders": [{"id": "o", "lines": [{"aisle": 0, "at_m": 99}]}]}, "wants/o/0/spots/0/at_m"),
        ({"orders": [{"id": "o", "lines": [{"aisle": 0, "at_m": 1, "qty": 0}]}]}, "problem/orders/o/lines/0/qty"),
        ({"orders": [{"id": "o", "lines": [{"aisle": 0, "at_m": 1}], "due_s": "x"}]}, "problem.orders"),
        ({"area": AREA | {"aisles": 0}}, "aisles"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_the_element_named(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(Rejected, match=named):
        planned("batching", BATCHING | wrong)
