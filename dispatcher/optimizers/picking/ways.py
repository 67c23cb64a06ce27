"""Shortest ways between places of an area, with its one-way rules and crowds, and what cannot be reached by them."""

import heapq
import math
from collections.abc import Iterable

from contracts.errors import Rejected
from dispatcher.optimizers.picking.area import Area, Depot, PickList, Spot

Corner = tuple[int, int]
"""Aisle and cross aisle."""


class Ways:
    """Distances (m, crowds counted) of an area; each corner's are computed when they are first asked for."""

    def __init__(self, area: Area) -> None:
        self._area = area
        self._cross = area.cross_m()
        self._closed = area.closed()
        self._weight = area.weight()
        self._from: dict[Corner, dict[Corner, float]] = {}
        self._before: dict[Corner, dict[Corner, Corner]] = {}

    def block(self, spot: Spot) -> int:
        """Return the block of a spot; one on a cross aisle counts to the block above it."""
        return next(b for b in range(self._area.blocks) if spot.at_m <= self._cross[b + 1])

    def _ends(self, spot: Spot, *, leaving: bool) -> Iterable[tuple[Corner, float]]:
        b, weight = self.block(spot), self._weight.get(spot.aisle, 1.0)
        for cross, direction in ((b, "up" if leaving else "down"), (b + 1, "down" if leaving else "up")):
            away = abs(spot.at_m - self._cross[cross])
            if away == 0 or (direction, spot.aisle, b) not in self._closed:
                yield (spot.aisle, cross), away * weight

    def between(self, a: Spot, b: Spot) -> float:
        """Return the shortest way from a to b; infinite if there is none."""
        best = math.inf
        if a.aisle == b.aisle and self.block(a) == self.block(b):
            direction = "down" if b.at_m > a.at_m else "up"
            if a.at_m == b.at_m or (direction, a.aisle, self.block(a)) not in self._closed:
                best = abs(a.at_m - b.at_m) * self._weight.get(a.aisle, 1.0)
        for out, before in self._ends(a, leaving=True):
            reach = self.corners(out)
            for into, after in self._ends(b, leaving=False):
                best = min(best, before + reach.get(into, math.inf) + after)
        return best

    def path(self, a: Spot, b: Spot) -> list[tuple[int, float]]:
        """Return the places of a shortest way from a to b: where it begins, each corner, where it ends."""
        whole = self.between(a, b)
        here, there = (a.aisle, a.at_m), (b.aisle, b.at_m)
        through = min(
            (
                (before + self.corners(out).get(into, math.inf) + after, out, into)
                for out, before in self._ends(a, leaving=True)
                for into, after in self._ends(b, leaving=False)
            ),
            default=(math.inf, (0, 0), (0, 0)),
        )
        if through[0] > whole:  # along the aisle
            return [here, there]
        _, out, into = through
        corners = [into]
        while corners[-1] != out:
            corners.append(self._before[out][corners[-1]])
        found = [here]
        for place in [*((j, self._cross[i]) for j, i in reversed(corners)), there]:
            if place != found[-1]:
                found.append(place)
        return found

    def corners(self, start: Corner) -> dict[Corner, float]:
        """Return the distances from a corner to all that can be reached (Dijkstra 1959)."""
        found = self._from.get(start)
        if found is not None:
            return found
        area, cross, closed = self._area, self._cross, self._closed
        found = self._from[start] = {}
        before = self._before[start] = {}
        heap = [(0.0, start, start)]
        while heap:
            far, (j, i), came = heapq.heappop(heap)
            if (j, i) in found:
                continue
            found[j, i], before[j, i] = far, came
            for to, edge, metres in (
                ((j + 1, i), ("right", i, 0), area.pitch_m),
                ((j - 1, i), ("left", i, 0), area.pitch_m),
                ((j, i + 1), ("down", j, i), 0.0),
                ((j, i - 1), ("up", j, i - 1), 0.0),
            ):
                if not (0 <= to[0] < area.aisles and 0 <= to[1] <= area.blocks) or edge in closed or to in found:
                    continue
                costs = metres or abs(cross[to[1]] - cross[i]) * self._weight.get(j, 1.0)
                heapq.heappush(heap, (far + costs, to, (j, i)))
        return found


def at(area: Area, depot: Depot) -> Spot:
    """Return a depot as a spot."""
    return Spot(depot.aisle, area.cross_m()[depot.cross], depot.id)


def reachable(picks: PickList, ways: Ways) -> PickList:
    """Return the pick list without spots that no walk can pass.

    Raises
    ------
    Rejected
        Nothing is left of a want, or no end can be reached from any start; names it.
    """
    area = picks.area
    starts = [at(area, d) for d in picks.depots(picks.starts)]
    ends = [at(area, d) for d in picks.depots(picks.ends)] if picks.ends else []
    pairs = [(s, e) for s in starts for e in (ends or [s]) if ways.between(s, e) < math.inf]
    if not pairs:
        raise Rejected("ends", list(picks.ends), "reachable from a start by the one-way rules")
    wants = []
    for w in picks.wants:
        spots = tuple(p for p in w.spots if any(ways.between(s, p) + ways.between(p, e) < math.inf for s, e in pairs))
        if not spots:
            raise Rejected(f"wants/{w.id}", [(s.aisle, s.at_m) for s in w.spots], "reachable by the one-way rules")
        wants.append(type(w)(w.id, spots))
    return PickList(area, tuple(wants), picks.starts, picks.ends)
