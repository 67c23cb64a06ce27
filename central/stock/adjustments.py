"""REST of adjustments that need a second person: listed, approved, refused; never by whoever asked."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from central.context import Correlation, Here
from central.idempotency import PerhapsKey
from central.identity.access import ANYONE, SUPERVISOR, Principal
from central.listing import Limit
from central.problems import documented
from central.reason import Reason
from central.stock.second_person import Waiting, decide

router = APIRouter(prefix="/v1", tags=["stock"])
Number = Annotated[int, Path(ge=1, le=2**62)]


class Adjustment(BaseModel):
    """A booking above the limit, and what a second person said of it."""

    id: int
    place: str
    item: str
    lot: str
    status: str = Field(description="Of the pieces: ok | quality | hold | damaged")
    qty: int
    reason: str
    key: str
    state: str = Field(description="pending | approved | refused")
    asked_by: str
    asked_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    why: str
    overrule: str = Field(description="Why it is to be put there although the place takes no more; empty: it is not")


class AdjustmentPage(BaseModel):
    """Newest first; `next` is the cursor of the following page."""

    items: list[Adjustment]
    next: int | None = None


@router.get("/adjustments", response_model=AdjustmentPage, responses=documented())
async def list_adjustments(
    here: Here,
    state: Annotated[Literal["pending", "approved", "refused"] | None, Query()] = None,
    limit: Limit = 100,
    cursor: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    who: Principal = ANYONE,
) -> dict[str, Any]:
    """List adjustments that needed, or need, a second person."""
    rows = await here.database.read(
        "SELECT a.* FROM adjustment a JOIN item i ON i.id = a.item WHERE ($1::bigint IS NULL OR a.id < $1)"
        " AND ($2::text IS NULL OR a.state = $2) AND ($3 = '' OR i.owner = $3) ORDER BY a.id DESC LIMIT $4",
        cursor, state, who.owner, limit,
    )  # fmt: skip
    return {"items": [dict(r) for r in rows], "next": rows[-1]["id"] if len(rows) == limit else None}


@router.post(
    "/adjustments/{number}/approve", response_model=Adjustment, responses=documented(400, 404, 409),
)  # fmt: skip
async def approve(
    number: Number,
    body: Reason,
    here: Here,
    correlation: Correlation,
    key: PerhapsKey = None,
    who: Principal = SUPERVISOR,
) -> Response:
    """Book an adjustment that somebody else has asked for."""
    return await decide(_WAITING, here, who, correlation, key, number, body.reason, approve=True)


@router.post(
    "/adjustments/{number}/refuse", response_model=Adjustment, responses=documented(400, 404, 409),
)  # fmt: skip
async def refuse(
    number: Number,
    body: Reason,
    here: Here,
    correlation: Correlation,
    key: PerhapsKey = None,
    who: Principal = SUPERVISOR,
) -> Response:
    """Refuse an adjustment that somebody else has asked for; nothing is booked."""
    return await decide(_WAITING, here, who, correlation, key, number, body.reason, approve=False)


_WAITING = Waiting(
    "adjustment", "adjustments", "adjustment", "decide_adjustment", "stock.",
    {
        "decided": "it was decided before",
        "same person": "{who} has asked for it; somebody else must decide",
        "another": "something else was booked under its key",
        "too little": "only {held} pieces are there that are not reserved",
        "too much": "the bin would hold too much",
        "unknown place": "its place is no bin any more",
        "service item": "its item is no stock item any more",
    },
    Adjustment,
)  # fmt: skip
