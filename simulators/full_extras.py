"""What a full day has besides the plain day's goods: parts that nobody asks for, a late one, and kits of their own."""

import random
from collections.abc import Iterable, Sequence

import msgspec

from contracts.errors import Rejected
from contracts.ids import BinId, ItemId, OrderId
from simulators.catalogue import Item, StockRow, gtin
from simulators.demand import Planned
from simulators.orders import ErpLine, ErpOrder

LATE, FIRST, SECOND = ItemId("late-part"), ItemId("kit-part-1"), ItemId("kit-part-2")
WAITS, SET = OrderId("waits"), OrderId("set")
"""Two orders more: of something that a truck must bring first, and of a kit whose parts are picked for it."""
BUILT, EXPLODED = ItemId("kit-built"), ItemId("kit-picked")
"""A kit that people make, and one that is never stocked."""
MISSING = 4
"""Pieces that an order wants more than there are."""
_HIDDEN = 12
"""Bins that are empty though nobody knows it, on faces that robots will show: only a camera can tell."""
_EACH, _FEW = 6, 3
"""Pieces in a bin; what two have counted may be posted of the fewer ones, and goes to a third of the others."""
_HOUSE = ""


class Extras(msgspec.Struct, frozen=True):
    """Parts that the plain day has not, all of the house, and where they lie."""

    items: tuple[Item, ...]
    stock: tuple[StockRow, ...]


def extras(free: list[BinId], shown: Sequence[BinId], taken: Iterable[str], rng: random.Random) -> Extras:
    """Lay more parts into empty bins.

    Parameters
    ----------
    free
        Empty bins; those that are used are taken out.
    shown
        Of them, those on the sides of pods that will be seen.
    taken
        Barcodes that others have.

    Raises
    ------
    Rejected
        There are not so many empty bins.
    """
    hidden = rng.sample(list(shown), min(_HIDDEN, len(shown)))
    if not hidden or len(free) < len(hidden) + 3:
        raise Rejected(
            "site", len(free), f"at least {_HIDDEN + 3} empty bins for the full day, some beside bins in use"
        )
    codes = set(taken)
    items: list[Item] = []
    rows: list[StockRow] = []
    for gone in hidden:
        free.remove(gone)
    names: list[tuple[ItemId, BinId | None]] = [(LATE, None), (FIRST, None), (SECOND, None)]
    for name, place in [*names, *((ItemId(f"quiet-{b}"), b) for b in hidden)]:
        attempt = 0
        while (code := gtin(name, attempt)) in codes:
            attempt += 1
        codes.add(code)
        items.append(Item(name, code, 300, 400, "SpareParts", ""))
        lies = place or free.pop(rng.randrange(len(free)))
        qty = _FEW if place and len(rows) % 2 else _EACH
        rows.append(StockRow(lies, name, qty, 0 if place else qty))
    return Extras(tuple(items), tuple(rows))


def kits(built: Sequence[ItemId]) -> dict[ItemId, tuple[ItemId, ...]]:
    """Return what the day's kits are made of, one piece of each part; `built`: parts of the one that people make."""
    return ({BUILT: tuple(built)} if built else {}) | {EXPLODED: (FIRST, SECOND)}


def kit_item(kit: ItemId, owner: str) -> Item:
    """Return a kit as an article: made beforehand it has a size, else it is never stocked."""
    size = 100 if kit == BUILT else 0
    return Item(kit, "", size, size, "Machines" if size else "", "", "stock" if size else "service", owner)


def more_orders(first: Planned) -> tuple[Planned, ...]:
    """Return two orders more, a little after the day's first: of something late, and of a kit."""
    date = first.order.ship_date
    late = ErpOrder(WAITS, date, (ErpLine(1, LATE, _EACH + MISSING),), _HOUSE, backorder=True)
    kit = ErpOrder(SET, date, (ErpLine(1, EXPLODED, 1),), _HOUSE)
    return Planned(first.at_ms + 600_000, first.due_ms, late), Planned(first.at_ms + 900_000, first.due_ms, kit)
