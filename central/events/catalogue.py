"""The events that central publishes: one table; the AsyncAPI document is made of it and the tests hold to it."""

from typing import Any

import msgspec

from central.events.care import CARE
from central.events.inbound import INBOUND
from central.events.outbound import OUTBOUND
from central.events.plans import PLANS

_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "integer"}
_LINES: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"line": _NUMBER, "item": _TEXT}
        | dict.fromkeys(("qty", "allocated", "done", "short", "cancelled"), _NUMBER),
    },
}
_ORDER: dict[str, Any] = {"ref": _TEXT, "source": _TEXT, "lines": _LINES}


_TRANSPORT: dict[str, Any] = {n: {"type": ["string", "null"]} for n in ("robot", "node", "reason", "who")}
_ROBOT: dict[str, Any] = dict.fromkeys(("manufacturer", "serial", "who", "reason"), _TEXT)
_ADJUSTMENT: dict[str, Any] = {
    "place": _TEXT, "item": _TEXT, "qty": _NUMBER, "reason": _TEXT, "asked_by": _TEXT, "who": _TEXT,
}  # fmt: skip
_NAMED: dict[str, Any] = {"type": ["string", "null"]}
_HANDS: dict[str, Any] = {"kind": _TEXT, "item": _NAMED, "qty": {"type": ["integer", "null"]}, "ref": _NAMED}
_WAY: dict[str, Any] = {"lot": _TEXT, "source": _NAMED, "target": _NAMED}
_TRANSPORTS = {
    "open": "A transport waits for a robot again",
    "assigned": "A robot is on its way to it",
    "loaded": "A robot carries it",
    "done": "It stands where it was to go",
    "cancelled": "It will not be moved",
}


class EventType(msgspec.Struct, frozen=True):
    """One row: its CloudEvents type, what its subject is, what it says, and the fields of its data."""

    type: str
    subject: str
    summary: str
    data: dict[str, Any] = {}


CATALOGUE: tuple[EventType, ...] = (
    EventType("floorplane.order.received", "order", "An order was taken in and reserved", _ORDER | {"short": _NUMBER}),
    EventType(
        "floorplane.order.changed", "order", "Its lines, its due time or its priority are others now",
        _ORDER | {"who": _TEXT, "reason": _TEXT, "due": {"type": "string", "format": "date-time"}, "priority": _NUMBER},
    ),
    EventType("floorplane.order.released", "order", "The floor works on it"),
    EventType(
        "floorplane.order.line_short", "order", "So many pieces of a line will not come",
        {"line": _NUMBER, "item": _TEXT, "short": _NUMBER},
    ),
    EventType(
        "floorplane.order.shipped", "order", "All that was to come has left",
        _ORDER | {"shipment": _TEXT, "totes": _NUMBER, "pieces": _NUMBER},
    ),
    EventType("floorplane.order.short", "order", "It is closed; nothing of it was there", _ORDER),
    EventType("floorplane.order.cancelled", "order", "It is cancelled", _ORDER | {"who": _TEXT, "reason": _TEXT}),
    EventType(
        "floorplane.stock.count_needed", "place", "The books and the floor differ: count this bin",
        {"bin": _TEXT, "item": _TEXT, "task": _TEXT, "missing": _NUMBER, "reason": _TEXT},
    ),
    EventType(
        "floorplane.stock.counted", "place", "A bin was counted as the books have it",
        {"bin": _TEXT, "item": _TEXT, "difference": _NUMBER, "who": _TEXT, "key": _TEXT},
    ),
    EventType(
        "floorplane.stock.adjustment_approved", "adjustment", "A second person let a booking pass", _ADJUSTMENT
    ),
    EventType("floorplane.stock.adjustment_refused", "adjustment", "A second person did not", _ADJUSTMENT),
    EventType(
        "floorplane.ledger.reversed", "move", "A posted move was undone by another",
        {"move": _NUMBER, "reversal": _NUMBER, "from": _TEXT, "to": _TEXT, "item": _TEXT, "qty": _NUMBER,
         "order": {"type": ["string", "null"]}, "error": _TEXT, "reason": _TEXT, "who": _TEXT},
    ),
    EventType(
        "floorplane.alarm.raised", "alarm", "Something needs a person's eyes",
        dict.fromkeys(("key", "severity", "subject", "text", "remedy"), _TEXT),
    ),
    EventType("floorplane.alarm.cleared", "alarm", "Its cause is gone", {"key": _TEXT}),
    EventType(
        "floorplane.alarm.acknowledged", "alarm", "Somebody has seen it", {"key": _TEXT, "who": _TEXT}
    ),
    EventType("floorplane.hands.opened", "hand task", "There is work for a person with a handheld", _HANDS | _WAY),
    EventType(
        "floorplane.hands.done", "hand task", "A person has done it, and it is posted",
        _HANDS | _WAY | {"reason": _TEXT, "who": _TEXT},
    ),
    EventType(
        "floorplane.hands.cancelled", "hand task", "It will not be done",
        {"kind": _TEXT, "item": _NAMED, "ref": _NAMED, "reason": _TEXT, "who": _NAMED},
    ),
    EventType(
        "floorplane.hands.undone", "hand task", "What was posted for it was taken back",
        _HANDS | {"reason": _TEXT, "who": _TEXT},
    ),
    *(EventType(*row) for row in CARE),
    *(EventType(f"floorplane.transport.{s}", "transport", told, _TRANSPORT) for s, told in _TRANSPORTS.items()),
    EventType("floorplane.robot.adopted", "robot", "A robot that the site does not name is of the fleet", _ROBOT),
    EventType("floorplane.robot.forgotten", "robot", "It is no longer", _ROBOT),
    *(EventType(*row) for row in INBOUND),
    *(EventType(*row) for row in OUTBOUND),
    *(EventType(*row) for row in PLANS),
)  # fmt: skip
