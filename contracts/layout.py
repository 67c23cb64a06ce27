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
from contracts.geometry import Point, distance_m, within
from contracts.ids import DoorId, EdgeId, LiftId, NodeId

_FEWEST_CORNERS = 3
_FEWEST_LEVELS = 2
_FASTEST_MPS = 100
_FARTHEST_M = 10_000_000
"""Maps in a national grid count in millions of metres at most; beyond that distances lose their millimetres."""


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
    LIFT = "lift"
    """In the cabin of a lift, at one of its levels: entered and left only while the lift stands open there."""


class Node(msgspec.Struct, frozen=True, omit_defaults=True):
    """A place where a robot may stop."""

    id: NodeId
    x_m: float
    y_m: float
    kind: NodeKind = NodeKind.AISLE
    door: DoorId | None = None
    """The door that must be open before this node is entered; for kind `door` only."""
    conflict: str | None = None
    """Name of the conflict group; None: the node alone. All nodes of a lift are one by themselves."""
    level: str = ""
    """The level that it lies on, named by its map; empty: the layout's own, `Layout.map_id`."""
    lift: LiftId | None = None
    """The lift in whose cabin it lies; for kind `lift` only."""

    @property
    def resource(self) -> str:
        """What one robot at a time holds here: the lift's cabin, the conflict group, or the node alone."""
        if self.lift is not None:
            return f"lift/{self.lift}"
        return f"node/{self.id}" if self.conflict is None else f"group/{self.conflict}"

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
    width_m: float | None = None
    """Clear width of its corridor; None: nobody has said."""


class ZoneKind(StrEnum):
    """What holds in a zone."""

    SPEED = "speed"
    """Nobody drives faster than `Zone.max_speed_mps`."""
    ONE_ROBOT = "one_robot"
    """One robot at a time."""
    NO_STOP = "no_stop"
    """Nobody comes to rest there."""
    CLOSED = "closed"
    """Nobody enters, until it is opened."""


class Zone(msgspec.Struct, frozen=True, omit_defaults=True):
    """A polygon of the floor with a rule for all nodes in it."""

    id: str
    kind: ZoneKind
    corners: tuple[Point, ...]
    """At least three, in order, either way round."""
    max_speed_mps: float | None = None
    """For kind `speed` only."""
    level: str = ""
    """The level that it lies on, as `Node.level`."""

    def holds(self, at: Point) -> bool:
        """Whether a place is in the zone; on the border: perhaps."""
        return within(self.corners, at)


class Layout(msgspec.Struct, frozen=True, dict=True, omit_defaults=True):
    """Nodes and edges of one level, or of several that lifts join.

    Raises
    ------
    Rejected
        An id stands twice, an edge ends nowhere, a door node has no door, a speed is not positive, a zone has too
        few corners, a lift has fewer than two levels or two nodes on one, or an edge leads to another level but in a
        lift.
    """

    id: str
    map_id: str
    """The map of the level whose nodes name none."""
    version: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    zones: tuple[Zone, ...] = ()

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
            if not 0 < e.max_speed_mps <= _FASTEST_MPS:
                raise Rejected(f"edges/{e.id}/max_speed_mps", e.max_speed_mps, f"above 0, at most {_FASTEST_MPS} m/s")
            if e.width_m is not None and not e.width_m > 0:
                raise Rejected(f"edges/{e.id}/width_m", e.width_m, "above 0")
        for n in self.nodes:
            for axis, metres in (("x_m", n.x_m), ("y_m", n.y_m)):
                if not abs(metres) <= _FARTHEST_M:
                    raise Rejected(f"nodes/{n.id}/{axis}", metres, f"within {_FARTHEST_M} m of the map's origin")
            if (n.kind is NodeKind.DOOR) != (n.door is not None):
                raise Rejected(f"nodes/{n.id}/door", n.door, "set for kind 'door', and for no other kind")
        self._refuse_levels()
        _refuse_doubles("zones", (z.id for z in self.zones))
        for z in self.zones:
            if z.level and z.level not in {n.level for n in self.nodes}:
                raise Rejected(f"zones/{z.id}/level", z.level, "a level on which nodes lie")
            if len(z.corners) < _FEWEST_CORNERS:
                raise Rejected(f"zones/{z.id}/corners", len(z.corners), f"at least {_FEWEST_CORNERS}")
            if (z.kind is ZoneKind.SPEED) != (z.max_speed_mps is not None):
                raise Rejected(f"zones/{z.id}/max_speed_mps", z.max_speed_mps, "set for kind 'speed', and for no other")
            if z.max_speed_mps is not None and not z.max_speed_mps > 0:
                raise Rejected(f"zones/{z.id}/max_speed_mps", z.max_speed_mps, "above 0")

    def _refuse_levels(self) -> None:
        at: dict[LiftId, dict[str, NodeId]] = {}
        for n in self.nodes:
            if (n.kind is NodeKind.LIFT) != (n.lift is not None):
                raise Rejected(f"nodes/{n.id}/lift", n.lift, "set for kind 'lift', and for no other kind")
            if n.level == self.map_id and self.map_id:
                raise Rejected(f"nodes/{n.id}/level", n.level, "empty on the layout's own level")
            if n.lift is None:
                continue
            if n.conflict is not None:
                raise Rejected(f"nodes/{n.id}/conflict", n.conflict, "none in a lift: its cabin is one group by itself")
            other = at.setdefault(n.lift, {}).setdefault(n.level, n.id)
            if other != n.id:
                raise Rejected(f"nodes/{n.id}/level", self.level(n.id), f"another level than that of {other}")
        for lift, levels in at.items():
            if len(levels) < _FEWEST_LEVELS:
                raise Rejected(f"lifts/{lift}", ", ".join(levels.values()), "nodes on two levels at least")
        nodes = self.node
        for e in self.edges:
            a, b = nodes[e.start], nodes[e.end]
            if a.level != b.level and (a.lift is None or a.lift != b.lift):
                raise Rejected(
                    f"edges/{e.id}", f"{self.level(a.id)} -> {self.level(b.id)}",
                    "on one level, or from node to node of one lift",
                )  # fmt: skip

    def level(self, node: NodeId) -> str:
        """Return the map of the level that a node lies on."""
        return self.node[node].level or self.map_id

    @cached_property
    def levels(self) -> tuple[str, ...]:
        """The maps of all levels, the layout's own first if anything lies on it, the others as nodes name them."""
        found = dict.fromkeys(n.level for n in self.nodes)
        return tuple(level or self.map_id for level in sorted(found, key=bool))

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

    @cached_property
    def within(self) -> dict[str, tuple[NodeId, ...]]:
        """Nodes of each zone."""
        return {z.id: tuple(n.id for n in self.nodes if n.level == z.level and z.holds(n.point)) for z in self.zones}

    @cached_property
    def _zone_mps(self) -> dict[NodeId, float]:
        found: dict[NodeId, float] = {}
        for z in self.zones:
            for n in self.within[z.id] if z.max_speed_mps is not None else ():
                found[n] = min(found.get(n, z.max_speed_mps or 0.0), z.max_speed_mps or 0.0)
        return found

    def speed_mps(self, edge: Edge) -> float:
        """Return the speed limit of an edge, with those of the zones in which it begins and ends."""
        zones = self._zone_mps
        return min(edge.max_speed_mps, *(zones.get(n, edge.max_speed_mps) for n in (edge.start, edge.end)))

    def length_m(self, edge: Edge) -> float:
        """Return the straight length of an edge."""
        return distance_m(self.node[edge.start].point, self.node[edge.end].point)


def _refuse_doubles(field: str, names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise Rejected(field, name, "named once")
