"""Layouts by a rule: ABC across the aisles, within the aisles, by distance; and by group, as most floors grow.

Each gives the most picked part the first slot in its order that the part may have. They are baselines and the start of
the search. After C. G. Petersen: Considerations in order picking zone configuration (IJOPM 22, 2002).
"""

import numpy as np
import numpy.typing as npt

from contracts.errors import Rejected
from dispatcher.optimizers.slotting.problem import NO_GROUP, Ints, Problem


def across(problem: Problem) -> Ints:
    """Fast movers at the depot's end of every aisle; return the slot of each part."""
    deep = _deep_m(problem)
    return _fill(problem, np.lexsort((_aside(problem), _reach(problem), deep)), _by_picks(problem))


def within(problem: Problem) -> Ints:
    """Fast movers fill the aisle nearest to the depot, then the next."""
    return _fill(problem, np.lexsort((_deep_m(problem), _reach(problem), _aside(problem))), _by_picks(problem))


def nearest(problem: Problem) -> Ints:
    """Fast movers where the way from the depot, and the reach, is shortest."""
    w, s = problem.warehouse, problem.slots
    way = _aside(problem) * w.pitch_m + _deep_m(problem) + _reach(problem) / 2
    return _fill(problem, np.lexsort((s.slot_bay, way)), _by_picks(problem))


def by_group(problem: Problem, group: Ints) -> Ints:
    """Parts of one group (a category, a product line) beside each other, aisle by aisle, by part number."""
    return _fill(problem, np.arange(len(problem.slots.slot_bay)), np.lexsort((np.arange(problem.parts), group)))


def _by_picks(problem: Problem) -> Ints:
    return np.argsort(-problem.picks, kind="stable")


def _aside(problem: Problem) -> Ints:
    aside: Ints = np.abs(problem.slots.bay_aisle - problem.warehouse.depot_aisle)[problem.slots.slot_bay]
    return aside


def _deep_m(problem: Problem) -> npt.NDArray[np.float64]:
    w = problem.warehouse
    deep: npt.NDArray[np.float64] = np.abs(problem.slots.bay_at_m - w.cross_m[w.depot_cross])[problem.slots.slot_bay]
    return deep


def _reach(problem: Problem) -> npt.NDArray[np.float64]:
    return problem.slots.reach_m


def _fill(problem: Problem, slots: Ints, parts: Ints) -> Ints:
    """Give each part, in order, the first free slot that it may have; the kinds with the fewest slots choose first."""
    s = problem.slots
    room = problem.allowed[:, s.kind].sum(axis=1)
    free = np.ones(len(s.slot_bay), np.bool_)
    slot_of = np.full(problem.parts, -1, np.int64)
    in_bay: set[tuple[int, int]] = set()
    next_free: dict[int, int] = {}

    def take(part: int, slot: int) -> None:
        slot_of[part] = slot
        free[slot] = False
        if problem.apart[part] != NO_GROUP:
            in_bay.add((int(problem.apart[part]), int(s.slot_bay[slot])))

    def fits(part: int, slot: int) -> bool:
        apart = int(problem.apart[part])
        return bool(
            free[slot]
            and problem.allowed[problem.kind[part], s.kind[slot]]
            and (apart == NO_GROUP or (apart, int(s.slot_bay[slot])) not in in_bay)
        )

    rank = np.empty(problem.parts, np.int64)
    rank[parts] = np.arange(problem.parts)
    aisle_of = s.bay_aisle[s.slot_bay]
    for group in np.unique(problem.together[problem.together != NO_GROUP]).tolist():
        members = sorted(
            np.flatnonzero(problem.together == group).tolist(), key=lambda p: (room[problem.kind[p]], rank[p])
        )
        for aisle in dict.fromkeys(aisle_of[slots].tolist()):
            before = set(in_bay)
            for p in members:
                slot = next((k for k in slots.tolist() if aisle_of[k] == aisle and fits(p, k)), None)
                if slot is None:
                    break
                take(p, slot)
            else:
                break
            for p in members:
                if slot_of[p] >= 0:
                    free[slot_of[p]], slot_of[p] = True, -1
            in_bay.clear()
            in_bay.update(before)
        else:
            raise Rejected(f"together/{group}", len(members), "parts that one aisle has slots for")
    order = sorted((p for p in parts.tolist() if slot_of[p] < 0), key=lambda p: room[problem.kind[p]])
    listed = slots.tolist()
    for p in order:
        kind, k = int(problem.kind[p]), next_free.get(int(problem.kind[p]), 0)
        while k < len(listed) and not (free[listed[k]] and problem.allowed[kind, s.kind[listed[k]]]):
            k += 1
        next_free[kind] = k
        while k < len(listed) and not fits(p, listed[k]):
            k += 1
        if k == len(listed):
            raise Rejected(f"parts/{p}", kind, "of a kind, or in a group, that has a free slot left")
        take(p, listed[k])
    return slot_of
