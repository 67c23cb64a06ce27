"""Ratliff and Rosenthal's dynamic program with directions: one-way aisles, a choice of depots, a choice of places.

The walk grows from left to right as a directed multigraph. A state says of each corner of the frontier how many more
ways leave it than enter it (without one-way rules: whether their number is odd), and which corners are connected; a bit
set beside it says which wants with a choice were met already and which depots were chosen. It forgets a want behind its
last place, so that there are few sets where the places of one want lie near to each other. What is left of a layer that
is too wide is given up, cheapest last; the cheapest walk that could have been lost so is the bound.

After H. D. Ratliff, A. S. Rosenthal (Operations Research 31, 1983); several places of an item after F. Weidinger,
N. Boysen, M. Schneider: Picker routing in the mixed-shelves warehouses of e-commerce retailers (EJOR 274, 2019).
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from dispatcher.optimizers.picking.area import Depot, PickList
from dispatcher.optimizers.picking.effort import Effort
from dispatcher.optimizers.picking.stretches import Effect, Option, earning, ways_to_walk

State = tuple[tuple[int, int], ...]
"""Of each corner of the frontier: ways out minus ways in, and its component; -1 where nobody was."""
_SLACK_M = 1e-9
"""Sums of the same metres in another order differ by less."""


class Step(msgspec.Struct, frozen=True):
    """What was chosen: an option of a stretch, or how many ways along a cross aisle (`two`: there and back)."""

    aisle: int
    block: int
    cross: int
    option: Option | None
    flow: int
    two: bool


class Swept(msgspec.Struct, frozen=True):
    """The cheapest walk found, its steps, and a bound; exact where both are the same."""

    cost: float
    bound: float
    steps: tuple[Step, ...]
    start: Depot | None
    end: Depot | None


class _Bits:
    """Which bit stands for what."""

    def __init__(self, picks: PickList) -> None:
        free = [w for w in picks.wants if len(w.spots) > 1]
        self.of = {w.id: 1 << k for k, w in enumerate(free)}
        self.start = 1 << len(free)
        self.end = self.start << 1
        self.depots = self.start | self.end


def _normal(parts: list[tuple[int, int]]) -> State:
    names: dict[int, int] = {}
    return tuple((out, -1 if part < 0 else names.setdefault(part, len(names))) for out, part in parts)


def _left(out: int, modulo: int) -> int:
    return out % modulo if modulo else out


def _walk(state: State, block: int, effect: Effect, modulo: int) -> State:
    kind, flow = effect
    if kind == "none":
        return state
    parts, fresh = list(state), len(state)
    for corner, sign, touched in ((block, 1, kind != "bottom"), (block + 1, -1, kind != "top")):
        out, part = parts[corner]
        if touched:
            parts[corner] = (_left(out + sign * flow, modulo), fresh + corner if part < 0 else part)
    if kind in {"through", "both"}:
        old, new = parts[block + 1][1], parts[block][1]
        parts = [(out, new if part == old else part) for out, part in parts]
    return _normal(parts)


def _move_on(state: State, cross: int, flow: int, two: bool, modulo: int) -> State | None:
    part = state[cross][1]
    edges = two or flow != 0
    if not edges and part >= 0 and sum(other == part for _, other in state) == 1:
        return None
    parts = list(state)
    parts[cross] = (_left(-flow, modulo), -1 if not edges else (len(state) + cross if part < 0 else part))
    return _normal(parts)


class _Plan:
    """What each stretch holds and costs at least, column by column."""

    def __init__(self, picks: PickList, bits: _Bits, prizes: Mapping[str, float]) -> None:
        area = picks.area
        prize = {bits.of[name]: value for name, value in prizes.items()}
        self.cross = area.cross_m()
        closed, weight = area.closed(), area.weight()
        held: dict[tuple[int, int], list[tuple[float, int]]] = defaultdict(list)
        last: dict[int, tuple[int, int]] = {}
        for w in picks.wants:
            for s in w.spots:
                b = next(b for b in range(area.blocks) if s.at_m <= self.cross[b + 1])
                bit = bits.of.get(w.id, 0)
                held[s.aisle, b].append((s.at_m, bit))
                if bit and bit not in prize:
                    last[bit] = max(last.get(bit, (0, 0)), (s.aisle, b))
        self.done: dict[tuple[int, int], int] = defaultdict(int)
        for bit, where in last.items():
            self.done[where] |= bit
        starts, ends = picks.depots(picks.starts), picks.depots(picks.ends) if picks.ends else ()
        columns = [j for j, _ in held] + [d.aisle for d in (*starts, *ends)]
        # where ways differ, one outside of what is wanted may be better
        self.first, self.last = (0, area.aisles - 1) if closed or weight else (min(columns), max(columns))
        needed = [(j, b) for (j, b), spots in held.items() if any(bit == 0 for _, bit in spots)]
        flow = 0 if not closed else len(held) + 1
        self.options = {}
        for j in range(self.first, self.last + 1):
            for b in range(area.blocks):
                self.options[j, b] = ways_to_walk(
                    self.cross[b], self.cross[b + 1], weight.get(j, 1.0), sorted(held.get((j, b), [])),
                    ("down", j, b) not in closed, ("up", j, b) not in closed, flow,
                )  # fmt: skip
                if prize:
                    self.options[j, b] = earning(self.options[j, b], prize)
        far = self.needed_to = max((j for j, _ in needed), default=self.first)
        edges = 1 if picks.ends else 2
        least = {where: min(o.cost for o in options) for where, options in self.options.items()}
        rest = sum(least.values())
        self.rest: dict[tuple[int, int], float] = {}
        """What is still to come behind each stretch at least."""
        begun = max(min((d.aisle for d in starts), default=0), self.first)
        for j in range(self.first, self.last + 1):
            for b in range(area.blocks):
                rest -= least[j, b]
                onward = edges * area.pitch_m * max(0, far - max(j, begun)) if not picks.ends else 0.0
                self.rest[j, b] = rest + onward - _SLACK_M


def sweep(
    picks: PickList, most: int, upper: float = math.inf, prizes: Mapping[str, float] = MappingProxyType({}),
    effort: Effort | None = None,
) -> Swept:  # fmt: skip
    """Find the cheapest walk; with no more than `most` states a layer, and none that costs `upper` or more.

    The walk is empty (no steps) where none is found below `upper`; the bound holds all the same. Wants with a choice
    that `prizes` names need not be met; each stretch that meets one earns its prize. Stopped, it has no walk and no
    bound.
    """
    area, bits = picks.area, _Bits(picks)
    plan = _Plan(picks, bits, prizes)
    closed = area.closed()
    open_walk = bool(picks.ends)
    modulo = 0 if closed else 2  # without one-way rules it is enough to know what is odd
    begins: dict[tuple[int, int], Depot] = {(d.aisle, d.cross): d for d in picks.depots(picks.starts)}
    finishes = {(d.aisle, d.cross): d for d in picks.depots(picks.ends)} if open_walk else {}
    untouched: State = ((0, -1),) * (area.blocks + 1)
    walked: dict[tuple[State, int, Effect, int], State] = {}
    moved: dict[tuple[State, int, int, bool, int], State | None] = {}
    layer: dict[tuple[State, int], float] = {(untouched, 0): 0.0}
    traces: list[dict[tuple[State, int], tuple[tuple[State, int], Step]]] = []
    lost = best = upper
    ended: tuple[int, tuple[State, int], int] | None = None
    for j in range(plan.first, plan.last + 1):
        for b in range(area.blocks):
            if effort is not None and effort.stop():
                return Swept(math.inf, 0.0, (), None, None)
            following: dict[tuple[State, int], float] = {}
            trace: dict[tuple[State, int], tuple[tuple[State, int], Step]] = {}
            done, rest = plan.done[j, b], plan.rest[j, b]
            options = [(o, Step(j, b, 0, o, 0, two=False)) for o in plan.options[j, b]]
            for key, cost in layer.items():
                state, met = key
                for o, step in options:
                    now = met | o.meets
                    if now & done != done:
                        continue
                    there = cost + o.cost
                    if there + rest >= best:
                        continue
                    at = (state, b, o.effect, modulo)
                    onto = walked.get(at)
                    if onto is None:
                        onto = walked[at] = _walk(*at)
                    to = (onto, now & ~done)
                    if there < following.get(to, math.inf):
                        following[to] = there
                        trace[to] = (key, step)
            layer, cheapest = _narrowed(following, most, rest, bits.depots)
            lost = min(lost, cheapest)
            traces.append(trace)
        if j >= plan.needed_to:
            pending = 0
            for (column, _), bit in plan.done.items():
                pending |= bit if column > j else 0
            for key, cost in layer.items():
                if cost < best and key[1] & (bits.start - 1) == pending:
                    for chosen in _closings(key[0], key[1], j, begins, finishes, bits, open_walk, modulo):
                        best, ended = cost, (len(traces), key, chosen)
                        break
        if j == plan.last:
            break
        for i in range(area.blocks + 1):
            following, trace = {}, {}
            right, left = ("right", i, 0) not in closed, ("left", i, 0) not in closed
            rest = plan.rest[j, area.blocks - 1] - area.pitch_m * 2
            for key, cost in layer.items():
                state, met = key
                for chosen, supply in _choices((j, i), met, begins, finishes, bits, open_walk):
                    flow = _left(supply - state[i][0], modulo)
                    if (flow > 0 and not right) or (flow < 0 and not left):
                        continue
                    for two in (False, True) if flow == 0 else (False,):
                        if (two and not (right and left)) or (chosen and not two and not flow and state[i][1] < 0):
                            continue
                        there = cost + (2 if two else abs(flow)) * area.pitch_m
                        if there + rest >= best:
                            continue
                        move = (state, i, flow, two, modulo)
                        if move not in moved:
                            moved[move] = _move_on(*move)
                        onward = moved[move]
                        if onward is None:
                            continue
                        to = (onward, met | chosen)
                        if there < following.get(to, math.inf):
                            following[to] = there
                            trace[to] = (key, Step(j, 0, i, None, flow, two))
            layer, cheapest = _narrowed(following, most, rest, bits.depots)
            lost = min(lost, cheapest)
            traces.append(trace)
    if ended is None:
        return Swept(math.inf, lost, (), None, None)
    return _told(traces, ended, best, min(best, lost), begins, finishes, bits, open_walk)


def _choices(
    corner: tuple[int, int], met: int, begins: dict[tuple[int, int], Depot], finishes: dict[tuple[int, int], Depot],
    bits: _Bits, open_walk: bool,
) -> list[tuple[int, int]]:  # fmt: skip
    """Return which depots may be chosen here (bits), and how many more ways leave the corner than enter it then."""
    found = [(0, 0)]
    start = corner in begins and not met & bits.start
    end = corner in finishes and not met & bits.end
    if start:
        found.append((bits.start, 1 if open_walk else 0))
    if end:
        found.append((bits.end, -1))
    if start and end:
        found.append((bits.depots, 0))
    return found


def _closings(
    state: State, met: int, j: int, begins: dict[tuple[int, int], Depot], finishes: dict[tuple[int, int], Depot],
    bits: _Bits, open_walk: bool, modulo: int,
) -> list[int]:  # fmt: skip
    """Return how the depots that are not chosen yet can be in this column so that the walk is whole: corners + bits."""
    if len({part for _, part in state if part >= 0}) != 1:
        return []
    found = []
    crosses = range(len(state))
    firsts = [-1] if met & bits.start else [i for i in crosses if (j, i) in begins and state[i][1] >= 0]
    seconds = (
        [-1] if met & bits.end or not open_walk else [i for i in crosses if (j, i) in finishes and state[i][1] >= 0]
    )
    for a, b in itertools.product(firsts, seconds):
        supply = [0] * len(state)
        if open_walk and a >= 0:
            supply[a] += 1
        if open_walk and b >= 0:
            supply[b] -= 1
        if all(_left(out - s, modulo) == 0 for (out, _), s in zip(state, supply, strict=True)):
            found.append((a + 1) * len(state) * 2 + b + 1)
    return found


def _narrowed(
    layer: dict[tuple[State, int], float], most: int, rest: float, depots: int
) -> tuple[dict[tuple[State, int], float], float]:
    """Drop what another state with the same frontier and depots does as cheaply with more wants met; the dearest."""
    groups: dict[tuple[State, int], list[tuple[float, int]]] = defaultdict(list)
    for (state, met), cost in layer.items():
        groups[state, met & depots].append((cost, met))
    kept: list[tuple[float, State, int]] = []
    for (state, _), group in groups.items():
        if len(group) > 1:
            group.sort(key=lambda one: (one[0], -one[1]))
            first: list[int] = []
            for cost, met in group:
                if all(met & ~other or met == other for other in first):
                    first.append(met)
                    kept.append((cost, state, met))
        else:
            kept.append((group[0][0], state, group[0][1]))
    if len(kept) <= most:
        return {(state, met): cost for cost, state, met in kept}, math.inf
    kept.sort()
    return {(state, met): cost for cost, state, met in kept[:most]}, kept[most][0] + rest


def _told(
    traces: list[dict[tuple[State, int], tuple[tuple[State, int], Step]]], ended: tuple[int, tuple[State, int], int],
    cost: float, bound: float, begins: dict[tuple[int, int], Depot], finishes: dict[tuple[int, int], Depot],
    bits: _Bits, open_walk: bool,
) -> Swept:  # fmt: skip
    stage, key, closing = ended
    crosses = len(key[0])
    column = 0
    steps: list[Step] = []
    start = end = None
    for trace in reversed(traces[:stage]):
        before, step = trace[key]
        if not steps:
            column = step.aisle
            a, b = closing // (2 * crosses) - 1, closing % (2 * crosses) - 1
            start = begins[column, a] if a >= 0 else None
            end = finishes[column, b] if b >= 0 else None
        fresh = key[1] & ~before[1]
        if step.option is None and fresh & bits.start:
            start = begins[step.aisle, step.cross]
        if step.option is None and fresh & bits.end:
            end = finishes[step.aisle, step.cross]
        steps.append(step)
        key = before
    return Swept(cost, bound, tuple(reversed(steps)), start, end if open_walk else start)
