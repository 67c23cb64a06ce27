"""Moves of our ledger and happenings of our orders as EPCIS events: what, when, where, why. Pure.

An event's id is a UUID (version 5) of the site and of the move's key, which names its cause: it is the same on every
run and every machine. Names are GS1 Digital Links where there is a GTIN, an SSCC or the site's GLN, else private
URNs (CBV 2.0 §8).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

import msgspec

from central.epcis.identifiers import DIGITAL_LINK, gtin_link, is_gtin, is_sscc, sscc_link
from central.epcis.transformation import transformed, whole

Event = dict[str, Any]
REVERSE, CORRECT = "reverse", "correct"
"""The reasons of rows that undo another: it did not happen, or it happened otherwise."""
_ERRORS = {REVERSE: "did_not_occur", CORRECT: "incorrect_data"}
_STEPS: dict[str, tuple[str, str]] = {
    "opening": ("stock_taking", "sellable_not_accessible"),
    "receive": ("receiving", "in_progress"),
    "receipt": ("receiving", "in_progress"),
    "return": ("receiving", "returned"),
    "putaway": ("storing", "sellable_not_accessible"),
    "move": ("storing", "sellable_not_accessible"),
    "transfer": ("storing", "sellable_not_accessible"),
    "replenish": ("stocking", "sellable_accessible"),
    "count": ("cycle_counting", "sellable_not_accessible"),
    "found": ("cycle_counting", "sellable_not_accessible"),
    "short_pick": ("cycle_counting", "unknown"),
    "late_pick": ("picking", "in_progress"),
    "pick": ("picking", "in_progress"),
    "hold": ("holding", "non_sellable_other"),
    "quality": ("holding", "non_sellable_other"),
    "release": ("inspecting", "sellable_not_accessible"),
    "damage": ("inspecting", "damaged"),
    "scrap": ("destroying", "destroyed"),
    "restock": ("storing", "sellable_not_accessible"),
    "regrade": ("inspecting", "non_sellable_other"),
    "transfer_out": ("shipping", "in_transit"),
    "transfer_in": ("receiving", "in_progress"),
    "transfer_difference": ("cycle_counting", "unknown"),
    "putback": ("storing", "sellable_not_accessible"),
    "fill": ("packing", "in_progress"),
    "empty": ("unpacking", "in_progress"),
    "ship": ("shipping", "in_transit"),
}
_OTHER = ("other", "unknown")
_HELD = {"quality": "non_sellable_other", "hold": "non_sellable_other", "damaged": "damaged"}
"""Dispositions of what is not free."""
_INTO = frozenset({"fill", "empty"})
"""Pieces into a handling unit, and out of it."""


class Move(msgspec.Struct, frozen=True):
    """A row of the view `epcis_move`."""

    tx: str
    seq: int
    at: datetime
    a: str
    a_kind: str | None
    b: str
    b_kind: str | None
    item: str
    barcode: str | None
    lot: str
    qty: int
    reason: str
    order_id: str | None
    ref: str | None
    source: str | None
    key: str
    reverses: int | None
    owner: str
    sscc: str | None = None
    """Of `a`, where that is a unit with a number."""
    status: str = "ok"
    """Of the pieces where they are now."""
    asn: str | None = None
    """What they were received with; its `ref` and `source` are the move's then."""
    supplier: str = ""
    """Who sent what was received, if that is known."""


class Happening(msgspec.Struct, frozen=True):
    """An event of an order, received, changed or cancelled; or of a unit or truck, which then stands for `order`."""

    tx: str
    seq: int
    at: datetime
    type: str
    order: str
    owner: str
    data: dict[str, Any]


class Told(msgspec.Struct, frozen=True):
    """An event, and whose goods it speaks of (empty: the house's)."""

    owner: str
    event: Event


class Names:
    """How things of one site are called outside.

    Parameters
    ----------
    site
        Its id; stands in private names.
    gln
        Its global location number, 13 digits; empty: it has none.
    """

    def __init__(self, site: str, gln: str = "") -> None:
        self._root = f"urn:floorplane:{site}"
        self._gln = gln

    def _own(self, kind: str, name: str) -> str:
        return f"{self._root}:{kind}:{quote(name, safe='')}"

    def item(self, item: str, barcode: str | None, lot: str = "") -> str:
        """Name a class of things: a trade item, or a lot of it."""
        if barcode and is_gtin(barcode):
            return gtin_link(barcode, lot=lot)
        return self._own("class", f"{item}/{lot}" if lot else item)

    def thing(self, code: str) -> str:
        """Name one thing that others are put into: a tote, a handling unit."""
        return sscc_link(code) if is_sscc(code) else self._own("obj", code)

    def place(self, code: str) -> str:
        """Name a place of the site."""
        return f"{DIGITAL_LINK}/414/{self._gln}/254/{quote(code, safe='')}" if self._gln else self._own("loc", code)

    def party(self, name: str) -> str:
        """Name somebody who sends goods: by a GLN, or as we call them."""
        known = len(name) == 13 and is_gtin(name)  # a GLN is checked as a GTIN-13 is
        return f"{DIGITAL_LINK}/417/{name}" if known else self._own("party", name)

    def transaction(self, *parts: str) -> str:
        """Name a document: an order, a shipment."""
        return self._own("bt", ":".join(parts))

    def event(self, cause: str) -> str:
        """Name the event of a cause."""
        return f"urn:uuid:{uuid5(NAMESPACE_URL, f'{self._root}:event:{cause}')}"


def of_moves(moves: Sequence[Move], originals: Mapping[int, Move], names: Names) -> list[Told]:
    """Return the events of moves that were posted in this order.

    Parameters
    ----------
    originals
        By its number, each move that one of `moves` reverses.
    """
    told: list[Told] = []
    grouped = groupby(moves, key=lambda m: (m.tx, *_shipment(m, originals), whole(m, originals)))
    for (_, shipped, back, becomes), group in grouped:
        if becomes is not None:
            parts = list(group)
            made = transformed(
                parts,
                originals,
                lambda cause, at: stamped(cause, at, names),
                lambda m: _quantity(m, names),
                names.place,
            )
            told += (Told(parts[0].owner, e) for e in made)
            continue
        if shipped is not None:
            together = list(group)
            events = _taken_back(together, originals, names) if back else _shipping(together, names)
            told += (Told(together[0].owner, e) for e in events)
            continue
        for move in group:
            original = originals.get(move.reverses) if move.reverses is not None else None
            event = _of_move(move, names) if original is None else _corrective(move, original, names)
            told.append(Told(move.owner, event))
            if original is not None:
                told.append(Told(move.owner, _declaration(move, original, names)))
    return told


def _shipment(move: Move, originals: Mapping[int, Move]) -> tuple[str | None, bool]:
    """The order that a move is shipped for, or taken back from its shipment."""
    original = originals.get(move.reverses) if move.reverses is not None else None
    if original is not None and original.reason == "ship":
        return original.order_id, True
    return move.order_id if move.reason == "ship" else None, False


def of_happenings(happenings: Iterable[Happening], names: Names) -> list[Told]:
    """Return the transaction events of orders: linked when received, seen when changed, unlinked when cancelled."""
    told = []
    for h in happenings:
        wanted = [line for line in h.data.get("lines") or () if line["qty"] > 0]
        order = _order(h.data.get("source"), h.data.get("ref"), names)
        changed = h.type.endswith(".changed")
        cause = f"{h.type}/{h.order}/{_iso(h.at)}" if changed else f"{h.type}/{h.order}"
        event: Event = {"type": "TransactionEvent", **stamped(cause, h.at, names)}
        event["bizTransactionList"] = [order]
        if changed or h.type.endswith(".received"):
            event["action"] = "OBSERVE" if changed else "ADD"
            if not wanted:
                event["epcList"] = []  # the standard wants one of the two
        if wanted and not h.type.endswith(".cancelled"):
            event["quantityList"] = [
                {"epcClass": names.item(line["item"], line.get("barcode")), "quantity": line["qty"]} for line in wanted
            ]
        if h.type.endswith(".cancelled"):
            event["action"] = "DELETE"
            event["bizStep"] = "void_shipping"
        told.append(Told(h.owner, event))
    return told


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stamped(cause: str, at: datetime, names: Names) -> Event:
    """Return an event's id, which names its cause, and its time."""
    return {"eventID": names.event(cause), "eventTime": _iso(at), "eventTimeZoneOffset": "+00:00"}


def _order(source: str | None, ref: str | None, names: Names) -> dict[str, str]:
    return {"type": "po", "bizTransaction": names.transaction(source or "", ref or "")}


def _quantity(move: Move, names: Names) -> dict[str, Any]:
    return {"epcClass": names.item(move.item, move.barcode, move.lot), "quantity": move.qty}


def _where(move: Move, names: Names) -> Event:
    """Where it was read, and where the things are now, as far as that is a place of ours."""
    a, b = move.a_kind not in {None, "virtual"}, move.b_kind not in {None, "virtual"}
    where: Event = {}
    if a or b:
        where["readPoint"] = {"id": names.place(move.a if a else move.b)}
    if b and move.b_kind not in {"tote", "unit"}:
        where["bizLocation"] = {"id": names.place(move.b)}
    return where


def _of_move(move: Move, names: Names) -> Event:
    step, disposition = _STEPS.get(move.reason, _OTHER)
    event: Event = {
        "type": "ObjectEvent",
        **stamped(move.key, move.at, names),
        "action": "OBSERVE",
        "bizStep": step,
        "disposition": disposition,
        "quantityList": [_quantity(move, names)],
        **_where(move, names),
    }
    if move.reason in _INTO:
        filled = move.reason == "fill"
        event |= {
            "type": "AggregationEvent",
            "action": "ADD" if filled else "DELETE",
            "parentID": names.thing(move.b if filled else move.a),
            "childQuantityList": event.pop("quantityList"),
        }
    if move.order_id is not None:
        event["bizTransactionList"] = [_order(move.source, move.ref, names)]
    if move.reason == "receive":
        event |= _received(move, names)
    return event


def _received(move: Move, names: Names) -> Event:
    """What is told of goods that came in besides: held back or not, on which unit, by which notice, from whom."""
    more: Event = {"disposition": _HELD.get(move.status, "in_progress")}
    if move.b_kind == "unit":
        more["epcList"] = [names.thing(move.b)]
    if move.asn is not None:
        notice = names.transaction(move.source or "", move.ref or "")
        more["bizTransactionList"] = [{"type": "desadv", "bizTransaction": notice}]
    if move.supplier:
        more["sourceList"] = [{"type": "possessing_party", "source": names.party(move.supplier)}]
    return more


def _corrective(move: Move, original: Move, names: Names) -> Event:
    """Where the things really are after all."""
    event = _of_move(move, names)
    back = move.b_kind == "bin"
    event["bizStep"] = "storing" if back else _STEPS.get(original.reason, _OTHER)[0]
    event["disposition"] = "sellable_not_accessible" if back else "unknown"
    return event


def _declaration(move: Move, original: Move, names: Names) -> Event:
    """The original said once more, as it was, and that it is wrong (EPCIS 2.0 §7.4.1.4)."""
    return _of_move(original, names) | {
        "errorDeclaration": {
            "declarationTime": _iso(move.at),
            "reason": _ERRORS.get(move.reason, "did_not_occur"),
            "correctiveEventIDs": [names.event(move.key)],
        }
    }


def _shipping(moves: list[Move], names: Names) -> list[Event]:
    """Pieces in each tote, totes in the shipment, the shipment under way for its order."""
    first = moves[0]
    shipment = shipment_of(first)
    order = _order(first.source, first.ref, names)
    events: list[Event] = []
    totes: list[str] = []
    for tote, inside in groupby(moves, key=lambda m: m.a):
        pieces = list(inside)
        totes.append(names.thing(pieces[0].sscc or tote))
        events.append(
            {
                "type": "AggregationEvent",
                **stamped(f"packed/{tote}", first.at, names),
                "action": "ADD",
                "parentID": totes[-1],
                "childQuantityList": [_quantity(m, names) for m in pieces],
                "bizStep": "packing",
                "disposition": "container_closed",
                "bizTransactionList": [order],
            }
        )
    papers = [order, {"type": "desadv", "bizTransaction": names.transaction(shipment)}]
    events.append(
        {
            "type": "AggregationEvent",
            **stamped(f"consigned/{shipment}", first.at, names),
            "action": "ADD",
            "parentID": names.thing(shipment),
            "childEPCs": totes,
            "bizStep": "staging_outbound",
            "disposition": "in_progress",
            "bizTransactionList": papers,
        }
    )
    events.append(
        {
            "type": "ObjectEvent",
            **stamped(f"shipped/{shipment}", first.at, names),
            "action": "OBSERVE",
            "epcList": [names.thing(shipment), *totes],
            "bizStep": "shipping",
            "disposition": "in_transit",
            "bizTransactionList": papers,
        }
    )
    return events


def shipment_of(move: Move) -> str:
    """Name the shipment of a move that left: the order's first one, or the one that the move's key numbers."""
    first = move.key.partition("/")[0]
    return f"S-{move.order_id}" if first == "ship" else f"S-{move.order_id}-{first.removeprefix('ship#')}"


def _taken_back(moves: list[Move], originals: Mapping[int, Move], names: Names) -> list[Event]:
    """Say that a shipment has not left after all: what was said of its leaving was wrong; its totes stay packed."""
    shipped = sorted((originals[m.reverses] for m in moves if m.reverses is not None), key=lambda m: m.seq)
    last = moves[-1]
    said = [e for e in _shipping(shipped, names) if e["bizStep"] != "packing"]
    totes = sorted({names.thing(m.sscc or m.a) for m in shipped})
    void: Event = {
        "type": "ObjectEvent",
        **stamped(f"void/{shipment_of(shipped[0])}", last.at, names),
        "action": "OBSERVE",
        "epcList": totes,
        "bizStep": "void_shipping",
        "disposition": "in_progress",
        "bizTransactionList": said[-1]["bizTransactionList"],
    }
    wrong = {
        "declarationTime": _iso(last.at),
        "reason": _ERRORS.get(last.reason, "did_not_occur"),
        "correctiveEventIDs": [void["eventID"]],
    }
    return [void, *({**e, "errorDeclaration": wrong} for e in said)]
