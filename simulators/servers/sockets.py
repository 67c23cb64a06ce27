"""Scanners, scales, printers and cameras as small TCP servers, each one connection a client, as such devices have.

Scanner: one line a reading, ended by CR LF, ``NOREAD`` for a failed one. Scale: MT-SICS level 0 (``S``, ``SI``,
``SIR``, ``Z``, ``I4``, ``@``), in grams. Printer: ZPL II as it comes, answers ``~HS``. Camera: ``GET`` of a JPEG over
HTTP/1.1.
"""

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from contracts.errors import Rejected, Unavailable
from controllers.ports import Weight
from simulators.camera import CameraTwin
from simulators.printer import PrinterTwin
from simulators.scale import ScaleTwin
from simulators.scanner import ScannerTwin

_READ = 4_096
_LINE = 256
_STABLE_S = 3.0
_CONTINUOUS_S = 0.2
_FASTEST_S = 0.01


def host_port(address: str) -> tuple[str, int]:
    """Return host and port of a device's address.

    Raises
    ------
    Rejected
        It names none.
    """
    parts = urlsplit(address)
    try:
        port = parts.port
    except ValueError:
        port = None
    if not parts.hostname or port is None:
        raise Rejected("address", address, "a URL with host and port")
    return parts.hostname, port


class SocketServer:
    """One listening port; a subclass says what happens on a connection."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._host, self._port = host_port(address)
        self._server: asyncio.Server | None = None
        self._writers: dict[int, asyncio.StreamWriter] = {}

    async def open(self) -> None:
        """Listen.

        Raises
        ------
        Unavailable
            The port is taken.
        """
        if self._server is not None:
            return
        try:
            self._server = await asyncio.start_server(self._connected, self._host, self._port, limit=65_536)
        except OSError as e:
            raise Unavailable(f"{self.address}: cannot listen: {e.strerror or e}") from e

    async def close(self) -> None:
        """Stop listening, and hang up."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for writer in tuple(self._writers.values()):
            writer.transport.abort()
        await server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers[id(writer)] = writer
        try:
            await self.serve(reader, writer)
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client went away, or talks nonsense
        finally:
            self._writers.pop(id(writer), None)
            writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak with one client until it hangs up."""
        raise NotImplementedError


class ScannerServer(SocketServer):
    """A scanner."""

    def __init__(self, twin: ScannerTwin, address: str) -> None:
        super().__init__(address)
        self._twin = twin

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send each reading; what the client says is skipped."""
        end = self._twin.codes.add(lambda code: writer.write(f"{code or 'NOREAD'}\r\n".encode()))
        try:
            self._twin.joined.tell(str(writer.get_extra_info("peername")))
            while await reader.read(_READ):
                pass
        finally:
            end()


class ScaleServer(SocketServer):
    """A scale."""

    def __init__(self, twin: ScaleTwin, address: str, sleep: Callable[[float], Awaitable[None]]) -> None:
        super().__init__(address)
        self._twin, self._sleep = twin, sleep

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer each command; ``SIR`` sends values until the next command."""
        repeating: asyncio.Task[None] | None = None
        try:
            while line := await reader.readuntil(b"\n"):
                if repeating is not None:
                    repeating.cancel()
                    repeating = None
                command = line[:_LINE].strip().decode("ascii", "replace")
                if command == "SIR":
                    repeating = asyncio.create_task(self._repeat(writer), name=f"{self._twin.device} SIR")
                else:
                    writer.write(await self._answer(command))
                    await writer.drain()
        finally:
            if repeating is not None:
                repeating.cancel()

    async def _answer(self, command: str) -> bytes:
        match command:
            case "S":
                return await self._stable()
            case "SI":
                return _shown(self._twin.show())
            case "Z":
                return b"Z A\r\n"
            case "I4" | "@":
                return f'I4 A "{self._twin.device}"\r\n'.encode()
            case _:
                return b"ES\r\n"

    async def _stable(self) -> bytes:
        waited = 0.0
        while (rest_s := self._twin.rest_in_s) > 0:
            if waited >= _STABLE_S:
                return b"S I\r\n"
            step = max(_FASTEST_S, min(rest_s, _STABLE_S - waited))
            await self._sleep(step)
            waited += step
        return _shown(self._twin.read())

    async def _repeat(self, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            writer.write(_shown(self._twin.show()))
            await asyncio.sleep(_CONTINUOUS_S)


def _shown(weight: Weight) -> bytes:
    return f"S {'S' if weight.stable else 'D'} {weight.weight_g:10d} g\r\n".encode()


class PrinterServer(SocketServer):
    """A label printer."""

    def __init__(self, twin: PrinterTwin, address: str) -> None:
        super().__init__(address)
        self._twin = twin

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Print what comes; tell the host status when asked."""
        while data := await reader.read(_READ):
            text = data.decode("utf-8", "replace")
            if "~HS" in text:
                writer.write(
                    b"\x02030,0,0,0812,000,0,0,0,000,0,0,0\x03\r\n"
                    b"\x02000,0,0,0,0,2,4,0,00000000,1,000\x03\r\n"
                    b"\x021234,0\x03\r\n"
                )
            self._twin.feed(text.replace("~HS", ""))


class CameraServer(SocketServer):
    """A camera."""

    def __init__(self, twin: CameraTwin, address: str) -> None:
        super().__init__(address)
        self._twin, self._path = twin, urlsplit(address).path or "/"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests with the picture of now."""
        while True:
            request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, _, rest = request[0].partition(" ")
            path = rest.partition(" ")[0].partition("?")[0]
            keep = not any(h.lower().replace(" ", "") == "connection:close" for h in request[1:])
            if method not in {"GET", "HEAD"} or path != self._path:
                status, kind, body = "404 Not Found", "text/plain", f"only GET {self._path}\n".encode()
            else:
                status, kind, body = "200 OK", "image/jpeg", self._twin.picture()
            head = (
                f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                f"Cache-Control: no-store\r\nConnection: {'keep-alive' if keep else 'close'}\r\n\r\n"
            )
            writer.write(head.encode() + (b"" if method == "HEAD" else body))
            await writer.drain()
            if not keep:
                return
