"""Goods-to-person with a pool: totes wait as long as their due times allow, and go where their pods come anyway.

Three kinds of decision, each judged by pod visits. A *rider* needs no pod that its station does not get anyway, and
takes a free slot at once. A *seed* brings new pods: it is started only when a tote has waited long enough, and is then
the one whose pods are shared most (or one that is overdue, before any rider). And the pods of totes that need few come
first, so that slots are free for riders while the large totes, on whose pods they ride, stand.

The pool of waiting totes and the work of each station are all that is looked at: no forecast. Measured by `floorplane
bench stations`.
"""

from collections.abc import Mapping

from contracts.ids import PodId, ToteId
from dispatcher import seating
from dispatcher.world import PickState, StationWork, Tote, World

OVERDUE = 1.5
"""A tote that has waited so many times as long as it should is the next seed, whatever it shares."""

PATIENCE_MS = 120_000
"""For each time that it has stood so long, a tote counts as needing one pod less: no large one is put off for ever."""


def choose(world: World, free: list[StationWork]) -> tuple[StationWork, int] | None:
    """Take the next rider, else a seed if one is due; None: all that waits may wait on."""
    waiting = [world.totes[name] for _, name in seating.unplanned(world)]
    urgent = [tote for tote in waiting if tote.priority == waiting[0].priority]
    if not urgent:
        return None
    if world.params.batching == "single":
        # each by itself: the first that is released, where it shares most
        found = _seed(world, free, [min(urgent, key=lambda t: start_by_ms(world, t))])
        return None if found is None else _at(world, found)
    pool: dict[PodId, list[Tote]] = {}
    for tote in urgent:
        for pod in pods_of(tote):
            pool.setdefault(pod, []).append(tote)
    late = [t for t in urgent if _overdue(world, t)]
    found = _seed(world, free, late) or _rider(world, free, pool) or _seed(world, free, urgent)
    return None if found is None else _at(world, found)


def _at(world: World, found: tuple[StationWork, ToteId]) -> tuple[StationWork, int]:
    work, chosen = found
    return work, next(i for i, (_, name) in enumerate(world.waiting) if name == chosen)


def start_by_ms(world: World, tote: Tote) -> int:
    """Return until when a tote may wait for others: its hold ends, or its due time comes near."""
    p = world.params
    if p.release_rule == "fcfs" or tote.priority > 0 or not tote.picks:
        return tote.listed_ms
    return max(tote.listed_ms, min(tote.listed_ms + p.hold_ms, tote.due_ms - p.due_lead_ms))


def pods_of(tote: Tote) -> dict[PodId, int]:
    """Return the pods of a tote's open picks, with how many picks each."""
    found: dict[PodId, int] = {}
    for pick in tote.picks.values():
        if pick.state is PickState.OPEN:
            found[pick.work.pod] = found.get(pick.work.pod, 0) + 1
    return found


def left(world: World, tote: Tote) -> int:
    """Return how many pods a standing tote still needs, less what its patience takes off."""
    return len(pods_of(tote)) - (world.now_ms - tote.stands_ms) // PATIENCE_MS


def _overdue(world: World, tote: Tote) -> bool:
    held_ms = start_by_ms(world, tote) - tote.listed_ms
    return held_ms > 0 and world.now_ms - tote.listed_ms >= OVERDUE * held_ms


def _rider(
    world: World, free: list[StationWork], pool: Mapping[PodId, list[Tote]]
) -> tuple[StationWork, ToteId] | None:
    """Return a tote that needs only pods that its station gets anyway: the fewest of them not under way yet a pick."""
    best: tuple[float, int, tuple[int, int, int]] | None = None
    found: tuple[StationWork, ToteId] | None = None
    for work in free:
        coming = {world.missions[m].pod: None for m in work.missions}
        seen: dict[ToteId, None] = {}
        for pod in (*coming, *work.demand):
            for tote in pool.get(pod, ()):
                if tote.id in seen:
                    continue
                seen[tote.id] = None
                pods = pods_of(tote)
                if any(p not in coming and p not in work.demand for p in pods):
                    continue
                picks = sum(pods.values())
                cost = (sum(p not in coming for p in pods) / picks, -picks, tote.rank)
                if best is None or cost < best:
                    best, found = cost, (work, tote.id)
    return found


def _seed(world: World, free: list[StationWork], totes: list[Tote]) -> tuple[StationWork, ToteId] | None:
    """Return the tote with the smallest share of pods that its station would not get without it, once one is due."""
    due_ms = min((start_by_ms(world, t) for t in totes), default=None)
    if due_ms is None:
        return None
    if due_ms > world.now_ms:
        world.timers.earlier(due_ms, "release")
        return None
    best: tuple[float, tuple[int, int, int], int] | None = None
    found: tuple[StationWork, ToteId] | None = None
    pods = [(tote, pods_of(tote)) for tote in totes]
    for work in free:
        coming = {world.missions[m].pod: None for m in work.missions}
        for tote, wanted in pods:
            new = sum(p not in coming and p not in work.demand for p in wanted)
            cost = (new / max(1, len(wanted)), tote.rank, len(work.demand))
            if best is None or cost < best:
                best, found = cost, (work, tote.id)
    return found
