"""The journal survives a kill at any byte, notices any change, and refuses what is not its own."""

import itertools
import shutil
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.codec import decode
from contracts.errors import Broken, Rejected
from contracts.ids import RobotId
from contracts.messages.ops import FleetView
from dispatcher import journal, waiting
from dispatcher.core import Core
from dispatcher.facts import Fact, Restarted, WorkOpened
from dispatcher.follower import Follower
from dispatcher.journal import Journal, resume, segments
from dispatcher.params import Params
from dispatcher.replay import export_views, replay, why
from tests.unit.dispatcher_bench import Bench, small_site, tote_work

SITE = small_site()


def recorded(folder: Path, *, seconds: int = 40, snapshot_at: int = -1) -> tuple[Bench, Journal]:
    """Run the bench with its steps recorded."""
    book = Journal(folder, SITE, Params())
    assert book.recover(SITE) is None
    bench = Bench(SITE, start=False)
    book.begin(bench.core, fresh=True)
    inner = bench.core.step

    class Recorded(Core):
        __slots__ = ()

        def step(self, now_ms: int, facts: list[Fact]) -> list[object]:  # type: ignore[override]
            commands = inner(now_ms, facts)
            book.write(now_ms, facts, commands)
            return commands  # type: ignore[return-value]

    real = bench.core
    shell = Recorded.__new__(Recorded)
    shell.world = real.world
    bench.core = shell
    bench.hear(*(r.state() for r in bench.robots.values()))
    bench.work(*tote_work("A", [0, 3]), *tote_work("B", [5]))
    for second in range(seconds):
        bench.wait(1)
        if second == snapshot_at:
            book.begin(real, fresh=False)
    bench.core = real
    return bench, book


def test_a_recovered_core_is_the_one_that_wrote_also_over_a_snapshot(tmp_path: Path) -> None:
    for name, snapshot_at in (("plain", -1), ("snapshot", 11)):
        bench, book = recorded(tmp_path / name, snapshot_at=snapshot_at)
        book.close()
        again = Journal(tmp_path / name, SITE, Params())
        core = again.recover(SITE)
        assert core is not None
        assert (again.facts, again.hash) == (book.facts, book.hash)
        fact = WorkOpened(tote_work("C", [1])[0])
        assert core.step(bench.now_ms + 900, [fact]) == bench.core.step(bench.now_ms + 900, [fact])
        assert core.next_due_ms == bench.core.next_due_ms


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 1))
def test_a_tail_torn_at_any_byte_is_cut_and_the_rest_stands(
    tmp_path_factory: pytest.TempPathFactory, where: float
) -> None:
    folder = tmp_path_factory.mktemp("torn")
    _, book = recorded(folder, seconds=10, snapshot_at=5)
    book.close()
    newest = segments(folder)[-1]
    data = newest.read_bytes()
    newest.write_bytes(data[: round(len(data) * where)])
    again = Journal(folder, SITE, Params())
    core = again.recover(SITE)
    assert core is not None
    again.begin(core, fresh=False)
    again.close()
    assert replay(folder).matches


def test_a_changed_byte_in_the_middle_ends_the_recording_there_or_is_refused(tmp_path: Path) -> None:
    _, book = recorded(tmp_path, seconds=10)
    book.close()
    (segment,) = segments(tmp_path)
    header, steps = journal.read(segment)
    listed = list(steps)
    first = listed[3]
    changed = [*listed[:3], first._replace(now_ms=first.now_ms + 1), *listed[4:]]
    frames = [
        journal._encoder.encode(header),
        *(journal._STEP.pack(s.now_ms, len(s.facts)) + s.facts + s.commands + s.hash for s in changed),
    ]
    segment.write_bytes(b"".join(journal._FRAME.pack(len(f), journal.zlib.crc32(f)) + f for f in frames))
    with pytest.raises(Broken, match="was changed"):
        Journal(tmp_path, SITE, Params()).recover(SITE)
    assert not replay(tmp_path).matches


def test_a_recording_of_another_site_or_schema_is_refused(tmp_path: Path) -> None:
    _, book = recorded(tmp_path, seconds=3)
    book.close()
    other = small_site(3)
    with pytest.raises(Rejected, match="recording of this site"):
        Journal(tmp_path, other, Params()).recover(other)
    header, _ = journal.read(segments(tmp_path)[0])
    with pytest.raises(Rejected, match="schema"):
        journal.core_of(msgspec.structs.replace(header, schema=99, snapshot=b"x"))


def test_replay_names_what_it_cannot_find_or_follow(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="recording"):
        replay(tmp_path)
    _, book = recorded(tmp_path, seconds=6, snapshot_at=3)
    book.close()
    assert replay(tmp_path).matches
    assert replay(segments(tmp_path)[-1]).matches
    third = tmp_path / "00000009.journal"
    shutil.copy(segments(tmp_path)[0], third)
    report = replay(tmp_path)
    assert report.difference is not None
    assert "does not follow" in report.difference.what


def test_a_restart_goes_on_under_a_higher_epoch_and_new_parameters() -> None:
    core = Core(SITE, Params(), 10)
    fact = resume(core, Params(station_rule="first_come"), 4)
    assert fact == Restarted(11, Params(station_rule="first_come"))
    core.step(1, [fact])
    assert core.epoch == 11
    assert core.world.params.station_rule == "first_come"


def test_without_a_folder_only_the_hash_is_kept() -> None:
    book = Journal(None, SITE, Params())
    core = Core(SITE, Params(), 1)
    book.begin(core, fresh=True)
    before = book.hash
    book.write(5, [], core.step(5, []))
    assert book.hash != before
    assert book.descriptor is None
    assert book.recover(SITE) is None


def test_a_core_that_would_have_commanded_something_else_does_not_go_on(tmp_path: Path) -> None:
    """Code that was changed since the kill is refused with what to do: it does not know what the floor was told."""
    book = Journal(tmp_path, SITE, Params())
    bench = Bench(SITE, start=False)
    book.begin(bench.core, fresh=True)
    facts: list[Fact] = [r.state() for r in bench.robots.values()]
    facts += [WorkOpened(w) for w in tote_work("A", [0, 3])]
    commands = bench.core.step(bench.now_ms, facts)
    assert commands
    book.write(bench.now_ms, facts, commands[:-1])
    book.close()
    with pytest.raises(Broken, match=r"at fact 0 this code .* stop it in good order"):
        Journal(tmp_path, SITE, Params()).recover(SITE)


def test_after_a_stop_in_good_order_the_next_start_folds_nothing(tmp_path: Path) -> None:
    """A snapshot is left, so that other code may go on; without news since the last one there is no other."""
    bench, book = recorded(tmp_path, seconds=10)
    book.rest(bench.core)
    book.rest(bench.core)
    book.close()
    assert len(segments(tmp_path)) == 2
    header, steps = journal.read(segments(tmp_path)[-1])
    assert header.snapshot
    assert list(steps) == []
    core = Journal(tmp_path, SITE, Params()).recover(SITE)
    assert core is not None
    assert core.next_due_ms == bench.core.next_due_ms
    assert replay(tmp_path).matches


def test_a_follower_is_where_the_writer_is_over_segments_and_cuts_off_who_still_writes(tmp_path: Path) -> None:
    """It folds what grows, slice by slice; what the former writes late goes into a file without a name."""
    source = tmp_path / "source"
    bench, book = recorded(source, snapshot_at=11)
    book.close()
    folder = tmp_path / "copy"
    folder.mkdir()
    follower = Follower(folder, SITE)
    assert follower.catch_up() == 0
    for segment in segments(source):
        data = segment.read_bytes()
        with (folder / segment.name).open("wb", buffering=0) as file:
            for at in range(0, len(data), 5_003):
                file.write(data[at : at + 5_003])
                while follower.catch_up(3):
                    pass
    assert (follower.facts, follower.hash) == (book.facts, book.hash)
    newest = segments(folder)[-1]
    with newest.open("ab", buffering=0) as late:
        late.write(b"half a frame")
        again = Journal(folder, SITE, Params())
        core = again.adopt(follower)
        late.write(b"and more")
    assert core is follower.core
    assert core is not None
    fact = WorkOpened(tote_work("C", [1])[0])
    assert core.step(bench.now_ms + 900, [fact]) == bench.core.step(bench.now_ms + 900, [fact])
    assert newest.read_bytes() == segments(source)[-1].read_bytes()
    again.begin(core, fresh=False)
    again.close()
    assert replay(folder).matches


def test_a_recording_says_why_a_robot_waited_at_any_moment(tmp_path: Path) -> None:
    """The chain of waits is recomputed up to a moment; a robot or a moment that is not in it is refused."""
    bench, book = recorded(tmp_path)
    book.close()
    robot = next(iter(bench.robots))
    first, last = (why(tmp_path, robot, at_ms) for at_ms in (bench.now_ms - 39_000, bench.now_ms))
    assert first.at_ms < last.at_ms
    vehicle = bench.world.vehicles[robot]
    assert (last.state, last.node) == (vehicle.state, vehicle.node)
    assert last.waits == waiting.waits(bench.world, vehicle, last.at_ms)
    out = tmp_path / "day.views"
    moments = export_views(tmp_path, out, 10.0)
    shown = [decode(line, FleetView) for line in out.read_bytes().splitlines()]
    assert len(shown) == moments > 2
    assert all(b.at_ms - a.at_ms >= 10_000 for a, b in itertools.pairwise(shown))
    (then,) = [r for r in shown[-1].robots if r.id == robot]
    assert then.wait == why(tmp_path, robot, shown[-1].at_ms).waits
    with pytest.raises(Rejected, match="nobody"):
        why(tmp_path, RobotId("nobody"), bench.now_ms)
    with pytest.raises(Rejected, match="moment"):
        why(tmp_path, robot, 1)
