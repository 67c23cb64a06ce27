"""Travel times to a goal from every node, one table per goal and class, kept in a bounded pool.

Built by Dijkstra's algorithm backwards from the goal. Sites up to 5,000 nodes keep every table that they ever ask for
within the default 128 MB; larger ones forget the least recently used.

What an edge's wait costs (`congestion.py`) changes often, so tables follow in the background: each is that of some
*version* of the costs. Those that robots go by are brought to the newest one at each planning, a few at a time, others
when they are asked for. What a table holds follows from its version alone: a pickled pool need not carry the tables.
"""

from collections import OrderedDict
from collections.abc import Container, Iterable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dispatcher.traffic.graph import EMPTY, LOADED, LONGEST_MS, Flags, Ints, Roads

_FIRST_ROWS = 64
_CHECK = 5
"""To see that a table needs no change costs a 32nd of computing it."""
_Key = tuple[int, int]
"""Goal and class."""


class Tables:
    """A pool of tables; a table is a row of `pool` (rows, N), int32 milliseconds, `LONGEST_MS` where there is no way.

    Parameters
    ----------
    roads
        The road map.
    limit_mb
        Memory that the pool may take (never less than two rows per robot in use).

    Attributes
    ----------
    edge
        The edge, by its number in the empty robots' road map, of each way in the order of `Roads.nbr`.
    ms
        The time of each way as `Roads.ms` has it, with the wait before it.
    shut
        (N,) nodes that are not entered.
    spare
        Nodes' worth of computing that may be spent on tables that are asked for, to bring them to the newest version.
    """

    def __init__(self, roads: Roads, limit_mb: int) -> None:
        self._roads = roads
        self._most = max(_FIRST_ROWS, limit_mb * 1_000_000 // (4 * roads.size))
        # all of it at once: what is not filled takes no memory, while growing would copy it before a robot's eyes
        rows = min(self._most, 2 * roads.size + _FIRST_ROWS)
        self.pool: Ints = np.empty((rows, roads.size), np.int32)
        self._rows: OrderedDict[_Key, int] = OrderedDict()
        self._free = list(range(len(self.pool) - 1, -1, -1))
        self._no_cost = np.zeros(roads.size, np.int32)
        self._scratch = np.empty(2 * (len(roads.rnbr) + roads.size + 2), np.int64)
        self.shut: Flags = np.zeros(roads.size, np.uint8)
        number = {(int(u), int(v)): k for k, (u, v) in enumerate(zip(*_ends(roads, roads.ptr, roads.nbr), strict=True))
                  if k < roads.ptr[EMPTY, -1]}  # fmt: skip
        self._edges = int(roads.ptr[EMPTY, -1])
        self._start, self._end = (x[: self._edges] for x in _ends(roads, roads.ptr, roads.nbr))
        self.edge: Ints = _numbers(number, *_ends(roads, roads.ptr, roads.nbr))
        self._back: Ints = _numbers(number, *reversed(_ends(roads, roads.rptr, roads.rnbr)))
        self.spare = 0
        self._todo: list[_Key] = []
        self._version = 0
        self._extra: dict[int, Ints] = {0: np.zeros(self._edges, np.int32)}
        self._version_of: dict[_Key, int] = {}
        self._blank: set[_Key] = set()
        self._apart: dict[int, tuple[Ints, Ints, Ints]] = {}
        self.ms: Ints = roads.ms
        self._rms: Ints = roads.rms

    def row(self, goal: int, kind: int, used: Container[int] = ()) -> int:
        """Return the row of the table to a goal for a class; rows in `used` are not given up for it.

        One of an older version is renewed if nobody uses it and there is computing to `spare`.
        """
        key = goal, kind
        row = self._rows.get(key)
        if row is None:
            row = self._take(used)
            self._rows[key] = row
            self._version_of[key] = self._version
            self._fill(row, goal, kind, self._no_cost)
            return row
        self._rows.move_to_end(key)
        if key in self._blank:
            self._fill_blank(key)
        if self._version_of[key] != self._version and self.spare > 0 and row not in used:
            self.spare -= self._renew(key)
        return row

    def known(self, goal: int, kind: int) -> int:
        """Return the row of a table that is there, or -1; asking does not count as use."""
        key = goal, kind
        if key in self._blank:
            self._fill_blank(key)
        return self._rows.get(key, -1)

    def detour(self, goal: int, kind: int, cost: Ints, old: int, used: Container[int] = ()) -> int:
        """Build a table of one robot's own, where entering a node costs extra; `old` is its last one, or -1."""
        row = old if old >= 0 else self._take(used)
        self._fill(row, goal, kind, cost)
        return row

    def free(self, row: int) -> None:
        """Give back a detour."""
        self._free.append(row)

    def reach_ms(self, goal: int, kind: int, start: int) -> int:
        """Return the travel time with nothing shut, whatever is shut now, and without waits."""
        table = np.empty(self._roads.size, np.int32)
        self._build(table, goal, kind, self._no_cost, np.zeros_like(self.shut), self._roads.rms)
        return int(table[start])

    def forget(self, shut: Flags) -> None:
        """Drop every shared table, since other nodes are shut now, or other edges closed."""
        self.shut = shut
        self._free.extend(self._rows.values())
        self._rows.clear()
        self._version_of.clear()
        self._blank.clear()
        self._apart.clear()
        self._todo.clear()
        self._extra = {self._version: self._extra[self._version]}
        self._charge()

    def charge(self, extra: Ints, used: Iterable[_Key]) -> None:
        """Count waits from now on.

        Parameters
        ----------
        extra
            (E,) the wait before each edge, ms.
        used
            Tables to be renewed in the background, those of the oldest version first; others are when asked for.
        """
        kept = set(self._version_of.values())
        self._extra = {n: waits for n, waits in self._extra.items() if n in kept}
        self._version += 1
        self._extra[self._version] = extra
        self._apart.clear()
        self._charge()
        stale = dict.fromkeys(key for key in used if key in self._rows)
        self._todo = sorted(stale, key=self._version_of.__getitem__)[::-1]

    def due(self) -> _Key | None:
        """Return the table that is to be renewed next, if any."""
        while self._todo:
            key = self._todo[-1]
            if key in self._rows and self._version_of[key] != self._version:
                return key
            self._todo.pop()
        return None

    def renew(self, key: _Key) -> int:
        """Bring a table to the newest version, and return what that cost, in nodes computed."""
        if key in self._blank:
            self._fill_blank(key)
        return self._renew(key)

    def memory(self) -> dict[str, Any]:
        """Return what the tables hold, without them; for `remember`."""
        return {
            "rows": len(self.pool), "spare": self.spare, "todo": list(self._todo), "version": self._version,
            "tables": [(key, self._version_of[key]) for key in self._rows],
            "extra": [(n, *_sparse(waits)) for n, waits in self._extra.items()],
        }  # fmt: skip

    def remember(self, memory: dict[str, Any]) -> None:
        """Hold again what another pool held; each table is computed when it is asked for."""
        if memory["rows"] > len(self.pool):
            self._grow(memory["rows"])
        self._extra = {}
        for version, at, waits in memory["extra"]:
            self._extra[version] = np.zeros(self._edges, np.int32)
            self._extra[version][at] = waits
        self.spare, self._todo, self._version = memory["spare"], list(memory["todo"]), memory["version"]
        for key, version in memory["tables"]:
            self._rows[key] = self._free.pop()
            self._version_of[key] = version
            self._blank.add(key)
        self._charge()

    def _charge(self) -> None:
        extra = self._extra[self._version]
        self.ms = self._roads.ms + extra[self.edge]
        self._rms = self._roads.rms + extra[self._back]

    def _renew(self, key: _Key) -> int:
        row, (goal, kind), old = self._rows[key], key, self._version_of[key]
        self._version_of[key] = self._version
        if self._apart.get(old) is None:
            before, after = self._extra[old], self._extra[self._version]
            at = np.flatnonzero(before != after)
            ms = self._roads.ms[at]
            self._apart[old] = at.astype(np.int32), ms + before[at], ms + after[at]
        edges, before, after = self._apart[old]
        start, end = self.pool[row, self._start[edges]], self.pool[row, self._end[edges]]
        dearer, cheaper = (after > before) & (start == before + end), start > after + end
        if not (dearer | cheaper).any():
            return self._roads.size >> _CHECK
        self._fill(row, goal, kind, self._no_cost)
        return self._roads.size

    def _take(self, used: Container[int]) -> int:
        if not self._free:
            if len(self.pool) < self._most:
                size = min(self._most, 2 * len(self.pool))
            else:
                for key, row in self._rows.items():
                    if row not in used:
                        del self._rows[key], self._version_of[key]
                        self._blank.discard(key)
                        return row
                size = len(self.pool) + _FIRST_ROWS  # every row is in use: robots come before the limit
            self._grow(size)
        return self._free.pop()

    def _grow(self, rows: int) -> None:
        grown = np.empty((rows, self._roads.size), np.int32)
        grown[: len(self.pool)] = self.pool
        self._free.extend(range(rows - 1, len(self.pool) - 1, -1))
        self.pool = grown

    def _fill(self, row: int, goal: int, kind: int, cost: Ints) -> None:
        self._build(self.pool[row], goal, kind, cost, self.shut, self._rms)

    def _fill_blank(self, key: _Key) -> None:
        self._blank.discard(key)
        rms = self._roads.rms + self._extra[self._version_of[key]][self._back]
        self._build(self.pool[self._rows[key]], *key, self._no_cost, self.shut, rms)

    def _build(self, table: Ints, goal: int, kind: int, cost: Ints, shut: Flags, rms: Ints) -> None:
        r = self._roads
        dijkstra(table, self._scratch, goal, r.rptr[kind], r.rnbr, rms, cost, shut, r.storage, kind)


def _ends(roads: Roads, ptr: Ints, nbr: Ints) -> tuple[Ints, Ints]:
    """Return the nodes at which ways are listed, and their neighbours there, both classes one after the other."""
    at = [np.repeat(np.arange(roads.size, dtype=np.int32), np.diff(ptr[kind])) for kind in (EMPTY, LOADED)]
    return np.concatenate(at), nbr


def _numbers(number: dict[tuple[int, int], int], starts: Ints, ends: Ints) -> Ints:
    pairs = zip(starts.tolist(), ends.tolist(), strict=True)
    return np.fromiter((number[pair] for pair in pairs), np.int32, len(starts))


def _sparse(waits: Ints) -> tuple[Ints, Ints]:
    at = np.flatnonzero(waits)
    return at.astype(np.int32), waits[at]


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
