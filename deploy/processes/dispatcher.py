"""`floorplane dispatcher`: the brain of one site, on the two ports, with a planner worker beside it."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from contracts.runtime.floor.mqtt import MqttConnector
from contracts.runtime.log.nats import connect_log
from contracts.runtime.service import Service
from contracts.site import read_site
from deploy.processes.settings import DispatcherProcess
from dispatcher.params import Params
from dispatcher.planning.worker import PlannerWorker
from dispatcher.service import Dispatcher
from dispatcher.settings import DispatcherSettings

_FREEZE_S, _TIMES = 2.0, 10_000


class Young:
    """Keeps the garbage collector from walking the whole world: what is there stays, as nearly all of it does.

    Every few seconds all that lives is moved out of its sight, which costs nothing; what was garbage in it by then is
    looked for a few times a day.
    """

    def __init__(self) -> None:
        self.name = "young"
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Run until cancelled."""
        self.ready.set()
        try:
            while True:
                for _ in range(_TIMES):
                    await asyncio.sleep(_FREEZE_S)
                    gc.freeze()
                gc.unfreeze()
                gc.collect()
        finally:
            gc.unfreeze()


@asynccontextmanager
async def assemble(settings: DispatcherProcess) -> AsyncIterator[Sequence[Service]]:
    """Open what the dispatcher needs, and give its service."""
    clock, site = settings.begin(), read_site(settings.site)
    floor = MqttConnector(settings.needed("mqtt_url"))
    log = await connect_log(settings.needed("nats_url"), "dispatcher")
    try:
        how = DispatcherSettings(
            journal=settings.state / "dispatcher", params=_params(settings), standby=settings.standby
        )  # fmt: skip
        worker = PlannerWorker(site.id, log, f"planner-{os.getpid()}")
        yield (Dispatcher(how, site, floor, log, clock), Young(), worker)
    finally:
        await log.close()


def _params(settings: DispatcherProcess) -> Params:
    if not settings.hold_min:
        return Params(adopt=settings.adopt, station_rule=settings.stations)
    return Params(
        adopt=settings.adopt, station_rule=settings.stations, release_rule="due",
        hold_ms=round(settings.hold_min * 60_000),
    )  # fmt: skip
