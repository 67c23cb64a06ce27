"""REST of counts: what is counted and what came of it, plans, and what cameras saw."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from central.context import Correlation, Here
from central.database import Connection
from central.idempotency import IdempotencyKey, once
from central.identity.access import FLOOR, HOUSE, SUPERVISOR, Principal, Role, allowed
from central.identity.audit import AUDIT
from central.listing import Cursor, Limit, Page, following, turn
from central.moment import moment
from central.preconditions import IfMatch, check
from central.problems import Refusal, documented, refused
from central.reason import Reason
from contracts.ids import PATTERN

router = APIRouter(prefix="/v1/counts", tags=["counts"])
SEES = Depends(allowed(Role.OPERATOR, Role.SUPERVISOR, Role.DEVICE, house=True))
PlanId = Annotated[str, Path(pattern=PATTERN)]
Lot = Annotated[str, Field(max_length=64, pattern=r"^[\x20-\x7e]*$")]
CountState = Literal["open", "recount", "agreed", "posted", "pending", "refused", "cancelled"]


class CountIn(BaseModel):
    """An account that somebody wants counted."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"place": "P001-A11", "item": "part4d4c799"}]})

    place: str = Field(pattern=PATTERN)
    item: str = Field(pattern=PATTERN)
    lot: Lot = ""
    status: Literal["ok", "quality", "hold", "damaged"] = "ok"
    priority: int = Field(0, ge=-1_000, le=1_000, strict=True)


class Result(BaseModel):
    """What one person found."""

    round: int
    person: str
    at: datetime
    counted: int
    expected: int = Field(description="What the books said in the moment of the confirmation")
    moving: bool = Field(description="Something moved there meanwhile: it proves nothing")


class Count(BaseModel):
    """One account that is, or was, counted."""

    id: str
    place: str
    item: str
    lot: str
    owner: str
    status: str
    cause: str = Field(description="class | zero | doubt | short_pick | reserved | asked")
    plan: str | None
    state: CountState = Field(description="pending: the difference waits for a third person (`/v1/adjustments`)")
    rounds: int
    difference: int | None = Field(description="What two people found")
    posted: int = Field(
        description="What of it is in the books; the rest was promised to orders, and comes short there"
    )
    opened_at: datetime
    opened_by: str
    closed_at: datetime | None
    reason: str


class CountDetail(Count):
    """A count with what each person found; blind until it is settled."""

    evidence: dict[str, Any] | None
    results: list[Result]


class PlanIn(BaseModel):
    """What is counted of its own accord."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"cause": "class", "class": "A", "every_days": 30, "at_most": 20}]}
    )

    cause: Literal["class", "zero"] = Field(description="Items of a class, or places that picks have emptied")
    item_class: Literal["A", "B", "C"] | None = Field(
        None,
        alias="class",
        description="A: the items of 80 % of the picks of 90 days; B: of the next 15 %; C: all others",
    )
    every_days: int = Field(ge=1, le=366, strict=True, description="Nothing is counted again sooner")
    at_most: int = Field(ge=1, le=10_000, strict=True, description="Open counts of this plan at a time")
    priority: int = Field(0, ge=-1_000, le=1_000, strict=True)
    active: bool = True

    @model_validator(mode="after")
    def _class_or_not(self) -> "PlanIn":
        if (self.cause == "class") != (self.item_class is not None):
            raise ValueError("class: A, B or C for the cause class, and absent for others")
        return self


class Plan(PlanIn):
    """A plan, and how much of it is open."""

    id: str
    open: int = Field(description="Counts that are open")


class SeenIn(BaseModel):
    """What a camera saw in a place."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"place": "P001-A11", "empty": True, "camera": "S1-camera", "picture": "S1-17"}]
        }
    )

    place: str = Field(pattern=PATTERN)
    empty: bool
    item: str | None = Field(None, pattern=PATTERN, description="What lies there, if it could read it")
    qty: int | None = Field(None, ge=1, le=1_000_000, strict=True, description="How many, if it could count them")
    camera: str = Field("", max_length=64, pattern=r"^[\x20-\x7e]*$")
    picture: str = Field("", max_length=200, pattern=r"^[\x20-\x7e]*$", description="Name of the picture that shows it")

    @model_validator(mode="after")
    def _one_or_the_other(self) -> "SeenIn":
        if self.empty and (self.item is not None or self.qty is not None):
            raise ValueError("empty: false where an item or a number of pieces was seen")
        if self.qty is not None and self.item is None:
            raise ValueError("item: needed where pieces were counted")
        return self


class Seen(BaseModel):
    """What came of it."""

    outcome: str = Field(
        description="agrees | open: a count was opened | counting: there is one | alarm: unknown goods"
    )
    count: str | None


class Opened(BaseModel):
    """How many counts were opened."""

    opened: int


_SHOWN = (
    "SELECT c.id, c.place, c.item, c.lot, c.owner, c.status, c.cause, c.plan, c.rounds, c.difference, c.opened_at,"
    " c.opened_by,"
    " c.closed_at, c.reason, c.evidence, CASE a.state WHEN 'approved' THEN a.qty ELSE c.posted END AS posted,"
    " CASE WHEN c.state <> 'pending' THEN c.state WHEN a.state = 'approved' THEN 'posted' WHEN a.state = 'refused' THEN"
    " 'refused' ELSE 'pending' END AS state FROM stock_count c LEFT JOIN adjustment a ON a.key = count_key(c.id)"
)


@router.get("", response_model=Page[Count], responses=documented())
async def list_counts(
    here: Here,
    open_only: Annotated[bool, Query(alias="open", description="Only what is not settled")] = False,
    place: Annotated[str | None, Query(pattern=PATTERN, description="Only of this place")] = None,
    item: Annotated[str | None, Query(pattern=PATTERN, description="Only of this item")] = None,
    cause: Annotated[str | None, Query(max_length=20, description="Only of this cause")] = None,
    newest: Annotated[bool, Query(description="The newest first")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
    _: Principal = SEES,
) -> dict[str, Any]:
    """List counts in the order in which they were opened, or the newest first."""
    at, name, past, direction = turn(cursor, newest=newest)
    rows = await here.database.read(
        f"SELECT * FROM ({_SHOWN}) AS c WHERE (opened_at, id) {past} ($1, $2)"  # noqa: S608 - constants
        " AND ($3::text IS NULL OR place = $3) AND ($4::text IS NULL OR item = $4) AND ($5::text IS NULL OR cause = $5)"
        f" AND (NOT $6 OR closed_at IS NULL) ORDER BY opened_at {direction}, id {direction} LIMIT $7",
        at, name, place, item, cause, open_only, limit,
    )  # fmt: skip
    return {"items": [dict(r) for r in rows], "next": following(rows, limit, "opened_at")}


@router.post("", status_code=201, response_model=CountDetail, responses=documented(400, 409))
async def ask_for_count(
    body: CountIn, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey, who: Principal = FLOOR
) -> Response:
    """Have an account counted; also one of which the books know nothing. 409 when it is being counted."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        known = await connection.fetchrow(
            "SELECT is_open_place($1) AS place, EXISTS (SELECT FROM item WHERE id = $2 AND kind = 'stock') AS item",
            body.place, body.item,
        )  # fmt: skip
        if not known["place"]:
            raise refused("place", body.place, "a place for goods: a bin, shelf, staging lane, dock or handling unit")
        if not known["item"]:
            raise refused("item", body.item, "a stock item of the item master")
        made = await connection.fetchval(
            "SELECT open_count($1, $2, $3, $4, 'asked', $5, NULL, NULL, $6, $7)",
            at, body.place, body.item, body.lot, who.name, body.priority, body.status,
        )  # fmt: skip
        if made is None:
            raise Refusal(409, f"count: {body.item} in {body.place} is being counted already")
        await connection.execute(AUDIT, at, who.name, who.role, "count.ask", made, "", correlation, None)
        return (await _detail(connection, made)).model_dump_json()

    return await once(
        here.database, who.name, idempotency_key, "POST /v1/counts", body.model_dump_json(), at, 201, work
    )


@router.post("/observations", response_model=Seen, responses=documented(400, 409))
async def take_observation(
    body: SeenIn, here: Here, idempotency_key: IdempotencyKey, who: Principal = SEES
) -> Response:
    """Compare what a camera saw with the books. What differs is counted; nothing is ever corrected by a picture."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        if body.item is not None and not await connection.fetchval(
            "SELECT EXISTS (SELECT FROM item WHERE id = $1 AND kind = 'stock')", body.item
        ):
            raise refused("item", body.item, "a stock item of the item master")
        row = await connection.fetchrow(
            "SELECT * FROM look_at_place($1, $2, $3, $4, $5, $6, $7::jsonb)",
            at, body.camera or who.name, body.place, body.empty, body.item, body.qty, body.model_dump_json(),
        )  # fmt: skip
        if row["outcome"] == "unknown place":
            raise refused("place", body.place, "a place for goods")
        return Seen(outcome=row["outcome"], count=row["count_id"]).model_dump_json()

    what = "POST /v1/counts/observations"
    return await once(here.database, who.name, idempotency_key, what, body.model_dump_json(), at, 200, work)


@router.get("/plans", response_model_by_alias=True, responses=documented())
async def list_plans(here: Here, _: Principal = HOUSE) -> list[Plan]:
    """List the plans by their ids."""
    rows = await here.database.read(f"{_PLAN} ORDER BY p.id")
    return [_plan(r) for r in rows]


_PLAN = (
    "SELECT p.*, md5(p::text) AS tag, (SELECT count(*) FROM stock_count n WHERE n.plan = p.id AND n.closed_at IS NULL)"
    " AS open FROM count_plan p"
)


@router.post("/plans:run", response_model=Opened, responses=documented(400, 409))
async def run_plans(
    here: Here, correlation: Correlation, idempotency_key: IdempotencyKey, who: Principal = FLOOR
) -> Response:
    """Open what the plans want by now; it happens by itself once a day."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        opened = await connection.fetchval("SELECT plan_counts($1)", at)
        await connection.execute(AUDIT, at, who.name, who.role, "count.run", f"{opened} counts", "", correlation, None)
        return Opened(opened=opened).model_dump_json()

    return await once(here.database, who.name, idempotency_key, "POST /v1/counts/plans:run", "", at, 200, work)


@router.get("/plans/{plan_id}", responses=documented(404))
async def get_plan(plan_id: PlanId, here: Here, response: Response, _: Principal = HOUSE) -> Plan:
    """Show a plan; its ETag goes into the If-Match of a change."""
    rows = await here.database.read(f"{_PLAN} WHERE p.id = $1", plan_id)
    if not rows:
        raise Refusal(404, f"plan: {plan_id!r} is not known")
    response.headers["ETag"] = f'"{rows[0]["tag"]}"'
    return _plan(rows[0])


@router.put("/plans/{plan_id}", responses=documented(400, 412, 428))
async def put_plan(
    plan_id: PlanId, body: PlanIn, here: Here, correlation: Correlation, response: Response,
    if_match: IfMatch = None, who: Principal = SUPERVISOR,
) -> Plan:  # fmt: skip
    """Make a plan, or change it: a change needs If-Match."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> Any:
        was = await connection.fetchrow(
            "SELECT md5(p::text) AS tag FROM count_plan p WHERE id = $1 FOR UPDATE", plan_id
        )
        if was is not None:
            check(if_match, was["tag"])
        elif if_match is not None:
            raise Refusal(412, f"If-Match: there is no plan {plan_id!r} to change")
        await connection.execute(
            "INSERT INTO count_plan AS p (id, cause, class, every_days, at_most, priority, active)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET cause = $2, class = $3,"
            " every_days = $4,"
            " at_most = $5, priority = $6, active = $7, version = p.version + 1",
            plan_id, body.cause, body.item_class, body.every_days, body.at_most, body.priority, body.active,
        )  # fmt: skip
        detail = body.model_dump_json(by_alias=True)
        await connection.execute(AUDIT, at, who.name, who.role, "count.plan", plan_id, "", correlation, detail)
        return await connection.fetchrow(f"{_PLAN} WHERE p.id = $1", plan_id)

    row = await here.database.unit(work)
    here.caretaker.changed()
    response.headers["ETag"] = f'"{row["tag"]}"'
    return _plan(row)


@router.get("/{count_id}", responses=documented(404))
async def get_count(count_id: Annotated[str, Path(pattern=PATTERN)], here: Here, _: Principal = SEES) -> CountDetail:
    """Show a count; what was found stays hidden while it is open, so that the next one counts blind."""

    async def work(connection: Connection) -> CountDetail:
        return await _detail(connection, count_id)

    return await here.database.unit(work)


@router.post("/{count_id}/cancel", response_model=CountDetail, responses=documented(400, 404, 409))
async def cancel_count(
    count_id: Annotated[str, Path(pattern=PATTERN)], body: Reason, here: Here, correlation: Correlation,
    idempotency_key: IdempotencyKey, who: Principal = FLOOR,
) -> Response:  # fmt: skip
    """Give a count up, with a reason; the books stay as they are."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        said = await connection.fetchval("SELECT cancel_count($1, $2, $3, $4)", count_id, at, who.name, body.reason)
        if said == "unknown":
            raise Refusal(404, f"count: {count_id!r} is not known")
        if said != "cancelled":
            raise Refusal(409, f"count: {count_id} {said} already")
        await connection.execute(
            AUDIT, at, who.name, who.role, "count.cancel", count_id, body.reason, correlation, None
        )
        return (await _detail(connection, count_id)).model_dump_json()

    what = f"POST /v1/counts/{count_id}/cancel"
    return await once(here.database, who.name, idempotency_key, what, body.model_dump_json(), at, 200, work)


async def _detail(connection: Connection, count_id: str) -> CountDetail:
    row = await connection.fetchrow(f"{_SHOWN} WHERE c.id = $1", count_id)
    if row is None:
        raise Refusal(404, f"count: {count_id!r} is not known")
    results = (
        []
        if row["closed_at"] is None
        else await connection.fetch("SELECT * FROM count_result WHERE count_id = $1 ORDER BY round", count_id)
    )
    evidence = None if row["evidence"] is None else json.loads(row["evidence"])
    found = [Result(**{k: r[k] for k in Result.model_fields}) for r in results]
    return CountDetail(**dict(row) | {"evidence": evidence, "results": found})


def _plan(row: Mapping[str, Any]) -> Plan:
    return Plan.model_validate(dict(row))
