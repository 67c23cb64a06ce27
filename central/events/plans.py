"""The events of plans, as rows of the catalogue: type, subject, what it says, fields of its data."""

from typing import Any

_TEXT: dict[str, Any] = {"type": "string"}
_PLAN: dict[str, Any] = {"kind": _TEXT, "cost": {"type": ["number", "null"]}, "reason": _TEXT, "worker": _TEXT}

PLANS: tuple[tuple[str, str, str, dict[str, Any]], ...] = tuple(
    (f"floorplane.plan.{state}", "plan", says, _PLAN)
    for state, says in (
        ("done", "A planner worker has found a plan"),
        ("failed", "There is no plan; the reason names the element at fault"),
        ("cancelled", "It is not planned any more"),
        ("accepted", "Somebody decided for it"),
        ("discarded", "Somebody decided against it"),
    )
)
