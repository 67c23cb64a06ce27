"""The transport problem and its parameters, each checked when it is built.

All amounts are integers: metres, seconds since the day's begin, and capacity in any units, a dimension each. Costs are
integers of one currency unit, small enough that all add up below 2**53.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from contracts.errors import Rejected

UNBOUNDED = 2**44
"""A time (s) or a distance (m) that never binds."""
NO_WAY = -1
"""In a matrix: from there to here nobody drives."""
_LARGEST = 2**53
"""Of a capacity; and about what a plan may cost, for JSON and so that no planner runs over 64 bits."""
_DEAREST = 2**30
"""Of what a metre or a second costs."""


class Place(msgspec.Struct, frozen=True):
    """A point on the map: metres, or degrees east and north where the matrix is made from degrees."""

    id: str
    x: float
    y: float


class Matrix(msgspec.Struct, frozen=True):
    """Travel between all places, arrays of shape (places, places): `distance_m` and `duration_s`, NO_WAY where none."""

    distance_m: npt.NDArray[np.int64]
    duration_s: npt.NDArray[np.int64]


class Depot(msgspec.Struct, frozen=True):
    """Where routes begin, end and reload. `service_s` is what loading takes at the begin of every trip."""

    id: str
    place: str
    open_s: int = 0
    close_s: int = UNBOUNDED
    service_s: int = 0


class Stop(msgspec.Struct, frozen=True):
    """One visit: goods brought from the depot, taken to it, or both.

    Parameters
    ----------
    id, place
        Its name, unique among stops and shipments, and where it is.
    delivery, pickup
        What is brought and what is fetched, one number a capacity; empty is nothing.
    service_s
        Time spent there, from the begin of service.
    open_s, close_s
        Service begins in this window (it may end later).
    release_s
        The goods are ready at the depot from then on; no trip with them begins earlier.
    prize
        What leaving it out costs; None: it must be served if that is possible at all.
    """

    id: str
    place: str
    delivery: tuple[int, ...] = ()
    pickup: tuple[int, ...] = ()
    service_s: int = 0
    open_s: int = 0
    close_s: int = UNBOUNDED
    release_s: int = 0
    prize: int | None = None


class Shipment(msgspec.Struct, frozen=True):
    """Goods fetched at one place and brought to another by the same vehicle on the same trip; see `Stop`."""

    id: str
    pickup_place: str
    delivery_place: str
    amount: tuple[int, ...] = ()
    pickup_service_s: int = 0
    pickup_open_s: int = 0
    pickup_close_s: int = UNBOUNDED
    delivery_service_s: int = 0
    delivery_open_s: int = 0
    delivery_close_s: int = UNBOUNDED
    prize: int | None = None


class Break(msgspec.Struct, frozen=True):
    """A rest of `duration_s`, begun from `open_s` to `close_s`: on the road or at a place, never within a service.

    It is not owed on a route that is over by `close_s`, nor on one that begins after it could have been taken.
    """

    open_s: int
    close_s: int
    duration_s: int


class Vehicle(msgspec.Struct, frozen=True):
    """A kind of vehicle and how many of it there are.

    Parameters
    ----------
    id, count
        Name of the kind, number of vehicles.
    start_depot, end_depot
        Where its routes begin and end.
    capacity
        What it holds, one number a dimension.
    open_s, close_s
        Routes begin and end within.
    shift_s, max_overtime_s
        A route takes at most their sum; what exceeds `shift_s` costs `cost_per_overtime_s` more.
    max_distance_m
        A route is at most so long.
    fixed_cost, cost_per_m, cost_per_s, cost_per_overtime_s
        Costs of using it, of driving, of time from leaving to coming back, and of overtime besides.
    reload_depots, max_reloads
        Where and how often it may come back for more.
    matrix
        Which of the problem's matrices it travels by.
    breaks
        What its driver rests, one after the other.
    """

    id: str
    start_depot: str
    end_depot: str
    count: int = 1
    capacity: tuple[int, ...] = ()
    open_s: int = 0
    close_s: int = UNBOUNDED
    shift_s: int = UNBOUNDED
    max_overtime_s: int = 0
    max_distance_m: int = UNBOUNDED
    fixed_cost: int = 0
    cost_per_m: int = 1
    cost_per_s: int = 0
    cost_per_overtime_s: int = 0
    reload_depots: tuple[str, ...] = ()
    max_reloads: int = 0
    matrix: int = 0
    breaks: tuple[Break, ...] = ()


class _Named(Protocol):
    @property
    def id(self) -> str: ...


class Problem(msgspec.Struct, frozen=True, dict=True):
    """Everything that routes are planned from; refused with the element's path if anything in it contradicts itself."""

    places: tuple[Place, ...]
    matrices: tuple[Matrix, ...]
    depots: tuple[Depot, ...]
    vehicles: tuple[Vehicle, ...]
    stops: tuple[Stop, ...] = ()
    shipments: tuple[Shipment, ...] = ()

    def __post_init__(self) -> None:
        for field in ("places", "depots", "vehicles"):
            _unique(field, getattr(self, field))
            if not getattr(self, field):
                raise Rejected(field, 0, "at least one")
        _unique("stops and shipments", self.demands)
        self._check_matrices()
        for d in self.depots:
            _known(f"depots/{d.id}/place", d.place, self.place_of)
            _window(f"depots/{d.id}", d.open_s, d.close_s)
            _at_least_0(f"depots/{d.id}", service_s=d.service_s)
            _at_most(f"depots/{d.id}", UNBOUNDED, service_s=d.service_s, open_s=d.open_s)
        for v in self.vehicles:
            self._check_vehicle(v)
        for s in self.stops:
            here = f"stops/{s.id}"
            _known(f"{here}/place", s.place, self.place_of)
            _window(here, s.open_s, s.close_s)
            _at_least_0(here, service_s=s.service_s, release_s=s.release_s, prize=s.prize or 0)
            _at_most(
                here, UNBOUNDED, service_s=s.service_s, release_s=s.release_s, prize=s.prize or 0, open_s=s.open_s
            )  # fmt: skip
            self._amounts(f"{here}/delivery", s.delivery)
            self._amounts(f"{here}/pickup", s.pickup)
        for p in self.shipments:
            here = f"shipments/{p.id}"
            _known(f"{here}/pickup_place", p.pickup_place, self.place_of)
            _known(f"{here}/delivery_place", p.delivery_place, self.place_of)
            _window(f"{here}/pickup", p.pickup_open_s, p.pickup_close_s)
            _window(f"{here}/delivery", p.delivery_open_s, p.delivery_close_s)
            _at_least_0(here, pickup_service_s=p.pickup_service_s, delivery_service_s=p.delivery_service_s)
            _at_least_0(here, prize=p.prize or 0)
            _at_most(
                here, UNBOUNDED, pickup_service_s=p.pickup_service_s, delivery_service_s=p.delivery_service_s,
                prize=p.prize or 0, pickup_open_s=p.pickup_open_s, delivery_open_s=p.delivery_open_s,
            )  # fmt: skip
            self._amounts(f"{here}/amount", p.amount)

    def _check_matrices(self) -> None:
        n = len(self.places)
        if not self.matrices:
            raise Rejected("matrices", 0, "at least one")
        for k, m in enumerate(self.matrices):
            for name, table in (("distance_m", m.distance_m), ("duration_s", m.duration_s)):
                here = f"matrices/{k}/{name}"
                if table.shape != (n, n):
                    raise Rejected(here, table.shape, f"of shape {(n, n)}, one row a place")
                for i, j in np.argwhere((table < NO_WAY) | (table >= UNBOUNDED)):
                    raise Rejected(f"{here}/{i}/{j}", int(table[i, j]), f"in 0..{UNBOUNDED - 1}, or {NO_WAY}: no way")
                for i in np.flatnonzero(np.diagonal(table)):
                    raise Rejected(f"{here}/{i}/{i}", int(table[i, i]), "0: from a place to itself")
            if ((m.distance_m == NO_WAY) != (m.duration_s == NO_WAY)).any():
                raise Rejected(f"matrices/{k}", NO_WAY, "at the same places in distance_m and duration_s")

    def _check_vehicle(self, v: Vehicle) -> None:
        here = f"vehicles/{v.id}"
        _known(f"{here}/start_depot", v.start_depot, self.depot_of)
        _known(f"{here}/end_depot", v.end_depot, self.depot_of)
        for d in v.reload_depots:
            _known(f"{here}/reload_depots", d, self.depot_of)
        _window(here, v.open_s, v.close_s)
        _at_least_0(
            here, shift_s=v.shift_s, max_overtime_s=v.max_overtime_s, max_distance_m=v.max_distance_m,
            fixed_cost=v.fixed_cost, cost_per_m=v.cost_per_m, cost_per_s=v.cost_per_s,
            cost_per_overtime_s=v.cost_per_overtime_s, max_reloads=v.max_reloads,
        )  # fmt: skip
        _at_most(here, UNBOUNDED, fixed_cost=v.fixed_cost, open_s=v.open_s)
        _at_most(
            here, _DEAREST, cost_per_m=v.cost_per_m, cost_per_s=v.cost_per_s,
            cost_per_overtime_s=v.cost_per_overtime_s,
        )  # fmt: skip
        if v.count < 1:
            raise Rejected(f"{here}/count", v.count, "at least 1")
        if not 0 <= v.matrix < len(self.matrices):
            raise Rejected(f"{here}/matrix", v.matrix, f"in 0..{len(self.matrices) - 1}")
        m = self.matrices[v.matrix]
        for name, price, table in (
            ("cost_per_m", v.cost_per_m, m.distance_m),
            ("cost_per_s", v.cost_per_s, m.duration_s),
        ):
            most = _LARGEST // (64 * max(1, int(table.max())))
            _at_most(here, most, **{name: price})
        if len(v.capacity) != self.dimensions:
            raise Rejected(f"{here}/capacity", v.capacity, f"of {self.dimensions} numbers, as the first vehicle's")
        self._amounts(f"{here}/capacity", v.capacity, _LARGEST)
        rested = 0
        for k, b in enumerate(v.breaks):
            _window(f"{here}/breaks/{k}", b.open_s, b.close_s)
            if b.duration_s < 1:
                raise Rejected(f"{here}/breaks/{k}/duration_s", b.duration_s, "at least 1")
            rested = max(rested, b.open_s)
            if rested > b.close_s:
                raise Rejected(
                    f"{here}/breaks/{k}/close_s", b.close_s, f"at least {rested}: breaks come in their order"
                )
            rested += b.duration_s

    def _amounts(self, field: str, amounts: tuple[int, ...], most: int = UNBOUNDED) -> None:
        if len(amounts) not in {0, self.dimensions}:
            raise Rejected(field, amounts, f"empty or of {self.dimensions} numbers, as the vehicles' capacity")
        for k, a in enumerate(amounts):
            if not 0 <= a <= most:
                raise Rejected(f"{field}/{k}", a, f"in 0..{most}")

    @property
    def dimensions(self) -> int:
        """How many capacities a vehicle has."""
        return len(self.vehicles[0].capacity)

    @cached_property
    def demands(self) -> tuple[Stop | Shipment, ...]:
        """Stops, then shipments."""
        return (*self.stops, *self.shipments)

    @cached_property
    def place_of(self) -> dict[str, int]:
        """Row of each place in the matrices."""
        return {p.id: n for n, p in enumerate(self.places)}

    @cached_property
    def depot_of(self) -> dict[str, Depot]:
        """Depots by name."""
        return {d.id: d for d in self.depots}

    @cached_property
    def stop_of(self) -> dict[str, Stop]:
        """Stops by name."""
        return {s.id: s for s in self.stops}

    @cached_property
    def shipment_of(self) -> dict[str, Shipment]:
        """Shipments by name."""
        return {s.id: s for s in self.shipments}

    @cached_property
    def vehicle_of(self) -> dict[str, Vehicle]:
        """Kinds of vehicle by name."""
        return {v.id: v for v in self.vehicles}


class Params(msgspec.Struct, frozen=True):
    """How hard to try. The same `iterations`, `feasible_within`, `horizon` and `seed` give the same plan.

    Parameters
    ----------
    iterations
        Of PyVRP's iterated local search, at least 0; None: as many as `seconds` allow. Where only capacity binds, 200
        string removals count as one, from the 301st on.
    seconds
        Wall-clock guard, above 0.
    seed
        At least 0.
    feasible_within
        If after so many iterations no plan serves all stops that must be served, they are given a prize above any
        route's cost instead, so that as many as possible are served and the others are named.
    horizon
        Where only capacity binds: the iteration at which the second cooling ends. None: where `iterations` are given,
        it is twice as long as the first, whatever is asked for, so that more iterations only ever add to fewer; where
        they are not, it ends with `seconds`, and the plan says which iteration that was.
    """

    iterations: int | None = None
    seconds: float = 10.0
    seed: int = 1
    feasible_within: int = 2_000
    horizon: int | None = None

    def __post_init__(self) -> None:
        if self.iterations is not None and self.iterations < 0:
            raise Rejected("iterations", self.iterations, "at least 0")
        if not self.seconds > 0:
            raise Rejected("seconds", self.seconds, "above 0")
        if self.seed < 0:
            raise Rejected("seed", self.seed, "at least 0")
        if self.feasible_within < 1:
            raise Rejected("feasible_within", self.feasible_within, "at least 1")
        if self.horizon is not None and self.horizon < 0:
            raise Rejected("horizon", self.horizon, "at least 0")


def _unique(field: str, elements: Sequence[_Named]) -> None:
    seen: set[str] = set()
    for n, e in enumerate(elements):
        if e.id in seen:
            raise Rejected(f"{field}/{n}/id", e.id, "new: another one has that name")
        seen.add(e.id)


def _known(field: str, name: str, names: dict[str, int] | dict[str, Depot]) -> None:
    if name not in names:
        raise Rejected(field, name, f"one of the {len(names)} that are given")


def _window(field: str, open_s: int, close_s: int) -> None:
    if not 0 <= open_s <= close_s:
        raise Rejected(f"{field}/close_s", (open_s, close_s), "a window that begins at 0 or later and ends after that")


def _at_least_0(field: str, **values: int) -> None:
    for name, value in values.items():
        if value < 0:
            raise Rejected(f"{field}/{name}", value, "at least 0")


def _at_most(field: str, most: int, **values: int) -> None:
    for name, value in values.items():
        if value > most:
            raise Rejected(f"{field}/{name}", value, f"at most {most}")
