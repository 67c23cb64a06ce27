"""EPCIS 2.0 over REST: capture, capture jobs, query (the standard's §12)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import NAMESPACE_URL, uuid5

import msgspec
from fastapi import APIRouter, Header, Path, Request, Response
from pydantic import BaseModel, Field

from central.context import Here
from central.epcis.document import Document, errors_of, parse, read_document
from central.epcis.event import check_event
from central.epcis.fields import Errors
from central.epcis.query import Query, count_sql, flattened, page_sql, read_query, write_token
from central.epcis.store import Kept, bare_event, keep, query_document
from central.idempotency import Stored, claim, request_hash, store
from central.identity.access import ANYONE, ERP, Principal
from central.moment import moment
from central.problems import FieldError, Refusal, documented
from contracts.errors import Rejected

router = APIRouter(prefix="/v1/epcis", tags=["epcis"])
_VERSIONS = {
    "GS1-EPCIS-Version": "2.0.0",
    "GS1-CBV-Version": "2.0.0",
    "GS1-EPCIS-Min": "2.0.0",
    "GS1-EPCIS-Max": "2.0.0",
}
_EVENT = {
    "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
    "type": "ObjectEvent",
    "eventTime": "2026-12-02T09:00:00Z",
    "eventTimeZoneOffset": "+00:00",
    "epcList": ["https://id.gs1.org/00/340123450000000017"],
    "action": "OBSERVE",
    "bizStep": "receiving",
    "readPoint": {"id": "https://id.gs1.org/414/9521141000004"},
}
"""An example."""
_DOCUMENT = {
    "@context": _EVENT["@context"],
    "type": "EPCISDocument",
    "schemaVersion": "2.0",
    "creationDate": "2026-12-02T09:00:01Z",
    "epcisBody": {"eventList": [{k: v for k, v in _EVENT.items() if k != "@context"}]},
}
_BODY = {
    "requestBody": {
        "required": True,
        "description": "An EPCISDocument, or an EPCISQueryDocument that somebody gave you",
        "content": {
            m: {"schema": {"type": "object"}, "example": _DOCUMENT} for m in ("application/json", "application/ld+json")
        },
    }
}


def _body(example: dict[str, Any]) -> dict[str, Any]:
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}, "example": example}},
        }
    }


_JSON_LD: dict[int | str, dict[str, Any]] = {
    200: {"description": "JSON-LD of the standard", "content": {"application/json": {"schema": {"type": "object"}}}}
}
Behaviour = Annotated[
    Literal["rollback", "proceed"],
    Header(alias="GS1-Capture-Error-Behaviour", description="Nothing, or all the others, when an event is bad"),
]
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key", max_length=200, pattern=r"^[\x21-\x7e]*$",
        description="Names the job; by default the body does",
    ),
]  # fmt: skip


CaptureId = Annotated[str, Path(pattern=r"^[\x21-\x7e]{1,100}$")]
EventId = Annotated[str, Path(pattern=r"^[\x21-\x7e]{1,500}$", description="As the event says it; a URI")]


class CaptureJob(BaseModel):
    """What became of a capture."""

    captureID: str  # noqa: N815 - the standard's own names, here and below
    createdAt: datetime  # noqa: N815
    finishedAt: datetime | None  # noqa: N815
    running: bool
    success: bool
    captureErrorBehaviour: Literal["rollback", "proceed"]  # noqa: N815
    captured: int = Field(description="Events that were new; what was known already is not counted")
    errors: list[FieldError]


@router.post(
    "/capture",
    status_code=202,
    response_class=Response,
    responses=documented(400, 409, 413),
    openapi_extra=_BODY,
    summary="Capture a document of events",
)
async def capture(
    request: Request, here: Here, behaviour: Behaviour = "rollback", key: Key = "", who: Principal = ERP
) -> Response:
    """Capture the events of a document; `Location` leads to the job, which tells what became of them.

    With `rollback` (the default) a document with a bad event is refused at once, each field by its name; with `proceed`
    the good events are kept and the job lists what was wrong with the others. An event that is known already is kept
    once; the same id with other content is an error.
    """
    body = await request.body()
    errors: Errors = []
    document = read_document(_json(body), errors)
    if document is None:
        raise _invalid(errors)
    good: list[dict[str, Any]] = []
    for n, event in enumerate(document.events):
        wrong: Errors = []
        check_event(event, f"{document.path}/{n}", wrong)
        errors += wrong
        if not wrong:
            good.append(event)
    if errors and behaviour == "rollback":
        raise _invalid(errors)
    at = moment(here.clock.now_ms())
    job = str(uuid5(NAMESPACE_URL, f"floorplane:{who.name}:{key or body.hex()}"))
    hashed = request_hash(f"POST /v1/epcis/capture {behaviour}", body.hex())

    async def work(connection: Any) -> None:
        if key:
            if await claim(connection, who.name, key, hashed) is not None:
                return
            await store(connection, who.name, key, hashed, Stored(202, ""), at)
        if await connection.fetchval("SELECT true FROM epcis_capture WHERE id = $1", job):
            return
        kept = await keep(connection, who.name, [who.owner] * len(good), at, document.context, good)
        clashes = _clashes(document, good, kept)
        if clashes and behaviour == "rollback":
            raise _invalid(clashes)
        found = errors + clashes
        await connection.execute(
            "INSERT INTO epcis_capture VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $8::jsonb)",
            job, who.name, who.owner, at, behaviour, not found, sum(k.outcome == "new" for k in kept),
            msgspec.json.encode([e.model_dump() for e in found]).decode(),
        )  # fmt: skip

    await here.database.unit(work)
    return Response(None, 202, {"Location": f"/v1/epcis/capture/{job}", **_VERSIONS})


def _clashes(document: Document, events: Sequence[dict[str, Any]], kept: Sequence[Kept]) -> Errors:
    where = {id(e): n for n, e in enumerate(document.events)}
    return [
        FieldError(
            field=f"{document.path}/{where[id(e)]}/eventID",
            value=k.event_id,
            bound="new, or known with the same content",
        )
        for e, k in zip(events, kept, strict=True)
        if k.outcome == "other"
    ]


@router.get("/capture/{capture_id}", response_model=CaptureJob, responses=documented(404))
async def get_capture(capture_id: CaptureId, here: Here, who: Principal = ANYONE) -> dict[str, Any]:
    """Show what became of a capture."""
    rows = await here.database.read(_JOBS + " WHERE id = $1 AND ($2 = '' OR owner = $2)", capture_id, who.owner)
    if not rows:
        raise Refusal(404, f"captureID: {capture_id!r} is not known")
    return _job(rows[0])


@router.get("/capture", response_model=list[CaptureJob], responses=documented())
async def list_captures(here: Here, who: Principal = ANYONE) -> list[dict[str, Any]]:
    """List the last hundred captures, the newest first."""
    sql = _JOBS + " WHERE ($1 = '' OR owner = $1) ORDER BY created_at DESC, id DESC LIMIT 100"
    return [_job(r) for r in await here.database.read(sql, who.owner)]


_JOBS = "SELECT id, created_at, finished_at, behaviour, success, captured, errors::text FROM epcis_capture"


def _job(row: Any) -> dict[str, Any]:
    return {
        "captureID": row["id"],
        "createdAt": row["created_at"],
        "finishedAt": row["finished_at"],
        "running": False,
        "success": row["success"],
        "captureErrorBehaviour": row["behaviour"],
        "captured": row["captured"],
        "errors": msgspec.json.decode(row["errors"]),
    }


@router.post(
    "/events",
    status_code=201,
    response_class=Response,
    responses=documented(400, 409, 413),
    openapi_extra=_body(_EVENT),
    summary="Capture one event",
)
async def capture_event(request: Request, here: Here, key: Key = "", who: Principal = ERP) -> Response:
    """Capture one event that stands alone; `Location` leads to it."""
    body = await request.body()
    event = _json(body)
    errors = errors_of(event)
    if isinstance(event, dict) and event.get("type") in ("EPCISDocument", "EPCISQueryDocument"):
        errors = [FieldError(field="type", value=event["type"], bound="an event; documents go to /v1/epcis/capture")]
    if errors:
        raise _invalid(errors)
    at = moment(here.clock.now_ms())

    hashed = request_hash("POST /v1/epcis/events", body.hex())

    async def work(connection: Any) -> Kept:
        if key and await claim(connection, who.name, key, hashed) is None:
            await store(connection, who.name, key, hashed, Stored(201, ""), at)
        bare = {name: value for name, value in event.items() if name != "@context"}
        kept = await keep(connection, who.name, [who.owner], at, event["@context"], [bare])
        if kept[0].outcome == "other":
            raise Refusal(409, f"eventID: {kept[0].event_id} is known with other content")
        return kept[0]

    kept = await here.database.unit(work)
    return Response(None, 201, {"Location": f"/v1/epcis/events/{kept.event_id}", **_VERSIONS})


@router.get("/events", response_class=Response, responses=documented(400, 413) | _JSON_LD, summary="Ask for events")
async def query_events(request: Request, here: Here, who: Principal = ANYONE) -> Response:
    """Ask for events with the standard's parameters; the answer is an EPCISQueryDocument.

    Of values in a list (repeated, or parted by `|`) any may match, of several parameters all must. Served are
    `eventType`, `EQ_…` of action, bizStep, disposition, persistentDisposition, readPoint, bizLocation,
    transformationID, eventID, errorReason, correctiveEventID, bizTransaction, source and destination; `GE_`/`LT_` of
    eventTime, recordTime and errorDeclarationTime; `MATCH_…` of epc, parentID, inputEPC, outputEPC, anyEPC and their
    classes; `EQ_`, `GT_`, `GE_`, `LT_`, `LE_quantity`; `EXISTS_…`; `orderBy`, `orderDirection`, `eventCountLimit`,
    `maxEventCount`, `perPage`, `nextPageToken`. EPC URIs and GS1 Digital Links find each other. More pages are named in
    the `Link` header.
    """
    errors: Errors = []
    query = read_query(request.query_params.multi_items(), errors, who.owner)
    if errors:
        raise _invalid(errors)
    return await _page(request, here, query)


@router.post(
    "/events:query",
    response_class=Response,
    responses=documented(400, 413) | _JSON_LD,
    openapi_extra=_body({"EQ_bizStep": ["receiving"], "GE_eventTime": "2026-12-01T00:00:00Z"}),
    summary="Ask for events with a query that is too long for a URL",
)
async def query_events_at_length(request: Request, here: Here, who: Principal = ANYONE) -> Response:
    """Ask with the same parameters as a JSON object; `nextPageToken` of the `Link` header goes into the object."""
    asked = _json(await request.body())
    errors: Errors = []
    if not isinstance(asked, dict):
        raise _invalid([FieldError(field="body", value=None, bound="an object of query parameters")])
    query = read_query(list(flattened(asked)), errors, who.owner)
    if errors:
        raise _invalid(errors)
    return await _page(request, here, query)


async def _page(request: Request, here: Here, query: Query) -> Response:
    await here.epcis.catch_up()
    before = query.token[2] if query.token is not None else 0
    wanted = query.per_page if query.limit is None else max(0, min(query.per_page, query.limit - before))

    async def ask(connection: Any) -> list[Any]:
        # how rare the terms are decides the way to them: planned for these terms, not for any
        await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        if query.most is not None and query.token is None:
            sql, arguments = count_sql(query)
            found = await connection.fetchval(sql, *arguments)
            if found > query.most:
                raise Refusal(413, f"maxEventCount: {found} events match, more than {query.most}")
        sql, arguments = page_sql(query, wanted + 1)
        rows: list[Any] = await connection.fetch(sql, *arguments)
        return rows

    rows = await here.database.unit(ask)
    page = rows[:wanted]
    headers = dict(_VERSIONS)
    more = len(rows) > wanted and (query.limit is None or before + len(page) < query.limit)
    if more and page:
        token = write_token(page[-1], query.order, before + len(page))
        url = request.url.include_query_params(nextPageToken=token)
        headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    return Response(query_document(page, moment(here.clock.now_ms())), 200, headers, "application/json")


@router.get("/events/{event_id:path}", response_class=Response, responses=documented(404) | _JSON_LD)
async def get_event(event_id: EventId, here: Here, who: Principal = ANYONE) -> Response:
    """Show one event as JSON-LD; where it was declared wrong, with its `errorDeclaration`."""
    await here.epcis.catch_up()
    rows = await here.database.read(
        "SELECT id, event_time, record_time, context, data FROM epcis_event"
        " WHERE event_id = $1 AND ($2 = '' OR owner = $2) ORDER BY declared DESC",
        event_id,
        who.owner,
    )
    if not rows:
        raise Refusal(404, f"eventID: {event_id!r} is not known")
    return Response(bare_event(rows[0]), 200, _VERSIONS, "application/json")


@router.get("/eventTypes", responses=documented())
async def event_types(_: Principal = ANYONE) -> dict[str, list[str]]:
    """List the event types that are known."""
    return {
        "member": ["AggregationEvent", "AssociationEvent", "ObjectEvent", "TransactionEvent", "TransformationEvent"]
    }


def _json(body: bytes) -> Any:
    if b"\\u0000" in body:
        raise _invalid([FieldError(field="body", value="\\u0000", bound="text without NUL, which no database keeps")])
    try:
        return parse(body)
    except Rejected as e:
        raise Refusal(400, str(e)) from e


def _invalid(errors: Errors) -> Refusal:
    return Refusal(400, "; ".join(f"{e.field}: {e.value!r} is not {e.bound}" for e in errors[:5]), errors[:100])
