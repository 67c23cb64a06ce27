"""The rectangular warehouse of the literature: parallel aisles, cut into blocks by cross aisles."""

from functools import cached_property

import msgspec
import numpy as np
import numpy.typing as npt

from contracts.errors import Rejected


class Warehouse(msgspec.Struct, frozen=True, dict=True):
    """Parallel aisles that run from the top cross aisle down to the bottom one.

    Parameters
    ----------
    aisles
        Number of aisles, 1 to 1000.
    pitch_m
        Distance between neighbouring aisles, along a cross aisle; above 0.
    block_m
        Length of each block from cross aisle to cross aisle, top first; each above 0, 1 to 5 blocks.
    depot_aisle
        The aisle at whose end the tour begins and ends.
    depot_cross
        The cross aisle that the depot lies on: 0 is the top one, ``len(block_m)`` the bottom one.

    Raises
    ------
    Rejected
        A value is out of its range; names it.
    """

    aisles: int
    pitch_m: float
    block_m: tuple[float, ...]
    depot_aisle: int = 0
    depot_cross: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.aisles <= 1000:
            raise Rejected("aisles", self.aisles, "in 1..1000")
        if not 0 < self.pitch_m < np.inf:
            raise Rejected("pitch_m", self.pitch_m, "above 0, and a number")
        if not 1 <= len(self.block_m) <= 5:
            raise Rejected("block_m", self.block_m, "one to five blocks")
        for b, length in enumerate(self.block_m):
            if not 0 < length < np.inf:
                raise Rejected(f"block_m/{b}", length, "above 0, and a number")
        if not 0 <= self.depot_aisle < self.aisles:
            raise Rejected("depot_aisle", self.depot_aisle, f"in 0..{self.aisles - 1}")
        if not 0 <= self.depot_cross <= len(self.block_m):
            raise Rejected("depot_cross", self.depot_cross, f"in 0..{len(self.block_m)}")

    @cached_property
    def cross_m(self) -> npt.NDArray[np.float64]:
        """Positions of the cross aisles from the top, shape (blocks + 1,)."""
        return np.concatenate(([0.0], np.cumsum(np.asarray(self.block_m, np.float64))))

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return len(self.block_m)


class Picks(msgspec.Struct, frozen=True):
    """What is to be picked: parallel arrays of shape (n,), sorted by aisle and then from the top.

    `at_m` is the position along the aisle from the top cross aisle; `sort` brings any order into this one.
    """

    aisle: npt.NDArray[np.int64]
    at_m: npt.NDArray[np.float64]

    @classmethod
    def sort(cls, warehouse: Warehouse, aisle: npt.ArrayLike, at_m: npt.ArrayLike) -> "Picks":
        """Check and sort picks.

        Raises
        ------
        Rejected
            A pick lies outside the warehouse; names its number, counted from 0.
        """
        aisles, at = np.asarray(aisle, np.int64).ravel(), np.asarray(at_m, np.float64).ravel()
        if aisles.shape != at.shape:
            raise Rejected("at_m", at.shape, f"as long as aisle: {aisles.shape}")
        far = float(warehouse.cross_m[-1])
        for bad in np.flatnonzero((aisles < 0) | (aisles >= warehouse.aisles)):
            raise Rejected(f"picks/{bad}/aisle", int(aisles[bad]), f"in 0..{warehouse.aisles - 1}")
        for bad in np.flatnonzero(~((at >= 0) & (at <= far))):
            raise Rejected(f"picks/{bad}/at_m", float(at[bad]), f"in 0..{far}")
        order = np.lexsort((at, aisles))
        return cls(aisles[order], at[order])
