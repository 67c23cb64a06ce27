"""The ways to walk one stretch of an aisle between two cross aisles, and which wants each of them meets."""

import itertools

import msgspec

Effect = tuple[str, int]
"""How a stretch is walked: kind, and for `through` how many times more down than up."""
NONE: Effect = ("none", 0)
BOTH: Effect = ("both", 0)
TOP: Effect = ("top", 0)
BOTTOM: Effect = ("bottom", 0)
GAP: Effect = ("gap", 0)


class Option(msgspec.Struct, frozen=True):
    """A way to walk a stretch: its cost, which wants with a choice it meets, how far in from the top and the bottom.

    `earns` are wants that need not be met, and whose prize is taken off the cost.
    """

    effect: Effect
    cost: float
    meets: int
    down_to_m: float
    up_to_m: float
    earns: int = 0


def ways_to_walk(
    top: float, bottom: float, weight: float, spots: list[tuple[float, int]], down: bool, up: bool, most_flow: int
) -> list[Option]:
    """List the ways to walk a stretch; `spots` are (place in m, bit of the want; 0: it is the only one), ascending."""
    everything = 0
    for _, bit in spots:
        everything |= bit
    needed = [m for m, bit in spots if bit == 0]
    length = (bottom - top) * weight
    found = [] if needed else [Option(NONE, 0.0, 0, top, bottom)]
    for t in range(1, max(1, most_flow) + 1):
        if down:
            found.append(Option(("through", t), t * length, everything, bottom, bottom))
        if up and most_flow:
            found.append(Option(("through", -t), t * length, everything, bottom, bottom))
    if down and up:
        found.append(Option(BOTH, 2 * length, everything, bottom, bottom))
    if not spots:
        return found
    places = sorted({m for m, _ in spots})
    # the ends are corners: whoever comes by picks there, whatever the direction of the aisle
    inside = places if down and up else [m for m in places if m in {top, bottom}]
    upper = [None, *(m for m in inside if (down and up) or m == top)]
    lower = [*(m for m in inside if (down and up) or m == bottom), None]
    best: dict[tuple[Effect, int], Option] = {}
    for a, b in itertools.product(upper, lower):
        if (a is None and b is None) or (a is not None and b is not None and a >= b):
            continue
        inward = top if a is None else a
        outward = bottom if b is None else b
        taken = [bit for m, bit in spots if (a is not None and m <= a) or (b is not None and m >= b)]
        if sum(bit == 0 for bit in taken) < len(needed):
            continue
        meets = 0
        for bit in taken:
            meets |= bit
        effect = TOP if b is None else BOTTOM if a is None else GAP
        cost = 2 * weight * (inward - top + bottom - outward)
        now = best.get((effect, meets))
        if now is None or cost < now.cost:
            best[effect, meets] = Option(effect, cost, meets, inward, outward)
    return found + list(best.values())


def earning(options: list[Option], prize: dict[int, float]) -> list[Option]:
    """Take prizes off the costs; of each effect only the cheapest is left for each set of the other wants."""
    best: dict[tuple[Effect, int], Option] = {}
    won = sum(prize)
    for o in options:
        earns = o.meets & won
        cost = o.cost - sum(value for bit, value in prize.items() if bit & earns)
        key = (o.effect, o.meets & ~won)
        if key not in best or cost < best[key].cost:
            best[key] = Option(o.effect, cost, key[1], o.down_to_m, o.up_to_m, earns)
    return list(best.values())
