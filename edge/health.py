"""How a cell is: its devices with quality and time, what waits in its buffer; said on change, at most once a second."""

import asyncio
from collections.abc import Callable, Iterable

import msgspec

from contracts.ids import CellId, DeviceId
from contracts.messages.floor import CellState, DeviceState, Quality
from contracts.runtime.clock import Clock

Settled = Callable[[DeviceId, DeviceState], None]
_STEP = 100


class Health:
    """Collects the states of a cell's devices.

    Parameters
    ----------
    cell, devices
        Who, and of what.
    clock
        Floor time.
    say
        Called with the cell's state when it is to be published.
    settled
        Called when a device has been good, or not good, for long enough to be told as an alarm.
    every_s
        The shortest time between two states.
    patience_s
        How long a device may be away before it is alarmed.
    first_s
        The same for one that has not been there since the start: everything comes up at once then.
    """

    def __init__(
        self,
        cell: CellId,
        devices: Iterable[DeviceId],
        clock: Clock,
        say: Callable[[CellState], None],
        settled: Settled,
        *,
        every_s: float = 1.0,
        patience_s: float = 3.0,
        first_s: float = 60.0,
    ) -> None:
        self._clock, self._say, self._settled = clock, say, settled
        self._every_s, self._patience_s, self._first_s = every_s, patience_s, first_s
        self._seen: set[DeviceId] = set()
        now_ms = clock.now_ms()
        self._state = CellState(
            cell=cell,
            online=True,
            epoch=0,
            at_ms=now_ms,
            devices={d: DeviceState(Quality.BAD, now_ms, "not yet heard") for d in devices},
            buffered=0,
        )
        self._alarmed: set[DeviceId] = set()
        self._watches: dict[DeviceId, asyncio.TimerHandle] = {}
        self._pending: asyncio.TimerHandle | None = None
        self._said_ms = -(10**15)
        self._begun = False

    @property
    def state(self) -> CellState:
        """The cell as it is now."""
        return self._state

    def offline(self) -> CellState:
        """Return the last will: the cell as it is when nobody is there to say so."""
        return msgspec.structs.replace(self._state, online=False)

    def begin(self, epoch: int, buffered: int) -> None:
        """Set what is known at the start, and speak from now on."""
        self._state = msgspec.structs.replace(self._state, epoch=epoch, buffered=buffered)
        self._begun = True
        self.publish()

    def device(self, device: DeviceId, state: DeviceState) -> None:
        """Take a device's state."""
        before = self._state.devices[device]
        self._state = msgspec.structs.replace(self._state, devices={**self._state.devices, device: state})
        good = state.quality is Quality.GOOD
        if good:
            self._seen.add(device)
        if watch := self._watches.pop(device, None):
            watch.cancel()
        if good and device in self._alarmed:
            self._alarmed.discard(device)
            self._settled(device, state)
        elif not good and device not in self._alarmed:
            patience_s = self._patience_s if device in self._seen else max(self._patience_s, self._first_s)
            self._watches[device] = self._clock.call_later(patience_s, lambda: self._give_up(device))
        if (before.quality, before.text) != (state.quality, state.text):
            self.publish()

    def buffered(self, count: int) -> None:
        """Take the number of events that wait; told when it has changed by a hundred."""
        before = self._state.buffered
        self._state = msgspec.structs.replace(self._state, buffered=count)
        if before // _STEP != count // _STEP:
            self.publish()

    def publish(self) -> None:
        """Say the state now, or as soon as a second has passed since the last time."""
        if self._pending is not None or not self._begun:
            return
        wait_s = self._every_s - (self._clock.now_ms() - self._said_ms) / 1000
        if wait_s <= 0:
            self._now()
        else:
            self._pending = self._clock.call_later(wait_s, self._now)

    def close(self) -> None:
        """Stop all timers."""
        for watch in self._watches.values():
            watch.cancel()
        self._watches.clear()
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None

    def _now(self) -> None:
        self._pending = None
        self._said_ms = self._clock.now_ms()
        self._state = msgspec.structs.replace(self._state, at_ms=self._said_ms)
        self._say(self._state)

    def _give_up(self, device: DeviceId) -> None:
        self._watches.pop(device, None)
        self._alarmed.add(device)
        self._settled(device, self._state.devices[device])
