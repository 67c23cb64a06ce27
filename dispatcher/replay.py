"""Replay: feed a recording's facts into a fresh core and recompute every command; export it to look at."""

from pathlib import Path

import msgspec
from mcap.writer import Writer

from contracts.errors import Rejected
from contracts.ids import NodeId, RobotId
from contracts.messages.ops import Wait
from dispatcher import journal, views, waiting
from dispatcher.commands import Command
from dispatcher.core import Core


class Difference(msgspec.Struct, frozen=True):
    """The first place where a recording does not follow from its facts."""

    at_ms: int
    fact: int
    """How many facts were fed before it."""
    what: str
    expected: str
    got: str


class ReplayReport(msgspec.Struct, frozen=True):
    """What a replay found."""

    segments: int
    steps: int
    facts: int
    commands: int
    first_ms: int
    last_ms: int
    difference: Difference | None
    hash: str
    """Over all facts and commands; the same for the same day."""

    @property
    def matches(self) -> bool:
        """Whether every command was recomputed as it was recorded."""
        return self.difference is None


def replay(path: Path) -> ReplayReport:
    """Recompute a recording: a folder of segments, or one segment.

    Raises
    ------
    Rejected
        There is no recording, or it is of another version.
    """
    files = _files(path)
    core: Core | None = None
    steps = facts = commands = first_ms = last_ms = 0
    chain = b""
    for file in files:
        header, recorded = journal.read(file)
        if core is None:
            core, facts, chain = journal.core_of(header), header.facts, header.hash
        elif header.hash != chain:
            found = Difference(last_ms, facts, f"{file.name} does not follow", chain.hex(), header.hash.hex())
            return _report(len(files), steps, facts, commands, first_ms, last_ms, found, chain)
        for step in recorded:
            heard = journal.decode_facts(step.facts)
            got = core.step(step.now_ms, heard)
            steps, first_ms, last_ms = steps + 1, first_ms or step.now_ms, step.now_ms
            chain = journal.running_hash(chain, step.now_ms, step.facts, step.commands)
            difference = None
            if journal.encode_commands(got) != step.commands:
                difference = _first(step, facts, got)
            elif chain != step.hash:
                difference = Difference(
                    step.now_ms, facts, "the running hash: a fact was changed", step.hash.hex(), chain.hex()
                )
            if difference is not None:
                return _report(len(files), steps, facts, commands, first_ms, last_ms, difference, chain)
            facts += len(heard)
            commands += len(got)
    return _report(len(files), steps, facts, commands, first_ms, last_ms, None, chain)


class Reasons(msgspec.Struct, frozen=True):
    """Why a robot stood at a moment of a recording, link by link."""

    robot: RobotId
    at_ms: int
    """The last step until then."""
    state: str
    node: NodeId
    waits: tuple[Wait, ...]


def why(path: Path, robot: RobotId, at_ms: int) -> Reasons:
    """Say why a robot waited at a moment of a recording.

    Raises
    ------
    Rejected
        There is no recording, it begins later, or it knows no such robot.
    """
    core: Core | None = None
    last_ms = 0
    for file in _files(path):
        header, recorded = journal.read(file)
        if core is None:
            core = journal.core_of(header)
        for step in recorded:
            if step.now_ms > at_ms:
                break
            core.step(step.now_ms, journal.decode_facts(step.facts))
            last_ms = step.now_ms
    if core is None or not last_ms:
        raise Rejected("at", at_ms, "a moment of the recording, ms since 1970")
    v = core.world.vehicles.get(robot)
    if v is None:
        raise Rejected("why", robot, f"one of {', '.join(core.world.vehicles)}")
    return Reasons(robot, last_ms, v.state, v.node, waiting.waits(core.world, v, last_ms))


def export_views(path: Path, out: Path, every_s: float) -> int:
    """Write the fleet as it stood every so many seconds, a `FleetView` as JSON a line; returns how many.

    Raises
    ------
    Rejected
        There is no recording.
    """
    core: Core | None = None
    count, next_ms = 0, 0
    with out.open("wb") as stream:
        for file in _files(path):
            header, recorded = journal.read(file)
            if core is None:
                core = journal.core_of(header)
            for step in recorded:
                core.step(step.now_ms, journal.decode_facts(step.facts))
                if step.now_ms < next_ms:
                    continue
                next_ms = step.now_ms + round(every_s * 1000)
                world = core.world
                view = views.fleet_view(world, step.now_ms, views.all_robots(world, step.now_ms, {}), {})
                stream.write(msgspec.json.encode(view) + b"\n")
                count += 1
    return count


def export_mcap(path: Path, out: Path) -> int:
    """Write a recording as MCAP: JSON messages on ``/facts/<kind>`` and ``/commands/<kind>``; returns how many.

    Raises
    ------
    Rejected
        There is no recording.
    """
    files = _files(path)
    count = 0
    with out.open("wb") as stream:
        writer = Writer(stream)
        writer.start(profile="", library="floorplane")
        schema = writer.register_schema("object", "jsonschema", b'{"type":"object"}')
        channels: dict[str, int] = {}
        for file in files:
            _, recorded = journal.read(file)
            for step in recorded:
                sides = (
                    ("facts", journal.decode_facts(step.facts)),
                    ("commands", journal.decode_commands(step.commands)),
                )
                for side, messages in sides:
                    for message in messages:
                        topic = f"/{side}/{message.__struct_config__.tag}"
                        if topic not in channels:
                            channels[topic] = writer.register_channel(topic, "json", schema)
                        at_ns = step.now_ms * 1_000_000
                        data = msgspec.json.encode(msgspec.structs.asdict(message))
                        writer.add_message(channels[topic], at_ns, data, at_ns, count)
                        count += 1
        writer.finish()  # type: ignore[no-untyped-call]  # mcap has no types here
    return count


def _files(path: Path) -> list[Path]:
    files = journal.segments(path) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise Rejected("recording", str(path), "a folder with *.journal files, or one of them")
    return files


def _first(step: journal.Step, fact: int, got: list[Command]) -> Difference:
    expected = journal.decode_commands(step.commands)
    for i in range(max(len(expected), len(got))):
        before = repr(expected[i]) if i < len(expected) else "nothing"
        after = repr(got[i]) if i < len(got) else "nothing"
        if before != after:
            return Difference(step.now_ms, fact, f"command {i}", before, after)
    return Difference(step.now_ms, fact, "the commands' bytes", step.commands.hex(), "others")


def _report(
    segments: int,
    steps: int,
    facts: int,
    commands: int,
    first_ms: int,
    last_ms: int,
    difference: Difference | None,
    chain: bytes,
) -> ReplayReport:
    return ReplayReport(segments, steps, facts, commands, first_ms, last_ms, difference, chain.hex())
