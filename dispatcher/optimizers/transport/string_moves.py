"""The moves of slack induction by string removals, compiled: take strings of neighbouring stops out, put them back.

J. Christiaens, G. Vanden Berghe: Slack induction by string removals for vehicle routing problems (Transportation
Science 54, 2020). Theirs are the strings, the orders of insertion and the blinks. Ours: a stop looks along its
neighbours, nearest first, only until they are farther away than the cheapest place found is dear, so that a move costs
a few microseconds; and a move that is refused is undone link by link, without a copy.

Nodes 0..n-1 are stops; n + r is route r's depot, before its first stop and after its last. In `cost` the depot is n.
"""

import math

import numpy as np
from numba import njit

_REMOVED = 7
"""Stops that a move takes out on average."""
_LONGEST = 10
"""Stops of one string at the most."""
_SPLIT = 0.5
"""Share of strings that leave a stop in their middle where it is."""
_BLINK = 0.01
"""Share of places that an insertion overlooks."""
_NEAREST = 40
"""So many neighbours are looked at however far they are.

These two and the heat (`strings`) were tuned on six X instances outside of the bench's sample at 10 s, seed 1,
2026-11-24: mean gap 1.00 % with 10 stops, 15 neighbours and heat 0.8; 0.86 with 40 neighbours; 0.79 as they are.
"""
_FAR = 1 << 60


@njit(cache=True, forceinline=True)
def _uniform(state):  # type: ignore[no-untyped-def]
    """Draw from [0, 1); xorshift64*, the same on every machine."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    return np.float64((x * np.uint64(2685821657736338717)) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True, forceinline=True)
def _seen(state):  # type: ignore[no-untyped-def]
    """How many places are looked at until one is overlooked."""
    return int(math.log(1.0 - _uniform(state)) / math.log(1.0 - _BLINK))


@njit(cache=True, forceinline=True)
def _fits(load, r, amount, c, capacity):  # type: ignore[no-untyped-def]
    for k in range(len(capacity)):  # noqa: SIM110 - numba knows no generators; and no row is cut out: that is slow
        if load[r, k] + amount[c, k] > capacity[k]:
            return False
    return True


@njit(cache=True, forceinline=True)
def _unlink(x, r, after, before, of, load, size, amount):  # type: ignore[no-untyped-def]
    p, y = before[x], after[x]
    after[p], before[y] = y, p
    of[x] = -1
    for k in range(amount.shape[1]):
        load[r, k] -= amount[x, k]
    size[r] -= 1
    return size[r] == 0


@njit(cache=True, forceinline=True)
def _link(x, p, r, after, before, of, load, size, amount):  # type: ignore[no-untyped-def]
    y = after[p]
    after[p] = x
    before[x] = p
    after[x] = y
    before[y] = x
    of[x] = r
    for k in range(amount.shape[1]):
        load[r, k] += amount[x, k]
    size[r] += 1
    return size[r] == 1


@njit(cache=True, forceinline=True)
def _string(c, length, kept, n, after, before, state):  # type: ignore[no-untyped-def]
    """Choose where a string of `length` stops with `c` in it begins, and its first stop that stays (-1: none)."""
    back, x = 0, before[c]
    while back < length - 1 and x < n:
        back, x = back + 1, before[x]
    on, x = 0, after[c]
    while on < length - 1 and x < n:
        on, x = on + 1, after[x]
    least = max(0, length - 1 - on)
    x = c
    for _ in range(least + int(_uniform(state) * (back - least + 1))):
        x = before[x]
    return x, 1 + int(_uniform(state) * (length - kept - 1)) if kept else -1


@njit(cache=True, forceinline=True)
def _sort(stops, key, m, cost, amount, state):  # type: ignore[no-untyped-def]
    """Order the removed stops: by chance, by the first capacity, the farthest from the depot first, or the nearest."""
    n = len(cost) - 1
    kind = _uniform(state) * 11.0
    for i in range(m):
        x = stops[i]
        if kind < 4.0:
            key[i] = _uniform(state)
        elif kind < 8.0:
            key[i] = -amount[x, 0]
        elif kind < 10.0:
            key[i] = -cost[n, x]
        else:
            key[i] = cost[n, x]
    for i in range(1, m):
        k, x, j = key[i], stops[i], i - 1
        while j >= 0 and key[j] > k:
            key[j + 1], stops[j + 1] = key[j], stops[j]
            j -= 1
        key[j + 1], stops[j + 1] = k, x


@njit(cache=True, forceinline=True)
def _place(c, cost, near, apart, amount, capacity, routes, empty, blink, state):  # type: ignore[no-untyped-def]
    """Find the cheapest place for a stop: what it costs, the node before it (-1: there is none)."""
    after, before, of, load, size = routes
    n = len(of)
    least, best = _FAR, -1
    if empty >= 0 and _fits(load, empty, amount, c, capacity):
        least, best = cost[n, c] + cost[c, n], n + empty
    for j in range(near.shape[1]):
        if j >= _NEAREST and apart[c, j] >= least:
            break
        p = near[c, j]
        r = of[p]
        if r < 0 or not _fits(load, r, amount, c, capacity):
            continue
        y, x = after[p], before[p]
        if blink[0] == 0:
            blink[0] = _seen(state)
        else:
            blink[0] -= 1
            b = min(y, n)
            v = cost[p, c] + cost[c, b] - cost[p, b]
            if v < least:
                least, best = v, p
        if blink[0] == 0:
            blink[0] = _seen(state)
        else:
            blink[0] -= 1
            a = min(x, n)
            v = cost[a, c] + cost[c, p] - cost[a, p]
            if v < least:
                least, best = v, x
    if best >= 0:
        return least, best
    for r in range(len(size)):  # every neighbour's route is full, and there is no vehicle left
        if _fits(load, r, amount, c, capacity):
            x = n + r
            while True:
                y = after[x]
                a, b = min(x, n), min(y, n)
                v = cost[a, c] + cost[c, b] - cost[a, b]
                if v < least:
                    least, best = v, x
                if y >= n:
                    break
                x = y
    return least, best


@njit(cache=True)
def moves(count, heat, cost, near, apart, amount, capacity, routes, kept, worth, state):  # type: ignore[no-untyped-def]
    """Do so many moves at one temperature.

    Parameters
    ----------
    count, heat
        How many moves; temperature, in the unit of `cost`.
    cost
        Shape (n + 1, n + 1); of driving from one to the other, the depot last.
    near, apart
        Shape (n, k): the nearest stops of each, and the mean of what it costs there and back.
    amount, capacity
        Shapes (n, dimensions) and (dimensions,).
    routes, kept
        The routes now, which change, and the best ones, which are overwritten by better ones: node after and node
        before, shape (n + vehicles,); route of each stop; load and number of stops of each route.
    worth
        What `routes` and `kept` cost, shape (2,); changed along with them.
    state
        Of the generator, shape (1,).
    """
    after, before, of, load, size = routes
    n, vehicles = len(of), len(size)
    out, behind, from_, back = (
        np.empty(n, np.int32),
        np.empty(n, np.int32),
        np.empty(n, np.int32),
        np.empty(n, np.int32),
    )
    ruined = np.full(vehicles, -1, np.int64)
    key, blink = np.empty(n), np.empty(1, np.int64)
    used, empty = 0, -1
    for r in range(vehicles):
        used += size[r] > 0
    for move in range(count):
        # ruin
        longest = min(float(_LONGEST), n / used)
        wanted = int(_uniform(state) * (4.0 * _REMOVED / (1.0 + longest) - 1.0) + 1.0)
        seed = int(_uniform(state) * n)
        m, strings, delta = 0, 0, np.int64(0)
        for j in range(-1, near.shape[1]):
            if strings >= wanted:
                break
            c = seed if j < 0 else near[seed, j]
            r = of[c]
            if r < 0 or ruined[r] == move:
                continue
            ruined[r] = move
            strings += 1
            length = min(int(_uniform(state) * min(float(size[r]), longest) + 1.0), size[r])
            stays = 1 if 1 < length < size[r] and _uniform(state) < _SPLIT else 0
            x, staying = _string(c, length + stays, stays, n, after, before, state)
            for i in range(length + stays):
                y = after[x]
                if i != staying:
                    p = before[x]
                    a, b = min(p, n), min(y, n)
                    delta += cost[a, b] - cost[a, x] - cost[x, b]
                    out[m], behind[m], from_[m] = x, p, r
                    m += 1
                    if _unlink(x, r, after, before, of, load, size, amount):
                        used -= 1
                        empty = r
                x = y
        # recreate
        back[:m] = out[:m]
        _sort(back, key, m, cost, amount, state)
        blink[0] = _seen(state)
        done = 0
        for i in range(m):
            c = back[i]
            if empty < 0 or size[empty] > 0:
                empty = -1
                for r in range(vehicles):
                    if size[r] == 0:
                        empty = r
                        break
            v, p = _place(c, cost, near, apart, amount, capacity, routes, empty, blink, state)
            if p < 0:
                break
            delta += v
            if _link(c, p, p - n if p >= n else of[p], after, before, of, load, size, amount):
                used += 1
            done += 1
        # accept, or undo
        if done == m and delta < -heat * math.log(1.0 - _uniform(state)):
            worth[0] += delta
            if worth[0] < worth[1]:
                worth[1] = worth[0]
                kept[0][:], kept[1][:], kept[2][:], kept[3][:], kept[4][:] = after, before, of, load, size
            continue
        for i in range(done - 1, -1, -1):
            used -= _unlink(back[i], of[back[i]], after, before, of, load, size, amount)
        for i in range(m - 1, -1, -1):
            used += _link(out[i], behind[i], from_[i], after, before, of, load, size, amount)
