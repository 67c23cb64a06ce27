"""Robots that go away, fail, refuse, forget, get lost or are taken over; and what becomes of their work."""

import msgspec
import pytest

from contracts.ids import DoorId, EdgeId, NodeId, PodId, RobotId, StationId
from contracts.layout import NodeKind
from contracts.messages.facts import PickDone
from contracts.messages.floor import CellState, DoorChanged, OpenTote, PickConfirmed, PresentPod, StopState
from contracts.messages.ops import (
    ChargeRobot,
    CloseEdge,
    CloseNode,
    OpsAnswer,
    OpsBody,
    OpsCommand,
    PauseRobot,
    ReopenEdge,
    ReopenNode,
    ResumeRobot,
    RetireRobot,
    ReturnRobot,
    VehicleState,
)
from dispatcher import views
from dispatcher.commands import AnswerOps, SendEdgeCommand, SendInstantActions
from dispatcher.facts import CellHeard, OpsAsked, RobotConnection, StopHeard, Trouble
from dispatcher.fleet.member import Pin, Purpose
from dispatcher.lateness import Late
from dispatcher.params import Params
from dispatcher.world import Mission, Stage
from tests.unit.dispatcher_bench import MAKER, SITE_ID, Bench, BenchRobot, small_site, tote_work

FATAL = (Trouble("driveFault", fatal=True, text="wheel"),)


def under_way(bench: Bench) -> tuple[BenchRobot, str]:
    """Give the bench one pod trip, of which the robot has driven nothing yet."""
    for robot in bench.robots.values():
        robot.manual = True
    bench.work(*tote_work("A", [4]))
    bench.wait(1)
    name = next(v.id for v in bench.world.vehicles.values() if v.mission is not None)
    return bench.robot(name), name


def gone(name: str) -> RobotConnection:
    return RobotConnection(RobotId(name), MAKER, online=False)


def free_all(bench: Bench) -> None:
    for r in bench.robots.values():
        r.manual = False
        r.drive()
    bench.hear(*(r.state() for r in bench.robots.values()))


def test_a_robot_that_goes_offline_before_it_lifted_gives_its_mission_to_another() -> None:
    bench = Bench()
    robot, name = under_way(bench)
    robot.silent = robot.deaf = True
    bench.hear(gone(name))
    assert bench.vehicle(name).state is VehicleState.OFFLINE
    assert f"offline-{name}" in bench.world.alarms
    bench.wait(11)
    (mission,) = bench.world.missions.values()
    assert mission.robot not in {None, name}
    for r in bench.robots.values():
        r.manual = r is robot
        if r is not robot:
            r.drive()
            bench.hear(r.state())
    bench.wait(60)
    robot.silent = robot.deaf = False
    free_all(bench)
    bench.wait(180)
    assert len(bench.told(PickDone)) == 1
    assert bench.vehicle(name).state in {VehicleState.IDLE, VehicleState.CHARGING}
    assert bench.vehicle(name).pins == 0
    assert not any(a.startswith(("offline", "failed")) for a in bench.world.alarms)


def test_a_short_outage_costs_nothing() -> None:
    bench = Bench()
    robot, name = under_way(bench)
    bench.hear(gone(name))
    bench.wait(3)
    robot.manual = False
    robot.drive()
    bench.hear(robot.state())
    bench.wait(120)
    assert bench.world.missions_n == 1
    assert len(bench.told(PickDone)) == 1


def test_a_robot_with_a_pod_that_fails_keeps_it_and_goes_on_when_it_is_mended() -> None:
    bench = Bench()
    robot, name = under_way(bench)
    while not robot.loads:
        robot.drive()
        bench.hear(robot.state())
        bench.wait(1)
    robot.troubles = FATAL
    bench.hear(robot.state())
    assert bench.vehicle(name).state is VehicleState.ERROR
    assert f"failed-{name}" in bench.world.alarms
    bench.wait(30)
    assert bench.vehicle(name).lost
    robot.troubles = ()
    free_all(bench)
    bench.wait(120)
    assert bench.world.missions_n == 1
    assert len(bench.told(PickDone)) == 1
    assert bench.world.alarms == {}


def test_a_robot_that_was_driven_elsewhere_by_hand_is_taken_from_there() -> None:
    bench = Bench(small_site(1))
    robot, name = under_way(bench)
    robot.automatic = False
    bench.hear(robot.state())
    assert bench.vehicle(name).state is VehicleState.MANUAL
    robot.base, robot.horizon, robot.todo, robot.node = [], 0, [], NodeId("b6")
    robot.order_id, robot.seq = "", 0
    robot.automatic = True
    bench.hear(robot.state())
    assert bench.world.traffic.at(RobotId(name)) == "b6"
    free_all(bench)
    bench.wait(120)
    assert len(bench.told(PickDone)) == 1


def test_a_robot_that_has_forgotten_its_order_gets_a_new_one() -> None:
    bench = Bench(small_site(1))
    robot, _ = under_way(bench)
    robot.order_id, robot.base, robot.horizon, robot.todo, robot.actions, robot.seq = "", [], 0, [], {}, 0
    bench.hear(robot.state())
    free_all(bench)
    bench.wait(120)
    assert len(bench.told(PickDone)) == 1


def test_a_failed_pick_is_tried_again_and_a_person_is_asked_in_the_end() -> None:
    bench = Bench(small_site(1))
    bench.robot("R1").fails = 2
    bench.work(*tote_work("A", [4]))
    bench.wait(120)
    assert len(bench.told(PickDone)) == 1
    assert bench.world.alarms == {}
    other = Bench(small_site(1))
    other.robot("R1").fails = 99
    other.work(*tote_work("A", [4]))
    other.wait(120)
    assert "failing-P4" in other.world.alarms
    other.robot("R1").fails = 0
    other.wait(400)
    assert other.world.alarms == {}
    assert len(other.told(PickDone)) == 1


def test_a_robot_found_with_a_pod_and_a_foreign_order_is_cancelled_and_brings_the_pod_where_it_is_wanted() -> None:
    bench = Bench(small_site(1), start=False)
    robot = bench.robot("R1")
    robot.loads, robot.order_id, robot.base = ("P3",), "ffff-M9-1", [(NodeId("a5"), 2)]
    robot.manual = True
    bench.work(*tote_work("A", [3]))
    bench.hear(robot.state())
    sent = [c.message.actions[0].action_type for c in bench.sent if isinstance(c, SendInstantActions)]
    assert sent == ["cancelOrder"]
    robot.manual = False
    robot.drive()
    bench.hear(robot.state())
    bench.wait(120)
    assert len(bench.told(PickDone)) == 1
    assert bench.world.pods[PodId("P3")] is not None


def test_a_robot_that_reports_a_node_it_was_not_sent_to_is_stopped_and_placed_there() -> None:
    bench = Bench(small_site(1))
    robot, name = under_way(bench)
    robot.node, robot.seq = NodeId("b2"), 2
    bench.hear(robot.state())
    assert any(
        isinstance(c, SendInstantActions) and c.message.actions[0].action_type == "cancelOrder" for c in bench.sent
    )
    assert bench.vehicle(name).node == "b2"
    free_all(bench)
    bench.wait(120)
    assert len(bench.told(PickDone)) == 1


def test_two_robots_that_claim_one_node_call_a_person_and_the_second_waits() -> None:
    bench = Bench(start=False)
    bench.robot("R2").node = bench.robot("R1").node
    bench.hear(bench.robot("R1").state(), bench.robot("R2").state())
    assert "place-R2" in bench.world.alarms
    assert not bench.vehicle("R2").placed
    bench.robot("R2").node = NodeId("b0")
    bench.hear(bench.robot("R2").state())
    assert bench.vehicle("R2").placed
    assert "place-R2" not in bench.world.alarms


def test_one_that_comes_back_on_a_released_way_is_not_driven_into_and_both_go_on() -> None:
    """Whose way it is gives it up, nobody is led there meanwhile, and in the end both are on the floor."""
    bench = Bench(small_site(2))
    robot, name = under_way(bench)
    (other,) = [r for r in bench.robots.values() if r is not robot]
    at = bench.world.traffic.route(RobotId(name))[0][-1]
    other.manual = True
    other.automatic = False
    bench.hear(other.state())
    bench.wait(20)  # others get what was not driven
    at = bench.world.traffic.route(RobotId(name))[0][-1]
    other.base, other.horizon, other.todo, other.node, other.order_id, other.seq = [], 0, [], at, "", 0
    other.automatic = True
    before = len(bench.sent)
    bench.hear(other.state())
    asked = [c.message for c in bench.sent[before:] if isinstance(c, SendInstantActions)]
    assert [(m.serial_number, m.actions[0].action_type) for m in asked] == [(name, "cancelOrder")]
    assert at not in bench.world.traffic.route(RobotId(name))[0]
    bench.wait(2)
    assert bench.world.traffic.at(RobotId(other.id)) == at
    assert f"place-{other.id}" not in bench.world.alarms
    free_all(bench)
    bench.wait(180)
    assert len(bench.told(PickDone)) == 1
    assert bench.world.alarms == {}
    assert bench.world.masked == {}


def test_silence_and_standstill_are_found_by_the_sweep() -> None:
    bench = Bench(small_site(2))
    robot, name = under_way(bench)
    other = next(n for n in bench.robots if n != name)
    bench.robot(other).silent = True
    bench.wait(300)
    assert bench.vehicle(other).state is VehicleState.OFFLINE
    assert f"stuck-{name}" in bench.world.alarms
    robot.manual = False
    robot.drive()
    bench.hear(robot.state())
    assert f"stuck-{name}" not in bench.world.alarms


def test_a_robot_that_does_not_move_on_is_driven_around_then_its_work_goes_to_another() -> None:
    """Twenty seconds late it is a hindrance, forty it counts as stopped; when it moves it is one of the fleet again."""
    bench = Bench(small_site(2))
    _, name = under_way(bench)
    bench.wait(24)
    assert bench.vehicle(name).late == Late.STALLED
    assert f"stuck-{name}" not in bench.world.alarms
    assert not bench.vehicle(name).pins & Pin.LEG
    bench.wait(22)
    assert bench.vehicle(name).late == Late.STOPPED
    assert all(m.robot != name for m in bench.world.missions.values())
    assert f"stuck-{name}" in bench.world.alarms
    free_all(bench)
    assert bench.vehicle(name).late == Late.NOT
    assert f"stuck-{name}" not in bench.world.alarms
    bench.wait(120)
    assert len(bench.told(PickDone)) == 1
    assert bench.vehicle(name).pins == 0 or bench.vehicle(name).state is VehicleState.CHARGING


@pytest.mark.parametrize("way", ["error", "standstill", "power"])
def test_one_that_stops_for_good_and_speaks_gives_up_all_but_where_it_stands(way: str) -> None:
    """Its order is cancelled; what it says it will not drive is free. One that is silent keeps all: it may drive it."""
    bench = Bench(small_site(2))
    robot, name = under_way(bench)
    base = bench.world.traffic.route(robot.id)[0]
    assert len(base) > 2
    if way == "error":
        robot.troubles = FATAL
        bench.hear(robot.state())
    elif way == "power":
        robot.deaf = robot.silent = True
        bench.hear(gone(name))
    bench.wait(50)
    kept = bench.world.traffic.route(robot.id)[0]
    kinds = [a.action_type for c in bench.sent if isinstance(c, SendInstantActions) for a in c.message.actions]
    if way == "power":
        assert (kept, kinds) == (base, [])
        return
    assert (kept, kinds) == (base[:1], ["cancelOrder"])
    other = next(v for v in bench.world.vehicles.values() if v.id != name)
    assert bench.world.travel_s(other.node, base[-1], loaded=False) < 100
    robot.troubles = ()
    robot.manual = False
    robot.drive()
    bench.hear(robot.state())
    assert robot.node != NodeId("a4"), "it goes on to the very next node, and from there wherever it is wanted"
    free_all(bench)
    bench.wait(120)
    assert len(bench.told(PickDone)) == 1
    assert not {f"failed-{name}", f"stuck-{name}", f"deaf-{name}"} & set(bench.world.alarms)


def test_one_that_stands_on_its_node_when_it_fails_keeps_that_node_alone() -> None:
    """Its position says so; without one it may stand between two nodes."""
    bench = Bench(small_site(1))
    robot, _ = under_way(bench)
    robot.troubles = FATAL
    bench.hear(robot.state())
    robot.deaf = True
    bench.wait(12)
    node = bench.site.layout.node[robot.node]
    robot.base, robot.horizon = [], 0
    bench.hear(msgspec.structs.replace(robot.state(), x_m=node.x_m + 0.05, y_m=node.y_m))
    assert bench.world.traffic.route(robot.id) == ((), ())


def until(bench: Bench, robot: BenchRobot, stage: Stage) -> Mission:
    """Let the one robot drive what it is given until its mission is in a stage."""
    for _ in range(60):
        (mission,) = bench.world.missions.values()
        if mission.stage is stage:
            return mission
        bench.wait(1)
        robot.drive()
        bench.hear(robot.state())
    raise AssertionError(stage)


def close(bench: Bench, node: NodeId | None) -> None:
    assert node is not None
    bench.hear(OpsAsked(OpsCommand(f"close-{node}", "me", "a spill", CloseNode(node))))


def go(bench: Bench, robot: BenchRobot, seconds: float) -> None:
    robot.manual = False
    robot.drive()
    bench.hear(robot.state())
    bench.wait(seconds)


def test_a_pod_whose_storage_node_is_cut_off_on_the_way_is_stored_elsewhere() -> None:
    bench = Bench(small_site(1))
    robot, _ = under_way(bench)
    mission = until(bench, robot, Stage.STORE)
    shut = mission.store
    close(bench, shut)
    go(bench, robot, 200)
    assert bench.world.pods[mission.pod] not in {None, shut}
    assert shut not in bench.world.stored


def test_a_pod_whose_station_is_cut_off_on_the_way_is_put_back_and_brought_when_it_is_open() -> None:
    bench = Bench(small_site(1))
    robot, _ = under_way(bench)
    mission = until(bench, robot, Stage.CARRY)
    assert mission.station is not None
    lane = bench.world.stations[mission.station].station.lane[-1]
    close(bench, lane)
    go(bench, robot, 300)
    assert bench.world.pods[mission.pod] is not None
    assert bench.vehicle(robot.id).mission is None
    bench.hear(OpsAsked(OpsCommand("open", "me", "mopped", ReopenNode(lane))))
    bench.wait(200)
    assert len(bench.told(PickDone)) == 1


def test_one_that_was_sent_for_a_pod_that_is_cut_off_by_now_is_free_for_others() -> None:
    bench = Bench(small_site(1))
    robot, name = under_way(bench)
    close(bench, bench.world.pods[next(iter(bench.world.missions.values())).pod])
    go(bench, robot, 100)
    assert bench.vehicle(name).mission is None
    bench.work(*tote_work("B", [0]))
    bench.wait(200)
    assert len(bench.told(PickDone)) == 1


def test_an_edge_is_closed_by_a_person_and_opened_again() -> None:
    """Robots drive around it, the view shows it, and an unknown edge is refused."""
    bench = Bench(small_site(1))
    direct = bench.world.travel_s(NodeId("a0"), NodeId("a2"), loaded=False)
    answers = [
        bench.hear(OpsAsked(OpsCommand(f"c{k}", "me", "a spill", body)))
        for k, body in enumerate((CloseEdge(EdgeId("a0-a1")), CloseEdge(EdgeId("none"))))
    ]
    assert [c.answer.done for a in answers for c in a if isinstance(c, AnswerOps)] == [True, False]
    assert bench.world.travel_s(NodeId("a0"), NodeId("a2"), loaded=False) > direct
    assert views.fleet_view(bench.world, bench.now_ms, (), {}).closed_edges == ("a0-a1",)
    bench.hear(OpsAsked(OpsCommand("open", "me", "mopped", ReopenEdge(EdgeId("a0-a1")))))
    assert bench.world.travel_s(NodeId("a0"), NodeId("a2"), loaded=False) == direct


def test_an_edge_on_which_robots_get_stuck_one_after_another_is_closed_for_a_while() -> None:
    """It is inferred from who was late where; ten minutes later it is tried again."""
    bench = Bench(small_site(1), Params(blocked_robots=1))
    _, name = under_way(bench)
    order = bench.vehicle(name).order
    assert order is not None
    edge = bench.site.layout.edge[order.path[order.at], order.path[order.at + 1]].id
    bench.wait(25)
    assert list(bench.world.closed_edges) == [edge]
    assert f"edge-{edge}" in bench.world.alarms
    bench.wait(600)
    assert edge not in bench.world.closed_edges
    assert f"edge-{edge}" not in bench.world.alarms


def test_a_paused_fleet_is_shown_as_stopped() -> None:
    """Whoever looks sees that nothing moves on purpose."""
    bench = Bench(small_site(1))
    for k, (body, shown) in enumerate(((PauseRobot(None), True), (ResumeRobot(None), False))):
        bench.hear(OpsAsked(OpsCommand(f"p{k}", "me", "test", body)))
        assert views.fleet_view(bench.world, bench.now_ms, (), {}).stopped is shown


def test_a_robot_that_waits_for_right_of_way_is_not_late() -> None:
    """Standing without released way is no fault of a robot, however long."""
    bench = Bench(small_site(2))
    robot, name = under_way(bench)
    bench.wait(5)
    while robot.base:
        robot.drive(1)
        bench.hear(robot.state())
    bench.hear(OpsAsked(OpsCommand("pause", "me", "test", PauseRobot(RobotId(name)))))
    bench.wait(120)
    assert bench.vehicle(name).late == Late.NOT


def test_a_robot_whose_pod_vanished_waits_for_a_person() -> None:
    bench = Bench(small_site(1))
    robot, name = under_way(bench)
    while not robot.loads:
        robot.drive()
        bench.hear(robot.state())
        bench.wait(1)
    robot.loads = ()
    robot.troubles = FATAL
    bench.hear(robot.state())
    robot.troubles = ()
    bench.hear(robot.state())
    assert f"failed-{name}" in bench.world.alarms
    assert bench.vehicle(name).pins & Pin.AWAY


# ------------------------------------------------------------------------------------------------------------ cells


def cell(name: str, epoch: int, *, online: bool = True) -> CellHeard:
    from contracts.ids import CellId

    return CellHeard(CellState(CellId(name), online, epoch, 0, {}, 0))


def test_a_restarted_cell_is_told_again_what_is_open_and_an_offline_one_is_left_in_peace() -> None:
    bench = Bench()
    bench.people = False
    for name in ("station-S1", "station-S2", "line", "doors"):
        bench.hear(cell(name, 1))
    bench.work(*tote_work("A", [0]))
    bench.wait(60)
    assert len(bench.commanded(PresentPod)) == 1
    (first,) = bench.commanded(OpenTote)
    bench.hear(cell("station-S1", 1, online=False))
    assert "cell-station-S1" in bench.world.alarms
    count = len(bench.sent)
    bench.wait(20)
    assert not any(isinstance(c, SendEdgeCommand) and c.command.cell == "station-S1" for c in bench.sent[count:])
    bench.hear(cell("station-S1", 2))
    assert bench.commanded(OpenTote) == [first, first]
    assert len(bench.commanded(PresentPod)) == 2
    assert bench.commanded(PresentPod)[0] == bench.commanded(PresentPod)[1]
    ids = [
        c.command.id for c in bench.sent if isinstance(c, SendEdgeCommand) and isinstance(c.command.body, PresentPod)
    ]
    assert len(set(ids)) == 2
    assert "cell-station-S1" not in bench.world.alarms


def test_a_restarted_door_cell_is_not_trusted_to_be_open() -> None:
    bench = Bench()
    bench.people = False
    bench.hear(cell("doors", 1))
    bench.hear(bench.event("doors", DoorChanged(DoorId("D1"), "open")))
    assert bench.world.doors[DoorId("D1")].state == "open"
    bench.hear(cell("doors", 2))
    assert bench.world.doors[DoorId("D1")].state == ""


# -------------------------------------------------------------------------------------------------------- operators


def ask(bench: Bench, name: str, body: OpsBody) -> OpsAnswer:
    answers = [c.answer for c in bench.hear(OpsAsked(OpsCommand(name, "me", "why", body))) if isinstance(c, AnswerOps)]
    assert len(answers) == 1
    return answers[0]


def test_a_paused_robot_gets_nothing_and_a_resumed_one_goes_on() -> None:
    bench = Bench(small_site(1))
    assert ask(bench, "1", PauseRobot(RobotId("R1"))).done
    assert bench.vehicle("R1").state is VehicleState.PAUSED
    bench.work(*tote_work("A", [0]))
    bench.wait(60)
    assert bench.orders("R1") == []
    assert ask(bench, "2", ResumeRobot(None)).done
    bench.wait(120)
    assert len(bench.told(PickDone)) == 1


def test_a_robot_that_does_not_pause_is_asked_again_and_then_a_person_is() -> None:
    bench = Bench(small_site(1))
    bench.robot("R1").deaf = True
    ask(bench, "1", PauseRobot(RobotId("R1")))
    bench.hear(bench.robot("R1").state())
    for _ in range(10):
        bench.wait(20)
        bench.hear(bench.robot("R1").state())
    assert sum(isinstance(c, SendInstantActions) for c in bench.sent) > 4
    assert "deaf-R1" in bench.world.alarms


def test_retired_robots_finish_what_they_carry_and_returned_ones_work_again() -> None:
    bench = Bench(small_site(1))
    robot, name = under_way(bench)
    assert ask(bench, "1", RetireRobot(RobotId(name))).done
    robot.manual = False
    robot.drive()
    bench.hear(robot.state())
    bench.wait(60)
    assert len(bench.told(PickDone)) == 1
    bench.work(*tote_work("B", [1]))
    bench.wait(60)
    assert len(bench.told(PickDone)) == 1
    assert ask(bench, "2", ReturnRobot(RobotId(name))).done
    bench.wait(60)
    assert len(bench.told(PickDone)) == 2


def test_a_robot_is_sent_to_charge_and_an_unknown_one_is_refused_in_words() -> None:
    bench = Bench(small_site(1))
    assert ask(bench, "1", ChargeRobot(RobotId("R1"))).done
    leg = bench.vehicle("R1").leg
    assert leg is not None
    assert leg.purpose is Purpose.CHARGE
    answer = ask(bench, "2", PauseRobot(RobotId("R7")))
    assert not answer.done
    assert "R7" in answer.reason


def test_while_the_fleet_is_stopped_nothing_is_sent_and_nothing_is_resumed() -> None:
    bench = Bench(small_site(1))
    bench.hear(StopHeard(StopState(stopped=True, who="me", reason="fire", at_ms=0)))
    assert bench.robot("R1").paused
    bench.work(*tote_work("A", [0]))
    bench.wait(60)
    assert bench.orders("R1") == []
    assert not ask(bench, "1", ResumeRobot(RobotId("R1"))).done
    bench.hear(StopHeard(StopState(stopped=False, who="me", reason="", at_ms=0)))
    bench.wait(120)
    assert len(bench.told(PickDone)) == 1
    assert "stop" not in bench.world.alarms


# ------------------------------------------------------------------------------------------------------------ views


def test_the_view_shows_robots_stations_and_why_a_robot_waits() -> None:
    from contracts import poses
    from contracts.codec import decode, encode
    from contracts.messages.ops import FleetView

    bench = Bench()
    bench.people = False
    bench.work(*tote_work("A", [0]))
    bench.wait(60)
    view = views.fleet_view(
        bench.world, bench.now_ms, views.all_robots(bench.world, bench.now_ms, {RobotId("R1"): (1.5, 2.5, 0.25)}), {}
    )
    assert decode(encode(view), FleetView) == view
    assert view.site == SITE_ID
    assert view.open_tasks == 3
    (shown,) = [r for r in view.robots if r.mission is not None]
    assert shown.pod == "P0"
    assert shown.tasks == ("P-T-A-1-0",)
    assert shown.wait[0].holder == shown.station
    assert "confirmed" in shown.wait[0].until
    station = next(s for s in view.stations if s.id == shown.station)
    assert (station.pod, station.open_picks, station.queue) == ("P0", 1, (shown.id,))
    at_ms, records = poses.unpack(views.pose_frame(bench.world, bench.now_ms, {RobotId("R1"): (1.5, 2.5, 0.25)}))
    assert at_ms == bench.now_ms
    assert records["x"][0] * poses.STEP_M == pytest.approx(1.5)
    assert int(records["flags"].sum()) == 1


def test_a_pod_that_finds_no_place_survives_an_outage_of_its_robot() -> None:
    """Placed anew, the robot looks for a place again; it does not go back to the station where it was."""
    bench = Bench(small_site(door=False))
    bench.people = False
    bench.work(*tote_work("A", [4]))
    bench.wait(5)
    (shown,) = bench.commanded(PresentPod)
    (mission,) = bench.world.missions.values()
    name = str(mission.robot)
    free = [n.id for n in bench.site.layout.nodes if n.kind is NodeKind.STORAGE and n.id not in bench.world.stored]
    bench.world.stored.update(dict.fromkeys(free))
    done = [PickConfirmed(p.task, p.attempt, p.qty, "", p.barcode, 100) for p in shown.picks]
    cell = bench.world.stations[StationId(str(mission.station))].station.cell
    bench.hear(*(bench.event(cell, d) for d in done))
    assert f"store-{mission.pod}" in bench.world.alarms
    bench.hear(gone(name))
    bench.wait(11)
    bench.hear(bench.robot(name).state())
    bench.wait(30)
    assert bench.world.missions == {mission.id: mission}
    for node in free:
        del bench.world.stored[node]
    bench.wait(60)
    assert not bench.world.missions
    assert f"store-{mission.pod}" not in bench.world.alarms
    assert bench.robot(name).loads == ()
