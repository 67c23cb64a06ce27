"""A robot on a node that was not released to it: who is near stands still until it is known where that one stays."""

import msgspec

from contracts.ids import RobotId
from contracts.messages.ops import VehicleState
from dispatcher import operators
from dispatcher.facts import RobotState
from dispatcher.fleet.member import Vehicle
from dispatcher.world import World


def halt_neighbours(world: World, v: Vehicle, report: RobotState) -> None:
    """Stop those near a robot that drove where nothing was released to it; it is told its base alone from now."""
    world.deviates(v, "drives to nodes that are not released")
    if not v.dialect.fully_released:
        v.dialect = msgspec.structs.replace(v.dialect, fully_released=True)
    near = {report.node, *(e.end for e in world.site.layout.out.get(report.node, ()))}
    halted: list[RobotId] = []
    for other in world.vehicles.values():
        if other is v or not other.placed or other.pause_wanted or other.state is VehicleState.OFFLINE:
            continue
        if other.node in near or not near.isdisjoint(world.traffic.route(other.id)[0]):
            halted.append(other.id)
            operators.pause(world, other, wanted=True)
    world.halted[v.id] = [*world.halted.get(v.id, ()), *halted]
    stopped = f"; stopped near it: {', '.join(halted)}" if halted else ""
    world.raise_alarm(
        f"trespass-{v.id}", "error", v.id,
        f"Robot {v.id} of {v.manufacturer} drove to {report.node}, which was not released to it{stopped}.",
        "It gets released nodes only from now on. If it does so again take it out of service.",
    )  # fmt: skip


def let_neighbours_go(world: World, v: Vehicle) -> None:
    """End the halt around a robot that stands where it was placed again, or is gone."""
    for name in world.halted.pop(v.id, ()):
        other = world.vehicles.get(name)
        if other is not None and not world.stopped:
            operators.pause(world, other, wanted=False)
    world.clear_alarm(f"trespass-{v.id}")
