"""A site for foreign robots made of a LIF file: its roads, doors and lifts, the names of its stations, and no stock."""

from collections import Counter
from pathlib import Path

from contracts.errors import Rejected
from contracts.ids import NodeId, SiteId, StationId, identifier
from contracts.lif import LifLayout, LifStation, read_lif
from contracts.reach import refuse_unreachable
from contracts.site import Site
from deploy.gates_file import read_gates


def lif_site(path: Path, vehicle_type: str | None = None) -> Site:
    """Read a LIF file of one layout and make a site of it.

    Parameters
    ----------
    path
        The file.
    vehicle_type
        Whose roads to take; None: all.

    Raises
    ------
    Rejected
        The file cannot be read, is not LIF, has several layouts, or has a station that cannot be reached or left, or a
        door or lift that nobody moves (`deploy.gates_file`); names the element.
    """
    try:
        payload = path.read_bytes()
    except OSError as e:
        raise Rejected("layout", str(path), f"a LIF file that can be read: {e.strerror}") from e
    layouts = read_lif(payload, vehicle_type=vehicle_type)
    if len(layouts) != 1:
        found = ", ".join(one.layout.id for one in layouts) or "none"
        raise Rejected("layouts", found, "one layout in the file")
    one = layouts[0]
    places = _places(one)
    refuse_unreachable(one.layout, {f"layouts/{one.layout.id}/stations/{s.id}": s.nodes for s in one.stations})
    gates = read_gates(path, one.layout)
    return Site(
        id=SiteId(identifier(one.layout.id)),
        layout=one.layout,
        pods=(),
        stations=(),
        chutes=(),
        doors=gates.doors,
        cells=gates.cells,
        robots=(),
        line_length_m=0.0,
        infeed_m={},
        places=places,
        lifts=gates.lifts,
    )


def stations_of(site: Site) -> list[LifStation]:
    """Return the stations of a site, and its other places, as a LIF file has them."""
    own = [LifStation(s.id, (s.lane[-1],)) for s in site.stations]
    return own + [LifStation(StationId(name), (node,)) for name, node in site.places.items()]


def _places(one: LifLayout) -> dict[str, NodeId]:
    """Return what each station means by its id, and by its name where that means nothing else.

    Raises
    ------
    Rejected
        A station has no node, or is named like another one's node.
    """
    path = f"layouts/{one.layout.id}/stations"
    places: dict[str, NodeId] = {}
    for s in one.stations:
        if not s.nodes:
            raise Rejected(f"{path}/{s.id}/interactionNodeIds", "[]", "at least one node")
        node = NodeId(s.id)
        if node in one.layout.node and node not in s.nodes:
            raise Rejected(f"{path}/{s.id}", s.id, "named otherwise than a node where it is not")
        if node not in one.layout.node:
            places[s.id] = s.nodes[0]
    names = Counter(s.name for s in one.stations)
    for s in one.stations:
        if s.name and names[s.name] == 1 and s.name not in places and s.name not in one.layout.node:
            places[s.name] = s.nodes[0]
    return places
