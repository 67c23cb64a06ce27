"""Slotting of pods: nothing is overfilled, the same effort gives the same plan, never worse than ABC, and it pays."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import Broken, Rejected
from contracts.ids import ItemId, PodId
from deploy.one_day import DayOptions, run_day
from deploy.slotted_stock import moved_stock, pods_of
from dispatcher.optimizers.slotting.pod_moves import check_moves, pod_moves
from dispatcher.optimizers.slotting.pods import PodParams, PodProblem, abc, check, cost_m, plan_pods
from dispatcher.optimizers.slotting.problem import Orders
from simulators.catalogue import Catalogue
from simulators.orders import read_orders
from simulators.site import build, stock

pytestmark = pytest.mark.slow

SHIPMENTS = Path(__file__).parents[3] / "shared/data/orders/warehouse_shipments.csv.gz"
PARTS = 24


@st.composite
def problems(draw: st.DrawFn) -> PodProblem:
    orders = draw(st.lists(st.lists(st.integers(0, PARTS - 1), min_size=1, max_size=6), min_size=1, max_size=30))
    bins = draw(st.lists(st.integers(1, 3), min_size=PARTS, max_size=PARTS))
    return PodProblem(
        Orders.of(orders),
        np.array(bins, np.int64),
        np.full(8, 12, np.int64),
        np.array(draw(st.lists(st.floats(0, 90), min_size=8, max_size=8))),
        most_share=draw(st.sampled_from([0.2, 1.0])),
    )


@settings(max_examples=40, deadline=None)
@given(problems(), st.integers(1, 6), st.integers(0, 3))
def test_a_plan_is_feasible_repeatable_and_never_worse_than_abc(problem: PodProblem, together: int, seed: int) -> None:
    params = PodParams(swaps=2_000, together=together, seed=seed)
    found, again = plan_pods(problem, params), plan_pods(problem, params)
    check(problem, found, together)
    assert (found.pod_of == again.pod_of).all()
    assert found.cost_m <= cost_m(problem, abc(problem), together) + 1e-6


def test_what_is_always_ordered_together_ends_in_one_pod() -> None:
    orders = Orders.of([[k, k + 8] for k in range(8)] * 5)
    problem = PodProblem(orders, np.ones(16, np.int64), np.full(8, 2, np.int64), np.zeros(8), most_share=1.0)
    found = plan_pods(problem, PodParams(swaps=60_000, together=1))
    assert [int(found.pod_of[k]) for k in range(8)] == [int(found.pod_of[k + 8]) for k in range(8)]


def test_the_checker_finds_an_overfull_pod_and_a_wrong_price() -> None:
    problem = PodProblem(Orders.of([[0, 1]]), np.ones(4, np.int64), np.full(2, 2, np.int64), np.zeros(2))
    plan = plan_pods(problem, PodParams(swaps=10))
    with pytest.raises(Broken, match="3 bins in 2"):
        check(problem, msgspec.structs.replace(plan, pod_of=np.array([0, 0, 0, 1])))
    with pytest.raises(Broken, match="costs"):
        check(problem, msgspec.structs.replace(plan, cost_m=plan.cost_m + 1))


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("bins/1", {"bins": np.array([1, 9])}),
        ("bins", {"bins": np.array([1, 0])}),
        ("bins", {"room": np.array([2, 0])}),
        ("room/1", {"room": np.array([2, 1 << 62])}),
        ("way_m", {"way_m": np.array([1.0, -2.0])}),
        ("way_m", {"way_m": np.array([1.0])}),
        ("most_share", {"most_share": 0.0}),
        ("orders", {"orders": Orders.of([[0, 7]])}),
    ],
)
def test_bad_input_is_refused_by_name(field: str, change: dict[str, object]) -> None:
    good = PodProblem(Orders.of([[0, 1]]), np.array([1, 2]), np.array([2, 2]), np.array([1.0, 2.0]))
    with pytest.raises(Rejected) as refused:
        PodProblem(**{**msgspec.structs.asdict(good), **change})
    assert refused.value.field == field


def test_a_slotting_that_misses_an_item_or_overfills_a_pod_lays_no_stock() -> None:
    catalogue = Catalogue.seeded(1, 200)
    site = build(1, catalogue, 2)
    with pytest.raises(Rejected, match="pods_of/"):
        stock(site, catalogue, 1, {})
    with pytest.raises(Rejected, match="free bins"):
        stock(site, catalogue, 1, {o.item: site.pods[0].id for o in catalogue.openings})


def test_a_day_without_earlier_ones_has_nothing_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="as-is"):
        run_day(DayOptions(slotting="optimized"))


@pytest.mark.skipif(not SHIPMENTS.exists(), reason="the real orders are beside the checkout")
def test_real_orders_of_a_later_day_need_a_fifth_fewer_pods() -> None:
    """Learned before 2013-12-02, judged on that day: pods an order needs, against the layout by category."""
    catalogue = Catalogue.from_orders(SHIPMENTS, 1)
    site = build(1, catalogue, 2)
    orders = sorted(read_orders(SHIPMENTS), key=lambda o: o.ship_date)
    found = pods_of(site, catalogue, [o for o in orders if o.ship_date < "2013-12-02"], "optimized", 1)
    day = [o for o in orders if o.ship_date == "2013-12-02"]

    def needed(of: dict[ItemId, PodId]) -> int:
        return sum(len({of[x.item] for x in o.lines if x.item in of}) for o in day)

    as_is = {r.item: PodId(r.bin.split("-")[0]) for r in stock(site, catalogue, 1)}
    assert needed(found) < 0.8 * needed(as_is)
    rows = stock(site, catalogue, 1, found)
    assert sorted((r.item, r.qty) for r in rows) == sorted((r.item, r.qty) for r in stock(site, catalogue, 1))


@settings(max_examples=30, deadline=None)
@given(problems(), st.integers(0, 3), st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from([None, 3]))
def test_moves_towards_a_plan_pay_fit_and_are_the_same_again(
    problem: PodProblem, seed: int, share: float, most: int | None
) -> None:
    """Each move has room when it is done, gains what it says, and all of them gain more than they cost."""
    current = abc(msgspec.structs.replace(problem, way_m=problem.way_m[::-1].copy()))
    target = plan_pods(problem, PodParams(swaps=2_000, seed=seed)).pod_of
    moves = pod_moves(problem, current, target, visit_share=share, most_moves=most)
    check_moves(problem, current, moves)
    assert moves == pod_moves(problem, current, target, visit_share=share, most_moves=most)
    assert most is None or len(moves) <= most
    assert not moves or sum(m.gain_m - m.cost_m for m in moves) > 0


def test_a_full_pod_is_made_room_in_first() -> None:
    """Two parts that change places need a third pod on the way; where there is none nothing is moved."""
    orders = Orders.of([[0, 1]] * 200 + [[2, 3]] * 200)
    target = np.array([0, 0, 1, 1])
    for room, moved in (([2, 2, 1], 3), ([2, 2], 0)):
        problem = PodProblem(
            orders, np.ones(4, np.int64), np.array(room), np.array([5.0, 5.0, 50.0][: len(room)]), most_share=1.0
        )
        moves = pod_moves(problem, np.array([0, 1, 0, 1]), target, together=1)
        after = check_moves(problem, np.array([0, 1, 0, 1]), moves, together=1)
        assert len(moves) == moved
        assert moved == 0 or after.tolist() == [0, 0, 1, 1]
    with pytest.raises(Rejected, match="pods/0: 4"):
        pod_moves(problem, np.zeros(4, np.int64), target)


@pytest.mark.skipif(not SHIPMENTS.exists(), reason="the public order file is not beside this checkout")
def test_the_parts_that_are_worth_most_are_moved_and_nothing_else_changes() -> None:
    """Of the real file: 2 % of the parts, each with all its pieces in as many bins of one pod; nobody shares a bin."""
    catalogue = Catalogue.from_orders(SHIPMENTS, 1)
    site = build(1, catalogue, 8)
    rows = stock(site, catalogue, 1)
    history = [o for o in read_orders(SHIPMENTS) if o.ship_date < "2013-10-10"]
    after = moved_stock(site, rows, history, 1, most_share=0.02)
    assert [(r.item, r.qty) for r in after] == [(r.item, r.qty) for r in rows]
    assert len({r.bin for r in after}) == len(after)
    moved = {r.item for r, was in zip(after, rows, strict=True) if r.bin != was.bin}
    assert 0 < len(moved) <= 0.02 * len(catalogue.openings)
    pod = {b.id: p.id for p in site.pods for b in p.bins}
    assert all(len({pod[r.bin] for r in after if r.item == i}) == 1 for i in moved)
    with pytest.raises(Rejected, match="slotting"):
        moved_stock(site, rows, [], 1)
