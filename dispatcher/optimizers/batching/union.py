"""The tour length of a union of orders, by bit sets: the kernel under savings and annealing."""

import numpy as np
from numba import njit

from dispatcher.optimizers.picking.exact import stretch_costs, sweep

_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_BIT_OF = np.zeros(64, np.int64)
for _k in range(64):
    _BIT_OF[((0x03F79D71B4CB0A89 << _k) & 0xFFFFFFFFFFFFFFFF) >> 58] = _k


@njit(cache=True)
def union_length(bits, spot_aisle, spot_at, shape, graph, scratch, aisle, at, back, way_of, enough):  # type: ignore[no-untyped-def]
    """Return the shortest tour (m) past the places in `bits` (words,), or a bound once that reaches `enough`.

    `aisle` and `at` are buffers for as many places as there are bits.
    """
    cross, pitch, depot_aisle, depot_cross = shape
    n = 0
    for word in range(len(bits)):
        left = bits[word]
        while left != np.uint64(0):
            low = left & (~left + np.uint64(1))
            spot = word * 64 + _BIT_OF[(low * _DE_BRUIJN) >> np.uint64(58)]
            aisle[n] = spot_aisle[spot]
            at[n] = spot_at[spot]
            n += 1
            left ^= low
    if n == 0:
        return 0.0
    # every aisle with picks costs at least its cheapest way in and out, and the farthest aisles must be reached
    first, last = min(aisle[0], depot_aisle), max(aisle[n - 1], depot_aisle)
    bound = 2 * pitch * (last - first)
    ways = scratch[2]
    k = 0
    while k < n and bound < enough:
        j, step, best = aisle[k], 0, 0.0
        while k < n and aisle[k] == j:
            while at[k] > cross[step + 1]:
                step += 1
            low = k
            while k < n and aisle[k] == j and at[k] <= cross[step + 1]:
                k += 1
            stretch_costs(at, low, k, cross[step], cross[step + 1], ways)
            best += min(ways[1], ways[3], ways[4], ways[5])
        bound += best
    if bound >= enough:
        return bound
    vertical, horizontal, closed, untouched = graph
    length, _, _ = sweep(
        aisle, at, n, cross, pitch, depot_aisle, depot_cross, vertical, horizontal, closed, untouched,
        scratch, False, back, way_of,
    )  # fmt: skip
    return length
