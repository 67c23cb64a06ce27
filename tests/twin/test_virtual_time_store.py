"""Real stores on virtual time: asyncpg, REST through the ASGI transport and files give one history."""

import asyncio
import random
from pathlib import Path

import asyncpg
import httpx
from fastapi import FastAPI

from contracts.runtime.clock import real
from simulators import virtual_time


def history(url: str, folder: Path, delays: random.Random | None) -> list[tuple[float, str, int]]:
    """Eight workers post to a REST service that counts in PostgreSQL; return who got which number when."""
    log: list[tuple[float, str, int]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pool = await real(asyncpg.create_pool(url, min_size=1, max_size=1, max_inactive_connection_lifetime=0))
        try:
            await real(pool.execute("drop table if exists counter; create table counter (n int)"))
            await real(pool.execute("insert into counter values (0)"))
            app = FastAPI()

            async def unit() -> int:
                async with pool.acquire() as connection, connection.transaction():
                    if delays is not None:
                        await connection.execute("select pg_sleep($1)", delays.random() * 0.003)
                    return await connection.fetchval("update counter set n = n + 1 returning n")

            @app.post("/count/{name}")
            async def count(name: str) -> dict[str, int]:
                n = await real(unit())
                await asyncio.to_thread((folder / name).write_text, str(n))
                return {"n": n}

            async def worker(name: str, pace: random.Random, client: httpx.AsyncClient) -> None:
                for _ in range(5):
                    await asyncio.sleep(pace.choice((1, 2, 3)))
                    answer = await client.post(f"/count/{name}")
                    log.append((loop.time(), name, answer.json()["n"]))

            transport = httpx.ASGITransport(app)
            async with (
                httpx.AsyncClient(transport=transport, base_url="http://central") as client,
                asyncio.TaskGroup() as group,
            ):
                for i in range(8):
                    group.create_task(worker(f"w{i}", random.Random(i), client))
        finally:
            await real(pool.close())

    virtual_time.run(main())
    return log


def test_one_history_whatever_the_database_takes(postgres_url, tmp_path):
    """With no delays and with two sets of random delays in the database, who got which number when is the same."""
    plain = history(postgres_url, tmp_path, None)
    assert sorted(n for _, _, n in plain) == list(range(1, 41))
    for seed in (1, 2):
        assert history(postgres_url, tmp_path, random.Random(seed)) == plain
    assert all(at == int(at) for at, _, _ in plain)
    assert {path.name for path in tmp_path.iterdir()} == {f"w{i}" for i in range(8)}
