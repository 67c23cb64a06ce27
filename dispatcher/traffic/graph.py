"""The road map compiled into arrays: neighbours for empty and loaded robots, resources, dead ends.

A *resource* is a conflict group of the layout (a node alone where it has none); right of way is given for resources.
Two *classes* of robot see two road maps: class 0 (empty) every edge, class 1 (loaded) the edges with ``loaded=True``,
and storage nodes only as a goal or a start.
"""

import math

import numpy as np
from numpy.typing import NDArray

from contracts.errors import Rejected
from contracts.geometry import heading_rad
from contracts.ids import DoorId, LiftId, NodeId
from contracts.layout import Edge, Layout, NodeKind, ZoneKind

Ints = NDArray[np.int32]
Flags = NDArray[np.uint8]

EMPTY, LOADED = 0, 1
LONGEST_MS = 1 << 29
"""No way is longer than this (6 days)."""
_SHY = {NodeKind.QUEUE, NodeKind.STATION, NodeKind.CHARGER, NodeKind.DOOR, NodeKind.LIFT}
_RIDE_MS = 20_000
"""What a ride from level to level costs, with the wait for the lift: only ways are chosen by it."""


def gate_of(lift: LiftId, level: str) -> str:
    """Return the name of what a lift is at a level: open, or not. No door is named so."""
    return f"{lift}@{level}"


def _resources(layout: Layout) -> dict[NodeId, str]:
    """Return what each node is held by: its own resource; all that touch a zone for one robot are one."""
    holds = {n.id: n.resource for n in layout.nodes}
    for zone in layout.zones:
        if zone.kind is ZoneKind.ONE_ROBOT:
            joined = {holds[n] for n in layout.within[zone.id]}
            holds = {n: f"zone/{zone.id}" if held in joined else held for n, held in holds.items()}
    return holds


class Roads:
    """A layout as arrays over its N nodes (in the layout's order) and Q resources.

    Attributes
    ----------
    ptr, nbr, ms, deg
        Ways out of a node in CSR form: node `u` of class `c` reaches ``nbr[ptr[c, u]:ptr[c, u + 1]]`` in `ms`
        milliseconds, heading `deg` degrees (0 to 359).
    rptr, rnbr, rms
        The same, backwards.
    heading
        The heading of each way, by its ends.
    gate
        What must be open before a node is entered: its door, or its lift standing open at its level (`gate_of`).
    cabin
        Of nodes in a lift the same, as nobody leaves before it is open; None elsewhere.
    cabins
        The resource of each lift.
    res
        (N,) resource of a node.
    storage, shy
        (N,) whether it is a storage node; whether robots are not pushed there if there is another place.
    pocket
        (2, N) number of the dead end that a node of a class's road map belongs to, or -1. A dead end is a tree that
        hangs on the rest by one node.
    degree
        The most ways out of one node.
    """

    def __init__(self, layout: Layout) -> None:
        nodes = layout.nodes
        if not nodes:
            raise Rejected("nodes", 0, "at least one node")
        self.ids: tuple[NodeId, ...] = tuple(n.id for n in nodes)
        self.index: dict[NodeId, int] = {n: k for k, n in enumerate(self.ids)}
        self.door: tuple[DoorId | None, ...] = tuple(n.door for n in nodes)
        self.cabin: tuple[str | None, ...] = tuple(
            None if n.lift is None else gate_of(n.lift, layout.level(n.id)) for n in nodes
        )
        self.gate: tuple[str | None, ...] = tuple(c or d for c, d in zip(self.cabin, self.door, strict=True))
        self.level: tuple[str, ...] = tuple(layout.level(n) for n in self.ids)
        groups: dict[str, int] = {}
        holds = _resources(layout)
        self.res: Ints = np.array([groups.setdefault(holds[n], len(groups)) for n in self.ids], np.int32)
        self.cabins: dict[LiftId, int] = {n.lift: groups[holds[n.id]] for n in nodes if n.lift is not None}
        self.resources = len(groups)
        self.res_of: list[int] = self.res.tolist()
        no_stop = {n for z in layout.zones if z.kind is ZoneKind.NO_STOP for n in layout.within[z.id]}
        self.storage: Flags = np.array([n.kind is NodeKind.STORAGE for n in nodes], np.uint8)
        self.shy: Flags = np.array([n.kind in _SHY or n.id in no_stop for n in nodes], np.uint8)
        out = [layout.out[n] for n in self.ids]
        ways = [out, [tuple(e for e in edges if e.loaded) for edges in out]]
        self.ptr, self.nbr, self.ms, self.deg = self._forward(layout, ways)
        self.rptr, self.rnbr, self.rms = self._backward()
        self.heading: dict[tuple[int, int], int] = {
            (u, int(self.nbr[k])): int(self.deg[k])
            for u in range(self.size)
            for k in range(self.ptr[EMPTY, u], self.ptr[EMPTY, u + 1])
        }
        self._closed: dict[tuple[int, int, int], int] = {}
        self.degree = int(np.diff(self.ptr, axis=1).max(initial=1)) + 1
        self.pocket: Ints = np.stack([self._dead_ends(EMPTY), self._dead_ends(LOADED)])
        self.pocket[LOADED][self.pocket[LOADED] >= 0] += int(self.pocket[EMPTY].max()) + 1
        self.pockets = int(self.pocket.max()) + 1

    @property
    def size(self) -> int:
        """Number of nodes."""
        return len(self.ids)

    def at(self, field: str, node: NodeId) -> int:
        """Return the number of a node.

        Raises
        ------
        Rejected
            The layout has no such node.
        """
        try:
            return self.index[node]
        except KeyError:
            raise Rejected(field, node, "a node of the layout") from None

    def ways(self, kind: int, node: int) -> list[int]:
        """Return the neighbours that a robot of a class reaches from a node over edges that are open."""
        part = slice(self.ptr[kind, node], self.ptr[kind, node + 1])
        found: list[int] = self.nbr[part][self.ms[part] < LONGEST_MS].tolist()
        return found

    @property
    def impaired(self) -> bool:
        """Whether an edge is closed."""
        return bool(self._closed)

    def close_edge(self, start: int, end: int) -> None:
        """Let nobody drive an edge: it takes longer than any way."""
        for kind in (EMPTY, LOADED):
            for k in range(self.ptr[kind, start], self.ptr[kind, start + 1]):
                if self.nbr[k] == end:
                    self._closed.setdefault((kind, start, end), int(self.ms[k]))
                    self._set_ms(kind, start, end, LONGEST_MS)

    def reopen_edge(self, start: int, end: int) -> None:
        """Let an edge be driven again."""
        for kind in (EMPTY, LOADED):
            ms = self._closed.pop((kind, start, end), None)
            if ms is not None:
                self._set_ms(kind, start, end, ms)

    def _set_ms(self, kind: int, start: int, end: int, ms: int) -> None:
        for ptr, nbr, times, at, to in (
            (self.ptr, self.nbr, self.ms, start, end),
            (self.rptr, self.rnbr, self.rms, end, start),
        ):
            for k in range(ptr[kind, at], ptr[kind, at + 1]):
                if nbr[k] == to:
                    times[k] = ms

    def _forward(self, layout: Layout, ways: list[list[tuple[Edge, ...]]]) -> tuple[Ints, Ints, Ints, Ints]:
        ptr = np.zeros((2, self.size + 1), np.int32)
        nbr: list[int] = []
        ms: list[int] = []
        deg: list[int] = []
        for kind in (EMPTY, LOADED):
            for k, edges in enumerate(ways[kind]):
                ptr[kind, k] = len(nbr)
                for e in edges:
                    nbr.append(self.index[e.end])
                    ride = self.level[k] != self.level[self.index[e.end]]
                    ms.append(_RIDE_MS if ride else max(1, round(1000 * layout.length_m(e) / layout.speed_mps(e))))
                    heading = heading_rad(layout.node[e.start].point, layout.node[e.end].point)
                    deg.append(round(math.degrees(heading)) % 360)
            ptr[kind, self.size] = len(nbr)
        return ptr, np.array(nbr, np.int32), np.array(ms, np.int32), np.array(deg, np.int32)

    def _backward(self) -> tuple[Ints, Ints, Ints]:
        ptr = np.zeros((2, self.size + 1), np.int32)
        nbr: list[int] = []
        ms: list[int] = []
        for kind in (EMPTY, LOADED):
            into: list[list[tuple[int, int]]] = [[] for _ in range(self.size)]
            for u in range(self.size):
                for k in range(self.ptr[kind, u], self.ptr[kind, u + 1]):
                    into[self.nbr[k]].append((u, int(self.ms[k])))
            for v, ways in enumerate(into):
                ptr[kind, v] = len(nbr)
                nbr.extend(u for u, _ in ways)
                ms.extend(t for _, t in ways)
            ptr[kind, self.size] = len(nbr)
        return ptr, np.array(nbr, np.int32), np.array(ms, np.int32)

    def _dead_ends(self, kind: int) -> Ints:
        """Peel leaves, one after another; what is peeled and hangs together is one dead end.

        For loaded robots storage nodes are joined to no other storage node, as they cannot drive through.
        """
        near: list[set[int]] = [set() for _ in range(self.size)]
        for u in range(self.size):
            for v in self.ways(kind, u):
                if not (kind == LOADED and self.storage[u] and self.storage[v]):
                    near[u].add(v)
                    near[v].add(u)
        left = [set(n) for n in near]
        leaves = [u for u in range(self.size) if len(left[u]) == 1]
        peeled = [False] * self.size
        for u in leaves:
            if len(left[u]) == 1:
                peeled[u] = True
                (v,) = left[u]
                left[v].discard(u)
                left[u].clear()
                if len(left[v]) == 1:
                    leaves.append(v)
        pocket = np.full(self.size, -1, np.int32)
        count = 0
        for start in range(self.size):
            if not peeled[start] or pocket[start] >= 0:
                continue
            pocket[start], todo = count, [start]
            while todo:
                for v in sorted(near[todo.pop()]):
                    if peeled[v] and pocket[v] < 0:
                        pocket[v] = count
                        todo.append(v)
            count += 1
        return pocket
