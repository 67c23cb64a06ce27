"""Why a robot waits: whatever holds it, the last link says what ends that, and one sentence says it all."""

from collections.abc import Callable

import pytest

from central.fleet.why import sentence
from contracts.ids import NodeId, RobotId, TaskId
from contracts.messages.floor import StopState
from contracts.messages.ops import PauseRobot, ResumeRobot
from dispatcher import views, waiting
from dispatcher.facts import RobotConnection, StopHeard, Trouble, WorkClosed
from tests.unit.dispatcher_bench import MAKER, Bench, BenchRobot
from tests.unit.test_dispatcher_recovery import ask
from tests.unit.test_dispatcher_transports import bench, changes, transport


def says(b: Bench, name: str) -> str:
    (view,) = [r for r in views.all_robots(b.world, b.now_ms, {}) if r.id == name]
    return sentence(view, list(view.wait), b.now_ms)


def on_its_way() -> tuple[Bench, BenchRobot]:
    """Give one robot a transport of which it has driven nothing yet."""
    b = bench(2)
    for r in b.robots.values():
        r.manual = True
    b.work(transport("V1", "p4"))
    b.wait(1)
    (name,) = [r for r in b.robots if b.vehicle(r).transport]
    return b, b.robot(name)


def _gone(b: Bench, robot: BenchRobot) -> str:
    robot.silent = robot.deaf = True
    b.hear(RobotConnection(robot.id, MAKER, online=False))
    return f"{robot.id} speaks again"


def _fails(b: Bench, robot: BenchRobot) -> str:
    robot.troubles = (Trouble("driveFault", fatal=True, text="wheel"),)
    b.hear(robot.state())
    return f"{robot.id} clears its error"


def _by_hand(b: Bench, robot: BenchRobot) -> str:
    robot.automatic = False
    b.hear(robot.state())
    return f"{robot.id} is switched back to automatic"


def _paused(b: Bench, robot: BenchRobot) -> str:
    ask(b, "q1", PauseRobot(robot.id))
    b.wait(1)
    return f"{robot.id} is resumed"


def _paused_there(b: Bench, robot: BenchRobot) -> str:
    robot.paused = True
    b.hear(robot.state())
    return f"the pause at {robot.id} itself ends"


def _all_stopped(b: Bench, _: BenchRobot) -> str:
    b.hear(StopHeard(StopState(stopped=True, who="me", reason="smoke", at_ms=b.now_ms)))
    b.wait(1)
    return "the fleet's stop is lifted"


def _acts(b: Bench, robot: BenchRobot) -> str:
    while robot.base or not robot.todo:
        if robot.base:
            robot.node, robot.seq = robot.base.pop(0)
        b.hear(robot.state())
        b.wait(1)
    (pick,) = robot.todo
    robot.actions[pick.action_id] = "RUNNING"
    b.hear(robot.state())
    b.wait(60)
    return f"{robot.id} has finished its pick at p4"


def _off_the_map(b: Bench, robot: BenchRobot) -> str:
    _by_hand(b, robot)
    robot.base, robot.horizon, robot.todo, robot.order_id = [], 0, [], ""
    robot.automatic, robot.node = True, NodeId("the moon")
    b.hear(robot.state())
    return f"{robot.id} says that it stands on a node of the layout"


@pytest.mark.parametrize("holds", [_gone, _fails, _by_hand, _paused, _paused_there, _all_stopped, _acts, _off_the_map])
def test_what_holds_a_robot_is_said_with_what_ends_it(holds: Callable[[Bench, BenchRobot], str]) -> None:
    b, robot = on_its_way()
    ends = holds(b, robot)
    chain = waiting.waits(b.world, b.vehicle(robot.id), b.now_ms)
    assert [link.until for link in chain] == [ends]
    assert chain[0].holder == robot.id
    assert says(b, robot.id).endswith(f"It goes on when {ends}.")
    assert " has stood at " in says(b, robot.id)


def test_who_waits_for_one_that_is_held_names_it_and_what_ends_that() -> None:
    b, robot = on_its_way()
    (other,) = [r for r in b.robots if r != robot.id]
    ends = _acts(b, robot)
    b.work(transport("V2", "b0", "p4"))
    for _ in range(30):
        b.robot(other).drive(1)
        b.hear(b.robot(other).state())
        b.wait(2)
    first, *_, last = waiting.waits(b.world, b.vehicle(RobotId(other)), b.now_ms)
    assert (first.holder, first.holder_task, last.until) == (robot.id, "V1", ends)
    said = says(b, other)
    assert f"which {robot.id} has for V1; {robot.id} has stood at p4 for" in said
    assert said.endswith(f"It goes on when {ends}.")


def test_an_action_that_never_ends_is_told_to_a_person_until_it_ends() -> None:
    b, robot = on_its_way()
    _acts(b, robot)
    assert f"acting-{robot.id}" not in b.world.alarms
    for _ in range(5):
        b.wait(40)
        b.hear(robot.state())
    assert f"acting-{robot.id}" in b.world.alarms
    for r in b.robots.values():
        r.manual = False
        r.drive()
        b.hear(r.state())
    b.wait(60)
    assert b.world.alarms == {}


def test_one_whose_node_a_stray_robot_names_as_well_is_let_go_on_and_both_work() -> None:
    """A trespasser that says it stands where another one was last: that one may have driven on, and is not held."""
    b, robot = on_its_way()
    (name,) = [r for r in b.robots if r != robot.id]
    stray, v = b.robot(name), b.vehicle(name)
    b.work(transport("V2", "w2", "b6", handling=False))
    while not v.order or v.order.in_doubt:
        b.wait(1)
    ahead = b.vehicle(robot.id).node
    stray.base, stray.horizon, stray.todo, stray.node, stray.seq = [], 0, [], ahead, 2 * len(v.order.path)
    v.order.horizon = (ahead,)  # as if its way led there
    b.hear(stray.state())
    assert f"place-{name}" in b.world.alarms
    b.wait(1)
    assert not robot.paused
    robot.manual = stray.manual = False
    robot.drive()
    b.hear(robot.state())
    b.wait(240)
    assert b.world.alarms == {}
    assert b.world.halted == {}


def loses_its_load() -> tuple[Bench, BenchRobot]:
    """Bring a robot between origin and goal to say, after it was driven by hand, that it carries nothing."""
    b, robot = on_its_way()
    while not robot.loads:
        robot.drive()
        b.hear(robot.state())
        b.wait(1)
    _by_hand(b, robot)
    robot.base, robot.horizon, robot.todo, robot.order_id, robot.seq, robot.loads = [], 0, [], "", 0, ()
    robot.automatic = True
    b.hear(robot.state(), robot.state())
    assert f"failed-{robot.id}" in b.world.alarms
    assert says(b, robot.id).endswith(f"It goes on when a person looks at {robot.id} and resumes it.")
    for r in b.robots.values():
        r.manual = False
    return b, robot


def test_one_that_gets_its_lost_load_back_and_is_resumed_brings_it() -> None:
    b, robot = loses_its_load()
    ask(b, "q1", ResumeRobot(robot.id))
    assert f"failed-{robot.id}" in b.world.alarms  # it has still lost it
    robot.loads = ("PAL-1",)
    ask(b, "q2", ResumeRobot(robot.id))
    b.hear(robot.state())
    ask(b, "q3", ResumeRobot(robot.id))
    b.wait(120)
    assert changes(b, "V1")[-1] == "done"
    assert b.world.alarms == {}


def test_one_whose_transport_is_cancelled_as_lost_and_that_is_resumed_works_again() -> None:
    b, robot = loses_its_load()
    b.hear(WorkClosed(TaskId("V1")))
    assert not b.world.hauls
    ask(b, "q1", ResumeRobot(robot.id))
    b.work(transport("V2"))
    b.wait(180)
    assert changes(b, "V2")[-1] == "done"
    assert b.world.alarms == {}
