"""Taking orders in: lines, claims on stock, totes, tasks, events and the stored answers in one transaction.

One order or many are taken in by the same few statements, so that stock is held for as short as can be.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from central.database import Connection, Database
from central.idempotency import Stored, request_hash
from central.kits.explode import KIT, PartLine, Parts, explode, keep_parts, parts_of
from central.orders.model import LineOut, OrderIn, OrderTaken, order_id
from central.packing.cartonize import Carton, Claim, ToteParams, cartonize
from central.problems import FieldError, Refusal, refused
from contracts.errors import Broken
from contracts.ids import identifier

_TRIES = 3


class Sender(msgspec.Struct, frozen=True):
    """Who sends orders, and for which owner (empty: for whichever the order names)."""

    client: str
    correlation: str
    owner: str = ""


class Rules(msgspec.Struct, frozen=True):
    """How orders are worked on: what a tote holds, and what they wait for unless they say so themselves."""

    totes: ToteParams
    capacity: bool = False
    """Whether only so many orders are in work at a time."""
    waves: bool = False
    """Whether a wave takes them, where they do not say."""

    def holds_for(self, order: OrderIn) -> str:
        """Return what an order waits for besides its time: ``wave``, ``capacity``, or nothing."""
        if self.waves if order.wave is None else order.wave:
            return "wave"
        return "capacity" if self.capacity else ""


class Asked(msgspec.Struct, frozen=True):
    """An order, and the key under which it is taken in once."""

    key: str
    order: OrderIn


class Taken(msgspec.Struct, frozen=True):
    """The answer, and whether it had been given before."""

    answer: Stored
    replayed: bool
    id: str = ""
    state: str = ""


class Plan(msgspec.Struct):
    """Totes and picks of several orders as columns, in the order in which the floor sees them; numbers count from 1."""

    totes: list[str] = []
    tote_orders: list[int] = []
    tote_ns: list[int] = []
    oversize: list[bool] = []
    hands: list[bool] = []
    tasks: list[str] = []
    task_totes: list[int] = []
    claims: list[Claim] = []

    def add(self, number: int, order: str, cartons: list[Carton]) -> None:
        """Name totes and picks of an order."""
        for n, carton in enumerate(cartons, 1):
            tote = f"T-{order}-{n}"
            self.totes.append(tote)
            self.tote_orders.append(number)
            self.tote_ns.append(n)
            self.oversize.append(carton.oversize)
            self.hands.append(carton.hand)
            for k, one in enumerate(carton.claims, 1):
                self.tasks.append(f"P-{tote}-{k}")
                self.task_totes.append(len(self.totes))
                self.claims.append(one)


class _Known(msgspec.Struct):
    """What the database said of the orders before any was taken in."""

    busy: set[str]
    answers: dict[str, tuple[bytes, Stored]]
    refs: dict[tuple[str, str], tuple[str, str]]
    ids: set[str]
    items: dict[str, tuple[str, str]]
    customers: dict[str, int]
    """Days that goods for them must still be good."""
    kits: Parts = {}
    parts: list[tuple[str, PartLine]] = []
    """Lines of parts of kits, by order."""


async def take_in(
    database: Database, asked: Sequence[Asked], sender: Sender, at: datetime, rules: Rules
) -> list[Taken | Refusal]:
    """Take orders in, each once for its idempotency key; one that is refused leaves nothing and holds up no other.

    Refusals: 409, the ref is taken, or the same request is under way. 422: an unknown item, a line number twice, an
    owner that is not the sender's, or the key was used for another request.
    """

    async def work(connection: Connection) -> list[Taken | Refusal]:
        return await _take(connection, asked, sender, at, rules)

    for left in reversed(range(_TRIES)):
        try:
            return await database.unit(work)
        except asyncpg.UniqueViolationError as e:
            if not left:  # each time somebody else was a moment quicker
                raise Refusal(409, "ref: taken in a moment ago by another request; send it again") from e
    raise AssertionError("unreachable")


async def _take(
    connection: Connection, asked: Sequence[Asked], sender: Sender, at: datetime, rules: Rules
) -> list[Taken | Refusal]:
    known = await _meet(connection, asked, sender)
    outcomes: list[Taken | Refusal | None] = []
    new: list[tuple[int, Asked, bytes, dict[str, Any]]] = []
    for n, one in enumerate(asked):
        hashed = request_hash("POST /v1/orders", one.order.model_dump_json())
        try:
            stored = _stored(known, one.key, hashed)
            if stored is None:
                order, parts = explode(one.order, known.kits)
                row = _row(known, order, sender, rules)
                known.parts += ((row["id"], p) for p in parts)
                new.append((n, msgspec.structs.replace(one, order=order), hashed, row))
                outcomes.append(None)
            else:
                outcomes.append(Taken(stored, replayed=True, id=msgspec.json.decode(stored.response)["id"]))
        except Refusal as e:
            outcomes.append(e)
    for n, taken in await _store(connection, new, known, sender, at, rules):
        outcomes[n] = taken
    return [o for o in outcomes if o is not None]


async def _meet(connection: Connection, asked: Sequence[Asked], sender: Sender) -> _Known:
    orders = [a.order for a in asked]
    rows = await connection.fetch(
        "SELECT * FROM meet_orders($1, $2, $3, $4, $5, $6)",
        sender.client,
        [a.key for a in asked],
        [o.source or sender.client for o in orders],
        [o.ref for o in orders],
        [order_id(o.ref) for o in orders],
        sorted({x.item for o in orders for x in o.lines}),
    )
    known = _Known(set(), {}, {}, set(), {}, {})
    customers = sorted({o.customer for o in orders if o.customer})
    if customers:
        mine = "SELECT id, min_days FROM customer WHERE id = ANY($1) AND ($2 = '' OR owner = $2)"
        known.customers = dict(await connection.fetch(mine, customers, sender.owner))
    for r in rows:
        if r["what"] == "item":
            known.items[r["name"]] = KIT if r["b"] == "explode" else r["a"], r["owner"]
        elif r["what"] == "order":
            known.refs[r["a"], r["b"]] = r["name"], r["owner"]
            known.ids.add(r["name"])
        elif r["mine"]:
            known.answers[r["name"]] = bytes(r["hash"]), Stored(r["status"], r["a"])
        else:
            known.busy.add(r["name"])
    known.kits = await parts_of(connection, [i for i, (kind, _) in known.items.items() if kind == KIT])
    for kit, parts in known.kits.items():
        known.items.update((part, ("stock", known.items[kit][1])) for part, _ in parts)
    return known


def _stored(known: _Known, key: str, hashed: bytes) -> Stored | None:
    if key in known.busy:
        raise Refusal(409, f"Idempotency-Key {key!r}: a request with this key is under way")
    if key not in known.answers:
        return None
    before, stored = known.answers[key]
    if before != hashed:
        raise Refusal(422, f"Idempotency-Key {key!r} was used for another request; take a new one")
    return stored


def _row(known: _Known, order: OrderIn, sender: Sender, rules: Rules) -> dict[str, Any]:
    """Check an order against what is known, and name it; the next one of the same request sees it as known."""
    _refuse_double_lines(order)
    owner = order.owner if order.owner is not None else sender.owner
    if sender.owner and owner != sender.owner:
        raise refused("owner", owner, f"{sender.owner}, whose token this is")
    unknown = [
        FieldError(field=f"lines/{n}/item", value=x.item, bound="an item of the item master")
        for n, x in enumerate(order.lines)
        if known.items.get(x.item, ("", None))[1] != owner
    ]
    if unknown:
        first = unknown[0]
        raise Refusal(422, f"{first.field}: {first.value!r} is not {first.bound}", unknown)
    if order.customer and order.customer not in known.customers:
        raise refused("customer", order.customer, "a known customer")
    source, name = order.source or sender.client, order_id(order.ref)
    if (source, order.ref) in known.refs:
        whose = known.refs[source, order.ref]
        which = f": it is order {whose[0]}" if sender.owner in {"", whose[1]} else ""
        raise refused("ref", order.ref, f"a ref that {source} has not used{which}", status=409)
    if name in known.ids:
        name = identifier(f"{source}/{order.ref}")
    known.refs[source, order.ref] = name, owner
    known.ids.add(name)
    return {
        "id": name,
        "source": source,
        "ref": order.ref,
        "owner": owner,
        "due": order.due,
        "release_at": order.release_at,
        "expires_at": order.reserve_until,
        "priority": order.priority,
        "ship_to": order.ship_to,
        "ship_gln": order.ship_gln,
        "ship_postcode": order.ship_postcode,
        "carrier": order.carrier,
        "route": order.route,
        "holds_for": rules.holds_for(order),
        "customer": order.customer,
        "backorder": order.backorder,
        "min_days": known.customers.get(order.customer, 0) if order.min_days is None else order.min_days,
    }


def _good_until(order: OrderIn, min_days: int, at: datetime) -> str:
    """As the SQL function `good_until`."""
    return (max(at, order.due).astimezone(UTC).date() + timedelta(days=min_days)).isoformat()


def _refuse_double_lines(order: OrderIn) -> None:
    seen: set[int] = set()
    for n, line in enumerate(order.lines):
        if line.line in seen:
            raise refused(f"lines/{n}/line", line.line, "a number that no other line of the order has")
        seen.add(line.line)


async def _store(
    connection: Connection,
    new: Sequence[tuple[int, Asked, bytes, dict[str, Any]]],
    known: _Known,
    sender: Sender,
    at: datetime,
    rules: Rules,
) -> list[tuple[int, Taken]]:
    if not new:
        return []
    lines = [
        {"n": k, "id": row["id"], "line": x.line, "item": x.item, "qty": x.qty, "good": good}
        for k, (_, one, _, row) in enumerate(new, 1)
        for good in [_good_until(one.order, row["min_days"], at)]
        for x in one.order.lines
    ]
    rows = await connection.fetch(
        "SELECT * FROM open_orders($1, $2, $3::jsonb, $4::jsonb)",
        at,
        sender.correlation,
        msgspec.json.encode([row for *_, row in new]).decode(),
        msgspec.json.encode(lines).decode(),
    )
    await keep_parts(connection, known.parts)
    claims: defaultdict[int, list[Claim]] = defaultdict(list)
    for r in rows:
        claims[r["n"]].append(
            Claim(r["line"], r["item"], r["stock_id"], r["bin"], r["qty"], r["volume_ml"], r["weight_g"], r["hand"])
        )
    plan = Plan()
    answers: list[OrderTaken] = []
    releases: list[bool] = []
    for k, (_, one, _, row) in enumerate(new, 1):
        cartons = cartonize(claims[k], rules.totes)
        plan.add(k, row["id"], cartons)
        releases.append(not row["holds_for"] and _at_once(one.order, at))
        answers.append(_answer(one.order, row, known, claims[k], len(cartons), release=releases[-1]))
    responses = [a.model_dump_json() for a in answers]
    planned = await connection.fetch(
        "SELECT * FROM"
        " plan_orders($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
        at,
        sender.client,
        [row["id"] for *_, row in new],
        releases,
        [one.key for _, one, *_ in new],
        [hashed for _, _, hashed, _ in new],
        responses,
        plan.totes,
        plan.tote_orders,
        plan.tote_ns,
        plan.oversize,
        plan.tasks,
        plan.task_totes,
        [c.line for c in plan.claims],
        [c.item for c in plan.claims],
        [c.stock for c in plan.claims],
        [c.bin for c in plan.claims],
        [c.qty for c in plan.claims],
        plan.hands,
    )
    for a, p in zip(answers, planned, strict=True):
        if a.state != p["state"]:
            raise Broken(f"order {a.id}: it is {p['state']}, and its answer says {a.state}")
    return [
        (n, Taken(Stored(201, response), replayed=False, id=a.id, state=a.state))
        for (n, *_), a, response in zip(new, answers, responses, strict=True)
    ]


def _at_once(order: OrderIn, at: datetime) -> bool:
    return order.reserve_until is None and (order.release_at is None or order.release_at <= at)


def _answer(
    order: OrderIn, row: dict[str, Any], known: _Known, claims: list[Claim], totes: int, *, release: bool
) -> OrderTaken:
    services = any(known.items[x.item][0] == "service" for x in order.lines)
    waits = order.backorder and sum(c.qty for c in claims) < sum(
        x.qty for x in order.lines if known.items[x.item][0] == "stock"
    )
    state = "allocated" if not release else "released" if totes or waits else "shipped" if services else "short"
    lines = _lines(order, known, claims, shipped=state == "shipped", none=state == "short")
    return OrderTaken(
        id=row["id"],
        source=row["source"],
        ref=order.ref,
        owner=row["owner"],
        state=state,
        due=order.due,
        reserved_until=order.reserve_until,
        lines=lines,
        totes=totes,
        short=sum(x.short for x in lines),
    )


def _lines(order: OrderIn, known: _Known, claims: list[Claim], *, shipped: bool, none: bool) -> list[LineOut]:
    allocated: defaultdict[int, int] = defaultdict(int)
    for c in claims:
        allocated[c.line] += c.qty
    found = []
    for x in order.lines:
        kind = known.items[x.item][0]
        found.append(
            LineOut(
                line=x.line,
                item=x.item,
                kind=kind,
                qty=x.qty,
                allocated=allocated[x.line],
                done=x.qty if shipped and kind == "service" else 0,
                short=x.qty - allocated[x.line] if kind == "stock" or (kind == KIT and (shipped or none)) else 0,
            )
        )
    return found
