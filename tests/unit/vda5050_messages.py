"""Orders, instant actions and the official schemas for tests of VDA 5050."""

import json
from functools import cache
from itertools import pairwise
from pathlib import Path

import jsonschema_rs
import pytest

from contracts.vda5050.v2 import Action, ActionParameter, Edge, InstantActions, Node, NodePosition, Order

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
