"""The one relay: from the outbox to the log, in the order of commits, again after every reconnect.

It is woken after each commit of this process and asks nothing by a timer, so that on virtual time its order is that of
the commits. What it publishes twice changes nothing: a work key has its last value, an event its id.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any

from central.console.hub import Hub
from central.database import Database
from central.events.cloudevents import cloud_event
from central.metrics import Metrics
from central.moment import moment
from contracts import topics
from contracts.codec import encode
from contracts.errors import Unavailable
from contracts.ids import BinId, ItemId, NodeId, OrderId, PodId, RobotId, TaskId, ToteId
from contracts.messages.work import Convey, Member, Pack, Pick, Transport, Work
from contracts.runtime.clock import Clock
from contracts.runtime.log import Log
from contracts.runtime.logging import get_log
from contracts.site import Site

logger = get_log(__name__)
MOST = 64
_PATIENCE_MS = 1_000
_AGAIN_S = 0.5
_CLOSED_SINCE = timedelta(hours=1)


class Relay:
    """Publishes work keys and events."""

    name = "central.relay"

    def __init__(self, database: Database, log: Log, site: Site, clock: Clock, hub: Hub, metrics: Metrics) -> None:
        self._database = database
        self._log = log
        self._site = site.id
        self._clock = clock
        self._hub = hub
        self._metrics = metrics
        self._wake = asyncio.Event()
        self._resync = False
        self._done: tuple[str | None, int] = (None, 0)
        self._on_published: list[Callable[[], None]] = []
        database.on_commit(self._wake.set)
        log.on_connect(self._connected)

    def on_published(self, hook: Callable[[], None]) -> None:
        """Call a hook after each batch that was published: whoever reads the event log finds it there."""
        self._on_published.append(hook)

    def _connected(self) -> None:
        self._resync = True
        self._wake.set()

    async def run(self) -> None:
        """Run until cancelled."""
        self._resync = True
        self._wake.set()
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                if self._resync:
                    self._resync = False
                    await self._publish_open()
                while await self._publish_next():
                    pass
            except Unavailable as e:
                logger.warning("the relay waits", error=str(e))
                self._resync = True
                await self._clock.sleep(_AGAIN_S)
                self._wake.set()

    async def _publish_next(self) -> bool:
        """Publish one batch; says whether there may be more."""
        rows = await self._database.read("SELECT * FROM outbox($1, $2, $3, $4)", *self._done, MOST, _PATIENCE_MS)
        held = bool(rows) and rows[-1]["type"] == "held"
        if held:
            rows = rows[:-1]
        for run, together in groupby(rows, key=_run):
            if run == "transport":
                for row in together:
                    await self._publish_transport(row["subject"])
            elif run == "robot":
                for row in together:
                    await self._publish_robot(row["subject"])
            else:
                await _all([self._publish(row) for row in together])
        if rows:
            self._done = rows[-1]["tx"], rows[-1]["seq"]
            for hook in self._on_published:
                hook()
        return held or len(rows) == MOST

    async def _publish(self, row: Any) -> None:
        if row["type"] == "work":
            await self._publish_work(row["subject"], row)
            self._hub.task_changed(row["subject"])
            return
        await self._log.append(
            topics.events(self._site), cloud_event(self._site, row), once=f"{self._site}-{row['seq']}"
        )
        self._metrics.published.labels("event").inc()
        self._hub.happened(row["type"], row["subject"])

    async def _publish_work(self, task: str, row: Any) -> None:
        work = None if row["kind"] is None else _work(task, row)
        await self._log.append(topics.work_key(self._site, TaskId(task)), b"" if work is None else encode(work))
        self._metrics.published.labels("closed" if work is None else "work").inc()

    async def _publish_transport(self, task: str) -> None:
        rows = await self._database.read("SELECT * FROM open_transport WHERE id = $1", task)
        payload = encode(_transport(rows[0])) if rows else b""
        await self._log.append(topics.work_key(self._site, TaskId(task)), payload)
        self._metrics.published.labels("work" if rows else "closed").inc()

    async def _publish_robot(self, name: str) -> None:
        rows = await self._database.read("SELECT * FROM adopted_robot WHERE id = $1 AND forgotten_at IS NULL", name)
        payload = encode(_member(rows[0])) if rows else b""
        await self._log.append(topics.work_key(self._site, TaskId(name)), payload)
        self._metrics.published.labels("work" if rows else "closed").inc()

    async def _publish_open(self) -> None:
        """Say all open work again, and what was closed in the last hour: the log may have lost everything."""
        since = moment(self._clock.now_ms()) - _CLOSED_SINCE
        closed = await self._database.read("SELECT id FROM task WHERE closed_at > $1 ORDER BY closed_at, id", since)
        opened = await self._database.read("SELECT * FROM open_work ORDER BY tote, kind = 'pack', kind = 'convey', id")
        for row in opened:
            await self._publish_work(row["id"], row)
        for row in closed:
            await self._log.append(topics.work_key(self._site, TaskId(row["id"])), b"")
        for row in await self._database.read("SELECT id FROM adopted_robot ORDER BY adopted_at, id"):
            await self._publish_robot(row["id"])
        for row in await self._database.read(_TRANSPORTS, since):
            await self._publish_transport(row["id"])


def _run(row: Any) -> str:
    """Rows of one run may be under way to the log at the same time: no key is closed before what was said is there."""
    if row["type"] in {"transport", "robot"}:
        return str(row["type"])
    return "closed" if row["type"] == "work" and row["kind"] is None else "said"


async def _all(appends: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run appends at the same time, begun in their order; the first failure is raised when all have ended."""
    if len(appends) == 1:
        await appends[0]
        return
    for end in await asyncio.gather(*appends, return_exceptions=True):
        if isinstance(end, BaseException):
            raise end


_TRANSPORTS = (
    "SELECT id FROM (SELECT id, created_at FROM open_transport"
    " UNION ALL SELECT id, created_at FROM transport WHERE closed_at > $1) x ORDER BY created_at, id"
)


def _member(row: Any) -> Member:
    return Member(
        task=TaskId(row["id"]),
        attempt=row["attempt"],
        robot=RobotId(row["robot"]),
        manufacturer=row["manufacturer"],
        serial=row["serial"],
    )


def _transport(row: Any) -> Transport:
    return Transport(
        task=TaskId(row["id"]),
        attempt=row["attempt"],
        origin=NodeId(row["origin"]),
        goal=NodeId(row["goal"]),
        load=row["load"],
        load_type=row["load_type"],
        handling=row["handling"],
        due_ms=row["due_ms"],
        priority=row["priority"],
    )


def _work(task: str, row: Any) -> Work:
    order, tote = OrderId(row["order_id"]), ToteId(row["tote"])
    if row["kind"] == "pick":
        return Pick(
            task=TaskId(task),
            attempt=row["attempt"],
            order=order,
            line=row["line"],
            tote=tote,
            item=ItemId(row["item"]),
            barcode=row["barcode"],
            qty=row["qty"],
            unit_weight_g=row["weight_g"],
            pod=PodId(row["pod"]),
            bin=BinId(row["bin"]),
            due_ms=row["due_ms"],
            priority=row["priority"],
        )
    kind = Convey if row["kind"] == "convey" else Pack
    return kind(TaskId(task), row["attempt"], order, tote, row["due_ms"], row["priority"])
