"""REST of replenishment: rules, running them, and how an item stands at the front and in the reserve."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from central.context import Correlation, Here
from central.database import Connection
from central.idempotency import IdempotencyKey, once
from central.identity.access import ANYONE, ERP, FLOOR, Principal
from central.identity.audit import AUDIT
from central.listing import Limit
from central.moment import moment
from central.preconditions import IfMatch, check
from central.problems import Refusal, documented, refused
from contracts.ids import PATTERN

router = APIRouter(prefix="/v1", tags=["replenishment"])
RuleId = Annotated[str, Path(pattern=PATTERN, description="The item")]


class RuleIn(BaseModel):
    """When pieces are brought to the front, and how many."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"min_qty": 12, "max_qty": 60, "pack": 12}]})

    min_qty: int = Field(
        ge=0, le=1_000_000, strict=True, description="Below so many free pieces in bins, more are brought"
    )
    max_qty: int = Field(ge=1, le=1_000_000, strict=True, description="Up to so many")
    pack: int = Field(1, ge=1, le=1_000_000, strict=True, description="In multiples of so many")
    target: str | None = Field(
        None, pattern=PATTERN, description="Into this bin; else the emptiest that has it, else an empty one"
    )
    priority: int = Field(0, ge=-1_000, le=1_000, strict=True)
    active: bool = True

    @model_validator(mode="after")
    def _apart(self) -> "RuleIn":
        if self.min_qty >= self.max_qty:
            raise ValueError(f"max_qty: above min_qty, which is {self.min_qty}")
        return self


class Rule(RuleIn):
    """A rule of an item."""

    item: str


class RulePage(BaseModel):
    """Rules by item; `next` is the cursor of the following page."""

    items: list[Rule]
    next: str | None = None


class Opened(BaseModel):
    """How many tasks were opened."""

    opened: int


class Front(BaseModel):
    """How an item stands at the front, where robots pick, and in the reserve."""

    item: str
    bins: int = Field(description="Free where robots pick: an order gets it at once")
    reserve: int = Field(description="Free in the reserve")
    under_way: int = Field(description="Of the reserve, on its way to bins")
    held: int = Field(description="Not for sale, too old, or in doubt")
    waiting: int = Field(description="Pieces that open orders lack")
    promised: int = Field(description="Reserved for orders")
    available_to_promise: int = Field(description="Bins and reserve, less what is waited for")


_ITEM = "SELECT owner FROM item WHERE id = $1 AND kind = 'stock' AND ($2 = '' OR owner = $2)"
_RULE = "SELECT r.*, md5(r::text) AS tag FROM replenish_rule r"


@router.get("/replenishment/items/{item_id}", response_model=Front, responses=documented(404))
async def get_front(
    item_id: Annotated[str, Path(pattern=PATTERN)], here: Here, who: Principal = ANYONE
) -> dict[str, Any]:
    """Show an item at the front and in the reserve. What is under way is in the reserve until it is in its bin."""
    if not await here.database.read(_ITEM, item_id, who.owner):
        raise Refusal(404, f"item: {item_id!r} is not known")
    day = moment(here.clock.now_ms()).date()
    row = dict((await here.database.read("SELECT * FROM availability($1, $2)", item_id, day))[0])
    return row | {"item": item_id, "available_to_promise": max(0, row["bins"] + row["reserve"] - row["waiting"])}


@router.get("/replenishment/rules", response_model=RulePage, responses=documented())
async def list_rules(
    here: Here,
    limit: Limit = 100,
    cursor: Annotated[str | None, Query(max_length=64, pattern=PATTERN)] = None,
    who: Principal = ANYONE,
) -> dict[str, Any]:
    """List the rules by item."""
    rows = await here.database.read(
        f"{_RULE} JOIN item i ON i.id = r.item WHERE r.item > $1 AND ($2 = '' OR i.owner = $2)"
        " ORDER BY r.item LIMIT $3",
        cursor or "", who.owner, limit,
    )  # fmt: skip
    return {"items": [dict(r) for r in rows], "next": rows[-1]["item"] if len(rows) == limit else None}


@router.get("/replenishment/rules/{rule}", response_model=Rule, responses=documented(404))
async def get_rule(rule: RuleId, here: Here, response: Response, who: Principal = ANYONE) -> Mapping[str, Any]:
    """Show the rule of an item; its ETag goes into the If-Match of a change."""
    rows = await here.database.read(
        f"{_RULE} JOIN item i ON i.id = r.item WHERE r.item = $1 AND ($2 = '' OR i.owner = $2)", rule, who.owner
    )
    if not rows:
        raise Refusal(404, f"rule: {rule!r} has none")
    response.headers["ETag"] = f'"{rows[0]["tag"]}"'
    return dict(rows[0])


@router.put("/replenishment/rules/{rule}", response_model=Rule, responses=documented(400, 404, 412, 428))
async def put_rule(
    rule: RuleId, body: RuleIn, here: Here, correlation: Correlation, response: Response,
    if_match: IfMatch = None, who: Principal = ERP,
) -> Mapping[str, Any]:  # fmt: skip
    """Make the rule of an item, or change it: a change needs If-Match. What is under way already goes on."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> dict[str, Any]:
        if not await connection.fetchval(_ITEM.replace("owner", "true", 1), rule, who.owner):
            raise Refusal(404, f"item: {rule!r} is not known")
        if body.target is not None and not await connection.fetchval(
            "SELECT EXISTS (SELECT FROM place WHERE code = $1 AND kind = 'bin')", body.target
        ):
            raise refused("target", body.target, "a bin of the site")
        was = await connection.fetchrow(f"{_RULE} WHERE r.item = $1 FOR UPDATE", rule)
        if was is not None:
            check(if_match, was["tag"])
        elif if_match is not None:
            raise Refusal(412, f"If-Match: {rule!r} has no rule to change")
        await connection.execute(
            "INSERT INTO replenish_rule AS r (item, min_qty, max_qty, pack, target, priority, active)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (item) DO UPDATE SET min_qty = $2, max_qty = $3,"
            " pack = $4,"
            " target = $5, priority = $6, active = $7, version = r.version + 1",
            rule, body.min_qty, body.max_qty, body.pack, body.target, body.priority, body.active,
        )  # fmt: skip
        await connection.execute(
            AUDIT, at, who.name, who.role, "replenishment.rule", rule, "", correlation, body.model_dump_json()
        )
        return dict(await connection.fetchrow(f"{_RULE} WHERE r.item = $1", rule))

    kept = await here.database.unit(work)
    here.caretaker.changed()
    response.headers["ETag"] = f'"{kept["tag"]}"'
    return kept


@router.post("/replenishment:run", response_model=Opened, responses=documented(400, 409))
async def run_replenishment(
    here: Here, correlation: Correlation, idempotency_key: IdempotencyKey, who: Principal = FLOOR
) -> Response:
    """Open what rules and waiting orders want by now; it happens by itself a minute after anything has changed."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        opened = await connection.fetchval("SELECT replenish($1)", at)
        await connection.execute(
            AUDIT, at, who.name, who.role, "replenishment.run", f"{opened} tasks", "", correlation, None
        )
        return Opened(opened=opened).model_dump_json()

    return await once(here.database, who.name, idempotency_key, "POST /v1/replenishment:run", "", at, 200, work)
