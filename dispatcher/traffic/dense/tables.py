"""Costs to a goal from every cell, without turns: one table per goal in a pool that forgets the least recently used."""

from collections import OrderedDict

import numpy as np
from numba import njit
from numpy.typing import NDArray

from contracts.errors import Rejected
from dispatcher.traffic.dense.grid import FAR, Grid, Ints, Shorts

Longs = NDArray[np.int64]


class CellTables:
    """A pool (rows, C) of tables; costs as in `grid`, `FAR` where there is no way.

    Parameters
    ----------
    cost
        (C, 4) cost of the way from a cell to each neighbour.
    rows
        Tables that are kept; at least one more than robots that use one at a time.
    """

    def __init__(self, grid: Grid, cost: Shorts, rows: int) -> None:
        self.pool: Shorts = np.empty((rows, len(grid)), np.uint16)
        self.built = 0
        self._nbr = grid.nbr
        self._cost = cost
        used = cost[grid.nbr >= 0]
        self._even = int(used[0]) if len(used) and (used == used[0]).all() else 0
        self._most = int(cost.max())
        self._row: OrderedDict[int, int] = OrderedDict()
        self._users = [0] * rows
        self._free = list(range(rows - 1, -1, -1))
        self._buckets = np.empty((self._most + 1, len(grid) + 1), np.int32)
        self._fill = np.empty(self._most + 1, np.int64)

    def take(self, goal: int) -> int:
        """Return the row of the table to a goal, in use until it is given back."""
        row = self._row.get(goal)
        if row is not None:
            self._row.move_to_end(goal)
        else:
            row = self._free.pop() if self._free else self._forget()
            self._row[goal] = row
            self.built += 1
            if self._even:
                flood(self.pool[row], goal, self._nbr, self._even, self._buckets[0])
            else:
                spread(self.pool[row], goal, self._nbr, self._cost, self._buckets, self._fill)
        self._users[row] += 1
        return row

    def give_back(self, row: int) -> None:
        """End one use of a row."""
        self._users[row] -= 1

    def _forget(self) -> int:
        for goal, row in self._row.items():
            if not self._users[row]:
                del self._row[goal]
                return row
        raise Rejected("table_rows", len(self.pool), "more than goals that robots have at one time")


@njit(cache=True)
def spread(table: Shorts, goal: int, nbr: Ints, cost: Shorts, buckets: Ints, fill: Longs) -> None:
    """Fill a table backwards from the goal (Dial's algorithm: one bucket per cost modulo the largest)."""
    table[:] = FAR
    table[goal] = 0
    rounds = len(fill)
    fill[:] = 0
    buckets[0, 0] = goal
    fill[0] = 1
    waiting = 1
    now = 0
    while waiting > 0:
        b = now % rounds
        n = fill[b]
        fill[b] = 0
        waiting -= n
        for i in range(n):
            c = buckets[b, i]
            if table[c] != now:
                continue
            for d in range(4):
                p = nbr[c, d]
                if p >= 0:
                    t = now + cost[p, (d + 2) & 3]
                    if t < table[p]:
                        table[p] = t
                        k = t % rounds
                        buckets[k, fill[k]] = p
                        fill[k] += 1
                        waiting += 1
        now += 1


@njit(cache=True)
def flood(table: Shorts, goal: int, nbr: Ints, step: int, queue: Ints) -> None:
    """Fill a table where every way costs the same (breadth first)."""
    table[:] = FAR
    table[goal] = 0
    queue[0] = goal
    head, tail = 0, 1
    while head < tail:
        c = queue[head]
        head += 1
        t = table[c] + step
        for d in range(4):
            p = nbr[c, d]
            if p >= 0 and table[p] == FAR:
                table[p] = t
                queue[tail] = p
                tail += 1
