"""REST of trucks: planned, loaded from the last stop to the first, dispatched, departed."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response

from central.context import Context, Correlation, Here
from central.database import Connection
from central.idempotency import IdempotencyKey, once
from central.identity.access import HOUSE, Principal, Role, allowed
from central.identity.audit import AUDIT
from central.listing import Cursor, Limit, Page, following, turn
from central.loading.model import (
    DispatchIn,
    LeaveIn,
    LoadIn,
    OrdersIn,
    StopIn,
    TruckIn,
    TruckOut,
)
from central.moment import moment
from central.preconditions import IfMatch, check, tag
from central.problems import FieldError, Refusal, documented, refused
from central.reason import Undo, Why
from contracts.ids import PATTERN

router = APIRouter(prefix="/v1", tags=["trucks"])
SHIPPERS = Depends(allowed(Role.ERP, Role.OPERATOR, Role.SUPERVISOR, house=True))
TruckId = Annotated[str, Path(pattern=PATTERN)]
_STOPS = """
SELECT s.truck, s.stop, s.ship_to, ARRAY(
           SELECT o.order_id FROM truck_order o WHERE o.truck = s.truck AND o.stop = s.stop AND o.live ORDER BY 1
       ) AS orders,
       count(k.tote) FILTER (WHERE k.state = 'expected') AS expected,
       count(k.tote) FILTER (WHERE k.state = 'loaded') AS loaded
FROM truck_stop s LEFT JOIN truck_tote k ON k.truck = s.truck AND k.stop = s.stop
WHERE s.truck = ANY($1) GROUP BY s.truck, s.stop, s.ship_to ORDER BY s.stop
"""


@router.post(
    "/trucks", status_code=201, response_model=TruckOut, responses=documented(400, 409, 413), summary="Plan a truck"
)
async def post_truck(
    body: TruckIn, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey, who: Principal = SHIPPERS
) -> Response:
    """Plan a truck with its stops. Orders of its route that are packed wait for it; all that is named must fit."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        if body.dock is not None:
            await _dock(connection, body.dock)
        if await connection.fetchval("SELECT count(*) FROM place WHERE code = $1", body.id):
            raise refused("id", body.id, "a name that nothing at the site has", status=409)
        await connection.execute("INSERT INTO place (code, kind) VALUES ($1, 'truck')", body.id)
        await connection.execute(
            "INSERT INTO truck (id, state, carrier, route, vehicle, dock, departs_at, created_at, created_by)"
            " VALUES ($1, 'planned', $2, $3, $4, $5, $6, $7, $8)",
            body.id, body.carrier, body.route, body.vehicle, body.dock, body.departs_at, at, who.name,
        )  # fmt: skip
        stops = await _collected(connection, body) if body.collect else body.stops
        for n, stop in enumerate(stops, 1):
            await connection.execute("INSERT INTO truck_stop VALUES ($1, $2, $3)", body.id, n, stop.ship_to)
            await _add(connection, body.id, n, stop.orders, at, f"stops/{n - 1}/orders")
        told = f"SELECT emit('floorplane.truck.planned', $1, $2, {_PLANNED}, $6)"
        await connection.execute(
            told, body.id, at, body.route, body.carrier, sum(len(s.orders) for s in stops), correlation
        )
        await connection.execute(AUDIT, at, who.name, who.role, "truck.plan", body.id, "", correlation, None)
        return await _answer(connection, body.id)

    what = "POST /v1/trucks"
    return await once(here.database, who.name, idempotency_key, what, body.model_dump_json(), at, 201, work)


_PLANNED = "jsonb_build_object('route', $3::text, 'carrier', $4::text, 'orders', $5::integer)"


async def _collected(connection: Connection, body: TruckIn) -> list[StopIn]:
    """Return the stops with all open orders of the route; a place that has no stop yet gets one behind the others."""
    rows = await connection.fetch(
        "SELECT id, ship_to FROM orders o WHERE route = $1 AND put_back IS NULL"
        " AND state IN ('allocated', 'released', 'picking', 'packed')"
        " AND NOT EXISTS (SELECT FROM truck_order x WHERE x.order_id = o.id AND x.live) ORDER BY due, id",
        body.route,
    )
    stops = [StopIn(ship_to=s.ship_to, orders=list(s.orders)) for s in body.stops]
    named = {o for s in stops for o in s.orders}
    for row in rows:
        if row["id"] in named:
            continue
        stop = next((s for s in stops if s.ship_to == row["ship_to"]), None)
        if stop is None:
            stop = StopIn(ship_to=row["ship_to"])
            stops.append(stop)
        stop.orders.append(row["id"])
    return stops


async def _dock(connection: Connection, dock: str) -> None:
    kind = await connection.fetchval("SELECT kind FROM place WHERE code = $1", dock)
    if kind != "dock":
        raise refused("dock", dock, "a dock of the site")


async def _add(connection: Connection, truck: str, stop: int, orders: list[str], at: object, field: str) -> None:
    if not orders:
        return
    rows = await connection.fetch("SELECT * FROM add_to_truck($1, $2, $3, $4)", truck, stop, orders, at)
    errors = [
        FieldError(field=f"{field}/{orders.index(r['order_id'])}", value=r["order_id"], bound=r["outcome"])
        for r in rows
    ]
    if errors:
        raise Refusal(409, f"{errors[0].field}: {errors[0].value!r} is not {errors[0].bound}", errors)


@router.get("/trucks", response_model=Page[TruckOut], responses=documented())
async def list_trucks(
    here: Here,
    state: Annotated[
        Literal["planned", "loading", "dispatched", "departed", "cancelled"] | None,
        Query(description="Only in this state"),
    ] = None,
    route: Annotated[str | None, Query(max_length=64, description="Only of this route")] = None,
    open_only: Annotated[bool, Query(alias="open", description="Only what has not departed")] = False,
    newest: Annotated[bool, Query(description="The newest first")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
    _: Principal = HOUSE,
) -> dict[str, Any]:
    """List trucks in the order in which they were planned, or the newest first, each with its stops."""
    at, name, past, direction = turn(cursor, newest=newest)
    rows = await here.database.read(
        f"SELECT * FROM truck WHERE (created_at, id) {past} ($1, $2)"  # noqa: S608 - constants
        " AND ($3::text IS NULL OR state = $3) AND ($4::text IS NULL OR route = $4)"
        " AND (NOT $5 OR closed_at IS NULL)"
        f" ORDER BY created_at {direction}, id {direction} LIMIT $6",
        at, name, state, route, open_only, limit,
    )  # fmt: skip
    stops: dict[str, list[dict[str, Any]]] = {r["id"]: [] for r in rows}
    for s in await here.database.read(_STOPS, list(stops)):
        stops[s["truck"]].append(dict(s))
    items = [dict(r) | {"stops": stops[r["id"]]} for r in rows]
    return {"items": items, "next": following(rows, limit, "created_at")}


@router.get("/trucks/{truck_id}", response_model=TruckOut, responses=documented(404))
async def get_truck(truck_id: TruckId, response: Response, here: Here, _: Principal = HOUSE) -> dict[str, Any]:
    """Show a truck with its stops and how far it is loaded; its ETag changes with its state and its plan."""

    async def work(connection: Connection) -> dict[str, Any]:
        row = await connection.fetchrow("SELECT * FROM truck WHERE id = $1", truck_id)
        if row is None:
            raise Refusal(404, f"truck: {truck_id!r} is not known")
        shown = await shown_truck(connection, row)
        response.headers["ETag"] = f'"{_tag(shown)}"'
        return shown

    return await here.database.unit(work)


@router.post("/trucks/{truck_id}/orders", response_model=TruckOut, responses=documented(400, 404, 409, 412))
async def add_orders(
    truck_id: TruckId, body: OrdersIn, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey,
    if_match: IfMatch = None, who: Principal = SHIPPERS,
) -> Response:  # fmt: skip
    """Put more orders on a truck that has not been dispatched; all of them, or none."""

    async def act(connection: Connection, truck: Any, at: object) -> None:
        _still(truck, "planned", "loading")
        if not await connection.fetchval(
            "SELECT count(*) FROM truck_stop WHERE truck = $1 AND stop = $2", truck_id, body.stop
        ):
            raise refused("stop", body.stop, f"a stop of truck {truck_id}")
        await _add(connection, truck_id, body.stop, body.orders, at, "orders")

    return await _change(here, who, idempotency_key, correlation, if_match, truck_id, "orders", body, "", act)


@router.post("/trucks/{truck_id}/leave", response_model=TruckOut, responses=documented(400, 404, 409, 412))
async def leave(
    truck_id: TruckId, body: LeaveIn, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey,
    if_match: IfMatch = None, who: Principal = SHIPPERS,
) -> Response:  # fmt: skip
    """Take orders off a truck, as far as nothing of them is loaded; they wait for another one."""

    async def act(connection: Connection, truck: Any, at: object) -> None:
        _still(truck, "planned", "loading")
        for n, order in enumerate(body.orders):
            row = await connection.fetchrow(
                "SELECT * FROM leave_truck($1, $2, $3, $4)", truck_id, order, at, body.reason
            )
            if row["outcome"] != "left":
                bound = {
                    "not on it": f"an order that truck {truck_id} is to take",
                    "loaded": f"an order of which nothing is loaded; unload {row['what']} first",
                    "shared": f"an order with units of its own; take its totes out of {row['what']} first",
                }[row["outcome"]]
                raise refused(f"orders/{n}", order, bound, status=409)

    return await _change(here, who, idempotency_key, correlation, if_match, truck_id, "leave", body, body.reason, act)


@router.post("/trucks/{truck_id}/load", response_model=TruckOut, responses=documented(400, 404, 409, 412))
async def load(
    truck_id: TruckId, body: LoadIn, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey,
    if_match: IfMatch = None, who: Principal = SHIPPERS,
) -> Response:  # fmt: skip
    """Begin to load: people get the units of the last stop, then those before it (`/v1/hands`, kind `load`)."""

    async def act(connection: Connection, truck: Any, at: object) -> None:
        row = await connection.fetchrow(
            "SELECT * FROM start_loading($1, $2, $3, $4)", truck_id, at, body.dock, who.name
        )
        if row["outcome"] == "no dock":
            raise refused("dock", row["what"], "a dock of the site")
        if row["outcome"] == "dock is taken":
            raise refused(
                "dock", body.dock or truck["dock"], f"a free dock: truck {row['what']} stands there", status=409
            )
        if row["outcome"] != "loading":
            raise Refusal(409, f"truck: {truck_id} {row['outcome']}")

    return await _change(here, who, idempotency_key, correlation, if_match, truck_id, "load", body, "", act)


@router.post("/trucks/{truck_id}/dispatch", response_model=TruckOut, responses=documented(400, 404, 409, 412))
async def dispatch(
    truck_id: TruckId, body: DispatchIn, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey,
    if_match: IfMatch = None, who: Principal = SHIPPERS,
) -> Response:  # fmt: skip
    """Close a truck: what is loaded is shipped. What is missing is refused by name, unless a reason says why."""

    async def act(connection: Connection, truck: Any, at: object) -> None:
        _still(truck, "loading")
        missing = await connection.fetch("SELECT * FROM missing_on($1)", truck_id)
        if missing and not body.reason:
            errors = [
                FieldError(
                    field=f"stops/{m['stop']}", value=m["unit"] or m["order_id"],
                    bound=f"loaded: {m['why']} (order {m['order_id']})",
                )
                for m in missing
            ]  # fmt: skip
            names = ", ".join(str(e.value) for e in errors[:20])
            raise Refusal(409, f"truck: {truck_id} misses {names}; load them, or say why they stay", errors)
        if not await connection.fetchval("SELECT dispatch_truck($1, $2, $3, $4)", truck_id, at, who.name, body.reason):
            raise Refusal(409, f"truck: nothing is loaded on {truck_id}; cancel it")

    return await _change(
        here, who, idempotency_key, correlation, if_match, truck_id, "dispatch", body, body.reason, act
    )


@router.post("/trucks/{truck_id}/reopen", response_model=TruckOut, responses=documented(400, 404, 409, 412))
async def reopen(
    truck_id: TruckId, body: Undo, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey,
    if_match: IfMatch = None, who: Principal = SHIPPERS,
) -> Response:  # fmt: skip
    """Undo a dispatch as long as the truck stands at its door: its shipments are taken back, its units stay on it.

    Those who were told hear of it; in EPCIS an error declaration with the corrective event.
    """

    async def act(connection: Connection, truck: Any, at: object) -> None:
        _still(truck, "dispatched")
        row = await connection.fetchrow(
            "SELECT * FROM reopen_truck($1, $2, $3, $4, $5)", truck_id, at, who.name, body.how, body.reason
        )
        if row["outcome"] != "opened":
            raise Refusal(409, f"shipment: {row['what']} of truck {truck_id}: {row['outcome']}")

    return await _change(here, who, idempotency_key, correlation, if_match, truck_id, "reopen", body, body.reason, act)


@router.post("/trucks/{truck_id}/depart", response_model=TruckOut, responses=documented(404, 409, 412))
async def depart(
    truck_id: TruckId, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey,
    if_match: IfMatch = None, who: Principal = SHIPPERS,
) -> Response:  # fmt: skip
    """Say that a dispatched truck has left its door: from now on nothing of it can be taken back."""

    async def act(connection: Connection, truck: Any, at: object) -> None:
        _still(truck, "dispatched")
        await connection.execute("SELECT depart_truck($1, $2, $3)", truck_id, at, who.name)

    return await _change(here, who, idempotency_key, correlation, if_match, truck_id, "depart", None, "", act)


@router.post("/trucks/{truck_id}/cancel", response_model=TruckOut, responses=documented(400, 404, 409, 412))
async def cancel(
    truck_id: TruckId, body: Why, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey,
    if_match: IfMatch = None, who: Principal = SHIPPERS,
) -> Response:  # fmt: skip
    """Give up a truck on which nothing stands; its orders wait for another one."""

    async def act(connection: Connection, truck: Any, at: object) -> None:
        _still(truck, "planned", "loading")
        loaded = await connection.fetchval(
            "SELECT string_agg(DISTINCT sscc_of(unit), ', ') FROM truck_tote WHERE truck = $1 AND state = 'loaded'",
            truck_id,
        )
        if loaded:
            raise Refusal(409, f"truck: {loaded} stand on {truck_id}; unload them first")
        await connection.execute("SELECT cancel_truck($1, $2, $3, $4)", truck_id, at, who.name, body.reason)

    return await _change(here, who, idempotency_key, correlation, if_match, truck_id, "cancel", body, body.reason, act)


Act = Callable[[Connection, Any, object], Awaitable[None]]


async def _change(
    here: Context, who: Principal, key: str, correlation: str, if_match: str | None, truck_id: str, what: str,
    body: Any, why: str, act: Act,
) -> Response:  # fmt: skip
    """Change a truck, once, behind the locks that everything on it takes."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        await connection.execute("SELECT lock_nesting()")
        row = await connection.fetchrow("SELECT * FROM truck WHERE id = $1 FOR UPDATE", truck_id)
        if row is None:
            raise Refusal(404, f"truck: {truck_id!r} is not known")
        check(if_match, _tag(await shown_truck(connection, row)), needed=False)
        await act(connection, row, at)
        await connection.execute(AUDIT, at, who.name, who.role, f"truck.{what}", truck_id, why, correlation, None)
        return await _answer(connection, truck_id)

    said = "" if body is None else body.model_dump_json()
    return await once(here.database, who.name, key, f"POST /v1/trucks/{truck_id}/{what}", said, at, 200, work)


def _still(truck: Any, *states: str) -> None:
    if truck["state"] not in states:
        raise Refusal(409, f"truck: {truck['id']} is {truck['state']}, not {' or '.join(states)}")


async def shown_truck(connection: Connection, row: Any) -> dict[str, Any]:
    """Return a truck (a row of `truck`) with its stops."""
    return dict(row) | {"stops": [dict(s) for s in await connection.fetch(_STOPS, [row["id"]])]}


async def _answer(connection: Connection, truck_id: str) -> str:
    row = await connection.fetchrow("SELECT * FROM truck WHERE id = $1", truck_id)
    return TruckOut.model_validate(await shown_truck(connection, row)).model_dump_json()


def _tag(shown: dict[str, Any]) -> str:
    return tag(shown["id"], shown["state"], shown["dock"], shown["departs_at"], shown["stops"])
