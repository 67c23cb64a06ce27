"""Pickers in each other's way: what the objective counts, and a simulation that it is judged by.

An aisle between two cross aisles is narrow: nobody passes there. How often a picker finds another one in it follows
from the share of all picks that lie there (Gue, Meller and Skufca 2006, The effects of pick density on order picking
areas with narrow aisles): a pick with a share s of all picks in its aisle is kept waiting by each of the other pickers
with the probability s. So the metres lost are ``blocked_m * (pickers - 1) * sum(load ** 2) / sum(load)``, and layouts
that put all that is wanted often into one aisle cost more than their walks.

The simulation knows nothing of that: pickers walk the exact tour of one order after the other, and whoever comes to an
aisle that is occupied waits at its end.
"""

import heapq
from itertools import pairwise

import msgspec
import numpy as np

from contracts.errors import Rejected
from dispatcher.optimizers.picking.exact import shortest_tour
from dispatcher.optimizers.picking.warehouse import Picks
from dispatcher.optimizers.slotting.problem import Ints, Orders, Problem

_OUTSIDE = -1


class Shift(msgspec.Struct, frozen=True):
    """How a shift went: until the last order was brought, and what all pickers together walked, picked and waited."""

    makespan_s: float
    walk_s: float
    pick_s: float
    wait_s: float
    orders_per_h: float


def simulate(
    problem: Problem, slot_of: Ints, pickers: int, orders: Orders | None = None, speed_mps: float = 1.0,
    pick_s: float = 10.0,
) -> Shift:  # fmt: skip
    """Let pickers bring orders one by one, who is free takes the next; an aisle holds one of them at a time.

    Parameters
    ----------
    slot_of
        Slot of each part, shape (parts,).
    pickers
        At least 1.
    orders
        Those of the problem, if none are given.
    speed_mps, pick_s
        How fast everybody walks, above 0, and what a pick takes, at least 0.

    Raises
    ------
    Rejected
        A number is out of bounds.
    """
    for name, value, least in (("pickers", pickers, 1), ("pick_s", pick_s, 0)):
        if not value >= least:
            raise Rejected(name, value, f"at least {least}")
    if not speed_mps > 0:
        raise Rejected("speed_mps", speed_mps, "above 0")
    o = orders or problem.orders
    count = len(o.start) - 1
    free: dict[int, float] = {}
    now, total, waited = 0.0, [0.0, 0.0], 0.0
    # who is at which step of which order; those that come first to an aisle get it first
    heap = [(0.0, who, 0) for who in range(min(pickers, count))]
    steps = [_steps(problem, slot_of, o, n, speed_mps, pick_s) for n in range(min(pickers, count))]
    following = len(steps)
    while heap:
        at, who, k = heapq.heappop(heap)
        if k == len(steps[who]):
            now = max(now, at)
            if following < count:
                steps[who] = _steps(problem, slot_of, o, following, speed_mps, pick_s)
                following += 1
                heapq.heappush(heap, (at, who, 0))
            continue
        zone, walks, picks = steps[who][k]
        begin = at if zone == _OUTSIDE else max(at, free.get(zone, 0.0))
        waited += begin - at
        total[0] += walks
        total[1] += picks
        end = begin + walks + picks
        if zone != _OUTSIDE:
            free[zone] = end
        heapq.heappush(heap, (end, who, k + 1))
    return Shift(now, total[0], total[1], waited, 3600 * count / now if now > 0 else 0.0)


def _steps(
    problem: Problem, slot_of: Ints, orders: Orders, n: int, speed_mps: float, pick_s: float
) -> list[tuple[int, float, float]]:
    """The tour of an order as stays in aisles and outside: where, seconds of walking, seconds of picking."""
    w, s = problem.warehouse, problem.slots
    bay, times = np.unique(
        s.slot_bay[slot_of[orders.part[orders.start[n] : orders.start[n + 1]]]], return_counts=True
    )  # fmt: skip
    tour = shortest_tour(w, Picks(s.bay_aisle[bay], s.bay_at_m[bay]))
    left = {(int(s.bay_aisle[b]), float(s.bay_at_m[b])): int(k) for b, k in zip(bay, times, strict=True)}
    cross = w.cross_m
    found: list[tuple[int, float, float]] = []
    for (aisle, at), (to_aisle, to) in pairwise(tour.places):
        if aisle == to_aisle:
            block = int(np.searchsorted(cross, (at + to) / 2)) - 1
            zone, walks = aisle * w.blocks + block, abs(to - at) / speed_mps
        else:
            zone, walks = _OUTSIDE, abs(to_aisle - aisle) * w.pitch_m / speed_mps
        picks = pick_s * left.pop((to_aisle, to), 0)
        # at the far end of a stretch it stands in a cross aisle, and lets others in
        if found and found[-1][0] == zone and not (zone != _OUTSIDE and at in cross):
            found[-1] = (zone, found[-1][1] + walks, found[-1][2] + picks)
        else:
            found.append((zone, walks, picks))
    return found
