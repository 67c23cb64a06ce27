"""REST that the console alone needs: where the pods stand and which totes wait at the chutes, for the map."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from central.context import Here
from central.identity.access import HOUSE, Principal
from central.problems import documented

router = APIRouter(prefix="/v1", tags=["fleet"])


class Standing(BaseModel):
    """What stands where, as far as the books know."""

    pods: dict[str, str] = Field(description="Node by pod: where it was last set down")
    chutes: dict[str, list[str]] = Field(description="Totes by chute that have arrived and are not packed")


class PastFleet(BaseModel):
    """The fleet as it was heard of at a moment, and between which moments one may ask."""

    from_ms: int | None = Field(description="The oldest that is kept, ms since 1970 (UTC); null: nothing is")
    to_ms: int | None = Field(description="The newest")
    view: dict[str, Any] | None = Field(
        description="As in `contracts.messages.ops.FleetView`: the newest until `at_ms`; null: none is so old"
    )


@router.get("/fleet/past", response_model=PastFleet, responses=documented())
async def get_past(
    here: Here,
    at_ms: Annotated[int, Query(ge=0, le=2**53 - 1, description="When, ms since 1970 (UTC)")] = 0,
    _: Principal = HOUSE,
) -> Response:
    """Show where every robot was at a moment of the last hours, what it did, and why it waited."""
    span = here.fleet.past.span
    begin, end = ("null", "null") if span is None else map(str, span)
    view = here.fleet.past.at(at_ms)
    shown = "null" if view is None else view.decode()
    return Response(f'{{"from_ms":{begin},"to_ms":{end},"view":{shown}}}', media_type="application/json")


_PODS = "SELECT code, node FROM place WHERE kind = 'pod' AND node IS NOT NULL ORDER BY code"
_CHUTES = (
    "SELECT p.parent AS chute, t.id FROM tote t JOIN place p ON p.code = t.id JOIN place c ON c.code = p.parent"
    " WHERE t.state = 'arrived' AND c.kind = 'chute' ORDER BY p.parent, t.id"
)


@router.get("/standing", response_model=Standing, responses=documented())
async def get_standing(here: Here, _: Principal = HOUSE) -> dict[str, Any]:
    """Show where pods stand and which totes wait at which chute."""
    chutes: dict[str, list[str]] = {c.id: [] for c in here.site.chutes}
    for row in await here.database.read(_CHUTES):
        chutes.setdefault(row["chute"], []).append(row["id"])
    pods = {row["code"]: row["node"] for row in await here.database.read(_PODS)}
    return {"pods": pods, "chutes": chutes}
