"""The order file: one row a line of an order, read with an error that names file, line and field."""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from datetime import date as Date  # noqa: N812 - `date` is the argument's name everywhere
from functools import lru_cache
from pathlib import Path

import msgspec

from contracts.errors import Rejected
from contracts.ids import ItemId, OrderId, identifier

COLUMNS = ("order_ref", "planned_ship_date", "actual_ship_date", "sku", "quantity", "product_line", "category")
_REQUIRED = ("order_ref", "planned_ship_date", "sku", "quantity")
MOST_QTY = 1_000_000
_MOST_TEXT = 120
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class OrderRow(msgspec.Struct, frozen=True):
    """One row of the file, checked."""

    line_no: int
    order_ref: str
    planned_ship_date: str
    sku: str
    qty: int
    product_line: str
    category: str


class ErpLine(msgspec.Struct, frozen=True):
    """One line of an order; the same item may stand in several."""

    line: int
    item: ItemId
    qty: int


class ErpOrder(msgspec.Struct, frozen=True):
    """One order as the ERP posts it. `ref` is unique over all dates of a file."""

    ref: OrderId
    ship_date: str
    lines: tuple[ErpLine, ...]
    owner: str = ""
    """Whose goods; empty: the house's."""
    route: str = ""
    """The trucks that it leaves with; empty: it leaves when it is packed."""
    ship_to: str = ""
    wave: bool = False
    """Whether it waits for a wave."""
    backorder: bool = False
    """Whether it waits for what is not there."""


def read_rows(path: Path) -> tuple[OrderRow, ...]:
    """Read and check an order file (CSV, gzip or plain).

    Raises
    ------
    Rejected
        The file is missing or damaged, a column is missing, or a value is out of bounds: field ``FILE:LINE/COLUMN``.
    """
    return tuple(_rows(path))


def read_orders(path: Path, date: str | None = None) -> list[ErpOrder]:
    """Read the orders of one planned ship date, or of all, in order of the file.

    Lines keep the file's order and are numbered from 1; a part that stands twice in an order stays two lines. A
    reference that the file uses on another date too gets the date behind it.

    Raises
    ------
    Rejected
        As `read_rows`; or `date` is no date, or the file has no order on it.
    """
    if date is not None:
        _check_date("date", date)
    rows = read_rows(path)
    dates: dict[str, set[str]] = {}
    for row in rows:
        dates.setdefault(row.order_ref, set()).add(row.planned_ship_date)
    lines: dict[tuple[str, str], list[ErpLine]] = {}
    for row in rows:
        if date is None or row.planned_ship_date == date:
            found = lines.setdefault((row.planned_ship_date, row.order_ref), [])
            found.append(ErpLine(len(found) + 1, ItemId(identifier(row.sku)), row.qty))
    if date is not None and not lines:
        known = sorted({r.planned_ship_date for r in rows})
        span = f"{known[0]} to {known[-1]}" if known else "it has no rows"
        raise Rejected("date", date, f"a planned ship date of {path.name} ({span})")
    return [
        ErpOrder(OrderId(identifier(ref if len(dates[ref]) == 1 else f"{ref}-{day}")), day, tuple(found))
        for (day, ref), found in lines.items()
    ]


def _rows(path: Path) -> Iterator[OrderRow]:
    name = path.name
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8-sig")  # spreadsheets mark it
    except FileNotFoundError as e:
        raise Rejected("orders", str(path), "an existing file") from e
    except IsADirectoryError as e:
        raise Rejected("orders", str(path), "a file, not a folder") from e
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as e:
        raise Rejected("orders", str(path), f"a readable CSV or gzip file in UTF-8: {e}") from e
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        yield from _checked(name, reader)
    except csv.Error as e:  # a quote that is never closed, an end of line inside a field
        raise Rejected(f"{name}:{reader.line_num + 1}", "a line", f"CSV ({e})") from e


def _checked(name: str, reader: "csv.DictReader[str]") -> Iterator[OrderRow]:
    for column in _REQUIRED:
        if column not in (reader.fieldnames or ()):
            raise Rejected(f"{name}:1/{column}", reader.fieldnames, f"a header with {', '.join(_REQUIRED)}")
    for row in reader:
        at = f"{name}:{reader.line_num}"
        for column in _REQUIRED:
            value = row[column]
            if not value or len(value) > _MOST_TEXT or not value.isprintable():
                shown = value and value[:_MOST_TEXT]
                raise Rejected(f"{at}/{column}", shown, f"a text of 1 to {_MOST_TEXT} characters that can be printed")
        _check_date(f"{at}/planned_ship_date", row["planned_ship_date"])
        yield OrderRow(
            reader.line_num,
            row["order_ref"],
            row["planned_ship_date"],
            row["sku"],
            _quantity(f"{at}/quantity", row["quantity"]),
            row.get("product_line") or "",
            row.get("category") or "",
        )


def _quantity(field: str, value: str) -> int:
    if not (value.isascii() and value.isdecimal() and 1 <= int(value) <= MOST_QTY):
        raise Rejected(field, value, f"a whole number from 1 to {MOST_QTY}")
    return int(value)


def _check_date(field: str, value: str) -> None:
    if not _is_date(value):
        raise Rejected(field, value, "a date like 2013-12-02")


@lru_cache(maxsize=4096)
def _is_date(value: str) -> bool:
    """Whether it is written as a date and is one: a file says the same few hundred times and again."""
    try:
        return _DATE.fullmatch(value) is not None and Date.fromisoformat(value) is not None
    except ValueError:
        return False
