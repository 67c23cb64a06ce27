"""A small typed client of central's REST: what an ERP needs, with the habits that it should have.

Every request that takes effect carries an Idempotency-Key made of what it says, so that it may be sent again until it
is answered; what the server cannot answer now is tried again, what it refuses is raised.
"""

import csv
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby, islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

import httpx
import msgspec

from contracts.errors import Rejected, Unavailable
from contracts.runtime.url import server

T = TypeVar("T")
CHUNK = 500
_NAMED = 20
"""Bad lines of a file that are named beside the first."""
_AGAIN_S = (0.5, 1.0, 2.0, 4.0)
_LATER = frozenset({408, 425, 429, 502, 503, 504, 507})
CLOSED = frozenset({"shipped", "short", "cancelled"})


class ItemRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One article; columns of the CSV carry these names."""

    id: str
    kind: str = "stock"
    barcode: str = ""
    name: str = ""
    weight_g: int = 0
    volume_ml: int = 0
    category: str = ""
    product_line: str = ""
    owner: str = ""


class OrderLine(msgspec.Struct, frozen=True):
    """So many pieces of an item."""

    line: int
    item: str
    qty: int


class NewOrder(msgspec.Struct, frozen=True, omit_defaults=True):
    """An order to be taken in."""

    ref: str
    due: datetime
    lines: tuple[OrderLine, ...]
    release_at: datetime | None = None
    priority: int = 0
    ship_to: str = ""
    owner: str = ""


class LineAnswer(msgspec.Struct, frozen=True):
    """What became of one line of a bulk request."""

    line: int
    id: str
    outcome: str
    errors: tuple[dict[str, Any], ...] = ()

    @property
    def refused(self) -> bool:
        """Whether nothing came of it."""
        return self.outcome == "refused"

    def why(self) -> str:
        """Say in words what was refused."""
        return "; ".join(f"{e['field']}: {e['value']!r} is not {e['bound']}" for e in self.errors)


class Order(msgspec.Struct, frozen=True):
    """An order with all that it led to; fields that are not named here are skipped."""

    id: str
    ref: str
    state: str
    due: datetime
    order_lines: tuple[dict[str, Any], ...]
    tasks: tuple[dict[str, Any], ...]
    ledger: tuple[dict[str, Any], ...]
    shipment: dict[str, Any] | None


class ErpClient:
    """A connection to one central.

    Parameters
    ----------
    url
        ``http://host:port``.
    token
        Of a client of the role ``erp``.
    transport
        Of httpx; None: the network.

    Raises
    ------
    Rejected
        The URL or the token cannot be one.
    """

    def __init__(self, url: str, token: str, *, transport: httpx.BaseTransport | None = None) -> None:
        server("url", url, {"http", "https"}, "http://host:port of central")
        if not (token.isascii() and token.isprintable() and token.strip() == token != ""):
            raise Rejected("token", "***", "a token as central has given it out, in one line of ASCII")
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60.0, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def import_items(self, items: Iterable[ItemRow]) -> Iterator[LineAnswer]:
        """Create or change items, in bulk; yields what became of each. The same items again are what is wanted now."""
        yield from self._bulk("/v1/items:bulk", items, fresh=uuid4().hex)

    def import_orders(self, orders: Iterable[NewOrder]) -> Iterator[LineAnswer]:
        """Send orders in bulk; yields what became of each. The same orders sent again are duplicates."""
        yield from self._bulk("/v1/orders:bulk", orders)

    def order(self, order: str) -> Order:
        """Read an order.

        Raises
        ------
        Rejected
            It is not known.
        """
        return msgspec.json.decode(self._send("GET", f"/v1/orders/{order}").content, type=Order)

    def follow(
        self, order: str, *, every_s: float = 1.0, sleep: Callable[[float], None] = time.sleep
    ) -> Iterator[Order]:
        """Yield an order each time something of it has changed, until it is closed."""
        seen: Order | None = None
        while True:
            now = self.order(order)
            if now != seen:
                yield now
            if now.state in CLOSED:
                return
            seen = now
            sleep(every_s)

    def _bulk(self, path: str, rows: Iterable[msgspec.Struct], *, fresh: str = "") -> Iterator[LineAnswer]:
        waiting, before = iter(rows), 0
        while chunk := list(islice(waiting, CHUNK)):
            body = b"\n".join(map(msgspec.json.encode, chunk))
            key = hashlib.sha256(body).hexdigest() + fresh
            headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": key}
            answer = self._send("POST", path, content=body, headers=headers)
            for raw in answer.content.splitlines():
                line = msgspec.json.decode(raw, type=LineAnswer)
                yield msgspec.structs.replace(line, line=before + line.line)
            before += len(chunk)

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        for pause_s in (*_AGAIN_S, None):
            try:
                answer = self._http.request(method, path, **more)
            except httpx.TransportError as e:
                said = str(e)
            else:
                if answer.is_success:
                    return answer
                said = _detail(answer)
                if answer.status_code not in _LATER:
                    raise Rejected(f"{method} {path}", answer.status_code, said)
            if pause_s is not None:
                time.sleep(pause_s)
        raise Unavailable(f"{method} {path}: {said}")


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]


def read_items(file: Path) -> list[ItemRow]:
    """Read a CSV with a column ``id`` and any other of `ItemRow`'s.

    Raises
    ------
    Rejected
        A column is missing or a value is not what it should be; names every such line.
    """
    wrong: list[Rejected] = []
    found = [item for number, row in _rows(file, {"id"}) if (item := _as(file, number, row, ItemRow, wrong))]
    _refuse(wrong)
    return found


def read_orders(file: Path) -> list[NewOrder]:
    """Read a CSV of order lines: columns ``ref, due, item, qty``, and ``line`` or any other of `NewOrder`'s.

    Lines of one order follow each other.

    Raises
    ------
    Rejected
        As `read_items`, or an order's lines do not follow each other.
    """
    wrong: list[Rejected] = []
    found: list[NewOrder] = []
    seen: set[str] = set()
    for ref, rows in groupby(_rows(file, {"ref", "due", "item", "qty"}), key=lambda r: r[1]["ref"]):
        (number, head), *others = rows
        if ref in seen:
            wrong.append(Rejected(f"{file}:{number}/ref", ref, "beside the other lines of its order"))
        seen.add(ref)
        lines = [
            _as(file, at, {"line": str(n)} | row, OrderLine, wrong)
            for n, (at, row) in enumerate([(number, head), *others], 1)
        ]
        fields: dict[str, Any] = {k: v for k, v in head.items() if k in NewOrder.__struct_fields__ and v != ""}
        order = _as(file, number, fields | {"lines": [x for x in lines if x]}, NewOrder, wrong)
        if order is not None:
            found.append(order)
    _refuse(wrong)
    return found


def _refuse(wrong: list[Rejected]) -> None:
    if not wrong:
        return
    first, *others = wrong
    more = "".join(f"\n{e}" for e in others[:_NAMED]) + (f"\nand {len(others) - _NAMED} more" * (len(others) > _NAMED))
    raise Rejected(first.field, first.value, first.bound + more)


def _rows(file: Path, needed: set[str]) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            reader = csv.DictReader(text)
            missing = needed - set(reader.fieldnames or ())
            if missing:
                raise Rejected(f"{file}:1", ",".join(reader.fieldnames or ()), f"with the columns {sorted(missing)}")
            for row in reader:
                yield reader.line_num, {k: (v or "").strip() for k, v in row.items() if k is not None}
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise Rejected("file", str(file), f"a CSV file that can be read: {e}") from e


def _as(file: Path, number: int, row: Mapping[str, Any], kind: type[T], wrong: list[Rejected]) -> T | None:
    try:
        return msgspec.convert({k: v for k, v in row.items() if v != ""}, kind, strict=False)
    except msgspec.ValidationError as e:
        wrong.append(Rejected(f"{file}:{number}", dict(row), f"a row that can be sent: {e}"))
        return None
