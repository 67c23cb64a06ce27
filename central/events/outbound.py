"""The events of units, waves, rounds and trucks, as rows of the catalogue: type, what its subject is, summary, data."""

from typing import Any

_TEXT: dict[str, Any] = {"type": "string"}
_NAMED: dict[str, Any] = {"type": ["string", "null"]}
_NUMBER: dict[str, Any] = {"type": "integer"}
_NAMES: dict[str, Any] = {"type": "array", "items": _TEXT}
_TIME: dict[str, Any] = {"type": "string", "format": "date-time"}
_UNIT: dict[str, Any] = {"unit": _TEXT, "owner": _TEXT}
_DONE: dict[str, Any] = {"who": _TEXT, "reason": _TEXT}
_LINES: dict[str, Any] = {"type": "array", "items": {"type": "object"}}
_ORDER: dict[str, Any] = {"ref": _TEXT, "source": _TEXT, "lines": _LINES}
_SENT: dict[str, Any] = {"shipment": _TEXT, "totes": _NUMBER, "pieces": _NUMBER}
_LOAD: dict[str, Any] = {"truck": _TEXT, "stop": _NUMBER, "at": _NAMED, "who": _TEXT}
_WAVE: dict[str, Any] = {"orders": _NUMBER}
_WAY: dict[str, Any] = {"from": _NAMED, "to": _NAMED, "to_kind": _TEXT}

OUTBOUND: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("floorplane.unit.made", "unit", "A handling unit has a number", _UNIT | {"kind": _TEXT, "at": _NAMED}),
    ("floorplane.unit.nested", "unit", "It stands in another unit", _UNIT | _DONE | _WAY),
    ("floorplane.unit.taken_out", "unit", "It was taken out of another unit", _UNIT | _DONE | {"from": _TEXT}),
    ("floorplane.unit.moved", "unit", "It stands on another place", _UNIT | _DONE | _WAY),
    ("floorplane.unit.closed", "unit", "Nothing more goes into it", _UNIT | _DONE | {"at": _NAMED}),
    ("floorplane.unit.opened", "unit", "It is open again", _UNIT | _DONE | {"at": _NAMED}),
    ("floorplane.wave.planned", "wave", "Orders wait for it", _WAVE | {"who": _TEXT, "release_at": _NAMED}),
    ("floorplane.wave.released", "wave", "Its orders are worked on", _WAVE | {"who": _TEXT}),
    (
        "floorplane.wave.done",
        "wave",
        "Its last order is packed or closed",
        _WAVE | {"short": _NUMBER, "cancelled": _NUMBER},
    ),
    (
        "floorplane.wave.withdrawn",
        "wave",
        "So many of its orders wait again; the others are begun and go on",
        _WAVE | _DONE | {"going_on": _NUMBER},
    ),
    ("floorplane.wave.cancelled", "wave", "It is given up; its orders wait again", _WAVE | _DONE),
    ("floorplane.order.packed", "order", "It waits for its truck", _ORDER | {"route": _TEXT, "totes": _NUMBER}),
    ("floorplane.order.unpacked", "order", "A packed tote of it was opened again", _ORDER | _DONE | {"tote": _TEXT}),
    ("floorplane.order.partly_shipped", "order", "A part of it has left", _ORDER | _SENT),
    (
        "floorplane.order.unshipped",
        "order",
        "Its shipment was taken back before it departed",
        _ORDER | _DONE | {"shipment": _TEXT, "error": _TEXT},
    ),
    ("floorplane.unit.loaded", "unit", "It stands on a truck", _UNIT | _LOAD),
    ("floorplane.unit.unloaded", "unit", "It was taken off a truck", _UNIT | _LOAD | {"reason": _TEXT}),
    ("floorplane.truck.planned", "truck", "It will leave", {"route": _TEXT, "carrier": _TEXT, "orders": _NUMBER}),
    ("floorplane.truck.loading", "truck", "It stands at its door", {"dock": _TEXT, "route": _TEXT, "who": _TEXT}),
    (
        "floorplane.truck.dispatched",
        "truck",
        "It is closed, and what stands on it is shipped",
        _DONE | {"orders": _NUMBER, "left": _NAMES},
    ),
    ("floorplane.truck.reopened", "truck", "It was opened again before it departed", _DONE),
    (
        "floorplane.truck.departed",
        "truck",
        "It has left its door",
        {"dock": _NAMED, "route": _TEXT, "who": _TEXT, "units": _NAMES},
    ),
    ("floorplane.truck.cancelled", "truck", "It will not leave; its orders wait for another one", _DONE),
    ("floorplane.unit.voided", "unit", "It is given up", _UNIT | _DONE | {"at": _NAMED}),
)
