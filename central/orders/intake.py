"""Taking an order in: lines, claims on stock, totes, tasks, events and the stored answer in one transaction."""

from collections import defaultdict
from datetime import datetime

import asyncpg
import msgspec

from central.database import Connection, Database
from central.orders.idempotency import Stored, claim, request_hash, store
from central.orders.model import LineOut, OrderIn, OrderTaken, order_id
from central.packing.cartonize import Carton, Claim, ToteParams, cartonize
from central.problems import FieldError, Refusal, refused
from contracts.ids import identifier


class Sender(msgspec.Struct, frozen=True):
    """Who sends an order, and as which request."""

    client: str
    key: str
    correlation: str


class Taken(msgspec.Struct, frozen=True):
    """The answer, and whether it had been given before."""

    answer: Stored
    replayed: bool
    state: str = ""


class Plan(msgspec.Struct, frozen=True):
    """An order's totes and picks as arrays, in the order in which the floor sees them."""

    totes: list[str]
    oversize: list[bool]
    tasks: list[str]
    task_totes: list[str]
    claims: list[Claim]


def plan_totes(order: str, cartons: list[Carton]) -> Plan:
    """Name totes and picks of an order."""
    plan = Plan([], [], [], [], [])
    for n, carton in enumerate(cartons, 1):
        tote = f"T-{order}-{n}"
        plan.totes.append(tote)
        plan.oversize.append(carton.oversize)
        for k, one in enumerate(carton.claims, 1):
            plan.tasks.append(f"P-{tote}-{k}")
            plan.task_totes.append(tote)
            plan.claims.append(one)
    return plan


async def take_in(database: Database, order: OrderIn, sender: Sender, at: datetime, params: ToteParams) -> Taken:
    """Take an order in, once for each idempotency key.

    Raises
    ------
    Refusal
        409: the ref is taken, or the same request is under way. 422: an unknown item, a line number twice, or the key
        was used for another request. Nothing is stored then.
    """
    _refuse_double_lines(order)
    hashed = request_hash("POST /v1/orders", order.model_dump_json())
    source = order.source or sender.client

    async def work(connection: Connection) -> Taken:
        stored = await claim(connection, sender.client, sender.key, hashed)
        if stored is not None:
            return Taken(stored, replayed=True)
        kinds = await _kinds(connection, order)
        name = await _name(connection, source, order.ref)
        claims = await _open(connection, name, source, order, sender.correlation, at)
        plan = plan_totes(name, cartonize(claims, params))
        release = order.release_at is None or order.release_at <= at
        planned = await connection.fetchrow(
            "SELECT * FROM plan_order($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            name,
            at,
            release,
            plan.totes,
            plan.oversize,
            plan.tasks,
            plan.task_totes,
            [c.line for c in plan.claims],
            [c.item for c in plan.claims],
            [c.stock for c in plan.claims],
            [c.bin for c in plan.claims],
            [c.qty for c in plan.claims],
        )
        answer = OrderTaken(
            id=name,
            source=source,
            ref=order.ref,
            state=planned["state"],
            due=order.due,
            lines=_lines(order, kinds, claims, shipped=planned["state"] == "shipped"),
            totes=len(plan.totes),
            short=planned["short"],
        )
        stored = Stored(201, answer.model_dump_json())
        await store(connection, sender.client, sender.key, hashed, stored, at)
        return Taken(stored, replayed=False, state=answer.state)

    try:
        return await database.unit(work)
    except asyncpg.UniqueViolationError as e:
        raise Refusal(409, f"ref: {order.ref!r} of {source!r} was taken in a moment ago by another request") from e


def _refuse_double_lines(order: OrderIn) -> None:
    seen: set[int] = set()
    for n, line in enumerate(order.lines):
        if line.line in seen:
            raise refused(f"lines/{n}/line", line.line, "a number that no other line of the order has")
        seen.add(line.line)


async def _kinds(connection: Connection, order: OrderIn) -> dict[str, str]:
    rows = await connection.fetch("SELECT id, kind FROM item WHERE id = ANY($1)", [x.item for x in order.lines])
    kinds = {r["id"]: r["kind"] for r in rows}
    unknown = [
        FieldError(field=f"lines/{n}/item", value=x.item, bound="an item of the item master")
        for n, x in enumerate(order.lines)
        if x.item not in kinds
    ]
    if unknown:
        first = unknown[0]
        raise Refusal(422, f"{first.field}: {first.value!r} is not {first.bound}", unknown)
    return kinds


async def _name(connection: Connection, source: str, ref: str) -> str:
    name = order_id(ref)
    rows = await connection.fetch(
        "SELECT id, source, ref FROM orders WHERE (source = $1 AND ref = $2) OR id = $3", source, ref, name
    )
    for r in rows:
        if (r["source"], r["ref"]) == (source, ref):
            raise refused("ref", ref, f"a ref that {source} has not used: it is order {r['id']}", status=409)
    return identifier(f"{source}/{ref}") if rows else name


async def _open(
    connection: Connection, name: str, source: str, order: OrderIn, correlation: str, at: datetime
) -> list[Claim]:
    rows = await connection.fetch(
        "SELECT * FROM open_order($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        name,
        source,
        order.ref,
        order.due,
        order.release_at,
        order.priority,
        order.ship_to,
        correlation,
        at,
        [x.line for x in order.lines],
        [x.item for x in order.lines],
        [x.qty for x in order.lines],
    )
    return [Claim(r["line"], r["item"], r["stock_id"], r["bin"], r["qty"], r["volume_ml"], r["weight_g"]) for r in rows]


def _lines(order: OrderIn, kinds: dict[str, str], claims: list[Claim], *, shipped: bool) -> list[LineOut]:
    allocated: defaultdict[int, int] = defaultdict(int)
    for c in claims:
        allocated[c.line] += c.qty
    found = []
    for x in order.lines:
        stock = kinds[x.item] == "stock"
        found.append(
            LineOut(
                line=x.line,
                item=x.item,
                kind=kinds[x.item],
                qty=x.qty,
                allocated=allocated[x.line],
                done=x.qty if shipped and not stock else 0,
                short=x.qty - allocated[x.line] if stock else 0,
            )
        )
    return found
