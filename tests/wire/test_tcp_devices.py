"""Scanner, scale, printer and camera drivers against small servers that behave well, badly, or not at all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from contracts.errors import Rejected, Unavailable
from contracts.ids import DeviceId
from contracts.messages.floor import DeviceState, Quality
from contracts.runtime.clock import LoopClock
from contracts.site import Device
from controllers.camera import HttpCamera
from controllers.ports import Scan
from controllers.printer import TcpPrinter
from controllers.registry import Registry
from controllers.scale import TcpScale
from controllers.scanner.link import TcpScanner

Session = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A server whose sessions the test scripts; it can go and come back on its port."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._session(reader, writer)
        except (OSError, EOFError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


@contextlib.asynccontextmanager
async def serving(session: Session) -> AsyncIterator[Peer]:
    peer = Peer(session)
    await peer.start()
    try:
        yield peer
    finally:
        await peer.stop()


class Running:
    """A driver with its states, running."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self.states: list[DeviceState] = []
        self.scans: list[Scan] = []
        self.told = asyncio.Event()
        driver.on_state(self._state)
        if hasattr(driver, "on_scan"):
            driver.on_scan(self._scan)

    def _state(self, state: DeviceState) -> None:
        self.states.append(state)
        self.told.set()

    def _scan(self, scan: Scan) -> None:
        self.scans.append(scan)
        self.told.set()

    async def until(self, seen: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not seen():
                self.told.clear()
                await self.told.wait()

    async def good(self) -> None:
        await self.until(lambda: self.states[-1].quality is Quality.GOOD)


@contextlib.asynccontextmanager
async def running(driver: Any) -> AsyncIterator[Running]:
    run = Running(driver)
    task = asyncio.create_task(driver.run())
    try:
        yield run
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def at(port: int) -> str:
    return f"tcp://127.0.0.1:{port}"


async def test_a_scanner_says_one_scan_a_line_however_the_bytes_come() -> None:
    async def session(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in (b"T-1\r\nT-", b"2\r", b"\n\x02]C0T-3\x03NoR", b"ead\r\n\r\n", b"4006381333931\n"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        await asyncio.Event().wait()

    async with serving(session) as peer, running(TcpScanner(DeviceId("s"), at(peer.port), LoopClock())) as run:
        await run.until(lambda: len(run.scans) == 5)
        assert [s.code for s in run.scans] == ["T-1", "T-2", "]C0T-3", "", "4006381333931"]


async def test_what_only_babbles_is_no_scanner() -> None:
    async def session(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x" * 1000)
            await writer.drain()

    async with serving(session) as peer, running(TcpScanner(DeviceId("s"), at(peer.port), LoopClock())) as run:
        await run.until(lambda: "is this a scanner?" in run.states[-1].text)
        assert run.scans == []


async def test_a_scanner_that_comes_late_goes_and_returns_is_found_again() -> None:
    gone = asyncio.Event()

    async def session(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello\r\n")
        await writer.drain()
        await gone.wait()

    peer = Peer(session)
    await peer.start()
    await peer.stop()
    async with running(TcpScanner(DeviceId("s"), at(peer.port), LoopClock())) as run:
        await run.until(lambda: len(run.states) > 1)
        assert run.states[-1].quality is Quality.BAD
        await peer.start()
        await run.until(lambda: run.scans)
        await peer.stop()
        gone.set()
        await run.until(lambda: run.states[-1].quality is Quality.BAD)
        assert Quality.STALE in {s.quality for s in run.states}
        gone.clear()
        await peer.start()
        await run.until(lambda: len(run.scans) == 2)
    await peer.stop()


async def test_a_scale_waits_for_rest_and_ignores_what_nobody_asked() -> None:
    answers = [b"S I\r\n", b"S I\r\n", b"S S     241.4 g\r\n"]

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"S S  999.0 g\r\n")  # somebody pressed its print key
        while line := await reader.readline():
            assert line == b"S\r\n"
            writer.write(answers.pop(0))

    async with serving(session) as peer, running(TcpScale(DeviceId("w"), at(peer.port), LoopClock())) as run:
        await run.good()
        await asyncio.sleep(0.05)
        weight = await run.driver.weigh()
        assert (weight.weight_g, weight.stable) == (241, True)


async def test_a_scale_that_hangs_is_asked_anew_and_its_late_answer_is_not_the_next_ones() -> None:
    sessions = 0

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sessions
        sessions += 1
        mine = sessions
        await reader.readline()
        if mine == 1:
            await asyncio.sleep(0.6)
            writer.write(b"S S 111 g\r\n")
        else:
            writer.write(b"S S 222 g\r\n")
        await reader.read()

    async with serving(session) as peer, running(TcpScale(DeviceId("w"), at(peer.port), LoopClock())) as run:
        await run.good()
        with pytest.raises(Unavailable, match=r"within 0\.3 s"):
            await run.driver.weigh(0.3)
        await run.until(lambda: run.states[-1].quality is not Quality.GOOD)
        await run.good()
        assert (await run.driver.weigh()).weight_g == 222


@pytest.mark.parametrize(
    ("answer", "why"), [(b"S +\r\n", "overload"), (b"S -\r\n", "underload"), (b"ES\r\n", "no weight")]
)
async def test_a_scale_that_cannot_says_why(answer: bytes, why: str) -> None:
    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            writer.write(answer)

    async with serving(session) as peer, running(TcpScale(DeviceId("w"), at(peer.port), LoopClock())) as run:
        await run.good()
        with pytest.raises(Unavailable, match=why):
            await run.driver.weigh()


async def test_two_who_weigh_at_once_get_an_answer_each() -> None:
    grams = iter((b"S S 1 g\r\n", b"S S 2 g\r\n"))

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            await asyncio.sleep(0.05)
            writer.write(next(grams))

    async with serving(session) as peer, running(TcpScale(DeviceId("w"), at(peer.port), LoopClock())) as run:
        await run.good()
        weights = await asyncio.gather(run.driver.weigh(), run.driver.weigh())
        assert [w.weight_g for w in weights] == [1, 2]


async def test_a_scale_that_is_cut_off_while_it_weighs_says_so_at_once() -> None:
    async def session(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readline()

    async with serving(session) as peer, running(TcpScale(DeviceId("w"), at(peer.port), LoopClock())) as run:
        await run.good()
        with pytest.raises(Unavailable, match="closed the connection"):
            await run.driver.weigh(10)


async def test_a_printer_gets_the_label_whole() -> None:
    got: list[bytes] = []

    async def session(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        if data := await reader.read():
            got.append(data)

    async with serving(session) as peer, running(TcpPrinter(DeviceId("p"), at(peer.port), LoopClock())) as run:
        await run.good()
        await run.driver.print_label("^XA^FDT-1^FS^XZ")
        await run.driver.print_label("^XA^FDT-2^FS^XZ")
        assert got == [b"^XA^FDT-1^FS^XZ", b"^XA^FDT-2^FS^XZ"]


async def test_a_printer_that_never_closes_its_side_has_taken_the_label_too() -> None:
    async def session(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(4)

    async with serving(session) as peer, running(TcpPrinter(DeviceId("p"), at(peer.port), LoopClock())) as run:
        await run.good()
        await run.driver.print_label("^XA^XZ")


async def test_a_printer_that_is_away_refuses_and_is_found_again() -> None:
    async def session(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    peer = Peer(session)
    await peer.start()
    async with running(TcpPrinter(DeviceId("p"), at(peer.port), LoopClock())) as run:
        await run.good()
        await peer.stop()
        with pytest.raises(Unavailable):
            await run.driver.print_label("^XA^XZ")
        await run.until(lambda: run.states[-1].quality is Quality.BAD)
        await peer.start()
        await run.good()
        await run.driver.print_label("^XA^XZ")
    await peer.stop()


def picture_server(status: str, kind: str, body: bytes) -> Session:
    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    return session


async def test_a_camera_gives_its_picture_and_the_time() -> None:
    clock = LoopClock()
    async with serving(picture_server("200 OK", "image/jpeg", b"\xff\xd8\xffpixels")) as peer:
        camera = HttpCamera(DeviceId("c"), f"http://127.0.0.1:{peer.port}/frame.jpg", clock)
        async with running(camera) as run:
            await run.good()
            before = clock.now_ms()
            picture, at_ms = await camera.grab()
            assert picture == b"\xff\xd8\xffpixels"
            assert before <= at_ms <= clock.now_ms()


@pytest.mark.parametrize(
    ("status", "kind", "why"), [("503 Busy", "image/jpeg", "503"), ("200 OK", "text/html", "is no picture")]
)
async def test_a_camera_without_a_picture_says_why(status: str, kind: str, why: str) -> None:
    async with serving(picture_server(status, kind, b"sorry")) as peer:
        camera = HttpCamera(DeviceId("c"), f"http://127.0.0.1:{peer.port}/", LoopClock())
        async with running(camera) as run:
            await run.until(lambda: why in run.states[-1].text)
            with pytest.raises(Unavailable, match=why):
                await camera.grab()


@pytest.mark.parametrize(
    ("driver", "address"),
    [
        ("tcp_scanner", "tcp://127.0.0.1"),
        ("tcp_scale", "127.0.0.1:7001"),
        ("tcp_printer", "http://127.0.0.1:1"),
        ("camera", "tcp://127.0.0.1:1"),
        ("modbus", "modbus://127.0.0.1:1/x"),
        ("opcua", "opc.tcp://"),
        ("carrier_pigeon", "tcp://127.0.0.1:1"),
    ],
)
async def test_the_registry_refuses_what_it_cannot_read(driver: str, address: str) -> None:
    with pytest.raises(Rejected):
        Registry(LoopClock()).open(Device(DeviceId("d"), "door", driver, address))
