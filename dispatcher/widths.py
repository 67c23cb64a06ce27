"""Robots that are wider than a corridor of the layout: not adopted, and given no work if they are ours already."""

from dispatcher.fleet.member import Vehicle
from dispatcher.world import World


def too_wide(world: World, v: Vehicle) -> str:
    """Say which corridor a robot does not fit into; empty: it fits, or has not said how wide it is."""
    if v.factsheet is None or not v.factsheet.width_m > 0:
        return ""
    found = [(e.width_m, e.id) for e in world.site.layout.edges if e.width_m is not None]
    if not found or v.factsheet.width_m <= min(found)[0]:
        return ""
    width_m, edge = min(found)
    return f"Robot {v.id} is {v.factsheet.width_m:g} m wide, and the corridor of edge {edge} {width_m:g} m."


def retire_wide(world: World, v: Vehicle) -> None:
    """Take a robot of ours out of service that does not fit everywhere."""
    why = too_wide(world, v)
    if why:
        v.retired = True
        world.raise_alarm(f"wide-{v.id}", "error", v.id, why, "Take it to another floor, or mend its factsheet.")
    else:
        world.clear_alarm(f"wide-{v.id}")
