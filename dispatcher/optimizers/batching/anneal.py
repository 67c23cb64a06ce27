"""Annealing over batches: shift an order, swap two, or swap two against one; every length is an exact tour.

What is late is charged by a schedule of all batches that is made anew for each proposal that is short enough.

After S. Henn, G. Waescher: Tabu search heuristics for the order batching problem (EJOR 222, 2012) for the moves.
"""

import numpy as np
from numba import njit

from dispatcher.optimizers.batching.union import union_length
from dispatcher.optimizers.picking.exact import scratch_for

NOBODY = -1


@njit(cache=True)
def _gather(bits, member, size, batch, out, leave, leave_too, take, take_too):  # type: ignore[no-untyped-def]
    for w in range(len(out)):
        out[w] = np.uint64(0)
    for k in range(size[batch]):
        order = member[batch, k]
        if order not in (leave, leave_too):
            for w in range(len(out)):
                out[w] |= bits[order, w]
    for order in (take, take_too):
        if order >= 0:
            for w in range(len(out)):
                out[w] |= bits[order, w]


@njit(cache=True)
def _fits(load, capacity, held, batch, leave, leave_too, take, take_too):  # type: ignore[no-untyped-def]
    for d in range(len(capacity)):
        sum_ = held[batch, d]
        if leave >= 0:
            sum_ -= load[leave, d]
        if leave_too >= 0:
            sum_ -= load[leave_too, d]
        if take >= 0:
            sum_ += load[take, d]
        if take_too >= 0:
            sum_ += load[take_too, d]
        if sum_ > capacity[d]:
            return False
    return True


@njit(cache=True)
def _move(batch_of, member, size, held, load, order, to):  # type: ignore[no-untyped-def]
    old = batch_of[order]
    for k in range(size[old]):
        if member[old, k] == order:
            member[old, k] = member[old, size[old] - 1]
            break
    size[old] -= 1
    member[to, size[to]] = order
    size[to] += 1
    batch_of[order] = to
    for d in range(load.shape[1]):
        held[old, d] -= load[order, d]
        held[to, d] += load[order, d]


@njit(cache=True)
def _weigh(member, size, due, handling, batch, first, work):  # type: ignore[no-untyped-def]
    first[batch], work[batch] = np.inf, 0.0
    for k in range(size[batch]):
        order = member[batch, k]
        first[batch] = min(first[batch], due[order])
        work[batch] += handling[order]


@njit(cache=True)
def _late_m(member, size, length, promise, first, work, turn, free):  # type: ignore[no-untyped-def]
    """What lateness counts (m) if batches, in the order of their first due times, go to who is free first."""
    due, weight, _, free_s, setup_s, pace, charge = promise
    for k in range(1, len(turn)):  # nearly sorted already
        b, n = turn[k], k
        while n > 0 and (first[turn[n - 1]] > first[b] or (first[turn[n - 1]] == first[b] and turn[n - 1] > b)):
            turn[n] = turn[n - 1]
            n -= 1
        turn[n] = b
    for p in range(len(free)):
        free[p] = free_s[p]
    late = 0.0
    for b in turn:
        if size[b] == 0:
            continue
        picker = 0
        for p in range(1, len(free)):
            if free[p] < free[picker]:
                picker = p
        free[picker] += setup_s + length[b] * pace + work[b]
        for m in range(size[b]):
            order = member[b, m]
            if free[picker] > due[order]:
                late += weight[order] * (free[picker] - due[order])
    return late * charge


@njit(cache=True)
def anneal(  # type: ignore[no-untyped-def]
    bits, load, capacity, spot_aisle, spot_at, shape, graph, promise, batch_of, proposals, heat, fall, seed,
    best, seen, seen_length, rows,
):  # fmt: skip
    """Go on from `batch_of` (orders,); return where it ends, the best found, its cost (m), and the rows seen so far.

    The temperature begins at `heat` (m) and is multiplied by `fall` for each proposal. `promise` is due times (s),
    weights and handling times (s) of the orders, when pickers are free (s), what a batch takes besides (s), seconds a
    metre, and metres a second late (0: nothing is due). Batches of accepted states near the best (`best` m so far) go
    into `seen` (rows, words of orders) with their length, in a ring; the best returned is `batch_of` itself where
    nothing below `best` was found.
    """
    np.random.seed(seed)
    orders, words = bits.shape
    batches = orders
    member = np.zeros((batches, orders), np.int64)
    size = np.zeros(batches, np.int64)
    held = np.zeros((batches, load.shape[1]), np.int64)
    length = np.zeros(batches)
    scratch = scratch_for(graph[0].shape[1])
    aisle, at = np.empty(words * 64, np.int64), np.empty(words * 64)
    back, way_of = np.empty((1, 1), np.int32), np.empty((1, 1), np.int8)
    one, two = np.zeros(words, np.uint64), np.zeros(words, np.uint64)
    batch_of = batch_of.copy()
    for order in range(orders):
        b = batch_of[order]
        member[b, size[b]] = order
        size[b] += 1
        for d in range(load.shape[1]):
            held[b, d] += load[order, d]
    due, handling, charged = promise[0], promise[2], promise[6] > 0
    first, work = np.full(batches, np.inf), np.zeros(batches)
    turn, free = np.arange(batches), np.zeros(len(promise[3]))
    now = late = 0.0
    for b in range(batches):
        _gather(bits, member, size, b, one, NOBODY, NOBODY, NOBODY, NOBODY)
        length[b] = union_length(one, spot_aisle, spot_at, shape, graph, scratch, aisle, at, back, way_of, np.inf)
        now += length[b]
    if charged:
        for b in range(batches):
            _weigh(member, size, due, handling, b, first, work)
        late = _late_m(member, size, length, promise, first, work, turn, free)
        now += late
    best_of = batch_of.copy()
    best = min(best, now)
    for _ in range(proposals):
        heat *= fall
        i = np.random.randint(orders)
        a = batch_of[i]
        kind = np.random.random()
        i_too, k = NOBODY, NOBODY
        if kind < 0.35:
            # a shift to the batch of another order, or to an empty one
            b = batch_of[np.random.randint(orders)]
            if np.random.random() < 0.03:
                b = 0
                while size[b] > 0 and b < batches - 1:
                    b += 1
        else:
            k = np.random.randint(orders)
            b = batch_of[k]
            if kind > 0.75 and size[a] > 1:
                i_too = member[a, np.random.randint(size[a])]
                if i_too == i:
                    continue
        if a == b:
            continue
        if not _fits(load, capacity, held, b, k, NOBODY, i, i_too):
            continue
        if not _fits(load, capacity, held, a, i, i_too, k, NOBODY):
            continue
        enough = length[a] + length[b] + late - heat * np.log(np.random.random())
        _gather(bits, member, size, a, one, i, i_too, k, NOBODY)
        new_a = union_length(one, spot_aisle, spot_at, shape, graph, scratch, aisle, at, back, way_of, enough)
        if new_a >= enough:
            continue
        _gather(bits, member, size, b, two, k, NOBODY, i, i_too)
        new_b = union_length(two, spot_aisle, spot_at, shape, graph, scratch, aisle, at, back, way_of, enough - new_a)
        if new_a + new_b >= enough:
            continue
        old_a, old_b, old_late = length[a], length[b], late
        length[a], length[b] = new_a, new_b
        _move(batch_of, member, size, held, load, i, b)
        if i_too >= 0:
            _move(batch_of, member, size, held, load, i_too, b)
        if k >= 0:
            _move(batch_of, member, size, held, load, k, a)
        if charged:
            _weigh(member, size, due, handling, a, first, work)
            _weigh(member, size, due, handling, b, first, work)
            late = _late_m(member, size, length, promise, first, work, turn, free)
            if new_a + new_b + late >= enough:
                length[a], length[b], late = old_a, old_b, old_late
                _move(batch_of, member, size, held, load, i, a)
                if i_too >= 0:
                    _move(batch_of, member, size, held, load, i_too, a)
                if k >= 0:
                    _move(batch_of, member, size, held, load, k, b)
                _weigh(member, size, due, handling, a, first, work)
                _weigh(member, size, due, handling, b, first, work)
                continue
        now += new_a + new_b + late - old_a - old_b - old_late
        if len(seen) and now < best * 1.02:
            for batch in (a, b):
                row = rows % len(seen)
                seen[row, :] = np.uint64(0)
                for m in range(size[batch]):
                    order = member[batch, m]
                    seen[row, order // 64] |= np.uint64(1) << np.uint64(order % 64)
                seen_length[row] = length[batch]
                rows += 1
        if now < best - 1e-9:
            best = now
            best_of[:] = batch_of
    return batch_of, best_of, best, rows
