"""Time as an injected thing, and the one door for real I/O.

On real time the clock may run faster than the wall by a factor (`scale`), so that a scenario over the real protocols
need not last as long as its floor would. On virtual time the event loop itself jumps (`simulators.virtual_time`), and a
`LoopClock` reads it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """What time it is on the floor."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC; never runs backwards within a process."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for floor time to pass."""
        ...

    def call_later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        """Call back after floor time has passed; the handle cancels it."""
        ...


class LoopClock:
    """The running event loop's time, `scale` times as fast, from a given epoch.

    Parameters
    ----------
    start_ms
        Floor time (Unix epoch, ms) at the moment of construction; None: the wall's.
    scale
        Floor seconds per loop second, in (0, 1000].
    """

    def __init__(self, start_ms: int | None = None, *, scale: float = 1.0) -> None:
        if not 0 < scale <= 1000:
            raise ValueError(f"scale: {scale} is not in (0, 1000]")
        self._loop = asyncio.get_running_loop()
        self._loop_start = self._loop.time()
        self._start_ms = time.time_ns() // 1_000_000 if start_ms is None else start_ms
        self._scale = scale

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return self._start_ms + round((self._loop.time() - self._loop_start) * self._scale * 1000)

    async def sleep(self, seconds: float) -> None:
        """Wait for floor time to pass."""
        await asyncio.sleep(seconds / self._scale)

    def call_later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        """Call back after floor time has passed."""
        return self._loop.call_later(seconds / self._scale, call)


async def real(work: Awaitable[T]) -> T:
    """Do real I/O: on virtual time the clock stands until it is done and results come in order of request.

    On any other loop this is a plain await. One call a unit of work; inside it neither sleep nor talk on a port.
    """
    door = getattr(asyncio.get_running_loop(), "real", None)
    if door is None:
        return await work
    result: T = await door(work)
    return result
