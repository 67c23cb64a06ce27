"""The batching problem, its parameters and its plans, each checked when it is built."""

import itertools
import math
from collections import Counter, defaultdict
from functools import cached_property

import msgspec
import numpy as np
import numpy.typing as npt

from contracts.errors import Broken, Rejected
from dispatcher.optimizers.picking.exact import shortest_length_m
from dispatcher.optimizers.picking.warehouse import Picks, Warehouse

_TOLERANCE_M = 1e-6


class Promise(msgspec.Struct, frozen=True):
    """When orders are due, and who walks: batches go, in the order of their first due times, to who is free first.

    Parameters
    ----------
    due_s
        Of each order, shape (orders,); infinite: never.
    weight
        Of each order; what a second late counts, at least 0.
    handling_s
        Of each order: what its picks take besides walking, at least 0.
    free_s
        When each picker is free, shape (pickers,), at least one.
    setup_s
        What a batch takes besides.
    speed_mps
        Of walking, above 0.
    metres_a_late_s
        So many metres of walking are worth a second late of weight 1, at least 0.

    Raises
    ------
    Rejected
        A value is out of its range; names it.
    """

    due_s: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    handling_s: npt.NDArray[np.float64]
    free_s: npt.NDArray[np.float64]
    setup_s: float = 0.0
    speed_mps: float = 1.0
    metres_a_late_s: float = 1.0

    def __post_init__(self) -> None:
        if not len(self.free_s):
            raise Rejected("free_s", [], "at least one picker")
        for name, value in (("setup_s", self.setup_s), ("metres_a_late_s", self.metres_a_late_s)):
            if not 0 <= value < math.inf:
                raise Rejected(name, value, "at least 0, and finite")
        if not 0 < self.speed_mps < math.inf:
            raise Rejected("speed_mps", self.speed_mps, "above 0, and finite")
        for name in ("weight", "handling_s"):
            values = getattr(self, name)
            for bad in np.flatnonzero(~((values >= 0) & (values < np.inf))):
                raise Rejected(f"{name}/{bad}", float(values[bad]), "at least 0, and finite")
        for bad in np.flatnonzero(np.isnan(self.due_s) | (self.due_s == -np.inf)):
            raise Rejected(f"due_s/{bad}", float(self.due_s[bad]), "a time")
        for bad in np.flatnonzero(~np.isfinite(self.free_s)):
            raise Rejected(f"free_s/{bad}", float(self.free_s[bad]), "finite")


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
    promise
        Due times, if there are any.

    Raises
    ------
    Rejected
        An order has no picks or fits on no tour; names it by its number, counted from 0.
    """

    warehouse: Warehouse
    orders: tuple[Picks, ...]
    load: npt.NDArray[np.int64]
    capacity: npt.NDArray[np.int64]
    promise: Promise | None = None

    def __post_init__(self) -> None:
        if self.load.shape != (len(self.orders), len(self.capacity)):
            raise Rejected("load", self.load.shape, f"of shape {(len(self.orders), len(self.capacity))}")
        for n, picks in enumerate(self.orders):
            if not len(picks.aisle):
                raise Rejected(f"orders/{n}", 0, "an order with at least one pick")
        for n, d in np.argwhere((self.load < 0) | (self.load > self.capacity)):
            raise Rejected(f"load/{n}/{d}", int(self.load[n, d]), f"in 0..{int(self.capacity[d])}, what one tour holds")
        for name in ("due_s", "weight", "handling_s") if self.promise else ():
            if len(getattr(self.promise, name)) != len(self.orders):
                raise Rejected(name, len(getattr(self.promise, name)), f"as many as orders: {len(self.orders)}")

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
    """How hard to try. The same values give the same plan, and more proposals never a worse one.

    Parameters
    ----------
    proposals
        Moves tried by the annealing; None: as many as `seconds` allow, measured at the start and recorded in the plan.
    first
        Moves of a run of the annealing; three runs (one for more than 150 orders) are followed by the set partitioning,
        then come runs of twice as many, and so on. At least 1; None: 200,000, or where the proposals are measured so
        many that they are just enough for the first set partitioning.
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
    first: int | None = None
    seconds: float = 10.0
    seed: int = 1
    start_share: float = 0.04
    end_share: float = 0.006
    pool: int = 20_000

    def __post_init__(self) -> None:
        if self.proposals is not None and self.proposals < 0:
            raise Rejected("proposals", self.proposals, "at least 0")
        if self.first is not None and self.first < 1:
            raise Rejected("first", self.first, "at least 1")
        if not self.seconds > 0:
            raise Rejected("seconds", self.seconds, "above 0")
        if not 0 < self.end_share <= self.start_share <= 1:
            raise Rejected("end_share", self.end_share, f"in (0, start_share = {self.start_share}], at most 1")
        if self.pool < 0:
            raise Rejected("pool", self.pool, "at least 0")


class Turn(msgspec.Struct, frozen=True):
    """Who walks a batch (both by number) and when."""

    batch: int
    picker: int
    begin_s: float
    end_s: float


class Plan(msgspec.Struct, frozen=True):
    """Which orders share a tour (by number, ascending), how far that is, and the effort it took.

    With due times `turns` say who walks when, and `late_m` what lateness counts. `proposals` and `first`, given as
    `Params`, make the same plan again.
    """

    batches: tuple[tuple[int, ...], ...]
    length_m: float
    proposals: int
    late_m: float = 0.0
    turns: tuple[Turn, ...] = ()
    first: int = 0

    @property
    def cost_m(self) -> float:
        """Walking and lateness (m)."""
        return self.length_m + self.late_m


def schedule(
    problem: Problem, batches: tuple[tuple[int, ...], ...], lengths: list[float]
) -> tuple[tuple[Turn, ...], float]:
    """Give batches, in the order of their first due times, to who is free first; return turns and what is late (m)."""
    p = problem.promise
    if p is None:
        return (), 0.0
    free, late, turns = p.free_s.tolist(), 0.0, []
    for _, k in sorted((float(p.due_s[list(b)].min()), k) for k, b in enumerate(batches)):
        picker = free.index(min(free))
        begin = free[picker]
        members = list(batches[k])
        free[picker] = end = begin + p.setup_s + lengths[k] / p.speed_mps + float(p.handling_s[members].sum())
        late += float((p.weight[members] * np.maximum(0.0, end - p.due_s[members])).sum())
        turns.append(Turn(k, picker, begin, end))
    return tuple(turns), late * p.metres_a_late_s


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
        An order is missing or planned twice, a tour holds too much, the length is not what exact tours give, or
        the turns or what is late are not as they say.
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
    _check_turns(problem, plan)


def _check_turns(problem: Problem, plan: Plan) -> None:
    p = problem.promise
    if p is None:
        if plan.turns or plan.late_m:
            raise Broken("plan: nothing is due, and yet somebody is late")
        return
    if sorted(t.batch for t in plan.turns) != list(range(len(plan.batches))):
        raise Broken("plan: a batch has not exactly one turn")
    late = 0.0
    busy: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for t in plan.turns:
        batch = plan.batches[t.batch]
        walk_s = shortest_length_m(problem.warehouse, joined(problem, batch)) / p.speed_mps
        takes = p.setup_s + walk_s + sum(float(p.handling_s[n]) for n in batch)
        if t.begin_s < p.free_s[t.picker] - _TOLERANCE_M or not math.isclose(t.end_s - t.begin_s, takes, abs_tol=1e-3):
            raise Broken(f"plan: batch {t.batch} takes {takes} s, not from {t.begin_s} to {t.end_s}")
        busy[t.picker].append((t.begin_s, t.end_s))
        late += sum(float(p.weight[n]) * max(0.0, t.end_s - float(p.due_s[n])) for n in batch)
    for picker, times in busy.items():
        if any(after < end - 1e-3 for (_, end), (after, _) in itertools.pairwise(sorted(times))):
            raise Broken(f"plan: picker {picker} walks two batches at once")
    if not math.isclose(late * p.metres_a_late_s, plan.late_m, rel_tol=1e-9, abs_tol=1e-3):
        raise Broken(f"plan: says {plan.late_m} m for what is late, it is {late * p.metres_a_late_s} m")
