"""The whole way to a batch plan: savings, annealing on exact tours, set partitioning over the batches seen."""

import time
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from dispatcher.optimizers.batching.anneal import anneal
from dispatcher.optimizers.batching.nearest import ALL_PAIRS_UP_TO, savings_among_nearest
from dispatcher.optimizers.batching.partition import choose
from dispatcher.optimizers.batching.problem import Params, Plan, Problem, joined
from dispatcher.optimizers.batching.savings import savings
from dispatcher.optimizers.picking.exact import shortest_length_m
from dispatcher.optimizers.picking.states import tables

_PROBE = 20_000
_SHARE_OF_ANNEALING = 0.85
_RESTARTS, _FEW_ORDERS = 3, 150
"""Small problems are annealed thrice: runs differ by more than a longer one gains, and all feed the partitioning."""
_EFFORT_PER_S = 0.1


def first_come(problem: Problem) -> Plan:
    """Fill one tour after the other in the order of arrival: the baseline."""
    batches: list[list[int]] = []
    held = problem.capacity.copy()
    for n, load in enumerate(problem.load):
        if not batches or ((held + load) > problem.capacity).any():
            batches.append([])
            held = np.zeros_like(problem.capacity)
        batches[-1].append(n)
        held = held + load
    return _plan(problem, [tuple(b) for b in batches], 0)


def plan(problem: Problem, params: Params | None = None, clock: Callable[[], float] = time.perf_counter) -> Plan:
    """Find batches whose exact tours are short together; never longer than savings alone.

    `clock` (s) is what `Params.seconds` is measured on.
    """
    p = params or Params()
    orders = len(problem.orders)
    if not orders:
        return Plan((), 0.0, 0)
    w, t = problem.warehouse, tables(problem.warehouse.blocks)
    shape = (w.cross_m, float(w.pitch_m), w.depot_aisle, w.depot_cross)
    graph = (t.vertical, t.horizontal, t.closed, t.untouched)
    place = (problem.bits, problem.load, problem.capacity, problem.spots.aisle, problem.spots.at_m, shape, graph)
    batch_of = np.arange(orders)
    none = np.zeros((0, 1), np.uint64)
    anneal(*place, batch_of, 1, 1.0, 1.0, p.seed, none, np.zeros(0))  # compiled or loaded before the time counts
    begun = clock()
    batch_of = savings(*place) if orders <= ALL_PAIRS_UP_TO else savings_among_nearest(problem, shape, graph)
    best = _plan(problem, _groups(batch_of), 0)
    mean = max(best.length_m / len(best.batches), 1e-6)  # all picks may lie at the depot
    hot, cold = mean * p.start_share, mean * p.end_share
    if orders > _FEW_ORDERS:  # each order has fewer moves in the same time: begin and end colder
        hot, cold = hot / 2, cold / 3
    seen = np.zeros((p.pool, -(-orders // 64)), np.uint64)
    lengths = np.zeros(p.pool)
    proposals = p.proposals
    if proposals is None:
        probe = clock()
        for heat in (hot, cold):  # most proposals are refused early when it is cold
            anneal(*place, batch_of, _PROBE, heat, heat, p.seed, seen[:0], lengths[:0])
        rate = 2 * _PROBE / (clock() - probe)
        left = p.seconds - (clock() - begun)
        proposals = max(_PROBE, int(rate * left * (_SHARE_OF_ANNEALING if p.pool else 0.98)))
    known: dict[tuple[int, ...], float] = {}
    runs = _RESTARTS if orders <= _FEW_ORDERS else 1
    for n in range(runs):
        found, length, rows = anneal(*place, batch_of, proposals // runs, hot, cold, p.seed + n, seen, lengths)
        _remember(known, orders, seen[:rows], lengths[:rows])
        if length < best.length_m - 1e-9:
            best = _plan(problem, _groups(found), proposals)
    if p.pool and known:
        known |= {b: shortest_length_m(w, joined(problem, b)) for b in best.batches}
        chosen = choose(orders, sorted(known.items()), set(best.batches), max(0.1, _EFFORT_PER_S * p.seconds))
        if chosen is not None:
            joint = _plan(problem, chosen, proposals)
            best = min(best, joint, key=lambda one: one.length_m)
    return Plan(best.batches, best.length_m, proposals)


def _groups(batch_of: npt.NDArray[np.int64]) -> list[tuple[int, ...]]:
    groups: dict[int, list[int]] = defaultdict(list)
    for order, batch in enumerate(batch_of.tolist()):
        groups[batch].append(order)
    return [tuple(g) for g in groups.values()]


def _remember(
    known: dict[tuple[int, ...], float], orders: int, seen: npt.NDArray[np.uint64], lengths: npt.NDArray[np.float64]
) -> None:
    rows, first = np.unique(seen, axis=0, return_index=True)
    bits = np.unpackbits(rows.view(np.uint8), axis=1, bitorder="little")[:, :orders]
    for row, n in zip(bits, first, strict=True):
        members = tuple(np.flatnonzero(row).tolist())
        if members:
            known[members] = float(lengths[n])


def _plan(problem: Problem, batches: list[tuple[int, ...]], proposals: int) -> Plan:
    ordered = tuple(sorted(tuple(sorted(b)) for b in batches))
    length = sum(shortest_length_m(problem.warehouse, joined(problem, b)) for b in ordered)
    return Plan(ordered, length, proposals)
