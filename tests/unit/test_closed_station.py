"""A station that is taken out of service finishes what stands there; everything else goes to the others."""

from contracts.ids import StationId
from contracts.messages.facts import TotePacked
from contracts.messages.ops import CloseStation, OpsBody, OpsCommand, ReopenStation
from dispatcher.commands import AnswerOps
from dispatcher.facts import OpsAsked
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
