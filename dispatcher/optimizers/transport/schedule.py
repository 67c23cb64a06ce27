"""When a given sequence of visits happens, what it costs, or why it cannot be driven.

A route begins as late as its earliest end allows, which makes it as short in time as it can be (M. W. P. Savelsbergh:
The vehicle routing problem with time windows, ORSA Journal on Computing 4, 1992).
"""

import itertools
from collections.abc import Sequence

from dispatcher.optimizers.transport.breaks import Timed, with_breaks
from dispatcher.optimizers.transport.problem import NO_WAY, UNBOUNDED, Problem, Vehicle
from dispatcher.optimizers.transport.routes import BREAK, DELIVERY, DEPOT, PICKUP, STOP, Route, Step, Visit


def schedule(
    problem: Problem, vehicle: Vehicle, number: int, steps: Sequence[Step], begun: Sequence[Visit] = (), now_s: int = 0
) -> Route | str:
    """Return the route, or the reason why it cannot be driven.

    Parameters
    ----------
    problem, vehicle, number
        The problem, the kind of vehicle, and which of them.
    steps
        What is done between the first and the last depot, without breaks: they are put where they delay least.
    begun
        Visits that are history already, from the first depot on; what follows is planned behind them.
    now_s
        Nothing new begins before.
    """
    depots = problem.depot_of
    begun_s = [v.begin_s for v in begun if v.kind != BREAK]
    start, end = depots[vehicle.start_depot], depots[vehicle.end_depot]
    full: list[Step] = [(DEPOT, start.id), *steps, (DEPOT, end.id)]
    n = len(full)
    place, opens, closes, service = [0] * n, [0] * n, [0] * n, [0] * n
    release, trip_begin = 0, 0
    opens_by_release = [0] * n
    for i, (kind, name) in enumerate(full):
        if kind == STOP:
            s = problem.stop_of[name]
            place[i], opens[i], closes[i], service[i] = problem.place_of[s.place], s.open_s, s.close_s, s.service_s
            release = max(release, s.release_s)
        elif kind == DEPOT:
            d = depots[name]
            place[i], opens[i], closes[i], service[i] = problem.place_of[d.place], d.open_s, d.close_s, d.service_s
            opens_by_release[trip_begin] = release
            release, trip_begin = 0, i
        else:
            p = problem.shipment_of[name]
            if kind == PICKUP:
                window = (p.pickup_place, p.pickup_open_s, p.pickup_close_s, p.pickup_service_s)
            else:
                window = (p.delivery_place, p.delivery_open_s, p.delivery_close_s, p.delivery_service_s)
            place[i], (opens[i], closes[i], service[i]) = problem.place_of[window[0]], window[1:]
    opens = [max(a, b) for a, b in zip(opens, opens_by_release, strict=True)]
    opens[0] = max(opens[0], vehicle.open_s, 0 if begun_s else now_s)
    closes[0], closes[-1] = min(closes[0], vehicle.close_s), min(closes[-1], vehicle.close_s)
    service[-1] = 0
    table = problem.matrices[vehicle.matrix]
    drive = [0, *(int(table.duration_s[a, b]) for a, b in itertools.pairwise(place))]
    meters = [0, *(int(table.distance_m[a, b]) for a, b in itertools.pairwise(place))]
    if NO_WAY in drive:
        return f"no way to {full[drive.index(NO_WAY)][1]}"
    if sum(meters) > vehicle.max_distance_m:
        return f"{sum(meters)} m, {vehicle.id} drives {vehicle.max_distance_m} m at the most"
    loads = _loads(problem, vehicle, full)
    if isinstance(loads, str):
        return loads
    if vehicle.breaks:
        return _priced(vehicle, number, full, with_breaks(
            vehicle, [name for _, name in full], opens, closes, drive, service, begun, now_s
        ), loads, service, sum(meters))  # fmt: skip
    begin = _begins(opens, drive, service, opens[0], begun_s, now_s)
    late = next((i for i in range(n) if begin[i] > closes[i] and i >= len(begun_s)), None)
    if late is not None:
        return f"{full[late][1]} would be reached at {begin[late]} s, it closes at {closes[late]} s"
    if not begun_s:
        latest = begin[-1]
        for i in range(n - 2, -1, -1):
            latest = min(closes[i], latest - drive[i + 1] - service[i])
        begin = _begins(opens, drive, service, max(latest, opens[0]), (), now_s)
    arrive = [begin[i - 1] + service[i - 1] + drive[i] if i else begin[0] for i in range(n)]
    return _priced(vehicle, number, full, Timed(begin, arrive, {}), loads, service, sum(meters))


def _priced(
    vehicle: Vehicle, number: int, full: list[Step], timed: Timed | str,
    loads: list[tuple[int, ...]], service: list[int], meters: int,
) -> Route | str:  # fmt: skip
    if isinstance(timed, str):
        return timed
    begin = timed.begin_s
    duration = begin[-1] - begin[0]
    overtime = max(0, duration - vehicle.shift_s)
    if overtime > vehicle.max_overtime_s:
        return f"{duration} s, {vehicle.id} works {vehicle.shift_s + vehicle.max_overtime_s} s at the most"
    visits: list[Visit] = []
    for i, (kind, name) in enumerate(full):
        for k, at in timed.breaks.get(i, ()):
            visits.append(Visit(BREAK, f"break {k + 1}", at, at, vehicle.breaks[k].duration_s, loads[i - 1]))
        visits.append(Visit(kind, name, timed.arrive_s[i], begin[i], service[i], loads[i]))
    cost = (
        vehicle.fixed_cost + meters * vehicle.cost_per_m + duration * vehicle.cost_per_s
        + overtime * vehicle.cost_per_overtime_s
    )  # fmt: skip
    return Route(vehicle.id, number, tuple(visits), meters, duration, overtime, cost)


def _begins(
    opens: list[int], drive: list[int], service: list[int], start: int, begun_s: Sequence[int], now_s: int
) -> list[int]:
    begin = list(begun_s) or [start]
    for i in range(len(begin), len(opens)):
        begin.append(max(begin[i - 1] + service[i - 1] + drive[i], opens[i], now_s if begun_s else 0))
    return begin


def _loads(problem: Problem, vehicle: Vehicle, full: list[Step]) -> list[tuple[int, ...]] | str:
    """What is on board after each step, or why it does not fit."""
    reloads = [name for kind, name in full[1:-1] if kind == DEPOT]
    if len(reloads) > vehicle.max_reloads or not set(reloads) <= set(vehicle.reload_depots):
        return f"{vehicle.id} may not reload so often or there: {reloads}"
    zero = (0,) * problem.dimensions
    loads: list[tuple[int, ...]] = []
    on_board: set[str] = set()
    for i, (kind, name) in enumerate(full):
        plus = minus = zero
        if kind == DEPOT:
            if on_board:
                return f"shipment {min(on_board)} is still on board at depot {name}"
            now = zero
            for what, other in full[i + 1 :]:
                if what == DEPOT:
                    break
                if what == STOP and problem.stop_of[other].delivery:
                    now = tuple(a + b for a, b in zip(now, problem.stop_of[other].delivery, strict=True))
            loads.append(now)
        else:
            if kind == STOP:
                plus, minus = problem.stop_of[name].pickup or zero, problem.stop_of[name].delivery or zero
            elif kind == PICKUP:
                plus = problem.shipment_of[name].amount or zero
                on_board.add(name)
            else:
                minus = problem.shipment_of[name].amount or zero
                if name not in on_board:
                    return f"shipment {name} is brought before it is fetched"
                on_board.discard(name)
            loads.append(tuple(a - m + p for a, m, p in zip(loads[-1], minus, plus, strict=True)))
        for k, (load, limit) in enumerate(zip(loads[-1], vehicle.capacity, strict=True)):
            if load > limit:
                return f"{load} of capacity {k} on board at {name}, {vehicle.id} holds {limit}"
    return loads


def alone(problem: Problem, name: str) -> str | None:
    """Return why no vehicle can serve this stop or shipment even on a route of its own; None if one can."""
    steps: list[Step] = [(STOP, name)] if name in problem.stop_of else [(PICKUP, name), (DELIVERY, name)]
    reasons: dict[str, str] = {}
    for v in problem.vehicles:
        found = schedule(problem, v, 0, steps)
        if isinstance(found, Route):
            return None
        reasons[v.id] = found
    if len(set(reasons.values())) == 1:
        return next(iter(reasons.values()))
    return "; ".join(f"{v}: {why}" for v, why in reasons.items())


def bounded(value: int) -> bool:
    """Whether a limit binds at all."""
    return value < UNBOUNDED
