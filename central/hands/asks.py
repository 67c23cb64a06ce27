"""What a handheld asks a person for to confirm a task, step by step.

The room that opens a task may say it in ``detail.asks``: names of fields (`FIELDS`), or objects as `Ask` for fields of
its own. Where it says nothing, it follows from the task: its place, its item, its lot, how many, where to. With
``detail.blind`` how many are expected is not shown; with ``detail.elsewhere`` they may be put into another place too.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from contracts.runtime.logging import get_log

logger = get_log(__name__)
FIELDS = ("source", "item", "lot", "expiry", "serial", "unit", "qty", "target", "status", "reason")
"""Fields that a handheld knows how to ask for by name."""
_LABELS = {
    "source": "Take from",
    "item": "Item",
    "lot": "Lot",
    "expiry": "Best before",
    "serial": "Serial number",
    "unit": "Pallet or case (SSCC)",
    "qty": "How many",
    "target": "Put into",
    "status": "Condition",
    "reason": "Why",
}
_TYPES: dict[str, Literal["scan", "number", "date", "choice", "text"]] = {
    "qty": "number",
    "expiry": "date",
    "status": "choice",
    "reason": "text",
}
FEWER = ["missing", "damaged", "no room", "other"]
"""Why somebody has brought fewer pieces than they should; asked for as `reason`."""
_STATUSES = ["ok", "quality", "hold", "damaged"]


class Ask(BaseModel):
    """One step on the way to a confirmation."""

    field: str = Field(pattern=r"^[a-z][a-z_]{0,39}$", description="What the confirmation calls the answer")
    type: Literal["scan", "number", "date", "choice", "text"] = "scan"
    label: str = ""
    show: str = Field("", description="What the person should look for")
    expect: list[str] = Field(default_factory=list, description="Answers that fit; empty: whatever is there")
    options: list[str] = Field(
        default_factory=list, description="Of a choice; of a number: reasons to ask for when it is below its default"
    )
    default: str | int | None = Field(None, description="What it is when the person only presses Enter")
    most: int | None = Field(None, description="Of a number")
    optional: bool = Field(False, description="May stay empty")


def asks_of(task: Mapping[str, Any], barcode: str | None, name: str | None) -> list[Ask]:
    """Return the steps of a task.

    Parameters
    ----------
    task
        A row of `hand_task`, its `detail` decoded.
    barcode, name
        Of its item, if it has one.
    """
    told = task["detail"].get("asks") if isinstance(task["detail"], dict) else None
    if isinstance(told, list):
        made = [_told(x, task, barcode, name) for x in told]
        return [a for a in made if a is not None]
    fields = [f for f in ("source", "item") if task[f]]
    if task["lot"]:
        fields.append("lot")
    if task["qty"] is not None:
        fields.append("qty")
    if task["target"]:
        fields.append("target")
    return [_named(f, task, barcode, name) for f in fields]


def _told(told: Any, task: Mapping[str, Any], barcode: str | None, name: str | None) -> Ask | None:
    """A step as a room has said it; None when it is none, which the log says."""
    said = {"field": told} if isinstance(told, str) else told
    if isinstance(said, dict):
        field = said.get("field")
        known = _named(field, task, barcode, name).model_dump() if field in FIELDS else {"label": field}
        if field == "qty" and isinstance(told, dict):
            known["options"] = []  # a room that says how it wants a number says also whether fewer need a reason
        with suppress(ValidationError):
            return Ask.model_validate(known | said)
    logger.error("a hand task asks for what nobody understands", task=task["id"], ask=told)
    return None


def _named(field: str, task: Mapping[str, Any], barcode: str | None, name: str | None) -> Ask:
    ask = Ask(field=field, type=_TYPES.get(field, "scan"), label=_LABELS[field])
    if field == "item":
        if task["item"]:
            ask.expect = [x for x in (task["item"], barcode) if x]
            ask.show = " · ".join(x for x in (name, barcode or task["item"]) if x)
    elif field == "qty":
        if not task["detail"].get("blind"):
            ask.default, ask.most, ask.options = task["qty"], task["qty"], FEWER
    elif field == "status":
        ask.options, ask.default = _STATUSES, task["status"]
    elif field in {"source", "target", "lot"} and task[field]:
        ask.show = task[field]
        if field != "target" or not task["detail"].get("elsewhere"):
            ask.expect = [task[field]]
    return ask
