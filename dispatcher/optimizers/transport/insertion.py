"""A late order: where in a running plan it costs least, without touching what has begun."""

from dispatcher.optimizers.transport.problem import Problem
from dispatcher.optimizers.transport.routes import BREAK, DELIVERY, DEPOT, PICKUP, STOP, Plan, Route, Step, Unplanned
from dispatcher.optimizers.transport.schedule import alone, schedule


def insert(problem: Problem, running: Plan, name: str, now_s: int) -> Plan:
    """Insert one stop or shipment, which `problem` knows and `running` does not, at the least cost.

    A visit to which the vehicle is already under way at `now_s` is history, and so is all before it: their times stay.
    Goods for a stop come from the depot, so a stop with a delivery goes into a trip that has not begun to load; pickups
    and shipments go anywhere behind what is history. Other visits keep their order and their vehicle.

    Returns
    -------
    Plan
        With `name` served, or named as unplanned with the reason.
    """
    best: tuple[int, int, Route] | None = None
    for n, route in enumerate(running.routes):
        vehicle = problem.vehicle_of[route.vehicle]
        begun = route.visits[: _history(route, now_s)]
        steps: list[Step] = [(v.kind, v.id) for v in route.visits[1:-1] if v.kind != BREAK]
        done = sum(v.kind != BREAK for v in begun)
        for changed in _positions(problem, route, steps, name, max(0, done - 1), now_s):
            found = schedule(problem, vehicle, route.number, changed, begun, now_s)
            if isinstance(found, Route) and (best is None or found.cost - route.cost < best[0]):
                best = (found.cost - route.cost, n, found)
    taken = {(r.vehicle, r.number) for r in running.routes}
    fresh: list[Step] = [(STOP, name)] if name in problem.stop_of else [(PICKUP, name), (DELIVERY, name)]
    for vehicle in problem.vehicles:
        free = next((k for k in range(vehicle.count) if (vehicle.id, k) not in taken), None)
        if free is None:
            continue
        found = schedule(problem, vehicle, free, fresh, (), now_s)
        if isinstance(found, Route) and (best is None or found.cost < best[0]):
            best = (found.cost, len(running.routes), found)
    prize = (problem.stop_of.get(name) or problem.shipment_of[name]).prize
    routes = list(running.routes)
    unplanned = list(running.unplanned)
    if best is None:
        why = alone(problem, name) or "no vehicle can take it in any more without breaking what it has to do"
        unplanned.append(Unplanned(name, why))
    elif prize is not None and best[0] > prize:
        why = f"serving it costs {best[0]}, more than the {prize} that leaving it out costs"
        unplanned.append(Unplanned(name, why))
    else:
        routes[best[1] : best[1] + 1] = [best[2]]
    return Plan(
        tuple(routes), tuple(unplanned), sum(r.cost for r in routes), sum(r.distance_m for r in routes),
        running.iterations, running.feasible_within,
    )  # fmt: skip


def _history(route: Route, now_s: int) -> int:
    """How many visits are done, under way, or being driven to; 0 if the route has not begun."""
    if route.visits[0].begin_s > now_s:
        return 0
    for n, v in enumerate(route.visits[:-1]):
        if v.begin_s + v.service_s > now_s and v.kind != BREAK:
            return n + 1
        following = route.visits[n + 1]
        if v.begin_s + v.service_s > now_s or following.arrive_s > now_s or following.begin_s > now_s:
            # under way, or resting on the way to it
            return next(m for m in range(n + 1, len(route.visits)) if route.visits[m].kind != BREAK) + 1
    return len(route.visits)


def _positions(
    problem: Problem, route: Route, steps: list[Step], name: str, first: int, now_s: int
) -> list[list[Step]]:
    """All ways to put it into the steps from `first` on."""
    stop = problem.stop_of.get(name)
    if stop is not None and any(stop.delivery):
        # the first trip that is not yet loading
        visits = [v for v in route.visits if v.kind != BREAK]
        later = [k for k, v in enumerate(visits[:-1]) if v.kind == DEPOT and v.begin_s > now_s]
        if not later:
            return []
        first = max(first, later[0])
    spots = range(first, len(steps) + 1)
    if stop is not None:
        return [[*steps[:k], (STOP, name), *steps[k:]] for k in spots]
    return [
        [*steps[:k], (PICKUP, name), *steps[k:m], (DELIVERY, name), *steps[m:]]
        for k in spots
        for m in range(k, len(steps) + 1)
        if all(kind != DEPOT for kind, _ in steps[k:m])
    ]
