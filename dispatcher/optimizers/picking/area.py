"""A floor for pickers as it really is: one-way aisles, several depots, items in several places, aisles full of others.

A pick list is what one person is to bring on one walk. Every want names one place or several; one of them is enough.
"""

from typing import Literal

import msgspec

from contracts.errors import Rejected
from dispatcher.optimizers.picking.warehouse import Warehouse

MOST_CROWD = 100.0
MOST_M = 10_000.0


class Depot(msgspec.Struct, frozen=True):
    """Where a walk can begin or end: where `aisle` meets the cross aisle `cross` (0: the top one)."""

    id: str
    aisle: int
    cross: int


class OneWay(msgspec.Struct, frozen=True):
    """A rule for an aisle (`down` from the top, or `up`) or a cross aisle (`right`, to higher numbers, or `left`).

    Parameters
    ----------
    toward
        Where it may be walked.
    aisle
        For `down` and `up`.
    block
        Only there; None: in all blocks of the aisle.
    cross
        For `right` and `left`.
    """

    toward: Literal["down", "up", "right", "left"]
    aisle: int | None = None
    block: int | None = None
    cross: int | None = None


class Busy(msgspec.Struct, frozen=True):
    """Others pick in this aisle: each metre there counts as ``1 + crowd`` metres; crowd in [0, 100]."""

    aisle: int
    crowd: float


class Spot(msgspec.Struct, frozen=True):
    """A place in an aisle, metres from the top cross aisle."""

    aisle: int
    at_m: float
    id: str = ""


class Want(msgspec.Struct, frozen=True):
    """Something to bring, from any one of its spots."""

    id: str
    spots: tuple[Spot, ...]


class Area(msgspec.Struct, frozen=True):
    """Parallel aisles cut into blocks by cross aisles, with depots.

    Parameters
    ----------
    aisles, pitch_m, block_m
        As of `Warehouse`.
    depots
        At least one.
    one_way, busy
        What differs from free walking both ways.

    Raises
    ------
    Rejected
        A value is out of its range; names the element.
    """

    aisles: int
    pitch_m: float
    block_m: tuple[float, ...]
    depots: tuple[Depot, ...]
    one_way: tuple[OneWay, ...] = ()
    busy: tuple[Busy, ...] = ()

    def __post_init__(self) -> None:
        for name, value in (("pitch_m", self.pitch_m), *((f"block_m/{b}", m) for b, m in enumerate(self.block_m))):
            if not value <= MOST_M:
                raise Rejected(name, value, f"at most {MOST_M:g}")
        Warehouse(self.aisles, self.pitch_m, self.block_m)
        if not self.depots:
            raise Rejected("depots", [], "at least one")
        names = [d.id for d in self.depots]
        for n, d in enumerate(self.depots):
            if d.id in names[:n]:
                raise Rejected(f"depots/{n}/id", d.id, "new: another one has that name")
            _within(f"depots/{d.id}/aisle", d.aisle, self.aisles)
            _within(f"depots/{d.id}/cross", d.cross, len(self.block_m) + 1)
        for n, rule in enumerate(self.one_way):
            along = rule.toward in {"down", "up"}
            if (
                along != (rule.aisle is not None)
                or along == (rule.cross is not None)
                or (not along and rule.block is not None)
            ):
                raise Rejected(
                    f"one_way/{n}", rule.toward, "of an aisle for down and up, of a cross aisle for right and left"
                )
            _within(f"one_way/{n}/aisle", rule.aisle or 0, self.aisles)
            _within(f"one_way/{n}/block", rule.block or 0, len(self.block_m))
            _within(f"one_way/{n}/cross", rule.cross or 0, len(self.block_m) + 1)
        for n, b in enumerate(self.busy):
            _within(f"busy/{n}/aisle", b.aisle, self.aisles)
            if not 0 <= b.crowd <= MOST_CROWD:
                raise Rejected(f"busy/{n}/crowd", b.crowd, f"in 0..{MOST_CROWD:g}")

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return len(self.block_m)

    def cross_m(self) -> tuple[float, ...]:
        """Positions of the cross aisles from the top (m)."""
        return tuple(sum(self.block_m[:k]) for k in range(self.blocks + 1))

    def warehouse(self, depot: Depot) -> Warehouse:
        """Return the area as the literature knows it: both ways, nobody else, one depot."""
        return Warehouse(self.aisles, self.pitch_m, self.block_m, depot.aisle, depot.cross)

    def closed(self) -> frozenset[tuple[str, int, int]]:
        """What must not be walked, as (direction, aisle, block) and (direction, cross aisle, 0)."""
        against = {"down": "up", "up": "down", "right": "left", "left": "right"}
        found = set()
        for rule in self.one_way:
            if rule.aisle is not None:
                blocks = range(self.blocks) if rule.block is None else (rule.block,)
                found |= {(against[rule.toward], rule.aisle, b) for b in blocks}
            elif rule.cross is not None:
                found.add((against[rule.toward], rule.cross, 0))
        return frozenset(found)

    def weight(self) -> dict[int, float]:
        """What a metre counts in each aisle where others are."""
        found: dict[int, float] = {}
        for b in self.busy:
            found[b.aisle] = found.get(b.aisle, 1.0) + b.crowd
        return found


def _within(name: str, value: int, count: int) -> None:
    if not 0 <= value < count:
        raise Rejected(name, value, f"in 0..{count - 1}")


class PickList(msgspec.Struct, frozen=True):
    """What is to be brought on one walk, which begins at one of `starts` and ends at one of `ends`.

    Parameters
    ----------
    area
        Where.
    wants
        What; one spot of each.
    starts
        Names of depots; empty: any depot.
    ends
        Names of depots; empty: the walk ends where it began.

    Raises
    ------
    Rejected
        A spot lies outside, a want has none, a depot is not known, a name is used twice; names the element.
    """

    area: Area
    wants: tuple[Want, ...]
    starts: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        known = {d.id for d in self.area.depots}
        for field in ("starts", "ends"):
            for n, name in enumerate(getattr(self, field)):
                if name not in known:
                    raise Rejected(f"{field}/{n}", name, "a depot of the area")
        far, seen = self.area.cross_m()[-1], set[str]()
        for w in self.wants:
            if w.id in seen:
                raise Rejected(f"wants/{w.id}/id", w.id, "new: another one has that name")
            seen.add(w.id)
            if not w.spots:
                raise Rejected(f"wants/{w.id}/spots", [], "at least one place")
            for n, s in enumerate(w.spots):
                _within(f"wants/{w.id}/spots/{n}/aisle", s.aisle, self.area.aisles)
                if not 0 <= s.at_m <= far:
                    raise Rejected(f"wants/{w.id}/spots/{n}/at_m", s.at_m, f"in 0..{far}")

    def depots(self, names: tuple[str, ...]) -> tuple[Depot, ...]:
        """Return the depots of these names; of none: all."""
        return tuple(d for d in self.area.depots if not names or d.id in names)
