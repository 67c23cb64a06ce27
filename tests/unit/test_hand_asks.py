"""What a handheld asks: as the room has said, else as it follows from the task."""

from typing import Any

import pytest

from central.hands.asks import FEWER, asks_of

TASK: dict[str, Any] = {
    "id": "H1", "item": "part1", "lot": "", "owner": "", "status": "ok", "qty": 5, "source": "R1", "target": "R2",
    "detail": {},
}  # fmt: skip


def asked(**more: Any) -> list[str]:
    return [a.field for a in asks_of(TASK | more, "4000000000001", "Bearing")]


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        ({}, ["source", "item", "qty", "target"]),
        ({"lot": "L1"}, ["source", "item", "lot", "qty", "target"]),
        ({"item": None, "qty": None}, ["source", "target"]),
        ({"detail": {"asks": ["item", "expiry"]}}, ["item", "expiry"]),
        ({"detail": {"asks": []}}, []),
        ({"detail": {"asks": "item"}}, ["source", "item", "qty", "target"]),
        (
            {"detail": {"asks": ["item", {"field": "BAD"}, 7, {"field": "grade", "type": "dance"}, "qty"]}},
            ["item", "qty"],
        ),
    ],
)
def test_the_steps_follow_from_the_task_or_from_its_room(more: dict[str, Any], fields: list[str]) -> None:
    """A step that nobody understands is left out; the others are asked."""
    assert asked(**more) == fields


def test_an_item_is_known_by_its_id_and_its_barcode() -> None:
    """Both fit, and the person sees its name."""
    item = next(a for a in asks_of(TASK, "4000000000001", "Bearing") if a.field == "item")
    assert (item.expect, item.show) == (["part1", "4000000000001"], "Bearing · 4000000000001")


def test_how_many_are_expected_is_not_shown_where_the_count_is_blind() -> None:
    """Else it is proposed, bounded, and fewer need a reason; a room that says how it wants a number says all of it."""
    (open_,) = (a for a in asks_of(TASK, None, None) if a.field == "qty")
    assert (open_.default, open_.most, open_.options) == (5, 5, FEWER)
    (blind,) = (a for a in asks_of(TASK | {"detail": {"blind": True}}, None, None) if a.field == "qty")
    assert (blind.default, blind.most, blind.options) == (None, None, [])
    told = {"asks": [{"field": "qty", "most": 9, "label": "Good ones"}]}
    (own,) = asks_of(TASK | {"detail": told}, None, None)
    assert (own.default, own.most, own.options, own.label) == (5, 9, [], "Good ones")


def test_another_target_fits_where_the_task_says_so() -> None:
    """It is shown, and what is scanned is for central to judge."""
    (target,) = (a for a in asks_of(TASK | {"detail": {"elsewhere": True}}, None, None) if a.field == "target")
    assert (target.show, target.expect) == ("R2", [])
