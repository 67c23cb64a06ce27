"""A barcode scanner that says one line a reading over TCP (CR, LF, CR LF or ETX at the end)."""

import asyncio
import re
from collections.abc import Callable

from contracts.errors import Unavailable
from contracts.ids import DeviceId
from contracts.runtime.clock import Clock
from controllers.connection import Connection, dial, host_port
from controllers.ports import Scan, StateHandler
from controllers.scanner.parse import parse

_END = re.compile(rb"[\r\n\x03]")
_LONGEST = 4096


class TcpScanner:
    """The driver.

    Parameters
    ----------
    device, address
        Its name, and ``tcp://host:port``.
    clock
        Gives the time of a reading.

    Raises
    ------
    Rejected
        The address is none.
    """

    def __init__(self, device: DeviceId, address: str, clock: Clock) -> None:
        self._host, self._port, _ = host_port(address, "tcp")
        self._clock = clock
        self._connection = Connection(device, address, clock)
        self._handlers: list[Callable[[Scan], None]] = []

    def on_state(self, handler: StateHandler) -> None:
        """Hear each change of quality; the present one at once."""
        self._connection.on_state(handler)

    def on_scan(self, handler: Callable[[Scan], None]) -> None:
        """Hear each reading: the line as it came, without frame characters; empty when the scanner says it failed."""
        self._handlers.append(handler)

    async def run(self) -> None:
        """Keep the scanner connected until cancelled."""
        await self._connection.keep(self._session)

    async def _session(self) -> None:
        async with dial(self._host, self._port) as (reader, _):
            self._connection.works()
            await self._read(reader)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        pending = b""
        while data := await reader.read(4096):
            pending += data
            *lines, pending = _END.split(pending)
            for line in lines:
                if line.strip(b"\x00\x02 "):  # between CR and LF there is nothing
                    self._said(line)
            if len(pending) > _LONGEST:
                raise Unavailable(f"a line of more than {_LONGEST} bytes; is this a scanner?")

    def _said(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").strip("\x00\x02 ")
        scan = Scan(text if parse(text).text else "", self._clock.now_ms())
        for handler in self._handlers:
            handler(scan)
