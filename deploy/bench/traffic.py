"""Dense traffic: errands of a League of Robot Runners instance, refereed at every step, and milliseconds a step.

The rotation model (forward, turn right, turn left, wait) is planned by EPIBT with one-way guidance and a local search,
the four-neighbour model by PIBT. `step_*_ms` is wall time of one thread with the distance tables of new goals (without
the first step, in which code may be compiled); the tables of the first goals are built before it (`prepare_s`).
"""

import argparse
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np

from contracts.errors import Rejected
from deploy.bench.bounds import counts, number, seed, whole
from deploy.bench.lorr import Instance, Referee
from dispatcher.traffic.dense.four import FourPlanner
from dispatcher.traffic.dense.grid import Grid, one_way, plain
from dispatcher.traffic.dense.tables import CellTables
from dispatcher.traffic.dense.turning import Search, TurningPlanner

MODELS = ("rotation", "four-neighbour")
_BASELINE_STEPS = 200
_PUBLISHED = {"MR23-I-10.json": 194_677, "MR23-I-06.json": 197_275}
"""Best known solutions of the archive (`LoRR2023-README.md` in the data), of the rotation model and the whole run."""


def run(args: list[str]) -> dict[str, object]:
    """Run the instance; see `--help`."""
    options = _options(args)
    rotation = options.model == MODELS[0]
    if options.robots:
        runs = [_one(options, n, options.steps, guided=True) for n in options.robots]
        result: dict[str, object] = {"runs": runs, "collisions": sum(r["collisions"] for r in runs)}
    else:
        result = dict(_one(options, None, options.steps, guided=True))
    few = min(options.steps, _BASELINE_STEPS)
    baseline: dict[str, object] = {"steps": few}
    if rotation:
        baseline["what"] = "the same instance by EPIBT with three steps, without guidance and local search"
        baseline["runs"] = [_one(options, n, few, guided=False) for n in options.robots or [None]]
    else:
        baseline["what"] = "robots that take the best free cell or wait, and push nobody"
        baseline["runs"] = [_greedy(Instance(options.instance, n), few) for n in options.robots or [None]]
    return {
        "instance": options.instance.name,
        "model": options.model,
        "steps": options.steps,
        "step_budget_ms": options.step_budget_ms or None,
        **result,
        "baseline": baseline | {"published_best_errands": _PUBLISHED.get(options.instance.name)},
    }


def _options(args: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="floorplane bench traffic", description=__doc__)
    parser.add_argument(
        "--instance",
        type=Path,
        default=Path("../shared/data/mapf/LoRR2023-main/MR23-I-10.json"),
        help="instance's JSON",
    )
    parser.add_argument("--steps", type=whole(1), default=5_000)
    parser.add_argument("--model", choices=MODELS, default=MODELS[0])
    parser.add_argument(
        "--robots", type=counts(1, 100_000), default=[], metavar="N,N", help="first so many robots, one run each"
    )
    parser.add_argument(
        "--step-budget-ms", type=number(0), default=0.0, metavar="MS", help="rotation: stop searching then"
    )
    parser.add_argument(
        "--rounds", type=whole(0), default=Search.__struct_defaults__[1], help="rotation: tries of the search"
    )
    parser.add_argument(
        "--depth", type=whole(2, 5), default=4, help="rotation: steps of an operation (2 to 5; 3 jams in long runs)"
    )
    parser.add_argument(
        "--tables", type=whole(1), default=4_000, metavar="N", help="distance tables kept beyond one a robot"
    )
    parser.add_argument("--seed", type=seed, default=1)
    parser.add_argument("--out", type=Path, help="rotation: write the plan in the competition's output format")
    options = parser.parse_args(args)
    for field in ("steps", "tables"):
        if getattr(options, field) < 1:
            raise Rejected(f"--{field}", getattr(options, field), "1 or more")
    if options.out and (options.robots or options.model != MODELS[0]):
        raise Rejected("--out", str(options.out), "given for one run of the rotation model")
    return options


def _greedy(instance: Instance, steps: int) -> dict[str, Any]:
    """The least that a planner can do: one after another to the best free neighbour, first come first served."""
    grid, referee = Grid(instance.free), Referee(instance)
    number, place = grid.cell.ravel(), np.flatnonzero(instance.free.ravel())
    tables = CellTables(grid, plain(grid), min(2 * instance.size + 50, len(grid) + instance.size))
    row: dict[int, int] = {}
    begin = time.perf_counter()
    for _ in range(steps):
        goals, at = number[referee.goal].tolist(), number[referee.at].tolist()
        taken = set(at)
        for r, goal in enumerate(goals):
            if goal not in row:
                row[goal] = tables.take(goal)
            table = tables.pool[row[goal]]
            free = [c for c in grid.nbr[at[r]].tolist() if c >= 0 and c not in taken and table[c] < table[at[r]]]
            if free:
                taken.discard(at[r])
                at[r] = min(free, key=lambda c: (int(table[c]), c))
                taken.add(at[r])
        wanted = set(goals)
        for goal in [g for g in row if g not in wanted]:
            tables.give_back(row.pop(goal))
        referee.move(place[at])
    return {
        "robots": instance.size,
        "errands": referee.errands,
        "collisions": referee.collisions,
        "step_mean_ms": round(1_000 * (time.perf_counter() - begin) / steps, 2),
    }


def _one(options: argparse.Namespace, robots: int | None, steps: int, *, guided: bool) -> dict[str, Any]:
    instance = Instance(options.instance, robots)
    referee = Referee(instance, keep=bool(options.out) and guided)
    grid = Grid(instance.free)
    number = grid.cell.ravel()
    rotation = options.model == MODELS[0]
    cost = one_way(grid) if guided and rotation else plain(grid)
    rows = min(instance.size + options.tables, len(grid) + 1)
    rows = max(rows, instance.size + 1)
    start = number[instance.start]
    begin = time.perf_counter()
    if rotation:
        # what comes after the last batch of the search, and the batch itself, stay within the budget
        budget = max(1.0, options.step_budget_ms - 1.5) if options.step_budget_ms else 0.0
        search = Search(depth=options.depth, rounds=options.rounds, budget_ms=budget, seed=options.seed)
        if not guided:
            search = Search(depth=3, rounds=0, seed=options.seed)
        planner: TurningPlanner | FourPlanner = TurningPlanner(
            grid, cost, start, np.zeros(instance.size, np.int8), search, table_rows=rows
        )
    else:
        planner = FourPlanner(grid, cost, start, table_rows=rows, seed=options.seed)
    planner.aim(number[referee.goal])
    prepare_s = time.perf_counter() - begin
    place = np.flatnonzero(instance.free.ravel())
    took: list[float] = []
    planned_s = 0.0
    for _ in range(steps):
        goal = number[referee.goal]
        begin, busy = time.perf_counter(), time.process_time()
        if isinstance(planner, TurningPlanner):
            actions = planner.step(goal)
            took.append(time.perf_counter() - begin)
            planned_s += time.process_time() - busy
            referee.turn(actions)
        else:
            cells = planner.step(goal)
            took.append(time.perf_counter() - begin)
            planned_s += time.process_time() - busy
            referee.move(place[cells])
    if options.out and guided:
        referee.write(options.out, took)
    step_ms = 1_000 * np.array(took)
    warm = step_ms[1:] if len(step_ms) > 1 else step_ms
    found = {
        "robots": instance.size,
        "errands": referee.errands,
        "collisions": referee.collisions,
        "step_mean_ms": round(float(warm.mean()), 2),
        "step_p99_ms": round(float(np.quantile(warm, 0.99)), 2),
        "step_cpu_mean_ms": round(1_000 * planned_s / steps, 2),
        "step_first_ms": round(float(step_ms[0]), 2),
        "prepare_s": round(prepare_s, 2),
        "tables_built": planner.tables.built,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    if isinstance(planner, TurningPlanner):
        found |= {"depth": search.depth, "rounds_mean": round(planner.rounds / steps)}
    return found
