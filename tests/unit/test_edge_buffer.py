"""The durable buffer: both kinds behave alike, and the file gives everything back after a kill."""

import asyncio
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.codec import decode
from contracts.errors import Broken, Unavailable
from contracts.ids import CellId, DeviceId
from contracts.messages.floor import EdgeEvent, UnknownScan
from edge.buffer import Buffer, Draft, MemoryBuffer, SqliteBuffer
from edge.rules.port import Forget, Remember

CELL = CellId("S1")


def draft(n: int) -> Draft:
    return Draft(n, 0, UnknownScan(DeviceId("scanner"), str(n)))


@pytest.fixture(params=["memory", "file"])
def again(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Buffer]:
    """Returns the buffer for the next start of the edge."""
    if request.param == "file":
        return lambda: SqliteBuffer(CELL, tmp_path / "sub" / "S1.db", limit=5)
    kept = MemoryBuffer(CELL, limit=5)
    return lambda: kept


async def test_events_and_memory_are_there_after_a_restart(again: Callable[[], Buffer]) -> None:
    buffer = again()
    assert await buffer.open() == {}
    events = await buffer.commit([draft(1), draft(2)], [Remember("slot", "0", b"a"), Remember("slot", "1", b"b")])
    assert [(e.epoch, e.seq) for e in events] == [(1, 1), (1, 2)]
    await buffer.close()
    buffer = again()
    assert await buffer.open() == {"slot": {"0": b"a", "1": b"b"}}
    assert buffer.epoch == 2
    assert [decode(p, EdgeEvent) for p in buffer.waiting().values()] == events
    assert [(e.epoch, e.seq) for e in await buffer.commit([draft(3)], [])] == [(2, 1)]
    await buffer.close()


async def test_acknowledged_events_are_gone_for_good(again: Callable[[], Buffer]) -> None:
    buffer = again()
    await buffer.open()
    await buffer.commit([draft(1), draft(2)], [])
    buffer.forget([(1, 1), (7, 7)])
    await buffer.close()
    buffer = again()
    await buffer.open()
    assert list(buffer.waiting()) == [(1, 2)]
    await buffer.close()


async def test_a_rewritten_memory_is_the_newest_and_a_forgotten_one_is_gone(again: Callable[[], Buffer]) -> None:
    buffer = again()
    await buffer.open()
    await buffer.commit([], [Remember("k", "a", b"1"), Remember("k", "b", b"1"), Remember("k", "c", b"1")])
    await buffer.commit([], [Remember("k", "a", b"2"), Forget("k", "b")])
    await buffer.close()
    buffer = again()
    assert list((await buffer.open())["k"].items()) == [("c", b"1"), ("a", b"2")]
    await buffer.close()


async def test_a_full_buffer_takes_nothing_and_loses_nothing(again: Callable[[], Buffer]) -> None:
    buffer = again()
    await buffer.open()
    await buffer.commit([draft(n) for n in range(4)], [])
    with pytest.raises(Unavailable, match="4 of 5"):
        await buffer.commit([draft(8), draft(9)], [Remember("k", "a", b"1")])
    assert len(buffer.waiting()) == 4
    buffer.forget([(1, 1)])
    events = await buffer.commit([draft(8), draft(9)], [])
    assert [e.seq for e in events] == [5, 6]
    await buffer.close()
    buffer = again()
    assert await buffer.open() == {}
    await buffer.close()


async def test_a_file_that_is_no_buffer_stops_the_line(tmp_path: Path) -> None:
    path = tmp_path / "S1.db"
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    buffer = SqliteBuffer(CELL, path)
    with pytest.raises(Broken, match=r"S1\.db"):
        await buffer.open()
    await buffer.close()


async def test_a_commit_that_is_cancelled_is_whole_or_nothing(tmp_path: Path) -> None:
    buffer = SqliteBuffer(CELL, tmp_path / "S1.db")
    await buffer.open()
    task = asyncio.create_task(buffer.commit([draft(1)], [Remember("k", "a", b"1")]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await buffer.close()
    again = SqliteBuffer(CELL, tmp_path / "S1.db")
    memory = await again.open()
    assert bool(memory) == bool(again.waiting())
    await again.close()


KILLED = """
    import asyncio, os, sys
    from pathlib import Path
    from contracts.ids import CellId, DeviceId
    from contracts.messages.floor import UnknownScan
    from edge.buffer import Draft, SqliteBuffer
    from edge.rules.port import Remember

    async def main():
        buffer = SqliteBuffer(CellId("S1"), Path(sys.argv[1]))
        await buffer.open()
        n = 0
        while True:
            n += 1
            body = UnknownScan(DeviceId("scanner"), str(n))
            await buffer.commit([Draft(n, 0, body)], [Remember("last", "n", str(n).encode())])
            os.write(1, f"{n}\\n".encode())

    asyncio.run(main())
"""


async def test_what_was_committed_before_a_kill_is_there(tmp_path: Path) -> None:
    """SIGKILL between any two instructions: every event that was reported is in the file, with its memory."""
    path = tmp_path / "S1.db"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        textwrap.dedent(KILLED),
        str(path),
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    last = 0
    while last < 30:
        last = int(await process.stdout.readline())
    process.kill()
    rest = (await process.stdout.read()).decode().split("\n")
    await process.wait()
    last = max([last, *(int(r) for r in rest[:-1])])
    buffer = SqliteBuffer(CELL, path)
    memory = await buffer.open()
    events = [decode(p, EdgeEvent) for p in buffer.waiting().values()]
    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    assert len(events) >= last
    assert int(memory["last"]["n"]) == len(events)
    await buffer.close()
