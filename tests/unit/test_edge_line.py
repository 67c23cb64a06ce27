"""The rules of the line: which tote is which index, where it is pushed off, what was packed, when the belt runs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import Rejected
from contracts.ids import ChuteId, DeviceId, ToteId
from contracts.messages.floor import (
    DeviceAlarm,
    OpenTote,
    PackConfirmed,
    PackTote,
    RouteTote,
    ToteDiverted,
    ToteSeen,
    UnknownScan,
)
from controllers.sorter import INDEX_LAST, Routed, index_after, passed, steps_between
from controllers.tags import LINE
from edge.rules.line import LineRules
from edge.rules.pack import PackPlace, PackRules
from edge.rules.port import (
    After,
    Changed,
    Commanded,
    Elapsed,
    Emit,
    Forget,
    Memory,
    Remember,
    Scanned,
    Weigh,
    Weighed,
    Write,
)
from edge.rules.sort import SortRules

PLC, SCANNER = DeviceId("line-plc"), DeviceId("line-scanner")
CHUTES = (ChuteId("C1"), ChuteId("C2"), ChuteId("C3"))
PLACES = {c: PackPlace(c, DeviceId(f"{c}-scanner"), DeviceId(f"{c}-scale")) for c in CHUTES}
ZERO = {t.name: False if t.type == "bool" else 0 for t in LINE if not t.writable}


class Bench:
    """The line's rules with its registers and a memory that outlives a start."""

    def __init__(self) -> None:
        self.memory: Memory = {}
        self.events: list[object] = []
        self.routes: list[tuple[int, int]] = []
        self.coils: dict[str, bool] = {}
        self.weighs: list[Weigh] = []
        self.timers: list[str] = []
        self.inputs = dict(ZERO)
        self.now_ms = 1_000_000
        self.start()

    def start(self) -> None:
        memory = {kind: dict(entries) for kind, entries in self.memory.items()}
        sort = SortRules(PLC, SCANNER, CHUTES, memory)
        self.rules = LineRules(sort, PackRules(PLACES, sort.diverted, memory))
        self.weighs.clear()
        self.do(Changed(PLC, dict(self.inputs), self.now_ms))

    def do(self, said: object) -> None:
        for effect in self.rules.step(self.now_ms, said):
            match effect:
                case Emit(body=body):
                    self.events.append(body)
                case Remember(kind=kind, key=key, value=value):
                    entries = self.memory.setdefault(kind, {})
                    entries.pop(key, None)
                    entries[key] = value
                case Forget(kind=kind, key=key):
                    self.memory[kind].pop(key, None)
                case Write(values=values) if "route_seq" in values:
                    assert list(values)[-1] == "route_seq"
                    self.routes.append((values["route_index"], values["route_chute"]))
                case Write(values=values):
                    self.coils.update(values)
                case Weigh():
                    self.weighs.append(effect)
                case After(key=key):
                    self.timers.append(key)

    def set(self, **values: int) -> None:
        self.inputs.update(values)
        self.do(Changed(PLC, dict(values), self.now_ms))

    def route(self, tote: str, chute: str) -> None:
        self.do(Commanded(RouteTote(ToteId(tote), ChuteId(chute))))

    def read(self, code: str, device: str = SCANNER) -> None:
        self.do(Scanned(DeviceId(device), code, self.now_ms))

    def pass_scanner(self, code: str, *, late_ms: int = 40) -> int:
        """A tote passes the sorter's scanner; the index is polled a little later than the reading comes."""
        self.now_ms += 2000
        self.read(code)
        self.now_ms += late_ms
        index = index_after(int(self.inputs["scan_index"]))
        self.set(scan_index=index)
        return index

    def divert(self, chute: int, *indices: int) -> None:
        count = (int(self.inputs[f"diverted_count_{chute}"]) + len(indices)) % 65_536
        self.set(**{f"diverted_index_{chute}": indices[-1], f"diverted_count_{chute}": count})

    def of(self, kind: type) -> list[object]:
        return [e for e in self.events if isinstance(e, kind)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_known_tote_is_routed_and_told_when_it_came_down(bench: Bench) -> None:
    bench.route("T-1", "C2")
    index = bench.pass_scanner("T-1")
    assert bench.routes == [(index, 1)]
    bench.divert(1, index)
    assert bench.events[-2:] == [ToteSeen(ToteId("T-1"), ChuteId("C2")), ToteDiverted(ToteId("T-1"), ChuteId("C2"))]


def test_the_index_may_come_before_the_reading(bench: Bench) -> None:
    bench.route("T-1", "C1")
    bench.set(scan_index=1)
    bench.now_ms += 60
    bench.read("]C0T-1")
    assert bench.routes == [(1, 0)]


def test_a_reading_that_is_not_paired_in_time_sends_nobody_anywhere(bench: Bench) -> None:
    bench.route("T-1", "C1")
    bench.read("T-1")
    bench.now_ms += 5000
    bench.set(scan_index=1)
    bench.now_ms += 5000
    bench.read("T-1")
    assert bench.routes == []


def test_two_totes_in_one_poll_go_around_rather_than_be_mistaken(bench: Bench) -> None:
    bench.route("T-1", "C1")
    bench.route("T-2", "C2")
    bench.read("T-1")
    bench.read("T-2")
    bench.set(scan_index=2)
    assert bench.routes == []
    assert bench.pass_scanner("T-1") == 3
    assert bench.routes == [(3, 0)]


def test_unknown_and_unread_totes_go_around_and_are_told(bench: Bench) -> None:
    bench.pass_scanner("T-7")
    bench.pass_scanner("")
    bench.pass_scanner("not a label!")
    assert bench.events[-3:] == [
        ToteSeen(ToteId("T-7"), None),
        UnknownScan(SCANNER, ""),
        UnknownScan(SCANNER, "not a label!"),
    ]
    assert bench.routes == []


def test_a_full_chute_sends_the_tote_around(bench: Bench) -> None:
    bench.route("T-1", "C3")
    bench.set(chute_full=0b100)
    bench.pass_scanner("T-1")
    assert bench.routes == []
    bench.set(chute_full=0)
    bench.pass_scanner("T-1")
    assert bench.routes == [(2, 2)]


def test_several_counts_in_one_poll_are_all_told(bench: Bench) -> None:
    for n in range(4):
        bench.route(f"T-{n}", "C1")
    indices = [bench.pass_scanner(f"T-{n}") for n in range(4)]
    bench.divert(0, *indices[1:3])
    assert [e.tote for e in bench.of(ToteDiverted)] == ["T-1", "T-2"]
    bench.divert(0, indices[3])
    assert [e.tote for e in bench.of(ToteDiverted)] == ["T-1", "T-2", "T-3"]


def test_a_tote_diverted_while_the_edge_was_down_is_told_at_the_start(bench: Bench) -> None:
    bench.route("T-1", "C1")
    index = bench.pass_scanner("T-1")
    bench.inputs.update(diverted_index_0=index, diverted_count_0=1)
    bench.start()
    assert bench.of(ToteDiverted) == [ToteDiverted(ToteId("T-1"), ChuteId("C1"))]
    bench.route("T-1", "C1")
    assert bench.of(ToteDiverted) == [ToteDiverted(ToteId("T-1"), ChuteId("C1"))] * 2


def test_a_tote_that_rides_though_it_was_taken_for_diverted_is_routed_and_told_again(bench: Bench) -> None:
    """Another came down in its stead; when it passes the scanner it is believed to ride, also after a restart."""
    bench.route("T-1", "C2")
    bench.divert(1, bench.pass_scanner("T-1"))
    bench.pass_scanner("T-1")
    assert bench.events[-1] == ToteSeen(ToteId("T-1"), None)
    bench.start()
    bench.route("T-1", "C3")
    index = bench.pass_scanner("T-1")
    assert bench.routes[-1] == (index, 2)
    bench.divert(2, index)
    assert bench.of(ToteDiverted) == [ToteDiverted(ToteId("T-1"), ChuteId(c)) for c in ("C2", "C3")]


def test_routes_outlive_a_restart(bench: Bench) -> None:
    bench.route("T-1", "C2")
    bench.start()
    bench.pass_scanner("T-1")
    assert bench.routes == [(1, 1)]


def test_a_reconnect_says_all_again_and_changes_nothing(bench: Bench) -> None:
    bench.route("T-1", "C1")
    bench.divert(0, bench.pass_scanner("T-1"))
    before = list(bench.events)
    bench.read("T-2")
    bench.do(Changed(PLC, dict(bench.inputs), bench.now_ms))
    bench.route("T-2", "C2")
    bench.set(scan_index=2)
    assert bench.events[len(before) :] == [ToteSeen(ToteId("T-2"), ChuteId("C2"))]


def test_a_stranger_on_a_chute_is_an_alarm(bench: Bench) -> None:
    bench.divert(0, 99)
    assert bench.of(DeviceAlarm)[-1].raised


def test_the_line_is_started_and_a_late_start_is_an_alarm(bench: Bench) -> None:
    assert bench.coils == {"run": True, "reset": True}
    bench.do(Elapsed("line.started"))
    assert bench.events[-1] == DeviceAlarm(PLC, True, "the line does not start")
    bench.set(running=True)
    assert bench.coils == {"run": True, "reset": False}
    assert bench.events[-1] == DeviceAlarm(PLC, False, "no more: the line does not start")


def test_jam_and_emergency_stop_are_alarmed_and_the_line_starts_again(bench: Bench) -> None:
    bench.set(running=True)
    bench.set(running=False, jam=True)
    assert bench.events[-1].text == "the line is jammed"
    assert bench.coils == {"run": True, "reset": True}
    bench.set(estop=True)
    assert bench.coils == {"run": False, "reset": False}
    bench.set(estop=False)
    bench.set(jam=False)
    assert bench.coils == {"run": True, "reset": True}
    bench.set(running=True)
    assert not bench.events[-1].raised


def test_packing_is_a_scan_and_a_weight(bench: Bench) -> None:
    bench.do(Commanded(PackTote(ToteId("T-1"), ChuteId("C1"))))
    bench.read("T-1", "C1-scanner")
    bench.do(Weighed(bench.weighs[0].device, bench.weighs[0].token, 1234))
    assert bench.events == [PackConfirmed(ToteId("T-1"), ChuteId("C1"), "T-1", 1234)]
    bench.start()
    bench.do(Commanded(PackTote(ToteId("T-1"), ChuteId("C1"))))
    assert bench.events == [PackConfirmed(ToteId("T-1"), ChuteId("C1"), "T-1", 1234)] * 2


def test_a_packer_who_is_faster_than_the_dispatcher_is_believed_later(bench: Bench) -> None:
    bench.route("T-1", "C1")
    bench.divert(0, bench.pass_scanner("T-1"))
    bench.read("T-1", "C1-scanner")
    bench.do(Weighed(bench.weighs[0].device, "T-1", 900))
    assert bench.of(PackConfirmed) == []
    bench.start()
    bench.do(Commanded(PackTote(ToteId("T-1"), ChuteId("C1"))))
    assert bench.of(PackConfirmed) == [PackConfirmed(ToteId("T-1"), ChuteId("C1"), "T-1", 900)]


def test_a_tote_of_another_chute_is_not_packed_here(bench: Bench) -> None:
    bench.do(Commanded(PackTote(ToteId("T-1"), ChuteId("C1"))))
    bench.read("T-1", "C2-scanner")
    assert bench.events == [UnknownScan(DeviceId("C2-scanner"), "T-1")]


def test_a_tote_scanned_twice_is_weighed_twice_and_told_once(bench: Bench) -> None:
    bench.do(Commanded(PackTote(ToteId("T-1"), ChuteId("C1"))))
    for _ in range(2):
        bench.read("T-1", "C1-scanner")
        bench.do(Weighed(DeviceId("C1-scale"), "T-1", 1000))
    assert len(bench.weighs) == 2
    assert len(bench.of(PackConfirmed)) == 1


def test_commands_that_do_not_fit_are_refused(bench: Bench) -> None:
    for body in (
        RouteTote(ToteId("T-1"), ChuteId("C9")),
        PackTote(ToteId("T-1"), ChuteId("C9")),
        OpenTote(ToteId("T-1"), 0),
    ):
        with pytest.raises(Rejected):
            bench.do(Commanded(body))


@given(st.integers(1, INDEX_LAST), st.integers(0, 300))
def test_indices_wrap_from_the_last_to_one(start: int, steps: int) -> None:
    index = start
    for _ in range(steps):
        index = index_after(index)
        assert 1 <= index <= INDEX_LAST
    assert steps_between(start, index) == steps


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_what_came_down_is_told_by_the_last_index_and_the_count(came: list[bool]) -> None:
    waiting = tuple(Routed(k + 1, ToteId(f"T-{k}"), 0) for k in range(len(came)))
    came[-1] = True
    run = len(came) - next((k for k in range(len(came) - 1, -1, -1) if not came[k]), -1) - 1
    result = passed(waiting, waiting[-1].index, run)
    assert result.diverted == waiting[len(waiting) - run :]
    assert result.missed == waiting[: len(waiting) - run]
    assert result.strangers == 0


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.sampled_from(["pass", "unread", "restart", "around", "poll"]), st.integers(0, 5)), max_size=40
    )
)
def test_a_tote_is_told_at_the_chute_that_it_really_came_down(steps: list[tuple[str, int]]) -> None:
    """Whatever is read, missed, polled late or restarted: no event ever names a wrong tote or chute, nor twice."""
    bench = Bench()
    for n in range(6):
        bench.route(f"T-{n}", CHUTES[n % 3])
    fallen: dict[str, str] = {}
    downstream: list[tuple[str, int]] = []

    def drain() -> None:
        """All between scanner and chutes arrive, as the sorter was told; one poll sees all of it."""
        told = dict(bench.routes)
        per: dict[int, list[int]] = {}
        for tote, index in downstream:
            if index in told:
                per.setdefault(told[index], []).append(index)
                fallen[tote] = CHUTES[told[index]]
        for chute, indices in per.items():
            bench.divert(chute, *indices)
        downstream.clear()

    for what, n in steps:
        tote = f"T-{n}"
        if what in {"pass", "unread", "around"} and tote not in fallen and tote not in {t for t, _ in downstream}:
            code = "" if what == "unread" else tote
            index = bench.pass_scanner(code, late_ms=9000 if what == "around" else 40)
            downstream.append((tote, index))
        elif what == "poll":
            drain()
        elif what == "restart":
            bench.start()
    drain()
    assert {e.tote: e.chute for e in bench.of(ToteDiverted)} == fallen
    assert len(bench.of(ToteDiverted)) == len(fallen)
