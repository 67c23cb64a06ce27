"""The road map that robots drive on: nodes and directed edges, checked when it is built.

A two-way road is two edges. A node is the unit of right of way; nodes that cannot be occupied at the same time share a
`conflict` group (by default each node is a group of its own).
"""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from functools import cached_property

import msgspec

from contracts.errors import Rejected
from contracts.geometry import Point, distance_m
from contracts.ids import DoorId, EdgeId, NodeId


class NodeKind(StrEnum):
    """What a node is for."""

    AISLE = "aisle"
    STORAGE = "storage"
    """A pod may stand here; a robot that carries one may not drive through."""
    QUEUE = "queue"
    """A waiting place of a station's lane."""
    STATION = "station"
    """Where the pod stands while people pick from it or fill it."""
    CHARGER = "charger"
    PARK = "park"
    DOOR = "door"
    """Inside a doorway: entered only while the door is open."""


class Node(msgspec.Struct, frozen=True, omit_defaults=True):
    """A place where a robot may stop."""

    id: NodeId
    x_m: float
    y_m: float
    kind: NodeKind = NodeKind.AISLE
    door: DoorId | None = None
    """The door that must be open before this node is entered; for kind `door` only."""
    conflict: str | None = None
    """Name of the conflict group; None: the node alone."""

    @property
    def point(self) -> Point:
        """Where it lies."""
        return Point(self.x_m, self.y_m)


class Edge(msgspec.Struct, frozen=True, omit_defaults=True):
    """A way from one node to the next, driven in one direction."""

    id: EdgeId
    start: NodeId
    end: NodeId
    max_speed_mps: float = 1.5
    loaded: bool = True
    """Whether a robot that carries a pod may use it."""


class Layout(msgspec.Struct, frozen=True, dict=True):
    """Nodes and edges of one level.

    Raises
    ------
    Rejected
        An id stands twice, an edge ends nowhere, a door node has no door, a speed is not positive.
    """

    id: str
    map_id: str
    version: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def __post_init__(self) -> None:
        _refuse_doubles("nodes", (n.id for n in self.nodes))
        _refuse_doubles("edges", (e.id for e in self.edges))
        _refuse_doubles("edges", (f"{e.start} -> {e.end}" for e in self.edges))
        known = {n.id for n in self.nodes}
        for e in self.edges:
            for end in (e.start, e.end):
                if end not in known:
                    raise Rejected(f"edges/{e.id}", end, "a node of this layout")
            if e.start == e.end:
                raise Rejected(f"edges/{e.id}", e.start, "an edge between two different nodes")
            if not e.max_speed_mps > 0:
                raise Rejected(f"edges/{e.id}/max_speed_mps", e.max_speed_mps, "above 0")
        for n in self.nodes:
            if (n.kind is NodeKind.DOOR) != (n.door is not None):
                raise Rejected(f"nodes/{n.id}/door", n.door, "set for kind 'door', and for no other kind")

    @cached_property
    def node(self) -> dict[NodeId, Node]:
        """Nodes by id."""
        return {n.id: n for n in self.nodes}

    @cached_property
    def edge(self) -> dict[tuple[NodeId, NodeId], Edge]:
        """Edges by (start, end)."""
        return {(e.start, e.end): e for e in self.edges}

    @cached_property
    def out(self) -> dict[NodeId, tuple[Edge, ...]]:
        """Edges that leave a node, in the order of the file."""
        found: dict[NodeId, list[Edge]] = {n.id: [] for n in self.nodes}
        for e in self.edges:
            found[e.start].append(e)
        return {n: tuple(es) for n, es in found.items()}

    def length_m(self, edge: Edge) -> float:
        """Return the straight length of an edge."""
        return distance_m(self.node[edge.start].point, self.node[edge.end].point)


def _refuse_doubles(field: str, names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise Rejected(field, name, "named once")
