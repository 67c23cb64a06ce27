"""A migration that changes many tables never makes a writer fail, whatever the writer took first."""

import asyncio

import asyncpg

from central.invariants import violations
from central.migrate import migrate
from deploy.embedded.scratch import ScratchPostgres


async def test_a_writer_in_the_middle_of_its_transaction_goes_on(postgres: ScratchPostgres) -> None:
    """It holds stock and wants the ledger, while the migration wants both: the migration gives back what it has."""
    url = postgres.url_of(postgres.create())
    await migrate(url, revision="0020")
    writer, watch = await asyncpg.connect(url), await asyncpg.connect(url)
    await writer.execute(
        "INSERT INTO place (code, kind) VALUES ('B1', 'bin');"
        "INSERT INTO item (id, kind, barcode, name, weight_g, volume_ml, category, product_line)"
        " VALUES ('item1', 'stock', '', '', 1, 1, '', '');"
        "INSERT INTO stock (place, item, qty) VALUES ('B1', 'item1', 0)"
    )
    migrating = asyncio.create_task(migrate(url), name="migrate")
    async with writer.transaction():
        await writer.execute("UPDATE stock SET qty = qty + 1")
        async with asyncio.timeout(60):
            while not await watch.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):  # noqa: ASYNC110 - the server's
                await asyncio.sleep(0)  # until the migration waits
        await writer.execute("INSERT INTO posted VALUES ('k')")
        await writer.execute(
            "INSERT INTO ledger (at, a, b, item, qty, reason, actor, key)"
            " VALUES ('2013-12-05', 'supplier', 'B1', 'item1', 1, 'found', 'me', 'k')"
        )
    await migrating
    await writer.close()
    await watch.close()
    assert await violations(url) == []
