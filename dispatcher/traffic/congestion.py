"""What waiting costs: how long robots wait before each edge, learned as they do, and fading when nobody does.

Only right of way counts: the time that a robot stands at a node, free to move, with nothing released to it. A slow
robot, or one at work, does not wait. Who stands in a queue whose head is at work waits as long as work takes there.
"""

import numpy as np
from numba import njit

from dispatcher.traffic.graph import EMPTY, LONGEST_MS, Flags, Ints, Roads
from dispatcher.traffic.params import TrafficParams
from dispatcher.traffic.state import FIXED, FREE, Fleet, Longs

_SHARE = 4
"""One wait counts a quarter: one that ends by itself, as behind a robot that stalled, changes little."""


class Congestion:
    """The wait before each edge, and what of it counts when ways are chosen; integers, picklable.

    Edges are numbered as in the empty robots' road map, E of them.

    Parameters
    ----------
    roads
        The road map.
    params
        `TrafficParams.congestion` and the fields below it.

    Attributes
    ----------
    wait_ms
        (E,) how long a robot is expected to wait at the start of an edge.
    extra_ms
        (E,) what counts of it when ways are chosen: it changes only when `wait_ms` has moved far from it.
    work_ms
        (N,) how long robots are at work at a node, 0 where none was.
    next_look
        When it is time to `look` again, ms.
    """

    def __init__(self, roads: Roads, params: TrafficParams) -> None:
        self._p = params
        self._number = {
            (u, int(roads.nbr[k])): k for u in range(roads.size) for k in range(*roads.ptr[EMPTY, u : u + 2].tolist())
        }
        self.wait_ms: Ints = np.zeros(len(self._number), np.int32)
        self.extra_ms: Ints = np.zeros(len(self._number), np.int32)
        self.work_ms: Ints = np.zeros(roads.size, np.int32)
        self.next_look = 0
        self._looked = 0
        self._next_change = 0

    def waited(self, nodes: list[int], ms: int) -> None:
        """Note that a robot was let go from node to node, and had waited at the first one."""
        wait = self.wait_ms
        ms = min(ms, self._p.wait_most_ms)
        for k in range(len(nodes) - 1):
            e = self._number[nodes[k], nodes[k + 1]]
            known = int(wait[e])
            if known or ms:
                wait[e] = known + (ms - known) // _SHARE
            ms = 0

    def worked(self, node: int, ms: int) -> None:
        """Note how long a robot was at work at a node."""
        known = int(self.work_ms[node])
        ms = min(ms, self._p.wait_most_ms)
        self.work_ms[node] = known + (ms - known) // 3 if known else ms

    def look(
        self, now_ms: int, fleet: Fleet, since_ms: Longs, roads: Roads, barred: Flags, ms: Ints, edge: Ints, pool: Ints
    ) -> bool:
        """Count who waits now, let fade what nobody waits for, and say whether `extra_ms` changed.

        Parameters
        ----------
        since_ms
            (robots,) when the wait of those began that stand.
        barred, ms, edge, pool
            What the planner goes by: nodes not to be entered, time and edge of each way, distance tables.
        """
        p, f = self._p, fleet
        self.next_look = now_ms + p.look_ms
        elapsed, self._looked = min(now_ms - self._looked, p.wait_fades_ms), now_ms
        _count(
            now_ms, elapsed, p.wait_fades_ms, p.wait_most_ms,
            roads.ptr, roads.nbr, ms, edge, roads.res, roads.storage, barred, pool, f.holder, len(f),
            f.mode, f.kind, f.end, f.pending, f.goal, f.row, since_ms, self.work_ms, self.wait_ms,
        )  # fmt: skip
        if now_ms < self._next_change:
            return False
        wait = np.where(self.wait_ms < p.wait_least_ms, 0, self.wait_ms)
        moved = np.abs(wait - self.extra_ms) >= np.maximum(p.wait_least_ms, self.extra_ms // 2)
        if not moved.any():
            return False
        self._next_change = now_ms + p.reroute_ms
        self.extra_ms = np.where(moved, wait, self.extra_ms).astype(np.int32)
        return True


@njit(cache=True)
def _count(
    now: int,
    elapsed: int,
    fades: int,
    most: int,
    ptr: Ints,
    nbr: Ints,
    ms: Ints,
    edge: Ints,
    res: Ints,
    storage: Flags,
    barred: Flags,
    pool: Ints,
    holder: Ints,
    count: int,
    mode: Flags,
    kind: Flags,
    end: Ints,
    pending: Ints,
    goal: Ints,
    row: Ints,
    since: Longs,
    work: Ints,
    wait: Ints,
) -> None:
    """Raise `wait` where robots wait now, and let it fade elsewhere."""
    wanted = np.full(count, -1, np.int32)
    ahead = np.full(count, -1, np.int32)
    for r in range(count):
        if mode[r] != FREE or goal[r] < 0 or end[r] == goal[r] or pending[r] > 0:
            continue
        u, g, c, table = end[r], goal[r], kind[r], pool[row[r]]
        least = LONGEST_MS
        for k in range(ptr[c, u], ptr[c, u + 1]):
            v = nbr[k]
            if table[v] >= table[u] or barred[v] or (c == 1 and storage[v] and v != g) or ms[k] + table[v] >= least:
                continue
            least = ms[k] + table[v]
            wanted[r] = edge[k]
            o = holder[res[v]]
            ahead[r] = -1 if o == r else o
    busy = np.zeros(len(wait), np.uint8)
    for r in range(count):
        e = wanted[r]
        if e < 0:
            continue
        expected = (now - since[r]) // _SHARE
        o, steps = ahead[r], 0
        while o >= 0 and wanted[o] >= 0 and steps < count:
            o = ahead[o]
            steps += 1
        if o >= 0 and mode[o] == FIXED:
            expected = max(expected, work[end[o]])
        busy[e] = 1
        wait[e] = max(wait[e], min(expected, most))
    for e in range(len(wait)):
        if wait[e] > 0 and busy[e] == 0:
            wait[e] -= np.int64(wait[e]) * elapsed // fades + 1
            wait[e] = max(wait[e], 0)
