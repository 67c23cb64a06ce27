"""REST of shipments: what left, its labels, and taking back what has not departed."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from central.context import Context, Correlation, Here
from central.database import Connection
from central.idempotency import IdempotencyKey, once
from central.identity.access import ANYONE, ERP, SUPERVISOR, Principal
from central.identity.audit import AUDIT
from central.labels.layout import lay_out
from central.labels.unit import label_of
from central.labels.writers import zpl
from central.listing import Cursor, Limit, Page, after, following
from central.moment import moment
from central.orders.change import hold_order
from central.preconditions import IfMatch
from central.problems import Refusal, documented
from central.reason import Undo

router = APIRouter(prefix="/v1", tags=["shipments"])
ShipmentId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,80}$")]


class Shipment(BaseModel):
    """What left the site for one order, at one time."""

    id: str
    order_id: str
    at: datetime
    totes: int
    pieces: int
    services: int
    weight_g: int
    ship_to: str
    truck: str | None = Field(None, description="The truck that it left with; none: it was fetched when it was packed")
    reversed_at: datetime | None = Field(None, description="It has not left after all")
    reversed_why: str = ""


@router.get("/shipments", response_model=Page[Shipment], responses=documented())
async def list_shipments(
    here: Here,
    order: Annotated[str | None, Query(description="Only of this order")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    who: Principal = ANYONE,
) -> dict[str, Any]:
    """List shipments in the order in which they left; also those that were taken back."""
    at, name = after(cursor)
    rows = await here.database.read(
        "SELECT * FROM shipment WHERE (at, id) > ($1, $2) AND ($3::text IS NULL OR order_id = $3)"
        " AND ($5 = '' OR EXISTS (SELECT FROM orders o WHERE o.id = order_id AND o.owner = $5))"
        " ORDER BY at, id LIMIT $4",
        at, name, order, limit, who.owner,
    )  # fmt: skip
    return {"items": [dict(r) for r in rows], "next": following(rows, limit, "at")}


@router.get(
    "/shipments/{shipment_id}/labels",
    response_class=Response,
    responses=documented(404) | {200: {"content": {"application/vnd.zebra.zpl": {"schema": {"type": "string"}}}}},
)
async def get_labels(shipment_id: ShipmentId, here: Here, who: Principal = ANYONE) -> Response:
    """Write the labels of all totes of a shipment, one behind the other, for a printer (ZPL II)."""

    async def work(connection: Connection) -> str:
        rows = await connection.fetch(
            "SELECT u.* FROM shipment s JOIN orders o ON o.id = s.order_id AND ($2 = '' OR o.owner = $2)"
            " JOIN tote t ON t.order_id = s.order_id AND t.shipment = s.id JOIN unit u ON u.place = t.id"
            " WHERE s.id = $1 ORDER BY t.n",
            shipment_id, who.owner,
        )  # fmt: skip
        if not rows:
            raise Refusal(404, f"shipment: {shipment_id!r} is not known, or has no totes")
        return "".join([zpl(lay_out(await label_of(connection, r, here.site.id))) for r in rows])

    return Response(await here.database.unit(work), media_type="application/vnd.zebra.zpl")


_CONFLICTS = {
    "reversed already": "is taken back already",
    "departed": "has departed with truck {what}; book what comes back as a return",
    "returned": "has come back in part; go on with returns",
}


@router.post(
    "/shipments/{shipment_id}/reverse", response_model=Shipment, responses=documented(400, 404, 409),
)  # fmt: skip
async def reverse_shipment(
    shipment_id: ShipmentId,
    body: Undo,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    who: Principal = SUPERVISOR,
) -> Response:
    """Take a shipment back that has not departed: each of its moves by one that points back; its totes stay packed.

    Those who were told hear of it: an event, and in EPCIS error declarations with the corrective event. The order is
    packed again: ship it anew (`POST /v1/orders/{id}/ship`), put it on a truck, or cancel it.
    """
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        error = body.how
        row = await connection.fetchrow(
            "SELECT * FROM reverse_shipment($1, $2, $3, $4, $5, $6)",
            shipment_id, at, who.name, error, body.reason, who.owner,
        )  # fmt: skip
        if row["outcome"] == "unknown":
            raise Refusal(404, f"shipment: {shipment_id!r} is not known")
        if row["outcome"] != "reversed":
            why = _CONFLICTS[row["outcome"]].format(what=row["what"])
            raise Refusal(409, f"shipment: {shipment_id} {why}")
        await connection.execute(
            AUDIT, at, who.name, who.role, "shipment.reverse", shipment_id, body.reason, correlation, None
        )
        return await _answer(connection, shipment_id)

    what = f"POST /v1/shipments/{shipment_id}/reverse"
    return await once(here.database, who.name, idempotency_key, what, body.model_dump_json(), at, 200, work)


@router.post(
    "/orders/{order_id}/ship", response_model=Shipment, responses=documented(404, 409, 412), tags=["orders"],
)  # fmt: skip
async def ship_order(
    order_id: str,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    if_match: IfMatch = None,
    who: Principal = ERP,
) -> Response:
    """Ship a packed order that waits for no truck: it was fetched, or its shipment had been taken back."""
    return await _ship(here, order_id, correlation, idempotency_key, if_match, who)


async def _ship(
    here: Context, order_id: str, correlation: str, key: str, if_match: str | None, who: Principal
) -> Response:
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        order = await hold_order(connection, order_id, who.owner, if_match, needed=False)
        if order["state"] != "packed" or order["put_back"] is not None:
            state = order["state"] if order["put_back"] is None else "put back"
            raise Refusal(409, f"order: {order_id} is {state}, not packed")
        truck = await connection.fetchval("SELECT truck FROM truck_order WHERE order_id = $1 AND live", order_id)
        if truck is not None:
            raise Refusal(409, f"order: {order_id} is to leave with truck {truck}; take it off first")
        name = await connection.fetchval(
            "SELECT ship_totes($1, ARRAY(SELECT id FROM tote WHERE order_id = $1 AND state = 'packed'"
            " AND shipment IS NULL ORDER BY n), NULL, $2, $3)",
            order_id, at, who.name,
        )  # fmt: skip
        await connection.execute(AUDIT, at, who.name, who.role, "order.ship", order_id, "", correlation, None)
        return await _answer(connection, name)

    return await once(here.database, who.name, key, f"POST /v1/orders/{order_id}/ship", "", at, 200, work)


async def _answer(connection: Connection, name: str) -> str:
    row = await connection.fetchrow("SELECT * FROM shipment WHERE id = $1", name)
    return Shipment.model_validate(dict(row)).model_dump_json()
