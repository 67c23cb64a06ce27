"""The office: the ERP's clerk who changes and cancels orders, and the foreman who looks after what is not an order.

They hear what a webhook would tell, and answer over REST as anybody would: kits, scrap, quality, counts, transfers.
"""

import asyncio
from collections import Counter
from typing import Any

from contracts.ids import ItemId, OrderId
from contracts.runtime.clock import Clock
from contracts.runtime.logging import get_log
from simulators.handheld import Handheld
from simulators.piles import Piles

_log = get_log("simulators.clerk")
_SOON_S = 45.0
_LATER_S = 900.0
_NOON_S = 4 * 3_600.0


class Clerk:
    """Changes orders in the middle of the day; a service.

    Parameters
    ----------
    erp
        A client of the role ERP.
    changed, cancelled, put_back
        Orders of which a line becomes one more, that are cancelled as soon as they are in, and that are cancelled when
        they are packed.
    """

    def __init__(
        self, erp: Handheld, clock: Clock, changed: tuple[OrderId, ...], cancelled: tuple[OrderId, ...],
        put_back: tuple[OrderId, ...],
    ) -> None:  # fmt: skip
        self.name, self.ready = "clerk", asyncio.Event()
        self._erp, self._clock = erp, clock
        self._changed, self._cancelled, self._put_back = changed, cancelled, put_back
        self._asked: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.under_way = 0
        """What the clerk is about to do."""
        self.done: Counter[str] = Counter()
        """How often what came of it."""

    def received(self, order: str, ref: str) -> None:
        """An order is in."""
        for what, refs in (("change", self._changed), ("cancel", self._cancelled)):
            if ref in refs:
                self.under_way += 1
                self._asked.put_nowait((what, order))

    def packed(self, order: str, ref: str) -> None:
        """An order waits for its truck."""
        if ref in self._put_back:
            self.under_way += 1
            self._asked.put_nowait(("put back", order))

    async def run(self) -> None:
        """Change and cancel until cancelled."""
        self.ready.set()
        while True:
            what, order = await self._asked.get()
            if what == "change":
                await self._clock.sleep(_SOON_S)
                await self._change(order)
            else:
                if what == "cancel":
                    await self._clock.sleep(_SOON_S)
                body = {"reason": "the customer does not want it", "put_back": what == "put back"}
                answer = await self._erp.post(f"/v1/orders/{order}/cancel", body)
                self.done[answer.json()["outcome"] if answer.is_success else "refused"] += 1
            self.under_way -= 1

    async def _change(self, order: str) -> None:
        shown = await self._erp.get(f"/v1/orders/{order}")
        line = next(x for x in shown["order_lines"] if x["kind"] == "stock")
        lines = [{"line": line["line"], "qty": line["qty"] + 1}]
        answer = await self._erp.patch(f"/v1/orders/{order}", {"lines": lines, "reason": "one more", "priority": 5})
        self.done["changed" if answer.is_success else "refused"] += 1


class Foreman:
    """Has kits made and broken goods thrown away, looks at what is held, sends and takes transfers; a service.

    Parameters
    ----------
    terminal, erp, planner
        Clients of the roles operator, ERP and supervisor.
    kit, shelf
        What is made of its parts, and where it goes to.
    goods
        Item, owner and shelf of something that goes to another site.
    """

    def __init__(
        self, terminal: Handheld, erp: Handheld, planner: Handheld, piles: Piles, clock: Clock, kit: ItemId | None,
        shelf: str, goods: tuple[ItemId, str, str] | None,
    ) -> None:  # fmt: skip
        self.name, self.ready = "foreman", asyncio.Event()
        self._terminal, self._erp, self._planner = terminal, erp, planner
        self._piles, self._clock = piles, clock
        self._kit, self._shelf, self._goods = kit, shelf, goods
        self._came: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.under_way = 1
        """What is still to be done or looked at."""
        self.released = 0

    def unloaded(self, data: dict[str, Any]) -> None:
        """Goods of a delivery have come in."""
        if data["damaged"] or data["status"] == "quality":
            self.under_way += 1
            self._came.put_nowait(data)

    async def run(self) -> None:
        """Do the day's errands, then look at what comes in, until cancelled."""
        self.ready.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._errands(), name="errands")
            while True:
                data = await self._came.get()
                await self._clock.sleep(_LATER_S)
                if data["damaged"]:
                    await self._throw_away(data)
                if data["status"] == "quality" and data["qty"]:
                    what = {
                        "place": data["place"],
                        "item": data["item"],
                        "qty": data["qty"],
                        "from": "quality",
                        "to": "ok",
                    }
                    self.released += (await self._say("/v1/stock/status", what | {"reason": "looks good"})) is not None
                self.under_way -= 1

    async def _throw_away(self, data: dict[str, Any]) -> None:
        place, item, qty = data["place"], data["item"], data["damaged"]
        what = {"place": place, "item": item, "status": "damaged", "qty": qty, "reason": "broken"}
        if await self._say("/v1/scrap", what) is not None:
            self._piles.take(place, item, qty)

    async def _errands(self) -> None:
        await self._clock.sleep(_LATER_S)
        if self._kit is not None:
            await self._say("/v1/kit-builds", {"kit": self._kit, "qty": 2, "place": self._shelf})
        if self._goods is not None:
            item, owner, shelf = self._goods
            await self._say("/v1/counts", {"place": shelf, "item": item})
            await self._clock.sleep(2 * _LATER_S)
            await self._send(item, owner, shelf)
            await self._take_in(item, owner, shelf)
        await self._clock.sleep(_NOON_S)
        # by now there are picks to class the items by, and places that they have emptied
        plan = {"cause": "class", "class": "A", "every_days": 1, "at_most": 10, "priority": 1}
        await self._planner.put("/v1/counts/plans/fast-movers", plan)
        self.under_way -= 1

    async def _send(self, item: str, owner: str, shelf: str) -> None:
        """Send three to another site, of which two come there."""
        lines = [{"line": 1, "item": item, "qty": 3, "place": shelf}]
        made = await self._said(self._erp, "/v1/transfers", _transfer("UML-1", "out", owner, lines))
        if made is None or await self._say(f"/v1/transfers/{made['id']}/send", {}) is None:
            return
        self._piles.take(shelf, item, 3)
        await self._clock.sleep(_LATER_S)
        told = {"reason": "the other site has counted", "received": [{"line": 1, "received": 2}]}
        await self._said(self._erp, f"/v1/transfers/{made['id']}/close", told)

    async def _take_in(self, item: str, owner: str, shelf: str) -> None:
        """Take in two that another site has sent."""
        made = await self._said(
            self._erp, "/v1/transfers", _transfer("UML-2", "in", owner, [{"line": 1, "item": item, "qty": 2}])
        )
        if made is None:
            return
        self._piles.put(shelf, item, 2)
        await self._say(f"/v1/transfers/{made['id']}/receipts", {"place": shelf, "lines": [{"line": 1, "qty": 2}]})
        await self._said(self._erp, f"/v1/transfers/{made['id']}/close", {"reason": "all is here"})

    async def _say(self, path: str, body: dict[str, Any]) -> Any:
        return await self._said(self._terminal, path, body)

    async def _said(self, client: Handheld, path: str, body: dict[str, Any]) -> Any:
        answer = await client.post(path, body)
        if answer.is_success:
            return answer.json()
        _log.warning("not taken", path=path, detail=answer.text[:300])
        return None


def _transfer(ref: str, way: str, owner: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
    return {"ref": ref, "way": way, "other_site": "north", "owner": owner, "lines": lines}
