"""Slotting for people who walk, as a kind of plan: rules are kept, moves are told, crowds count, bad input is named."""

from typing import Any

import msgspec
import pytest

from contracts.errors import Rejected
from dispatcher.planning.kinds import solve

AREA = {"aisles": 4, "pitch_m": 4.0, "block_m": [12.0], "depots": [{"id": "d", "aisle": 1, "cross": 1}]}
ASKED: dict[str, Any] = {
    "area": AREA,
    "slots": [
        {"id": f"S-{a}-{b}-{lv}", "aisle": a, "at_m": 2.0 * b + 1, "kind": "low" if lv == 0 else "high",
         "reach_m": 0.0 if lv == 0 else 0.5}
        for a in range(4) for b in range(6) for lv in range(2)
    ],
    "items": [
        {"id": f"i{k}", "slot": f"S-{k % 4}-{k // 4 % 6}-{k % 2}", "kind": "heavy" if k == 0 else "",
         "apart": "alike" if k in {2, 3} else "", "together": "family" if k in {1, 5} else ""}
        for k in range(20)
    ],
    "allowed": {"heavy": ["low"]},
    "orders": [[f"i{k % 7}", f"i{(k * 3 + 1) % 20}"] for k in range(120)],
    "move_cost_m": 5.0,
}  # fmt: skip


def ask(until: int = 0, **changed: Any) -> Any:
    """An effort of 30,000 exchanges, stopped after some of them."""
    return solve(
        "slotting", msgspec.json.encode(ASKED | changed), 30_000, 1, lambda n, *_: 0 < until <= n
    )  # fmt: skip


def test_rules_are_kept_moves_lead_there_and_a_stopped_plan_is_made_again() -> None:
    found = ask()
    told, at = found.plan, {s["id"]: s for s in ASKED["slots"]}
    place = {i: at[s] for i, s in told["slot_of"].items()}
    assert place["i0"]["kind"] == "low"
    assert (place["i2"]["aisle"], place["i2"]["at_m"]) != (place["i3"]["aisle"], place["i3"]["at_m"])
    assert place["i1"]["aisle"] == place["i5"]["aisle"]
    assert told["cost_m"] < told["cost_before_m"]
    assert told["cost_m"] == pytest.approx(told["travel_m"] + told["reach_m"] + told["crowd_m"])
    lies = {i["id"]: i["slot"] for i in ASKED["items"]}
    for move in told["moves"]:
        assert lies[move["item"]] == move["from"]
        lies[move["item"]] = move["to"]
    assert len(set(lies.values())) == len(lies)
    assert told["cost_after_moves_m"] < told["cost_before_m"]
    assert len(found.picture["cells"]) == 48
    assert sum(c["after"] for c in found.picture["cells"]) == sum(c["before"] for c in found.picture["cells"])
    stopped = ask(until=10_000)
    assert stopped.effort == 10_000
    assert (ask(until=10_000).plan, stopped.plan["cost_m"] >= told["cost_m"]) == (stopped.plan, True)


def test_pickers_in_each_other_s_way_spread_what_is_wanted_most() -> None:
    orders = [[f"i{k % 4}"] for k in range(200)]
    free = [{"id": f"i{k}", "slot": f"S-{k % 4}-{k // 4 % 6}-{k % 2}"} for k in range(20)]
    alone, many = (ask(orders=orders, items=free, pickers=n) for n in (1, 8))
    aisles = [
        {s.split("-")[1] for i, s in x.plan["slot_of"].items() if i in {"i0", "i1", "i2", "i3"}} for x in (alone, many)
    ]
    assert len(aisles[0]) < len(aisles[1]) == 4
    assert alone.plan["crowd_m"] == 0
    assert many.plan["crowd_m"] > 0


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("problem/slots/a/aisle", {"slots": [{"id": "a", "aisle": 9, "at_m": 1.0}]}),
        ("problem/slots/a/at_m", {"slots": [{"id": "a", "aisle": 0, "at_m": 13.0}]}),
        ("problem/slots/a/reach_m", {"slots": [{"id": "a", "aisle": 0, "at_m": 1.0, "reach_m": -1.0}]}),
        ("problem/items/x", {"items": [{"id": "x"}, {"id": "x"}]}),
        ("problem/items/x/slot", {"items": [{"id": "x", "slot": "nowhere"}]}),
        ("problem/items/y/slot", {"items": [{"id": "x", "slot": "S-0-0-0"}, {"id": "y", "slot": "S-0-0-0"}],
                                  "orders": []}),
        ("problem/items/x/slot", {"items": [{"id": "x", "slot": "S-0-0-1", "kind": "heavy"}], "orders": []}),
        ("problem/orders/0", {"orders": [["nothing"]]}),
        ("problem/depot", {"depot": "other"}),
        ("problem/area", {"area": AREA | {"one_way": [{"toward": "down", "aisle": 0}]}}),
        ("problem/move_cost_m", {"move_cost_m": -1}),
        ("pickers", {"pickers": 0}),
        ("blocked_m", {"blocked_m": -1}),
    ],
)  # fmt: skip
def test_bad_input_is_named(field: str, changed: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as e:
        ask(**changed)
    assert e.value.field == field
