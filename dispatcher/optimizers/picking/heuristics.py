"""What people and most systems walk: S-shape, largest gap and combined, for any number of blocks and any depot.

R. W. Hall: Distance approximations for routing manual pickers in a warehouse (IIE Transactions 25, 1993) for one block;
K. J. Roodbergen, R. de Koster: Routing methods for warehouses with multiple cross aisles (IJPR 39, 2001) for several.
They are baselines; `exact` is never longer.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable

from dispatcher.optimizers.picking.tour import Place, Tour
from dispatcher.optimizers.picking.warehouse import Picks, Warehouse

Block = dict[int, list[float]]
"""Picks of one block by aisle, as distances (m) from the depot's cross aisle, ascending."""
Walk = list[Place]
Routing = Callable[[Walk, Block, float, float, bool], None]
"""Appends to the walk what it takes to pick one block, from its front or its back to its front."""


def s_shape(warehouse: Warehouse, picks: Picks) -> Tour:
    """Walk through every stretch with picks, turning round only in the last one of a block."""
    return _tour(warehouse, picks, _s_shape)


def largest_gap(warehouse: Warehouse, picks: Picks) -> Tour:
    """Walk into every stretch from both ends up to its largest gap, and through the outermost ones."""
    return _tour(warehouse, picks, _largest_gap)


def combined(warehouse: Warehouse, picks: Picks) -> Tour:
    """Choose for every stretch, in order, whether to walk through or to turn round; best for that order."""
    return _tour(warehouse, picks, _combined)


def _tour(warehouse: Warehouse, picks: Picks, routing: Routing) -> Tour:
    if not len(picks.aisle):
        return Tour(0.0, (), ())
    cross = [float(c) for c in warehouse.cross_m]
    home = cross[warehouse.depot_cross]
    walk: Walk = [(warehouse.depot_aisle, 0.0)]
    places: list[Place] = []
    for sign, ends in ((-1, cross[warehouse.depot_cross :: -1]), (1, cross[warehouse.depot_cross :])):
        fronts = [abs(c - home) for c in ends]
        blocks: list[Block] = [defaultdict(list) for _ in fronts[1:]]
        for j, at in zip(picks.aisle.tolist(), picks.at_m.tolist(), strict=True):
            y = sign * (at - home)
            if y > 0 or (y == 0 and (sign > 0 or len(ends) > 1) and (sign < 0 or warehouse.depot_cross == 0)):
                k = next(k for k in range(len(blocks)) if y <= fronts[k + 1])
                blocks[k][j].append(y)
        walk = [(warehouse.depot_aisle, 0.0)]
        _side(walk, [{j: sorted(b[j]) for j in sorted(b)} for b in blocks], fronts, routing)
        places += [(j, home + sign * y) for j, y in walk][1 if places else 0 :]
    length = sum(
        abs(a[1] - b[1]) if a[0] == b[0] else abs(a[0] - b[0]) * warehouse.pitch_m
        for a, b in itertools.pairwise(places)
    )
    return Tour(length, tuple(places), _passed(picks, places))


def _passed(picks: Picks, places: list[Place]) -> tuple[int, ...]:
    left = {n: (int(picks.aisle[n]), float(picks.at_m[n])) for n in range(len(picks.aisle))}
    order: list[int] = []
    for (j, a), (k, b) in itertools.pairwise([places[0], *places]):
        lo, hi = min(a, b), max(a, b)
        met = [n for n, (i, at) in left.items() if (i == k and (at == b or (j == k and lo <= at <= hi)))]
        order += sorted(met, key=lambda n: abs(left[n][1] - a))
        for n in met:
            del left[n]
    return tuple(order)


def _side(walk: Walk, blocks: list[Block], fronts: list[float], routing: Routing) -> None:
    """Pick one side of the depot's cross aisle and come back to the depot."""
    filled = [k for k, b in enumerate(blocks) if b]
    if not filled:
        return
    depot, far = walk[0][0], filled[-1]
    aisles = sorted({j for b in blocks for j in b})
    first = aisles[0] if abs(aisles[0] - depot) <= abs(aisles[-1] - depot) else aisles[-1]
    if far > 0:  # on the way out everything in that aisle is taken along
        _go(walk, first, fronts[far])
        for b in blocks[:far]:
            b.pop(first, None)
    for k in range(far, -1, -1):
        if blocks[k]:
            routing(walk, blocks[k], fronts[k], fronts[k + 1], k < far)
        _go(walk, walk[-1][0], fronts[k])
    _go(walk, depot, 0.0)


def _go(walk: Walk, aisle: int, y: float) -> None:
    """Along the cross aisle where the walk is, then along `aisle`."""
    if walk[-1][0] != aisle:
        walk.append((aisle, walk[-1][1]))
    if walk[-1][1] != y:
        walk.append((aisle, y))


def _order(walk: Walk, block: Block) -> list[int]:
    """Aisles from the end that is nearer to where the walk is."""
    aisles, here = sorted(block), walk[-1][0]
    return aisles if abs(aisles[0] - here) <= abs(aisles[-1] - here) else aisles[::-1]


def _s_shape(walk: Walk, block: Block, front: float, back: float, at_back: bool) -> None:
    aisles = _order(walk, block)
    for n, j in enumerate(aisles):
        if not at_back and n == len(aisles) - 1:
            _go(walk, j, block[j][-1])
            _go(walk, j, front)
        else:
            _go(walk, j, front if at_back else back)
            at_back = not at_back


def _largest_gap(walk: Walk, block: Block, front: float, back: float, at_back: bool) -> None:
    aisles = _order(walk, block)
    if not at_back:
        if len(aisles) == 1:
            _s_shape(walk, block, front, back, at_back=False)
            return
        _go(walk, aisles.pop(0), back)
    last = aisles.pop()
    from_front: dict[int, float] = {}
    for j in aisles:
        stops = [front, *block[j], back]
        gaps = [b - a for a, b in itertools.pairwise(stops)]
        cut = gaps.index(max(gaps))
        if cut > 0:
            from_front[j] = stops[cut]
        if cut < len(gaps) - 1:
            _go(walk, j, stops[cut + 1])
            _go(walk, j, back)
    _go(walk, last, front)
    for j in reversed(aisles):
        if j in from_front:
            _go(walk, j, from_front[j])
            _go(walk, j, front)


def _combined(walk: Walk, block: Block, front: float, back: float, at_back: bool) -> None:
    aisles = _order(walk, block)
    depth = back - front
    far = float("inf")
    # cost so far and the ways taken, with the picker at the front, at the back
    best: list[tuple[float, tuple[bool, ...]]] = [(far, ()), (0.0, ())] if at_back else [(0.0, ()), (far, ())]
    for j in aisles:
        turns = (2 * (block[j][-1] - front), 2 * (back - block[j][0]))
        best = [
            min(
                (best[end][0] + turns[end], (*best[end][1], False)),
                (best[1 - end][0] + depth, (*best[1 - end][1], True)),
            )
            for end in (0, 1)
        ]
    for j, through in zip(aisles, best[0][1], strict=True):
        if through:
            at_back = not at_back
            _go(walk, j, back if at_back else front)
        else:
            _go(walk, j, block[j][0] if at_back else block[j][-1])
            _go(walk, j, back if at_back else front)
