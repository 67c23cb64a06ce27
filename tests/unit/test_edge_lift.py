"""The rules of lifts: open at a level only while the controller says so, is heard, and nothing else was asked."""

import pytest

from contracts.errors import Rejected
from contracts.ids import DeviceId, LiftId
from contracts.messages.floor import CallLift, LiftChanged, Quality
from edge.rules.lift import LiftPlace, LiftRules
from edge.rules.port import After, Changed, Commanded, Elapsed, Emit, QualityChanged, Write

PLC, L1 = DeviceId("L1-plc"), LiftId("L1")


class Bench:
    """One lift's rules with its registers."""

    def __init__(self) -> None:
        self.rules = LiftRules({L1: LiftPlace(PLC, ("ground", "upper"))})
        self.told: list[tuple[str, str, int]] = []
        self.written: list[tuple[int, bool]] = []
        self.timers: list[str] = []
        self.do(QualityChanged(PLC, Quality.GOOD, ""))
        self.set(Floor=0, IsOpen=False, IsClosed=True, Fault=False, Heartbeat=1)

    def do(self, said: object) -> None:
        for effect in self.rules.step(0, said):
            match effect:
                case Emit(body=LiftChanged(level=level, state=state, ask=ask)):
                    self.told.append((level, state, ask))
                case Write(values=values):
                    self.written.append((int(values["Lift.Target"]), bool(values["Lift.Hold"])))
                case After(key=key):
                    self.timers.append(key)

    def set(self, **values: bool | int) -> None:
        self.do(Changed(PLC, {f"Lift.{name}": value for name, value in values.items()}, 0))

    def call(self, level: str, ask: int, *, stay: bool = True) -> None:
        self.do(Commanded(CallLift(L1, level, stay, ask)))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_lift_is_called_rides_and_is_let_go_and_each_step_is_told_with_its_ask(bench: Bench) -> None:
    bench.call("upper", 1)
    bench.set(Floor=1)
    bench.set(IsClosed=False)
    bench.set(IsOpen=True)
    bench.call("upper", 2, stay=False)
    bench.set(IsOpen=False)
    bench.set(IsClosed=True)
    assert bench.told == [
        ("ground", "closed", 0), ("", "moving", 1), ("upper", "open", 1), ("", "moving", 2), ("upper", "closed", 2),
    ]  # fmt: skip
    assert bench.written == [(1, True), (1, False)]


def test_open_at_another_level_than_asked_is_not_open(bench: Bench) -> None:
    """It is about to leave: nobody is to enter any more."""
    bench.call("ground", 1)
    bench.set(IsClosed=False)
    bench.set(IsOpen=True)
    assert bench.told[-1] == ("ground", "open", 1)
    bench.call("upper", 2)
    assert bench.told[-1] == ("", "moving", 2)
    bench.set(Heartbeat=2)
    assert bench.told[-1] == ("", "moving", 2)


def test_a_repeated_call_is_answered_by_its_state_again_without_another_write(bench: Bench) -> None:
    bench.call("ground", 1)
    bench.set(IsClosed=False, IsOpen=True)
    bench.call("ground", 2)
    assert bench.told[-2:] == [("ground", "open", 1), ("ground", "open", 2)]
    assert bench.written == [(0, True)]


@pytest.mark.parametrize("wrong", [{"Fault": True}, {"IsClosed": True}, {"Floor": 7}])
def test_a_fault_both_switches_or_an_unknown_floor_are_a_fault_until_they_end(
    bench: Bench, wrong: dict[str, bool | int]
) -> None:
    bench.call("ground", 1)
    bench.set(IsClosed=False, IsOpen=True)
    bench.set(**wrong)
    assert bench.told[-1] == ("", "fault", 1)
    bench.set(Fault=False, IsClosed=False, Floor=0)
    assert bench.told[-1] == ("ground", "open", 1)


def test_one_that_is_not_heard_or_does_not_come_in_time_is_in_fault(bench: Bench) -> None:
    bench.call("upper", 1)
    assert bench.timers == ["lift.L1"]
    bench.do(Elapsed("lift.L1"))
    assert bench.told[-1] == ("", "fault", 1)
    bench.set(Floor=1, IsClosed=False, IsOpen=True)
    assert bench.told[-1] == ("upper", "open", 1)
    bench.do(QualityChanged(PLC, Quality.STALE, "silent"))
    assert bench.told[-1] == ("", "fault", 1)


def test_an_unknown_lift_or_level_is_refused_by_name(bench: Bench) -> None:
    with pytest.raises(Rejected, match="attic"):
        bench.call("attic", 1)
    with pytest.raises(Rejected, match="L9"):
        bench.do(Commanded(CallLift(LiftId("L9"), "ground")))
