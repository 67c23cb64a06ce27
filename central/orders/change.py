"""Changing an order that was taken in: all of a change or nothing, in one transaction."""

from typing import Any

import msgspec

from central.context import Context
from central.database import Connection
from central.identity.access import Principal
from central.identity.audit import AUDIT
from central.moment import moment
from central.orders.model import LineOut, OrderChange, OrderChanged
from central.packing.cartonize import Claim, ToteParams, cartonize
from central.preconditions import IfMatch, check
from central.problems import FieldError, Refusal, refused

__all__ = ["IfMatch", "change_order", "hold_order"]
_BEGUN = "begun or picked; what is packed may be put back (put_back)"
_CLOSED = frozenset({"shipped", "short", "cancelled"})


async def hold_order(connection: Connection, order: str, owner: str, if_match: str | None, *, needed: bool) -> Any:
    """Lock an order's row for this transaction and check what its author has seen of it.

    Raises
    ------
    Refusal
        404: it is not known, or of another owner. 412, 428: see `central.preconditions.check`.
    """
    row = await connection.fetchrow(
        "SELECT * FROM orders WHERE id = $1 AND ($2 = '' OR owner = $2) FOR UPDATE", order, owner
    )
    if row is None:
        raise Refusal(404, f"order: {order!r} is not known")
    check(if_match, await connection.fetchval("SELECT order_tag($1)", order), needed=needed)
    return row


async def change_order(
    here: Context, order: str, change: OrderChange, who: Principal, correlation: str, if_match: str | None
) -> OrderChanged:
    """Change an order.

    Raises
    ------
    Refusal
        404, 412, 428 as `hold_order`; 409: it is closed, or a line is begun beyond what it should become; 422: an item
        is not known, or a line is named twice.
    """
    at = moment(here.clock.now_ms())
    params = ToteParams(here.settings.tote_volume_ml, here.settings.tote_weight_g)

    async def work(connection: Connection) -> OrderChanged:
        row = await hold_order(connection, order, who.owner, if_match, needed=True)
        if row["put_back"] is not None:
            raise Refusal(409, f"order: {order} is cancelled and goes back to stock; nothing of it can be changed")
        if row["state"] == "packed":
            await _still_here(connection, order)
        elif row["state"] in _CLOSED:
            raise Refusal(409, f"order: {order} is {row['state']} already; nothing of it can be changed")
        await connection.execute(
            "UPDATE orders SET due = COALESCE($2, due), priority = COALESCE($3, priority),"
            " ship_to = COALESCE($4, ship_to) WHERE id = $1",
            order, change.due, change.priority, change.ship_to,
        )  # fmt: skip
        lines = await _lines(connection, order, row["owner"], change)
        put_back = await _take_out(connection, order, at, change, lines)
        withdrawn, claims = await _claim(connection, order, at, change.reason, lines)
        if row["state"] == "packed":
            await connection.execute(_PACKED_NO_MORE, order, bool(claims or put_back))
        totes = await _lay_out(connection, order, at, who.name, change.reason, withdrawn, claims, params)
        detail = change.model_dump_json(exclude_unset=True)
        await connection.execute(
            AUDIT, at, who.name, who.role, "order.change", order, change.reason, correlation, detail
        )
        now = await connection.fetchrow("SELECT * FROM orders WHERE id = $1", order)
        kept = await connection.fetch("SELECT * FROM order_line WHERE order_id = $1 ORDER BY line", order)
        return OrderChanged(
            id=order,
            state=now["state"],
            due=now["due"],
            priority=now["priority"],
            ship_to=now["ship_to"],
            lines=[LineOut(**{k: x[k] for k in LineOut.model_fields}) for x in kept],
            withdrawn_picks=len(withdrawn),
            new_totes=totes,
            put_back_tasks=put_back,
        )

    return await here.database.unit(work)


_PACKED_NO_MORE = (
    "UPDATE orders SET state = 'picking', packed_at = NULL WHERE id = $1 AND ($2 OR (backorder AND EXISTS ("
    "SELECT FROM order_line l WHERE l.order_id = orders.id AND l.kind = 'stock' AND l.short > 0)))"
)
"""More is to be picked for it, or something is to be taken out: it does not leave before."""


async def _still_here(connection: Connection, order: str) -> None:
    """Refuse what stands on a truck: all of it stays as it is."""
    truck = await connection.fetchval(
        "SELECT truck FROM truck_tote WHERE order_id = $1 AND state = 'loaded' LIMIT 1", order
    )
    if truck is not None:
        raise Refusal(409, f"order: {order} is loaded on truck {truck}; unload it first")


async def _take_out(
    connection: Connection, order: str, at: object, change: OrderChange, lines: list[dict[str, Any]]
) -> int:
    """Have what is picked beyond the new quantities put back, where that is asked for; says how many tasks there are.

    The lines become what is picked then: they get less when it is put back.
    """
    if not change.put_back:
        return 0
    await connection.execute("SELECT lock_nesting()")
    done = {
        r["line"]: r["done"]
        for r in await connection.fetch(
            "SELECT line, done FROM order_line WHERE order_id = $1 AND kind = 'stock'", order
        )
    }
    opened = 0
    for line in lines:
        surplus = done.get(line["line"], 0) - line["qty"]
        if surplus > 0:
            row = await connection.fetchrow(
                "SELECT * FROM take_out($1, $2, $3, $4, $5)", order, line["line"], surplus, at, change.reason
            )
            if row["why"]:
                raise Refusal(409, f"line {line['line']}: {surplus} pieces cannot be put back: {row['why']}")
            opened += row["opened"]
            line["qty"] = done[line["line"]]
    return opened


async def _lines(connection: Connection, order: str, owner: str, change: OrderChange) -> list[dict[str, Any]]:
    """Check the lines of a change, and name the item of each."""
    rows = await connection.fetch("SELECT line, item, kind FROM order_line WHERE order_id = $1", order)
    kits = {r["line"] for r in rows if r["kind"] == "kit"}
    there = {r["line"]: r["item"] for r in rows}
    wanted = {x.item for x in change.lines if x.item is not None}
    single = (
        "SELECT id FROM item i WHERE id = ANY($1) AND owner = $2"
        " AND NOT EXISTS (SELECT FROM kit k WHERE k.item = i.id AND k.mode = 'explode')"
    )
    known = {r["id"] for r in await connection.fetch(single, sorted(wanted), owner)}
    seen: set[int] = set()
    found = []
    for n, x in enumerate(change.lines):
        item = there.get(x.line, x.item)
        if x.line in seen:
            raise refused(f"lines/{n}/line", x.line, "a line that the change names once")
        if x.line in kits:
            raise refused(f"lines/{n}/line", x.line, "a line of a single item: a kit's line stays as it was ordered")
        if item is None or (x.line not in there and item not in known):
            raise refused(f"lines/{n}/item", item, "an item of the item master, as a new line needs")
        if x.item not in {None, item}:
            raise refused(f"lines/{n}/item", x.item, f"{item}: a line keeps its item; cancel it and add another one")
        if x.line not in there and x.qty == 0:
            raise refused(f"lines/{n}/qty", 0, "above 0 for a new line")
        seen.add(x.line)
        found.append({"line": x.line, "item": item, "qty": x.qty})
    return found


async def _claim(
    connection: Connection, order: str, at: object, why: str, lines: list[dict[str, Any]]
) -> tuple[list[str], list[Claim]]:
    rows = await connection.fetch(
        "SELECT * FROM change_lines($1, $2, $3, $4::jsonb)", order, at, why, msgspec.json.encode(lines).decode()
    )
    begun = [
        FieldError(
            field=f"lines/{r['line']}", value=r["line"], bound=f"at least {r['qty']} pieces: so many are {_BEGUN}"
        )
        for r in rows
        if r["outcome"] == "begun"
    ]
    if begun:
        raise Refusal(409, f"line {begun[0].value}: {begun[0].bound}", begun)
    withdrawn = [r["bin"] for r in rows if r["outcome"] == "withdrawn"]
    claims = [
        Claim(r["line"], r["item"], r["stock_id"], r["bin"], r["qty"], r["volume_ml"], r["weight_g"], r["hand"])
        for r in rows
        if r["outcome"] == "claimed"
    ]
    return withdrawn, claims


async def _lay_out(
    connection: Connection,
    order: str,
    at: object,
    who: str,
    why: str,
    withdrawn: list[str],
    claims: list[Claim],
    params: ToteParams,
) -> int:
    last = await connection.fetchval("SELECT COALESCE(max(n), 0) FROM tote WHERE order_id = $1", order)
    cartons = cartonize(claims, params)
    numbers = [last + n for n in range(1, len(cartons) + 1)]
    totes = [f"T-{order}-{n}" for n in numbers]
    picks = [
        (f"P-{tote}-{k}", t, claim)
        for t, (tote, carton) in enumerate(zip(totes, cartons, strict=True), 1)
        for k, claim in enumerate(carton.claims, 1)
    ]
    await connection.execute(
        "SELECT apply_change($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        order,
        at,
        who,
        why,
        withdrawn,
        totes,
        numbers,
        [c.oversize for c in cartons],
        [p for p, _, _ in picks],
        [t for _, t, _ in picks],
        [c.line for _, _, c in picks],
        [c.item for _, _, c in picks],
        [c.stock for _, _, c in picks],
        [c.bin for _, _, c in picks],
        [c.qty for _, _, c in picks],
        [c.hand for c in cartons],
    )
    return len(totes)


async def withdraw_order(here: Context, connection: Connection, order: str, at: object, who: str, why: str) -> bool:
    """Let a released order of which nothing is begun wait again; false where something is.

    Its picks are withdrawn, and what they held is reserved anew in totes that are not released.
    """
    begun = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM task WHERE order_id = $1"
        " AND (state IN ('started', 'done', 'short') OR done_qty > 0))",
        order,
    )
    held = await connection.fetchval(
        "UPDATE orders SET state = 'allocated', released_at = NULL, wave = NULL,"
        " holds_for = CASE holds_for WHEN '' THEN 'wave' ELSE holds_for END, waits = $2"
        " WHERE id = $1 AND state = 'released' AND put_back IS NULL AND NOT $3 RETURNING true",
        order, f"its wave was withdrawn: {why}"[:500], begun,
    )  # fmt: skip
    if not held:
        return False
    rows = await connection.fetch(
        "SELECT line, item, qty - cancelled AS qty FROM order_line"
        " WHERE order_id = $1 AND kind = 'stock' AND qty > cancelled ORDER BY line",
        order,
    )
    withdrawn, claims = await _claim(connection, order, at, why, [dict(r) for r in rows])
    params = ToteParams(here.settings.tote_volume_ml, here.settings.tote_weight_g)
    await _lay_out(connection, order, at, who, why, withdrawn, claims, params)
    for task in withdrawn:
        await connection.execute("SELECT say_work($1, $2)", task, at)
    return True
