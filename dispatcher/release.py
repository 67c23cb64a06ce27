"""Which tote gets a free slot of a station: by priority first, then by the rule that `Params.station_rule` names."""

from collections.abc import Callable

from contracts.errors import Broken
from contracts.ids import PodId, ToteId
from contracts.messages.floor import OpenTote
from dispatcher import pooling, presenting, seating, stations, tasks
from dispatcher.world import PickState, Place, StationWork, Tote, World

STARVES_MS = 30 * 60_000
"""A tote that has waited so long since it was first passed over is next, whatever it costs."""
SHARED_S = 10.0
"""A pod that comes anyway, but later than at once."""
TURN_S = 30.0
"""Lifting, setting down and a turn at the station."""
AWAY_S = 90.0
"""A pod that another station has, or that cannot be reached now."""
BUSY_S = 30.0
"""For each pod that a station waits for beyond `EASY_PODS`."""
EASY_PODS = 3
_SAME_S = 1e-6


def fill_slots(world: World) -> None:
    """Give free slots of pick stations to totes, until one of the two runs out."""
    if not world.slots_changed:
        return
    world.slots_changed = False
    choose = RULES[world.params.station_rule]
    while world.waiting:
        free = [w for w in world.stations.values() if None in w.slots and w.station.id not in world.closed_stations]
        free = [w for w in free if not presenting.busy(world, w)]
        if not free:
            return
        chosen = seating.choose(world, free) or choose(world, free)
        if chosen is None:
            return
        work, place = chosen
        tote = world.totes[world.waiting.pop(place)[1]]
        tote.listed = False
        world.passed_over.pop(tote.id, None)
        stand(world, work, tote)


def release_due(world: World, _: str) -> None:
    """Look again: a tote has waited as long as it may."""
    world.slots_changed = True


def first_come(world: World, free: list[StationWork]) -> tuple[StationWork, int] | None:
    """Take the first tote by priority, due time and arrival, at the station with most free slots (the baseline)."""
    for place, _ in seating.unplanned(world, 1):
        return max(free, key=lambda work: work.slots.count(None)), place
    return None


def affinity(world: World, free: list[StationWork]) -> tuple[StationWork, int] | None:
    """Take the tote and the station that cost the least robot time a pick.

    Among the first `Params.affinity_window` totes of the highest priority, a pod that is at the station or on its way
    there costs nothing, one that the station waits for anyway costs `SHARED_S`, and each further one its way to the
    station and back and its turn there. Stations with much to do cost more. Ties go to the first by due time and
    arrival, and a tote that was passed over for half an hour is next whatever it costs.
    """
    waiting = seating.unplanned(world, world.params.affinity_window)
    if not waiting:
        return None
    first_place, first = waiting[0]
    first_priority = world.totes[first].priority
    starved = world.now_ms - world.passed_over.get(first, world.now_ms) > STARVES_MS
    coming = [{world.missions[m].pod: None for m in work.missions} for work in free]
    busy_s = [BUSY_S * max(0, len(work.demand) - EASY_PODS) for work in free]
    best: tuple[float, int, int] | None = None
    for i, name in waiting[:1] if starved else waiting:
        tote = world.totes[name]
        if tote.priority != first_priority:
            break
        for j, work in enumerate(free):
            cost_s = (_cost_s(world, tote, coming[j], work) + busy_s[j]) / max(1, len(tote.picks))
            if best is None or cost_s < best[0] - _SAME_S:
                best = (cost_s, i, j)
    if best is None:
        raise Broken("a tote waits for a slot, but none was looked at")
    if best[1] > first_place:
        world.passed_over.setdefault(first, world.now_ms)
    return free[best[2]], best[1]


def stand(world: World, work: StationWork, tote: Tote) -> None:
    """Put an empty tote into a station's first free slot and want the pods of its picks."""
    slot = work.slots.index(None)
    work.slots[slot] = tote.id
    tote.place, tote.station, tote.slot = Place.STANDING, work.station.id, slot
    tote.stands_ms = world.now_ms
    world.seats.pop(tote.id, None)
    world.command(work.station.cell, f"open-{tote.id}", OpenTote(tote=ToteId(tote.id), slot=slot))
    for pick in tote.picks.values():
        if pick.state is PickState.OPEN:
            stations.want_pick(world, tote, pick.work)
    tasks.complete(world, tote)


def _cost_s(world: World, tote: Tote, coming: dict[PodId, None], work: StationWork) -> float:
    """Return the robot time, in seconds, that a tote's pods would cost at a station."""
    cost_s = 0.0
    seen: dict[PodId, None] = {}
    goal = work.station.lane[-1]
    for pick in tote.picks.values():
        pod = pick.work.pod
        if pod in coming or pod in seen:
            continue
        seen[pod] = None
        if pod in work.demand:
            cost_s += SHARED_S
            continue
        node = world.pods.get(pod)
        way_s = AWAY_S if node is None else world.travel_s(node, goal, loaded=True)
        cost_s += 2 * min(way_s, AWAY_S) + TURN_S
    return cost_s


RULES: dict[str, Callable[[World, list[StationWork]], tuple[StationWork, int] | None]] = {
    "optimized": pooling.choose,
    "affinity": affinity,
    "first_come": first_come,
}
