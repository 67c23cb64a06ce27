"""`floorplane day`: its options, its progress bar and its summary on the screen."""

import argparse
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from contracts.errors import Rejected
from deploy.one_day import SCENARIOS, DayOptions, DaySummary, failures, run_day
from deploy.savings import Saving, run_savings, savings_table
from deploy.slotted_stock import SLOTTINGS
from deploy.written import refuse_unwritable, write
from dispatcher.params import BATCHING_RULES, RELEASE_RULES, STATION_RULES, Params

_TEACHES = """\
Run one day of an order file through the whole stack on virtual time: REST intake, reservations in a real PostgreSQL (a
scratch one: the state of `floorplane up` is never touched), robots, stations, conveyor, sorter, packing, shipping.
The same seed gives the same digest, to the last command and ledger row.

  floorplane day --orders FILE --date 2013-12-02             a real day
  floorplane day                                             a seeded one
  floorplane day --orders FILE --date 2013-12-02 --record R  and keep the recording for `floorplane replay R`
  floorplane day --orders FILE --date 2013-12-09 --scenario full   with people, returns, counts and two owners
  floorplane day --orders FILE --date 2013-12-02 --savings   the day again and again, each time with one of --slotting,
                                                             --batching, --release, --stations at its baseline: what
                                                             each saves
"""


def main(args: list[str]) -> int:
    """Run the day; 0 when the books and the floor are right at its end.

    Raises
    ------
    FloorplaneError
        The input is bad, or something failed.
    """
    parser = argparse.ArgumentParser("floorplane day", description=_TEACHES, formatter_class=_Formatter)
    parser.add_argument("--orders", type=Path, help="order file (CSV, may be gzipped); without one: seeded")
    parser.add_argument("--date", help="a planned ship date in the file, like 2013-12-02")
    parser.add_argument("--seed", type=int, default=1, help="of times, people, faults and layout")
    parser.add_argument("--robots", type=int, default=40, help="robots of the reference site")
    parser.add_argument("--site", type=Path, help="a site file; without one the reference site is laid out")
    parser.add_argument("--days", type=int, default=1, help="how many days the date's orders come again")
    parser.add_argument(
        "--stations",
        choices=["planned", *(r.replace("_", "-") for r in STATION_RULES)],
        default="optimized",
        help="how totes get stations, and pods their turn; planned: optimized, and every --hold minutes a plan of all "
        "that waits is made and followed; first-come is the baseline",
    )
    parser.add_argument(
        "--release",
        choices=RELEASE_RULES,
        help="due: totes wait for others that need the same pods, as long as --hold and their due times allow (with "
        "--stations optimized, and then by default); fcfs: at once",
    )
    parser.add_argument(
        "--hold", type=float, metavar="MIN", default=Params().hold_ms / 60_000,
        help="minutes that a tote may wait for others; fewer where it is due earlier",
    )  # fmt: skip
    parser.add_argument(
        "--slotting", choices=SLOTTINGS, default="best",
        help="which parts lie in which pods, learned from the days before; best: optimized, where the file has earlier "
        "days; moved: as-is, and the 15 %% of the parts moved that are worth most; as-is: by category, the baseline",
    )  # fmt: skip
    parser.add_argument(
        "--batching", choices=BATCHING_RULES, default="shared",
        help="with --stations optimized: shared puts totes together that need the same pods; single: in their order",
    )  # fmt: skip
    parser.add_argument(
        "--scenario", choices=SCENARIOS, default="plain",
        help="full: all that happens to goods from the supplier's notice to the truck and back, for two owners",
    )  # fmt: skip
    parser.add_argument("--record", type=Path, help="folder that keeps the dispatcher's recording")
    parser.add_argument("--json", metavar="FILE", help="write the summary there as JSON; - is standard output")
    parser.add_argument("--savings", action="store_true", help="say what each choice saves: runs the day six times")
    given = parser.parse_args(args)
    if given.orders is not None and given.date is None:
        raise Rejected("--date", None, "a planned ship date of the order file, like 2013-12-02")
    if not 1 <= given.robots <= 400:
        raise Rejected("--robots", given.robots, "in 1..400")
    refuse_unwritable("--json", given.json)
    options = DayOptions(
        orders=given.orders, seed=given.seed, robots=given.robots, site=given.site, days=given.days,
        record=given.record, params=_params(given), scenario=given.scenario, slotting=given.slotting,
        plan_min=given.hold if given.stations == "planned" else 0.0,
        **({} if given.date is None else {"date": given.date}),
    )  # fmt: skip
    screen = Console(stderr=True, highlight=False)
    if given.savings:
        told = _savings(options, screen)
        screen.print(savings_table(told))
        found: object = told
    else:
        with _bar(screen) as bar:
            task = bar.add_task("the day", total=None, hours="")

            def show(done: int, of: int, hours: float) -> None:
                bar.update(task, completed=done, total=of, hours=f"{hours:.1f} h")

            summary = run_day(options, show)
        screen.print(_table(summary))
        found = summary
    if given.json is not None:
        write("--json", given.json, msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")
    if isinstance(found, DaySummary):
        failures(found)
    return 0


def _bar(screen: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("orders  {task.fields[hours]}"),
        TimeElapsedColumn(), TimeRemainingColumn(), console=screen, disable=not screen.is_terminal, transient=True,
    )  # fmt: skip


def _savings(options: DayOptions, screen: Console) -> list[Saving]:
    """Run the days; where there is no terminal to draw on, a line says which is running."""
    with _bar(screen) as bar:
        task = bar.add_task("", total=None, hours="")
        now = ""

        def show(name: str, n: int, of_days: int, done: int, of: int, hours: float) -> None:
            nonlocal now
            if name != now and not screen.is_terminal:
                screen.print(f"day {n} of {of_days}: {name}")
            now = name
            bar.update(
                task, description=f"{n}/{of_days} {name}", completed=done, total=of, hours=f"{hours:.1f} h"
            )  # fmt: skip

        return run_savings(options, show)


def _params(given: argparse.Namespace) -> Params:
    rule = "optimized" if given.stations == "planned" else given.stations.replace("-", "_")
    release = given.release or ("due" if rule == "optimized" else "fcfs")
    if not 0 < given.hold <= 1_440:
        raise Rejected("--hold", given.hold, "above 0 and at most 1440 minutes")
    return Params(
        station_rule=rule, release_rule=release, batching=given.batching, hold_ms=round(given.hold * 60_000)
    )  # fmt: skip


class _Formatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    pass


def _table(s: DaySummary) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in (
        ("orders", f"{s.orders_shipped} of {s.orders_received} shipped in {s.virtual_hours:.1f} h"),
        ("late", f"{s.orders_late} orders"),
        ("lines", f"{s.lines_picked} picked, {s.lines_short} short, {s.lines_rejected} rejected"),
        ("services", f"{s.service_lines} lines shipped with their orders"),
        ("rate", f"{s.lines_per_hour:.0f} lines an hour at {s.stations} stations"),
        ("order cycle", f"{s.order_cycle_p50_s / 60:.1f} min median, {s.order_cycle_p95_s / 60:.1f} min p95"),
        ("robots", f"{s.robots}, {s.robot_utilisation:.0%} busy, {s.distance_m / 1000:.1f} km"),
        ("pod visits", f"{s.pod_visits}, {s.pod_visits / max(1, s.lines_picked):.2f} a line"),
        ("ledger", f"{s.ledger_moves} moves, {s.invariant_violations} violations; {s.collisions} collisions"),
        ("effort", f"{s.wall_s:.1f} s on the wall, {s.cpu_s:.1f} s of CPU beside the database's"),
        ("digest", s.digest),
        *((k.replace("_", " "), str(v)) for k, v in s.happened.items()),
        *((("still open", ", ".join(s.orders_open[:8])),) if s.orders_open else ()),
    ):  # fmt: skip
        table.add_row(f"[bold]{name}[/]", value)
    return table
