"""Planning by PyVRP's iterated local search, and where only capacity binds by string removals.

The routes are timed and priced by our own `schedule`. PyVRP knows no breaks. Where vehicles owe some, it plans once
with shifts and hours that are shorter by them and once without; each best plan on its way is mended (`mending`), so
that more effort looks at the same plans and more.

N. A. Wouda, L. Lan, W. Kool: PyVRP: a high-performance VRP solver package (INFORMS Journal on Computing 36, 2024).
"""

import time
import warnings
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from contracts.errors import Broken
from dispatcher.optimizers.transport.guided_local_search import guided_local_search, knows
from dispatcher.optimizers.transport.mending import Mended, rested, steps_of, unrested
from dispatcher.optimizers.transport.problem import NO_WAY, UNBOUNDED, Params, Problem, Vehicle
from dispatcher.optimizers.transport.routes import DELIVERY, DEPOT, PICKUP, STOP, Plan, Route, Step, Unplanned
from dispatcher.optimizers.transport.schedule import alone, bounded, schedule
from dispatcher.optimizers.transport.strings import Removals, compiled, only_capacity_binds

_ITERATIONS_A_SOLUTION = 20
"""OR-Tools looks for a solution for each so many iterations."""
_BEFORE_STRINGS = 300
"""Iterations of local search before string removals go on from there, where only capacity binds."""
_MOST = int(np.iinfo(np.int64).max)
Watch = Callable[[int, float | None], bool]


def plan(
    problem: Problem,
    params: Params | None = None,
    clock: Callable[[], float] = time.perf_counter,
    watch: Watch | None = None,
) -> Plan:
    """Plan routes; what no vehicle can serve, or what does not pay or fit, is named with the reason.

    What must be served (prize None) is left out only if no plan that serves all of it was found within
    `Params.feasible_within` iterations. `clock` (s) is what `Params.seconds` is measured on.

    Parameters
    ----------
    problem, params, clock
        As they say.
    watch
        Told the iterations done and the cost of the best plan so far (None: none yet) before each iteration; true: stop
        now. The plan is then the one of as many iterations as it names.
    """
    p = params or Params()
    impossible = {s.id: why for s in problem.demands if (why := alone(problem, s.id)) is not None}
    if len(impossible) == len(problem.stops) + len(problem.shipments):
        return _named(problem, [], impossible, 0, p.feasible_within)
    if any(v.breaks for v in problem.vehicles):
        return _with_breaks(problem, impossible, p, clock, watch)
    strings = (p.iterations is None or p.iterations > _BEFORE_STRINGS) and only_capacity_binds(problem)
    if strings:
        compiled()  # before the time counts
    until = clock() + p.seconds
    guard = _Guard(clock, until, p.iterations, p.feasible_within, watch, enough=_BEFORE_STRINGS if strings else None)
    solution = _solve(problem, impossible, p.seed, guard, must=True)
    if guard.has_enough:
        removals = Removals(problem, impossible, _routes(problem, impossible, solution), p.seed)
        horizon = _anneal(removals, guard, p.horizon, None if p.iterations is not None else lambda: until - clock())
        routes = _numbered(problem, removals.routes())
        return _named(problem, routes, impossible, guard.count, p.feasible_within, horizon)
    iterations, within = guard.count, p.feasible_within
    if not solution.is_feasible():
        within = guard.count
        rest = p.iterations and max(1, p.iterations - iterations)
        guard = _Guard(clock, until, rest, None, watch, iterations)
        solution = _solve(problem, impossible, p.seed, guard, must=False)
        iterations += guard.count
    return _named(problem, _numbered(problem, _routes(problem, impossible, solution)), impossible, iterations, within)


class _Guard:
    """Stops PyVRP by iterations, by the clock, and by whoever watches; counts what was used."""

    def __init__(
        self, clock: Callable[[], float], until: float, iterations: int | None, feasible_within: int | None,
        watch: Watch | None, before: int = 0, enough: int | None = None,
    ) -> None:  # fmt: skip
        self.count = -1  # it asks once before each iteration
        self.has_enough = False
        self._enough = enough
        self._clock, self._until = clock, until
        self._iterations, self._within = iterations, feasible_within
        self._watch, self._before = watch, before

    def __call__(self, best_cost: int) -> bool:
        self.count += 1
        infeasible = best_cost >= _MOST
        if self._within is not None and infeasible and self.count >= self._within:
            return True
        if self._iterations is not None and self.count >= self._iterations:
            return True
        cost = None if infeasible else float(best_cost)
        if self._watch is not None and self._watch(self._before + self.count, cost) and self.count > 0:
            return True
        if self.count > 0 and self._clock() >= self._until:
            return True
        if self._enough is None or self.has_enough or self.count < self._enough or infeasible:
            return False
        self.has_enough = True  # stops local search alone; whoever goes on asks again after the next iteration
        return True


def _anneal(removals: Removals, guard: _Guard, horizon: int | None, left: Callable[[], float] | None) -> int | None:
    """Remove strings until the guard says stop; the horizon that the second round was laid out for, if it was."""
    begun, first = left() if left else 0.0, guard.count
    while True:
        rounds = removals.rounds
        removals.improve()
        if guard(removals.cost):
            return horizon
        if rounds == 0 and removals.rounds == 1:
            if horizon is None and left is not None:
                now = left()
                horizon = guard.count + int(now * (guard.count - first) / max(begun - now, 1e-9))
            if horizon is not None:
                removals.lay_out(horizon - guard.count)


def _with_breaks(
    problem: Problem, impossible: dict[str, str], p: Params, clock: Callable[[], float], watch: Watch | None
) -> Plan:
    """Plan without breaks, twice, and mend; each half of the effort with its own share of the clock."""
    begun, best, used = clock(), Mended(problem, impossible, price_of_leaving_out(problem)), 0
    halves = (rested(problem), msgspec.structs.replace(problem, vehicles=unrested(problem.vehicles)))
    for n, relaxed in enumerate(halves):
        if n and best.stopped:
            break

        def told(done: int, _cost: float | None, before: int = used) -> bool:
            best.stopped = watch is not None and watch(before + done, best.cost)
            return best.stopped

        def look(found: Any, relaxed: Problem = relaxed) -> None:
            if found.is_feasible():
                best.look([(problem.vehicle_of[v.id], s) for v, s in _routes(relaxed, impossible, found)])

        until = begun + p.seconds * (n + 1) / len(halves)
        share = None if p.iterations is None else (p.iterations + 1 - n) // 2
        guard = _Guard(clock, until, share, None, told)
        look(_solve(relaxed, impossible, p.seed, guard, must=False, on_best=look))
        used += guard.count
    if knows(problem) and not best.stopped:
        beside = guided_local_search(problem, max(1.0, p.seconds / 4), max(1, used // _ITERATIONS_A_SOLUTION))
        if beside is not None:
            best.look([(problem.vehicle_of[r.vehicle], steps_of(r)) for r in beside.routes])
    return _named(problem, best.routes, impossible, used, p.feasible_within)


def _solve(
    problem: Problem,
    impossible: dict[str, str],
    seed: int,
    guard: _Guard,
    *,
    must: bool,
    on_best: Callable[[Any], None] | None = None,
) -> Any:
    import pyvrp
    from pyvrp.exceptions import PenaltyBoundWarning

    data = _data(problem, impossible, must=must)
    start = None if must else pyvrp.Solution(data, [])
    with warnings.catch_warnings():  # that it finds nothing feasible is an answer here, not a warning
        warnings.simplefilter("ignore", PenaltyBoundWarning)
        callbacks = pyvrp.IteratedLocalSearchCallbacks()
        if on_best is not None:
            callbacks.on_best = on_best  # type: ignore[assignment]  # an object of hooks
        params = pyvrp.SolveParams(
            ils=pyvrp.IteratedLocalSearchParams(callbacks=callbacks),
            penalty=pyvrp.PenaltyParams(max_penalty=_dearest_violation(problem)),
        )
        return pyvrp.solve(
            data, stop=guard, seed=seed, collect_stats=False, display=False, initial_solution=start, params=params
        ).best


def _dearest_violation(problem: Problem) -> float:
    """What a unit too many may cost: PyVRP's default, or more, where a drive costs more and would pay for it."""
    drive = max(
        v.fixed_cost + v.cost_per_m * int(problem.matrices[v.matrix].distance_m.max())
        + v.cost_per_s * int(problem.matrices[v.matrix].duration_s.max())
        for v in problem.vehicles
    )  # fmt: skip
    return float(max(100_000, 2 * drive))


def _data(problem: Problem, impossible: dict[str, str], *, must: bool) -> Any:
    import pyvrp

    place, depots = problem.place_of, {d.id: n for n, d in enumerate(problem.depots)}
    far = max(int(m.distance_m.max()) for m in problem.matrices) + 1
    visits = (
        len(problem.stops)
        + 2 * len(problem.shipments)
        + sum(min(v.count, len(problem.demands)) + min(v.max_reloads, len(problem.demands)) for v in problem.vehicles)
    )
    never = far * (visits + 2)
    price = 0 if must else price_of_leaving_out(problem)
    zero = [0] * problem.dimensions
    clients = [
        pyvrp.Client(
            location=place[s.place], delivery=list(s.delivery) or zero, pickup=list(s.pickup) or zero,
            service_duration=s.service_s, tw_early=s.open_s, tw_late=_late(s.close_s), release_time=s.release_s,
            prize=price if s.prize is None else s.prize, required=must and s.prize is None, name=s.id,
        )
        for s in problem.stops
        if s.id not in impossible
    ]  # fmt: skip
    shipments = [
        pyvrp.Shipment(
            pickup_location=place[s.pickup_place], delivery_location=place[s.delivery_place],
            pickup_tw_early=s.pickup_open_s, pickup_tw_late=_late(s.pickup_close_s),
            pickup_service_duration=s.pickup_service_s, delivery_tw_early=s.delivery_open_s,
            delivery_tw_late=_late(s.delivery_close_s), delivery_service_duration=s.delivery_service_s,
            amount=list(s.amount) or zero, prize=price if s.prize is None else s.prize,
            required=must and s.prize is None, name=s.id,
        )
        for s in problem.shipments
        if s.id not in impossible
    ]  # fmt: skip
    vehicles = [
        pyvrp.VehicleType(
            num_available=min(v.count, len(problem.demands)), capacity=list(v.capacity),
            start_depot=depots[v.start_depot], end_depot=depots[v.end_depot],
            fixed_cost=v.fixed_cost, tw_early=v.open_s, tw_late=_late(v.close_s),
            shift_duration=_late(v.shift_s), max_overtime=v.max_overtime_s,
            max_distance=_longest(problem, v.matrix, v.max_distance_m, never),
            unit_distance_cost=v.cost_per_m, unit_duration_cost=v.cost_per_s,
            unit_overtime_cost=v.cost_per_overtime_s, profile=v.matrix,
            reload_depots=[depots[d] for d in v.reload_depots] if v.max_reloads else [],
            max_reloads=min(v.max_reloads, len(problem.demands)), name=v.id,
        )
        for v in problem.vehicles
    ]  # fmt: skip
    distances: Any = [np.where(m.distance_m == NO_WAY, never, m.distance_m) for m in problem.matrices]
    durations: Any = [np.where(m.duration_s == NO_WAY, 0, m.duration_s) for m in problem.matrices]
    return pyvrp.ProblemData(
        [pyvrp.Location(p.x, p.y, name=p.id) for p in problem.places],
        clients,
        [
            pyvrp.Depot(place[d.place], d.open_s, _late(d.close_s), d.service_s, name=d.id)
            for d in problem.depots
        ],
        vehicles,
        distances,
        durations,
        shipments=shipments,
    )  # fmt: skip


def _longest(problem: Problem, matrix: int, max_distance_m: int, never: int) -> int:
    """A limit on the distance that no route over a missing way keeps."""
    if (problem.matrices[matrix].distance_m == NO_WAY).any():
        return min(max_distance_m, never - 1)
    return _late(max_distance_m)


def _late(value: int) -> int:
    return value if bounded(value) else _MOST


def price_of_leaving_out(problem: Problem) -> int:
    """More than any one stop can add to the cost: a vehicle of its own, out and back, waiting all day."""
    ends = [s.close_s + s.service_s for s in problem.stops]
    ends += [s.delivery_close_s + s.delivery_service_s for s in problem.shipments]
    horizon = max((e for e in ends if bounded(e)), default=0) + 86_400
    most = 0
    for v in problem.vehicles:
        m = problem.matrices[v.matrix]
        longest = min(v.shift_s + v.max_overtime_s, horizon + 4 * int(m.duration_s.max()))
        most = max(
            most, v.fixed_cost + 4 * v.cost_per_m * int(m.distance_m.max()) + v.cost_per_s * longest
            + v.cost_per_overtime_s * min(v.max_overtime_s, longest),
        )  # fmt: skip
    return min(2 * most + 1, UNBOUNDED // 1024)


def _routes(problem: Problem, impossible: dict[str, str], solution: Any) -> list[tuple[Vehicle, list[Step]]]:
    """Read what each vehicle does between its depots."""
    stops = [s.id for s in problem.stops if s.id not in impossible]
    shipments = [s.id for s in problem.shipments if s.id not in impossible]
    routes = []
    for one in solution.routes():
        steps: list[Step] = []
        for a in list(one.schedule())[1:-1]:
            if a.is_client():
                steps.append((STOP, stops[a.idx]))
            elif a.is_depot():
                steps.append((DEPOT, problem.depots[a.idx].id))
            else:
                steps.append((PICKUP if a.is_pickup() else DELIVERY, shipments[a.idx]))
        if any(kind != DEPOT for kind, _ in steps):
            routes.append((problem.vehicles[one.vehicle_type()], steps))
    return routes


def _numbered(problem: Problem, routes: list[tuple[Vehicle, list[Step]]]) -> list[Route]:
    used: dict[str, int] = {}
    timed = []
    for vehicle, steps in routes:
        number = used.get(vehicle.id, 0)
        used[vehicle.id] = number + 1
        route = schedule(problem, vehicle, number, steps)
        if isinstance(route, str):
            raise Broken(f"transport: the search calls a route of {vehicle.id} feasible that is not: {route}")
        timed.append(route)
    return timed


def _named(
    problem: Problem, routes: list[Route], impossible: dict[str, str], iterations: int, within: int,
    horizon: int | None = None,
) -> Plan:  # fmt: skip
    served = {v.id for r in routes for v in r.visits if v.kind != DEPOT}
    unplanned = []
    for s in problem.demands:
        if s.id in impossible:
            unplanned.append(Unplanned(s.id, impossible[s.id]))
        elif s.id not in served and s.prize is None:
            unplanned.append(Unplanned(s.id, "the vehicles that there are do not suffice; no plan with it was found"))
        elif s.id not in served:
            unplanned.append(Unplanned(s.id, f"serving it costs more than the {s.prize} that leaving it out costs"))
    return Plan(
        tuple(routes), tuple(unplanned), sum(r.cost for r in routes), sum(r.distance_m for r in routes),
        iterations, within, horizon,
    )  # fmt: skip
