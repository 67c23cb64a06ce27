"""`floorplane central`: the database brought up to date, then REST, console and central's own loops."""

import asyncio
import gc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from central.identity.bootstrap import bootstrap_identity
from central.migrate import migrate
from central.serve import HttpServer
from central.service import Central
from contracts.errors import Unavailable
from contracts.runtime.floor.mqtt import MqttConnector
from contracts.runtime.log.nats import connect_log
from contracts.runtime.logging import get_log
from contracts.runtime.service import Service
from contracts.site import read_site
from deploy.processes.settings import CentralProcess
from deploy.stop import BrokerHalt

_log = get_log("deploy.central")
_PATIENCE_S = 30.0
_AGAIN_S = 0.25
_BROKER_S = 3.0


@asynccontextmanager
async def assemble(settings: CentralProcess) -> AsyncIterator[Sequence[Service]]:
    """Open what central needs, and give its services."""
    clock, site, url = settings.begin(), read_site(settings.site), settings.needed("database_url")
    await prepare(url, settings.secrets)
    log = await connect_log(settings.needed("nats_url"), "central")
    try:
        halt = (
            None
            if settings.mqtt_url is None
            else BrokerHalt(MqttConnector(settings.mqtt_url, wait_s=_BROKER_S), site.id, clock)
        )
        central = Central(settings, site, log, clock, halt)
        # the site and the application stay as long as the process: a collector that walks them stops REST for 60 ms
        gc.collect()
        gc.freeze()
        yield (central, HttpServer(central.app, settings.host, settings.port))
    finally:
        await log.close()


async def prepare(url: str, secrets: Path, *, patience_s: float = _PATIENCE_S) -> None:
    """Bring the database up to date, once it is there: both may have been killed together.

    Raises
    ------
    Unavailable
        It was not there within the time.
    """
    loop = asyncio.get_running_loop()
    until_s = loop.time() + patience_s
    while True:
        try:
            await migrate(url)
        except Unavailable as e:
            if loop.time() > until_s:
                raise
            _log.warning("central waits for the database", error=str(e))
            await asyncio.sleep(_AGAIN_S)
        else:
            await bootstrap_identity(url, secrets)
            return
