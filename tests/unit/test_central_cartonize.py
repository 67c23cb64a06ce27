"""Cartonizing as a pure function: every piece in one tote, no tote too full, few splits, one answer."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from central.orders.intake import Plan
from central.orders.model import order_id
from central.packing.cartonize import Carton, Claim, ToteParams, cartonize
from contracts.ids import PATTERN

PARAMS = ToteParams(volume_ml=60_000, weight_g=25_000)

claims = st.lists(
    st.builds(
        Claim,
        line=st.integers(1, 9),
        item=st.sampled_from(["a", "b", "c"]),
        stock=st.integers(1, 20),
        bin=st.sampled_from(["B1", "B2", "B3"]),
        qty=st.integers(1, 60),
        volume_ml=st.integers(0, 70_000),
        weight_g=st.integers(0, 30_000),
    ),
    max_size=8,
    unique_by=lambda c: (c.line, c.bin, c.stock),
)


def pieces(cartons: list[Carton]) -> Counter[tuple[int, str, int]]:
    counted: Counter[tuple[int, str, int]] = Counter()
    for carton in cartons:
        for c in carton.claims:
            counted[c.line, c.bin, c.stock] += c.qty
    return counted


@settings(max_examples=150, deadline=None, derandomize=True)
@given(claims)
def test_every_piece_travels_once_and_no_tote_is_too_full(asked: list[Claim]) -> None:
    """Pieces are conserved; volume and weight hold but for oversize totes, which hold one piece that fits nowhere."""
    cartons = cartonize(asked, PARAMS)
    assert pieces(cartons) == Counter({(c.line, c.bin, c.stock): c.qty for c in asked})
    for carton in cartons:
        volume, weight = (sum(c.qty * getattr(c, x) for c in carton.claims) for x in ("volume_ml", "weight_g"))
        if carton.oversize:
            assert sum(c.qty for c in carton.claims) == 1
            assert volume > PARAMS.volume_ml or weight > PARAMS.weight_g
        else:
            assert volume <= PARAMS.volume_ml
            assert weight <= PARAMS.weight_g


@settings(max_examples=60, deadline=None, derandomize=True)
@given(claims, st.integers(0, 1_000))
def test_the_answer_does_not_depend_on_the_order_of_the_claims(asked: list[Claim], seed: int) -> None:
    """Shuffled claims give the same totes."""
    shuffled = list(asked)
    random.Random(seed).shuffle(shuffled)
    assert cartonize(shuffled, PARAMS) == cartonize(asked, PARAMS)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(claims)
def test_a_claim_is_split_only_when_it_is_larger_than_a_tote(asked: list[Claim]) -> None:
    """A claim that fits an empty tote is in exactly one."""
    cartons = cartonize(asked, PARAMS)
    for c in asked:
        parts = sum(1 for t in cartons for x in t.claims if (x.line, x.bin, x.stock) == (c.line, c.bin, c.stock))
        if c.qty * c.volume_ml <= PARAMS.volume_ml and c.qty * c.weight_g <= PARAMS.weight_g:
            assert parts == 1


def test_a_piece_larger_than_a_tote_travels_alone() -> None:
    """Two machines of 80 litres and a screw make three totes, two of them oversize."""
    cartons = cartonize([Claim(1, "machine", 1, "B1", 2, 80_000, 9_000), Claim(2, "screw", 2, "B2", 1, 5, 5)], PARAMS)
    assert [(c.oversize, [(x.item, x.qty) for x in c.claims]) for c in cartons] == [
        (False, [("screw", 1)]),
        (True, [("machine", 1)]),
        (True, [("machine", 1)]),
    ]


def test_totes_and_picks_are_named_in_order() -> None:
    """T-<order>-<n> and P-<tote>-<n>."""
    plan = Plan()
    plan.add(1, "A", cartonize([Claim(1, "x", 1, "B1", 90, 1_000, 100), Claim(2, "y", 2, "B2", 1, 1, 1)], PARAMS))
    assert plan.totes == ["T-A-1", "T-A-2"]
    assert plan.tasks == ["P-T-A-1-1", "P-T-A-2-1", "P-T-A-2-2"]
    assert [c.qty for c in plan.claims] == [60, 30, 1]


@pytest.mark.parametrize("bad", [{"volume_ml": 0}, {"weight_g": -1}])
def test_a_tote_without_capacity_is_refused(bad: dict[str, int]) -> None:
    """The parameters are checked where they are made."""
    with pytest.raises(ValueError, match="tote capacity"):
        ToteParams(**bad)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(min_size=1, max_size=64), st.text(min_size=1, max_size=64))
def test_order_ids_fit_and_differ(one: str, other: str) -> None:
    """Whatever the ERP calls its orders, the longest task id made of it is an identifier, and two refs stay apart."""
    import re

    assert re.match(PATTERN, f"P-T-{order_id(one)}-9999-9999")
    assert (order_id(one) == order_id(other)) == (one == other)
