"""EPCIS events as rows: how an event is kept, how documents are captured, and how events come back."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import NAMESPACE_URL, uuid5

import msgspec

from central.database import Connection
from central.epcis.document import CONTEXT, SCHEMA_VERSION
from central.epcis.fields import instant
from central.epcis.index import quantities, terms

_encoder = msgspec.json.Encoder()
_canonical = msgspec.json.Encoder(order="deterministic")


class Kept(msgspec.Struct, frozen=True):
    """What became of one event."""

    event_id: str
    outcome: str
    """new | known | other: it was new, known already, or known with other content."""


def event_id_of(event: dict[str, Any]) -> str:
    """Return an event's own id; for one without, a UUID (version 5) of what it says, so that it is kept once."""
    own = event.get("eventID")
    if own is not None:
        return str(own)
    said = {k: v for k, v in event.items() if k not in {"recordTime", "errorDeclaration"}}
    return f"urn:uuid:{uuid5(NAMESPACE_URL, 'epcis:' + _canonical.encode(said).decode())}"


async def keep(
    connection: Connection,
    source: str,
    owners: Sequence[str],
    at: datetime,
    context: Any,
    events: Sequence[dict[str, Any]],
) -> list[Kept]:
    """Keep valid events in a transaction, each for its owner; what is known already is not kept twice."""
    context_text = _canonical.encode(context).decode()
    rows: list[dict[str, Any]] = []
    for n, event in enumerate(events):
        event_id = event_id_of(event)
        declaration = event.get("errorDeclaration")
        rows.append(
            {
                "n": n,
                "event_id": event_id,
                "owner": owners[n],
                "event_time": cast("datetime", instant(event["eventTime"])).isoformat(),
                "declared_at": declaration and cast("datetime", instant(declaration["declarationTime"])).isoformat(),
                "terms": terms(event, event_id),
                "quantities": quantities(event),
                "context": context_text,
                "data": _encoder.encode(event).decode(),
            }
        )
    found = await connection.fetch(
        "SELECT * FROM keep_epcis($1, $2, $3::jsonb)", source, at, _encoder.encode(rows).decode()
    )
    return [Kept(row["event_id"], f["outcome"]) for row, f in zip(rows, found, strict=True)]


def written(rows: Sequence[Any]) -> tuple[list[Any], list[dict[str, Any]]]:
    """Return the context that a document of these rows needs, and their events.

    A prefix that two events use for different things stays in the events' own contexts.
    """
    links: dict[str, None] = {CONTEXT: None}
    prefixes: dict[str, Any] = {}
    events = []
    for row in rows:
        event = json.loads(row["data"])
        clashing = []
        for one in _parts(json.loads(row["context"])):
            if not isinstance(one, dict):
                if "epcis-context.jsonld" not in one:
                    links.setdefault(one)
            elif any(prefixes.get(name, value) != value for name, value in one.items()):
                clashing.append(one)
            else:
                prefixes.update(one)
        if clashing:
            event["@context"] = [*_parts(event.get("@context", [])), *clashing]
        event.setdefault("recordTime", row["record_time"].isoformat(timespec="milliseconds").replace("+00:00", "Z"))
        events.append(event)
    return [*links, *({name: value} for name, value in prefixes.items())], events


def query_document(rows: Sequence[Any], created: datetime) -> bytes:
    """Write rows as an EPCISQueryDocument."""
    context, events = written(rows)
    return _encoder.encode(
        {
            "@context": context,
            "type": "EPCISQueryDocument",
            "schemaVersion": SCHEMA_VERSION,
            "creationDate": created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "epcisBody": {"queryResults": {"queryName": "SimpleEventQuery", "resultsBody": {"eventList": events}}},
        }
    )


def bare_event(row: Any) -> bytes:
    """Write one row as an event that stands alone."""
    context, events = written([row])
    own = _parts(events[0].get("@context", []))
    return _encoder.encode(
        {"@context": [*context, *(c for c in own if c not in context)]} | _without_context(events[0])
    )


def _without_context(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != "@context"}


def _parts(context: Any) -> list[Any]:
    return context if isinstance(context, list) else [context]
