"""From the layout that is to the one that is wanted: exchanges one by one, the most worth first."""

import heapq

import msgspec
import numpy as np

from contracts.errors import Rejected
from dispatcher.optimizers.slotting.anneal import EMPTY, change, crowded, lengths, may_swap
from dispatcher.optimizers.slotting.problem import Ints, Problem
from dispatcher.optimizers.slotting.search import Floor

_CHOICES = 4


class Step(msgspec.Struct, frozen=True):
    """One exchange: `part` goes to `slot`, what lies there (`other`, or nothing) goes back to where it came from.

    `gain_m` is what the orders of the problem walk less by it after all steps before; `cost_m` what it costs to do.
    """

    part: int
    slot: int
    other: int | None
    gain_m: float
    cost_m: float


def reslot(
    problem: Problem, current: Ints, target: Ints, move_cost_m: float, most_moves: int | None = None
) -> list[Step]:
    """Choose exchanges that bring parts to the bays where `target` wants them, by gain minus cost of the moves.

    Parameters
    ----------
    problem
        Its orders are what a gain is measured on; a cost is to be given for as many.
    current, target
        Slot of each part now and in the wanted layout, shape (parts,).
    move_cost_m
        What moving one part costs, in metres walked; at least 0. An exchange with a full slot moves two.
    most_moves
        At most so many parts are moved; None: all that pay.

    Returns
    -------
    list of Step
        In the order in which they are to be done; each gains more than it costs.
    """
    if not move_cost_m >= 0:
        raise Rejected("move_cost_m", move_cost_m, "at least 0")
    floor, s, o = Floor(problem), problem.slots, problem.orders
    of_start, of_order = problem.orders_of
    slot_of, bay_of = current.copy(), s.slot_bay[current]
    content = np.full(len(s.slot_bay), EMPTY, np.int64)
    content[slot_of] = np.arange(problem.parts)
    work = floor.work(o)
    length = lengths(o.start, o.part, bay_of, floor.place, work)
    stamp, touched, fresh = np.zeros(len(length), np.int64), np.empty(len(length), np.int64), np.empty(len(length))
    wanted, picks = s.slot_bay[target], problem.picks
    first, mark = floor.rules[7], 0
    load = np.bincount(problem.zone[bay_of], weights=picks, minlength=int(problem.zone.max()) + 1)

    def best(p: int) -> tuple[float, int, int]:
        """Net gain, slot and orders touched (their new lengths are in `fresh`) of the best exchange for a part."""
        nonlocal mark
        bay = int(wanted[p])
        slots = range(int(first[bay]), int(first[bay + 1]))
        # what is at home here stays; of the rest the empty and the least picked are tried
        able = [
            k
            for k in slots
            if (content[k] == EMPTY or wanted[content[k]] != bay) and may_swap(slot_of[p], k, floor.rules, content)
        ]
        able.sort(key=lambda k: (content[k] != EMPTY, picks[content[k]] if content[k] != EMPTY else 0, k))
        found = (-np.inf, -1, 0)
        for k in able[:_CHOICES]:
            mark += 1
            net, n = measure(p, k)
            undo(p, k)
            if net > found[0]:
                found = (net, k, n)
        return found

    def measure(p: int, k: int) -> tuple[float, int]:
        a, q = int(slot_of[p]), int(content[k])
        bay_of[p] = s.slot_bay[k]
        reach = picks[p] * (s.reach_m[k] - s.reach_m[a])
        if q != EMPTY:
            bay_of[q] = s.slot_bay[a]
            reach += picks[q] * (s.reach_m[a] - s.reach_m[k])
        walked, n = change(
            p, q, o.start, o.part, of_start, of_order, bay_of, length, stamp, mark, touched, fresh, floor.place, work
        )
        reach += crowded(p, q, s.slot_bay[a], s.slot_bay[k], picks, problem.zone, load, problem.crowd_share)
        return -(walked + reach) - move_cost_m * (1 + (q != EMPTY)), n

    def undo(p: int, k: int) -> None:
        bay_of[p] = s.slot_bay[slot_of[p]]
        if content[k] != EMPTY:
            bay_of[content[k]] = s.slot_bay[k]

    waiting = []
    for p in np.flatnonzero((bay_of != wanted) & (picks > 0)).tolist():
        net, k, _ = best(p)
        if k >= 0:
            waiting.append((-net / (1 + (content[k] != EMPTY)), p))
    heapq.heapify(waiting)
    steps: list[Step] = []
    moved: set[int] = set()
    while waiting:
        worth, p = heapq.heappop(waiting)
        if bay_of[p] == wanted[p]:
            continue
        net, k, _ = best(p)
        if k < 0 or net <= 0:
            continue
        moves = 1 + (content[k] != EMPTY)
        if waiting and -net / moves > waiting[0][0] + 1e-9 and -net / moves > worth + 1e-9:
            heapq.heappush(waiting, (-net / moves, p))  # worth less by now than another one
            continue
        q = int(content[k])
        would = moved | {p} | ({q} if q != EMPTY else set())
        if most_moves is not None and len(would) > most_moves:
            if most_moves - len(moved) < 1:
                break
            continue
        mark += 1
        net, n = measure(p, k)
        length[touched[:n]] = fresh[:n]
        a = int(slot_of[p])
        more = picks[p] - (picks[q] if q != EMPTY else 0)
        load[problem.zone[s.slot_bay[a]]] -= more
        load[problem.zone[s.slot_bay[k]]] += more
        slot_of[p], content[k], content[a] = k, p, q
        if q != EMPTY:
            slot_of[q] = a
        moved = would
        steps.append(Step(p, k, q if q != EMPTY else None, net + move_cost_m * moves, move_cost_m * moves))
    return steps


def after(current: Ints, steps: list[Step]) -> Ints:
    """Return the slot of each part after these steps."""
    slot_of = current.copy()
    for step in steps:
        if step.other is not None:
            slot_of[step.other] = slot_of[step.part]
        slot_of[step.part] = step.slot
    return slot_of
