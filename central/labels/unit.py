"""What the label of a unit says, from the books: its content as it is, or as it left."""

from typing import Any

from central.database import Connection
from central.labels.layout import Content, LabelData

_CONTENT = """
SELECT x.item, i.name, i.barcode, x.lot, l.expires, sum(x.qty)::integer AS qty FROM (
    SELECT s.item, s.lot, s.qty FROM units_within($1) w JOIN stock s ON s.place = w.code AND s.qty > 0
    UNION ALL
    SELECT g.item, g.lot, g.qty FROM units_within($1) w JOIN ledger g ON g.a = w.code AND g.reason = 'ship'
    WHERE NOT EXISTS (SELECT FROM ledger r WHERE r.reverses = g.seq)
) AS x JOIN item i ON i.id = x.item LEFT JOIN lot l ON l.item = x.item AND l.lot = x.lot
GROUP BY x.item, i.name, i.barcode, x.lot, l.expires ORDER BY x.item, x.lot
"""
_ORDERS = """
SELECT o.* FROM orders o WHERE o.id IN (SELECT t.order_id FROM units_within($1) w JOIN tote t ON t.id = w.code)
ORDER BY o.due, o.id
"""


async def label_of(connection: Connection, unit: Any, site: str) -> LabelData:
    """Return what stands on the label of a unit (a row of `unit`)."""
    content = await connection.fetch(_CONTENT, unit["place"])
    orders = await connection.fetch(_ORDERS, unit["place"])

    def shared(column: str) -> str:
        """What all orders in it have in common; a unit that goes to several places says none."""
        found = {o[column] for o in orders}
        return str(found.pop()) if len(found) == 1 else ""

    return LabelData(
        sscc=unit["sscc"],
        kind=unit["kind"],
        site=site,
        ship_to=shared("ship_to"),
        gln=shared("ship_gln"),
        postcode=shared("ship_postcode"),
        route=shared("route"),
        orders=tuple(o["ref"] for o in orders),
        weight_g=unit["weight_g"],
        content=tuple(Content(c["item"], c["name"], c["barcode"], c["lot"], c["expires"], c["qty"]) for c in content),
    )
