"""PIBT for robots that move to one of four neighbours a step, without turning.

Okumura, Machida, Défago and Tamura, "Priority Inheritance with Backtracking for Iterative Multi-agent Path Finding",
Artificial Intelligence 310 (2022). Rank is the time since the last goal.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from contracts.errors import Rejected
from dispatcher.traffic.dense.grid import Grid, Ints, Shorts
from dispatcher.traffic.dense.tables import CellTables

Longs = NDArray[np.int64]


class FourPlanner:
    """Plans every robot's next cell; robots are rows of arrays.

    Parameters
    ----------
    grid, cost
        The map, and what each way costs.
    pos
        (R,) where robots stand at first, each in a cell of its own.
    table_rows
        Distance tables kept, above R.
    """

    def __init__(self, grid: Grid, cost: Shorts, pos: Ints, *, table_rows: int, seed: int = 1) -> None:
        n = len(pos)
        if len(np.unique(pos)) != n:
            raise Rejected("pos", n - len(np.unique(pos)), "a cell of its own for each robot")
        if table_rows <= n:
            raise Rejected("table_rows", table_rows, f"more than robots ({n})")
        self._grid, self._cost = grid, cost
        self.tables = CellTables(grid, cost, table_rows)
        self.pos = pos.astype(np.int32)
        self.goal: Ints = np.full(n, -1, np.int32)
        self._row: Ints = np.zeros(n, np.int32)
        self._age = np.zeros(n, np.int64)
        # a rank of its own for each robot, so that two never push each other back and forth
        self._luck = np.random.default_rng(seed).permutation(n).astype(np.int64)
        self._now = np.full(len(grid), -1, np.int32)
        self._next = np.full(len(grid), -1, np.int32)

    def step(self, goal: Ints) -> Ints:
        """Plan one step for the goals (R,) and return each robot's next cell (R,), where it is taken to go."""
        self.aim(goal)
        self._age += 1
        n = len(self.pos)
        order = np.argsort(-(self._age * n + self._luck))
        self.pos = pibt(
            order, self.pos, self._row, self.tables.pool, self._grid.nbr, self._cost, self._now, self._next,
        )  # fmt: skip
        return self.pos

    def aim(self, goal: Ints) -> None:
        """Take over the robots' goals (R,), building the tables of new ones."""
        for r in np.flatnonzero(goal != self.goal).tolist():
            if self.goal[r] >= 0:
                self.tables.give_back(int(self._row[r]))
            self._row[r] = self.tables.take(int(goal[r]))
            self.goal[r] = goal[r]
            self._age[r] = 0


@njit(cache=True)
def pibt(order: Longs, pos: Ints, row: Ints, pool: Shorts, nbr: Ints, cost: Shorts, now: Ints, then: Ints) -> Ints:
    """Return each robot's next cell; `now` and `then` (C,) are scratch, -1 before and after."""
    n = len(pos)
    to = np.full(n, -1, np.int32)
    option = np.empty((n, 5), np.int32)
    worth = np.empty(5, np.int64)
    left = np.zeros(n, np.int64)
    tried = np.zeros(n, np.int64)
    chain = np.empty(n, np.int64)
    for r in range(n):
        now[pos[r]] = r
    for first in order:
        if to[first] >= 0:
            continue
        level = 0
        chain[0] = first
        fresh = True
        while level >= 0:
            r = chain[level]
            u = pos[r]
            if fresh:
                table = pool[row[r]]
                k = 0
                for d in range(5):
                    v = u if d == 4 else nbr[u, d]
                    if v < 0:
                        continue
                    # the cost onwards, then a free cell rather than one that somebody must leave
                    w = (table[v] if d == 4 else table[v] + cost[u, d] - 4) * 2 + (1 if now[v] >= 0 and d != 4 else 0)
                    i = k
                    while i > 0 and worth[i - 1] > w:
                        worth[i] = worth[i - 1]
                        option[r, i] = option[r, i - 1]
                        i -= 1
                    worth[i] = w
                    option[r, i] = v
                    k += 1
                left[r], tried[r] = k, 0
                to[r] = u  # decided, for those that are pushed
                fresh = False
            pushed = -1
            found = False
            while tried[r] < left[r]:
                v = option[r, tried[r]]
                tried[r] += 1
                if then[v] >= 0:
                    continue
                x = now[v]
                if x >= 0 and x != r and to[x] == u:
                    continue  # they would change places
                then[v] = r
                to[r] = v
                if x >= 0 and x != r and to[x] < 0:
                    pushed = x
                found = True
                break
            if pushed >= 0:
                level += 1
                chain[level] = pushed
                fresh = True
            elif found:
                level = -1
            else:
                then[u] = r
                to[r] = u
                level -= 1
    for r in range(n):
        now[pos[r]] = -1
        then[to[r]] = -1
    return to
