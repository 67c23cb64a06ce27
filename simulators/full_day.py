"""What makes a day full: a second owner, a reserve behind the bins, bins that are wrong. Pure, by seed.

A plain day has one owner, everything in bins, and almost nothing amiss. This lays the same orders and the same goods
out so that people have work: part of what is asked for today lies on shelves and is brought when the bins run low, some
bins come short, and some are wrong without anybody having noticed yet.
"""

import datetime as dt
import random
from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec

from contracts.ids import BinId, ItemId, OrderId
from contracts.site import Site
from simulators.catalogue import Catalogue, StockRow
from simulators.demand import Planned
from simulators.full_extras import LATE, MISSING, extras, kit_item, kits, more_orders
from simulators.orders import ErpOrder
from simulators.supplier import MAKER, NEWCOMER, Delivery, Load

OWNER = "acme"
"""The third party whose goods lie here too."""
_FOREIGN = 0.3
"""Share of product lines that are the third party's."""
_RESERVED = 0.5
"""Share of today's parts of which most lies in the reserve."""
_SHORT = 0.06
"""Share of today's lines whose bin holds a piece less than they ask for."""
_WRONG = 6
"""Bins that are wrong and are not asked for today."""
_PER_SHELF = 6
_LOTS = 3
"""Parts of today that are kept by lots, of which each bin holds another."""
_BETWEEN_MS = (1_800_000, 14_400_000)
"""After the first order, in which the trucks come."""
ROUTE, TOWNS = "NORTH-1", ("Lingen", "Bremen", "Kiel")
_ROUTED = 8
"""Orders that leave with the truck of the route, in a wave."""


class Reserve(msgspec.Struct, frozen=True):
    """Pieces on a shelf."""

    shelf: str
    item: ItemId
    qty: int


class Rule(msgspec.Struct, frozen=True):
    """When pieces of an item are brought to the front."""

    item: ItemId
    min_qty: int
    max_qty: int


class FullDay(msgspec.Struct, frozen=True):
    """The day as it is laid out."""

    catalogue: Catalogue
    stock: tuple[StockRow, ...]
    """Bins; `physical_qty` is what really lies there."""
    plan: tuple[Planned, ...]
    reserve: tuple[Reserve, ...]
    rules: tuple[Rule, ...]
    shelves: tuple[str, ...]
    deliveries: tuple[Delivery, ...]
    lots: frozenset[ItemId]
    kits: dict[ItemId, tuple[ItemId, ...]]
    """One piece of each part makes a kit."""
    routed: frozenset[OrderId]
    changed: tuple[OrderId, ...]
    cancelled: tuple[OrderId, ...]
    put_back: tuple[OrderId, ...]
    """Orders that the ERP changes, cancels at once, and cancels when they are packed."""


def full_day(
    catalogue: Catalogue, stock: Sequence[StockRow], plan: Sequence[Planned], seed: int, site: Site
) -> FullDay:
    """Lay a plain day out as a full one.

    Parameters
    ----------
    catalogue, stock, plan, site
        Of the plain day.
    seed
        Of everything that is drawn here.
    """
    rng = random.Random(f"{seed}/full day")
    lines = sorted({i.product_line for i in catalogue.stock_items})
    foreign = frozenset(x for x in lines if rng.random() < _FOREIGN)
    items = tuple(
        msgspec.structs.replace(i, owner=OWNER) if i.kind == "stock" and i.product_line in foreign else i
        for i in catalogue.items
    )
    owner_of = {i.id: i.owner for i in items}
    asked: dict[ItemId, list[int]] = defaultdict(list)
    stocked = {r.item for r in stock}
    for planned in plan:
        for line in planned.order.lines:
            if line.item in stocked:
                asked[line.item].append(line.qty)
    rows, reserve, rules, shelves = _to_shelves(stock, asked, rng)
    kept = {r.item for r in reserve}
    rows, short = _short(rows, asked, kept, rng)
    used = {r.bin for r in rows}
    free = sorted(b.id for p in site.pods for b in p.bins if b.id not in used)
    rows, lots = _by_lots(rows, asked, kept | short, plan, free, rng)
    shown = _shown(rows, asked, free, site)
    more = extras(free, shown, (i.barcode for i in catalogue.items), rng)
    rows = _wrong(rows, asked, rng)
    orders, routed = _routed(_by_owner(plan, owner_of), {*short, *lots}, stocked, rng)
    calm = [p.order.ref for p in orders if p.order.ref not in routed and _plain(p.order, stocked)]
    some = rng.sample(calm, min(4, len(calm)))
    built = sorted(kept)[:2]
    made_of = kits([i for i in built if owner_of[i] == owner_of[built[0]]])
    items = tuple(msgspec.structs.replace(i, lots=i.id in lots) for i in items)
    made = (kit_item(kit, owner_of.get(of[0], "")) for kit, of in made_of.items())
    return FullDay(
        catalogue=Catalogue((*items, *more.items, *made), catalogue.openings),
        stock=(*rows, *more.stock),
        plan=tuple(sorted([*orders, *more_orders(orders[0])], key=lambda p: p.at_ms)),
        reserve=tuple(reserve), rules=tuple(rules), shelves=tuple(shelves),
        deliveries=_deliveries(plan, reserve, rows, owner_of, rng), lots=frozenset(lots), kits=made_of,
        routed=frozenset(routed), changed=tuple(some[:2]), cancelled=tuple(some[2:]),
        put_back=tuple(sorted(routed))[:1],
    )  # fmt: skip


def _plain(order: ErpOrder, stocked: set[ItemId]) -> bool:
    return any(x.item in stocked for x in order.lines) and len(order.lines) < 8


def _by_lots(
    rows: list[StockRow],
    asked: dict[ItemId, list[int]],
    without: set[ItemId],
    plan: Sequence[Planned],
    free: list[BinId],
    rng: random.Random,
) -> tuple[list[StockRow], set[ItemId]]:
    """Keep some parts by lots: each bin holds another one, and one that lies in a single bin is parted."""
    at: dict[ItemId, list[int]] = defaultdict(list)
    for k, row in enumerate(rows):
        at[row.item].append(k)
    right = [
        i for i in sorted(asked)
        if i not in without and all(rows[k].qty == rows[k].physical_qty for k in at[i])
        and sum(rows[k].qty for k in at[i]) > 3
    ]  # fmt: skip
    day = dt.datetime.fromtimestamp(plan[0].at_ms / 1000, dt.UTC).date()
    chosen = rng.sample(right, min(_LOTS, len(right)))
    for item in chosen:
        if len(at[item]) == 1 and free:
            row = rows[at[item][0]]
            half = row.qty // 2
            rows[at[item][0]] = StockRow(row.bin, item, row.qty - half, row.qty - half)
            at[item].append(len(rows))
            rows.append(StockRow(BinId(free.pop(rng.randrange(len(free)))), item, half, half))
        last = rng.sample(range(30, 30 + 10 * len(at[item]), 10), len(at[item]))
        for n, (k, days) in enumerate(zip(at[item], last, strict=True), 1):
            expires = (day + dt.timedelta(days)).isoformat()
            rows[k] = msgspec.structs.replace(rows[k], lot=f"L{n}", expires=expires)
    return rows, set(chosen)


def _shown(rows: Sequence[StockRow], asked: dict[ItemId, list[int]], free: Sequence[BinId], site: Site) -> list[BinId]:
    """Return empty bins beside the only bin of something that is asked for: their pod will be shown from that side."""
    face = {b.id: (p.id, b.face) for p in site.pods for b in p.bins}
    bins = Counter(r.item for r in rows)
    shown = {face[r.bin] for r in rows if r.item in asked and bins[r.item] == 1}
    return [b for b in free if face[b] in shown]


def _routed(
    plan: list[Planned], without: set[ItemId], stocked: set[ItemId], rng: random.Random
) -> tuple[list[Planned], set[OrderId]]:
    """Let some orders of an owner leave with a truck, and be picked in a wave."""
    fit = [p.order.ref for p in plan if all(x.item not in without for x in p.order.lines) and _plain(p.order, stocked)]
    chosen = set(rng.sample(fit, min(_ROUTED, len(fit))))
    found: list[Planned] = []
    for p in plan:
        order = p.order
        if order.ref in chosen:
            town = TOWNS[sum(x.order.route != "" for x in found) % len(TOWNS)]
            order = msgspec.structs.replace(order, route=ROUTE, ship_to=town, wave=True)
        found.append(msgspec.structs.replace(p, order=order))
    return found, chosen


def _to_shelves(
    stock: Sequence[StockRow], asked: dict[ItemId, list[int]], rng: random.Random
) -> tuple[list[StockRow], list[Reserve], list[Rule], list[str]]:
    """Leave a little more than today asks for in the bins of some parts, and put the rest of them onto shelves."""
    at: dict[ItemId, list[int]] = defaultdict(list)
    rows = list(stock)
    for k, row in enumerate(rows):
        at[row.item].append(k)
    reserve: list[Reserve] = []
    rules: list[Rule] = []
    shelves: list[str] = []
    for item in sorted(asked):
        if rng.random() >= _RESERVED or any(rows[k].qty != rows[k].physical_qty for k in at[item]):
            continue
        total, wanted = sum(rows[k].qty for k in at[item]), sum(asked[item])
        front = wanted + rng.randint(1, 3)
        if total < front + 4:
            continue
        left = front
        for k in sorted(at[item], key=lambda k: (-rows[k].qty, rows[k].bin)):
            keep = min(left, rows[k].qty)
            left -= keep
            rows[k] = StockRow(rows[k].bin, item, keep, keep)
        if len(reserve) % _PER_SHELF == 0:
            shelves.append(f"SH{len(shelves) + 1:02d}")
        reserve.append(Reserve(shelves[-1], item, total - front))
        rules.append(Rule(item, front, front + max(2, (total - front) // 2)))  # the first order lets more be brought
    return rows, reserve, rules, shelves


def _short(
    rows: list[StockRow], asked: dict[ItemId, list[int]], kept: set[ItemId], rng: random.Random
) -> tuple[list[StockRow], set[ItemId]]:
    """Take a piece out of bins from which the only line of a part will be picked, so that it comes short."""
    at: dict[ItemId, list[int]] = defaultdict(list)
    for k, row in enumerate(rows):
        at[row.item].append(k)
    single = [i for i in sorted(asked) if len(asked[i]) == 1 and i not in kept]
    single = [i for i in single if any(rows[k].qty >= asked[i][0] for k in at[i])]
    chosen = rng.sample(single, min(max(1, round(_SHORT * len(asked))), len(single)))
    for item in chosen:
        qty = asked[item][0]
        for k in at[item]:  # whichever of them the order is given
            if rows[k].qty >= qty:
                rows[k] = StockRow(rows[k].bin, item, rows[k].qty, qty - 1)
    return rows, set(chosen)


def _wrong(rows: list[StockRow], asked: dict[ItemId, list[int]], rng: random.Random) -> list[StockRow]:
    """Let a few bins among the first be wrong that nobody asks for today: the first counts of the day find them."""
    quiet = sorted((r.bin, k) for k, r in enumerate(rows) if r.item not in asked and r.qty >= 4)[: 4 * _WRONG]
    for n, (_, k) in enumerate(rng.sample(quiet, min(_WRONG, len(quiet)))):
        row = rows[k]
        rows[k] = StockRow(row.bin, row.item, row.qty, row.qty + (-1, -3, 1)[n % 3])
    return rows


def _deliveries(
    plan: Sequence[Planned],
    reserve: Sequence[Reserve],
    rows: Sequence[StockRow],
    owner_of: dict[ItemId, str],
    rng: random.Random,
) -> tuple[Delivery, ...]:
    """Let more come of some parts: as announced, more, less, with broken pieces, from a newcomer; and what was missing.

    A truck brings goods of one owner. The reserve is filled up first, where an owner has one.
    """
    found: list[Delivery] = []
    begin = plan[0].at_ms if plan else 0
    of_lots = {r.item for r in rows if r.lot}
    for n in range(5):
        owner = OWNER if n % 2 else ""
        mine = [r.item for r in reserve if owner_of[r.item] == owner] or [r.item for r in reserve]
        if not mine:
            mine = sorted({r.item for r in rows} - of_lots)[:9]
        owner = owner_of[mine[0]]
        mine = [i for i in mine if owner_of[i] == owner]
        loads = []
        for item in rng.sample(mine, min(3, len(mine))):
            qty = rng.randint(4, 24)
            more, broken = ((0, 0), (1, 0), (-1, 0), (0, 2), (0, 0))[n]
            loads.append(Load(item, qty, qty + more, broken))
        supplier = NEWCOMER if n == 4 else MAKER
        first, last = _BETWEEN_MS
        at_ms = begin + first + (last - first) // 5 * n + rng.randint(0, 600_000)
        found.append(Delivery(f"PO-{n + 1}", at_ms, owner, tuple(loads), supplier))
    missing = Load(LATE, MISSING, MISSING)
    taken_ms = found[1].at_ms + 60_000  # then the first door is another's
    found.append(Delivery("PO-6", taken_ms, "", (missing,)))
    return tuple(sorted(found, key=lambda d: d.at_ms))


def _by_owner(plan: Sequence[Planned], owner_of: dict[ItemId, str]) -> list[Planned]:
    """Split orders that ask for goods of both owners: one order is one owner's."""
    found: list[Planned] = []
    for planned in plan:
        order = planned.order
        for owner in sorted({owner_of.get(x.item, "") for x in order.lines}):
            mine = tuple(x for x in order.lines if owner_of.get(x.item, "") == owner)
            ref = OrderId(f"{order.ref}-{owner}") if owner else order.ref
            found.append(
                msgspec.structs.replace(planned, order=msgspec.structs.replace(order, ref=ref, lines=mine, owner=owner))
            )
    return found
