"""REST of handling units: numbered, nested, filled, closed, and labelled."""

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response

from central.context import Context, Correlation, Here
from central.database import Connection
from central.idempotency import IdempotencyKey, once
from central.identity.access import ANYONE, Principal, Role, allowed
from central.identity.audit import AUDIT
from central.labels import writers
from central.labels.layout import lay_out
from central.labels.unit import label_of
from central.listing import Cursor, Limit, Page, following, turn
from central.moment import moment
from central.preconditions import IfMatch, check
from central.problems import Refusal, documented, refused
from central.reason import Why
from central.units.model import UnitClose, UnitDetail, UnitFill, UnitIn, UnitMove, UnitOut
from contracts.ids import PATTERN

router = APIRouter(prefix="/v1/units", tags=["units"])
HANDLERS = Depends(allowed(Role.OPERATOR, Role.SUPERVISOR, Role.DEVICE, Role.ERP, house=True))
UnitId = Annotated[str, Path(pattern=PATTERN, description="The SSCC, or the id of an order's tote that is packed")]
_UNIT = "SELECT u.*, p.parent AS at FROM unit u JOIN place p ON p.code = u.place"
_STANDS = ("staging", "dock", "shelf", "bin")


@router.post(
    "", status_code=201, response_model=UnitOut, responses=documented(400, 409), summary="Make a handling unit"
)
async def post_unit(
    body: UnitIn, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey, who: Principal = HANDLERS
) -> Response:
    """Give a new unit a number: an SSCC of the site's company prefix, never given twice, or the one it wears."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        if body.at is not None:
            kind = await connection.fetchval("SELECT kind FROM place WHERE code = $1", body.at)
            if kind not in _STANDS:
                raise refused("at", body.at, f"a place of the kind {', '.join(_STANDS)}")
        sscc = body.sscc
        if sscc is None:
            sscc = await connection.fetchval("SELECT issue_sscc()")
        made = await connection.fetchval(
            "INSERT INTO place AS p (code, kind, parent) VALUES ($1, 'unit', $2) ON CONFLICT (code) DO UPDATE"
            " SET parent = COALESCE(excluded.parent, p.parent) WHERE p.kind = 'unit' RETURNING code",
            sscc, body.at,
        )  # fmt: skip
        row = made and await connection.fetchrow(
            "INSERT INTO unit (sscc, place, kind, state, issued, owner, created_at, created_by)"
            " VALUES ($1, $1, $2, 'open', $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING *, $7::text AS at",
            sscc, body.kind, body.sscc is None, body.owner, at, who.name, body.at,
        )  # fmt: skip
        if row is None:
            raise refused("sscc", sscc, "a number that no unit of the site has", status=409)
        await connection.execute(
            "SELECT emit('floorplane.unit.made', $1, $2, $3::jsonb, $4)",
            sscc, at, json.dumps({"unit": sscc, "kind": body.kind, "at": body.at, "owner": body.owner}), correlation,
        )  # fmt: skip
        await _audit(connection, at, who, "unit.make", sscc, "", correlation)
        return UnitOut.model_validate(dict(row)).model_dump_json()

    return await once(here.database, who.name, idempotency_key, "POST /v1/units", body.model_dump_json(), at, 201, work)


@router.get("", response_model=Page[UnitOut], responses=documented())
async def list_units(
    here: Here,
    kind: Annotated[Literal["tote", "carton", "pallet", "cage"] | None, Query(description="Only of this kind")] = None,
    state: Annotated[Literal["open", "closed", "shipped", "void"] | None, Query(description="Only so")] = None,
    at: Annotated[
        str | None, Query(pattern=PATTERN, description="Only what stands on or in this place or unit")
    ] = None,
    newest: Annotated[bool, Query(description="The newest first")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
    who: Principal = ANYONE,
) -> dict[str, Any]:
    """List units in the order in which they were made, or the newest first."""
    since, name, past, direction = turn(cursor, newest=newest)
    rows = await here.database.read(
        f"{_UNIT} WHERE (u.created_at, u.sscc) {past} ($1, $2) AND ($3::text IS NULL OR u.kind = $3)"
        " AND ($4::text IS NULL OR u.state = $4) AND ($5::text IS NULL OR p.parent = $5) AND ($6 = '' OR u.owner = $6)"
        f" ORDER BY u.created_at {direction}, u.sscc {direction} LIMIT $7",
        since, name, kind, state, at, who.owner, limit,
    )  # fmt: skip
    items = [dict(r) | {"id": r["sscc"]} for r in rows]
    return {"items": items, "next": following(items, limit, "created_at")}


@router.get("/{unit_id}", response_model=UnitDetail, responses=documented(404))
async def get_unit(unit_id: UnitId, response: Response, here: Here, who: Principal = ANYONE) -> dict[str, Any]:
    """Show a unit with the units and pieces in it, however deep; its ETag changes with any of them that is its own."""

    async def work(connection: Connection) -> dict[str, Any]:
        row = await _found(connection, unit_id, who)
        response.headers["ETag"] = f'"{await connection.fetchval("SELECT unit_tag($1)", row["sscc"])}"'
        return await _shown(connection, row)

    return await here.database.unit(work)


async def _shown(connection: Connection, row: Any) -> dict[str, Any]:
    inside = await connection.fetch(
        "SELECT w.code, sscc_of(w.code) AS sscc, sscc_of(w.parent) AS within, COALESCE(u.kind, p.kind) AS kind, w.depth"
        " FROM units_within($1) w JOIN place p ON p.code = w.code LEFT JOIN unit u ON u.place = w.code"
        " WHERE w.depth > 0 ORDER BY w.depth, w.code",
        row["place"],
    )
    held = await connection.fetch(
        "SELECT sscc_of(s.place) AS unit, s.item, s.lot, s.status, s.expires, s.qty FROM units_within($1) w"
        " JOIN stock s ON s.place = w.code AND s.qty > 0 ORDER BY w.depth, s.place, s.item, s.lot, s.status",
        row["place"],
    )
    return dict(row) | {
        "order_id": await connection.fetchval("SELECT order_id FROM tote WHERE id = $1", row["place"]),
        "units": [{"sscc": r["sscc"], "in": r["within"], "kind": r["kind"], "depth": r["depth"]} for r in inside],
        "content": [dict(r) for r in held],
    }


async def _found(connection: Connection, unit_id: str, who: Principal, *, lock: bool = False) -> Any:
    row = await connection.fetchrow(
        f"{_UNIT} WHERE (u.sscc = $1 OR u.place = $1) AND ($2 = '' OR u.owner = $2)" + " FOR UPDATE OF u" * lock,
        unit_id, who.owner,
    )  # fmt: skip
    if row is None:
        raise Refusal(404, f"unit: {unit_id!r} is not known")
    return row


async def _audit(
    connection: Connection, at: object, who: Principal, action: str, subject: str, why: str, correlation: str
) -> None:
    await connection.execute(AUDIT, at, who.name, who.role, action, subject, why, correlation, None)


_REFUSED: dict[str, tuple[int, str]] = {
    "unknown place": (422, "a unit or place of the site"),
    "no place for units": (422, "a place where units stand; it is a {what}"),
    "unit is shipped": (409, "possible: the unit has left"),
    "unit is void": (409, "possible: the unit is void"),
    "there already": (409, "another place than where it is"),
    "loaded": (409, "possible: the unit is loaded on truck {what}; unload it first"),
    "expected": (409, "possible: truck {what} is being loaded, and its load tasks name the units as they stand"),
    "unit is not open": (409, "an open unit; it is {what}"),
    "another owner": (409, "a unit of the same owner; it is of {what!r}"),
    "inside itself": (409, "outside of the unit: nothing stands inside itself"),
    "too deep": (409, "at most 8 units deep"),
    "no room": (409, "one with room: {what}"),
}


@router.post("/{unit_id}/move", response_model=UnitDetail, responses=documented(400, 404, 409, 412))
async def move_unit(
    unit_id: UnitId,
    body: UnitMove,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    if_match: IfMatch = None,
    who: Principal = HANDLERS,
) -> Response:
    """Put a unit into another one, or take it out by putting it onto a place; all that is in it goes with it."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        row = await _held(connection, unit_id, who, if_match)
        await connection.execute("SELECT overrule($1)", body.overrule)
        into = await connection.fetchval("SELECT COALESCE((SELECT place FROM unit WHERE sscc = $1), $1)", body.into)
        moved = await connection.fetchrow(
            "SELECT * FROM move_unit($1, $2, $3, $4, $5)", row["place"], into, at, who.name, body.reason
        )
        if moved["outcome"] != "moved":
            status, bound = _REFUSED[moved["outcome"]]
            raise refused("into", body.into, bound.format(what=moved["what"]), status=status)
        await _audit(connection, at, who, "unit.move", row["sscc"], body.reason, correlation)
        return await _answer(connection, row["sscc"], who)

    what = f"POST /v1/units/{unit_id}/move"
    return await once(here.database, who.name, idempotency_key, what, body.model_dump_json(), at, 200, work)


@router.post("/{unit_id}/fill", response_model=UnitDetail, responses=documented(400, 404, 409, 412))
async def fill_unit(
    unit_id: UnitId,
    body: UnitFill,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    if_match: IfMatch = None,
    who: Principal = HANDLERS,
) -> Response:
    """Put pieces from a place into an open unit, or take some out; one move of the ledger, undone as any other."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        row = await _held(connection, unit_id, who, if_match)
        await connection.execute("SELECT overrule($1)", body.overrule)
        said = await connection.fetchval(
            "SELECT fill_unit($1, $2, $3, $4, $5, $6, $7, $8)",
            row["place"], body.place, body.item, body.lot, body.qty, at, who.name, f"fill/{who.name}/{idempotency_key}",
        )  # fmt: skip
        if said != "posted":
            if said.startswith("no room"):
                raise refused("place", body.place, f"one with room: {said}", status=409)
            field, status, bound = _NOT_FILLED.get(said, ("unit", 409, f"possible: {said}"))
            raise refused(field, getattr(body, field, unit_id), bound, status=status)
        await _audit(connection, at, who, "unit.fill", row["sscc"], f"{body.qty} of {body.item}", correlation)
        return await _answer(connection, row["sscc"], who)

    what = f"POST /v1/units/{unit_id}/fill"
    return await once(here.database, who.name, idempotency_key, what, body.model_dump_json(), at, 200, work)


_NOT_FILLED = {
    "unknown item": ("item", 422, "a stock item of the item master"),
    "unknown place": ("place", 422, "a place or unit of the site that goods stand in"),
    "another owner": ("item", 409, "an item of the unit's owner"),
    "too little": ("qty", 409, "so many that are there and not reserved"),
    "same place": ("place", 422, "another place than the unit"),
    "duplicate": ("unit", 409, "possible: this key has posted before"),
}


@router.post("/{unit_id}/close", response_model=UnitDetail, responses=documented(400, 404, 409, 412))
async def close_unit(
    unit_id: UnitId,
    body: UnitClose,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    if_match: IfMatch = None,
    who: Principal = HANDLERS,
) -> Response:
    """Close an open unit: nothing goes in or out any more; its label may be printed."""
    return await _turn(here, unit_id, "open", "closed", "", body.weight_g, idempotency_key, correlation, if_match, who)


@router.post("/{unit_id}/open", response_model=UnitDetail, responses=documented(400, 404, 409, 412))
async def open_unit(
    unit_id: UnitId,
    body: Why,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    if_match: IfMatch = None,
    who: Principal = HANDLERS,
) -> Response:
    """Open a closed unit again; an order's tote is opened by unpacking it (`POST /v1/orders/{id}/cancel`)."""
    return await _turn(here, unit_id, "closed", "open", body.reason, None, idempotency_key, correlation, if_match, who)


@router.post("/{unit_id}/void", response_model=UnitDetail, responses=documented(400, 404, 409, 412))
async def void_unit(
    unit_id: UnitId,
    body: Why,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    if_match: IfMatch = None,
    who: Principal = HANDLERS,
) -> Response:
    """Give up an empty unit; its number is never given to another one."""
    return await _turn(here, unit_id, "open", "void", body.reason, None, idempotency_key, correlation, if_match, who)


async def _turn(
    here: Context, unit_id: str, was: str, becomes: str, why: str, weight_g: int | None, key: str, correlation: str,
    if_match: str | None, who: Principal,
) -> Response:  # fmt: skip
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        row = await _held(connection, unit_id, who, if_match)
        if row["state"] != was:
            raise Refusal(409, f"unit: {row['sscc']} is {row['state']}, not {was}")
        if row["kind"] == "tote":
            raise Refusal(409, f"unit: {row['sscc']} is the tote {row['place']} of an order; it goes the order's way")
        expected = await connection.fetchval(
            "SELECT truck FROM truck_tote WHERE unit = outermost($1) AND state <> 'left' LIMIT 1", row["place"]
        )
        if expected is not None and becomes != "closed":
            raise Refusal(409, f"unit: {row['sscc']} is expected on truck {expected}")
        if becomes == "void":
            full = await _shown(connection, row)
            held = [f"{h['qty']} of {h['item']}" for h in full["content"]] + [u["sscc"] for u in full["units"]]
            if held:
                raise Refusal(409, f"unit: {row['sscc']} is not empty: {', '.join(held[:5])}")
        await connection.execute(
            "UPDATE unit SET state = $2, weight_g = COALESCE($3, weight_g),"
            " closed_at = CASE WHEN $2 = 'open' THEN NULL ELSE $4::timestamptz END WHERE sscc = $1",
            row["sscc"], becomes, weight_g, at,
        )  # fmt: skip
        if becomes == "void":
            await connection.execute("UPDATE place SET parent = NULL WHERE code = $1", row["place"])
        told = {"unit": row["sscc"], "at": row["at"], "who": who.name, "reason": why, "owner": row["owner"]}
        name = {"closed": "closed", "open": "opened", "void": "voided"}[becomes]
        await connection.execute(
            "SELECT emit($1, $2, $3, $4::jsonb, $5)",
            f"floorplane.unit.{name}", row["sscc"], at, json.dumps(told), correlation,
        )  # fmt: skip
        await _audit(connection, at, who, f"unit.{name}", row["sscc"], why, correlation)
        return await _answer(connection, row["sscc"], who)

    what = f"POST /v1/units/{unit_id}/{becomes}"
    return await once(here.database, who.name, key, what, f"{why}\n{weight_g}", at, 200, work)


async def _held(connection: Connection, unit_id: str, who: Principal, if_match: str | None) -> Any:
    """Lock a unit, and check what its author has seen of it."""
    await connection.execute("SELECT lock_nesting()")
    row = await _found(connection, unit_id, who, lock=True)
    check(if_match, await connection.fetchval("SELECT unit_tag($1)", row["sscc"]), needed=False)
    return row


async def _answer(connection: Connection, sscc: str, who: Principal) -> str:
    return UnitDetail.model_validate(await _shown(connection, await _found(connection, sscc, who))).model_dump_json()


_FORMATS = {"zpl": "application/vnd.zebra.zpl", "svg": "image/svg+xml", "png": "image/png"}


@router.get(
    "/{unit_id}/label",
    response_class=Response,
    responses=documented(404)
    | {200: {"description": "The label", "content": {t: {"schema": {"type": "string"}} for t in _FORMATS.values()}}},
)
async def get_label(
    unit_id: UnitId,
    here: Here,
    form: Annotated[Literal["zpl", "svg", "png"], Query(alias="format")] = "zpl",
    who: Principal = ANYONE,
) -> Response:
    """Write a unit's logistic label (A6, GS1-128): for a printer, or as a picture."""

    async def work(connection: Connection) -> Response:
        row = await _found(connection, unit_id, who)
        marks = lay_out(await label_of(connection, row, here.site.id))
        data: str | bytes = (
            writers.png(marks) if form == "png" else writers.svg(marks) if form == "svg" else writers.zpl(marks)
        )
        return Response(data, media_type=_FORMATS[form])

    return await here.database.unit(work)
