"""Routes and plans, and an independent look at them."""

from collections import Counter
from typing import Literal

import msgspec

from contracts.errors import Broken
from dispatcher.optimizers.transport.problem import NO_WAY, Problem, Vehicle

Kind = Literal["stop", "pickup", "delivery", "depot", "break"]
STOP: Kind = "stop"
PICKUP: Kind = "pickup"
DELIVERY: Kind = "delivery"
DEPOT: Kind = "depot"
BREAK: Kind = "break"
Step = tuple[Kind, str]
"""What is done, and the name of the stop, shipment or depot."""


class Visit(msgspec.Struct, frozen=True):
    """Arrival, begin of service and its length (s), and what is on board afterwards.

    A break stands before the visit that it is taken on the way to, also where it is taken at that visit's place; its
    name is its number among the vehicle's breaks, from 1.
    """

    kind: Kind
    id: str
    arrive_s: int
    begin_s: int
    service_s: int
    load: tuple[int, ...]


class Route(msgspec.Struct, frozen=True):
    """What one vehicle (the `number`-th of its kind, from 0) does; first and last visit are its depots."""

    vehicle: str
    number: int
    visits: tuple[Visit, ...]
    distance_m: int
    duration_s: int
    overtime_s: int
    cost: int


class Unplanned(msgspec.Struct, frozen=True):
    """A stop or shipment that no route serves, and why."""

    id: str
    reason: str


class Plan(msgspec.Struct, frozen=True):
    """Routes, what was left out, the cost of the routes; and the effort, whose `Params` give the plan again."""

    routes: tuple[Route, ...]
    unplanned: tuple[Unplanned, ...]
    cost: int
    distance_m: int
    iterations: int
    feasible_within: int
    horizon: int | None = None


def check(problem: Problem, plan: Plan) -> None:
    """Look at a plan without knowing how it was made.

    Raises
    ------
    Broken
        Something is served twice or forgotten, a vehicle too many is used, or a route does not keep times, windows,
        loads, limits, or the figures it states.
    """
    served = Counter((v.id, v.kind) for r in plan.routes for v in r.visits if v.kind not in {DEPOT, BREAK})
    left = {u.id for u in plan.unplanned}
    wanted = {(s.id, STOP) for s in problem.stops if s.id not in left}
    wanted |= {(s.id, kind) for s in problem.shipments if s.id not in left for kind in (PICKUP, DELIVERY)}
    if served != Counter(wanted) or left - {s.id for s in problem.demands}:
        odd = sorted({name for name, _ in wanted ^ set(served)} | {n for (n, _), k in served.items() if k > 1})
        raise Broken(f"plan: {odd[:5]} are not served exactly once or named as unplanned")
    used = Counter((r.vehicle, r.number) for r in plan.routes)
    for (name, number), times in used.items():
        if times > 1 or not 0 <= number < problem.vehicle_of[name].count:
            count = problem.vehicle_of[name].count
            raise Broken(f"plan: vehicle {name} {number} of {count} drives {times} routes")
    for route in plan.routes:
        _check_route(problem, problem.vehicle_of[route.vehicle], route)
    if plan.cost != sum(r.cost for r in plan.routes) or plan.distance_m != sum(r.distance_m for r in plan.routes):
        raise Broken(f"plan: says cost {plan.cost} and {plan.distance_m} m, its routes say otherwise")


def _check_route(problem: Problem, vehicle: Vehicle, route: Route) -> None:
    here = f"route {route.vehicle} {route.number}"
    visits, rests = _check_breaks(here, vehicle, route.visits)
    if (visits[0].kind, visits[0].id, visits[-1].kind, visits[-1].id) != (
        DEPOT, vehicle.start_depot, DEPOT, vehicle.end_depot,
    ):  # fmt: skip
        raise Broken(f"{here}: does not run from {vehicle.start_depot} to {vehicle.end_depot}")
    table = problem.matrices[vehicle.matrix]
    meters, reloads = 0, 0
    carried: set[str] = set()
    for n, v in enumerate(visits):
        place, open_s, close_s, service_s = _what(problem, v)
        last = n == len(visits) - 1
        if v.begin_s < max(v.arrive_s, open_s) or v.begin_s > close_s or v.service_s != (0 if last else service_s):
            raise Broken(f"{here}: {v.id} begins at {v.begin_s} s, arrival {v.arrive_s}, window {open_s} to {close_s}")
        if n:
            before = visits[n - 1]
            came = _what(problem, before)[0]
            if table.distance_m[came, place] == NO_WAY:
                raise Broken(f"{here}: there is no way from {before.id} to {v.id}")
            on_the_road = sum(b.service_s for b in rests[n] if b.begin_s < v.arrive_s)
            if v.arrive_s != before.begin_s + before.service_s + table.duration_s[came, place] + on_the_road:
                raise Broken(f"{here}: arrives at {v.id} at {v.arrive_s} s, the drive says otherwise")
            meters += int(table.distance_m[came, place])
        if v.kind == DEPOT:
            reloads += 0 < n < len(visits) - 1
            if 0 < n < len(visits) - 1 and v.id not in vehicle.reload_depots:
                raise Broken(f"{here}: reloads at {v.id}")
            if carried:
                raise Broken(f"{here}: still carries {min(carried)} at {v.id}")
            trip = _trip(visits, n)
            ready = max((problem.stop_of[s].release_s for s in trip), default=0)
            if v.begin_s < ready:
                raise Broken(f"{here}: leaves {v.id} at {v.begin_s} s with goods that are ready at {ready} s")
            load = [sum((problem.stop_of[s].delivery or zero)[k] for s in trip) for zero in [(0,) * problem.dimensions]
                    for k in range(problem.dimensions)]  # fmt: skip
        elif v.kind == STOP:
            stop = problem.stop_of[v.id]
            load = [a - b for a, b in zip(load, stop.delivery, strict=True)] if stop.delivery else load
            load = [a + b for a, b in zip(load, stop.pickup, strict=True)] if stop.pickup else load
        else:
            amount = problem.shipment_of[v.id].amount
            sign = 1 if v.kind == PICKUP else -1
            load = [a + sign * b for a, b in zip(load, amount, strict=True)] if amount else load
            if v.kind == PICKUP:
                carried.add(v.id)
            elif v.id not in carried:
                raise Broken(f"{here}: brings {v.id} before it fetched it")
            else:
                carried.remove(v.id)
        if any(a > c or a < 0 for a, c in zip(load, vehicle.capacity, strict=True)) or tuple(load) != v.load:
            raise Broken(f"{here}: {load} on board after {v.id}, says {v.load}, holds {vehicle.capacity}")
    duration = visits[-1].begin_s - visits[0].begin_s
    overtime = max(0, duration - vehicle.shift_s)
    cost = (
        vehicle.fixed_cost + meters * vehicle.cost_per_m + duration * vehicle.cost_per_s
        + overtime * vehicle.cost_per_overtime_s
    )  # fmt: skip
    if visits[0].begin_s < vehicle.open_s or visits[-1].begin_s > vehicle.close_s:
        raise Broken(f"{here}: drives outside of {vehicle.open_s} to {vehicle.close_s} s")
    if meters > vehicle.max_distance_m or overtime > vehicle.max_overtime_s or reloads > vehicle.max_reloads:
        raise Broken(f"{here}: {meters} m, {overtime} s overtime, {reloads} reloads are more than {vehicle.id} may")
    if (meters, duration, overtime, cost) != (route.distance_m, route.duration_s, route.overtime_s, route.cost):
        raise Broken(f"{here}: its figures are not {(meters, duration, overtime, cost)}")


def _check_breaks(
    here: str, vehicle: Vehicle, visits: tuple[Visit, ...]
) -> tuple[tuple[Visit, ...], list[tuple[Visit, ...]]]:
    """Return the visits without breaks, and before each of them the breaks; all breaks that are owed are there."""
    others: list[Visit] = []
    rests: list[tuple[Visit, ...]] = []
    before: list[Visit] = []
    taken: list[int] = []
    free_s = visits[0].begin_s
    for v in visits:
        if v.kind == BREAK:
            number = int(v.id.removeprefix("break ")) - 1
            rest = vehicle.breaks[number]
            if not max(free_s, rest.open_s) <= v.begin_s <= rest.close_s or v.service_s != rest.duration_s:
                raise Broken(f"{here}: {v.id} from {v.begin_s} s, {v.service_s} s long, is none of {vehicle.id}'s")
            if not others or (taken and number <= taken[-1]):
                raise Broken(f"{here}: {v.id} is out of its order")
            taken.append(number)
            before.append(v)
        else:
            if before and v.begin_s < free_s:
                raise Broken(f"{here}: {v.id} begins at {v.begin_s} s, within a break")
            others.append(v)
            rests.append(tuple(before))
            before = []
        free_s = v.begin_s + v.service_s
    if before:
        raise Broken(f"{here}: ends with a break")
    rested = 0
    for number, rest in enumerate(vehicle.breaks):
        rested = max(rested, rest.open_s) + rest.duration_s
        if number not in taken and visits[-1].begin_s > rest.close_s and visits[0].begin_s < rested:
            raise Broken(f"{here}: break {number + 1} from {rest.open_s} to {rest.close_s} s is not taken")
    return tuple(others), rests


def _trip(visits: tuple[Visit, ...], start: int) -> list[str]:
    trip = []
    for v in visits[start + 1 :]:
        if v.kind == DEPOT:
            break
        if v.kind == STOP:
            trip.append(v.id)
    return trip


def _what(problem: Problem, visit: Visit) -> tuple[int, int, int, int]:
    """Place, window and service of a visit, as the problem states them."""
    if visit.kind == DEPOT:
        d = problem.depot_of[visit.id]
        return problem.place_of[d.place], d.open_s, d.close_s, d.service_s
    if visit.kind == STOP:
        s = problem.stop_of[visit.id]
        return problem.place_of[s.place], s.open_s, s.close_s, s.service_s
    p = problem.shipment_of[visit.id]
    if visit.kind == PICKUP:
        return problem.place_of[p.pickup_place], p.pickup_open_s, p.pickup_close_s, p.pickup_service_s
    return problem.place_of[p.delivery_place], p.delivery_open_s, p.delivery_close_s, p.delivery_service_s
