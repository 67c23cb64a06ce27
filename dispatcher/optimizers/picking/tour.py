"""From chosen steps to a walk, and an independent look at any walk."""

import itertools
import math
from collections import defaultdict

import msgspec
import numpy as np
import numpy.typing as npt

from contracts.errors import Broken
from dispatcher.optimizers.picking.states import FROM_BOTTOM, FROM_TOP, GAP, ONCE, TWICE
from dispatcher.optimizers.picking.warehouse import Picks, Warehouse

Place = tuple[int, float]
"""Aisle and metres from the top cross aisle."""
_TOLERANCE_M = 1e-6


class Tour(msgspec.Struct, frozen=True):
    """A closed walk from the depot.

    `places` are where it turns, begins, ends or picks, in order; `picks` are the numbers of the picks (in the sorted
    order of `Picks`) in the order in which they are passed first.
    """

    length_m: float
    places: tuple[Place, ...]
    picks: tuple[int, ...]


def unroll(warehouse: Warehouse, picks: Picks, length_m: float, ways: npt.NDArray[np.int8], first: int) -> Tour:
    """Turn the steps chosen by the dynamic program into a closed walk (Hierholzer's algorithm on its multigraph)."""
    links: dict[Place, list[tuple[Place, int]]] = defaultdict(list)
    count = 0

    def join(*chain: Place) -> None:
        nonlocal count
        for a, b in itertools.pairwise(chain):
            links[a].append((b, count))
            links[b].append((a, count))
            count += 1

    cross, blocks = warehouse.cross_m, warehouse.blocks
    per_aisle = 2 * blocks + 1
    pick = 0
    for k, way in enumerate(int(w) for w in ways):
        j, step = first + k // per_aisle, k % per_aisle
        if step >= blocks:
            at = float(cross[step - blocks])
            for _ in range(way):
                join((j, at), (j + 1, at))
            continue
        top, bottom = float(cross[step]), float(cross[step + 1])
        low = pick
        while pick < len(picks.aisle) and picks.aisle[pick] == j and picks.at_m[pick] <= bottom:
            pick += 1
        inner = sorted({float(a) for a in picks.at_m[low:pick]} - {top, bottom})
        chain = [(j, a) for a in (top, *inner, bottom)]
        if way == ONCE:
            join(*chain)
        elif way == TWICE:
            join(*chain)
            join(chain[0], chain[-1])
        elif way == FROM_TOP:
            join(*chain[:-1], *reversed(chain[:-2]))
        elif way == FROM_BOTTOM:
            join(*chain[:0:-1], *chain[2:])
        elif way == GAP:
            gaps = [chain[n + 1][1] - chain[n][1] if 0 < n < len(chain) - 2 else -1.0 for n in range(len(chain) - 1)]
            cut = gaps.index(max(gaps))
            join(*chain[: cut + 1], *reversed(chain[:cut]))
            join(*chain[:cut:-1], *chain[cut + 2 :])
    depot = (warehouse.depot_aisle, float(cross[warehouse.depot_cross]))
    places = _closed_walk(links, depot, count)
    at_place = defaultdict(list)
    for n in range(len(picks.aisle)):
        at_place[int(picks.aisle[n]), float(picks.at_m[n])].append(n)
    passed = [n for place in places for n in at_place.pop(place, ())]
    return Tour(length_m, tuple(places), tuple(passed))


def _closed_walk(links: dict[Place, list[tuple[Place, int]]], start: Place, count: int) -> list[Place]:
    used = bytearray(count)
    stack, walk = [start], []
    while stack:
        here = stack[-1]
        onward = links[here]
        while onward and used[onward[-1][1]]:
            onward.pop()
        if onward:
            to, edge = onward.pop()
            used[edge] = 1
            stack.append(to)
        else:
            walk.append(stack.pop())
    return walk[::-1]


def check(warehouse: Warehouse, picks: Picks, tour: Tour) -> None:
    """Look at a tour without knowing how it was made.

    Raises
    ------
    Broken
        It leaves the aisles, misses a pick, does not begin and end at the depot, or is not as long as it says.
    """
    if not len(picks.aisle):
        return
    cross = [float(c) for c in warehouse.cross_m]
    depot = (warehouse.depot_aisle, cross[warehouse.depot_cross])
    if tour.places[0] != depot or tour.places[-1] != depot:
        raise Broken(f"tour: begins at {tour.places[0]} and ends at {tour.places[-1]}, not at the depot {depot}")
    length = 0.0
    walked: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for (j, a), (k, b) in zip(tour.places, tour.places[1:], strict=False):
        if j == k:
            walked[j].append((min(a, b), max(a, b)))
            length += abs(a - b)
        elif a == b and a in cross:
            length += abs(j - k) * warehouse.pitch_m
        else:
            raise Broken(f"tour: from {(j, a)} to {(k, b)} there is no way")
    for n in range(len(picks.aisle)):
        j, at = int(picks.aisle[n]), float(picks.at_m[n])
        on_cross = any(p == (j, at) for p in tour.places)
        if not on_cross and not any(lo <= at <= hi for lo, hi in walked[j]):
            raise Broken(f"tour: pick {n} in aisle {j} at {at} m is not passed")
    if not math.isclose(length, tour.length_m, abs_tol=_TOLERANCE_M):
        raise Broken(f"tour: says {tour.length_m} m, walks {length} m")
    if sorted(tour.picks) != list(range(len(picks.aisle))):
        raise Broken("tour: does not name each pick once")
