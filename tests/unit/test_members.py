"""Adopted robots in the core: known by central's keys after a fresh start, waited for, and let go."""

import msgspec

from contracts.ids import NodeId, RobotId, TaskId
from contracts.messages.facts import AlarmRaised
from contracts.messages.ops import AdoptRobot, ForgetRobot
from contracts.messages.work import Member
from dispatcher.commands import SendInstantActions
from dispatcher.facts import RobotConnection, WorkClosed, WorkOpened
from dispatcher.params import Params
from tests.unit.dispatcher_bench import MAKER, Bench, BenchRobot
from tests.unit.test_dispatcher_transports import ask, bench, changes, stranger, transport
from tests.unit.test_leases import corridor

KEY = TaskId("R-1")


def member(robot: str = "X1", serial: str = "X1") -> WorkOpened:
    return WorkOpened(Member(KEY, 1, RobotId(robot), MAKER, serial))


def test_a_robot_that_central_keeps_is_of_the_fleet_when_it_speaks_under_the_name_that_it_had() -> None:
    b = bench(0)
    b.hear(member("Old-name"))
    stranger(b)
    assert b.vehicle("Old-name").placed
    assert b.world.strangers == {}
    assert not [a for a in b.told(AlarmRaised) if isinstance(a, AlarmRaised)]


def test_one_that_has_spoken_before_its_key_comes_is_taken_then() -> None:
    b = bench(0)
    stranger(b)
    assert RobotId("X1") in b.world.strangers
    b.hear(member())
    assert b.vehicle("X1").placed
    assert b.world.masked == {}
    b.hear(member())
    b.work(transport("V1"))
    b.wait(60)
    assert changes(b, "V1")[-1] == "done"


def test_a_fresh_dispatcher_waits_for_adopted_robots_too_and_asks_who_is_connected_where_it_stands() -> None:
    b = Bench(corridor(8, ()), Params(adopt="auto", muster_ms=10_000), start=False)
    b.hear(member("X1"), WorkOpened(transport("V1", "n6", "n7", handling=False)))
    stranger(b, "X2", MAKER, "n0")
    b.robots[RobotId("X1")] = BenchRobot(RobotId("X1"), NodeId("n3"), deaf=True, silent=True)
    b.hear(RobotConnection(RobotId("X1"), MAKER, online=True, version="2.1.0"))
    asked = [c.message.actions[0].action_type for c in b.sent if isinstance(c, SendInstantActions)]
    assert asked == ["stateRequest"]
    b.wait(9)
    assert "loaded" not in changes(b, "V1")
    assert not [o for o in b.orders("X2") if o.nodes[-1].node_id != "n0"]
    b.wait(40)
    assert changes(b, "V1")[-1] == "done"
    assert "unheard-X1" in b.world.alarms


def test_a_robot_is_forgotten_when_it_has_nothing_to_do_and_is_new_when_it_speaks_again() -> None:
    b = bench(1)
    robot = stranger(b)
    assert ask(b, AdoptRobot(RobotId("X1"))).done
    b.robot("R1").manual = True
    refused = ask(b, ForgetRobot(RobotId("R1")))
    assert (refused.done, "own" in refused.reason) == (False, True)
    robot.loads = ("PAL",)
    b.hear(robot.state())
    assert "load" in ask(b, ForgetRobot(RobotId("X1"))).reason
    robot.loads = ()
    b.hear(robot.state())
    assert ask(b, ForgetRobot(RobotId("X1"))).done
    assert RobotId("X1") not in b.world.vehicles
    b.hear(robot.state())
    assert RobotId("X1") in b.world.strangers
    b.wait(60)


def test_a_key_that_is_closed_while_the_robot_works_lets_it_finish_and_gives_it_no_more() -> None:
    b = bench(0, Params(adopt="ask"))
    b.hear(member())
    robot = stranger(b)
    robot.manual = True
    b.work(transport("V1"))
    b.wait(1)
    assert b.vehicle("X1").transport == "V1"
    b.hear(WorkClosed(KEY))
    assert b.vehicle("X1").retired
    robot.manual = False
    robot.drive()
    b.hear(robot.state())
    b.wait(90)
    assert changes(b, "V1")[-1] == "done"
    b.work(msgspec.structs.replace(transport("V2"), goal=NodeId("w1"), origin=NodeId("w2")))
    b.wait(30)
    assert changes(b, "V2") == []
