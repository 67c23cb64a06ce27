"""Readers of JetStream that go on whatever happens to the connection, the consumer or the whole store.

A follower is a push consumer that lives as long as one connection and is numbered without a gap; a durable reader pulls
batches. Both hear heartbeats, and begin anew behind what they have seen when these stop, when a number is missing, or
when the connection was renewed; from the beginning, when the stream is another one than before.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.client import JetStreamContext

from contracts.runtime.cancellation import cancellable
from contracts.runtime.log.port import Entry
from contracts.runtime.log.streams import AGAIN_AFTER_S, Stream
from contracts.runtime.logging import get_log

_HEARTBEAT_S = 5.0
_SILENCE_S = 12.0
_BATCH = 100
_PULL_S = 30.0
_PAUSE_S = 0.25
_FLUSH_S = 5
_log = get_log("contracts.log")


class Gone(Exception):  # noqa: N818 - control flow between a feed and its reader
    """The feed has ended: begin anew."""


class Place(msgspec.Struct, frozen=True):
    """Which incarnation of a stream the server holds, and how far it reaches."""

    born: datetime | None
    last_seq: int


class Session(Protocol):
    """What a reader needs of the connection."""

    async def standing(self) -> tuple[Client, JetStreamContext]:
        """Wait until the server is there and the streams stand."""
        ...

    def place(self, stream: str) -> Place:
        """Return the stream's incarnation, as found at the last connection."""
        ...

    def feeds(self) -> "dict[Feed, None]":
        """Return the feeds that end with the connection."""
        ...

    def doubt(self) -> None:
        """Look whether the streams still stand."""
        ...


class Feed:
    """What one subscription brings, until it is gone."""

    def __init__(self) -> None:
        self._messages: deque[Msg] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._gone = False

    async def put(self, message: Msg) -> None:
        """Take one more (the client library wants a coroutine)."""
        self._messages.append(message)
        self._wake()

    def end(self) -> None:
        """Let the reader begin anew."""
        self._gone = True
        self._wake()

    async def next(self) -> Msg:
        """Return the next message; `Gone` when none, nor a heartbeat, comes any more."""
        while not self._messages:
            if self._gone:
                raise Gone("the connection was renewed")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(_SILENCE_S):
                    await self._waiter
            except TimeoutError:
                raise Gone(f"silent for {_SILENCE_S:g} s") from None
        return self._messages.popleft()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class NatsDelivery:
    """An entry of a durable reader."""

    __slots__ = ("_message", "entry")

    def __init__(self, entry: Entry, message: Msg) -> None:
        self.entry, self._message = entry, message

    async def done(self) -> None:
        """Never bring it again; should the word be lost, it comes again all the same."""
        try:
            await self._message.ack()
        except nats.errors.Error as e:
            _log.debug("done not said", subject=self.entry.subject, why=str(e))


async def follow(session: Session, stream: Stream, pattern: str, *, latest: bool) -> AsyncIterator[Entry]:
    """Yield for ever, as `Log.follow` says."""
    place, seen = Place(None, 0), 0
    while True:
        client, js = await session.standing()
        now = session.place(stream.name)
        if now.born != place.born or now.last_seq < seen:
            seen = 0
        place = now
        feed, inbox = Feed(), client.new_inbox()
        session.feeds()[feed] = None
        subscription = None
        try:
            subscription = await client.subscribe(inbox, cb=feed.put)
            with cancellable():
                await js.add_consumer(stream.name, _follower(inbox, pattern, seen, latest=latest))
            number = 0
            while True:
                message = await feed.next()
                if message.headers and message.headers.get("Status"):
                    await _control(client, message)
                    continue
                seq, mine = _numbers(message)
                number += 1
                if mine != number:
                    raise Gone(f"entry {number} of the feed is missing")  # noqa: TRY301 - one place to begin anew
                yield Entry(message.subject, seq, message.data)
                seen = seq
        except (Gone, nats.errors.Error, TimeoutError, OSError) as e:
            _log.debug("follow begins anew", pattern=pattern, seen=seen, why=str(e))
            if not isinstance(e, Gone):
                session.doubt()
                await asyncio.sleep(_PAUSE_S)
        finally:
            session.feeds().pop(feed, None)
            if subscription is not None:
                await _unsubscribe(client, subscription)


async def consume(session: Session, stream: Stream, subject: str, durable: str) -> AsyncIterator[NatsDelivery]:
    """Yield for ever, as `Log.consume` says."""
    while True:
        client, js = await session.standing()
        feed, inbox = Feed(), client.new_inbox()
        session.feeds()[feed] = None
        subscription = None
        try:
            subscription = await client.subscribe(inbox, cb=feed.put)
            with cancellable():
                await js.add_consumer(stream.name, _durable(durable, subject))
            while True:
                await client.publish(f"$JS.API.CONSUMER.MSG.NEXT.{stream.name}.{durable}", _PULL, inbox)
                left = _BATCH
                while left:
                    message = await feed.next()
                    status = message.headers.get("Status") if message.headers else None
                    if status == "100":
                        continue
                    if status is not None:
                        _end_of_pull(status, message)
                        break
                    left -= 1
                    yield NatsDelivery(Entry(message.subject, _numbers(message)[0], message.data), message)
        except (Gone, nats.errors.Error, TimeoutError, OSError) as e:
            _log.debug("consume begins anew", subject=subject, durable=durable, why=str(e))
            if not isinstance(e, Gone):
                session.doubt()
            await asyncio.sleep(_PAUSE_S)
        finally:
            session.feeds().pop(feed, None)
            if subscription is not None:
                await _unsubscribe(client, subscription)


_PULL = json.dumps(
    {"batch": _BATCH, "expires": int(_PULL_S * 1e9), "idle_heartbeat": int(_HEARTBEAT_S * 1e9)}, separators=(",", ":")
).encode()


def _follower(inbox: str, pattern: str, seen: int, *, latest: bool) -> ConsumerConfig:
    policy = DeliverPolicy.LAST_PER_SUBJECT if latest else DeliverPolicy.ALL
    return ConsumerConfig(
        deliver_subject=inbox,
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE if seen else policy,
        opt_start_seq=seen + 1 if seen else None,
        ack_policy=AckPolicy.NONE,
        filter_subject=pattern,
        idle_heartbeat=_HEARTBEAT_S,
        flow_control=True,
        inactive_threshold=30,
        max_deliver=1,
        mem_storage=True,
        num_replicas=1,
    )


def _durable(name: str, subject: str) -> ConsumerConfig:
    return ConsumerConfig(
        name=name,
        durable_name=name,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=AGAIN_AFTER_S,
        filter_subject=subject,
        max_ack_pending=10_000,
    )


def _numbers(message: Msg) -> tuple[int, int]:
    """Return an entry's sequence number in its stream and in its consumer."""
    sequence = message.metadata.sequence
    return sequence.stream, sequence.consumer


async def _control(client: Client, message: Msg) -> None:
    """Answer flow control, also when it stands in a heartbeat of a stalled consumer."""
    stalled = message.headers.get("Nats-Consumer-Stalled") if message.headers else None
    reply = message.reply or stalled
    if reply:
        await client.publish(reply)


def _end_of_pull(status: str, message: Msg) -> None:
    """Return when the next pull may follow; `Gone` when the consumer has to be made again."""
    text = (message.headers or {}).get("Description", "")
    if status in {"404", "408"} or (status == "409" and "Batch Completed" in text):
        return
    raise Gone(f"{status} {text}")


async def _unsubscribe(client: Client, subscription: Subscription) -> None:
    """Leave a feed, and see that the server knows: else it gives the next entry to nobody, for thirty seconds."""
    try:
        await subscription.unsubscribe()
        if client.is_connected:
            with cancellable():
                await client.flush(timeout=_FLUSH_S)
    except (nats.errors.Error, TimeoutError):
        return  # it ended with its connection
