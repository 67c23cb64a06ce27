"""The events of the care of the stock, as rows of the catalogue: type, subject, what it says, fields of its data."""

from typing import Any

_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "integer"}
_PERHAPS: dict[str, Any] = {"type": ["string", "null"]}


def _lines(*numbers: str) -> dict[str, Any]:
    properties = {"line": _NUMBER, "item": _TEXT} | dict.fromkeys(numbers, _NUMBER)
    return {"type": "array", "items": {"type": "object", "properties": properties}}


_RETURN: dict[str, Any] = {
    "ref": _TEXT,
    "source": _TEXT,
    "order": _PERHAPS,
    "lines": _lines("qty", "received", "back", "other", "damaged", "scrapped", "refund"),
}
_END: dict[str, Any] = {"who": _TEXT, "reason": _TEXT}
_SCRAP: dict[str, Any] = dict.fromkeys(("place", "item", "lot", "status", "reason", "note", "asked_by"), _TEXT)
_SCRAP |= {"qty": _NUMBER, "who": _PERHAPS, "why": _TEXT}
_KIT: dict[str, Any] = {
    "kit": _TEXT, "way": _TEXT, "qty": _NUMBER, "done": _NUMBER, "place": _TEXT, "made_by": _TEXT,
    "parts": {"type": "array", "items": {"type": "object", "properties": {"item": _TEXT, "qty": _NUMBER}}},
}  # fmt: skip
_TRANSFER: dict[str, Any] = {
    "ref": _TEXT,
    "way": _TEXT,
    "other_site": _TEXT,
    "lines": _lines("qty", "sent", "received", "difference"),
}
_COUNT: dict[str, Any] = dict.fromkeys(("place", "item", "lot", "cause", "who"), _TEXT)

CARE: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("floorplane.return.announced", "return", "A customer will send goods back", _RETURN),
    (
        "floorplane.return.graded", "return", "Goods that came back were looked at",
        {"line": _NUMBER, "item": _TEXT, "qty": _NUMBER, "grade": _TEXT, "who": _TEXT,
         "target": _PERHAPS, "as_item": _PERHAPS},
    ),
    ("floorplane.return.closed", "return", "Nothing more will come: refund what was received", _RETURN | _END),
    ("floorplane.return.cancelled", "return", "Nothing has come, and nothing will", _RETURN | _END),
    ("floorplane.count.opened", "count", "Somebody shall count an account", _COUNT),
    ("floorplane.count.reopened", "count", "It is taken back, and counted anew", _COUNT | {"reason": _TEXT}),
    ("floorplane.count.cancelled", "count", "Nobody counts it any more", _COUNT | {"reason": _TEXT}),
    (
        "floorplane.stock.replenished", "item", "Pieces came from the reserve to where robots pick",
        {"item": _TEXT, "lot": _TEXT, "qty": _NUMBER, "from": _TEXT, "to": _TEXT, "task": _TEXT, "who": _TEXT},
    ),
    ("floorplane.stock.scrap_asked", "scrap", "Somebody wants to throw away more than one person may", _SCRAP),
    ("floorplane.stock.scrapped", "scrap", "Goods were thrown away", _SCRAP),
    ("floorplane.stock.scrap_refused", "scrap", "They are kept", _SCRAP),
    ("floorplane.kit.asked", "kit build", "Kits shall be made, or taken apart", _KIT),
    ("floorplane.kit.built", "kit build", "Kits were made of their parts", _KIT | {"who": _TEXT}),
    ("floorplane.kit.taken_apart", "kit build", "Kits became their parts again", _KIT | {"who": _TEXT}),
    ("floorplane.kit.cancelled", "kit build", "They will not be made", _KIT | _END),
    ("floorplane.transfer.opened", "transfer", "Goods shall go to another site, or come from it", _TRANSFER),
    ("floorplane.transfer.sent", "transfer", "It has left; tell the other site", _TRANSFER | {"who": _TEXT}),
    ("floorplane.transfer.closed", "transfer", "Nothing of it is under way any more", _TRANSFER | _END),
    ("floorplane.transfer.cancelled", "transfer", "It is undone", _TRANSFER | _END),
)  # fmt: skip
