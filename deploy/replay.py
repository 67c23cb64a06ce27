"""`floorplane replay`: recompute a recording's commands from its facts, or export it to look at."""

import argparse
import sys
from pathlib import Path

import msgspec

from contracts.errors import Broken, Rejected
from contracts.ids import RobotId
from deploy.written import refuse_unwritable, write
from dispatcher.replay import export_mcap, export_views, replay, why

_LAST_MS = 1 << 62

_TEACHES = """\
Feed every fact of a dispatcher's recording into a fresh core and recompute each command. Ends with 3 and names the
first difference when one command is not what was recorded, or when a fact was changed since.

  floorplane replay .floorplane/dispatcher
  floorplane replay R --why R012 --at 1386000600000   why that robot waited then, link by link
  floorplane replay R --views day.views   the fleet every five seconds, to look back at on the console's map
  floorplane replay R --mcap day.mcap     and write facts and commands as MCAP (for Foxglove and others)
"""


def main(args: list[str]) -> int:
    """Replay; 0 when every command was recomputed as recorded.

    Raises
    ------
    Rejected
        There is no recording.
    Broken
        It does not follow from its facts.
    """
    parser = argparse.ArgumentParser(
        "floorplane replay", description=_TEACHES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recording", type=Path, help="a folder of segments, or one segment")
    parser.add_argument("--mcap", type=Path, metavar="FILE", help="also export facts and commands")
    parser.add_argument("--views", type=Path, metavar="FILE", help="also write where robots stood, and why")
    parser.add_argument("--every", type=float, default=5.0, metavar="SECOND", help="of --views; 0.1 to 3600")
    parser.add_argument("--why", metavar="ROBOT", help="say why this robot waited, and recompute only until then")
    parser.add_argument("--at", type=int, metavar="MS", help="when, in ms since 1970; without it at the end")
    parser.add_argument("--json", metavar="FILE", help="write the report there as JSON; - is standard output")
    given = parser.parse_args(args)
    if not given.recording.exists():
        raise Rejected("recording", str(given.recording), "a folder or file that exists")
    if given.why is not None:
        found = why(given.recording, RobotId(given.why), _LAST_MS if given.at is None else given.at)
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")
        return 0
    refuse_unwritable("--json", given.json)
    refuse_unwritable("--mcap", given.mcap)
    refuse_unwritable("--views", given.views)
    if not 0.1 <= given.every <= 3600:
        raise Rejected("--every", given.every, "0.1 to 3600 seconds")
    report = replay(given.recording)
    text = msgspec.json.format(msgspec.json.encode(report)).decode() + "\n"
    if given.json is not None:
        write("--json", given.json, text)
    if given.mcap is not None:
        count = export_mcap(given.recording, given.mcap)
        print(f"{given.mcap}: {count} messages", file=sys.stderr)
    if given.views is not None:
        count = export_views(given.recording, given.views, given.every)
        print(f"{given.views}: {count} moments", file=sys.stderr)
    if report.difference is not None:
        d = report.difference
        raise Broken(f"fact {d.fact} at {d.at_ms} ms: {d.what}; recorded {d.expected[:300]}, recomputed {d.got[:300]}")
    print(
        f"{report.steps} steps, {report.facts} facts: all {report.commands} commands recomputed as recorded",
        file=sys.stderr,
    )
    return 0
