"""`floorplane day --savings`: what each choice of the day saves, by running the day without it."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from rich.table import Table

from deploy.one_day import DayOptions, DaySummary, failures, run_day
from dispatcher.params import Params

Show = Callable[[str, int, int, int, int, float], None]
"""Told the case, its number and how many there are, and of it the orders closed, in all, and the floor's hours."""


class Case(msgspec.Struct, frozen=True):
    """One of the days: what it is called, which flag is at its baseline, and how it is run."""

    name: str
    flag: str
    options: DayOptions


class Saving(msgspec.Struct, frozen=True):
    """A day, and how much more of each it takes than the day as it is chosen (shares; negative: less)."""

    name: str
    flag: str
    visits_per_line: float
    pod_visits: int
    distance_km: float
    order_cycle_p50_min: float
    order_cycle_p95_min: float
    finish_h: float
    late: int
    shipped: int
    saved_visits: float
    """Share of this day's pod visits that the chosen day does without."""
    saved_distance: float
    summary: DaySummary


def cases(chosen: DayOptions) -> Iterator[Case]:
    """Yield the day as it is chosen, then the same with one choice at its baseline, then with all of them."""
    p = chosen.params

    def with_params(**changed: Any) -> DayOptions:
        plan_min = 0.0 if "station_rule" in changed else chosen.plan_min
        return msgspec.structs.replace(chosen, params=msgspec.structs.replace(p, **changed), plan_min=plan_min)

    yield Case("as chosen", "", chosen)
    if chosen.slotting != "as-is":
        yield Case("parts by category", "--slotting as-is", msgspec.structs.replace(chosen, slotting="as-is"))
    if chosen.plan_min > 0:
        yield Case("stations by their rule", "--stations optimized", msgspec.structs.replace(chosen, plan_min=0.0))
    if p.station_rule != "first_come":
        if p.batching != "single":
            yield Case("each tote by itself", "--batching single", with_params(batching="single"))
        if p.release_rule != "fcfs":
            yield Case("totes start at once", "--release fcfs", with_params(release_rule="fcfs"))
        yield Case(
            "stations first come", "--stations first-come", with_params(station_rule="first_come", release_rule="fcfs")
        )
    base = Params(
        **(msgspec.structs.asdict(p) | {"station_rule": "first_come", "release_rule": "fcfs", "batching": "single"})
    )
    yield Case(
        "all baselines", "all of these", msgspec.structs.replace(chosen, slotting="as-is", params=base, plan_min=0.0)
    )


def run_savings(chosen: DayOptions, show: Show) -> list[Saving]:
    """Run all the days, one after the other; each must be right in its books and on its floor.

    Raises
    ------
    Broken
        A day went wrong.
    """
    told: list[Saving] = []
    todo = list(cases(chosen))
    for n, case in enumerate(todo, 1):

        def progress(done: int, of: int, hours: float, case: Case = case, n: int = n) -> None:
            show(case.name, n, len(todo), done, of, hours)

        options = case.options if n == 1 else msgspec.structs.replace(case.options, record=None)
        s = run_day(options, progress)
        failures(s)
        first = told[0].summary if told else s
        told.append(
            Saving(
                case.name, case.flag, round(s.pod_visits / max(1, s.lines_picked), 4), s.pod_visits,
                round(s.distance_m / 1000, 1), round(s.order_cycle_p50_s / 60, 1), round(s.order_cycle_p95_s / 60, 1),
                s.virtual_hours, s.orders_late, s.orders_shipped,
                round(1 - first.pod_visits / max(1, s.pod_visits), 4),
                round(1 - first.distance_m / max(1.0, s.distance_m), 4), s,
            )
        )  # fmt: skip
    return told


def savings_table(told: list[Saving]) -> Table:
    """Draw the comparison, 80 columns wide: a row a day; the last two columns are the chosen day against that one."""
    title = "What each choice saves: pod visits a line, km driven, minutes an order takes"
    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    for name in ("", "visits", "km", "p50", "p95", "hours", "late", "visits ±", "km ±"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for s in told:
        table.add_row(
            s.flag or f"[bold]{s.name}[/]", f"{s.visits_per_line:.3f}", f"{s.distance_km:.0f}",
            f"{s.order_cycle_p50_min:.1f}", f"{s.order_cycle_p95_min:.1f}", f"{s.finish_h:.1f}", str(s.late),
            *(("", "") if not s.flag else (f"{-s.saved_visits:+.1%}", f"{-s.saved_distance:+.1%}")),
        )  # fmt: skip
    return table
