"""What an EPCIS 2.0 event may be: the five kinds, their fields, and what must stand together.

This is the standard's section 7 in code. It is as strict as the official JSON schema, but for what was added after
2.0.0 (`NEWER`): that is taken from others and never written by us.
"""

from typing import Any

from central.epcis import vocabulary as words
from central.epcis.fields import (
    Check,
    Errors,
    boolean,
    either,
    is_uri,
    listed,
    matching,
    number,
    one_of,
    record,
    refuse,
    text,
    time,
    uri,
    word,
)

NEWER = (
    "persistentDisposition on aggregation, association and transaction events",
    "the measurements " + ", ".join(sorted(words.NEWER_MEASUREMENTS)),
    "a sensor report without its type",
)
"""What is accepted although the schema of 2.0.0 refuses it."""

ACTIONS = frozenset({"ADD", "OBSERVE", "DELETE"})


def _context(value: Any, path: str, errors: Errors) -> None:
    for n, one in enumerate(value if isinstance(value, list) else [value]):
        if not isinstance(one, dict) and not is_uri(one):
            refuse(errors, f"{path}/{n}" if isinstance(value, list) else path, one, "a URI or an object of prefixes")
        elif isinstance(value, list) and one in value[:n]:
            refuse(errors, f"{path}/{n}", one, "in the list once")


context: Check = _context
_disposition = word(words.DISPOSITIONS)
_place = record({"id": uri}, ("id",), extensible=False)
_quantities = listed(
    record(
        {"epcClass": uri, "quantity": number, "uom": matching(r"[A-Z0-9]{2,3}", "a UN/CEFACT unit such as KGM")},
        ("epcClass",), closed=True,
    )
)  # fmt: skip
_uris = listed(uri)
_transactions = listed(
    record({"type": word(words.TRANSACTION_TYPES), "bizTransaction": uri}, ("bizTransaction",), closed=True)
)
_some_dispositions = listed(_disposition, least=1, unique=True)
_persistent_fields = record({"set": _some_dispositions, "unset": _some_dispositions}, closed=True)


def _persistent(value: Any, path: str, errors: Errors) -> None:
    _persistent_fields(value, path, errors)
    if isinstance(value, dict) and not value.keys() & {"set", "unset"}:
        refuse(errors, path, value, "an object with set or unset")


def _ended(name: str) -> Check:
    return listed(record({"type": word(words.PARTY_TYPES), name: uri}, ("type", name), closed=True))


_processing = dict.fromkeys(("deviceID", "deviceMetadata", "rawData", "dataProcessingMethod", "bizRules"), uri)
_numbers = dict.fromkeys(("value", "minValue", "maxValue", "meanValue", "sDev", "percRank", "percValue"), number)
_report = record(
    _processing
    | _numbers
    | dict.fromkeys(("microorganism", "chemicalSubstance", "coordinateReferenceSystem", "uriValue"), uri)
    | {
        "type": word(words.MEASUREMENTS | words.NEWER_MEASUREMENTS, measure=True),
        "exception": word(words.ALERTS, measure=True),
        "time": time,
        "component": word(words.COMPONENTS),
        "stringValue": text,
        "booleanValue": boolean,
        "hexBinaryValue": matching(r"[A-Fa-f0-9]+", "hexadecimal digits"),
        "uom": text,
    }
)
_sensors = listed(
    record(
        {
            "sensorMetadata": record(_processing | {"time": time, "startTime": time, "endTime": time}),
            "sensorReport": listed(_report, least=1),
        },
        ("sensorReport",),
    )
)
_common: dict[str, Check] = {
    "@context": context,
    "type": text,
    "eventTime": time,
    "recordTime": time,
    "eventTimeZoneOffset": matching(r"[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00)", "an offset such as +01:00"),
    "eventID": uri,
    "certificationInfo": either(uri, listed(uri), "a URI or a list of URIs"),
    "errorDeclaration": record(
        {"declarationTime": time, "reason": word(words.ERROR_REASONS), "correctiveEventIDs": listed(uri)},
        ("declarationTime",),
    ),
}
_business: dict[str, Check] = _common | {
    "bizStep": word(words.BIZ_STEPS),
    "disposition": _disposition,
    "persistentDisposition": _persistent,
    "readPoint": _place,
    "bizLocation": _place,
    "bizTransactionList": _transactions,
    "sourceList": _ended("source"),
    "destinationList": _ended("destination"),
    "sensorElementList": _sensors,
}
_action = one_of(ACTIONS)
_ilmd = record({})
_epcs = listed(uri, unique=True)
_WHEN = ("eventTime", "eventTimeZoneOffset")
_parent = {"parentID": uri, "childEPCs": _uris, "childQuantityList": _quantities, "action": _action}
_KINDS: dict[str, Check] = {
    "ObjectEvent": record(
        _business | {"epcList": _epcs, "quantityList": _quantities, "action": _action, "ilmd": _ilmd},
        (*_WHEN, "action"),
    ),
    "AggregationEvent": record(_business | _parent, (*_WHEN, "action")),
    "TransactionEvent": record(
        _business
        | {
            "bizTransactionList": _transactions, "parentID": uri, "epcList": _uris, "quantityList": _quantities,
            "action": _action,
        },
        (*_WHEN, "action", "bizTransactionList"),
    ),
    "TransformationEvent": record(
        _business
        | {
            "inputEPCList": _epcs, "inputQuantityList": _quantities, "outputEPCList": _epcs,
            "outputQuantityList": _quantities, "transformationID": uri, "ilmd": _ilmd,
        },
        _WHEN,
    ),
    "AssociationEvent": record(_business | _parent, (*_WHEN, "action", "parentID")),
}  # fmt: skip
KINDS = frozenset(_KINDS)
_foreign = record(_common, _WHEN, extensible=False)


def check_event(event: Any, path: str, errors: Errors) -> None:
    """Note everything that an event may not be, each with its path."""
    if not isinstance(event, dict):
        refuse(errors, path, event, "an object")
        return
    kind = event.get("type")
    if not isinstance(kind, str) or (kind not in _KINDS and not is_uri(kind)):
        bound = f"one of {', '.join(sorted(_KINDS))}, or an event type of your own with its prefix"
        refuse(errors, f"{path}/type" if path else "type", kind, bound)
        return
    before = len(errors)
    _KINDS.get(kind, _foreign)(event, path, errors)
    if len(errors) == before:
        _together(kind, event, path, errors)


def _together(kind: str, event: dict[str, Any], path: str, errors: Errors) -> None:
    """What no field alone can say."""
    deletes = event.get("action") == "DELETE"
    if kind == "ObjectEvent":
        sensed = event.get("sensorElementList") and "readPoint" in event
        if not ("epcList" in event or event.get("quantityList") or sensed):
            _missing(event, path, errors, "epcList", "quantityList", "sensorElementList with readPoint")
        if "ilmd" in event and event["action"] != "ADD":
            refuse(errors, f"{path}/ilmd" if path else "ilmd", event["action"], "given with action ADD only")
    elif kind in {"AggregationEvent", "AssociationEvent"}:
        if not (event.get("childEPCs") or event.get("childQuantityList") or deletes):
            _missing(event, path, errors, "childEPCs", "childQuantityList")
    elif kind == "TransactionEvent":
        if not event["bizTransactionList"]:
            _missing(event, path, errors, "bizTransactionList")
        if not ("epcList" in event or event.get("quantityList") or deletes):
            _missing(event, path, errors, "epcList", "quantityList")
    elif kind == "TransformationEvent":
        came = event.get("inputEPCList") or event.get("inputQuantityList")
        went = event.get("outputEPCList") or event.get("outputQuantityList")
        if not (came and went) and not ("transformationID" in event and (came or went)):
            _missing(event, path, errors, *(("outputEPCList", "outputQuantityList") if came else ("inputEPCList",)))


def _missing(event: dict[str, Any], path: str, errors: Errors, *names: str) -> None:
    first = names[0]
    refuse(errors, f"{path}/{first}" if path else first, event.get(first), f"given: {' or '.join(names)}, not empty")
