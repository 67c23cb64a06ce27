"""`floorplane whatif`: fork a recorded day at a second, change something, and compare both days."""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from contracts.errors import Broken, Rejected
from deploy.fork import Change
from deploy.one_day import OPTIONS, DayOptions, failures, run_day
from deploy.recorded_day import RecordedDay, first_difference_ms, recorded_day
from deploy.whatif_picture import picture
from deploy.written import refuse_unwritable, write

_TEACHES = """\
Run a recorded day again up to a second, exactly as it was (every command is compared with the recording), then with
other robots, stations, people or orders, to its end. Both days are compared: when they end, how far robots drive, how
long orders take, and what was busiest.

  floorplane day --orders FILE --date 2013-12-02 --record R
  floorplane whatif R --at 14400 --robots 25                        from the fifth hour on with 25 robots
  floorplane whatif R --at 0 --stations 6 --picture whatif.svg      with six stations, as a picture too
  floorplane whatif R --at 10800 --orders 1.5 --pace 1.2            half as many orders more, and faster people
  floorplane whatif R --at 10800 --pickers 5 --packers 2            five people for all pick stations, two who pack
  floorplane whatif R --at 7200 --close E-A1-A2 --without 10956     an edge is shut, and an order does not come
  floorplane whatif R --at 7200 --layout site.json --also more.csv  other roads, and the orders of a file besides
"""


def main(args: list[str]) -> int:
    """Compare; 0 when the changed day was right in its books and on its floor.

    Raises
    ------
    FloorplaneError
        The recording cannot be forked, or something failed.
    """
    parser = argparse.ArgumentParser(
        "floorplane whatif", description=_TEACHES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recording", type=Path, help="a folder of `floorplane day --record`")
    parser.add_argument("--at", type=float, required=True, metavar="SECOND", help="since the recording's first step")
    parser.add_argument("--robots", type=int, help="so many robots from then on")
    parser.add_argument("--stations", type=int, help="so many pick stations stay open from then on")
    parser.add_argument("--pace", type=float, help="how fast people work from then on; 1: as they did")
    parser.add_argument("--orders", type=float, metavar="TIMES", help="so many times the orders still to come")
    parser.add_argument("--pickers", type=int, help="so many people for all pick stations together from then on")
    parser.add_argument("--packers", type=int, help="so many people for all packing places together from then on")
    parser.add_argument(
        "--without", action="append", default=[], metavar="REF", help="this order does not come (again)"
    )
    parser.add_argument("--also", type=Path, metavar="FILE", help="an order file whose orders come then too")
    parser.add_argument(
        "--close", action="append", default=[], metavar="NODE|EDGE", help="shut this from then on (again)"
    )
    parser.add_argument(
        "--layout", type=Path, metavar="FILE", help="a site file with other roads, which hold from then on"
    )
    parser.add_argument("--record", type=Path, help="folder that keeps the recording of the changed day")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="write both days as one picture (.svg)")
    parser.add_argument("--json", metavar="FILE", help="write the comparison there as JSON; - is standard output")
    given = parser.parse_args(args)
    change = Change(
        at_s=given.at, robots=given.robots, stations=given.stations, pace=given.pace, orders=given.orders,
        pickers=given.pickers, packers=given.packers, without=tuple(given.without), close=tuple(given.close),
        **{k: path.absolute() for k in ("also", "layout") if (path := getattr(given, k)) is not None},
    )  # fmt: skip
    if given.picture is not None and given.picture.suffix != ".svg":
        raise Rejected("--picture", str(given.picture), "a file that ends with .svg")
    refuse_unwritable("--picture", given.picture)
    refuse_unwritable("--json", given.json)
    found = compare(given.recording, change, given.record)
    Console(stderr=True, highlight=False).print(_table(found))
    if given.picture is not None:
        write("--picture", given.picture, picture(found.was, found.would, change))
    if given.json is not None:
        write("--json", given.json, msgspec.json.format(msgspec.json.encode(found.told())).decode() + "\n")
    return 0


_SHOWN_H = 0.02
"""Of what is waited for less than this in all, the table says nothing."""


class Comparison(msgspec.Struct, frozen=True):
    """The day as it was, and as it would have been."""

    change: Change
    was: RecordedDay
    would: RecordedDay

    def told(self) -> dict[str, Any]:
        """Return what is worth telling, as JSON values."""
        return {
            "change": msgspec.to_builtins(self.change, enc_hook=str),
            "was": msgspec.to_builtins(self.was.told()),
            "would": msgspec.to_builtins(self.would.told()),
        }


def compare(recording: Path, change: Change, keep: Path | None = None) -> Comparison:
    """Fork a recording and run the changed day to its end.

    Raises
    ------
    Rejected
        It is not a recording of `floorplane day`, or it ends before the change.
    Broken
        The day does not run again as it was recorded, or the changed one went wrong.
    """
    file = recording / OPTIONS
    if not file.is_file():
        raise Rejected("recording", str(recording), f"a folder of `floorplane day --record`, with its {OPTIONS}")
    try:
        options = msgspec.json.decode(file.read_bytes(), type=DayOptions, dec_hook=_path)
    except msgspec.DecodeError as e:
        raise Rejected("recording", str(file), f"options of this version: {e}") from e
    if options.change is not None:
        raise Rejected("recording", str(recording), "a day that was not changed itself")
    was = recorded_day(recording)
    if change.at_s * 1000 >= was.last_ms - was.first_ms:
        raise Rejected("--at", change.at_s, f"before the recording's end, {(was.last_ms - was.first_ms) / 1000:.0f} s")
    with tempfile.TemporaryDirectory(prefix="floorplane-whatif-") as scratch:
        folder = keep or Path(scratch)
        summary = run_day(msgspec.structs.replace(options, change=change, record=folder))
        failures(summary)
        at_ms = was.first_ms + round(change.at_s * 1000)
        differs_ms = first_difference_ms(recording, folder)
        if differs_ms is not None and differs_ms < at_ms:
            raise Broken(
                f"the recorded day does not run again as it was: it differs {(differs_ms - was.first_ms) / 1000:.1f} s"
                " after its start, before the change; was it recorded by another version, or with other orders?"
            )
        return Comparison(change, was, recorded_day(folder))


def _path(kind: type[Any], value: str) -> Any:
    return kind(value)


def _table(found: Comparison) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("", "as it was", "changed", ""):
        table.add_column(name, justify="left" if not name else "right", no_wrap=not name)
    was, would = found.was.told(), found.would.told()
    for name, unit, scale in (
        ("totes_packed", "", 1.0), ("picks", "", 1.0), ("finish_h", "h", 1.0), ("pod_visits", "", 1.0),
        ("distance_m", "km", 1000.0), ("tote_p50_s", "min", 60.0), ("tote_p95_s", "min", 60.0),
        ("busiest_share", "%", 0.01), ("robots_with_pods", "", 1.0),
    ):  # fmt: skip
        a, b = was[name] / scale, would[name] / scale
        table.add_row(
            f"[bold]{name.rsplit('_', 1)[0] if unit else name}[/] {unit}", f"{a:.1f}", f"{b:.1f}", f"{b - a:+.1f}"
        )
    for name in ("bottleneck", "waits_most_for"):
        table.add_row(f"[bold]{name.replace('_', ' ')}[/]", was[name], would[name], "")
    table.add_row("")
    table.add_row("[bold]waiting, in hours[/]")
    for what in sorted(
        {**was["waiting_h"], **would["waiting_h"]}, key=lambda w: -max(x["waiting_h"].get(w, 0.0) for x in (was, would))
    ):
        a, b = was["waiting_h"].get(what, 0.0), would["waiting_h"].get(what, 0.0)
        if max(a, b) >= _SHOWN_H:
            table.add_row(f"  {what}", f"{a:.2f}", f"{b:.2f}", f"{b - a:+.2f}")
    return table
