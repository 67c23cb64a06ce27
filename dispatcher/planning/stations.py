"""Stations as a planner worker plans them: which orders share one, which pods come there when, and a chart of it."""

import math
from collections import Counter
from typing import Any, Literal

import msgspec
import numpy as np

from contracts.errors import Rejected
from dispatcher.optimizers.stations import Params, Plan, Problem, check, first_come, plan, together
from dispatcher.optimizers.stations.problem import NOWHERE, late_s
from dispatcher.planning.kinds import Report, Solved, read

EFFORT = 60_000


class Station(msgspec.Struct, frozen=True):
    """A station with so many slots for orders, and where it stands (m)."""

    id: str
    slots: int = 6
    x_m: float = 0.0
    y_m: float = 0.0


class Pod(msgspec.Struct, frozen=True):
    """A pod, and where it stands (m)."""

    id: str
    x_m: float = 0.0
    y_m: float = 0.0


class Order(msgspec.Struct, frozen=True):
    """What takes one slot: its lines on each pod; `due_s` since the plan's begin, null: never."""

    id: str
    pods: dict[str, int]
    due_s: float | None = None
    weight: float = 1.0
    station: str = ""
    """Where it stands already; empty: nowhere."""


class Stations(msgspec.Struct, frozen=True):
    """Orders for stations, listed as first come, first served would take them."""

    stations: tuple[Station, ...]
    pods: tuple[Pod, ...]
    orders: tuple[Order, ...]
    ways_s: tuple[tuple[float, ...], ...] | None = None
    """How long a pod is carried to a station: a row a station, a number a pod, -1: there is no way. Null: by where they
    stand, along and across, with `speed_mps`."""
    speed_mps: float = 1.2
    pick_s: float = 12.0
    change_s: float = 6.0
    visit_s: float = 30.0
    finish_weight: float = 4.0
    late_weight: float = 1.0
    rule: Literal["optimized", "together", "first-come"] = "optimized"


def solve(problem: bytes, effort: int, seed: int, report: Report) -> Solved:
    """Plan stations; `effort` is how many changes are tried."""
    asked: Stations = read(problem, Stations)
    ways = _ways(asked)
    orders, unplanned = _orders(asked, ways)
    whole = _problem(asked, orders, ways)
    base = first_come(whole)
    check(whole, base)
    if asked.rule == "optimized":
        params = Params(evaluations=effort, seed=seed)
        found = plan(whole, params, watch=lambda tried, cost: report(tried, effort, cost))
        check(whole, found)
    else:
        found = base if asked.rule == "first-come" else together(whole)
        check(whole, found)
        report(effort, effort, found.cost_s)
    late = late_s(whole, found.visits)
    done_s = [max((v.end_s for v in found.visits if n in v.orders), default=0.0) for n in range(len(orders))]
    told: dict[str, Any] = {
        **_figures(whole, found),
        "stations": [
            {
                "station": s.id,
                "orders": [orders[n].id for n in found.seats[k]],
                "visits": [
                    {
                        "pod": asked.pods[v.pod].id, "begin_s": round(v.begin_s, 3), "end_s": round(v.end_s, 3),
                        "orders": [orders[n].id for n in v.orders],
                    }
                    for v in found.visits if v.station == k
                ],
            }
            for k, s in enumerate(asked.stations)
        ],
        "late": [
            {"order": o.id, "late_s": round(float(late[n]), 3)} for n, o in enumerate(orders) if late[n] > 0
        ],
        "unplanned": unplanned,
        "baseline": {"what": "orders as they are listed, the pods of the oldest first", **_figures(whole, base)},
    }  # fmt: skip
    picture = {
        "kind": "gantt", "rows": [s.id for s in asked.stations], "begin_s": 0, "end_s": round(found.finish_s, 3),
        "bars": _bars(asked, orders, found, late, done_s), "breaks": [],
        "baseline": {
            "end_s": round(base.finish_s, 3),
            "bars": [
                {
                    "row": asked.stations[v.station].id, "id": asked.pods[v.pod].id, "begin_s": round(v.begin_s, 3),
                    "end_s": round(v.end_s, 3),
                }
                for v in base.visits
            ],
        },
    }  # fmt: skip
    return Solved(found.cost_s, found.evaluations, told, picture)


def _ways(asked: Stations) -> Any:
    """Return how long each pod is carried to each station, inf: there is no way."""
    for field, named in (("stations", asked.stations), ("pods", asked.pods), ("orders", asked.orders)):
        for name, times in Counter(x.id for x in named).items():
            if times > 1:
                raise Rejected(f"problem/{field}/{name}", name, "named once")
    if not asked.stations:
        raise Rejected("problem/stations", [], "at least one")
    for s in asked.stations:
        if not 1 <= s.slots <= 1_000:
            raise Rejected(f"problem/stations/{s.id}/slots", s.slots, "in 1..1000")
    if not (math.isfinite(asked.speed_mps) and asked.speed_mps > 0):
        raise Rejected("problem/speed_mps", asked.speed_mps, "above 0, and finite")
    for name in ("pick_s", "change_s", "visit_s", "finish_weight", "late_weight"):
        value = getattr(asked, name)
        if not (math.isfinite(value) and value >= 0):
            raise Rejected(f"problem/{name}", value, "at least 0, and finite")
    if asked.ways_s is None:
        for field, places in (("stations", asked.stations), ("pods", asked.pods)):
            for x in places:
                if not (math.isfinite(x.x_m) and math.isfinite(x.y_m)):
                    raise Rejected(f"problem/{field}/{x.id}", (x.x_m, x.y_m), "at a finite place")
        return np.array(
            [[(abs(p.x_m - s.x_m) + abs(p.y_m - s.y_m)) / asked.speed_mps for p in asked.pods] for s in asked.stations]
        ).reshape(len(asked.stations), len(asked.pods))
    if len(asked.ways_s) != len(asked.stations):
        raise Rejected("problem/ways_s", len(asked.ways_s), f"a row for each of {len(asked.stations)} stations")
    for k, row in enumerate(asked.ways_s):
        if len(row) != len(asked.pods):
            raise Rejected(f"problem/ways_s/{k}", len(row), f"a number for each of {len(asked.pods)} pods")
        for n, way_s in enumerate(row):
            if not (math.isfinite(way_s) and (way_s >= 0 or way_s == -1)):
                raise Rejected(f"problem/ways_s/{k}/{n}", way_s, "at least 0, or -1: there is no way")
    ways = np.array(asked.ways_s, np.float64).reshape(len(asked.stations), len(asked.pods))
    return np.where(ways < 0, np.inf, ways)


def _orders(asked: Stations, ways: Any) -> tuple[list[Order], list[dict[str, str]]]:
    """Look at the orders; return those that some station can serve, and the others with the reason."""
    pods = {p.id: n for n, p in enumerate(asked.pods)}
    stations = {s.id: n for n, s in enumerate(asked.stations)}
    orders, unplanned = [], []
    for o in asked.orders:
        if not o.pods:
            raise Rejected(f"problem/orders/{o.id}/pods", {}, "at least one")
        for name, lines in o.pods.items():
            if name not in pods:
                raise Rejected(f"problem/orders/{o.id}/pods", name, "one of the pods")
            if not 1 <= lines <= 100_000:
                raise Rejected(f"problem/orders/{o.id}/pods/{name}", lines, "in 1..100000 lines")
        if o.due_s is not None and not math.isfinite(o.due_s):
            raise Rejected(f"problem/orders/{o.id}/due_s", o.due_s, "finite, or null")
        if not (math.isfinite(o.weight) and o.weight >= 0):
            raise Rejected(f"problem/orders/{o.id}/weight", o.weight, "at least 0, and finite")
        if o.station and o.station not in stations:
            raise Rejected(f"problem/orders/{o.id}/station", o.station, "one of the stations, or empty")
        reached = np.isfinite(ways[:, [pods[name] for name in o.pods]])
        if o.station:
            reached = reached[[stations[o.station]]]
        if reached.all(axis=1).any():
            orders.append(o)
            continue
        shut = [name for k, name in enumerate(o.pods) if not reached[:, k].any()]
        where = f"station {o.station}" if o.station else "any station"
        what = (
            f"pod {shut[0]} has no way to {where}" if shut else f"no station is reached by all of {', '.join(o.pods)}"
        )
        unplanned.append({"order": o.id, "reason": what})
    for s in asked.stations:
        there = sum(o.station == s.id for o in orders)
        if there > s.slots:
            raise Rejected(f"problem/stations/{s.id}/slots", s.slots, f"at least the {there} orders that stand there")
    return orders, unplanned


def _problem(asked: Stations, orders: list[Order], ways: Any) -> Problem:
    pods = {p.id: n for n, p in enumerate(asked.pods)}
    stations = {s.id: n for n, s in enumerate(asked.stations)}
    return Problem(
        np.concatenate(([0], np.cumsum([len(o.pods) for o in orders]))).astype(np.int64),
        np.array([pods[name] for o in orders for name in o.pods], np.int64),
        np.array([lines for o in orders for lines in o.pods.values()], np.int64),
        np.array([math.inf if o.due_s is None else o.due_s for o in orders], np.float64),
        np.array([o.weight for o in orders], np.float64),
        np.array([stations[o.station] if o.station else NOWHERE for o in orders], np.int64),
        np.array([s.slots for s in asked.stations], np.int64),
        ways, asked.pick_s, asked.change_s, asked.visit_s, asked.finish_weight, asked.late_weight,
    )  # fmt: skip


def _figures(whole: Problem, found: Plan) -> dict[str, Any]:
    lines = max(1, int(whole.lines.sum()))
    late = late_s(whole, found.visits)
    return {
        "cost_s": round(found.cost_s, 3), "visits": len(found.visits),
        "visits_per_line": round(len(found.visits) / lines, 4), "finish_s": round(found.finish_s, 3),
        "late_s": round(float(late.sum()), 3), "late_orders": int((late > 0).sum()),
    }  # fmt: skip


def _bars(asked: Stations, orders: list[Order], found: Plan, late: Any, done_s: list[float]) -> list[dict[str, Any]]:
    """A bar a visit; one that ends orders says until when those were due, and how late the latest is."""
    bars = []
    for v in found.visits:
        ends = [n for n in v.orders if done_s[n] == v.end_s]
        due = [x for n in ends if (x := orders[n].due_s) is not None]
        bars.append(
            {
                "row": asked.stations[v.station].id, "id": asked.pods[v.pod].id, "begin_s": round(v.begin_s, 3),
                "end_s": round(v.end_s, 3), "due_s": min(due, default=None),
                "late_s": round(max((float(late[n]) for n in ends), default=0.0), 3),
                "orders": [orders[n].id for n in v.orders], "ends": [orders[n].id for n in ends],
            }
        )  # fmt: skip
    return bars
