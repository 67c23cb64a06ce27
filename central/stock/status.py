"""REST of statuses: stock that is released, held back or found damaged; above the limit by two people."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from central.context import Correlation, Here
from central.database import Connection
from central.idempotency import IdempotencyKey, once
from central.identity.access import ANYONE, SUPERVISOR, Principal, Role, allowed
from central.identity.audit import AUDIT
from central.listing import Limit
from central.moment import moment
from central.problems import documented, refused
from central.reason import Reason
from central.stock.adjustments import Number
from central.stock.second_person import Waiting, decide
from contracts.ids import PATTERN

router = APIRouter(prefix="/v1", tags=["stock"])
JUDGES = Depends(allowed(Role.OPERATOR, Role.SUPERVISOR, Role.ERP))
Status = Literal["ok", "quality", "hold", "damaged"]


class StatusIn(BaseModel):
    """So many free pieces get another status where they are."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"place": "inbound", "item": "part1", "qty": 40, "from": "quality", "to": "ok", "reason": "looks good"}
            ]
        },
        populate_by_name=True,
    )

    place: str = Field(pattern=PATTERN)
    item: str = Field(pattern=PATTERN)
    lot: str = Field("", max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")
    qty: int = Field(ge=1, le=1_000_000, strict=True)
    was: Status = Field("quality", alias="from")
    becomes: Status = Field("ok", alias="to")
    reason: str = Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$", description="It is kept")

    @field_validator("becomes")
    @classmethod
    def _other(cls, becomes: str, info: ValidationInfo) -> str:
        if becomes == info.data.get("was"):
            raise ValueError("another status than `from`")
        return becomes


class StatusChange(BaseModel):
    """A change of status, and what a second person said of it where it needed one."""

    id: int
    place: str
    item: str
    lot: str
    qty: int
    was: str
    becomes: str
    reason: str
    state: str = Field(description="pending | posted | refused")
    asked_by: str
    asked_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    why: str


class StatusPage(BaseModel):
    """Newest first; `next` is the cursor of the following page."""

    items: list[StatusChange]
    next: int | None = None


@router.post("/stock/status", status_code=201, response_model=StatusChange, responses=documented(400, 409))
async def change_status(
    body: StatusIn, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey, who: Principal = JUDGES
) -> Response:
    """Release stock (`quality` to `ok`), hold it back, or find it damaged. Reserved pieces stay as they are.

    What is more than one person may do (the limit of adjustments) waits as `pending` for a second one. Released goods
    on a lane get their putaway tasks at once.
    """
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        row = await connection.fetchrow(
            "SELECT * FROM ask_status($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            at, who.name, body.place, body.item, body.lot, body.qty, body.was, body.becomes, body.reason,
            f"status/{who.name}/{idempotency_key}", who.owner, here.settings.adjustment_limit,
        )  # fmt: skip
        if row["outcome"] == "unknown item":
            raise refused("item", body.item, "an item of the item master")
        if row["outcome"] == "too little":
            bound = f"at most {row['held']}: so many are {body.was} and not reserved at {body.place}"
            raise refused("qty", body.qty, bound, status=409)
        await connection.execute(
            AUDIT, at, who.name, who.role, "stock.status", f"{body.place}/{body.item}", body.reason, correlation,
            body.model_dump_json(),
        )  # fmt: skip
        made = await connection.fetchrow("SELECT * FROM status_change WHERE id = $1", row["number"])
        return StatusChange.model_validate(dict(made)).model_dump_json()

    what = "POST /v1/stock/status"
    return await once(here.database, who.name, idempotency_key, what, body.model_dump_json(), at, 201, work)


@router.get("/status-changes", response_model=StatusPage, responses=documented())
async def list_status_changes(
    here: Here,
    state: Annotated[Literal["pending", "posted", "refused"] | None, Query()] = None,
    item: Annotated[str | None, Query(max_length=64, description="Only of this item")] = None,
    limit: Limit = 100,
    cursor: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    who: Principal = ANYONE,
) -> dict[str, Any]:
    """List changes of status, and those that wait for a second person."""
    rows = await here.database.read(
        "SELECT c.* FROM status_change c WHERE ($1::bigint IS NULL OR c.id < $1) AND ($2::text IS NULL OR c.state = $2)"
        " AND ($3::text IS NULL OR c.item = $3) AND ($4 = '' OR c.owner = $4) ORDER BY c.id DESC LIMIT $5",
        cursor, state, item, who.owner, limit,
    )  # fmt: skip
    return {"items": [dict(r) for r in rows], "next": rows[-1]["id"] if len(rows) == limit else None}


@router.post(
    "/status-changes/{number}/approve", response_model=StatusChange, responses=documented(400, 404, 409)
)  # fmt: skip
async def approve(
    number: Number,
    body: Reason,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    who: Principal = SUPERVISOR,
) -> Response:
    """Let a change pass that somebody else has asked for."""
    return await decide(_WAITING, here, who, correlation, idempotency_key, number, body.reason, approve=True)


@router.post(
    "/status-changes/{number}/refuse", response_model=StatusChange, responses=documented(400, 404, 409)
)  # fmt: skip
async def refuse(
    number: Number,
    body: Reason,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    who: Principal = SUPERVISOR,
) -> Response:
    """Refuse a change that somebody else has asked for; nothing becomes other."""
    return await decide(_WAITING, here, who, correlation, idempotency_key, number, body.reason, approve=False)


_WAITING = Waiting(
    "status change", "status-changes", "status_change", "decide_status", "stock.status_",
    {
        "decided": "it was decided before",
        "same person": "{who} has asked for it; somebody else must decide",
        "too little": "only {held} pieces are there that are not reserved",
    },
    StatusChange,
)  # fmt: skip
