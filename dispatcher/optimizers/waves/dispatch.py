"""Dispatch rules: whoever is free next takes the batch that the rule puts first. The usual ways, and the warm start.

A. P. J. Vepsalainen, T. E. Morton: Priority rules for job shops with weighted tardiness costs (Management Science 33,
1987) for the apparent tardiness cost.
"""

import math
from collections.abc import Callable, Mapping, Sequence

from dispatcher.optimizers.waves.problem import Batch, Plan, Problem, Shift, Unplanned, fit

Rule = Callable[[Batch, int, float], float]
"""Batch, time (s) and mean duration (s) to a figure; the smallest goes first."""
Sequences = list[list[int]]
"""Of each worker the numbers of its batches, in order."""
_LOOK_AHEAD = 2.0


def _apparent_tardiness_cost(batch: Batch, now_s: int, mean_s: float) -> float:
    slack = max(0, batch.due_s - batch.duration_s - now_s)
    return -batch.weight / batch.duration_s * math.exp(-slack / (_LOOK_AHEAD * mean_s))


def _earliest_due_date(batch: Batch, now_s: int, mean_s: float) -> float:  # noqa: ARG001 - one shape for all rules
    return float(batch.due_s)


def _weighted_shortest(batch: Batch, now_s: int, mean_s: float) -> float:  # noqa: ARG001
    return batch.duration_s / max(batch.weight, 1e-9)


def _least_slack(batch: Batch, now_s: int, mean_s: float) -> float:  # noqa: ARG001
    return float(batch.due_s - batch.duration_s - now_s)


RULES: Mapping[str, Rule] = {
    "earliest_due_date": _earliest_due_date,
    "apparent_tardiness_cost": _apparent_tardiness_cost,
    "weighted_shortest": _weighted_shortest,
    "least_slack": _least_slack,
}


def by_rule(problem: Problem, rule: Rule) -> Plan:
    """Plan by a dispatch rule."""
    return as_plan(problem, sequences(problem, rule))


def earliest_due_date(problem: Problem) -> Plan:
    """Plan by earliest due date: the baseline."""
    return by_rule(problem, _earliest_due_date)


def sequences(problem: Problem, rule: Rule) -> Sequences:
    """Let whoever can begin first take what the rule puts first among what can begin then."""
    workers = problem.workers
    windows = [w.windows() for w in workers]
    free_s = [w.begin_s for w in workers]
    order: Sequences = [[] for _ in workers]
    waiting = {n for n, able in enumerate(problem.able) if able}
    mean_s = sum(b.duration_s for b in problem.batches) / max(1, len(problem.batches))
    # who has few skills takes first when two are free, so that the others stay free for what only they can do
    narrow = sorted(range(len(workers)), key=lambda k: (len(workers[k].skills) * len(workers[k].zones), k))
    rank = {k: n for n, k in enumerate(narrow)}
    able_of: list[set[int]] = [{n for n in waiting if k in problem.able[n]} for k in range(len(workers))]
    done: set[int] = set()
    while done != set(range(len(workers))):
        k = min((k for k in range(len(workers)) if k not in done), key=lambda k: (free_s[k], rank[k]))
        best: tuple[bool, float, int, int] | None = None
        for n in sorted(able_of[k] & waiting):
            b = problem.batches[n]
            at = fit(windows[k], max(free_s[k], b.release_s), b.duration_s)
            if at is not None:
                key = (b.release_s > free_s[k], rule(b, at, mean_s), at, n)
                best = key if best is None or key < best else best
        if best is None:
            done.add(k)
            continue
        _, _, at, n = best
        order[k].append(n)
        waiting.remove(n)
        free_s[k] = at + problem.batches[n].duration_s
    return order


def as_plan(problem: Problem, order: Sequence[Sequence[int]], moves: int = 0, rounds: int = 0) -> Plan:
    """Do each worker's batches in order, each as early as it can be; what fits no more is left."""
    shifts: list[Shift] = []
    left: dict[int, str] = {}
    charge = 0
    ends = [w.begin_s for w in problem.workers]
    for k, row in enumerate(order):
        w = problem.workers[k]
        windows, free_s = w.windows(), w.begin_s
        for n in row:
            b = problem.batches[n]
            at = fit(windows, max(free_s, b.release_s), b.duration_s)
            if at is None:
                left[n] = f"there is no time left for its {b.duration_s} s"
                continue
            free_s = at + b.duration_s
            late = max(0, free_s - b.due_s)
            charge += b.weight * late
            shifts.append(Shift(b.id, w.id, at, free_s, late))
        ends[k] = free_s
    planned = {n for row in order for n in row}
    for n in range(len(problem.batches)):
        if n not in planned:
            b = problem.batches[n]
            left[n] = problem.why_not(n) or _why_left(problem, n, ends)
    charge += problem.unplanned_s * sum(problem.batches[n].weight for n in left)
    unplanned = tuple(Unplanned(problem.batches[n].id, left[n]) for n in sorted(left))
    return Plan(tuple(shifts), unplanned, charge, moves, rounds)


def _why_left(problem: Problem, n: int, ends: Sequence[int]) -> str:
    b = problem.batches[n]
    for k in problem.able[n]:
        if fit(problem.workers[k].windows(), max(ends[k], b.release_s), b.duration_s) is not None:
            return f"doing it as late as it could be done costs more than leaving it ({problem.unplanned_s} s late)"
    return f"there is no time left for its {b.duration_s} s"
