"""A picker's walk as a planner worker plans it: which place of each want, in which order, and a floor plan of it."""

import contextlib
import math
from typing import Any

import msgspec

from contracts.errors import Rejected
from dispatcher.optimizers.picking import Area, PickList, Route, RouteParams, in_order, route, verify
from dispatcher.planning.kinds import Report, Solved, read

EFFORT = 2_000
MOST_WANTS, MOST_SPOTS = 1_000, 100


def solve(problem: bytes, effort: int, seed: int, report: Report) -> Solved:
    """Plan one walk; `effort` is how many walks with other places are tried where it is not exact at once.

    Nothing in it is random: `seed` changes nothing.
    """
    del seed
    asked: PickList = read(problem, PickList)
    if len(asked.wants) > MOST_WANTS:
        raise Rejected("problem/wants", len(asked.wants), f"at most {MOST_WANTS} for one walk")
    for w in asked.wants:
        if len(w.spots) > MOST_SPOTS:
            raise Rejected(f"problem/wants/{w.id}/spots", len(w.spots), f"at most {MOST_SPOTS}")
    found = route(
        asked, RouteParams(tries=effort),
        lambda tries, cost: report(min(tries, effort), effort, cost if math.isfinite(cost) else None),
    )  # fmt: skip
    verify(asked, found)
    report(effort, effort, found.cost_m)
    listed: Route | None = None
    with contextlib.suppress(Rejected):  # what is listed cannot always be walked so where aisles are one-way
        listed = in_order(asked)
    plan: dict[str, Any] = {
        "cost_m": found.cost_m,
        "length_m": found.length_m,
        "bound_m": found.bound_m,
        "exact": found.exact,
        "start": found.start,
        "end": found.end,
        "stops": [{"want": s.want, "spot": s.spot.id, "aisle": s.spot.aisle, "at_m": s.spot.at_m} for s in found.stops],
        "baseline": {
            "what": "as listed, each at its first place",
            "cost_m": listed.cost_m if listed else None,
            "length_m": listed.length_m if listed else None,
        },
    }
    picture = floor_plan(asked.area) | {
        "walks": [drawn("walk", asked.area, found)],
        "baseline": [drawn("as listed", asked.area, listed)] if listed else [],
    }
    return Solved(found.cost_m, found.tries, plan, picture)


def floor_plan(area: Area) -> dict[str, Any]:
    """Return the aisles as the console draws them: x across the aisles, y from the top cross aisle (m)."""
    cross = area.cross_m()
    return {
        "kind": "walks",
        "aisles": [j * area.pitch_m for j in range(area.aisles)],
        "cross": list(cross),
        "depots": [{"id": d.id, "x": d.aisle * area.pitch_m, "y": cross[d.cross]} for d in area.depots],
        "one_way": msgspec.to_builtins(area.one_way),
        "busy": [{"x": b.aisle * area.pitch_m, "crowd": b.crowd} for b in area.busy],
    }


def drawn(name: str, area: Area, walk: Route) -> dict[str, Any]:
    """Return a walk as the console draws it: a line through points, and the stops on it."""
    return {
        "name": name,
        "length_m": walk.length_m,
        "points": [[j * area.pitch_m, y] for j, y in walk.places],
        "stops": [
            {"id": s.want, "spot": s.spot.id, "x": s.spot.aisle * area.pitch_m, "y": s.spot.at_m} for s in walk.stops
        ],
    }
