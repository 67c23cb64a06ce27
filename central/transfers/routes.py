"""REST of transfers between sites. Each keeps its half: what one has sent is announced to the other."""

from datetime import datetime
from typing import Annotated, Any, Literal

import asyncpg
import msgspec
from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from central.context import Correlation, Here
from central.database import Connection
from central.idempotency import IdempotencyKey, once
from central.identity.access import ANYONE, ERP, Principal, Role, allowed
from central.identity.audit import AUDIT
from central.listing import Cursor, Limit, Page, following, turn
from central.moment import moment
from central.orders.model import MOST_LINES, Name, Owner
from central.preconditions import IfMatch, check
from central.problems import FieldError, Refusal, documented, refused
from central.reason import Overrule, Reason
from contracts.ids import PATTERN, identifier

router = APIRouter(prefix="/v1/transfers", tags=["transfers"])
DOCK = Depends(allowed(Role.OPERATOR, Role.SUPERVISOR, Role.DEVICE, house=True))
TransferId = Annotated[str, Path(pattern=PATTERN)]
Lot = Annotated[str, Field(max_length=64, pattern=r"^[\x20-\x7e]*$")]
State = Literal["open", "sent", "received", "closed", "cancelled"]


class TransferLineIn(BaseModel):
    """Pieces that go to the other site, or come from it."""

    line: int = Field(ge=1, le=1_000_000, strict=True)
    item: str = Field(pattern=PATTERN)
    lot: Lot = ""
    qty: int = Field(ge=1, le=1_000_000, strict=True)
    place: str | None = Field(None, pattern=PATTERN, description="Sent from there; else from wherever it is free")


class TransferIn(BaseModel):
    """A transfer as one of the two sites knows it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "ref": "UML-7",
                    "way": "out",
                    "other_site": "north",
                    "lines": [{"line": 1, "item": "part04ef2f7", "qty": 20}],
                }
            ]
        }
    )

    ref: Name = Field(description="The same at both sites")
    way: Literal["out", "in"] = Field(description="out: goods leave this site; in: the other site has sent them")
    other_site: str = Field(pattern=PATTERN)
    owner: Owner | None = Field(None, description="Whose goods; the token's owner when absent")
    reason: str = Field("", max_length=500, pattern=r"^[^\x00]*$")
    lines: list[TransferLineIn] = Field(min_length=1, max_length=MOST_LINES)


class TransferLine(BaseModel):
    """A line, and how much of it is where."""

    line: int
    item: str
    lot: str
    qty: int
    sent: int
    received: int
    place: str | None


class Transfer(BaseModel):
    """A transfer in a list."""

    id: str
    way: str
    ref: str
    other_site: str
    owner: str
    state: State
    reason: str
    made_by: str
    made_at: datetime
    sent_at: datetime | None
    closed_at: datetime | None


class TransferDetail(Transfer):
    """A transfer with its lines."""

    lines: list[TransferLine]


class Came(BaseModel):
    """Pieces of a line that have come."""

    line: int = Field(ge=1, le=1_000_000, strict=True)
    qty: int = Field(ge=1, le=1_000_000, strict=True)
    status: Literal["ok", "quality", "hold", "damaged"] = "ok"


class ReceiptIn(BaseModel):
    """What came, and where it was put."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"place": "returns", "lines": [{"line": 1, "qty": 19}]}]})

    place: str = Field(pattern=PATTERN)
    lines: list[Came] = Field(min_length=1, max_length=MOST_LINES)
    overrule: Overrule = ""


class Told(BaseModel):
    """How much of a line the other site has received."""

    line: int = Field(ge=1, le=1_000_000, strict=True)
    received: int = Field(ge=0, le=1_000_000, strict=True)


class CloseIn(Reason):
    """Why it is closed; of an outgoing one also what the other site has received, by line."""

    received: list[Told] = Field(default_factory=list, max_length=MOST_LINES)


_LIST = (
    "SELECT t.id, t.way, t.ref, t.other_site, t.owner, t.state, t.reason, t.made_by, t.made_at, t.sent_at, t.closed_at"
    " FROM transfer t"
)
_BOUNDS = {"item": "a stock item of the transfer's owner", "place": "a place for goods"}


@router.get("", response_model=Page[Transfer], responses=documented())
async def list_transfers(
    here: Here,
    state: Annotated[State | None, Query(description="Only in this state")] = None,
    way: Annotated[Literal["out", "in"] | None, Query(description="Only this way")] = None,
    newest: Annotated[bool, Query(description="The newest first")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
    who: Principal = ANYONE,
) -> dict[str, Any]:
    """List transfers."""
    at, name, past, direction = turn(cursor, newest=newest)
    rows = await here.database.read(
        f"{_LIST} WHERE (made_at, id) {past} ($1, $2) AND ($3::text IS NULL OR state = $3)"
        f" AND ($4::text IS NULL OR way = $4) AND ($5 = '' OR owner = $5)"
        f" ORDER BY made_at {direction}, id {direction} LIMIT $6",
        at, name, state, way, who.owner, limit,
    )  # fmt: skip
    return {"items": [dict(r) for r in rows], "next": following(rows, limit, "made_at")}


@router.post("", status_code=201, response_model=TransferDetail, responses=documented(400, 409))
async def open_transfer(
    body: TransferIn, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey, who: Principal = ERP
) -> Response:
    """Open a transfer: goods that shall leave, or that the other site has sent (its `sent` are the `qty` here)."""
    at = moment(here.clock.now_ms())
    owner = body.owner if body.owner is not None else who.owner
    if who.owner and owner != who.owner:
        raise refused("owner", owner, f"{who.owner}, whose token this is")
    numbers = [x.line for x in body.lines]
    for n, line in enumerate(body.lines):
        if numbers.index(line.line) != n:
            raise refused(f"lines/{n}/line", line.line, "a number that no other line of the transfer has")
    if body.other_site == here.site.id:
        raise refused("other_site", body.other_site, "another site than this one")

    async def work(connection: Connection) -> str:
        name = identifier(f"{body.way}-{body.other_site}-{body.ref}")
        lines = msgspec.json.encode([{"n": n, **x.model_dump()} for n, x in enumerate(body.lines)]).decode()
        try:
            rows = await connection.fetch(
                "SELECT * FROM open_transfer($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb)",
                name, body.way, body.ref, body.other_site, owner, body.reason, at, who.name, lines,
            )  # fmt: skip
        except asyncpg.UniqueViolationError as e:
            raise refused("ref", body.ref, "a ref that no other transfer of this way and site has", status=409) from e
        errors = [
            FieldError(
                field=f"lines/{r['n']}/{r['field']}",
                value=getattr(body.lines[r["n"]], r["field"]),
                bound=_BOUNDS[r["field"]],
            )
            for r in rows
        ]
        if errors:
            raise Refusal(422, f"{errors[0].field}: {errors[0].value!r} is not {errors[0].bound}", errors)
        await connection.execute(AUDIT, at, who.name, who.role, "transfer.open", name, body.reason, correlation, None)
        return await _shown(connection, name, "")

    what = "POST /v1/transfers"
    return await once(here.database, who.name, idempotency_key, what, body.model_dump_json(), at, 201, work)


@router.get("/{transfer_id}", responses=documented(404))
async def get_transfer(
    transfer_id: TransferId, here: Here, response: Response, who: Principal = ANYONE
) -> TransferDetail:
    """Show a transfer with its lines."""

    async def work(connection: Connection) -> tuple[TransferDetail, str]:
        shown = await _detail(connection, transfer_id, who.owner)
        return shown, await connection.fetchval("SELECT transfer_tag($1)", transfer_id)

    shown, tag = await here.database.unit(work)
    response.headers["ETag"] = f'"{tag}"'
    return shown


@router.post("/{transfer_id}/send", response_model=TransferDetail, responses=documented(400, 404, 409, 412))
async def send(
    transfer_id: TransferId, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey,
    if_match: IfMatch = None, who: Principal = DOCK,
) -> Response:  # fmt: skip
    """Say that it has left: all of it, or nothing (409 names the line that lacks pieces)."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        await _hold(connection, transfer_id, who.owner, if_match)
        row = await connection.fetchrow("SELECT * FROM send_transfer($1, $2, $3)", transfer_id, at, who.name)
        if row["outcome"] == "too little":
            raise Refusal(
                409, f"transfer: of line {row['line']} only {row['held']} pieces are there that are not reserved"
            )
        if row["outcome"] != "sent":
            raise Refusal(409, f"transfer: {transfer_id} {row['outcome']}")
        await connection.execute(AUDIT, at, who.name, who.role, "transfer.send", transfer_id, "", correlation, None)
        return await _shown(connection, transfer_id, "")

    what = f"POST /v1/transfers/{transfer_id}/send"
    return await once(here.database, who.name, idempotency_key, what, "", at, 200, work)


@router.post("/{transfer_id}/receipts", response_model=TransferDetail, responses=documented(400, 404, 409))
async def receive(
    transfer_id: TransferId, body: ReceiptIn, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey,
    who: Principal = DOCK,
) -> Response:  # fmt: skip
    """Say what has come out of transit; more or less than was sent is the difference that is told at the end."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        await _hold(connection, transfer_id, who.owner, None)
        await connection.execute("SELECT overrule($1)", body.overrule)
        for n, line in enumerate(body.lines):
            said = await connection.fetchval(
                "SELECT receive_transfer($1, $2, $3, $4, $5, $6, $7, $8)",
                transfer_id, line.line, line.qty, body.place, line.status, at, who.name,
                f"{who.name}/{idempotency_key}/{n}",
            )  # fmt: skip
            if said == "unknown line":
                raise refused(f"lines/{n}/line", line.line, "a line of the transfer")
            if said == "unknown place":
                raise refused("place", body.place, "a place for goods")
            if said.startswith("no room"):
                raise refused("place", body.place, f"one with room: {said}", status=409)
            if said != "received":
                raise Refusal(409, f"transfer: {transfer_id} {said}")
        await connection.execute(AUDIT, at, who.name, who.role, "transfer.receive", transfer_id, "", correlation, None)
        return await _shown(connection, transfer_id, "")

    what = f"POST /v1/transfers/{transfer_id}/receipts"
    return await once(here.database, who.name, idempotency_key, what, body.model_dump_json(), at, 200, work)


@router.post("/{transfer_id}/close", response_model=TransferDetail, responses=documented(400, 404, 409, 412))
async def close(
    transfer_id: TransferId, body: CloseIn, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey,
    if_match: IfMatch = None, who: Principal = ERP,
) -> Response:  # fmt: skip
    """End a transfer. The sender books what was lost or found on the way, so that nothing stays in transit."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        await _hold(connection, transfer_id, who.owner, if_match)
        told = msgspec.json.encode([x.model_dump() for x in body.received]).decode()
        row = await connection.fetchrow(
            "SELECT * FROM close_transfer($1, $2, $3, $4, $5::jsonb)", transfer_id, at, who.name, body.reason, told
        )
        if row["outcome"] == "unknown line":
            raise refused("received", row["line"], "a line of the transfer")
        if row["outcome"] != "closed":
            raise Refusal(409, f"transfer: {transfer_id} {row['outcome']}")
        await connection.execute(
            AUDIT, at, who.name, who.role, "transfer.close", transfer_id, body.reason, correlation, told
        )
        return await _shown(connection, transfer_id, "")

    what = f"POST /v1/transfers/{transfer_id}/close"
    return await once(here.database, who.name, idempotency_key, what, body.model_dump_json(), at, 200, work)


@router.post("/{transfer_id}/cancel", response_model=TransferDetail, responses=documented(400, 404, 409, 412))
async def cancel(
    transfer_id: TransferId, body: Reason, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey,
    if_match: IfMatch = None, who: Principal = ERP,
) -> Response:  # fmt: skip
    """Undo a transfer of which nothing was received: what has left comes back by rows that point back."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        await _hold(connection, transfer_id, who.owner, if_match)
        said = await connection.fetchval(
            "SELECT cancel_transfer($1, $2, $3, $4)", transfer_id, at, who.name, body.reason
        )
        if said != "cancelled":
            raise Refusal(409, f"transfer: {transfer_id} {said}")
        await connection.execute(
            AUDIT, at, who.name, who.role, "transfer.cancel", transfer_id, body.reason, correlation, None
        )
        return await _shown(connection, transfer_id, "")

    what = f"POST /v1/transfers/{transfer_id}/cancel"
    return await once(here.database, who.name, idempotency_key, what, body.model_dump_json(), at, 200, work)


async def _hold(connection: Connection, transfer_id: str, owner: str, if_match: str | None) -> None:
    if not await connection.fetchval(
        "SELECT true FROM transfer WHERE id = $1 AND ($2 = '' OR owner = $2) FOR UPDATE", transfer_id, owner
    ):
        raise Refusal(404, f"transfer: {transfer_id!r} is not known")
    check(if_match, await connection.fetchval("SELECT transfer_tag($1)", transfer_id), needed=False)


async def _shown(connection: Connection, transfer_id: str, owner: str) -> str:
    return (await _detail(connection, transfer_id, owner)).model_dump_json()


async def _detail(connection: Connection, transfer_id: str, owner: str) -> TransferDetail:
    row = await connection.fetchrow(f"{_LIST} WHERE t.id = $1 AND ($2 = '' OR t.owner = $2)", transfer_id, owner)
    if row is None:
        raise Refusal(404, f"transfer: {transfer_id!r} is not known")
    rows = await connection.fetch("SELECT * FROM transfer_line WHERE transfer = $1 ORDER BY line", transfer_id)
    lines = [TransferLine(**{k: x[k] for k in TransferLine.model_fields}) for x in rows]
    return TransferDetail(**dict(row), lines=lines)
