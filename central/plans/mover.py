"""Lets people do what accepted slotting plans want, when there is nothing else to do.

It looks a minute after something was published, as long as moves are left; the stock as it is then decides
(`go_on_moving`).
"""

import asyncio

from central.database import Database
from central.moment import moment
from contracts.errors import Unavailable
from contracts.runtime.clock import Clock
from contracts.runtime.logging import get_log

logger = get_log(__name__)
MOST_MOVES = 4
"""So many are in people's hands at a time."""
IDLE_PICKS = 8
"""With no more picks than these left to robots the floor has time for moves."""
_LATER_S = 60.0
_AGAIN_S = 5.0
_LEFT = "SELECT EXISTS (SELECT FROM plan_move WHERE state IN ('waiting', 'open')) AS some"


class Mover:
    """Opens the moves of accepted slotting plans."""

    name = "central.mover"

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._wake = asyncio.Event()
        self._left = False
        """Whether moves are left."""

    def published(self) -> None:
        """Something was published: look soon, where moves are left."""
        if self._left:
            self._wake.set()

    def changed(self) -> None:
        """A plan was accepted or stopped: look at once."""
        self._left = True
        self._wake.set()

    async def run(self) -> None:
        """Run until cancelled."""
        self._wake.set()
        while True:
            timer = self._clock.call_later(_LATER_S, self._wake.set) if self._left else None
            try:
                await self._wake.wait()
            finally:
                if timer is not None:
                    timer.cancel()
            self._wake.clear()
            try:
                if not self._left:
                    self._left = (await self._database.read(_LEFT))[0]["some"]
                if self._left:
                    rows = await self._database.write(
                        "SELECT go_on_moving($1, $2, $3) AS n", moment(self._clock.now_ms()), MOST_MOVES, IDLE_PICKS
                    )
                    self._left = rows[0]["n"] > 0
                    await self._clock.sleep(_AGAIN_S)
            except Unavailable as e:
                logger.warning("moves wait for the database", error=str(e))
                await self._clock.sleep(_AGAIN_S)
                self._wake.set()
