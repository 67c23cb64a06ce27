"""One robot's explicit state, and what its reports amount to."""

from hypothesis import given
from hypothesis import strategies as st

from contracts.ids import NodeId, RobotId
from contracts.messages.ops import VehicleState as S
from dispatcher.facts import RobotState, Trouble
from dispatcher.fleet.vehicle import TABLE, Signal, observe, refused, step

SIGNALS = st.lists(st.sampled_from(list(Signal)), max_size=40)
LEAVES = {
    S.OFFLINE: {Signal.BACK},
    S.IN_DOUBT: {
        Signal.ECHOED,
        Signal.REFUSED,
        Signal.GONE,
        Signal.FAILS,
        Signal.TAKEN_OVER,
        Signal.CANCEL_SENT,
        Signal.CANCELLED,
    },
    S.REJECTED: {Signal.CANCEL_SENT, Signal.CANCELLED, Signal.GONE, Signal.FAILS, Signal.TAKEN_OVER},
    S.CANCELLING: {Signal.CANCELLED, Signal.GONE},
}


def report(**changes: object) -> RobotState:
    plain: dict[str, object] = {
        "robot": RobotId("R1"),
        "manufacturer": "M",
        "order_id": "1-M1-0",
        "order_update_id": 0,
        "node": NodeId("n"),
        "seq": 0,
        "driving": False,
        "paused": False,
        "base_left": 0,
        "horizon_left": 0,
        "actions": (),
        "loads": (),
        "battery": 0.5,
        "charging": False,
        "automatic": True,
    }
    return RobotState(**(plain | changes))  # type: ignore[arg-type]


@given(SIGNALS)
def test_offline_doubt_rejection_and_cancelling_are_left_only_by_what_resolves_them(signals: list[Signal]) -> None:
    state = S.OFFLINE
    for signal in signals:
        after = step(state, signal)
        if state in LEAVES and signal not in LEAVES[state]:
            assert after is state
        state = after
        assert state in S


def test_every_state_has_a_row_and_every_state_can_be_left() -> None:
    assert set(TABLE) == set(S)
    for state, row in TABLE.items():
        assert any(after is not state for after in row.values())


@given(SIGNALS)
def test_a_lost_connection_leads_to_offline_from_everywhere(signals: list[Signal]) -> None:
    state = S.IDLE
    for signal in signals:
        state = step(state, signal)
    assert step(state, Signal.GONE) is S.OFFLINE


def test_the_gravest_of_what_a_report_says_counts() -> None:
    fatal = (Trouble("driveFault", fatal=True),)
    warning = (Trouble("dust", fatal=False),)
    running = (("a", "RUNNING"),)
    assert observe(report(troubles=fatal, paused=True, automatic=False)) is Signal.FAILS
    assert observe(report(automatic=False, paused=True)) is Signal.TAKEN_OVER
    assert observe(report(paused=True, actions=running)) is Signal.PAUSES
    assert observe(report(actions=running, driving=True)) is Signal.ACTS
    assert observe(report(actions=running, charging=True)) is Signal.CHARGES
    assert observe(report(driving=True, charging=True)) is Signal.DRIVES
    assert observe(report(charging=True)) is Signal.CHARGES
    assert observe(report(base_left=1)) is Signal.STANDS
    assert observe(report(horizon_left=1)) is Signal.STANDS
    assert observe(report(troubles=warning)) is Signal.RESTS


def test_only_an_order_error_about_our_order_refuses_it() -> None:
    assert refused(report(troubles=(Trouble("orderError", fatal=False, about=("1-M1-0",)),)), "1-M1-0")
    assert refused(report(troubles=(Trouble("noRouteError", fatal=False),)), "1-M1-0")
    assert not refused(report(troubles=(Trouble("orderError", fatal=False, about=("1-M9-0",)),)), "1-M1-0")
    assert not refused(report(troubles=(Trouble("dust", fatal=False, about=("1-M1-0",)),)), "1-M1-0")
