"""Which robot fetches which pod for which station."""

import math

import numpy as np

from contracts.ids import PodId, StationId
from contracts.messages.ops import VehicleState
from dispatcher import charging, missions, pooling, stations
from dispatcher.fleet.member import Pin, Purpose, Vehicle
from dispatcher.world import PickState, Stage, StationWork, Tote, World

_FAR_S = 1e6
"""Stands for 'unreachable' in the matching."""
_MATCHED = 64
"""At most so many trips enter one matching."""


def assign(world: World) -> None:
    """Give free robots the pod trips that the stations want most, by the smallest sum of travel times."""
    if not (world.demand_changed or world.fleet_changed):
        return
    world.demand_changed = False
    if world.stopped:
        return
    turn_back(world)
    robots = [v for v in world.vehicles.values() if free(world, v)]
    if not robots:
        return
    trips = wanted(world, min(len(robots), _MATCHED), robots)
    for robot, (station, pod) in match(world, robots, trips):
        missions.start(world, robot, pod, station)


def free(world: World, v: Vehicle) -> bool:
    """Whether a robot can take a mission now: in service, with enough in its battery, and not bound to its leg."""
    if (
        v.mission is not None
        or v.transport is not None
        or not v.placed
        or v.pins & (Pin.AWAY | Pin.PAUSE | Pin.LEG)
        or v.cancelling
    ):
        return False
    if v.retired or v.resting or v.late or v.charge_asked or v.report is None or v.state in _NOT_FREE:
        return False
    wants = charging.levels(world, v)
    at_charger = v.leg is not None and v.leg.purpose is Purpose.CHARGE
    return v.report.battery >= (wants.enough if at_charger else wants.below)


def wanted(world: World, limit: int, robots: list[Vehicle]) -> list[tuple[StationId, PodId]]:
    """Return the most wanted trips: the station with the fewest pods under way first, each its oldest tote's.

    Pods that none of the robots reaches are no trips.
    """
    queues: list[tuple[StationWork, list[PodId]]] = []
    for work in world.stations.values():
        if work.demand and stations.room(world, work) > 0:
            pods = _pods_wanted(world, work)
            if world.traffic.impaired:
                reached = [p for p in pods if any(_travel_s(world, v, p) < _FAR_S for v in robots)]
                if len(reached) < len(pods):
                    world.timers.earlier(world.now_ms + missions.RETRY_MS, "way")
                pods = reached
            if pods:
                queues.append((work, pods))
    trips: list[tuple[StationId, PodId]] = []
    taken: dict[PodId, None] = {}
    under_way = {work.station.id: len(work.missions) for work, _ in queues}
    while queues and len(trips) < limit:
        work, pods = min(queues, key=lambda q: (under_way[q[0].station.id], q[0].station.id))
        while pods and pods[-1] in taken:
            pods.pop()
        name = work.station.id
        if not pods or under_way[name] - len(work.missions) >= stations.room(world, work):
            queues = [q for q in queues if q[0] is not work]
            continue
        pod = pods.pop()
        taken[pod] = None
        under_way[name] += 1
        trips.append((name, pod))
    return trips


def match(
    world: World, robots: list[Vehicle], trips: list[tuple[StationId, PodId]]
) -> list[tuple[Vehicle, tuple[StationId, PodId]]]:
    """Match robots and trips by the smallest sum of unloaded travel times; nothing unreachable is matched."""
    if not trips:
        return []
    cost = [[_travel_s(world, v, pod) for _, pod in trips] for v in robots]
    pairs: list[tuple[int, int]]
    if len(robots) == 1 or len(trips) == 1:
        pairs = [min(((i, j) for i in range(len(robots)) for j in range(len(trips))), key=lambda p: cost[p[0]][p[1]])]
    else:
        from scipy.optimize import linear_sum_assignment

        rows, columns = linear_sum_assignment(np.asarray(cost))
        pairs = [(int(r), int(c)) for r, c in zip(rows, columns, strict=True)]
    return [(robots[i], trips[j]) for i, j in pairs if cost[i][j] < _FAR_S]


def turn_back(world: World) -> None:
    """Turn pods that are on their way to storage, but wanted at a station with room, back to it."""
    for mission in list(world.missions.values()):
        if mission.stage is not Stage.STORE or mission.robot is None:
            continue
        vehicle = world.vehicles[mission.robot]
        if vehicle.pins or not vehicle.placed or vehicle.cancelling:
            continue  # it sets the pod down already, or cannot be moved
        station = stations.next_station(world, mission)
        if station is not None:
            missions.turn_back(world, mission, station)


def _pods_wanted(world: World, work: StationWork) -> list[PodId]:
    """Pods in storage that a station wants; the last is wanted most."""
    found: list[tuple[tuple[int, ...], int, PodId]] = []
    for pod, wanted_for in work.demand.items():
        if pod in world.pod_mission or pod in world.held or world.pods.get(pod) is None:
            continue
        if not missions.has_way(world, pod, work):
            continue
        ranks = [
            _rank(world, world.totes[tote])
            for task, tote in wanted_for.items()
            if world.totes[tote].picks[task].state is PickState.OPEN
        ]
        if ranks:
            found.append((min(ranks), -len(ranks), pod))
    found.sort(reverse=True)
    return [pod for _, _, pod in found]


def _rank(world: World, tote: Tote) -> tuple[int, ...]:
    """Sort key of a tote that stands at a station: under ``optimized`` the one that is finished first."""
    if world.params.station_rule != "optimized":
        return tote.rank
    return (-tote.priority, pooling.left(world, tote), *tote.rank)


def _travel_s(world: World, vehicle: Vehicle, pod: PodId) -> float:
    node = world.pods[pod]
    cost = math.inf if node is None else world.travel_s(vehicle.node, node, loaded=False)
    return min(cost, _FAR_S)


_NOT_FREE = frozenset(
    {
        VehicleState.OFFLINE,
        VehicleState.CANCELLING,
        VehicleState.REJECTED,
        VehicleState.PAUSED,
        VehicleState.MANUAL,
        VehicleState.ERROR,
    }
)
