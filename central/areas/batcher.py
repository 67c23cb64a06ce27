"""Has the batches of pick areas planned anew, each as often as it wants: a rolling horizon.

Whatever has come since is in the next plan, what somebody has begun is not (`ask_batches`); a planner worker makes it,
and when it is there it takes the place of the one before.
"""

import asyncio

from central.database import Database
from central.moment import moment
from contracts.errors import Unavailable
from contracts.runtime.clock import Clock
from contracts.runtime.logging import get_log

logger = get_log(__name__)
_AGAIN_S = 5.0


class Batcher:
    """Asks for plans of batches; silent where no area is planned by itself."""

    name = "central.batcher"

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._wake = asyncio.Event()

    def changed(self) -> None:
        """An area was made or changed: look at once."""
        self._wake.set()

    async def run(self) -> None:
        """Run until cancelled."""
        self._wake.set()
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                rows = await self._database.write("SELECT ask_batches($1) AS wait_s", moment(self._clock.now_ms()))
                wait_s = rows[0]["wait_s"]
            except Unavailable as e:
                logger.warning("batches wait for the database", error=str(e))
                wait_s = _AGAIN_S
            if wait_s is not None:
                timer = self._clock.call_later(wait_s, self._wake.set)
                try:
                    await self._wake.wait()
                finally:
                    timer.cancel()
