"""A controller behind Modbus TCP: its input tags are polled in as few reads as possible, changes are told with time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from contracts.errors import Rejected, Unavailable
from contracts.ids import DeviceId
from contracts.runtime.cancellation import heed_cancellation
from contracts.runtime.clock import Clock
from controllers.connection import Connection, host_port
from controllers.ports import StateHandler, TagValue
from controllers.spans import Block, Image, Span, read_spans, write_blocks
from controllers.tags import Tag

ANSWER_S = 1.0
_SHORTEST_S = 0.02
"""Polls are at least this far apart, however fast the floor's clock runs."""
Hearer = Callable[[dict[str, TagValue], int], None]


class ModbusPlc:
    """The driver. The client is made anew for each connection: pymodbus never retries a first connect that failed.

    Parameters
    ----------
    device, address
        Its name, and ``modbus://host:port/unit``; unit 0..255, 1 where it is missing.
    clock
        Floor time; `period_s` is on it.
    table
        The controller's tags.
    period_s
        Time between two polls.
    """

    def __init__(
        self, device: DeviceId, address: str, clock: Clock, table: Iterable[Tag], period_s: float = 0.05
    ) -> None:
        self._host, self._port, unit = host_port(address, "modbus")
        if unit and not (unit.isdigit() and int(unit) <= 255):
            raise Rejected("address", address, "modbus://host:port/unit with a unit of 0..255")
        self._unit = int(unit or 1)
        self._device, self._clock, self._period_s = device, clock, period_s
        tags = tuple(table)
        self._table = {t.name: t for t in tags}
        self._spans = read_spans(tags)
        self._image = Image(tags)
        self._connection = Connection(device, address, clock)
        self._client: AsyncModbusTcpClient | None = None
        self._hearers: list[Hearer] = []
        self._known: dict[str, TagValue] = {}

    def on_state(self, handler: StateHandler) -> None:
        """Hear each change of quality; the present one at once."""
        self._connection.on_state(handler)

    def on_change(self, handler: Hearer) -> None:
        """Hear changed input tags and the time (ms) at which they were read; all of them after each (re)connection."""
        self._hearers.append(handler)

    async def run(self) -> None:
        """Poll until cancelled."""
        await self._connection.keep(self._session)

    async def write(self, values: dict[str, TagValue]) -> None:
        """Write output tags, in the order given, neighbouring registers in one request.

        Raises
        ------
        Unavailable
            The controller cannot be reached now, or refuses.
        Rejected
            A tag is not in the table, cannot be written, or the value does not fit it.
        """
        write_blocks(self._table, values)
        self._connection.check()
        client = self._client
        if client is None:
            raise Unavailable(f"{self._device}: not connected")
        filled = self._image.fill(values)
        for block in write_blocks(self._table, filled):
            await self._ask(self._write_request(client, block), f"write of {block.area} {block.start}")
        self._image.wrote(filled)

    # ------------------------------------------------------------------------------------------------------- session

    async def _session(self) -> None:
        client = AsyncModbusTcpClient(
            self._host, port=self._port, name=self._device, timeout=ANSWER_S, retries=0, reconnect_delay=0
        )
        try:
            if not await client.connect():
                raise Unavailable(f"nobody listens at {self._host}:{self._port}")
            heed_cancellation()
            self._client = client
            self._known.clear()
            self._image.clear()
            await self._poll(client)
        finally:
            self._client = None
            client.close()

    async def _poll(self, client: AsyncModbusTcpClient) -> None:
        loop = asyncio.get_running_loop()
        while True:
            started_s, asked_ms = loop.time(), self._clock.now_ms()
            values: dict[str, TagValue] = {}
            for span in self._spans:
                values |= await self._read(client, span)
            at_ms = (asked_ms + self._clock.now_ms()) // 2
            changed = {n: v for n, v in values.items() if self._known.get(n) != v or n not in self._known}
            self._connection.works()
            if changed:
                self._known = values
                for hearer in self._hearers:
                    hearer(changed, at_ms)
            await self._clock.sleep(self._period_s)
            if (rest_s := started_s + _SHORTEST_S - loop.time()) > 0:
                await asyncio.sleep(rest_s)

    async def _read(self, client: AsyncModbusTcpClient, span: Span) -> dict[str, TagValue]:
        what = f"read of {span.area} {span.start}..{span.start + span.count - 1}"
        if span.area == "discrete":
            request = partial(client.read_discrete_inputs, span.start, count=span.count, device_id=self._unit)
            answer = await self._ask(request, what)
            got: Sequence[int | bool] = answer.bits
            whole = span.count <= len(got) < span.count + 8  # bits come in bytes
        else:
            request = partial(client.read_input_registers, span.start, count=span.count, device_id=self._unit)
            answer = await self._ask(request, what)
            got = answer.registers
            whole = len(got) == span.count
        if not whole:
            # some servers answer a read beyond their end with success, and fewer values
            raise Unavailable(f"{what}: {len(got)} values came instead of {span.count}")
        return span.decode(got)

    def _write_request(self, client: AsyncModbusTcpClient, block: Block) -> Callable[[], Awaitable[ModbusPDU]]:
        if block.area == "coil":
            bits = [bool(v) for v in block.values]
            return partial(client.write_coils, block.start, bits, device_id=self._unit)
        return partial(client.write_registers, block.start, list(block.values), device_id=self._unit)

    async def _ask(self, request: Callable[[], Awaitable[ModbusPDU]], what: str) -> ModbusPDU:
        try:
            answer = await request()
        except ModbusException as e:
            raise Unavailable(f"{what}: {e}") from e
        finally:
            heed_cancellation()
        if answer.isError():
            raise Unavailable(f"{what}: refused with exception code {answer.exception_code}")
        return answer
