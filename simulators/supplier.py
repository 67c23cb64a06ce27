"""Suppliers: their goods are announced in the morning and come at their time; people unload and put them away."""

import asyncio
import datetime as dt
from collections.abc import Mapping

import msgspec

from contracts.ids import ItemId
from contracts.runtime.clock import Clock
from contracts.runtime.logging import get_log
from simulators.people import Handheld

_log = get_log("simulators.supplier")
LANE = "lane-in"
"""Where a truck is unloaded to."""


class Delivery(msgspec.Struct, frozen=True):
    """A truck: what it brings of whose goods, and when (Unix epoch, ms)."""

    ref: str
    at_ms: int
    owner: str
    lines: tuple[tuple[ItemId, int], ...]


class Supplier:
    """All deliveries of a day; a service.

    Parameters
    ----------
    erp, gate
        Two clients: one of the role ERP, one of whoever stands at the gate.
    deliveries
        In the order of their times.
    """

    def __init__(self, erp: Handheld, gate: Handheld, clock: Clock, deliveries: tuple[Delivery, ...]) -> None:
        self.name, self.ready = "supplier", asyncio.Event()
        self._erp, self._gate, self._clock, self._deliveries = erp, gate, clock, deliveries
        self.to_come = len(deliveries)

    async def run(self) -> None:
        """Announce all, then come at the times, then wait until cancelled."""
        for delivery in self._deliveries:
            lines = [{"line": n, "item": i, "qty": q} for n, (i, q) in enumerate(delivery.lines, 1)]
            due = dt.datetime.fromtimestamp(delivery.at_ms / 1000, dt.UTC).isoformat()
            body = {"ref": delivery.ref, "supplier": "maker", "owner": delivery.owner, "due": due, "lines": lines}
            await self._say(self._erp, "/v1/asns", body)
        self.ready.set()
        for delivery in self._deliveries:
            await self._clock.sleep(max(0.0, (delivery.at_ms - self._clock.now_ms()) / 1000))
            await self._say(self._gate, f"/v1/asns/{delivery.ref}/arrive", {"staging": LANE})
            self.to_come -= 1
        await asyncio.get_running_loop().create_future()

    async def _say(self, client: Handheld, path: str, body: Mapping[str, object]) -> None:
        answer = await client.post(path, body)
        if not answer.is_success:
            _log.warning("delivery not taken", path=path, detail=answer.text[:300])
