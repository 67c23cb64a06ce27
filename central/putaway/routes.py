"""REST of putaway: what is to be put away and why there, strategies as data, and laying out anew what lies about."""

import hashlib
import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from central.context import Correlation, Here
from central.database import Connection
from central.idempotency import IdempotencyKey, once
from central.identity.access import ANYONE, HOUSE, Principal, Role, allowed
from central.identity.audit import AUDIT
from central.inbound.model import PutawayTask
from central.inbound.rules import HOUSES
from central.listing import Limit
from central.moment import moment
from central.preconditions import IfMatch, check, tag
from central.problems import Refusal, documented, refused
from contracts.ids import PATTERN

router = APIRouter(prefix="/v1", tags=["putaway"])
KEEPERS = Depends(allowed(Role.ERP, Role.SUPERVISOR, house=True))
PLANNERS = Depends(allowed(Role.OPERATOR, Role.SUPERVISOR, house=True))
_Class = Annotated[
    str, Path(max_length=200, pattern=r"^[^\x00-\x1f/]+$", description="Putaway class of items; `-`: of all others")
]


class Step(BaseModel):
    """One rule of a strategy; where it finds no room, or not enough, the next one is asked."""

    rule: Literal["cross_dock", "fixed", "same_item", "nearest"] = Field(
        description="An order line that waits for it; places kept for the item; places where it lies; by `way`"
    )
    kinds: list[Literal["shelf", "bin"]] | None = Field(None, min_length=1, max_length=2, description="Absent: both")
    zones: list[Annotated[str, Field(pattern=PATTERN)]] | None = Field(
        None, min_length=1, max_length=50, description="Only in these zones; absent: anywhere"
    )


class StrategyIn(BaseModel):
    """Rules in the order in which they are asked."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"steps": [{"rule": "fixed"}, {"rule": "nearest", "zones": ["cold"]}]}]}
    )

    steps: list[Step] = Field(min_length=1, max_length=20)


class Strategy(StrategyIn):
    """A strategy as it is kept."""

    item_class: str = Field(description="`-`: for items without a class, or whose class has no strategy")


def _kept(row: Any) -> dict[str, Any]:
    return {"item_class": row["class"] or HOUSES, "steps": json.loads(row["steps"])}


def _tag(row: Any) -> str:
    return tag(json.loads(row["steps"]))


@router.get("/putaway-strategies", response_model=list[Strategy], responses=documented())
async def list_strategies(here: Here, _: Principal = HOUSE) -> list[dict[str, Any]]:
    """List the strategies by class."""
    return [_kept(r) for r in await here.database.read("SELECT * FROM putaway_strategy ORDER BY class")]


@router.get("/putaway-strategies/{item_class}", response_model=Strategy, responses=documented(404))
async def get_strategy(item_class: _Class, response: Response, here: Here, _: Principal = HOUSE) -> dict[str, Any]:
    """Show the strategy of a class."""
    name = "" if item_class == HOUSES else item_class
    rows = await here.database.read("SELECT * FROM putaway_strategy WHERE class = $1", name)
    if not rows:
        raise Refusal(404, f"putaway strategy: class {item_class!r} has none of its own")
    response.headers["ETag"] = f'"{_tag(rows[0])}"'
    return _kept(rows[0])


@router.put("/putaway-strategies/{item_class}", response_model=Strategy, responses=documented(400, 412, 428))
async def put_strategy(
    item_class: _Class,
    body: StrategyIn,
    response: Response,
    here: Here,
    correlation: Correlation,
    if_match: IfMatch = None,
    who: Principal = KEEPERS,
) -> dict[str, Any]:
    """Give a class its strategy, or change it (If-Match). Tasks that are laid out stay as they are."""
    name = "" if item_class == HOUSES else item_class
    steps = body.model_dump_json(exclude_none=True)

    async def work(connection: Connection) -> Any:
        was = await connection.fetchrow("SELECT * FROM putaway_strategy WHERE class = $1 FOR UPDATE", name)
        if was is not None:
            check(if_match, _tag(was))
        elif if_match is not None:
            raise Refusal(412, f"If-Match: class {item_class!r} has no strategy to change")
        zones = sorted({z for s in body.steps for z in s.zones or ()})
        known = {r["code"] for r in await connection.fetch("SELECT code FROM zone WHERE code = ANY($1)", zones)}
        for n, step in enumerate(body.steps):
            for zone in step.zones or ():
                if zone not in known:
                    raise refused(f"steps/{n}/zones", zone, "a known zone")
        at = moment(here.clock.now_ms())
        await connection.execute(AUDIT, at, who.name, who.role, "putaway.put", item_class, "", correlation, steps)
        return await connection.fetchrow(
            "INSERT INTO putaway_strategy VALUES ($1, $2::jsonb->'steps')"
            " ON CONFLICT (class) DO UPDATE SET steps = excluded.steps RETURNING *",
            name, steps,
        )  # fmt: skip

    kept = await here.database.unit(work)
    response.headers["ETag"] = f'"{_tag(kept)}"'
    return _kept(kept)


@router.delete("/putaway-strategies/{item_class}", status_code=204, responses=documented(404, 409, 412, 428))
async def delete_strategy(
    item_class: _Class, here: Here, correlation: Correlation, if_match: IfMatch = None, who: Principal = KEEPERS
) -> None:
    """Forget a class's strategy: its items follow that of all others, which cannot be forgotten."""
    if item_class == HOUSES:
        raise Refusal(409, "putaway strategy: the one of all others stays; change it instead")

    async def work(connection: Connection) -> None:
        was = await connection.fetchrow("SELECT * FROM putaway_strategy WHERE class = $1 FOR UPDATE", item_class)
        if was is None:
            raise Refusal(404, f"putaway strategy: class {item_class!r} has none of its own")
        check(if_match, _tag(was))
        await connection.execute("DELETE FROM putaway_strategy WHERE class = $1", item_class)
        at = moment(here.clock.now_ms())
        await connection.execute(AUDIT, at, who.name, who.role, "putaway.delete", item_class, "", correlation, None)

    await here.database.unit(work)


class PutawayPage(BaseModel):
    """Tasks in order of their ids; `next` is the cursor of the following page."""

    items: list[PutawayTask]
    next: str | None = None


@router.get("/putaway", response_model=PutawayPage, responses=documented())
async def list_putaway(
    here: Here,
    source: Annotated[str | None, Query(max_length=64, description="Only from this place")] = None,
    target: Annotated[str | None, Query(max_length=64, description="Only to this place")] = None,
    ref: Annotated[str | None, Query(max_length=64, description="Only of this ASN")] = None,
    limit: Limit = 100,
    cursor: Annotated[str, Query(max_length=64, description="`next` of the page before")] = "",
    who: Principal = ANYONE,
) -> dict[str, Any]:
    """List what is still to be put away: how much, from where to where, and why there."""
    rows = await here.database.read(
        "SELECT h.id AS task, h.item, h.lot, h.qty, h.source, h.target, h.detail->'why' AS why FROM hand_task h"
        " WHERE h.kind = 'putaway' AND h.state IN ('open', 'leased') AND h.id > $1"
        " AND ($2::text IS NULL OR h.source = $2) AND ($3::text IS NULL OR h.target = $3)"
        " AND ($4::text IS NULL OR h.ref = $4) AND ($5 = '' OR h.owner = $5) ORDER BY h.id LIMIT $6",
        cursor, source, target, ref, who.owner, limit,
    )  # fmt: skip
    items = [dict(r) | {"why": json.loads(r["why"] or "{}")} for r in rows]
    return {"items": items, "next": rows[-1]["task"] if len(rows) == limit else None}


class PlanIn(BaseModel):
    """What should be laid out anew."""

    place: str = Field(pattern=PATTERN, description="A lane or a handling unit", examples=["inbound"])
    item: str | None = Field(None, pattern=PATTERN, description="Only this item")


@router.post("/putaway", status_code=201, response_model=list[PutawayTask], responses=documented(400, 409))
async def plan(
    body: PlanIn, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey, who: Principal = PLANNERS
) -> Response:
    """Lay out the putaway of what lies free on a lane without a task: after one was withdrawn, or when room was made.

    Units that stand on the lane go as a whole, where a shelf has room for them.

    Open tasks without a target are laid out again.
    """
    at = moment(here.clock.now_ms())
    stem = "U-" + hashlib.sha256(f"{who.name}\n{idempotency_key}\n{at.isoformat()}".encode()).hexdigest()[:16]

    async def work(connection: Connection) -> str:
        kind = await connection.fetchval("SELECT kind FROM place WHERE code = $1", body.place)
        if kind not in {"staging", "unit"}:
            raise refused("place", body.place, "a lane or a handling unit")
        await connection.execute("SELECT lay_out_place($1, $2, $3, $4)", at, body.place, body.item, stem)
        rows = await connection.fetch(
            "SELECT h.id AS task, h.item, h.lot, h.qty, h.source, h.target, h.detail->'why' AS why FROM hand_task h"
            " WHERE h.kind = 'putaway' AND h.state = 'open' AND starts_with(h.id, $1) ORDER BY h.id",
            stem,
        )  # fmt: skip
        await connection.execute(AUDIT, at, who.name, who.role, "putaway.plan", body.place, "", correlation, None)
        tasks = [PutawayTask(**(dict(r) | {"why": json.loads(r["why"] or "{}")})).model_dump() for r in rows]
        return json.dumps(tasks)

    what = "POST /v1/putaway"
    return await once(here.database, who.name, idempotency_key, what, body.model_dump_json(), at, 201, work)
