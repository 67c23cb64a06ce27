"""Customers who send things back, the ERP that announces it, the person who unpacks it; and a supervisor.

It hears what a webhook would tell: which orders were shipped, and what waits for a second person.
"""

import asyncio
import random
from typing import Any

from contracts.runtime.clock import Clock
from contracts.runtime.logging import get_log
from simulators.handheld import Handheld
from simulators.person import Attention
from simulators.piles import Piles

_log = get_log("simulators.returns")
_SHARE = 0.2
_BLIND = 0.25
"""Share of the returns that come without anybody having announced them."""
_AFTER_S = (900.0, 3_600.0)
_PLACE = "returns"


class ReturnsDesk:
    """Returns of a day; a service.

    Parameters
    ----------
    erp, desk
        Two clients: one of the role ERP, one that stands at the desk.
    final
        Items that nobody sends back.
    """

    def __init__(
        self, erp: Handheld, desk: Handheld, piles: Piles, clock: Clock, seed: int, final: frozenset[str] = frozenset()
    ) -> None:
        self.name, self.ready = "returns desk", asyncio.Event()
        self._erp, self._desk, self._piles, self._clock, self._seed = erp, desk, piles, clock, seed
        self._final = final
        self._shipped: asyncio.Queue[str] = asyncio.Queue()
        self.under_way = 0
        """Returns that are drawn and have not come yet."""
        self.received = self.blind = 0

    def shipped(self, order: str) -> None:
        """An order has left; some of it may come back."""
        if random.Random(f"{self._seed}/return/{order}").random() < _SHARE:
            self.under_way += 1
            self._shipped.put_nowait(order)

    async def run(self) -> None:
        """Take returns until cancelled."""
        self.ready.set()
        async with asyncio.TaskGroup() as group:
            while True:
                order = await self._shipped.get()
                group.create_task(self._come_back(order), name=f"return of {order}")

    async def _come_back(self, order: str) -> None:
        rng = random.Random(f"{self._seed}/return/{order}/what")
        shown = await self._erp.get(f"/v1/orders/{order}")
        lines = [
            x for x in shown["order_lines"] if x["kind"] == "stock" and x["done"] > 0 and x["item"] not in self._final
        ]
        if lines:
            some = sorted(rng.sample(lines, min(len(lines), rng.randint(1, 2))), key=lambda x: x["line"])
            back = [(x["line"], x["item"], rng.randint(1, min(3, x["done"]))) for x in some]
            await self._clock.sleep(rng.uniform(*_AFTER_S))
            await self._take(order, shown["owner"], back, rng)
        self.under_way -= 1

    async def _take(self, order: str, owner: str, back: list[tuple[int, str, int]], rng: random.Random) -> None:
        blind = rng.random() < _BLIND
        body: dict[str, Any] = {"ref": f"back-{order}", "owner": owner, "reason": "does not fit"}
        if not blind:
            lines = [{"line": n, "order_line": k, "item": i, "qty": q} for n, (k, i, q) in enumerate(back, 1)]
            body |= {"order": order, "lines": lines}
        made = await self._erp.post("/v1/returns", body)
        if not made.is_success:
            _log.warning("return not taken", order=order, detail=made.text[:300])
            return
        await self._clock.sleep(rng.uniform(30, 300))  # until somebody unpacks it
        name = made.json()["id"]
        came = [{"item": i, "qty": q} for _, i, q in back]
        for _, item, qty in back:
            self._piles.put(_PLACE, item, qty)
        receipt = await self._desk.post(f"/v1/returns/{name}/receipts", {"place": _PLACE, "lines": came})
        if not receipt.is_success:
            _log.warning("receipt not taken", order=order, detail=receipt.text[:300])
            for _, item, qty in back:
                self._piles.take(_PLACE, item, qty)
            return
        self.received += 1
        self.blind += blind


class Supervisor:
    """Decides what one person may not; a service. They let pass what two counters found."""

    def __init__(self, terminal: Handheld, clock: Clock) -> None:
        self.name, self.ready = "supervisor", asyncio.Event()
        self._terminal, self._clock = terminal, clock
        self._look = Attention()
        self.decided = self.scrapped = 0

    def call(self) -> None:
        """Something may wait."""
        self._look.call()

    async def run(self) -> None:
        """Decide until cancelled."""
        self.ready.set()
        while True:
            await self._look.wait()
            await self._clock.sleep(240)
            for row in (await self._terminal.get("/v1/adjustments", state="pending"))["items"]:
                path = f"/v1/adjustments/{row['id']}/approve"
                self.decided += (await self._terminal.post(path, {"reason": "counted twice"})).is_success
            for row in (await self._terminal.get("/v1/scrap", state="pending"))["items"]:
                path = f"/v1/scrap/{row['id']}/approve"
                scrapped = (await self._terminal.post(path, {"reason": "seen"})).is_success
                self.decided, self.scrapped = self.decided + scrapped, self.scrapped + scrapped
