"""REST that the console alone needs: where the pods stand and which totes wait at the chutes, for the map."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from central.context import Here
from central.identity.access import HOUSE, Principal
from central.problems import documented

router = APIRouter(prefix="/v1", tags=["fleet"])


class Standing(BaseModel):
    """What stands where, as far as the books know."""

    pods: dict[str, str] = Field(description="Node by pod: where it was last set down")
    chutes: dict[str, list[str]] = Field(description="Totes by chute that have arrived and are not packed")


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
