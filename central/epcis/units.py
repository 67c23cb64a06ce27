"""Happenings of handling units and trucks as EPCIS events: made, nested, loaded, gone. Pure."""

from collections.abc import Iterable

from central.epcis.projection import Event, Happening, Names, Told, stamped

_UNITS = {
    "made": ("ADD", "commissioning", "active"),
    "nested": ("ADD", "packing", "in_progress"),
    "taken_out": ("DELETE", "unpacking", "in_progress"),
    "moved": ("OBSERVE", "storing", "in_progress"),
    "closed": ("OBSERVE", "packing", "container_closed"),
    "opened": ("OBSERVE", "unpacking", "container_open"),
    "voided": ("DELETE", "decommissioning", "inactive"),
    "loaded": ("ADD", "loading", "in_progress"),
    "unloaded": ("DELETE", "unloading", "in_progress"),
}
"""What happens to one unit: the action, the business step, the disposition (CBV 2.0)."""
_INSIDE = {"nested": "to", "taken_out": "from", "loaded": "truck", "unloaded": "truck"}
"""Which field names the outer one."""
_UNIT, _DEPARTED = "floorplane.unit.", "floorplane.truck.departed"
UNITS = (*(_UNIT + name for name in _UNITS), _DEPARTED)
"""Types of the events that these are made of."""


def of_units(happenings: Iterable[Happening], names: Names) -> list[Told]:
    """Return the events of units: aggregation where one goes into another or out of it, else object events."""
    return [Told(h.owner, _departed(h, names) if h.type == _DEPARTED else _of_unit(h, names)) for h in happenings]


def _of_unit(h: Happening, names: Names) -> Event:
    name = h.type.removeprefix(_UNIT)
    action, step, disposition = _UNITS[name]
    if name == "moved" and h.data.get("to_kind") in {"staging", "dock"}:
        step = "staging_outbound"
    unit = names.thing(h.data["unit"])
    kind = "AggregationEvent" if name in _INSIDE else "ObjectEvent"
    event: Event = {"type": kind, "action": action, "bizStep": step, "disposition": disposition}
    if name in _INSIDE:
        event |= {"parentID": names.thing(h.data[_INSIDE[name]]), "childEPCs": [unit]}
    else:
        event["epcList"] = [unit]
    where = h.data.get("to" if name == "moved" else "at")
    if where:
        event["readPoint"] = {"id": names.place(where)}
        if name == "moved":
            event["bizLocation"] = {"id": names.place(where)}
    if name in {"loaded", "unloaded"}:
        event["bizTransactionList"] = [{"type": "bol", "bizTransaction": names.transaction(h.data["truck"])}]
    other = h.data.get(_INSIDE.get(name, "at"), "")
    return event | stamped(f"{h.type}/{h.order}/{other}/{h.at.isoformat()}", h.at, names)


def _departed(h: Happening, names: Names) -> Event:
    event: Event = {
        "type": "ObjectEvent",
        "action": "OBSERVE",
        "epcList": [names.thing(u) for u in h.data["units"]],
        "bizStep": "departing",
        "disposition": "in_transit",
        "bizTransactionList": [{"type": "bol", "bizTransaction": names.transaction(h.order)}],
    }
    if h.data.get("dock"):
        event["readPoint"] = {"id": names.place(h.data["dock"])}
    return event | stamped(f"{h.type}/{h.order}", h.at, names)
