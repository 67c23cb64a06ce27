"""What comes next at a station: named as soon as a pod is done there, and again when it changes before one stands."""

from contracts.ids import PodId
from contracts.messages.floor import NextPod
from dispatcher.world import Mission, PickState, Place, Stage, StationWork, World


def name_next(world: World) -> None:
    """Tell stations at which no pod stands which one comes, where that is news."""
    if not world.next_wanted:
        return
    for name in world.next_wanted:
        work = world.stations[name]
        if work.present is None and work.slots:
            mission = _nearest(world, work)
            pod = None if mission is None else mission.pod
            if work.vacated is not None or pod != work.named:
                _say(world, work, pod)
    world.next_wanted.clear()


def arrived(world: World, work: StationWork) -> None:
    """Forget what was said of the pod that stands here now."""
    world.cells[work.station.cell].commands.pop(_subject(work), None)
    work.named = work.vacated = None


def say_again(world: World, work: StationWork) -> None:
    """Tell a station that may have forgotten it once more."""
    work.named = None
    world.next_wanted[work.station.id] = None


def _say(world: World, work: StationWork, pod: PodId | None) -> None:
    cell = work.station.cell
    world.cells[cell].commands.pop(_subject(work), None)  # what is out of date is not repeated
    work.nexts += 1
    world.command(cell, _subject(work), _next_pod(world, work, pod))
    work.named, work.vacated = pod, None


def _subject(work: StationWork) -> str:
    return f"next-{work.station.id}-{work.nexts}"


def _next_pod(world: World, work: StationWork, pod: PodId | None) -> NextPod:
    """Return the message, with the first pick that can be done with the pod as things stand."""
    for task, name in (work.demand.get(pod, {}) if pod is not None else {}).items():
        tote = world.totes[name]
        pick = tote.picks[task]
        if pick.state is PickState.OPEN and tote.place is Place.STANDING:
            return NextPod(after=work.vacated, pod=pod, bin=pick.work.bin, item=pick.work.item, qty=pick.work.qty)
    return NextPod(after=work.vacated, pod=pod)


def _nearest(world: World, work: StationWork) -> Mission | None:
    """Return the mission whose pod will stand here first: one that is lifted before one that is not."""
    goal = work.station.lane[-1]
    best: tuple[bool, float, str] | None = None
    found: Mission | None = None
    for name in work.missions:
        mission = world.missions[name]
        if mission.robot is None:
            continue
        fetches = mission.stage is Stage.FETCH
        node = world.pods.get(mission.pod) if fetches else world.vehicles[mission.robot].node
        way_s = 0.0 if node is None else world.travel_s(node, goal, loaded=True)
        if best is None or (fetches, way_s, name) < best:
            best, found = (fetches, way_s, name), mission
    return found
