"""From the pods in which parts lie to those where a plan wants them: moves one by one, the most worth first.

A part needs free bins where it goes. Where there are none, a part that the plan wants elsewhere makes room first, with
its own move, and both are weighed together. No pod gets more than its share of picks on the way, as in the plan.
"""

import heapq
from collections.abc import Sequence

import msgspec
import numpy as np

from contracts.errors import Broken, Rejected
from dispatcher.optimizers.slotting.pods import PodProblem, begun, cost_m, groups, groups_of, moved
from dispatcher.optimizers.slotting.problem import Ints

_CHOICES = 4


class PodMove(msgspec.Struct, frozen=True):
    """`part` goes to `pod`; what the history drives less by it after all moves before (m), and what doing it costs (m).

    A move that only makes room for the next one may gain less than nothing by itself.
    """

    part: int
    pod: int
    gain_m: float
    cost_m: float


def pod_moves(
    problem: PodProblem, current: Ints, target: Ints, together: int = 6, visit_share: float = 1.0,
    most_moves: int | None = None,
) -> list[PodMove]:  # fmt: skip
    """Choose moves by gain minus cost.

    Parameters
    ----------
    problem
        Its history is what a gain is measured on.
    current, target
        Pod of each part now and in the plan, shape (parts,).
    together
        Orders that a station works on at a time.
    visit_share
        What a visit for a move costs, as a share of one for a pick, at least 0: each of the two pods must come once.
    most_moves
        At most so many moves; None: all that pay.

    Returns
    -------
    list of PodMove
        In the order in which they are to be done; what is done so far is worth more than it cost after each room that
        was made is used.

    Raises
    ------
    Rejected
        The parts do not fit where they are said to lie, or a number is out of bounds.
    """
    if not visit_share >= 0:
        raise Rejected("visit_share", visit_share, "at least 0")
    used = np.bincount(current, weights=problem.bins, minlength=len(problem.room)).astype(np.int64)
    for pod in np.flatnonzero(used > problem.room):
        raise Rejected(f"pods/{pod}", int(used[pod]), f"at most the pod's {problem.room[pod]} bins in use")
    start, part = groups(problem.orders, together)
    of_start, of_group = groups_of(start, part, len(problem.bins))
    cost = problem.visit_m + 2 * problem.way_m
    picks = problem.orders.picks(len(problem.bins))
    most = int(problem.most_share * picks.sum())
    pod_of, _, count, free, load, *_ = begun(
        start, of_start, of_group, problem.bins, problem.room, picks, current.astype(np.int64)
    )
    content: list[dict[int, None]] = [{} for _ in problem.room]
    for p, q in enumerate(pod_of.tolist()):
        content[q][p] = None

    def go(p: int, to: int) -> float:
        """Move a part and return what that gains."""
        frm = int(pod_of[p])
        gain = -float(moved(p, to, of_start, of_group, count, pod_of, cost))
        free[frm] += problem.bins[p]
        free[to] -= problem.bins[p]
        load[frm] -= picks[p]
        load[to] += picks[p]
        del content[frm][p]
        content[to][p] = None
        return gain

    def price(p: int, to: int) -> float:
        return visit_share * float(cost[pod_of[p]] + cost[to])

    def may(p: int, to: int) -> bool:
        return bool(
            free[to] >= problem.bins[p] and (picks[p] == 0 or load[to] + picks[p] <= max(most, load[pod_of[p]]))
        )

    def ways(p: int) -> list[list[tuple[int, int]]]:
        """The move to where the plan wants it; with one that makes room before it where there is none."""
        to = int(target[p])
        if free[to] >= problem.bins[p]:
            return [[(p, to)]] if may(p, to) else []
        makes_room = [x for x in content[to] if target[x] != to and free[to] + problem.bins[x] >= problem.bins[p]]
        makes_room.sort(key=lambda x: (picks[x], x))
        found = []
        for x in makes_room[:_CHOICES]:
            there = [int(target[x])] if may(x, int(target[x])) else _roomy(free, int(problem.bins[x]), to)
            # two that change places meet in a third pod
            home = [(x, int(pod_of[p]))] if target[x] == pod_of[p] and there[:1] != [pod_of[p]] else []
            found += [[(x, pod), (p, to), *home] for pod in there[:1] if may(x, pod)]
        return [w for w in found if len(w) < 3 or free[pod_of[p]] + problem.bins[p] >= problem.bins[w[0][0]]]

    def weighed(steps: Sequence[tuple[int, int]]) -> float:
        """Gain minus cost of steps, which are undone again."""
        back, net = [(p, int(pod_of[p])) for p, _ in steps], 0.0
        for p, to in steps:
            net -= price(p, to)
            net += go(p, to)
        for p, frm in reversed(back):
            go(p, frm)
        return net

    def best(p: int) -> tuple[float, list[tuple[int, int]]]:
        return max(((weighed(w), w) for w in ways(p)), default=(-np.inf, []), key=lambda found: found[0])

    waiting = [(-best(p)[0], p) for p in np.flatnonzero((pod_of != target) & (picks > 0)).tolist()]
    heapq.heapify(waiting)
    moves: list[PodMove] = []
    left_out: list[int] = []
    gone_on = False
    while waiting or (gone_on and left_out):
        if not waiting:  # what was in the way of those that were left out may be gone
            waiting, left_out, gone_on = [(-best(p)[0], p) for p in left_out], [], False
            heapq.heapify(waiting)
        worth, p = heapq.heappop(waiting)
        if pod_of[p] == target[p]:
            continue
        net, steps = best(p)
        if net <= 0:
            left_out.append(p)
            continue
        if waiting and -net > waiting[0][0] + 1e-9 and -net > worth + 1e-9:
            heapq.heappush(waiting, (-net, p))  # worth less by now than another one
            continue
        if most_moves is not None and len(moves) + len(steps) > most_moves:
            if len(moves) >= most_moves:
                break
            continue
        for one, to in steps:
            costs = price(one, to)
            moves.append(PodMove(one, to, go(one, to), costs))
        gone_on = True
    return moves


def check_moves(
    problem: PodProblem, current: Ints, moves: Sequence[PodMove], together: int = 6
) -> Ints:  # fmt: skip
    """Do the moves one by one, with nothing of what chose them; return where the parts lie then.

    Raises
    ------
    Broken
        A pod is too full after a move, or a move gains something else than it says.
    """
    pod_of = current.copy()
    before = cost_m(problem, pod_of, together)
    for n, move in enumerate(moves):
        pod_of[move.part] = move.pod
        used = np.bincount(pod_of, weights=problem.bins, minlength=len(problem.room))
        if (used > problem.room).any():
            raise Broken(f"moves/{n}: pod {int((used - problem.room).argmax())} is too full after it")
        after = cost_m(problem, pod_of, together)
        if abs(before - after - move.gain_m) > 1e-6 * max(1.0, before):
            raise Broken(f"moves/{n}: gains {before - after} m, not {move.gain_m}")
        before = after
    return pod_of


def _roomy(free: Ints, need: int, without: int) -> list[int]:
    """Pods with most free bins first."""
    return [int(p) for p in np.argsort(-free, kind="stable")[:_CHOICES] if free[p] >= need and p != without]
