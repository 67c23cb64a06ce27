"""EPIBT with ejection chains: every robot's next few steps, free of collisions, in compiled code.

All robots start a step with the rest of what they planned before, which is free of collisions. Then, in order of rank,
each looks for a better operation; if that collides with one other robot's, the other is taken off and looks for one in
turn, and so on (priority inheritance with backtracking over operations). After that, chains of the same kind are tried
as long as the budget lasts, and kept only if they lower the sum of all costs (a local search: the tries of LNS in WPPL
and EPIBT, cut off as soon as the gain is spent).
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dispatcher.traffic.dense.grid import FAR, STEP, Ints, Shorts

Bytes = NDArray[np.int8]
Longs = NDArray[np.int64]

FINE = 16
"""Costs of operations are costs of `grid` times this, plus what makes earlier moves better."""
_LIMIT = 1 << 30


@njit(cache=True)
def evaluate(
    pos: Ints,
    heading: Bytes,
    goal: Ints,
    row: Ints,
    pool: Shorts,
    nbr: Ints,
    cost: Shorts,
    actions: Bytes,
    current: Ints,
    cells: Ints,
    value: Ints,
    op: Ints,
    count: Ints,
    rank: Ints,
) -> None:
    """Write each robot's operations, cheapest first: cells (R, K, T), value and op (R, K); rank of its current one."""
    kinds, depth = actions.shape
    path = np.empty((kinds, depth), np.int32)
    worth = np.empty(kinds, np.int64)
    name = np.empty(kinds, np.int64)
    for r in range(len(pos)):
        table = pool[row[r]]
        n = 0
        for o in range(kinds):
            c, d = pos[r], heading[r]
            early, reached = 0, -1
            fits = True
            for t in range(depth):
                a = actions[o, t]
                if a == 0:
                    c = nbr[c, d]
                    if c < 0:
                        fits = False
                        break
                    early += t
                    if c == goal[r] and reached < 0:
                        reached = t + 1
                elif a == 1:
                    d = (d + 1) & 3
                elif a == 2:
                    d = (d + 3) & 3
                path[n, t] = c
            if not fits:
                continue
            if reached >= 0:
                h = STEP * (reached - depth) - 2 * STEP
            else:
                h = FAR
                for k in range(4):
                    v = nbr[c, k]
                    if v >= 0:
                        turn = (k - d) & 3
                        h = min(h, STEP * (1 if turn == 3 else turn) + cost[c, k] + table[v])
            worth[n] = h * FINE + early
            name[n] = o
            n += 1
        for i in range(n):  # insertion sort into the rows of the robot
            k = i
            while k > 0 and value[r, k - 1] > worth[i]:
                value[r, k] = value[r, k - 1]
                op[r, k] = op[r, k - 1]
                k -= 1
            value[r, k] = worth[i]
            op[r, k] = i
        for k in range(n):
            i = op[r, k]
            for t in range(depth):
                cells[r, k, t] = path[i, t]
            op[r, k] = name[i]
            if name[i] == current[r]:
                rank[r] = k
        count[r] = n


@njit(cache=True)
def occupy(pos: Ints, cells: Ints, rank: Ints, at: Ints) -> None:
    """Write who is where at each time: at (T + 1, C)."""
    at[:] = -1
    depth = len(at) - 1
    for r in range(len(pos)):
        at[0, pos[r]] = r
        for t in range(depth):
            at[t + 1, cells[r, rank[r], t]] = r


@njit(cache=True)
def _in_the_way(r: int, k: int, start: int, cells: Ints, at: Ints) -> int:
    """Return the one robot that an operation collides with, -1 for none, -2 for several."""
    found = -1
    before = start
    for t in range(1, len(at)):
        c = cells[r, k, t - 1]
        x = at[t, c]
        if x >= 0 and x != found:
            if found >= 0:
                return -2
            found = x
        if c != before:
            y = at[t - 1, c]
            if y >= 0 and y not in (found, r) and at[t, before] == y:
                if found >= 0:
                    return -2
                found = y
        before = c
    return found


@njit(cache=True)
def _chain(
    first: int,
    bound: int,
    longest: int,
    tries: int,
    visits: int,
    pos: Ints,
    cells: Ints,
    value: Ints,
    weight: Ints,
    count: Ints,
    rank: Ints,
    at: Ints,
    done: Bytes,
    busy: Bytes,
    asked: Bytes,
    who: Longs,
    step: Longs,
    spent: Longs,
    failed: Longs,
) -> bool:
    """Let a robot take a better operation, whoever is in its way another one, and so on; all or nothing.

    `bound` is what the sum of weighted costs may change by at most; `longest`, `tries` and `visits` limit the robots
    of a chain, the operations tried in all, and how often one robot is asked again after it could not help. Robots
    with `done` set are not moved away. The rest is scratch; `busy` and `asked` are zero before and after.
    """
    depth = len(at) - 1
    level = 0
    fails = 0
    who[0], step[0], spent[0] = first, 0, 0
    busy[first] = 1
    for t in range(depth):
        at[t + 1, cells[first, rank[first], t]] = -1
    while True:
        r = who[level]
        old = value[r, rank[r]]
        pushed = -1
        placed = False
        while step[level] < count[r]:
            k = step[level]
            if level == 0 and value[r, k] >= old:
                step[level] = count[r]
                break
            change = spent[level] + (value[r, k] - old) * weight[r]
            if change > bound or tries == 0:
                step[level] = count[r]
                break
            step[level] += 1
            tries -= 1
            x = _in_the_way(r, k, pos[r], cells, at)
            if x == -1:
                placed = True
            elif x >= 0 and level + 1 < longest and done[x] == 0 and busy[x] == 0 and asked[x] < visits:
                pushed = x
            else:
                continue
            break
        if placed or pushed >= 0:
            k = step[level] - 1
            if pushed >= 0:
                for t in range(depth):
                    at[t + 1, cells[pushed, rank[pushed], t]] = -1
            for t in range(depth):
                at[t + 1, cells[r, k, t]] = r
            if placed:
                for i in range(level + 1):
                    rank[who[i]] = step[i] - 1
                    busy[who[i]] = 0
                for i in range(fails):
                    asked[failed[i]] = 0
                return True
            spent[level + 1] = spent[level] + (value[r, k] - old) * weight[r]
            level += 1
            who[level], step[level] = pushed, 0
            busy[pushed] = 1
            continue
        # nothing left to try: put this robot back, and take off what its pusher had tried
        busy[r] = 0
        if level > 0:
            if asked[r] == 0:
                failed[fails] = r
                fails += 1
            asked[r] += 1
            p = who[level - 1]
            k = step[level - 1] - 1
            for t in range(depth):
                at[t + 1, cells[p, k, t]] = -1
        for t in range(depth):
            at[t + 1, cells[r, rank[r], t]] = r
        if level == 0:
            for i in range(fails):
                asked[failed[i]] = 0
            return False
        level -= 1


@njit(cache=True)
def settle(
    order: Longs,
    longest: int,
    tries: int,
    visits: int,
    pos: Ints,
    cells: Ints,
    value: Ints,
    weight: Ints,
    count: Ints,
    rank: Ints,
    at: Ints,
    done: Bytes,
) -> None:
    """Let each robot in order take the best operation that those before it leave, pushing those after it.

    The limits are those of `_chain`.
    """
    n = len(pos)
    busy = np.zeros(n, np.int8)
    who, step, spent = np.empty(longest, np.int64), np.empty(longest, np.int64), np.empty(longest, np.int64)
    failed = np.empty(n, np.int64)
    asked = np.zeros(n, np.int8)
    done[:] = 0
    for r in order:
        if done[r] == 0 and rank[r] > 0:
            _chain(
                r, _LIMIT, longest, tries, visits, pos, cells, value, weight, count, rank, at, done,
                busy, asked, who, step, spent, failed,
            )  # fmt: skip
        done[r] = 1


@njit(cache=True)
def improve(
    rounds: int,
    longest: int,
    tries: int,
    visits: int,
    seed: int,
    pos: Ints,
    cells: Ints,
    value: Ints,
    weight: Ints,
    count: Ints,
    rank: Ints,
    at: Ints,
    done: Bytes,
) -> int:
    """Try `rounds` chains from random robots, keep those that lower the sum of weighted costs; return how many did."""
    n = len(pos)
    busy = np.zeros(n, np.int8)
    who, step, spent = np.empty(longest, np.int64), np.empty(longest, np.int64), np.empty(longest, np.int64)
    failed = np.empty(n, np.int64)
    asked = np.zeros(n, np.int8)
    done[:] = 0
    state = np.uint64(seed * 2 + 1)
    kept = 0
    for _ in range(rounds):
        state ^= state << np.uint64(13)
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
        r = int(state % np.uint64(n))
        if rank[r] > 0 and _chain(
            r, -1, longest, tries, visits, pos, cells, value, weight, count, rank, at, done,
            busy, asked, who, step, spent, failed,
        ):  # fmt: skip
            kept += 1
    return kept
