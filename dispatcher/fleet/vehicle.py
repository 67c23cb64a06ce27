"""One robot's explicit state: an enum (`contracts.messages.ops.VehicleState`), a transition table, a pure step.

`observe` says in one signal what a report amounts to; `step` says what state that leads to. What we do to the robot
(sending, cancelling) is a signal too. In doubt, cancelling, rejected and offline are left only by the signal that
resolves them.
"""

from enum import Enum, auto

from contracts.messages.ops import VehicleState
from dispatcher.facts import RobotState


class Signal(Enum):
    """What was heard of a robot, or done to it."""

    GONE = auto()
    """Its connection is lost, or it has been silent too long."""
    BACK = auto()
    """It speaks again."""
    SENT = auto()
    """An order or an update went out."""
    ECHOED = auto()
    """A state names the newest order and update."""
    REFUSED = auto()
    """It reports an error about the newest order."""
    CANCEL_SENT = auto()
    CANCELLED = auto()
    """Nothing is left of its order: it gave it up, or never took it."""
    FAILS = auto()
    """It reports a fatal error."""
    TAKEN_OVER = auto()
    """A person drives it."""
    PAUSES = auto()
    CHARGES = auto()
    ACTS = auto()
    """An action of its order runs."""
    DRIVES = auto()
    STANDS = auto()
    """It stands, and its order is not at its end."""
    RESTS = auto()
    """It has nothing to do."""


S = VehicleState
_REPORTED = {
    Signal.GONE: S.OFFLINE,
    Signal.FAILS: S.ERROR,
    Signal.TAKEN_OVER: S.MANUAL,
    Signal.PAUSES: S.PAUSED,
    Signal.CHARGES: S.CHARGING,
    Signal.ACTS: S.ACTING,
    Signal.DRIVES: S.DRIVING,
    Signal.STANDS: S.WAITING,
    Signal.RESTS: S.IDLE,
    Signal.SENT: S.IN_DOUBT,
    Signal.CANCEL_SENT: S.CANCELLING,
}
_FREE = (S.IDLE, S.DRIVING, S.ACTING, S.WAITING, S.PAUSED, S.MANUAL, S.CHARGING, S.ERROR)
TABLE: dict[VehicleState, dict[Signal, VehicleState]] = {
    **{state: dict(_REPORTED) for state in _FREE},
    S.OFFLINE: {Signal.BACK: S.IDLE},
    S.IN_DOUBT: {
        Signal.ECHOED: S.WAITING,
        Signal.REFUSED: S.REJECTED,
        Signal.GONE: S.OFFLINE,
        Signal.FAILS: S.ERROR,
        Signal.TAKEN_OVER: S.MANUAL,
        Signal.CANCEL_SENT: S.CANCELLING,
        Signal.CANCELLED: S.IDLE,
    },
    S.REJECTED: {
        Signal.CANCEL_SENT: S.CANCELLING,
        Signal.CANCELLED: S.IDLE,
        Signal.GONE: S.OFFLINE,
        Signal.FAILS: S.ERROR,
        Signal.TAKEN_OVER: S.MANUAL,
    },
    S.CANCELLING: {Signal.CANCELLED: S.IDLE, Signal.GONE: S.OFFLINE},
    S.NEW: dict(_REPORTED),
}
"""What a signal leads to in each state; a signal that is not in the row changes nothing."""


def step(state: VehicleState, signal: Signal) -> VehicleState:
    """Return the state that a signal leads to."""
    return TABLE[state].get(signal, state)


def observe(report: RobotState) -> Signal:
    """Say in one signal what a report amounts to, the gravest first."""
    for trouble in report.troubles:
        if trouble.fatal:
            return Signal.FAILS
    if not report.automatic:
        return Signal.TAKEN_OVER
    if report.paused:
        return Signal.PAUSES
    for _, status in report.actions:
        if status in {"RUNNING", "INITIALIZING"}:
            return Signal.CHARGES if report.charging else Signal.ACTS
    if report.driving:
        return Signal.DRIVES
    if report.charging:
        return Signal.CHARGES
    if report.base_left or report.horizon_left:
        return Signal.STANDS
    return Signal.RESTS


def refused(report: RobotState, order_id: str) -> str:
    """Return what a report says against an order (2.1, 6.6.4: order errors; 3.0, 6.6.5.4); empty: nothing."""
    for trouble in report.troubles:
        if trouble.kind in _ANY_ORDER or (
            trouble.kind in _ORDER_ERRORS and (order_id in trouble.about or not trouble.about)
        ):
            return f"{trouble.kind}: {trouble.text}" if trouble.text else trouble.kind
    return ""


def unreachable(report: RobotState) -> bool:
    """Whether a robot says that it cannot reach a node of its order (3.0: NODE_UNREACHABLE)."""
    return any(t.kind == "NODE_UNREACHABLE" for t in report.troubles)


_ANY_ORDER = frozenset({"UNSUPPORTED_PARAMETER"})
"""Names the parameter and not the order."""
_ORDER_ERRORS = frozenset({
    "orderError", "orderUpdateError", "validationError", "noRouteError", "noOrderToCancel",
    "VALIDATION_FAILURE", "INVALID_ORDER_ACTION", "OUTDATED_ORDER_UPDATE", "ORDER_UPDATE_FOLLOWING_CANCEL",
    "NO_ROUTE_TO_TARGET", "OTHER_ORDER_ACTIVE", "START_NODE_OUT_OF_RANGE", "MOBILE_ROBOT_NOT_AVAILABLE",
    "UNKNOWN_MAP_ID", "INSUFFICIENT_MEMORY",
})  # fmt: skip
