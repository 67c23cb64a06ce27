"""REST of shipments."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from central.context import Here
from central.identity.access import ANYONE, Principal
from central.listing import Cursor, Limit, Page, after, following
from central.problems import documented

router = APIRouter(prefix="/v1", tags=["shipments"])


class Shipment(BaseModel):
    """What left the site for one order."""

    id: str
    order_id: str
    at: datetime
    totes: int
    pieces: int
    services: int
    weight_g: int
    ship_to: str


@router.get("/shipments", response_model=Page[Shipment], responses=documented())
async def list_shipments(
    here: Here,
    order: Annotated[str | None, Query(description="Only of this order")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    who: Principal = ANYONE,
) -> dict[str, Any]:
    """List shipments in the order in which they left."""
    at, name = after(cursor)
    rows = await here.database.read(
        "SELECT * FROM shipment WHERE (at, id) > ($1, $2) AND ($3::text IS NULL OR order_id = $3)"
        " AND ($5 = '' OR EXISTS (SELECT FROM orders o WHERE o.id = order_id AND o.owner = $5))"
        " ORDER BY at, id LIMIT $4",
        at, name, order, limit, who.owner,
    )  # fmt: skip
    return {"items": [dict(r) for r in rows], "next": following(rows, limit, "at")}
