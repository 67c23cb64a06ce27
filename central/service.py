"""Central as a service: its parts wired once, its loops supervised together."""

import asyncio

from fastapi import FastAPI

from central.app import build
from central.areas.batcher import Batcher
from central.care.caretaker import Caretaker
from central.console.hub import Hub
from central.context import Context
from central.database import Database
from central.epcis.projection import Names
from central.epcis.projector import EpcisProjector
from central.events.kafka import KafkaSink
from central.events.published import Published
from central.events.relay import Relay
from central.facts.consumer import FactConsumer
from central.fleet.board import FleetBoard
from central.fleet.halt import Halt
from central.identity.access import Doorkeeper
from central.masterdata.places import keep_places
from central.metrics import Metrics
from central.moment import moment
from central.orders.release import Releaser
from central.plans.desk import PlanDesk
from central.plans.mover import Mover
from central.settings import CentralSettings
from central.webhooks.pump import WebhookPump
from contracts.errors import Unavailable
from contracts.runtime.clock import Clock
from contracts.runtime.log import Log
from contracts.runtime.logging import get_log
from contracts.site import Site

logger = get_log(__name__)
_AGAIN_S = 0.5
_DAY_S = 86_400.0


class Central:
    """Orders, stock, ledger, work and REST of one site.

    The database must be migrated (`central.migrate.migrate`). `app` can be called from the start; until `ready` it
    answers 503 where it needs the database. On virtual time call it through ``httpx.ASGITransport(central.app)``, with
    ``database_connections=1``.

    Parameters
    ----------
    settings
        See `CentralSettings`.
    site
        Its pods, bins, stations and chutes are the places of the books.
    log, clock
        The port and the time of this process.
    halt
        Stops the fleet over the broker alone; None: the dispatcher is asked to.
    """

    name = "central"

    def __init__(self, settings: CentralSettings, site: Site, log: Log, clock: Clock, halt: Halt | None = None) -> None:
        self.ready = asyncio.Event()
        self._site = site
        self._clock = clock
        self._settings = settings
        self._database = Database(settings.needed("database_url"), connections=settings.database_connections)
        metrics, fleet = Metrics(), FleetBoard()
        self._hub = Hub(self._database, log, site, clock, fleet, metrics)
        self._relay = Relay(self._database, log, site, clock, self._hub, metrics)
        self._facts = FactConsumer(self._database, log, site, clock, self._hub, metrics)
        self._releaser = Releaser(self._database, clock, settings.release_in_work, settings.release_ahead_h)
        self._caretaker = Caretaker(self._database, clock)
        self._mover = Mover(self._database, log, site, clock)
        self._batcher = Batcher(self._database, clock)
        self._plans = PlanDesk(self._database, log, site, clock)
        published = Published()
        self._epcis = EpcisProjector(self._database, clock, Names(site.id, settings.epcis_gln))
        self._webhooks = WebhookPump(self._database, site, clock, internal=settings.webhook_internal)
        self._sinks = (
            []
            if settings.kafka_servers is None
            else [KafkaSink(self._database, site.id, clock, published, settings.kafka_servers, settings.kafka_topic)]
        )
        for hook in (
            published.published, self._epcis.published, self._webhooks.published, self._caretaker.published,
            self._mover.published,
        ):  # fmt: skip
            self._relay.on_published(hook)
        if settings.release_in_work:
            self._relay.on_published(self._releaser.published)
        self.app: FastAPI = build(
            Context(
                settings=settings,
                site=site,
                log=log,
                clock=clock,
                database=self._database,
                doorkeeper=Doorkeeper(self._database, clock),
                fleet=fleet,
                hub=self._hub,
                metrics=metrics,
                releaser=self._releaser,
                caretaker=self._caretaker,
                mover=self._mover,
                batcher=self._batcher,
                published=published,
                epcis=self._epcis,
                webhooks=self._webhooks,
                halt=halt,
            )
        )

    async def run(self) -> None:
        """Run until cancelled; a database that is away is waited for."""
        try:
            await self._open()
            async with asyncio.TaskGroup() as group:
                for part in (
                    self._hub, self._relay, self._facts, self._releaser, self._caretaker, self._epcis, self._webhooks,
                    self._plans, self._mover, self._batcher,
                ):  # fmt: skip
                    group.create_task(part.run(), name=part.name)
                for sink in self._sinks:
                    group.create_task(sink.run(), name=sink.name)
                group.create_task(self._keep_house(), name="central.house")
                self.ready.set()
        finally:
            self.ready.clear()
            await self._database.close()

    async def _open(self) -> None:
        while True:
            try:
                if not self._database.is_open:
                    await self._database.open()
                await self._database.read("SELECT make_partitions($1)", moment(self._clock.now_ms()))
                new = await keep_places(self._database, self._site)
                await self._database.read(
                    "SELECT keep_outbound_setting($1, $2, $3, $4)",
                    self._settings.sscc_prefix,
                    self._settings.hand_picks,
                    self._settings.tote_volume_ml,
                    self._settings.tote_weight_g,
                )
            except Unavailable as e:
                logger.warning("central waits for the database", error=str(e))
                await self._clock.sleep(_AGAIN_S)
            else:
                logger.info("central is ready", site=self._site.id, new_places=new)
                return

    async def _keep_house(self) -> None:
        """Every day: the stock of past months is kept, and the ledger has partitions for the coming ones."""
        while True:
            now = moment(self._clock.now_ms())
            try:
                await self._database.read("SELECT make_partitions($1)", now)
                rows = await self._database.read("SELECT settled_seq() AS seq")
                await self._database.read("SELECT keep_months($1, $2)", now, rows[0]["seq"])
            except Unavailable as e:
                logger.warning("partitions and month ends are made tomorrow", error=str(e))
            await self._clock.sleep(_DAY_S)
