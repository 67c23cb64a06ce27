"""The way to a plan: first come, and what shares pods; then annealing in rounds, each twice as long as the one before.

Rounds have lengths of their own, whatever effort is asked for: so more effort only goes on where less would have ended,
and never gives a worse plan.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from dispatcher.optimizers.stations.problem import NOWHERE, Ints, Params, Plan, Problem, Visit
from dispatcher.optimizers.stations.schedule import FINISH, GIVEN, LISTED, OLDEST, SHARED, simulate, workspace

Watch = Callable[[int, float | None], bool]
_ROUND = 4_000
_CHUNK = 2_000
"""Evaluations between two looks at whether to go on; divides a round."""


def plan(problem: Problem, params: Params | None = None, watch: Watch | None = None) -> Plan:
    """Find a plan that is never worse than `first_come` and `together`.

    `watch` is told now and then how many changes were tried and what the best plan so far costs; true: stop now.
    """
    p = params or Params()
    # seats are searched under the rule that frees slots; if first come is the best so far it stays so until beaten
    start = min((_filled(problem, LISTED, FINISH), together(problem)), key=lambda found: found.cost_s)
    best = min((first_come(problem), start), key=lambda found: found.cost_s)
    if problem.orders < 2:
        return best
    floor, work = _arrays(problem), _work(problem)
    seat, seats = _seats(problem, start.seats)
    best_seat, best_seats = seat.copy(), seats.copy()
    scores = np.array([start.cost_s] * 2)
    of_start, of_order = _orders_of(problem)
    pinned = np.bincount(problem.stands[problem.stands != NOWHERE], minlength=len(problem.slots)).astype(np.int64)
    finite = problem.way_s[np.isfinite(problem.way_s)]
    unit = problem.visit_s + 2 * float(finite.mean()) + 1e-9
    begun, tried, round_ends, length = time.perf_counter(), 0, _ROUND, _ROUND
    _seeded(p.seed)
    while tried < p.evaluations:
        if watch is not None and watch(tried, min(best.cost_s, float(scores[1]))):
            break
        if time.perf_counter() - begun > p.seconds:
            break
        if tried == round_ends:
            length *= 2
            round_ends += length
            seat[:], seats[:] = best_seat, best_seats
            scores[0] = scores[1]
        upto = min(p.evaluations, tried + _CHUNK)
        _run(
            *floor, seat, seats, best_seat, best_seats, pinned, of_start, of_order, scores, work,
            tried - (round_ends - length), upto - (round_ends - length), length,
            p.start_share * unit, p.end_share * unit,
        )  # fmt: skip
        tried = upto
    found = _read(problem, best_seat, best_seats, GIVEN, FINISH, tried)
    if found.cost_s < best.cost_s:
        return found
    return Plan(best.seats, best.visits, best.cost_s, tried)


def first_come(problem: Problem) -> Plan:
    """Orders as they are listed at the station with a free slot, and the pods of the oldest first: the baseline."""
    return _filled(problem, LISTED, OLDEST)


def together(problem: Problem) -> Plan:
    """Free slots go to the order of which the largest share of pods comes to its station anyway."""
    return _filled(problem, SHARED, FINISH)


def _filled(problem: Problem, filling: int, next_pod: int) -> Plan:
    seat, seats = _seats(problem, tuple(
        tuple(np.flatnonzero(problem.stands == s).tolist()) for s in range(len(problem.slots))
    ))  # fmt: skip
    return _read(problem, seat, seats, filling, next_pod, 0)


def _read(problem: Problem, seat: Ints, seats: Ints, filling: int, next_pod: int, tried: int) -> Plan:
    rows = len(problem.pod)
    visits, served = np.empty((rows, 4)), np.full(rows, -1, np.int64)
    work = _work(problem)
    cost, n = _simulate(*_arrays(problem), seat, seats, filling, next_pod, work, visits, served)
    orders: list[list[int]] = [[] for _ in range(n)]
    order_of = np.repeat(np.arange(problem.orders), np.diff(problem.start))
    for k, v in enumerate(served.tolist()):
        orders[v].append(int(order_of[k]))
    found = [Visit(int(v[0]), int(v[1]), float(v[2]), float(v[3]), tuple(orders[k])) for k, v in enumerate(visits[:n])]
    found.sort(key=lambda v: (v.begin_s, v.station))
    told = tuple(tuple(seat[s, : seats[s]].tolist()) for s in range(len(problem.slots)))
    return Plan(told, tuple(found), float(cost), tried)


def _arrays(problem: Problem) -> Any:
    costs = (problem.pick_s, problem.change_s, problem.visit_s, problem.finish_weight, problem.late_weight)
    return (
        problem.start, problem.pod, problem.lines, problem.due_s, problem.weight, problem.slots, problem.way_s,
        problem.allowed, tuple(float(c) for c in costs),
    )  # fmt: skip


def _work(problem: Problem) -> Any:
    return workspace(
        len(problem.slots), problem.orders, problem.way_s.shape[1], int(problem.slots.max()), len(problem.pod)
    )  # fmt: skip


def _seats(problem: Problem, told: tuple[tuple[int, ...], ...]) -> tuple[Ints, Ints]:
    seat = np.full((len(problem.slots), max(1, problem.orders)), -1, np.int64)
    for s, orders in enumerate(told):
        seat[s, : len(orders)] = orders
    return seat, np.array([len(orders) for orders in told], np.int64)


def _orders_of(problem: Problem) -> tuple[Ints, Ints]:
    """The orders that need each pod: pod p is needed by ``order[start[p]:start[p + 1]]``."""
    order = np.repeat(np.arange(problem.orders), np.diff(problem.start))
    count = np.bincount(problem.pod, minlength=problem.way_s.shape[1])
    by_pod = np.argsort(problem.pod, kind="stable")
    return np.concatenate(([0], np.cumsum(count))).astype(np.int64), order[by_pod].astype(np.int64)


@njit(cache=True)
def _seeded(seed):  # type: ignore[no-untyped-def]
    np.random.seed(seed)


@njit(cache=True)
def _place(n, seat, seats):  # type: ignore[no-untyped-def]
    """Where an order has its seat."""
    for s in range(len(seats)):
        for i in range(seats[s]):
            if seat[s, i] == n:
                return s, i
    return -1, -1


@njit(cache=True)
def _move(s, i, t, j, seat, seats):  # type: ignore[no-untyped-def]
    """Take seat `i` of station `s` out and put it in at `j` of station `t`, counted without it."""
    n = seat[s, i]
    for k in range(i, seats[s] - 1):
        seat[s, k] = seat[s, k + 1]
    seats[s] -= 1
    for k in range(seats[t], j, -1):
        seat[t, k] = seat[t, k - 1]
    seat[t, j] = n
    seats[t] += 1


@njit(cache=True)
def _anneal(  # type: ignore[no-untyped-def]
    start, pod, lines, due, weight, slots, way, allowed, costs, seat, seats, best_seat, best_seats, pinned, of_start,
    of_order, scores, work, first, last, length, hot, cold,
):  # fmt: skip
    """Move orders beside others that need the same pod, or anywhere, or change two: `first` to `last` of a round."""
    orders, stations = len(start) - 1, len(slots)
    none, nothing = np.empty((0, 4)), np.empty(0, np.int64)
    now, best = scores[0], scores[1]
    for k in range(first, last):
        heat = hot * (cold / hot) ** (k / max(1, length - 1))
        a = np.random.randint(orders)
        s, i = _place(a, seat, seats)
        if i < pinned[s]:
            continue
        luck = np.random.random()
        swap = False
        if luck < 0.6:  # beside one that needs the same pod
            p = pod[start[a] + np.random.randint(start[a + 1] - start[a])]
            b = of_order[of_start[p] + np.random.randint(of_start[p + 1] - of_start[p])]
            if b == a:
                continue
            t, j = _place(b, seat, seats)
            j += np.random.randint(-2, 3)
        elif luck < 0.8:
            t = np.random.randint(stations)
            j = np.random.randint(seats[t] + 1)
        else:
            b = np.random.randint(orders)
            t, j = _place(b, seat, seats)
            swap = True
            if b == a or j < pinned[t] or not allowed[s, b]:
                continue
        if not allowed[t, a]:
            continue
        if swap:
            seat[s, i], seat[t, j] = seat[t, j], seat[s, i]
        else:
            j = max(pinned[t], min(j, seats[t] - (1 if s == t else 0)))
            if s == t and i == j:
                continue
            _move(s, i, t, j, seat, seats)
        cost, _ = simulate(
            start, pod, lines, due, weight, slots, way, allowed, costs, seat, seats, GIVEN, FINISH, work, none, nothing
        )  # fmt: skip
        if cost - now > -heat * np.log(np.random.random()):
            if swap:
                seat[s, i], seat[t, j] = seat[t, j], seat[s, i]
            else:
                _move(t, j, s, i, seat, seats)
            continue
        now = cost
        if now < best - 1e-9:
            best = now
            best_seat[:] = seat
            best_seats[:] = seats
    scores[0], scores[1] = now, best


_run: Any = _anneal
_simulate: Any = simulate
