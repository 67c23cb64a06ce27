"""The AsyncAPI 3.0 document: made from the topic table and the catalogue of events, never written by hand."""

import re
from functools import cache
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from central.events.catalogue import CATALOGUE, EventType
from central.identity.access import ANYONE, Principal
from central.problems import documented
from contracts import topics
from contracts.codec import encode

router = APIRouter(prefix="/v1", tags=["events"])
_REF = "#/components/schemas/{name}"
_FIELD = re.compile(r"\{(\w+)\}")
_SERVER = {"state": "floor", "event": "floor", "command": "floor"}
"""Kinds of `topics.Kind` that go over MQTT; the others go over NATS."""


@cache
def document(version: str) -> dict[str, Any]:
    """Return the document of this version of central."""
    rows = [row for row in topics.TABLE if row.name != "events"]
    structured = [row for row in rows if row.carries is not bytes]
    shapes, components = msgspec.json.schema_components([row.carries for row in structured], ref_template=_REF)
    shape_of = {row.name: shape for row, shape in zip(structured, shapes, strict=True)}
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for row in rows:
        messages[row.name] = {
            "name": row.name,
            "contentType": "application/json" if row.name in shape_of else "application/octet-stream",
            "payload": shape_of.get(row.name, {"type": "string", "format": "binary"}),
        }
        channels[row.name] = _channel(row, [row.name])
        operations[f"receive_{row.name}"] = _operation(row.name, f"{row.kind}, {row.rate}")
    events = next(row for row in topics.TABLE if row.name == "events")
    for kind in CATALOGUE:
        messages[kind.type] = _event_message(kind)
    names = [kind.type for kind in CATALOGUE]
    channels["events"] = _channel(events, names)
    channels["stream"] = {
        "address": "/v1/events",
        "servers": [{"$ref": "#/servers/rest"}],
        "title": "The same as server-sent events, resumable by Last-Event-ID",
        "messages": {n: {"$ref": f"#/components/messages/{n}"} for n in names},
    }
    operations["receive_events"] = _operation("events", f"{events.kind}, {events.rate}")
    operations["receive_stream"] = _operation("stream", "as they are published")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Floorplane",
            "version": version,
            "description": "What is said on the floor, between its parts, and to the outside.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "floor": {"host": "localhost:1883", "protocol": "mqtt", "protocolVersion": "3.1.1"},
            "log": {"host": "localhost:4222", "protocol": "nats"},
            "rest": {"host": "localhost:8080", "protocol": "http"},
        },
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": components},
    }


def _channel(row: topics.Topic, names: list[str]) -> dict[str, Any]:
    channel: dict[str, Any] = {
        "address": row.pattern,
        "servers": [{"$ref": f"#/servers/{_SERVER.get(row.kind, 'log')}"}],
        "messages": {n: {"$ref": f"#/components/messages/{n}"} for n in names},
    }
    fields = _FIELD.findall(row.pattern)
    if fields:
        channel["parameters"] = {f: {"description": f"The {f}'s identifier"} for f in fields}
    if row.kind in _SERVER:
        channel["description"] = f"QoS {row.qos}, {'retained' if row.retained else 'not retained'}"
    return channel


def _operation(channel: str, summary: str) -> dict[str, Any]:
    return {"action": "receive", "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary}


def _event_message(kind: EventType) -> dict[str, Any]:
    text = {"type": "string"}
    properties: dict[str, Any] = {
        "specversion": {"const": "1.0"},
        "id": text,
        "source": text,
        "type": {"const": kind.type},
        "subject": {"type": "string", "description": f"The {kind.subject}"},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "correlationid": text,
        "data": {"type": "object", "properties": kind.data} if kind.data else {"type": "null"},
    }
    return {
        "name": kind.type,
        "summary": kind.summary,
        "contentType": "application/cloudevents+json",
        "payload": {
            "type": "object",
            "properties": properties,
            "required": [n for n in properties if n != "correlationid"],
        },
    }


@router.get(
    "/asyncapi.json",
    response_class=Response,
    responses=documented() | {200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
async def get_asyncapi(request: Request, _: Principal = ANYONE) -> Response:
    """Describe every topic, subject and event as AsyncAPI 3.0."""
    version: str = request.app.version
    return Response(encode(document(version)), media_type="application/json")
