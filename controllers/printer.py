"""A label printer that takes raw ZPL II over TCP (port 9100): one connection a label, as printers share them out."""

import asyncio

from contracts.errors import Unavailable
from contracts.ids import DeviceId
from contracts.runtime.clock import Clock
from controllers.connection import Connection, dial, host_port
from controllers.ports import StateHandler

_TAKEN_S = 5.0
_LOOK_S = 30.0


class TcpPrinter:
    """The driver.

    A raw port gives no answer: a label counts as printed when the printer has taken it and closed its side, or left it
    open without an error for a second. Between labels the printer is looked for every 30 s.

    Parameters
    ----------
    device, address
        Its name, and ``tcp://host:port``.
    clock
        Gives the times that are told.
    """

    def __init__(self, device: DeviceId, address: str, clock: Clock) -> None:
        self._host, self._port, _ = host_port(address, "tcp")
        self._device = device
        self._connection = Connection(device, address, clock)
        self._turn = asyncio.Lock()
        self._failed = asyncio.Event()

    def on_state(self, handler: StateHandler) -> None:
        """Hear each change of quality; the present one at once."""
        self._connection.on_state(handler)

    async def run(self) -> None:
        """Look after the printer until cancelled."""
        await self._connection.keep(self._session)

    async def print_label(self, zpl: str) -> None:
        """Print one label.

        Raises
        ------
        Unavailable
            The printer cannot be reached, or does not take the label in time.
        """
        async with self._turn:
            try:
                async with asyncio.timeout(_TAKEN_S), dial(self._host, self._port) as (reader, writer):
                    writer.write(zpl.encode())
                    await writer.drain()
                    writer.write_eof()
                    await self._taken(reader)
            except (Unavailable, OSError, TimeoutError) as e:
                self._failed.set()
                raise Unavailable(f"{self._device}: {e or f'label not taken within {_TAKEN_S:.0f} s'}") from e
        self._connection.works()

    async def _taken(self, reader: asyncio.StreamReader) -> None:
        try:
            async with asyncio.timeout(1):
                while await reader.read(1024):
                    pass
        except TimeoutError:
            return

    async def _session(self) -> None:
        while True:
            async with self._turn, dial(self._host, self._port):
                self._failed.clear()
                self._connection.works()
            try:
                async with asyncio.timeout(_LOOK_S):
                    await self._failed.wait()
                raise Unavailable("the last label was not taken")
            except TimeoutError:
                continue
