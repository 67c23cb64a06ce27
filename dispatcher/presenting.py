"""Pods for people: what a handheld's task needs, brought to stations that have nothing else to do.

Central says which pods people need now (`ShowPods`), all of them, again and again. Each is fetched by an ordinary
mission to an open station at which no tote stands, and stays there until it is needed no more. Picks come first: a pod
goes on as soon as another station wants it, and after `MOST_MS` if totes wait for a slot; it comes again when there is
time. A station that has such a pod gets no totes.
"""

import math

from contracts.ids import PodId
from contracts.messages.ops import OpsAnswer, OpsCommand, ShowPods
from dispatcher import assignment, missions, stations
from dispatcher.world import Mission, Stage, StationWork, World

MOST_MS = 600_000


def follow(world: World, command: OpsCommand, body: ShowPods) -> OpsAnswer:
    """Bring these pods from now on, and no others."""
    for pod in body.pods:
        if pod not in world.pods:
            return OpsAnswer(command.id, done=False, reason=f"The site has no pod {pod}.")
    world.for_hands = dict.fromkeys(body.pods)
    _let_go(world)
    world.demand_changed = world.slots_changed = True
    return OpsAnswer(command.id, done=True, reason="")


def wanted(world: World, mission: Mission) -> bool:
    """Whether people need the pod of a mission at its station, and no pick needs it elsewhere."""
    if mission.pod not in world.for_hands or mission.station is None or world.stations[mission.station].demand:
        return False
    if mission.stage is Stage.PRESENT and mission.robot is not None and world.waiting:
        stands_ms = world.now_ms - world.vehicles[mission.robot].moved_ms
        if stands_ms >= MOST_MS:
            return False
        world.timers.earlier(world.now_ms + MOST_MS - stands_ms, "way")
    return stations.next_station(world, mission) is None


def busy(world: World, work: StationWork) -> bool:
    """Whether a station has a pod for people, or gets one."""
    return bool(world.for_hands) and any(world.missions[m].pod in world.for_hands for m in work.missions)


def bring(world: World) -> None:
    """Let pods go on that are needed no more, and fetch others, as long as robots and stations have nothing to do."""
    if not world.for_hands or world.stopped:
        return
    _let_go(world)
    for pod in world.for_hands:
        node = world.pods[pod]
        if node is None or pod in world.pod_mission:
            continue
        idle = [w for w in world.stations.values() if _idle(world, w) and missions.has_way(world, pod, w)]
        robots = [v for v in world.vehicles.values() if assignment.free(world, v)]
        near = [(world.travel_s(v.node, node, loaded=False), v.id) for v in robots]
        if not idle or not near or min(near)[0] == math.inf or _wanted_for_picks(world, pod):
            continue
        work = min(idle, key=lambda w: (world.travel_s(node, w.station.lane[-1], loaded=True), w.station.id))
        missions.start(world, world.vehicles[min(near)[1]], pod, work.station.id)


def _let_go(world: World) -> None:
    for mission in list(world.missions.values()):
        if mission.stage is Stage.PRESENT and not mission.open and not wanted(world, mission):
            stations.show(world, mission)


def _idle(world: World, work: StationWork) -> bool:
    return (
        bool(work.slots)
        and not any(work.slots)
        and not work.demand
        and not work.missions
        and work.station.id not in world.closed_stations
    )


def _wanted_for_picks(world: World, pod: PodId) -> bool:
    return any(pod in work.demand for work in world.stations.values())
