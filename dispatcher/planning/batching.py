"""Batches as a planner worker plans them: which orders share a cart, who walks it when, and a plan of the walks."""

import math
from collections import Counter
from typing import Any

import msgspec
import numpy as np

from contracts.errors import Rejected
from dispatcher.optimizers.batching import Params, Plan, Problem, Promise, check, first_come, plan
from dispatcher.optimizers.batching.problem import schedule
from dispatcher.optimizers.picking import Area, Depot, PickList, Picks, Route, Spot, Want, route, verify
from dispatcher.planning.kinds import Report, Solved, read
from dispatcher.planning.picking import drawn, floor_plan

EFFORT = 600_000
_MANY = 1_000
"""Above so many orders the batches seen are too few for a choice among them to add anything."""
_DIMENSIONS = ("totes", "volume_ml", "weight_g", "pieces")


class Line(msgspec.Struct, frozen=True):
    """What is taken at one place; volume and weight of all its pieces."""

    aisle: int
    at_m: float
    spot: str = ""
    item: str = ""
    qty: int = 1
    volume_ml: int = 0
    weight_g: int = 0


class Order(msgspec.Struct, frozen=True):
    """What stays together on a cart, in so many totes; `due_s` since the plan's begin, null: never."""

    id: str
    lines: tuple[Line, ...]
    totes: int = 1
    due_s: float | None = None
    weight: float = 1.0


class Cart(msgspec.Struct, frozen=True):
    """What one walk can hold, and what one tote can; null: any amount."""

    totes: int = 8
    volume_ml: int | None = None
    weight_g: int | None = None
    pieces: int | None = None
    tote_volume_ml: int | None = None
    tote_weight_g: int | None = None


class Picker(msgspec.Struct, frozen=True):
    """Somebody who walks, from `free_s` on."""

    id: str
    free_s: float = 0.0


class Batching(msgspec.Struct, frozen=True):
    """Orders to be put on carts; the baseline takes them as they are listed."""

    area: Area
    orders: tuple[Order, ...]
    cart: Cart = Cart()
    pickers: tuple[Picker, ...] = ()
    depot: str = ""
    speed_mps: float = 1.0
    pick_s: float = 10.0
    setup_s: float = 60.0
    metres_a_late_s: float = 1.0


def solve(problem: bytes, effort: int, seed: int, report: Report) -> Solved:
    """Plan batches; `effort` is how many moves of orders between them are tried."""
    asked: Batching = read(problem, Batching)
    depot = _checked(asked)
    orders, unplanned = [], []
    for order in asked.orders:
        why = _why_not(asked.cart, order)
        if why:
            unplanned.append({"order": order.id, "reason": why})
        else:
            orders.append(order)
    whole = _problem(asked, depot, orders)
    params = Params(proposals=effort, seed=seed, pool=0 if len(orders) > _MANY else Params().pool)
    found = plan(whole, params, watch=lambda tried, cost: report(tried, effort, cost))
    check(whole, found)
    listed = first_come(whole)
    best, walks = _walked(asked, depot, orders, whole, found)
    base, base_walks = _walked(asked, depot, orders, whole, listed)
    if base.cost_m < best.cost_m:  # walks of one-way or crowded aisles are longer than the plan could know
        best, walks = base, base_walks
    report(found.proposals if orders else effort, effort, best.cost_m)
    told = _told(asked, orders, best, walks)
    result = {
        "cost_m": best.cost_m,
        "length_m": best.length_m,
        "late_m": best.late_m,
        "batches": told,
        "late": _late(orders, best),
        "unplanned": unplanned,
        "baseline": {
            "what": "carts filled as the orders are listed",
            "cost_m": base.cost_m, "length_m": base.length_m, "late_m": base.late_m, "batches": len(base.batches),
        },
    }  # fmt: skip
    picture = floor_plan(asked.area) | {
        "walks": [drawn(b["name"], asked.area, b.pop("walk")) for b in told],
        "baseline": [drawn(f"{k + 1}", asked.area, walk) for k, walk in enumerate(base_walks)],
    }
    return Solved(best.cost_m, found.proposals, result, picture)


def _checked(asked: Batching) -> Depot:
    """Look at what the optimizer does not; return the depot."""
    for field, names in (("orders", [o.id for o in asked.orders]), ("pickers", [p.id for p in asked.pickers])):
        for name, times in Counter(names).items():
            if times > 1:
                raise Rejected(f"problem/{field}/{name}", name, "named once")
    for field in Cart.__struct_fields__:
        value, least = getattr(asked.cart, field), int(field == "totes")
        if value is not None and not least <= value < 1 << 40:
            raise Rejected(f"problem/cart/{field}", value, f"in {least}..{1 << 40}")
    if not (math.isfinite(asked.pick_s) and asked.pick_s >= 0):
        raise Rejected("problem/pick_s", asked.pick_s, "at least 0, and finite")
    for o in asked.orders:
        if not o.lines:
            raise Rejected(f"problem/orders/{o.id}/lines", [], "at least one")
        if o.totes < 1:
            raise Rejected(f"problem/orders/{o.id}/totes", o.totes, "at least 1")
        if not (math.isfinite(o.weight) and o.weight >= 0):
            raise Rejected(f"problem/orders/{o.id}/weight", o.weight, "at least 0, and finite")
        for n, line in enumerate(o.lines):
            for field, least in (("qty", 1), ("volume_ml", 0), ("weight_g", 0)):
                if not least <= getattr(line, field) < 1 << 40:
                    raise Rejected(
                        f"problem/orders/{o.id}/lines/{n}/{field}", getattr(line, field), f"in {least}..{1 << 40}"
                    )
            Want(o.id, (Spot(line.aisle, line.at_m),))
    depots = {d.id: d for d in asked.area.depots}
    if asked.depot and asked.depot not in depots:
        raise Rejected("problem/depot", asked.depot, "a depot of the area")
    PickList(asked.area, tuple(w for o in asked.orders for w in _wants(o)))  # every place is in the area
    return depots[asked.depot] if asked.depot else asked.area.depots[0]


def _why_not(cart: Cart, order: Order) -> str:
    """Say why an order fits on no cart; '' if it does."""
    for line in order.lines:
        for field, unit, most in (("volume_ml", "ml", cart.tote_volume_ml), ("weight_g", "g", cart.tote_weight_g)):
            each = -(-int(getattr(line, field)) // line.qty)
            if most is not None and each > most:
                return f"a piece of {line.item or line.spot or 'it'} has {each} {unit}, a tote holds {most} {unit}"
    for field, takes in zip(_DIMENSIONS, _load(order), strict=True):
        most = getattr(cart, field)
        if most is not None and takes > most:
            return f"takes {takes} {field}, a cart holds {most}"
    return ""


def _load(order: Order) -> tuple[int, ...]:
    return (
        order.totes, sum(x.volume_ml for x in order.lines), sum(x.weight_g for x in order.lines),
        sum(x.qty for x in order.lines),
    )  # fmt: skip


def _wants(order: Order) -> list[Want]:
    return [Want(f"{order.id}/{n}", (Spot(x.aisle, x.at_m, x.spot),)) for n, x in enumerate(order.lines)]


def _problem(asked: Batching, depot: Depot, orders: list[Order]) -> Problem:
    warehouse = asked.area.warehouse(depot)
    picks = tuple(Picks.sort(warehouse, [x.aisle for x in o.lines], [x.at_m for x in o.lines]) for o in orders)
    load = np.array([_load(o) for o in orders], np.int64).reshape(len(orders), len(_DIMENSIONS))
    most = load.sum(axis=0)
    capacity = [
        getattr(asked.cart, d) if getattr(asked.cart, d) is not None else int(most[k])
        for k, d in enumerate(_DIMENSIONS)
    ]
    promise = None
    if asked.pickers or any(o.due_s is not None for o in orders):
        promise = Promise(
            np.array([math.inf if o.due_s is None else o.due_s for o in orders], np.float64),
            np.array([o.weight for o in orders], np.float64),
            np.array([asked.pick_s * len(o.lines) for o in orders], np.float64),
            np.array([p.free_s for p in asked.pickers] or [0.0], np.float64),
            asked.setup_s, asked.speed_mps, asked.metres_a_late_s,
        )  # fmt: skip
    return Problem(warehouse, picks, load, np.array(capacity, np.int64), promise)


def _walked(
    asked: Batching, depot: Depot, orders: list[Order], whole: Problem, found: Plan
) -> tuple[Plan, list[Route]]:
    """Walk each batch by all rules of the area, and schedule them by what that takes."""
    walks = []
    for batch in found.batches:
        picks = PickList(asked.area, tuple(w for n in batch for w in _wants(orders[n])), (depot.id,))
        walk = route(picks)
        verify(picks, walk)
        walks.append(walk)
    turns, late_m = schedule(whole, found.batches, [w.cost_m for w in walks])
    return Plan(found.batches, sum(w.cost_m for w in walks), found.proposals, late_m, turns), walks


def _told(asked: Batching, orders: list[Order], found: Plan, walks: list[Route]) -> list[dict[str, Any]]:
    """Tell the batches in the order in which they begin."""
    turn = {t.batch: t for t in found.turns}
    told = []
    for n, k in enumerate(t.batch for t in found.turns) if turn else enumerate(range(len(found.batches))):
        members = [orders[m] for m in found.batches[k]]
        lines = {f"{o.id}/{i}": (o, x) for o in members for i, x in enumerate(o.lines)}
        told.append(
            {
                "name": str(n + 1),
                "orders": [o.id for o in members],
                "length_m": walks[k].length_m,
                "load": dict(zip(_DIMENSIONS, map(sum, zip(*map(_load, members), strict=True)), strict=True)),
                "picker": asked.pickers[turn[k].picker].id if turn and asked.pickers else "",
                "begin_s": turn[k].begin_s if turn else None,
                "end_s": turn[k].end_s if turn else None,
                "stops": [
                    {"order": o.id, "spot": x.spot, "item": x.item, "qty": x.qty, "aisle": x.aisle, "at_m": x.at_m}
                    for o, x in (lines[s.want] for s in walks[k].stops)
                ],
                "walk": walks[k],
            }
        )
    return told


def _late(orders: list[Order], found: Plan) -> list[dict[str, Any]]:
    end = {n: t.end_s for t in found.turns for n in found.batches[t.batch]}
    return [
        {"order": o.id, "late_s": end[n] - o.due_s}
        for n, o in enumerate(orders)
        if n in end and o.due_s is not None and end[n] > o.due_s
    ]
