"""Large-neighbourhood search: batches of a few workers near in time are planned anew by CP-SAT; the rest keep order.

It begins with annealing from the best dispatch rule's plan, and goes on where that ends.

P. Shaw: Using constraint programming and local search methods to solve vehicle routing problems (CP 1998).
"""

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dispatcher.optimizers.waves.dispatch import RULES, Sequences, as_plan, sequences
from dispatcher.optimizers.waves.problem import Params, Plan, Problem, fit

Watch = Callable[[int, int, int], bool]
_WHOLE = 40
"""Problems of so many batches are first tried as one neighbourhood."""
_SHARE_OF_ANNEALING = 0.5
_PROBE = 20_000
_CHUNK = 1_000_000
"""Moves between two looks at whether to go on; annealing goes on from the best there was."""
_HOT, _COLD = 0.3, 0.003
"""Temperatures as shares of the mean charge of a batch in the best dispatch rule's plan."""


def plan(
    problem: Problem,
    params: Params | None = None,
    clock: Callable[[], float] = time.perf_counter,
    watch: Watch | None = None,
) -> Plan:
    """Find a plan that is never charged more than the best dispatch rule's.

    Parameters
    ----------
    problem, params
        As they say.
    clock
        What `Params.seconds` is measured on (s).
    watch
        Told the moves and the rounds done, and the charge of the best plan so far; true: stop now.
    """
    p = params or Params()
    begun = clock()
    until = begun + p.seconds
    starts = [sequences(problem, rule) for rule in RULES.values()]
    order = min(starts, key=lambda one: as_plan(problem, one).charge)
    best, moves, stopped = as_plan(problem, order), 0, False
    least = problem.unplanned_s * sum(
        b.weight for b, able in zip(problem.batches, problem.able, strict=True) if not able
    )
    if best.charge > least and p.moves != 0:
        order, moves, stopped = _annealed(problem, order, best, p, clock, begun, watch)
        best = as_plan(problem, order)
    rng = random.Random(p.seed)
    rounds = 0
    while best.charge > least and (p.rounds is None or rounds < p.rounds) and clock() < until and not stopped:
        if watch is not None and watch(moves, rounds, best.charge):
            break
        rounds += 1
        if rounds == 1 and len(problem.batches) <= _WHOLE:
            workers, free = list(range(len(problem.workers))), set(range(len(problem.batches)))
            effort = 10 * p.effort
        else:
            workers, free = _neighbourhood(problem, order, best, p, rng)
            effort = p.effort
        found = solve(problem, order, workers, free, effort, p.seed + rounds)
        if found is None:
            continue
        candidate = as_plan(problem, found)
        if candidate.charge <= best.charge:  # an equal one is a step aside
            order, best = found, candidate
    if watch is not None and not stopped:
        watch(moves, rounds, best.charge)
    return as_plan(problem, order, moves, rounds)


def _annealed(
    problem: Problem, order: Sequences, now: Plan, p: Params, clock: Callable[[], float], begun: float,
    watch: Watch | None,
) -> tuple[Sequences, int, bool]:  # fmt: skip
    """Anneal from these rows; return the best found, the moves it took, and whether it was stopped."""
    from dispatcher.optimizers.waves.anneal import anneal

    workers, batches = len(problem.workers), problem.batches
    rows = np.zeros((workers + 1, len(batches)), np.int64)
    planned = {n for row in order for n in row}
    full = [*order, [n for n in range(len(batches)) if n not in planned]]
    for k, row in enumerate(full):
        rows[k, : len(row)] = row
    able = np.zeros((len(batches), workers), np.bool_)
    for n, can in enumerate(problem.able):
        able[n, list(can)] = True
    spans = [w.windows() for w in problem.workers]
    windows = np.zeros((workers, max((len(s) for s in spans), default=1), 2), np.int64)
    for k, span in enumerate(spans):
        windows[k, : len(span)] = span
    args = (
        rows, np.array([len(r) for r in full]), able, windows, np.array([w.begin_s for w in problem.workers]),
        *(np.array([getattr(b, f) for b in batches]) for f in ("duration_s", "due_s", "release_s", "weight")),
        problem.unplanned_s,
    )  # fmt: skip
    mean = now.charge / len(batches)
    hot, cold = mean * _HOT, mean * _COLD
    moves = p.moves
    run: Any = anneal
    if moves is None:
        run(*args, 1, hot, cold, p.seed)  # compiled or loaded before it is timed
        probe = clock()
        for heat in (hot, cold):
            run(*args, _PROBE, heat, heat, p.seed)
        rate = 2 * _PROBE / max(clock() - probe, 1e-9)
        moves = max(_PROBE, int(rate * (_SHARE_OF_ANNEALING * p.seconds - (clock() - begun))))
    found: Any = rows
    size: Any = args[1]
    done, stopped = 0, False
    while done < moves and not stopped:
        part = min(_CHUNK, moves - done)
        heat, cool = (hot * (cold / hot) ** (at / moves) for at in (done, done + part))
        found, size = run(found, size, *args[2:], part, heat, cool, p.seed + done // _CHUNK)
        done += part
        if watch is not None and done < moves:
            best = as_plan(problem, [found[k, : size[k]].tolist() for k in range(workers)])
            stopped = watch(done, 0, best.charge)
    return [found[k, : size[k]].tolist() for k in range(workers)], done, stopped


def _neighbourhood(
    problem: Problem, order: Sequences, now: Plan, p: Params, rng: random.Random
) -> tuple[list[int], set[int]]:
    """Choose workers, and of their batches (and of those that are left) the ones that may move."""
    number = {b.id: n for n, b in enumerate(problem.batches)}
    at = {number[s.batch]: s for s in now.shifts}
    late = [(n, problem.batches[n].weight * s.late_s) for n, s in sorted(at.items()) if s.late_s]
    left = [number[u.batch] for u in now.unplanned if problem.able[number[u.batch]]]
    late += [(n, problem.batches[n].weight * problem.unplanned_s) for n in left]
    late = [(n, charge) for n, charge in late if charge]
    seed = rng.choices([n for n, _ in late], [c for _, c in late])[0]
    holder = {n: k for k, row in enumerate(order) for n in row}
    workers = {holder[seed]} if seed in holder else set[int]()
    others = sorted(set(problem.able[seed]) - workers)
    rng.shuffle(others)
    workers |= set(others[: max(1, p.workers - len(workers) - rng.randrange(2))])
    rest = sorted(set(range(len(problem.workers))) - workers)
    while len(workers) < p.workers and rest:
        workers.add(rest.pop(rng.randrange(len(rest))))
    about = at[seed].begin_s if seed in at else problem.batches[seed].due_s
    # the seed may go earlier: look more before it than after it
    lean = rng.choice((0, 0, 1)) * problem.batches[seed].duration_s * rng.randint(1, 4)
    there = [n for k in workers for n in order[k] if n in at]
    there.sort(key=lambda n: (abs(at[n].begin_s - (about - lean)) * rng.uniform(0.7, 1.3), n))
    rng.shuffle(left)
    free = {seed, *left[: p.free // 3]}
    for n in there:
        if len(free) >= p.free:
            break
        free.add(n)
    return sorted(workers), free


def solve(
    problem: Problem, order: Sequence[Sequence[int]], workers: list[int], free: set[int], effort: float, seed: int
) -> Sequences | None:
    """Plan the free batches anew among the workers; the others there keep worker and order but may shift in time."""
    from ortools.sat.python import cp_model

    unit = problem.unit_s
    model = cp_model.CpModel()
    horizon = max(w.end_s for w in problem.workers) // unit
    intervals: dict[int, list[cp_model.IntervalVar]] = {k: [] for k in workers}
    chosen: dict[tuple[int, int], cp_model.IntVar] = {}
    starts: dict[int, cp_model.IntVar] = {}
    charge = []
    hinted = {n: (k, s) for k in workers for n, s in _begins(problem, k, order[k])}

    def due(n: int, end: cp_model.LinearExpr, present: list[cp_model.IntVar] | None) -> None:
        b = problem.batches[n]
        if not b.weight:
            return
        late = model.new_int_var(0, max(horizon, problem.unplanned_s // unit), f"late{n}")
        model.add(late >= end - b.due_s // unit)
        if n in hinted:
            model.add_hint(late, max(0, hinted[n][1] // unit + b.duration_s // unit - b.due_s // unit))
        charge.append(b.weight * late)
        if present is not None:
            model.add(late >= problem.unplanned_s // unit).only_enforce_if([~x for x in present])

    for k in workers:
        w = problem.workers[k]
        for begin, end in _gaps(w.windows(), horizon * unit):
            if end > begin:
                intervals[k].append(model.new_fixed_size_interval_var(begin // unit, (end - begin) // unit, "break"))
        before = None
        for n in order[k]:
            if n in free:
                continue
            b = problem.batches[n]
            length = b.duration_s // unit
            start = starts[n] = model.new_int_var(b.release_s // unit, max(horizon - length, 0), f"s{n}")
            intervals[k].append(model.new_fixed_size_interval_var(start, length, f"i{n}"))
            if n not in hinted:  # it did not fit: the plan must not hang on it
                return None
            model.add_hint(start, hinted[n][1] // unit)
            if before is not None:
                model.add(start >= before)
            before = start + length
            due(n, start + length, None)
    for n in sorted(free):
        b = problem.batches[n]
        able = [k for k in problem.able[n] if k in intervals]
        if not able:
            return None
        length = b.duration_s // unit
        start = starts[n] = model.new_int_var(b.release_s // unit, max(horizon - length, 0), f"s{n}")
        present = []
        for k in able:
            x = chosen[n, k] = model.new_bool_var(f"x{n},{k}")
            intervals[k].append(model.new_optional_fixed_size_interval_var(start, length, x, f"i{n},{k}"))
            present.append(x)
            model.add_hint(x, n in hinted and hinted[n][0] == k)
        model.add_at_most_one(present)
        model.add_hint(start, hinted[n][1] // unit if n in hinted else b.release_s // unit)
        due(n, start + length, present)
    for group in intervals.values():
        model.add_no_overlap(group)
    model.minimize(sum(charge))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed
    solver.parameters.max_deterministic_time = effort
    status = solver.solve(model)
    if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        return None
    found: Sequences = [list(row) for row in order]
    for k in workers:
        row = [n for n in order[k] if n not in free]
        row += [n for n in free if (n, k) in chosen and solver.boolean_value(chosen[n, k])]
        found[k] = sorted(row, key=lambda n: (solver.value(starts[n]), n))
    return found


def _begins(problem: Problem, k: int, row: Sequence[int]) -> list[tuple[int, int]]:
    """Batches of a worker's row that fit, with their begins (s)."""
    w = problem.workers[k]
    windows, free_s, begins = w.windows(), w.begin_s, []
    for n in row:
        b = problem.batches[n]
        at = fit(windows, max(free_s, b.release_s), b.duration_s)
        if at is not None:
            begins.append((n, at))
            free_s = at + b.duration_s
    return begins


def _gaps(windows: list[tuple[int, int]], horizon_s: int) -> list[tuple[int, int]]:
    """Times between and around the windows."""
    edges = [0, *(t for w in windows for t in w), horizon_s]
    return list(zip(edges[::2], edges[1::2], strict=True))
