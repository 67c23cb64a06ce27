"""Which tote gets a free slot of a station: by priority first, then by the rule that `Params.station_rule` names."""

from contracts.ids import PodId, ToteId
from contracts.messages.floor import OpenTote
from dispatcher import stations, tasks
from dispatcher.world import PickState, Place, StationWork, Tote, World

STARVES_MS = 30 * 60_000
"""A tote that has waited so long since it was first passed over is next, whatever the rule."""


def fill_slots(world: World) -> None:
    """Give every free slot of a pick station a tote, the emptiest station first."""
    if not world.slots_changed:
        return
    world.slots_changed = False
    choose = RULES[world.params.station_rule]
    while world.waiting:
        best: tuple[int, int, StationWork] | None = None
        for i, work in enumerate(world.stations.values()):
            free = work.slots.count(None)
            if free and (best is None or (-free, i) < best[:2]):
                best = (-free, i, work)
        if best is None:
            return
        work = best[2]
        place = choose(world, work)
        tote = world.totes[world.waiting.pop(place)[1]]
        tote.listed = False
        stand(world, work, tote)


def first_come(world: World, work: StationWork) -> int:
    """Take the first tote by priority, due time and arrival (the baseline)."""
    del world, work
    return 0


def affinity(world: World, work: StationWork) -> int:
    """Take the tote whose picks come with the fewest extra pod visits.

    Among the first `Params.affinity_window` totes of the highest priority each scores two for a pick from a pod that is
    at the station or on its way there, one for a pick from a pod that the station wants anyway, and minus one for each
    further pod. Ties go to the first by due time and arrival.
    """
    coming = {world.missions[m].pod: None for m in work.missions}
    first_rank = world.waiting[0][0]
    best_score, best = 0, -1
    for i, (rank, name) in enumerate(world.waiting[: world.params.affinity_window]):
        if rank[0] != first_rank[0]:
            break
        score = _score(world.totes[name], coming, work)
        if best < 0 or score > best_score:
            best_score, best = score, i
    first = world.waiting[0][1]
    if best > 0:
        since = world.passed_over.setdefault(first, world.now_ms)
        if world.now_ms - since > STARVES_MS:
            best = 0
    world.passed_over.pop(world.waiting[best][1], None)
    return best


def stand(world: World, work: StationWork, tote: Tote) -> None:
    """Put an empty tote into a station's first free slot and want the pods of its picks."""
    slot = work.slots.index(None)
    work.slots[slot] = tote.id
    tote.place, tote.station, tote.slot = Place.STANDING, work.station.id, slot
    world.command(work.station.cell, f"open-{tote.id}", OpenTote(tote=ToteId(tote.id), slot=slot))
    for pick in tote.picks.values():
        if pick.state is PickState.OPEN:
            stations.want_pick(world, tote, pick.work)
    tasks.complete(world, tote)


def _score(tote: Tote, coming: dict[PodId, None], work: StationWork) -> int:
    score, extra = 0, dict[PodId, None]()
    for pick in tote.picks.values():
        pod = pick.work.pod
        if pod in coming:
            score += 2
        elif pod in work.demand:
            score += 1
        else:
            extra[pod] = None
    return score - len(extra)


RULES = {"affinity": affinity, "first_come": first_come}
