"""REST of the item master."""

from typing import Annotated, Any, Literal

import asyncpg
import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from central.context import Correlation, Here
from central.database import Connection, Database
from central.identity.access import ANYONE, ERP, Principal
from central.identity.audit import AUDIT
from central.listing import Limit
from central.masterdata.ndjson import LineResult, read_lines, write_results
from central.moment import moment
from central.problems import Refusal, documented, refused
from contracts.ids import PATTERN

router = APIRouter(prefix="/v1", tags=["items"])
CHUNK = 1_000
Text = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f]*$")]


class ItemIn(BaseModel):
    """What is known of an article."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "barcode": "4006381333931",
                    "weight_g": 320,
                    "volume_ml": 420,
                    "kind": "stock",
                    "category": "SpareParts",
                    "product_line": "line55",
                }
            ]
        }
    )

    kind: Literal["stock", "service"] = Field("stock", description="A service ships with its order and is never picked")
    barcode: str = Field(
        "", max_length=64, pattern=r"^[\x20-\x7e]*$", description="What its label reads; no two share one"
    )
    name: Text = ""
    weight_g: int = Field(0, ge=0, le=10_000_000, strict=True, description="Of one piece")
    volume_ml: int = Field(0, ge=0, le=100_000_000, strict=True, description="Of one piece")
    category: Text = ""
    product_line: Text = ""


class Item(ItemIn):
    """An article of the item master."""

    id: str = Field(pattern=PATTERN)


class ItemPage(BaseModel):
    """A page of items in order of their ids; `next` is the cursor of the following page."""

    items: list[Item]
    next: str | None = None


ItemId = Annotated[str, Path(pattern=PATTERN)]
_UPSERT = """
INSERT INTO item AS i (id, kind, barcode, name, weight_g, volume_ml, category, product_line)
SELECT id, kind, barcode, name, weight_g, volume_ml, category, product_line FROM jsonb_to_recordset($1::jsonb)
    AS x(id text, kind text, barcode text, name text, weight_g integer, volume_ml integer, category text,
         product_line text)
ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, barcode = excluded.barcode, name = excluded.name,
    weight_g = excluded.weight_g, volume_ml = excluded.volume_ml, category = excluded.category,
    product_line = excluded.product_line
RETURNING id, xmax = 0 AS created
"""


async def keep_items(connection: Connection, items: list[Item]) -> dict[str, bool]:
    """Store items with distinct ids; says for each whether it was new.

    Raises
    ------
    Refusal
        409: one would become a service while it is in stock.
    """
    services = [i.id for i in items if i.kind == "service"]
    if services:
        kept = await connection.fetchval("SELECT min(item) FROM stock WHERE live AND item = ANY($1)", services)
        if kept is not None:
            raise refused("kind", "service", f"stock, while {kept} lies in bins", status=409)
    rows = await connection.fetch(_UPSERT, msgspec.json.encode([i.model_dump() for i in items]).decode())
    return {r["id"]: r["created"] for r in rows}


@router.put("/items/{item_id}", responses=documented(400, 409))
async def put_item(item_id: ItemId, body: ItemIn, here: Here, correlation: Correlation, who: Principal = ERP) -> Item:
    """Create an item, or change what is known of it."""
    item = Item(id=item_id, **body.model_dump())

    async def work(connection: Connection) -> None:
        await keep_items(connection, [item])
        await connection.execute(
            AUDIT, moment(here.clock.now_ms()), who.name, who.role, "item.put", item_id, "", correlation, None
        )

    try:
        await here.database.unit(work)
    except asyncpg.UniqueViolationError as e:
        raise refused("barcode", body.barcode, "a barcode that no other item has", status=409) from e
    return item


@router.post(
    "/items:bulk",
    response_class=Response,
    responses=documented(413) | {200: {"model": LineResult, "description": "NDJSON, one result a line"}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "NDJSON, one item a line",
            "content": {"application/x-ndjson": {"schema": Item.model_json_schema()}},
        }
    },
)
async def bulk_items(request: Request, here: Here, correlation: Correlation, who: Principal = ERP) -> Response:
    """Create or change many items; each line by itself."""
    results: list[LineResult] = []
    chunk: dict[str, tuple[int, Item]] = {}

    async def flush() -> None:
        results.extend(await _keep_chunk(here.database, list(chunk.values())))
        chunk.clear()

    async for one in read_lines(request, Item):
        if one.row is None:
            assert one.refused is not None  # noqa: S101 - a line is read or refused
            results.append(one.refused)
            continue
        if one.row.id in chunk or len(chunk) >= CHUNK:
            await flush()
        chunk[one.row.id] = (one.line, one.row)
    if chunk:
        await flush()
    await here.database.write(
        AUDIT,
        moment(here.clock.now_ms()),
        who.name,
        who.role,
        "item.bulk",
        f"{len(results)} lines",
        "",
        correlation,
        None,
    )
    return Response(write_results(sorted(results, key=lambda r: r.line)), media_type="application/x-ndjson")


async def _keep_chunk(database: Database, numbered: list[tuple[int, Item]]) -> list[LineResult]:
    async def work(connection: Connection) -> dict[str, bool]:
        return await keep_items(connection, [item for _, item in numbered])

    try:
        made = await database.unit(work)
    except (asyncpg.UniqueViolationError, Refusal) as e:
        if len(numbered) > 1:  # find the one line that is wrong
            half = len(numbered) // 2
            return await _keep_chunk(database, numbered[:half]) + await _keep_chunk(database, numbered[half:])
        line, item = numbered[0]
        cause = (
            e.errors[0]
            if isinstance(e, Refusal)
            else refused("barcode", item.barcode, "a barcode that no other item has").errors[0]
        )
        return [LineResult(line=line, id=item.id, outcome="refused", errors=[cause])]
    return [LineResult(line=n, id=i.id, outcome="created" if made[i.id] else "updated") for n, i in numbered]


@router.get("/items", response_model=ItemPage, responses=documented())
async def list_items(
    here: Here,
    kind: Annotated[Literal["stock", "service"] | None, Query()] = None,
    category: Annotated[str | None, Query(max_length=200)] = None,
    barcode: Annotated[str | None, Query(max_length=64)] = None,
    limit: Limit = 100,
    cursor: Annotated[str, Query(max_length=64, description="`next` of the page before")] = "",
    _: Principal = ANYONE,
) -> dict[str, Any]:
    """List items in order of their ids."""
    rows = await here.database.read(
        "SELECT * FROM item WHERE id > $1 AND ($2::text IS NULL OR kind = $2) AND ($3::text IS NULL OR category = $3)"
        " AND ($4::text IS NULL OR barcode = $4) ORDER BY id LIMIT $5",
        cursor, kind, category, barcode, limit,
    )  # fmt: skip
    return {"items": [dict(r) for r in rows], "next": rows[-1]["id"] if len(rows) == limit else None}


@router.get("/items/{item_id}", response_model=Item, responses=documented(404))
async def get_item(item_id: ItemId, here: Here, _: Principal = ANYONE) -> dict[str, Any]:
    """Show an item."""
    rows = await here.database.read("SELECT * FROM item WHERE id = $1", item_id)
    if not rows:
        raise Refusal(404, f"item: {item_id!r} is not known")
    return dict(rows[0])
