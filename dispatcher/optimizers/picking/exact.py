"""The exact tour by dynamic programming over the states of `states`, linear in the number of aisles."""

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from contracts.errors import Rejected
from dispatcher.optimizers.picking.states import Tables, tables
from dispatcher.optimizers.picking.tour import Tour, unroll
from dispatcher.optimizers.picking.warehouse import Picks, Warehouse

WAYS = 6


def shortest_length_m(warehouse: Warehouse, picks: Picks) -> float:
    """Return the length of the shortest tour from the depot past all picks and back; 0 for no picks."""
    if not len(picks.aisle):
        return 0.0
    length, _, _ = _run(warehouse, picks, keep=False)
    return length


def shortest_tour(warehouse: Warehouse, picks: Picks) -> Tour:
    """Return a shortest tour with the order in which it passes the picks."""
    if not len(picks.aisle):
        return Tour(0.0, (), ())
    length, ways, first = _run(warehouse, picks, keep=True)
    return unroll(warehouse, picks, length, ways, first)


def _run(warehouse: Warehouse, picks: Picks, *, keep: bool) -> tuple[float, npt.NDArray[np.int8], int]:
    t: Tables = tables(warehouse.blocks)
    first = min(int(picks.aisle[0]), warehouse.depot_aisle)
    length, ways = _solve(
        picks.aisle, picks.at_m, warehouse.cross_m, warehouse.pitch_m, warehouse.depot_aisle, warehouse.depot_cross,
        t.vertical, t.horizontal, t.closed, t.untouched, keep,
    )  # fmt: skip
    if not math.isfinite(length):  # every set of picks has a tour: this cannot be the input's fault
        raise Rejected("picks", picks.aisle.tolist(), "reachable")
    return length, ways, first


@njit(cache=True)
def stretch_costs(at, low, high, top, bottom, out):  # type: ignore[no-untyped-def]
    """Costs (m) of the six ways to walk a stretch from `top` to `bottom` past the picks ``at[low:high]``."""
    length = bottom - top
    out[1] = length
    out[2] = 2 * length
    if low == high:
        out[0] = 0.0
        out[3] = out[4] = out[5] = np.inf
        return
    out[0] = np.inf
    out[3] = 2 * (at[high - 1] - top)
    out[4] = 2 * (bottom - at[low])
    gap = 0.0
    for k in range(low, high - 1):
        gap = max(gap, at[k + 1] - at[k])
    out[5] = 2 * (length - gap) if gap > 0 else np.inf


@njit(cache=True)
def sweep(  # type: ignore[no-untyped-def]
    aisle, at, n, cross, pitch, depot_aisle, depot_cross, vertical, horizontal, closed, untouched, scratch,
    keep, back, way_of,
):  # fmt: skip
    """Run the dynamic program over ``n >= 1`` sorted picks; return the shortest length (m) and its last state.

    `scratch` is what `scratch_for` gave; with `keep` the steps' predecessors and ways go to `back` and `way_of`.
    """
    blocks, crosses, states = vertical.shape[0], horizontal.shape[0], vertical.shape[1]
    cost, nxt, ways, active, reached, finite = scratch
    for s in range(states):
        cost[s] = nxt[s] = np.inf
    first, last = min(aisle[0], depot_aisle), max(aisle[n - 1], depot_aisle)
    cost[0] = 0.0
    active[0] = 0
    count, pick, stage = 1, 0, 0
    for j in range(first, last + 1):
        for step in range(blocks if j == last else blocks + crosses):
            found = 0
            if step < blocks:
                low = pick
                while pick < n and aisle[pick] == j and at[pick] <= cross[step + 1]:
                    pick += 1
                stretch_costs(at, low, pick, cross[step], cross[step + 1], ways)
                options = 0
                down = vertical[step]
                for w in range(WAYS):
                    if ways[w] < np.inf:
                        finite[options] = w
                        options += 1
                for k in range(count):
                    s = active[k]
                    here = cost[s]
                    for o in range(options):
                        w = finite[o]
                        to, there = np.uint64(down[s, w]), here + ways[w]
                        if there < nxt[to]:
                            if nxt[to] == np.inf:
                                reached[found] = to
                                found += 1
                            nxt[to] = there
                            if keep:
                                back[stage, to] = s
                                way_of[stage, to] = w
            else:
                i = step - blocks
                door = j == depot_aisle and i == depot_cross
                across = horizontal[i]
                for k in range(count):
                    s = active[k]
                    here = cost[s]
                    # an odd vertex takes one edge on, any other none or two
                    low_w = 1 if across[s, 1] >= 0 else 0
                    for w in range(low_w, low_w + 1 + 2 * (1 - low_w), 2):
                        onward = across[s, w]
                        to, there = np.uint64(onward), here + w * pitch
                        if onward < 0 or not there < nxt[to] or (door and w == 0 and untouched[i, s]):
                            continue
                        if nxt[to] == np.inf:
                            reached[found] = to
                            found += 1
                        nxt[to] = there
                        if keep:
                            back[stage, to] = s
                            way_of[stage, to] = w
            for k in range(count):
                cost[active[k]] = np.inf
            cost, nxt = nxt, cost
            active, reached = reached, active
            count = found
            stage += 1
    best, end = np.inf, np.int64(-1)
    for k in range(count):
        s = active[k]
        if closed[s] and cost[s] < best and not (last == depot_aisle and untouched[depot_cross, s]):
            best, end = cost[s], np.int64(s)
    return best, end, stage


@njit(cache=True)
def scratch_for(states):  # type: ignore[no-untyped-def]
    """Working arrays of `sweep`, to be used again and again."""
    return (
        np.empty(states), np.empty(states), np.empty(WAYS),
        np.empty(states, np.uint64), np.empty(states, np.uint64), np.empty(WAYS, np.uint64),
    )  # fmt: skip


@njit(cache=True)
def _solve(  # type: ignore[no-untyped-def]
    aisle, at, cross, pitch, depot_aisle, depot_cross, vertical, horizontal, closed, untouched, keep
):  # fmt: skip
    states = vertical.shape[1]
    span = max(aisle[-1], depot_aisle) - min(aisle[0], depot_aisle) + 1
    stages = span * (vertical.shape[0] + horizontal.shape[0]) if keep else 1
    back = np.empty((stages, states), np.int32)
    way_of = np.empty((stages, states), np.int8)
    best, end, stage = sweep(
        aisle, at, len(aisle), cross, pitch, depot_aisle, depot_cross, vertical, horizontal, closed, untouched,
        scratch_for(states), keep, back, way_of,
    )  # fmt: skip
    chosen = np.zeros(stage, np.int8)
    if keep and end >= 0:
        for k in range(stage - 1, -1, -1):
            chosen[k] = way_of[k, end]
            end = np.int64(back[k, end])
    return best, chosen
