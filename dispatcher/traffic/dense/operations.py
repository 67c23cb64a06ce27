"""Operations: what a robot can do in the next few steps, each way of moving once.

An operation is a sequence of actions (forward, turn right, turn left, wait). Of those that visit the same cells at the
same times and end with the same heading, one is kept. Of four steps and more, those are left out that wait in the
middle or turn more than twice (88 become 62, which costs a third less and moves as much).
Yukhnevich and Andreychuk, "Enhancing PIBT via Multi-Action
Operations" (EPIBT), AAAI 2026.
"""

from itertools import product

import numpy as np
from numpy.typing import NDArray

FORWARD, RIGHT, LEFT, WAIT = range(4)
LETTERS = "FRCW"
"""Names of the actions in the League of Robot Runners' output."""
_TURN = {FORWARD: 0, RIGHT: 1, LEFT: 3, WAIT: 0}
Actions = NDArray[np.int8]


def operations(depth: int) -> tuple[Actions, NDArray[np.int16]]:
    """Return the operations of a length, and what remains of each after its first step.

    Returns
    -------
    actions
        (operations, depth); the last one is to wait all the time.
    rest
        (operations,) the operation that does the rest and then waits.
    """
    kept: dict[tuple[int, ...], tuple[int, ...]] = {}
    for actions in product((FORWARD, RIGHT, LEFT, WAIT), repeat=depth):
        if depth > 3 and not _simple(actions):
            continue
        key = _trace(actions)
        if key not in kept or _later(actions) < _later(kept[key]):
            kept[key] = actions
    wait = (WAIT,) * depth
    found = [a for a in kept.values() if a != wait] + [wait]
    number = {_trace(a): k for k, a in enumerate(found)}
    rest = [number[_trace((*a[1:], WAIT))] for a in found]
    return np.array(found, np.int8), np.array(rest, np.int16)


def _trace(actions: tuple[int, ...]) -> tuple[int, ...]:
    """The headings of the forward steps (-1 for others), and the last heading."""
    heading, trace = 0, []
    for a in actions:
        heading = (heading + _TURN[a]) % 4
        trace.append(heading if a == FORWARD else -1)
    return (*trace, heading)


def _simple(actions: tuple[int, ...]) -> bool:
    core = "".join(LETTERS[a] for a in actions).strip(LETTERS[WAIT])
    return LETTERS[WAIT] not in core and sum(core.count(LETTERS[a]) for a in (RIGHT, LEFT)) <= 2


def _later(actions: tuple[int, ...]) -> tuple[int, ...]:
    """Fewer turns come first, then those that turn earlier."""
    turns = sum(a in {RIGHT, LEFT} for a in actions)
    return (turns, *(k for k, a in enumerate(actions) if a in {RIGHT, LEFT}))
