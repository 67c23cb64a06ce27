"""REST of picking rounds: a person walks along shelves with a cart of totes."""

import hashlib
import json
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from central.context import Context, Here
from central.database import Connection
from central.idempotency import IdempotencyKey, once
from central.identity.access import Principal, Role, allowed
from central.listing import Cursor, Limit, Page, following, turn
from central.moment import moment
from central.problems import Refusal, documented
from contracts.ids import PATTERN

router = APIRouter(prefix="/v1/rounds", tags=["hands"])
PICKERS = Depends(allowed(Role.OPERATOR, Role.SUPERVISOR, Role.DEVICE, house=True))
RoundId = Annotated[str, Path(pattern=PATTERN)]
_Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
_Said = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class RoundIn(BaseModel):
    """What kind of round a person wants."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"how": "batch", "totes": 8, "person": "anna"}]})

    how: Literal["batch", "cluster", "zone"] = Field(
        "batch",
        description="batch: what several totes want is taken at once and shared out; cluster: each tote is confirmed by"
        " itself; zone: as batch, in one zone",
    )
    totes: int = Field(8, ge=1, le=60, strict=True, description="Slots of the cart")
    zone: _Said | None = Field(None, description="Only of this zone (`how` zone)")
    join: Literal["pass", "consolidate"] | None = Field(
        None,
        description="How zones come together: pass the tote on to the next zone (by code), or fill a tote each and"
        " consolidate at packing; absent: pass",
    )
    orders: list[Annotated[str, Field(pattern=PATTERN)]] | None = Field(None, min_length=1, max_length=500)
    person: _Name | None = Field(None, description="Who walks; whoever is logged in when absent")
    lease_s: int = Field(3_600, ge=60, le=86_400, strict=True, description="For so long nobody else gets its picks")

    @model_validator(mode="after")
    def _zoned(self) -> "RoundIn":
        if (self.how == "zone") != (self.zone is not None):
            raise ValueError("a zone for how=zone, and for no other")
        if self.join is not None and self.how != "zone":
            raise ValueError("no join but for how=zone")
        return self


class PickIn(BaseModel):
    """So many pieces were taken at a stop."""

    place: _Name = Field(examples=["R-01-2"])
    item: _Name = Field(description="Item id", examples=["part4d4c799"])
    lot: _Said | None = Field(None, description="As it was scanned")
    qty: int = Field(ge=0, le=1_000_000, strict=True)
    tote: _Name | None = Field(None, description="Into this tote alone; needed in a cluster")
    reason: _Said = Field("", description="Why they are less than wanted")
    lease_s: int = Field(3_600, ge=60, le=86_400, strict=True)


class EndIn(BaseModel):
    """Where the cart is."""

    to: Annotated[str, Field(pattern=PATTERN)] = Field(
        description="A lane, station, chute or dock", examples=["LANE-1"]
    )


class Why(BaseModel):
    """Why the round is given up."""

    reason: _Name = Field(examples=["the cart is broken"])


class Slot(BaseModel):
    """A tote on the cart."""

    slot: int
    tote: str
    order_id: str


class RoundStop(BaseModel):
    """One place to stop at, and what goes where."""

    place: str
    zone: str
    item: str
    barcode: str
    name: str
    lot: str
    qty: int
    picked: int
    aisle: int | None = Field(None, description="Where it lies in its pick area, if it is in one")
    at_m: float | None = Field(None, description="Metres from the top cross aisle")
    parts: list[dict[str, Any]] = Field(description="`slot`, `tote`, `task`, `attempt`, `qty`, `picked`, `state`")


class Round(BaseModel):
    """A round in a list."""

    id: str
    how: str
    zone: str
    join_by: str = Field(description="pass | consolidate, of a zone")
    person: str
    plan: str | None = Field(None, description="The plan of its walk (`GET /v1/plans/{id}`), asked for or taken")
    state: str = Field(description="open | done | cancelled")
    created_at: datetime
    closed_at: datetime | None


class RoundOut(Round):
    """A round: its totes by slot, its stops in the order in which they are walked.

    In a pick area the walk is planned; until that is there, and elsewhere: by the places' `way`, then code.
    """

    totes: list[Slot]
    stops: list[RoundStop]


@router.post(
    "", status_code=201, response_model=RoundOut, responses=documented(400, 409), summary="Begin a picking round"
)
async def post_round(body: RoundIn, here: Here, idempotency_key: IdempotencyKey, who: Principal = PICKERS) -> Response:
    """Give a person a round: the next planned batch, or the most urgent totes, with their picks leased.

    409 when there is nothing to pick.
    """
    at = moment(here.clock.now_ms())
    name = "R-" + hashlib.sha256(f"{who.name}\n{idempotency_key}\n{at.isoformat()}".encode()).hexdigest()[:12]
    join = (body.join or "pass") if body.how == "zone" else ""

    async def work(connection: Connection) -> str:
        slots = await connection.fetchval(
            "SELECT start_round($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            name, body.how, body.zone, join, body.person or who.name, who.name, body.totes, body.orders, at,
            at + timedelta(seconds=body.lease_s),
        )  # fmt: skip
        if not slots:
            raise Refusal(
                409, "round: nothing is to be picked by hand" + (f" in zone {body.zone}" if body.zone else "")
            )
        return await _shown(connection, name)

    return await once(
        here.database, who.name, idempotency_key, "POST /v1/rounds", body.model_dump_json(), at, 201, work
    )


@router.get("", response_model=Page[Round], responses=documented())
async def list_rounds(
    here: Here,
    state: Annotated[Literal["open", "done", "cancelled"] | None, Query(description="Only in this state")] = None,
    person: Annotated[str | None, Query(max_length=64, description="Only of this person")] = None,
    newest: Annotated[bool, Query(description="The newest first")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
    _: Principal = PICKERS,
) -> dict[str, Any]:
    """List rounds in the order in which they were begun, or the newest first."""
    at, name, past, direction = turn(cursor, newest=newest)
    rows = await here.database.read(
        f"SELECT * FROM pick_round WHERE (created_at, id) {past} ($1, $2)"  # noqa: S608 - constants
        " AND ($3::text IS NULL OR state = $3) AND ($4::text IS NULL OR person = $4)"
        f" ORDER BY created_at {direction}, id {direction} LIMIT $5",
        at, name, state, person, limit,
    )  # fmt: skip
    return {"items": [dict(r) for r in rows], "next": following(rows, limit, "created_at")}


@router.get("/{round_id}", response_model=RoundOut, responses=documented(404))
async def get_round(round_id: RoundId, here: Here, _: Principal = PICKERS) -> Response:
    """Show a round: its totes by slot, its stops in the order in which they are walked."""

    async def work(connection: Connection) -> str:
        await _known(connection, round_id)
        return await _shown(connection, round_id)

    return Response(await here.database.unit(work), media_type="application/json")


@router.post("/{round_id}/pick", response_model=RoundOut, responses=documented(400, 404, 409))
async def pick(
    round_id: RoundId, body: PickIn, here: Here, idempotency_key: IdempotencyKey, who: Principal = PICKERS
) -> Response:
    """Say what was taken at a stop; it is posted at once, tote by tote in the order of the slots.

    What is missing is looked for elsewhere: on other shelves for this round, in bins for a tote of its own, else the
    line is short; the place is to be counted, and the ERP is told.
    """
    sql = "SELECT pick_in_round($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
    return await _say(
        here, who, idempotency_key, round_id, "pick", body, "posted", sql,
        lambda at: (
            body.place, body.item, body.lot, body.qty, body.tote, body.reason, who.name, at,
            at + timedelta(seconds=body.lease_s),
        ),
    )  # fmt: skip


@router.post("/{round_id}/finish", response_model=RoundOut, responses=documented(400, 404, 409))
async def finish(
    round_id: RoundId, body: EndIn, here: Here, idempotency_key: IdempotencyKey, who: Principal = PICKERS
) -> Response:
    """Put the cart's totes down: those that are complete are to be packed, the others go on to the next zone."""
    sql = "SELECT end_round($1, $2, $3, '')"
    return await _say(here, who, idempotency_key, round_id, "finish", body, "ended", sql, lambda at: (body.to, at))


@router.post("/{round_id}/cancel", response_model=RoundOut, responses=documented(400, 404, 409))
async def cancel(
    round_id: RoundId, body: Why, here: Here, idempotency_key: IdempotencyKey, who: Principal = PICKERS
) -> Response:
    """Give a round up: what was not picked goes to others; what is in the totes stays there."""
    sql = "SELECT end_round($1, NULL, $2, $3)"
    return await _say(here, who, idempotency_key, round_id, "cancel", body, "ended", sql, lambda at: (at, body.reason))


async def _say(
    here: Context, who: Principal, key: str, round_id: str, what: str, body: BaseModel, wanted: str, sql: str,
    arguments: Any,
) -> Response:  # fmt: skip
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        await _known(connection, round_id)
        said = await connection.fetchval(sql, round_id, *arguments(at))
        if said != wanted:
            raise Refusal(409, f"round {round_id}: {said}")
        return await _shown(connection, round_id)

    what = f"POST /v1/rounds/{round_id}/{what}"
    return await once(here.database, who.name, key, what, body.model_dump_json(), at, 200, work)


async def _known(connection: Connection, round_id: str) -> None:
    if not await connection.fetchval("SELECT count(*) FROM pick_round WHERE id = $1", round_id):
        raise Refusal(404, f"round: {round_id!r} is not known")


async def _shown(connection: Connection, round_id: str) -> str:
    row = await connection.fetchrow("SELECT * FROM pick_round WHERE id = $1", round_id)
    totes = await connection.fetch(
        "SELECT x.slot, x.tote, t.order_id FROM pick_round_tote x JOIN tote t ON t.id = x.tote WHERE x.round = $1"
        " ORDER BY x.slot",
        round_id,
    )
    stops = [
        dict(r) | {"parts": json.loads(r["parts"])}
        for r in await connection.fetch("SELECT * FROM round_stops($1)", round_id)
    ]
    shown = dict(row) | {"totes": [dict(t) for t in totes], "stops": stops}
    return RoundOut.model_validate(shown).model_dump_json()
