"""Standstill: find robots that stand too long, and send them around, or clear their way."""

import numpy as np

from dispatcher.traffic.commitments import Commitments
from dispatcher.traffic.graph import LONGEST_MS
from dispatcher.traffic.jam import dissolve
from dispatcher.traffic.rescue import blocker, refuge, way
from dispatcher.traffic.state import FIXED, FREE, NEVER_MS

_RETRY_MS = 5_000
"""After a plan was promised or not found a robot gets none for so long, twice as long each time, up to 16 times."""


def look(c: Commitments) -> None:
    """Find robots that stand too long, and send them around, or clear their way."""
    now, p, f = c.now, c.params, c.fleet
    if any(f.mode[r] == FIXED for r in c.right.kept):
        c.right.kept.clear()  # one of them stands: the others are planned anew
    for r, (until, waiting) in list(c.escape.items()):
        there = f.end[waiting] == f.goal[waiting] and f.pending[waiting] == 0  # a mere promise may be taken back
        if now >= until or f.goal[waiting] < 0 or there:
            c.calm(r)
    n = len(f)
    free = (f.mode[:n] == FREE) & (f.goal[:n] >= 0) & (f.end[:n] != f.goal[:n]) & (f.boost[:n] == 0)
    waits = free & (f.pending[:n] == 0) & (now - f.moved[:n] >= min(p.detour_after_ms, p.rescue_after_ms))
    waits |= free & (now - f.progress[:n] >= p.astray_after_ms)
    searches = 1  # the oldest first; the others may look for a plan next time
    for r in sorted(np.flatnonzero(waits).tolist(), key=lambda r: int(f.key[r])):
        searches -= _help(c, r, searches)


def _help(c: Commitments, r: int, searches: int) -> int:
    """Help a robot that stands; return how many plans were looked for."""
    now, p, f, roads = c.now, c.params, c.fleet, c.roads
    if c.tables.pool[f.row[r], f.end[r]] >= LONGEST_MS or r in c.escape:
        return 0
    nodes = way(roads, c.tables, f, r)
    o = staller(c, nodes)
    if o < 0:
        o = blocker(roads, f, nodes[1:], r)
    if o >= 0 and f.mode[o] == FIXED and roads.res_of[int(f.end[o])] != roads.res_of[int(f.goal[r])]:
        if now - c.detour_ms.get(r, -NEVER_MS) >= p.detour_cost_ms // 2:
            _go_around(c, r)
        return 0
    stands = o < 0 or (f.pending[o] == 0 and now - f.moved[o] >= p.rescue_after_ms and f.mode[o] != FIXED)
    astray = now - f.progress[r] >= p.astray_after_ms
    if not ((stands and now - f.moved[r] >= p.rescue_after_ms) or astray) or o in c.escape:
        return 0
    if o >= 0 and f.mode[o] == FIXED:
        return 0  # its goal is taken by one that is pinned there
    if o >= 0 and f.goal[o] >= 0 and f.goal[o] == f.goal[r]:
        return 0  # both want the same place, and one is there, or they queue for it
    attempt, retry = c.attempts.get(r, (0, 0))
    searched = 0
    if searches and now >= retry and r not in c.right.kept:
        searched = 1
        c.attempts[r] = attempt + 1, now + (_RETRY_MS << min(attempt, 4))
        if dissolve(c, r):
            return searched
    gives_way, keep_free = (r, []) if o < 0 or attempt % 3 == 2 else (o, nodes)
    place = refuge(roads, c.tables, f, gives_way, keep_free, attempt)
    f.progress[r] = now
    if place < 0:
        return searched
    c.drop_detour(gives_way)
    c.escape[gives_way] = now + p.escape_ms, r if gives_way == o else gives_way
    f.boost[gives_way] = 1
    f.anchor[gives_way] = 0
    c.set_goal(gives_way, place)
    return searched


def _go_around(c: Commitments, r: int) -> None:
    f = c.fleet
    c.detour_ms[r] = c.now
    cost = np.zeros(c.roads.size, np.int32)
    fixed = np.flatnonzero(f.mode[: len(f)] == FIXED)
    cost[np.isin(c.roads.res, c.roads.res[f.end[fixed]])] = c.params.detour_cost_ms
    cost[(c.barred > 0) & (c.tables.shut == 0)] = c.params.detour_cost_ms
    row = c.tables.detour(int(f.goal[r]), int(f.kind[r]), cost, c.detours.get(r, -1), f.row)
    c.detours[r] = f.row[r] = row
    f.best[r] = c.tables.pool[row, f.end[r]]


def staller(c: Commitments, nodes: list[int]) -> int:
    """Return the stalled robot whose way begins right before the first of these, or -1."""
    if len(nodes) < 2 or not c.stalled or not c.barred[nodes[1]] or c.tables.shut[nodes[1]]:
        return -1
    q = c.roads.res_of[nodes[1]]
    return next((o for o in c.right.queue[q] if o in c.stalled), -1)
