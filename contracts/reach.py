"""Which places of a layout can be reached: refused when a site is read, not found out when a robot stands there."""

from collections.abc import Iterable, Mapping

from contracts.errors import Rejected
from contracts.ids import NodeId
from contracts.layout import Layout, NodeKind


def refuse_unreachable(layout: Layout, places: Mapping[str, Iterable[NodeId]], *, loaded: bool = False) -> None:
    """See that a road leads from the first of these places to each other one, and back.

    Parameters
    ----------
    places
        Nodes by what they are, as an error shall name them (``stations/S1``).
    loaded
        Whether a robot must be able to do it with a pod: over edges for loaded robots, and through no storage place.

    Raises
    ------
    Rejected
        A place cannot be reached, or left.
    """
    named = [(field, node) for field, nodes in places.items() for node in nodes]
    if not named:
        return
    into: dict[NodeId, list[NodeId]] = {n.id: [] for n in layout.nodes}
    out: dict[NodeId, list[NodeId]] = {n.id: [] for n in layout.nodes}
    for e in layout.edges:
        if e.loaded or not loaded:
            out[e.start].append(e.end)
            into[e.end].append(e.start)
    closed = {n.id for n in layout.nodes if loaded and n.kind is NodeKind.STORAGE}
    first, begin = named[0]
    there, back = _reached(begin, out, closed), _reached(begin, into, closed)
    burden = " with a pod" if loaded else ""
    for field, node in named:
        if node not in there:
            raise Rejected(field, node, f"a node that a road leads to{burden} from {first} ({begin})")
        if node not in back:
            raise Rejected(field, node, f"a node that a road leads from{burden} to {first} ({begin})")


def _reached(begin: NodeId, ways: dict[NodeId, list[NodeId]], closed: set[NodeId]) -> set[NodeId]:
    seen, todo = {begin}, [begin]
    while todo:
        at = todo.pop()
        if at in closed and at != begin:
            continue
        for node in ways[at]:
            if node not in seen:
                seen.add(node)
                todo.append(node)
    return seen
