"""The slotting problem, its parameters and its plans, each checked when it is built.

Travel is the sum of the exact tours of all orders, each order one tour from the depot and back; a slot may add metres
a pick (`reach_m`), which is how a golden zone at the height of the hands is told apart from the floor and the top; and
where several pick at a time, an aisle in which much is picked costs what they wait for each other (`crowd.py`).
"""

import math
from collections.abc import Sequence
from functools import cached_property

import msgspec
import numpy as np
import numpy.typing as npt

from contracts.errors import Broken, Rejected
from dispatcher.optimizers.picking.exact import shortest_length_m
from dispatcher.optimizers.picking.warehouse import Picks, Warehouse

Ints = npt.NDArray[np.int64]
NO_GROUP = -1


class Slots(msgspec.Struct, frozen=True):
    """Where parts can lie: bays along the aisles, some slots in each.

    `bay_aisle` and `bay_at_m` have shape (bays,) and run by aisle, then from the top; `slot_bay` (slots,) says in which
    bay a slot is, `reach_m` (slots,) what a pick from it costs besides the way there (m, at least 0), and `kind`
    (slots,) is a number that `Problem.allowed` refers to: a level that bears weight, a cold zone, a cage.
    """

    bay_aisle: Ints
    bay_at_m: npt.NDArray[np.float64]
    slot_bay: Ints
    reach_m: npt.NDArray[np.float64]
    kind: Ints


class Orders(msgspec.Struct, frozen=True, dict=True):
    """Distinct parts of each order, one after the other: order n has ``part[start[n]:start[n + 1]]``."""

    start: Ints
    part: Ints

    @classmethod
    def of(cls, orders: Sequence[Sequence[int]]) -> "Orders":
        """Collect orders given as part numbers; a part named twice in an order counts once."""
        sets = [sorted(set(o)) for o in orders]
        start = np.concatenate(([0], np.cumsum([len(s) for s in sets]))).astype(np.int64)
        return cls(start, np.array([p for s in sets for p in s], np.int64))

    def picks(self, parts: int) -> Ints:
        """How many orders ask for each part, shape (parts,)."""
        return np.bincount(self.part, minlength=parts).astype(np.int64)


class Problem(msgspec.Struct, frozen=True, dict=True):
    """Parts, the slots they may have, and the orders to learn from.

    Parameters
    ----------
    warehouse, slots, orders
        The floor, its slots, the history.
    parts
        Number of parts, at most the number of slots.
    kind
        Kind of each part, shape (parts,): its weight class, its family, what its storage asks for.
    allowed
        May a part of kind k lie in a slot of kind s: shape (part kinds, slot kinds).
    apart
        Parts with the same number never share a bay (look-alikes); NO_GROUP: none. Shape (parts,).
    together
        Parts with the same number share an aisle; NO_GROUP: none. Shape (parts,).
    pickers
        How many walk at a time, at least 1; with one nobody is in anybody's way.
    blocked_m
        What a pick costs for each other picker that is in its aisle (m, at least 0).

    Raises
    ------
    Rejected
        A shape or number is wrong, or a kind has more parts than slots that it may have; names it.
    """

    warehouse: Warehouse
    slots: Slots
    orders: Orders
    parts: int
    kind: Ints
    allowed: npt.NDArray[np.bool_]
    apart: Ints
    together: Ints
    pickers: int = 1
    blocked_m: float = 8.0

    def __post_init__(self) -> None:
        s, n = self.slots, len(self.slots.slot_bay)
        if not 1 <= self.parts <= n:
            raise Rejected("parts", self.parts, f"in 1..{n}, the number of slots")
        if self.pickers < 1:
            raise Rejected("pickers", self.pickers, "at least 1")
        if not (math.isfinite(self.blocked_m) and self.blocked_m >= 0):
            raise Rejected("blocked_m", self.blocked_m, "at least 0, and finite")
        for name, value in (("kind", self.kind), ("apart", self.apart), ("together", self.together)):
            if value.shape != (self.parts,):
                raise Rejected(name, value.shape, f"of shape {(self.parts,)}")
        for name, shape in (("reach_m", s.reach_m.shape), ("kind", s.kind.shape)):
            if shape != (n,):
                raise Rejected(f"slots/{name}", shape, f"of shape {(n,)}")
        Picks.sort(self.warehouse, s.bay_aisle, s.bay_at_m)
        if (np.lexsort((s.bay_at_m, s.bay_aisle)) != np.arange(len(s.bay_aisle))).any():
            raise Rejected("slots/bay_at_m", "unsorted", "sorted by aisle, then from the top")
        for bad in np.flatnonzero((s.slot_bay < 0) | (s.slot_bay >= len(s.bay_aisle))):
            raise Rejected(f"slots/slot_bay/{bad}", int(s.slot_bay[bad]), f"in 0..{len(s.bay_aisle) - 1}")
        for bad in np.flatnonzero(np.diff(s.slot_bay) < 0):
            raise Rejected(f"slots/slot_bay/{bad + 1}", int(s.slot_bay[bad + 1]), "ascending: slots go bay by bay")
        for bad in np.flatnonzero(~(s.reach_m >= 0)):
            raise Rejected(f"slots/reach_m/{bad}", float(s.reach_m[bad]), "at least 0")
        for bad in np.flatnonzero((self.orders.part < 0) | (self.orders.part >= self.parts)):
            raise Rejected(f"orders/part/{bad}", int(self.orders.part[bad]), f"in 0..{self.parts - 1}")
        for name, values, bound in (
            ("kind", self.kind, self.allowed.shape[0]),
            ("slots/kind", s.kind, self.allowed.shape[1]),
        ):
            for bad in np.flatnonzero((values < 0) | (values >= bound)):
                raise Rejected(f"{name}/{bad}", int(values[bad]), f"in 0..{bound - 1}, as `allowed` has it")
        for k in range(self.allowed.shape[0]):
            wanted, there = int((self.kind == k).sum()), int(self.allowed[k][s.kind].sum())
            if wanted > there:
                raise Rejected(f"kind/{k}", wanted, f"parts for the {there} slots where that kind may lie")

    @cached_property
    def picks(self) -> Ints:
        """How many orders ask for each part."""
        return self.orders.picks(self.parts)

    @cached_property
    def zone(self) -> Ints:
        """The stretch of aisle between two cross aisles in which each bay lies, shape (bays,)."""
        block = np.searchsorted(self.warehouse.cross_m, self.slots.bay_at_m, side="right") - 1
        return (self.slots.bay_aisle * self.warehouse.blocks + np.clip(block, 0, self.warehouse.blocks - 1)).astype(
            np.int64
        )

    @property
    def crowd_share(self) -> float:
        """What the square of the picks of an aisle costs (m): see `crowd.py`."""
        return self.blocked_m * (self.pickers - 1) / max(1, int(self.picks.sum()))

    def crowd_m(self, slot_of: Ints) -> float:
        """Return what all picks lose by pickers in each other's way."""
        load = np.bincount(self.zone[self.slots.slot_bay[slot_of]], weights=self.picks)
        return float(self.crowd_share * (load**2).sum())

    @cached_property
    def orders_of(self) -> tuple[Ints, Ints]:
        """The orders of each part: part p is in ``order[start[p]:start[p + 1]]``."""
        order = np.repeat(np.arange(len(self.orders.start) - 1), np.diff(self.orders.start))
        by_part = np.argsort(self.orders.part, kind="stable")
        return np.concatenate(([0], np.cumsum(self.picks))).astype(np.int64), order[by_part].astype(np.int64)


class Params(msgspec.Struct, frozen=True):
    """How hard to try. The same `swaps` and `seed` give the same plan.

    Parameters
    ----------
    swaps
        Exchanges tried; None: as many as `seconds` allow, measured at the start and recorded in the plan.
    seconds
        Guard, above 0.
    seed
        Of the random exchanges.
    start_share, end_share
        Temperature at first and at last, as a share of the mean tour length; in (0, 10].
    """

    swaps: int | None = None
    seconds: float = 60.0
    seed: int = 1
    start_share: float = 0.3
    end_share: float = 0.01

    def __post_init__(self) -> None:
        if self.swaps is not None and self.swaps < 0:
            raise Rejected("swaps", self.swaps, "at least 0")
        if not self.seconds > 0:
            raise Rejected("seconds", self.seconds, "above 0")
        if not 0 < self.end_share <= self.start_share <= 10:
            raise Rejected("end_share", self.end_share, f"in (0, start_share = {self.start_share}], at most 10")


class Plan(msgspec.Struct, frozen=True):
    """The slot of each part, shape (parts,), the travel of all orders (m), the reach of all picks (m), the effort.

    `crowd_m` is what pickers lose by being in each other's way (m).
    """

    slot_of: Ints
    travel_m: float
    reach_m: float
    swaps: int
    crowd_m: float = 0.0


def grid(
    warehouse: Warehouse, bays: int, levels: int, reach_m: Sequence[float] = (), kind: Sequence[int] = ()
) -> Slots:
    """Make equal bays: `bays` in each block of each aisle, `levels` slots in each, with reach and kind by level."""
    if not (1 <= bays <= 1_000 and 1 <= levels <= 100):
        raise Rejected("bays, levels", (bays, levels), "in 1..1000 and 1..100")
    for name, values in (("reach_m", reach_m), ("kind", kind)):
        if len(values) not in {0, levels}:
            raise Rejected(name, len(values), f"of {levels} numbers, one a level")
    cross = warehouse.cross_m
    at = np.concatenate(
        [cross[b] + (np.arange(bays) + 0.5) * length / bays for b, length in enumerate(warehouse.block_m)]
    )
    places = warehouse.aisles * len(at)
    return Slots(
        np.repeat(np.arange(warehouse.aisles), len(at)).astype(np.int64),
        np.tile(at, warehouse.aisles),
        np.repeat(np.arange(places), levels).astype(np.int64),
        np.tile(np.asarray(reach_m or (0.0,) * levels, np.float64), places),
        np.tile(np.asarray(kind or (0,) * levels, np.int64), places),
    )


def travel_m(problem: Problem, slot_of: Ints, orders: Orders | None = None) -> float:
    """Add up the exact tours of all orders (default: those of the problem), one by one."""
    o = orders or problem.orders
    s = problem.slots
    total = 0.0
    for a, b in zip(o.start[:-1].tolist(), o.start[1:].tolist(), strict=True):
        bays = np.unique(s.slot_bay[slot_of[o.part[a:b]]])
        total += shortest_length_m(problem.warehouse, Picks(s.bay_aisle[bays], s.bay_at_m[bays]))
    return total


def check(problem: Problem, plan: Plan) -> None:
    """Look at a plan without knowing how it was made.

    Raises
    ------
    Broken
        Two parts share a slot, a part lies where it may not, a group is torn apart or meets, or a figure is wrong.
    """
    s, slot_of = problem.slots, plan.slot_of
    if slot_of.shape != (problem.parts,) or len(np.unique(slot_of)) != problem.parts:
        raise Broken("plan: two parts share a slot, or a part has none")
    if ((slot_of < 0) | (slot_of >= len(s.slot_bay))).any():
        raise Broken("plan: a slot that does not exist")
    for p in np.flatnonzero(~problem.allowed[problem.kind, s.kind[slot_of]]):
        raise Broken(f"plan: part {p} of kind {problem.kind[p]} lies in a slot of kind {s.kind[slot_of[p]]}")
    bay = s.slot_bay[slot_of]
    grouped = np.flatnonzero(problem.apart != NO_GROUP)
    if len(np.unique(np.stack([problem.apart[grouped], bay[grouped]]), axis=1).T) != len(grouped):
        raise Broken("plan: parts that must be apart share a bay")
    for g in np.unique(problem.together[problem.together != NO_GROUP]):
        aisles = np.unique(s.bay_aisle[bay[problem.together == g]])
        if len(aisles) > 1:
            raise Broken(f"plan: group {g} lies in the aisles {aisles.tolist()}")
    reach = float((problem.picks * s.reach_m[slot_of]).sum())
    if not math.isclose(reach, plan.reach_m, rel_tol=1e-9, abs_tol=1e-6):
        raise Broken(f"plan: says {plan.reach_m} m of reach, picks take {reach} m")
    load: dict[tuple[int, int], int] = {}
    for k, picks in zip(bay.tolist(), problem.picks.tolist(), strict=True):
        block = sum(s.bay_at_m[k] >= x for x in problem.warehouse.cross_m[1:-1])
        load[int(s.bay_aisle[k]), block] = load.get((int(s.bay_aisle[k]), block), 0) + picks
    crowd = problem.blocked_m * (problem.pickers - 1) * sum(x * x for x in load.values()) / max(1, sum(load.values()))
    if not math.isclose(crowd, plan.crowd_m, rel_tol=1e-9, abs_tol=1e-6):
        raise Broken(f"plan: says that crowds cost {plan.crowd_m} m, they cost {crowd} m")
    length = travel_m(problem, slot_of)
    if not math.isclose(length, plan.travel_m, rel_tol=1e-9, abs_tol=1e-6):
        raise Broken(f"plan: says {plan.travel_m} m of travel, exact tours take {length} m")
