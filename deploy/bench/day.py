"""A real day through the whole stack on virtual time: seconds a line, growth over days, pod visits a line.

Each run is `floorplane day`: REST intake, a real PostgreSQL, robots, stations, conveyor, packing, shipping. Growth is
time a line against that of the fewest days; 1 is linear. The days are the date's orders again under new references,
with an opening stock that lasts for all of them.
"""

import argparse
import resource
import sys
from pathlib import Path
from typing import Any

import msgspec

from contracts.errors import Rejected
from deploy.bench.bounds import counts, seed, whole
from deploy.one_day import DayOptions, failures, run_day
from dispatcher.params import Params

_TOLD = (
    "orders_received", "orders_shipped", "lines_received", "lines_picked", "lines_short", "service_lines", "wall_s",
    "cpu_s", "lines_per_hour", "order_cycle_p50_s", "order_cycle_p95_s", "robot_utilisation", "distance_m",
    "ledger_moves", "collisions", "invariant_violations", "digest",
)  # fmt: skip


def run(args: list[str]) -> dict[str, object]:
    """Run the days; see `--help`."""
    options = _options(args)
    day = DayOptions(orders=options.orders, date=options.date, seed=options.seed, robots=options.robots)
    runs = [_one(msgspec.structs.replace(day, days=n, stock_for=n)) for n in options.days]
    for one in runs:
        for kind in ("wall", "cpu"):
            one[f"growth_of_{kind}_per_line"] = round(one[f"{kind}_per_line_ms"] / runs[0][f"{kind}_per_line_ms"], 3)
    first = msgspec.structs.replace(day, days=options.days[0], stock_for=options.days[0])
    others = {
        "first_come": msgspec.structs.replace(first, params=Params(station_rule="first_come")),
        "half_the_robots": msgspec.structs.replace(first, robots=max(1, options.robots // 2)),
    }
    return {
        "orders": None if options.orders is None else options.orders.name,
        "date": options.date,
        "seed": options.seed,
        "runs": runs,
        "baseline": {
            "what": f"{options.days[0]} day(s) again: totes take the first free station (first_come); half the robots",
            **{name: _one(other) for name, other in others.items() if name in options.baseline},
        },
    }


def _options(args: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="floorplane bench day", description=__doc__)
    parser.add_argument("--orders", type=Path, help="order file; without one a seeded demand")
    parser.add_argument("--date", help="a planned ship date in the file, like 2013-12-02")
    parser.add_argument(
        "--days", type=counts(1, 60), default=[1, 2, 4], metavar="N,N", help="a run for each so many days"
    )
    parser.add_argument("--robots", type=whole(1, 400), default=40)
    parser.add_argument("--seed", type=seed, default=1)
    parser.add_argument(
        "--baseline", nargs="*", choices=("first_come", "half_the_robots"), default=["first_come"], help="compared with"
    )
    options = parser.parse_args(args)
    options.days = sorted(options.days)
    if options.orders is not None and options.date is None:
        raise Rejected("--date", None, "a planned ship date of the order file, like 2013-12-02")
    options.date = options.date or DayOptions().date
    return options


def _one(options: DayOptions) -> dict[str, Any]:
    """Run so many days in this process, and tell how long they took."""
    name = f"day: {options.days} day(s) of {options.date}, {options.robots} robots, {options.params.station_rule}"
    print(f"{name} ...", file=sys.stderr)
    shown = -1

    def show(done: int, of: int, hours: float) -> None:
        nonlocal shown
        if done * 10 // of > shown:
            shown = done * 10 // of
            print(f"{name}: {done} of {of} orders after {hours:.1f} h", file=sys.stderr)

    before = _database_cpu_s()
    summary = run_day(options, show)
    failures(summary)
    lines = summary.lines_received
    return {
        "days": options.days,
        "robots": options.robots,
        "station_rule": options.params.station_rule,
        "release_rule": options.params.release_rule,
        **{key: getattr(summary, key) for key in _TOLD},
        "orders_open": len(summary.orders_open),
        "database_cpu_s": round(_database_cpu_s() - before, 2),
        "wall_per_line_ms": round(1000 * summary.wall_s / lines, 3),
        "cpu_per_line_ms": round(1000 * summary.cpu_s / lines, 3),
        "pod_visits_per_line": round(summary.pod_visits / max(1, summary.lines_picked), 3),
    }


def _database_cpu_s() -> float:
    """CPU seconds of ended children: the scratch servers."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
