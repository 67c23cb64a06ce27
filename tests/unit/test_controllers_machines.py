"""The state machines of conveyor and door, walked in every way."""

from hypothesis import given
from hypothesis import strategies as st

from controllers.conveyor import OUTPUTS, TRANSITIONS, Conveyor, ConveyorEvent, step
from controllers.registry import DRIVERS, PERIOD_S
from controllers.tags import CHUTES, SLOTS, TABLES


@given(st.lists(st.sampled_from(ConveyorEvent)))
def test_a_line_never_runs_while_its_emergency_stop_is_pressed(events: list[ConveyorEvent]) -> None:
    state, pressed = Conveyor.STOPPED, False
    for event in events:
        state = step(state, event)
        pressed = {ConveyorEvent.ESTOP: True, ConveyorEvent.ESTOP_RELEASED: False}.get(event, pressed)
        if pressed:
            assert state is Conveyor.ESTOP
            assert not OUTPUTS[state]["run"]


def test_every_state_has_outputs_and_a_way_out() -> None:
    assert set(OUTPUTS) == set(Conveyor)
    for state in Conveyor:
        assert any(s is state and after is not state for (s, _), after in TRANSITIONS.items())


def test_no_two_tags_of_a_controller_share_a_place() -> None:
    for role, table in TABLES.items():
        places = [(t.area, t.address + k) for t in table for k in range(t.width)]
        assert len(places) == len(set(places)), role
        assert len({t.name for t in table}) == len(table)
    assert SLOTS <= 16
    assert CHUTES <= 16


def test_each_role_with_tags_has_a_poll_period() -> None:
    assert set(PERIOD_S) == set(TABLES)
    assert {"tcp_scanner", "tcp_scale", "tcp_printer", "modbus", "opcua", "camera"} == set(DRIVERS)
