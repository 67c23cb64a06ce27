"""One day's orders through the whole stack on virtual time, and what is measured of it."""

import asyncio
import datetime as dt
import gc
import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import msgspec
import structlog

from central.stock.export import ledger_rows
from contracts import topics
from contracts.errors import Broken, Rejected
from contracts.ids import OrderId
from contracts.site import Site, read_site
from deploy.digest import day_digest, recorded_commands
from deploy.embedded.scratch import scratch_postgres
from deploy.fork import Change, Roads, apply, changed_orders, changed_roads, changed_site
from deploy.full_scenario import FullScenario, full_scenario
from deploy.one_loop import FloorPlan, OneLoop, one_loop
from deploy.planned_stations import plan_stations
from deploy.slotted_stock import SLOTTINGS, moved_stock, pods_of
from dispatcher.params import Params
from simulators import virtual_time
from simulators.catalogue import Catalogue, StockRow
from simulators.demand import DAY_MS, HOUR_MS, DemandFeed, PlanFeed, Planned, day_plan, midnight_ms
from simulators.full_day import FullDay, full_day
from simulators.orders import ErpOrder, read_orders
from simulators.site import build, stock

_FAST = {"synchronous_commit": "off", "autovacuum_naptime": "1s"}
"""The scratch database can be made again; and a compressed day must not outrun autovacuum."""
_HOURS = 7
"""Of a seeded day, in which orders come."""
_BEFORE_MS = 120_000
"""Robots and cells come up before the first order."""
SCENARIOS = ("plain", "full")
"""`full`: all that happens to goods from the notice to the truck and back, for two owners; people do the work."""
BEST = Params(station_rule="optimized", release_rule="due")
"""What saves most on a day that is looked at from its end; a live floor starts totes at once unless told."""
OPTIONS = "day.json"
"""Beside a recording: how the day was run, so that it can be run again up to any second."""
_CLOSED = frozenset({"floorplane.order.shipped", "floorplane.order.short", "floorplane.order.cancelled"})


class DayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What day to run, and on what floor."""

    orders: Path | None = None
    """The order file; None: a seeded demand of `orders_per_h` for parts of a seeded catalogue."""
    date: str = "2026-01-05"
    """A planned ship date of the file, or the day on which the seeded demand comes."""
    orders_per_h: float = 60.0
    seed: int = 1
    robots: int = 40
    site: Path | None = None
    """A site file; None: the reference site, laid out for the parts of the order file."""
    days: int = 1
    """How many consecutive floor days the date's orders come again, under new references."""
    stock_for: int = 1
    """The opening stock, so many times."""
    record: Path | None = None
    """Folder for the dispatcher's recording; None: it is thrown away."""
    params: Params = BEST
    slotting: str = "as-is"
    """One of `SLOTTINGS`: how the opening stock lies in the pods."""
    change: Change | None = None
    """What becomes different on the way."""
    scenario: str = "plain"
    """One of `SCENARIOS`."""
    plan_min: float = 0.0
    """Stations are planned every so many minutes, and the plan is followed; 0: the rule alone decides."""


class DaySummary(msgspec.Struct, frozen=True):
    """How the day went. Times of floor and wall in seconds, distances in metres."""

    orders_received: int
    orders_shipped: int
    orders_late: int
    """Shipped after they were due."""
    lines_received: int
    lines_picked: int
    lines_short: int
    lines_rejected: int
    service_lines: int
    robots: int
    stations: int
    virtual_hours: float
    wall_s: float
    cpu_s: float
    lines_per_hour: float
    order_cycle_p50_s: float
    order_cycle_p95_s: float
    robot_utilisation: float
    distance_m: float
    pod_visits: int
    ledger_moves: int
    collisions: int
    invariant_violations: int
    orders_open: tuple[str, ...]
    digest: str
    happened: dict[str, int] = {}
    """In the full scenario: how many of each thing there were."""


class _Tally:
    """What central's published events say about the orders."""

    def __init__(self, services: frozenset[str]) -> None:
        self._services = services
        self.received_ms: dict[str, int] = {}
        self.closed_ms: dict[str, int] = {}
        self.shipped = self.lines_picked = self.lines_short = self.service_lines = 0
        self.cycles_s: list[float] = []
        self.news = asyncio.Event()

    def take(self, payload: bytes) -> None:
        event = msgspec.json.decode(payload, type=_Event)
        at_ms = round(event.time.timestamp() * 1000)
        if event.type == "floorplane.order.received":
            self.received_ms[event.subject] = at_ms
        elif event.type in _CLOSED and event.subject not in self.closed_ms:
            self.closed_ms[event.subject] = at_ms
            if event.type == "floorplane.order.shipped":
                self.shipped += 1
                self.cycles_s.append((at_ms - self.received_ms[event.subject]) / 1000)
            for line in (event.data or _Data()).lines:
                if line.item in self._services:
                    self.service_lines += 1
                else:
                    self.lines_picked += line.done > 0
                    self.lines_short += line.short > 0
        else:
            return
        self.news.set()

    def late(self, order: str, due_ms: int) -> bool:
        return self.closed_ms.get(order, due_ms) > due_ms


class _Line(msgspec.Struct, frozen=True):
    item: str
    done: int = 0
    short: int = 0


class _Data(msgspec.Struct, frozen=True):
    lines: tuple[_Line, ...] = ()


class _Event(msgspec.Struct, frozen=True):
    type: str
    subject: str
    time: dt.datetime
    data: _Data | None = None


Progress = Callable[[int, int, float], None]
"""Called with orders closed, orders in all and floor hours."""


def _silent(_done: int, _of: int, _hours: float) -> None:
    """Show nothing."""


def run_day(options: DayOptions, progress: Progress = _silent) -> DaySummary:
    """Run the day and measure it.

    Raises
    ------
    Rejected
        The order file, the date or the site is bad; nothing was started.
    Broken
        A part failed.
    """
    begun, cpu = time.perf_counter(), time.process_time()
    site, plan = _plan(options)
    with ExitStack() as stack:
        folder = options.record or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="floorplane-day-")))
        if options.record is not None:
            _begin_recording(options, folder)
        database = stack.enter_context(scratch_postgres(_FAST))
        full = FloorPlan(
            site=site, catalogue=plan.catalogue, stock=plan.stock, feed=plan.feed, start_ms=plan.start_ms,
            database_url=database.url, journal=folder, seed=options.seed, params=options.params,
        )  # fmt: skip
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        try:
            measured = virtual_time.run(_run(full, plan, progress, options))
        finally:
            gc.unfreeze()
        return msgspec.structs.replace(
            measured,
            wall_s=round(time.perf_counter() - begun, 2),
            cpu_s=round(time.process_time() - cpu, 2),
            digest=day_digest(recorded_commands(folder), plan.ledger),
        )


def _begin_recording(options: DayOptions, folder: Path) -> None:
    if any(folder.glob("*.journal")):
        raise Rejected("record", str(folder), "a folder without a recording in it")
    whole = None if options.orders is None else options.orders.absolute()
    again = msgspec.structs.replace(options, record=None, orders=whole)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / OPTIONS).write_bytes(msgspec.json.encode(again, enc_hook=str))
    except OSError as e:
        raise Rejected("record", str(folder), f"a folder that can be written to ({e.strerror})") from e


class _Plan(msgspec.Struct):
    catalogue: Catalogue
    stock: tuple[StockRow, ...]
    feed: PlanFeed
    start_ms: int
    end_ms: int
    roads: Roads
    full: FullDay | None = None
    ledger: list[bytes] = []


def _plan(options: DayOptions) -> tuple[Site, _Plan]:
    if not 1 <= options.days <= 60:
        raise Rejected("days", options.days, "in 1..60")
    if options.scenario not in SCENARIOS:
        raise Rejected("scenario", options.scenario, f"one of {', '.join(SCENARIOS)}")
    midnight = midnight_ms(options.date)
    catalogue, orders = _orders(options)
    if options.stock_for != 1:
        openings = tuple(msgspec.structs.replace(o, qty=o.qty * options.stock_for) for o in catalogue.openings)
        catalogue = Catalogue(catalogue.items, openings)
    site = build(options.seed, catalogue, options.robots) if options.site is None else read_site(options.site)
    opening = _stock(options, site, catalogue)
    planned: list[Planned] = []
    for day in range(options.days):
        again = [msgspec.structs.replace(o, ref=OrderId(f"{o.ref}-{day + 1}")) for o in orders] if day else orders
        planned += day_plan(again, midnight + day * DAY_MS, options.seed + day)
    start_ms = planned[0].at_ms // HOUR_MS * HOUR_MS - _BEFORE_MS
    roads = Roads()
    if options.change is not None:
        planned = changed_orders(planned, start_ms, options.change, options.seed)
        _check_items(planned, catalogue, options.change)
        roads = changed_roads(site, options.change)
        site = changed_site(site, options.change)
    plan = _Plan(
        catalogue,
        opening,
        PlanFeed(planned),
        start_ms,
        midnight + options.days * DAY_MS,
        roads,
    )
    if options.scenario == "full":
        plan.full = full = full_day(catalogue, plan.stock, planned, options.seed, site)
        plan.catalogue, plan.stock, plan.feed = full.catalogue, full.stock, PlanFeed(full.plan)
    return site, plan


def _stock(options: DayOptions, site: Site, catalogue: Catalogue) -> tuple[StockRow, ...]:
    """Lay out the opening stock; slottings learn on earlier days of the file alone."""
    if options.slotting not in SLOTTINGS:
        raise Rejected("slotting", options.slotting, f"one of {', '.join(SLOTTINGS)}")
    before: list[ErpOrder] = []
    if options.orders is not None and options.slotting != "as-is":
        before = [o for o in read_orders(options.orders) if o.ship_date < options.date]
        before.sort(key=lambda o: o.ship_date)
    if options.slotting == "as-is" or (options.slotting == "best" and not before):
        return stock(site, catalogue, options.seed)
    if options.slotting == "moved":
        return moved_stock(site, stock(site, catalogue, options.seed), before, options.seed)
    rule = "optimized" if options.slotting == "best" else options.slotting
    return stock(site, catalogue, options.seed, pods_of(site, catalogue, before, rule, options.seed))


def _orders(options: DayOptions) -> tuple[Catalogue, list[ErpOrder]]:
    if options.orders is not None:
        orders = read_orders(options.orders, options.date)
        if not orders:
            raise Rejected("date", options.date, f"a planned ship date of {options.orders}")
        return Catalogue.from_orders(options.orders, options.seed), orders
    catalogue = Catalogue.seeded(options.seed)
    demand = DemandFeed(catalogue, options.seed, options.orders_per_h)
    return catalogue, [demand.planned(n, 0).order for n in range(round(options.orders_per_h * _HOURS))]


def _check_items(planned: list[Planned], catalogue: Catalogue, change: Change) -> None:
    known = {i.id for i in catalogue.items}
    for p in planned:
        for line in p.order.lines:
            if line.item not in known:
                raise Rejected("--also", f"{change.also}: {line.item}", "a part of the recorded day's catalogue")


async def _run(full: FloorPlan, plan: _Plan, progress: Progress, options: DayOptions) -> DaySummary:
    change = options.change
    tally = _Tally(frozenset(i.id for i in plan.catalogue.items if i.kind == "service"))
    async with AsyncExitStack() as stack:
        floor = await stack.enter_async_context(one_loop(full))
        gc.freeze()  # what is there now stays until the evening: the collector need not look through it all day
        scenario = None
        if plan.full is not None:
            scenario = await stack.enter_async_context(full_scenario(floor, plan.full, full.seed))
        listening = asyncio.create_task(_listen(floor, tally, scenario), name="day.listen")
        beside = []
        if change is not None:
            beside.append(asyncio.create_task(apply(floor, change, plan.roads), name="day.change"))
        if options.plan_min > 0:
            stations = plan_stations(floor, options.plan_min, options.seed)
            beside.append(asyncio.create_task(stations, name="day.stations"))
        total = len(plan.feed.plan)
        while floor.clock.now_ms() < plan.end_ms:
            closed = floor.erp.done.is_set() and len(tally.closed_ms) >= len(floor.erp.taken)
            if closed and (scenario is None or scenario.at_rest(floor.clock.now_ms())):
                break
            tally.news.clear()
            waiting = asyncio.create_task(tally.news.wait(), name="day.news")
            await asyncio.wait([waiting, listening], timeout=600, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if listening.done():
                listening.result()
            for task in beside:
                if task.done():
                    task.result()
            progress(len(tally.closed_ms), total, (floor.clock.now_ms() - full.start_ms) / HOUR_MS)
        listening.cancel()
        for task in beside:
            task.cancel()
        violations = (await floor.http.get("/v1/invariants")).json()
        plan.ledger = [row async for row in ledger_rows(full.database_url)]
        summary = _summary(full, floor, tally, plan, violations)
        return summary if scenario is None else msgspec.structs.replace(summary, happened=scenario.happened())


async def _listen(floor: OneLoop, tally: _Tally, scenario: FullScenario | None) -> None:
    async for entry in floor.store.connect("day").follow(topics.events(floor.plan.site.id)):
        if scenario is not None:
            scenario.take(entry.payload, floor.clock.now_ms())
        tally.take(entry.payload)


def _summary(
    full: FloorPlan, floor: OneLoop, tally: _Tally, plan: _Plan, violations: list[dict[str, str]]
) -> DaySummary:
    first = min(tally.received_ms.values(), default=full.start_ms)
    last = max(tally.closed_ms.values(), default=first)
    hours = (last - first) / HOUR_MS
    cycles = sorted(tally.cycles_s)
    opened = sum(b'"opening"' in row for row in plan.ledger)
    refused = {r.ref for r in floor.erp.refused}
    return DaySummary(
        orders_received=len(floor.erp.taken),
        orders_shipped=tally.shipped,
        orders_late=sum(tally.late(floor.erp.taken.get(p.order.ref, ""), p.due_ms) for p in plan.feed.plan),
        lines_received=floor.erp.sent_lines,
        lines_picked=tally.lines_picked,
        lines_short=tally.lines_short,
        lines_rejected=sum(len(p.order.lines) for p in plan.feed.plan if p.order.ref in refused),
        service_lines=tally.service_lines,
        robots=len(full.site.robots),
        stations=sum(s.kind == "pick" for s in full.site.stations),
        virtual_hours=round(hours, 3),
        wall_s=0.0,
        cpu_s=0.0,
        lines_per_hour=round(tally.lines_picked / hours, 1) if hours else 0.0,
        order_cycle_p50_s=round(statistics.median(cycles), 1) if cycles else 0.0,
        order_cycle_p95_s=round(cycles[int(0.95 * (len(cycles) - 1))], 1) if cycles else 0.0,
        robot_utilisation=round(floor.twins.busy_share(first, last), 4),
        distance_m=round(floor.twins.driven_m, 1),
        pod_visits=floor.twins.pod_visits,
        ledger_moves=len(plan.ledger) - opened,
        collisions=len(floor.twins.world.violations),
        invariant_violations=len(violations),
        orders_open=tuple(sorted(set(tally.received_ms) - set(tally.closed_ms))),
        digest="",
    )


def failures(summary: DaySummary) -> None:
    """Say what must not be.

    Raises
    ------
    Broken
        The books or the floor are wrong.
    """
    if summary.invariant_violations:
        raise Broken(
            f"{summary.invariant_violations} invariants are violated: that is a bug; see the first in `violations`"
        )
    if summary.collisions:
        raise Broken(f"{summary.collisions} times two robots were in one place")
