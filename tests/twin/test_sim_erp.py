"""The ERP twin against a server that answers, fails and refuses, on virtual time."""

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from contracts.errors import Rejected
from contracts.ids import ItemId, OrderId
from contracts.runtime.clock import LoopClock
from simulators import site as reference
from simulators.catalogue import Catalogue
from simulators.demand import HOUR_MS, LONGEST_GAP_MS, DemandFeed, PlanFeed, day_plan, file_plan, midnight_ms
from simulators.erp import Erp, read_progress
from simulators.orders import ErpLine, ErpOrder
from simulators.virtual_time import run

CATALOGUE = Catalogue.seeded(7, 60)
STOCK = reference.stock(reference.build(7, CATALOGUE), CATALOGUE, 7)
ORDERS = [ErpOrder(OrderId(f"o{k}"), "2013-12-02", (ErpLine(1, ItemId("item00001"), k + 1),)) for k in range(20)]
DAY = midnight_ms("2013-12-02")


class Office:
    """A server as an ASGI application: keeps what it was sent, and fails as it is told."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, bytes]] = []
        self.failures: list[int | None] = []
        """Statuses of the next answers; None: a hang-up."""
        self.refused_line: int | None = None
        self.at_ms: list[int] = []
        self.clock: LoopClock | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        body, more = b"", True
        while more:
            part = await receive()
            body, more = body + part.get("body", b""), part.get("more_body", False)
        headers = dict(scope["headers"])
        if headers[b"authorization"] != b"Bearer good":
            await self._answer(send, 401, b"{}")
            return
        status = 201
        if self.failures and scope["path"] == "/v1/orders":
            failure = self.failures.pop(0)
            if failure is None:
                raise httpx.ReadError("hung up")
            status = failure
        key = headers[b"idempotency-key"].decode()
        if status < 300:
            self.seen.append((scope["path"], key, body))
            if self.clock is not None and scope["path"] == "/v1/orders":
                self.at_ms.append(self.clock.now_ms())
        if scope["path"].endswith(":bulk"):
            outcomes = ["refused" if n == self.refused_line else "created" for n in range(1, body.count(b"\n") + 2)]
            answer = b"\n".join(
                json.dumps({"line": n + 1, "outcome": o, "errors": ["bad"]}).encode() for n, o in enumerate(outcomes)
            )
            await self._answer(send, 200, answer)
        else:
            await self._answer(send, status, json.dumps({"id": key, "short": 0, "state": "released"}).encode())

    @staticmethod
    async def _answer(send: Callable[[Any], Awaitable[None]], status: int, body: bytes) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})


def with_erp(
    office: Office, script: Callable[[Erp, LoopClock], Awaitable[None]], token: str = "good", **more: Any
) -> Erp:
    async def main() -> Erp:
        clock = office.clock = LoopClock(DAY)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(office), base_url="http://central") as client:
            feed = more.pop("feed", PlanFeed(day_plan(ORDERS, DAY, 1)))
            erp = Erp(client, token, CATALOGUE, STOCK, feed, clock, **more)
            task = asyncio.create_task(erp.run())
            try:
                await script(erp, clock)
            finally:
                task.cancel()
                await asyncio.wait([task])
                if not task.cancelled():
                    await task
            return erp

    return run(main())


async def _done(erp: Erp, _: LoopClock) -> None:
    await erp.done.wait()


def test_master_data_first_then_each_order_at_its_time() -> None:
    """All items, all stock, then the day's orders between six and thirteen o'clock, each with a key of its own."""
    office = Office()
    erp = with_erp(office, _done)
    paths = [p for p, _, _ in office.seen]
    assert paths == ["/v1/items:bulk", "/v1/stock:bulk"] + ["/v1/orders"] * 20
    items = [json.loads(line) for line in office.seen[0][2].splitlines()]
    assert [i["id"] for i in items] == [i.id for i in CATALOGUE.items]
    assert Counter(i.get("kind", "stock") for i in items) == Counter(i.kind for i in CATALOGUE.items)
    stock = [json.loads(line) for line in office.seen[1][2].splitlines()]
    assert sum(s["qty"] for s in stock) == sum(o.qty for o in CATALOGUE.openings)
    assert all(DAY + 6 * HOUR_MS <= t <= DAY + 13 * HOUR_MS for t in office.at_ms)
    assert len({k for _, k, _ in office.seen}) == 22
    bodies = [json.loads(b) for p, _, b in office.seen if p == "/v1/orders"]
    assert {b["ref"] for b in bodies} == {o.ref for o in ORDERS}
    assert bodies[0]["due"] == "2013-12-02T18:00:00+00:00"
    assert len(erp.taken) == 20
    assert not erp.refused


def test_what_was_not_answered_is_sent_again_under_the_same_key() -> None:
    """A hang-up, a server's fault and 'too many' are retried; an order is taken once."""
    office = Office()
    office.failures = [None, 503, 500, 429]
    erp = with_erp(office, _done)
    assert erp.retries == 4
    keys = [k for p, k, _ in office.seen if p == "/v1/orders"]
    assert len(keys) == len(set(keys)) == 20


def test_a_refused_order_is_kept_and_the_next_one_sent() -> None:
    """422 is not repeated: it would be refused again."""
    office = Office()
    office.failures = [422]
    erp = with_erp(office, _done)
    assert [r.status for r in erp.refused] == [422]
    assert erp.retries == 0
    assert len(erp.taken) == 19


def test_a_bad_token_and_refused_master_data_stop_the_erp() -> None:
    """They are for a person to mend: the error names the token, or path and line."""
    with pytest.raises(Rejected, match="token"):
        with_erp(Office(), lambda erp, clock: clock.sleep(1), token="bad")
    office = Office()
    office.refused_line = 5
    with pytest.raises(Rejected, match="items:bulk/5"):
        with_erp(office, lambda erp, clock: clock.sleep(1))


def test_it_goes_on_after_a_restart_and_writes_down_what_was_taken(tmp_path: Path) -> None:
    """Killed in mid-day, the next run sends the rest; the order that was under way goes again with the same body."""
    files = {"progress": tmp_path / "p.json", "acknowledged": tmp_path / "a.jsonl"}
    office = Office()
    with_erp(office, lambda erp, clock: clock.sleep(9.5 * 3600), **files)
    taken = [json.loads(line)["ref"] for line in files["acknowledged"].read_bytes().splitlines()]
    assert 2 <= len(taken) < 20
    progress = read_progress(files["progress"])
    assert progress is not None
    assert progress.number == len(taken)
    with_erp(office, _done, **files)
    sent = {k: b for p, k, b in office.seen if p == "/v1/orders"}
    assert len(sent) == 20
    assert all(body == sent[key] for p, key, body in office.seen if p == "/v1/orders")
    assert len(files["acknowledged"].read_bytes().splitlines()) == 20
    (tmp_path / "p.json").write_text("{")
    with pytest.raises(Rejected, match="progress"):
        with_erp(office, _done, **files)


def test_the_small_demand_has_no_end_and_is_the_same_for_a_seed() -> None:
    """About so many orders an hour, of items that are kept; number n is always the same order."""
    feed, again, other = DemandFeed(CATALOGUE, 1, 120), DemandFeed(CATALOGUE, 1, 120), DemandFeed(CATALOGUE, 2, 120)
    at_ms, orders = DAY, []
    for n in range(240):
        planned = feed.planned(n, at_ms)
        assert planned == again.planned(n, at_ms)
        at_ms = planned.at_ms
        orders.append(planned)
    assert other.planned(0, DAY) != orders[0]
    assert 1.5 * HOUR_MS < at_ms - DAY < 2.5 * HOUR_MS
    held = {o.item: o.qty for o in CATALOGUE.openings}
    assert all(ln.qty <= held[ln.item] for p in orders for ln in p.order.lines)
    assert len({p.order.ref for p in orders}) == 240
    with pytest.raises(Rejected, match="orders_per_h"):
        DemandFeed(CATALOGUE, 1, 0)


def test_the_days_of_a_file_follow_each_other_without_idle_time() -> None:
    """The first order comes at the start and no gap is long, also where the next date is far."""
    orders = [*ORDERS, ErpOrder(OrderId("late"), "2013-12-05", ORDERS[0].lines)]
    plan = file_plan(orders, DAY, 1)
    assert plan[0].at_ms == DAY
    assert plan[-1].order.ref == "late"
    assert plan[-1].at_ms - plan[-2].at_ms == LONGEST_GAP_MS
    gaps = [b.at_ms - a.at_ms for a, b in itertools.pairwise(plan)]
    assert all(0 <= gap <= LONGEST_GAP_MS for gap in gaps)
    assert all(p.due_ms - p.at_ms >= 5 * HOUR_MS for p in plan)
    assert file_plan(orders, DAY, 1) == plan != file_plan(orders, DAY, 2)
    later = file_plan(orders, DAY + 7_919, 1)  # a restart may not change which order has which number
    assert [(p.order.ref, p.at_ms - 7_919, p.due_ms - 7_919) for p in later] == [
        (p.order.ref, p.at_ms, p.due_ms) for p in plan
    ]
