"""Kits that are taken apart when they are ordered: their parts become lines of their own beside the kit's."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from central.database import Connection
from central.orders.model import MOST_LINES, MOST_PIECES, LineIn, OrderIn
from central.problems import refused

FIRST_PART = 1_000_001
"""Lines of parts are numbered from here; the ERP's own lines end before."""
KIT = "kit"
"""Kind of a kit's line: done as far as its parts make it whole."""


class PartLine(msgspec.Struct, frozen=True):
    """A line that is so many pieces of a part for each kit of another line."""

    line: int
    kit_line: int
    per_kit: int


Parts = Mapping[str, list[tuple[str, int]]]
"""Of each kit: part and pieces."""


async def parts_of(connection: Connection, kits: Iterable[str]) -> dict[str, list[tuple[str, int]]]:
    """Read what kits are made of."""
    found: dict[str, list[tuple[str, int]]] = {k: [] for k in sorted(kits)}
    if found:
        rows = await connection.fetch(
            "SELECT kit, part, qty FROM kit_part WHERE kit = ANY($1) ORDER BY kit, part", list(found)
        )
        for r in rows:
            found[r["kit"]].append((r["part"], r["qty"]))
    return found


def explode(order: OrderIn, parts: Parts) -> tuple[OrderIn, list[PartLine]]:
    """Return the order with a line for each part of its kits, and which those are.

    Raises
    ------
    Refusal
        422: it would have too many lines, or a line too many pieces.
    """
    lines = list(order.lines)
    made: list[PartLine] = []
    for n, line in enumerate(order.lines):
        for part, per_kit in parts.get(line.item, ()):
            if line.qty * per_kit > MOST_PIECES:
                raise refused(f"lines/{n}/qty", line.qty, f"at most {MOST_PIECES // per_kit}: {per_kit} of {part} each")
            made.append(PartLine(FIRST_PART + len(made), line.line, per_kit))
            lines.append(LineIn.model_construct(line=made[-1].line, item=part, qty=line.qty * per_kit))
    if made and len(lines) > 4 * MOST_LINES:
        raise refused("lines", len(lines), f"at most {4 * MOST_LINES} lines with the parts of kits")
    return (order.model_copy(update={"lines": lines}), made) if made else (order, made)


async def keep_parts(connection: Connection, made: Iterable[tuple[str, PartLine]]) -> None:
    """Write down which lines of which orders are parts of kits."""
    columns: list[tuple[Any, ...]] = [(order, p.line, p.kit_line, p.per_kit) for order, p in made]
    if columns:
        await connection.execute(
            "WITH x AS (INSERT INTO order_kit_part"
            " SELECT * FROM unnest($1::text[], $2::integer[], $3::integer[], $4::integer[])"
            " RETURNING order_id, kit_line) UPDATE order_line l SET kind = 'kit' FROM (SELECT DISTINCT * FROM x) AS k"
            " WHERE l.order_id = k.order_id AND l.line = k.kit_line",
            *(list(c) for c in zip(*columns, strict=True)),
        )
