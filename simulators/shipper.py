"""Who sends goods out: plans a wave of a route's orders and their truck, and closes it when all is on it."""

import asyncio
import datetime as dt
from typing import Any

from contracts.ids import OrderId
from contracts.runtime.clock import Clock
from contracts.runtime.logging import get_log
from simulators.handheld import Handheld
from simulators.person import Attention

_log = get_log("simulators.shipper")
DOOR = "dock-3"
_WAIT_S = 600.0
_AGAIN_S = 300.0
_LATEST_S = 6 * 3_600


class Shipper:
    """The wave and the truck of one route; a service.

    Parameters
    ----------
    terminal
        A client of the role operator.
    orders
        Those that are awaited before the wave is planned.
    """

    def __init__(self, terminal: Handheld, clock: Clock, route: str, orders: frozenset[OrderId]) -> None:
        self.name, self.ready = "shipper", asyncio.Event()
        self._terminal, self._clock, self._route, self._orders = terminal, clock, route, orders
        self._look = Attention()
        self._came: set[str] = set()
        self.under_way = bool(orders)
        self.loaded_from_last = True
        """Whether the units came onto the truck from the last stop to the first."""
        self._stop = 10_000

    def received(self, ref: str) -> None:
        """An order has come in."""
        if ref in self._orders:
            self._came.add(ref)
            self._look.call()

    def loaded(self, stop: int) -> None:
        """A unit stands on the truck."""
        self.loaded_from_last &= stop <= self._stop
        self._stop = stop

    async def run(self) -> None:
        """Plan, release, load, close and send it off; then wait until cancelled."""
        self.ready.set()
        while self.under_way and len(self._came) < len(self._orders):
            await self._look.wait()
        if self.under_way:
            await self._clock.sleep(_WAIT_S)
            wave = await self._say("/v1/waves", {"route": self._route})
            await self._clock.sleep(_WAIT_S)
            await self._say(f"/v1/waves/{wave['id']}/release", {})
            leaves = dt.datetime.fromtimestamp(self._clock.now_ms() / 1000 + _LATEST_S, dt.UTC).isoformat()
            truck = {"id": "TR-1", "route": self._route, "departs_at": leaves, "collect": True, "dock": DOOR}
            await self._say("/v1/trucks", truck)
            await self._say("/v1/trucks/TR-1/load", {})
            await self._fill()
            await self._clock.sleep(300)
            await self._say("/v1/trucks/TR-1/depart", {})
            self.under_way = False
        await asyncio.get_running_loop().create_future()

    async def _fill(self) -> None:
        """Close the truck once it has all; what is missing when it must leave stays here, with the reason."""
        must_ms = self._clock.now_ms() + _LATEST_S * 1000
        while True:
            late = self._clock.now_ms() >= must_ms
            body = {"reason": "the truck must leave"} if late else {}
            answer = await self._terminal.post("/v1/trucks/TR-1/dispatch", body)
            if answer.is_success:
                return
            await self._clock.sleep(_AGAIN_S)

    async def _say(self, path: str, body: dict[str, Any]) -> Any:
        answer = await self._terminal.post(path, body)
        if not answer.is_success:
            _log.warning("not taken", path=path, detail=answer.text[:300])
            answer.raise_for_status()
        return answer.json()
