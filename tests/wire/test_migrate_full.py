"""Migrations run forward on a full database of the first schema, while others go on writing to it."""

import asyncio
import time

import asyncpg
import pytest

from central.invariants import violations
from central.migrate import migrate
from deploy.embedded.scratch import ScratchPostgres

MOVES = 200_000
FILL = """
INSERT INTO place (code, kind) SELECT 'B' || n, 'bin' FROM generate_series(0, 999) n;
INSERT INTO item (id, kind, barcode, name, weight_g, volume_ml, category, product_line)
SELECT 'item' || n, 'stock', '', '', 1, 1, '', '' FROM generate_series(0, 999) n;
CREATE TABLE ledger_2013_12 PARTITION OF ledger FOR VALUES FROM ('2013-12-01 00:00+00') TO ('2014-01-01 00:00+00');
INSERT INTO ledger (at, a, b, item, qty, reason, actor, key)
SELECT '2013-11-20 00:00+00'::timestamptz + n * interval '10 seconds', 'supplier', 'B' || n % 1000, 'item' || n % 1000,
       1, 'opening', 'me', 'm' || n FROM generate_series(1, {moves}) n;
INSERT INTO posted SELECT key FROM ledger;
INSERT INTO stock (place, item, qty) SELECT b, item, sum(qty) FROM ledger GROUP BY b, item;
INSERT INTO orders (id, source, ref, state, due, received_at)
SELECT 'A' || n, 'erp', 'A' || n, 'short', '2013-12-02', '2013-12-02'
FROM generate_series(1, 20000) n;
INSERT INTO order_line (order_id, line, item, kind, qty, short)
SELECT 'A' || n, 1, 'item1', 'stock', 1, 1 FROM generate_series(1, 20000) n;
INSERT INTO event (type, subject, at)
SELECT 'floorplane.order.short', 'A' || n, '2013-12-02' FROM generate_series(1, 20000) n;
"""


@pytest.mark.slow
async def test_a_full_database_of_the_first_schema_is_brought_forward_online(postgres: ScratchPostgres) -> None:
    """Nothing is lost, who writes meanwhile never waits for long, the books hold; again it changes nothing."""
    url = postgres.url_of(postgres.create())
    await migrate(url, revision="0001")
    connection = await asyncpg.connect(url)
    await connection.execute(FILL.format(moves=MOVES))
    done, waits = asyncio.Event(), []

    async def write() -> int:
        writer, n = await asyncpg.connect(url), 0
        while not done.is_set():
            n += 1
            began = time.perf_counter()
            async with writer.transaction():
                await writer.execute("INSERT INTO posted VALUES ($1)", f"w{n}")
                await writer.execute("UPDATE stock SET qty = qty + 1 WHERE place = 'B7' AND item = 'item7'")
                await writer.execute(
                    "INSERT INTO ledger (at, a, b, item, qty, reason, actor, key)"
                    " VALUES ('2013-12-05', 'supplier', 'B7', 'item7', 1, 'found', 'me', $1)", f"w{n}",
                )  # fmt: skip
            waits.append(time.perf_counter() - began)
            await asyncio.sleep(0.002)
        await writer.close()
        return n

    writing = asyncio.create_task(write())
    began = time.perf_counter()
    await asyncio.gather(migrate(url), migrate(url))  # two processes that start at the same time
    took = time.perf_counter() - began
    await migrate(url)
    done.set()
    written = await writing
    assert written > 20
    assert max(waits) < max(1.0, took / 3), f"somebody waited {max(waits):.2f} s of {took:.2f} s"
    assert await connection.fetchval("SELECT count(*) FROM ledger") == MOVES + written
    assert await connection.fetchval("SELECT count(*) FROM orders WHERE owner = ''") == 20_000
    invalid = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid OR NOT indisready"
    assert await connection.fetch(invalid) == []
    await connection.close()
    assert await violations(url) == []
