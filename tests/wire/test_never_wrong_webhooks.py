"""The database dies while events are being delivered: central lives on, and every event comes, perhaps again."""

import asyncio
import json
import os
import signal
from pathlib import Path

from central.identity.bootstrap import bootstrap_identity
from central.migrate import migrate
from deploy.embedded.postgres import SCRATCH, EmbeddedPostgres
from tests.wire.central_floor import Floor
from tests.wire.test_webhooks import Receiver, hook, receiving

ORDERS = 5


class Killing(Receiver):
    """Kills central's database when it gets its first event: what was delivered cannot be written down."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        super().__init__()
        self.killed = asyncio.Event()
        self._server = server

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pid = self._server.pid
        if not self.killed.is_set() and pid is not None:
            os.kill(pid, signal.SIGKILL)
            while self._server.pid == pid:  # noqa: ASYNC110 - the kernel tells nobody
                await asyncio.sleep(0.005)
            self.killed.set()
        await super().serve(reader, writer)


async def test_deliveries_that_cannot_be_written_down_are_made_again(tmp_path: Path) -> None:
    """Two webhooks; the same event comes again under the same id, and central has not ended over it."""
    durable = {k: v for k, v in SCRATCH.items() if k not in {"fsync", "synchronous_commit", "full_page_writes"}}
    server = EmbeddedPostgres(tmp_path, durable).start()
    try:
        await migrate(server.url())
        floor = Floor(server.url(), await bootstrap_identity(server.url()), 100.0, 4, webhook_internal=True)
        hearing = asyncio.create_task(floor.hear())
        serving = asyncio.create_task(floor.central.run())
        await asyncio.wait_for(floor.central.ready.wait(), 20)
        await floor.items({"id": "serv1", "kind": "service"})
        killing = Killing(server)
        listening = await asyncio.start_server(killing.serve, "127.0.0.1", 0)
        killing.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/hook"
        async with listening, receiving() as steady:
            for url in (steady.url, killing.url):
                await hook(floor, url, types=["floorplane.order.shipped"])
            await floor.order("A0", ("serv1", 1))
            await asyncio.wait_for(killing.killed.wait(), 20)
            await killing.until(lambda: len(killing.got) == 1)
            while (await floor.nobody.get("/readyz")).status_code == 200:  # noqa: ASYNC110 - until central has noticed
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)  # long enough to try to write down what was delivered
            assert not serving.done(), serving.exception()
            server.start()
            for n in range(1, ORDERS):
                await _until_taken(floor, f"A{n}")
            wanted = {f"A{n}" for n in range(ORDERS)}
            for receiver in (steady, killing):
                await receiver.until(lambda r=receiver: {e["subject"] for e in r.events} == wanted)  # type: ignore[misc]
                assert len({(h["webhook-id"], json.loads(b)["subject"]) for h, b in receiver.got}) == ORDERS
        assert not serving.done()
        assert await floor.violations() == []
        for task in (hearing, serving):
            task.cancel()
        await asyncio.gather(hearing, serving, return_exceptions=True)
        for client in (floor.nobody, floor.erp, floor.operator, floor.supervisor, floor.device):
            await client.aclose()
    finally:
        server.stop()


async def _until_taken(floor: Floor, ref: str) -> None:
    async with asyncio.timeout(30):
        while (await floor.post_order(ref, ("serv1", 1))).status_code != 201:  # noqa: ASYNC110 - as an ERP does
            await asyncio.sleep(0.02)
