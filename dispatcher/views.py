"""What operators see: the fleet view and the pose frames, taken from the core's world without changing it."""

from collections.abc import Sequence

import numpy as np

from contracts import poses
from contracts.ids import LiftId, RobotId, StationId, TaskId
from contracts.messages.ops import (
    DoorView,
    FleetView,
    LiftView,
    RobotView,
    StationView,
    Unreadable,
    VehicleState,
    VendorView,
)
from dispatcher.fleet.member import Vehicle
from dispatcher.waiting import waits
from dispatcher.world import LiftWatch, Mission, PickState, World

Place = tuple[float, float, float]
"""x and y in metres, heading in radians."""
_STATES = {s: i for i, s in enumerate(VehicleState)}


def fleet_view(
    world: World,
    now_ms: int,
    robots: Sequence[RobotView],
    deviations: dict[str, dict[str, int]],
    unreadable: Sequence[Unreadable] = (),
    unreadable_count: int = 0,
) -> FleetView:
    """Return the whole view; `robots` (see `robot_view`) in the order in which they first spoke, as in `pose_frame`."""
    return FleetView(
        site=world.site.id,
        epoch=world.outbox.epoch,
        at_ms=now_ms,
        stopped=world.stopped or world.paused,
        robots=tuple(robots),
        stations=tuple(_station(world, name) for name in world.stations),
        open_tasks=len(world.picks) + len(world.conveys) + len(world.packs) + len(world.hauls),
        vendors=vendors(world, deviations),
        closed=tuple(world.closed_nodes),
        closed_edges=tuple(world.closed_edges),
        doors=tuple(DoorView(name, watch.state) for name, watch in world.doors.items()),
        lifts=tuple(_lift(name, watch) for name, watch in world.lifts.items()),
        unreadable=tuple(unreadable),
        unreadable_count=unreadable_count,
    )


def _lift(name: LiftId, watch: LiftWatch) -> LiftView:
    called = watch.asked[0] if watch.asked is not None and watch.asked[1] else ""
    return LiftView(name, watch.state, watch.level, called)


def all_robots(world: World, now_ms: int, places: dict[RobotId, Place]) -> list[RobotView]:
    """Return every robot as an operator sees it, those that are new at the end."""
    return [robot_view(world, v, now_ms, places) for v in (*world.vehicles.values(), *world.strangers.values())]


def robot_view(world: World, v: Vehicle, now_ms: int, places: dict[RobotId, Place]) -> RobotView:
    """Return one robot as an operator sees it."""
    x_m, y_m, heading_rad = place_of(world, v, places)
    mission = None if v.mission is None else world.missions.get(v.mission)
    report = v.report
    return RobotView(
        id=v.id,
        state=VehicleState.NEW if v.id in world.strangers else v.state,
        x_m=round(x_m, 3),
        y_m=round(y_m, 3),
        heading_rad=round(heading_rad, 4),
        battery=0.0 if report is None else round(report.battery, 4),
        node=v.node,
        at_ms=v.heard_ms,
        pod=None if mission is None or world.pods.get(mission.pod) is not None else mission.pod,
        mission=v.mission,
        station=None if mission is None else mission.station,
        tasks=_tasks(world, mission) if v.transport is None else (v.transport,),
        order_id=v.order.id if v.order is not None else "",
        wait=waits(world, v, now_ms),
        errors=() if report is None else tuple(f"{t.kind} {t.text}".strip() for t in report.troubles),
        retired=v.retired,
        manufacturer=v.manufacturer,
        serial=v.serial,
        version=v.version,
        dialect=v.dialect.name,
        loads=() if report is None else report.loads or (),
        adopted=v.id not in world.strangers,
        speed_max_mps=None if v.factsheet is None else v.factsheet.speed_max_mps,
        series="" if v.factsheet is None else v.factsheet.series,
    )


def pose_frame(world: World, now_ms: int, places: dict[RobotId, Place]) -> bytes:
    """Return where all robots are, as a binary frame (`contracts.poses`)."""
    count = len(world.vehicles)
    at = np.zeros((count, 3))
    state, loaded = np.zeros(count, np.uint8), np.zeros(count, np.bool_)
    for i, v in enumerate(world.vehicles.values()):
        at[i] = place_of(world, v, places)
        state[i] = _STATES[v.state]
        loaded[i] = bool(v.report is not None and v.report.loads)
    return poses.pack(now_ms, np.arange(count), at[:, 0], at[:, 1], at[:, 2], state, loaded)


def place_of(world: World, v: Vehicle, places: dict[RobotId, Place]) -> Place:
    """Return where a robot was last: by its visualization, else its state, else its node."""
    place = places.get(v.id)
    if place is not None:
        return place
    if v.report is not None and v.report.x_m is not None and v.report.y_m is not None:
        return (v.report.x_m, v.report.y_m, v.report.heading_rad)
    node = world.site.layout.node.get(v.node)
    return (0.0, 0.0, 0.0) if node is None else (node.x_m, node.y_m, 0.0)


def vendors(world: World, heard: dict[str, dict[str, int]]) -> tuple[VendorView, ...]:
    """Return how each manufacturer's robots depart from the standard, as the core and (`heard`) the reader saw it."""
    robots: dict[str, int] = {}
    for v in (*world.vehicles.values(), *world.strangers.values()):
        robots[v.manufacturer] = robots.get(v.manufacturer, 0) + 1
    return tuple(
        VendorView(name, count, heard.get(name, {}) | world.deviations.get(name, {})) for name, count in robots.items()
    )


def _tasks(world: World, mission: Mission | None) -> tuple[TaskId, ...]:
    if mission is None or mission.station is None:
        return ()
    return tuple(mission.open) or tuple(world.stations[mission.station].demand.get(mission.pod, ()))


def _station(world: World, name: StationId) -> StationView:
    work = world.stations[name]
    robots = [world.missions[m].robot for m in work.missions]
    open_picks = sum(
        world.totes[tote].picks[task].state is not PickState.TOLD
        for wanted in work.demand.values()
        for task, tote in wanted.items()
    )
    return StationView(
        id=work.station.id,
        totes=tuple(work.slots),
        pod=None if work.present is None else world.missions[work.present].pod,
        queue=tuple(r for r in robots if r is not None),
        open_picks=open_picks,
        closed=name in world.closed_stations,
    )
