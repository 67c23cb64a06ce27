"""REST of waves: orders that are planned together and released together."""

import hashlib
import json
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from central.context import Context, Correlation, Here
from central.database import Connection
from central.idempotency import IdempotencyKey, once
from central.identity.access import HOUSE, Principal, Role, allowed
from central.identity.audit import AUDIT
from central.listing import Cursor, Limit, Page, following, turn
from central.moment import Moment, milliseconds, moment
from central.orders.change import withdraw_order
from central.orders.model import Owner
from central.preconditions import IfMatch, check, tag
from central.problems import FieldError, Refusal, documented, refused
from central.reason import Why
from contracts.ids import PATTERN

router = APIRouter(prefix="/v1/waves", tags=["waves"])
PLANNERS = Depends(allowed(Role.ERP, Role.OPERATOR, Role.SUPERVISOR, house=True))
WaveId = Annotated[str, Path(pattern=PATTERN)]
_Text = Annotated[str, Field(max_length=64, pattern=r"^[^\x00-\x1f]*$")]
MOST = 5_000


class WaveIn(BaseModel):
    """Which orders go together: those that are named, or all that wait and fit."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"route": "NORTH-1", "due_to": "2013-12-02T16:00:00Z", "most": 200}]}
    )

    orders: list[Annotated[str, Field(pattern=PATTERN)]] | None = Field(
        None, min_length=1, max_length=MOST, description="By id; absent: all that fit what follows"
    )
    due_from: Moment | None = Field(None, description="Due at this time or later")
    due_to: Moment | None = Field(None, description="Due at this time or earlier")
    carrier: _Text | None = None
    route: _Text | None = None
    owner: Owner | None = Field(None, description="Of this owner; empty: of the house")
    zone: _Text | None = Field(None, description="With a pick in this zone")
    priority: int | None = Field(None, ge=0, le=9, strict=True, description="At least so urgent")
    most: int = Field(MOST, ge=1, le=MOST, strict=True, description="At most so many, the most urgent first")
    release_at: Moment | None = Field(None, description="Released by itself at this time; absent: on request")

    @model_validator(mode="after")
    def _one_way(self) -> "WaveIn":
        if self.orders is not None and self.wanted().keys() - {"orders", "most"}:
            raise ValueError("either orders by name, or what they must fit")
        return self

    def wanted(self) -> dict[str, Any]:
        """Return what is asked for, without what is not."""
        told: dict[str, Any] = json.loads(self.model_dump_json(exclude={"release_at"}, exclude_none=True))
        return told


class WaveOut(BaseModel):
    """A wave, and how far it is."""

    id: str
    state: Literal["planned", "released", "done", "cancelled"]
    wanted: dict[str, Any]
    created_at: datetime
    created_by: str
    release_at: datetime | None
    released_at: datetime | None
    closed_at: datetime | None
    reason: str
    progress: dict[str, dict[str, int]] = Field(
        description="`orders` by state; `picks` total, done, short, by_hand; `pieces` wanted, picked, short; `totes`"
    )


_SHOWN = "SELECT w.*, wave_progress(w.id)::text AS progress FROM wave w"


def _shown(row: Any) -> dict[str, Any]:
    return dict(row) | {"wanted": json.loads(row["wanted"]), "progress": json.loads(row["progress"])}


@router.post(
    "", status_code=201, response_model=WaveOut, responses=documented(400, 409, 413), summary="Plan a wave of orders"
)
async def post_wave(
    body: WaveIn, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey, who: Principal = PLANNERS
) -> Response:
    """Plan a wave. Its orders wait for it; nothing is picked before it is released. 409 when no order fits.

    An order that is named must wait, and be in no other wave; else nothing is planned and each is named.
    """
    at = moment(here.clock.now_ms())
    name = "WV-" + hashlib.sha256(f"{who.name}\n{idempotency_key}\n{at.isoformat()}".encode()).hexdigest()[:12]
    wanted = body.wanted()

    async def work(connection: Connection) -> str:
        taken = await connection.fetchval(
            "SELECT plan_wave($1, $2, $3, $4::jsonb, $5)", name, at, who.name, json.dumps(wanted), body.release_at
        )
        if body.orders is not None and taken < len(set(body.orders)):
            await _refuse_missing(connection, body.orders, name)
        if not taken:
            raise Refusal(409, "wave: no order waits that fits")
        await connection.execute(
            AUDIT, at, who.name, who.role, "wave.plan", name, f"{taken} orders", correlation, json.dumps(wanted)
        )
        return await _answer(connection, name)

    answer = await once(
        here.database, who.name, idempotency_key, "POST /v1/waves", body.model_dump_json(), at, 201, work
    )
    if body.release_at is not None:
        here.releaser.expect(milliseconds(body.release_at))
    return answer


async def _refuse_missing(connection: Connection, orders: list[str], wave: str) -> None:
    rows = {
        r["id"]: r
        for r in await connection.fetch("SELECT id, state, wave, expires_at FROM orders WHERE id = ANY($1)", orders)
    }
    errors = []
    for n, name in enumerate(orders):
        row = rows.get(name)
        if row is not None and row["wave"] == wave:
            continue
        bound = (
            "a known order" if row is None
            else f"an order that waits; it is {row['state']}" if row["state"] != "allocated"
            else f"an order in no other wave; it is in {row['wave']}" if row["wave"]
            else "an order that is more than reserved"
        )  # fmt: skip
        errors.append(FieldError(field=f"orders/{n}", value=name, bound=bound))
    raise Refusal(409, f"{errors[0].field}: {errors[0].value!r} is not {errors[0].bound}", errors)


@router.get("", response_model=Page[WaveOut], responses=documented())
async def list_waves(
    here: Here,
    state: Annotated[
        Literal["planned", "released", "done", "cancelled"] | None, Query(description="Only in this state")
    ] = None,
    newest: Annotated[bool, Query(description="The newest first")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
    _: Principal = HOUSE,
) -> dict[str, Any]:
    """List waves in the order in which they were planned, or the newest first, each with how far it is."""
    at, name, past, direction = turn(cursor, newest=newest)
    rows = await here.database.read(
        f"{_SHOWN} WHERE (w.created_at, w.id) {past} ($1, $2) AND ($3::text IS NULL OR w.state = $3)"
        f" ORDER BY w.created_at {direction}, w.id {direction} LIMIT $4",
        at, name, state, limit,
    )  # fmt: skip
    return {"items": [_shown(r) for r in rows], "next": following(rows, limit, "created_at")}


@router.get("/{wave_id}", response_model=WaveOut, responses=documented(404))
async def get_wave(wave_id: WaveId, response: Response, here: Here, _: Principal = HOUSE) -> dict[str, Any]:
    """Show a wave and how far it is; its ETag changes with its state."""
    rows = await here.database.read(f"{_SHOWN} WHERE w.id = $1", wave_id)
    if not rows:
        raise Refusal(404, f"wave: {wave_id!r} is not known")
    response.headers["ETag"] = f'"{_tag(rows[0])}"'
    return _shown(rows[0])


@router.post("/{wave_id}/release", response_model=WaveOut, responses=documented(404, 409, 412))
async def release_wave(
    wave_id: WaveId,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    if_match: IfMatch = None,
    who: Principal = PLANNERS,
) -> Response:
    """Release a planned wave: all its orders are worked on, the most urgent first."""
    sql = "SELECT release_wave($1, $2, $3)"
    return await _turn(here, who, idempotency_key, correlation, if_match, wave_id, "release", "", sql, ())


@router.post("/{wave_id}/cancel", response_model=WaveOut, responses=documented(400, 404, 409, 412))
async def cancel_wave(
    wave_id: WaveId,
    body: Why,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    if_match: IfMatch = None,
    who: Principal = PLANNERS,
) -> Response:
    """Give a planned wave up: its orders wait again. A released one is withdrawn (`/withdraw`)."""
    sql = "SELECT cancel_wave($1, $2, $3, $4)"
    return await _turn(
        here, who, idempotency_key, correlation, if_match, wave_id, "cancel", body.reason, sql, (body.reason,)
    )


class Withdrawn(BaseModel):
    """What became of a wave that was withdrawn."""

    wave: WaveOut
    waiting: list[str] = Field(description="Orders that wait again")
    going_on: list[str] = Field(description="Orders of which something is begun: they go on; change or cancel them")


@router.post("/{wave_id}/withdraw", response_model=Withdrawn, responses=documented(400, 404, 409, 412))
async def withdraw_wave(
    wave_id: WaveId,
    body: Why,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    if_match: IfMatch = None,
    who: Principal = PLANNERS,
) -> Response:
    """Take a released wave back as far as nobody has begun: those orders wait again, reserved as before.

    Orders of which a pick is begun go on, and the wave with them; without any the wave is cancelled. 409 when all are.
    """
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        row = await connection.fetchrow("SELECT * FROM wave WHERE id = $1 FOR UPDATE", wave_id)
        if row is None:
            raise Refusal(404, f"wave: {wave_id!r} is not known")
        check(if_match, _tag(row), needed=False)
        if row["state"] != "released":
            raise refused("wave", wave_id, f"a released wave: it is {row['state']}", status=409)
        rows = await connection.fetch("SELECT id FROM orders WHERE wave = $1 ORDER BY id FOR UPDATE", wave_id)
        orders = [r["id"] for r in rows]
        waiting = [o for o in orders if await withdraw_order(here, connection, o, at, who.name, body.reason)]
        going_on = [o for o in orders if o not in waiting]
        if not waiting:
            raise Refusal(409, f"wave: {wave_id}: of all its orders something is begun; change or cancel them")
        if not going_on:
            await connection.execute(
                "UPDATE wave SET state = 'cancelled', closed_at = $2, reason = $3 WHERE id = $1",
                wave_id, at, body.reason,
            )  # fmt: skip
        data = json.dumps({"orders": len(waiting), "going_on": len(going_on), "who": who.name, "reason": body.reason})
        await connection.execute("SELECT emit('floorplane.wave.withdrawn', $1, $2, $3::jsonb)", wave_id, at, data)
        await connection.execute("SELECT close_wave($1, $2)", wave_id, at)
        await connection.execute(
            AUDIT, at, who.name, who.role, "wave.withdraw", wave_id, body.reason, correlation, None
        )
        shown = WaveOut.model_validate_json(await _answer(connection, wave_id))
        return Withdrawn(wave=shown, waiting=waiting, going_on=going_on).model_dump_json()

    what = f"POST /v1/waves/{wave_id}/withdraw"
    answer = await once(here.database, who.name, idempotency_key, what, body.model_dump_json(), at, 200, work)
    here.releaser.expect(here.clock.now_ms())
    return answer


async def _turn(
    here: Context, who: Principal, key: str, correlation: str, if_match: str | None, wave_id: str, what: str, why: str,
    sql: str, more: tuple[str, ...],
) -> Response:  # fmt: skip
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        row = await connection.fetchrow("SELECT * FROM wave WHERE id = $1 FOR UPDATE", wave_id)
        if row is None:
            raise Refusal(404, f"wave: {wave_id!r} is not known")
        check(if_match, _tag(row), needed=False)
        done = await connection.fetchval(sql, wave_id, at, who.name, *more)
        if done is None:
            raise refused("wave", wave_id, f"a planned wave: it is {row['state']}", status=409)
        await connection.execute(AUDIT, at, who.name, who.role, f"wave.{what}", wave_id, why, correlation, None)
        return await _answer(connection, wave_id)

    answer = await once(here.database, who.name, key, f"POST /v1/waves/{wave_id}/{what}", why, at, 200, work)
    here.releaser.expect(here.clock.now_ms())
    return answer


def _tag(row: Any) -> str:
    return tag(row["id"], row["state"], row["released_at"], row["closed_at"])


async def _answer(connection: Connection, wave_id: str) -> str:
    row = await connection.fetchrow(f"{_SHOWN} WHERE w.id = $1", wave_id)
    return WaveOut.model_validate(_shown(row)).model_dump_json()
