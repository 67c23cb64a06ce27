"""Releases orders when their time has come: rows with a due time, read on the injected clock."""

import asyncio

from central.database import Database
from central.moment import milliseconds, moment
from contracts.errors import Unavailable
from contracts.runtime.clock import Clock
from contracts.runtime.logging import get_log

logger = get_log(__name__)
_LONGEST_S = 3_600.0
_AGAIN_S = 1.0


class Releaser:
    """Sleeps until the next order is due, or until one was taken in that may be due earlier."""

    name = "central.release"

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._changed = asyncio.Event()
        self._next_ms: int | None = None

    def expect(self, at_ms: int) -> None:
        """An order was taken in that is due at this time."""
        if self._next_ms is None or at_ms < self._next_ms:
            self._changed.set()

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            self._changed.clear()
            try:
                rows = await self._database.write("SELECT * FROM release_due($1)", moment(self._clock.now_ms()))
            except Unavailable as e:
                logger.warning("release waits for the database", error=str(e))
                await self._clock.sleep(_AGAIN_S)
                continue
            due = rows[0]["next_at"]
            self._next_ms = None if due is None else milliseconds(due)
            timer = None
            if self._next_ms is not None:
                wait_s = min(max(self._next_ms - self._clock.now_ms(), 1) / 1000, _LONGEST_S)
                timer = self._clock.call_later(wait_s, self._changed.set)
            try:
                await self._changed.wait()
            finally:
                if timer is not None:
                    timer.cancel()
