"""Walks with one-way rules, several depots and places to choose: as cheap as the best of all, or with a true bound."""

import itertools
import math
import random
from typing import Literal

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import Broken, Rejected
from dispatcher.optimizers.picking import Area, Busy, Depot, OneWay, PickList, RouteParams, Spot, Want, route, verify

_ALONG: list[Literal["down", "up"]] = ["down", "up"]
_ACROSS: list[Literal["right", "left"]] = ["right", "left"]


@st.composite
def lists(draw: st.DrawFn) -> PickList:
    """Small floors of one to five blocks with a few wants; some rules lock places in."""
    blocks = draw(st.integers(1, 5))
    aisles = draw(st.integers(1, 4 if blocks <= 3 else 2))
    lengths = tuple(float(draw(st.integers(2, 5))) for _ in range(blocks))
    rules: list[OneWay] = []
    if draw(st.booleans()):
        rules = [
            OneWay(
                draw(st.sampled_from(_ALONG)),
                aisle=draw(st.integers(0, aisles - 1)),
                block=draw(st.none() | st.integers(0, blocks - 1)),
            )
            for _ in range(draw(st.integers(0, 3)))
        ]
        if draw(st.integers(0, 3)) == 0:
            rules.append(OneWay(draw(st.sampled_from(_ACROSS)), cross=draw(st.integers(0, blocks))))
    depots = tuple(
        Depot(f"d{k}", draw(st.integers(0, aisles - 1)), draw(st.integers(0, blocks)))
        for k in range(draw(st.integers(1, 3)))
    )
    busy = tuple(Busy(j, 1.5) for j in range(aisles) if draw(st.integers(0, 4)) == 0)
    spot = st.builds(Spot, st.integers(0, aisles - 1), st.integers(0, int(sum(lengths))).map(float))
    wants = tuple(
        Want(f"w{k}", tuple(draw(st.lists(spot, min_size=1, max_size=3)))) for k in range(draw(st.integers(1, 4)))
    )
    names = st.lists(st.sampled_from([d.id for d in depots]), unique=True).map(tuple)
    return PickList(Area(aisles, 2.0, lengths, depots, tuple(rules), busy), wants, draw(names), draw(names))


def cheapest(picks: PickList) -> float:
    """Look at every order of every choice of places between every pair of depots (distances by Floyd's algorithm)."""
    area, cross = picks.area, picks.area.cross_m()
    closed, weight = area.closed(), area.weight()
    nodes = {(j, c) for j in range(area.aisles) for c in cross} | {
        (s.aisle, s.at_m) for w in picks.wants for s in w.spots
    }
    number = {node: n for n, node in enumerate(sorted(nodes))}
    far = np.where(np.eye(len(nodes), dtype=bool), 0.0, math.inf)
    for j in range(area.aisles):
        for a, b in itertools.pairwise(sorted(n for n in nodes if n[0] == j)):
            block = next(k for k in range(area.blocks) if b[1] <= cross[k + 1])
            for one, other, direction in ((a, b, "down"), (b, a, "up")):
                if (direction, j, block) not in closed:
                    far[number[one], number[other]] = (b[1] - a[1]) * weight.get(j, 1.0)
        for i, c in enumerate(cross if j else ()):
            for one, other, direction in (((j - 1, c), (j, c), "right"), ((j, c), (j - 1, c), "left")):
                if (direction, i, 0) not in closed:
                    far[number[one], number[other]] = area.pitch_m
    for k in range(len(nodes)):
        far = np.minimum(far, far[:, k, None] + far[k])
    between = far.tolist()

    def length(start: Depot, order: tuple[tuple[int, float], ...], end: Depot) -> float:
        places = ((start.aisle, cross[start.cross]), *order, (end.aisle, cross[end.cross]))
        return float(sum(between[number[a]][number[b]] for a, b in itertools.pairwise(places)))

    return min(
        length(s, order, e)
        for s in picks.depots(picks.starts)
        for e in (picks.depots(picks.ends) if picks.ends else (s,))
        for chosen in itertools.product(*({(p.aisle, p.at_m) for p in w.spots} for w in picks.wants))
        for order in itertools.permutations(chosen)
    )


@given(lists())
@settings(max_examples=40, deadline=None)
def test_a_walk_is_as_cheap_as_the_best_of_all_orders_and_places(picks: PickList) -> None:
    """It is the optimum where the states suffice, as they do up to three blocks; what is refused cannot be walked."""
    best = cheapest(picks)
    try:
        found = route(picks)
    except Rejected:
        assert best == math.inf
        return
    verify(picks, found)
    assert found.exact or picks.area.blocks > 3
    if found.exact:
        assert found.cost_m == pytest.approx(best)
    assert found.bound_m <= best + 1e-6 <= found.cost_m + 2e-6
    assert found == route(picks)


@given(lists(), st.integers(1, 30))
@settings(max_examples=25, deadline=None)
def test_with_too_few_states_a_walk_and_its_bound_hold(picks: PickList, states: int) -> None:
    """Whatever is given up, the walk can be walked, the bound is not above the optimum, and exact means exact."""
    try:
        found = route(picks, RouteParams(states=states, tries=20))
    except Rejected:
        return
    verify(picks, found)
    best = cheapest(picks)
    assert found.bound_m <= best + 1e-6 <= found.cost_m + 2e-6


@given(lists(), st.integers(1, 30), st.integers(1, 60))
@settings(max_examples=30, deadline=None)
def test_a_walk_that_is_stopped_can_be_walked_and_comes_again_with_as_much_effort(
    picks: PickList, states: int, asked: int
) -> None:
    """Stopped at any question, it brings a whole walk with a true bound, never a better one than with more effort."""
    params, questions = RouteParams(states=states, tries=20), itertools.count(1)
    try:
        whole = route(picks, params)
    except Rejected:
        return
    found = route(picks, params, lambda _tries, _cost: next(questions) >= asked)
    verify(picks, found)
    assert found.bound_m <= cheapest(picks) + 1e-6
    assert whole.cost_m <= found.cost_m + 1e-6
    if found != whole:
        assert route(picks, params, lambda tries, _cost: tries >= found.tries) == found


def test_a_large_choice_is_asked_often_whether_to_stop() -> None:
    """Of 90 wants of which each third lies in two places there is a walk before anything takes long."""
    rng = random.Random(4)
    wants = tuple(
        Want(f"w{k}", tuple(Spot(rng.randrange(60), float(rng.randint(1, 99))) for _ in range(1 + (k % 3 == 0))))
        for k in range(90)
    )
    picks = PickList(Area(60, 3.0, (50.0, 50.0), (Depot("in", 0, 0),)), wants)
    questions = itertools.count(1)
    found = route(picks, watch=lambda _tries, _cost: next(questions) > 3)
    verify(picks, found)
    assert not found.exact
    assert 0 < found.bound_m < found.cost_m


def test_a_crowd_sends_to_another_place_and_a_second_door_shortens_the_way() -> None:
    """The nearer place is in an aisle with three others; who may leave elsewhere does not come back."""
    area = Area(4, 2.0, (10.0,), (Depot("in", 0, 0), Depot("out", 3, 1)))
    wants = (Want("a", (Spot(1, 5.0), Spot(2, 5.0))),)
    free = route(PickList(area, wants, ("in",)))
    assert (free.stops[0].spot.aisle, free.length_m) == (1, 14.0)
    crowded = msgspec.structs.replace(area, busy=(Busy(1, 3.0),))
    assert route(PickList(crowded, wants, ("in",))).stops[0].spot.aisle == 2
    out = route(PickList(area, wants, ("in",), ("out",)))
    assert (out.length_m, out.start, out.end) == (16.0, "in", "out")


def test_what_cannot_be_walked_is_named() -> None:
    """A place behind a one-way rule, a depot that is not there, a rule of nothing, a negative distance."""
    area = Area(1, 2.0, (10.0, 10.0), (Depot("in", 0, 0),), (OneWay("down", aisle=0, block=1),))
    with pytest.raises(Rejected, match="wants/deep"):
        route(PickList(area, (Want("near", (Spot(0, 5.0),)), Want("deep", (Spot(0, 15.0),)))))
    with pytest.raises(Rejected, match="starts/0: 'door'"):
        PickList(area, (), ("door",))
    with pytest.raises(Rejected, match="one_way/0"):
        Area(1, 2.0, (10.0,), (Depot("in", 0, 0),), (OneWay("left", aisle=0),))
    with pytest.raises(Rejected, match="pitch_m: -1"):
        Area(1, -1.0, (10.0,), (Depot("in", 0, 0),))
    with pytest.raises(Rejected, match="wants/w/spots/0/at_m"):
        PickList(area, (Want("w", (Spot(0, 21.0),)),))


def test_the_check_can_fail() -> None:
    """A walk against the rule, a forgotten want, a wrong sum and a wrong bound are each found."""
    area = Area(2, 2.0, (10.0,), (Depot("in", 0, 0),), (OneWay("down", aisle=1),))
    picks = PickList(area, (Want("w", (Spot(1, 5.0),)),))
    good = route(picks)
    verify(picks, good)
    for bad in (
        msgspec.structs.replace(good, places=good.places[::-1]),
        msgspec.structs.replace(good, stops=()),
        msgspec.structs.replace(good, cost_m=good.cost_m + 1),
        msgspec.structs.replace(good, bound_m=good.cost_m + 1),
        msgspec.structs.replace(good, places=good.places[:-1]),
    ):
        with pytest.raises(Broken):
            verify(picks, bad)
