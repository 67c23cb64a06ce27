"""Suppliers: a delivery is announced, gets its time at a door, and comes; people unload what is really in it.

More may come than was announced, or less, or some of it broken. When nothing is left in the truck the gate says so.
"""

import asyncio
import datetime as dt
from collections.abc import Mapping

import msgspec

from contracts.ids import ItemId
from contracts.runtime.clock import Clock
from contracts.runtime.logging import get_log
from simulators.handheld import Handheld
from simulators.piles import Piles

_log = get_log("simulators.supplier")
LANE = "lane-in"
"""Where a truck is unloaded to."""
DOORS = ("dock-1", "dock-2", "dock-4")
MAKER, NEWCOMER = "maker", "newcomer"
"""Two suppliers; what the second one brings is looked at before it is free."""
_AT_DOOR_S = 45 * 60
_OVER_PCT = 50


class Load(msgspec.Struct, frozen=True):
    """Pieces of an item in a truck: how many were announced, how many come, and how many of those are broken."""

    item: ItemId
    qty: int
    comes: int
    broken: int = 0


class Delivery(msgspec.Struct, frozen=True):
    """A truck: what it brings of whose goods, and when (Unix epoch, ms)."""

    ref: str
    at_ms: int
    owner: str
    lines: tuple[Load, ...]
    supplier: str = MAKER


class Supplier:
    """All deliveries of a day; a service.

    Parameters
    ----------
    erp, gate
        Two clients: one of the role ERP, one of whoever stands at the gate.
    deliveries
        In the order of their times.
    """

    def __init__(
        self, erp: Handheld, gate: Handheld, piles: Piles, clock: Clock, deliveries: tuple[Delivery, ...]
    ) -> None:
        self.name, self.ready = "supplier", asyncio.Event()
        self._erp, self._gate, self._piles, self._clock, self._deliveries = erp, gate, piles, clock, deliveries
        self._booked: dict[str, str] = {}
        self.to_come = len(deliveries)
        self.refused_doors = 0
        """How often a door was somebody else's at that time, and another one was asked for."""

    async def run(self) -> None:
        """Announce all, come at the times, and drive away when all is unloaded; then wait until cancelled."""
        for delivery in self._deliveries:
            lines = [{"line": n, "item": x.item, "qty": x.qty} for n, x in enumerate(delivery.lines, 1)]
            body = {
                "ref": delivery.ref, "supplier": delivery.supplier, "owner": delivery.owner, "lines": lines,
                "due": _moment(delivery.at_ms), "over_pct": _OVER_PCT,
            }  # fmt: skip
            await self._say(self._erp, "/v1/asns", body)
            await self._book(delivery)
        self.ready.set()
        async with asyncio.TaskGroup() as group:
            for delivery in self._deliveries:
                await self._clock.sleep(max(0.0, (delivery.at_ms - self._clock.now_ms()) / 1000))
                for x in delivery.lines:
                    self._piles.put(delivery.ref, x.item, x.comes, broken=x.broken)
                await self._say(self._gate, f"/v1/asns/{delivery.ref}/arrive", {"staging": LANE})
                group.create_task(self._unloaded(delivery), name=f"truck {delivery.ref}")
            await asyncio.get_running_loop().create_future()

    async def _book(self, delivery: Delivery) -> None:
        """Ask for one door after the other until one is free at that time."""
        times = {"from": _moment(delivery.at_ms), "to": _moment(delivery.at_ms + _AT_DOOR_S * 1000)}
        for door in DOORS:
            body = times | {"asn": delivery.ref, "carrier": delivery.supplier}
            answer = await self._erp.post(f"/v1/docks/{door}/appointments", body)
            if answer.is_success:
                self._booked[delivery.ref] = str(answer.json()["id"])
                return
            self.refused_doors += 1
        _log.warning("no door is free", delivery=delivery.ref, detail=answer.text[:300])

    async def _unloaded(self, delivery: Delivery) -> None:
        while not self._piles.empty(delivery.ref):
            await self._clock.sleep(60)
        state = (await self._gate.get(f"/v1/asns/{delivery.ref}"))["state"]
        if state == "arrived":
            await self._say(self._gate, f"/v1/asns/{delivery.ref}/close", {"reason": "the truck is empty"})
        if delivery.ref in self._booked:
            await self._say(self._gate, f"/v1/appointments/{self._booked[delivery.ref]}/leave", {"reason": "unloaded"})
        self.to_come -= 1

    async def _say(self, client: Handheld, path: str, body: Mapping[str, object]) -> None:
        answer = await client.post(path, body)
        if not answer.is_success:
            _log.warning("delivery not taken", path=path, detail=answer.text[:300])


def _moment(at_ms: int) -> str:
    return dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).isoformat()
