"""Releases orders when their time or their turn has come: rows with a due time, read on the injected clock."""

import asyncio
from datetime import datetime, timedelta

from central.database import Database
from central.moment import milliseconds, moment
from contracts.errors import Unavailable
from contracts.runtime.clock import Clock
from contracts.runtime.logging import get_log

logger = get_log(__name__)
_LONGEST_S = 3_600.0
_AGAIN_S = 1.0


class Releaser:
    """Sleeps until the next order or wave is due, one was taken in that may be due earlier, or there is room for one.

    Parameters
    ----------
    in_work
        How many orders are worked on at a time; 0: no limit.
    ahead_h
        With that limit: none is begun earlier than so many hours before it is due; 0: any.
    """

    name = "central.release"

    def __init__(self, database: Database, clock: Clock, in_work: int = 0, ahead_h: float = 0.0) -> None:
        self._database = database
        self._clock = clock
        self._in_work = in_work
        self._ahead = timedelta(hours=ahead_h) if ahead_h else None
        self._changed = asyncio.Event()
        self._next_ms: int | None = None
        self._held = False

    def expect(self, at_ms: int) -> None:
        """Something was taken in that is due at this time."""
        if self._next_ms is None or at_ms < self._next_ms:
            self._changed.set()

    def published(self) -> None:
        """Something happened: an order may have left, and there is room for the next one that waits."""
        if self._held:
            self._changed.set()

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            self._changed.clear()
            try:
                due = await self._release(moment(self._clock.now_ms()))
            except Unavailable as e:
                logger.warning("release waits for the database", error=str(e))
                await self._clock.sleep(_AGAIN_S)
                continue
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

    async def _release(self, now: datetime) -> datetime | None:
        """Release what is due and what there is room for; say when the next one is due."""
        (timed,) = await self._database.write("SELECT * FROM release_due($1)", now)
        (waves,) = await self._database.read("SELECT * FROM release_waves($1)", now)
        dues = [timed["next_at"], waves["next_at"]]
        released = waves["released"]
        if self._in_work:
            sql = "SELECT * FROM release_by_capacity($1, $2, $3)"
            (turn,) = await self._database.read(sql, now, self._in_work, self._ahead)
            self._held = turn["held"] > 0
            dues.append(turn["next_at"])
            released += turn["released"]
        if released:
            self._database.committed()
        return min((d for d in dues if d is not None), default=None)
