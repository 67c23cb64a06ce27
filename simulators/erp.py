"""The ERP's twin: an ordinary HTTP client that brings master data and stock, then orders at their times.

It behaves as an integrator should: every order has an Idempotency-Key of its own, and what was not answered, or was
answered with a fault of the server, is sent again under the same key until it is answered.
"""

import asyncio
import datetime as dt
import os
from collections.abc import Sequence
from pathlib import Path

import httpx
import msgspec

from contracts.errors import Rejected
from contracts.ids import OrderId
from contracts.runtime.clock import Clock
from contracts.runtime.logging import get_log
from simulators.catalogue import Catalogue, StockRow
from simulators.demand import Feed, Planned

_log = get_log("simulators.erp")
_CHUNK = 2_000
_RETRY_S = (0.5, 1.0, 2.0, 4.0, 8.0, 10.0)
_RETRIED = frozenset({408, 425, 429})
_KNOWN = 428
"""A lot that is there already may only be changed by whoever has seen it."""


class Progress(msgspec.Struct, frozen=True):
    """How far the feed is: the number of the order that comes next, and when the one before was sent.

    `start_ms` is when the feed began. It is written before an order is sent, so that after a restart the same order is
    sent again with the same body.
    """

    start_ms: int
    number: int
    after_ms: int


class Refusal(msgspec.Struct, frozen=True):
    """An order that was not taken, and what the answer said."""

    ref: OrderId
    status: int
    detail: str


class Erp:
    """The ERP; a service.

    Parameters
    ----------
    client
        Its base URL is central's; on virtual time its transport is the application itself.
    token
        An API token of the role ERP.
    catalogue, stock
        Sent before the first order; sending them again changes nothing.
    feed
        The orders; None: master data and stock only.
    acknowledged
        A file to which every order that was taken is written before the next one is sent, one JSON object a line.
    progress
        A file that remembers how far the feed is.

    Raises
    ------
    Rejected
        The progress file is damaged.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        token: str,
        catalogue: Catalogue,
        stock: Sequence[StockRow],
        feed: Feed | None,
        clock: Clock,
        *,
        acknowledged: Path | None = None,
        progress: Path | None = None,
    ) -> None:
        self.name, self.ready, self.done = "erp", asyncio.Event(), asyncio.Event()
        """`ready`: master data and stock are there. `done`: the feed has ended and everything was answered."""
        self._client, self._headers = client, {"Authorization": f"Bearer {token}"}
        self._catalogue, self._stock, self._feed, self._clock = catalogue, stock, feed, clock
        self._acknowledged, self._progress = acknowledged, progress
        self._before = read_progress(progress) if progress is not None else None
        if acknowledged is not None:
            acknowledged.parent.mkdir(parents=True, exist_ok=True)
        self.sent_orders = self.sent_lines = self.short_pieces = self.retries = 0
        self.taken: dict[OrderId, str] = {}
        """Our reference, and central's id of it."""
        self.refused: list[Refusal] = []

    async def run(self) -> None:
        """Bring the master data, then the orders at their times, then wait until cancelled.

        Raises
        ------
        Rejected
            Central refuses the token, an item or a stock row.
        """
        await self.bring_master_data()
        self.ready.set()
        if self._feed is not None:
            await self._bring_orders(self._feed)
        self.done.set()
        await asyncio.get_running_loop().create_future()

    async def bring_master_data(self) -> None:
        """Send all items and the opening stock.

        Raises
        ------
        Rejected
            As `run`.
        """
        await self._bulk("/v1/items:bulk", [msgspec.json.encode(i) for i in self._catalogue.items], "items")
        await self._bring_lots()
        rows = [
            {"place": r.bin, "item": r.item, "qty": r.qty, "reason": "opening", "key": f"opening/{r.bin}/{r.item}"}
            | ({"lot": r.lot} if r.lot else {})
            for r in self._stock
            if r.qty
        ]
        await self._bulk("/v1/stock:bulk", [msgspec.json.encode(r) for r in rows], "stock")

    async def _bring_lots(self) -> None:
        """Say until when each lot is good, before anything of it is booked; one that is known stays as it is."""
        for item, lot, expires in sorted({(r.item, r.lot, r.expires) for r in self._stock if r.lot}):
            path = f"/v1/items/{item}/lots/{lot}"
            answer = await self._client.put(path, json={"expires": expires}, headers=self._headers)
            if not answer.is_success and answer.status_code != _KNOWN:
                raise Rejected(path, answer.status_code, f"accepted: {answer.text[:500]}")

    async def send(self, planned: Planned) -> httpx.Response:
        """Send one order and keep what became of it.

        Raises
        ------
        Rejected
            The token is not taken.
        """
        order = planned.order
        body = {
            "ref": order.ref,
            "due": dt.datetime.fromtimestamp(planned.due_ms / 1000, dt.UTC).isoformat(),
            "lines": order.lines,
        }
        for field in ("owner", "route", "ship_to", "wave", "backorder"):
            if said := getattr(order, field):
                body[field] = said
        self.sent_orders += 1
        self.sent_lines += len(order.lines)
        answer = await self._post("/v1/orders", msgspec.json.encode(body), f"order/{order.ref}", "application/json")
        if answer.is_success:
            taken = answer.json()
            self.taken[order.ref] = str(taken["id"])
            self.short_pieces += int(taken.get("short", 0))
            self._keep(order.ref, taken)
        else:
            self.refused.append(Refusal(order.ref, answer.status_code, answer.text[:500]))
            _log.warning("order refused", ref=order.ref, status=answer.status_code, detail=answer.text[:500])
        return answer

    async def _bring_orders(self, feed: Feed) -> None:
        progress = self._before
        now_ms = self._clock.now_ms()
        start_ms, number, after_ms = (
            (progress.start_ms, progress.number, progress.after_ms) if progress else (now_ms, 0, now_ms)
        )
        while (planned := feed.planned(number, after_ms)) is not None:
            self._remember(Progress(start_ms, number, after_ms))
            wait_s = (planned.at_ms - self._clock.now_ms()) / 1000
            if wait_s > 0:
                await self._clock.sleep(wait_s)
            await self.send(planned)
            number, after_ms = number + 1, planned.at_ms
        self._remember(Progress(start_ms, number, after_ms))

    def _remember(self, progress: Progress) -> None:
        self._before = progress
        if self._progress is not None:
            write_progress(self._progress, progress)

    def _keep(self, ref: OrderId, taken: dict[str, object]) -> None:
        if self._acknowledged is None:
            return
        entry = {"ref": ref, "id": taken["id"], "at_ms": self._clock.now_ms(), "state": taken.get("state")}
        with self._acknowledged.open("ab") as file:
            file.write(msgspec.json.encode(entry) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    async def _bulk(self, path: str, lines: Sequence[bytes], what: str) -> None:
        for k in range(0, len(lines), _CHUNK):
            chunk = lines[k : k + _CHUNK]
            key = f"{what}/{k}/{len(chunk)}"
            answer = await self._post(path, b"\n".join(chunk), key, "application/x-ndjson")
            if not answer.is_success:
                raise Rejected(path, answer.status_code, f"accepted: {answer.text[:500]}")
            for line in answer.iter_lines():
                result = msgspec.json.decode(line)
                if result["outcome"] == "refused":
                    raise Rejected(f"{path}/{k + result['line']}", result.get("errors"), "what central takes")

    async def _post(self, path: str, body: bytes, key: str, kind: str) -> httpx.Response:
        """Send until there is an answer that is no fault of the server."""
        headers = {**self._headers, "Idempotency-Key": key, "Content-Type": kind}
        tries = 0
        while True:
            try:
                answer = await self._client.post(path, content=body, headers=headers)
            except httpx.TransportError:
                pass
            else:
                if answer.status_code in {401, 403}:
                    raise Rejected("token", answer.status_code, f"a token of the role ERP: {answer.text[:200]}")
                if answer.status_code < 500 and answer.status_code not in _RETRIED:
                    return answer
            await self._clock.sleep(_RETRY_S[min(tries, len(_RETRY_S) - 1)])
            tries += 1
            self.retries += 1


def read_progress(path: Path) -> Progress | None:
    """Read how far a feed was; None where there is no file.

    Raises
    ------
    Rejected
        The file is damaged.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Progress)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as e:
        raise Rejected("progress", str(path), f"a file that the ERP twin wrote: {e}") from e


def write_progress(path: Path, progress: Progress) -> None:
    """Write how far a feed is, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".new")
    scratch.write_bytes(msgspec.json.encode(progress))
    scratch.replace(path)
