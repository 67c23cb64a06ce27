"""A site for foreign robots made of a LIF file: its roads and the names of its stations, and no stock."""

from pathlib import Path

from contracts.errors import Rejected
from contracts.ids import NodeId, SiteId, identifier
from contracts.layout import Layout
from contracts.lif import LifStation, read_lif
from contracts.site import Site


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
        The file cannot be read, is not LIF, has several layouts, or has a station that cannot be reached or left; names
        the element.
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
    places: dict[str, NodeId] = {}
    for station in one.stations:
        if not station.nodes:
            raise Rejected(
                f"layouts/{one.layout.id}/stations/{station.id}/interactionNodeIds", "[]", "at least one node"
            )
        for name in (station.id, station.name):
            if name and name not in one.layout.node:
                places.setdefault(name, station.nodes[0])
    _refuse_unreachable(one.layout, one.stations)
    return Site(
        id=SiteId(identifier(one.layout.id)),
        layout=one.layout,
        pods=(),
        stations=(),
        chutes=(),
        doors=(),
        cells=(),
        robots=(),
        line_length_m=0.0,
        infeed_m={},
        places=places,
    )


def _refuse_unreachable(layout: Layout, stations: tuple[LifStation, ...]) -> None:
    """Every station must be reached from every other one: from the first, and back to it."""
    if not stations:
        return
    first = stations[0]
    ways = {n: tuple(e.end for e in edges) for n, edges in layout.out.items()}
    back: dict[NodeId, list[NodeId]] = {n.id: [] for n in layout.nodes}
    for edge in layout.edges:
        back[edge.end].append(edge.start)
    there, here = _reached(first.nodes[0], ways), _reached(first.nodes[0], back)
    for station in stations:
        for node in station.nodes:
            field = f"layouts/{layout.id}/stations/{station.id}"
            if node not in there:
                raise Rejected(field, node, f"a node that a road leads to from station {first.id}")
            if node not in here:
                raise Rejected(field, node, f"a node that a road leads from to station {first.id}")


def _reached(start: NodeId, ways: dict[NodeId, tuple[NodeId, ...]] | dict[NodeId, list[NodeId]]) -> set[NodeId]:
    seen, todo = {start}, [start]
    while todo:
        for node in ways[todo.pop()]:
            if node not in seen:
                seen.add(node)
                todo.append(node)
    return seen
