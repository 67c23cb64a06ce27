"""Exact picker tours: right on published optima and never longer than any other walk."""

import gzip
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import Rejected
from dispatcher.optimizers.picking import Picks, Warehouse, check, shortest_length_m, shortest_tour
from dispatcher.optimizers.picking.heuristics import combined, largest_gap, s_shape

SPRP = Path(__file__).parents[3] / "shared/data/optimizers/sprp/sprp_2400_opt.jsonl.gz"


@st.composite
def problems(draw: st.DrawFn, blocks: int = 5) -> tuple[Warehouse, Picks]:
    """Small warehouses with a few picks, also on cross aisles and twice in one place."""
    lengths = tuple(draw(st.lists(st.integers(2, 6), min_size=1, max_size=blocks)))
    aisles = draw(st.integers(1, 5))
    w = Warehouse(
        aisles, 2.0, tuple(map(float, lengths)), draw(st.integers(0, aisles - 1)), draw(st.integers(0, len(lengths)))
    )
    spots = draw(st.lists(st.tuples(st.integers(0, aisles - 1), st.integers(0, sum(lengths))), min_size=1, max_size=6))
    return w, Picks.sort(w, [s[0] for s in spots], [s[1] for s in spots])


def walk_m(w: Warehouse, a: tuple[int, float], b: tuple[int, float]) -> float:
    """The shortest way between two places, by looking at every cross aisle."""
    if a[0] == b[0]:
        return abs(a[1] - b[1])
    return abs(a[0] - b[0]) * w.pitch_m + min(abs(a[1] - c) + abs(c - b[1]) for c in w.cross_m)


@given(problems())
@settings(max_examples=150, deadline=None)
def test_the_tour_is_as_short_as_the_best_of_all_orders(problem: tuple[Warehouse, Picks]) -> None:
    """Enumerating every order of the picks finds nothing shorter, and the tour itself can be walked."""
    w, p = problem
    spots = list(zip(p.aisle.tolist(), p.at_m.tolist(), strict=True))
    depot = (w.depot_aisle, float(w.cross_m[w.depot_cross]))
    best = min(
        sum(walk_m(w, a, b) for a, b in itertools.pairwise((depot, *order, depot)))
        for order in itertools.permutations(spots)
    )
    tour = shortest_tour(w, p)
    check(w, p, tour)
    assert tour.length_m == pytest.approx(best)
    assert shortest_length_m(w, p) == tour.length_m


@given(problems())
@settings(max_examples=150, deadline=None)
def test_the_usual_routings_are_real_walks_and_never_shorter(problem: tuple[Warehouse, Picks]) -> None:
    """S-shape, largest gap and combined pass the independent check for any depot, and the exact tour beats them."""
    w, p = problem
    for routing in (s_shape, largest_gap, combined):
        tour = routing(w, p)
        check(w, p, tour)
        assert tour.length_m >= shortest_length_m(w, p) - 1e-9


@pytest.mark.skipif(not SPRP.exists(), reason="the published instances are not beside this checkout")
def test_published_optima_are_met() -> None:
    """Every eighth published instance, for one block and for two (`floorplane bench picking` runs all 4,800)."""
    with gzip.open(SPRP, "rt") as lines:
        for line in itertools.islice(lines, 0, None, 8):
            d = json.loads(line)
            aisle, cell = np.array([p[0] for p in d["picks"]]), np.array([p[1] for p in d["picks"]])
            half = d["cells"] / 2
            for lengths, at in (
                ((d["cells"] + 1.0,), cell + 1),
                ((half + 1, half + 1), cell + 1 + (cell >= half)),
            ):
                end = 0 if d["depot"] == "top" else len(lengths)
                w = Warehouse(d["aisles"], 3.0, lengths, d["depot_aisle"], end)
                found = shortest_length_m(w, Picks.sort(w, aisle, at))
                assert found == pytest.approx(d[f"opt_{len(lengths)}block"]), d["name"]


def test_a_pick_outside_is_named() -> None:
    """Bad input says which pick, what it is and what it may be."""
    w = Warehouse(3, 2.0, (10.0,))
    with pytest.raises(Rejected, match=r"picks/1/aisle: 3 is not in 0\.\.2"):
        Picks.sort(w, [0, 3], [1.0, 1.0])
    for far in (-1.0, float("nan"), float("inf")):
        with pytest.raises(Rejected, match=r"block_m/0"):
            Warehouse(3, 2.0, (far,))
        with pytest.raises(Rejected, match="pitch_m"):
            Warehouse(3, far, (10.0,))
        with pytest.raises(Rejected, match="picks/0/at_m"):
            Picks.sort(w, [0], [far])


def test_the_smallest_warehouses_are_walked_too() -> None:
    """One aisle, a depot at either end, nothing to pick, everything at one place or at the depot itself."""
    for aisles, blocks in itertools.product((1, 2, 30), ((5.0,), (5.0, 5.0), (0.001, 1e6))):
        for depot, cross in itertools.product((0, aisles - 1), (0, len(blocks))):
            w = Warehouse(aisles, 3.0, blocks, depot, cross)
            far = float(w.cross_m[-1])
            for aisle, at in (
                ([], []), ([depot], [far * (cross > 0)]), ([aisles - 1] * 9, [far / 2] * 9),
                ([0, aisles - 1], [0, far]),
            ):  # fmt: skip
                p = Picks.sort(w, aisle, at)
                tour = shortest_tour(w, p)
                check(w, p, tour)
                assert tour.length_m == pytest.approx(shortest_length_m(w, p))
                assert all(r(w, p).length_m >= tour.length_m - 1e-6 for r in (s_shape, largest_gap, combined))
