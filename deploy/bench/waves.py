"""Wave and labour plans: weighted lateness against earliest due date on generated cases, and the gap to a bound at 30.

A case has teams with the same skills, zones and hours, two breaks each, and batches with weights, due at departures
every half hour. Nothing like it is published, so the baseline is the rule that most floors use; the bound at 30
batches is that of the time-indexed model. Budgets are CPU seconds of one thread.
"""

import argparse
import random
import sys
import time
from statistics import fmean
from typing import Any

from deploy.bench.bounds import positive, seed, whole
from dispatcher.optimizers.waves import RULES, Batch, Break, Params, Problem, Worker, by_rule, check, plan
from dispatcher.optimizers.waves.bound import lower_bound

_TEAMS = {30: (3, 2), 120: (5, 3), 300: (6, 5)}
_MINUTE = 60
_SKILLS = ("pick", "reach", "pack")
_ZONES = ("a", "b", "c")


def run(args: list[str]) -> dict[str, object]:
    """Generate cases, plan them, and compare; see `--help`."""
    parser = argparse.ArgumentParser(prog="floorplane bench waves", description=__doc__)
    parser.add_argument("--data", default=None, help="not needed here")
    parser.add_argument("--cases", type=whole(1), default=6, metavar="N", help="cases of each size")
    parser.add_argument("--seconds", type=positive, default=20.0, metavar="S")
    parser.add_argument("--bound-seconds", type=positive, default=60.0, metavar="S", help="for each bound, wall clock")
    parser.add_argument("--seed", type=seed, default=1)
    options = parser.parse_args(args)
    worse, gaps = 0, []
    plan(case(30, random.Random(0)), Params(moves=1, rounds=0))  # compiles, or loads what was compiled
    sizes: dict[str, Any] = {}
    baseline: dict[str, Any] = {}
    for size in _TEAMS:
        rows = []
        for n in range(options.cases):
            problem = case(size, random.Random(f"{options.seed}/{size}/{n}"))
            by_rules = {name: by_rule(problem, rule) for name, rule in RULES.items()}
            found = plan(problem, Params(seconds=options.seconds, seed=options.seed), time.process_time)
            for one in (found, *by_rules.values()):
                check(problem, one)
            edd = by_rules["earliest_due_date"].charge
            worse += found.charge > edd or (found.charge == edd and edd > 0)
            row = {
                "charge": found.charge,
                "moves": found.moves,
                "rounds": found.rounds,
                **{k: v.charge for k, v in by_rules.items()},
            }
            if size == 30:
                row["bound"] = round(lower_bound(problem, found.charge, options.bound_seconds))
                gaps.append(found.charge / row["bound"] - 1 if row["bound"] else float(found.charge > 0))
            rows.append(row)
            print(f"waves: {size} batches, case {n + 1} of {options.cases}: {row}", file=sys.stderr)
        sizes[str(size)] = rows
        baseline[str(size)] = {k: round(fmean(r[k] for r in rows)) for k in RULES}
        baseline[str(size)]["ours"] = round(fmean(r["charge"] for r in rows))
    return {
        "worse_than_edd": worse,
        "gap_30": round(fmean(gaps), 4),
        "worst_gap_30": round(max(gaps), 4),
        "budget_s": options.seconds,
        "cases": sizes,
        "seed": options.seed,
        "baseline": {"what": "mean charge (weight times seconds late) of plans by rule", **baseline},
    }


def case(size: int, rng: random.Random) -> Problem:
    """Generate people and so many batches for about three quarters of what they can do until the last departure."""
    teams, members = _TEAMS[size]
    workers = []
    for t in range(teams):
        skills = frozenset({_SKILLS[t % 3], rng.choice(_SKILLS)})
        zones = frozenset(_ZONES) if t < 3 else frozenset(rng.sample(_ZONES, 2))
        begin = 30 * _MINUTE * rng.randrange(2)
        rest = begin + (90 + 15 * t) * _MINUTE
        breaks = (Break(rest, rest + 15 * _MINUTE), Break(rest + 120 * _MINUTE, rest + 150 * _MINUTE))
        workers += [Worker(f"w{t}{m}", skills, zones, begin, begin + 10 * 60 * _MINUTE, breaks) for m in range(members)]
    minutes = [rng.randint(5, 45) for _ in range(size)]
    span = sum(minutes) / len(workers) / 0.75
    batches = tuple(
        Batch(
            f"b{n}",
            minutes[n] * _MINUTE,
            _MINUTE * 30 * rng.randint(1, max(1, round(span / 30))),
            rng.choice((1, 1, 2, 3, 5, 10)),
            rng.choice(_SKILLS),
            rng.choice(_ZONES),
            _MINUTE * 10 * rng.choice((0, 0, 0, rng.randint(0, round(span / 20)))),
        )
        for n in range(size)
    )
    return Problem(tuple(workers), batches)
