"""Travel times to a goal from every node, one table per goal and class, kept in a bounded pool.

Built by Dijkstra's algorithm backwards from the goal. Sites up to 5,000 nodes keep every table that they ever ask for
within the default 128 MB; larger ones forget the least recently used.
"""

from collections import OrderedDict
from collections.abc import Container

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dispatcher.traffic.graph import LONGEST_MS, Flags, Ints, Roads

_FIRST_ROWS = 64


class Tables:
    """A pool of tables; a table is a row of `pool` (rows, N), int32 milliseconds, `LONGEST_MS` where there is no way.

    Parameters
    ----------
    roads
        The road map.
    limit_mb
        Memory that the pool may take (never less than two rows per robot in use).
    """

    def __init__(self, roads: Roads, limit_mb: int) -> None:
        self._roads = roads
        self._most = max(_FIRST_ROWS, limit_mb * 1_000_000 // (4 * roads.size))
        # all of it at once: what is not filled takes no memory, while growing would copy it before a robot's eyes
        rows = min(self._most, 2 * roads.size + _FIRST_ROWS)
        self.pool: Ints = np.empty((rows, roads.size), np.int32)
        self._rows: OrderedDict[tuple[int, int], int] = OrderedDict()
        self._free = list(range(len(self.pool) - 1, -1, -1))
        self._no_cost = np.zeros(roads.size, np.int32)
        self._scratch = np.empty(2 * (len(roads.rnbr) + roads.size + 2), np.int64)
        self.shut: Flags = np.zeros(roads.size, np.uint8)

    def row(self, goal: int, kind: int, used: Container[int] = ()) -> int:
        """Return the row of the table to a goal for a class; rows in `used` are not given up for it."""
        key = goal, kind
        row = self._rows.get(key)
        if row is not None:
            self._rows.move_to_end(key)
            return row
        row = self._take(used)
        self._rows[key] = row
        self._fill(row, goal, kind, self._no_cost)
        return row

    def detour(self, goal: int, kind: int, cost: Ints, old: int, used: Container[int] = ()) -> int:
        """Build a table of one robot's own, where entering a node costs extra; `old` is its last one, or -1."""
        row = old if old >= 0 else self._take(used)
        self._fill(row, goal, kind, cost)
        return row

    def free(self, row: int) -> None:
        """Give back a detour."""
        self._free.append(row)

    def reach_ms(self, goal: int, kind: int, start: int) -> int:
        """Return the travel time with nothing shut, whatever is shut now."""
        table = np.empty(self._roads.size, np.int32)
        self._build(table, goal, kind, self._no_cost, np.zeros_like(self.shut))
        return int(table[start])

    def forget(self, shut: Flags) -> None:
        """Drop every shared table, since other nodes are shut now."""
        self.shut = shut
        self._free.extend(self._rows.values())
        self._rows.clear()

    def _take(self, used: Container[int]) -> int:
        if not self._free:
            if len(self.pool) < self._most:
                size = min(self._most, 2 * len(self.pool))
            else:
                for key, row in self._rows.items():
                    if row not in used:
                        del self._rows[key]
                        return row
                size = len(self.pool) + _FIRST_ROWS  # every row is in use: robots come before the limit
            grown = np.empty((size, self._roads.size), np.int32)
            grown[: len(self.pool)] = self.pool
            self._free.extend(range(size - 1, len(self.pool) - 1, -1))
            self.pool = grown
        return self._free.pop()

    def _fill(self, row: int, goal: int, kind: int, cost: Ints) -> None:
        self._build(self.pool[row], goal, kind, cost, self.shut)

    def _build(self, table: Ints, goal: int, kind: int, cost: Ints, shut: Flags) -> None:
        r = self._roads
        dijkstra(table, self._scratch, goal, r.rptr[kind], r.rnbr, r.rms, cost, shut, r.storage, kind)


@njit(cache=True)
def dijkstra(
    table: Ints,
    heap: NDArray[np.int64],
    goal: int,
    rptr: Ints,
    rnbr: Ints,
    rms: Ints,
    cost: Ints,
    shut: Flags,
    storage: Flags,
    kind: int,
) -> None:
    """Fill `table` with the time to `goal`; `cost` is added for entering a node, shut nodes are not entered."""
    table[:] = LONGEST_MS
    if shut[goal]:
        table[goal] = 0
        return
    table[goal] = 0
    heap[0] = goal
    size = 1
    while size > 0:
        top = heap[0]
        size -= 1
        if size > 0:  # sift the last one down from the top
            x = heap[size]
            k = 0
            while True:
                child = 2 * k + 1
                if child >= size:
                    break
                if child + 1 < size and heap[child + 1] < heap[child]:
                    child += 1
                if heap[child] >= x:
                    break
                heap[k] = heap[child]
                k = child
            heap[k] = x
        v = top & 0xFFFFFFFF
        d = top >> 32
        if d > table[v] or shut[v] or (kind == 1 and storage[v] and v != goal):
            continue
        d += cost[v]
        for e in range(rptr[v], rptr[v + 1]):
            u = rnbr[e]
            t = d + rms[e]
            if t < table[u]:
                table[u] = t
                x = (t << 32) | u
                k = size
                size += 1
                while k > 0:  # sift it up
                    parent = (k - 1) >> 1
                    if heap[parent] <= x:
                        break
                    heap[k] = heap[parent]
                    k = parent
                heap[k] = x
