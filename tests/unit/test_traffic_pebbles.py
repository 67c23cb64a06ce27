"""One robot among others on tiny maps: a plan is found exactly where a search over all arrangements finds one."""

import random
from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.traffic.pebbles import Jam, solve


def tiny(seed: int, *, one_way: bool) -> Jam:
    """A random tree, or tree with a loop, or map with one-way edges, crowded with empty robots."""
    rng = random.Random(seed)
    n = rng.randint(3, 8)
    out: list[list[int]] = [[] for _ in range(n)]
    pairs = [(rng.randrange(k), k) for k in range(1, n)]
    if rng.random() < 0.5:
        a, b = rng.sample(range(n), 2)
        pairs.append((a, b))
    for a, b in dict.fromkeys(pairs):
        if b not in out[a]:
            out[a].append(b)
        if a not in out[b] and not (one_way and rng.random() < 0.3):
            out[b].append(a)
    robots = rng.randint(1, n - 1)
    at = tuple(rng.sample(range(n), robots))
    shy = [rng.random() < 0.2 for _ in range(n)]
    goal = rng.choice([x for x in range(n) if x != at[0]])
    return Jam((out, out), list(range(n)), [False] * n, shy, at, [0] * robots, goal)


def possible(jam: Jam) -> bool:
    """Look at every arrangement, one move to a free place at a time."""
    start = (jam.at[0], frozenset(jam.at[1:]))
    seen, todo = {start}, deque([start])
    while todo:
        u, others = todo.popleft()
        if u == jam.goal:
            return True
        after = [(v, others) for v in jam.ways[0][u] if v not in others]
        after += [(u, others - {x} | {y}) for x in others for y in jam.ways[0][x] if y != u and y not in others]
        for state in after:
            if state not in seen:
                seen.add(state)
                todo.append(state)
    return False


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.integers(0, 1_000_000), st.booleans())
def test_a_plan_is_found_exactly_where_there_is_one(seed: int, one_way: bool) -> None:
    jam = tiny(seed, one_way=one_way)
    found = solve(jam, 100_000)
    assert (found.moves is not None) == possible(jam)
    assert found.moves is not None or found.exhausted
    at = list(jam.at)
    for robot, node in found.moves or []:
        assert node in jam.ways[jam.kind[robot]][at[robot]]
        assert node not in at
        at[robot] = node
    assert found.moves is None or at[0] == jam.goal


def test_a_search_that_may_look_at_little_gives_up() -> None:
    """Three robots in a dead end, the marked one at its bottom: not found within two states, but in a hundred."""
    out = [[1], [0, 2], [1, 3], [2, 4, 5], [3], [3, 6], [5]]
    jam = Jam((out, out), list(range(7)), [False] * 7, [False] * 7, (0, 1, 2), [0] * 3, 6)
    assert solve(jam, 2) == (None, False, 2)
    assert solve(jam, 100).moves is not None
