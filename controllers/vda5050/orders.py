"""Orders as a vehicle reads them: is it well-formed, can it be driven, and the steps that it is made of."""

from collections.abc import Iterator, Mapping
from itertools import chain, pairwise

import msgspec

from contracts.geometry import Point
from contracts.ids import NodeId
from contracts.vda5050.v2 import (
    Action,
    Edge,
    EdgeState,
    ErrorEntry,
    ErrorLevel,
    ErrorReference,
    Node,
    NodeState,
    Order,
)
from contracts.vda5050.v3 import BlockingType

MAY_DRIVE = frozenset({BlockingType.NONE, BlockingType.SINGLE})
"""Blocking types of actions that may go on while the vehicle drives."""
VALIDATION = "validationError"
ORDER = "orderError"
UPDATE = "orderUpdateError"
NO_ROUTE = "noRouteError"


class Abilities(msgspec.Struct, frozen=True):
    """What a vehicle can do.

    `nodes` are the places that it knows by name, used where an order gives no position; `reach_m` is how far from a
    first node without a deviation of its own the vehicle still counts as standing on it.
    """

    node_actions: frozenset[str]
    edge_actions: frozenset[str]
    instant_actions: frozenset[str]
    nodes: Mapping[NodeId, Point]
    reach_m: float = 0.3


class Step(msgspec.Struct, gc=False):
    """One node of an order and the edge that leads to it, as they will be reported."""

    node: Node
    edge: Edge | None
    at: Point
    node_state: NodeState
    edge_state: EdgeState | None

    @property
    def actions(self) -> Iterator[Action]:
        """All actions of the edge and the node."""
        return chain(self.edge.actions if self.edge else (), self.node.actions)

    @property
    def stops(self) -> bool:
        """Whether the vehicle must come to rest on this node."""
        position = self.node.node_position
        return (position is not None and position.theta is not None) or _blocks(self.node.actions)

    @property
    def stops_before(self) -> bool:
        """Whether the vehicle must come to rest before it enters the edge."""
        return self.edge is not None and _blocks(self.edge.actions)


def _blocks(actions: tuple[Action, ...]) -> bool:
    return any(a.blocking_type not in MAY_DRIVE for a in actions)


def warning(kind: str, text: str, /, **about: object) -> ErrorEntry:
    """Make a warning; `about` are its references."""
    return ErrorEntry(kind, ErrorLevel.WARNING, tuple(ErrorReference(k, str(v)) for k, v in about.items()), text)


def refusal(kind: str, order: Order, text: str, /, **about: object) -> ErrorEntry:
    """Make the warning with which an order is refused; `about` names what is wrong with it."""
    return warning(kind, text, orderId=order.order_id, orderUpdateId=order.order_update_id, **about)


def malformed(order: Order) -> ErrorEntry | None:
    """Check the form of an order (6.6.1): what is wrong with it, None if nothing."""
    if not order.nodes:
        return refusal(VALIDATION, order, "an order has at least one node")
    if len(order.edges) != len(order.nodes) - 1:
        return refusal(VALIDATION, order, f"{len(order.nodes)} nodes want {len(order.nodes) - 1} edges")
    if not order.order_id:
        return refusal(VALIDATION, order, "orderId is empty")
    if not order.nodes[0].released:
        return refusal(VALIDATION, order, "the first node is not released", nodeId=order.nodes[0].node_id)
    for (a, b), e in zip(pairwise(order.nodes), order.edges, strict=True):
        if not a.sequence_id < e.sequence_id < b.sequence_id:
            return refusal(VALIDATION, order, "sequenceId does not rise", edgeId=e.edge_id, sequenceId=e.sequence_id)
        if e.start_node_id != a.node_id or e.end_node_id != b.node_id:
            text = f"the edge leads from {e.start_node_id} to {e.end_node_id}, not from {a.node_id} to {b.node_id}"
            return refusal(VALIDATION, order, text, edgeId=e.edge_id)
        if (b.released and not a.released) or e.released != b.released:
            return refusal(VALIDATION, order, "released after what is not released", nodeId=b.node_id)
    ids = [a.action_id for n in order.nodes for a in n.actions] + [a.action_id for e in order.edges for a in e.actions]
    if len(ids) != len(set(ids)):
        return refusal(VALIDATION, order, "an actionId stands twice")
    return None


def unusable(order: Order, abilities: Abilities) -> ErrorEntry | None:
    """Check whether the vehicle can do what the order asks (6.6.4.2): what it cannot do, None if nothing."""
    wanted = [(a, abilities.node_actions) for n in order.nodes for a in n.actions]
    wanted += [(a, abilities.edge_actions) for e in order.edges for a in e.actions]
    for a, can in wanted:
        if a.action_type not in can:
            text = f"{a.action_type} is not among {', '.join(sorted(can)) or 'no actions'}"
            return refusal(ORDER, order, text, actionId=a.action_id, actionType=a.action_type)
    for e in order.edges:
        if e.trajectory is not None:
            return refusal(
                ORDER, order, "this vehicle drives straight edges only", edgeId=e.edge_id, field="trajectory"
            )
        if e.orientation is not None and (e.orientation != 0 or e.orientation_type == "GLOBAL"):
            return refusal(ORDER, order, "this vehicle drives forwards only", edgeId=e.edge_id, field="orientation")
    for n in order.nodes:
        if n.node_position is None and NodeId(n.node_id) not in abilities.nodes:
            return refusal(NO_ROUTE, order, "the node has no position and is not on the map", nodeId=n.node_id)
    return None


def steps(order: Order, abilities: Abilities) -> list[Step]:
    """Cut an order into steps; the first has no edge."""
    made = []
    for node, edge in zip(order.nodes, (None, *order.edges), strict=True):
        position = node.node_position
        at = abilities.nodes[NodeId(node.node_id)] if position is None else Point(position.x, position.y)
        made.append(
            Step(
                node,
                edge,
                at,
                NodeState(node.node_id, node.sequence_id, node.released),
                None if edge is None else EdgeState(edge.edge_id, edge.sequence_id, edge.released),
            )
        )
    return made
