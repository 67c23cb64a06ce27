"""Goods-to-person slotting: which parts share a pod, and which pods stand near, so that few pods drive far.

A station works on several totes at a time, and a pod that stands there serves them all. So the history is cut into
groups of orders that are worked on together, and what counts is how many different pods each group needs, a near pod
less than a far one. Parts that are ordered together come together (affinity), and so do parts that are ordered often;
no pod gets more than its share of all picks, because it can be at one station at a time (congestion).
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from numba import njit

from contracts.errors import Broken, Rejected
from dispatcher.optimizers.slotting.problem import Ints, Orders

Metres = npt.NDArray[np.float64]
Watch = Callable[[int, float | None], bool]
_CHUNK = 50_000
MOST_BINS = 10_000
"""No pod has more bins: a list of all of them is held."""
"""Exchanges between two looks at whether to go on."""


class PodParams(msgspec.Struct, frozen=True):
    """How long to search.

    Raises
    ------
    Rejected
        A number is out of bounds.
    """

    swaps: int = 3_000_000
    """Exchanges that are tried."""
    together: int = 6
    """Orders that a station works on at a time."""
    start_share: float = 0.5
    """Temperature at the beginning, as a share of what one visit costs."""
    end_share: float = 0.01
    seed: int = 1

    def __post_init__(self) -> None:
        for name, least in (("swaps", 0), ("together", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise Rejected(name, getattr(self, name), f"at least {least}")
        if not 0 < self.end_share <= self.start_share:
            raise Rejected("end_share", self.end_share, "above 0, at most start_share")


class PodProblem(msgspec.Struct, frozen=True):
    """Parts and pods.

    Parameters
    ----------
    orders
        The history, in the order in which it came.
    bins
        How many bins each part needs, shape (parts,); all of a part lies in one pod.
    room
        How many bins each pod has, shape (pods,).
    way_m
        From each pod's place to a station, shape (pods,).
    visit_m
        What a visit costs besides the way there and back, as metres: lifting, queueing, setting down.
    most_share
        The largest share of all picks that one pod may get, in (0, 1].

    Raises
    ------
    Rejected
        A shape or number is wrong, or the parts do not fit.
    """

    orders: Orders
    bins: Ints
    room: Ints
    way_m: Metres
    visit_m: float = 60.0
    most_share: float = 0.02

    def __post_init__(self) -> None:
        if len(self.way_m) != len(self.room):
            raise Rejected("way_m", len(self.way_m), f"one way for each of {len(self.room)} pods")
        if len(self.bins) == 0 or self.bins.min() < 1:
            raise Rejected("bins", int(self.bins.min(initial=0)), "at least 1 for each part")
        if self.room.max(initial=0) > MOST_BINS:
            at = int(self.room.argmax())
            raise Rejected(f"room/{at}", int(self.room[at]), f"at most {MOST_BINS} bins of a pod")
        if self.bins.max() > self.room.max(initial=0):
            at = int(self.bins.argmax())
            raise Rejected(f"bins/{at}", int(self.bins[at]), f"at most a pod's {self.room.max(initial=0)} bins")
        if self.bins.sum() > self.room.sum():
            raise Rejected("bins", int(self.bins.sum()), f"at most the {self.room.sum()} bins of all pods")
        if not (np.isfinite(self.way_m).all() and self.way_m.min() >= 0 and self.visit_m >= 0):
            raise Rejected("way_m", float(self.way_m.min()), "finite and at least 0")
        if not 0 < self.most_share <= 1:
            raise Rejected("most_share", self.most_share, "in (0, 1]")
        if len(self.orders.part) and not 0 <= self.orders.part.min() <= self.orders.part.max() < len(self.bins):
            raise Rejected("orders", int(self.orders.part.max()), f"parts from 0 to {len(self.bins) - 1}")


class PodPlan(msgspec.Struct, frozen=True):
    """Which pod each part lies in, shape (parts,), and what the history costs then."""

    pod_of: Ints
    cost_m: float
    swaps: int


def abc(problem: PodProblem) -> Ints:
    """Fill pods from the nearest on with parts from the most wanted on: the baseline, without affinity.

    Raises
    ------
    Rejected
        The parts do not fit as whole parts.
    """
    return _fill(problem, _most_wanted(problem, problem.orders.picks(len(problem.bins))))


def plan_pods(problem: PodProblem, params: PodParams | None = None, watch: Watch | None = None) -> PodPlan:
    """Find a slotting that is never worse than `abc` on the history given; the same effort gives the same plan.

    `watch` is told now and then how many exchanges were tried and what the best slotting so far costs (m); true: stop
    now. The plan names as many exchanges as were tried.
    """
    p = params or PodParams()
    start = abc(problem)
    group_start, group_part = groups(problem.orders, p.together)
    of_start, of_group = groups_of(group_start, group_part, len(problem.bins))
    cost = problem.visit_m + 2 * problem.way_m
    hot, cold = p.start_share * float(cost.mean()), p.end_share * float(cost.mean())
    picks = problem.orders.picks(len(problem.bins))
    most = int(problem.most_share * picks.sum())
    worth = cost_m(problem, start, p.together)
    run: Any = _anneal
    state = begun(group_start, of_start, of_group, problem.bins, problem.room, picks, start)
    _seeded(p.seed)
    scores, tried = np.zeros(2), 0
    wanted = np.flatnonzero(picks > 0)
    while tried < p.swaps and len(wanted) and len(problem.room) > 1:
        if watch is not None and watch(tried, worth + float(scores[1])):
            break
        upto = min(p.swaps, tried + _CHUNK)
        run(
            group_start, group_part, of_start, of_group, problem.bins, picks, most, cost, *state, wanted, scores,
            tried, upto, p.swaps, hot, cold,
        )  # fmt: skip
        tried = upto
    found = state[1]
    after = cost_m(problem, found, p.together)
    best, worth = (found, after) if after <= worth else (start, worth)
    return PodPlan(best, worth, tried)


def cost_m(problem: PodProblem, pod_of: Ints, together: int = 1) -> float:
    """Return what the history costs, in metres, if so many orders are worked on together."""
    start, part = groups(problem.orders, together)
    cost = problem.visit_m + 2 * problem.way_m
    return float(sum(cost[np.unique(pod_of[part[a:b]])].sum() for a, b in pairwise(start)))


def check(problem: PodProblem, plan: PodPlan, together: int = 6) -> None:
    """Check a plan with nothing of what made it.

    Raises
    ------
    Broken
        A pod is too full, or the cost is not what the plan says.
    """
    used = np.zeros(len(problem.room), np.int64)
    for part, pod in enumerate(plan.pod_of.tolist()):
        used[pod] += problem.bins[part]
    if (used > problem.room).any():
        at = int((used - problem.room).argmax())
        raise Broken(f"pod {at}: {used[at]} bins in {problem.room[at]}")
    if abs(cost_m(problem, plan.pod_of, together) - plan.cost_m) > 1e-6 * max(1.0, plan.cost_m):
        raise Broken(f"the plan costs {cost_m(problem, plan.pod_of, together)} m, not {plan.cost_m}")


def _most_wanted(problem: PodProblem, picks: Ints) -> Ints:
    return np.lexsort((np.arange(len(picks)), -picks / problem.bins))


def _fill(problem: PodProblem, order: Ints) -> Ints:
    """Put parts in this order into the nearest pod with room, passing over pods that have their share of picks."""
    picks = problem.orders.picks(len(problem.bins))
    most = problem.most_share * picks.sum()
    pods = np.lexsort((np.arange(len(problem.room)), problem.way_m)).tolist()
    left, load = problem.room.tolist(), [0] * len(problem.room)
    pod_of = np.full(len(problem.bins), -1, np.int64)
    first = 0
    for part in order.tolist():
        need = int(problem.bins[part])
        while first < len(pods) and left[pods[first]] == 0:
            first += 1
        fits = [p for p in pods[first:] if left[p] >= need]
        if not fits:
            raise Rejected(f"bins/{part}", need, "no more than some pod has left")
        pod = next((p for p in fits if load[p] + picks[part] <= most), min(fits, key=lambda p: load[p]))
        pod_of[part] = pod
        left[pod] -= need
        load[pod] += int(picks[part])
    return pod_of


def groups(orders: Orders, together: int) -> tuple[Ints, Ints]:
    """Distinct parts of each group of consecutive orders, laid out as `Orders` are."""
    sets = [
        np.unique(orders.part[orders.start[k] : orders.start[min(k + together, len(orders.start) - 1)]])
        for k in range(0, len(orders.start) - 1, together)
    ]
    start = np.concatenate(([0], np.cumsum([len(s) for s in sets]))).astype(np.int64)
    return start, (np.concatenate(sets) if sets else np.empty(0, np.int64)).astype(np.int64)


def groups_of(start: Ints, part: Ints, parts: int) -> tuple[Ints, Ints]:
    """The groups of each part, laid out as `Orders` are."""
    group = np.repeat(np.arange(len(start) - 1), np.diff(start))
    by_part = np.argsort(part, kind="stable")
    count = np.bincount(part, minlength=parts)
    return np.concatenate(([0], np.cumsum(count))).astype(np.int64), group[by_part].astype(np.int64)


@njit(cache=True)
def moved(one, to, of_start, of_group, count, pod_of, cost):  # type: ignore[no-untyped-def]
    """Move a part to a pod and return what that changes."""
    frm = pod_of[one]
    delta = 0.0
    for k in range(of_start[one], of_start[one + 1]):
        g = of_group[k]
        count[g, frm] -= 1
        if count[g, frm] == 0:
            delta -= cost[frm]
        if count[g, to] == 0:
            delta += cost[to]
        count[g, to] += 1
    pod_of[one] = to
    return delta


@njit(cache=True)
def _seeded(seed):  # type: ignore[no-untyped-def]
    np.random.seed(seed)


@njit(cache=True)
def begun(group_start, of_start, of_group, bins, room, picks, start):  # type: ignore[no-untyped-def]
    """The state of the search at `start`: pods of parts now and at best, what each group finds where, room and load."""
    parts, pods = len(bins), len(room)
    pod_of = start.copy()
    best_of = start.copy()
    count = np.zeros((len(group_start) - 1, pods), np.int32)
    free = room.copy()
    load = np.zeros(pods, np.int64)
    for p in range(parts):
        free[pod_of[p]] -= bins[p]
        load[pod_of[p]] += picks[p]
        for k in range(of_start[p], of_start[p + 1]):
            count[of_group[k], pod_of[p]] += 1
    # parts of each pod, so that one to exchange with is found at once
    at = np.empty(parts, np.int64)
    content = np.full((pods, int(room.max())), -1, np.int64)
    held = np.zeros(pods, np.int64)
    for p in range(parts):
        at[p] = held[pod_of[p]]
        content[pod_of[p], at[p]] = p
        held[pod_of[p]] += 1
    return pod_of, best_of, count, free, load, at, content, held


@njit(cache=True)
def _anneal(  # type: ignore[no-untyped-def]
    group_start, group_part, of_start, of_group, bins, picks, most, cost, pod_of, best_of, count, free, load, at,
    content, held, wanted, scores, first, last, swaps, hot, cold,
):  # fmt: skip
    """Improve by moves into free bins and by exchanges; a part goes beside one that it is ordered with, or anywhere.

    Exchanges `first` to `last` of `swaps` are tried; `scores` holds what now and the best differ from the start.
    """
    pods = len(free)
    now, best = scores[0], scores[1]
    for k in range(first, last):
        heat = hot * (cold / hot) ** (k / max(1, swaps - 1))
        a = wanted[np.random.randint(len(wanted))]
        if np.random.random() < 0.7:
            g = of_group[of_start[a] + np.random.randint(of_start[a + 1] - of_start[a])]
            q = pod_of[group_part[group_start[g] + np.random.randint(group_start[g + 1] - group_start[g])]]
        else:
            q = np.random.randint(pods)
        p = pod_of[a]
        if q == p:
            continue
        b = -1
        if free[q] < bins[a] or load[q] + picks[a] > most or np.random.random() < 0.5:
            if held[q] == 0:
                continue
            b = content[q, np.random.randint(held[q])]
            if free[q] + bins[b] < bins[a] or free[p] + bins[a] < bins[b]:
                continue
            if load[q] + picks[a] - picks[b] > max(most, load[q]) or load[p] + picks[b] - picks[a] > max(most, load[p]):
                continue
        delta = moved(a, q, of_start, of_group, count, pod_of, cost)
        if b >= 0:
            delta += moved(b, p, of_start, of_group, count, pod_of, cost)
        if delta > 0 and np.random.random() >= np.exp(-delta / heat):
            moved(a, p, of_start, of_group, count, pod_of, cost)
            if b >= 0:
                moved(b, q, of_start, of_group, count, pod_of, cost)
            continue
        now += delta
        free[p] += bins[a]
        free[q] -= bins[a]
        load[p] -= picks[a]
        load[q] += picks[a]
        if b >= 0:
            free[q] += bins[b]
            free[p] -= bins[b]
            load[q] -= picks[b]
            load[p] += picks[b]
            content[p, at[a]], content[q, at[b]] = b, a
            at[a], at[b] = at[b], at[a]
        else:
            last = content[p, held[p] - 1]
            content[p, at[a]] = last
            at[last] = at[a]
            held[p] -= 1
            at[a] = held[q]
            content[q, held[q]] = a
            held[q] += 1
        if now < best - 1e-9:
            best = now
            best_of[:] = pod_of
    scores[0], scores[1] = now, best
