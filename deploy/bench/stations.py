"""Pod visits a line of a real day: which totes go together on which station, and which pods come first.

Judged on the virtual day itself: the whole stack with REST intake and a real PostgreSQL, the dispatcher as it runs on a
live floor, robots and people as twins. The baseline is the same day with first come, first served: totes start at
once, in order of priority, due time and arrival, at the first station with a free slot, and pods are fetched in that
order. Both have the same slotting. A visit is one time that a pod stands at a station, also when nothing is picked.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from contracts.errors import Rejected
from deploy.bench.bounds import number, seed, whole
from deploy.one_day import DayOptions, failures, run_day
from deploy.slotted_stock import SLOTTINGS
from dispatcher.params import RELEASE_RULES, STATION_RULES, Params

_TOLD = (
    "orders_shipped", "orders_late", "lines_picked", "lines_short", "pod_visits", "distance_m", "virtual_hours",
    "order_cycle_p50_s", "order_cycle_p95_s", "robot_utilisation", "robots", "stations", "collisions",
    "invariant_violations", "wall_s", "cpu_s", "digest",
)  # fmt: skip
_REAL_DAY = "2013-12-02"


def run(args: list[str]) -> dict[str, object]:
    """Run the day under each rule; see `--help`."""
    options = _options(args)
    first_come = _one(options, Params(station_rule="first_come", release_rule="fcfs"))
    params = Params(station_rule=options.stations, release_rule=options.release, hold_ms=round(options.hold_h * 3.6e6))
    ours = _one(options, params)
    return {
        "orders": None if options.orders is None else options.orders.name,
        "date": options.date,
        "seed": options.seed,
        "stations_rule": options.stations,
        "release_rule": options.release,
        "slotting": options.slotting,
        "hold_h": options.hold_h,
        **ours,
        "saving": round(1 - ours["visits_per_line"] / first_come["visits_per_line"], 4),
        "saving_distance": round(1 - ours["distance_m"] / first_come["distance_m"], 4),
        "baseline": {"what": "the same day, first come, first served", **first_come},
    }


def _options(args: list[str]) -> argparse.Namespace:
    best = Params()
    parser = argparse.ArgumentParser(prog="floorplane bench stations", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder beside which ../orders/warehouse_shipments.csv.gz lies")
    parser.add_argument("--orders", type=Path, help="order file; without one and without --data a seeded demand")
    parser.add_argument("--date", help=f"a planned ship date in the file ({_REAL_DAY})")
    parser.add_argument("--robots", type=whole(1, 400), default=40)
    parser.add_argument("--seed", type=seed, default=1)
    parser.add_argument("--slotting", choices=SLOTTINGS, default="best", help="of both days; best: as `floorplane day`")
    parser.add_argument("--stations", choices=STATION_RULES, default="optimized")
    parser.add_argument("--release", choices=RELEASE_RULES, default="due")
    parser.add_argument("--hold-h", type=number(0), default=best.hold_ms / 3.6e6, help="hours that a tote may wait")
    options = parser.parse_args(args)
    if options.orders is None and options.data is not None:
        options.orders = options.data.parent / "orders" / "warehouse_shipments.csv.gz"
    if options.date is None:
        options.date = DayOptions().date if options.orders is None else _REAL_DAY
    if not 0 < options.hold_h <= 24:
        raise Rejected("--hold-h", options.hold_h, "above 0 and at most 24")
    if options.release == "due" and options.stations != "optimized":
        raise Rejected("--release", "due", "with --stations optimized; the other rules start every tote at once")
    return options


def _one(options: argparse.Namespace, params: Params) -> dict[str, Any]:
    name = f"{params.station_rule}, {params.release_rule}"
    shown = -1

    def show(done: int, of: int, hours: float) -> None:
        nonlocal shown
        if done * 10 // of > shown:
            shown = done * 10 // of
            print(f"{name}: {done} of {of} orders after {hours:.1f} h", file=sys.stderr)

    summary = run_day(
        DayOptions(
            orders=options.orders,
            date=options.date,
            seed=options.seed,
            robots=options.robots,
            params=params,
            slotting=options.slotting,
        ),
        show,
    )
    failures(summary)
    return {
        "visits_per_line": round(summary.pod_visits / max(1, summary.lines_picked), 4),
        "lines_per_visit": round(summary.lines_picked / max(1, summary.pod_visits), 3),
        "orders_open": len(summary.orders_open),
        **{key: getattr(summary, key) for key in _TOLD},
    }
