"""Stations: which picks a pod is wanted for, what is shown to the person there, and where the pod goes then."""

import math

from contracts.ids import BinId, PodId, StationId, TaskId
from contracts.messages.facts import Evidence, PickDone, TaskStarted
from contracts.messages.floor import EdgeEvent, PickConfirmed, PickInstruction, PresentPod
from contracts.messages.work import Pick
from dispatcher import missions, presenting
from dispatcher.outbox import Cause
from dispatcher.world import Mission, PickState, Place, StationWork, Tote, World, remember


def want_pick(world: World, tote: Tote, pick: Pick) -> None:
    """Want a pod for a pick of a tote that stands at a station."""
    if tote.station is not None:
        world.stations[tote.station].demand.setdefault(pick.pod, {})[pick.task] = tote.id
        world.demand_changed = True


def forget_pick(world: World, tote: Tote, pick: Pick) -> None:
    """Want the pod no longer for this pick: it is done, cancelled, or asked for anew."""
    if tote.station is None:
        return
    work = world.stations[tote.station]
    tasks = work.demand.get(pick.pod)
    if tasks is not None and tasks.pop(pick.task, None) is not None and not tasks:
        del work.demand[pick.pod]
        world.clear_alarm(f"way-{pick.pod}-{work.station.id}")
    if work.present is not None:
        mission = world.missions[work.present]
        if mission.open.pop(pick.task, False) is None and not mission.open:
            show(world, mission)


def room(world: World, work: StationWork) -> int:
    """Return how many more pods may be sent to a station."""
    return len(work.station.lane) + world.params.pods_ahead - len(work.missions)


def show(world: World, mission: Mission) -> None:
    """Let the person do what there is to do with the pod that stands here, or let the pod go on."""
    assert mission.station is not None  # noqa: S101 - only a mission that stands at a station is shown
    work = world.stations[mission.station]
    wanted = work.demand.get(mission.pod, {})
    picks: list[PickInstruction] = []
    for task, name in wanted.items():
        tote = world.totes[name]
        pick = tote.picks[task]
        if pick.state is PickState.OPEN and tote.place is Place.STANDING:
            pick.state = PickState.PRESENTED
            mission.open[task] = None
            picks.append(_instruction(tote, pick.work))
            world.tell(TaskStarted(task=task, attempt=pick.work.attempt, station=mission.station, robot=mission.robot))
    if picks:
        mission.shows += 1
        subject = f"present-{mission.id}-{mission.shows}"
        world.command(work.station.cell, subject, PresentPod(pod=mission.pod, picks=tuple(picks)))
    elif not mission.open and not presenting.wanted(world, mission):
        missions.leave_station(world, mission)


def show_again(world: World, mission: Mission) -> None:
    """Repeat what the person has still to do, for a cell that may have forgotten it."""
    assert mission.station is not None  # noqa: S101 - as in `show`
    picks: list[PickInstruction] = []
    for task in mission.open:
        tote = world.totes[world.picks[task]]
        picks.append(_instruction(tote, tote.picks[task].work))
    mission.shows += 1
    cell = world.stations[mission.station].station.cell
    world.command(cell, f"present-{mission.id}-{mission.shows}", PresentPod(pod=mission.pod, picks=tuple(picks)))


def pick_confirmed(world: World, event: EdgeEvent, body: PickConfirmed, cause: Cause) -> bool:
    """Tell central of a pick, once for each attempt; returns whether a fact carries the event.

    It need not have been presented by this dispatcher: after a lost journal the person's word still counts.
    """
    key = (body.task, body.attempt)
    if key in world.told or world.closed.get(body.task, -1) >= body.attempt:
        return False
    name = world.picks.get(body.task)
    tote = world.totes[name] if name is not None else None
    pick = tote.picks[body.task] if tote is not None else None
    if pick is not None and body.attempt < pick.work.attempt:
        return False
    station = _station_of(world, tote, event)
    world.told[key] = None
    remember(world.told)
    world.tell(
        PickDone(
            task=body.task,
            attempt=body.attempt,
            qty=body.qty,
            station=station,
            reason=body.reason,
            evidence=Evidence(
                cell=event.cell,
                epoch=event.epoch,
                seq=event.seq,
                at_ms=event.at_ms,
                barcode=body.barcode,
                weight_g=body.weight_g,
                picture=body.picture,
            ),
        ),
        cause,
    )
    if tote is not None and pick is not None and body.attempt == pick.work.attempt:
        pick.state = PickState.TOLD
        forget_pick(world, tote, pick.work)
    return True


def next_station(world: World, mission: Mission) -> StationId | None:
    """Return the nearest station that wants this pod too and has room, None: nobody does."""
    best: tuple[float, StationId] | None = None
    here = world.stations[mission.station].station.exit if mission.station is not None else None
    if world.traffic.impaired and mission.robot is not None:
        here = world.vehicles[mission.robot].node  # whence it may not reach every station
    for name, work in world.stations.items():
        if name == mission.station or not _open_picks(world, work, mission.pod) or room(world, work) <= 0:
            continue
        cost = 0.0 if here is None else world.travel_s(here, work.station.lane[-1], loaded=True)
        if cost < math.inf and (best is None or (cost, name) < best):
            best = (cost, name)
    return None if best is None else best[1]


def _open_picks(world: World, work: StationWork, pod: PodId) -> list[TaskId]:
    wanted = work.demand.get(pod)
    if not wanted:
        return []
    return [t for t, tote in wanted.items() if world.totes[tote].picks[t].state is PickState.OPEN]


def _instruction(tote: Tote, pick: Pick) -> PickInstruction:
    return PickInstruction(
        task=pick.task,
        attempt=pick.attempt,
        item=pick.item,
        barcode=pick.barcode,
        qty=pick.qty,
        unit_weight_g=pick.unit_weight_g,
        bin=BinId(pick.bin),
        tote=tote.id,
        slot=tote.slot,
    )


def _station_of(world: World, tote: Tote | None, event: EdgeEvent) -> StationId:
    if tote is not None and tote.station is not None:
        return tote.station
    for name, work in world.stations.items():
        if work.station.cell == event.cell:
            return name
    return StationId("")
