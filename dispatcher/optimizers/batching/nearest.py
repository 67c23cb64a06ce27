"""Savings among likely partners only, for problems too large to look at every pair.

A pair's saving is guessed by how deep both orders reach into the same stretches of aisle, which is what a picker who
turns round at the last pick would save; only the best guesses are measured by exact tours. What is left over is joined
by savings over all pairs.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from dispatcher.optimizers.batching.problem import Problem
from dispatcher.optimizers.batching.savings import savings
from dispatcher.optimizers.batching.union import union_length
from dispatcher.optimizers.picking.exact import scratch_for

ALL_PAIRS_UP_TO = 600
"""So many orders or batches are joined by savings over all pairs."""
_PARTNERS = 24
_ENOUGH_LESS = 0.95


def savings_among_nearest(
    problem: Problem, shape: tuple[object, ...], graph: tuple[object, ...]
) -> npt.NDArray[np.int64]:
    """Return the batch of each order, shape (orders,), as `savings` does, in about O(n) tours."""
    places = (problem.spots.aisle, problem.spots.at_m, shape, graph)
    batch_of = np.arange(len(problem.orders))
    bits, load = problem.bits, problem.load
    while len(bits) > ALL_PAIRS_UP_TO:
        joined = _among_nearest(bits, load, problem.capacity, *places, _depth(problem, bits), _PARTNERS)
        alive, joined = np.unique(joined, return_inverse=True)
        fewer = len(alive) < _ENOUGH_LESS * len(bits)
        batch_of, bits, load = _fold(batch_of, bits, load, joined, len(alive))
        if not fewer:
            return batch_of
    return savings(bits, load, problem.capacity, *places)[batch_of]  # type: ignore[no-any-return]  # numba


def _fold(
    batch_of: npt.NDArray[np.int64],
    bits: npt.NDArray[np.uint64],
    load: npt.NDArray[np.int64],
    joined: npt.NDArray[np.int64],
    batches: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    both = np.zeros((batches, bits.shape[1]), np.uint64)
    np.bitwise_or.at(both, joined, bits)
    held = np.zeros((batches, load.shape[1]), np.int64)
    np.add.at(held, joined, load)
    return joined[batch_of], both, held


def _depth(problem: Problem, bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.float32]:
    """How far (m) each order reaches into each stretch from the end nearer to the depot, shape (orders, stretches)."""
    w = problem.warehouse
    home, at = w.cross_m[w.depot_cross], problem.spots.at_m
    block = np.clip(np.searchsorted(w.cross_m, at, side="left") - 1, 0, w.blocks - 1)
    reach = np.where(w.cross_m[block] >= home, at - w.cross_m[block], w.cross_m[block + 1] - at) + w.pitch_m
    stretch = problem.spots.aisle * w.blocks + block
    has = np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little")[:, : len(at)]
    depth = np.zeros((len(bits), w.aisles * w.blocks), np.float32)
    order, spot = np.nonzero(has)
    np.maximum.at(depth, (order, stretch[spot]), reach[spot].astype(np.float32))
    return depth


@njit(cache=True)
def _likely(depth, load, capacity, partners):  # type: ignore[no-untyped-def]
    orders, stretches = depth.shape
    near = np.full((orders, partners), -1, np.int64)
    guess = np.zeros((orders, partners), np.float32)
    for a in range(orders):
        for b in range(orders):
            if a == b:
                continue
            fits = True
            for d in range(len(capacity)):
                fits = fits and load[a, d] + load[b, d] <= capacity[d]
            if not fits:
                continue
            shared = np.float32(0.0)
            for s in range(stretches):
                shared += min(depth[a, s], depth[b, s])
            if shared <= guess[a, partners - 1]:
                continue
            k = partners - 1
            while k > 0 and guess[a, k - 1] < shared:
                guess[a, k], near[a, k] = guess[a, k - 1], near[a, k - 1]
                k -= 1
            guess[a, k], near[a, k] = shared, b
    return near


@njit(cache=True)
def _among_nearest(bits, load, capacity, spot_aisle, spot_at, shape, graph, depth, partners):  # type: ignore[no-untyped-def]
    orders, words = bits.shape
    near = _likely(depth, load, capacity, partners)
    batch_of = np.arange(orders)
    sets, held = bits.copy(), load.copy()
    scratch = scratch_for(graph[0].shape[1])
    aisle, at = np.empty(words * 64, np.int64), np.empty(words * 64)
    back, way_of = np.empty((1, 1), np.int32), np.empty((1, 1), np.int8)
    length = np.empty(orders)
    for a in range(orders):
        length[a] = union_length(sets[a], spot_aisle, spot_at, shape, graph, scratch, aisle, at, back, way_of, np.inf)
    alive = np.ones(orders, np.bool_)
    stale = np.ones(orders, np.bool_)
    gain, best_of = np.zeros(orders), np.full(orders, -1, np.int64)
    both, mixed = np.empty(words, np.uint64), np.empty(partners, np.int64)
    while True:
        top, left = 1e-9, -1
        for a in range(orders):
            if not alive[a]:
                continue
            if stale[a]:
                gain[a], best_of[a], stale[a] = 0.0, -1, False
                for k in range(partners):
                    if near[a, k] < 0:
                        continue
                    b = batch_of[near[a, k]]
                    fits = b != a
                    for d in range(len(capacity)):
                        fits = fits and held[a, d] + held[b, d] <= capacity[d]
                    if not fits:
                        continue
                    both[:] = sets[a] | sets[b]
                    apart = length[a] + length[b]
                    enough = apart - gain[a]
                    joint = union_length(
                        both, spot_aisle, spot_at, shape, graph, scratch, aisle, at, back, way_of, enough
                    )
                    if joint < enough:
                        gain[a], best_of[a] = apart - joint, b
            if gain[a] > top:
                top, left = gain[a], a
        if left < 0:
            return batch_of
        right = best_of[left]
        sets[right] |= sets[left]
        for d in range(len(capacity)):
            held[right, d] += held[left, d]
        length[right] += length[left] - top
        alive[left] = False
        for order in range(orders):
            if batch_of[order] == left:
                batch_of[order] = right
        # the best guesses of both, in turn, each batch once
        filled = 0
        for k in range(partners):
            for one in (left, right):
                x = near[one, k]
                fresh = x >= 0 and batch_of[x] != right
                for m in range(filled):
                    fresh = fresh and batch_of[mixed[m]] != batch_of[x]
                if fresh and filled < partners:
                    mixed[filled] = x
                    filled += 1
        near[right, :] = -1
        near[right, :filled] = mixed[:filled]
        stale[right] = True
        for a in range(orders):
            if best_of[a] in (left, right):
                stale[a] = True
