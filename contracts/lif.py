"""Layouts in VDMA's Layout Interchange Format (LIF 1.0): read, written, and two of them compared.

What LIF has a place for stands there: speed limits, load restrictions, maps, stations. What only we know of a node (its
kind, door and conflict group) stands in its description, as ``floorplane:kind=door;door=D1;conflict=G7``, each value
quoted as in a URL. A foreign file has none of it: its kinds follow from its stations and actions (`_foreign_kind`).
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, unquote

import msgspec

from contracts.codec import decode
from contracts.errors import Rejected
from contracts.ids import DoorId, EdgeId, NodeId, StationId, identifier
from contracts.layout import Edge, Layout, Node, NodeKind
from contracts.vda5050.header import timestamp

VERSION = "1.0.0"
VEHICLE_TYPE = "pod-carrier"
_MARK = "floorplane:"
_HANDLING = frozenset({"pick", "drop", "load", "unload"})
_ACTIONS = {NodeKind.STORAGE: ("pick", "drop"), NodeKind.CHARGER: ("startCharging", "stopCharging")}


class LifStation(msgspec.Struct, frozen=True):
    """A place where something is handed over, and the nodes from which that is done."""

    id: StationId
    nodes: tuple[NodeId, ...]
    name: str = ""


class LifLayout(msgspec.Struct, frozen=True):
    """One layout of a file. `notes` say what the file has and a `Layout` cannot hold."""

    layout: Layout
    stations: tuple[LifStation, ...]
    vehicle_types: tuple[str, ...]
    notes: tuple[str, ...] = ()


class _Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    pass


class _Action(_Part, frozen=True):
    action_type: str
    blocking_type: str = msgspec.field(default_factory=lambda: "HARD")
    requirement_type: str = ""


class _NodePosition(_Part, frozen=True):
    x: float
    y: float


class _VehicleNode(_Part, frozen=True):
    vehicle_type_id: str
    actions: tuple[_Action, ...] | None = ()


class _Node(_Part, frozen=True):
    node_id: str
    node_position: _NodePosition
    vehicle_type_node_properties: tuple[_VehicleNode, ...]
    node_description: str | None = None
    map_id: str | None = None


class _LoadRestriction(_Part, frozen=True):
    unloaded: bool
    loaded: bool


class _VehicleEdge(_Part, frozen=True):
    vehicle_type_id: str
    max_speed: float | None = None
    load_restriction: _LoadRestriction | None = None
    trajectory: Any = None
    orientation_type: str | None = None
    rotation_allowed: bool | None = None


class _Edge(_Part, frozen=True):
    edge_id: str
    start_node_id: str
    end_node_id: str
    vehicle_type_edge_properties: tuple[_VehicleEdge, ...]


class _Station(_Part, frozen=True):
    station_id: str
    interaction_node_ids: tuple[str, ...]
    station_name: str | None = None


class _Layout(_Part, frozen=True):
    layout_id: str
    layout_version: str
    nodes: tuple[_Node, ...]
    edges: tuple[_Edge, ...]
    stations: tuple[_Station, ...]
    layout_level_id: str | None = None


class _Meta(_Part, frozen=True):
    project_identification: str
    creator: str
    export_timestamp: str
    lif_version: str


class _File(_Part, frozen=True):
    meta_information: _Meta
    layouts: tuple[_Layout, ...]


_encoder = msgspec.json.Encoder()


# --- writing


def write_lif(
    layouts: Iterable[tuple[Layout, Iterable[LifStation]]],
    *,
    project: str,
    now_ms: int,
    creator: str = "Floorplane",
    vehicle_type: str = VEHICLE_TYPE,
) -> bytes:
    """Write layouts, each with its stations, as one LIF file for one vehicle type.

    Raises
    ------
    Rejected
        A station names a node that its layout has not got.
    """
    written = tuple(_layout(layout, tuple(stations), vehicle_type) for layout, stations in layouts)
    meta = _Meta(
        project_identification=project,
        creator=creator,
        export_timestamp=timestamp(now_ms),
        lif_version=VERSION,
    )
    return msgspec.json.format(_encoder.encode(_File(meta_information=meta, layouts=written)), indent=1)


def _layout(layout: Layout, stations: tuple[LifStation, ...], vehicle_type: str) -> _Layout:
    for s in stations:
        for n in s.nodes:
            if n not in layout.node:
                raise Rejected(f"stations/{s.id}", n, f"a node of layout {layout.id}")
    return _Layout(
        layout_id=layout.id,
        layout_version=layout.version,
        layout_level_id=layout.map_id,
        nodes=tuple(
            _Node(
                node_id=n.id,
                map_id=layout.map_id,
                node_description=_description(n),
                node_position=_NodePosition(x=n.x_m, y=n.y_m),
                vehicle_type_node_properties=(
                    _VehicleNode(
                        vehicle_type_id=vehicle_type,
                        actions=tuple(
                            _Action(action_type=a, blocking_type="HARD", requirement_type="OPTIONAL")
                            for a in _ACTIONS.get(n.kind, ())
                        ),
                    ),
                ),
            )
            for n in layout.nodes
        ),
        edges=tuple(
            _Edge(
                edge_id=e.id,
                start_node_id=e.start,
                end_node_id=e.end,
                vehicle_type_edge_properties=(
                    _VehicleEdge(
                        vehicle_type_id=vehicle_type,
                        max_speed=e.max_speed_mps,
                        load_restriction=_LoadRestriction(unloaded=True, loaded=e.loaded),
                        orientation_type="TANGENTIAL",
                        rotation_allowed=False,
                    ),
                ),
            )
            for e in layout.edges
        ),
        stations=tuple(
            _Station(station_id=s.id, interaction_node_ids=tuple(s.nodes), station_name=s.name or None)
            for s in stations
        ),
    )


def _description(node: Node) -> str:
    facts = {"kind": node.kind.value, "door": node.door, "conflict": node.conflict}
    return _MARK + ";".join(f"{k}={quote(v, safe='')}" for k, v in facts.items() if v is not None)


# --- reading


def read_lif(payload: bytes, *, vehicle_type: str | None = None) -> tuple[LifLayout, ...]:
    """Read all layouts of a LIF file.

    Parameters
    ----------
    payload
        The file.
    vehicle_type
        Whose edges and speeds to take; edges that it may not use are left out. None: all edges, each with the
        properties of the first type that it names.

    Raises
    ------
    Rejected
        The file is not LIF 1, or an element contradicts another; `field` names it (``layouts/L1/edges/E7``).
    """
    file = decode(payload, _File)
    version = file.meta_information.lif_version
    if version.partition(".")[0] != "1":
        raise Rejected("metaInformation/lifVersion", version, "a version 1 of LIF")
    return tuple(_read_layout(layout, vehicle_type) for layout in file.layouts)


def _read_layout(raw: _Layout, vehicle_type: str | None) -> LifLayout:
    path, notes = f"layouts/{raw.layout_id}", list[str]()
    known = {n.node_id for n in raw.nodes}
    for e in raw.edges:
        for field, end in (("startNodeId", e.start_node_id), ("endNodeId", e.end_node_id)):
            if end not in known:
                raise Rejected(f"{path}/edges/{e.edge_id}/{field}", end, "a node of this layout")
    for s in raw.stations:
        for n in s.interaction_node_ids:
            if n not in known:
                raise Rejected(f"{path}/stations/{s.station_id}/interactionNodeIds", n, "a node of this layout")
    map_id = raw.layout_level_id or next((n.map_id for n in raw.nodes if n.map_id), raw.layout_id)
    maps = {n.map_id for n in raw.nodes if n.map_id}
    if len(maps) > 1:
        odd = next(n for n in raw.nodes if n.map_id and n.map_id != raw.nodes[0].map_id)
        raise Rejected(f"{path}/nodes/{odd.node_id}/mapId", odd.map_id, "the map of the layout's other nodes")
    if maps and raw.layout_level_id is not None and maps != {raw.layout_level_id}:
        map_id = next(iter(maps))
    at_station = {n: s for s in raw.stations for n in s.interaction_node_ids}
    types = dict.fromkeys(p.vehicle_type_id for n in raw.nodes for p in n.vehicle_type_node_properties)
    types |= dict.fromkeys(p.vehicle_type_id for e in raw.edges for p in e.vehicle_type_edge_properties)
    if vehicle_type is not None and vehicle_type not in types:
        raise Rejected(f"{path}/vehicleTypeId", vehicle_type, f"one of {', '.join(types) or 'none'}")
    try:
        layout = Layout(
            raw.layout_id,
            map_id,
            raw.layout_version,
            tuple(_read_node(n, at_station.get(n.node_id), path, notes) for n in raw.nodes),
            tuple(edge for r in raw.edges if (edge := _read_edge(r, vehicle_type, notes)) is not None),
        )
    except Rejected as e:
        if e.field.startswith(path):
            raise
        raise Rejected(f"{path}/{e.field}", e.value, e.bound) from e
    stations = tuple(
        LifStation(
            StationId(identifier(s.station_id)),
            tuple(NodeId(identifier(n)) for n in s.interaction_node_ids),
            s.station_name or "",
        )
        for s in raw.stations
    )
    return LifLayout(layout, stations, tuple(types), tuple(notes))


def _read_node(raw: _Node, station: _Station | None, path: str, notes: list[str]) -> Node:
    facts = _facts(raw, path)
    if facts is None:
        if any(a.action_type not in _HANDLING for p in raw.vehicle_type_node_properties for a in p.actions or ()):
            notes.append(f"node {raw.node_id}: its actions are not kept")
        facts = {"kind": _foreign_kind(raw, station).value}
    if facts["kind"] not in {k.value for k in NodeKind}:
        raise Rejected(f"{path}/nodes/{raw.node_id}/kind", facts["kind"], f"one of {', '.join(NodeKind)}")
    door = facts.get("door")
    return Node(
        NodeId(identifier(raw.node_id)),
        raw.node_position.x,
        raw.node_position.y,
        NodeKind(facts["kind"]),
        None if door is None else DoorId(door),
        facts.get("conflict"),
    )


def _facts(raw: _Node, path: str) -> dict[str, str] | None:
    """Read our own facts back; None: the file is not ours."""
    mark, _, text = (raw.node_description or "").partition(":")
    if mark + ":" != _MARK:
        return None
    pairs = [pair.partition("=") for pair in text.split(";")]
    facts = {k: unquote(v) for k, _, v in pairs}
    if "kind" not in facts:
        raise Rejected(f"{path}/nodes/{raw.node_id}/nodeDescription", raw.node_description, f"{_MARK}kind=…")
    return facts


def _foreign_kind(raw: _Node, station: _Station | None) -> NodeKind:
    """Guess: charging makes a charger, handling a storage place or, named by a station, a station; else an aisle."""
    actions = {a.action_type.lower() for p in raw.vehicle_type_node_properties for a in p.actions or ()}
    named = f"{station.station_id} {station.station_name or ''}".lower() if station is not None else ""
    if "startcharging" in actions or "charg" in named:
        return NodeKind.CHARGER
    if "park" in named or "park" in actions:
        return NodeKind.PARK
    if station is not None:
        return NodeKind.STATION
    return NodeKind.STORAGE if actions & _HANDLING else NodeKind.AISLE


def _read_edge(raw: _Edge, vehicle_type: str | None, notes: list[str]) -> Edge | None:
    properties = raw.vehicle_type_edge_properties
    if vehicle_type is not None:
        properties = tuple(p for p in properties if p.vehicle_type_id == vehicle_type)
        if not properties:
            return None
    chosen = properties[0] if properties else _VehicleEdge(vehicle_type_id="")
    if chosen.trajectory is not None:
        notes.append(f"edge {raw.edge_id}: its trajectory is not kept, it is driven straight")
    restriction = chosen.load_restriction
    if restriction is not None and not restriction.unloaded:
        notes.append(f"edge {raw.edge_id}: for loaded vehicles only, which is not kept")
    edge = Edge(
        EdgeId(identifier(raw.edge_id)),
        NodeId(identifier(raw.start_node_id)),
        NodeId(identifier(raw.end_node_id)),
        loaded=restriction is None or restriction.loaded,
    )
    return edge if chosen.max_speed is None else msgspec.structs.replace(edge, max_speed_mps=chosen.max_speed)


# --- comparing


def difference(a: Layout, b: Layout) -> list[str]:
    """Say in words what changes from one layout to another; empty when nothing does."""
    said = [
        f"layout: {field} {getattr(a, field)!r} → {getattr(b, field)!r}"
        for field in ("id", "map_id", "version")
        if getattr(a, field) != getattr(b, field)
    ]
    olds: dict[str, Node | Edge] = {f"node {n.id}": n for n in a.nodes} | {f"edge {e.id}": e for e in a.edges}
    news: dict[str, Node | Edge] = {f"node {n.id}": n for n in b.nodes} | {f"edge {e.id}": e for e in b.edges}
    for what in dict.fromkeys((*olds, *news)):
        old, new = olds.get(what), news.get(what)
        if new is None:
            said.append(f"{what}: gone ({_in_words(old)})")
        elif old is None:
            said.append(f"{what}: new ({_in_words(new)})")
        else:
            said += [
                f"{what}: {field} {_value(getattr(old, field))} → {_value(getattr(new, field))}"
                for field in old.__struct_fields__
                if getattr(old, field) != getattr(new, field)
            ]
    return said


def _in_words(part: Node | Edge | None) -> str:
    if isinstance(part, Edge):
        return f"{part.start} → {part.end}, {part.max_speed_mps:g} m/s"
    return f"{part.kind} at {part.x_m:g}, {part.y_m:g}" if part is not None else ""


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
