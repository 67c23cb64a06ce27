"""The batching problem, its parameters and its plans, each checked when it is built."""

import math
from collections import Counter
from functools import cached_property

import msgspec
import numpy as np
import numpy.typing as npt

from contracts.errors import Broken, Rejected
from dispatcher.optimizers.picking.exact import shortest_length_m
from dispatcher.optimizers.picking.warehouse import Picks, Warehouse

_TOLERANCE_M = 1e-6


class Problem(msgspec.Struct, frozen=True, dict=True):
    """Orders to be put on tours of limited capacity.

    Parameters
    ----------
    warehouse
        Where they are picked.
    orders
        The picks of each order, at least one each.
    load
        What each order takes of each capacity, shape (orders, dimensions), integers of at least 0: pieces, grams,
        millilitres, totes.
    capacity
        What one tour can hold, shape (dimensions,).

    Raises
    ------
    Rejected
        An order has no picks or fits on no tour; names it by its number, counted from 0.
    """

    warehouse: Warehouse
    orders: tuple[Picks, ...]
    load: npt.NDArray[np.int64]
    capacity: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.load.shape != (len(self.orders), len(self.capacity)):
            raise Rejected("load", self.load.shape, f"of shape {(len(self.orders), len(self.capacity))}")
        for n, picks in enumerate(self.orders):
            if not len(picks.aisle):
                raise Rejected(f"orders/{n}", 0, "an order with at least one pick")
        for n, d in np.argwhere((self.load < 0) | (self.load > self.capacity)):
            raise Rejected(f"load/{n}/{d}", int(self.load[n, d]), f"in 0..{int(self.capacity[d])}, what one tour holds")

    @cached_property
    def spots(self) -> Picks:
        """All distinct places, sorted."""
        if not self.orders:
            return Picks(np.empty(0, np.int64), np.empty(0))
        aisle = np.concatenate([p.aisle for p in self.orders])
        at = np.concatenate([p.at_m for p in self.orders])
        both = np.unique(np.stack([aisle.astype(np.float64), at], axis=1), axis=0)
        return Picks(both[:, 0].astype(np.int64), np.ascontiguousarray(both[:, 1]))

    @cached_property
    def bits(self) -> npt.NDArray[np.uint64]:
        """The places of each order as a bit set over `spots`, shape (orders, words)."""
        place = {(int(a), float(x)): n for n, (a, x) in enumerate(zip(self.spots.aisle, self.spots.at_m, strict=True))}
        bits = np.zeros((len(self.orders), max(1, -(-len(place) // 64))), np.uint64)
        for n, picks in enumerate(self.orders):
            for a, x in zip(picks.aisle, picks.at_m, strict=True):
                spot = place[int(a), float(x)]
                bits[n, spot // 64] |= np.uint64(1 << (spot % 64))
        return bits


class Params(msgspec.Struct, frozen=True):
    """How hard to try. The same `proposals` and `seed` give the same plan.

    Parameters
    ----------
    proposals
        Moves tried by the annealing; None: as many as `seconds` allow, measured at the start and recorded in the plan.
    seconds
        Wall-clock guard for everything, above 0.
    seed
        Of the random moves.
    start_share, end_share
        Temperature at first and at last, as a share of the mean tour length; in (0, 1]. Above
        150 orders a half and a third of them.
    pool
        How many batches that were seen are kept for the set partitioning; 0 leaves it out.
    """

    proposals: int | None = None
    seconds: float = 10.0
    seed: int = 1
    start_share: float = 0.04
    end_share: float = 0.006
    pool: int = 20_000

    def __post_init__(self) -> None:
        if self.proposals is not None and self.proposals < 0:
            raise Rejected("proposals", self.proposals, "at least 0")
        if not self.seconds > 0:
            raise Rejected("seconds", self.seconds, "above 0")
        if not 0 < self.end_share <= self.start_share <= 1:
            raise Rejected("end_share", self.end_share, f"in (0, start_share = {self.start_share}], at most 1")
        if self.pool < 0:
            raise Rejected("pool", self.pool, "at least 0")


class Plan(msgspec.Struct, frozen=True):
    """Which orders share a tour (by number, ascending), how far that is, and the effort it took."""

    batches: tuple[tuple[int, ...], ...]
    length_m: float
    proposals: int


def joined(problem: Problem, batch: tuple[int, ...]) -> Picks:
    """Return the picks of a batch, sorted."""
    return Picks.sort(
        problem.warehouse,
        np.concatenate([problem.orders[n].aisle for n in batch]),
        np.concatenate([problem.orders[n].at_m for n in batch]),
    )


def check(problem: Problem, plan: Plan) -> None:
    """Look at a plan without knowing how it was made.

    Raises
    ------
    Broken
        An order is missing or planned twice, a tour holds too much, or the length is not what exact tours give.
    """
    times = Counter(n for batch in plan.batches for n in batch)
    if times != Counter(range(len(problem.orders))):
        raise Broken(f"plan: orders {sorted(set(range(len(problem.orders))) ^ set(times))} are not planned once")
    for b, batch in enumerate(plan.batches):
        load = problem.load[list(batch)].sum(axis=0)
        if (load > problem.capacity).any():
            raise Broken(f"plan: batch {b} takes {load.tolist()} of {problem.capacity.tolist()}")
    length = sum(shortest_length_m(problem.warehouse, joined(problem, batch)) for batch in plan.batches)
    if not math.isclose(length, plan.length_m, abs_tol=_TOLERANCE_M):
        raise Broken(f"plan: says {plan.length_m} m, exact tours take {length} m")
