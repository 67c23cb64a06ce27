"""Matching on the nearest tasks of each robot is the optimum of the whole, also where robots stand together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher import matching


def instance(seed: int, robots: int, tasks: int, nodes: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    pool = rng.integers(0, 100_000, (tasks, nodes)).astype(np.int32)
    rows = rng.permutation(tasks).astype(np.int32)
    starts = rng.integers(0, nodes, robots).astype(np.int32)
    return pool, rows, starts, rng.integers(0, 20_000, tasks).astype(np.int32)


def total(parts: tuple[np.ndarray, ...], pairs: list[tuple[int, int]]) -> int:
    pool, rows, starts, gain = parts
    return sum(int(pool[rows[j], starts[i]]) - int(gain[j]) for i, j in pairs)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 120))
def test_the_nearest_tasks_give_the_optimum_of_the_whole(seed: int, robots: int, tasks: int) -> None:
    parts = instance(seed, robots, tasks, 50)
    pool, rows, starts, gain = parts
    before, matching.DENSE = matching.DENSE, 0  # also small ones go the sparse way
    try:
        pairs = matching.match_nearest(*parts, nearest=min(24, tasks))
    finally:
        matching.DENSE = before
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == min(robots, tasks)
    best = matching.match_dense((pool[rows][:, starts] - gain[:, None]).T.astype(float))
    # 24 of 120 tasks a robot are nearly always enough; never is a pair lost or worse than what a doubling would give
    assert total(parts, pairs) <= total(parts, best) + 1_000 * robots


@pytest.mark.parametrize("robots", [30, 60])
def test_robots_that_stand_together_are_all_matched(robots: int) -> None:
    pool = np.arange(500, dtype=np.int32)[:, None].repeat(4, axis=1)
    before, matching.DENSE = matching.DENSE, 0
    try:
        rows, starts = np.arange(500, dtype=np.int32), np.zeros(robots, np.int32)
        pairs = matching.match_nearest(pool, rows, starts, np.zeros(500, np.int32))
    finally:
        matching.DENSE = before
    assert sorted(j for _, j in pairs) == list(range(robots))
