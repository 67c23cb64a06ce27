"""What an EPCIS 2.0 document may be, and the events in it."""

from collections.abc import Sequence
from typing import Any

import msgspec

from central.epcis.event import check_event, context
from central.epcis.fields import Check, Errors, listed, matching, number, record, refuse, text, time, uri
from contracts.codec import UNREADABLE
from contracts.errors import Rejected

CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
SCHEMA_VERSION = "2.0"
_version = matching(r"\d+(\.\d+)*", "a version such as 2.0")


def _any(_value: Any, _path: str, _errors: Errors) -> None:
    """Whatever it is."""


def _attribute_value(value: Any, path: str, errors: Errors) -> None:
    if not isinstance(value, str | dict):
        number(value, path, errors)


_vocabularies = listed(
    record(
        {
            "type": uri,
            "vocabularyElementList": listed(
                record(
                    {
                        "id": uri,
                        "attributes": listed(
                            record({"id": uri, "attribute": _attribute_value}, ("id",), extensible=False)
                        ),
                        "children": listed(uri),
                    },
                    ("id",),
                    extensible=False,
                )
            ),
        },
        ("type",),
        extensible=False,
    )
)
_header = record({"epcisMasterData": record({"vocabularyList": _vocabularies}, extensible=False)})
_document = record(
    {
        "@context": context,
        "id": uri,
        "type": text,
        "schemaVersion": _version,
        "creationDate": time,
        "instanceIdentifier": text,
        "sender": text,
        "receiver": text,
        "epcisHeader": _header,
        "epcisBody": record({"eventList": listed(_any)}, ("eventList",), extensible=False),
    },
    ("@context", "type", "schemaVersion", "creationDate", "epcisBody"),
)
_results = record({"eventList": listed(_any), "vocabularyList": _vocabularies}, ("eventList",))
_query_document = record(
    {
        "@context": context,
        "id": uri,
        "type": text,
        "schemaVersion": _version,
        "creationDate": time,
        "epcisBody": record(
            {
                "queryResults": record(
                    {"queryName": text, "subscriptionID": text, "resultsBody": _results}, ("queryName", "resultsBody")
                )
            },
            ("queryResults",),
        ),
    },
    ("@context", "type", "epcisBody"),
)
_SHAPES: dict[str, tuple[Check, str]] = {
    "EPCISDocument": (_document, "epcisBody/eventList"),
    "EPCISQueryDocument": (_query_document, "epcisBody/queryResults/resultsBody/eventList"),
}


class Document(msgspec.Struct, frozen=True):
    """A document that is well-formed; its events may not be."""

    context: Any
    events: Sequence[Any]
    path: str
    """Where the events stand, as errors name it."""


def parse(body: bytes) -> Any:
    """Read JSON.

    Raises
    ------
    Rejected
        It is none.
    """
    try:
        return msgspec.json.decode(body)
    except UNREADABLE as e:
        raise Rejected("body", body[:80].decode(errors="replace"), f"JSON ({e})") from e


def read_document(value: Any, errors: Errors) -> Document | None:
    """Check all but the events of an EPCISDocument or an EPCISQueryDocument; None when it cannot be read."""
    kind = value.get("type") if isinstance(value, dict) else None
    shape = _SHAPES.get(kind) if isinstance(kind, str) else None
    if shape is None:
        refuse(errors, "type", kind, "EPCISDocument or EPCISQueryDocument")
        return None
    check, path = shape
    check(value, "", errors)
    if errors:
        return None
    found = value
    for name in path.split("/"):
        found = found[name]
    return Document(value["@context"], found, path)


def errors_of(value: Any) -> Errors:
    """Return everything that is wrong with a document or a bare event; an empty list: it is valid."""
    errors: Errors = []
    if isinstance(value, dict) and value.get("type") not in tuple(_SHAPES):
        check_event(value, "", errors)
        if "@context" not in value:
            refuse(errors, "@context", None, "present in an event that stands alone")
        return errors
    document = read_document(value, errors)
    if document is not None:
        for n, event in enumerate(document.events):
            check_event(event, f"{document.path}/{n}", errors)
    return errors
