"""Savings: join the two batches that save most, until none saves or fits (Clarke and Wright 1964, C&W(ii))."""

import numpy as np
from numba import njit

from dispatcher.optimizers.batching.union import union_length
from dispatcher.optimizers.picking.exact import scratch_for


@njit(cache=True)
def savings(bits, load, capacity, spot_aisle, spot_at, shape, graph):  # type: ignore[no-untyped-def]
    """Return the batch of each order, shape (orders,), numbered by an order of it; O(n^2) lengths, O(n^3) looks."""
    orders, words = bits.shape
    batch_of = np.arange(orders)
    sets, held = bits.copy(), load.copy()
    scratch = scratch_for(graph[0].shape[1])
    aisle, at = np.empty(words * 64, np.int64), np.empty(words * 64)
    back, way_of = np.empty((1, 1), np.int32), np.empty((1, 1), np.int8)
    length = np.empty(orders)
    for a in range(orders):
        length[a] = union_length(sets[a], spot_aisle, spot_at, shape, graph, scratch, aisle, at, back, way_of, np.inf)
    alive = np.ones(orders, np.bool_)
    both = np.empty(words, np.uint64)
    saving = np.full((orders, orders), -np.inf, np.float32)
    best_of = np.full(orders, -1, np.int64)
    stale = np.ones(orders, np.bool_)
    for a in range(orders):
        for b in range(a):
            saving[a, b] = np.nan
    while True:
        top, left, right = 1e-9, -1, -1
        for a in range(orders):
            if not alive[a]:
                continue
            if stale[a]:
                best_of[a] = -1
                for b in range(a):
                    if not alive[b]:
                        continue
                    if np.isnan(saving[a, b]):
                        saving[a, b] = -np.inf
                        fits = True
                        for d in range(len(capacity)):
                            fits = fits and held[a, d] + held[b, d] <= capacity[d]
                        if fits:
                            both[:] = sets[a] | sets[b]
                            joint = union_length(
                                both, spot_aisle, spot_at, shape, graph, scratch, aisle, at, back, way_of, np.inf
                            )
                            saving[a, b] = length[a] + length[b] - joint
                    if best_of[a] < 0 or saving[a, b] > saving[a, best_of[a]]:
                        best_of[a] = b
                stale[a] = False
            b = best_of[a]
            if b >= 0 and saving[a, b] > top:
                top, left, right = saving[a, b], a, b
        if left < 0:
            return batch_of
        # `right` takes `left` in
        for w in range(words):
            sets[right, w] |= sets[left, w]
        for d in range(len(capacity)):
            held[right, d] += held[left, d]
        length[right] = length[right] + length[left] - top
        alive[left] = False
        for order in range(orders):
            if batch_of[order] == left:
                batch_of[order] = right
        for a in range(orders):
            if a > right:
                saving[a, right] = np.nan
            elif a < right:
                saving[right, a] = np.nan
            if alive[a] and (a == right or a > right or best_of[a] == left):
                stale[a] = True
