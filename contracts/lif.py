"""Layouts in VDMA's Layout Interchange Format (LIF 1.0): read, written, and two of them compared.

What LIF has a place for stands there: speed limits, load restrictions, maps, stations. What only we know of a node (its
kind, door, lift and conflict group) stands in its description, as ``floorplane:kind=door;door=D1;conflict=G7``, each
value quoted as in a URL. A foreign file has none of it: its kinds follow from its stations and actions.
"""

from collections.abc import Iterable
from urllib.parse import quote, unquote

import msgspec

from contracts import lif_file
from contracts.codec import decode
from contracts.errors import Rejected
from contracts.ids import DoorId, EdgeId, LiftId, NodeId, StationId, identifier
from contracts.layout import Edge, Layout, Node, NodeKind, Zone
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
    written = tuple(
        _layout(layout, level, tuple(stations), vehicle_type)
        for layout, stations in layouts
        for level in layout.levels or (layout.map_id,)
    )
    meta = lif_file.Meta(
        project_identification=project,
        creator=creator,
        export_timestamp=timestamp(now_ms),
        lif_version=VERSION,
    )
    return msgspec.json.format(_encoder.encode(lif_file.File(meta_information=meta, layouts=written)), indent=1)


def _layout(layout: Layout, level: str, stations: tuple[LifStation, ...], vehicle_type: str) -> lif_file.Layout:
    """Write one level; an edge stands where it begins, and a station where its first node lies."""
    for s in stations:
        for n in s.nodes:
            if n not in layout.node:
                raise Rejected(f"stations/{s.id}", n, f"a node of layout {layout.id}")
        if len({layout.level(n) for n in s.nodes}) > 1:
            raise Rejected(f"stations/{s.id}", ", ".join(s.nodes), "nodes of one level")
    return lif_file.Layout(
        layout_id=layout.id if level == layout.map_id else f"{layout.id}/{level}",
        layout_version=layout.version,
        layout_level_id=level,
        layout_description=_zones_written(layout, level),
        nodes=tuple(
            lif_file.Node(
                node_id=n.id,
                map_id=level,
                node_description=_description(n),
                node_position=lif_file.NodePosition(x=n.x_m, y=n.y_m),
                vehicle_type_node_properties=(
                    lif_file.VehicleNode(
                        vehicle_type_id=vehicle_type,
                        actions=tuple(
                            lif_file.Action(action_type=a, blocking_type="HARD", requirement_type="OPTIONAL")
                            for a in _ACTIONS.get(n.kind, ())
                        ),
                    ),
                ),
            )
            for n in layout.nodes
            if layout.level(n.id) == level
        ),
        edges=tuple(
            lif_file.Edge(
                edge_id=e.id,
                start_node_id=e.start,
                end_node_id=e.end,
                vehicle_type_edge_properties=(
                    lif_file.VehicleEdge(
                        vehicle_type_id=vehicle_type,
                        max_speed=e.max_speed_mps,
                        load_restriction=lif_file.LoadRestriction(unloaded=True, loaded=e.loaded),
                        orientation_type="TANGENTIAL",
                        rotation_allowed=False,
                        corridor=None
                        if e.width_m is None
                        else lif_file.Corridor(left_width=e.width_m / 2, right_width=e.width_m / 2),
                    ),
                ),
            )
            for e in layout.edges
            if layout.level(e.start) == level
        ),
        stations=tuple(
            lif_file.Station(station_id=s.id, interaction_node_ids=tuple(s.nodes), station_name=s.name or None)
            for s in stations
            if (layout.level(s.nodes[0]) if s.nodes else layout.map_id) == level
        ),
    )


def _zones_written(layout: Layout, level: str) -> str | None:
    zones = [z for z in layout.zones if (z.level or layout.map_id) == level]
    return f"{_MARK}zones={quote(_encoder.encode(zones).decode(), safe='')}" if zones else None


def _description(node: Node) -> str:
    facts = {"kind": node.kind.value, "door": node.door, "conflict": node.conflict, "lift": node.lift}
    return _MARK + ";".join(f"{k}={quote(v, safe='')}" for k, v in facts.items() if v is not None)


# --- reading


def read_lif(payload: bytes, *, vehicle_type: str | None = None) -> tuple[LifLayout, ...]:
    """Read all layouts of a LIF file; those that an edge joins are levels of one, and such edges are in a lift.

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
    file = lif_file.read(payload)
    version = file.meta_information.lif_version
    if version.partition(".")[0] != "1":
        raise Rejected("metaInformation/lifVersion", version, "a version 1 of LIF")
    if not file.layouts:
        raise Rejected("layouts", "[]", "at least one layout")
    seen: set[str] = set()
    for raw in file.layouts:
        if raw.layout_id in seen:
            raise Rejected("layouts", raw.layout_id, "named once")
        seen.add(raw.layout_id)
    return tuple(_read_levels(levels, vehicle_type) for levels in _joined(file.layouts))


def _joined(layouts: tuple[lif_file.Layout, ...]) -> list[list[lif_file.Layout]]:
    """Put together the layouts that edges join, in the order of the file.

    Raises
    ------
    Rejected
        An edge begins in another layout than its own, or ends nowhere.
    """
    home: dict[str, int] = {}
    for k, raw in enumerate(layouts):
        for n in raw.nodes:
            home.setdefault(n.node_id, k)
    group = list(range(len(layouts)))
    for k, raw in enumerate(layouts):
        own = {n.node_id for n in raw.nodes}
        for e in raw.edges:
            path = f"layouts/{raw.layout_id}/edges/{e.edge_id}"
            if e.start_node_id not in own:
                raise Rejected(f"{path}/startNodeId", e.start_node_id, "a node of this layout")
            if e.end_node_id in own:
                continue
            if e.end_node_id not in home:
                raise Rejected(f"{path}/endNodeId", e.end_node_id, "a node of this layout, or of another level")
            mine, other = group[k], group[home[e.end_node_id]]
            group = [min(mine, other) if g in {mine, other} else g for g in group]
    return [[raw for k, raw in enumerate(layouts) if group[k] == g] for g in dict.fromkeys(group)]


def _read_levels(levels: list[lif_file.Layout], vehicle_type: str | None) -> LifLayout:
    """Read layouts that are levels of one; the first one's name, map and version are the whole one's."""
    first, lifts = levels[0], _lifts(levels)
    parts = [_read_level(raw, vehicle_type, lifts) for raw in levels]
    own = parts[0].map_id
    for k, (raw, part) in enumerate(zip(levels, parts, strict=True)):
        if part.map_id in {p.map_id for p in parts[:k]}:
            raise Rejected(f"layouts/{raw.layout_id}/layoutLevelId", part.map_id, "another level than those before")
        if raw.layout_version != first.layout_version:
            part.notes.append(f"layout {raw.layout_id}: its version {raw.layout_version} is not kept")
    path = f"layouts/{first.layout_id}"
    try:
        layout = Layout(
            first.layout_id,
            own,
            first.layout_version,
            tuple(
                n if part.map_id == own else msgspec.structs.replace(n, level=part.map_id)
                for part in parts
                for n in part.nodes
            ),
            tuple(e for part in parts for e in part.edges),
            tuple(z for part in parts for z in part.zones),
        )
    except Rejected as e:
        if e.field.startswith(path):
            raise
        raise Rejected(f"{path}/{e.field}", e.value, e.bound) from e
    types = dict.fromkeys(t for part in parts for t in part.vehicle_types)
    if vehicle_type is not None and vehicle_type not in types:
        raise Rejected(f"{path}/vehicleTypeId", vehicle_type, f"one of {', '.join(types) or 'none'}")
    return LifLayout(
        layout,
        tuple(s for part in parts for s in part.stations),
        tuple(types),
        tuple(note for part in parts for note in part.notes),
    )


def _lifts(levels: list[lif_file.Layout]) -> dict[str, str]:
    """Return the lift of each node that an edge joins with another level: its own name, or that of its first node."""
    home = {n.node_id: k for k, raw in enumerate(levels) for n in raw.nodes}
    lift: dict[str, str] = {}
    for raw in levels:
        for e in raw.edges:
            if home[e.start_node_id] == home[e.end_node_id]:
                continue
            a = lift.get(e.start_node_id, f"lift-{e.start_node_id}")
            b = lift.get(e.end_node_id, a)
            lift = {n: a if name == b else name for n, name in lift.items()}
            lift[e.start_node_id] = lift[e.end_node_id] = a
    return lift


class _Level(msgspec.Struct):
    """What was read of one layout of a file."""

    map_id: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    zones: tuple[Zone, ...]
    stations: tuple[LifStation, ...]
    vehicle_types: tuple[str, ...]
    notes: list[str]


def _read_level(raw: lif_file.Layout, vehicle_type: str | None, lifts: dict[str, str]) -> _Level:
    path, notes = f"layouts/{raw.layout_id}", list[str]()
    known = {n.node_id for n in raw.nodes}
    called: set[str] = set()
    for s in raw.stations:
        if s.station_id in called:
            raise Rejected(f"{path}/stations", s.station_id, "named once")
        called.add(s.station_id)
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
    stations = tuple(
        LifStation(
            StationId(lif_file.name(s.station_id, f"{path}/stations")),
            tuple(NodeId(n) for n in s.interaction_node_ids),
            s.station_name or "",
        )
        for s in raw.stations
    )
    nodes = tuple(_read_node(n, at_station.get(n.node_id), path, notes, lifts) for n in raw.nodes)
    edges = tuple(edge for r in raw.edges if (edge := _read_edge(r, vehicle_type, path, notes)) is not None)
    return _Level(map_id, nodes, edges, _zones(raw), stations, tuple(types), notes)


def _zones(raw: lif_file.Layout) -> tuple[Zone, ...]:
    """Read our own zones back."""
    text = raw.layout_description or ""
    if not text.startswith(f"{_MARK}zones="):
        return ()
    try:
        return decode(unquote(text.partition("=")[2]).encode(), tuple[Zone, ...])
    except Rejected as e:
        raise Rejected(f"layouts/{raw.layout_id}/layoutDescription", text, f"zones as we write them: {e}") from e


def _read_node(
    raw: lif_file.Node, station: lif_file.Station | None, path: str, notes: list[str], lifts: dict[str, str]
) -> Node:
    facts = _facts(raw, path)
    if facts is None:
        if any(a.action_type not in _HANDLING for p in raw.vehicle_type_node_properties for a in p.actions or ()):
            notes.append(f"node {raw.node_id}: its actions are not kept")
        facts = {"kind": _foreign_kind(raw, station).value}
        if raw.node_id in lifts:
            facts = {"kind": NodeKind.LIFT.value, "lift": identifier(lifts[raw.node_id])}
    if facts["kind"] not in {k.value for k in NodeKind}:
        raise Rejected(f"{path}/nodes/{raw.node_id}/kind", facts["kind"], f"one of {', '.join(NodeKind)}")
    door, lift = facts.get("door"), facts.get("lift")
    return Node(
        NodeId(lif_file.name(raw.node_id, f"{path}/nodes")),
        raw.node_position.x,
        raw.node_position.y,
        NodeKind(facts["kind"]),
        None if door is None else DoorId(door),
        facts.get("conflict"),
        lift=None if lift is None else LiftId(lift),
    )


def _facts(raw: lif_file.Node, path: str) -> dict[str, str] | None:
    """Read our own facts back; None: the file is not ours."""
    mark, _, text = (raw.node_description or "").partition(":")
    if mark + ":" != _MARK:
        return None
    pairs = [pair.partition("=") for pair in text.split(";")]
    facts = {k: unquote(v) for k, _, v in pairs}
    if "kind" not in facts:
        raise Rejected(f"{path}/nodes/{raw.node_id}/nodeDescription", raw.node_description, f"{_MARK}kind=…")
    return facts


def _foreign_kind(raw: lif_file.Node, station: lif_file.Station | None) -> NodeKind:
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


def _read_edge(raw: lif_file.Edge, vehicle_type: str | None, path: str, notes: list[str]) -> Edge | None:
    properties = raw.vehicle_type_edge_properties
    if vehicle_type is not None:
        properties = tuple(p for p in properties if p.vehicle_type_id == vehicle_type)
        if not properties:
            return None
    chosen = properties[0] if properties else lif_file.VehicleEdge(vehicle_type_id="")
    if chosen.trajectory is not None:
        notes.append(f"edge {raw.edge_id}: its trajectory is not kept, it is driven straight")
    restriction = chosen.load_restriction
    if restriction is not None and not restriction.unloaded:
        notes.append(f"edge {raw.edge_id}: for loaded vehicles only, which is not kept")
    edge = Edge(
        EdgeId(lif_file.name(raw.edge_id, f"{path}/edges")),
        NodeId(raw.start_node_id),
        NodeId(raw.end_node_id),
        loaded=restriction is None or restriction.loaded,
    )
    if chosen.corridor is not None:
        width_m = chosen.corridor.left_width + chosen.corridor.right_width
        edge = msgspec.structs.replace(edge, width_m=width_m)
    return edge if chosen.max_speed is None else msgspec.structs.replace(edge, max_speed_mps=chosen.max_speed)
