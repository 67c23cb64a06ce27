"""REST of orders."""

import json
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from central.context import Context, Correlation, Here
from central.idempotency import IdempotencyKey, PerhapsKey, once
from central.identity.access import ANYONE, ERP, Principal
from central.identity.audit import AUDIT
from central.listing import Cursor, Limit, Page, following, turn
from central.masterdata.ndjson import MEDIA_TYPE, RESULTS, LineResult, lines_of, take_lines, write_results
from central.moment import milliseconds, moment
from central.orders.change import IfMatch, change_order, hold_order
from central.orders.intake import Asked, Rules, Sender, Taken, take_in
from central.orders.model import (
    LineOut,
    OrderChange,
    OrderChanged,
    OrderDetail,
    OrderIn,
    OrderOut,
    OrderState,
    OrderTaken,
)
from central.packing.cartonize import ToteParams
from central.problems import FieldError, Refusal, documented, refused
from central.reason import Reason

router = APIRouter(prefix="/v1/orders", tags=["orders"])


class Cancel(Reason):
    """Why an order is cancelled, and what becomes of what is picked."""

    put_back: bool = Field(
        False, description="What is picked or packed goes back to stock; else it goes on its way to the customer"
    )


class Cancelled(BaseModel):
    """What a cancellation could still do."""

    id: str
    outcome: str = Field(
        description="cancelled | partly | too late; with put_back: put back | stopping (totes come first)"
    )
    withdrawn_picks: int
    totes_going_on: int
    put_back_tasks: int = Field(0, description="What people are to put back to stock")


@router.post(
    "",
    status_code=201,
    response_model=OrderTaken,
    responses=documented(400, 409, 413),
    summary="Take an order in and reserve its stock",
)
async def post_order(
    order: OrderIn, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey, who: Principal = ERP
) -> Response:
    """Take an order in. What is not there is short at once; the rest is reserved, never more than there is.

    The same key with the same body gives the same answer again (header `Idempotency-Replayed`).
    """
    (taken,) = await take_in(
        here.database,
        [Asked(idempotency_key, order)],
        Sender(who.name, correlation, who.owner),
        moment(here.clock.now_ms()),
        _rules(here),
    )
    if isinstance(taken, Refusal):
        raise taken
    headers = {"Idempotency-Replayed": "true"} if taken.replayed else {}
    _count(here, order, taken)
    return Response(taken.answer.response, taken.answer.status, headers, "application/json")


_CHUNK = 50
"""Orders of one transaction: more would hold hot stock for too long."""


@router.post(
    ":bulk",
    response_class=Response,
    responses=documented(413) | {200: RESULTS},
    openapi_extra={"requestBody": lines_of(OrderIn)},
)
async def bulk_orders(
    request: Request, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey, who: Principal = ERP
) -> Response:
    """Take many orders in as they stream in; each line by itself, and the same line once.

    A line is known by the Idempotency-Key and its number, so that the request may be sent again: what was taken in
    before is answered with `duplicate`.
    """
    sender = Sender(who.name, correlation, who.owner)

    async def take(chunk: list[tuple[int, OrderIn]]) -> list[LineResult]:
        taken = await take_in(
            here.database,
            [Asked(f"{idempotency_key}/{n}", order) for n, order in chunk],
            sender,
            moment(here.clock.now_ms()),
            _rules(here),
        )
        for (_, order), one in zip(chunk, taken, strict=True):
            if isinstance(one, Taken):
                _count(here, order, one)
        return [_result(n, order, one) for (n, order), one in zip(chunk, taken, strict=True)]

    results = await take_lines(request, OrderIn, _CHUNK, take)
    return Response(write_results(results), media_type=MEDIA_TYPE)


def _rules(here: Context) -> Rules:
    s = here.settings
    return Rules(ToteParams(s.tote_volume_ml, s.tote_weight_g), s.release_in_work > 0, s.release_waves)


def _count(here: Context, order: OrderIn, taken: Taken) -> None:
    if taken.replayed:
        return
    for at in (order.release_at, order.reserve_until):
        if at is not None:
            here.releaser.expect(milliseconds(at))
    if taken.state == "allocated" and here.settings.release_in_work:
        here.releaser.expect(here.clock.now_ms())
    here.metrics.orders.labels(taken.state).inc()


def _result(line: int, order: OrderIn, taken: Taken | Refusal) -> LineResult:
    if isinstance(taken, Taken):
        return LineResult(line=line, id=taken.id, outcome="duplicate" if taken.replayed else "created")
    errors = list(taken.errors) or [FieldError(field="Idempotency-Key", value=None, bound=taken.detail)]
    return LineResult(line=line, id=order.ref, outcome="refused", errors=errors)


_LIST = """
SELECT o.*, l.lines, l.qty, l.done, l.short,
       (SELECT count(*) FROM tote t WHERE t.order_id = o.id AND t.state <> 'void') AS totes
FROM orders o
CROSS JOIN LATERAL (SELECT count(*) AS lines, sum(qty) AS qty, sum(done) AS done, sum(short) AS short
                    FROM order_line WHERE order_id = o.id) AS l
"""


@router.get("", response_model=Page[OrderOut], responses=documented())
async def list_orders(
    here: Here,
    state: Annotated[str | None, Query(description="Only in this state")] = None,
    source: Annotated[str | None, Query(description="Only of this system")] = None,
    ref: Annotated[str | None, Query(description="Only this ref")] = None,
    open_only: Annotated[bool, Query(alias="open", description="Only what is not closed")] = False,
    search: Annotated[str | None, Query(max_length=64, description="Only refs and ids that hold this text")] = None,
    newest: Annotated[bool, Query(description="The newest first")] = False,
    limit: Limit = 100,
    owner: Annotated[str | None, Query(max_length=64, description="Only of this owner; empty: the house's")] = None,
    cursor: Cursor = None,
    who: Principal = ANYONE,
) -> dict[str, Any]:
    """List orders in the order in which they came, or the newest first."""
    at, name, past, direction = turn(cursor, newest=newest)
    rows = await here.database.read(
        _LIST + f"WHERE (o.received_at, o.id) {past} ($1, $2) AND ($3::text IS NULL OR o.state = $3)"
        " AND ($4::text IS NULL OR o.source = $4) AND ($5::text IS NULL OR o.ref = $5)"
        " AND (NOT $6 OR o.closed_at IS NULL)"
        " AND ($7::text IS NULL OR strpos(lower(o.ref), lower($7)) > 0 OR strpos(lower(o.id), lower($7)) > 0)"
        " AND ($9::text IS NULL OR o.owner = $9)"
        f" ORDER BY o.received_at {direction}, o.id {direction} LIMIT $8",
        at, name, state, source, ref, open_only, search, limit, _seen(who, owner),
    )  # fmt: skip
    return {"items": [dict(r) for r in rows], "next": following(rows, limit, "received_at")}


_DETAIL = """
SELECT
  (SELECT json_agg(x ORDER BY x.line) FROM order_line x WHERE x.order_id = $1) AS order_lines,
  (SELECT json_agg(json_build_object('id', t.id, 'state', t.state, 'oversize', t.oversize, 'weight_g', t.weight_g,
                                     'place', p.parent) ORDER BY t.n)
   FROM tote t JOIN place p ON p.code = t.id WHERE t.order_id = $1) AS tote_list,
  (SELECT json_agg(json_build_object('id', k.id, 'kind', k.kind, 'state', k.state, 'attempt', k.attempt, 'line', k.line,
      'tote', k.tote, 'item', k.item, 'bin', k.bin, 'qty', k.qty, 'done_qty', k.done_qty, 'station', k.station,
      'robot', k.robot, 'reason', k.reason, 'evidence', k.evidence, 'released_at', k.released_at,
      'started_at', k.started_at, 'closed_at', k.closed_at) ORDER BY k.tote, k.kind, length(k.id), k.id)
   FROM task k WHERE k.order_id = $1) AS tasks,
  (SELECT json_agg(json_build_object('seq', g.seq, 'at', g.at, 'from', g.a, 'to', g.b, 'item', g.item, 'qty', g.qty,
      'reason', g.reason, 'task', g.task, 'line', g.line, 'actor', g.actor, 'key', g.key) ORDER BY g.seq)
   FROM ledger g WHERE g.order_id = $1) AS ledger,
  (SELECT to_json(s) FROM shipment s WHERE s.order_id = $1
   ORDER BY s.reversed_at IS NOT NULL, s.at DESC, s.id DESC LIMIT 1) AS shipment
"""


def _seen(who: Principal, owner: str | None) -> str | None:
    """Whose orders are listed: an owner's token sees its own alone."""
    if who.owner and owner not in {None, who.owner}:
        raise refused("owner", owner, f"{who.owner}, whose token this is", status=403)
    return who.owner or owner


@router.get("/{order_id}", response_model=OrderDetail, responses=documented(404))
async def get_order(order_id: str, response: Response, here: Here, who: Principal = ANYONE) -> dict[str, Any]:
    """Show an order with everything it led to: lines, totes, tasks (with robot and station), ledger rows, shipment.

    The ETag changes with the order and its lines; a change of the order asks for it.
    """
    rows = await here.database.read(
        _LIST.replace("SELECT o.*", "SELECT order_tag(o.id) AS tag, o.*", 1)
        + "WHERE o.id = $1 AND ($2 = '' OR o.owner = $2)",
        order_id, who.owner,
    )  # fmt: skip
    if not rows:
        raise Refusal(404, f"order: {order_id!r} is not known")
    more = (await here.database.read(_DETAIL, order_id))[0]
    parts = {k: json.loads(v) if v is not None else None for k, v in more.items()}
    shipment = parts.pop("shipment")
    response.headers["ETag"] = f'"{rows[0]["tag"]}"'
    return dict(rows[0]) | {k: v or [] for k, v in parts.items()} | {"shipment": shipment}


@router.get("/{order_id}/lines", response_model=list[LineOut], responses=documented(404))
async def get_lines(order_id: str, here: Here, who: Principal = ANYONE) -> list[dict[str, Any]]:
    """Show the lines of an order alone."""
    rows = await here.database.read(
        "SELECT l.* FROM orders o JOIN order_line l ON l.order_id = o.id"
        " WHERE o.id = $1 AND ($2 = '' OR o.owner = $2) ORDER BY l.line",
        order_id, who.owner,
    )  # fmt: skip
    if not rows:
        raise Refusal(404, f"order: {order_id!r} is not known")
    return [dict(r) for r in rows]


@router.post("/{order_id}/cancel", response_model=Cancelled, responses=documented(400, 404, 409, 412))
async def cancel_order(
    order_id: str,
    body: Cancel,
    here: Here,
    correlation: Correlation,
    if_match: IfMatch = None,
    key: PerhapsKey = None,
    who: Principal = ERP,
) -> Response:
    """Cancel as far as possible: picks that nobody has begun are withdrawn; what is in totes already goes on.

    With `put_back` an order is cancelled up to the truck: people unpack it and put it back to stock. A closed order
    answers 409 with what became of it, and one that is loaded with the truck it stands on.
    """
    at: datetime = moment(here.clock.now_ms())

    async def work(connection: Any) -> str:
        await hold_order(connection, order_id, who.owner, if_match, needed=False)
        row = await connection.fetchrow(
            "SELECT * FROM cancel_order($1, $2, $3, $4, $5)", order_id, at, who.name, body.reason, body.put_back
        )
        if row["outcome"] == "loaded":
            raise Refusal(409, f"order: {order_id}: {row['what']}; unload it first")
        if row["outcome"] == "is packed":
            raise Refusal(409, f"order: {order_id} is packed already; cancel it with put_back to unpack it")
        if row["what"]:
            raise Refusal(409, f"order: {order_id} {row['outcome']} already: {row['what']}")
        if row["outcome"].startswith("is "):
            raise Refusal(409, f"order: {order_id} {row['outcome']} already; nothing can be cancelled")
        await connection.execute(
            AUDIT, at, who.name, who.role, "order.cancel", order_id, body.reason, correlation, None
        )
        return Cancelled(
            id=order_id,
            outcome=row["outcome"],
            withdrawn_picks=row["withdrawn"],
            totes_going_on=row["going_on"],
            put_back_tasks=row["put_back"],
        ).model_dump_json()

    what = f"POST /v1/orders/{order_id}/cancel"
    return await once(here.database, who.name, key, what, body.model_dump_json(), at, 200, work)


@router.post("/{order_id}/release", response_model=OrderState, responses=documented(404, 409, 412))
async def release_order(
    order_id: str,
    here: Here,
    correlation: Correlation,
    if_match: IfMatch = None,
    key: PerhapsKey = None,
    who: Principal = ERP,
) -> Response:
    """Release an order that was only reserved (`reserve_until`): it is picked at once, or at its release time."""
    at = moment(here.clock.now_ms())

    release_at: datetime | None = None

    async def work(connection: Any) -> str:
        nonlocal release_at
        await hold_order(connection, order_id, who.owner, if_match, needed=False)
        row = await connection.fetchrow("SELECT * FROM release_reserved($1, $2)", order_id, at)
        if row["outcome"] != "released":
            raise Refusal(409, f"order: {order_id} {row['outcome']}")
        await connection.execute(AUDIT, at, who.name, who.role, "order.release", order_id, "", correlation, None)
        release_at = row["release_at"] if row["state"] == "allocated" else None
        return OrderState(id=order_id, state=row["state"]).model_dump_json()

    answer = await once(here.database, who.name, key, f"POST /v1/orders/{order_id}/release", "", at, 200, work)
    if release_at is not None:
        here.releaser.expect(milliseconds(release_at))
    return answer


@router.patch("/{order_id}", responses=documented(400, 404, 409, 412, 428))
async def patch_order(
    order_id: str,
    body: OrderChange,
    here: Here,
    correlation: Correlation,
    if_match: IfMatch = None,
    who: Principal = ERP,
) -> OrderChanged:
    """Change an order as far as it is still possible; all of it, or nothing (409 says what stands in the way).

    Due time, priority and address may change until the order is closed. A line may become more or less, down to what
    is picked or being picked; what is new is reserved now and travels in totes of its own.
    """
    return await change_order(here, order_id, body, who, correlation, if_match)
