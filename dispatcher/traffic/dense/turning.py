"""The planner for robots that turn: forward, right, left or wait, one action a step for all."""

import time
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from contracts.errors import Rejected
from dispatcher.traffic.dense import epibt
from dispatcher.traffic.dense.grid import Grid, Ints, Shorts
from dispatcher.traffic.dense.operations import Actions, operations
from dispatcher.traffic.dense.tables import CellTables

_BATCH = 2_000
_TURN = np.array([0, 1, 3, 0], np.int8)


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """How hard the planner looks for operations that fit.

    Raises
    ------
    Rejected
        A value is out of its bounds; names the field.
    """

    depth: int = 4
    """Steps of an operation (2 to 5)."""
    rounds: int = 60_000
    """Chains that the local search tries in a step."""
    budget_ms: float = 0.0
    """If above 0, the local search goes on until a step has taken so long, whatever `rounds` says; what a step with
    many new tables takes too long is saved in those after it, so that the mean keeps to it."""
    settle: tuple[int, int, int] = (40, 1_000, 10)
    """Longest chain, operations tried, and asks of one robot, when robots settle by rank."""
    improve: tuple[int, int, int] = (20, 400, 10)
    """The same for a chain of the local search."""
    weight: int = 1_000
    """A robot's costs weigh from 1 (the farthest from its goal) to 1 more than this (the nearest)."""
    seed: int = 1

    def __post_init__(self) -> None:
        if not 2 <= self.depth <= 5:
            raise Rejected("depth", self.depth, "from 2 to 5")
        for field in ("rounds", "budget_ms", "weight", "seed"):
            if getattr(self, field) < 0:
                raise Rejected(field, getattr(self, field), "0 or more")
        for field in ("settle", "improve"):
            limits = getattr(self, field)
            if min(limits) < 1 or limits[2] > 100:
                raise Rejected(field, limits, "at least 1 each, the last one at most 100")


class TurningPlanner:
    """Plans every robot's next action; robots are rows of arrays.

    Parameters
    ----------
    grid, cost
        The map, and what each way costs (see `grid.one_way`).
    pos, heading
        (R,) where robots stand at first, each in a cell of its own, and their headings (0 to 3).
    search
        See `Search`.
    table_rows
        Distance tables kept, above R; each takes two bytes a cell.
    """

    def __init__(
        self, grid: Grid, cost: Shorts, pos: Ints, heading: Actions, search: Search, *, table_rows: int
    ) -> None:
        n = len(pos)
        if len(np.unique(pos)) != n:
            raise Rejected("pos", n - len(np.unique(pos)), "a cell of its own for each robot")
        if table_rows <= n:
            raise Rejected("table_rows", table_rows, f"more than robots ({n})")
        self._grid, self._cost, self._search = grid, cost, search
        self.tables = CellTables(grid, cost, table_rows)
        self._actions, self._rest = operations(search.depth)
        kinds = len(self._actions)
        self.pos, self.heading = pos.astype(np.int32), heading.astype(np.int8)
        self.goal: Ints = np.full(n, -1, np.int32)
        self._row: Ints = np.zeros(n, np.int32)
        self._current: Ints = np.full(n, kinds - 1, np.int32)
        self._cells = np.zeros((n, kinds, search.depth), np.int32)
        self._value = np.zeros((n, kinds), np.int32)
        self._op = np.zeros((n, kinds), np.int32)
        self._count = np.zeros(n, np.int32)
        self._rank = np.zeros(n, np.int32)
        self._at = np.zeros((search.depth + 1, len(grid)), np.int32)
        self._done = np.zeros(n, np.int8)
        self._weight = np.ones(n, np.int32)
        self._robots = np.arange(n)
        self._seed = search.seed
        self._owed_ms = 0.0
        self.rounds = 0
        """Chains tried so far."""

    def step(self, goal: Ints) -> Actions:
        """Plan one step for the goals (R,) and return each robot's action (R,), which it is taken to do."""
        begin = time.perf_counter()
        self.aim(goal)
        epibt.evaluate(
            self.pos, self.heading, self.goal, self._row, self.tables.pool, self._grid.nbr, self._cost,
            self._actions, self._current, self._cells, self._value, self._op, self._count, self._rank,
        )  # fmt: skip
        epibt.occupy(self.pos, self._cells, self._rank, self._at)
        order = np.argsort(self.tables.pool[self._row, self.pos], kind="stable")
        self._weight[order] = 1 + self._search.weight * (len(order) - self._robots) // max(1, len(order))
        epibt.settle(order, *self._search.settle, *self._state())
        if budget_ms := self._search.budget_ms:
            while 1_000 * (time.perf_counter() - begin) < budget_ms - self._owed_ms:
                self._improve(_BATCH)
            over_ms = 1_000 * (time.perf_counter() - begin) - budget_ms
            self._owed_ms = min(max(0.0, self._owed_ms + over_ms), budget_ms)
        else:
            self._improve(self._search.rounds)
        return self._act()

    def aim(self, goal: Ints) -> None:
        """Take over the robots' goals (R,), building the tables of new ones."""
        for r in np.flatnonzero(goal != self.goal).tolist():
            if self.goal[r] >= 0:
                self.tables.give_back(int(self._row[r]))
            self._row[r] = self.tables.take(int(goal[r]))
            self.goal[r] = goal[r]

    def _improve(self, rounds: int) -> None:
        self._seed += 1
        self.rounds += rounds
        epibt.improve(rounds, *self._search.improve, self._seed, *self._state())

    def _act(self) -> Actions:
        op = self._op[self._robots, self._rank]
        actions: Actions = self._actions[op, 0]
        self.pos = self._cells[self._robots, self._rank, 0].copy()
        self.heading = ((self.heading + _TURN[actions]) & 3).astype(np.int8)
        self._current = self._rest[op].astype(np.int32)
        return actions

    def _state(self) -> tuple[NDArray[Any], ...]:
        return (self.pos, self._cells, self._value, self._weight, self._count, self._rank, self._at, self._done)
