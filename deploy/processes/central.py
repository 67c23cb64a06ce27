"""`floorplane central`: the database brought up to date, then REST, console and central's own loops."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from central.identity.bootstrap import bootstrap_identity
from central.migrate import migrate
from central.serve import HttpServer
from central.service import Central
from contracts.runtime.log.nats import connect_log
from contracts.runtime.service import Service
from contracts.site import read_site
from deploy.processes.settings import CentralProcess


@asynccontextmanager
async def assemble(settings: CentralProcess) -> AsyncIterator[Sequence[Service]]:
    """Open what central needs, and give its services."""
    clock, site, url = settings.begin(), read_site(settings.site), settings.needed("database_url")
    await migrate(url)
    await bootstrap_identity(url, settings.secrets)
    log = await connect_log(settings.needed("nats_url"), "central")
    try:
        central = Central(settings, site, log, clock)
        yield (central, HttpServer(central.app, settings.host, settings.port))
    finally:
        await log.close()
