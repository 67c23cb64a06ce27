"""A bound where wants have many places: each is met for a prize instead of by force, and the prizes are tuned.

For any prizes the cheapest walk that earns them, plus all prizes once, is not above the cheapest walk that meets every
want (Lagrangian relaxation; M. L. Fisher, Management Science 27, 1981, for the steps).
"""

from collections import Counter

from dispatcher.optimizers.picking.area import Area, PickList
from dispatcher.optimizers.picking.directed import sweep
from dispatcher.optimizers.picking.effort import Effort

_PATIENCE = 4


def prized(picks: PickList, states: int, upper: float, rounds: int, effort: Effort) -> float:
    """Return the best bound of so many rounds, fewer if stopped; `upper` is the cost of a walk that is known."""
    area = picks.area
    free = Area(area.aisles, area.pitch_m, area.block_m, area.depots, (), area.busy)
    relaxed = PickList(free, picks.wants, picks.starts, picks.ends)
    choice = [w.id for w in picks.wants if len(w.spots) > 1]
    prizes = dict.fromkeys(choice, area.pitch_m)
    bit = {name: 1 << k for k, name in enumerate(choice)}  # as `sweep` numbers them
    best, scale, since = 0.0, 1.0, 0
    for _ in range(rounds):
        found = sweep(relaxed, states, prizes=prizes, effort=effort)
        if effort.stopped():
            break
        bound = found.bound + sum(prizes.values())
        if bound > best + 1e-9:
            best, since = bound, 0
        else:
            since += 1
            if since == _PATIENCE:
                scale, since = scale / 2, 0
        met = Counter(
            name for s in found.steps if s.option is not None for name in choice if s.option.earns & bit[name]
        )
        slope = {name: 1 - met[name] for name in choice}
        square = sum(g * g for g in slope.values())
        if not square or upper - bound <= 1e-9:
            break
        step = scale * (upper - bound) / square
        prizes = {name: max(0.0, prizes[name] + step * slope[name]) for name in choice}
    return best
