"""A robot that is wider than a corridor of the layout: refused with the corridor's name, or taken out of service."""

import msgspec

from contracts.ids import EdgeId, NodeId, RobotId, TaskId
from contracts.messages.facts import AlarmRaised
from contracts.messages.ops import AdoptRobot, OpsAnswer, OpsCommand, ReturnRobot
from contracts.messages.work import Member
from dispatcher.commands import AnswerOps
from dispatcher.facts import OpsAsked, RobotFactsheet
from dispatcher.waiting import waits
from tests.unit.dispatcher_bench import MAKER, Bench, BenchRobot, small_site


def bench(robots: int) -> Bench:
    """The small site, with one corridor of 0.8 m."""
    site = small_site(robots, door=False)
    edges = tuple(msgspec.structs.replace(e, width_m=0.8 if e.id == EdgeId("a7-e") else 2.0) for e in site.layout.edges)
    return Bench(msgspec.structs.replace(site, layout=msgspec.structs.replace(site.layout, edges=edges)))


def sheet(robot: str, maker: str, width_m: float) -> RobotFactsheet:
    return RobotFactsheet(RobotId(robot), maker, "X", 1.5, 0, width_m=width_m)


def adopt(b: Bench, robot: str) -> OpsAnswer:
    commands = b.hear(OpsAsked(OpsCommand(f"q{b.now_ms}", "me", "new", AdoptRobot(RobotId(robot)))))
    return next(c.answer for c in commands if isinstance(c, AnswerOps))


def test_a_robot_wider_than_a_corridor_is_not_adopted_and_a_narrower_one_is() -> None:
    b = bench(0)
    robot = b.robots[RobotId("X1")] = BenchRobot(RobotId("X1"), NodeId("a3"))
    b.hear(msgspec.structs.replace(robot.state(), manufacturer="Other"))
    b.hear(sheet("X1", "Other", 0.9))
    answer = adopt(b, "X1")
    assert not answer.done
    assert "a7-e" in answer.reason
    assert "0.9 m" in answer.reason
    b.hear(sheet("X1", "Other", 0.7))
    b.wait(1)
    assert adopt(b, "X1").done


def test_one_of_ours_that_is_too_wide_is_taken_out_of_service_with_an_alarm() -> None:
    b = bench(1)
    b.hear(sheet("R1", MAKER, 0.9))
    (alarm,) = [a for a in b.told(AlarmRaised) if isinstance(a, AlarmRaised)]
    assert (alarm.subject, "a7-e" in alarm.text) == ("R1", True)
    assert b.vehicle("R1").retired


def test_why_says_that_it_is_too_wide_and_it_is_not_returned_to_service_as_it_is() -> None:
    b = bench(1)
    b.hear(sheet("R1", MAKER, 0.9))
    (wait,) = waits(b.world, b.vehicle("R1"), b.now_ms)
    assert "a7-e" in wait.until
    commands = b.hear(OpsAsked(OpsCommand("q", "me", "why not", ReturnRobot(RobotId("R1")))))
    (answer,) = [c.answer for c in commands if isinstance(c, AnswerOps)]
    assert (answer.done, "a7-e" in answer.reason) == (False, True)
    b.hear(sheet("R1", MAKER, 0.7))
    assert not [a for a in b.world.alarms if a.startswith("wide-")]
    commands = b.hear(OpsAsked(OpsCommand("r", "me", "mended", ReturnRobot(RobotId("R1")))))
    assert next(c.answer.done for c in commands if isinstance(c, AnswerOps))
    assert waits(b.world, b.vehicle("R1"), b.now_ms) == ()


def test_one_that_central_adopted_before_it_spoke_is_taken_out_of_service_as_well() -> None:
    b = bench(0)
    b.work(Member(TaskId("R-1"), 1, RobotId("X1"), "Other", "X1"))
    robot = b.robots[RobotId("X1")] = BenchRobot(RobotId("X1"), NodeId("a3"))
    b.hear(msgspec.structs.replace(robot.state(), manufacturer="Other"))
    b.hear(sheet("X1", "Other", 0.9))
    assert b.vehicle("X1").retired
    assert "wide-X1" in b.world.alarms
