"""Transport routes as a planner worker does them: who drives where in which order, and the routes on a map."""

from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from contracts.errors import Broken, Rejected
from dispatcher.optimizers.transport import UNBOUNDED, Matrix, Params, Plan, Problem, Unplanned, check, insert, plan
from dispatcher.optimizers.transport.matrices import great_circle, rectangular, straight
from dispatcher.optimizers.transport.problem import Depot, Place, Shipment, Stop, Vehicle
from dispatcher.planning.kinds import Report, Solved, read

EFFORT = 5_000
_GUARD_S = 600.0


class Table(msgspec.Struct, frozen=True):
    """Travel between all places, a row a place, as a road router gives it: metres and seconds; -1: no way."""

    distance_m: tuple[tuple[int, ...], ...]
    duration_s: tuple[tuple[int, ...], ...]


class Transport(msgspec.Struct, frozen=True):
    """Places with coordinates, and what is to be brought where.

    Ways come from `matrices`, which vehicles name by their number; where there are none, from the coordinates. With
    `running`, a plan under way, nothing is planned anew: at `now_s` each stop and shipment that it does not know is put
    where it costs least, and what has begun stays. `left` is named as unplanned in the answer.
    """

    places: tuple[Place, ...]
    depots: tuple[Depot, ...]
    vehicles: tuple[Vehicle, ...]
    stops: tuple[Stop, ...] = ()
    shipments: tuple[Shipment, ...] = ()
    ways: Literal["straight", "rectangular", "great_circle"] = "straight"
    speed_mps: float = 10.0
    detour: float = 1.3
    matrices: tuple[Table, ...] = ()
    running: Plan | None = None
    now_s: int = 0
    left: tuple[Unplanned, ...] = ()


def solve(problem: bytes, effort: int, seed: int, report: Report) -> Solved:
    """Plan routes; `effort` is how many iterations are done."""
    asked: Transport = read(problem, Transport)
    whole = Problem(asked.places, _matrices(asked), asked.depots, asked.vehicles, asked.stops, asked.shipments)
    if asked.running is not None:
        found = _inserted(whole, asked.running, asked.now_s, report)
    elif not whole.demands:
        found = Plan((), (), 0, 0, 0, 1)
    else:
        params = Params(iterations=effort, seconds=_GUARD_S, seed=seed)
        found = plan(whole, params, watch=lambda done, cost: report(done, effort, cost))
    check(whole, found)
    at = {p.id: p for p in asked.places}
    place = {d.id: d.place for d in asked.depots} | {s.id: s.place for s in asked.stops}
    ends = {s.id: (s.pickup_place, s.delivery_place) for s in asked.shipments}

    def where(kind: str, name: str) -> Place:
        if name in ends:
            return at[ends[name][kind == "delivery"]]
        return at[place[name]]

    windows: dict[tuple[str, str], dict[str, int]] = {("stop", s.id): _window(s.open_s, s.close_s) for s in asked.stops}
    for x in asked.shipments:
        windows["pickup", x.id] = _window(x.pickup_open_s, x.pickup_close_s)
        windows["delivery", x.id] = _window(x.delivery_open_s, x.delivery_close_s)
    picture = {
        "kind": "routes",
        "depots": [{"id": d.id, "x": at[d.place].x, "y": at[d.place].y} for d in asked.depots],
        "routes": [
            {
                "vehicle": f"{r.vehicle} {r.number + 1}",
                "stops": [
                    {"id": v.id, "x": p.x, "y": p.y, "arrive_s": v.arrive_s} | windows.get((v.kind, v.id), {})
                    for v in r.visits
                    if v.kind != "break"
                    for p in (where(v.kind, v.id),)
                ],
            }
            for r in found.routes
        ],
        "unplanned": [{"id": u.id, "reason": u.reason} for u in (*found.unplanned, *asked.left)],
    }
    told = msgspec.structs.replace(found, unplanned=(*found.unplanned, *asked.left))
    return Solved(float(found.cost), found.iterations, msgspec.to_builtins(told), picture)


def _window(open_s: int, close_s: int) -> dict[str, int]:
    """When a service may begin, where it is not any time."""
    return {} if close_s >= UNBOUNDED and open_s <= 0 else {"open_s": open_s, "close_s": close_s}


def _matrices(asked: Transport) -> tuple[Matrix, ...]:
    if asked.matrices:
        return tuple(
            Matrix(*(_square(f"problem/matrices/{k}/{name}", getattr(m, name)) for name in m.__struct_fields__))
            for k, m in enumerate(asked.matrices)
        )
    table = {"straight": straight, "rectangular": rectangular, "great_circle": great_circle}[asked.ways]
    return (table(asked.places, asked.speed_mps, asked.detour),)


def _square(field: str, rows: tuple[tuple[int, ...], ...]) -> npt.NDArray[np.int64]:
    for n, row in enumerate(rows):
        if len(row) != len(rows):
            raise Rejected(f"{field}/{n}", len(row), f"of {len(rows)} numbers, one a place")
        for k, x in enumerate(row):
            if not -(2**53) <= x <= 2**53:
                raise Rejected(f"{field}/{n}/{k}", x, "an integer below 2**53")
    return np.array(rows, np.int64).reshape(len(rows), len(rows))


def _inserted(whole: Problem, running: Plan, now_s: int, report: Report) -> Plan:
    """Put what the running plan does not know into it, one after the other."""
    if now_s < 0:
        raise Rejected("problem/now_s", now_s, "at least 0")
    served = {v.id for r in running.routes for v in r.visits}
    for n, route in enumerate(running.routes):
        if route.vehicle not in whole.vehicle_of:
            raise Rejected(f"problem/running/routes/{n}/vehicle", route.vehicle, "one of the vehicles")
    known = served | {u.id for u in running.unplanned}
    late = [s.id for s in whole.demands if s.id not in known]
    before = set(late)
    try:
        check(_without(whole, before), running)
    except Broken as e:
        raise Rejected("problem/running", "as given", f"a plan of this problem: {e}") from e
    for n, name in enumerate(late):
        report(n, len(late), float(running.cost))
        before.discard(name)
        running = insert(_without(whole, before), running, name, now_s)
    return running


def _without(whole: Problem, names: set[str]) -> Problem:
    return msgspec.structs.replace(
        whole, stops=tuple(s for s in whole.stops if s.id not in names),
        shipments=tuple(s for s in whole.shipments if s.id not in names),
    )  # fmt: skip
