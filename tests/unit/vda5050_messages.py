"""A small site, orders, instant actions and the official schemas for tests of VDA 5050."""

import json
from functools import cache
from itertools import pairwise
from pathlib import Path

import jsonschema_rs
import pytest

from contracts.ids import EdgeId, NodeId, PodId, RobotId, SiteId
from contracts.layout import Edge as Road
from contracts.layout import Layout, NodeKind
from contracts.layout import Node as Place
from contracts.site import Pod, Robot, Site
from contracts.vda5050.v2 import Action, ActionParameter, Edge, InstantActions, Node, NodePosition, Order

CELL_M = 1.2
COLUMNS, ROWS = 8, 4
SCHEMAS = Path(__file__).parents[3] / "shared" / "data" / "vda5050"


@cache
def schema(name: str, version: str = "2.1") -> jsonschema_rs.Draft202012Validator:
    """The official validator of a topic; skips the test where the schemas are not there."""
    path = SCHEMAS / version / f"{name}.schema"
    if not path.exists():
        pytest.skip(f"no official VDA 5050 schemas in {SCHEMAS}")
    return jsonschema_rs.Draft202012Validator(json.loads(path.read_text()))


def order_along(
    order_id: str,
    way: list[str],
    *,
    update: int = 0,
    first: int = 0,
    released: int | None = None,
    actions: dict[str, tuple[Action, ...]] | None = None,
    max_speed: float | None = None,
    positions: dict[str, NodePosition] | None = None,
) -> Order:
    """An order along nodes; `first` is the first sequenceId, `released` the number of nodes in the base (all)."""
    base = len(way) if released is None else released
    nodes = tuple(
        Node(n, first + 2 * k, k < base, (positions or {}).get(n), (actions or {}).get(n, ()))
        for k, n in enumerate(way)
    )
    edges = tuple(
        Edge(first + 2 * k + 1, k + 1 < base, a, b, f"{a}_{b}", max_speed=max_speed)
        for k, (a, b) in enumerate(pairwise(way))
    )
    return Order(order_id=order_id, order_update_id=update, nodes=nodes, edges=edges)


def instant(action_id: str, kind: str, **parameters: object) -> InstantActions:
    """One instant action."""
    given = tuple(ActionParameter(k, v) for k, v in parameters.items())
    return InstantActions(actions=(Action(action_id, kind, "NONE", action_parameters=given),))


def grid_site() -> Site:
    """A grid of 8 x 4 nodes; row 3 holds storage with a pod on each, a charger in the corner."""

    def kind(x: int, y: int) -> NodeKind:
        return NodeKind.STORAGE if y == 3 else NodeKind.CHARGER if (x, y) == (7, 0) else NodeKind.AISLE

    nodes = [Place(NodeId(f"{x}-{y}"), x * CELL_M, y * CELL_M, kind(x, y)) for x in range(COLUMNS) for y in range(ROWS)]
    edges = []
    for x in range(COLUMNS):
        for y in range(ROWS):
            for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                if 0 <= x + dx < COLUMNS and 0 <= y + dy < ROWS:
                    a, b = NodeId(f"{x}-{y}"), NodeId(f"{x + dx}-{y + dy}")
                    edges.append(Road(EdgeId(f"{a}_{b}"), a, b))
    return Site(
        id=SiteId("test"),
        layout=Layout("test", "floor", "1", tuple(nodes), tuple(edges)),
        pods=tuple(Pod(PodId(f"P{x}"), NodeId(f"{x}-3"), ()) for x in range(1, COLUMNS)),
        stations=(),
        chutes=(),
        doors=(),
        cells=(),
        robots=(Robot(RobotId("R1"), "Floorplane", NodeId("0-0")),),
        line_length_m=1.0,
        infeed_m={},
    )
