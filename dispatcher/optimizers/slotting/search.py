"""The whole way to a slotting: the best ABC layout, then annealing on exact tours."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from dispatcher.optimizers.picking.exact import shortest_length_m
from dispatcher.optimizers.picking.states import tables
from dispatcher.optimizers.picking.warehouse import Picks
from dispatcher.optimizers.slotting.anneal import anneal, lengths, workspace
from dispatcher.optimizers.slotting.layouts import across, nearest, within
from dispatcher.optimizers.slotting.problem import Ints, Orders, Params, Plan, Problem

Watch = Callable[[int, float | None], bool]
_PROBE = 4_000
_CHUNK = 10_000
"""Exchanges between two looks at whether to go on."""


class Floor:
    """A problem as arrays for the compiled loops."""

    def __init__(self, problem: Problem) -> None:
        w, s = problem.warehouse, problem.slots
        t = tables(w.blocks)
        first = np.searchsorted(s.slot_bay, np.arange(len(s.bay_aisle) + 1)).astype(np.int64)
        alone = np.array(
            [
                shortest_length_m(w, Picks(s.bay_aisle[k : k + 1], s.bay_at_m[k : k + 1]))
                for k in range(len(s.bay_aisle))
            ]
        )
        graph = (t.vertical, t.horizontal, t.closed, t.untouched)
        self.place: Any = (
            s.bay_aisle,
            s.bay_at_m,
            alone,
            w.cross_m,
            float(w.pitch_m),
            w.depot_aisle,
            w.depot_cross,
            graph,
        )
        self.rules: Any = (
            s.slot_bay, s.kind, s.bay_aisle, problem.kind, problem.allowed, problem.apart, problem.together, first,
        )  # fmt: skip
        self.states = len(t.closed)
        self.problem = problem

    def work(self, orders: Orders) -> Any:
        """Working arrays for the longest of these orders."""
        return workspace(int(np.diff(orders.start).max(initial=1)), self.states)

    def travel_m(self, slot_of: Ints, orders: Orders) -> float:
        """Sum of the exact tours, compiled."""
        bay_of = self.problem.slots.slot_bay[slot_of]
        return float(lengths(orders.start, orders.part, bay_of, self.place, self.work(orders)).sum())


def plan(
    problem: Problem,
    params: Params | None = None,
    start: Ints | None = None,
    clock: Callable[[], float] = time.perf_counter,
    watch: Watch | None = None,
) -> Plan:
    """Find a slotting that is never worse than the best of three ABC layouts (or than `start`) on the orders given.

    `start` is a slot for each part to begin from; `clock` (s) is what `Params.seconds` is measured on. `watch` is told
    now and then how many exchanges were tried and what the best slotting so far costs (m); true: stop now. With it,
    each ten thousand exchanges begin with the best so far.
    """
    p = params or Params()
    begun = clock()
    floor = Floor(problem)
    o, s = problem.orders, problem.slots
    of_start, of_order = problem.orders_of
    work = floor.work(o)
    crowd = (problem.zone, problem.crowd_share)
    args = (o.start, o.part, of_start, of_order, problem.picks, s.reach_m, floor.rules, crowd)
    starts = [start] if start is not None else [across(problem), within(problem), nearest(problem)]
    worth = [floor.travel_m(x, o) + _reach_m(problem, x) + problem.crowd_m(x) for x in starts]
    slot_of, travel = starts[int(np.argmin(worth))], min(worth)
    mean = max(travel / max(1, len(o.start) - 1), 1e-6)
    hot, cold = mean * p.start_share, mean * p.end_share
    swaps = p.swaps
    if swaps is None:
        anneal(*args, slot_of, floor.place, work, 1, hot, cold, p.seed)  # compiled or loaded before the time counts
        probe = clock()
        for heat in (hot, cold):
            anneal(*args, slot_of, floor.place, work, _PROBE, heat, heat, p.seed)
        rate = 2 * _PROBE / max(clock() - probe, 1e-9)
        swaps = max(_PROBE, int(0.95 * rate * (p.seconds - (clock() - begun))))
    found = slot_of
    if watch is None:
        found = anneal(*args, slot_of, floor.place, work, swaps, hot, cold, p.seed)
    else:
        tried = 0
        while not watch(tried, floor.travel_m(found, o) + _reach_m(problem, found) + problem.crowd_m(found)):
            if tried >= swaps:
                break
            more = min(_CHUNK, swaps - tried)
            now, then = (hot * (cold / hot) ** (n / swaps) for n in (tried, tried + more))
            found = anneal(*args, found, floor.place, work, more, now, then, p.seed + tried)
            tried += more
        swaps = tried
    return Plan(found, floor.travel_m(found, o), _reach_m(problem, found), swaps, problem.crowd_m(found))


def as_plan(problem: Problem, slot_of: Ints) -> Plan:
    """Price a layout."""
    travel = Floor(problem).travel_m(slot_of, problem.orders)
    return Plan(slot_of, travel, _reach_m(problem, slot_of), 0, problem.crowd_m(slot_of))


def _reach_m(problem: Problem, slot_of: Ints) -> float:
    return float((problem.picks * problem.slots.reach_m[slot_of]).sum())
