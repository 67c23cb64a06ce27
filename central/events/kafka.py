"""Events to Kafka (extra `kafka`): read from the event log in the order of commits, behind a cursor of its own.

At least once: the cursor moves only when the brokers have acknowledged. The key is the subject, so that what happened
to one order stays in order in one partition. CloudEvents' Kafka binding, structured mode.
"""

import asyncio
from typing import Any

from central.database import Database
from central.events.published import Published
from central.events.stream import Filter, read_some
from contracts.errors import Rejected, Unavailable
from contracts.ids import SiteId
from contracts.runtime.clock import Clock, real
from contracts.runtime.logging import get_log

logger = get_log(__name__)
_ALL = Filter((), "", "")
_HEADERS: list[tuple[str, str | bytes | None]] = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
_FLUSH_S = 30.0
_SLICE_S = 0.5
_AGAIN_S = 5.0


class KafkaSink:
    """Publishes to one topic, until cancelled.

    Parameters
    ----------
    servers
        Bootstrap servers, ``host:port`` with commas between several.
    topic
        Where events go.

    Raises
    ------
    Rejected
        The extra is not installed.
    """

    name = "central.kafka"

    def __init__(
        self, database: Database, site: SiteId, clock: Clock, published: Published, servers: str, topic: str
    ) -> None:
        try:
            from confluent_kafka import Producer
        except ImportError as e:
            raise Rejected(
                "kafka_servers", servers, "usable: install the extra (`pip install floorplane[kafka]`)"
            ) from e
        self._database = database
        self._site = site
        self._clock = clock
        self._published = published
        self._topic = topic
        self._stopping = False
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "client.id": f"floorplane-{site}",
                "enable.idempotence": True,  # implies acks=all, and no reordering by retries
                "message.timeout.ms": round(_FLUSH_S * 1000) - 5_000,
                "linger.ms": 5,
            }
        )

    async def run(self) -> None:
        """Run until cancelled; brokers that are away are waited for."""
        wake = self._published.follow()
        try:
            while True:
                try:
                    while await self._some():
                        pass
                except Unavailable as e:
                    logger.warning("events wait for Kafka", error=str(e))
                    await self._clock.sleep(_AGAIN_S)
                    continue
                await wake.wait()
                wake.clear()
        finally:
            self._stopping = True  # the thread that waits for acknowledgements must not hold up the end
            self._published.unfollow(wake)

    async def _some(self) -> bool:
        rows = await self._database.read("SELECT tx::text AS tx, seq FROM cursor WHERE name = 'kafka'")
        if not rows:  # the first time: from what happens now on
            await self._database.read(
                "INSERT INTO cursor SELECT 'kafka', tx, seq FROM cursor WHERE name = 'relay' ON CONFLICT DO NOTHING"
            )
            return True
        place = rows[0]["tx"], rows[0]["seq"]
        found, reached, more = await read_some(self._database, self._site, place, _ALL)
        if found:
            failed = await real(asyncio.to_thread(self._send, found))
            if failed:
                raise Unavailable(f"kafka: {failed}")
        if reached != place:
            await self._database.read("UPDATE cursor SET tx = $1::text::xid8, seq = $2 WHERE name = 'kafka'", *reached)
        return more

    def _send(self, events: list[tuple[str, str, bytes]]) -> str:
        """Produce and wait for the acknowledgements; return what went wrong first."""
        failed: list[str] = []

        def acknowledged(error: Any, _message: Any) -> None:
            if error is not None:
                failed.append(str(error))

        for _, subject, event in events:
            try:
                self._producer.produce(
                    self._topic, event, key=subject.encode(), headers=_HEADERS, on_delivery=acknowledged
                )
            except BufferError:
                self._flush()
                return "the producer's queue is full"
        left = self._flush()
        return failed[0] if failed else f"{left} messages were not acknowledged" if left else ""

    def _flush(self) -> int:
        """Wait for what is under way, as long as it takes or until the end; return how many are not acknowledged."""
        left = 0
        for _ in range(round(_FLUSH_S / _SLICE_S)):
            left = self._producer.flush(_SLICE_S)
            if not left or self._stopping:
                break
        return left
