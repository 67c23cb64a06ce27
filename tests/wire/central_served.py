"""A central behind real HTTP, in a loop of its own thread, for clients that know no event loop."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from central.serve import HttpServer
from contracts import topics
from contracts.codec import decode, encode
from contracts.messages.ops import OpsAnswer, OpsCommand
from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import Floor, running


async def _answer(payload: bytes) -> bytes:
    return encode(OpsAnswer(decode(payload, OpsCommand).id, True, ""))


async def _settle(floor: Floor) -> None:
    await floor.stock(("P0-B0", "part1", 900), ("P0-B1", "part2", 900))
    await floor.order("A1", ("part1", 4), ("serv1", 1))
    await floor.order("A2", ("part2", 4), reserve_until="2199-01-01T00:00:00Z")
    await floor.rows("SELECT open_hand_task('H1', 'move', '2013-12-02', 'part1', 2, 'P0-B0', 'P1-B0', 'A1')")
    await floor.rows("SELECT raise_alarm('2013-12-02', 'k', 'warning', 's', 't', 'r')")


@contextmanager
def served(postgres: ScratchPostgres) -> Iterator[tuple[str, dict[str, str]]]:
    """Serve a central from a loop in a thread: its URL, and its tokens by role."""
    ready, told = threading.Event(), []
    loop_stop: list[Any] = []

    async def live() -> None:
        async with running(postgres) as floor:
            await floor.dispatcher.serve(topics.ops_subject(floor.site.id), _answer)
            await _settle(floor)
            server = HttpServer(floor.central.app, port=0)
            serving = asyncio.create_task(server.run())
            await server.ready.wait()
            stop = asyncio.Event()
            loop_stop.extend((asyncio.get_running_loop(), stop))
            told.extend((server.url, floor.secrets.tokens))
            ready.set()
            await stop.wait()
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    thread = threading.Thread(target=lambda: asyncio.run(live()), name="central")
    thread.start()
    try:
        assert ready.wait(60)
        yield told[0], told[1]
    finally:
        loop_stop[0].call_soon_threadsafe(loop_stop[1].set)
        thread.join(30)
