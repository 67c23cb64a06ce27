"""REST of doors: who may stand at which, when. That no two do at a time is the database's own rule."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import asyncpg
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from central.context import Context, Correlation, Here
from central.database import Connection
from central.idempotency import IdempotencyKey, once
from central.identity.access import ANYONE, ERP, Principal, Role, allowed
from central.identity.audit import AUDIT
from central.moment import Day, Moment, moment
from central.preconditions import IfMatch, check, tag
from central.problems import Refusal, documented, refused
from central.reason import Reason
from contracts.ids import PATTERN

router = APIRouter(prefix="/v1", tags=["docks"])
GATE = Depends(allowed(Role.OPERATOR, Role.SUPERVISOR, house=True))
_LONGEST = timedelta(days=2)
_MOST_DAYS = 31
Short = Annotated[str, Field(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]


class AppointmentIn(BaseModel):
    """When a vehicle comes to the door."""

    model_config = ConfigDict(
        populate_by_name=True,
        json_schema_extra={
            "examples": [{"from": "2013-12-02T09:00:00Z", "to": "2013-12-02T09:45:00Z", "carrier": "acme-lines"}]
        },
    )

    begin: Moment = Field(alias="from")
    end: Moment = Field(alias="to", description="Not part of it: the next one may come then")
    direction: Literal["in", "out"] = "in"
    asn: str | None = Field(None, max_length=64, description="The ASN that it brings")
    carrier: Short = ""
    vehicle: Short = Field("", description="Number plate, or what else it is known by")

    @field_validator("end")
    @classmethod
    def _after(cls, end: datetime, info: ValidationInfo) -> datetime:
        begin = info.data.get("begin")
        if begin is not None and not timedelta(0) < end - begin <= _LONGEST:
            raise ValueError("after `from`, and at most two days")
        return end


class AppointmentChange(BaseModel):
    """What should be different; what is absent stays."""

    model_config = ConfigDict(populate_by_name=True)

    begin: Moment | None = Field(None, alias="from", examples=["2026-12-02T10:00:00Z"])
    end: Moment | None = Field(None, alias="to", examples=["2026-12-02T10:45:00Z"])
    dock: str | None = Field(None, pattern=PATTERN, description="Another door")
    carrier: Short | None = None
    vehicle: Short | None = None
    reason: str = Field("", max_length=500, pattern=r"^[^\x00]*$", description="It is kept")


class Appointment(BaseModel):
    """A vehicle's time at a door."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    id: str
    dock: str
    begin: datetime = Field(alias="from")
    end: datetime = Field(alias="to")
    direction: str
    state: str = Field(description="booked | arrived | left | cancelled")
    asn: str | None
    carrier: str
    vehicle: str
    owner: str
    booked_by: str
    booked_at: datetime
    arrived_at: datetime | None
    left_at: datetime | None


class Dock(BaseModel):
    """A door, and who stands there now."""

    code: str
    zone: str | None
    at_door: str | None = Field(description="The appointment of whoever stands there")


_SHOWN = "SELECT p.*, lower(p.during) AS begin, upper(p.during) AS end FROM appointment p "
_FIELDS = ("dock", "begin", "end", "direction", "state", "asn", "carrier", "vehicle")
_ID = Annotated[str, Path(max_length=64)]


def _tag(row: Any) -> str:
    return tag(*(row[f] for f in _FIELDS))


@router.get("/docks", response_model=list[Dock], responses=documented())
async def list_docks(here: Here, who: Principal = ANYONE) -> list[dict[str, Any]]:
    """List the doors (places of the kind `dock`)."""
    rows = await here.database.read(
        "SELECT d.code, d.zone, (SELECT p.id FROM appointment p WHERE p.dock = d.code AND p.state = 'arrived'"
        " ORDER BY lower(p.during) DESC LIMIT 1) AS at_door FROM place d WHERE d.kind = 'dock' ORDER BY d.way, d.code"
    )
    return [dict(r) | ({"at_door": None} if who.owner else {}) for r in rows]


@router.post(
    "/docks/{dock}/appointments",
    status_code=201,
    response_model=Appointment,
    responses=documented(400, 404, 409),
    summary="Book a door",
)
async def book(
    dock: Annotated[str, Path(pattern=PATTERN)],
    body: AppointmentIn,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    who: Principal = ERP,
) -> Response:
    """Book a door for a time. 409 names the appointment that is in the way; no two overlap, whoever asks at once."""
    at = moment(here.clock.now_ms())
    name = "D-" + hashlib.sha256(f"{who.name}\n{idempotency_key}\n{at.isoformat()}".encode()).hexdigest()[:12]

    async def work(connection: Connection) -> str:
        await _need_dock(connection, dock, "dock", status=404)
        owner = who.owner
        if body.asn is not None:
            row = await connection.fetchrow(
                "SELECT state, owner FROM asn WHERE id = $1 AND ($2 = '' OR owner = $2)", body.asn, who.owner
            )
            if row is None:
                raise refused("asn", body.asn, "a known ASN")
            if row["state"] not in {"expected", "arrived"}:
                raise refused("asn", body.asn, f"an ASN that is open: it is {row['state']}", status=409)
            owner = row["owner"]
        await connection.execute(
            "INSERT INTO appointment (id, dock, direction, during, asn, carrier, vehicle, owner, booked_by, booked_at)"
            " VALUES ($1, $2, $3, tstzrange($4, $5), $6, $7, $8, $9, $10, $11)",
            name, dock, body.direction, body.begin, body.end, body.asn, body.carrier, body.vehicle, owner, who.name, at,
        )  # fmt: skip
        await _say(connection, "booked", name, at, who.name, "")
        await connection.execute(AUDIT, at, who.name, who.role, "dock.book", name, "", correlation, None)
        row = await connection.fetchrow(_SHOWN + "WHERE p.id = $1", name)
        return Appointment.model_validate(dict(row)).model_dump_json(by_alias=True)

    what = f"POST /v1/docks/{dock}/appointments"
    try:
        return await once(here.database, who.name, idempotency_key, what, body.model_dump_json(), at, 201, work)
    except asyncpg.ExclusionViolationError as e:
        raise await _occupied(here, dock, body.begin, body.end, name, who) from e


async def _need_dock(connection: Connection, dock: str, field: str, status: int) -> None:
    if await connection.fetchval("SELECT kind FROM place WHERE code = $1", dock) != "dock":
        if status == 404:
            raise Refusal(404, f"dock: {dock!r} is not known")
        raise refused(field, dock, "a door (a place of the kind dock)", status=status)


async def _occupied(here: Context, dock: str, begin: datetime, end: datetime, name: str, who: Principal) -> Refusal:
    rows = await here.database.read(
        _SHOWN + "WHERE p.dock = $1 AND p.during && tstzrange($2, $3) AND p.state <> 'cancelled' AND p.id <> $4"
        " ORDER BY lower(p.during) LIMIT 1",
        dock, begin, end, name,
    )  # fmt: skip
    if not rows:
        return Refusal(409, f"dock: {dock} was taken a moment ago by another request; send it again")
    other = rows[0]
    mine = who.owner in {"", other["owner"]}
    named = f"appointment {other['id']}" if mine else "another appointment"
    bound = f"a time when {dock} is free: {named} has it from {_iso(other['begin'])} to {_iso(other['end'])}"
    return refused("from", _iso(begin), bound, status=409)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


async def _say(connection: Connection, what: str, name: str, at: datetime, who: str, reason: str) -> None:
    await connection.execute(
        "SELECT emit('floorplane.dock.' || $2, p.id, $3, jsonb_build_object('dock', p.dock, 'from', lower(p.during),"
        " 'to', upper(p.during), 'direction', p.direction, 'asn', p.asn, 'carrier', p.carrier, 'vehicle', p.vehicle,"
        " 'who', $4::text, 'reason', $5::text)) FROM appointment p WHERE p.id = $1",
        name, what, at, who, reason,
    )  # fmt: skip


@router.get("/appointments", response_model=list[Appointment], responses=documented())
async def list_appointments(
    request: Request,
    response: Response,
    here: Here,
    day: Annotated[Day | None, Query(description="Only what touches this day (UTC)")] = None,
    days: Annotated[int, Query(ge=1, le=_MOST_DAYS, description="So many days from `day`")] = 1,
    dock: Annotated[str | None, Query(max_length=64, description="Only of this door")] = None,
    state: Annotated[str | None, Query(max_length=20, description="Only in this state")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="Most rows of a page")] = 500,
    cursor: Annotated[str | None, Query(max_length=64, description="Of the `Link` of the page before")] = None,
    who: Principal = ANYONE,
) -> list[dict[str, Any]]:
    """List appointments by door and time, of one day or several; all that is to come when `day` is absent.

    A full page has a `Link` with `rel=next`.
    """
    begin = moment(here.clock.now_ms()) if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)
    end = begin + timedelta(days=days if day is not None else 366)
    rows = await here.database.read(
        f"{_SHOWN}WHERE p.during && tstzrange($1, $2) AND ($3::text IS NULL OR p.dock = $3)"  # noqa: S608 - a constant
        " AND ($4::text IS NULL OR p.state = $4) AND ($5 = '' OR p.owner = $5) AND ($7::text IS NULL"
        " OR (p.dock, lower(p.during), p.id) >"
        " (SELECT x.dock, lower(x.during), x.id FROM appointment x WHERE x.id = $7))"
        " ORDER BY p.dock, lower(p.during), p.id LIMIT $6",
        begin, end, dock, state, who.owner, limit, cursor,
    )  # fmt: skip
    if len(rows) == limit:
        response.headers["Link"] = f'<{request.url.include_query_params(cursor=rows[-1]["id"])}>; rel="next"'
    return [dict(r) for r in rows]


@router.get("/appointments/{name}", response_model=Appointment, responses=documented(404))
async def get_appointment(name: _ID, response: Response, here: Here, who: Principal = ANYONE) -> dict[str, Any]:
    """Show an appointment."""
    rows = await here.database.read(_SHOWN + "WHERE p.id = $1 AND ($2 = '' OR p.owner = $2)", name, who.owner)
    if not rows:
        raise Refusal(404, f"appointment: {name!r} is not known")
    response.headers["ETag"] = f'"{_tag(rows[0])}"'
    return dict(rows[0])


async def _hold(connection: Connection, name: str, who: Principal, if_match: str | None, *, needed: bool) -> Any:
    row = await connection.fetchrow(
        _SHOWN + "WHERE p.id = $1 AND ($2 = '' OR p.owner = $2) FOR UPDATE", name, who.owner
    )
    if row is None:
        raise Refusal(404, f"appointment: {name!r} is not known")
    check(if_match, _tag(row), needed=needed)
    return row


@router.patch(
    "/appointments/{name}", response_model=Appointment, responses=documented(400, 404, 409, 412, 428)
)  # fmt: skip
async def move_appointment(
    name: _ID,
    body: AppointmentChange,
    response: Response,
    here: Here,
    correlation: Correlation,
    if_match: IfMatch = None,
    who: Principal = ERP,
) -> dict[str, Any]:
    """Move an appointment to another time or door, where that is free."""
    at = moment(here.clock.now_ms())
    tried: list[tuple[str, datetime, datetime]] = []

    async def work(connection: Connection) -> dict[str, Any]:
        row = await _hold(connection, name, who, if_match, needed=True)
        if row["state"] not in {"booked", "arrived"}:
            raise Refusal(409, f"appointment: {name} is {row['state']} already")
        begin, end = body.begin or row["begin"], body.end or row["end"]
        if not timedelta(0) < end - begin <= _LONGEST:
            raise refused("to", _iso(end), "after `from`, and at most two days")
        dock = body.dock or row["dock"]
        await _need_dock(connection, dock, "dock", status=422)
        tried[:] = [(dock, begin, end)]
        await connection.execute(
            "UPDATE appointment SET dock = $2, during = tstzrange($3, $4), carrier = COALESCE($5, carrier),"
            " vehicle = COALESCE($6, vehicle) WHERE id = $1",
            name, dock, begin, end, body.carrier, body.vehicle,
        )  # fmt: skip
        await _say(connection, "moved", name, at, who.name, body.reason)
        await connection.execute(AUDIT, at, who.name, who.role, "dock.move", name, body.reason, correlation, None)
        return dict(await connection.fetchrow(_SHOWN + "WHERE p.id = $1", name))

    try:
        kept = await here.database.unit(work)
    except asyncpg.ExclusionViolationError as e:
        raise await _occupied(here, *tried[0], name, who) from e
    response.headers["ETag"] = f'"{_tag(kept)}"'
    return kept


async def _step(
    here: Context, name: str, body: Reason, who: Principal, correlation: str, key: str, if_match: str | None, to: str
) -> Response:
    at = moment(here.clock.now_ms())
    before = {"arrived": "booked", "left": "arrived", "cancelled": "booked"}[to]

    async def work(connection: Connection) -> str:
        row = await _hold(connection, name, who, if_match, needed=False)
        if row["state"] != before:
            raise Refusal(409, f"appointment: {name} is {row['state']}; only what is {before} can be {to}")
        # who leaves early leaves the door free for the next
        await connection.execute(
            "UPDATE appointment SET state = $2, arrived_at = CASE WHEN $2 = 'arrived' THEN $3 ELSE arrived_at END,"
            " left_at = CASE WHEN $2 = 'left' THEN $3 ELSE left_at END,"
            " during = CASE WHEN $2 = 'left' AND $3 > lower(during) AND $3 < upper(during)"
            " THEN tstzrange(lower(during), $3) ELSE during END WHERE id = $1",
            name, to, at,
        )  # fmt: skip
        await _say(connection, to, name, at, who.name, body.reason)
        await connection.execute(AUDIT, at, who.name, who.role, f"dock.{to}", name, body.reason, correlation, None)
        row = await connection.fetchrow(_SHOWN + "WHERE p.id = $1", name)
        return Appointment.model_validate(dict(row)).model_dump_json(by_alias=True)

    what = f"POST /v1/appointments/{name}/{to}"
    return await once(here.database, who.name, key, what, body.model_dump_json(), at, 200, work)


@router.post("/appointments/{name}/arrive", response_model=Appointment, responses=documented(400, 404, 409, 412))
async def arrive(
    name: _ID,
    body: Reason,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    if_match: IfMatch = None,
    who: Principal = GATE,
) -> Response:
    """Say that the vehicle stands at the door."""
    return await _step(here, name, body, who, correlation, idempotency_key, if_match, "arrived")


@router.post("/appointments/{name}/leave", response_model=Appointment, responses=documented(400, 404, 409, 412))
async def leave(
    name: _ID,
    body: Reason,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    if_match: IfMatch = None,
    who: Principal = GATE,
) -> Response:
    """Say that the vehicle has left; the rest of its time at the door is free."""
    return await _step(here, name, body, who, correlation, idempotency_key, if_match, "left")


@router.post("/appointments/{name}/cancel", response_model=Appointment, responses=documented(400, 404, 409, 412))
async def cancel(
    name: _ID,
    body: Reason,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    if_match: IfMatch = None,
    who: Principal = ERP,
) -> Response:
    """Give an appointment up."""
    return await _step(here, name, body, who, correlation, idempotency_key, if_match, "cancelled")
