"""The shortest walk for a pick list: exact where there are few enough states, else the best found, with a bound."""

import itertools
import math
from collections import defaultdict

import msgspec

from contracts.errors import Rejected
from dispatcher.optimizers.picking.area import Area, Depot, PickList, Spot, Want
from dispatcher.optimizers.picking.directed import Step, Swept, sweep
from dispatcher.optimizers.picking.effort import Effort, Watch
from dispatcher.optimizers.picking.insertion import Visits, inserted
from dispatcher.optimizers.picking.prizes import prized
from dispatcher.optimizers.picking.tour import Place
from dispatcher.optimizers.picking.warehouse import Picks
from dispatcher.optimizers.picking.ways import Ways, at, reachable

_TOLERANCE_M = 1e-6
_FEW = 8
"""So many wants with a choice are kept where only a bound is asked for."""


class RouteParams(msgspec.Struct, frozen=True):
    """How hard to try; the same gives the same walk.

    Parameters
    ----------
    states
        How many a layer of the dynamic program may have, at least 1.
    tries
        How many other places are tried for wants with a choice where the states did not suffice, at least 0.
    rounds
        How often the prizes of the bound are tuned then, at least 0.
    """

    states: int = 4_000
    tries: int = 2_000
    rounds: int = 30

    def __post_init__(self) -> None:
        if self.states < 1:
            raise Rejected("states", self.states, "at least 1")
        for name, value in (("tries", self.tries), ("rounds", self.rounds)):
            if value < 0:
                raise Rejected(name, value, "at least 0")


class Stop(msgspec.Struct, frozen=True):
    """Where a want is taken."""

    want: str
    spot: Spot


class Route(msgspec.Struct, frozen=True):
    """A walk: where it turns, begins, ends or picks, and what is taken where, in the order in which it is passed.

    `cost_m` counts crowds, `length_m` does not; no walk costs less than `bound_m`; `exact` says that both are the same.
    `tries` is the effort that it took.
    """

    length_m: float
    cost_m: float
    bound_m: float
    exact: bool
    start: str
    end: str
    places: tuple[Place, ...]
    stops: tuple[Stop, ...]
    tries: int


def route(picks: PickList, params: RouteParams | None = None, watch: Watch = lambda _tries, _cost: False) -> Route:
    """Find a walk that takes every want.

    Stopped, it is the best walk so far, with a bound that is seen at once; stopped after as much, the same walk.

    Raises
    ------
    Rejected
        A want or an end cannot be reached, or not all of them on one walk; names it.
    """
    p = params or RouteParams()
    if not picks.wants:
        return Route(0.0, 0.0, 0.0, True, "", "", (), (), 0)
    ways = Ways(picks.area)
    picks = reachable(picks, ways)
    simple = not picks.area.one_way and all(len(w.spots) == 1 for w in picks.wants)
    if simple and not picks.ends and not picks.area.busy:
        return _undirected(picks)
    effort = Effort(watch)
    visits = None if simple else inserted(picks, ways, effort)
    # where nothing was found yet there is nothing to bring: it is not stopped then
    swept = sweep(
        picks, p.states, math.inf if visits is None else visits.cost + _TOLERANCE_M,
        effort=effort if simple or visits is not None else None,
    )  # fmt: skip
    if not swept.steps and swept.bound == math.inf and visits is None:
        raise Rejected("wants", [w.id for w in picks.wants], "reachable on one walk by the one-way rules")
    best = _of_steps(picks, swept) if swept.steps else _of_visits(picks, ways, visits or inserted(picks, ways))
    if effort.stopped():
        return _told(best, _farthest_m(picks, ways), effort)
    if best.cost_m - swept.bound <= _TOLERANCE_M:
        return _told(best, best.cost_m, effort)
    effort.went_on(best.cost_m)
    best = _improved(picks, best, p, effort)
    bound = min(swept.bound, best.cost_m)
    better = bound if effort.stopped() else max(bound, _relaxed(picks, p.states, effort))
    if best.cost_m - better > _TOLERANCE_M and any(len(w.spots) > 1 for w in picks.wants) and not effort.stopped():
        better = min(best.cost_m, max(better, prized(picks, p.states, best.cost_m, p.rounds, effort)))
    if effort.stopped():  # what was left half done depends on when it was stopped
        return _told(best, max(bound, _farthest_m(picks, ways)), effort)
    effort.went_on(best.cost_m)
    return _told(best, better, effort)


def _told(best: Route, bound_m: float, effort: Effort) -> Route:
    exact = best.cost_m - bound_m <= _TOLERANCE_M
    return msgspec.structs.replace(
        best, bound_m=best.cost_m if exact else bound_m, exact=exact, tries=effort.done
    )  # fmt: skip


def _farthest_m(picks: PickList, ways: Ways) -> float:
    """Return a bound that is seen at once: there and back to the want that is farthest away."""
    area = picks.area
    pairs = [
        (at(area, s), at(area, e))
        for s in picks.depots(picks.starts)
        for e in (picks.depots(picks.ends) if picks.ends else (s,))
    ]
    return max(
        min(ways.between(s, spot) + ways.between(spot, e) for s, e in pairs for spot in w.spots) for w in picks.wants
    )


def _undirected(picks: PickList) -> Route:
    """Walk as the literature does, from the depot whose walk is shortest."""
    from dispatcher.optimizers.picking.exact import shortest_length_m, shortest_tour

    area = picks.area
    spots = [w.spots[0] for w in picks.wants]
    length, depot = math.inf, area.depots[0]
    for d in picks.depots(picks.starts):
        warehouse = area.warehouse(d)
        sorted_picks = Picks.sort(warehouse, [s.aisle for s in spots], [s.at_m for s in spots])
        metres = shortest_length_m(warehouse, sorted_picks)
        if metres < length - _TOLERANCE_M:
            length, depot = metres, d
    found = _route(picks, depot, depot, list(shortest_tour(area.warehouse(depot), sorted_picks).places))
    return msgspec.structs.replace(found, bound_m=found.cost_m, exact=True)


def _relaxed(picks: PickList, states: int, effort: Effort) -> float:
    """Return a bound: everything may be walked both ways, and only wants with few or near places have to be met."""
    area = picks.area
    free = Area(area.aisles, area.pitch_m, area.block_m, area.depots, (), area.busy)
    choice = [w for w in picks.wants if len(w.spots) > 1]
    choice.sort(key=lambda w: max(s.aisle for s in w.spots) - min(s.aisle for s in w.spots))
    kept = {w.id for w in choice[:_FEW]}
    wants = tuple(w for w in picks.wants if len(w.spots) == 1 or w.id in kept)
    return sweep(PickList(free, wants, picks.starts, picks.ends), states, effort=effort).bound


def _improved(picks: PickList, best: Route, p: RouteParams, effort: Effort) -> Route:
    """Try another place for one want after the other, each time with the cheapest walk for these places."""
    tries, n = 0, 0
    free = [w for w in picks.wants if len(w.spots) > 1]
    since = 0
    while free and tries < p.tries and since < len(free):
        want = free[n % len(free)]
        n, since = n + 1, since + 1
        chosen = {s.want: s.spot for s in best.stops}
        for spot in want.spots:
            if spot == chosen[want.id] or tries >= p.tries:
                continue
            tries += 1
            fixed = PickList(
                picks.area,
                tuple(Want(w.id, (spot if w is want else chosen[w.id],)) for w in picks.wants),
                picks.starts, picks.ends,
            )  # fmt: skip
            found = sweep(fixed, p.states, best.cost_m - _TOLERANCE_M, effort=effort)
            if effort.stopped():
                return best
            better = bool(found.steps)
            if better:
                best, since = _of_steps(picks, found), 0
            effort.went_on(best.cost_m)
            if better:
                break
    return best


def in_order(picks: PickList) -> Route:
    """Walk the wants one after the other as they are listed, each at its first place: the baseline.

    Raises
    ------
    Rejected
        A want cannot be reached, or one not from the one before; names it.
    """
    if not picks.wants:
        return Route(0.0, 0.0, 0.0, True, "", "", (), (), 0)
    ways = Ways(picks.area)
    picks = reachable(picks, ways)
    stops = tuple((w.id, w.spots[0]) for w in picks.wants)
    best: Visits | None = None
    for start in picks.depots(picks.starts):
        for end in picks.depots(picks.ends) if picks.ends else (start,):
            spots = [at(picks.area, start), *(s for _, s in stops), at(picks.area, end)]
            cost = sum(ways.between(a, b) for a, b in itertools.pairwise(spots))
            if cost < (math.inf if best is None else best.cost):
                best = Visits(cost, start, end, stops)
    if best is None:
        raise Rejected("wants", [w.id for w in picks.wants], "reachable one after the other by the one-way rules")
    return _of_visits(picks, ways, best)


def _of_visits(picks: PickList, ways: Ways, visits: Visits | None) -> Route:
    """Walk an order of places, each by the shortest way to the next one."""
    if visits is None:
        raise Rejected("states", "as given", "enough to find a walk by these one-way rules")
    legs: list[Place] = []
    spots = [at(picks.area, visits.start), *(s for _, s in visits.stops), at(picks.area, visits.end)]
    for a, b in itertools.pairwise(spots):
        leg = ways.path(a, b)
        legs += leg if not legs else leg[1:]
    return _route(picks, visits.start, visits.end, legs)


def _of_steps(picks: PickList, swept: Swept) -> Route:
    assert swept.start is not None  # noqa: S101 - steps begin somewhere
    assert swept.end is not None  # noqa: S101 - and end somewhere
    cross = picks.area.cross_m()
    one_way = bool(picks.area.one_way)
    links: dict[Place, list[tuple[Place, int]]] = defaultdict(list)
    count = 0
    stopping: dict[tuple[int, int], set[float]] = defaultdict(set)
    for w in picks.wants:
        for s in w.spots:
            block = next(k for k in range(picks.area.blocks) if s.at_m <= cross[k + 1])
            stopping[s.aisle, block].add(float(s.at_m))
    for step in swept.steps:
        for chain in _chains(step, cross, sorted(stopping[step.aisle, step.block])):
            for a, b in itertools.pairwise(chain):
                if a != b:
                    links[a].append((b, count))
                    if not one_way:
                        links[b].append((a, count))
                    count += 1
    start = (swept.start.aisle, cross[swept.start.cross])
    places: list[Place] = []
    stack: list[Place] = [start]
    used = bytearray(count)
    while stack:  # Hierholzer's algorithm
        onward = links[stack[-1]]
        while onward and used[onward[-1][1]]:
            onward.pop()
        if onward:
            to, edge = onward.pop()
            used[edge] = 1
            stack.append(to)
        else:
            places.append(stack.pop())
    return _route(picks, swept.start, swept.end, places[::-1])


def _chains(step: Step, cross: tuple[float, ...], stopping: list[float]) -> list[list[Place]]:
    """Return the directed walks of one step, through every place where somebody may stop."""
    j, o = step.aisle, step.option
    if o is None:
        right, left = (
            [(j, cross[step.cross]), (j + 1, cross[step.cross])],
            [(j + 1, cross[step.cross]), (j, cross[step.cross])],
        )
        if step.two:
            return [right, left]
        return [right if step.flow > 0 else left] * abs(step.flow)
    top, bottom = cross[step.block], cross[step.block + 1]
    kind, flow = o.effect
    whole = [(j, m) for m in (top, *(m for m in stopping if top < m < bottom), bottom)]
    if kind == "through":
        return [whole if flow > 0 else whole[::-1]] * abs(flow)
    if kind == "both":
        return [whole, whole[::-1]]
    chains = []
    if kind in {"top", "gap"}:
        inward = [place for place in whole if place[1] <= o.down_to_m]
        chains.append([*inward, *inward[-2::-1]])
    if kind in {"bottom", "gap"}:
        inward = [place for place in whole[::-1] if place[1] >= o.up_to_m]
        chains.append([*inward, *inward[-2::-1]])
    return chains


def _route(picks: PickList, start: Depot, end: Depot, places: list[Place]) -> Route:
    """Measure a walk, and take each want where it is passed first."""
    area, weight = picks.area, picks.area.weight()
    length = cost = 0.0
    for (j, a), (k, b) in itertools.pairwise(places):
        metres = abs(a - b) if j == k else abs(j - k) * area.pitch_m
        length += metres
        cost += metres * (weight.get(j, 1.0) if j == k else 1.0)
    first: dict[Place, int] = {}
    for n, place in enumerate(places):
        first.setdefault(place, n)
    stops = []
    for number, w in enumerate(picks.wants):
        n, _, spot = min((first[s.aisle, s.at_m], k, s) for k, s in enumerate(w.spots) if (s.aisle, s.at_m) in first)
        stops.append((n, number, Stop(w.id, spot)))
    stops.sort(key=lambda one: one[:2])
    return Route(length, cost, 0.0, False, start.id, end.id, tuple(places), tuple(s for _, _, s in stops), 0)
