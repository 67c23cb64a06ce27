"""Wave and labour plans: skills, zones and breaks kept, reproducible, never charged more than any dispatch rule."""

import itertools
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import Broken, Rejected
from dispatcher.optimizers.waves import (
    RULES,
    Batch,
    Break,
    Params,
    Problem,
    Worker,
    by_rule,
    check,
    earliest_due_date,
    plan,
)
from dispatcher.optimizers.waves.bound import lower_bound
from dispatcher.optimizers.waves.dispatch import as_plan


@st.composite
def problems(draw: st.DrawFn, batches: int = 9) -> Problem:
    """Up to three people with breaks and different skills, batches of which some fit nowhere."""
    workers = tuple(
        Worker(
            f"w{k}",
            frozenset(draw(st.sampled_from([("pick",), ("pack",), ("pick", "pack")]))),
            frozenset(draw(st.sampled_from([("a",), ("a", "b")]))),
            draw(st.integers(0, 20)) * 60,
            draw(st.integers(60, 120)) * 60,
            (Break(1_800, 2_400), Break(2_000, 2_700)) if draw(st.booleans()) else (),
        )
        for k in range(draw(st.integers(1, 3)))
    )
    return Problem(
        workers,
        tuple(
            Batch(
                f"b{n}",
                draw(st.integers(1, 40)) * 60,
                draw(st.integers(0, 90)) * 60,
                draw(st.integers(0, 5)),
                draw(st.sampled_from(["pick", "pick", "pack"])),
                draw(st.sampled_from(["a", "a", "b"])),
                draw(st.integers(0, 30)) * 60,
            )
            for n in range(draw(st.integers(0, batches)))
        ),
        draw(st.sampled_from([3_600, 86_400])),
    )


@given(problems())
@settings(max_examples=10, deadline=None)
def test_a_plan_is_feasible_reproducible_and_never_worse_than_a_rule_or_than_less_effort(problem: Problem) -> None:
    """The independent check accepts all, and more moves and rounds from the same seed never cost more."""
    rules = [by_rule(problem, rule) for rule in RULES.values()]
    little = plan(problem, Params(moves=0, rounds=0))
    found = plan(problem, Params(moves=500, rounds=2, effort=0.02, seconds=600))
    for one in (*rules, little, found):
        check(problem, one)
    assert found == plan(problem, Params(moves=500, rounds=2, effort=0.02, seconds=600))
    assert found.charge <= little.charge <= min(r.charge for r in rules)
    assert plan(problem, Params(moves=500, rounds=3, effort=0.02, seconds=600)).charge <= found.charge


@given(problems(batches=4))
@settings(max_examples=10, deadline=None)
def test_small_problems_are_solved_to_the_end_and_the_bound_is_one(problem: Problem) -> None:
    """No way to hand out four batches in any order is charged less, and the bound is not above it."""
    n, workers = len(problem.batches), len(problem.workers)
    best = min(
        as_plan(problem, [[i for i in order if who[i] == k] for k in range(workers)]).charge
        for order in itertools.permutations(range(n))
        for who in itertools.product(*((*able, None) for able in problem.able))
    )
    found = plan(problem, Params(moves=20_000, rounds=2, effort=0.05))
    bound = lower_bound(problem, found.charge, 2.0)
    assert bound <= found.charge
    assert bound <= best
    assert found.charge == best


def test_a_generated_shift_beats_every_rule_by_far() -> None:
    """120 batches of the bench's first case: at most two thirds of what earliest due date is charged."""
    from deploy.bench.waves import case

    problem = case(120, random.Random("1/120/0"))
    found = plan(problem, Params(moves=2_000_000, rounds=3))
    check(problem, found)
    assert found.charge * 3 <= earliest_due_date(problem).charge * 2


def test_nobody_and_nothing_are_a_plan_too() -> None:
    """Without people all is left with the reason; the planner worker draws it all the same."""
    from dispatcher.planning.kinds import solve

    problem = Problem((), (Batch("b", 60, 100),))
    found = plan(problem, Params(moves=100, rounds=1))
    check(problem, found)
    assert [u.reason for u in found.unplanned] == ["nobody has the skill pick"]
    for batches in ([], [{"id": "b", "duration_s": 60, "due_s": 100}]):
        told = solve("waves", msgspec.json.encode({"workers": [], "batches": batches}), 100, 1, lambda *_: False)
        assert told.picture["rows"] == told.picture["bars"] == []


def test_what_nobody_can_do_is_left_with_the_reason() -> None:
    """An unknown skill, a zone of nobody with that skill, a batch longer than any time between breaks, and no time."""
    problem = Problem(
        (Worker("w", frozenset({"pick"}), frozenset({"a"}), 0, 100, (Break(40, 60),)),),
        (
            Batch("forklift", 10, 50, 1, "drive", "a"),
            Batch("far", 10, 50, 1, "pick", "b"),
            Batch("long", 41, 50, 1, "pick", "a"),
            Batch("one", 40, 50, 9, "pick", "a"),
            Batch("two", 40, 50, 9, "pick", "a"),
            Batch("three", 40, 50, 1, "pick", "a"),
        ),
    )
    found = plan(problem, Params(moves=1_000, rounds=1))
    check(problem, found)
    assert {u.batch: u.reason for u in found.unplanned} == {
        "forklift": "nobody has the skill drive",
        "far": "nobody with the skill pick works in zone b",
        "long": "no time between two breaks holds 41 s after 0 s for those who could",
        "three": "there is no time left for its 40 s",
    }


def test_bad_input_is_refused_with_the_element_named() -> None:
    """A shift that ends before it begins, a break turned round, a batch of no length, a name used twice."""
    w = Worker("w", frozenset({"pick"}), frozenset({"all"}), 0, 100)
    with pytest.raises(Rejected, match=r"workers/w/end_s: \(9, 3\)"):
        Problem((Worker("w", w.skills, w.zones, 9, 3),), ())
    with pytest.raises(Rejected, match=r"workers/w/breaks/0: \(5, 5\)"):
        Problem((Worker("w", w.skills, w.zones, 0, 9, (Break(5, 5),)),), ())
    with pytest.raises(Rejected, match="batches/b/duration_s: 0"):
        Problem((w,), (Batch("b", 0, 5),))
    for field in ("duration_s", "due_s", "weight", "release_s"):
        with pytest.raises(Rejected, match=f"batches/b/{field}: 1000000000000000000000"):
            Problem((w,), (msgspec.structs.replace(Batch("b", 1, 5), **{field: 10**21}),))
    with pytest.raises(Rejected, match="workers/w/breaks/0/end_s"):
        Problem((Worker("w", w.skills, w.zones, 0, 9, (Break(5, 10**12),)),), ())
    with pytest.raises(Rejected, match="unplanned_s: -1"):
        Problem((w,), (), -1)
    with pytest.raises(Rejected, match="batches/1/id: 'b'"):
        Problem((w,), (Batch("b", 1, 5), Batch("b", 1, 5)))


def test_the_check_can_fail() -> None:
    """Work in a break, two batches at once and a wrong charge are each found."""
    problem = Problem(
        (Worker("w", frozenset({"pick"}), frozenset({"all"}), 0, 100, (Break(30, 40),)),),
        (Batch("a", 20, 10), Batch("b", 20, 10)),
    )
    good = earliest_due_date(problem)
    check(problem, good)
    first, second = good.shifts
    in_break = msgspec.structs.replace(second, begin_s=25, end_s=45, late_s=35)
    both = msgspec.structs.replace(second, begin_s=10, end_s=30, late_s=20)
    for bad in (
        msgspec.structs.replace(good, shifts=(first, in_break)),
        msgspec.structs.replace(good, shifts=(first, both)),
        msgspec.structs.replace(good, charge=good.charge - 1),
    ):
        with pytest.raises(Broken):
            check(problem, bad)
