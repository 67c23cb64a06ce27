"""Part of a real day through central alone, on virtual time: a scripted floor answers, nothing depends on chance."""

import asyncio
import hashlib
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx
import pytest

from central.identity.bootstrap import bootstrap_identity
from central.invariants import violations
from central.migrate import migrate
from central.service import Central
from central.settings import CentralSettings
from central.stock.export import ledger_rows
from contracts import topics
from contracts.codec import decode, encode
from contracts.ids import RobotId, StationId
from contracts.messages.facts import Evidence, Fact, FactBody, TaskStarted, ToteArrived, TotePacked
from contracts.messages.work import Convey, Pick, Work
from contracts.runtime.clock import LoopClock
from contracts.runtime.log.memory import MemoryStore
from deploy.embedded.scratch import ScratchPostgres
from simulators import virtual_time
from tests.wire.central_floor import DUE, START_MS, ndjson, picked, results, small_site

FILE = Path(__file__).parents[3] / "shared/data/orders/warehouse_shipments.csv.gz"
ORDERS = 60


class ScriptedFloor:
    """Does each task some floor time after it was published; one pick in twelve is short."""

    def __init__(self, store: MemoryStore, clock: LoopClock, seed: int) -> None:
        self.log, self.clock = store.connect("dispatcher"), clock
        self.site, self.random = small_site(), random.Random(seed)
        self.seq = 0
        self.open: dict[str, Work] = {}
        self.picks: defaultdict[str, set[str]] = defaultdict(set)
        self.idle = asyncio.Event()

    async def say(self, body: FactBody) -> None:
        self.seq += 1
        fact = Fact(self.site.id, 1, self.seq, self.clock.now_ms(), body)
        await self.log.append(topics.facts_subject(self.site.id), encode(fact))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            async for entry in self.log.follow(topics.work_key(self.site.id), latest=True):
                task = entry.subject.rsplit(".", 1)[1]
                if entry.payload:
                    work: Any = decode(entry.payload, Work)  # type: ignore[arg-type]  # a union
                    if task not in self.open:
                        self.open[task] = work
                        if isinstance(work, Pick):
                            self.picks[work.tote].add(task)
                            group.create_task(self.pick(work))
                elif (closed := self.open.pop(task, None)) is not None:
                    await self.go_on(task, closed)

    async def pick(self, work: Pick) -> None:
        await self.clock.sleep(self.random.uniform(20, 900))
        await self.say(TaskStarted(work.task, work.attempt, StationId("S1"), RobotId("R1")))
        await self.clock.sleep(6)
        short = self.random.random() < 1 / 12
        await self.say(picked(work, work.qty // 2 if short else None, "bin empty" if short else ""))

    async def go_on(self, task: str, closed: Work) -> None:
        convey, pack = (self.open.get(f"{k}-{closed.tote}") for k in "CK")
        self.picks[closed.tote].discard(task)
        if isinstance(closed, Pick) and not self.picks[closed.tote] and convey is not None:
            await self.say(ToteArrived(convey.task, convey.attempt, self.site.chutes[0].id, Evidence()))
        elif isinstance(closed, Convey) and pack is not None:
            await self.say(TotePacked(pack.task, pack.attempt, 1_000, Evidence()))


async def live(url: str, rows: list[Any], seed: int) -> tuple[str, dict[str, int], list[Any]]:
    """Bring real orders to a central of its own; returns the ledger's digest, orders by state, violations."""
    await migrate(url)
    secrets = await bootstrap_identity(url)
    clock, store, site = LoopClock(START_MS), MemoryStore(), small_site()
    settings = CentralSettings(database_url=url, database_connections=1)
    central = Central(settings, site, store.connect("central"), clock)
    floor = ScriptedFloor(store, clock, seed)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(central.app),
        base_url="http://central",
        headers={"Authorization": f"Bearer {secrets.tokens['erp']}"},
    ) as erp:
        running = asyncio.gather(central.run(), floor.run())
        await central.ready.wait()
        kinds = {r.sku: "stock" if r.category else "service" for r in rows}
        sizes = {sku: 200 + int(hashlib.sha256(sku.encode()).hexdigest()[:3], 16) for sku in sorted(kinds)}
        items = [{"id": s, "kind": k, "weight_g": sizes[s], "volume_ml": sizes[s]} for s, k in sorted(kinds.items())]
        results(await erp.post("/v1/items:bulk", content=ndjson(items)))
        bins = [b.id for p in site.pods for b in p.bins]
        stock = [
            {"place": bins[(n + k) % len(bins)], "item": s, "qty": 40, "reason": "opening"}
            for n, (s, kind) in enumerate(sorted(kinds.items()))
            if kind == "stock"
            for k in range(2)
        ]
        results(await erp.post("/v1/stock:bulk", content=ndjson(stock), headers={"Idempotency-Key": "opening"}))
        orders: defaultdict[str, list[Any]] = defaultdict(list)
        for r in rows:
            orders[r.order_ref].append(r)
        for ref, lines in orders.items():
            await clock.sleep(40)
            body = {
                "ref": ref,
                "due": DUE,
                "lines": [{"line": n, "item": r.sku, "qty": r.qty} for n, r in enumerate(lines, 1)],
            }
            answer = await erp.post("/v1/orders", json=body, headers={"Idempotency-Key": ref})
            assert answer.status_code == 201, answer.text
        await clock.sleep(4 * 3600)
        states = (await erp.get("/v1/stats")).json()["orders"]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    digest = hashlib.sha256()
    async for row in ledger_rows(url):
        digest.update(row)
    return digest.hexdigest(), states, await violations(url)


@pytest.mark.skipif(not FILE.exists(), reason=f"no {FILE}")
@pytest.mark.slow
def test_real_orders_end_the_same_way_each_time(postgres: ScratchPostgres) -> None:
    """Sixty real orders close without a violation; the ledger is the same when run again, another with another seed."""
    from simulators.orders import read_rows

    today = [r for r in read_rows(FILE) if r.planned_ship_date == "2013-12-02"]
    refs = dict.fromkeys(r.order_ref for r in today)
    wanted = set(list(refs)[:ORDERS])
    rows = [r for r in today if r.order_ref in wanted]
    runs = [virtual_time.run(live(postgres.url_of(postgres.create()), rows, seed)) for seed in (1, 1, 2)]
    for _, states, found in runs:
        assert found == []
        assert set(states) <= {"shipped", "short"}
        assert sum(states.values()) == ORDERS
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[2][0]
