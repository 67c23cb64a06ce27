"""The life of a fire door. Pure; a door that does not arrive, contradicts itself or is in fire alarm is in fault."""

from enum import StrEnum

import msgspec


class Door(StrEnum):
    """Where the door stands."""

    UNKNOWN = "unknown"
    CLOSED = "closed"
    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"
    FAULT = "fault"


class DoorEvent(StrEnum):
    """What happens to the door."""

    ASK_OPEN = "ask_open"
    ASK_CLOSE = "ask_close"
    AT_OPEN = "at_open"
    AT_CLOSED = "at_closed"
    BETWEEN = "between"
    TIME_OUT = "time_out"
    BROKEN = "broken"


_D, _E = Door, DoorEvent
TRANSITIONS: dict[tuple[Door, DoorEvent], Door] = {
    (_D.CLOSED, _E.ASK_OPEN): _D.OPENING,
    (_D.CLOSING, _E.ASK_OPEN): _D.OPENING,
    (_D.OPEN, _E.ASK_CLOSE): _D.CLOSING,
    (_D.OPENING, _E.ASK_CLOSE): _D.CLOSING,
    (_D.CLOSED, _E.AT_OPEN): _D.OPEN,
    (_D.OPENING, _E.AT_OPEN): _D.OPEN,
    (_D.OPEN, _E.AT_CLOSED): _D.CLOSED,
    (_D.CLOSING, _E.AT_CLOSED): _D.CLOSED,
    (_D.OPEN, _E.BETWEEN): _D.CLOSING,  # somebody moves it by hand, or another asked
    (_D.CLOSED, _E.BETWEEN): _D.OPENING,
    (_D.OPENING, _E.TIME_OUT): _D.FAULT,
    (_D.CLOSING, _E.TIME_OUT): _D.FAULT,
    **{(d, _E.BROKEN): _D.FAULT for d in _D},
    (_D.FAULT, _E.AT_OPEN): _D.OPEN,
    (_D.FAULT, _E.AT_CLOSED): _D.CLOSED,
    (_D.UNKNOWN, _E.AT_OPEN): _D.OPEN,
    (_D.UNKNOWN, _E.AT_CLOSED): _D.CLOSED,
    (_D.UNKNOWN, _E.BETWEEN): _D.CLOSING,
}

TOLD: dict[Door, str] = {
    _D.UNKNOWN: "fault",
    _D.CLOSED: "closed",
    _D.OPENING: "moving",
    _D.OPEN: "open",
    _D.CLOSING: "moving",
    _D.FAULT: "fault",
}
"""The state of a `DoorChanged` event."""


def step(state: Door, event: DoorEvent) -> Door:
    """Return the next state; what the table does not name changes nothing."""
    return TRANSITIONS.get((state, event), state)


class DoorInputs(msgspec.Struct, frozen=True):
    """What the door's controller says."""

    is_open: bool
    is_closed: bool
    fire_alarm: bool


def event(inputs: DoorInputs) -> DoorEvent:
    """Read inputs as an event; both end switches at once is a fault."""
    if inputs.fire_alarm or (inputs.is_open and inputs.is_closed):
        return _E.BROKEN
    if inputs.is_open:
        return _E.AT_OPEN
    return _E.AT_CLOSED if inputs.is_closed else _E.BETWEEN
