"""Each phase of the dispatcher by itself: slots, assignment, chutes, energy, doors."""

import msgspec
import pytest

from contracts.errors import Rejected
from contracts.ids import CellId, ChuteId, DeviceId, DoorId, PodId, StationId, ToteId
from contracts.messages.facts import PickDone, ToteArrived, TotePacked
from contracts.messages.floor import (
    CellState,
    DoorChanged,
    MoveDoor,
    OpenTote,
    PackConfirmed,
    PackTote,
    PickConfirmed,
    PushTote,
    RouteTote,
    ToteDiverted,
    TotePushed,
    ToteSeen,
    UnknownScan,
)
from contracts.messages.ops import VehicleState
from contracts.site import Device
from dispatcher import assignment, energy, flow
from dispatcher.commands import SendEdgeCommand
from dispatcher.facts import CellHeard
from dispatcher.fleet.member import Purpose
from dispatcher.params import Params
from dispatcher.traffic.params import TrafficParams
from dispatcher.world import Place
from tests.unit.dispatcher_bench import Bench, small_site, tote_work

FIRST_COME = Params(station_rule="first_come")

# -------------------------------------------------------------------------------------------------------------- slots


def slots_of(bench: Bench) -> list[str]:
    return sorted(t for s in bench.world.stations.values() for t in s.slots if t is not None)


@pytest.mark.parametrize("rule", ["first_come", "affinity"])
def test_a_more_urgent_tote_gets_the_free_slot_under_every_rule(rule: str) -> None:
    bench = Bench(small_site(slots=1), Params(station_rule=rule))
    bench.people = False
    bench.work(*tote_work("A", [0]), *tote_work("B", [1]))
    bench.work(*tote_work("C", [0]), *tote_work("D", [1], due_ms=5), *tote_work("E", [2], priority=3))
    assert slots_of(bench) == ["T-A-1", "T-B-1"]
    ranked = [name for _, name in bench.world.waiting]
    assert ranked == ["T-E-1", "T-D-1", "T-C-1"]
    tote = bench.world.totes[ToteId("T-A-1")]
    assert tote.station is not None
    work = bench.world.stations[tote.station]
    work.slots[0] = None
    bench.world.slots_changed = True
    bench.hear()
    assert work.slots == ["T-E-1"]


@pytest.mark.slow
def test_affinity_prefers_the_tote_whose_pods_come_anyway_and_first_come_does_not() -> None:
    def chosen(params: Params) -> str:
        bench = Bench(small_site(slots=2), params)
        bench.people = bench.central = False
        bench.work(*tote_work("A", [3]), *tote_work("B", [4]), *tote_work("X", [5]))
        bench.wait(1)
        bench.work(*tote_work("C", [0, 1]), *tote_work("D", [3]), *tote_work("E", [2]))
        station = bench.world.totes[ToteId("T-A-1")].station
        assert station is not None
        return next((t for t in bench.world.stations[station].slots if t not in {None, "T-A-1", "T-X-1"}), "")

    assert chosen(FIRST_COME) != "T-D-1"
    bench = Bench(small_site(slots=1), Params())
    bench.people = bench.central = False
    bench.work(*tote_work("A", [3]), *tote_work("B", [4]))
    bench.wait(1)
    bench.work(*tote_work("C", [0, 1]), *tote_work("D", [3]), *tote_work("E", [2]))
    station = bench.world.totes[ToteId("T-A-1")].station
    assert station is not None
    bench.world.stations[station].slots[0] = None
    bench.world.slots_changed = True
    bench.hear()
    assert bench.world.stations[station].slots == ["T-D-1"]


def test_a_tote_that_was_passed_over_for_half_an_hour_is_next() -> None:
    bench = Bench(small_site(slots=1), Params())
    bench.people = bench.central = False
    bench.work(*tote_work("A", [3]), *tote_work("B", [4]))
    bench.wait(1)
    bench.work(*tote_work("C", [0, 1]), *tote_work("D", [3]), *tote_work("E", [3]))
    station = bench.world.totes[ToteId("T-A-1")].station
    assert station is not None

    def free() -> str | None:
        bench.world.stations[station].slots[0] = None
        bench.world.slots_changed = True
        bench.hear()
        return bench.world.stations[station].slots[0]

    assert free() == "T-D-1"
    bench.wait(1_801)
    assert free() == "T-C-1"


def test_a_tote_waits_until_it_is_wholly_known() -> None:
    bench = Bench()
    work = tote_work("A", [0])
    bench.work(work[0])
    assert bench.commanded(OpenTote) == []
    bench.work(work[1])
    assert len(bench.commanded(OpenTote)) == 1


# --------------------------------------------------------------------------------------------------------- assignment


def test_robots_are_matched_by_the_smallest_sum_of_travel_times() -> None:
    bench = Bench(small_site(3))
    robots = list(bench.world.vehicles.values())
    trips = [(StationId("S1"), PodId(f"P{k}")) for k in (0, 3, 5)]
    pairs = assignment.match(bench.world, robots, trips)
    cost = {
        (v.id, t): bench.world.travel_s(v.node, bench.world.pods[t[1]] or v.node, loaded=False)
        for v in robots
        for t in trips
    }
    import itertools

    best = min(sum(cost[v.id, t] for v, t in zip(robots, p, strict=True)) for p in itertools.permutations(trips))
    assert sum(cost[v.id, t] for v, t in pairs) == pytest.approx(best)
    assert len({v.id for v, _ in pairs}) == 3


def test_a_station_gets_no_more_pods_than_its_lane_and_the_margin_hold() -> None:
    bench = Bench(small_site(7), Params(pods_ahead=0))
    bench.people = False
    bench.work(*tote_work("A", [0, 1, 2, 3, 4, 5]))
    bench.wait(120)
    work = next(s for s in bench.world.stations.values() if s.missions)
    assert len(work.missions) == len(work.station.lane)


def test_trips_are_spread_over_the_stations() -> None:
    bench = Bench(small_site(2), FIRST_COME)
    bench.people = False
    bench.work(*tote_work("A", [0, 1, 2]), *tote_work("B", [3, 4, 5]))
    assert [len(s.missions) for s in bench.world.stations.values()] == [1, 1]


# -------------------------------------------------------------------------------------------------------------- flow


def test_totes_are_spread_over_the_chutes_and_wait_when_all_are_full() -> None:
    bench = Bench(small_site(slots=4, chute_capacity=1))
    bench.people = False
    for name, pod in (("A", 0), ("B", 1), ("C", 2)):
        bench.work(*tote_work(name, [pod]))
    bench.wait(60)
    for name in ("A", "B", "C"):
        bench.hear(bench.event("station-S1", PickConfirmed(tote_work(name, [0])[0].task, 1, 1, "", "", None)))
    assert [r.chute for r in bench.commanded(RouteTote)] == ["C1", "C2"]
    assert len(bench.commanded(PushTote)) == 2
    assert flow.choose_chute(bench.world) is None
    first = bench.commanded(PushTote)[0].tote
    bench.hear(bench.event("line", ToteDiverted(first, ChuteId("C1"))))
    assert len(bench.told(ToteArrived)) == 1
    bench.hear(bench.event("line", PackConfirmed(first, ChuteId("C1"), first, 400)))
    assert len(bench.told(TotePacked)) == 1
    assert [r.chute for r in bench.commanded(RouteTote)] == ["C1", "C2", "C1"]


def test_a_tote_that_the_sorter_does_not_know_is_routed_again_and_one_on_another_chute_is_taken_there() -> None:
    bench = Bench()
    bench.people = False
    bench.work(*tote_work("A", [0]))
    bench.wait(60)
    bench.hear(bench.event("station-S1", PickConfirmed(tote_work("A", [0])[0].task, 1, 1, "", "", None)))
    bench.hear(bench.event("line", ToteSeen(ToteId("T-A-1"), None)))
    assert [r.chute for r in bench.commanded(RouteTote)] == ["C1", "C1"]
    bench.hear(bench.event("line", ToteDiverted(ToteId("T-A-1"), ChuteId("C2"))))
    assert bench.told(ToteArrived)[0].chute == "C2"
    assert bench.world.chute_load == {"C1": 0, "C2": 1}
    assert bench.world.stations[StationId("S1")].slots == [None, None]


def test_two_totes_that_the_line_took_for_each_other_are_both_packed() -> None:
    """The readers on the belt and at the packer's are believed: one tote rides, the other lies on a chute."""
    site = small_site()
    line = msgspec.structs.replace(site.cells[2], devices=(Device(DeviceId("C2-scanner"), "scanner", "x", "x", "C2"),))
    site = msgspec.structs.replace(site, cells=(*site.cells[:2], line, *site.cells[3:]))
    bench = Bench(site)
    bench.people = False
    bench.work(*tote_work("A", [0]), *tote_work("B", [0]))
    bench.wait(60)
    for order, station in (("A", "S1"), ("B", "S1")):
        confirmed = PickConfirmed(tote_work(order, [0])[0].task, 1, 1, "", "", None)
        bench.hear(bench.event(f"station-{station}", confirmed))
    a, b = ToteId("T-A-1"), ToteId("T-B-1")
    assert {r.tote: r.chute for r in bench.commanded(RouteTote)} == {a: "C1", b: "C2"}
    late = bench.event("line", ToteSeen(a, None))
    bench.hear(bench.event("line", ToteDiverted(a, ChuteId("C1"))))
    bench.hear(late)  # it was seen before it came down, and nobody told us
    assert bench.world.totes[a].place is Place.ARRIVED
    bench.hear(bench.event("line", ToteSeen(a, None)))
    assert bench.world.totes[a].place is Place.CONVEYED
    assert bench.commanded(RouteTote)[-1] == RouteTote(a, ChuteId("C1"))
    bench.hear(bench.event("line", UnknownScan(DeviceId("C2-scanner"), b)))
    assert bench.commanded(PackTote)[-1] == PackTote(b, ChuteId("C2"))
    bench.hear(bench.event("line", ToteDiverted(a, ChuteId("C2"))))
    assert bench.commanded(PackTote)[-1] == PackTote(a, ChuteId("C2"))
    assert sorted(t.task for t in bench.told(ToteArrived)) == ["C-T-A-1", "C-T-B-1"]
    names = [c.command.id for c in bench.sent if isinstance(c, SendEdgeCommand) and "T-A-1" in c.command.id]
    assert len(names) == len(set(names))
    for tote in (a, b):
        bench.hear(bench.event("line", PackConfirmed(tote, ChuteId("C2"), tote, 400)))
    assert len(bench.told(TotePacked)) == 2
    assert bench.world.chute_load == {"C1": 0, "C2": 0}


def test_a_cancelled_tote_frees_its_pods_and_leaves_its_slot_over_the_conveyor() -> None:
    """It stands there, empty: no other tote can be put in its slot before it is gone, and nothing is told of it."""
    from dispatcher.facts import WorkClosed

    bench = Bench()
    bench.people = False
    work = tote_work("A", [0, 1])
    bench.work(*work)
    bench.wait(60)
    tote = bench.world.totes[ToteId("T-A-1")]
    bench.hear(*(WorkClosed(t.task) for t in work))
    bench.wait(120)
    assert bench.world.missions == {}
    assert slots_of(bench) == ["T-A-1"]
    (push,) = bench.commanded(PushTote)
    assert (push.tote, push.slot) == ("T-A-1", tote.slot)
    assert tote.station is not None
    cell = bench.world.stations[tote.station].station.cell
    bench.hear(bench.event(cell, TotePushed(tote.id, tote.slot)))
    assert slots_of(bench) == []
    (route,) = bench.commanded(RouteTote)
    bench.hear(bench.event("line", ToteDiverted(tote.id, route.chute)))
    bench.hear(bench.event("line", PackConfirmed(tote.id, route.chute, tote.id, 1_900)))
    assert bench.world.totes == {}
    assert set(bench.world.chute_load.values()) == {0}
    assert bench.told(PickDone) == bench.told(ToteArrived) == bench.told(TotePacked) == []


# ------------------------------------------------------------------------------------------------------------ energy


def test_a_hungry_robot_charges_before_it_works_and_an_idle_one_when_there_is_nothing_to_do() -> None:
    bench = Bench(small_site(2), start=False)
    bench.robot("R1").battery = 0.25
    bench.robot("R2").battery = 0.70
    bench.hear(*(r.state() for r in bench.robots.values()))
    legs = [bench.vehicle(n).leg for n in ("R1", "R2")]
    assert [leg.purpose for leg in legs if leg is not None] == [Purpose.CHARGE, Purpose.CHARGE]
    bench.wait(60)
    assert [bench.vehicle(n).state for n in ("R1", "R2")] == [VehicleState.CHARGING] * 2
    bench.work(*tote_work("A", [0]))
    assert bench.vehicle("R2").mission is not None
    bench.wait(1)
    first = next(o for o in bench.orders("R2") if "-M1-" in o.order_id)
    assert [a.action_type for a in first.nodes[0].actions] == ["stopCharging"]
    assert bench.vehicle("R1").mission is None


def test_a_full_robot_leaves_the_charger_and_one_without_work_the_road() -> None:
    bench = Bench(small_site(1), start=False)
    robot = bench.robot("R1")
    robot.battery = 0.5
    bench.hear(robot.state())
    bench.wait(60)
    assert robot.charging
    robot.battery = 0.97
    bench.wait(60)
    assert robot.node in {"p3", "p4"}
    assert not robot.charging
    assert bench.world.chargers == {"p1": None, "p2": None}
    other = Bench(small_site(1))
    other.wait(60)
    assert other.robot("R1").node in {"p3", "p4"}


def test_a_robot_that_is_nearly_empty_calls_a_person() -> None:
    bench = Bench(small_site(1))
    robot = bench.robot("R1")
    robot.deaf = True
    robot.battery = 0.05
    bench.hear(robot.state())
    assert "battery-R1" in bench.world.alarms
    robot.battery = 0.6
    bench.hear(robot.state())
    assert "battery-R1" not in bench.world.alarms


def test_no_two_robots_are_sent_to_one_charger() -> None:
    bench = Bench(small_site(3), start=False)
    for r in bench.robots.values():
        r.battery = 0.4
    bench.hear(*(r.state() for r in bench.robots.values()))
    goals = [v.leg.goal for v in bench.world.vehicles.values() if v.leg is not None and v.leg.purpose is Purpose.CHARGE]
    assert len(goals) == len(set(goals)) == 2
    assert energy._nearest(bench.world, bench.vehicle("R3"), bench.world.chargers) is None


# ------------------------------------------------------------------------------------------------------------- doors


def test_a_door_is_opened_before_a_robot_enters_it_and_closed_when_nobody_needs_it() -> None:
    bench = Bench(small_site(1), Params(traffic=TrafficParams(most_moves=8, few_moves=3)))
    bench.people = False
    robot = bench.robot("R1")
    vehicle = bench.vehicle("R1")
    from contracts.ids import NodeId
    from dispatcher import missions

    bench.world.traffic.close(NodeId("e"))  # so that its way leads through the door
    missions.begin_leg(bench.world, vehicle, Purpose.PARK, NodeId("p3"), "K1")
    bench.wait(20)
    assert bench.commanded(MoveDoor)[:1] == [MoveDoor(DoorId("D1"), open=True, ask=1)]
    assert "d" not in {n.node_id for o in bench.orders("R1") for n in o.nodes if n.released}
    bench.hear(bench.event("doors", DoorChanged(DoorId("D1"), "moving")))
    bench.wait(5)
    assert robot.node == "a0"
    bench.hear(bench.event("doors", DoorChanged(DoorId("D1"), "open")))
    bench.wait(7)
    assert robot.node == "p3"
    assert all(c.open for c in bench.commanded(MoveDoor))
    bench.wait(5)
    assert bench.commanded(MoveDoor)[-1] == MoveDoor(DoorId("D1"), open=False, ask=3)
    bench.hear(bench.event("doors", DoorChanged(DoorId("D1"), "closed")))
    assert bench.world.doors[DoorId("D1")].asked is None


def test_a_door_that_was_asked_to_close_is_open_only_when_it_says_so_again() -> None:
    """Whoever wants a door that is being closed waits for the answer to the last ask, not for an older report."""
    bench = Bench(small_site(1))
    bench.people = False
    robot = bench.robot("R1")
    from contracts.ids import NodeId
    from dispatcher import missions

    bench.world.traffic.close(NodeId("e"))
    bench.hear(bench.event("doors", DoorChanged(DoorId("D1"), "open")))
    bench.wait(20)
    assert bench.commanded(MoveDoor) == [MoveDoor(DoorId("D1"), open=False, ask=1)]
    missions.begin_leg(bench.world, bench.vehicle("R1"), Purpose.PARK, NodeId("p3"), "K1")
    bench.wait(5)
    assert bench.commanded(MoveDoor)[-1] == MoveDoor(DoorId("D1"), open=True, ask=2)
    bench.hear(bench.event("doors", DoorChanged(DoorId("D1"), "open", ask=1)))  # said before it began to close
    bench.wait(5)
    assert robot.node == "a0"
    bench.hear(bench.event("doors", DoorChanged(DoorId("D1"), "open", ask=2)))
    bench.wait(10)
    assert robot.node == "p3"


def test_nobody_is_let_through_a_door_whose_cell_is_silent() -> None:
    """What a cell reported before it fell silent is not believed; what it reports when it is back is."""
    bench = Bench(small_site(1))
    bench.people = False
    robot = bench.robot("R1")
    from contracts.ids import NodeId
    from dispatcher import missions

    bench.world.traffic.close(NodeId("e"))
    bench.hear(bench.event("doors", DoorChanged(DoorId("D1"), "open")))
    bench.hear(CellHeard(CellState(CellId("doors"), False, 1, 0, {}, 0)))
    missions.begin_leg(bench.world, bench.vehicle("R1"), Purpose.PARK, NodeId("p3"), "K1")
    bench.wait(5)
    assert robot.node == "a0"
    bench.hear(CellHeard(CellState(CellId("doors"), True, 1, 0, {}, 0)))
    bench.wait(10)
    assert robot.node == "p3"


def test_a_door_that_does_not_move_is_asked_again_and_raises_an_alarm() -> None:
    bench = Bench(small_site(1))
    bench.people = False
    from contracts.ids import NodeId
    from dispatcher import missions

    bench.world.traffic.close(NodeId("e"))
    missions.begin_leg(bench.world, bench.vehicle("R1"), Purpose.PARK, NodeId("p3"), "K1")
    bench.wait(45)
    ids = [
        c.command.id
        for c in bench.sent
        if type(c).__name__ == "SendEdgeCommand" and isinstance(c.command.body, MoveDoor)
    ]  # type: ignore[union-attr]
    assert len(set(ids)) >= 2
    assert "door-D1" in bench.world.alarms
    bench.hear(bench.event("doors", DoorChanged(DoorId("D1"), "open")))
    assert "door-D1" not in bench.world.alarms


# ------------------------------------------------------------------------------------------------------------ params


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("station_rule", "best"),
        ("affinity_window", 0),
        ("plan_period_ms", 0),
        ("order_resend_ms", ()),
        ("charge_below", 0.99),
        ("charge_idle_below", 0.99),
        ("leg_tries", 0),
    ],
)
def test_a_parameter_out_of_its_bounds_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(Rejected, match=field.split("_")[0]):
        Params(**{field: value})  # type: ignore[arg-type]
