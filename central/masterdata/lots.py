"""REST of lots: when each was made, until when it is good, and where it lies."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field, ValidationInfo, field_validator

from central.context import Correlation, Here
from central.database import Connection
from central.identity.access import ANYONE, ERP, Principal
from central.identity.audit import AUDIT
from central.masterdata.items import ItemId
from central.moment import Day, moment
from central.preconditions import IfMatch, check, tag
from central.problems import Refusal, documented, refused

router = APIRouter(prefix="/v1/items", tags=["items"])
_Lot = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]


class LotIn(BaseModel):
    """What is known of a lot."""

    made: Day | None = Field(None, description="Day of making", examples=["2026-11-30"])
    expires: Day | None = Field(None, description="Last day on which it is good", examples=["2026-12-30"])
    supplier: str = Field("", max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")
    reason: str = Field("", max_length=500, pattern=r"^[^\x00]*$", description="Why it is changed; it is kept")

    @field_validator("expires")
    @classmethod
    def _after(cls, expires: date | None, info: ValidationInfo) -> date | None:
        made = info.data.get("made")
        if made is not None and expires is not None and expires < made:
            raise ValueError("at least the day of making")
        return expires


class Lot(BaseModel):
    """A lot, and how much of it is there."""

    item: str
    lot: str
    made: date | None
    expires: date | None
    supplier: str
    received_on: date
    qty: int = Field(description="On the floor, whatever its status")
    reserved: int


_SHOWN = """
SELECT l.*, COALESCE(s.qty, 0) AS qty, COALESCE(s.reserved, 0) AS reserved
FROM lot l JOIN item i ON i.id = l.item
CROSS JOIN LATERAL (SELECT sum(x.qty)::bigint AS qty, sum(x.reserved)::bigint AS reserved
                    FROM stock x WHERE x.item = l.item AND x.live AND x.lot = l.lot) AS s
WHERE l.item = $1 AND ($2 = '' OR i.owner = $2)
"""


def _tag(row: Any) -> str:
    return tag(row["made"], row["expires"], row["supplier"])


@router.get("/{item_id}/lots", response_model=list[Lot], responses=documented(404))
async def list_lots(item_id: ItemId, here: Here, who: Principal = ANYONE) -> list[dict[str, Any]]:
    """List the lots of an item, what expires first first."""
    if not await here.database.read("SELECT 1 FROM item WHERE id = $1 AND ($2 = '' OR owner = $2)", item_id, who.owner):
        raise Refusal(404, f"item: {item_id!r} is not known")
    rows = await here.database.read(_SHOWN + "ORDER BY l.expires, l.received_on, l.lot", item_id, who.owner)
    return [dict(r) for r in rows]


@router.get("/{item_id}/lots/{lot}", response_model=Lot, responses=documented(404))
async def get_lot(item_id: ItemId, lot: _Lot, response: Response, here: Here, who: Principal = ANYONE) -> Any:
    """Show a lot."""
    rows = await here.database.read(_SHOWN + "AND l.lot = $3", item_id, who.owner, lot)
    if not rows:
        raise Refusal(404, f"lot: {lot!r} of {item_id} is not known")
    response.headers["ETag"] = f'"{_tag(rows[0])}"'
    return dict(rows[0])


@router.put("/{item_id}/lots/{lot}", response_model=Lot, responses=documented(400, 404, 409, 412, 428))
async def put_lot(
    item_id: ItemId,
    lot: _Lot,
    body: LotIn,
    response: Response,
    here: Here,
    correlation: Correlation,
    if_match: IfMatch = None,
    who: Principal = ERP,
) -> Any:
    """Make a lot known before it comes, or set its dates right (If-Match): its stock is picked by them from then on."""

    async def work(connection: Connection) -> Any:
        item = await connection.fetchrow(
            "SELECT * FROM item WHERE id = $1 AND ($2 = '' OR owner = $2)", item_id, who.owner
        )
        if item is None:
            raise Refusal(404, f"item: {item_id!r} is not known")
        if not item["lots"]:
            raise refused("lot", lot, f"needed: {item_id} is not kept by lots", status=409)
        if item["shelf_life_days"] and body.expires is None:
            raise refused("expires", None, f"given: {item_id} lasts {item['shelf_life_days']} days")
        was = await connection.fetchrow("SELECT * FROM lot WHERE item = $1 AND lot = $2 FOR UPDATE", item_id, lot)
        if was is not None:
            check(if_match, _tag(was))
        elif if_match is not None:
            raise Refusal(412, f"If-Match: there is no lot {lot!r} to change")
        at = moment(here.clock.now_ms())
        await connection.execute(
            "INSERT INTO lot (item, lot, expires, made, supplier, received_on) VALUES ($1, $2, $3, $4, $5, $6)"
            " ON CONFLICT (item, lot) DO UPDATE SET expires = excluded.expires, made = excluded.made,"
            " supplier = excluded.supplier",
            item_id, lot, body.expires, body.made, body.supplier, at.date(),
        )  # fmt: skip
        await connection.execute("SELECT fill_waiting($1, $2)", at, item_id)  # it may be good for longer now
        detail = body.model_dump_json(exclude_unset=True)
        about = f"{item_id}/{lot}"
        await connection.execute(AUDIT, at, who.name, who.role, "lot.put", about, body.reason, correlation, detail)
        return await connection.fetchrow(_SHOWN + "AND l.lot = $3", item_id, who.owner, lot)

    kept = await here.database.unit(work)
    response.headers["ETag"] = f'"{_tag(kept)}"'
    return dict(kept)
