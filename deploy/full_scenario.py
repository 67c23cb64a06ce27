"""`floorplane day --scenario full`: what is set up for it over REST, who works in it, and what came of it.

The people and the desk hear what a webhook would tell them; everything else they do is an ordinary request.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from contracts.errors import Broken
from contracts.runtime.service import Service
from deploy.one_loop import OneLoop
from deploy.watching import Watcher
from simulators.clerk import Clerk, Foreman
from simulators.full_day import ROUTE, FullDay
from simulators.full_extras import BUILT
from simulators.handheld import Handheld
from simulators.people import HandWorker
from simulators.piles import Piles
from simulators.returns_desk import ReturnsDesk, Supervisor
from simulators.shipper import DOOR, Shipper
from simulators.supplier import DOORS, LANE, NEWCOMER, Supplier

PEOPLE = ("anna", "bert", "cleo")
_POLICY = {"count_limit": 4, "scrap_limit": 1}
"""Low, so that a second person is needed on an ordinary day."""
_MOST_COUNTS = 30
_KITS = "KITS"
"""Where built kits lie."""
_REST_MS = 2 * 3_600_000
"""After the last order has left, for what customers bring back on the same day."""


class Event(msgspec.Struct, frozen=True):
    """What of a published event matters here."""

    type: str
    subject: str
    data: dict[str, Any] | None = None


class FullScenario:
    """The full day beside the plain one.

    Parameters
    ----------
    floor
        Runs already; its ERP has brought items and the stock of the bins.
    day
        As it was laid out.
    seed
        Of the people.
    """

    def __init__(self, floor: OneLoop, day: FullDay, seed: int) -> None:
        self._floor, self._day = floor, day
        self.piles = Piles(floor.twins.world)
        clock = floor.clock

        def handheld(name: str, role: str) -> Handheld:
            return Handheld(floor.http, floor.tokens[role], clock, name)

        self.people = [HandWorker(n, handheld(n, "operator"), self.piles, clock, seed) for n in PEOPLE]
        self.desk = ReturnsDesk(
            handheld("erp-returns", "erp"), handheld("desk", "operator"), self.piles, clock, seed,
            frozenset(day.lots),
        )  # fmt: skip
        gate = handheld("gate", "operator")
        self.supplier = Supplier(handheld("erp-supplies", "erp"), gate, self.piles, clock, day.deliveries)
        self.clerk = Clerk(handheld("erp-clerk", "erp"), clock, day.changed, day.cancelled, day.put_back)
        self.shipper = Shipper(handheld("shipper", "operator"), clock, ROUTE, day.routed)
        owner_of = {i.id: i.owner for i in day.catalogue.items}
        spare = max(day.reserve, key=lambda r: r.qty, default=None)
        goods = None if spare is None else (spare.item, owner_of[spare.item], spare.shelf)
        kit = BUILT if BUILT in day.kits else None
        self.foreman = Foreman(
            handheld("foreman", "operator"), handheld("erp-foreman", "erp"), handheld("planner", "supervisor"),
            self.piles, clock, kit, _KITS, goods,
        )  # fmt: skip
        codes = {i.barcode: i.id for i in day.catalogue.items if i.barcode}
        self.cameras = Watcher(
            floor.plan.site, floor.broker, floor.twins, codes, floor.http, floor.tokens["device"], clock
        )
        self.supervisor = Supervisor(handheld("boss", "supervisor"), clock)
        self._boss = handheld("setup", "supervisor")
        self._told: Counter[str] = Counter()
        self._open: set[str] = set()
        self._last_ms = 0

    async def set_up(self) -> None:
        """Put up shelves and lay the reserve onto them; set limits, rules and plans.

        Raises
        ------
        Broken
            Central does not take it.
        """
        for code in (*self._day.shelves, "returns-A", "returns-B", _KITS):
            await self._put(f"/v1/places/{code}", {"kind": "shelf"})
        await self._put(f"/v1/places/{LANE}", {"kind": "staging"})
        for code in (*DOORS, DOOR):
            await self._put(f"/v1/places/{code}", {"kind": "dock"})
        await self._put("/v1/quality-rules/newcomer", {"supplier": NEWCOMER, "reason": "new supplier"})
        for kit, parts in self._day.kits.items():
            mode = "build" if kit == BUILT else "explode"
            await self._put(f"/v1/kits/{kit}", {"mode": mode, "parts": [{"item": p, "qty": 1} for p in parts]})
        rows = [
            {"place": r.shelf, "item": r.item, "qty": r.qty, "reason": "opening", "key": f"opening/{r.shelf}/{r.item}"}
            for r in self._day.reserve
        ]
        for r in self._day.reserve:
            self.piles.put(r.shelf, r.item, r.qty)
        await self._bulk("/v1/stock:bulk", rows)
        await self._put("/v1/care/policy", _POLICY, {"If-Match": "*"})
        few = min(_MOST_COUNTS, len(self._day.stock) // 4)
        for name, plan in (
            ("slow-movers", {"cause": "class", "class": "C", "every_days": 90, "at_most": max(1, few)}),
            ("emptied", {"cause": "zero", "every_days": 1, "at_most": 20}),
        ):
            await self._put(f"/v1/counts/plans/{name}", plan)
        for rule in self._day.rules:
            await self._put(f"/v1/replenishment/rules/{rule.item}", {"min_qty": rule.min_qty, "max_qty": rule.max_qty})

    async def _put(self, path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        answer = await self._floor.http.put(path, json=body, headers=headers or {})
        if not answer.is_success:
            raise Broken(f"{path}: {answer.status_code} {answer.text[:300]}")

    async def _bulk(self, path: str, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        body = b"\n".join(msgspec.json.encode(r) for r in rows)
        answer = await self._floor.http.post(path, content=body, headers={"Idempotency-Key": "reserve"})
        results = [msgspec.json.decode(line) for line in answer.iter_lines()] if answer.is_success else []
        refused = [r for r in results if r["outcome"] != "posted"]
        if len(results) != len(rows) or refused:
            raise Broken(f"{path}: {answer.status_code} {refused or answer.text[:300]}")

    @property
    def services(self) -> tuple[Service, ...]:
        """Everybody who works."""
        office = (self.clerk, self.foreman, self.shipper, self.supervisor)
        return (*self.people, self.desk, self.supplier, *office, self.cameras)

    def take(self, payload: bytes, at_ms: int) -> None:
        """Hear an event, as from a webhook."""
        event = msgspec.json.decode(payload, type=Event)
        kind = event.type.removeprefix("floorplane.")
        self._told[kind] += 1
        data = event.data or {}
        if kind.startswith("order."):
            self._order(kind, event.subject, data, at_ms)
        elif kind == "hands.opened":
            self._open.add(event.subject)
            self._told["recounts"] += data["kind"] == "count" and not event.subject.endswith("-1")
            for person in self.people:
                person.call()
        elif kind in {"hands.done", "hands.cancelled"}:
            self._open.discard(event.subject)
            self._told[f"{data['kind']} {kind.removeprefix('hands.')}"] += 1
        elif kind == "asn.received":
            self._told["damaged"] += data["damaged"]
            self._told["held"] += data["status"] == "quality"
            self.foreman.unloaded(data)
        elif kind == "asn.closed":
            self._told["over"] += sum(x["over"] > 0 for x in data["lines"])
            self._told["under"] += sum(x["short"] > 0 for x in data["lines"])
        elif kind == "unit.loaded":
            self.shipper.loaded(data["stop"])
        elif kind == "stock.counted":
            self._told[f"counted {data.get('state', 'agreed')}"] += 1
            if data.get("state") == "pending":
                self.supervisor.call()
        elif kind == "stock.scrap_asked":
            self.supervisor.call()
        elif kind == "return.graded":
            self._told[f"graded {data['grade']}"] += data["qty"]
        elif kind == "count.opened":
            self._told[f"count of {data['cause']}"] += 1

    def _order(self, kind: str, order: str, data: dict[str, Any], at_ms: int) -> None:
        if kind == "order.received":
            self.clerk.received(order, data["ref"])
            self.shipper.received(data["ref"])
        elif kind == "order.packed":
            self.clerk.packed(order, data["ref"])
        elif kind == "order.shipped":
            self._last_ms = at_ms
            self.desk.shipped(order)
        elif kind == "order.line_filled":
            self._told["filled"] += data["qty"]

    def at_rest(self, now_ms: int) -> bool:
        """Tell whether nothing more will happen today."""
        return now_ms >= self._last_ms + _REST_MS and not (self._open or self._under_way)

    @property
    def _under_way(self) -> bool:
        return bool(
            self.desk.under_way or self.supplier.to_come or self.clerk.under_way or self.foreman.under_way
            or self.shipper.under_way
        )  # fmt: skip

    def happened(self) -> dict[str, int]:
        """Return how many of each thing happened."""
        told = self._told
        return {
            "owners": len({i.owner for i in self._day.catalogue.items}),
            "deliveries_announced": told["asn.announced"],
            "doors_booked": told["dock.booked"],
            "doors_refused": self.supplier.refused_doors,
            "doors_left": told["dock.left"],
            "deliveries_closed": told["asn.closed"],
            "received_by_hand": told["receive done"],
            "lines_over": told["over"],
            "lines_under": told["under"],
            "pieces_damaged": told["damaged"],
            "receipts_held": told["held"],
            "holds_released": self.foreman.released,
            "put_away": told["putaway done"],
            "back_ordered_filled": told["filled"],
            "picked_by_hand": told["pick done"],
            "packed_by_hand": told["pack done"],
            "waves_done": told["wave.done"],
            "trucks_loaded_units": told["unit.loaded"],
            "trucks_loaded_in_stop_order": int(told["unit.loaded"] > 0 and self.shipper.loaded_from_last),
            "trucks_dispatched": told["truck.dispatched"],
            "trucks_departed": told["truck.departed"],
            "orders_changed": told["order.changed"],
            "orders_cancelled": told["order.cancelled"],
            "orders_put_back": self.clerk.done["put back"],
            "put_back_by_hand": told["putback done"],
            "kits_built": told["kit.built"],
            "scrapped": told["stock.scrapped"],
            "scrapped_by_a_second": self.supervisor.scrapped,
            "transfers_sent": told["transfer.sent"],
            "transfers_closed": told["transfer.closed"],
            "returns": self.desk.received,
            "returns_blind": self.desk.blind,
            "returns_closed": told["return.closed"],
            "graded_back": told["graded A"],
            "graded_other": told["graded B"],
            "graded_damaged": told["graded damaged"],
            "graded_scrap": told["graded scrap"],
            "short_picks": told["stock.count_needed"],
            "replenishments": told["stock.replenished"],
            "counts_opened": told["count.opened"],
            "counts_after_short": told["count of short_pick"],
            "counts_of_plans": told["count of class"] + told["count of zero"],
            "counts_of_a_class": told["count of class"],
            "counts_of_emptied": told["count of zero"],
            "counts_after_a_camera": told["count of doubt"],
            "counts_asked_for": told["count of asked"],
            "recounts": told["recounts"],
            "pictures": self.cameras.pictures,
            "bins_seen": self.cameras.told,
            "counts_agreed": told["counted agreed"],
            "counts_posted": told["counted posted"],
            "counts_to_a_third": told["counted pending"],
            "decided_by_a_second": self.supervisor.decided,
            "hand_tasks_done": told["hands.done"],
            "hand_tasks_open": len(self._open),
        }


@asynccontextmanager
async def full_scenario(floor: OneLoop, day: FullDay, seed: int) -> AsyncIterator[FullScenario]:
    """Set the full day up and let its people work until the block ends."""
    scenario = FullScenario(floor, day, seed)
    await scenario.set_up()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(s.run(), name=s.name) for s in scenario.services]
        yield scenario
        for task in tasks:
            task.cancel()
