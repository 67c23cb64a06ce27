"""How long people take, and how they wait: for what they see to change, never by the clock."""

import asyncio
import random
from collections.abc import Callable

from contracts.runtime.clock import Clock


class Attention:
    """Something may have changed: look again."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def call(self, *_: object) -> None:
        """Draw attention; fits every listener."""
        self._event.set()

    async def wait(self) -> None:
        """Wait until attention was drawn since the last wait."""
        await self._event.wait()
        self._event.clear()

    async def within(self, clock: Clock, seconds: float, seen: Callable[[], bool]) -> bool:
        """Wait until something is seen, at most so long; tells whether it was."""
        over = False

        def end() -> None:
            nonlocal over
            over = True
            self._event.set()

        timer = clock.call_later(seconds, end)
        try:
            while not seen():
                if over:
                    return False
                await self.wait()
        finally:
            timer.cancel()
            self._event.set()  # whoever looks next looks with fresh eyes
        return True


class Person:
    """A worker with a pace.

    Parameters
    ----------
    rng
        Scatter of the times.
    pace
        Times are divided by it.
    """

    def __init__(self, clock: Clock, rng: random.Random, pace: float) -> None:
        self.clock, self.rng, self.pace = clock, rng, pace
        self.shift: asyncio.Semaphore | None = None
        """Who is there, where fewer people than places are: whoever is free does what comes next. None: one each."""

    async def spend(self, seconds: float) -> None:
        """Take about so long (log-normal, a fifth of scatter), once somebody is free."""
        takes_s = seconds * self.rng.lognormvariate(0.0, 0.2) / self.pace
        if self.shift is None:
            await self.clock.sleep(takes_s)
        else:
            async with self.shift:
                await self.clock.sleep(takes_s)
