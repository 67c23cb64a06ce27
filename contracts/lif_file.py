"""A LIF 1.0 file as it stands on the wire, as far as we read and write it."""

from typing import Any

import msgspec


class Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Fields that the standard does not name are read over; what is left out stands at its default."""


class Action(Part, frozen=True):
    """What a vehicle can do at a node."""

    action_type: str
    blocking_type: str = msgspec.field(default_factory=lambda: "HARD")
    requirement_type: str = ""


class NodePosition(Part, frozen=True):
    """In metres, on the node's map."""

    x: float
    y: float


class VehicleNode(Part, frozen=True):
    """What one vehicle type does at a node."""

    vehicle_type_id: str
    actions: tuple[Action, ...] | None = ()


class Node(Part, frozen=True):
    """Where vehicles may stop."""

    node_id: str
    node_position: NodePosition
    vehicle_type_node_properties: tuple[VehicleNode, ...]
    node_description: str | None = None
    map_id: str | None = None


class LoadRestriction(Part, frozen=True):
    """Whether an edge may be driven without and with a load."""

    unloaded: bool
    loaded: bool


class Corridor(Part, frozen=True):
    """As in an order of VDA 5050 2.1; LIF 1.0 itself has none."""

    left_width: float
    right_width: float


class VehicleEdge(Part, frozen=True):
    """How one vehicle type drives an edge."""

    vehicle_type_id: str
    max_speed: float | None = None
    load_restriction: LoadRestriction | None = None
    trajectory: Any = None
    orientation_type: str | None = None
    rotation_allowed: bool | None = None
    corridor: Corridor | None = None


class Edge(Part, frozen=True):
    """A way from node to node."""

    edge_id: str
    start_node_id: str
    end_node_id: str
    vehicle_type_edge_properties: tuple[VehicleEdge, ...]


class Station(Part, frozen=True):
    """Where something is handed over."""

    station_id: str
    interaction_node_ids: tuple[str, ...]
    station_name: str | None = None


class Layout(Part, frozen=True):
    """One level."""

    layout_id: str
    layout_version: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    stations: tuple[Station, ...]
    layout_level_id: str | None = None
    layout_description: str | None = None


class Meta(Part, frozen=True):
    """Who wrote the file, and when."""

    project_identification: str
    creator: str
    export_timestamp: str
    lif_version: str


class File(Part, frozen=True):
    """The whole file."""

    meta_information: Meta
    layouts: tuple[Layout, ...]
