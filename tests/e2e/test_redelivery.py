"""Every message ten times, on both ports: a floor whose broker and log repeat all that they carry ends as any other."""

import asyncio
import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from contracts import topics
from contracts.runtime.floor.memory import MemoryBroker
from contracts.runtime.log.memory import MemoryStore
from deploy import one_loop as assembly
from deploy.embedded.scratch import ScratchPostgres
from deploy.one_loop import OneLoop, one_loop
from simulators import virtual_time
from tests.e2e.small_day import floor_plan, write_orders

pytestmark = pytest.mark.slow

COPIES = 10
_WITHIN_H = 3.0


def _day(postgres: ScratchPostgres, folder: Path, monkeypatch: pytest.MonkeyPatch, copies: int) -> dict[str, Any]:
    """Run a small day to its last shipment; what the books, the floor and the outside were told in the end."""
    monkeypatch.setattr(assembly, "MemoryBroker", partial(MemoryBroker, copies=copies))
    monkeypatch.setattr(assembly, "MemoryStore", partial(MemoryStore, copies=copies))
    folder.mkdir()
    url = postgres.url_of(postgres.create())
    plan = floor_plan(write_orders(folder / "orders.csv", orders=2, seed=1), url, folder)
    shipped: set[str] = set()

    async def main() -> dict[str, Any]:
        async with one_loop(plan) as floor:
            listening = asyncio.create_task(_listen(floor, shipped), name="listen")
            async with asyncio.timeout(_WITHIN_H * 3600):
                while len(shipped) < 5:  # noqa: ASYNC110 - on virtual time
                    await asyncio.sleep(10)
            await asyncio.sleep(600)  # whatever is still on its way
            listening.cancel()
            assert _ok(await floor.http.get("/v1/invariants")) == []
            return {
                "collisions": list(floor.twins.world.violations),
                "packed": sorted((p.label, sorted(p.contents.items())) for p in floor.twins.world.packed),
                "journaled": floor.dispatcher.counts["facts"],
            }

    return virtual_time.run(main()) | asyncio.run(_books(url))


async def _books(url: str) -> dict[str, Any]:
    connection = await asyncpg.connect(url)
    moves = await connection.fetch("SELECT reason, item, order_id, task, qty FROM ledger WHERE reason <> 'opening'")
    events = await connection.fetch("SELECT type, subject FROM event WHERE type LIKE 'floorplane.order.%'")
    tasks = await connection.fetch("SELECT id, kind, state, qty, done_qty, attempt FROM task ORDER BY id")
    await connection.close()
    return {
        "moves": Counter(tuple(m) for m in moves),
        "events": Counter((e["type"], e["subject"]) for e in events),
        "tasks": [tuple(t) for t in tasks],
    }


async def _listen(floor: OneLoop, shipped: set[str]) -> None:
    async for entry in floor.store.connect("listener").follow(topics.events(floor.plan.site.id)):
        event = json.loads(entry.payload)
        if event["type"] == "floorplane.order.shipped":
            shipped.add(event["subject"])


def _ok(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_day_of_messages_that_all_come_ten_times_ends_like_any_other(
    postgres: ScratchPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """States and orders of robots, events and commands of cells, work, facts and their acknowledgements."""
    once = _day(postgres, tmp_path / "once", monkeypatch, 1)
    often = _day(postgres, tmp_path / "often", monkeypatch, COPIES)
    assert often.pop("journaled") > 3 * once.pop("journaled"), "nothing was repeated"
    assert once["collisions"] == []
    assert often == once
