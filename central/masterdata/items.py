"""REST of the item master."""

import hashlib
from typing import Annotated, Any, Literal

import asyncpg
import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator

from central.context import Correlation, Here
from central.database import Connection
from central.idempotency import PerhapsKey
from central.identity.access import ANYONE, ERP, Principal
from central.identity.audit import AUDIT
from central.listing import Limit
from central.masterdata.ndjson import MEDIA_TYPE, RESULTS, LineResult, lines_of, once_lines, take_lines, write_results
from central.moment import moment
from central.preconditions import IfMatch, check
from central.problems import Refusal, documented, refused
from contracts.ids import PATTERN

router = APIRouter(prefix="/v1", tags=["items"])
CHUNK = 1_000
Owner = Annotated[str, StringConstraints(max_length=64, pattern=r"^([A-Za-z0-9][A-Za-z0-9._:-]*)?$")]
Text = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f]*$")]
Pack = Annotated[int, Field(ge=0, le=1_000_000, strict=True)]
"""Pieces in a pack; 0: there is no such pack."""


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
    owner: Owner | None = Field(None, description="Whose goods; the token's owner when absent. Empty: the house's")
    lots: bool = Field(False, strict=True, description="Whether every piece belongs to a lot, named when it comes in")
    shelf_life_days: int = Field(
        0, ge=0, le=36_500, strict=True, description="From making to expiry; 0: it does not expire. Needs `lots`"
    )
    receive_days: int = Field(
        0, ge=0, le=36_500, strict=True, description="With fewer days left than these it comes in as `quality`"
    )
    temperature: Literal["ambient", "chilled", "frozen"] = Field("ambient", description="In which zones it is kept")
    hazard: str = Field(
        "",
        max_length=20,
        pattern=r"^[A-Za-z0-9.-]*$",
        description="Class of hazardous goods; only in zones that take it",
    )
    per_case: Pack = 0
    per_layer: Pack = Field(0, description="A multiple of `per_case`")
    per_pallet: Pack = Field(0, description="A multiple of `per_layer`; putaway makes one task a pallet")
    putaway: Text = Field("", description="Putaway class: which strategy finds its place")

    @field_validator("shelf_life_days")
    @classmethod
    def _needs_lots(cls, days: int, info: ValidationInfo) -> int:
        if days and not info.data.get("lots"):
            raise ValueError("0, unless `lots` is true: only a lot expires")
        return days

    @field_validator("receive_days")
    @classmethod
    def _within_life(cls, days: int, info: ValidationInfo) -> int:
        if days > info.data.get("shelf_life_days", days):
            raise ValueError(f"at most the shelf life of {info.data['shelf_life_days']} days")
        return days

    @field_validator("per_layer", "per_pallet")
    @classmethod
    def _whole_packs(cls, pieces: int, info: ValidationInfo) -> int:
        smaller = "per_case" if info.field_name == "per_layer" else "per_layer"
        inside = info.data.get(smaller, 0)
        if pieces and inside and pieces % inside:
            raise ValueError(f"a multiple of {smaller}, which is {inside}")
        return pieces


class Item(ItemIn):
    """An article of the item master."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"id": "part4d4c799", "barcode": "4006381333931", "weight_g": 320, "volume_ml": 900}]
        }
    )

    id: str = Field(pattern=PATTERN)


class ItemPage(BaseModel):
    """A page of items in order of their ids; `next` is the cursor of the following page."""

    items: list[Item]
    next: str | None = None


ItemId = Annotated[str, Path(pattern=PATTERN)]
_UPSERT = """
INSERT INTO item AS i (id, kind, barcode, name, weight_g, volume_ml, category, product_line, owner, lots,
    shelf_life_days, receive_days, temperature, hazard, per_case, per_layer, per_pallet, putaway)
SELECT id, kind, barcode, name, weight_g, volume_ml, category, product_line, owner, lots, shelf_life_days, receive_days,
    temperature, hazard, per_case, per_layer, per_pallet, putaway
FROM jsonb_to_recordset($1::jsonb)
    AS x(id text, kind text, barcode text, name text, weight_g integer, volume_ml integer, category text,
         product_line text, owner text, lots boolean, shelf_life_days integer, receive_days integer, temperature text,
         hazard text, per_case integer, per_layer integer, per_pallet integer, putaway text)
ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, barcode = excluded.barcode, name = excluded.name,
    weight_g = excluded.weight_g, volume_ml = excluded.volume_ml, category = excluded.category,
    product_line = excluded.product_line, owner = excluded.owner, lots = excluded.lots,
    shelf_life_days = excluded.shelf_life_days, receive_days = excluded.receive_days,
    temperature = excluded.temperature, hazard = excluded.hazard, per_case = excluded.per_case,
    per_layer = excluded.per_layer, per_pallet = excluded.per_pallet, putaway = excluded.putaway
RETURNING id, xmax = 0 AS created
"""


async def keep_items(connection: Connection, items: list[Item], owner: str) -> dict[str, bool]:
    """Store items with distinct ids for a sender bound to an owner (empty: to none); says for each if it was new.

    Raises
    ------
    Refusal
        409: one would become a service, another owner's, or kept by lots, while it is in stock; or its id is another
        owner's.
        422: it names an owner that is not the sender's.
    """
    for item in items:
        if owner and item.owner not in {None, owner}:
            raise refused("owner", item.owner, f"{owner}, whose token this is")
    there = {
        r["id"]: r
        for r in await connection.fetch(
            "SELECT i.id, i.owner, EXISTS (SELECT FROM stock s WHERE s.item = i.id AND s.live) AS held,"
            " EXISTS (SELECT FROM stock s WHERE s.item = i.id AND s.live AND s.lot = '') AS lotless"
            " FROM item i WHERE i.id = ANY($1) FOR UPDATE OF i",
            sorted(i.id for i in items),
        )
    }
    rows = []
    for item in items:
        was = there.get(item.id)
        whose = item.owner if item.owner is not None else owner or (was["owner"] if was else "")
        if was is not None:
            if owner and was["owner"] != owner:
                raise refused("id", item.id, "an id that is free", status=409)
            if was["held"] and item.kind == "service":
                raise refused("kind", "service", f"stock, while {item.id} lies in bins", status=409)
            if was["lotless"] and item.lots:
                raise refused("lots", True, f"false, while pieces of {item.id} without a lot are there", status=409)
            if was["held"] and was["owner"] != whose:
                raise refused("owner", whose, f"{was['owner']!r}, while {item.id} lies in bins", status=409)
        rows.append(item.model_dump() | {"owner": whose})
    made = await connection.fetch(_UPSERT, msgspec.json.encode(rows).decode())
    return {r["id"]: r["created"] for r in made}


def _tag(row: Any) -> str:
    return hashlib.md5(msgspec.json.encode([row[c] for c in Item.model_fields]), usedforsecurity=False).hexdigest()


@router.put("/items/{item_id}", response_model=Item, responses=documented(400, 409, 412, 428))
async def put_item(
    item_id: ItemId,
    body: ItemIn,
    response: Response,
    here: Here,
    correlation: Correlation,
    if_match: IfMatch = None,
    who: Principal = ERP,
) -> dict[str, Any]:
    """Create an item, or change what is known of it: a change needs If-Match with the item's ETag."""
    item = Item(id=item_id, **body.model_dump())

    async def work(connection: Connection) -> dict[str, Any]:
        was = await connection.fetchrow("SELECT * FROM item WHERE id = $1 FOR UPDATE", item_id)
        if was is not None and (not who.owner or was["owner"] == who.owner):
            check(if_match, _tag(was))
        elif was is None and if_match is not None:
            raise Refusal(412, f"If-Match: there is no item {item_id!r} to change")
        await keep_items(connection, [item], who.owner)
        await connection.execute(
            AUDIT, moment(here.clock.now_ms()), who.name, who.role, "item.put", item_id, "", correlation, None
        )
        return dict(await connection.fetchrow("SELECT * FROM item WHERE id = $1", item_id))

    try:
        kept = await here.database.unit(work)
    except asyncpg.UniqueViolationError as e:
        raise refused("barcode", body.barcode, "a barcode that no other item has", status=409) from e
    response.headers["ETag"] = f'"{_tag(kept)}"'
    return kept


@router.post(
    "/items:bulk",
    response_class=Response,
    responses=documented(413) | {200: RESULTS},
    openapi_extra={"requestBody": lines_of(Item)},
)
async def bulk_items(
    request: Request, here: Here, correlation: Correlation, key: PerhapsKey = None, who: Principal = ERP
) -> Response:
    """Create or change many items; each line by itself.

    With an Idempotency-Key the body may be sent again later: it undoes nothing that was changed since.
    """
    at = moment(here.clock.now_ms())

    async def take(chunk: list[tuple[int, Item]]) -> list[LineResult]:
        async def work(connection: Connection) -> list[LineResult]:
            return await _keep_chunk(connection, chunk, who.owner)

        return await once_lines(here.database, who.name, key, "POST /v1/items:bulk", chunk, at, work)

    results = await take_lines(request, Item, CHUNK, take, apart=lambda item: item.id)
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
    return Response(write_results(results), media_type=MEDIA_TYPE)


async def _keep_chunk(connection: Connection, numbered: list[tuple[int, Item]], owner: str) -> list[LineResult]:
    try:
        async with connection.transaction():
            made = await keep_items(connection, [item for _, item in numbered], owner)
    except (asyncpg.UniqueViolationError, Refusal) as e:
        if len(numbered) > 1:  # find the one line that is wrong
            half = len(numbered) // 2
            return await _keep_chunk(connection, numbered[:half], owner) + await _keep_chunk(
                connection, numbered[half:], owner
            )
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
    who: Principal = ANYONE,
) -> dict[str, Any]:
    """List items in order of their ids."""
    rows = await here.database.read(
        "SELECT * FROM item WHERE id > $1 AND ($2::text IS NULL OR kind = $2) AND ($3::text IS NULL OR category = $3)"
        " AND ($4::text IS NULL OR barcode = $4) AND ($6 = '' OR owner = $6) ORDER BY id LIMIT $5",
        cursor, kind, category, barcode, limit, who.owner,
    )  # fmt: skip
    return {"items": [dict(r) for r in rows], "next": rows[-1]["id"] if len(rows) == limit else None}


@router.get("/items/{item_id}", response_model=Item, responses=documented(404))
async def get_item(item_id: ItemId, response: Response, here: Here, who: Principal = ANYONE) -> dict[str, Any]:
    """Show an item."""
    rows = await here.database.read("SELECT * FROM item WHERE id = $1 AND ($2 = '' OR owner = $2)", item_id, who.owner)
    if not rows:
        raise Refusal(404, f"item: {item_id!r} is not known")
    response.headers["ETag"] = f'"{_tag(rows[0])}"'
    return dict(rows[0])
