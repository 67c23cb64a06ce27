"""REST of goods that come in: lines or whole handling units of an ASN, or what nobody announced."""

import json
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from central.context import Correlation, Here
from central.database import Connection
from central.idempotency import IdempotencyKey, once
from central.identity.access import ANYONE, Principal
from central.identity.audit import AUDIT
from central.inbound.change import hold_asn
from central.inbound.model import BlindIn, CrossDocked, ReceiptOut, Received, ReceiveIn
from central.inbound.routes import RECEIVERS
from central.listing import Limit, Page, after, following
from central.moment import moment
from central.problems import documented, refused

router = APIRouter(prefix="/v1", tags=["inbound"])
_RECEIVE = "SELECT * FROM receive($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"


@router.post(
    "/asns/{asn}/receive", status_code=201, response_model=Received, responses=documented(400, 404, 409, 412)
)  # fmt: skip
async def receive(
    asn: str,
    body: ReceiveIn,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    who: Principal = RECEIVERS,
) -> Response:
    """Post what has come of a line, or a whole handling unit as announced (`unit` without `line`).

    More than announced is taken up to the tolerance; damaged pieces become `damaged`, what a quality rule or a short
    shelf life holds back `quality`. Free pieces get their putaway tasks at once.
    """
    if body.line is None and body.unit is None:
        raise refused("line", None, "given, or `unit` alone")
    at = moment(here.clock.now_ms())
    key = f"receive/{who.name}/{idempotency_key}"

    async def work(connection: Connection) -> str:
        await hold_asn(connection, asn, who.owner, None, needed=False)
        if body.line is None:
            row = await connection.fetchrow(
                "SELECT * FROM receive_unit($1, $2, $3, $4, $5, $6)", at, who.name, key, asn, body.unit, body.place
            )
        else:
            row = await connection.fetchrow(
                _RECEIVE, at, who.name, key, asn, body.line, None, who.owner, None, body.lot, body.expires, body.made,
                body.qty, body.damaged, body.place, body.unit,
            )  # fmt: skip
        _refuse(row, body, at_line=asn)
        await connection.execute(
            AUDIT, at, who.name, who.role, "asn.receive", asn, "", correlation, body.model_dump_json(exclude_unset=True)
        )
        return await _answer(connection, asn, key)

    what = f"POST /v1/asns/{asn}/receive"
    return await once(here.database, who.name, idempotency_key, what, body.model_dump_json(), at, 201, work)


@router.post("/receipts", status_code=201, response_model=Received, responses=documented(400, 409))
async def receive_blind(
    body: BlindIn,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    who: Principal = RECEIVERS,
) -> Response:
    """Post what has come unannounced, where the owner's receiving rule (or the house's) allows it."""
    at = moment(here.clock.now_ms())
    key = f"receive/{who.name}/{idempotency_key}"

    async def work(connection: Connection) -> str:
        row = await connection.fetchrow(
            _RECEIVE, at, who.name, key, None, None, body.item, who.owner, body.supplier, body.lot, body.expires,
            body.made, body.qty, body.damaged, body.place, body.unit,
        )  # fmt: skip
        _refuse(row, body, at_line=None)
        detail = body.model_dump_json(exclude_unset=True)
        await connection.execute(AUDIT, at, who.name, who.role, "stock.receive", body.item, "", correlation, detail)
        return await _answer(connection, None, key)

    what = "POST /v1/receipts"
    return await once(here.database, who.name, idempotency_key, what, body.model_dump_json(), at, 201, work)


def _refuse(row: Any, body: ReceiveIn, at_line: str | None) -> None:
    if row["outcome"] == "posted":
        return
    field = row["field"]
    value = at_line if field == "asn" else getattr(body, field, None)
    if isinstance(value, date):
        value = value.isoformat()
    conflict = field in {"asn", "qty", "unit", "key"} and (body.line is None or body.qty + body.damaged > 0)
    raise refused(field, value, row["bound"], status=409 if conflict else 422)


async def _answer(connection: Connection, asn: str | None, key: str) -> str:
    receipts = await connection.fetch("SELECT * FROM receipt WHERE starts_with(key, $1) ORDER BY key", f"{key}/")
    tasks = await connection.fetch(
        "SELECT h.id AS task, h.item, h.lot, h.qty, h.source, h.target, h.detail->'why' AS why FROM hand_task h"
        " WHERE h.kind = 'putaway' AND h.state IN ('open', 'leased')"
        " AND h.source IN (SELECT x FROM unnest($1::text[]) AS x"
        " UNION SELECT outermost(x) FROM unnest($1::text[]) AS x)"
        " AND split_part(h.id, '-', 2) IN (SELECT left(md5(x), 16) FROM unnest($2::text[]) AS x) ORDER BY h.id",
        sorted({r["place"] for r in receipts}), sorted({key} | {r["key"].rpartition("/")[0] for r in receipts}),
    )  # fmt: skip
    docked = await connection.fetch(
        "SELECT k.id AS task, k.order_id AS order, k.line, k.item, k.qty, k.bin AS place FROM task k"
        " JOIN stock s ON s.id = k.stock AND s.reserved > 0"
        " WHERE k.kind = 'pick' AND k.created_at = $2 AND s.place = ANY($1) ORDER BY k.id",
        sorted({r["place"] for r in receipts}), receipts[0]["at"],
    )  # fmt: skip
    state = await connection.fetchval("SELECT state FROM asn WHERE id = $1", asn) if asn else None
    return Received(
        asn=asn,
        state=state,
        receipts=[ReceiptOut(**dict(r)) for r in receipts],
        cross_docked=[CrossDocked(**dict(k)) for k in docked],
        putaway=[dict(t) | {"why": json.loads(t["why"] or "{}")} for t in tasks],
    ).model_dump_json()


@router.get("/receipts", response_model=Page[ReceiptOut], responses=documented())
async def list_receipts(
    here: Here,
    asn: Annotated[str | None, Query(max_length=64, description="Only of this ASN")] = None,
    item: Annotated[str | None, Query(max_length=64, description="Only of this item")] = None,
    status: Annotated[str | None, Query(max_length=20, description="Only of this status")] = None,
    limit: Limit = 100,
    cursor: Annotated[str | None, Query(max_length=400, description="`next` of the page before")] = None,
    who: Principal = ANYONE,
) -> dict[str, Any]:
    """List what came in, in the order in which it was posted."""
    at, key = after(cursor)
    rows = await here.database.read(
        "SELECT r.*, r.key AS id FROM receipt r WHERE (r.at, r.key) > ($1, $2) AND ($3::text IS NULL OR r.asn = $3)"
        " AND ($4::text IS NULL OR r.item = $4) AND ($5::text IS NULL OR r.status = $5)"
        " AND ($6 = '' OR r.owner = $6) ORDER BY r.at, r.key LIMIT $7",
        at, key, asn, item, status, who.owner, limit,
    )  # fmt: skip
    return {"items": [dict(r) for r in rows], "next": following(rows, limit, "at")}
