"""The full day: all that happens to goods in a warehouse, for two owners, done by people and cameras through REST."""

from pathlib import Path

import msgspec
import pytest

from contracts.errors import Rejected
from deploy.one_day import DayOptions, DaySummary, run_day
from simulators.catalogue import Catalogue
from simulators.demand import day_plan, midnight_ms
from simulators.full_day import OWNER, full_day
from simulators.full_extras import FIRST, LATE, SECOND, SET, WAITS
from simulators.orders import read_orders
from simulators.site import build, stock
from tests.e2e.small_day import DATE, ROBOTS, write_orders

REAL = Path(__file__).parents[3] / "shared" / "data" / "orders" / "warehouse_shipments.csv.gz"


def without_effort(day: DaySummary) -> DaySummary:
    return msgspec.structs.replace(day, wall_s=0.0, cpu_s=0.0)


def assert_at_rest(day: DaySummary) -> None:
    """The books hold, and nothing is left to do."""
    assert (day.invariant_violations, day.collisions, day.orders_open) == (0, 0, ())
    assert day.happened["hand_tasks_open"] == 0
    assert day.happened["returns_closed"] == day.happened["returns"]
    assert day.happened["deliveries_closed"] == day.happened["deliveries_announced"] > 0
    settled = sum(day.happened[f"counts_{how}"] for how in ("agreed", "posted", "to_a_third"))
    assert settled == day.happened["counts_opened"]


SELDOM = frozenset({"graded_other", "graded_damaged", "graded_scrap", "hand_tasks_open"})
"""What chance may leave out, or must."""


def assert_all_happened(day: DaySummary) -> None:
    """Nothing of what the day is for is missing from it."""
    assert [what for what, often in day.happened.items() if not often and what not in SELDOM] == []
    assert day.happened["owners"] == 2


@pytest.mark.slow
def test_a_small_full_day_is_the_same_twice(tmp_path: Path) -> None:
    """Everything happens at least once, and to the last command and ledger row the same again."""
    orders = write_orders(tmp_path / "orders.csv", orders=24, seed=1)
    options = DayOptions(orders=orders, date=DATE, seed=1, robots=ROBOTS, scenario="full")
    first, again = run_day(options), run_day(options)
    assert without_effort(again) == without_effort(first)
    assert_at_rest(first)
    assert_all_happened(first)


@pytest.mark.slow
def test_the_real_full_day_is_the_same_twice() -> None:
    """The 52 orders of 2013-12-09: more than fifty replenishments and counts, differences found by two and decided."""
    if not REAL.exists():
        pytest.skip(f"no {REAL.name} beside this checkout")
    options = DayOptions(orders=REAL, date="2013-12-09", scenario="full")
    first, again = run_day(options), run_day(options)
    assert without_effort(again) == without_effort(first)
    assert_at_rest(first)
    assert_all_happened(first)
    for what, least in (
        ("returns", 5), ("short_picks", 5), ("replenishments", 50), ("counts_opened", 50), ("counts_posted", 3),
        ("counts_to_a_third", 3), ("decided_by_a_second", 3), ("hand_tasks_done", 100),
    ):  # fmt: skip
        assert first.happened[what] >= least, what


def test_an_unknown_scenario_starts_nothing(tmp_path: Path) -> None:
    """Its name and the known ones are told."""
    orders = write_orders(tmp_path / "orders.csv", orders=1, seed=1)
    with pytest.raises(Rejected, match="plain, full"):
        run_day(DayOptions(orders=orders, date=DATE, scenario="empty"))


def test_the_full_day_asks_for_the_same_goods(tmp_path: Path) -> None:
    """Orders are split by owner and lose no line; what is on shelves and in bins is what was in bins before."""
    path = write_orders(tmp_path / "orders.csv", orders=24, seed=1)
    catalogue = Catalogue.from_orders(path, 1)
    site = build(1, catalogue, ROBOTS)
    rows = stock(site, catalogue, 1)
    plan = day_plan(read_orders(path, DATE), midnight_ms(DATE), 1)
    day = full_day(catalogue, rows, plan, 1, site)
    assert day == full_day(catalogue, rows, plan, 1, site)
    lines = sorted((p.at_ms, x.item, x.qty) for p in plan for x in p.order.lines)
    same = [p for p in day.plan if p.order.ref not in {WAITS, SET}]
    assert sorted((p.at_ms, x.item, x.qty) for p in same for x in p.order.lines) == lines
    owner = {i.id: i.owner for i in day.catalogue.items}
    assert {owner[x.item] for p in same for x in p.order.lines if p.order.owner} == {OWNER}
    assert all(owner[x.item] == p.order.owner for p in day.plan for x in p.order.lines)
    assert len({p.order.ref for p in day.plan}) == len(day.plan)
    kept: dict[str, int] = {}
    for item, qty in [(r.item, r.qty) for r in day.stock] + [(r.item, r.qty) for r in day.reserve]:
        kept[item] = kept.get(item, 0) + qty
    before: dict[str, int] = {}
    for r in rows:
        before[r.item] = before.get(r.item, 0) + r.qty
    more = {i for i in kept if i in {LATE, FIRST, SECOND} or i.startswith("quiet-")}
    assert {i: n for i, n in kept.items() if i not in more} == before
    assert len(more) > 3
    assert {r.item for r in day.rules} == {r.item for r in day.reserve}
    assert [d.at_ms for d in day.deliveries] == sorted(d.at_ms for d in day.deliveries)
    assert all(owner[x.item] == d.owner for d in day.deliveries for x in d.lines)
