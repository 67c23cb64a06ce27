"""What the warehouse holds: items with codes, sizes and weights, and how much of each is there at the start.

Made of a real order file (its parts, with sizes seeded by part) or of a seed alone. The master data and the opening
stock go to central through the ERP twin; the few bins that hold less than their books say are known to the world only.
"""

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from contracts.codec import UNREADABLE
from contracts.errors import Rejected
from contracts.ids import BinId, ItemId, identifier
from simulators.orders import OrderRow, read_rows

BIN_VOLUME_ML = 30_000
"""A compartment of 40 x 30 x 25 cm."""
BIN_FILL = 0.8
TOTE_WEIGHT_G = 1_900
WINDOW_DAYS = 5
"""Opening stock covers the busiest run of so many ship days of each part."""
WINDOW_SLACK = 1.25
MISCOUNTED = 0.003
"""Share of stock items of which one bin holds one piece less than the books say."""
MOST_BINS = 6

# category: (median piece weight g, median piece volume ml, spread as sigma of the logarithm)
_SIZES: dict[str, tuple[float, float, float]] = {
    "Machines": (2_400.0, 4_200.0, 0.7),
    "SpareParts": (320.0, 420.0, 0.9),
    "Liquids": (1_050.0, 1_000.0, 0.5),
    "Marketables": (180.0, 350.0, 0.8),
}
_SEEDED_SHARE = {"Marketables": 0.345, "Liquids": 0.27, "SpareParts": 0.21, "Machines": 0.167}


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """One article; `kind` is ``stock`` or ``service`` (nothing to pick). `barcode` is a GTIN-13."""

    id: ItemId
    barcode: str
    weight_g: int
    volume_ml: int
    category: str
    product_line: str
    kind: str = "stock"
    owner: str = ""
    """A third party; empty: the house itself."""
    lots: bool = False
    """Every piece of it belongs to a lot."""


class Opening(msgspec.Struct, frozen=True):
    """How much of an item is there at the start, in how many bins.

    `miscounted`: the first bin holds one piece less than its books say. Where there are other bins, that was its only
    one: whoever looks for one piece finds it empty, and the others make it good.
    """

    item: ItemId
    qty: int
    bins: int
    miscounted: bool = False


class StockRow(msgspec.Struct, frozen=True):
    """The books: so many pieces of an item in a bin. `physical_qty` is what really lies there."""

    bin: BinId
    item: ItemId
    qty: int
    physical_qty: int
    lot: str = ""
    """Of an item that is kept by lots: all that lies in this bin."""
    expires: str = ""
    """The lot's last day, ``YYYY-MM-DD``."""


class Catalogue(msgspec.Struct, frozen=True, dict=True):
    """All items in order of id, and the opening of each stock item."""

    items: tuple[Item, ...]
    openings: tuple[Opening, ...]

    @property
    def stock_items(self) -> tuple[Item, ...]:
        """Items that lie in bins."""
        return tuple(i for i in self.items if i.kind == "stock")

    @staticmethod
    def from_orders(path: Path, seed: int = 1) -> "Catalogue":
        """Make the catalogue of an order file: one item a part, services where a part has no category.

        Raises
        ------
        Rejected
            The file cannot be read as orders; names file, line and field.
        """
        rows = read_rows(path)
        if not rows:
            raise Rejected(str(path), "no rows", "an order file with at least one line")
        kinds: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        for row in rows:
            kinds[row.sku][row.category, row.product_line] += 1
        demand = _Demand(rows)
        items, openings = [], []
        for sku in sorted(kinds):
            # a part booked under two names keeps the one it has most often; a category beats none
            category, line = min(kinds[sku], key=lambda k: (not k[0], -kinds[sku][k], k))
            item = _item(seed, sku, category, line, demand.window(sku) if category else 0)
            items.append(item)
            if category:
                openings.append(_opening(seed, item, demand.busiest_day(sku), demand.window(sku), demand.lines(sku)))
        return Catalogue(_unique_barcodes(items), tuple(openings))

    @staticmethod
    def seeded(seed: int, n: int = 10_291) -> "Catalogue":
        """Make `n` items, some of them services, with a long-tailed demand."""
        rng = random.Random(f"{seed}/catalogue")
        items, openings = [], []
        for k in range(n):
            draw, category = rng.random(), ""
            for name, share in _SEEDED_SHARE.items():
                if draw < share:
                    category = name
                    break
                draw -= share
            per_day = 1 + int(rng.paretovariate(1.3))
            line = f"line{rng.randrange(24):02d}" if category else ""
            day, window = min(per_day, 1_500), min(per_day * 3, 4_000)
            item = _item(seed, f"item{k:05d}", category, line, window if category else 0)
            items.append(item)
            if category:
                openings.append(_opening(seed, item, day, window, float(per_day) / 4))
        return Catalogue(_unique_barcodes(items), tuple(openings))


def read_catalogue(path: Path) -> Catalogue:
    """Read a catalogue file.

    Raises
    ------
    Rejected
        The file is missing or does not describe a catalogue.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Catalogue)
    except FileNotFoundError as e:
        raise Rejected("catalogue", str(path), "an existing catalogue; `floorplane up` makes it with its site") from e
    except OSError as e:
        raise Rejected("catalogue", str(path), f"a catalogue that can be read ({e.strerror})") from e
    except UNREADABLE as e:
        raise Rejected("catalogue", str(path), f"a catalogue: {e}") from e


def write_catalogue(catalogue: Catalogue, path: Path) -> None:
    """Write a catalogue file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".new")
    scratch.write_bytes(msgspec.json.encode(catalogue))
    scratch.replace(path)


def gtin(name: str, attempt: int = 0) -> str:
    """Return a GTIN-13 of the range for use within a company (prefix 29), derived from a name.

    The last digit is the check digit of the GS1 General Specifications, 7.9.
    """
    digest = hashlib.sha256(f"{name}/{attempt}".encode()).digest()
    body = f"29{int.from_bytes(digest[:8], 'big') % 10_000_000_000:010d}"
    return body + check_digit(body)


def check_digit(body: str) -> str:
    """Return the GS1 check digit of the digits before it."""
    total = sum(int(d) * (3 if k % 2 == 0 else 1) for k, d in enumerate(reversed(body)))
    return str(-total % 10)


class _Demand:
    """What an order file asks of each part: its lines, its busiest day and its busiest run of days."""

    def __init__(self, rows: Sequence[OrderRow]) -> None:
        days = sorted({r.planned_ship_date for r in rows})
        self._index = {day: k for k, day in enumerate(days)}
        self._qty: dict[str, Counter[int]] = defaultdict(Counter)
        self._lines: Counter[str] = Counter()
        for r in rows:
            self._qty[r.sku][self._index[r.planned_ship_date]] += r.qty
            self._lines[r.sku] += 1

    def lines(self, sku: str) -> float:
        return self._lines[sku] / len(self._index)

    def busiest_day(self, sku: str) -> int:
        return max(self._qty[sku].values())

    def window(self, sku: str) -> int:
        by_day = self._qty[sku]
        return max(sum(by_day.get(k, 0) for k in range(d, d + WINDOW_DAYS)) for d in by_day)


def _item(seed: int, sku: str, category: str, line: str, window: int) -> Item:
    rng = random.Random(f"{seed}/item/{sku}")
    if not category:
        return Item(identifier(sku), gtin(sku), 0, 0, "", "", "service")  # type: ignore[arg-type]
    weight, volume, sigma = _SIZES.get(category, _SIZES["SpareParts"])
    # what is ordered by the hundred is small: the stock of one part fits its bins
    bins = 1 if window < 30 else 2
    roomiest = BIN_VOLUME_ML * BIN_FILL * bins / (round(window * WINDOW_SLACK) + 6)
    volume_ml = max(2, min(round(volume * rng.lognormvariate(0.0, sigma)), 12_000, int(roomiest)))
    density = min(2.5, max(0.25, weight / volume * rng.lognormvariate(0.0, 0.25)))
    return Item(
        ItemId(identifier(sku)), gtin(sku), max(2, min(round(volume_ml * density), 14_000)), volume_ml, category, line
    )


def _opening(seed: int, item: Item, busiest_day: int, window: int, lines_per_day: float) -> Opening:
    rng = random.Random(f"{seed}/opening/{item.id}")
    qty = round(window * WINDOW_SLACK) + rng.randint(3, 6)
    by_volume = -(-qty * item.volume_ml // int(BIN_VOLUME_ML * BIN_FILL))
    by_pace = 1 + int(lines_per_day / 4)
    bins = max(1, min(MOST_BINS, max(by_volume, by_pace)))
    miscounted = rng.random() < MISCOUNTED
    if miscounted and rng.random() < 0.3:
        # all of it in one bin and no more than a busy day asks for: the miscount may be met, and nothing makes it good
        return Opening(item.id, max(2, busiest_day), 1, miscounted=True)
    return Opening(item.id, max(qty, bins), max(bins, 2) if miscounted else bins, miscounted=miscounted)


def _unique_barcodes(items: Iterable[Item]) -> tuple[Item, ...]:
    taken: set[str] = set()
    result = []
    for item in items:
        code, attempt = item.barcode, 0
        while code in taken:
            attempt += 1
            code = gtin(item.id, attempt)
        taken.add(code)
        result.append(item if code == item.barcode else msgspec.structs.replace(item, barcode=code))
    return tuple(result)
