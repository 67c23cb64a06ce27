"""REST of the rules of receiving: how much more may come, what may come unannounced, what is looked at first."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, Field, ValidationInfo, field_validator

from central.context import Correlation, Here
from central.database import Connection
from central.identity.access import HOUSE, Principal, Role, allowed
from central.identity.audit import AUDIT
from central.moment import moment
from central.preconditions import IfMatch, check, tag
from central.problems import Refusal, documented, refused
from contracts.ids import PATTERN

router = APIRouter(prefix="/v1", tags=["inbound"])
KEEPERS = Depends(allowed(Role.ERP, Role.SUPERVISOR, house=True))
HOUSES = "-"
"""How the house itself is called where an owner is named in a path."""
_Owner = Annotated[str, Path(max_length=64, pattern=r"^(-|[A-Za-z0-9][A-Za-z0-9._:-]*)$", description="`-`: the house")]


class ReceivingRuleIn(BaseModel):
    """What is taken in for an owner."""

    over_pct: int = Field(0, ge=0, le=100, strict=True, description="So much more than announced", examples=[5])
    blind: bool = Field(False, strict=True, description="Whether anything is taken in without an ASN")


class ReceivingRule(ReceivingRuleIn):
    """A rule as it is kept."""

    owner: str = Field(description="`-`: the house, and every owner without a rule of its own")


class QualityRuleIn(BaseModel):
    """What becomes `quality` stock when it comes in: of a supplier, of an item, or of that item of that supplier."""

    supplier: str = Field("", max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$", description="Empty: of any")
    item: str = Field(
        "", validate_default=True, max_length=64, pattern=r"^[A-Za-z0-9_-]*$", description="Empty: any of the supplier"
    )
    reason: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$", examples=["new supplier"])

    @field_validator("item")
    @classmethod
    def _something(cls, item: str, info: ValidationInfo) -> str:
        if not item and not info.data.get("supplier"):
            raise ValueError("an item, unless there is a supplier")
        return item


class QualityRule(QualityRuleIn):
    """A rule as it is kept."""

    id: str


@router.get("/receiving-rules", response_model=list[ReceivingRule], responses=documented())
async def list_receiving_rules(here: Here, _: Principal = HOUSE) -> list[dict[str, Any]]:
    """List the rules of all owners, the house's first."""
    return [_named(r) for r in await here.database.read("SELECT * FROM receiving_rule ORDER BY owner")]


def _named(row: Any) -> dict[str, Any]:
    return dict(row) | {"owner": row["owner"] or HOUSES}


@router.get("/receiving-rules/{owner}", response_model=ReceivingRule, responses=documented(404))
async def get_receiving_rule(owner: _Owner, response: Response, here: Here, _: Principal = HOUSE) -> dict[str, Any]:
    """Show an owner's rule."""
    rows = await here.database.read("SELECT * FROM receiving_rule WHERE owner = $1", owner.removeprefix(HOUSES))
    if not rows:
        raise Refusal(404, f"receiving rule: {owner!r} has none of its own")
    response.headers["ETag"] = f'"{tag(*rows[0])}"'
    return _named(rows[0])


@router.put("/receiving-rules/{owner}", response_model=ReceivingRule, responses=documented(400, 412, 428))
async def put_receiving_rule(
    owner: _Owner,
    body: ReceivingRuleIn,
    response: Response,
    here: Here,
    correlation: Correlation,
    if_match: IfMatch = None,
    who: Principal = KEEPERS,
) -> dict[str, Any]:
    """Give an owner a rule, or change it (If-Match)."""

    async def work(connection: Connection) -> Any:
        whose = owner.removeprefix(HOUSES)
        was = await connection.fetchrow("SELECT * FROM receiving_rule WHERE owner = $1 FOR UPDATE", whose)
        _may(was, if_match, owner)
        await connection.execute(
            AUDIT, moment(here.clock.now_ms()), who.name, who.role, "receiving_rule.put", owner, "", correlation,
            body.model_dump_json(),
        )  # fmt: skip
        return await connection.fetchrow(
            "INSERT INTO receiving_rule VALUES ($1, $2, $3) ON CONFLICT (owner)"
            " DO UPDATE SET over_pct = excluded.over_pct, blind = excluded.blind RETURNING *",
            whose, body.over_pct, body.blind,
        )  # fmt: skip

    kept = await here.database.unit(work)
    response.headers["ETag"] = f'"{tag(*kept)}"'
    return _named(kept)


def _may(was: Any, if_match: str | None, name: str) -> None:
    if was is not None:
        check(if_match, tag(*was))
    elif if_match is not None:
        raise Refusal(412, f"If-Match: there is no rule {name!r} to change")


_Id = Annotated[str, Path(pattern=PATTERN)]


@router.get("/quality-rules", response_model=list[QualityRule], responses=documented())
async def list_quality_rules(here: Here, _: Principal = HOUSE) -> list[dict[str, Any]]:
    """List what is looked at before anybody may have it."""
    return [dict(r) for r in await here.database.read("SELECT * FROM quality_rule ORDER BY id")]


@router.get("/quality-rules/{rule_id}", response_model=QualityRule, responses=documented(404))
async def get_quality_rule(rule_id: _Id, response: Response, here: Here, _: Principal = HOUSE) -> dict[str, Any]:
    """Show a rule."""
    rows = await here.database.read("SELECT * FROM quality_rule WHERE id = $1", rule_id)
    if not rows:
        raise Refusal(404, f"quality rule: {rule_id!r} is not known")
    response.headers["ETag"] = f'"{tag(*rows[0])}"'
    return dict(rows[0])


@router.put("/quality-rules/{rule_id}", response_model=QualityRule, responses=documented(400, 412, 428))
async def put_quality_rule(
    rule_id: _Id,
    body: QualityRuleIn,
    response: Response,
    here: Here,
    correlation: Correlation,
    if_match: IfMatch = None,
    who: Principal = KEEPERS,
) -> dict[str, Any]:
    """Make a rule, or change it (If-Match). What came in before stays as it is."""

    async def work(connection: Connection) -> Any:
        was = await connection.fetchrow("SELECT * FROM quality_rule WHERE id = $1 FOR UPDATE", rule_id)
        _may(was, if_match, rule_id)
        if body.item and not await connection.fetchval("SELECT 1 FROM item WHERE id = $1", body.item):
            raise refused("item", body.item, "an item of the item master")
        await connection.execute(
            AUDIT, moment(here.clock.now_ms()), who.name, who.role, "quality_rule.put", rule_id, body.reason,
            correlation, body.model_dump_json(),
        )  # fmt: skip
        return await connection.fetchrow(
            "INSERT INTO quality_rule VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO UPDATE SET"
            " supplier = excluded.supplier, item = excluded.item, reason = excluded.reason RETURNING *",
            rule_id, body.supplier, body.item, body.reason,
        )  # fmt: skip

    kept = await here.database.unit(work)
    response.headers["ETag"] = f'"{tag(*kept)}"'
    return dict(kept)


@router.delete("/quality-rules/{rule_id}", status_code=204, responses=documented(404, 412, 428))
async def delete_quality_rule(
    rule_id: _Id, here: Here, correlation: Correlation, if_match: IfMatch = None, who: Principal = KEEPERS
) -> None:
    """Forget a rule."""

    async def work(connection: Connection) -> None:
        was = await connection.fetchrow("SELECT * FROM quality_rule WHERE id = $1 FOR UPDATE", rule_id)
        if was is None:
            raise Refusal(404, f"quality rule: {rule_id!r} is not known")
        check(if_match, tag(*was))
        await connection.execute("DELETE FROM quality_rule WHERE id = $1", rule_id)
        await connection.execute(
            AUDIT,
            moment(here.clock.now_ms()),
            who.name,
            who.role,
            "quality_rule.delete",
            rule_id,
            "",
            correlation,
            None,
        )

    await here.database.unit(work)
