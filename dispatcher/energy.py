"""Charging when it must be and when there is nothing better to do; parking out of the way; never a stranded robot."""

import math

from contracts.ids import NodeId, RobotId
from contracts.layout import NodeKind
from contracts.messages.ops import VehicleState
from dispatcher import charging, missions
from dispatcher.assignment import free
from dispatcher.fleet.member import Pin, Purpose, Vehicle
from dispatcher.world import World


def look_after(world: World) -> None:
    """Send robots without a mission to charge; those with a full battery away from the charger."""
    if not world.fleet_changed:
        return
    world.fleet_changed = False
    if world.stopped:
        return
    hungry: list[tuple[float, RobotId]] = []
    for v in world.vehicles.values():
        if v.mission is not None or v.transport is not None or not v.placed:
            continue
        if v.report is None or v.pins & ~Pin.CHARGE or v.cancelling:
            continue
        if v.leg is not None and v.leg.purpose is Purpose.CHARGE:
            if v.pins & Pin.CHARGE and v.report.battery >= charging.levels(world, v).full:
                v.charge_asked = False
                _park(world, v)
        elif v.charge_asked or v.report.battery < charging.levels(world, v).idle_below:
            hungry.append((v.report.battery, v.id))
        elif v.leg is None and not off_road(world, v):
            world.timers.earlier(world.now_ms + world.params.park_after_ms, "park", v.id)
    for battery, name in sorted(hungry):
        v = world.vehicles[name]
        charger = _nearest(world, v, world.chargers)
        if charger is None and battery < charging.levels(world, v).below and _make_room(world, v):
            charger = _nearest(world, v, world.chargers)
        if charger is not None:
            world.errands_n += 1
            missions.begin_leg(world, v, Purpose.CHARGE, charger, f"G{world.errands_n}", act="startCharging")
        elif v.leg is None and not off_road(world, v):
            world.timers.earlier(world.now_ms + world.params.park_after_ms, "park", v.id)


def off_road(world: World, v: Vehicle) -> bool:
    """Whether a robot stands where it is in nobody's way: parked, charging, or beneath a pod."""
    node = world.site.layout.node.get(v.node)
    return node is not None and node.kind in {NodeKind.PARK, NodeKind.CHARGER, NodeKind.STORAGE}


def park_due(world: World, name: str) -> None:
    """Send a robot that still has nothing to do off the road."""
    v = world.vehicles[RobotId(name)]
    if v.leg is None and not off_road(world, v) and free(world, v):
        _park(world, v)


def battery_heard(world: World, v: Vehicle) -> None:
    """Watch a battery: charge, leave the charger, call a person."""
    if v.report is None:
        return
    battery, p = v.report.battery, charging.levels(world, v)
    key = f"battery-{v.id}"
    if battery < p.critical and not v.report.charging:
        world.raise_alarm(
            key, "error", v.id, f"Robot {v.id} has {battery:.0%} in its battery.", "Bring it to a charger by hand."
        )
    elif key in world.alarms and battery > p.critical + 0.02:
        world.clear_alarm(key)
    if v.mission is None and v.transport is None:
        if v.state is VehicleState.CHARGING:
            if battery >= p.enough:
                world.fleet_changed = True
        elif v.leg is None and battery < p.idle_below and world.chargers:
            world.fleet_changed = True


def _make_room(world: World, v: Vehicle) -> bool:
    """Send a robot away from its charger that can do with less, for one that cannot work without; says whether."""
    best: tuple[float, RobotId] | None = None
    for node, holder in world.chargers.items():
        other = None if holder is None else world.vehicles[holder]
        if other is None or other.report is None or other.charge_asked or not other.pins & Pin.CHARGE:
            continue
        has = other.report.battery
        if has >= charging.levels(world, other).enough and world.travel_s(v.node, node, loaded=False) < math.inf:
            best = max(best or (has, other.id), (has, other.id))
    return best is not None and _park(world, world.vehicles[best[1]])


def _park(world: World, v: Vehicle) -> bool:
    place = _nearest(world, v, world.parks)
    if place is not None:
        world.errands_n += 1
        missions.begin_leg(world, v, Purpose.PARK, place, f"K{world.errands_n}")
    return place is not None


def _nearest(world: World, v: Vehicle, places: dict[NodeId, RobotId | None]) -> NodeId | None:
    best: tuple[float, NodeId] | None = None
    for node, holder in places.items():
        if holder is None and node not in world.held:
            cost = world.travel_s(v.node, node, loaded=False)
            if cost < math.inf and (best is None or (cost, node) < best):
                best = (cost, node)
    return None if best is None else best[1]
