"""What makes a day full: a second owner, a reserve behind the bins, bins that are wrong. Pure, by seed.

A plain day has one owner, everything in bins, and almost nothing amiss. This lays the same orders and the same goods
out so that people have work: part of what is asked for today lies on shelves and is brought when the bins run low, some
bins come short, and some are wrong without anybody having noticed yet.
"""

import random
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from contracts.ids import ItemId, OrderId
from simulators.catalogue import Catalogue, StockRow
from simulators.demand import Planned
from simulators.supplier import Delivery

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
_DELIVERIES = 4
_BETWEEN_MS = (1_800_000, 14_400_000)
"""After the first order, in which the trucks come."""


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


def full_day(catalogue: Catalogue, stock: Sequence[StockRow], plan: Sequence[Planned], seed: int) -> FullDay:
    """Lay a plain day out as a full one.

    Parameters
    ----------
    catalogue, stock, plan
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
    rows = _short(rows, asked, {r.item for r in reserve}, rng)
    rows = _wrong(rows, asked, rng)
    return FullDay(
        Catalogue(items, catalogue.openings), tuple(rows), tuple(_by_owner(plan, owner_of)), tuple(reserve),
        tuple(rules), tuple(shelves), _deliveries(plan, reserve, owner_of, rng),
    )  # fmt: skip


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
) -> list[StockRow]:
    """Take a piece out of bins from which the only line of a part will be picked, so that it comes short."""
    at: dict[ItemId, list[int]] = defaultdict(list)
    for k, row in enumerate(rows):
        at[row.item].append(k)
    single = [i for i in sorted(asked) if len(asked[i]) == 1 and i not in kept]
    single = [i for i in single if any(rows[k].qty >= asked[i][0] for k in at[i])]
    for item in rng.sample(single, min(max(1, round(_SHORT * len(asked))), len(single))):
        qty = asked[item][0]
        for k in at[item]:  # whichever of them the order is given
            if rows[k].qty >= qty:
                rows[k] = StockRow(rows[k].bin, item, rows[k].qty, qty - 1)
    return rows


def _wrong(rows: list[StockRow], asked: dict[ItemId, list[int]], rng: random.Random) -> list[StockRow]:
    """Let a few bins among the first be wrong that nobody asks for today: the first counts of the day find them."""
    quiet = sorted((r.bin, k) for k, r in enumerate(rows) if r.item not in asked and r.qty >= 4)[: 4 * _WRONG]
    for n, (_, k) in enumerate(rng.sample(quiet, min(_WRONG, len(quiet)))):
        row = rows[k]
        rows[k] = StockRow(row.bin, row.item, row.qty, row.qty + (-1, -3, 1)[n % 3])
    return rows


def _deliveries(
    plan: Sequence[Planned], reserve: Sequence[Reserve], owner_of: dict[ItemId, str], rng: random.Random
) -> tuple[Delivery, ...]:
    """Let more come of some parts that lie in the reserve; a truck brings goods of one owner."""
    found: list[Delivery] = []
    begin = plan[0].at_ms if plan else 0
    for n in range(_DELIVERIES):
        owner = OWNER if n % 2 else ""
        mine = [r.item for r in reserve if owner_of.get(r.item, "") == owner]
        if mine:
            items = rng.sample(mine, min(3, len(mine)))
            lines = tuple((i, rng.randint(2, 24)) for i in items)
            found.append(Delivery(f"PO-{n + 1}", begin + rng.randint(*_BETWEEN_MS), owner, lines))
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
