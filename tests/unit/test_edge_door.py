"""The rules of fire doors: told open only while the controller says so, is heard, and no fire alarm is on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import Rejected
from contracts.ids import DeviceId, DoorId
from contracts.messages.floor import DoorChanged, MoveDoor, Quality
from controllers.door import TOLD, TRANSITIONS, Door, DoorEvent, step
from edge.rules.door import DoorRules
from edge.rules.port import After, Changed, Commanded, Elapsed, Emit, QualityChanged, Write

PLC, D1 = DeviceId("D1-plc"), DoorId("D1")


class Bench:
    """One door's rules with its registers."""

    def __init__(self) -> None:
        self.rules = DoorRules({D1: PLC})
        self.told: list[str] = []
        self.request: list[bool] = []
        self.timers = 0

    def do(self, said: object) -> None:
        for effect in self.rules.step(0, said):
            match effect:
                case Emit(body=DoorChanged(state=state)):
                    self.told.append(state)
                case Write(values=values):
                    self.request.append(bool(values["Door.OpenRequest"]))
                case After():
                    self.timers += 1

    def good(self, *, is_good: bool = True) -> None:
        self.do(QualityChanged(PLC, Quality.GOOD if is_good else Quality.STALE, ""))

    def set(self, **values: bool | int) -> None:
        self.do(Changed(PLC, {f"Door.{name}": value for name, value in values.items()}, 0))

    def move(self, *, to_open: bool) -> None:
        self.do(Commanded(MoveDoor(D1, to_open)))


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.good()
    bench.set(IsOpen=False, IsClosed=True, FireAlarm=False, Heartbeat=1)
    return bench


def test_a_door_is_opened_and_closed_and_each_step_is_told(bench: Bench) -> None:
    bench.move(to_open=True)
    bench.set(IsClosed=False)
    bench.set(IsOpen=True)
    bench.move(to_open=False)
    bench.set(IsOpen=False)
    bench.set(IsClosed=True)
    assert bench.told == ["closed", "moving", "open", "moving", "closed"]
    assert bench.request == [True, False]


def test_the_same_command_again_is_answered_with_the_state(bench: Bench) -> None:
    bench.move(to_open=True)
    bench.set(IsClosed=False)
    bench.set(IsOpen=True)
    bench.move(to_open=True)
    assert bench.told[-2:] == ["open", "open"]
    assert bench.request == [True]


def test_a_door_that_does_not_arrive_is_in_fault_until_it_does(bench: Bench) -> None:
    bench.move(to_open=True)
    assert bench.timers == 1
    bench.do(Elapsed("door.D1"))
    assert bench.told[-1] == "fault"
    bench.set(IsClosed=False, IsOpen=True)
    assert bench.told[-1] == "open"


def test_a_late_time_out_of_a_door_that_arrived_is_nothing(bench: Bench) -> None:
    bench.move(to_open=True)
    bench.set(IsClosed=False, IsOpen=True)
    bench.do(Elapsed("door.D1"))
    assert bench.told[-1] == "open"


def test_a_fire_alarm_is_a_fault_and_withdraws_the_request(bench: Bench) -> None:
    bench.move(to_open=True)
    bench.set(IsClosed=False, IsOpen=True)
    bench.set(FireAlarm=True)
    assert (bench.told[-1], bench.request[-1]) == ("fault", False)
    bench.set(IsOpen=False, IsClosed=True)
    bench.set(FireAlarm=False)
    assert (bench.told[-1], bench.request[-1]) == ("moving", True)


def test_a_controller_that_is_not_heard_is_a_fault(bench: Bench) -> None:
    bench.move(to_open=True)
    bench.set(IsClosed=False, IsOpen=True)
    bench.good(is_good=False)
    assert bench.told[-1] == "fault"
    bench.good()
    assert bench.told[-1] == "open"


def test_a_heartbeat_is_no_event(bench: Bench) -> None:
    before = list(bench.told)
    bench.set(Heartbeat=2)
    assert bench.told == before


def test_a_door_of_another_cell_is_refused(bench: Bench) -> None:
    with pytest.raises(Rejected):
        bench.do(Commanded(MoveDoor(DoorId("D9"), True)))


def test_every_state_can_break_and_is_told() -> None:
    for door in Door:
        assert step(door, DoorEvent.BROKEN) is Door.FAULT
        assert door in TOLD
    assert {s for s, _ in TRANSITIONS} == set(Door)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("move"), st.booleans()),
            st.tuples(st.just("good"), st.booleans()),
            st.tuples(st.sampled_from(["IsOpen", "IsClosed", "FireAlarm"]), st.booleans()),
            st.tuples(st.just("time"), st.just(value=True)),
        ),
        max_size=30,
    )
)
def test_open_is_told_only_while_it_is_true(steps: list[tuple[str, bool]]) -> None:
    bench = Bench()
    inputs = {"IsOpen": False, "IsClosed": True, "FireAlarm": False}
    is_good = False
    bench.set(**inputs)
    for what, value in steps:
        if what == "move":
            bench.move(to_open=value)
        elif what == "good":
            is_good = value
            bench.good(is_good=value)
        elif what == "time":
            bench.do(Elapsed("door.D1"))
        else:
            inputs[what] = value
            bench.set(**{what: value})
        if bench.told and bench.told[-1] == "open":
            assert is_good
            assert inputs["IsOpen"]
            assert not inputs["FireAlarm"]
            assert not inputs["IsClosed"]
