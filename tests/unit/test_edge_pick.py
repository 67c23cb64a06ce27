"""The rules of a pick station: what counts as confirmed, what is shown again, what survives a restart."""

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts.errors import Rejected
from contracts.ids import BinId, DeviceId, ItemId, PodId, TaskId, ToteId
from contracts.messages.floor import (
    OpenTote,
    PickConfirmed,
    PickInstruction,
    PresentPod,
    PushTote,
    TotePushed,
    UnknownScan,
)
from contracts.site import Bin
from edge.rules.pick import PickRules, StationDevices
from edge.rules.port import (
    Changed,
    Commanded,
    Effect,
    Emit,
    Forget,
    Memory,
    Pictured,
    Print,
    Printed,
    Remember,
    Scanned,
    Weigh,
    Weighed,
    Write,
)

PANEL, SCANNER, SCALE, PRINTER = DeviceId("panel"), DeviceId("scanner"), DeviceId("scale"), DeviceId("printer")
DEVICES = StationDevices(PANEL, SCANNER, SCALE, PRINTER)
BINS = {BinId(f"B{k}"): Bin(BinId(f"B{k}"), k % 2, k // 2, k) for k in range(4)}
EAN = ("4006381333931", "5901234123457", "4012345678901", "9780201379624")
UNIT_G = 120


def pick(n: int, qty: int = 2, attempt: int = 1, slot: int = 0, tote: str = "T-1") -> PickInstruction:
    return PickInstruction(
        task=TaskId(f"P-{n}"),
        attempt=attempt,
        item=ItemId(f"I{n}"),
        barcode=EAN[n % 4],
        qty=qty,
        unit_weight_g=UNIT_G,
        bin=BinId(f"B{n % 4}"),
        tote=ToteId(tote),
        slot=slot,
    )


class Bench:
    """A station's rules with what lies outside of them: the panel's registers, and a memory that outlives a start."""

    def __init__(self) -> None:
        self.memory: Memory = {}
        self.events: list[object] = []
        self.panel: dict[str, int] = {}
        self.inputs = {"confirm_seq": 0, "confirm_reason": 0, "confirm_qty": 0, "slot_present": 0}
        self.pending: list[Effect] = []
        self.labels: list[str] = []
        self.start()

    def start(self) -> None:
        memory = {kind: dict(entries) for kind, entries in self.memory.items()}
        self.rules = PickRules(3, DEVICES, BINS, memory)
        self.pending.clear()
        self.do(Changed(PANEL, dict(self.inputs), 0))

    def do(self, said: object) -> list[Effect]:
        effects = self.rules.step(0, said)
        for effect in effects:
            match effect:
                case Emit(body=body):
                    self.events.append(body)
                case Remember(kind=kind, key=key, value=value):
                    entries = self.memory.setdefault(kind, {})
                    entries.pop(key, None)
                    entries[key] = value
                case Forget(kind=kind, key=key):
                    self.memory[kind].pop(key, None)
                case Write(values=values):
                    self.panel.update(values)
                case _:
                    self.pending.append(effect)
        return effects

    def answer(self, weight_g: int | None = None) -> None:
        """Let the printer and the scale answer what they were asked."""
        asked, self.pending = self.pending, []
        for effect in asked:
            match effect:
                case Print(token=token, zpl=zpl):
                    self.labels.append(zpl)
                    self.do(Printed(PRINTER, token))
                case Weigh(token=token):
                    self.do(Weighed(SCALE, token, weight_g))

    def open(self, tote: str = "T-1", slot: int = 0) -> None:
        self.do(Commanded(OpenTote(ToteId(tote), slot)))
        self.answer()
        self.place(slot)

    def place(self, slot: int = 0) -> None:
        self.set(slot_present=self.inputs["slot_present"] | 1 << slot)

    def set(self, **values: int) -> None:
        self.inputs.update(values)
        self.do(Changed(PANEL, dict(values), 0))

    def present(self, *picks: PickInstruction, pod: str = "P1") -> None:
        self.do(Commanded(PresentPod(PodId(pod), picks)))

    def scan(self, code: str) -> None:
        self.do(Scanned(SCANNER, code, 0))

    def confirm(self, qty: int, reason: int = 0) -> None:
        self.set(confirm_qty=qty, confirm_reason=reason, confirm_seq=self.panel["show_seq"])

    def confirmed(self) -> list[tuple[str, int, int, str]]:
        return [(e.task, e.attempt, e.qty, e.reason) for e in self.events if isinstance(e, PickConfirmed)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_tote_is_asked_for_with_its_label_and_a_light(bench: Bench) -> None:
    bench.do(Commanded(OpenTote(ToteId("T-1"), 1)))
    assert bench.panel["open_slots"] == 0, "no light before the label is out"
    bench.answer()
    assert "^BC" in bench.labels[0]
    assert "^FDT-1^FS" in bench.labels[0]
    assert bench.panel["open_slots"] == 0b10
    bench.place(1)
    assert bench.panel["open_slots"] == 0


def test_a_pick_is_confirmed_after_scan_count_and_weight(bench: Bench) -> None:
    bench.open()
    bench.present(pick(0), pick(1))
    assert bench.panel["show_qty"] == 2
    bench.scan(EAN[0])
    bench.confirm(2)
    assert bench.confirmed() == [], "the weight is not known yet"
    bench.answer(2 * UNIT_G)
    assert bench.confirmed() == [("P-0", 1, 2, "")]
    assert bench.panel["show_column"] == 1, "the next pick is shown"
    event = bench.events[-1]
    assert isinstance(event, PickConfirmed)
    assert (event.barcode, event.weight_g) == (EAN[0], 2 * UNIT_G)


def test_nothing_is_shown_before_the_tote_stands(bench: Bench) -> None:
    bench.present(pick(0))
    assert bench.panel["show_seq"] == 0
    bench.open()
    assert bench.panel["show_seq"] == 1


def test_the_pick_whose_tote_stands_goes_first(bench: Bench) -> None:
    bench.open("T-2", 1)
    bench.present(pick(0, tote="T-1", slot=0), pick(1, tote="T-2", slot=1))
    assert bench.panel["show_slot"] == 1


def test_a_confirmation_without_scan_is_not_believed(bench: Bench) -> None:
    bench.open()
    bench.present(pick(0))
    before = bench.panel["show_seq"]
    bench.confirm(2)
    bench.answer(2 * UNIT_G)
    assert bench.confirmed() == []
    assert bench.panel["show_seq"] != before
    assert bench.panel["show_error"] == 3


def test_a_wrong_item_is_shown_and_told_and_the_right_one_then_counts(bench: Bench) -> None:
    bench.open()
    bench.present(pick(0))
    bench.scan(EAN[2])
    assert bench.panel["show_error"] == 1
    assert bench.events[-1] == UnknownScan(SCANNER, EAN[2])
    bench.scan("]E0" + EAN[0])
    bench.confirm(2)
    bench.answer(2 * UNIT_G)
    assert bench.confirmed() == [("P-0", 1, 2, "")]
    assert bench.panel["show_error"] == 0


def test_a_wrong_weight_is_recounted_twice_and_then_taken_with_its_reason(bench: Bench) -> None:
    bench.open()
    bench.present(pick(0))
    errors = []
    for _ in range(3):
        bench.scan(EAN[0])
        bench.confirm(2)
        bench.answer(3 * UNIT_G)
        errors.append(bench.panel["show_error"])
    assert errors == [2, 3, 0]
    assert bench.confirmed() == [("P-0", 1, 2, "wrong_weight")]


@pytest.mark.parametrize(("grams", "believed"), [(240, True), (247, True), (248, False), (232, False), (233, True)])
def test_the_tolerance_is_the_greater_of_three_per_cent_and_five_grams(grams: int, believed: bool) -> None:
    bench = Bench()
    bench.open()
    bench.present(pick(0))
    bench.scan(EAN[0])
    bench.confirm(2)
    bench.answer(grams)
    assert bool(bench.confirmed()) is believed


def test_a_short_pick_needs_a_reason(bench: Bench) -> None:
    bench.open()
    bench.present(pick(0))
    bench.scan(EAN[0])
    bench.confirm(1)
    assert bench.panel["show_error"] == 3
    bench.scan(EAN[0])
    bench.confirm(1, reason=1)
    bench.answer(UNIT_G)
    assert bench.confirmed() == [("P-0", 1, 1, "bin_empty")]


def test_an_empty_bin_needs_no_scan(bench: Bench) -> None:
    bench.open()
    bench.present(pick(0))
    bench.confirm(0, reason=1)
    assert bench.confirmed() == [("P-0", 1, 0, "bin_empty")]


def test_more_than_asked_for_is_never_taken_as_more(bench: Bench) -> None:
    bench.open()
    bench.present(pick(0))
    for _ in range(3):
        bench.scan(EAN[0])
        bench.confirm(3)
    assert bench.confirmed() == [("P-0", 1, 2, "wrong_count")]


def test_a_silent_scale_does_not_stop_the_station(bench: Bench) -> None:
    bench.open()
    bench.present(pick(0))
    bench.scan(EAN[0])
    bench.confirm(2)
    bench.answer(None)
    assert bench.confirmed() == [("P-0", 1, 2, "")]


def test_a_confirmed_pick_is_told_again_and_not_shown_again(bench: Bench) -> None:
    bench.open()
    bench.present(pick(0))
    bench.scan(EAN[0])
    bench.confirm(2)
    bench.answer(2 * UNIT_G)
    bench.start()
    bench.present(pick(0))
    assert bench.confirmed() == [("P-0", 1, 2, "")] * 2
    assert bench.panel["show_seq"] == 0


def test_another_attempt_of_a_confirmed_pick_is_shown(bench: Bench) -> None:
    bench.open()
    bench.present(pick(0))
    bench.confirm(0, reason=1)
    bench.present(pick(0, attempt=2))
    assert bench.panel["show_seq"] == 2


def test_a_newer_attempt_replaces_what_is_shown(bench: Bench) -> None:
    bench.open()
    bench.present(pick(0))
    bench.present(pick(0, qty=1, attempt=2))
    bench.scan(EAN[0])
    bench.confirm(1)
    bench.answer(UNIT_G)
    assert bench.confirmed() == [("P-0", 2, 1, "")]
    assert bench.panel["show_seq"] == 0


def test_a_restart_leaves_the_panel_as_it_is_until_the_pod_is_presented_again(bench: Bench) -> None:
    bench.open()
    bench.present(pick(0))
    shown = dict(bench.panel)
    bench.start()
    assert bench.panel == shown
    bench.present(pick(0))
    assert bench.panel == shown


def test_what_was_confirmed_while_nobody_listened_is_asked_for_once_more(bench: Bench) -> None:
    bench.open()
    bench.present(pick(0))
    before = bench.panel["show_seq"]
    bench.inputs.update(confirm_seq=before, confirm_qty=2)
    bench.start()
    bench.present(pick(0))
    assert bench.panel["show_seq"] not in {0, before}
    assert bench.panel["show_error"] == 3
    assert bench.confirmed() == []


def test_a_lost_memory_never_reuses_the_confirmed_number(bench: Bench) -> None:
    bench.inputs["confirm_seq"] = 1
    bench.start()
    bench.open()
    bench.present(pick(0))
    assert bench.panel["show_seq"] == 2


def test_a_full_tote_is_pushed_and_told_once_it_is_gone(bench: Bench) -> None:
    bench.open()
    bench.do(Commanded(PushTote(ToteId("T-1"), 0)))
    assert bench.panel["push_slots"] == 1
    bench.start()
    assert bench.panel["push_slots"] == 1
    bench.set(slot_present=0)
    assert bench.panel["push_slots"] == 0
    assert bench.events == [TotePushed(ToteId("T-1"), 0)]
    bench.start()
    bench.do(Commanded(PushTote(ToteId("T-1"), 0)))
    assert bench.events == [TotePushed(ToteId("T-1"), 0)] * 2


def test_a_tote_pushed_while_the_edge_was_down_is_told_at_the_start(bench: Bench) -> None:
    bench.open()
    bench.do(Commanded(PushTote(ToteId("T-1"), 0)))
    bench.inputs["slot_present"] = 0
    bench.start()
    assert bench.events == [TotePushed(ToteId("T-1"), 0)]


def test_commands_that_do_not_fit_are_refused_with_their_bound(bench: Bench) -> None:
    bench.open()
    bench.present(pick(0))
    for body, field in (
        (OpenTote(ToteId("T-9"), 0), "slot"),
        (OpenTote(ToteId("T-1"), 1), "slot"),
        (OpenTote(ToteId("T-9"), 7), "slot"),
        (PushTote(ToteId("T-9"), 0), "tote"),
        (PushTote(ToteId("T-1"), 0), "tote"),
        (PresentPod(PodId("P1"), (pick(1, slot=5),)), "picks/P-1/slot"),
        (PresentPod(PodId("P1"), (msgspec.structs.replace(pick(1), bin=BinId("nowhere")),)), "picks/P-1/bin"),
        (PresentPod(PodId("P1"), (pick(1, qty=0),)), "picks/P-1/qty"),
    ):
        with pytest.raises(Rejected) as refused:
            bench.do(Commanded(body))
        assert refused.value.field == field


def test_the_picture_of_the_pod_is_evidence_of_its_picks() -> None:
    bench = Bench()
    devices = msgspec.structs.replace(DEVICES, camera=DeviceId("camera"))
    bench.rules = PickRules(3, devices, BINS, {})
    bench.do(Changed(PANEL, dict(bench.inputs), 0))
    bench.open()
    bench.present(pick(0))
    bench.do(Pictured(DeviceId("camera"), "P1", "camera-17-abc"))
    bench.confirm(0, reason=1)
    event = bench.events[-1]
    assert isinstance(event, PickConfirmed)
    assert event.picture == "camera-17-abc"


class Station(RuleBasedStateMachine):
    """Whatever order scans, confirmations, duplicates, weights and restarts come in: each pick is confirmed once.

    Told again is the same event, word for word; and in the end everything that was asked for is confirmed.
    """

    @initialize(count=st.integers(1, 5), slots=st.lists(st.integers(0, 2), min_size=5, max_size=5))
    def begin(self, count: int, slots: list[int]) -> None:
        self.bench = Bench()
        self.picks = [pick(n, slot=slots[n], tote=f"T-{slots[n]}") for n in range(count)]

    @rule(slot=st.integers(0, 2))
    def open(self, slot: int) -> None:
        self.bench.do(Commanded(OpenTote(ToteId(f"T-{slot}"), slot)))

    @rule(slot=st.integers(0, 2))
    def place(self, slot: int) -> None:
        if self.bench.panel.get("open_slots", 0) >> slot & 1:
            self.bench.place(slot)

    @rule(data=st.data(), pod=st.sampled_from(["P1", "P2"]))
    def present(self, data: st.DataObject, pod: str) -> None:
        chosen = data.draw(st.lists(st.sampled_from(self.picks), unique_by=lambda p: p.task))
        self.bench.present(*chosen, pod=pod)

    @rule(code=st.sampled_from([*EAN, "", "T-0", "junk"]))
    def scan(self, code: str) -> None:
        self.bench.scan(code)

    @precondition(lambda self: self.bench.panel.get("show_seq"))
    @rule(qty=st.integers(0, 3), reason=st.integers(0, 3))
    def confirm(self, qty: int, reason: int) -> None:
        self.bench.confirm(qty, reason)

    @rule(weight_g=st.sampled_from([None, 0, UNIT_G, 2 * UNIT_G]))
    def answer(self, weight_g: int | None) -> None:
        self.bench.answer(weight_g)

    @rule(seq=st.integers(0, 9))
    def stale_confirm(self, seq: int) -> None:
        if seq != self.bench.panel.get("show_seq"):
            self.bench.set(confirm_seq=seq)

    @rule()
    def restart(self) -> None:
        self.bench.start()

    @invariant()
    def each_once(self) -> None:
        if not hasattr(self, "bench"):
            return
        told: dict[tuple[str, int], PickConfirmed] = {}
        for event in self.bench.events:
            if isinstance(event, PickConfirmed):
                assert 0 <= event.qty <= 2
                assert event.qty == 0 or event.barcode == EAN[int(event.task[2:]) % 4]
                assert told.setdefault((event.task, event.attempt), event) == event

    def teardown(self) -> None:
        if not hasattr(self, "bench"):
            return
        bench = self.bench
        for slot in range(3):
            bench.do(Commanded(OpenTote(ToteId(f"T-{slot}"), slot)))
        bench.answer(2 * UNIT_G)
        for slot in range(3):
            bench.place(slot)
        bench.present(*self.picks, pod="P3")
        for _ in range(40):
            if not bench.panel["show_seq"]:
                break
            column = bench.panel["show_column"]
            bench.scan(EAN[column])
            bench.confirm(2)
            bench.answer(2 * UNIT_G)
        self.each_once()
        assert {t for t, *_ in bench.confirmed()} == {p.task for p in self.picks}
        assert bench.panel["show_seq"] == 0


TestStation = Station.TestCase
TestStation.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)
