"""From routes that forget the breaks to routes that keep them: what does not fit any more goes where it costs least."""

from collections.abc import Mapping, Sequence

import msgspec

from dispatcher.optimizers.transport.problem import Problem, Shipment, Stop, Vehicle
from dispatcher.optimizers.transport.routes import DELIVERY, DEPOT, PICKUP, STOP, Route, Step
from dispatcher.optimizers.transport.schedule import bounded, schedule

_ROUNDS = 40
"""How often, at the most, something is taken out and put where it costs less."""
Free = list[tuple[Vehicle, list[Step]]]
"""Routes that are not timed: what each vehicle does between its depots."""


def unrested(vehicles: Sequence[Vehicle]) -> tuple[Vehicle, ...]:
    """Return vehicles whose drivers never rest."""
    return tuple(msgspec.structs.replace(v, breaks=()) for v in vehicles)


def rested(problem: Problem) -> Problem:
    """Return the problem without breaks, in which shifts and hours are shorter by them."""
    vehicles = []
    for v in problem.vehicles:
        rest_s = sum(b.duration_s for b in v.breaks)
        vehicles.append(
            msgspec.structs.replace(
                v, breaks=(),
                close_s=max(v.open_s, v.close_s - rest_s) if bounded(v.close_s) else v.close_s,
                shift_s=max(0, v.shift_s - rest_s) if bounded(v.shift_s) else v.shift_s,
            )
        )  # fmt: skip
    return msgspec.structs.replace(problem, vehicles=tuple(vehicles))


class Mended:
    """The best routes with breaks that were found so far.

    Parameters
    ----------
    problem
        With its breaks.
    impossible
        Stops and shipments that no vehicle can serve, with the reason.
    price
        What leaving out something costs that must be served.
    """

    def __init__(self, problem: Problem, impossible: Mapping[str, str], price: int) -> None:
        self._problem, self._impossible, self._price = problem, impossible, price
        self._worth: int | None = None
        self.routes: list[Route] = []
        self.stopped = False

    @property
    def cost(self) -> float | None:
        """Of the best routes; None: none yet."""
        return None if self._worth is None else float(sum(r.cost for r in self.routes))

    def look(self, free: Free) -> None:
        """Mend these routes, and keep them if they are better."""
        routes = [r for vehicle, steps in free if (r := self._kept(vehicle, steps)) is not None]
        routes = self._numbered(routes)
        served = {v.id for r in routes for v in r.visits}
        for s in sorted(self._problem.demands, key=lambda s: (s.prize is not None, -(s.prize or 0), s.id)):
            if s.id not in served and s.id not in self._impossible:
                routes, _ = self._put(routes, s)
        for _ in range(_ROUNDS):
            better = self._moved(routes)
            if better is None:
                break
            routes = better
        worth = self._of(routes)
        if self._worth is None or worth < self._worth:
            self._worth, self.routes = worth, routes

    def _of(self, routes: Sequence[Route]) -> int:
        served = {v.id for r in routes for v in r.visits}
        left = sum(
            self._price if s.prize is None else s.prize for s in self._problem.demands if s.id not in served
        )  # fmt: skip
        return sum(r.cost for r in routes) + left

    def _kept(self, vehicle: Vehicle, steps: Sequence[Step]) -> Route | None:
        """As much of a route as can be driven with breaks, in its order."""
        whole = schedule(self._problem, vehicle, 0, steps)
        if isinstance(whole, Route):
            return whole
        kept: Route | None = None
        chosen: set[str] = set()
        for _, name in [s for s in steps if s[0] in {STOP, PICKUP}]:
            wanted = chosen | {name}
            found = schedule(
                self._problem, vehicle, 0, _without_idle([s for s in steps if s[1] in wanted or s[0] == DEPOT])
            )
            if isinstance(found, Route):
                kept, chosen = found, wanted
        return kept

    def _numbered(self, routes: Sequence[Route]) -> list[Route]:
        used: dict[str, int] = {}
        numbered = []
        for r in routes:
            number = used.get(r.vehicle, 0)
            used[r.vehicle] = number + 1
            numbered.append(msgspec.structs.replace(r, number=number))
        return numbered

    def _put(self, routes: list[Route], what: Stop | Shipment) -> tuple[list[Route], int]:
        """Put something where it costs least, or leave it out where that costs less; and what it costs."""
        best: tuple[int, int, Route] | None = None
        used: dict[str, int] = {}
        for n, r in enumerate(routes):
            used[r.vehicle] = max(used.get(r.vehicle, 0), r.number + 1)
            vehicle = self._problem.vehicle_of[r.vehicle]
            for steps in _ways(steps_of(r), what):
                found = schedule(self._problem, vehicle, r.number, steps)
                if isinstance(found, Route) and (best is None or found.cost - r.cost < best[0]):
                    best = (found.cost - r.cost, n, found)
        for vehicle in self._problem.vehicles:
            if used.get(vehicle.id, 0) < vehicle.count:
                fresh: list[Step] = next(iter(_ways([], what)))
                found = schedule(self._problem, vehicle, used.get(vehicle.id, 0), fresh)
                if isinstance(found, Route) and (best is None or found.cost < best[0]):
                    best = (found.cost, len(routes), found)
        price = self._price if what.prize is None else what.prize
        if best is None or best[0] > price:
            return routes, price
        changed = list(routes)
        changed[best[1] : best[1] + 1] = [best[2]]
        return changed, best[0]

    def _moved(self, routes: list[Route]) -> list[Route] | None:
        """Take out what saves most, and put it where it costs less; None: there is no such thing."""
        by_id: dict[str, Stop | Shipment] = {s.id: s for s in self._problem.demands}
        savings: list[tuple[int, int, str, Route | None]] = []
        for n, r in enumerate(routes):
            vehicle = self._problem.vehicle_of[r.vehicle]
            for name in dict.fromkeys(name for kind, name in steps_of(r) if kind != DEPOT):
                left = _without_idle([s for s in steps_of(r) if s[1] != name or s[0] == DEPOT])
                if all(kind == DEPOT for kind, _ in left):
                    savings.append((-r.cost, n, name, None))
                    continue
                found = schedule(self._problem, vehicle, r.number, left)
                if isinstance(found, Route):
                    savings.append((found.cost - r.cost, n, name, found))
        for saving, n, name, left_over in sorted(savings, key=lambda s: s[:3])[:_ROUNDS]:
            without = list(routes)
            without[n : n + 1] = [] if left_over is None else [left_over]
            changed, cost = self._put(self._numbered(without), by_id[name])
            if cost + saving < 0:
                return changed
        return None


def steps_of(route: Route) -> list[Step]:
    """What a route does between its depots, without the breaks."""
    return [(v.kind, v.id) for v in route.visits[1:-1] if v.kind != "break"]


def _without_idle(steps: Sequence[Step]) -> list[Step]:
    """Leave out reloads between which nothing is done."""
    found: list[Step] = []
    for s in steps:
        if s[0] != DEPOT or (found and found[-1][0] != DEPOT):
            found.append(s)
    return found[:-1] if found and found[-1][0] == DEPOT else found


def _ways(steps: Sequence[Step], what: Stop | Shipment) -> list[list[Step]]:
    """All ways to put something into a route."""
    spots = range(len(steps) + 1)
    if isinstance(what, Stop):
        return [[*steps[:k], (STOP, what.id), *steps[k:]] for k in spots]
    return [
        [*steps[:k], (PICKUP, what.id), *steps[k:m], (DELIVERY, what.id), *steps[m:]]
        for k in spots
        for m in range(k, len(steps) + 1)
        if all(kind != DEPOT for kind, _ in steps[k:m])
    ]
