"""Slotting: travel saved out of sample against the layout by category and three ABC layouts, and the re-slot curve.

Learns on orders whose planned ship date is before a day and is judged on the later ones; an order is one exact tour.
The file says nothing of the floor, so one is assumed: 24 aisles of 2 blocks with 20 bays of 11 parts in each block,
the depot in the middle of the bottom cross aisle. As-is is by category and product line, aisle by aisle.
"""

import argparse
import sys
import time
from collections import defaultdict
from pathlib import Path

import msgspec
import numpy as np

from contracts.errors import Rejected
from deploy.bench.bounds import number, positive, seed, whole
from dispatcher.optimizers.picking import Warehouse
from dispatcher.optimizers.slotting import (
    Orders,
    Params,
    Problem,
    across,
    by_group,
    check,
    grid,
    nearest,
    plan,
    reslot,
    simulate,
    within,
)
from dispatcher.optimizers.slotting.problem import NO_GROUP, Ints
from dispatcher.optimizers.slotting.reslot import after
from dispatcher.optimizers.slotting.search import Floor
from simulators.orders import read_rows

_AISLES, _BAYS, _PARTS_A_BAY = 24, 20, 11
_PITCH_M, _BAY_M = 4.0, 1.2
_SHARES = (0.05, 0.10, 0.15, 0.25, 0.50)


def run(args: list[str]) -> dict[str, object]:
    """Learn, judge, and move step by step; see `--help`."""
    parser = argparse.ArgumentParser(prog="floorplane bench slotting", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/optimizers"), help="not needed here")
    parser.add_argument("--orders", type=Path, default=None, help="CSV (.gz) of order lines")
    parser.add_argument("--until", default="2013-11-19", help="learn on planned ship dates before this day")
    parser.add_argument("--seconds", type=positive, default=120.0, help="CPU seconds of the search")
    parser.add_argument("--move-cost", type=number(0), default=0.0, metavar="M", help="metres that moving a part costs")
    parser.add_argument("--seed", type=seed, default=1)
    parser.add_argument(
        "--pickers", type=whole(1, 500), default=1,
        help="how many walk at a time: the plan counts that they are in each other's way; a simulation judges it",
    )  # fmt: skip
    options = parser.parse_args(args)
    source = options.orders or options.data.parent / "orders" / "warehouse_shipments.csv.gz"
    learn, judge, group = read(source, options.until)
    problem = msgspec.structs.replace(problem_of(learn, group), pickers=options.pickers)
    floor = Floor(problem)
    as_is = by_group(problem, group)
    rules: dict[str, Ints] = {"as_is": as_is}
    rules |= {"across": across(problem), "within": within(problem), "nearest": nearest(problem)}
    print(f"slotting: {problem.parts} parts, {len(learn.start) - 1} orders to learn from", file=sys.stderr)
    plan(problem, Params(swaps=10))  # compiles, or loads what was compiled
    cpu = time.process_time()
    found = plan(problem, Params(seconds=options.seconds, seed=options.seed), clock=time.process_time)
    cpu = time.process_time() - cpu
    check(problem, found)
    judged = {name: floor.travel_m(layout, judge) for name, layout in rules.items()}
    learned = {name: floor.travel_m(layout, learn) for name, layout in rules.items()}
    ours = floor.travel_m(found.slot_of, judge)
    print(f"slotting: {found.swaps} swaps, {ours / judged['as_is']:.3f} of as-is; re-slotting", file=sys.stderr)
    steps = reslot(problem, as_is, found.slot_of, options.move_cost)
    full = judged["as_is"] - ours
    curve, moved, done = {}, set[int](), 0
    wanted = list(_SHARES)
    for n, step in enumerate([*steps, None]):
        more = moved | {step.part} | ({step.other} if step.other is not None else set()) if step else moved
        while wanted and (step is None or len(more) > wanted[0] * problem.parts):
            travel = floor.travel_m(after(as_is, steps[:n]), judge)
            curve[str(wanted.pop(0))] = round((judged["as_is"] - travel) / full, 4)
        moved, done = more, n
    best_abc = min(("across", "within", "nearest"), key=lambda k: judged[k])
    orders = len(judge.start) - 1
    crowd: dict[str, object] = {}
    if options.pickers > 1:
        alone = msgspec.structs.replace(problem, pickers=1)
        blind = plan(alone, Params(swaps=found.swaps, seed=options.seed))
        layouts = {"counted": found.slot_of, "not_counted": blind.slot_of, **rules}
        crowd = {"crowd": {k: _shift(problem, slot_of, options.pickers, judge) for k, slot_of in layouts.items()}}
    return {
        "saving_as_is": round(1 - ours / judged["as_is"], 4),
        "saving_best_abc": round(1 - ours / judged[best_abc], 4),
        "gain_share_at_15": curve["0.15"],
        "gain_share_by_moved_parts": curve,
        "reslot_steps": done,
        "reslot_moved_share": round(len(moved) / problem.parts, 4),
        "mean_tour_m": round(ours / orders, 2),
        "swaps": found.swaps,
        "budget_s": options.seconds,
        "plan_cpu_s": round(cpu, 1),
        "parts": problem.parts,
        "orders_learned": len(learn.start) - 1,
        "orders_judged": orders,
        "in_sample_saving_as_is": round(1 - found.travel_m / learned["as_is"], 4),
        "seed": options.seed,
        "pickers": options.pickers,
        **crowd,
        "baseline": {
            "what": "mean exact tour (m) of the judged orders in layouts by rule; best_abc is the best of three there",
            "best_abc": best_abc,
            **{f"{name}_m": round(v / orders, 2) for name, v in judged.items()},
        },
    }


def _shift(problem: Problem, slot_of: Ints, pickers: int, orders: Orders) -> dict[str, float]:
    """How the judged orders go where one picker at a time fits into an aisle, and how far they walk."""
    shift = simulate(problem, slot_of, pickers, orders)
    whole_s = shift.walk_s + shift.pick_s + shift.wait_s
    return {
        "orders_per_h": round(shift.orders_per_h, 1), "wait_share": round(shift.wait_s / whole_s, 4),
        "mean_tour_m": round(shift.walk_s / (len(orders.start) - 1), 2),
    }  # fmt: skip


def read(path: Path, until: str) -> tuple[Orders, Orders, Ints]:
    """Return orders before and from a day on, and the group of each part (category and product line)."""
    rows = [r for r in read_rows(path) if r.category]  # without one it is a service, not stock
    names = {sku: n for n, sku in enumerate(sorted({r.sku for r in rows}))}
    family = {r.sku: (r.category, r.product_line) for r in rows}
    families = {f: n for n, f in enumerate(sorted(set(family.values())))}
    orders: tuple[dict[str, list[int]], dict[str, list[int]]] = (defaultdict(list), defaultdict(list))
    for r in rows:
        orders[r.planned_ship_date >= until][r.order_ref].append(names[r.sku])
    if not orders[0] or not orders[1]:
        raise Rejected("--until", until, "a day with orders before it and from it on")
    group = np.array([families[family[sku]] for sku in names], np.int64)
    return Orders.of(list(orders[0].values())), Orders.of(list(orders[1].values())), group


def problem_of(orders: Orders, group: Ints) -> Problem:
    """Lay out the assumed floor for these parts, with no rule but the room in the bays."""
    block = _BAYS * _BAY_M
    w = Warehouse(_AISLES, _PITCH_M, (block, block), _AISLES // 2, 2)
    free = np.full(len(group), NO_GROUP, np.int64)
    same = np.zeros(len(group), np.int64)
    return Problem(w, grid(w, _BAYS, _PARTS_A_BAY), orders, len(group), same, np.ones((1, 1), np.bool_), free, free)
