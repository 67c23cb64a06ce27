"""Annealing by exchanges of two slots' contents; each is judged by the exact tours of the orders that notice it."""

import numpy as np
from numba import njit

from dispatcher.optimizers.picking.exact import scratch_for, sweep

EMPTY = -1


@njit(cache=True)
def tour_length(order, start, part, bay_of, place, work):  # type: ignore[no-untyped-def]
    """Return the exact tour (m) of one order with the parts where `bay_of` (parts,) says."""
    bay_aisle, bay_at, alone, cross, pitch, depot_aisle, depot_cross, graph = place
    bays, aisle, at, scratch, back, way_of = work
    n = 0
    for k in range(start[order], start[order + 1]):
        bay = bay_of[part[k]]
        # insertion in order, each bay once
        m = n
        while m > 0 and bays[m - 1] > bay:
            m -= 1
        if m > 0 and bays[m - 1] == bay:
            continue
        for i in range(n, m, -1):
            bays[i] = bays[i - 1]
        bays[m] = bay
        n += 1
    if n == 1:
        return alone[bays[0]]
    for m in range(n):
        aisle[m], at[m] = bay_aisle[bays[m]], bay_at[bays[m]]
    vertical, horizontal, closed, untouched = graph
    length, _, _ = sweep(
        aisle, at, n, cross, pitch, depot_aisle, depot_cross, vertical, horizontal, closed, untouched,
        scratch, False, back, way_of,
    )  # fmt: skip
    return length


@njit(cache=True)
def workspace(longest, states):  # type: ignore[no-untyped-def]
    """Working arrays of `tour_length` for orders of up to `longest` parts."""
    return (
        np.empty(longest + 1, np.int64), np.empty(longest + 1, np.int64), np.empty(longest + 1),
        scratch_for(states), np.empty((1, 1), np.int32), np.empty((1, 1), np.int8),
    )  # fmt: skip


@njit(cache=True)
def lengths(start, part, bay_of, place, work):  # type: ignore[no-untyped-def]
    """Exact tours (m) of all orders, shape (orders,)."""
    out = np.empty(len(start) - 1)
    for order in range(len(out)):
        out[order] = tour_length(order, start, part, bay_of, place, work)
    return out


@njit(cache=True)
def change(p, q, start, part, of_start, of_order, bay_of, length, stamp, mark, touched, fresh, place, work):  # type: ignore[no-untyped-def]
    """Measure what the orders of `p` and `q` (or EMPTY) gain or lose now that `bay_of` has changed.

    Returns the change (m) and how many orders were touched; these stand in `touched` with their lengths in `fresh`.
    """
    delta, n = 0.0, 0
    for one in (p, q):
        if one == EMPTY:
            continue
        for k in range(of_start[one], of_start[one + 1]):
            order = of_order[k]
            if stamp[order] == mark:
                continue
            stamp[order] = mark
            touched[n] = order
            fresh[n] = tour_length(order, start, part, bay_of, place, work)
            delta += fresh[n] - length[order]
            n += 1
    return delta, n


@njit(cache=True)
def _free_of_look_alikes(p, bay, leaves, apart, slot_first, content):  # type: ignore[no-untyped-def]
    if apart[p] < 0:
        return True
    for s in range(slot_first[bay], slot_first[bay + 1]):
        other = content[s]
        if other >= 0 and other not in (p, leaves) and apart[other] == apart[p]:
            return False
    return True


@njit(cache=True)
def may_swap(a, b, rules, content):  # type: ignore[no-untyped-def]
    """Whether the contents of slots `a` and `b` may change places."""
    slot_bay, slot_kind, bay_aisle, kind, allowed, apart, together, slot_first = rules
    p, q = content[a], content[b]
    if p >= 0 and not allowed[kind[p], slot_kind[b]]:
        return False
    if q >= 0 and not allowed[kind[q], slot_kind[a]]:
        return False
    x, y = slot_bay[a], slot_bay[b]
    if x == y:
        return True
    if bay_aisle[x] != bay_aisle[y] and ((p >= 0 and together[p] >= 0) or (q >= 0 and together[q] >= 0)):
        return False
    if p >= 0 and not _free_of_look_alikes(p, y, q, apart, slot_first, content):
        return False
    return not (q >= 0 and not _free_of_look_alikes(q, x, p, apart, slot_first, content))


@njit(cache=True)
def crowded(p, q, x, y, picks, zone, load, share):  # type: ignore[no-untyped-def]
    """What crowds cost more (m) if `p` goes from bay `x` to `y`, and `q` (or EMPTY) from `y` to `x`."""
    if zone[x] == zone[y] or share == 0.0:
        return 0.0
    more = picks[p] - (picks[q] if q >= 0 else 0)
    a, b = load[zone[x]], load[zone[y]]
    return share * ((a - more) ** 2 - a**2 + (b + more) ** 2 - b**2)


@njit(cache=True)
def anneal(  # type: ignore[no-untyped-def]
    start, part, of_start, of_order, picks, reach, rules, crowd, slot_of, place, work, swaps, hot, cold, seed
):  # fmt: skip
    """Improve `slot_of` (parts,) by `swaps` tried exchanges; return the best found.

    A part that is picked goes to a random slot, or into the bay (or beside the bay) of a part of one of its orders.
    """
    np.random.seed(seed)
    slot_bay, slot_first = rules[0], rules[7]
    zone, share = crowd
    slots, bays = len(slot_bay), len(slot_first) - 1
    slot_of = slot_of.copy()
    content = np.full(slots, EMPTY, np.int64)
    for p in range(len(slot_of)):
        content[slot_of[p]] = p
    bay_of = slot_bay[slot_of]
    length = lengths(start, part, bay_of, place, work)
    load = np.zeros(zone.max() + 1)
    for p in range(len(slot_of)):
        load[zone[bay_of[p]]] += picks[p]
    now = 0.0
    best, best_of = 0.0, slot_of.copy()
    picked = np.flatnonzero(picks > 0)
    stamp, mark = np.zeros(len(length), np.int64), 0
    touched, fresh = np.empty(len(length), np.int64), np.empty(len(length))
    if len(picked) == 0 or swaps == 0:
        return best_of
    fall = (cold / hot) ** (1.0 / swaps)
    heat = hot
    for _ in range(swaps):
        heat *= fall
        often = np.random.random() < 0.15
        p = part[np.random.randint(len(part))] if often else picked[np.random.randint(len(picked))]
        if np.random.random() < 0.6:
            order = of_order[np.random.randint(of_start[p], of_start[p + 1])]
            near = bay_of[part[np.random.randint(start[order], start[order + 1])]]
            bay = min(bays - 1, max(0, near + np.random.randint(-1, 2)))
            b = np.random.randint(slot_first[bay], slot_first[bay + 1])
        else:
            b = np.random.randint(slots)
        a = slot_of[p]
        q = content[b]
        if a == b or not may_swap(a, b, rules, content):
            continue
        x, y = slot_bay[a], slot_bay[b]
        delta = picks[p] * (reach[b] - reach[a])
        if q >= 0:
            delta += picks[q] * (reach[a] - reach[b])
        n = 0
        if x != y:
            delta += crowded(p, q, x, y, picks, zone, load, share)
            mark += 1
            bay_of[p] = y
            if q >= 0:
                bay_of[q] = x
            walked, n = change(
                p, q, start, part, of_start, of_order, bay_of, length, stamp, mark, touched, fresh, place, work
            )
            delta += walked
        if delta > -heat * np.log(np.random.random()):
            bay_of[p] = x
            if q >= 0:
                bay_of[q] = y
            continue
        for k in range(n):
            length[touched[k]] = fresh[k]
        load[zone[x]] -= picks[p] - (picks[q] if q >= 0 else 0)
        load[zone[y]] += picks[p] - (picks[q] if q >= 0 else 0)
        slot_of[p], content[a], content[b] = b, q, p
        if q >= 0:
            slot_of[q] = a
        now += delta
        if now < best - 1e-9:
            best = now
            best_of[:] = slot_of
    return best_of
