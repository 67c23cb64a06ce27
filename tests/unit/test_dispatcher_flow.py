"""Totes that are met where nobody expected them, and cells that forget them."""

from contracts.ids import CellId, ChuteId, DeviceId, TaskId, ToteId
from contracts.messages.facts import ToteArrived, TotePacked
from contracts.messages.floor import (
    CellState,
    DeviceAlarm,
    OpenTote,
    PackConfirmed,
    PackTote,
    PickConfirmed,
    PushTote,
    RouteTote,
    ToteDiverted,
    TotePushed,
    ToteSeen,
)
from dispatcher.facts import CellHeard
from tests.unit.dispatcher_bench import Bench, tote_work

A = ToteId("T-A-1")


def standing() -> Bench:
    """Return a bench on which tote A stands at a station, its pod before it, and nobody works."""
    bench = Bench()
    bench.people = False
    for name in ("station-S1", "station-S2", "line", "doors"):
        bench.hear(CellHeard(CellState(CellId(name), True, 1, 0, {}, 0)))
    bench.work(*tote_work("A", [0]))
    bench.wait(60)
    return bench


def station_of(bench: Bench) -> str:
    station = bench.world.totes[A].station
    assert station is not None
    return f"station-{station}"


def finish_picks(bench: Bench) -> None:
    bench.hear(bench.event(station_of(bench), PickConfirmed(TaskId("P-T-A-1-0"), 1, 1, "", "", None)))


def restart(bench: Bench, cell: str) -> None:
    bench.hear(CellHeard(CellState(CellId(cell), True, 2, 0, {}, 0)))


def test_a_restarted_line_and_station_hear_again_of_totes_on_their_way() -> None:
    bench = standing()
    finish_picks(bench)
    restart(bench, "line")
    assert [r.tote for r in bench.commanded(RouteTote)] == [A, A]
    restart(bench, station_of(bench))
    assert [p.tote for p in bench.commanded(PushTote)] == [A, A]
    assert len(bench.commanded(OpenTote)) == 2
    bench.hear(bench.event("line", ToteDiverted(A, ChuteId("C1"))))
    bench.hear(CellHeard(CellState(CellId("line"), True, 3, 0, {}, 0)))
    assert [p.tote for p in bench.commanded(PackTote)] == [A, A]


def test_a_tote_pushed_by_hand_before_we_asked_is_routed_all_the_same() -> None:
    bench = standing()
    bench.hear(bench.event(station_of(bench), TotePushed(A, 0)))
    assert [r.tote for r in bench.commanded(RouteTote)] == [A]
    assert all(slot is None for s in bench.world.stations.values() for slot in s.slots)
    bench.hear(bench.event("line", ToteSeen(A, ChuteId("C1"))))
    assert len(bench.commanded(RouteTote)) == 1


def test_a_tote_met_on_a_chute_frees_the_slot_that_nobody_saw_it_leave() -> None:
    bench = standing()
    finish_picks(bench)
    bench.hear(bench.event("line", ToteDiverted(A, ChuteId("C2"))))
    assert len(bench.told(ToteArrived)) == 1
    assert all(slot is None for s in bench.world.stations.values() for slot in s.slots)
    bench.hear(bench.event("line", PackConfirmed(A, ChuteId("C2"), A, 300)))
    bench.hear(bench.event("line", PackConfirmed(A, ChuteId("C2"), A, 300)))
    assert len(bench.told(TotePacked)) == 1
    assert bench.world.chute_load == {"C1": 0, "C2": 0}


def test_an_event_about_an_unknown_tote_waits_for_its_work_after_a_start_and_is_let_go_later() -> None:
    bench = Bench()
    bench.people = bench.central = False
    early = bench.event("line", ToteDiverted(A, ChuteId("C1")))
    bench.hear(early)
    assert bench.acked() == []
    bench.work(*tote_work("A", [0])[1:])
    bench.hear(early)
    assert len(bench.told(ToteArrived)) == 1
    bench.wait(70)
    late = bench.event("line", PackConfirmed(ToteId("T-Z-1"), ChuteId("C1"), "", None))
    bench.hear(late)
    assert bench.acked() == [(1, late.event.seq)]
    assert bench.told(TotePacked) == []


def test_a_device_that_fails_is_shown_until_it_is_back_and_a_strange_cell_is_named() -> None:
    bench = Bench()
    bench.hear(bench.event("line", DeviceAlarm(DeviceId("line-scanner"), raised=True, text="no answer")))
    assert "device-line-scanner" in bench.world.alarms
    bench.hear(bench.event("line", DeviceAlarm(DeviceId("line-scanner"), raised=False, text="")))
    assert "device-line-scanner" not in bench.world.alarms
    bench.hear(bench.event("cellar", ToteSeen(A, None)))
    bench.hear(CellHeard(CellState(CellId("cellar"), True, 1, 0, {}, 0)))
    assert "cell-cellar" in bench.world.alarms


def test_a_pick_for_a_tote_that_has_left_and_one_from_an_unknown_pod_call_a_person() -> None:
    from tests.unit.dispatcher_bench import pick

    bench = standing()
    finish_picks(bench)
    bench.hear(bench.event(station_of(bench), TotePushed(A, 0)))
    bench.work(pick("A", 9, 3))
    assert "tote-T-A-1" in bench.world.alarms
    bench.work(*tote_work("B", [77]))
    assert "pod-P77" in bench.world.alarms
