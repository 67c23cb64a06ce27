"""Who works while the database is killed: ERP clients and a dispatcher, in a process of their own.

As all of them should, they send what was not answered again, under the same key or number, until it is. What is
acknowledged goes to the disk of this process before anything else happens.
"""

import asyncio
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from contracts import topics
from contracts.codec import decode, encode
from contracts.errors import Unavailable
from contracts.ids import SiteId, StationId
from contracts.messages.facts import Evidence, Fact, FactsAck, PickDone
from contracts.messages.work import Pick, Work
from contracts.runtime.log.nats import connect_log
from deploy.bench.central_stand import Connection

DUE = "2026-12-02T16:00:00Z"
AGAIN = frozenset({409, 425, 429, 502, 503, 504})
"""Answers after which the same request is sent again: it may be under way, or nobody was there."""
_PAUSE_S = 0.02
_WINDOW, _RESEND_S, _BEHIND = 50, 0.5, 150


class Plan(msgspec.Struct, frozen=True):
    """What the clients are told."""

    host: str
    port: int
    token: str
    nats_url: str
    site: str
    clients: int
    items: tuple[str, ...]
    bins: tuple[str, ...]
    seed: int


class Done(msgspec.Struct, frozen=True):
    """One thing that was acknowledged: when its last attempt was sent and answered (monotonic ns)."""

    kind: str
    """``order``, ``booking``, ``cancel``, ``pick``."""
    name: str
    """Order, booking key or task."""
    qty: int
    sent_ns: int
    answered_ns: int
    attempts: int = 1


class _Book:
    """The acknowledgements, each on the disk before the next is given."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def keep(self, *done: Done) -> None:
        self._file.write(b"".join(msgspec.json.encode(d) + b"\n" for d in done))
        os.fdatasync(self._file.fileno())


class _Client:
    """One ERP connection that makes itself anew."""

    def __init__(self, plan: Plan, book: _Book, number: int) -> None:
        self._plan, self._book, self._number = plan, book, number
        self._rng = random.Random(f"{plan.seed}/{number}")
        self._connection: Connection | None = None

    async def run(self, stop: Path, dispatcher: "_Dispatcher") -> None:
        n = 0
        while not stop.exists():  # noqa: ASYNC240 - a look at a name costs microseconds
            if dispatcher.behind > _BEHIND:  # nobody orders faster than the floor picks, for long
                await asyncio.sleep(_PAUSE_S)
                continue
            n += 1
            name = f"{self._number}-{n}"
            if self._rng.random() < 0.4:
                await self._book_stock(name)
            else:
                await self._order(name)

    async def _book_stock(self, name: str) -> None:
        plan, qty = self._plan, self._rng.randint(1, 5)
        line = {
            "place": self._rng.choice(plan.bins),
            "item": self._rng.choice(plan.items),
            "qty": qty,
            "reason": "found",
            "key": name,
        }
        answer, done = await self._until_answered("/v1/stock:bulk", msgspec.json.encode(line), f"b{name}")
        outcome = msgspec.json.decode(answer)["outcome"]
        if outcome in {"posted", "duplicate"}:  # a duplicate: our first attempt was committed, its answer was lost
            self._book.keep(Done("booking", name, qty, *done))

    async def _order(self, name: str) -> None:
        items = self._rng.sample(self._plan.items, 2)
        lines = [{"line": k, "item": i, "qty": self._rng.randint(1, 3)} for k, i in enumerate(items, 1)]
        body = msgspec.json.encode({"ref": name, "due": DUE, "lines": lines})
        answer, done = await self._until_answered("/v1/orders", body, f"a{name}")
        order = msgspec.json.decode(answer)["id"]
        self._book.keep(Done("order", order, sum(x["qty"] for x in lines), *done))  # type: ignore[misc]  # our own
        if self._rng.random() < 0.15:
            path = f"/v1/orders/{order}/cancel"
            answer, done = await self._until_answered(path, b'{"reason":"kills"}', f"c{name}")
            if b'"outcome"' in answer:
                self._book.keep(Done("cancel", order, msgspec.json.decode(answer)["withdrawn_picks"], *done))

    async def _until_answered(self, path: str, body: bytes, key: str) -> tuple[bytes, tuple[int, int, int]]:
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        attempts = 0
        while True:
            attempts += 1
            sent_ns = time.monotonic_ns()
            try:
                if self._connection is None:
                    self._connection = Connection(self._plan.host, self._plan.port, self._plan.token)
                    await self._connection.open()
                answer = await self._connection.send("POST", path, body, headers)
            except (OSError, Unavailable):
                self._connection = None
            else:
                final = answer.status == 409 and b"under way" not in answer.body  # closed already: nothing to cancel
                if answer.status not in AGAIN or final:
                    if answer.status >= 400 and not final:
                        raise AssertionError(f"{path}: {answer.status} {answer.body!r}")
                    return answer.body, (sent_ns, time.monotonic_ns(), attempts)
            await asyncio.sleep(_PAUSE_S)


class _Dispatcher:
    """Does every pick that is on the log; says each fact until central has committed it."""

    def __init__(self, plan: Plan, book: _Book) -> None:
        self._plan, self._book, self._site = plan, book, SiteId(plan.site)
        self._epoch, self._seq = int(time.time()), 0
        self._open: dict[int, tuple[PickDone, int]] = {}
        self._picked: set[tuple[str, int]] = set()
        self._waiting: dict[str, Pick] = {}
        self._moved = 0.0

    async def run(self) -> None:
        self._log: Any = await connect_log(self._plan.nats_url, "dispatcher")
        await self._log.hear(topics.facts_ack(self._site), self._heard)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name="work")
            group.create_task(self._repeat(), name="repeat")

    async def _follow(self) -> None:
        async for entry in self._log.follow(topics.work_key(self._site), latest=True):
            work: Any = decode(entry.payload, Work) if entry.payload else None  # type: ignore[arg-type]  # a union
            if isinstance(work, Pick) and (work.task, work.attempt) not in self._picked:
                self._waiting[work.task] = work
            elif work is None:
                self._waiting.pop(entry.subject.rsplit(".", 1)[1], None)
            await self._say_more()

    async def _say_more(self) -> None:
        while self._waiting and len(self._open) < _WINDOW:
            work = self._waiting.pop(next(iter(self._waiting)))
            self._picked.add((work.task, work.attempt))
            self._seq += 1
            self._open[self._seq] = (
                PickDone(work.task, work.attempt, work.qty, StationId("S1"), "", Evidence()),
                time.monotonic_ns(),
            )
            await self._send(self._seq)

    async def _send(self, seq: int) -> None:
        fact = Fact(self._site, self._epoch, seq, time.time_ns() // 1_000_000, self._open[seq][0])
        try:
            await self._log.append(topics.facts_subject(self._site), encode(fact))
        except Unavailable:
            return  # it is sent again

    def _heard(self, _: str, payload: bytes) -> None:
        ack = decode(payload, FactsAck)
        if ack.epoch != self._epoch:
            return
        now_ns = time.monotonic_ns()
        covered = [s for s in self._open if s <= ack.seq]
        done = [Done("pick", b.task, b.qty, at, now_ns) for b, at in (self._open.pop(s) for s in covered)]
        if done:
            self._book.keep(*done)
            self._moved = time.monotonic()

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(_RESEND_S / 2)
            if self._open and time.monotonic() - self._moved > _RESEND_S:
                for seq in list(self._open):
                    if seq in self._open:
                        await self._send(seq)
            await self._say_more()

    @property
    def behind(self) -> int:
        """Picks that wait, and facts that are not acknowledged."""
        return len(self._open) + len(self._waiting)


async def _play(folder: Path, plan: Plan) -> None:
    book = _Book(folder / "acknowledged.jsonl")
    dispatcher = _Dispatcher(plan, book)
    saying = asyncio.create_task(dispatcher.run(), name="dispatcher")
    async with asyncio.TaskGroup() as group:
        for n in range(plan.clients):
            group.create_task(_Client(plan, book, n).run(folder / "stop", dispatcher), name=f"client-{n}")
    quiet = 0
    while quiet < 20:  # central's relay may still bring work of the last orders
        await asyncio.sleep(0.1)
        quiet = 0 if dispatcher.behind else quiet + 1
        if saying.done():
            saying.result()
    (folder / "over").touch()
    saying.cancel()
    await asyncio.gather(saying, return_exceptions=True)


def main(words: list[str]) -> None:
    """Work until the folder holds ``stop``."""
    folder = Path(words[0])
    asyncio.run(_play(folder, msgspec.json.decode((folder / "plan.json").read_bytes(), type=Plan)))


if __name__ == "__main__":
    main(sys.argv[1:])
