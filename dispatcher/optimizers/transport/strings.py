"""Where only capacity binds: anneal on string removals, many times as many moves a second as local search does.

One depot (or one at each end), one kind of vehicle, no windows, no limits on a route but what it holds. Everything else
is PyVRP's alone (`search`).
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dispatcher.optimizers.transport.problem import NO_WAY, Problem, Stop, Vehicle
from dispatcher.optimizers.transport.routes import STOP, Step
from dispatcher.optimizers.transport.schedule import bounded

MOVES = 200
"""Moves that count as one iteration: they take about as long as one of PyVRP's."""
_NEIGHBOURS = 400
_HOT, _COLD = 1.2, 0.027
"""Temperatures at the begin and the end of a round, in mean drives from stop to stop."""
_FIRST, _GROWTH = 1_000, 2
"""Moves of the first round for each stop; how many times as long each round is as the one before it."""
Routes = list[tuple[Vehicle, list[Step]]]


def only_capacity_binds(problem: Problem) -> bool:
    """Whether string removals know all that this problem asks for."""
    v, *others = problem.vehicles
    depots = (problem.depot_of[v.start_depot], problem.depot_of[v.end_depot])
    return (
        not others
        and not problem.shipments
        and not v.breaks
        and not v.max_reloads
        and not any(bounded(x) for x in (v.close_s, v.shift_s, v.max_distance_m, *(d.close_s for d in depots)))
        and all(s.prize is None and not s.open_s and not s.release_s and not bounded(s.close_s) for s in problem.stops)
        and (all(not any(s.pickup) for s in problem.stops) or all(not any(s.delivery) for s in problem.stops))
        and not (problem.matrices[v.matrix].distance_m == NO_WAY).any()
    )


def compiled() -> None:
    """Compile the moves, or load them, for costs of usual size."""
    from dispatcher.optimizers.transport.string_moves import moves

    none = np.zeros((1, 0), np.int32)
    routes = (*np.zeros((3, 1), np.int32), np.zeros((1, 1), np.int64), np.zeros(1, np.int64))
    moves(
        0, 1.0, np.zeros((2, 2), np.int32), none, none, np.zeros((1, 1), np.int64), np.zeros(1, np.int64), routes,
        routes, np.zeros(2, np.int64), np.ones(1, np.uint64),
    )  # fmt: skip


class Removals:
    """String removals on the routes of a problem in which only capacity binds.

    Parameters
    ----------
    problem, impossible
        The problem, and what no vehicle can serve.
    routes
        Routes that serve everything else, to begin with.
    seed
        Of the moves.

    Attributes
    ----------
    rounds
        How often it has cooled down; each round begins hot, with the best routes, and is twice as long as the last.
    """

    def __init__(self, problem: Problem, impossible: Mapping[str, str], routes: Routes, seed: int) -> None:
        self._vehicle = vehicle = problem.vehicles[0]
        self._names = [s.id for s in problem.stops if s.id not in impossible]
        stops = [problem.stop_of[name] for name in self._names]
        n, fleet = len(stops), min(vehicle.count, len(stops))
        self._cost, self._constant = _costs(problem, stops)
        there = (self._cost[:n, :n] + self._cost[:n, :n].T) // 2
        np.fill_diagonal(there, np.iinfo(there.dtype).max)
        near = np.argsort(there, axis=1, kind="stable")[:, : min(_NEIGHBOURS, n - 1)]
        self._near, self._apart = near.astype(np.int32), np.take_along_axis(there, near, axis=1)
        zero = (0,) * problem.dimensions
        amounts = [(*(s.delivery if any(s.delivery) else s.pickup or zero), 0) for s in stops]
        self._amount = np.ascontiguousarray(
            np.array(amounts, np.int64)[:, : max(1, problem.dimensions)]
        )  # one at the least, if only of 0
        self._capacity = np.array((*vehicle.capacity, 0), np.int64)[: max(1, problem.dimensions)]
        row = {name: k for k, name in enumerate(self._names)}
        ends = np.arange(n, n + fleet, dtype=np.int32)
        after, before = np.concatenate((np.zeros((2, n), np.int32), [ends, ends]), axis=1)
        of, load, size = (
            np.zeros(n, np.int32),
            np.zeros((fleet, max(1, problem.dimensions)), np.int64),
            np.zeros(fleet, np.int64),
        )
        worth, drives = self._constant, [0]
        for r, (_, steps) in enumerate(routes):
            path = [n + r, *(row[name] for _, name in steps), n + r]
            after[path[:-1]], before[path[1:]] = path[1:], path[:-1]
            of[path[1:-1]], load[r], size[r] = r, self._amount[path[1:-1]].sum(axis=0), len(steps)
            legs = [int(self._cost[min(a, n), min(b, n)]) for a, b in itertools.pairwise(path)]
            worth += sum(legs)
            drives += legs[1:-1]
        self._drive = max(1.0, sum(drives) / max(1, len(drives) - 1))
        self._now = after, before, of, load, size
        self._best = tuple(a.copy() for a in self._now)
        self._worth = np.array([worth, worth], np.int64)
        self._state = np.array([(seed * 0x9E3779B97F4A7C15 + 0x123456789ABCDEF) % 2**64 or 1], np.uint64)
        self.rounds, self._done, self._length = 0, 0, _FIRST * n

    @property
    def cost(self) -> int:
        """Of the best routes."""
        return int(self._worth[1])

    def improve(self) -> None:
        """Do the moves of one iteration; they depend on how many there were before, not on how many there will be."""
        from dispatcher.optimizers.transport.string_moves import moves

        heat = self._drive * _HOT * (_COLD / _HOT) ** (self._done / self._length)
        moves(
            MOVES, heat, self._cost, self._near, self._apart, self._amount, self._capacity, self._now, self._best,
            self._worth, self._state,
        )  # fmt: skip
        self._done += MOVES
        if self._done >= self._length:
            for now, best in zip(self._now, self._best, strict=True):
                now[:] = best
            self._worth[0] = self._worth[1]
            self.rounds, self._done, self._length = self.rounds + 1, 0, self._length * _GROWTH

    def lay_out(self, iterations: int) -> None:
        """Make the round that has just begun as long as this."""
        if iterations > 0:
            self._length = iterations * MOVES

    def routes(self) -> Routes:
        """Return the best routes."""
        after, _, of, _, size = self._best
        n, routes = len(of), []
        for r in np.flatnonzero(size):
            steps: list[Step] = []
            x = after[n + r]
            while x < n:
                steps.append((STOP, self._names[x]))
                x = after[x]
            routes.append((self._vehicle, steps))
        return routes


def _costs(problem: Problem, stops: Sequence[Stop]) -> tuple[npt.NDArray[Any], int]:
    """What each drive adds (the depot last, a vehicle's fixed cost with its first), and what is always added."""
    v, n = problem.vehicles[0], len(stops)
    start, end = problem.depot_of[v.start_depot], problem.depot_of[v.end_depot]
    m = problem.matrices[v.matrix]
    table = m.distance_m * v.cost_per_m + m.duration_s * v.cost_per_s
    at = [problem.place_of[s.place] for s in stops]
    cost = np.zeros((n + 1, n + 1), np.int64)
    cost[:n, :n] = table[np.ix_(at, at)]
    cost[n, :n] = table[problem.place_of[start.place], at] + v.fixed_cost + v.cost_per_s * start.service_s
    cost[:n, n] = table[at, problem.place_of[end.place]]
    small = 4 * int(cost.max()) < np.iinfo(np.int32).max
    return np.ascontiguousarray(cost, np.int32 if small else np.int64), v.cost_per_s * sum(s.service_s for s in stops)
