"""REST of scrap: thrown away with a reason; above the limit a second person decides."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from central.context import Context, Correlation, Here
from central.database import Connection
from central.idempotency import IdempotencyKey, once, request_hash
from central.identity.access import ANYONE, FLOOR, SUPERVISOR, Principal
from central.identity.audit import AUDIT
from central.listing import Cursor, Limit, Page, following, turn
from central.moment import moment
from central.problems import Refusal, documented, refused
from central.reason import Reason
from contracts.ids import PATTERN

router = APIRouter(prefix="/v1/scrap", tags=["stock"])
ScrapId = Annotated[str, Path(pattern=PATTERN)]
State = Literal["pending", "posted", "refused"]


class ScrapIn(BaseModel):
    """What is thrown away, and why."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"place": "damaged", "item": "part4d4c799", "status": "damaged", "qty": 2, "reason": "broken"}]
        }
    )

    place: str = Field(pattern=PATTERN)
    item: str = Field(pattern=PATTERN)
    lot: Annotated[str, Field(max_length=64, pattern=r"^[\x20-\x7e]*$")] = ""
    status: Literal["ok", "quality", "hold", "damaged"] = "ok"
    qty: int = Field(ge=1, le=1_000_000, strict=True)
    reason: Literal["broken", "expired", "contaminated", "recalled", "obsolete", "returned", "other"]
    note: str = Field("", max_length=500, pattern=r"^[^\x00]*$")


class Scrap(BaseModel):
    """A scrapping, asked for or done."""

    id: str
    place: str
    item: str
    lot: str
    owner: str
    status: str
    qty: int
    reason: str
    note: str
    state: State
    asked_by: str
    asked_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    why: str
    move: int | None = Field(description="Its row in the ledger; reversing that undoes it")


_REFUSED = {
    "unknown item": ("item", "a stock item of yours"),
    "unknown place": ("place", "a place for goods"),
    "too little": ("qty", "at most {held}: no more is there that is not reserved"),
}


@router.get("", response_model=Page[Scrap], responses=documented())
async def list_scrap(
    here: Here,
    state: Annotated[State | None, Query(description="Only in this state")] = None,
    newest: Annotated[bool, Query(description="The newest first")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
    who: Principal = ANYONE,
) -> dict[str, Any]:
    """List what was scrapped, or waits for a second person."""
    at, name, past, direction = turn(cursor, newest=newest)
    rows = await here.database.read(
        f"SELECT * FROM scrapping WHERE (asked_at, id) {past} ($1, $2) AND ($3::text IS NULL OR state = $3)"  # noqa: S608
        f" AND ($4 = '' OR owner = $4) ORDER BY asked_at {direction}, id {direction} LIMIT $5",
        at, name, state, who.owner, limit,
    )  # fmt: skip
    return {"items": [dict(r) for r in rows], "next": following(rows, limit, "asked_at")}


@router.post("", status_code=201, response_model=Scrap, responses=documented(400, 409))
async def scrap(
    body: ScrapIn, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey, who: Principal = FLOOR
) -> Response:
    """Throw goods away. Up to the limit at once; above it the answer says `pending`, and a supervisor decides."""
    at = moment(here.clock.now_ms())
    name = f"X-{request_hash(f'{who.name}/{idempotency_key}', '').hex()[:20]}"

    async def work(connection: Connection) -> str:
        row = await connection.fetchrow(
            "SELECT * FROM scrap_stock($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            name, at, who.name, body.place, body.item, body.lot, body.status, body.qty, body.reason, body.note,
            who.owner,
        )  # fmt: skip
        if row["outcome"] not in {"posted", "pending"}:
            field, bound = _REFUSED[row["outcome"]]
            raise refused(field, getattr(body, field), bound.format(held=row["held"]))
        detail = body.model_dump_json()
        await connection.execute(AUDIT, at, who.name, who.role, "scrap.ask", name, body.note, correlation, detail)
        return await _shown(connection, name)

    return await once(here.database, who.name, idempotency_key, "POST /v1/scrap", body.model_dump_json(), at, 201, work)


@router.post("/{scrap_id}/approve", response_model=Scrap, responses=documented(400, 404, 409))
async def approve(
    scrap_id: ScrapId,
    body: Reason,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    who: Principal = SUPERVISOR,
) -> Response:
    """Let go away what somebody else has asked for."""
    return await _decide(here, who, correlation, idempotency_key, scrap_id, body, approve=True)


@router.post("/{scrap_id}/refuse", response_model=Scrap, responses=documented(400, 404, 409))
async def refuse(
    scrap_id: ScrapId,
    body: Reason,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    who: Principal = SUPERVISOR,
) -> Response:
    """Keep what somebody else has asked to throw away."""
    return await _decide(here, who, correlation, idempotency_key, scrap_id, body, approve=False)


async def _decide(
    here: Context, who: Principal, correlation: str, key: str, scrap_id: str, body: Reason, *, approve: bool
) -> Response:
    at = moment(here.clock.now_ms())
    action = "approve" if approve else "refuse"

    async def work(connection: Connection) -> str:
        said = await connection.fetchval(
            "SELECT decide_scrap($1, $2, $3, $4, $5, $6)", scrap_id, at, who.name, approve, body.reason, who.owner
        )
        if said == "unknown":
            raise Refusal(404, f"scrap: {scrap_id!r} is not known")
        if said == "same person":
            raise Refusal(409, f"scrap {scrap_id}: {who.name} has asked for it; somebody else must decide")
        if said == "too little":
            raise Refusal(409, f"scrap {scrap_id}: no more is there that is not reserved")
        if said not in {"posted", "refused"}:
            raise Refusal(409, f"scrap: {scrap_id} {said}")
        await connection.execute(
            AUDIT, at, who.name, who.role, f"scrap.{action}", scrap_id, body.reason, correlation, None
        )
        return await _shown(connection, scrap_id)

    what = f"POST /v1/scrap/{scrap_id}/{action}"
    return await once(here.database, who.name, key, what, body.model_dump_json(), at, 200, work)


async def _shown(connection: Connection, scrap_id: str) -> str:
    row = await connection.fetchrow("SELECT * FROM scrapping WHERE id = $1", scrap_id)
    return Scrap(**dict(row)).model_dump_json()
