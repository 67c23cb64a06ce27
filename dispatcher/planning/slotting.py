"""Slotting of pods as a planner worker does it: which item goes into which pod, and a heat map of before and after.

A problem with an `area` is one for people who walk: see `slots.py`.
"""

import math
from collections import Counter
from typing import Any

import msgspec
import numpy as np

from contracts.errors import Rejected
from dispatcher.optimizers.slotting.pod_moves import check_moves, pod_moves
from dispatcher.optimizers.slotting.pods import PodParams, PodProblem, check, cost_m, plan_pods
from dispatcher.optimizers.slotting.problem import Orders
from dispatcher.planning.kinds import Report, Solved, read

EFFORT = 3_000_000


class Item(msgspec.Struct, frozen=True):
    """An item, how many bins it needs, and in which pod it lies now (empty: in several, or nowhere)."""

    id: str
    bins: int = 1
    pod: str = ""


class Pod(msgspec.Struct, frozen=True):
    """A pod, how many bins it has, where it stands (m), how far that is from the stations (m), and bins not planned."""

    id: str
    bins: int
    x_m: float
    y_m: float
    way_m: float
    held: int = 0


class Slotting(msgspec.Struct, frozen=True):
    """Items, pods, and the orders to learn from (item ids of each, the oldest first)."""

    items: tuple[Item, ...]
    pods: tuple[Pod, ...]
    orders: tuple[tuple[str, ...], ...]
    visit_m: float = 60.0
    most_share: float = 0.02
    together: int = 6
    """Orders that a station works on at a time."""
    move_share: float = 1.0
    """What a visit of a pod for a move costs, as a share of one for a pick; a gain is that of as many orders again."""
    most_moves: int | None = None


class _Where(msgspec.Struct, frozen=True):
    area: Any = None


def solve(problem: bytes, effort: int, seed: int, report: Report) -> Solved:
    """Plan which pod each item lies in; `effort` is how many exchanges are tried."""
    if read(problem, _Where).area is not None:
        from dispatcher.planning import slots

        return slots.solve(problem, slots.EFFORT if effort == EFFORT else effort, seed, report)
    asked: Slotting = read(problem, Slotting)
    for field, names in (("items", [i.id for i in asked.items]), ("pods", [p.id for p in asked.pods])):
        for name, times in Counter(names).items():
            if times > 1:
                raise Rejected(f"problem/{field}/{name}", name, "named once")
    number = {i.id: n for n, i in enumerate(asked.items)}
    pods = {p.id: n for n, p in enumerate(asked.pods)}
    orders: list[list[int]] = []
    for k, order in enumerate(asked.orders):
        for name in order:
            if name not in number:
                raise Rejected(f"problem/orders/{k}", name, "one of the items")
        orders.append([number[name] for name in order])
    for p in asked.pods:
        if not 0 <= p.held <= p.bins:
            raise Rejected(f"problem/pods/{p.id}/held", p.held, f"in 0..{p.bins}, its bins")
    if not asked.items or not asked.pods:
        raise Rejected(
            "problem/items, problem/pods", (len(asked.items), len(asked.pods)), "at least one of each, with bins"
        )
    if asked.most_moves is not None and asked.most_moves < 0:
        raise Rejected("problem/most_moves", asked.most_moves, "at least 0")
    for i in asked.items:
        if i.pod and i.pod not in pods:
            raise Rejected(f"problem/items/{i.id}/pod", i.pod, "one of the pods, or empty")
    floor = PodProblem(
        Orders.of(orders),
        np.array([i.bins for i in asked.items], np.int64),
        np.array([p.bins - p.held for p in asked.pods], np.int64),
        np.array([p.way_m for p in asked.pods]),
        asked.visit_m,
        asked.most_share,
    )
    found = plan_pods(
        floor, PodParams(swaps=effort, together=asked.together, seed=seed), lambda n, m: report(n, effort, m)
    )  # fmt: skip
    check(floor, found, asked.together)
    before = np.array([pods.get(i.pod, -1) for i in asked.items])
    known = bool((before >= 0).all())
    picks = floor.orders.picks(len(asked.items))
    moves = _moves(asked, floor, before, found.pod_of) if known else []
    plan: dict[str, Any] = {
        "cost_m": found.cost_m,
        "cost_before_m": cost_m(floor, before, asked.together) if known else None,
        "pod_of": {i.id: asked.pods[to].id for i, to in zip(asked.items, found.pod_of.tolist(), strict=True)},
        "moves": moves,
        "cost_after_moves_m": found.cost_m if not known else round(
            cost_m(floor, before, asked.together) - sum(m["gain_m"] for m in moves), 3
        ),
    }  # fmt: skip
    return Solved(found.cost_m, found.swaps, plan, _heat(asked, before, found.pod_of, picks))


def _moves(asked: Slotting, floor: PodProblem, before: Any, wanted: Any) -> list[dict[str, Any]]:
    """What is to be moved, in its order; the rest does not pay."""
    steps = pod_moves(floor, before, wanted, asked.together, asked.move_share, asked.most_moves)
    check_moves(floor, before, steps, asked.together)
    at, picks = before.copy(), floor.orders.picks(len(asked.items))
    told = []
    for m in steps:
        told.append(
            {
                "item": asked.items[m.part].id, "from": asked.pods[at[m.part]].id, "to": asked.pods[m.pod].id,
                "picks": int(picks[m.part]), "gain_m": round(m.gain_m, 3), "cost_m": round(m.cost_m, 3),
            }
        )  # fmt: skip
        at[m.part] = m.pod
    return told


def _heat(asked: Slotting, before: Any, after: Any, picks: Any) -> dict[str, Any]:
    """Picks of each pod before and after, at its place."""
    n = len(asked.pods)
    here = before >= 0
    was = np.bincount(before[here], weights=picks[here], minlength=n)
    will = np.bincount(after, weights=picks, minlength=n)
    most = max(1.0, math.ceil(float(max(was.max(initial=0), will.max(initial=0)))))
    return {
        "kind": "heat",
        "unit": "picks in the history",
        "most": most,
        "cells": [
            {"id": p.id, "x": p.x_m, "y": p.y_m, "before": int(was[k]), "after": int(will[k])}
            for k, p in enumerate(asked.pods)
        ],
    }
