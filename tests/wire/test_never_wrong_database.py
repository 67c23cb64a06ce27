"""What an administrator does to a running database is waited for: a cancelled statement, a server that only reads."""

import asyncio

import asyncpg

from contracts.messages.facts import FactsAck
from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import Floor, picked, running

_WAITING = (
    "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'floorplane-central'"
    " AND wait_event_type = 'Lock'"
)


async def _cancel_who_waits(connection: asyncpg.Connection) -> None:
    async with asyncio.timeout(20):
        while not await connection.fetchval(f"SELECT count(pg_cancel_backend(pid)) {_WAITING}"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_cancelled_statement_is_asked_again_and_stops_nobody(postgres: ScratchPostgres) -> None:
    """A request is answered 503 and may be repeated; a fact is posted when nobody stands in its way any more."""
    async with running(postgres) as floor:
        await floor.stock(("P0-B0", "part1", 10))
        await floor.order("A1", ("part1", 4))
        await floor.until(lambda: "P-T-A1-1-1" in floor.keys)
        connection = await asyncpg.connect(floor.url)
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("SELECT FROM orders, stock FOR UPDATE")
        asking = asyncio.create_task(_cancel(floor))
        await _cancel_who_waits(connection)
        assert await asking == 503
        fact = floor.fact(picked(floor.keys["P-T-A1-1-1"]))
        await floor.send(fact)
        await _cancel_who_waits(connection)
        assert FactsAck(floor.site.id, floor.epoch, floor.seq) not in floor.acks
        await transaction.rollback()
        await connection.close()
        await floor.until(lambda: FactsAck(floor.site.id, floor.epoch, floor.seq) in floor.acks)
        assert [line["done"] for line in (await floor.shown("A1"))["order_lines"]] == [4]
        assert await floor.violations() == []


async def _cancel(floor: Floor) -> int:
    answer = await floor.erp.post("/v1/orders/A1/cancel", json={"reason": "test"})
    return answer.status_code


async def test_a_server_that_only_reads_is_503_and_then_goes_on(postgres: ScratchPostgres) -> None:
    """As after a failover to a standby: nothing is refused for good, nothing of it was stored."""
    async with running(postgres) as floor:
        await floor.stock(("P0-B0", "part1", 10))
        name = floor.url.split("/")[3].split("?")[0]
        await _everybody_again(floor, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        answer = await floor.post_order("A1", ("part1", 4))
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json"), answer.text
        assert (await floor.erp.get("/v1/items/part1/stock")).json()["available"] == 10
        await _everybody_again(floor, f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        assert (await floor.order("A1", ("part1", 4)))["short"] == 0
        assert await floor.violations() == []


async def _everybody_again(floor: Floor, sql: str) -> None:
    """Change a setting of the database, and have everybody connect anew."""
    connection = await asyncpg.connect(floor.url, server_settings={"default_transaction_read_only": "off"})
    await connection.execute(sql)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'floorplane-central'"
    )
    await connection.close()
    async with asyncio.timeout(20):
        while (await floor.nobody.get("/readyz")).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
