"""REST of ASNs: announced, changed, followed, closed or cancelled by who sends goods."""

import json
from datetime import datetime
from typing import Annotated, Any

import asyncpg
from fastapi import APIRouter, Depends, Query, Response

from central.context import Correlation, Here
from central.database import Connection
from central.idempotency import IdempotencyKey, once
from central.identity.access import ANYONE, ERP, Principal, Role, allowed
from central.identity.audit import AUDIT
from central.inbound.change import change_asn, hold_asn
from central.inbound.model import (
    ArriveIn,
    AsnChange,
    AsnDetail,
    AsnIn,
    AsnOut,
    AsnTaken,
    asn_id,
    check_lines,
    check_units,
)
from central.listing import Cursor, Limit, Page, following, turn
from central.moment import moment
from central.preconditions import IfMatch
from central.problems import FieldError, Refusal, documented, refused
from central.reason import Reason
from contracts.ids import identifier

router = APIRouter(prefix="/v1/asns", tags=["inbound"])
CLOSERS = Depends(allowed(Role.ERP, Role.OPERATOR, Role.SUPERVISOR))
RECEIVERS = Depends(allowed(Role.OPERATOR, Role.SUPERVISOR, Role.DEVICE, house=True))


@router.post(
    "",
    status_code=201,
    response_model=AsnTaken,
    responses=documented(400, 409, 413),
    summary="Announce goods that are to come",
)
async def post_asn(
    asn: AsnIn, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey, who: Principal = ERP
) -> Response:
    """Announce what a supplier sends, with the handling units that it comes on.

    The same key with the same body gives the same answer again (header `Idempotency-Replayed`).
    """
    owner = asn.owner if asn.owner is not None else who.owner
    if who.owner and owner != who.owner:
        raise refused("owner", owner, f"{who.owner}, whose token this is")
    check_lines(asn.lines)
    check_units(asn.units, {x.line: x.qty for x in asn.lines})
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        taken = await _announce(connection, asn, owner, who, at, correlation)
        return taken.model_dump_json()

    body = asn.model_dump_json()
    try:
        return await once(here.database, who.name, idempotency_key, "POST /v1/asns", body, at, 201, work)
    except asyncpg.UniqueViolationError as e:
        if e.constraint_name == "asn_unit_expected":
            sscc = next((u.sscc for u in asn.units if u.sscc in str(e.detail)), None)
            raise refused("units/sscc", sscc, "an SSCC that no other open ASN expects", status=409) from e
        raise refused("ref", asn.ref, f"a ref that {asn.source or who.name} has not used", status=409) from e


async def _announce(
    connection: Connection, asn: AsnIn, owner: str, who: Principal, at: datetime, correlation: str
) -> AsnTaken:
    await check_items(connection, [(n, x.item) for n, x in enumerate(asn.lines)], owner)
    source, name = asn.source or who.name, asn_id(asn.ref)
    if await connection.fetchval("SELECT 1 FROM asn WHERE source = $1 AND ref = $2", source, asn.ref):
        raise refused("ref", asn.ref, f"a ref that {source} has not used", status=409)
    if await connection.fetchval("SELECT 1 FROM asn WHERE id = $1", name):
        name = asn_id(identifier(f"{source}/{asn.ref}"))
    await connection.execute(
        "INSERT INTO asn (id, source, ref, owner, supplier, state, due, over_pct, note, correlation, announced_at)"
        " VALUES ($1, $2, $3, $4, $5, 'expected', $6, $7, $8, $9, $10)",
        name, source, asn.ref, owner, asn.supplier, asn.due, asn.over_pct, asn.note, correlation, at,
    )  # fmt: skip
    await connection.executemany(
        "INSERT INTO asn_line (asn, line, item, lot, expires, qty) VALUES ($1, $2, $3, $4, $5, $6)",
        [(name, x.line, x.item, x.lot, x.expires, x.qty) for x in asn.lines],
    )
    await connection.executemany(
        "INSERT INTO asn_unit (asn, sscc, parent) VALUES ($1, $2, $3)", [(name, u.sscc, u.parent) for u in asn.units]
    )
    await connection.executemany(
        "INSERT INTO asn_unit_line (asn, sscc, line, qty) VALUES ($1, $2, $3, $4)",
        [(name, u.sscc, c.line, c.qty) for u in asn.units for c in u.contents],
    )
    await connection.execute(
        "SELECT emit('floorplane.asn.announced', a.id, $2, jsonb_build_object('ref', a.ref, 'source', a.source,"
        " 'owner', a.owner, 'supplier', a.supplier, 'due', a.due, 'lines', asn_lines(a.id)), $3)"
        " FROM asn a WHERE a.id = $1",
        name, at, correlation,
    )  # fmt: skip
    return AsnTaken(
        id=name, source=source, ref=asn.ref, owner=owner, state="expected", due=asn.due,
        lines=len(asn.lines), units=len(asn.units),
    )  # fmt: skip


async def check_items(connection: Connection, lines: list[tuple[int, str]], owner: str) -> None:
    """Check that each line names an item of its owner that is kept in stock.

    Raises
    ------
    Refusal
        422: names every line that does not.
    """
    rows = await connection.fetch(
        "SELECT id FROM item WHERE id = ANY($1) AND owner = $2 AND kind = 'stock'", sorted({i for _, i in lines}), owner
    )
    known = {r["id"] for r in rows}
    wrong = [
        FieldError(field=f"lines/{n}/item", value=item, bound="an item of the item master that is kept in stock")
        for n, item in lines
        if item not in known
    ]
    if wrong:
        raise Refusal(422, f"{wrong[0].field}: {wrong[0].value!r} is not {wrong[0].bound}", wrong)


_LIST = """
SELECT a.*, l.lines, l.qty, l.received, l.damaged
FROM asn a
CROSS JOIN LATERAL (SELECT count(*) AS lines, sum(qty) AS qty, sum(received) AS received, sum(damaged) AS damaged
                    FROM asn_line WHERE asn = a.id) AS l
"""


@router.get("", response_model=Page[AsnOut], responses=documented())
async def list_asns(
    here: Here,
    state: Annotated[str | None, Query(max_length=20, description="Only in this state")] = None,
    supplier: Annotated[str | None, Query(max_length=64, description="Only of this supplier")] = None,
    ref: Annotated[str | None, Query(max_length=64, description="Only this ref")] = None,
    item: Annotated[str | None, Query(max_length=64, description="Only with this item")] = None,
    open_only: Annotated[bool, Query(alias="open", description="Only what is not closed")] = False,
    newest: Annotated[bool, Query(description="The newest first")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
    who: Principal = ANYONE,
) -> dict[str, Any]:
    """List ASNs in the order in which they were announced, or the newest first."""
    at, name, past, direction = turn(cursor, newest=newest)
    rows = await here.database.read(
        _LIST + f"WHERE (a.announced_at, a.id) {past} ($1, $2) AND ($3::text IS NULL OR a.state = $3)"
        " AND ($4::text IS NULL OR a.supplier = $4) AND ($5::text IS NULL OR a.ref = $5)"
        " AND ($6::text IS NULL OR EXISTS (SELECT FROM asn_line x WHERE x.asn = a.id AND x.item = $6))"
        " AND (NOT $7 OR a.closed_at IS NULL) AND ($8 = '' OR a.owner = $8)"
        f" ORDER BY a.announced_at {direction}, a.id {direction} LIMIT $9",
        at, name, state, supplier, ref, item, open_only, who.owner, limit,
    )  # fmt: skip
    return {"items": [dict(r) for r in rows], "next": following(rows, limit, "announced_at")}


_DETAIL = """
SELECT
  (SELECT json_agg(x ORDER BY x.line) FROM asn_line x WHERE x.asn = $1) AS asn_lines,
  (SELECT json_agg(json_build_object('sscc', u.sscc, 'parent', u.parent, 'state', u.state, 'received_at', u.received_at,
      'contents', (SELECT COALESCE(json_agg(json_build_object('line', c.line, 'qty', c.qty) ORDER BY c.line), '[]')
                   FROM asn_unit_line c WHERE c.asn = u.asn AND c.sscc = u.sscc)) ORDER BY u.sscc)
   FROM asn_unit u WHERE u.asn = $1) AS units,
  (SELECT json_agg(r ORDER BY r.at, r.key) FROM receipt r WHERE r.asn = $1) AS receipts,
  (SELECT json_agg(json_build_object('id', p.id, 'dock', p.dock, 'from', lower(p.during), 'to', upper(p.during),
      'state', p.state) ORDER BY lower(p.during)) FROM appointment p WHERE p.asn = $1) AS appointments
"""


@router.get("/{asn}", response_model=AsnDetail, responses=documented(404))
async def get_asn(asn: str, response: Response, here: Here, who: Principal = ANYONE) -> dict[str, Any]:
    """Show an ASN with its lines, handling units, receipts and appointments."""
    rows = await here.database.read(
        _LIST.replace("SELECT a.*", "SELECT asn_tag(a.id) AS tag, a.*", 1)
        + "WHERE a.id = $1 AND ($2 = '' OR a.owner = $2)",
        asn, who.owner,
    )  # fmt: skip
    if not rows:
        raise Refusal(404, f"asn: {asn!r} is not known")
    more = (await here.database.read(_DETAIL, asn))[0]
    response.headers["ETag"] = f'"{rows[0]["tag"]}"'
    return dict(rows[0]) | {k: json.loads(v) if v is not None else [] for k, v in more.items()}


@router.patch("/{asn}", response_model=AsnDetail, responses=documented(400, 404, 409, 412, 428))
async def patch_asn(
    asn: str,
    body: AsnChange,
    response: Response,
    here: Here,
    correlation: Correlation,
    if_match: IfMatch = None,
    who: Principal = ERP,
) -> dict[str, Any]:
    """Change an ASN as far as it is still possible; all of it, or nothing (409 says what stands in the way)."""
    await change_asn(here, asn, body, who, correlation, if_match)
    return await get_asn(asn, response, here, who)


@router.post("/{asn}/cancel", response_model=AsnDetail, responses=documented(400, 404, 409, 412))
async def cancel_asn(
    asn: str,
    body: Reason,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    if_match: IfMatch = None,
    who: Principal = ERP,
) -> Response:
    """Cancel an ASN of which nothing has come; its appointments are given up."""
    return await _end(here, asn, body.reason, who, correlation, idempotency_key, if_match, "cancel")


@router.post("/{asn}/close", response_model=AsnDetail, responses=documented(400, 404, 409, 412))
async def close_asn(
    asn: str,
    body: Reason,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    if_match: IfMatch = None,
    who: Principal = CLOSERS,
) -> Response:
    """Close an ASN: nothing more comes of it. What is short is told by the event `floorplane.asn.closed`."""
    return await _end(here, asn, body.reason, who, correlation, idempotency_key, if_match, "close")


async def _end(
    here: Here, asn: str, reason: str, who: Principal, correlation: str, key: str, if_match: str | None, how: str
) -> Response:
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        await hold_asn(connection, asn, who.owner, if_match, needed=False)
        said = await connection.fetchval(f"SELECT {how}_asn($1, $2, $3, $4)", asn, at, who.name, reason)
        if said not in {"closed", "cancelled"}:
            raise Refusal(409, f"asn: {asn} {said}")
        await connection.execute(AUDIT, at, who.name, who.role, f"asn.{how}", asn, reason, correlation, None)
        return await shown(connection, asn)

    what = f"POST /v1/asns/{asn}/{how}"
    return await once(here.database, who.name, key, what, reason, at, 200, work)


@router.post("/{asn}/arrive", response_model=AsnDetail, responses=documented(400, 404, 409, 412))
async def arrive(
    asn: str,
    body: ArriveIn,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    if_match: IfMatch = None,
    who: Principal = RECEIVERS,
) -> Response:
    """Say that it is here and where it is unloaded: hand tasks of kind `receive` are opened, one a line."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        row = await hold_asn(connection, asn, who.owner, if_match, needed=False)
        if row["state"] not in {"expected", "arrived"}:
            raise Refusal(409, f"asn: {asn} is {row['state']}")
        lane = body.staging or row["staging"] or "inbound"
        if await connection.fetchval("SELECT kind FROM place WHERE code = $1", lane) != "staging":
            raise refused("staging", lane, "a staging lane")
        await connection.execute("SELECT arrive_asn($1, $2, $3)", asn, at, lane)
        await connection.execute(
            AUDIT, at, who.name, who.role, "asn.arrive", asn, body.reason, correlation, json.dumps({"staging": lane})
        )
        return await shown(connection, asn)

    what = f"POST /v1/asns/{asn}/arrive"
    return await once(here.database, who.name, idempotency_key, what, body.model_dump_json(), at, 200, work)


async def shown(connection: Connection, asn: str) -> str:
    """Return an ASN as `get_asn` shows it, as it is within a transaction."""
    row = await connection.fetchrow(_LIST + "WHERE a.id = $1", asn)
    more = await connection.fetchrow(_DETAIL, asn)
    parts = {k: json.loads(v) if v is not None else [] for k, v in more.items()}
    return AsnDetail.model_validate(dict(row) | parts).model_dump_json()
