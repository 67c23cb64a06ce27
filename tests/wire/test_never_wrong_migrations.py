"""The reference site in the middle of its day is brought forward while it goes on: nothing lost, nobody stopped."""

import asyncio
import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from central.identity.bootstrap import bootstrap_identity
from central.invariants import violations
from central.migrate import migrate
from contracts.messages.work import Pick
from deploy.embedded.scratch import ScratchPostgres
from simulators.catalogue import Catalogue
from simulators.site import build, stock
from tests.wire import central_floor
from tests.wire.central_floor import DUE, Floor, picked

BEFORE = "0020"
"""The schema of the release before this one."""
SHIPPED, OPEN, MOVES, WRITERS = 3_000, 600, 60_000, 6
CATALOGUE = Catalogue.seeded(1)
SITE = build(1, CATALOGUE, robots=8)
AT = "2013-11-20 08:00+00"
AGAIN = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""What central does over, too."""

FILL = Path(__file__).with_name("reference_day.sql").read_text()


async def _fill(url: str) -> int:
    """Lay the reference site's places, items and opening stock, and half a day of orders; returns the pieces."""
    rows = stock(SITE, CATALOGUE, 1)
    connection = await asyncpg.connect(url)
    places = [(p.id, "pod", None, p.home) for p in SITE.pods]
    places += [(b.id, "bin", p.id, None) for p in SITE.pods for b in p.bins]  # type: ignore[misc]
    places += [(s.id, "station", None, s.lane[-1]) for s in SITE.stations]  # type: ignore[misc]
    places += [(c.id, "chute", None, None) for c in SITE.chutes]  # type: ignore[misc]
    await connection.copy_records_to_table("place", records=places, columns=["code", "kind", "parent", "node"])
    await connection.copy_records_to_table(
        "item",
        records=[
            (i.id, i.kind, i.barcode, "", i.weight_g, i.volume_ml, i.category, i.product_line) for i in CATALOGUE.items
        ],
        columns=["id", "kind", "barcode", "name", "weight_g", "volume_ml", "category", "product_line"],
    )  # fmt: skip
    for month, following in (("2013-11-01", "2013-12-01"), ("2013-12-01", "2014-01-01")):
        await connection.execute(
            f"CREATE TABLE ledger_{month[:7].replace('-', '_')} PARTITION OF ledger"
            f" FOR VALUES FROM ('{month} 00:00+00') TO ('{following} 00:00+00')"
        )
    total = Counter[tuple[str, str]]()
    for r in rows:
        total[r.bin, r.item] += r.qty
    await connection.copy_records_to_table(
        "stock", records=[(b, i, q) for (b, i), q in total.items()], columns=["place", "item", "qty"]
    )
    await connection.execute(
        "INSERT INTO ledger (at, a, b, item, qty, reason, actor, key)"
        f" SELECT '{AT}', 'supplier', place, item, qty, 'opening', 'erp', 'o' || id FROM stock WHERE qty > 0"
    )
    await connection.execute(FILL.format(shipped=SHIPPED, open=OPEN, both=SHIPPED + OPEN, moved=MOVES // 2_000, at=AT))
    await connection.close()
    return sum(total.values())


class Writers:
    """Old processes that go on during the migration, in their own words: postings, claims, orders, events."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.done = asyncio.Event()
        self.waits: list[float] = []
        self.moves: list[str] = []
        self.orders: list[str] = []

    async def write(self, number: int) -> None:
        """Write until told to stop, each transaction again when it was the victim of a deadlock."""
        rng, n = random.Random(number), 0
        connection = await asyncpg.connect(self._url)
        rows = await connection.fetch("SELECT place, item FROM stock WHERE qty > 5 ORDER BY id LIMIT 200 OFFSET 5000")
        while not self.done.is_set():
            n += 1
            began, row = time.perf_counter(), rng.choice(rows)
            while True:
                try:
                    async with connection.transaction():
                        await (self._order if n % 3 == 0 else self._post)(connection, f"w{number}-{n}", row)
                except AGAIN:
                    continue
                break
            self.waits.append(time.perf_counter() - began)
            await asyncio.sleep(0.002)
        await connection.close()

    async def _post(self, connection: Any, key: str, row: Any) -> None:
        await connection.execute("INSERT INTO posted VALUES ($1)", key)
        await connection.execute(
            "UPDATE stock SET qty = qty + 1 WHERE place = $1 AND item = $2", row["place"], row["item"]
        )
        await connection.execute(
            "INSERT INTO ledger (at, a, b, item, qty, reason, actor, key)"
            " VALUES ('2013-12-05', 'supplier', $1, $2, 1, 'found', 'me', $3)", row["place"], row["item"], key,
        )  # fmt: skip
        self.moves.append(key)

    async def _order(self, connection: Any, name: str, row: Any) -> None:
        await connection.execute(
            "INSERT INTO orders (id, source, ref, state, due, received_at)"
            " VALUES ($1, 'erp', $1, 'short', '2013-12-02', '2013-12-02')", name,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO order_line (order_id, line, item, kind, qty, short) VALUES ($1, 1, $2, 'stock', 1, 1)",
            name, row["item"],
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO event (type, subject, at) VALUES ('floorplane.order.received', $1, '2013-12-02')", name
        )
        self.orders.append(name)


@pytest.mark.slow
async def test_the_reference_site_is_brought_forward_while_it_goes_on(
    postgres: ScratchPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the last release's schema to this one's; then the new central picks what the old one had reserved."""
    url = postgres.url_of(postgres.create())
    await migrate(url, revision=BEFORE)
    pieces = await _fill(url)
    writers = Writers(url)
    async with asyncio.TaskGroup() as group:
        for k in range(WRITERS):
            group.create_task(writers.write(k))
        while len(writers.waits) < 50:  # noqa: ASYNC110 - all of them are at it
            await asyncio.sleep(0.01)
        before = len(writers.waits)
        began = time.perf_counter()
        await migrate(url)
        took = time.perf_counter() - began
        during = len(writers.waits) - before
        await asyncio.sleep(0.3)  # they go on afterwards, in the words that they know
        writers.done.set()
    assert during > 0, "nobody wrote while it was migrated"
    assert max(writers.waits) < max(5.0, took), f"somebody waited {max(writers.waits):.2f} s of {took:.2f} s"
    connection = await asyncpg.connect(url)
    held = await connection.fetchval(
        "SELECT sum(s.qty) FROM stock s JOIN place p ON p.code = s.place AND p.kind = 'bin'"
    )
    assert held == pieces - 2 * SHIPPED + len(writers.moves)
    assert await connection.fetchval("SELECT count(*) FROM ledger WHERE key LIKE 'w%'") == len(writers.moves)
    assert await connection.fetchval("SELECT count(*) FROM orders WHERE id LIKE 'w%'") == len(writers.orders)
    invalid = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid OR NOT indisready"
    assert await connection.fetch(invalid) == []
    unchecked = "SELECT conname FROM pg_constraint WHERE NOT convalidated AND conname <> 'ledger_moves'"
    assert await connection.fetch(unchecked) == []
    await connection.close()
    assert await violations(url) == []
    await _goes_on(url, monkeypatch)
    assert await violations(url) == []


async def _goes_on(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this central pick an order of before, and take a new one."""
    secrets = await bootstrap_identity(url)
    monkeypatch.setattr(central_floor, "small_site", lambda: SITE)
    floor = Floor(url, secrets, 1.0, 4)
    hearing, serving = asyncio.create_task(floor.hear()), asyncio.create_task(floor.central.run())
    try:
        await asyncio.wait_for(floor.central.ready.wait(), 30)
        answer = await floor.operator.get("/v1/tasks", params={"kind": "pick", "state": "released"})
        assert answer.status_code == 200, answer.text
        task = json.loads(answer.text)["items"][0]
        row = (await floor.rows("SELECT * FROM task WHERE id = $1", task["id"]))[0]
        work = Pick(
            row["id"], row["attempt"], row["order_id"], 1, row["tote"], row["item"], "", row["qty"], 1,
            SITE.bin_pod[row["bin"]], row["bin"], 0, 0,
        )  # fmt: skip
        await floor.say(picked(work))
        assert (await floor.shown(row["order_id"]))["state"] == "picking"
        item = next(i.id for i in CATALOGUE.stock_items)
        taken = await floor.order("fresh", (item, 1), due=DUE)
        assert taken["short"] == 0
    finally:
        for one in (serving, hearing):
            one.cancel()
        await asyncio.gather(serving, hearing, return_exceptions=True)
        for client in (floor.nobody, floor.erp, floor.operator, floor.supervisor, floor.device):
            await client.aclose()
