"""`floorplane planner`: one more planner worker, on this machine or another one; it needs nothing but the log."""

import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from contracts.runtime.log.nats import connect_log
from contracts.runtime.service import Service
from contracts.site import read_site
from deploy.processes.settings import PlannerProcess
from dispatcher.planning.worker import PlannerWorker


@asynccontextmanager
async def assemble(settings: PlannerProcess) -> AsyncIterator[Sequence[Service]]:
    """Open the log, and give the worker."""
    settings.begin()
    site = read_site(settings.site)
    name = f"planner-{socket.gethostname()}-{os.getpid()}"
    log = await connect_log(settings.needed("nats_url"), name)
    try:
        yield (PlannerWorker(site.id, log, name),)
    finally:
        await log.close()
