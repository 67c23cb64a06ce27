"""Batching: gaps to proven optima, what 500 pooled orders save over first come, and how fast 2,000 are planned.

Instances of Henn and Waescher and of Muter and Oncan whose optimum is proven; half of each sample from each set. The
pools are orders of Henn and Waescher's instances of one capacity (45 pieces), once with parts stored anywhere (``u``)
and once with fast movers near the depot (``b``): `saving_500` is the mean of both. `rolling` is the rule of the live
floor on orders that come one by one. Budgets are CPU seconds of the one thread that plans, so that a loaded machine
does not change the figures; `plan_2000_s` is CPU too.
"""

import argparse
import random
import sys
import time
from collections import defaultdict
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from deploy.bench.bounds import number, positive, seed, whole
from deploy.bench.instances import MOST_AISLES, MOST_CELLS, MOST_PIECES, json_lines, within
from dispatcher.optimizers.batching import Params, Problem, Promise, check, first_come, plan
from dispatcher.optimizers.batching.rolling import roll
from dispatcher.optimizers.picking import Picks, Warehouse

_SETS = {"henn_waescher": "henn_waescher_720.jsonl.gz", "muter_oncan": "muter_oncan_wg_270.jsonl.gz"}
_POOLED_CAPACITY = 45
_FLOOR = ("cap", "aisles", "cells", "depot_aisle", "depot", "w_aisle", "w_cell", "w_end")
_PEOPLE, _PERIOD_S, _BETWEEN_S, _PICK_S = 4, 120.0, 30.0, 5.0
_ROLLING_EFFORT = 30_000


class _Row(msgspec.Struct, frozen=True):
    name: str
    aisles: int
    cells: Annotated[int, msgspec.Meta(ge=1)]
    cap: Annotated[int, msgspec.Meta(ge=1)]
    depot_aisle: int
    depot: Literal["top", "bottom"]
    w_aisle: Annotated[float, msgspec.Meta(gt=0)]
    w_cell: Annotated[float, msgspec.Meta(gt=0)]
    w_end: Annotated[float, msgspec.Meta(gt=0)]
    orders: list[list[tuple[int, int, int]]]
    best_known: Annotated[float, msgspec.Meta(gt=0)]
    is_opt: bool

    def __post_init__(self) -> None:
        within("aisles", self.aisles, 1, MOST_AISLES)
        within("cells", self.cells, 1, MOST_CELLS)
        within("cap", self.cap, 1, MOST_PIECES)
        within("depot_aisle", self.depot_aisle, 0, self.aisles - 1)
        within("orders", len(self.orders), 1, MOST_PIECES)
        for n, order in enumerate(self.orders):
            within(f"orders/{n}", len(order), 1, MOST_PIECES)
            for k, (aisle, cell, qty) in enumerate(order):
                within(f"orders/{n}/{k}/0", aisle, 0, self.aisles - 1)
                within(f"orders/{n}/{k}/1", cell, 0, self.cells - 1)
                within(f"orders/{n}/{k}/2", qty, 0, MOST_PIECES)
            within(f"orders/{n}", sum(qty for _, _, qty in order), 0, self.cap)


def run(args: list[str]) -> dict[str, object]:
    """Run the samples and the pools; see `--help`."""
    parser = argparse.ArgumentParser(prog="floorplane bench batching", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/optimizers"), help="folder of batching/")
    parser.add_argument("--all", action="store_true", help="every instance with a proven optimum (hours)")
    parser.add_argument("--sample-50", type=whole(0), default=40, metavar="N", help="instances of up to 50 orders")
    parser.add_argument("--sample-100", type=whole(0), default=20, metavar="N", help="instances of 100 orders")
    parser.add_argument("--seconds-50", type=positive, default=15.0, metavar="S")
    parser.add_argument("--seconds-100", type=positive, default=30.0, metavar="S")
    parser.add_argument("--seconds-500", type=number(0), default=60.0, metavar="S", help="0 leaves the pool of 500 out")
    parser.add_argument(
        "--seconds-2000", type=number(0), default=4.0, metavar="S", help="0 leaves the pool of 2,000 out"
    )
    parser.add_argument(
        "--rolling", type=whole(0), default=120, metavar="N", help="orders that come one by one; 0: none"
    )
    parser.add_argument("--seed", type=seed, default=1)
    options = parser.parse_args(args)
    rows = {name: json_lines(options.data / "batching" / file, _Row) for name, file in _SETS.items()}
    result: dict[str, Any] = {"seed": options.seed}
    warm = problem_of(rows["henn_waescher"][0])
    plan(warm, Params(proposals=100))  # compiles, or loads what was compiled
    come: dict[str, float] = {}
    for key, sizes, sample, seconds in (
        ("50", range(51), options.sample_50, options.seconds_50),
        ("100", range(100, 101), options.sample_100, options.seconds_100),
    ):
        chosen = _choose(rows, sizes, None if options.all else sample, random.Random(f"{options.seed}/{key}"))
        gaps: dict[str, list[float]] = {name: [] for name in _SETS}
        baseline = []
        for n, (name, row) in enumerate(chosen):
            problem = problem_of(row)
            found = plan(problem, Params(seconds=seconds, seed=options.seed), time.process_time)
            check(problem, found)
            gaps[name].append(found.length_m / row["best_known"] - 1)
            baseline.append(first_come(problem).length_m / row["best_known"] - 1)
            print(
                f"batching: {n + 1} of {len(chosen)}, {name} {row['name']}, {len(row['orders'])} orders: "
                f"gap {gaps[name][-1]:.4f}, {found.proposals} proposals", file=sys.stderr,
            )  # fmt: skip
        together = [g for one in gaps.values() for g in one]
        result[f"mean_gap_{key}"] = round(fmean(together), 5) if together else None
        if together:
            result[f"worst_gap_{key}"] = round(max(together), 5)
            result[f"mean_gap_{key}_by_set"] = {k: round(fmean(v), 5) for k, v in gaps.items() if v}
            result[f"instances_{key}"], result[f"budget_{key}_s"] = len(together), seconds
            come[f"first_come_mean_gap_{key}"] = round(fmean(baseline), 4)
    pooled = _pooled(rows["henn_waescher"])
    result |= {"saving_500": None, "plan_2000_s": None, "pool_capacity": pooled[0]["cap"]}
    if options.seconds_500:
        saved = {store: _pool(pooled, store, 500, options.seconds_500, options.seed) for store in "ub"}
        result["saving_500"] = round(fmean(s["saving"] for s in saved.values()), 4)
        result["saving_500_by_storage"] = {"anywhere": saved["u"], "fast_movers_near": saved["b"]}
    if options.seconds_2000:
        large = {store: _pool(pooled, store, 2_000, options.seconds_2000, options.seed) for store in "ub"}
        result["plan_2000_s"] = max(s["plan_cpu_s"] for s in large.values())
        result["saving_2000_by_storage"] = {"anywhere": large["u"], "fast_movers_near": large["b"]}
    if options.rolling:
        result["rolling"] = _rolling(pooled, options.rolling, options.seed)
    what = "proven optima of the two sets; first come fills one tour after the other in the order of arrival"
    return {**result, "baseline": {"what": what, **come}}


def _choose(
    rows: dict[str, list[dict[str, Any]]], sizes: range, sample: int | None, rng: random.Random
) -> list[tuple[str, dict[str, Any]]]:
    chosen = []
    for k, (name, group) in enumerate(rows.items()):
        proven = [(name, r) for r in group if r["is_opt"] and len(r["orders"]) in sizes]
        share = len(proven) if sample is None else (sample + 1 - k) // 2
        chosen += rng.sample(proven, min(share, len(proven)))
    return chosen


def _pooled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return instances of one floor and one capacity: of 45 pieces if there are any, else those with most orders."""
    groups: dict[tuple[object, ...], list[dict[str, Any]]] = defaultdict(list)
    for r in rows:
        groups[tuple(r[k] for k in _FLOOR)].append(r)
    return max(groups.values(), key=lambda g: (g[0]["cap"] == _POOLED_CAPACITY, sum(len(r["orders"]) for r in g)))


def _pool(pooled: list[dict[str, Any]], storage: str, size: int, seconds: float, seed: int) -> dict[str, Any]:
    group = [r for r in pooled if r["name"].endswith(storage)] or list(pooled)
    random.Random(f"{seed}/{storage}").shuffle(group)
    orders = [o for r in group for o in r["orders"]][:size]
    problem = problem_of({**group[0], "orders": orders})
    print(f"batching: pool of {len(orders)} orders, storage {storage}, {seconds} s", file=sys.stderr)
    begun, cpu = time.perf_counter(), time.process_time()
    # at 2,000 the candidates seen are too few for a choice among them to add anything
    found = plan(
        problem, Params(seconds=seconds, seed=seed, pool=0 if size > 1_000 else Params().pool), time.process_time
    )
    took, cpu = time.perf_counter() - begun, time.process_time() - cpu
    check(problem, found)
    come = first_come(problem).length_m
    return {
        "saving": round(1 - found.length_m / come, 4), "length_m": round(found.length_m, 1),
        "first_come_m": round(come, 1), "orders": len(orders), "plan_s": round(took, 2), "plan_cpu_s": round(cpu, 2),
        "proposals": found.proposals,
    }  # fmt: skip


def _rolling(rows: list[dict[str, Any]], size: int, seed: int) -> dict[str, Any]:
    """Four people, orders that come in Poisson's way and are due within the hour; planned anew every two minutes."""
    group = [r for r in rows if r["name"].endswith("u")] or list(rows)
    rng = random.Random(f"{seed}/rolling")
    rng.shuffle(group)
    pooled = problem_of({**group[0], "orders": [o for r in group for o in r["orders"]][:size]})
    size = len(pooled.orders)
    arrive_s = np.cumsum([rng.expovariate(1 / _BETWEEN_S) for _ in range(size)])
    handling_s = np.array([_PICK_S * len(o.aisle) for o in pooled.orders])
    promise = Promise(arrive_s + 3_600, np.ones(size), handling_s, np.zeros(_PEOPLE), 60.0, 1.0, 1.0)
    problem = Problem(pooled.warehouse, pooled.orders, pooled.load, pooled.capacity, promise)
    told: dict[str, Any] = {
        "orders": size, "people": _PEOPLE, "period_s": _PERIOD_S, "mean_between_s": _BETWEEN_S,
        "effort": _ROLLING_EFFORT,
    }  # fmt: skip
    params = Params(proposals=_ROLLING_EFFORT, first=_ROLLING_EFFORT // 3, seed=seed)
    for name, rule in (("planned", lambda p: plan(p, params)), ("first_come", first_come)):
        print(f"batching: rolling horizon, {name}", file=sys.stderr)
        walked = roll(problem, arrive_s, _PERIOD_S, rule)
        end = {n: w.end_s for w in walked for n in w.orders}
        wait = [end[n] - came for n, came in enumerate(arrive_s.tolist())]
        late = [max(0.0, x - 3_600) for x in wait]
        told[name] = {
            "length_m": round(sum(w.length_m for w in walked), 1),
            "mean_wait_s": round(fmean(wait), 1),
            "late_orders": sum(x > 0 for x in late), "late_s": round(sum(late), 1),
            "last_s": round(max(end.values()), 1), "batches": len(walked),
        }  # fmt: skip
    told["saving"] = round(1 - told["planned"]["length_m"] / told["first_come"]["length_m"], 4)
    return told


def problem_of(row: dict[str, Any]) -> Problem:
    """Make our problem of a published instance: one block, the depot at the head or the foot of its first aisle."""
    end = row["w_end"]
    aisle_m = 2 * end + (row["cells"] - 1) * row["w_cell"]
    foot = 0 if row["depot"] == "top" else 1
    w = Warehouse(row["aisles"], row["w_aisle"], (aisle_m,), row["depot_aisle"], foot)
    orders = tuple(Picks.sort(w, [x[0] for x in o], [end + x[1] * row["w_cell"] for x in o]) for o in row["orders"])
    load = np.array([[sum(x[2] for x in o)] for o in row["orders"]], np.int64)
    return Problem(w, orders, load, np.array([row["cap"]], np.int64))
