"""The slotting problem as the books have it: which items lie in how many bins of which pod, and what was ordered."""

from typing import Any

import msgspec

from central.database import Database
from contracts.site import Site

MOST_ORDERS = 20_000

_ITEMS = """
SELECT s.item, count(DISTINCT s.place)::int AS bins, min(p.parent) AS pod
FROM stock s JOIN place p ON p.code = s.place AND p.kind = 'bin'
WHERE s.live GROUP BY s.item HAVING count(DISTINCT p.parent) = 1 ORDER BY s.item
"""
_HELD = """
SELECT p.parent AS pod, count(DISTINCT p.code)::int AS bins
FROM stock s JOIN place p ON p.code = s.place AND p.kind = 'bin'
WHERE s.live AND s.item <> ALL ($1) GROUP BY p.parent
"""
_ORDERS = """
SELECT o.id, array_agg(DISTINCT l.item ORDER BY l.item) AS items
FROM (SELECT id, received_at FROM orders WHERE state <> 'cancelled' ORDER BY received_at DESC, id DESC LIMIT $1) o
JOIN order_line l ON l.order_id = o.id AND l.item = ANY ($2)
GROUP BY o.id, o.received_at ORDER BY o.received_at, o.id
"""


async def slotting_problem(database: Database, site: Site) -> dict[str, Any]:
    """Read the problem of `slotting`: items in bins, the site's pods, the newest orders (the oldest first).

    What lies in several pods stays there, and holds its bins.
    """
    items = await database.read(_ITEMS)
    held = {r["pod"]: r["bins"] for r in await database.read(_HELD, [r["item"] for r in items])}
    orders = await database.read(_ORDERS, MOST_ORDERS, [r["item"] for r in items])
    node = site.layout.node
    stations = [node[s.lane[-1]] for s in site.stations if s.kind == "pick"]
    pods = []
    for pod in site.pods:
        at = node[pod.home]
        way_m = sum(abs(at.x_m - s.x_m) + abs(at.y_m - s.y_m) for s in stations) / max(1, len(stations))
        pods.append(
            {
                "id": pod.id, "bins": len(pod.bins), "x_m": at.x_m, "y_m": at.y_m, "way_m": round(way_m, 3),
                "held": held.get(pod.id, 0),
            }
        )  # fmt: skip
    return {
        "items": [{"id": r["item"], "bins": r["bins"], "pod": r["pod"]} for r in items],
        "pods": pods,
        "orders": [r["items"] for r in orders],
    }


def encoded(problem: dict[str, Any]) -> str:
    """Write a problem as it is kept."""
    return msgspec.json.encode(problem).decode()
