"""The whole floor in one event loop on virtual time: the same services as in `up`, on memory ports.

Central is reached through its ASGI application, PostgreSQL is real, devices and robots are twins. Nobody calls into
another's package: what is assembled here meets through REST and the two ports.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec

from central.identity.bootstrap import bootstrap_identity
from central.migrate import migrate
from central.service import Central
from central.settings import CentralSettings
from contracts.runtime.clock import LoopClock
from contracts.runtime.floor.memory import MemoryBroker
from contracts.runtime.log.memory import MemoryStore
from contracts.runtime.service import Service
from contracts.site import Site
from dispatcher.params import Params
from dispatcher.service import Dispatcher
from dispatcher.settings import DispatcherSettings
from edge.daemon import Edge
from edge.settings import EdgeSettings
from simulators.catalogue import Catalogue, StockRow
from simulators.demand import Feed
from simulators.erp import Erp
from simulators.floor import SimulatedFloor
from simulators.robot import RobotParams
from simulators.scenario import Scenario


class FloorPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be run."""

    site: Site
    catalogue: Catalogue
    stock: tuple[StockRow, ...]
    """What the books say at the beginning, and what really lies there."""
    feed: Feed | None
    database_url: str
    """An empty database; it is migrated here."""
    journal: Path
    start_ms: int
    seed: int
    params: Params = Params()
    robots: RobotParams | None = None
    scenario: Scenario | None = None


class OneLoop:
    """A running floor."""

    def __init__(
        self,
        plan: FloorPlan,
        clock: LoopClock,
        store: MemoryStore,
        central: Central,
        dispatcher: Dispatcher,
        twins: SimulatedFloor,
        erp: Erp,
        http: httpx.AsyncClient,
        tokens: dict[str, str],
        broker: MemoryBroker,
    ) -> None:
        self.plan, self.clock, self.store, self.broker = plan, clock, store, broker
        self.central, self.dispatcher, self.twins, self.erp, self.http = central, dispatcher, twins, erp, http
        self.tokens = tokens
        """Of central, one a role."""


@asynccontextmanager
async def one_loop(plan: FloorPlan) -> AsyncIterator[OneLoop]:
    """Start everything on the running virtual loop, and stop it at the block's end.

    Raises
    ------
    FloorplaneError
        A part could not start, or failed while it ran.
    """
    clock = LoopClock(plan.start_ms)
    broker, store = MemoryBroker(), MemoryStore()
    await migrate(plan.database_url)
    secrets = await bootstrap_identity(plan.database_url)
    central = Central(
        CentralSettings(database_url=plan.database_url, database_connections=1),
        plan.site, store.connect("central"), clock,
    )  # fmt: skip
    dispatcher = Dispatcher(
        DispatcherSettings(journal=plan.journal, fsync=False, publish_views=False, params=plan.params),
        plan.site, broker, store.connect("dispatcher"), clock,
    )  # fmt: skip
    twins = SimulatedFloor(
        plan.site, plan.catalogue, broker, clock, plan.seed, robots=plan.robots, scenario=plan.scenario,
        rows=plan.stock,
    )  # fmt: skip
    edge = Edge(EdgeSettings(), plan.site, "all", broker, twins, clock)
    transport = httpx.ASGITransport(central.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://central") as http:
        erp = Erp(http, secrets.tokens["erp"], plan.catalogue, plan.stock, plan.feed, clock)
        http.headers["Authorization"] = f"Bearer {secrets.tokens['supervisor']}"
        async with asyncio.TaskGroup() as group:
            tasks: dict[Service, asyncio.Task[None]] = {}
            for services in ((central,), (dispatcher, twins), (edge,), (erp,)):
                tasks |= await _start(group, services)
            yield OneLoop(plan, clock, store, central, dispatcher, twins, erp, http, secrets.tokens, broker)
            # the dispatcher before the floor: cells and robots go dark in any order, which is no part of a day
            for service in (erp, dispatcher, edge, twins, central):
                tasks[service].cancel()
                await asyncio.wait([tasks[service]])


async def _start(group: asyncio.TaskGroup, services: Sequence[Service]) -> dict[Service, asyncio.Task[None]]:
    tasks = {s: group.create_task(s.run(), name=s.name) for s in services}
    for service in services:
        await service.ready.wait()
    return tasks
