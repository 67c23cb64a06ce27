"""A scale that speaks SICS level 0 over TCP: ``S`` asks for a stable weight, ``SI`` for the present one.

Reference: Mettler Toledo, MT-SICS Reference Manual, sections 2.1 (answers) and 3 (S, SI).
"""

import asyncio
import re

from contracts.errors import Unavailable
from contracts.ids import DeviceId
from contracts.runtime.clock import Clock
from controllers.connection import Connection, dial, host_port
from controllers.ports import StateHandler, Weight

GRAMS = {"g": 1.0, "kg": 1000.0, "lb": 453.59237, "oz": 28.349523125, "mg": 0.001, "t": 1e6}
_ANSWER = re.compile(r"^S\s+(?P<status>[SDI+\-])(?:\s+(?P<value>[+-]?\s*\d+(?:\.\d*)?)\s*(?P<unit>[A-Za-z]+))?\s*$")
_REFUSED = {
    "I": "it does not come to rest",
    "+": "overload",
    "-": "underload: the platform is not in place",
}
_AGAIN_S = 0.1


def read_answer(line: str) -> tuple[int, bool]:
    """Read the answer to ``S`` or ``SI``: grams, and whether they are stable.

    Raises
    ------
    Unavailable
        The scale cannot say a weight now, or its answer is none.
    """
    found = _ANSWER.match(line.strip())
    if found is None:
        raise Unavailable(f"{line.strip()[:60]!r} is no weight")
    status, value, unit = found["status"], found["value"], found["unit"]
    if status in _REFUSED or value is None:
        raise Unavailable(_REFUSED.get(status, "no weight in its answer"))
    if unit not in GRAMS:
        raise Unavailable(f"unit {unit!r} is not known")
    return round(float(value.replace(" ", "")) * GRAMS[unit]), status == "S"


class TcpScale:
    """The driver.

    Parameters
    ----------
    device, address
        Its name, and ``tcp://host:port``.
    clock
        Gives the time of a weight.
    """

    def __init__(self, device: DeviceId, address: str, clock: Clock) -> None:
        self._host, self._port, _ = host_port(address, "tcp")
        self._device, self._clock = device, clock
        self._connection = Connection(device, address, clock)
        self._turn = asyncio.Lock()
        self._writer: asyncio.StreamWriter | None = None
        self._answer: asyncio.Future[str] | None = None

    def on_state(self, handler: StateHandler) -> None:
        """Hear each change of quality; the present one at once."""
        self._connection.on_state(handler)

    async def run(self) -> None:
        """Keep the scale connected until cancelled."""
        await self._connection.keep(self._session)

    async def weigh(self, timeout_s: float = 2.0) -> Weight:
        """Return the next stable weight.

        Raises
        ------
        Unavailable
            The scale does not answer or does not come to rest in time.
        """
        self._connection.check()
        async with self._turn:
            try:
                async with asyncio.timeout(timeout_s):
                    return await self._stable()
            except TimeoutError as e:
                self._drop()  # a late answer would be taken for the next one's
                raise Unavailable(f"{self._device}: no stable weight within {timeout_s} s") from e
            except OSError as e:
                self._drop()
                raise Unavailable(f"{self._device}: {e}") from e

    async def _stable(self) -> Weight:
        refused = ""
        while True:
            line = await self._ask("S")
            try:
                grams, stable = read_answer(line)
            except Unavailable as e:
                refused = str(e)
            else:
                if stable:
                    return Weight(grams, stable, self._clock.now_ms())
            if refused and refused != _REFUSED["I"]:
                raise Unavailable(f"{self._device}: {refused}")
            await asyncio.sleep(_AGAIN_S)

    async def _ask(self, command: str) -> str:
        if self._writer is None:
            raise Unavailable(f"{self._device}: not connected")
        self._answer = asyncio.get_running_loop().create_future()
        self._writer.write(f"{command}\r\n".encode())
        await self._writer.drain()
        return await self._answer

    async def _session(self) -> None:
        async with dial(self._host, self._port) as (reader, writer):
            self._writer = writer
            self._connection.works()
            try:
                while line := await reader.readline():
                    self._heard(line.decode("ascii", "replace").strip())
            except ValueError as e:
                raise Unavailable(f"a line without an end; is this a scale? ({e})") from e
            finally:
                self._writer = None
                if self._answer is not None and not self._answer.done():
                    self._answer.set_exception(Unavailable(f"{self._device}: it closed the connection"))

    def _heard(self, line: str) -> None:
        """Take a line as the answer that is waited for; a weight that nobody asked for (its print key) is not one."""
        if line and self._answer is not None and not self._answer.done():
            self._answer.set_result(line)

    def _drop(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
