"""REST of adjustments that need a second person: listed, approved, refused; never by whoever asked."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from central.context import Context, Correlation, Here
from central.database import Connection
from central.identity.access import ANYONE, SUPERVISOR, Principal
from central.identity.audit import AUDIT
from central.listing import Limit
from central.moment import moment
from central.orders.idempotency import PerhapsKey, once
from central.orders.routes import Reason
from central.problems import Refusal, documented

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
    return await _decide(here, who, correlation, number, body.reason, key, approve=True)


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
    return await _decide(here, who, correlation, number, body.reason, key, approve=False)


_CONFLICTS = {
    "decided": "it was decided before",
    "same person": "{who} has asked for it; somebody else must decide",
    "another": "something else was booked under its key",
    "too little": "only {held} pieces are there that are not reserved",
    "too much": "the bin would hold too much",
    "unknown place": "its place is no bin any more",
    "service item": "its item is no stock item any more",
}


async def _decide(
    here: Context, who: Principal, correlation: str, number: int, why: str, key: str | None, *, approve: bool
) -> Response:
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        row = await connection.fetchrow(
            "SELECT * FROM decide_adjustment($1, $2, $3, $4, $5, $6)", number, at, who.name, approve, why, who.owner
        )
        if row["outcome"] == "unknown":
            raise Refusal(404, f"adjustment: {number} is not known")
        if row["outcome"] in _CONFLICTS:
            why_not = _CONFLICTS[row["outcome"]].format(who=who.name, held=row["held"])
            raise Refusal(409, f"adjustment {number}: {why_not}")
        action = "stock.approve" if approve else "stock.refuse"
        await connection.execute(AUDIT, at, who.name, who.role, action, str(number), why, correlation, None)
        decided = await connection.fetchrow("SELECT * FROM adjustment WHERE id = $1", number)
        return Adjustment.model_validate(dict(decided)).model_dump_json()

    what = f"POST /v1/adjustments/{number}/{'approve' if approve else 'refuse'}"
    return await once(here.database, who.name, key, what, why, at, 200, work)
