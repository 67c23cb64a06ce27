"""A walk by cheapest insertion and relocation: any rules, any choice, quickly; the upper bound of the dynamic program.

D. J. Rosenkrantz, R. E. Stearns, P. M. Lewis: An analysis of several heuristics for the traveling salesman problem
(SIAM Journal on Computing 6, 1977).
"""

import itertools
import math

import msgspec

from dispatcher.optimizers.picking.area import Depot, PickList, Spot, Want
from dispatcher.optimizers.picking.effort import Effort
from dispatcher.optimizers.picking.ways import Ways, at


class Visits(msgspec.Struct, frozen=True):
    """Places in the order in which they are visited, and what that costs (m, crowds counted)."""

    cost: float
    start: Depot
    end: Depot
    stops: tuple[tuple[str, Spot], ...]


class _Walk:
    """A sequence of spots between two depots, changed in place."""

    def __init__(self, ways: Ways, start: Spot, end: Spot) -> None:
        self._known: dict[tuple[Spot, Spot], float] = {}
        self._ways = ways
        self.spots = [start, end]
        self.names = ["", ""]

    def between(self, a: Spot, b: Spot) -> float:
        found = self._known.get((a, b))
        if found is None:
            found = self._known[a, b] = self._ways.between(a, b)
        return found

    def cost(self) -> float:
        return sum(self.between(a, b) for a, b in itertools.pairwise(self.spots))

    def put(self, want: Want) -> None:
        best: tuple[float, int, Spot] | None = None
        for spot in want.spots:
            for k in range(1, len(self.spots)):
                a, b = self.spots[k - 1], self.spots[k]
                more = self.between(a, spot) + self.between(spot, b) - self.between(a, b)
                if not math.isnan(more) and (best is None or more < best[0] - 1e-9):
                    best = (more, k, spot)
        if best is None:
            best = (math.inf, 1, want.spots[0])
        self.spots.insert(best[1], best[2])
        self.names.insert(best[1], want.id)

    def drop(self, want: Want) -> None:
        k = self.names.index(want.id)
        del self.spots[k], self.names[k]


def inserted(picks: PickList, ways: Ways, effort: Effort | None = None) -> Visits | None:
    """Return the cheapest of the walks from each start to each end; None where it finds none.

    Stopped, it brings what it has; it is not stopped before it has any.
    """
    best: Visits | None = None
    # who has few places or lies far away is put first: the others find their way beside it
    home = at(picks.area, picks.depots(picks.starts)[0])
    order = sorted(
        picks.wants,
        key=lambda w: (len(w.spots), -min(ways.between(home, s) for s in w.spots), w.id),
    )
    for start in picks.depots(picks.starts):
        for end in picks.depots(picks.ends) if picks.ends else (start,):
            walk = _Walk(ways, at(picks.area, start), at(picks.area, end))
            for want in order:
                walk.put(want)
            cost = walk.cost()
            for _ in range(8):
                if effort is not None and min(cost, math.inf if best is None else best.cost) < math.inf:
                    if effort.stop():
                        break
                    effort.went_on(min(cost, math.inf if best is None else best.cost))
                for want in order:
                    kept = (list(walk.spots), list(walk.names))
                    walk.drop(want)
                    walk.put(want)
                    now = walk.cost()
                    if now > cost:
                        walk.spots, walk.names = kept
                    cost = min(cost, now)
                if best is not None and cost >= best.cost:
                    break
            if cost < math.inf and (best is None or cost < best.cost - 1e-9):
                stops = tuple(zip(walk.names[1:-1], walk.spots[1:-1], strict=True))
                best = Visits(cost, start, end, stops)
    return best
