"""`floorplane dispatcher`: the brain of one site, on the two ports."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from contracts.runtime.floor.mqtt import MqttConnector
from contracts.runtime.log.nats import connect_log
from contracts.runtime.service import Service
from contracts.site import read_site
from deploy.processes.settings import DispatcherProcess
from dispatcher.params import Params
from dispatcher.service import Dispatcher
from dispatcher.settings import DispatcherSettings


@asynccontextmanager
async def assemble(settings: DispatcherProcess) -> AsyncIterator[Sequence[Service]]:
    """Open what the dispatcher needs, and give its service."""
    clock, site = settings.begin(), read_site(settings.site)
    floor = MqttConnector(settings.needed("mqtt_url"))
    log = await connect_log(settings.needed("nats_url"), "dispatcher")
    try:
        how = DispatcherSettings(
            journal=settings.state / "dispatcher", params=Params(adopt=settings.adopt), standby=settings.standby
        )
        yield (Dispatcher(how, site, floor, log, clock),)
    finally:
        await log.close()
