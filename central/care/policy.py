"""REST of the few limits that the care of the stock keeps to."""

from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from central.context import Correlation, Here
from central.database import Connection
from central.identity.access import HOUSE, SUPERVISOR, Principal
from central.identity.audit import AUDIT
from central.moment import moment
from central.preconditions import IfMatch, check
from central.problems import documented

router = APIRouter(prefix="/v1/care", tags=["care"])
_ROW = "SELECT p.*, md5(p::text) AS tag FROM care_policy p"


class Policy(BaseModel):
    """The limits."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"count_limit": 100, "scrap_limit": 20}]})

    count_limit: int = Field(
        100,
        ge=1,
        le=1_000_000,
        strict=True,
        description="Pieces that two counters may correct; above it a third decides",
    )
    count_rounds: int = Field(6, ge=2, le=50, strict=True, description="After so many rounds a supervisor is called")
    count_after_short: bool = Field(True, description="Whether a bin that a pick found short is counted")
    scrap_limit: int = Field(20, ge=1, le=1_000_000, strict=True, description="Pieces that one person may scrap")
    blind_returns: Literal["shipped", "any"] = Field(
        "shipped", description="Returns without an order: at most what was shipped of the item, or any number"
    )


class PolicyOut(Policy):
    """The limits, and who set them."""

    changed_at: datetime | None
    changed_by: str | None


@router.get("/policy", response_model=PolicyOut, responses=documented())
async def get_policy(here: Here, response: Response, _: Principal = HOUSE) -> dict[str, Any]:
    """Show the limits; the ETag goes into the If-Match of a change."""
    row = (await here.database.read(_ROW))[0]
    response.headers["ETag"] = f'"{row["tag"]}"'
    return dict(row)


@router.put("/policy", response_model=PolicyOut, responses=documented(400, 412, 428))
async def put_policy(
    body: Policy, here: Here, correlation: Correlation, response: Response,
    if_match: IfMatch = None, who: Principal = SUPERVISOR,
) -> dict[str, Any]:  # fmt: skip
    """Set the limits; what is open already goes on under them."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> dict[str, Any]:
        was = await connection.fetchrow(f"{_ROW} FOR UPDATE")
        check(if_match, was["tag"])
        await connection.execute(
            "UPDATE care_policy SET count_limit = $1, count_rounds = $2, count_after_short = $3, scrap_limit = $4,"
            " blind_returns = $5, changed_at = $6, changed_by = $7",
            body.count_limit, body.count_rounds, body.count_after_short, body.scrap_limit, body.blind_returns,
            at, who.name,
        )  # fmt: skip
        await connection.execute(
            AUDIT, at, who.name, who.role, "care.policy", "policy", "", correlation, body.model_dump_json()
        )
        return dict(await connection.fetchrow(_ROW))

    kept = await here.database.unit(work)
    response.headers["ETag"] = f'"{kept["tag"]}"'
    return kept
