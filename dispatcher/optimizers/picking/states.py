"""Ratliff and Rosenthal's states for any number of cross aisles, and the tables of what leads from each to which.

The tour is built from left to right as a multigraph. Its frontier is one vertex a cross aisle; a state says for each
whether it is untouched, of odd or of even degree, and which of them are connected. Three steps act on it:

- vertical, block ``b``: how the stretch of aisle between cross aisles ``b`` and ``b + 1`` is walked;
- horizontal, cross aisle ``i``: 0, 1 or 2 edges to the next aisle, whose vertex takes the old one's place;
- none else: an item's position never matters, only the cost of a way of walking.

H. D. Ratliff, A. S. Rosenthal: Order-picking in a rectangular warehouse (Operations Research 31, 1983); several blocks
after K. J. Roodbergen, R. de Koster (EJOR 133, 2001), here with tables generated instead of written down.
"""

from functools import cache
from itertools import chain

import msgspec
import numpy as np
import numpy.typing as npt

NONE, ONCE, TWICE, FROM_TOP, FROM_BOTTOM, GAP = range(6)
"""Ways to walk a stretch: not, through once, through twice, in from one end and back, in from both but for a gap."""
UNTOUCHED, ODD, EVEN = range(3)

State = tuple[tuple[int, int], ...]
"""Per cross aisle (degree class, component); components are numbered in order of appearance, untouched ones are -1."""


class Tables(msgspec.Struct, frozen=True):
    """Transitions between numbered states; -1 where a step is not allowed. State 0 is the untouched one.

    ``vertical`` has shape (blocks, states, 6), ``horizontal`` (blocks + 1, states, 3), ``closed`` (states,) marks those
    that are one closed tour, ``untouched`` (blocks + 1, states) says which vertices no edge has reached.
    """

    vertical: npt.NDArray[np.int32]
    horizontal: npt.NDArray[np.int32]
    closed: npt.NDArray[np.bool_]
    untouched: npt.NDArray[np.bool_]


def _normal(parts: list[tuple[int, int]]) -> State:
    names: dict[int, int] = {}
    return tuple(
        (degree, -1) if degree == UNTOUCHED else (degree, names.setdefault(component, len(names)))
        for degree, component in parts
    )


def _add(degree: int, edges: int) -> int:
    if edges == 0:
        return degree
    odd = (degree == ODD) != (edges % 2 == 1)
    return ODD if odd else EVEN


def _walk(state: State, block: int, way: int) -> State:
    top_edges = {NONE: 0, ONCE: 1, TWICE: 2, FROM_TOP: 2, FROM_BOTTOM: 0, GAP: 2}[way]
    bottom_edges = {NONE: 0, ONCE: 1, TWICE: 2, FROM_TOP: 0, FROM_BOTTOM: 2, GAP: 2}[way]
    parts, fresh = list(state), len(state)
    for vertex, edges in ((block, top_edges), (block + 1, bottom_edges)):
        degree, component = parts[vertex]
        if edges:
            parts[vertex] = (_add(degree, edges), fresh + vertex if component < 0 else component)
    if way in {ONCE, TWICE}:
        old, new = parts[block + 1][1], parts[block][1]
        parts = [(d, new if c == old else c) for d, c in parts]
    return _normal(parts)


def _move_on(state: State, cross: int, edges: int) -> State | None:
    degree, component = state[cross]
    if _add(degree, edges) == ODD:
        return None
    if edges == 0 and degree != UNTOUCHED and sum(c == component for _, c in state) == 1:
        return None  # the component would be left behind
    parts = list(state)
    moved = _add(UNTOUCHED, edges)
    parts[cross] = (moved, -1 if moved == UNTOUCHED else (len(state) + cross if component < 0 else component))
    return _normal(parts)


@cache
def tables(blocks: int) -> Tables:
    """Generate the tables for a number of blocks, in 1..5."""
    crosses = blocks + 1
    start: State = tuple((UNTOUCHED, -1) for _ in range(crosses))
    number: dict[State, int] = {start: 0}
    waiting, rows = [start], []
    while waiting:
        state = waiting.pop()
        vertical = [[_walk(state, b, way) for way in range(6)] for b in range(blocks)]
        horizontal = [[_move_on(state, i, edges) for edges in range(3)] for i in range(crosses)]
        rows.append((number[state], vertical, horizontal))
        onward: list[State | None] = [*chain.from_iterable(vertical), *chain.from_iterable(horizontal)]
        for reached in (s for s in onward if s is not None):
            if reached not in number:
                number[reached] = len(number)
                waiting.append(reached)
    states = len(number)
    vertical_table = np.full((blocks, states, 6), -1, np.int32)
    horizontal_table = np.full((crosses, states, 3), -1, np.int32)
    for n, vertical, horizontal in rows:
        for b, group in enumerate(vertical):
            vertical_table[b, n] = [number[s] for s in group]
        for i, moves in enumerate(horizontal):
            horizontal_table[i, n] = [-1 if s is None else number[s] for s in moves]
    closed, untouched = np.zeros(states, np.bool_), np.zeros((crosses, states), np.bool_)
    for state, n in number.items():
        components = {c for d, c in state if d != UNTOUCHED}
        closed[n] = len(components) == 1 and all(d != ODD for d, _ in state)
        untouched[:, n] = [d == UNTOUCHED for d, _ in state]
    return Tables(vertical_table, horizontal_table, closed, untouched)
