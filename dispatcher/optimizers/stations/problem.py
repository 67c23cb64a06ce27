"""The problem of stations and pods, its parameters and its plans, and a check that knows nothing of what made them.

A station has some slots, in each of which one order stands until all its pods were there. A pod that stands at a
station serves every order there that needs it. So what counts is how many visits of pods it takes, a far pod more than
a near one; when the last station is done, as people wait; and how late orders are. A pod is at one station at a time.
"""

import math
from collections.abc import Sequence
from functools import cached_property

import msgspec
import numpy as np
import numpy.typing as npt

from contracts.errors import Broken, Rejected

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
NOWHERE = -1


class Problem(msgspec.Struct, frozen=True, dict=True):
    """Orders and what they need, stations, and pods.

    Parameters
    ----------
    start, pod, lines
        Order n needs the pods ``pod[start[n]:start[n + 1]]``, each once, with so many lines (at least 1) on each.
    due_s
        Since the plan's begin; inf: never. Shape (orders,).
    weight
        What a second late counts, times `late_weight`; at least 0. Shape (orders,).
    stands
        At which station an order stands already, or NOWHERE. Shape (orders,).
    slots
        Of each station, at least 1. Shape (stations,).
    way_s
        How long a robot carries a pod to a station, inf: there is no way. Shape (stations, pods).
    pick_s, change_s
        What a line takes at a station, and the change from one pod to the next; in seconds.
    visit_s
        Robot time of a visit besides the way there and back: lifting, queueing, setting down.
    finish_weight
        Robot seconds that a second later at the end of the last station's work is worth.
    late_weight
        Robot seconds that a second late is worth, of an order of weight 1.

    Raises
    ------
    Rejected
        A shape or number is wrong, or an order can be served at no station; names it.
    """

    start: Ints
    pod: Ints
    lines: Ints
    due_s: Floats
    weight: Floats
    stands: Ints
    slots: Ints
    way_s: Floats
    pick_s: float = 12.0
    change_s: float = 6.0
    visit_s: float = 30.0
    finish_weight: float = 4.0
    late_weight: float = 1.0

    def __post_init__(self) -> None:
        orders = len(self.start) - 1
        if orders < 0 or self.start[0] != 0 or self.start[-1] != len(self.pod) or (np.diff(self.start) < 1).any():
            raise Rejected(
                "start", self.start[-1:].tolist(), "from 0 to the number of pods, each order with at least 1"
            )
        if self.way_s.shape[0] != len(self.slots) or len(self.slots) < 1:
            raise Rejected("way_s", self.way_s.shape, f"a row for each of {len(self.slots)} stations, at least 1")
        for name, value in (("due_s", self.due_s), ("weight", self.weight), ("stands", self.stands)):
            if value.shape != (orders,):
                raise Rejected(name, value.shape, f"of shape {(orders,)}")
        if self.lines.shape != self.pod.shape:
            raise Rejected("lines", self.lines.shape, f"of shape {self.pod.shape}")
        for name, wrong, given, bound in (
            ("pod", (self.pod < 0) | (self.pod >= self.way_s.shape[1]), self.pod, f"in 0..{self.way_s.shape[1] - 1}"),
            ("lines", self.lines < 1, self.lines, "at least 1"),
            ("due_s", np.isnan(self.due_s), self.due_s, "a number"),
            ("weight", ~((self.weight >= 0) & np.isfinite(self.weight)), self.weight, "at least 0, and finite"),
            ("slots", self.slots < 1, self.slots, "at least 1"),
            ("stands", (self.stands < NOWHERE) | (self.stands >= len(self.slots)), self.stands, "a station, or -1"),
            ("way_s", ~(self.way_s >= 0).ravel(), self.way_s.ravel(), "at least 0, or inf"),
        ):
            for bad in np.flatnonzero(wrong)[:1]:
                raise Rejected(f"{name}/{bad}", given[bad].item(), bound)
        for name in ("pick_s", "change_s", "visit_s", "finish_weight", "late_weight"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise Rejected(name, getattr(self, name), "at least 0, and finite")
        for n in range(orders):
            mine = self.pod[self.start[n] : self.start[n + 1]]
            if len(np.unique(mine)) < len(mine):
                raise Rejected(f"orders/{n}", mine.tolist(), "each pod once")
        for n in np.flatnonzero(~self.allowed.any(axis=0)).tolist():
            raise Rejected(f"orders/{n}", self.pod[self.start[n] : self.start[n + 1]].tolist(), "pods of one station")
        for n in np.flatnonzero(self.stands != NOWHERE).tolist():
            if not self.allowed[self.stands[n], n]:
                raise Rejected(f"stands/{n}", int(self.stands[n]), "a station that all its pods reach")
        standing = np.bincount(self.stands[self.stands != NOWHERE], minlength=len(self.slots))
        for s in np.flatnonzero(standing > self.slots):
            raise Rejected(f"slots/{s}", int(self.slots[s]), f"at least the {standing[s]} orders that stand there")

    @property
    def orders(self) -> int:
        """How many there are."""
        return len(self.start) - 1

    @cached_property
    def allowed(self) -> npt.NDArray[np.bool_]:
        """Whether all pods of an order reach a station, shape (stations, orders)."""
        reached = np.isfinite(self.way_s)[:, self.pod]
        if not self.orders:
            return np.ones((len(self.slots), 0), np.bool_)
        return np.logical_and.reduceat(reached, self.start[:-1], axis=1)


class Params(msgspec.Struct, frozen=True):
    """How hard to try. The same `evaluations` and `seed` give the same plan, and more of them never a worse one.

    Raises
    ------
    Rejected
        A number is out of bounds.
    """

    evaluations: int = 60_000
    """Changes that are tried, each judged by the whole schedule."""
    seconds: float = 600.0
    """Guard."""
    seed: int = 1
    start_share: float = 0.2
    """Temperature at the begin of each round, as a share of what one visit costs."""
    end_share: float = 0.02

    def __post_init__(self) -> None:
        for name in ("evaluations", "seed"):
            if getattr(self, name) < 0:
                raise Rejected(name, getattr(self, name), "at least 0")
        if not self.seconds > 0:
            raise Rejected("seconds", self.seconds, "above 0")
        if not 0 < self.end_share <= self.start_share:
            raise Rejected("end_share", self.end_share, "above 0, at most start_share")


class Visit(msgspec.Struct, frozen=True):
    """A pod stands at a station, from when to when (s), for these of the orders that stand there."""

    station: int
    pod: int
    begin_s: float
    end_s: float
    orders: tuple[int, ...]


class Plan(msgspec.Struct, frozen=True):
    """Orders of each station as they get its slots, the visits by their begin, and what it costs, in robot seconds."""

    seats: tuple[tuple[int, ...], ...]
    visits: tuple[Visit, ...]
    cost_s: float
    evaluations: int = 0

    @property
    def finish_s(self) -> float:
        """When the last station is done."""
        return max((v.end_s for v in self.visits), default=0.0)


def late_s(problem: Problem, visits: Sequence[Visit]) -> Floats:
    """How late each order is with these visits, shape (orders,)."""
    done = np.zeros(problem.orders)
    for v in visits:
        for n in v.orders:
            done[n] = max(done[n], v.end_s)
    return np.maximum(0.0, done - problem.due_s)


def check(problem: Problem, plan: Plan) -> None:
    """Go through a plan visit by visit, with nothing of what made it.

    Raises
    ------
    Broken
        An order has no seat, or two; a visit serves one that does not stand there, or for which there is no slot; a
        pod is at two stations at once, or comes where it has no way; something is left to do; or the cost is wrong.
    """
    if sorted(n for seats in plan.seats for n in seats) != list(range(problem.orders)):
        raise Broken("plan: an order has no seat, or two")
    left = [dict(zip(problem.pod[a:b].tolist(), problem.lines[a:b].tolist(), strict=True)) for a, b in _spans(problem)]
    for n in np.flatnonzero(problem.stands != NOWHERE).tolist():
        if n not in plan.seats[problem.stands[n]][: problem.slots[problem.stands[n]]]:
            raise Broken(f"plan: order {n} stands at station {problem.stands[n]} already")
    waits = [list(seats) for seats in plan.seats]
    stands: list[list[int]] = [[waits[s].pop(0) for _ in range(min(int(k), len(waits[s])))]
                               for s, k in enumerate(problem.slots)]  # fmt: skip
    free_s, last = [0.0] * len(waits), dict[int, Visit]()
    drive_s = 0.0
    for k, v in enumerate(plan.visits):
        way_s = float(problem.way_s[v.station, v.pod])
        before = last.get(v.pod)
        ready_s = way_s if before is None else before.end_s + (way_s if before.station != v.station else 0.0)
        if v.begin_s < max(free_s[v.station], ready_s) - 1e-6:
            raise Broken(f"visits/{k}: pod {v.pod} or station {v.station} is not free at {v.begin_s} s")
        if k and v.begin_s < plan.visits[k - 1].begin_s - 1e-6:
            raise Broken(f"visits/{k}: begins before the one before it")
        here, lines = stands[v.station], 0
        for n in v.orders:
            if n not in here or v.pod not in left[n]:
                raise Broken(f"visits/{k}: order {n} does not stand there, or does not need pod {v.pod} any more")
            lines += left[n].pop(v.pod)
        if not v.orders or abs(v.end_s - v.begin_s - problem.change_s - problem.pick_s * lines) > 1e-6:
            raise Broken(f"visits/{k}: takes {v.end_s - v.begin_s} s for {lines} lines")
        stands[v.station] = [n for n in here if left[n]]
        room = int(problem.slots[v.station]) - len(stands[v.station])
        stands[v.station] += waits[v.station][:room]
        del waits[v.station][:room]
        free_s[v.station], last[v.pod] = v.end_s, v
        drive_s += problem.visit_s + 2 * way_s
    for n, rest in enumerate(left):
        if rest:
            raise Broken(f"plan: order {n} still needs {sorted(rest)}")
    late = float((late_s(problem, plan.visits) * problem.weight).sum())
    cost = drive_s + problem.finish_weight * plan.finish_s + problem.late_weight * late
    if not math.isclose(cost, plan.cost_s, rel_tol=1e-9, abs_tol=1e-6):
        raise Broken(f"plan: says that it costs {plan.cost_s} s, its visits cost {cost} s")


def _spans(problem: Problem) -> list[tuple[int, int]]:
    return list(zip(problem.start[:-1].tolist(), problem.start[1:].tolist(), strict=True))
