"""Liveness, readiness and metrics, for whoever runs central; open to everybody who reaches the port."""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from central.context import Here
from contracts.errors import Unavailable

router = APIRouter(tags=["operation"])


class Health(BaseModel):
    """How central is."""

    status: str
    parts: dict[str, str]


@router.get("/healthz")
async def healthz() -> Health:
    """Say that the process lives."""
    return Health(status="ok", parts={})


@router.get("/readyz", responses={503: {"model": Health, "description": "A part is not there"}})
async def readyz(here: Here, response: Response) -> Health:
    """Say whether database and log are there."""
    try:
        await here.database.read("SELECT 1")
        database = "ok"
    except Unavailable as e:
        database = str(e)
    parts = {"database": database, "log": "ok" if here.log.connected else "not connected"}
    good = all(p == "ok" for p in parts.values())
    response.status_code = 200 if good else 503
    return Health(status="ok" if good else "unavailable", parts=parts)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(here: Here) -> Response:
    """Show the counters in Prometheus' text format."""
    return Response(here.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
