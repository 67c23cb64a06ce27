"""A broker may deliver a message again: a robot's state that comes ten times is one state of one robot."""

import msgspec

from dispatcher.facts import RobotState
from tests.unit.dispatcher_bench import Bench, tote_work


def test_a_state_that_comes_ten_times_is_not_two_robots() -> None:
    """The same header and the same words again: no alarm, and the robot goes on getting work."""
    bench = Bench()
    for header in range(1, 6):
        state: RobotState = msgspec.structs.replace(bench.robot("R1").state(), header=header)
        for _ in range(10):
            bench.hear(state)
    assert not any(a.startswith("double-") for a in bench.world.alarms)
    bench.work(*tote_work("A", [0, 3]))
    bench.wait(120)
    assert bench.world.totes == {}


def test_two_robots_of_one_name_are_still_told_apart() -> None:
    """The same headers from two places: somebody is told."""
    bench = Bench()
    for header in range(1, 8):
        for node in ("a4", "a5"):
            bench.hear(msgspec.structs.replace(bench.robot("R1").state(), header=header, node=node))
    assert "double-R1" in bench.world.alarms
