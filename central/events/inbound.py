"""The events of what comes in: rows of the catalogue."""

from typing import Any

_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "integer"}
_TIME: dict[str, Any] = {"type": "string", "format": "date-time"}
_MAYBE: dict[str, Any] = {"type": ["string", "null"]}
_ASN: dict[str, Any] = {
    "ref": _TEXT,
    "source": _TEXT,
    "lines": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"line": _NUMBER, "item": _TEXT}
            | dict.fromkeys(("qty", "received", "damaged", "short", "over"), _NUMBER),
        },
    },
}
_RECEIVED: dict[str, Any] = {
    "line": {"type": ["integer", "null"]}, "item": _TEXT, "lot": _TEXT, "qty": _NUMBER, "damaged": _NUMBER,
    "status": _TEXT, "why": _TEXT, "place": _TEXT, "supplier": _MAYBE, "who": _TEXT,
}  # fmt: skip
_APPOINTMENT: dict[str, Any] = {
    "dock": _TEXT, "from": _TIME, "to": _TIME, "direction": _TEXT, "asn": _MAYBE, "carrier": _TEXT, "vehicle": _TEXT,
    "who": _TEXT, "reason": _TEXT,
}  # fmt: skip
_STATUS: dict[str, Any] = {
    "place": _TEXT, "item": _TEXT, "lot": _TEXT, "qty": _NUMBER, "from": _TEXT, "to": _TEXT, "reason": _TEXT,
    "asked_by": _TEXT, "who": _TEXT,
}  # fmt: skip

INBOUND: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    (
        "floorplane.asn.announced", "ASN", "Goods are to come",
        _ASN | {"owner": _TEXT, "supplier": _TEXT, "due": _TIME},
    ),
    (
        "floorplane.asn.changed", "ASN", "What is to come, or when, is other now",
        _ASN | {"who": _TEXT, "reason": _TEXT, "due": _TIME},
    ),
    (
        "floorplane.asn.arrived", "ASN", "It is here, and is unloaded",
        {"ref": _TEXT, "source": _TEXT, "staging": _TEXT},
    ),
    ("floorplane.asn.received", "ASN", "Goods of a line have come in", _RECEIVED),
    (
        "floorplane.asn.closed", "ASN", "Nothing more comes of it; so many pieces of its lines are short",
        _ASN | {"owner": _TEXT, "supplier": _TEXT, "who": _TEXT, "reason": _TEXT, "short": _NUMBER},
    ),
    (
        "floorplane.asn.cancelled", "ASN", "Nothing of it comes",
        {"ref": _TEXT, "source": _TEXT, "who": _TEXT, "reason": _TEXT},
    ),
    (
        "floorplane.order.line_filled", "order", "So many pieces that a line waited for are there",
        {"line": _NUMBER, "item": _TEXT, "qty": _NUMBER, "from": _TEXT},
    ),
    (
        "floorplane.stock.limit_overruled", "place", "Somebody has put goods where the place takes no more",
        {"place": _TEXT, "item": _MAYBE, "lot": _MAYBE, "qty": {"type": ["integer", "null"]}, "unit": _MAYBE,
         "bound": _TEXT, "reason": _TEXT, "who": _TEXT},
    ),
    ("floorplane.stock.received", "item", "Goods have come in that nobody announced", _RECEIVED),
    ("floorplane.stock.status_changed", "place", "Goods became free, held or damaged", _STATUS),
    ("floorplane.stock.status_refused", "place", "A second person did not let them", _STATUS),
    ("floorplane.dock.booked", "appointment", "A door is booked", _APPOINTMENT),
    ("floorplane.dock.moved", "appointment", "It is another time or door", _APPOINTMENT),
    ("floorplane.dock.arrived", "appointment", "The vehicle stands there", _APPOINTMENT),
    ("floorplane.dock.left", "appointment", "The vehicle has left", _APPOINTMENT),
    ("floorplane.dock.cancelled", "appointment", "It is given up", _APPOINTMENT),
)  # fmt: skip
"""Type, what its subject is, what it says, fields of its data."""
