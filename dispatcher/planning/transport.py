"""Transport routes as a planner worker does them: who drives where in which order, and the routes on a map."""

from typing import Literal

import msgspec

from dispatcher.optimizers.transport import Params, Problem, check, plan
from dispatcher.optimizers.transport.matrices import great_circle, rectangular, straight
from dispatcher.optimizers.transport.problem import Depot, Place, Shipment, Stop, Vehicle
from dispatcher.planning.kinds import SHARES, Report, Solved, read

EFFORT = 5_000
_GUARD_S = 600.0


class Transport(msgspec.Struct, frozen=True):
    """Places with coordinates, and what is to be brought where. Times and ways come from the coordinates."""

    places: tuple[Place, ...]
    depots: tuple[Depot, ...]
    vehicles: tuple[Vehicle, ...]
    stops: tuple[Stop, ...] = ()
    shipments: tuple[Shipment, ...] = ()
    ways: Literal["straight", "rectangular", "great_circle"] = "straight"
    speed_mps: float = 10.0
    detour: float = 1.3


def solve(problem: bytes, effort: int, seed: int, report: Report) -> Solved:
    """Plan routes; `effort` is how many iterations are done."""
    asked: Transport = read(problem, Transport)
    table = {"straight": straight, "rectangular": rectangular, "great_circle": great_circle}[asked.ways]
    matrix = table(asked.places, asked.speed_mps, asked.detour)
    whole = Problem(asked.places, (matrix,), asked.depots, asked.vehicles, asked.stops, asked.shipments)
    for share in SHARES:
        found = plan(whole, Params(iterations=max(1, round(effort * share)), seconds=_GUARD_S, seed=seed))
        report(share, float(found.cost))
    check(whole, found)
    at = {p.id: p for p in asked.places}
    place = {d.id: d.place for d in asked.depots} | {s.id: s.place for s in asked.stops}
    ends = {s.id: (s.pickup_place, s.delivery_place) for s in asked.shipments}

    def where(kind: str, name: str) -> Place:
        if name in ends:
            return at[ends[name][kind == "delivery"]]
        return at[place[name]]

    picture = {
        "kind": "routes",
        "depots": [{"id": d.id, "x": at[d.place].x, "y": at[d.place].y} for d in asked.depots],
        "routes": [
            {
                "vehicle": f"{r.vehicle} {r.number + 1}",
                "stops": [
                    {"id": v.id, "x": p.x, "y": p.y, "arrive_s": v.arrive_s}
                    for v in r.visits
                    for p in (where(v.kind, v.id),)
                ],
            }
            for r in found.routes
        ],
        "unplanned": [{"id": u.id, "reason": u.reason} for u in found.unplanned],
    }
    return Solved(float(found.cost), found.iterations, msgspec.to_builtins(found), picture)
