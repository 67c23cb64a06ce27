"""A LIF 1.0 file as it stands on the wire, as far as we read and write it."""

import re
from codecs import BOM_UTF8
from typing import Any

import msgspec

from contracts.codec import UNREADABLE
from contracts.errors import Rejected


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


_decoder = msgspec.json.Decoder(File)
_STEPS = re.compile(r"\.(\w+)|\[(\d+)\]")
_NAMES = ("nodeId", "edgeId", "stationId", "layoutId", "vehicleTypeId")
_SHOWN = 120
_LONGEST = 200
"""Characters of a name."""


def read(payload: bytes) -> File:
    """Decode a file.

    Raises
    ------
    Rejected
        It is no JSON, or an element has no form that LIF knows; names that element.
    """
    payload = payload.removeprefix(BOM_UTF8)
    try:
        return _decoder.decode(payload)
    except UNREADABLE as e:
        said, _, path = str(e).partition(" - at `$")
        try:
            at: object = msgspec.json.decode(payload)
        except UNREADABLE:
            raise Rejected("file", payload[:60].decode(errors="replace"), f"JSON: {said}") from e
    names: list[str] = []
    for key, index in _STEPS.findall(path):
        if index and isinstance(at, list):
            at = at[int(index)]
            name = next((at[k] for k in _NAMES if k in at), index) if isinstance(at, dict) else index
            names.append(str(name))
        else:
            at = at.get(key) if isinstance(at, dict) else None
            names.append(key)
    raise Rejected("/".join(names) or "file", _short(at), f"as LIF has it: {said}")


def _short(found: object) -> str:
    text = found if isinstance(found, str) else msgspec.json.encode(found).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def name(name: str, path: str) -> str:
    """See that something has a name. It stays as the file has it: the robots know it by that.

    Raises
    ------
    Rejected
        It is empty, too long, or has characters that cannot be printed.
    """
    if not name or len(name) > _LONGEST or not name.isprintable():
        raise Rejected(path, name[:_LONGEST], f"named with 1 to {_LONGEST} printable characters")
    return name
