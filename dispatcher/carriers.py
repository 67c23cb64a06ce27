"""Which robots can carry a transport's load, by their dialects and factsheets."""

from collections.abc import Iterable

from contracts.messages.work import Transport
from dispatcher.fleet.member import Vehicle
from dispatcher.haul import Haul
from dispatcher.world import World

USUAL = "EPAL"
"""What central says where nobody named a type: it keeps nobody off, unless some robot says that it carries these."""


def choosy(v: Vehicle) -> bool:
    """Whether a robot cannot carry everything."""
    return not v.dialect.handles_loads or bool(_types(v))


def carries(world: World, v: Vehicle, work: Transport) -> bool:
    """Whether a robot can carry a transport's load."""
    if not work.handling:
        return True
    types, wanted = _types(v), work.load_type
    if not v.dialect.handles_loads or not types or not wanted or wanted in types:
        return v.dialect.handles_loads
    return wanted == USUAL and not any(USUAL in _types(other) for other in world.vehicles.values())


def tell_of_uncarried(world: World, waiting: Iterable[Haul]) -> None:
    """Tell a person of loads that no robot in service can carry: they would wait in silence."""
    fleet = [v for v in world.vehicles.values() if not v.retired]
    if not any(map(choosy, fleet)):
        return
    for haul in waiting:
        key, work = f"carrier-{haul.work.task}", haul.work
        if any(carries(world, v, work) for v in fleet):
            world.clear_alarm(key)
        else:
            what = f"loads of type {work.load_type}" if work.load_type else "loads"
            world.raise_alarm(
                key, "warning", work.task, f"No robot in service carries {what}, as transport {work.task} wants.",
                "Return or adopt one that does, or cancel it and order another transport.",
            )  # fmt: skip


def _types(v: Vehicle) -> tuple[str, ...]:
    return () if v.factsheet is None else v.factsheet.load_types
