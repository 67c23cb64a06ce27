"""The OPC UA driver against asyncua's server in a process of its own, also one that hangs."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from contracts.errors import Rejected, Unavailable
from contracts.ids import DeviceId
from contracts.messages.floor import DeviceState, Quality
from contracts.runtime.clock import LoopClock
from controllers.opcua import OpcUaPlc
from controllers.ports import TagValue
from controllers.tags import DOOR, Tag
from tests.free_ports import take

SERVER = """
    import asyncio, sys
    from asyncua import Server, ua

    async def main():
        server = Server()
        await server.init()
        server.set_endpoint(f"opc.tcp://127.0.0.1:{sys.argv[1]}")
        assert await server.register_namespace("urn:test") == 2
        door = await server.nodes.objects.add_object(ua.NodeId("Door", 2), "2:Door")
        tags = {}
        for name in ("OpenRequest", "IsOpen", "IsClosed", "FireAlarm"):
            tags[name] = await door.add_variable(ua.NodeId(f"Door.{name}", 2), f"2:{name}", name == "IsClosed")
        beat = ua.Variant(0, ua.VariantType.UInt16)
        tags["Heartbeat"] = await door.add_variable(ua.NodeId("Door.Heartbeat", 2), "2:Heartbeat", beat)
        await tags["OpenRequest"].set_writable()
        async with server:
            print("ready", flush=True)
            n = 0
            while True:
                await asyncio.sleep(0.25)
                n += 1
                if n % 4 == 0 and "frozen" not in sys.argv:
                    await tags["Heartbeat"].write_value(ua.Variant(n // 4, ua.VariantType.UInt16))
                asked = await tags["OpenRequest"].read_value()
                if asked != await tags["IsOpen"].read_value():
                    await tags["IsOpen"].write_value(asked)
                    await tags["IsClosed"].write_value(not asked)

    asyncio.run(main())
"""


class Server:
    """The server process."""

    def __init__(self, *arguments: str) -> None:
        self.port = take()
        self._arguments = arguments
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        command = [sys.executable, "-c", textwrap.dedent(SERVER), str(self.port), *self._arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # noqa: ASYNC220
        assert self.process.stdout is not None
        line = await asyncio.to_thread(self.process.stdout.readline)
        assert line == b"ready\n"

    def signal(self, number: int) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None


class Running:
    """The driver, running, with what it told."""

    def __init__(self, port: int) -> None:
        self.plc = OpcUaPlc(DeviceId("D1-plc"), f"opc.tcp://127.0.0.1:{port}", LoopClock(), DOOR)
        self.states: list[DeviceState] = []
        self.changes: list[dict[str, TagValue]] = []
        self.now: dict[str, TagValue] = {}
        self._told = asyncio.Event()
        self.plc.on_state(self._state)
        self.plc.on_change(self._change)

    def _state(self, state: DeviceState) -> None:
        self.states.append(state)
        self._told.set()

    def _change(self, values: dict[str, TagValue], _: int) -> None:
        self.changes.append(values)
        self.now |= values
        self._told.set()

    async def until(self, seen: Callable[[], object]) -> None:
        async with asyncio.timeout(25):
            while not seen():
                self._told.clear()
                await self._told.wait()

    @property
    def quality(self) -> Quality:
        return self.states[-1].quality


@contextlib.asynccontextmanager
async def running(port: int) -> AsyncIterator[Running]:
    run = Running(port)
    task = asyncio.create_task(run.plc.run())
    try:
        yield run
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(scope="module")
def processes() -> Iterator[list[Server]]:
    """Servers that outlive a test, since one takes two seconds to start."""
    servers: list[Server] = []
    yield servers
    for server in servers:
        server.kill()


@pytest.fixture
async def server(processes: list[Server]) -> Server:
    if not processes:
        processes.append(Server())
        await processes[0].start()
    return processes[0]


async def test_a_door_is_read_written_and_heard(server: Server) -> None:
    async with running(server.port) as run:
        await run.until(lambda: run.changes)
        assert set(run.changes[0]) == {t.name for t in DOOR if not t.writable}, "all tags come first"
        assert run.quality is Quality.GOOD
        assert (run.now["Door.IsOpen"], run.now["Door.IsClosed"]) == (False, True)
        await run.plc.write({"Door.OpenRequest": True})
        await run.until(lambda: run.now["Door.IsOpen"])
        assert run.now["Door.IsClosed"] is False
        await run.plc.write({"Door.OpenRequest": False})
        await run.until(lambda: run.now["Door.IsClosed"])
        beats = [c["Door.Heartbeat"] for c in run.changes if "Door.Heartbeat" in c]
        assert beats == sorted(beats)
        for values in ({"Door.IsOpen": True}, {"Door.Nonsense": 1}, {"Door.OpenRequest": 2}):
            with pytest.raises(Rejected):
                await run.plc.write(values)


@pytest.mark.slow
async def test_a_server_that_hangs_is_stale_and_heard_again_when_it_wakes(server: Server) -> None:
    async with running(server.port) as run:
        await run.until(lambda: run.changes)
        server.signal(signal.SIGSTOP)
        await run.until(lambda: run.quality is not Quality.GOOD)
        assert run.quality is Quality.STALE
        await run.until(lambda: run.quality is Quality.BAD)
        with pytest.raises(Unavailable):
            await run.plc.write({"Door.OpenRequest": True})
        told = len(run.changes)
        server.signal(signal.SIGCONT)
        await run.until(lambda: run.quality is Quality.GOOD)
        await run.until(lambda: len(run.changes) > told)
        assert len(run.changes[told]) == 4, "everything is told after a reconnect"
        await run.plc.write({"Door.OpenRequest": True})
        await run.until(lambda: run.now["Door.IsOpen"])
        await run.plc.write({"Door.OpenRequest": False})
        await run.until(lambda: run.now["Door.IsClosed"])


async def test_a_killed_server_is_found_again(server: Server) -> None:
    async with running(server.port) as run:
        await run.until(lambda: run.changes)
        server.kill()
        await run.until(lambda: run.quality is Quality.BAD)
        told = len(run.changes)
        await server.start()
        await run.until(lambda: len(run.changes) > told)
        assert run.quality is Quality.GOOD


@pytest.mark.slow
async def test_a_program_that_stands_while_its_server_runs_is_stale() -> None:
    """The server answers, but the heartbeat does not grow: nothing that it says can be trusted."""
    server = Server("frozen")
    await server.start()
    try:
        async with running(server.port) as run:
            await run.until(lambda: run.quality is Quality.STALE)
            assert "no heartbeat" in run.states[-1].text
    finally:
        server.kill()


async def test_a_server_without_the_tags_says_which_is_missing(server: Server) -> None:
    table = (*DOOR, Tag("Door.Nonsense", "discrete", 9, "bool"))
    plc = OpcUaPlc(DeviceId("D1-plc"), f"opc.tcp://127.0.0.1:{server.port}", LoopClock(), table)
    told = asyncio.Event()
    texts: list[str] = []

    def hear(state: DeviceState) -> None:
        texts.append(state.text)
        if "Door.Nonsense" in state.text:
            told.set()

    plc.on_state(hear)
    task = asyncio.create_task(plc.run())
    async with asyncio.timeout(10):
        await told.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
