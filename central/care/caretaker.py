"""Opens the counts and the replenishments that are due, without being asked.

It looks a minute after something was published, and once a day for the plans. Where there are neither plans nor rules
nor shelves it only asks, now and then, whether there are by now.
"""

import asyncio
from datetime import timedelta

from central.database import Database
from central.moment import moment
from contracts.errors import Unavailable
from contracts.runtime.clock import Clock
from contracts.runtime.logging import get_log

logger = get_log(__name__)
_LATER_S = 60.0
_AGAIN_S = 5.0
_PLANS_S = 86_400.0
_ASK_MS = 600_000
_CLASSES = timedelta(days=90)
"""An item's class follows from its picks of so long."""
_ANY = (
    "SELECT EXISTS (SELECT FROM replenish_rule WHERE active) OR EXISTS (SELECT FROM count_plan WHERE active)"
    " OR EXISTS (SELECT FROM place WHERE kind = 'shelf')"
    " OR EXISTS (SELECT FROM orders WHERE backorder AND state IN ('allocated', 'released', 'picking')) AS some"
)


class Caretaker:
    """Looks after the stock."""

    name = "central.care"

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._wake = asyncio.Event()
        self._any = False
        """Whether there is anything to look after: plans, rules, or a reserve that waiting orders may draw on."""
        self._ask_ms = self._plans_ms = 0

    def published(self) -> None:
        """Something was published: look soon, where there is anything to look after."""
        if self._any or self._clock.now_ms() >= self._ask_ms:
            self._wake.set()

    def changed(self) -> None:
        """A rule or a plan is another one: look at once."""
        self._any = True
        self._plans_ms = 0
        self._wake.set()

    async def run(self) -> None:
        """Run until cancelled."""
        self._wake.set()
        while True:
            timer = self._clock.call_later(_PLANS_S, self._wake.set)
            try:
                await self._wake.wait()
            finally:
                timer.cancel()
            self._wake.clear()
            try:
                if not self._any:
                    self._any = (await self._database.read(_ANY))[0]["some"]
                    self._ask_ms = self._clock.now_ms() + _ASK_MS
                if self._any:
                    await self._care()
                    await self._clock.sleep(_LATER_S)
            except Unavailable as e:
                logger.warning("care waits for the database", error=str(e))
                await self._clock.sleep(_AGAIN_S)
                self._wake.set()

    async def _care(self) -> None:
        now_ms = self._clock.now_ms()
        plans = now_ms >= self._plans_ms
        at = moment(now_ms)
        if plans:
            self._plans_ms = now_ms + round(_PLANS_S * 1000)  # before: what changes while we look is looked at again
        try:
            if plans:
                await self._database.read("SELECT classify_items($1, $2)", at, at - _CLASSES)
            rows = await self._database.read("SELECT * FROM care_due($1, $2)", at, plans)
        except Unavailable:
            self._plans_ms = 0
            raise
        if rows[0]["counts"] or rows[0]["replenishments"]:
            self._database.committed()
