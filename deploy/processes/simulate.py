"""`floorplane simulate`: every robot and device of the site as a twin on its real protocol, and an ERP with orders."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx
import msgspec

from central.identity.bootstrap import Secrets
from contracts.errors import Rejected
from contracts.runtime.clock import Clock
from contracts.runtime.floor.mqtt import MqttConnector
from contracts.runtime.service import Service
from contracts.site import read_site
from deploy.processes.settings import SimulateProcess
from simulators.catalogue import Catalogue, read_catalogue
from simulators.demand import DemandFeed, Feed, PlanFeed, file_plan
from simulators.erp import Erp, Progress, read_progress, write_progress
from simulators.floor import SimulatedFloor
from simulators.orders import read_orders
from simulators.robot import RobotParams
from simulators.serve import ServedDevices
from simulators.site import stock
from simulators.witness import Witness


@asynccontextmanager
async def assemble(settings: SimulateProcess) -> AsyncIterator[Sequence[Service]]:
    """Open what the twins need, and give their services."""
    clock, site, catalogue = settings.begin(), read_site(settings.site), read_catalogue(settings.catalogue)
    robots = RobotParams(
        driving_state_s=max(1.0, settings.pace), visualization_hz=settings.visualization_hz / settings.pace
    )
    broker = MqttConnector(settings.needed("mqtt_url"))
    floor = SimulatedFloor(
        site,
        catalogue,
        broker,
        clock,
        settings.seed,
        robots=robots,
        memory=settings.state / "simulators" / "floor.json",
    )
    witness = Witness(settings.state / "simulators" / "truth.jsonl").watch(floor.world)
    async with httpx.AsyncClient(base_url=settings.central_url, timeout=30.0) as client:
        erp = Erp(
            client,
            _token(settings),
            catalogue,
            stock(site, catalogue, settings.seed),
            _feed(settings, catalogue, clock),
            clock,
            acknowledged=settings.state / "erp" / "acknowledged.jsonl",
            progress=settings.state / "erp" / "progress.json",
        )
        yield (floor, ServedDevices(floor, clock), erp)
    witness.close()


def _feed(settings: SimulateProcess, catalogue: Catalogue, clock: Clock) -> Feed:
    if settings.orders is None:
        return DemandFeed(catalogue, settings.seed, settings.orders_per_h)
    file = settings.state / "erp" / "progress.json"
    progress = read_progress(file)
    if progress is None:  # kept from the first moment: a plan of another start would send the same order otherwise
        progress = Progress(clock.now_ms(), 0, clock.now_ms())
        write_progress(file, progress)
    plan = file_plan(read_orders(settings.orders), progress.start_ms, settings.seed, within_h=settings.orders_within_h)
    return PlanFeed(plan)


def _token(settings: SimulateProcess) -> str:
    try:
        return msgspec.json.decode(settings.secrets.read_bytes(), type=Secrets).tokens["erp"]
    except (OSError, msgspec.DecodeError, KeyError) as e:
        raise Rejected("secrets", str(settings.secrets), "the file of tokens that central writes at its start") from e
