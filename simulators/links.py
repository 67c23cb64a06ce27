"""The twins as drivers in memory: the shape of `controllers.ports`, without a wire between.

Each link is one connection of one edge. It lives while its `run` does; a new edge opens new links to the same twins.
"""

import asyncio
from collections.abc import Callable, Sequence

from contracts.errors import Unavailable
from contracts.messages.floor import DeviceState, Quality
from contracts.runtime.clock import Clock
from controllers.ports import Scan, StateHandler, TagValue, Weight
from simulators.camera import CameraTwin
from simulators.printer import PrinterTwin
from simulators.scale import ScaleTwin
from simulators.scanner import ScannerTwin
from simulators.tag_bank import TagBank
from simulators.twin import Twin

_CYCLE_S = 0.02
"""How often a driver would poll a controller: changes within it are told together."""


class Link:
    """What all links have: quality, and a life."""

    def __init__(self, twin: Twin, clock: Clock) -> None:
        self._clock, self._twin = clock, twin
        self._running = False
        self._handlers: list[StateHandler] = []

    def on_state(self, handler: StateHandler) -> None:
        """Hear each change of quality; the present one at once."""
        self._handlers.append(handler)
        handler(self._state())

    async def run(self) -> None:
        """Stay connected until cancelled."""
        self._running = True
        ends = [self._twin.power.add(self._power), *self._attach()]
        try:
            self._power(self._twin.down)
            await asyncio.get_running_loop().create_future()
        finally:
            self._running = False
            for end in ends:
                end()

    def _attach(self) -> Sequence[Callable[[], None]]:
        return ()

    def _power(self, down: str) -> None:
        for handler in self._handlers:
            handler(self._state())
        if not down:
            self._connected()

    def _connected(self) -> None:
        """Do what a driver does after each (re)connection."""

    def _state(self) -> DeviceState:
        down = self._twin.down or ("" if self._running else "not connected yet")
        return DeviceState(Quality.BAD if down else Quality.GOOD, self._clock.now_ms(), down)

    def _check(self) -> None:
        if self._twin.down or not self._running:
            raise Unavailable(f"{self._twin.device}: {self._twin.down or 'not connected'}")


class ScannerLink(Link):
    """A scanner."""

    def __init__(self, twin: ScannerTwin, clock: Clock) -> None:
        super().__init__(twin, clock)
        self._scanner = twin
        self._scans: list[Callable[[Scan], None]] = []

    def on_scan(self, handler: Callable[[Scan], None]) -> None:
        """Hear each reading."""
        self._scans.append(handler)

    def _attach(self) -> Sequence[Callable[[], None]]:
        return (self._scanner.codes.add(self._said),)

    def _connected(self) -> None:
        self._scanner.joined.tell("memory")

    def _said(self, code: str) -> None:
        scan = Scan(code, self._clock.now_ms())
        for handler in self._scans:
            handler(scan)


class ScaleLink(Link):
    """A scale."""

    def __init__(self, twin: ScaleTwin, clock: Clock) -> None:
        super().__init__(twin, clock)
        self._scale = twin

    async def weigh(self, timeout_s: float = 2.0) -> Weight:
        """Return the next stable weight.

        Raises
        ------
        Unavailable
            The scale is gone or does not come to rest in time.
        """
        self._check()
        left_s = timeout_s
        while (rest_s := self._scale.rest_in_s) > 0:
            if rest_s > left_s:
                await self._clock.sleep(left_s)
                raise Unavailable(f"{self._scale.device}: not at rest within {timeout_s} s")
            await self._clock.sleep(rest_s)
            left_s -= rest_s
        self._check()
        return self._scale.read()


class PrinterLink(Link):
    """A printer."""

    def __init__(self, twin: PrinterTwin, clock: Clock) -> None:
        super().__init__(twin, clock)
        self._printer = twin

    async def print_label(self, zpl: str) -> None:
        """Print one label.

        Raises
        ------
        Unavailable
            The printer is gone.
        """
        self._check()
        self._printer.feed(zpl)


class PlcLink(Link):
    """A controller."""

    def __init__(self, twin: TagBank, clock: Clock) -> None:
        super().__init__(twin, clock)
        self._bank = twin
        self._hearers: list[Callable[[dict[str, TagValue], int], None]] = []
        self._changed: dict[str, TagValue] = {}
        self._timer: asyncio.TimerHandle | None = None

    def on_change(self, handler: Callable[[dict[str, TagValue], int], None]) -> None:
        """Hear changed input tags; all of them after each (re)connection."""
        self._hearers.append(handler)

    async def write(self, values: dict[str, TagValue]) -> None:
        """Write output tags.

        Raises
        ------
        Unavailable
            The controller is gone.
        Rejected
            A tag is not in the table, cannot be written, or the value does not fit it.
        """
        self._check()
        self._bank.write(values)

    def _attach(self) -> Sequence[Callable[[], None]]:
        return (self._bank.changed.add(self._heard), self._silence)

    def _silence(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _connected(self) -> None:
        self._heard(self._bank.inputs())

    def _heard(self, changed: dict[str, TagValue]) -> None:
        self._changed.update(changed)
        if self._timer is None:
            self._timer = self._clock.call_later(_CYCLE_S, self._tell)

    def _tell(self) -> None:
        self._timer = None
        if self._twin.down:
            return
        changed, self._changed = self._changed, {}
        for handler in self._hearers:
            handler(changed, self._clock.now_ms())


class CameraLink(Link):
    """A camera."""

    def __init__(self, twin: CameraTwin, clock: Clock) -> None:
        super().__init__(twin, clock)
        self._camera = twin

    async def grab(self) -> tuple[bytes, int]:
        """Return one picture (JPEG) and the time of its exposure.

        Raises
        ------
        Unavailable
            The camera is gone.
        """
        self._check()
        return self._camera.picture(), self._clock.now_ms()
