"""VDA 5050 2.1 orders for one robot: a path that only grows, stitched on the last released node (6.6.2).

Node `i` of an order's path has sequence id ``2 i``, the edge after it ``2 i + 1``. An update begins with the last
released node and names only what is new, then the horizon.
"""

import math
from dataclasses import dataclass, field

import msgspec

from contracts.ids import NodeId
from contracts.layout import Edge, Layout
from contracts.vda5050 import v2


@dataclass(slots=True)
class RunningOrder:
    """What we have told a robot to do, and how far it says it is."""

    id: str
    path: list[NodeId]
    """All released nodes, the one it stood on at first included."""
    leg: int
    """The leg (`Leg.n`) that it belongs to."""
    update: int = -1
    """The newest update sent."""
    echoed: int = -1
    """The newest update that a state named."""
    at: int = 0
    """Index of the last node that the robot reported."""
    horizon: tuple[NodeId, ...] = ()
    actions: tuple[v2.Action, ...] = ()
    """At the last node."""
    seen: bool = False
    """A state has shown the last node's actions."""
    sent: v2.Order | None = None
    tries: int = 0
    """How often the newest update was sent again."""

    @property
    def in_doubt(self) -> bool:
        """Whether no state has named the newest update yet."""
        return self.echoed < self.update


@dataclass(slots=True)
class OrderWriter:
    """Writes the orders of all robots on one map.

    Parameters
    ----------
    layout
        The road map; its nodes give the positions, its edges the speed limits.
    """

    layout: Layout
    _positions: dict[NodeId, v2.NodePosition] = field(init=False)

    def __post_init__(self) -> None:
        self._positions = {
            n.id: v2.NodePosition(x=n.x_m, y=n.y_m, map_id=n.level or self.layout.map_id) for n in self.layout.nodes
        }

    def write(
        self,
        serial: str,
        manufacturer: str,
        header_id: int,
        now_ms: int,
        order: RunningOrder,
        new: list[NodeId],
        *,
        first: tuple[v2.Action, ...] = (),
        version: str = v2.VERSION,
        corridors: bool = False,
        off_m: float = 0.0,
    ) -> v2.Order:
        """Extend the running order by released nodes and return the message to send.

        Parameters
        ----------
        order
            Its `path` grows by `new`, its `update` by one; `horizon` and `actions` are written as they are.
        new
            Released nodes after the end of the path; for a new order after its one node.
        first
            Actions at the first node of a new order.
        corridors
            Whether to say how wide the way is where that is known; a robot of 3.0 may leave its line there once it
            has asked and was granted that.
        off_m
            How far from the first node of a new order the robot stands, metres.
        """
        begin = len(order.path) - 1
        order.path.extend(new)
        order.update += 1
        nodes: list[v2.Node] = []
        edges: list[v2.Edge] = []
        chain = [*order.path[begin:], *order.horizon]
        released, last = len(order.path) - begin, len(order.path) - begin - 1
        before: NodeId | None = None
        for i, name in enumerate(chain):
            seq, base = 2 * (begin + i), i < released
            if before is not None:
                edge = self.layout.edge[before, name]
                edges.append(
                    v2.Edge(
                        edge_id=edge.id,
                        sequence_id=seq - 1,
                        released=base,
                        start_node_id=before,
                        end_node_id=name,
                        max_speed=self.layout.speed_mps(edge),
                        corridor=_corridor(edge) if corridors else None,
                    )
                )
            actions: tuple[v2.Action, ...] = ()
            if i == 0 and order.update == 0:
                actions = first
            if i == last:
                actions += order.actions
            nodes.append(
                v2.Node(
                    node_id=name,
                    sequence_id=seq,
                    released=base,
                    node_position=self._positions[name],
                    actions=actions,
                )
            )
            before = name
        if off_m > 0 and order.update == 0:
            nodes[0] = _reachable(nodes[0], off_m)
        order.sent = v2.Order(
            header_id=header_id,
            timestamp=v2.timestamp(now_ms),
            manufacturer=manufacturer,
            version=version,
            serial_number=serial,
            order_id=order.id,
            order_update_id=order.update,
            nodes=tuple(nodes),
            edges=tuple(edges),
        )
        order.tries = 0
        return order.sent


def _reachable(node: v2.Node, off_m: float) -> v2.Node:
    """Let a first node count as reached from where the robot stands, between two nodes (2.1, 6.6.3.1)."""
    at = node.node_position
    if at is None:
        return node
    within_m = math.ceil(off_m * 10 + 1) / 10
    return msgspec.structs.replace(node, node_position=msgspec.structs.replace(at, allowed_deviation_xy=within_m))


def _corridor(edge: Edge) -> v2.Corridor | None:
    if edge.width_m is None:
        return None
    return v2.Corridor(left_width=edge.width_m / 2, right_width=edge.width_m / 2, corridor_ref_point="CONTOUR")


def action(kind: str, name: str, /, blocking: str = v2.BlockingType.HARD, **parameters: str) -> v2.Action:
    """Make an action that nothing else may go on beside, unless another blocking type is given."""
    return v2.Action(
        action_id=name,
        action_type=kind,
        blocking_type=blocking,
        action_parameters=tuple(v2.ActionParameter(key=k, value=v) for k, v in parameters.items()),
    )


def held(order: RunningOrder, reported: tuple[tuple[str, str], ...]) -> str:
    """Return the action of an order that failed and waits for a decision (3.0: RETRIABLE); empty: none does."""
    for name, status in reported:
        if status == "RETRIABLE" and name.startswith(order.id):
            return name
    return ""


def finished(order: RunningOrder, reported: tuple[tuple[str, str], ...], *, forgets: bool) -> bool | None:
    """Whether the actions at an order's end are done; None: one of them failed.

    Parameters
    ----------
    reported
        (action id, status) of a state.
    forgets
        The robot drops finished actions: one that was seen once and is gone is done.
    """
    if not order.actions:
        return True
    status = dict(reported)
    done = True
    for a in order.actions:
        said = status.get(a.action_id)
        if said is not None:
            order.seen = True
        if said == v2.ActionStatus.FAILED:
            return None
        if said != v2.ActionStatus.FINISHED and not (said is None and forgets and order.seen):
            done = False
    return done
