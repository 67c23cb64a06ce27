"""Takes the dispatcher's facts: as many as are waiting in one transaction, then says how far it is."""

import asyncio
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import msgspec

from central.console.hub import Hub
from central.database import Database
from central.metrics import Metrics
from contracts import topics
from contracts.codec import decode, encode
from contracts.errors import Rejected, Unavailable
from contracts.messages.facts import Fact, FactsAck, PodMoved, TaskStarted
from contracts.runtime.clock import Clock
from contracts.runtime.log import Delivery, Log
from contracts.runtime.logging import get_log
from contracts.site import Site

logger = get_log(__name__)
DURABLE = "central"
MOST = 200
_AGAIN_S = 0.5
_MOST_NUMBER = 2**63 - 1
_QUIET = (TaskStarted, PodMoved)
"""Facts that change rows only: there is nothing to publish, unless one was refused."""
_UNEVENTFUL = frozenset({"posted", "closed", "unknown"})
_LOUD = frozenset({"unknown", "stale", "late", "refused"})


class FactConsumer:
    """Reads `facts.<site>`, posts, and answers with `FactsAck`."""

    name = "central.facts"

    def __init__(self, database: Database, log: Log, site: Site, clock: Clock, hub: Hub, metrics: Metrics) -> None:
        self._database = database
        self._log = log
        self._site = site.id
        self._clock = clock
        self._hub = hub
        self._metrics = metrics
        self._waiting: asyncio.Queue[tuple[Fact, bytes, Delivery]] = asyncio.Queue(maxsize=4 * MOST)

    async def run(self) -> None:
        """Run until cancelled."""
        self._say(await self._where())
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read(), name=f"{self.name}.read")
            group.create_task(self._post(), name=f"{self.name}.post")

    async def _read(self) -> None:
        async for delivery in self._log.consume(topics.facts_subject(self._site), DURABLE):
            payload = delivery.entry.payload
            try:
                fact = self._ours(decode(payload, Fact))
            except Rejected as e:
                logger.warning("a fact that cannot be read", error=str(e))
                self._metrics.facts.labels("unreadable").inc()
                await delivery.done()
                continue
            if b"\\u0000" in payload:
                payload = msgspec.json.encode(_without_nul(msgspec.to_builtins(fact)))
            await self._waiting.put((fact, payload, delivery))

    def _ours(self, fact: Fact) -> Fact:
        """Refuse what cannot be of this site's dispatcher: it would stop the line of facts, or move its place."""
        if fact.site != self._site:
            raise Rejected("site", fact.site, f"this site, {self._site}")
        for name, number in (("epoch", fact.epoch), ("seq", fact.seq)):
            if not 1 <= number <= _MOST_NUMBER:
                raise Rejected(name, number, f"from 1 to {_MOST_NUMBER}")
        return fact

    async def _post(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < MOST and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            for epoch, run in groupby(batch, key=lambda x: x[0].epoch):
                await self._take(epoch, [(fact, payload) for fact, payload, _ in run])
            for _, _, delivery in batch:
                await delivery.done()

    async def _take(self, epoch: int, run: Sequence[tuple[Fact, bytes]]) -> None:
        facts = b"[" + b",".join(payload for _, payload in run) + b"]"
        while True:
            try:
                rows = await self._database.read(
                    "SELECT * FROM take_facts($1, $2, $3::jsonb)", self._site, epoch, facts.decode()
                )
                break
            except Unavailable as e:
                logger.warning("facts wait for the database", error=str(e))
                await self._clock.sleep(_AGAIN_S)
        row = rows[0]
        if not all(isinstance(f.body, _QUIET) for f, _ in run) or not _UNEVENTFUL.issuperset(row["outcomes"]):
            self._database.committed()
        self._say(FactsAck(self._site, row["epoch"], row["seq"]))
        self._metrics.fact_seq.set(row["seq"])
        known = {f.seq: f for f, _ in run}
        first = row["seq"] - len(row["outcomes"]) + 1
        for fact, outcome in ((known[first + n], said) for n, said in enumerate(row["outcomes"])):
            self._metrics.facts.labels(outcome).inc()
            if outcome in _LOUD:
                logger.warning("a fact without its usual effect", outcome=outcome, fact=msgspec.to_builtins(fact))
            task = getattr(fact.body, "task", None)
            if task is not None:
                self._hub.task_changed(task)

    async def _where(self) -> FactsAck:
        while True:
            try:
                rows = await self._database.read("SELECT epoch, seq FROM fact_cursor WHERE site = $1", self._site)
                return FactsAck(self._site, rows[0]["epoch"], rows[0]["seq"]) if rows else FactsAck(self._site, 0, 0)
            except Unavailable:
                await self._clock.sleep(_AGAIN_S)

    def _say(self, ack: FactsAck) -> None:
        self._log.say(topics.facts_ack(self._site), encode(ack))


def _without_nul(value: Any) -> Any:
    """PostgreSQL takes no NUL in a text; a scanner may send one."""
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, dict):
        return {k: _without_nul(v) for k, v in value.items()}
    return value
