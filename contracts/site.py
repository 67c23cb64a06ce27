"""One site: its road map, its pods, stations, chutes and doors, and the devices that serve them.

It is a file (`site.json`) that every process of the site reads at its start; central also keeps it as places. The
reference site is built by `simulators.site`; a real one is written by whoever commissions it.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from contracts.codec import UNREADABLE
from contracts.errors import Rejected
from contracts.ids import (
    PATTERN,
    BinId,
    CellId,
    ChuteId,
    DeviceId,
    DoorId,
    LiftId,
    NodeId,
    PodId,
    RobotId,
    SiteId,
    StationId,
    is_identifier,
)
from contracts.layout import Layout, NodeKind
from contracts.reach import refuse_unreachable

_NAME = f"a name of the form {PATTERN}"


class Bin(msgspec.Struct, frozen=True):
    """A compartment of a pod. `face` is the side (0..3), `level` counts from the floor, `column` from the left."""

    id: BinId
    face: int
    level: int
    column: int


class Pod(msgspec.Struct, frozen=True):
    """A movable rack with its place in storage at the time when the site is built."""

    id: PodId
    home: NodeId
    bins: tuple[Bin, ...]


class Station(msgspec.Struct, frozen=True):
    """A work place that pods are brought to.

    `lane` are the nodes a robot passes in order, the last of which is where the pod is worked on; `exit` is the node
    after it. `slots` is how many order totes stand at the station at the same time (0 at a receiving station).
    """

    id: StationId
    kind: str  # "pick" | "receive"
    cell: CellId
    lane: tuple[NodeId, ...]
    exit: NodeId
    slots: int


class Chute(msgspec.Struct, frozen=True):
    """An exit of the sorter with one packing place; `capacity` totes fit on it."""

    id: ChuteId
    cell: CellId
    position_m: float
    capacity: int


class Door(msgspec.Struct, frozen=True):
    """A fire door across the road; `nodes` are the door nodes it closes. Without a cell robots open it themselves."""

    id: DoorId
    cell: CellId
    nodes: tuple[NodeId, ...]


class Lift(msgspec.Struct, frozen=True):
    """A lift that carries one robot between levels; `nodes` are its cabin's, in the order of its controller's floors.

    The controller counts floors from 0; `nodes[0]` is the cabin at floor 0. Without a cell the robots call it by
    themselves.
    """

    id: LiftId
    cell: CellId
    nodes: tuple[NodeId, ...]


class Device(msgspec.Struct, frozen=True):
    """One device of a cell: which driver speaks to it, and where.

    `driver` is a name in `controllers.registry` (``tcp_scanner``, ``tcp_scale``, ``tcp_printer``, ``modbus``,
    ``opcua``, ``camera``); `address` is a URL (``tcp://127.0.0.1:7001``, ``modbus://127.0.0.1:5020/1``, ``opc.tcp://127.0.0.1:4840``);
    `role` says what it is to the cell (``scanner``, ``scale``, ``printer``, ``panel``, ``line``, ``door``, ``lift``,
    ``camera``).
    """

    id: DeviceId
    role: str
    driver: str
    address: str
    serves: str = ""
    """The station, chute, door or lift that it belongs to, where a cell has several."""


class Cell(msgspec.Struct, frozen=True):
    """What one edge daemon looks after. `kind` is ``station``, ``line``, ``doors`` or ``lifts``."""

    id: CellId
    kind: str
    devices: tuple[Device, ...]


class Robot(msgspec.Struct, frozen=True):
    """A robot that belongs to the site, and where its twin stands at first."""

    id: RobotId
    manufacturer: str
    start: NodeId


class Site(msgspec.Struct, frozen=True, dict=True):
    """Everything of one site.

    Raises
    ------
    Rejected
        A part names a node, cell, door or lift that the site has not got, a lane is not a road, or a name is no
        identifier or stands twice.
    """

    id: SiteId
    layout: Layout
    pods: tuple[Pod, ...]
    stations: tuple[Station, ...]
    chutes: tuple[Chute, ...]
    doors: tuple[Door, ...]
    cells: tuple[Cell, ...]
    robots: tuple[Robot, ...]
    line_length_m: float
    """Once around the conveyor loop."""
    infeed_m: dict[StationId, float]
    """Where each pick station's infeed joins the loop, from the sorter's scanner, in driving direction."""
    places: dict[str, NodeId] = {}
    """Names besides those of nodes and stations that transports may go by."""
    lifts: tuple[Lift, ...] = ()

    def __post_init__(self) -> None:
        self._refuse_names()
        nodes, cells = self.layout.node, {c.id for c in self.cells}
        for p in self.pods:
            if p.home not in nodes or nodes[p.home].kind is not NodeKind.STORAGE:
                raise Rejected(f"pods/{p.id}/home", p.home, "a storage node of the layout")
        for s in self.stations:
            if s.cell not in cells:
                raise Rejected(f"stations/{s.id}/cell", s.cell, "a cell of the site")
            for a, b in zip(s.lane, (*s.lane[1:], s.exit), strict=True):
                if (a, b) not in self.layout.edge:
                    raise Rejected(f"stations/{s.id}/lane", f"{a} -> {b}", "an edge of the layout")
        for c in self.chutes:
            if c.cell not in cells:
                raise Rejected(f"chutes/{c.id}/cell", c.cell, "a cell of the site")
        for d in self.doors:
            for n in d.nodes:
                if n not in nodes or nodes[n].door != d.id:
                    raise Rejected(f"doors/{d.id}/nodes", n, f"a node of kind 'door' that names {d.id}")
        self._refuse_lifts()
        for name, n in self.places.items():
            if n not in nodes:
                raise Rejected(f"places/{name}", n, "a node of the layout")
        for r in self.robots:
            if r.start not in nodes:
                raise Rejected(f"robots/{r.id}/start", r.start, "a node of the layout")

    def _refuse_lifts(self) -> None:
        nodes, cells, seen = self.layout.node, {c.id for c in self.cells}, set[NodeId]()
        for lift in self.lifts:
            if lift.cell and lift.cell not in cells:
                raise Rejected(f"lifts/{lift.id}/cell", lift.cell, "a cell of the site")
            for n in lift.nodes:
                if n not in nodes or nodes[n].lift != lift.id or n in seen:
                    raise Rejected(f"lifts/{lift.id}/nodes", n, f"a node of kind 'lift' that names {lift.id}, once")
                seen.add(n)
        for node in self.layout.nodes:
            if node.lift is not None and node.id not in seen:
                raise Rejected(f"layout/nodes/{node.id}/lift", node.lift, "a lift of the site that names this node")

    def _refuse_names(self) -> None:
        """Names stand in topics, subjects and URLs as they are."""
        bins = [b for p in self.pods for b in p.bins]
        kinds: tuple[tuple[str, Sequence[Any]], ...] = (
            ("pods", self.pods), ("bins", bins), ("stations", self.stations), ("chutes", self.chutes),
            ("doors", self.doors), ("lifts", self.lifts), ("cells", self.cells), ("robots", self.robots),
        )  # fmt: skip
        if not is_identifier(self.id):
            raise Rejected("id", self.id, _NAME)
        for field, parts in kinds:
            seen: set[str] = set()
            for part in parts:
                if not is_identifier(part.id):
                    raise Rejected(f"{field}/{part.id}", part.id, _NAME)
                if part.id in seen:
                    raise Rejected(f"{field}/{part.id}", part.id, "named once")
                seen.add(part.id)

    @cached_property
    def station(self) -> dict[StationId, Station]:
        """Stations by id."""
        return {s.id: s for s in self.stations}

    def place(self, name: str) -> NodeId | None:
        """Return the node that a name means: a node's own, a station's work place, or one of `places`."""
        if name in self.layout.node:
            return NodeId(name)
        station = self.station.get(StationId(name))
        return station.lane[-1] if station is not None else self.places.get(name)

    @cached_property
    def bin_pod(self) -> dict[BinId, PodId]:
        """The pod of each bin."""
        return {b.id: p.id for p in self.pods for b in p.bins}


def read_site(path: Path) -> Site:
    """Read and check a site file.

    Raises
    ------
    Rejected
        The file is missing, is not JSON, does not describe a site, or has a place that no road leads to; names the
        field.
    """
    try:
        site = msgspec.json.decode(path.read_bytes(), type=Site)
    except FileNotFoundError as e:
        raise Rejected("site", str(path), "an existing site file; `floorplane up` builds the reference site") from e
    except OSError as e:
        raise Rejected("site", str(path), f"a site file that can be read ({e.strerror})") from e
    except msgspec.ValidationError as e:
        raise Rejected("site", str(path), f"a site: {e}") from e
    except UNREADABLE as e:
        raise Rejected("site", str(path), f"JSON: {e}") from e
    refuse_cut_off(site)
    return site


def refuse_cut_off(site: Site) -> None:
    """See that pods can be brought to every station and back, and that every station can be reached.

    Raises
    ------
    Rejected
        Some place cannot be reached or left; names it.
    """
    stations = {f"stations/{s.id}/lane": (s.lane[-1],) for s in site.stations if s.lane}
    refuse_unreachable(site.layout, stations | {f"pods/{p.id}/home": (p.home,) for p in site.pods}, loaded=True)
    refuse_unreachable(site.layout, stations | {f"places/{name}": (n,) for name, n in site.places.items()})


def write_site(site: Site, path: Path) -> None:
    """Write a site file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".new")
    scratch.write_bytes(msgspec.json.format(msgspec.json.encode(site), indent=1))
    scratch.replace(path)
