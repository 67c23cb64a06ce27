"""A walk looked at by someone who does not know how it was made."""

import itertools
import math

from contracts.errors import Broken
from dispatcher.optimizers.picking.area import PickList
from dispatcher.optimizers.picking.route import Route

_TOLERANCE_M = 1e-6


def verify(picks: PickList, found: Route) -> None:
    """Look at a walk without knowing how it was made.

    Raises
    ------
    Broken
        It goes against a one-way rule, leaves the aisles, misses a want, takes it elsewhere or in another order than it
        passes, begins or ends at no depot of the pick list, or costs another sum than it says, or less than its bound.
    """
    if not picks.wants:
        return
    area, cross, closed, weight = picks.area, picks.area.cross_m(), picks.area.closed(), picks.area.weight()
    at_depot = {d.id: (d.aisle, cross[d.cross]) for d in area.depots}
    if (picks.starts and found.start not in picks.starts) or found.places[0] != at_depot[found.start]:
        raise Broken(f"route: begins at {found.places[0]}, which is not the depot {found.start} of {picks.starts}")
    if (found.end not in picks.ends if picks.ends else found.end != found.start) or found.places[-1] != at_depot[
        found.end
    ]:
        raise Broken(f"route: ends at {found.places[-1]}, which is not the depot {found.end} of {picks.ends}")
    length = cost = 0.0
    at_first = found.places[0]
    passed = [(at_first[0], at_first[0], at_first[1], at_first[1])]
    for (j, a), (k, b) in itertools.pairwise(found.places):
        if j == k:
            for block in range(area.blocks):
                over = min(max(a, b), cross[block + 1]) - max(min(a, b), cross[block])
                if over > 0 and ("down" if b > a else "up", j, block) in closed:
                    raise Broken(f"route: from {(j, a)} to {(k, b)} is against the one-way rule of block {block}")
            length += abs(a - b)
            cost += abs(a - b) * weight.get(j, 1.0)
        elif a == b and a in cross:
            if ("right" if k > j else "left", cross.index(a), 0) in closed:
                raise Broken(f"route: from {(j, a)} to {(k, b)} is against the one-way rule of the cross aisle")
            length += abs(j - k) * area.pitch_m
            cost += abs(j - k) * area.pitch_m
        else:
            raise Broken(f"route: from {(j, a)} to {(k, b)} there is no way")
        passed.append((min(j, k), max(j, k), min(a, b), max(a, b)))
    if sorted(s.want for s in found.stops) != sorted(w.id for w in picks.wants):
        raise Broken("route: does not name each want once")
    wants, n = {w.id: w for w in picks.wants}, 0
    for stop in found.stops:
        s = stop.spot
        if s not in wants[stop.want].spots:
            raise Broken(f"route: {stop.want} is not in aisle {s.aisle} at {s.at_m} m")
        while n < len(passed) and not (
            passed[n][0] <= s.aisle <= passed[n][1] and passed[n][2] <= s.at_m <= passed[n][3]
        ):
            n += 1
        if n == len(passed):
            raise Broken(f"route: {stop.want} in aisle {s.aisle} at {s.at_m} m is not passed in this order")
    if not math.isclose(length, found.length_m, abs_tol=_TOLERANCE_M) or not math.isclose(
        cost, found.cost_m, abs_tol=_TOLERANCE_M
    ):
        raise Broken(
            f"route: says {found.length_m} m that count {found.cost_m} m, walks {length} m that count {cost} m"
        )
    if found.bound_m > found.cost_m + _TOLERANCE_M or found.exact != (found.cost_m - found.bound_m <= _TOLERANCE_M):
        raise Broken(f"route: costs {found.cost_m} m with a bound of {found.bound_m} m, exact: {found.exact}")
