"""REST of what can be promised: what is free now, what is held back and why, what will come and when."""

import json
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from central.context import Here
from central.identity.access import ANYONE, Principal
from central.masterdata.items import ItemId
from central.moment import Day, moment
from central.problems import Refusal, documented

router = APIRouter(prefix="/v1", tags=["stock"])


class Expected(BaseModel):
    """So many pieces are announced."""

    asn: str
    line: int
    due: datetime
    lot: str
    expires: date | None
    qty: int = Field(description="Still to come")


class Promise(BaseModel):
    """What could be promised from a day on, if all comes as announced."""

    day: date
    qty: int


class Availability(BaseModel):
    """All of an item, by what may be done with it."""

    item: str
    good_until: date = Field(description="Only what is good on this day counts as free")
    on_hand: int = Field(description="On the floor, whatever its status; not what is in totes of orders")
    reserved: int = Field(description="For orders")
    quality: int = Field(description="Waits for a look at it")
    hold: int
    damaged: int
    doubt: int = Field(description="Free once somebody has counted it")
    expired: int = Field(description="Free, but not good until then")
    elsewhere: int = Field(description="Free on lanes (and shelves, where nobody picks): it is to be put away")
    available: int = Field(description="What a new order would get now")
    expected: int = Field(description="Announced, still to come")
    arriving: list[Expected]
    promise: list[Promise]


_SQL = """
SELECT
  (SELECT json_build_object(
      'on_hand', COALESCE(sum(h.qty), 0), 'reserved', COALESCE(sum(h.reserved), 0),
      'quality', COALESCE(sum(h.qty) FILTER (WHERE h.status = 'quality'), 0),
      'hold', COALESCE(sum(h.qty) FILTER (WHERE h.status = 'hold'), 0),
      'damaged', COALESCE(sum(h.qty) FILTER (WHERE h.status = 'damaged'), 0),
      'doubt', COALESCE(sum(h.qty - h.reserved) FILTER (WHERE h.status = 'ok' AND h.doubt), 0),
      'expired', COALESCE(sum(h.qty - h.reserved) FILTER (WHERE h.sound AND NOT h.good), 0),
      'elsewhere', COALESCE(sum(h.qty - h.reserved) FILTER (WHERE h.sound AND h.good AND NOT h.picked), 0),
      'available', COALESCE(sum(h.qty - h.reserved) FILTER (WHERE h.sound AND h.good AND h.picked), 0))
   FROM (SELECT s.*, s.status = 'ok' AND NOT s.doubt AS sound, COALESCE(s.expires >= $2, true) AS good,
                p.kind = 'bin'
                OR (o.hand_picks AND (p.kind = 'shelf' OR (p.kind = 'unit' AND on_shelf(p.code)))) AS picked
         FROM stock s JOIN place p ON p.code = s.place CROSS JOIN outbound_setting o
         WHERE s.item = $1 AND s.live AND ($4::text IS NULL OR s.lot = $4)
           AND p.kind NOT IN ('tote', 'virtual', 'truck')) AS h) AS held,
  (SELECT COALESCE(json_agg(json_build_object('asn', l.asn, 'line', l.line, 'due', a.due, 'lot', l.lot,
      'expires', l.expires, 'qty', l.qty - l.received) ORDER BY a.due, l.asn, l.line), '[]')
   FROM asn_line l JOIN asn a ON a.id = l.asn
   WHERE l.item = $1 AND ($4::text IS NULL OR l.lot = $4)
     AND a.state IN ('expected', 'arrived') AND l.qty > l.received) AS arriving
FROM item i WHERE i.id = $1 AND ($3 = '' OR i.owner = $3)
"""


@router.get("/items/{item_id}/availability", response_model=Availability, responses=documented(404))
async def get_availability(
    item_id: ItemId,
    here: Here,
    good_until: Annotated[
        Day | None, Query(description="Count only what is good on this day; today when absent")
    ] = None,
    lot: Annotated[str | None, Query(max_length=100, description="Only of this lot")] = None,
    who: Principal = ANYONE,
) -> dict[str, Any]:
    """Show what of an item can be promised: now, and from each day on when more is announced."""
    now = moment(here.clock.now_ms())
    good = good_until or now.date()
    rows = await here.database.read(_SQL, item_id, good, who.owner, lot)
    if not rows:
        raise Refusal(404, f"item: {item_id!r} is not known")
    held: dict[str, Any] = json.loads(rows[0]["held"])
    arriving: list[dict[str, Any]] = json.loads(rows[0]["arriving"])
    total = held["available"] + held["elsewhere"]
    promise = [{"day": now.date(), "qty": total}]
    for one in arriving:
        if one["expires"] is not None and date.fromisoformat(one["expires"]) < good:
            continue
        day = max(now.date(), datetime.fromisoformat(one["due"]).date())
        total += one["qty"]
        if promise[-1]["day"] == day:
            promise[-1]["qty"] = total
        else:
            promise.append({"day": day, "qty": total})
    return held | {
        "item": item_id,
        "good_until": good,
        "expected": sum(x["qty"] for x in arriving),
        "arriving": arriving,
        "promise": promise,
    }
