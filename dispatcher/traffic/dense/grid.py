"""A grid of cells as arrays: free cells numbered row by row, and what the way to each neighbour costs."""

import numpy as np
from numpy.typing import NDArray

from contracts.errors import Rejected

Ints = NDArray[np.int32]
Shorts = NDArray[np.uint16]
Flags = NDArray[np.bool_]

EAST, SOUTH, WEST, NORTH = range(4)
"""Directions as the League of Robot Runners numbers them: a turn to the right adds one. Rows count to the south."""
STEP = 4
"""What one step of time counts in costs, so that guidance can weigh finer than a step."""
FAR = 65_535
_OFFSETS = ((0, 1), (1, 0), (0, -1), (-1, 0))


class Grid:
    """C free cells of a map.

    Parameters
    ----------
    free
        (height, width) whether a cell can be driven on.

    Attributes
    ----------
    cell
        (height, width) number of a cell, -1 where it is blocked.
    row, column
        (C,) where a cell lies.
    nbr
        (C, 4) the cell to the east, south, west, north, or -1.
    """

    def __init__(self, free: Flags) -> None:
        if free.ndim != 2 or not free.any():
            raise Rejected("free", free.shape, "a map of two dimensions with at least one free cell")
        self.height, self.width = free.shape
        self.cell: Ints = np.full(free.shape, -1, np.int32)
        self.cell[free] = np.arange(np.count_nonzero(free), dtype=np.int32)
        self.row, self.column = (x.astype(np.int32) for x in np.nonzero(free))
        padded = np.pad(self.cell, 1, constant_values=-1)
        self.nbr: Ints = np.stack([padded[1 + self.row + y, 1 + self.column + x] for y, x in _OFFSETS], axis=1)

    def __len__(self) -> int:
        return len(self.row)


def plain(grid: Grid) -> Shorts:
    """Return costs (C, 4) without guidance: a step each way."""
    return np.full((len(grid), 4), STEP, np.uint16)


def one_way(grid: Grid, against: int = 120, beside: int = 2) -> Shorts:
    """Return costs (C, 4) that make neighbouring roads one-way streets in opposite directions.

    Rows that are roads lead east and west by turns, columns that are roads south and north. A road is a row (column) in
    which at least half as many cells have a neighbour along it as in the one that has most. Rows between two roads
    (places at the rim, gaps between shelves) take turns too, but weakly.

    Parameters
    ----------
    against
        Added to `STEP` for driving against a road's direction. Strict is better: with 8 (three steps) robots meet head
        on in lanes and the warehouse of MR23-I-10 jams; 16 to 120 flow alike.
    beside
        The same between roads.
    """
    cost = plain(grid)
    for axis, place, size in (((EAST, WEST), grid.row, grid.height), ((SOUTH, NORTH), grid.column, grid.width)):
        joined = np.bincount(place, weights=grid.nbr[:, axis[0]] >= 0, minlength=size)
        road = joined >= max(1, joined.max() / 2)
        roads = np.flatnonzero(road)
        turn = np.zeros(size, np.int64)
        if len(roads):
            last = np.searchsorted(roads, np.arange(size), side="right") - 1
            turn = (np.abs(np.arange(size) - roads[np.maximum(last, 0)]) + np.maximum(last, 0)) % 2
        more = np.where(road, against, beside).astype(np.uint16)
        for way in (0, 1):
            mine = turn[place] == way
            cost[mine, axis[1 - way]] += more[place[mine]]
    return cost
