"""Which pieces of an order travel in which tote: first fit, largest claim first, split only where it must be."""

from collections.abc import Sequence

import msgspec


class ToteParams(msgspec.Struct, frozen=True):
    """What a tote holds.

    Raises
    ------
    ValueError
        A capacity is not positive.
    """

    volume_ml: int = 60_000
    weight_g: int = 25_000

    def __post_init__(self) -> None:
        if self.volume_ml < 1 or self.weight_g < 1:
            raise ValueError(f"tote capacity: {self.volume_ml} ml and {self.weight_g} g are not both above 0")


class Claim(msgspec.Struct, frozen=True):
    """`qty` pieces of one line that are reserved on one stock row of a bin."""

    line: int
    item: str
    stock: int
    bin: str
    qty: int
    volume_ml: int
    """Of one piece."""
    weight_g: int
    """Of one piece."""
    hand: bool = False
    """Whether a person fetches it with a cart, rather than a robot the pod."""


class Carton(msgspec.Struct, frozen=True):
    """One tote's part of an order; `oversize`: a single piece that is larger or heavier than a tote allows."""

    claims: tuple[Claim, ...]
    oversize: bool

    @property
    def hand(self) -> bool:
        """Whether a person fills it: what stands in bins and what stands on shelves never share a tote."""
        return self.claims[0].hand


class _Open:
    def __init__(self, params: ToteParams) -> None:
        self.volume_ml = params.volume_ml
        self.weight_g = params.weight_g
        self.claims: list[Claim] = []

    def room(self, claim: Claim) -> int:
        """How many pieces still fit."""
        by_volume = self.volume_ml // claim.volume_ml if claim.volume_ml else claim.qty
        by_weight = self.weight_g // claim.weight_g if claim.weight_g else claim.qty
        return min(by_volume, by_weight, claim.qty)

    def put(self, claim: Claim) -> None:
        self.volume_ml -= claim.qty * claim.volume_ml
        self.weight_g -= claim.qty * claim.weight_g
        self.claims.append(claim)


def cartonize(claims: Sequence[Claim], params: ToteParams) -> list[Carton]:
    """Spread claims over totes.

    Parameters
    ----------
    claims
        In any order; the answer does not depend on it.
    params
        What one tote holds.

    Returns
    -------
    list of Carton
        Each piece in exactly one tote, no tote over its volume or weight but the oversize ones, which hold one piece.
        A claim is split only where it is larger than an empty tote. Claims of a tote are in order of line and bin.
        Those that robots fill come before those that people fill; none is filled by both.
    """
    if any(c.hand for c in claims) and not all(c.hand for c in claims):
        return [x for hand in (False, True) for x in cartonize([c for c in claims if c.hand is hand], params)]
    totes: list[_Open] = []
    oversize: list[Carton] = []
    for claim in sorted(claims, key=lambda c: (-c.qty * c.volume_ml, c.line, c.bin, c.stock)):
        if claim.volume_ml > params.volume_ml or claim.weight_g > params.weight_g:
            single = msgspec.structs.replace(claim, qty=1)
            oversize += [Carton((single,), oversize=True)] * claim.qty
            continue
        left = claim.qty
        while left:
            rest = msgspec.structs.replace(claim, qty=left)
            tote = next((t for t in totes if t.room(rest) == left), None)
            if tote is None:
                tote = _Open(params)
                totes.append(tote)
            taken = tote.room(rest)
            tote.put(msgspec.structs.replace(claim, qty=taken))
            left -= taken
    plain = [Carton(tuple(sorted(t.claims, key=lambda c: (c.line, c.bin, c.stock))), oversize=False) for t in totes]
    return plain + sorted(oversize, key=lambda c: (c.claims[0].line, c.claims[0].bin))
