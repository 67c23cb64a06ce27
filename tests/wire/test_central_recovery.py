"""The database is killed under load: what was answered is there, nothing is there twice, central goes on by itself."""

import asyncio
import os
import signal
from pathlib import Path

import httpx

from central.identity.bootstrap import bootstrap_identity
from central.migrate import migrate
from contracts.messages.work import Pick
from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.scratch import SCRATCH
from tests.wire.central_floor import Floor


async def test_a_killed_database_loses_no_answer_and_posts_nothing_twice(tmp_path: Path) -> None:
    """An ERP that repeats what was not answered ends with each order once, and every pick that was said is posted."""
    durable = {k: v for k, v in SCRATCH.items() if k not in {"fsync", "synchronous_commit", "full_page_writes"}}
    server = EmbeddedPostgres(tmp_path, durable).start()
    try:
        await migrate(server.url())
        floor = Floor(server.url(), await bootstrap_identity(server.url()), 1.0, 4)
        hearing = asyncio.create_task(floor.hear())
        serving = asyncio.create_task(floor.central.run())
        await asyncio.wait_for(floor.central.ready.wait(), 20)
        await floor.items({"id": "part1", "weight_g": 1, "volume_ml": 1})
        await floor.stock(("P0-B0", "part1", 1_000))

        answers: list[int] = []

        async def erp(first: int) -> None:
            for n in range(first, 60, 6):
                while True:  # as an ERP does: the same request until it is answered
                    status = (await floor.post_order(f"A{n}", ("part1", 1))).status_code
                    answers.append(status)
                    if status == 201:
                        break
                    await asyncio.sleep(0.02)

        async def picker() -> None:
            for n in range(60):
                await floor.until(lambda n=n: f"P-T-A{n}-1-1" in floor.keys)  # type: ignore[misc]
                await floor.pick(f"P-T-A{n}-1-1")

        async def killer() -> None:
            for share in (10, 30):
                while answers.count(201) < share:  # noqa: ASYNC110 - the killer looks on from outside
                    await asyncio.sleep(0.002)
                assert server.pid is not None
                os.kill(server.pid, signal.SIGKILL)
                while (await floor.nobody.get("/readyz")).status_code == 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.002)
                server.start()

        await asyncio.wait_for(asyncio.gather(picker(), killer(), *(erp(n) for n in range(6))), 60)
        assert set(answers) <= {201, 409, 503}
        assert 503 in answers
        posted = await floor.rows("SELECT count(*) AS n, count(DISTINCT task) AS d FROM ledger WHERE reason = 'pick'")
        assert (posted[0]["n"], posted[0]["d"]) == (60, 60)
        assert (await floor.rows("SELECT count(*) AS n FROM orders"))[0]["n"] == 60
        assert await floor.violations() == []
        assert not any(isinstance(w, Pick) for w in floor.keys.values())
        for task in (hearing, serving):
            task.cancel()
        await asyncio.gather(hearing, serving, return_exceptions=True)
        for client in (floor.nobody, floor.erp, floor.operator, floor.supervisor, floor.device):
            assert isinstance(client, httpx.AsyncClient)
            await client.aclose()
    finally:
        server.stop()
