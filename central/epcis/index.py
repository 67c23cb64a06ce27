"""The terms under which an event is found: one list of texts for one index, in the words of the standard's queries.

Each term is ``name value``; a query parameter with a list of values asks for any of its terms, several parameters for
all of them (EPCIS 2.0 §8.2.7.1).
"""

from collections.abc import Iterable, Iterator
from typing import Any

from central.epcis import vocabulary as words
from central.epcis.identifiers import PREFIX, key

_EPCS = {"epcList": "epc", "childEPCs": "epc", "inputEPCList": "inputEPC", "outputEPCList": "outputEPC"}
_CLASSES = {
    "quantityList": "epcClass", "childQuantityList": "epcClass", "inputQuantityList": "inputEPCClass",
    "outputQuantityList": "outputEPCClass",
}  # fmt: skip


def term(name: str, value: str) -> str:
    """Return one term."""
    return f"{name} {value}"


def terms(event: dict[str, Any], event_id: str) -> list[str]:
    """Return the terms of a valid event, sorted, each once."""
    return sorted(set(_terms(event, event_id)))


def quantities(event: dict[str, Any]) -> list[float]:
    """Return the quantities that an event speaks of."""
    return [float(q["quantity"]) for field in _CLASSES for q in event.get(field, ()) if "quantity" in q]


def _names(epc: str) -> Iterable[str]:
    """An identifier answers to itself, and to the class or pattern that holds it."""
    whole = key(epc)
    yield whole
    if whole.startswith(f"{PREFIX}/01/") and whole.count("/") > 2:
        yield "/".join(whole.split("/")[:3])


def _terms(event: dict[str, Any], event_id: str) -> Iterator[str]:
    yield term("eventID", event_id)
    yield term("eventType", event["type"])
    if "action" in event:
        yield term("action", event["action"])
    if "bizStep" in event:
        yield term("bizStep", words.step(event["bizStep"]))
    if "disposition" in event:
        yield term("disposition", words.disposition(event["disposition"]))
    for change, dispositions in event.get("persistentDisposition", {}).items():
        yield from (term(f"persistentDisposition_{change}", words.disposition(d)) for d in dispositions)
    for place in ("readPoint", "bizLocation"):
        if place in event:
            yield term(place, key(event[place]["id"]))
    for field, name in _EPCS.items():
        for epc in event.get(field, ()):
            for known in _names(epc):
                yield term(name, known)
                yield term("anyEPC", known)
    if "parentID" in event:
        for known in _names(event["parentID"]):
            yield term("parentID", known)
            yield term("anyEPC", known)
    for field, name in _CLASSES.items():
        for element in event.get(field, ()):
            for known in _names(element["epcClass"]):
                yield term(name, known)
                yield term("anyEPCClass", known)
    if "transformationID" in event:
        yield term("transformationID", key(event["transformationID"]))
    for transaction in event.get("bizTransactionList", ()):
        kind = words.transaction_type(transaction.get("type", ""))
        yield term(f"bizTransaction_{kind}", key(transaction["bizTransaction"]))
        yield term("bizTransaction_", key(transaction["bizTransaction"]))
    for end in ("source", "destination"):
        for one in event.get(f"{end}List", ()):
            yield term(f"{end}_{words.party_type(one['type'])}", key(one[end]))
    declaration = event.get("errorDeclaration")
    if declaration is not None:
        yield term("exists", "errorDeclaration")
        if "reason" in declaration:
            yield term("errorReason", words.error_reason(declaration["reason"]))
        yield from (term("correctiveEventID", c) for c in declaration.get("correctiveEventIDs", ()))
    yield from (term("exists", name) for name in event if ":" in name or name in {"ilmd", "sensorElementList"})
