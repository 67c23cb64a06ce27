"""REST of stock over time: the card of an item, and what was where, now or at the end of a past day."""

import base64
import binascii
import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from central.context import Here
from central.identity.access import ANYONE, Principal
from central.listing import END, Limit, Page
from central.moment import Day, Moment, milliseconds
from central.problems import Refusal, documented, refused
from contracts.ids import PATTERN

router = APIRouter(prefix="/v1", tags=["stock"])
_MOST = 2**62
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


class Move(BaseModel):
    """One row of the ledger, and what the whole floor held of the item after it."""

    seq: int
    at: datetime
    from_place: str
    to_place: str
    qty: int
    change: int = Field(description="What it changed of the item's total: 0 for a move within the floor")
    balance: int = Field(description="Total of the item after it")
    reason: str
    task: str | None
    order_id: str | None
    line: int | None
    actor: str
    key: str
    reverses: int | None = Field(description="The move that this one undoes")


class StockThen(BaseModel):
    """So much of an item in one place; what is reserved is known of now only."""

    item: str
    place: str
    lot: str
    owner: str
    status: str = Field(description="ok | quality | hold | damaged")
    qty: int
    reserved: int | None = None
    doubt: bool | None = None


_CARD = """
SELECT l.seq, l.at, l.a AS from_place, l.b AS to_place, l.qty, l.reason, l.task, l.order_id, l.line, l.actor, l.key,
       l.reverses, i.total,
       CASE WHEN f.kind = 'virtual' THEN l.qty ELSE 0 END - CASE WHEN t.kind = 'virtual' THEN l.qty ELSE 0 END AS change
FROM (SELECT i.id, (SELECT COALESCE(sum(s.qty), 0) FROM stock s WHERE s.item = i.id AND s.live)::bigint AS total
      FROM item i WHERE i.id = $1 AND ($5 = '' OR i.owner = $5)) AS i
LEFT JOIN LATERAL (SELECT * FROM ledger x WHERE x.item = i.id AND (x.at, x.seq) < ($2, $3)
                   ORDER BY x.at DESC, x.seq DESC LIMIT $4) AS l ON true
LEFT JOIN place f ON f.code = l.a LEFT JOIN place t ON t.code = l.b
ORDER BY l.at DESC, l.seq DESC
"""


@router.get("/items/{item_id}/card", response_model=Page[Move], responses=documented(404))
async def get_card(
    item_id: Annotated[str, Path(pattern=PATTERN)],
    here: Here,
    limit: Limit = 100,
    cursor: Annotated[str | None, Query(max_length=300, description="`next` of the page before")] = None,
    who: Principal = ANYONE,
) -> dict[str, Any]:
    """Show every move of an item, the newest first, each with the balance after it."""
    at, seq, balance = END[0], _MOST, None
    if cursor is not None:
        packed = _unpack(cursor, 3)
        try:
            at, seq, balance = _EARLIEST + timedelta(microseconds=int(packed[0])), int(packed[1]), int(packed[2])
        except (ValueError, TypeError, OverflowError) as e:
            raise refused("cursor", cursor, "a cursor that a page before has given") from e
        if not 0 <= seq <= _MOST:
            raise refused("cursor", cursor, "a cursor that a page before has given")
    rows = await here.database.read(_CARD, item_id, at, seq, limit, who.owner)
    if not rows:
        raise Refusal(404, f"item: {item_id!r} is not known")
    moves = []
    left = rows[0]["total"] if balance is None else balance
    for r in rows:
        if r["seq"] is None:
            break
        moves.append(dict(r) | {"balance": left})
        left -= r["change"]
    following = None
    if len(moves) == limit:
        following = _pack(
            [milliseconds(rows[-1]["at"]) * 1000 + rows[-1]["at"].microsecond % 1000, rows[-1]["seq"], left]
        )
    return {"items": moves, "next": following}


_NOW = """
SELECT s.item, s.place, s.lot, s.owner, s.status, s.qty, s.reserved, s.doubt FROM stock s JOIN item i ON i.id = s.item
WHERE s.live AND (s.item, s.place, s.lot, s.owner, s.status) > ($1, $2, $3, $4, $5)
  AND ($6::text IS NULL OR s.item = $6) AND ($7::text IS NULL OR s.place = $7) AND ($8::text IS NULL OR s.status = $8)
  AND ($9::text IS NULL OR s.lot = $9) AND ($10 = '' OR i.owner = $10)
ORDER BY s.item, s.place, s.lot, s.owner, s.status LIMIT $11
"""
_PAGE = "SELECT * FROM stock_page($1, $2, $3, $4, $5, $6, $7, $8, $9)"
_THEN = """
SELECT s.* FROM stock_as_of($6, $7) AS s JOIN item i ON i.id = s.item
WHERE (s.item, s.place, s.lot, s.owner, s.status) > ($1, $2, $3, $4, $5) AND ($8::text IS NULL OR s.place = $8)
  AND ($9::text IS NULL OR s.status = $9) AND ($10::text IS NULL OR s.lot = $10) AND ($11 = '' OR i.owner = $11)
ORDER BY s.item, s.place, s.lot, s.owner, s.status LIMIT $12
"""


@router.get("/stock", response_model=Page[StockThen], responses=documented())
async def list_stock(
    here: Here,
    as_of: Annotated[
        Day | Moment | None, Query(description="A moment, or a day (its end, UTC); now when absent")
    ] = None,
    item: Annotated[str | None, Query(pattern=PATTERN, description="Only this item")] = None,
    place: Annotated[str | None, Query(pattern=PATTERN, description="Only this place")] = None,
    status: Annotated[
        Literal["ok", "quality", "hold", "damaged"] | None, Query(description="Only pieces of this status")
    ] = None,
    lot: Annotated[str | None, Query(max_length=100, description="Only pieces of this lot")] = None,
    limit: Limit = 100,
    cursor: Annotated[str | None, Query(max_length=1_000, description="`next` of the page before")] = None,
    who: Principal = ANYONE,
) -> dict[str, Any]:
    """List what is where, by item, place and status: now, or as it was at the end of a past day."""
    after = _unpack(cursor, 5) if cursor is not None else [""] * 5
    if not all(isinstance(x, str) and "\x00" not in x for x in after):
        raise refused("cursor", cursor, "a cursor that a page before has given")
    if as_of is None:
        rows = await here.database.read(_NOW, *after, item, place, status, lot, who.owner, limit)
    elif item is None and place is None and lot is None:
        rows = await here.database.read(_PAGE, _moment(as_of), *after, who.owner, status, limit)
    else:
        rows = await here.database.read(_THEN, *after, _moment(as_of), item, place, status, lot, who.owner, limit)
    following = None
    if len(rows) == limit:
        last = rows[-1]
        following = _pack([last["item"], last["place"], last["lot"], last["owner"], last["status"]])
    return {"items": [dict(r) for r in rows], "next": following}


def _moment(as_of: datetime | date) -> datetime:
    return as_of if isinstance(as_of, datetime) else datetime.combine(as_of, time.max, UTC)


def _pack(values: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode()


def _unpack(cursor: str, count: int) -> list[Any]:
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor))
    except (ValueError, binascii.Error) as e:
        raise refused("cursor", cursor, "a cursor that a page before has given") from e
    if not isinstance(values, list) or len(values) != count:
        raise refused("cursor", cursor, "a cursor that a page before has given")
    return values
