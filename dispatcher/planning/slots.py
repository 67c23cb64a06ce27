"""Slotting for people who walk, as a planner worker does it: which item lies in which slot along the aisles.

Travel is that of exact tours; golden zones (`reach_m`), what bears what (`allowed`), look-alikes apart, families in one
aisle, and pickers in each other's way count as well.
"""

import math
from collections import Counter
from typing import Any

import msgspec
import numpy as np

from contracts.errors import Rejected
from dispatcher.optimizers.picking.area import Area
from dispatcher.optimizers.slotting import Orders, Params, Plan, Problem, Slots, check, plan, reslot
from dispatcher.optimizers.slotting.problem import NO_GROUP, Ints
from dispatcher.optimizers.slotting.search import as_plan
from dispatcher.planning.kinds import Report, Solved, read

EFFORT = 200_000


class Slot(msgspec.Struct, frozen=True):
    """A place for one item, metres from the top cross aisle; `reach_m` is what a pick from it costs besides the way."""

    id: str
    aisle: int
    at_m: float
    reach_m: float = 0.0
    kind: str = ""


class Item(msgspec.Struct, frozen=True):
    """An item, where it lies now (empty: nowhere), and its rules; those of one `apart` never share a bay."""

    id: str
    slot: str = ""
    kind: str = ""
    apart: str = ""
    together: str = ""
    """Those of one family share an aisle."""


class Walked(msgspec.Struct, frozen=True):
    """Items, slots along aisles, and the orders to learn from (item ids of each)."""

    area: Area
    slots: tuple[Slot, ...]
    items: tuple[Item, ...]
    orders: tuple[tuple[str, ...], ...]
    allowed: dict[str, tuple[str, ...]] = {}
    """Kinds of slots that an item of a kind may have; one that is not named may lie anywhere."""
    depot: str = ""
    pickers: int = 1
    blocked_m: float = 8.0
    move_cost_m: float = 50.0
    """What moving an item costs; a gain is that of as many orders again."""
    most_moves: int | None = None


def solve(problem: bytes, effort: int, seed: int, report: Report) -> Solved:
    """Plan the slot of each item; `effort` is how many exchanges are tried."""
    asked: Walked = read(problem, Walked)
    slots = sorted(asked.slots, key=lambda s: (s.aisle, s.at_m))
    whole = _problem(asked, slots)
    at = {s.id: n for n, s in enumerate(slots)}
    before = np.array([at[i.slot] if i.slot else -1 for i in asked.items], np.int64)
    known = bool((before >= 0).all())
    was = as_plan(whole, before) if known else None
    if was is not None:
        _look(whole, asked, was)
    found = plan(whole, Params(swaps=effort, seed=seed), watch=lambda n, cost: report(n, effort, cost))
    check(whole, found)
    if was is not None and _cost_m(was) < _cost_m(found):
        found = msgspec.structs.replace(was, swaps=found.swaps)
    moves = _moves(asked, slots, whole, before, found.slot_of) if known else []
    told: dict[str, Any] = {
        "cost_m": _cost_m(found), "travel_m": found.travel_m, "reach_m": found.reach_m, "crowd_m": found.crowd_m,
        "cost_before_m": None if was is None else _cost_m(was),
        "slot_of": {i.id: slots[n].id for i, n in zip(asked.items, found.slot_of.tolist(), strict=True)},
        "moves": moves,
        "cost_after_moves_m": None if was is None else round(_cost_m(was) - sum(m["gain_m"] for m in moves), 3),
    }  # fmt: skip
    return Solved(_cost_m(found), found.swaps, told, _heat(asked, slots, whole, before, found.slot_of))


def _cost_m(one: Plan) -> float:
    return one.travel_m + one.reach_m + one.crowd_m


def _look(whole: Problem, asked: Walked, was: Plan) -> None:
    """Look whether items may lie where they are said to lie."""
    taken: dict[int, str] = {}
    for i, n in zip(asked.items, was.slot_of.tolist(), strict=True):
        if n in taken:
            raise Rejected(f"problem/items/{i.id}/slot", i.slot, f"a slot of its own: {taken[n]} lies there")
        taken[n] = i.id
    bad = np.flatnonzero(~whole.allowed[whole.kind, whole.slots.kind[was.slot_of]])
    for p in bad[:1].tolist():
        item = asked.items[p]
        raise Rejected(f"problem/items/{item.id}/slot", item.slot, f"a slot that the kind {item.kind!r} may have")


def _problem(asked: Walked, slots: list[Slot]) -> Problem:
    for field, names in (("slots", [s.id for s in slots]), ("items", [i.id for i in asked.items])):
        for name, times in Counter(names).items():
            if times > 1:
                raise Rejected(f"problem/{field}/{name}", name, "named once")
    if not slots or not asked.items:
        raise Rejected("problem/items, problem/slots", (len(asked.items), len(slots)), "at least one of each")
    if asked.area.one_way or asked.area.busy:
        raise Rejected("problem/area", "one_way, busy", "free to walk: slotting knows no rules of aisles")
    depots = {d.id: d for d in asked.area.depots}
    if asked.depot and asked.depot not in depots:
        raise Rejected("problem/depot", asked.depot, "a depot of the area")
    warehouse = asked.area.warehouse(depots[asked.depot] if asked.depot else asked.area.depots[0])
    for s in slots:
        if not 0 <= s.aisle < warehouse.aisles:
            raise Rejected(f"problem/slots/{s.id}/aisle", s.aisle, f"in 0..{warehouse.aisles - 1}")
        if not 0 <= s.at_m <= warehouse.cross_m[-1]:
            raise Rejected(f"problem/slots/{s.id}/at_m", s.at_m, f"in 0..{warehouse.cross_m[-1]}")
        if not (math.isfinite(s.reach_m) and s.reach_m >= 0):
            raise Rejected(f"problem/slots/{s.id}/reach_m", s.reach_m, "at least 0, and finite")
    if not (math.isfinite(asked.move_cost_m) and asked.move_cost_m >= 0):
        raise Rejected("problem/move_cost_m", asked.move_cost_m, "at least 0, and finite")
    if asked.most_moves is not None and asked.most_moves < 0:
        raise Rejected("problem/most_moves", asked.most_moves, "at least 0")
    known = {s.id for s in slots}
    for i in asked.items:
        if i.slot and i.slot not in known:
            raise Rejected(f"problem/items/{i.id}/slot", i.slot, "one of the slots, or empty")
    number = {i.id: n for n, i in enumerate(asked.items)}
    orders = []
    for k, order in enumerate(asked.orders):
        for name in order:
            if name not in number:
                raise Rejected(f"problem/orders/{k}", name, "one of the items")
        orders.append([number[name] for name in order])
    bays = sorted({(s.aisle, s.at_m) for s in slots})
    bay = {place: n for n, place in enumerate(bays)}
    kinds = sorted({i.kind for i in asked.items} | asked.allowed.keys())
    slot_kinds = sorted({s.kind for s in slots} | {k for ks in asked.allowed.values() for k in ks})
    allowed = np.array([[k not in asked.allowed or s in asked.allowed[k] for s in slot_kinds] for k in kinds])
    return Problem(
        warehouse,
        Slots(
            np.array([a for a, _ in bays], np.int64), np.array([m for _, m in bays], np.float64),
            np.array([bay[s.aisle, s.at_m] for s in slots], np.int64),
            np.array([s.reach_m for s in slots], np.float64),
            np.array([slot_kinds.index(s.kind) for s in slots], np.int64),
        ),
        Orders.of([o for o in orders if o]), len(asked.items),
        np.array([kinds.index(i.kind) for i in asked.items], np.int64), allowed,
        _groups([i.apart for i in asked.items]), _groups([i.together for i in asked.items]),
        asked.pickers, asked.blocked_m,
    )  # fmt: skip


def _groups(names: list[str]) -> Ints:
    number = {name: n for n, name in enumerate(sorted({*names} - {""}))}
    return np.array([number.get(name, NO_GROUP) for name in names], np.int64)


def _moves(asked: Walked, slots: list[Slot], whole: Problem, before: Ints, wanted: Ints) -> list[dict[str, Any]]:
    """What is to be moved, in its order, each of the two of an exchange for itself; the rest does not pay."""
    told = []
    at = before.copy()
    for step in reslot(whole, before, wanted, asked.move_cost_m, asked.most_moves):
        pair = [(step.part, int(at[step.part]), step.slot)]
        if step.other is not None:
            pair.append((step.other, step.slot, int(at[step.part])))
        for n, (part, origin, goal) in enumerate(pair):
            told.append(
                {
                    "item": asked.items[part].id, "from": slots[origin].id, "to": slots[goal].id,
                    "picks": int(whole.picks[part]), "gain_m": 0.0 if n else round(step.gain_m, 3),
                    "cost_m": asked.move_cost_m,
                }
            )  # fmt: skip
            at[part] = goal
    return told


def _heat(asked: Walked, slots: list[Slot], whole: Problem, before: Ints, after: Ints) -> dict[str, Any]:
    """Picks of each slot before and after, at its place; slots of one bay stand side by side."""
    n, picks = len(slots), whole.picks
    here = before >= 0
    was = np.bincount(before[here], weights=picks[here], minlength=n)
    will = np.bincount(after, weights=picks, minlength=n)
    most = max(1.0, float(max(was.max(initial=0), will.max(initial=0))))
    first = np.searchsorted(whole.slots.slot_bay, whole.slots.slot_bay)
    pitch = asked.area.pitch_m
    wide = max(1, int((np.arange(n) - first).max()) + 1)
    return {
        "kind": "heat", "unit": "picks in the history", "most": most,
        "cells": [
            {
                "id": s.id, "x": round(s.aisle * pitch + (k - int(first[k])) * 0.6 * pitch / wide, 3), "y": -s.at_m,
                "before": int(was[k]), "after": int(will[k]),
            }
            for k, s in enumerate(slots)
        ],
    }  # fmt: skip
