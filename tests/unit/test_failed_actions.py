"""An action that failed ends in a decision: tried again, skipped, given to another robot, or a person is asked."""

import msgspec
import pytest

from contracts.ids import NodeId, PodId, RobotId
from contracts.messages.facts import AlarmRaised, PickDone, TransportChanged
from contracts.messages.ops import OpsCommand, ResumeRobot, RetireRobot, ReturnRobot
from dispatcher import waiting
from dispatcher.commands import SendInstantActions
from dispatcher.facts import OpsAsked, Trouble, WorkClosed
from dispatcher.fleet.member import Pin
from dispatcher.params import Params
from tests.unit.dispatcher_bench import Bench, BenchRobot, small_site, tote_work
from tests.unit.test_dispatcher_transports import changes, transport


def asked(b: Bench, kind: str) -> int:
    return sum(c.message.actions[0].action_type == kind for c in b.sent if isinstance(c, SendInstantActions))


def bench(robots: int = 2) -> Bench:
    return Bench(small_site(robots, door=False))


def far_from_the_second() -> Bench:
    b = Bench(small_site(2, door=False), start=False)
    b.robot("R2").node = NodeId("b6")
    b.hear(*(r.state() for r in b.robots.values()))
    return b


def loaded(b: Bench, robot: BenchRobot) -> None:
    """Let a robot drive step by step until it has picked something up, and no further."""
    robot.manual = True
    for _ in range(50):
        if not robot.loads:
            robot.drive(1)
            b.hear(robot.state())
            b.wait(1)
    assert robot.loads


def alarms(b: Bench) -> list[str]:
    return [str(a.key) for a in b.told(AlarmRaised) if isinstance(a, AlarmRaised)]


def test_what_can_be_tried_again_is_tried_again_where_it_failed() -> None:
    b = bench(1)
    b.robot("R1").balks = 2
    b.work(transport("V1"))
    b.wait(5)
    (why,) = waiting.waits(b.world, b.vehicle("R1"), b.now_ms)
    assert "pick" in why.until
    assert "try" in why.until
    b.wait(60)
    assert changes(b, "V1") == ["assigned", "loaded", "done"]
    assert (asked(b, "retry"), asked(b, "skipRetry"), asked(b, "cancelOrder")) == (2, 0, 0)
    assert alarms(b) == []


def test_what_fails_again_and_again_is_skipped_and_given_to_another_robot() -> None:
    b = far_from_the_second()
    b.robot("R1").balks = 3
    b.work(transport("V1"))
    b.wait(90)
    told = [f for f in b.told(TransportChanged) if isinstance(f, TransportChanged)]
    assert [(f.state, f.robot) for f in told] == [
        ("assigned", "R1"), ("open", "R1"), ("assigned", "R2"), ("loaded", "R2"), ("done", "R2"),
    ]  # fmt: skip
    assert (asked(b, "retry"), asked(b, "skipRetry")) == (2, 1)
    assert b.world.alarms == {}
    assert b.world.failures == {}
    assert b.vehicle("R1").pins == 0


def test_a_lost_request_to_try_again_is_sent_again_and_one_that_is_not_heeded_ends_in_a_reset() -> None:
    b = bench(1)
    robot = b.robot("R1")
    robot.balks = 1
    robot.manual = True
    b.work(transport("V1"))
    for _ in range(20):
        if "RETRIABLE" not in robot.actions.values():
            robot.drive()
            b.hear(robot.state())
            b.wait(1)
    robot.deaf = True
    b.wait(100)
    assert asked(b, "retry") == 2
    assert asked(b, "skipRetry") == b.world.params.instant_tries
    assert asked(b, "cancelOrder") >= 1
    robot.deaf = robot.manual = False
    b.wait(120)
    assert changes(b, "V1")[-1] == "done"
    assert b.world.alarms == {}


def test_what_nobody_can_pick_up_is_left_alone_for_a_while_and_a_person_is_told_why() -> None:
    b = bench(3)
    for robot in b.robots.values():
        robot.fails = 99
    b.work(transport("V1"))
    b.wait(200)
    assert "failing-V1" in b.world.alarms
    tried = len(changes(b, "V1"))
    b.wait(60)
    assert len(changes(b, "V1")) == tried
    for robot in b.robots.values():
        robot.fails = 0
    b.wait(400)
    assert changes(b, "V1")[-1] == "done"
    assert "failing-V1" not in b.world.alarms
    assert (b.world.failures, b.world.held) == ({}, {})


def test_one_that_is_cancelled_meanwhile_is_forgotten() -> None:
    b = bench(1)
    b.robot("R1").fails = 99
    b.work(transport("V1"))
    b.wait(200)
    assert "failing-V1" in b.world.alarms
    b.hear(WorkClosed(transport("V1").task))
    assert b.world.alarms == {}
    assert (b.world.failures, b.world.held) == ({}, {})
    b.wait(600)
    assert b.vehicle("R1").transport is None


def test_a_pod_that_one_robot_cannot_lift_is_fetched_by_another() -> None:
    b = bench(2)
    b.robot("R1").fails = b.robot("R2").fails = 4
    b.work(*tote_work("A", [4]))
    b.wait(240)
    assert "failing-P4" in b.world.alarms
    b.wait(300)
    assert len(b.told(PickDone)) == 1
    assert b.world.alarms == {}


def test_a_robot_that_fails_at_two_jobs_is_taken_out_of_service_and_its_work_goes_to_others() -> None:
    b = bench(2)
    b.robot("R1").fails = 99
    b.hear(OpsAsked(OpsCommand("o", "me", "serviced", RetireRobot(RobotId("R2")))))
    b.work(transport("V1", "w1", "w2"))
    b.wait(20)
    assert changes(b, "V1") == ["assigned", "open"]
    b.hear(WorkClosed(transport("V1").task))
    b.work(transport("V2", "a1", "b1"))
    b.wait(60)
    assert "unfit-R1" in b.world.alarms
    assert b.vehicle("R1").retired
    assert changes(b, "V2") == ["assigned", "open"]
    b.hear(OpsAsked(OpsCommand("i", "me", "back", ReturnRobot(RobotId("R2")))))
    b.wait(60)
    assert changes(b, "V2")[-1] == "done"
    b.robot("R1").fails = 0
    b.hear(OpsAsked(OpsCommand("r", "me", "mended", ReturnRobot(RobotId("R1")))))
    assert not b.vehicle("R1").retired
    assert b.world.alarms == {}


def test_a_load_that_cannot_be_set_down_stays_and_a_person_is_asked() -> None:
    b = bench(1)
    robot = b.robot("R1")
    robot.manual = True
    b.work(transport("V1"))
    loaded(b, robot)
    robot.fails, robot.manual = 99, False
    b.wait(60)
    assert "failed-R1" in b.world.alarms
    assert b.vehicle("R1").pins & Pin.AWAY
    assert changes(b, "V1") == ["assigned", "loaded"]
    (why,) = waiting.waits(b.world, b.vehicle("R1"), b.now_ms)
    assert "person" in why.until
    robot.fails = 0
    b.hear(OpsAsked(OpsCommand("r", "me", "mended", ResumeRobot(RobotId("R1")))))
    b.wait(60)
    assert changes(b, "V1") == ["assigned", "loaded", "done"]


def test_a_pod_that_cannot_be_set_down_at_a_place_is_brought_to_another() -> None:
    b = bench(1)
    robot = b.robot("R1")
    robot.manual = True
    b.work(*tote_work("A", [4]))
    loaded(b, robot)
    robot.manual, robot.fails = False, 4
    b.wait(60)
    (place,) = b.world.held
    assert f"failing-{place}" in b.world.alarms
    assert b.world.pods[PodId("P4")] not in {None, place}
    assert "failed-R1" not in b.world.alarms


def test_who_cannot_charge_goes_to_another_charger() -> None:
    b = bench(1)
    robot = b.robot("R1")
    robot.battery, robot.fails = 0.2, 4
    b.hear(robot.state())
    b.wait(60)
    assert robot.charging
    (bad,) = b.world.held
    assert robot.node != bad
    assert f"failing-{bad}" in b.world.alarms


@pytest.mark.parametrize(
    "kind", ["orderError", "INVALID_ORDER_ACTION", "UNSUPPORTED_PARAMETER", "START_NODE_OUT_OF_RANGE"]
)
def test_who_refuses_order_after_order_is_asked_about_and_another_robot_does_the_work(kind: str) -> None:
    """In the words of 2.x and of 3.0."""
    b = far_from_the_second()
    robot = b.robot("R1")
    robot.deaf = robot.silent = True
    b.work(transport("V1", "a5", "b5"))
    for _ in range(12):
        b.now_ms += 1_000
        order = b.vehicle("R1").order
        about = ("zoom",) if order is None or kind == "UNSUPPORTED_PARAMETER" else (order.id,)
        b.hear(msgspec.structs.replace(robot.state(), troubles=(Trouble(kind, fatal=False, about=about),)))
    b.wait(120)
    assert "failed-R1" in b.world.alarms
    assert changes(b, "V1")[-1] == "done"


def test_who_cannot_reach_a_node_gets_another_order() -> None:
    b = bench(1)
    robot = b.robot("R1")
    robot.manual = True
    b.work(transport("V1"))
    b.wait(1)
    unreachable = (Trouble("NODE_UNREACHABLE", fatal=False, about=("w1",)),)
    b.hear(msgspec.structs.replace(robot.state(), troubles=unreachable))
    assert asked(b, "cancelOrder") == 1
    robot.manual = False
    robot.drive()
    b.hear(robot.state())
    b.wait(60)
    assert changes(b, "V1")[-1] == "done"


def test_no_retries_can_be_asked_for() -> None:
    b = Bench(small_site(1, door=False), Params(action_retries=0))
    b.robot("R1").balks = 1
    b.work(transport("V1"))
    b.wait(60)
    assert (asked(b, "retry"), asked(b, "skipRetry")) == (0, 1)
    assert changes(b, "V1")[-1] == "done"
