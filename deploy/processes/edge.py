"""`floorplane edge`: one daemon for some or all cells of a site, with real drivers."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from contracts.ids import CellId
from contracts.runtime.floor.mqtt import MqttConnector
from contracts.runtime.service import Service
from contracts.site import read_site
from controllers.registry import Registry
from deploy.processes.settings import EdgeProcess
from edge.daemon import Edge
from edge.settings import EdgeSettings


@asynccontextmanager
async def assemble(settings: EdgeProcess) -> AsyncIterator[Sequence[Service]]:
    """Open what the edge needs, and give its service."""
    clock, site = settings.begin(), read_site(settings.site)
    edge = EdgeSettings(
        state=settings.state,
        cameras=settings.cameras,
        pictures=settings.pictures,
        buffer_limit=settings.buffer_limit,
        resend_s=settings.resend_s,
        file=settings.tolerances,
        log_level=settings.log_level,
    )
    cells = "all" if settings.cells == "all" else [CellId(c.strip()) for c in settings.cells.split(",")]
    floor = MqttConnector(settings.needed("mqtt_url"))
    yield (Edge(edge, site, cells, floor, Registry(clock), clock, on_level=_log_from),)  # type: ignore[arg-type]


def _log_from(level: str) -> None:
    logging.getLogger().setLevel(level.upper())
