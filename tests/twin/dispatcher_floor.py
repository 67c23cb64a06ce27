"""A small floor for the dispatcher's tests: the reference site with few robots, its twins, its edges, and a bookkeeper.

The bookkeeper stands where central stands: it publishes work keys, takes facts in order and once, acknowledges them
and closes the keys. Everything else is the real thing on virtual time.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from contracts import topics
from contracts.codec import decode, encode
from contracts.ids import OrderId, SiteId, TaskId, ToteId
from contracts.messages.facts import AlarmRaised, Fact, FactsAck, PickDone, PodMoved, ToteArrived, TotePacked
from contracts.messages.work import Convey, Pack, Pick, Work
from contracts.runtime.clock import LoopClock
from contracts.runtime.floor.memory import MemoryBroker
from contracts.runtime.log.memory import MemoryLog, MemoryStore
from dispatcher.params import Params
from dispatcher.service import Dispatcher
from dispatcher.settings import DispatcherSettings
from edge.daemon import Edge
from edge.settings import EdgeSettings
from simulators import site as reference
from simulators.catalogue import Catalogue
from simulators.floor import SimulatedFloor
from simulators.params import FloorParams
from simulators.robot_build import RobotParams
from simulators.scenario import Scenario
from simulators.virtual_time import run

T = TypeVar("T")
CATALOGUE = Catalogue.seeded(7, 200)
WHOLE = reference.build(7, CATALOGUE)
STOCK = reference.stock(WHOLE, CATALOGUE, 7)
START_MS = 1_386_000_000_000
CALM = FloorParams(no_read=0, wrong_item=0, miscount=0)


def orders(count: int, lines: int, seed: int) -> list[list[Work]]:
    """Return the work of some orders, one tote each, with picks from random bins that hold enough."""
    rng = random.Random(seed)
    rows = [r for r in STOCK if r.qty >= 1 and r.physical_qty == r.qty]
    items = {i.id: i for i in CATALOGUE.items}
    made: list[list[Work]] = []
    for n in range(count):
        order, tote = OrderId(f"O{n}"), ToteId(f"T-O{n}-1")
        due_ms = START_MS + 3_600_000
        work: list[Work] = []
        for k, row in enumerate(rng.sample(rows, lines)):
            item = items[row.item]
            work.append(
                Pick(
                    task=TaskId(f"P-{tote}-{k}"),
                    attempt=1,
                    order=order,
                    line=k,
                    tote=tote,
                    item=row.item,
                    barcode=item.barcode,
                    qty=1,
                    unit_weight_g=item.weight_g,
                    pod=WHOLE.bin_pod[row.bin],
                    bin=row.bin,
                    due_ms=due_ms,
                    priority=0,
                )
            )
        work.append(Convey(TaskId(f"C-{tote}"), 1, order, tote, due_ms, 0))
        work.append(Pack(TaskId(f"K-{tote}"), 1, order, tote, due_ms, 0))
        made.append(work)
    return made


class Bookkeeper:
    """Keeps the work keys and takes facts, as central does; `done` counts what was told of each task."""

    def __init__(self, log: MemoryLog, site: SiteId, *, latency_s: float = 0.02) -> None:
        self.open: dict[TaskId, Work] = {}
        self.done: Counter[TaskId] = Counter()
        self.facts: list[Fact] = []
        self.epoch = self.seq = 0
        self.latency_s = latency_s
        self.deaf = False
        self.empty = asyncio.Event()
        self._log, self._site = log, site

    async def publish(self, work: list[Work]) -> None:
        for task in work:
            self.open[task.task] = task
            self.empty.clear()
            await self._log.append(topics.work_key(self._site, task.task), encode(task))

    async def void(self, task: TaskId) -> None:
        """Close a key of which nothing was done."""
        await self._log.append(topics.work_key(self._site, task), b"")

    async def run(self) -> None:
        async for entry in self._log.follow(topics.facts_subject(self._site)):
            fact = decode(entry.payload, Fact)
            await asyncio.sleep(self.latency_s)
            if self.deaf or fact.epoch < self.epoch:
                continue
            if fact.epoch > self.epoch:
                self.epoch, self.seq = fact.epoch, 0
            if fact.seq == self.seq + 1:
                self.seq = fact.seq
                await self._post(fact)
            self._log.say(topics.facts_ack(self._site), encode(FactsAck(self._site, self.epoch, self.seq)))

    async def _post(self, fact: Fact) -> None:
        self.facts.append(fact)
        body = fact.body
        if isinstance(body, PickDone | ToteArrived | TotePacked):
            known = self.open.get(body.task)
            if known is None or known.attempt != body.attempt:
                return  # posted before: idempotent on the task's key
            self.done[body.task] += 1
            del self.open[body.task]
            await self._log.append(topics.work_key(self._site, body.task), b"")
            if not self.open:
                self.empty.set()

    def alarms(self) -> list[AlarmRaised]:
        return [f.body for f in self.facts if isinstance(f.body, AlarmRaised)]

    def pods_moved(self) -> int:
        return sum(isinstance(f.body, PodMoved) for f in self.facts)


class Site:
    """Everything of one small site in one event loop."""

    def __init__(
        self,
        robots: int,
        journal: Path | None = None,
        *,
        seed: int = 3,
        people: FloorParams = CALM,
        build: RobotParams | None = None,
        scenario: Scenario | None = None,
        params: Params | None = None,
    ) -> None:
        self.site = msgspec.structs.replace(WHOLE, robots=WHOLE.robots[:robots])
        self.broker, self.store = MemoryBroker(), MemoryStore()
        self.clock = LoopClock(START_MS)
        self.settings = DispatcherSettings(journal=journal, fsync=False, publish_views=False, params=params or Params())
        self.floor = SimulatedFloor(
            self.site, CATALOGUE, self.broker, self.clock, seed, people, robots=build, scenario=scenario, rows=STOCK
        )
        self.edge = Edge(EdgeSettings(), self.site, "all", self.broker, self.floor, self.clock)
        self.dispatcher = self.new_dispatcher()
        self.may_end: set[asyncio.Task[None]] = set()
        self.books = Bookkeeper(self.store.connect("central"), self.site.id)

    def new_dispatcher(self) -> Dispatcher:
        log = self.store.connect("dispatcher")
        return Dispatcher(self.settings, self.site, self.broker, log, self.clock)


def on_site(script: Callable[[Site], Awaitable[T]], make: Callable[[], Site]) -> T:
    """Run a script while everything runs on virtual time."""

    async def main() -> T:
        site = make()
        tasks = [asyncio.create_task(part.run(), name=part.name) for part in (site.dispatcher, site.edge, site.floor)]
        tasks.append(asyncio.create_task(site.books.run(), name="books"))
        doing = asyncio.ensure_future(script(site))
        try:
            while not doing.done():
                await asyncio.wait([doing, *(t for t in tasks if t not in site.may_end)], return_when="FIRST_COMPLETED")
                for task in tasks:
                    if task.done() and task not in site.may_end:
                        task.result()
            return doing.result()
        finally:
            doing.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    return run(main())
