"""When one robot is to be charged: what its factsheet says, or else the parameters."""

from typing import NamedTuple

from dispatcher.fleet.member import Vehicle
from dispatcher.world import World

_STEP, _MOST_BELOW = 0.05, 0.85


class Levels(NamedTuple):
    """When one robot is charged, by its factsheet and the parameters: shares of a full battery."""

    critical: float
    below: float
    """It gets no work below this."""
    idle_below: float
    """Without work it goes to charge below this."""
    enough: float
    """It may be taken from its charger from here on."""
    full: float


def levels(world: World, v: Vehicle) -> Levels:
    """Return when a robot is charged: what it says of itself counts where that is more careful, or asks for less."""
    p, sheet = world.params, v.factsheet
    if sheet is None or not (sheet.charge_critical or sheet.charge_from or sheet.charge_to):
        return Levels(p.charge_critical, p.charge_below, p.charge_idle_below, p.charge_enough, p.charge_full)
    below = max(p.charge_below if not sheet.charge_from else sheet.charge_from, sheet.charge_critical)
    below = min(below, _MOST_BELOW)
    full = max(sheet.charge_to or p.charge_full, below + 2 * _STEP)
    return Levels(
        max(p.charge_critical, sheet.charge_critical),
        below,
        min(max(p.charge_idle_below, below), full - _STEP),
        min(max(p.charge_enough, below + _STEP), full),
        full,
    )
