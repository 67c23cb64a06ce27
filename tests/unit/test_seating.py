"""A plan of stations that is followed: its totes stand where it wants them, in its order; the rule has the rest."""

import pytest

from contracts.ids import StationId, ToteId
from contracts.messages.facts import TaskStarted, TotePacked
from contracts.messages.floor import OpenTote
from contracts.messages.ops import CloseStation, OpsBody, OpsCommand, ReopenStation, Seat, SeatTotes
from dispatcher.commands import AnswerOps
from dispatcher.facts import OpsAsked
from dispatcher.params import STATION_RULES, Params
from tests.unit.dispatcher_bench import Bench, small_site, tote_work


def ask(bench: Bench, name: str, body: OpsBody) -> tuple[bool, str]:
    said = bench.hear(OpsAsked(OpsCommand(name, "me", "planned", body)))
    (answer,) = [c.answer for c in said if isinstance(c, AnswerOps)]
    return answer.done, answer.reason


def seats(*told: tuple[str, str]) -> SeatTotes:
    return SeatTotes("L-1", tuple(Seat(ToteId(tote), StationId(station)) for tote, station in told))


def quiet(rule: str) -> Bench:
    bench = Bench(small_site(slots=1), Params(station_rule=rule))
    bench.people = False
    return bench


@pytest.mark.parametrize("rule", STATION_RULES)
def test_totes_stand_where_the_plan_wants_them_and_the_rule_has_the_rest(rule: str) -> None:
    """B waits for its station though the other is free for it; C, which no plan knows, gets that one."""
    bench = quiet(rule)
    one, two = list(bench.world.stations)
    assert ask(bench, "p1", seats(("T-A-1", one), ("T-B-1", one))) == (True, "")
    bench.work(*tote_work("B", [1]))
    assert bench.world.stations[one].slots == ["T-B-1"]  # A is not there yet: nobody waits for it
    bench.work(*tote_work("A", [0]), *tote_work("C", [2]))
    assert {name: work.slots for name, work in bench.world.stations.items()} == {one: ["T-B-1"], two: ["T-C-1"]}
    bench.people = True
    bench.wait(3_600)
    assert sorted(f.task for f in bench.told(TotePacked) if isinstance(f, TotePacked)) == [
        "K-T-A-1", "K-T-B-1", "K-T-C-1",
    ]  # fmt: skip
    assert bench.world.seats == {}


def test_the_order_is_the_plan_s_and_a_later_plan_takes_its_place() -> None:
    bench = quiet("first_come")
    one, two = list(bench.world.stations)
    bench.work(*tote_work("X", [0]), *tote_work("Y", [1]))  # both slots are taken
    bench.work(*tote_work("A", [0]), *tote_work("B", [1]), *tote_work("C", [2]))
    ask(bench, "p1", seats(("T-A-1", one), ("T-B-1", two)))
    ask(bench, "p2", seats(("T-C-1", one), ("T-A-1", one), ("T-B-1", two)))
    bench.people = True
    bench.wait(3_600)
    opened = [c.tote for c in bench.commanded(OpenTote) if isinstance(c, OpenTote)]
    assert sorted(opened[:2]) == ["T-X-1", "T-Y-1"]
    assert opened.index(ToteId("T-C-1")) < opened.index(ToteId("T-A-1"))
    stood = [f.station for f in bench.told(TaskStarted) if isinstance(f, TaskStarted) and f.task.startswith("P-T-B")]
    assert stood == [two]


def test_what_was_planned_for_a_closed_station_goes_by_the_rule_and_what_is_urgent_goes_first() -> None:
    bench = quiet("first_come")
    one, two = list(bench.world.stations)
    bench.work(*tote_work("X", [0]))
    assert bench.world.stations[one].slots == ["T-X-1"]
    ask(bench, "p1", seats(("T-A-1", one), ("T-B-1", two)))
    ask(bench, "c1", CloseStation(StationId(one)))
    bench.work(*tote_work("A", [1]))
    assert bench.world.stations[two].slots == ["T-A-1"]
    ask(bench, "c2", ReopenStation(StationId(one)))
    bench.work(*tote_work("B", [2]), *tote_work("U", [3], priority=1))
    bench.people = True
    bench.wait(3_600)
    packed = [str(f.task) for f in bench.told(TotePacked) if isinstance(f, TotePacked)]
    assert packed.index("K-T-U-1") < packed.index("K-T-B-1")


def test_a_station_that_the_site_does_not_have_is_refused_and_changes_nothing() -> None:
    bench = quiet("affinity")
    assert ask(bench, "p1", seats(("T-A-1", "S9"))) == (False, "The site has no pick station S9.")
    assert bench.world.seats == {}
