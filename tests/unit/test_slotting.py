"""Slotting: every rule is kept, the same effort gives the same plan, never worse than ABC, and re-slotting pays."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import Broken, Rejected
from dispatcher.optimizers.picking import Warehouse
from dispatcher.optimizers.slotting import (
    Orders,
    Params,
    Plan,
    Problem,
    across,
    by_group,
    check,
    grid,
    nearest,
    plan,
    reslot,
    simulate,
    travel_m,
    within,
)
from dispatcher.optimizers.slotting.reslot import after
from dispatcher.optimizers.slotting.search import Floor, as_plan

PARTS = 20
SHIPMENTS = Path(__file__).parents[3] / "shared/data/orders/warehouse_shipments.csv.gz"


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Twenty parts on a small floor: heavy ones stay low, look-alikes apart, a pair together, a golden zone."""
    w = Warehouse(3, 3.0, draw(st.sampled_from([(8.0,), (4.0, 4.0)])), 1, 0)
    bays = 4 // w.blocks
    slots = grid(w, bays, 3, reach_m=(1.0, 0.0, 0.5), kind=(0, 1, 1))
    orders = draw(st.lists(st.lists(st.integers(0, PARTS - 1), min_size=1, max_size=5), min_size=1, max_size=25))
    kind = np.zeros(PARTS, np.int64)
    kind[: draw(st.integers(0, 6))] = 1  # heavy
    apart = np.full(PARTS, -1, np.int64)
    apart[4 : 4 + draw(st.integers(0, 4))] = 7
    together = np.full(PARTS, -1, np.int64)
    together[[10, 15]] = draw(st.sampled_from([-1, 2]))
    allowed = np.array([[True, True], [True, False]])
    pickers = draw(st.sampled_from([1, 5]))
    return Problem(w, slots, Orders.of(orders), PARTS, kind, allowed, apart, together, pickers)


def total(one: Plan) -> float:
    return one.travel_m + one.reach_m + one.crowd_m


@pytest.mark.slow
@given(problems())
@settings(max_examples=60, deadline=None)
def test_a_plan_keeps_every_rule_and_never_loses_to_abc(problem: Problem) -> None:
    """The independent check accepts plan and layouts; the same swaps and seed give the same plan."""
    layouts = [as_plan(problem, rule(problem)) for rule in (across, within, nearest)]
    found = plan(problem, Params(swaps=300, seed=5))
    for one in (*layouts, found):
        check(problem, one)
    again = plan(problem, Params(swaps=300, seed=5))
    assert (again.slot_of == found.slot_of).all()
    assert total(found) <= min(map(total, layouts)) + 1e-6


@given(problems(), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_each_step_of_a_re_slot_pays_and_says_how_much(problem: Problem, cost: int) -> None:
    """Travel falls by what the steps say together, each more than it costs, and no rule is broken on the way."""
    group = np.arange(PARTS) % 4
    current = by_group(problem, group)
    found = plan(problem, Params(swaps=400, seed=2))
    steps = reslot(problem, current, found.slot_of, float(cost))
    assert all(s.gain_m > s.cost_m for s in steps)
    before, then = as_plan(problem, current), as_plan(problem, after(current, steps))
    for n in range(1, len(steps) + 1):
        check(problem, as_plan(problem, after(current, steps[:n])))
    assert sum(s.gain_m for s in steps) == pytest.approx(total(before) - total(then))
    few = reslot(problem, current, found.slot_of, float(cost), most_moves=4)
    assert len({p for s in few for p in (s.part, s.other)} - {None}) <= 4


def wanted_unevenly() -> Problem:
    """A few parts have most of the picks: by their walks alone all of them lie in one aisle."""
    w = Warehouse(6, 3.0, (12.0,), 2, 0)
    rng = np.random.default_rng(4)
    often = 1 / np.arange(1, 49) ** 1.2
    orders = [rng.choice(48, int(rng.integers(1, 3)), replace=False, p=often / often.sum()) for _ in range(400)]
    none = np.full(48, -1, np.int64)
    slots = grid(w, 6, 2)
    return Problem(
        w, slots, Orders.of([o.tolist() for o in orders]), 48, np.zeros(48, np.int64), np.ones((1, 1), np.bool_), none,
        none,
    )  # fmt: skip


def test_layouts_that_count_crowds_bring_more_orders_an_hour_when_many_pick() -> None:
    """Judged by pickers who wait for each other at the ends of aisles, which knows nothing of the formula."""
    alone = wanted_unevenly()
    many = msgspec.structs.replace(alone, pickers=6)
    without, counted = plan(alone, Params(swaps=6_000)), plan(many, Params(swaps=6_000))
    check(many, counted)
    assert without.crowd_m == 0
    assert counted.crowd_m < many.crowd_m(without.slot_of)
    one, six = (simulate(alone, without.slot_of, n) for n in (1, 6))
    better = simulate(alone, counted.slot_of, 6)
    assert one.wait_s == 0
    assert one.walk_s == pytest.approx(without.travel_m)
    assert one.makespan_s == pytest.approx(one.walk_s + one.pick_s)
    assert one.pick_s == 10 * len(alone.orders.part)
    assert six.wait_s > 0
    assert better.orders_per_h > 1.05 * six.orders_per_h
    assert better == simulate(alone, counted.slot_of, 6)


def test_parts_of_one_order_end_up_side_by_side() -> None:
    """Pairs that are always asked for together, laid apart at first, share a bay or the one beside it."""
    w = Warehouse(4, 5.0, (20.0,), 0, 0)
    problem = Problem(
        w, grid(w, 10, 1), Orders.of([[k, k + 20] for k in range(20)] * 3), 40, np.zeros(40, np.int64),
        np.ones((1, 1), np.bool_), np.full(40, -1, np.int64), np.full(40, -1, np.int64),
    )  # fmt: skip
    found = plan(problem, Params(swaps=60_000))
    check(problem, found)
    aisle = problem.slots.bay_aisle[found.slot_of]
    assert (aisle[:20] == aisle[20:]).sum() >= 17
    assert found.travel_m < 0.8 * travel_m(problem, nearest(problem))


def test_bad_input_is_refused_with_the_element_named() -> None:
    """More parts than slots, an unknown part in an order, a kind with nowhere to lie, a group larger than any aisle."""
    w = Warehouse(2, 3.0, (4.0,), 0, 0)
    free, one = np.full(4, -1, np.int64), np.ones((1, 1), np.bool_)
    slots = grid(w, 2, 1)
    good = Problem(w, slots, Orders.of([[0, 1]]), 4, np.zeros(4, np.int64), one, free, free)
    with pytest.raises(Rejected, match=r"parts: 9 is not in 1\.\.4"):
        msgspec.structs.replace(good, parts=9)
    with pytest.raises(Rejected, match=r"orders/part/1: 4 is not in 0\.\.3"):
        msgspec.structs.replace(good, orders=Orders.of([[0, 4]]))
    with pytest.raises(Rejected, match="kind/0: 4 is not parts for the 0 slots"):
        msgspec.structs.replace(good, allowed=np.zeros((1, 1), np.bool_))
    with pytest.raises(Rejected, match="together/1: 3"):
        nearest(msgspec.structs.replace(good, together=np.array([1, 1, 1, -1])))


def test_the_check_can_fail() -> None:
    """A slot used twice, a wrong length and a heavy part on top are each found."""
    w = Warehouse(2, 3.0, (4.0,), 0, 0)
    free = np.full(3, -1, np.int64)
    allowed = np.array([[True, True], [True, False]])
    problem = Problem(
        w, grid(w, 2, 2, kind=(0, 1)), Orders.of([[0, 1], [2]]), 3, np.array([0, 0, 1]), allowed, free, free
    )
    good = as_plan(problem, nearest(problem))
    check(problem, good)
    twice, top = good.slot_of.copy(), good.slot_of.copy()
    twice[1] = twice[0]
    top[2] = int(np.setdiff1d(np.flatnonzero(problem.slots.kind == 1), good.slot_of)[0])
    for bad in (
        msgspec.structs.replace(good, slot_of=twice),
        msgspec.structs.replace(good, slot_of=top),
        msgspec.structs.replace(good, travel_m=good.travel_m - 1),
    ):
        with pytest.raises(Broken):
            check(problem, bad)


@pytest.mark.skipif(not SHIPMENTS.exists(), reason="the published orders are not beside this checkout")
def test_on_real_orders_a_few_swaps_already_beat_what_is_there() -> None:
    """Learned on two months, judged on the third: 30 % less travel than by category, and less than the nearest ABC."""
    from deploy.bench.slotting import problem_of, read

    learn, judge, group = read(SHIPMENTS, "2013-11-19")
    problem = problem_of(learn, group)
    found = plan(problem, Params(swaps=4_000), nearest(problem))
    floor = Floor(problem)
    ours, as_is = floor.travel_m(found.slot_of, judge), floor.travel_m(by_group(problem, group), judge)
    assert ours < 0.70 * as_is
    assert ours < floor.travel_m(nearest(problem), judge)
