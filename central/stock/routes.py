"""REST of stock: where an item is, and booking it in, out and right."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from central.context import Correlation, Here
from central.idempotency import IdempotencyKey
from central.identity.access import ANYONE, ERP, Principal
from central.identity.audit import AUDIT
from central.masterdata.items import CHUNK
from central.masterdata.ndjson import MEDIA_TYPE, RESULTS, LineResult, lines_of, take_lines, write_results
from central.moment import moment
from central.problems import FieldError, Refusal, documented
from central.reason import Overrule
from contracts.ids import PATTERN

router = APIRouter(prefix="/v1", tags=["stock"])


class BookingIn(BaseModel):
    """So many pieces into a bin (above 0) or out of it (below 0)."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"place": "P0001-1-2", "item": "part4d4c799", "qty": 12, "reason": "opening"}]}
    )

    place: str = Field(pattern=PATTERN, description="A bin, a shelf, a lane, a handling unit")
    item: str = Field(pattern=PATTERN)
    lot: str = Field("", max_length=100, pattern=r"^[\x20-\x7e]*$", description="Of the pieces, where they have one")
    status: Literal["ok", "quality", "hold", "damaged"] = Field("ok", description="Of the pieces; orders get `ok` only")
    reason: str = Field(
        min_length=1, max_length=40, pattern=r"^[a-z][a-z_]*$", description="opening, count, damage, scrap, found, …"
    )
    qty: int = Field(
        ge=-1_000_000, le=1_000_000, strict=True, description="Pieces; 0 only for a count that found no difference"
    )
    overrule: Overrule = ""
    key: str | None = Field(
        None, min_length=1, max_length=100, pattern=r"^[\x21-\x7e]+$", description="Posts once; by default of the line"
    )

    @field_validator("qty")
    @classmethod
    def _something(cls, qty: int, info: ValidationInfo) -> int:
        if qty == 0 and info.data.get("reason") != "count":
            raise ValueError("a number other than 0, unless it is a count that found no difference")
        return qty


class StockRow(BaseModel):
    """So much of an item in one place."""

    place: str
    kind: str = Field(description="bin | tote | shelf | staging | unit")
    pod: str | None = Field(description="The pod of the bin, the chute of the tote, where the unit stands")
    lot: str
    qty: int
    reserved: int
    status: str
    doubt: bool = Field(description="Not given to orders until it has been counted")


class ItemStock(BaseModel):
    """All of an item."""

    item: str
    qty: int = Field(description="Pieces in bins")
    reserved: int = Field(description="Of those in bins")
    available: int = Field(description="What a new order could get: of bins, and of shelves where people pick")
    rows: list[StockRow]


_REFUSED = {
    "unknown place": ("place", "a bin, a shelf, a lane or a handling unit of the site"),
    "unknown item": ("item", "an item of the item master"),
    "service item": ("item", "an item that is kept in stock"),
    "too much": ("qty", "small enough for a bin that holds {held} pieces"),
    "another": ("key", "a key that no other booking has"),
    "too little": ("qty", "at least -{held}: no more is there that is not reserved"),
}


@router.post(
    "/stock:bulk",
    response_class=Response,
    responses=documented(413) | {200: RESULTS},
    openapi_extra={"requestBody": lines_of(BookingIn)},
)
async def bulk_stock(
    request: Request, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey, who: Principal = ERP
) -> Response:
    """Book opening stock, adjustments and counts; each line by itself, and the same line once.

    What comes in needs room in its place; what was counted is the truth, and where it breaks a limit an alarm says so.

    What moves more than the limit of one person waits as `pending` for a second one (`/v1/adjustments`). A line is
    known by its `key`, else by the Idempotency-Key and its number, so that the request may be sent again.
    """
    at = moment(here.clock.now_ms())

    async def take(chunk: list[tuple[int, BookingIn]]) -> list[LineResult]:
        lines = [
            {
                "n": n,
                "place": b.place,
                "item": b.item,
                "lot": b.lot,
                "status": b.status,
                "overrule": b.overrule,
                "qty": b.qty,
                "reason": b.reason,
                "key": f"book/{who.name}/{b.key}" if b.key else f"book/{who.name}/{idempotency_key}/{n}",
            }
            for n, b in chunk
        ]
        rows = await here.database.write(
            "SELECT * FROM book($1, $2, $3::jsonb, $4, $5)",
            at,
            who.name,
            msgspec.json.encode(lines).decode(),
            who.owner,
            here.settings.adjustment_limit,
        )
        bookings = dict(chunk)
        return [_result(r, bookings[r["n"]]) for r in rows]

    results = await take_lines(request, BookingIn, CHUNK, take)
    await here.database.write(
        AUDIT, at, who.name, who.role, "stock.bulk", f"{len(results)} lines", idempotency_key, correlation, None
    )
    return Response(write_results(results), media_type=MEDIA_TYPE)


def _result(row: Any, booking: BookingIn) -> LineResult:
    about = f"{booking.place}/{booking.item}"
    if row["outcome"] in {"posted", "duplicate", "pending"}:
        return LineResult(line=row["n"], id=about, outcome=row["outcome"])
    if row["outcome"].startswith("no room"):
        error = FieldError(field="place", value=booking.place, bound=f"one with room: {row['outcome']}")
        return LineResult(line=row["n"], id=about, outcome="refused", errors=[error])
    field, bound = _REFUSED[row["outcome"]]
    error = FieldError(field=field, value=getattr(booking, field), bound=bound.format(held=row["held"]))
    return LineResult(line=row["n"], id=about, outcome="refused", errors=[error])


@router.get("/items/{item_id}/stock", response_model=ItemStock, responses=documented(404))
async def get_stock(
    item_id: Annotated[str, Path(pattern=PATTERN)], here: Here, who: Principal = ANYONE
) -> dict[str, Any]:
    """Show where an item is, what is reserved, and what a new order could get."""
    rows = await here.database.read(
        "SELECT s.place, p.kind, p.parent AS pod, s.lot, s.qty, s.reserved, s.status, s.doubt,"
        " is_picked_from(s.place) AND COALESCE(s.expires >= $3, true) AS to_get"
        " FROM item i LEFT JOIN stock s ON s.item = i.id AND s.live LEFT JOIN place p ON p.code = s.place"
        " WHERE i.id = $1 AND ($2 = '' OR i.owner = $2) ORDER BY s.place, s.id",
        item_id,
        who.owner,
        moment(here.clock.now_ms()).date(),
    )
    if not rows:
        raise Refusal(404, f"item: {item_id!r} is not known")
    held = [dict(r) for r in rows if r["place"] is not None]
    bins = [r for r in held if r["kind"] == "bin"]
    return {
        "item": item_id,
        "qty": sum(r["qty"] for r in bins),
        "reserved": sum(r["reserved"] for r in bins),
        "available": sum(
            r["qty"] - r["reserved"] for r in held if r["to_get"] and r["status"] == "ok" and not r["doubt"]
        ),
        "rows": held,
    }
