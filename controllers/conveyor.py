"""The life of a conveyor line: started, running, jammed, stopped by its emergency stop. Pure.

It starts again by itself when the cause is gone: the line's own safety circuit decides whether it may move. So while
it is jammed, run and reset are held: the controller takes them as soon as its photo-eye is free.
"""

from enum import StrEnum


class Conveyor(StrEnum):
    """Where the line stands."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    JAMMED = "jammed"
    ESTOP = "estop"


class ConveyorEvent(StrEnum):
    """What happens to the line."""

    START = "start"
    STOP = "stop"
    RUNS = "runs"
    STANDS = "stands"
    JAM = "jam"
    JAM_CLEARED = "jam_cleared"
    ESTOP = "estop"
    ESTOP_RELEASED = "estop_released"


_C, _E = Conveyor, ConveyorEvent
TRANSITIONS: dict[tuple[Conveyor, ConveyorEvent], Conveyor] = {
    (_C.STOPPED, _E.START): _C.STARTING,
    (_C.STOPPED, _E.JAM): _C.JAMMED,
    (_C.STARTING, _E.RUNS): _C.RUNNING,
    (_C.STARTING, _E.STOP): _C.STOPPED,
    (_C.STARTING, _E.JAM): _C.JAMMED,
    (_C.RUNNING, _E.STANDS): _C.STARTING,
    (_C.RUNNING, _E.STOP): _C.STOPPED,
    (_C.RUNNING, _E.JAM): _C.JAMMED,
    (_C.JAMMED, _E.JAM_CLEARED): _C.STARTING,
    (_C.JAMMED, _E.STOP): _C.STOPPED,
    **{(state, _E.ESTOP): _C.ESTOP for state in _C},
    (_C.ESTOP, _E.ESTOP_RELEASED): _C.STARTING,
}

OUTPUTS: dict[Conveyor, dict[str, bool]] = {
    _C.STOPPED: {"run": False, "reset": False},
    _C.STARTING: {"run": True, "reset": True},
    _C.RUNNING: {"run": True, "reset": False},
    _C.JAMMED: {"run": True, "reset": True},
    _C.ESTOP: {"run": False, "reset": False},
}
"""What the line's coils are in each state."""


def step(state: Conveyor, event: ConveyorEvent) -> Conveyor:
    """Return the next state; what the table does not name changes nothing."""
    return TRANSITIONS.get((state, event), state)


def events(bits: dict[str, bool], changed: dict[str, bool]) -> list[ConveyorEvent]:
    """Read changed input bits as events, the most serious first; `bits` are all inputs as they are now."""
    found: list[ConveyorEvent] = []
    if changed.get("estop"):
        found.append(_E.ESTOP)
    if changed.get("jam"):
        found.append(_E.JAM)
    if "jam" in changed and not changed["jam"]:
        found.append(_E.JAM_CLEARED)
    if "estop" in changed and not changed["estop"]:
        found += [_E.ESTOP_RELEASED, *([_E.JAM] if bits.get("jam") else [])]
    if "running" in changed:
        found.append(_E.RUNS if changed["running"] else _E.STANDS)
    return found
