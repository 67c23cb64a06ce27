"""Central is started again while its database is still coming back."""

import asyncio
import os
import select
import signal
from pathlib import Path

import pytest

from central.migrate import migrate
from contracts.errors import Unavailable
from deploy.embedded.postgres import EmbeddedPostgres
from deploy.processes.central import prepare


async def test_a_database_that_is_away_is_named_and_one_that_comes_back_is_waited_for(tmp_path: Path) -> None:
    """Killed together with its server, central prepares the database as soon as that has recovered."""
    server = EmbeddedPostgres(tmp_path / "pg")
    server.start()
    try:
        url = server.url()
        await migrate(url)
        assert server.pid is not None
        killed = os.pidfd_open(server.pid)
        os.kill(server.pid, signal.SIGKILL)
        await asyncio.to_thread(select.select, [killed], [], [], 10)
        os.close(killed)
        with pytest.raises(Unavailable, match="database"):
            await migrate(url)
        waiting = asyncio.create_task(prepare(url, tmp_path / "secrets.json"))
        await asyncio.to_thread(server.prepare)
        server.launch()
        await asyncio.to_thread(server.await_ready)
        await waiting
        assert (tmp_path / "secrets.json").exists()
        with pytest.raises(Unavailable, match="database"):
            await prepare("postgresql://nobody@/none?host=/nowhere", tmp_path / "secrets.json", patience_s=0.0)
    finally:
        server.stop()
