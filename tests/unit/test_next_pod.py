"""A station hears which bin comes next as soon as its pod is done, before any wheel has turned."""

import pytest

from contracts.errors import Rejected
from contracts.ids import BinId, CellId, ItemId, PodId
from contracts.messages.floor import CellState, NextPod, PickConfirmed, PresentPod
from dispatcher.commands import SendEdgeCommand
from dispatcher.facts import CellHeard
from edge.rules.port import Commanded
from tests.unit.dispatcher_bench import Bench, small_site, tote_work
from tests.unit.test_edge_pick import Bench as Station
from tests.unit.test_edge_pick import pick


def _waiting_station() -> tuple[Bench, list[PresentPod]]:
    """Return a bench whose person has not picked yet; one tote wants four pods, and one pod stands at the station."""
    bench = Bench(small_site(robots=3, slots=2))
    bench.people = False
    bench.work(*tote_work("A", [0, 3, 4, 5]))
    bench.wait(2)
    shown = [b for b in bench.commanded(PresentPod) if isinstance(b, PresentPod)]
    assert len(shown) == 1
    return bench, shown


def _named(bench: Bench) -> list[NextPod]:
    return [b for b in bench.commanded(NextPod) if isinstance(b, NextPod)]


def _confirm(bench: Bench, shown: PresentPod) -> list[NextPod]:
    """Confirm the picks of a pod; returns what the step that heard it says of the next one."""
    (station,) = [w for w in bench.world.stations.values() if w.present is not None]
    events = [
        bench.event(station.station.cell, PickConfirmed(p.task, p.attempt, p.qty, "", p.barcode, None))
        for p in shown.picks
    ]
    step = bench.hear(*events)
    return [c.command.body for c in step if isinstance(c, SendEdgeCommand) and isinstance(c.command.body, NextPod)]


def test_the_step_that_hears_of_the_last_pick_names_the_next_bin() -> None:
    """In the same step, with the bin, the item and the pieces; the pod that it names is the one that comes."""
    bench, shown = _waiting_station()
    (told,) = _confirm(bench, shown[0])
    assert told.after == shown[0].pod
    assert told.pod not in {None, shown[0].pod}
    assert (told.bin, told.item, told.qty) == (f"{told.pod}-1", "I1", 1)
    bench.wait(60)
    assert [b.pod for b in bench.commanded(PresentPod) if isinstance(b, PresentPod)][1] == told.pod


def test_nothing_is_said_while_a_pod_is_worked_on_nor_twice() -> None:
    """What follows may change; it is told when the pod is done, and then only when it is news."""
    bench, shown = _waiting_station()
    before = len(_named(bench))
    bench.wait(60)
    assert len(_named(bench)) == before
    _confirm(bench, shown[0])
    after = len(_named(bench))
    bench.wait(1)
    assert len(_named(bench)) - after <= 1


def test_a_station_without_anything_under_way_is_told_so_and_then_what_comes() -> None:
    """The one robot must store its pod first: nobody comes, then the next is named when its robot is sent."""
    bench = Bench(small_site(robots=1, slots=2))
    bench.people = False
    bench.work(*tote_work("A", [0, 3]))
    bench.wait(2)
    (shown,) = [b for b in bench.commanded(PresentPod) if isinstance(b, PresentPod)]
    told = _confirm(bench, shown)
    assert (told[0].after, told[0].pod) == (shown.pod, None)
    bench.wait(60)
    assert _named(bench)[-1].pod not in {None, shown.pod}


def test_a_restarted_station_is_told_again() -> None:
    """Its panel may be dark: what comes next is named anew under another command."""
    bench, shown = _waiting_station()
    for robot in bench.robots.values():
        robot.manual = True
    _confirm(bench, shown[0])
    (station,) = [w for w in bench.world.stations.values() if w.slots[0]]
    before = _named(bench)
    for epoch in (1, 2):
        bench.hear(CellHeard(CellState(CellId(station.station.cell), True, epoch, bench.now_ms, {}, 0)))
    assert [(b.pod, b.bin) for b in _named(bench)[len(before) :]] == [(before[-1].pod, before[-1].bin)]
    ids = [c.command.id for c in bench.sent if isinstance(c, SendEdgeCommand) and isinstance(c.command.body, NextPod)]
    assert len(ids) == len(set(ids))


def test_the_panel_shows_the_next_bin_until_its_pod_is_here() -> None:
    """Face (from one), level and column; nobody comes: no face; a bin of elsewhere is refused."""
    station = Station()
    station.open()
    station.do(Commanded(NextPod(None, PodId("P1"), BinId("B3"), ItemId("I3"), 2)))
    assert [station.panel[f"next_{n}"] for n in ("face", "level", "column")] == [2, 1, 3]
    station.present(pick(3))
    assert station.panel["next_face"] == 0
    assert station.panel["show_seq"] == 1
    station.do(Commanded(NextPod(PodId("P1"), None)))
    assert station.panel["next_face"] == 0
    with pytest.raises(Rejected, match="a bin of the site"):
        station.do(Commanded(NextPod(None, PodId("P2"), BinId("elsewhere"))))
