"""Missions: fetch a pod, carry it to its stations, store it again; and legs, of which missions and errands are made."""

import math

from contracts.errors import Broken, Rejected
from contracts.ids import MissionId, NodeId, PodId, RobotId, StationId
from contracts.layout import NodeKind
from contracts.messages.facts import PodMoved
from dispatcher import attempts, presenting, stations, transports, upcoming
from dispatcher.fleet.member import Leg, Pin, Purpose, Vehicle
from dispatcher.world import Mission, Stage, StationWork, World

RETRY_MS = 10_000


def start(world: World, vehicle: Vehicle, pod: PodId, station: StationId) -> Mission:
    """Send a robot to fetch a pod for a station."""
    node = world.pods[pod]
    if node is None:
        raise Broken(f"pod {pod} is on a robot and cannot be fetched")
    world.missions_n += 1
    mission = Mission(id=MissionId(f"M{world.missions_n}"), pod=pod, station=station, stage=Stage.FETCH)
    world.missions[mission.id] = mission
    world.pod_mission[pod] = mission.id
    world.stations[station].missions[mission.id] = None
    world.next_wanted[station] = None
    mission.robot, vehicle.mission = vehicle.id, mission.id
    begin_leg(world, vehicle, Purpose.FETCH, node, mission.id, act="pick", load=pod)
    return mission


def has_way(world: World, pod: PodId, work: StationWork) -> bool:
    """Whether a robot that carries a pod gets from where it stands to a station; else a person is told, by its name.

    A robot that stands in the way may go on soon; but not for a pod that was put back because of it.
    """
    node, goal, key = world.pods[pod], work.station.lane[-1], f"way-{pod}-{work.station.id}"
    if node is not None and world.travel_s(node, goal, loaded=True) == math.inf:
        if key in world.alarms or not _leads(world, node, goal):
            _no_way(world, pod, node, work.station.id)
            return False
    else:
        world.clear_alarm(key)
    return True


def _no_way(world: World, pod: PodId, node: NodeId, station: StationId) -> None:
    text = f"Pod {pod} cannot be carried from {node} to station {station}: no way for a loaded robot."
    remedy = "Open the road, or move the pod by hand; until then it stays there."
    world.raise_alarm(f"way-{pod}-{station}", "error", pod, text, remedy)
    world.timers.earlier(world.now_ms + RETRY_MS, "way")


def _leads(world: World, start: NodeId, goal: NodeId) -> bool:
    """Whether a loaded robot gets there once nobody stands in the way: over what is neither closed nor for others."""
    layout, seen, todo = world.site.layout, {start}, [start]
    while todo and goal not in world.closed_nodes:
        for edge in layout.out[todo.pop()]:
            if edge.end == goal and edge.loaded and edge.id not in world.closed_edges:
                return True
            if (
                edge.loaded
                and edge.end not in seen
                and edge.id not in world.closed_edges
                and edge.end not in world.closed_nodes
                and layout.node[edge.end].kind is not NodeKind.STORAGE
            ):
                seen.add(edge.end)
                todo.append(edge.end)
    return False


def begin_leg(
    world: World,
    vehicle: Vehicle,
    purpose: Purpose,
    goal: NodeId,
    job: str,
    *,
    act: str = "",
    load: str = "",
    load_type: str = "",
    loaded: bool = False,
) -> None:
    """Give a robot its next goal; what is committed to it stays."""
    world.legs_n += 1
    give_up_place(world, vehicle)
    vehicle.leg = Leg(n=world.legs_n, purpose=purpose, goal=goal, job=job, act=act, load=load, loaded=loaded)
    vehicle.leg.load_type = load_type
    if purpose is Purpose.CHARGE:
        world.chargers[goal] = vehicle.id
    elif purpose is Purpose.PARK:
        world.parks[goal] = vehicle.id
    aim(world, vehicle)


def aim(world: World, vehicle: Vehicle) -> None:
    """Tell traffic where the robot's leg leads."""
    leg = vehicle.leg
    if leg is None:
        raise Broken(f"robot {vehicle.id} has no leg to aim for")
    world.unpin(vehicle, Pin.LEG | Pin.PRESENT | Pin.CHARGE)
    key = f"unreachable-{vehicle.id}"
    try:
        world.traffic.target(vehicle.id, leg.goal, loaded=leg.loaded, priority=_PRIORITY[leg.purpose])
    except Rejected as error:
        text = f"Robot {vehicle.id} cannot reach {leg.goal}: {error}."
        world.raise_alarm(key, "error", vehicle.id, text, "Open the road; it is tried again.")
        if leg.loaded:
            world.pin(vehicle, Pin.LEG)  # or it might be asked to make way, where nobody may carry anything
        world.timers.set(world.now_ms + RETRY_MS, "aim", vehicle.id)
        return
    world.clear_alarm(key)
    leg.done = False
    world.touched[vehicle.id] = None
    world.plan_wanted = True
    world.timers.cancel("park", vehicle.id)


def way_due(world: World, _: str) -> None:
    """Look again whether pods without a way out have one."""
    world.demand_changed = True


def aim_due(world: World, name: str) -> None:
    """Try again to lead a robot to its goal."""
    vehicle = world.vehicles[RobotId(name)]
    if vehicle.leg is not None and vehicle.placed and not vehicle.pins & Pin.AWAY:
        aim(world, vehicle)


def give_up_place(world: World, vehicle: Vehicle) -> None:
    """Let others have the charger or parking place that the robot had."""
    leg = vehicle.leg
    if leg is None:
        return
    if leg.purpose is Purpose.CHARGE and world.chargers.get(leg.goal) == vehicle.id:
        world.chargers[leg.goal] = None
        world.fleet_changed = True
    elif leg.purpose is Purpose.PARK and world.parks.get(leg.goal) == vehicle.id:
        world.parks[leg.goal] = None


def leg_done(world: World, vehicle: Vehicle) -> None:
    """Go on after a leg: its goal is reached and its action done."""
    leg = vehicle.leg
    if leg is None or leg.done:
        return
    leg.done = True
    vehicle.failures = 0
    attempts.done(world, vehicle, leg)
    mission = world.missions.get(vehicle.mission) if vehicle.mission is not None else None
    if leg.purpose is Purpose.CHARGE:
        world.unpin(vehicle, Pin.LEG)
        world.pin(vehicle, Pin.CHARGE)
    elif leg.purpose is Purpose.PARK:
        world.unpin(vehicle, Pin.LEG)
        world.fleet_changed = True
    elif leg.purpose in {Purpose.COLLECT, Purpose.DELIVER}:
        transports.leg_done(world, vehicle, leg)
    elif mission is None:
        raise Broken(f"robot {vehicle.id} finished a {leg.purpose} leg without a mission")
    elif leg.purpose is Purpose.FETCH:
        lifted(world, mission)
        carry(world, vehicle, mission)
    elif leg.purpose is Purpose.CARRY:
        _arrived(world, vehicle, mission)
    else:
        _set_down(world, vehicle, mission)


def lifted(world: World, mission: Mission) -> None:
    """Note that a pod is on its robot."""
    node = world.pods[mission.pod]
    if node is not None:
        world.pods[mission.pod] = None
        world.stored.pop(node, None)


def carry(world: World, vehicle: Vehicle, mission: Mission) -> None:
    """Drive a lifted pod to its station, or to storage if no station wants it any more."""
    if mission.station is None or not (
        world.stations[mission.station].demand.get(mission.pod) or presenting.wanted(world, mission)
    ):
        leave_station(world, mission)
        return
    mission.stage = Stage.CARRY
    goal = world.stations[mission.station].station.lane[-1]
    begin_leg(world, vehicle, Purpose.CARRY, goal, mission.id, loaded=True)


def leave_station(world: World, mission: Mission) -> None:
    """Drive a pod that is not wanted here (any more) to the next station, or to storage."""
    vehicle = _robot(world, mission)
    following = stations.next_station(world, mission)
    leave_queue(world, mission)
    if following is not None:
        mission.station = following
        mission.stage = Stage.CARRY
        world.stations[following].missions[mission.id] = None
        world.next_wanted[following] = None
        goal = world.stations[following].station.lane[-1]
        begin_leg(world, vehicle, Purpose.CARRY, goal, mission.id, loaded=True)
        return
    mission.station = None
    mission.stage = Stage.STORE
    store(world, vehicle, mission)


def leave_queue(world: World, mission: Mission) -> None:
    """Give the mission's place at its station to others."""
    if mission.station is not None:
        work = world.stations[mission.station]
        work.missions.pop(mission.id, None)
        world.next_wanted[mission.station] = None
        if work.present == mission.id:
            work.present = None
            work.vacated = mission.pod
        world.demand_changed = True
        world.slots_changed = True


def store(world: World, vehicle: Vehicle, mission: Mission) -> None:
    """Drive a pod to the nearest free storage node; tries again later when none can be reached."""
    best: tuple[float, NodeId] | None = None
    for node in world.site.layout.nodes:
        if node.kind is NodeKind.STORAGE and node.id not in world.stored and node.id not in world.held:
            cost = world.travel_s(vehicle.node, node.id, loaded=True)
            if cost < math.inf and (best is None or (cost, node.id) < best):
                best = (cost, node.id)
    key = f"store-{mission.pod}"
    if best is None:
        world.raise_alarm(
            key, "warning", mission.pod, f"No free storage node can be reached for pod {mission.pod}.", "Free one."
        )
        world.timers.set(world.now_ms + RETRY_MS, "store", mission.id)
        return
    world.clear_alarm(key)
    mission.store = best[1]
    world.stored[best[1]] = None
    begin_leg(world, vehicle, Purpose.STORE, best[1], mission.id, act="drop", load=mission.pod, loaded=True)


def store_due(world: World, name: str) -> None:
    """Try again to store a pod."""
    mission = world.missions.get(MissionId(name))
    if mission is not None and mission.stage is Stage.STORE and mission.store is None and mission.robot is not None:
        store(world, world.vehicles[mission.robot], mission)


def turn_back(world: World, mission: Mission, station: StationId) -> None:
    """Drive a pod that is on its way to storage to a station that wants it now."""
    if mission.store is not None:
        world.stored.pop(mission.store, None)
        mission.store = None
    mission.station = station
    mission.stage = Stage.CARRY
    world.stations[station].missions[mission.id] = None
    world.next_wanted[station] = None
    goal = world.stations[station].station.lane[-1]
    begin_leg(world, _robot(world, mission), Purpose.CARRY, goal, mission.id, loaded=True)


def find_other_ways(world: World) -> None:
    """Send robots elsewhere whose goal is cut off, and that have stood for a while: others wait behind them.

    To another storage node; to another station that wants the pod, or to storage; or to nothing, if it has no pod yet.
    """
    if not world.traffic.impaired:
        return
    for mission in list(world.missions.values()):
        v = None if mission.robot is None else world.vehicles[mission.robot]
        if v is None or not v.placed or v.pins or v.cancelling or v.late or world.stopped:
            continue
        if world.now_ms - v.moved_ms < world.params.cut_off_ms or not world.traffic.cut_off(v.id):
            continue
        if mission.stage is Stage.FETCH:
            drop(world, mission)
        elif mission.stage is Stage.CARRY:
            if mission.station is not None:
                _no_way(world, mission.pod, v.node, mission.station)
            leave_station(world, mission)
        elif mission.stage is Stage.STORE and mission.store is not None:
            world.stored.pop(mission.store, None)
            mission.store = None
            store(world, v, mission)


def drop(world: World, mission: Mission) -> None:
    """Forget a mission whose pod was not lifted: others may fetch it."""
    leave_queue(world, mission)
    if mission.store is not None:
        world.stored.pop(mission.store, None)
    if mission.robot is not None:
        vehicle = world.vehicles[mission.robot]
        vehicle.mission = None
        vehicle.leg = None
        if vehicle.placed:
            world.traffic.rest(vehicle.id)  # or it would go there all the same, and stand before who fetches it
    end(world, mission)


def end(world: World, mission: Mission) -> None:
    """Forget a mission."""
    world.missions.pop(mission.id, None)
    if world.pod_mission.get(mission.pod) == mission.id:
        del world.pod_mission[mission.pod]
    world.timers.cancel("store", mission.id)
    world.demand_changed = True
    world.fleet_changed = True


def adopt_load(world: World, vehicle: Vehicle, pod: PodId) -> Mission:
    """Make a mission of a pod that a robot carries without one, and bring it where it is wanted or to storage."""
    node = world.pods.get(pod)
    if node is not None:
        world.stored.pop(node, None)
    world.pods[pod] = None
    world.missions_n += 1
    mission = Mission(id=MissionId(f"M{world.missions_n}"), pod=pod, station=None, stage=Stage.STORE, robot=vehicle.id)
    world.missions[mission.id] = mission
    world.pod_mission[pod] = mission.id
    vehicle.mission = mission.id
    return mission


def _arrived(world: World, vehicle: Vehicle, mission: Mission) -> None:
    if mission.station is None:
        raise Broken(f"mission {mission.id} arrived at no station")
    mission.stage = Stage.PRESENT
    world.pin(vehicle, Pin.PRESENT)
    world.unpin(vehicle, Pin.LEG)
    work = world.stations[mission.station]
    work.present = mission.id
    upcoming.arrived(world, work)
    world.tell(PodMoved(pod=mission.pod, node=vehicle.node))
    stations.show(world, mission)


def _set_down(world: World, vehicle: Vehicle, mission: Mission) -> None:
    if mission.store is None:
        raise Broken(f"mission {mission.id} set its pod down nowhere")
    world.pods[mission.pod] = mission.store
    world.stored[mission.store] = mission.pod
    world.tell(PodMoved(pod=mission.pod, node=mission.store))
    world.unpin(vehicle, Pin.LEG)
    vehicle.mission = None
    vehicle.leg = None
    world.traffic.rest(vehicle.id)  # or it would want back here whenever it made way, also when others want the pod
    end(world, mission)


def _robot(world: World, mission: Mission) -> Vehicle:
    if mission.robot is None:
        raise Broken(f"mission {mission.id} has no robot")
    return world.vehicles[RobotId(mission.robot)]


_PRIORITY = {
    Purpose.PARK: 0,
    Purpose.CHARGE: 1,
    Purpose.STORE: 2,
    Purpose.FETCH: 2,
    Purpose.COLLECT: 2,
    Purpose.CARRY: 3,
    Purpose.DELIVER: 3,
}
