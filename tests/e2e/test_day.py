"""A day through the whole stack on virtual time: all that has stock ships, the books hold, and one seed is one day."""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from contracts import topics
from contracts.errors import Rejected
from deploy.one_day import DayOptions, DaySummary, run_day
from deploy.one_loop import FloorPlan, OneLoop, one_loop
from simulators import virtual_time
from tests.e2e.small_day import DATE, HUGE, ROBOTS, asked, floor_plan, write_orders

REAL = Path(__file__).parents[3] / "shared" / "data" / "orders" / "warehouse_shipments.csv.gz"


def assert_all_shipped(day: DaySummary, orders: int, lines: int) -> None:
    assert (day.orders_received, day.orders_shipped, day.orders_open) == (orders, orders, ())
    assert day.lines_received == lines
    assert day.lines_picked + day.service_lines == lines
    assert (day.lines_short, day.lines_rejected) == (0, 0)
    assert (day.invariant_violations, day.collisions) == (0, 0)
    assert day.ledger_moves >= 2 * day.lines_picked
    assert day.virtual_hours < 12


def test_one_seed_is_one_day_to_the_last_command_and_ledger_row(tmp_path: Path) -> None:
    """A seeded day, run twice with one seed and once with another."""
    orders = write_orders(tmp_path / "orders.csv", orders=9, seed=1)
    lines = sum(map(len, asked(orders).values()))
    days = [
        run_day(DayOptions(orders=orders, date=DATE, seed=seed, robots=ROBOTS))
        for seed in (1, 1, 2)
    ]  # fmt: skip
    for day in days:
        assert_all_shipped(day, 12, lines)
    first, again, other = (_without_effort(d) for d in days)
    assert again == first
    assert other.digest != first.digest


@pytest.mark.slow
def test_a_day_whose_stations_are_planned_anew_again_and_again_is_one_day_too(tmp_path: Path) -> None:
    """Plans are asked for, made, accepted and followed; the same day gives the same plans."""
    orders = write_orders(tmp_path / "orders.csv", orders=20, seed=4)
    options = DayOptions(orders=orders, date=DATE, robots=ROBOTS, plan_min=20.0)
    first, again = run_day(options), run_day(options)
    assert_all_shipped(first, 23, sum(map(len, asked(orders).values())))
    assert _without_effort(again) == _without_effort(first)
    assert first.digest != run_day(msgspec.structs.replace(options, plan_min=0.0)).digest


@pytest.mark.slow
def test_a_real_day_ships_twice_the_same() -> None:
    """The 52 orders of 2013-12-09, twice with one seed and once with another."""
    if not REAL.exists():
        pytest.skip(f"no {REAL.name} beside this checkout")
    options = DayOptions(orders=REAL, date="2013-12-09")
    days = [run_day(options), run_day(options), run_day(msgspec.structs.replace(options, seed=2))]
    for day in days:
        assert_all_shipped(day, 52, 256)
        assert day.service_lines == 67
    first, again, other = (_without_effort(d) for d in days)
    assert again == first
    assert other.digest != first.digest


def test_a_day_with_a_bad_date_starts_nothing(tmp_path: Path) -> None:
    """The date is named, with those that there are, before a database is made."""
    orders = write_orders(tmp_path / "orders.csv", orders=1, seed=1)
    with pytest.raises(Rejected, match=r"2014-01-01.*2013-12-02"):
        run_day(DayOptions(orders=orders, date="2014-01-01", record=tmp_path / "record"))
    assert not (tmp_path / "record").exists()


@pytest.mark.slow
def test_what_has_run_out_is_short_and_nothing_stays_open(tmp_path: Path) -> None:
    """Two days on one day's stock: the pieces that are left ship, the others are told as short, and the books hold."""
    orders = write_orders(tmp_path / "orders.csv", orders=0, seed=1)
    day = run_day(DayOptions(orders=orders, date=DATE, robots=ROBOTS, days=2))
    assert (day.orders_received, day.orders_open) == (6, ())
    assert day.orders_shipped == 6  # of two lines of the second day only what was left
    assert (day.lines_short, day.lines_picked, day.service_lines) == (2, 8, 6)
    assert (day.invariant_violations, day.collisions) == (0, 0)
    assert 24 < day.virtual_hours < 36


class Told:
    """What central's events and REST tell of a day, for an ERP that reads both."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.details: dict[str, dict[str, Any]] = {}

    def of(self, kind: str, order: str) -> dict[str, Any]:
        """Return the one event of a kind about an order."""
        found = [e for e in self.events if e["type"] == kind and e["subject"] == order]
        assert len(found) == 1, (kind, order, [e["type"] for e in self.events if e["subject"] == order])
        return found[0]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Told:
    """Run the three orders with warts, and ask for everything when they are shipped."""
    folder = tmp_path_factory.mktemp("warts")
    postgres = request.getfixturevalue("postgres")
    plan = floor_plan(write_orders(folder / "orders.csv", orders=0, seed=1), postgres.url_of(postgres.create()), folder)
    told = Told()

    async def main() -> None:
        async with one_loop(plan) as floor:
            listening = asyncio.create_task(_listen(floor, told.events), name="listen")
            await _until(lambda: sum(e["type"] == "floorplane.order.shipped" for e in told.events) == 3, floor, 3.0)
            listening.cancel()
            for order in ("services", "huge", "twice"):
                told.details[order] = _ok(await floor.http.get(f"/v1/orders/{order}"))
            assert _ok(await floor.http.get("/v1/invariants")) == []

    virtual_time.run(main())
    return told


def test_services_ship_without_a_pick(told: Told) -> None:
    """An order of services only has no tote and no task, and is shipped in the moment in which it came."""
    order = told.details["services"]
    assert (order["state"], order["totes"], order["tasks"], order["ledger"]) == ("shipped", 0, [], [])
    assert [(x["item"], x["kind"], x["done"]) for x in order["order_lines"]] == [
        ("serv17", "service", 5),
        ("serv32", "service", 1),
    ]
    received = told.of("floorplane.order.received", "services")
    assert told.of("floorplane.order.shipped", "services")["time"] == received["time"]
    assert order["shipment"]["services"] == 2
    assert order["shipment"]["pieces"] == 0


def test_a_line_larger_than_any_tote_is_split_and_ships_whole(told: Told) -> None:
    """1,305 pieces travel in several totes, none over its weight; the pieces that were picked are those that ship."""
    order = told.details["huge"]
    assert order["state"] == "shipped"
    assert len(order["tote_list"]) == order["totes"] >= 2
    assert {t["state"] for t in order["tote_list"]} == {"packed"}
    picks = [t for t in order["tasks"] if t["kind"] == "pick"]
    assert {p["tote"] for p in picks} == {t["id"] for t in order["tote_list"]}
    assert sum(p["done_qty"] for p in picks) == HUGE
    assert all(0 < t["weight_g"] <= 25_000 for t in order["tote_list"])
    assert order["shipment"]["pieces"] == HUGE
    assert order["shipment"]["totes"] == order["totes"]
    shipped = told.of("floorplane.order.shipped", "huge")["data"]["lines"]
    assert [(x["item"], x["done"], x["short"]) for x in shipped] == [("bulk", HUGE, 0)]


def test_one_part_in_two_lines_stays_two_lines(told: Told) -> None:
    """Each line has picks, ledger rows and pieces of its own; the service beside them ships too."""
    order = told.details["twice"]
    asked_for = [(1, "part001", 2), (2, "part001", 3), (3, "part002", 1), (4, "serv17", 1)]
    assert [(x["line"], x["item"], x["qty"]) for x in order["order_lines"]] == asked_for
    shipped = told.of("floorplane.order.shipped", "twice")["data"]["lines"]
    assert [(x["line"], x["item"], x["done"]) for x in shipped] == asked_for
    picked: dict[int, int] = {}
    for task in order["tasks"]:
        if task["kind"] == "pick":
            picked[task["line"]] = picked.get(task["line"], 0) + task["done_qty"]
    assert picked == {1: 2, 2: 3, 3: 1}
    moved: dict[int, int] = {}
    for row in order["ledger"]:
        if row["reason"] == "pick":
            moved[row["line"]] = moved.get(row["line"], 0) + row["qty"]
    assert moved == {1: 2, 2: 3, 3: 1}


def test_a_day_of_fifty_idle_robots_costs_little(postgres_url: str, tmp_path: Path) -> None:
    """Ten hours in which nothing happens, on the whole stack: robots and dispatcher stay awake for seconds of CPU.

    Measured: see docs/benchmarks.md. The bound is loose, since tests share their cores.
    """
    plan = msgspec.structs.replace(
        floor_plan(write_orders(tmp_path / "orders.csv", orders=0, seed=1), postgres_url, tmp_path), feed=None
    )
    plan = _with_robots(plan, 50)
    used_s = 0.0

    async def main() -> None:
        nonlocal used_s
        async with one_loop(plan) as floor:
            await floor.clock.sleep(600)  # everybody has come up and gone where idle robots stand
            begun = time.process_time()
            await floor.clock.sleep(10 * 3600)
            used_s = time.process_time() - begun
            assert len(floor.twins.robots) == 50
            assert floor.twins.world.violations == []
            assert _ok(await floor.http.get("/v1/orders"))["items"] == []

    virtual_time.run(main())
    assert used_s < (8 if sys.gettrace() is None else 40)  # under `make coverage` each line costs more


def _with_robots(plan: FloorPlan, robots: int) -> FloorPlan:
    from simulators.site import build, stock

    site = build(plan.seed, plan.catalogue, robots)
    return msgspec.structs.replace(plan, site=site, stock=stock(site, plan.catalogue, plan.seed))


def _without_effort(day: DaySummary) -> DaySummary:
    return msgspec.structs.replace(day, wall_s=0.0, cpu_s=0.0)


async def _listen(floor: OneLoop, events: list[dict[str, Any]]) -> None:
    follow = floor.store.connect("reader").follow(topics.events(floor.plan.site.id))
    async for entry in follow:
        events.append(msgspec.json.decode(entry.payload))  # noqa: PERF401 - it does not end


async def _until(condition: Callable[[], bool], floor: OneLoop, hours: float) -> None:
    for _ in range(round(hours * 60)):
        if condition():
            return
        await floor.clock.sleep(60)
    raise AssertionError(f"not within {hours} h of the floor's time")


def _ok(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()
