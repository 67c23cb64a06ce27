"""A rolling horizon: orders come one after the other, and what nobody has begun is planned anew at each period.

What the live floor does with a period of its own, here on given times of arrival: to choose the period and compare
rules.
"""

from collections.abc import Callable

import msgspec
import numpy as np
import numpy.typing as npt

from contracts.errors import Rejected
from dispatcher.optimizers.batching.problem import Plan, Problem, Promise


class Walked(msgspec.Struct, frozen=True):
    """A batch as it was walked: its orders by number, who, from when to when (s), how far (m)."""

    orders: tuple[int, ...]
    picker: int
    begin_s: float
    end_s: float
    length_m: float


def roll(
    problem: Problem, arrive_s: npt.NDArray[np.float64], period_s: float, decide: Callable[[Problem], Plan]
) -> tuple[Walked, ...]:
    """Walk all orders; at each period `decide` plans those that have come, and batches of the next period are begun.

    Parameters
    ----------
    problem
        All orders, with a promise whose times count from the same moment as `arrive_s`.
    arrive_s
        When each order comes, shape (orders,).
    period_s
        Time between two plans, above 0.
    decide
        Plans those that are there; in what it is given times count from now.

    Raises
    ------
    Rejected
        There is no promise, or the period or the arrivals are out of range.
    """
    promise = problem.promise
    if promise is None:
        raise Rejected("promise", None, "there: who walks, and when orders are due")
    if not period_s > 0:
        raise Rejected("period_s", period_s, "above 0")
    if arrive_s.shape != (len(problem.orders),) or not np.isfinite(arrive_s).all():
        raise Rejected("arrive_s", arrive_s.shape, f"a time for each of {len(problem.orders)} orders")
    free, waiting = promise.free_s.copy(), np.ones(len(problem.orders), np.bool_)
    walked: list[Walked] = []
    now = 0.0
    while waiting.any():
        here = np.flatnonzero(waiting & (arrive_s <= now))
        if len(here):
            known = _part(problem, promise, here, now, free)
            found = decide(known)
            for turn in found.turns:
                if turn.begin_s < period_s:
                    members = here[list(found.batches[turn.batch])]
                    free[turn.picker] = now + turn.end_s
                    waiting[members] = False
                    takes = promise.setup_s + float(promise.handling_s[members].sum())
                    metres = (turn.end_s - turn.begin_s - takes) * promise.speed_mps
                    begin = now + turn.begin_s
                    walked.append(Walked(tuple(members.tolist()), turn.picker, begin, now + turn.end_s, metres))
        now += period_s
    return tuple(walked)


def _part(
    problem: Problem, promise: Promise, here: npt.NDArray[np.int64], now: float, free: npt.NDArray[np.float64]
) -> Problem:
    """Return the problem of these orders, with times that count from now."""
    return Problem(
        problem.warehouse,
        tuple(problem.orders[n] for n in here),
        problem.load[here],
        problem.capacity,
        msgspec.structs.replace(
            promise,
            due_s=promise.due_s[here] - now,
            weight=promise.weight[here],
            handling_s=promise.handling_s[here],
            free_s=np.maximum(0.0, free - now),
        ),
    )
