"""The whole way to a batch plan: savings, annealing on exact tours, set partitioning over the batches seen."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable

import msgspec
import numpy as np
import numpy.typing as npt

from dispatcher.optimizers.batching.anneal import anneal
from dispatcher.optimizers.batching.nearest import ALL_PAIRS_UP_TO, savings_among_nearest
from dispatcher.optimizers.batching.partition import choose
from dispatcher.optimizers.batching.problem import Params, Plan, Problem, joined, schedule
from dispatcher.optimizers.batching.savings import savings
from dispatcher.optimizers.picking.exact import shortest_length_m
from dispatcher.optimizers.picking.states import tables

_PROBE = 20_000
_CHUNK = 50_000
"""After so many proposals somebody is told, and may stop it."""
_SHARE_OF_ANNEALING = 0.85
_RESTARTS, _FEW_ORDERS = 3, 150
"""Small problems are annealed thrice: runs differ by more than a longer one gains, and all feed the partitioning."""
_FIRST = 200_000
_EFFORT_PER_S = 0.1
_GUARD = 0.97
"""Where the proposals were guessed from a rate that fell since, the annealing ends after this share of the time."""
Watch = Callable[[int, float], bool]
"""Told how many proposals were tried, and the cost of the best plan so far; true: stop now."""


def first_come(problem: Problem) -> Plan:
    """Fill one tour after the other in the order of arrival: the baseline."""
    return _filled(problem, range(len(problem.orders)))


def _filled(problem: Problem, order: Iterable[int]) -> Plan:
    batches: list[list[int]] = []
    held = problem.capacity.copy()
    for n in order:
        load = problem.load[n]
        if not batches or ((held + load) > problem.capacity).any():
            batches.append([])
            held = np.zeros_like(problem.capacity)
        batches[-1].append(n)
        held = held + load
    return _plan(problem, [tuple(b) for b in batches], 0)


def plan(
    problem: Problem,
    params: Params | None = None,
    clock: Callable[[], float] = time.perf_counter,
    watch: Watch = lambda _proposals, _cost: False,
) -> Plan:
    """Find batches whose exact tours are short together; never worse than savings alone, or filled by due time.

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
    promise = _promise(problem)
    none, far = np.zeros((0, 1), np.uint64), np.inf
    # compiled or loaded before the time counts
    anneal(*place, promise, np.arange(orders), 1, 1.0, 1.0, p.seed, far, none, np.zeros(0), 0)
    begun = clock()
    start = savings(*place) if orders <= ALL_PAIRS_UP_TO else savings_among_nearest(problem, shape, graph)
    best = _plan(problem, _groups(start), 0)
    if problem.promise is not None:
        best = min(best, _filled(problem, np.argsort(problem.promise.due_s, kind="stable")), key=lambda one: one.cost_m)
        for n, batch in enumerate(best.batches):
            start[list(batch)] = n
    mean = max(best.length_m / len(best.batches), 1e-6)  # all picks may lie at the depot
    hot, cold = mean * p.start_share, mean * p.end_share
    if orders > _FEW_ORDERS:  # each order has fewer moves in the same time: begin and end colder
        hot, cold = hot / 2, cold / 3
    seen, lengths = np.zeros((p.pool, -(-orders // 64)), np.uint64), np.zeros(p.pool)
    runs = _RESTARTS if orders <= _FEW_ORDERS else 1
    proposals, first = p.proposals, p.first or _FIRST
    if proposals is None:
        probe = clock()
        for heat in (hot, cold):  # most proposals are refused early when it is cold
            anneal(*place, promise, start, _PROBE, heat, 1.0, p.seed, far, seen[:0], lengths[:0], 0)
        rate = 2 * _PROBE / (clock() - probe)
        left = p.seconds - (clock() - begun)
        proposals = max(_PROBE, int(rate * left * (_SHARE_OF_ANNEALING if p.pool else 0.98)))
        first = p.first or -(-proposals // runs)
    known: dict[tuple[int, ...], float] = {}
    tried, run, stop = 0, 0, watch(0, best.cost_m)
    while tried < proposals and not stop:
        size = first << (run // runs)
        fall, now, least, rows, done = (cold / hot) ** (1.0 / size), start, far, 0, 0
        while done < size and tried < proposals and not stop:
            steps = min(_CHUNK, size - done, proposals - tried)
            heat, seed = hot * fall**done, (p.seed + run * 1_000_003 + done) % (1 << 31)
            now, found, cost, rows = anneal(*place, promise, now, steps, heat, fall, seed, least, seen, lengths, rows)
            if cost < least:
                least = cost
                if cost < best.cost_m - 1e-9:
                    best = min(best, _plan(problem, _groups(found), 0), key=lambda one: one.cost_m)
            done, tried = done + steps, tried + steps
            stop = watch(tried, best.cost_m) or (p.proposals is None and clock() - begun > _GUARD * p.seconds)
        if p.pool:
            _remember(known, orders, seen[: min(rows, p.pool)], lengths[:rows])
        run += 1
        if known and done == size and run % runs == 0:
            best = _partitioned(problem, known, best, max(0.1, _EFFORT_PER_S * p.seconds))
            stop = stop or watch(tried, best.cost_m)
    return msgspec.structs.replace(best, proposals=tried, first=first)


def _promise(problem: Problem) -> tuple[object, ...]:
    """Return the promise as the annealing reads it."""
    p = problem.promise
    if p is None:
        nothing = np.zeros(0)
        return (nothing, nothing, nothing, nothing, 0.0, 0.0, 0.0)
    return (p.due_s, p.weight, p.handling_s, p.free_s, float(p.setup_s), 1 / p.speed_mps, float(p.metres_a_late_s))


def _partitioned(problem: Problem, known: dict[tuple[int, ...], float], best: Plan, effort: float) -> Plan:
    """Choose the shortest of the batches seen; what is late is only looked at afterwards."""
    ours = {b: shortest_length_m(problem.warehouse, joined(problem, b)) for b in best.batches}
    chosen = choose(len(problem.orders), sorted((known | ours).items()), set(best.batches), effort)
    return best if chosen is None else min(best, _plan(problem, chosen, 0), key=lambda one: one.cost_m)


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
    ordered = tuple(sorted(tuple(sorted(int(n) for n in b)) for b in batches))
    lengths = [shortest_length_m(problem.warehouse, joined(problem, b)) for b in ordered]
    turns, late_m = schedule(problem, ordered, lengths)
    return Plan(ordered, sum(lengths), proposals, late_m, turns)
