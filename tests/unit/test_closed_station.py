"""A station that is taken out of service finishes what stands there; everything else goes to the others."""

import pytest

from contracts.ids import StationId, ToteId
from contracts.messages.facts import TaskStarted, TotePacked
from contracts.messages.ops import CloseStation, OpsBody, OpsCommand, ReopenStation, Seat, SeatTotes
from dispatcher.commands import AnswerOps
from dispatcher.facts import OpsAsked, WorkClosed
from dispatcher.params import Params
from dispatcher.views import fleet_view
from tests.unit.dispatcher_bench import Bench, small_site, tote_work


def ask(bench: Bench, name: str, body: OpsBody) -> tuple[bool, str]:
    said = bench.hear(OpsAsked(OpsCommand(name, "me", "the light curtain is broken", body)))
    (answer,) = [c.answer for c in said if isinstance(c, AnswerOps)]
    return answer.done, answer.reason


def test_totes_go_to_the_stations_that_are_open_until_it_is_reopened() -> None:
    bench = Bench(small_site(slots=1), Params(station_rule="first_come"))
    bench.people = False
    one, two = list(bench.world.stations)
    bench.work(*tote_work("A", [0]), *tote_work("B", [1]), *tote_work("C", [2]), *tote_work("D", [3]))
    standing = {name: work.slots[0] for name, work in bench.world.stations.items()}
    assert ask(bench, "c1", CloseStation(one)) == (True, "")
    assert [s.closed for s in fleet_view(bench.world, bench.now_ms, (), {}).stations] == [True, False]
    assert {name: work.slots[0] for name, work in bench.world.stations.items()} == standing
    assert ask(bench, "c2", CloseStation(two)) == (False, f"Station {two} is the last one that is open.")
    assert ask(bench, "c3", CloseStation(StationId("S9")))[0] is False
    bench.people = True
    bench.wait(3_600)
    packed = [f.task for f in bench.told(TotePacked) if isinstance(f, TotePacked)]
    assert sorted(packed) == ["K-T-A-1", "K-T-B-1", "K-T-C-1", "K-T-D-1"]
    bench.people = False
    bench.work(*tote_work("E", [0]), *tote_work("F", [1]))
    assert (bench.world.stations[one].slots, bench.world.stations[two].slots) == ([None], ["T-E-1"])
    assert ask(bench, "c4", ReopenStation(one)) == (True, "")
    assert bench.world.stations[one].slots == ["T-F-1"]


@pytest.mark.parametrize("rule", ["optimized", "affinity", "first_come"])
def test_what_stands_there_and_pods_on_their_way_there_are_finished_and_then_nothing_comes_any_more(rule: str) -> None:
    """Closed while two pods are on their way there and a third is still in storage, all for its totes."""
    bench = Bench(small_site(robots=2, slots=2), Params(station_rule=rule))
    one, two = (StationId(s) for s in bench.world.stations)
    ask(bench, "p", SeatTotes("L", tuple(Seat(ToteId(f"T-{n}-1"), one) for n in "ABC")))
    bench.work(*tote_work("A", [0, 1, 2]), *tote_work("B", [1]))
    work = bench.world.stations[one]
    assert len(work.missions) == 2
    assert len(work.demand) == 3
    assert ask(bench, "c", CloseStation(one)) == (True, "")
    bench.work(*tote_work("C", [0]), *tote_work("D", [3]))
    assert sorted(t for t in bench.world.stations[two].slots if t is not None) == ["T-C-1", "T-D-1"]
    bench.wait(3_600)
    packed = [str(f.task) for f in bench.told(TotePacked) if isinstance(f, TotePacked)]
    assert sorted(packed) == [f"K-T-{n}-1" for n in "ABCD"]
    started = {f.task: f.station for f in bench.told(TaskStarted) if isinstance(f, TaskStarted)}
    assert {s for t, s in started.items() if t.startswith(("P-T-A", "P-T-B"))} == {one}
    assert {s for t, s in started.items() if t.startswith(("P-T-C", "P-T-D"))} == {two}
    assert (work.slots, work.missions, work.demand, work.present) == ([None, None], {}, {}, None)
    assert all(node is not None for node in bench.world.pods.values())  # every pod is stored again


def test_a_pod_on_its_way_to_a_closed_station_whose_tote_is_cancelled_is_stored() -> None:
    bench = Bench(small_site(robots=2, slots=1), Params(station_rule="first_come"))
    bench.people = False
    one = StationId(next(iter(bench.world.stations)))
    work = bench.world.stations[one]
    tasks = tote_work("A", [0])
    bench.work(*tasks)
    assert work.missions
    ask(bench, "c", CloseStation(one))
    for task in tasks:
        bench.hear(WorkClosed(task.task))
    bench.people = True
    bench.wait(600)
    assert not work.missions
    assert not bench.world.missions
    assert all(node is not None for node in bench.world.pods.values())
