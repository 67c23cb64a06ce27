"""The Log over NATS JetStream: one connection that comes back, streams that are made again when the store was lost."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import unquote

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import DiscardPolicy, StorageType, StreamConfig, StreamInfo
from nats.js.client import JetStreamContext

from contracts.errors import Rejected, Unavailable
from contracts.runtime.cancellation import cancellable
from contracts.runtime.log import nats_readers
from contracts.runtime.log.nats_readers import Feed, Place
from contracts.runtime.log.port import Delivery, Entry
from contracts.runtime.log.streams import CLOSED_KEY_FADES_S, ONCE_WINDOW_S, STREAMS, Stream, stream_of
from contracts.runtime.logging import get_log
from contracts.runtime.url import server

_APPEND_S = 5.0
_RETRY_S = 0.25
_SAID = 1_000
_ERROR = "Floorplane-Error"
_OTHER_CONFIG, _OVERTAKEN = 10058, 10071
_log = get_log("contracts.log")


async def connect_log(url: str, name: str, *, wait_s: float = 10.0) -> "NatsLog":
    """Connect to a server (or a cluster: URLs with commas between) and see that the streams stand.

    Raises
    ------
    Unavailable
        The server was not there, or not ready, within `wait_s` seconds; names the URL.
    Rejected
        The URL is none.
    """
    log = NatsLog(url, name)
    await log.open(wait_s)
    return log


class NatsLog:
    """One process's connection; behaves as `Log` says. Made by `connect_log`."""

    def __init__(self, url: str, name: str) -> None:
        self.name = name
        self._urls: list[str] = []
        self._known_as: dict[str, str] = {}
        for part in url.split(","):
            u = server("nats_url", part, {"nats", "tls"}, "nats://host:port")
            self._urls.append(f"{u.scheme}://{u.netloc.rpartition('@')[2]}")
            if u.username is not None and u.password is not None:  # nats-py would take them as they are encoded
                self._known_as = {"user": unquote(u.username), "password": unquote(u.password)}
            elif u.username is not None:
                self._known_as = {"token": unquote(u.username)}
        self.shown = ",".join(self._urls)
        self._client = Client()
        self._js: JetStreamContext = self._client.jetstream()
        self._stands = asyncio.Event()
        self._changed = asyncio.Event()
        self._reconnected = False
        self._closed = False
        self._places: dict[str, Place] = {}
        self._feeds: dict[Feed, None] = {}
        self._listening: list[tuple[str, Callable[[Msg], Awaitable[None]]]] = []
        self._hooks: list[Callable[[], None]] = []
        self._said: deque[tuple[str, bytes]] = deque(maxlen=_SAID)
        self._to_say = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._why = ""

    @property
    def connected(self) -> bool:
        """Whether the server is there now."""
        return self._stands.is_set() and bool(self._client.is_connected)

    async def open(self, wait_s: float) -> None:
        """Connect for the first time."""
        try:
            async with asyncio.timeout(wait_s):
                await self._dial()
                while not await self._make_streams():  # noqa: ASYNC110 - the server has no event for it
                    await asyncio.sleep(_RETRY_S)
        except (TimeoutError, nats.errors.Error, OSError) as e:
            await self._client.close()
            why = self._why or str(e) or "no answer"
            raise Unavailable(f"NATS server {self.shown}: {why} (tried for {wait_s:g} s)") from e
        self._stands.set()
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._keep(), name=f"log:{self.name}:keeper"),
            loop.create_task(self._speak(), name=f"log:{self.name}:speaker"),
        ]

    async def append(self, subject: str, payload: bytes, *, once: str | None = None) -> int:
        """Append and return the sequence number; the same `once` within two minutes appends nothing."""
        headers: dict[str, Any] = {}
        if once is not None:
            headers["Nats-Msg-Id"] = once
        if stream_of(subject).last_only and not payload:
            headers["Nats-TTL"] = str(CLOSED_KEY_FADES_S)
        return await self._append(subject, payload, headers)

    async def replace(self, subject: str, payload: bytes, *, after: int) -> int:
        """Append only if the last entry of the subject has the number `after`."""
        return await self._append(subject, payload, {"Nats-Expected-Last-Subject-Sequence": str(after)})

    async def _append(self, subject: str, payload: bytes, headers: dict[str, Any]) -> int:
        stream = stream_of(subject)
        try:
            async with asyncio.timeout(_APPEND_S):
                while True:
                    _, js = await self.standing()
                    try:
                        with cancellable():
                            ack = await js.publish(subject, payload, _APPEND_S, stream.name, dict(headers))
                    except (nats.js.errors.NoStreamResponseError, nats.js.errors.ServiceUnavailableError):
                        self.doubt()
                        await asyncio.sleep(_RETRY_S)
                    else:
                        return int(ack.seq)
        except nats.js.errors.APIError as e:
            if e.err_code == _OVERTAKEN:
                raise Rejected(subject, None, f"as it was when it was last read: {e.description}") from e
            raise Unavailable(f"{subject}: NATS server {self.shown} does not take it: {e}") from e
        except nats.errors.MaxPayloadError as e:
            raise Rejected("payload", f"{len(payload)} bytes", f"at most {self._client.max_payload} bytes") from e
        except (TimeoutError, nats.errors.Error) as e:
            raise Unavailable(f"{subject}: NATS server {self.shown} did not take it within {_APPEND_S:g} s") from e

    async def last(self, subject: str) -> Entry | None:
        """Return the last entry of a subject, None when there is none or it was closed."""
        try:
            async with asyncio.timeout(_APPEND_S):
                _, js = await self.standing()
                with cancellable():
                    found = await js.get_last_msg(stream_of(subject).name, subject)
        except nats.js.errors.NotFoundError:
            return None
        except (TimeoutError, nats.errors.Error) as e:
            raise Unavailable(f"{subject}: NATS server {self.shown} did not answer: {e}") from e
        return Entry(subject, int(found.seq or 0), found.data) if found.data else None

    def follow(self, pattern: str, *, latest: bool = False) -> AsyncIterator[Entry]:
        """Yield every entry from the beginning, or only the last of each subject, then whatever comes."""
        return nats_readers.follow(self, stream_of(pattern), pattern, latest=latest)

    def consume(self, subject: str, durable: str) -> AsyncIterator[Delivery]:
        """Yield what no reader of that durable name has done yet."""
        return nats_readers.consume(self, stream_of(subject), subject, durable)

    async def request(self, subject: str, payload: bytes, *, timeout_s: float = 5.0) -> bytes:
        """Ask whoever serves a subject."""
        try:
            async with asyncio.timeout(timeout_s):
                client, _ = await self.standing()
                with cancellable():
                    answer = await client.request(subject, payload, timeout=timeout_s)
        except nats.errors.NoRespondersError as e:
            raise Unavailable(f"{subject}: nobody serves it") from e
        except (TimeoutError, nats.errors.Error) as e:
            raise Unavailable(f"{subject}: no answer within {timeout_s:g} s") from e
        if answer.headers and (text := answer.headers.get(_ERROR)) is not None:
            raise Unavailable(f"{subject}: {text}")
        return bytes(answer.data)

    async def serve(self, subject: str, handler: Callable[[bytes], Awaitable[bytes]]) -> None:
        """Answer requests, one at a time and in order."""

        async def answer(message: Msg) -> None:
            try:
                result, headers = await handler(message.data), None
            except Exception as e:  # noqa: BLE001 - the asker is told
                _log.exception("a request failed", subject=subject)
                result, headers = b"", {_ERROR: " ".join(str(e).split())[:500] or type(e).__name__}
            if message.reply:
                await self._client.publish(message.reply, result, headers=headers)

        await self._listen(subject, answer)

    def say(self, subject: str, payload: bytes) -> None:
        """Tell whoever listens now; of more than a thousand that wait to be sent, the newest win."""
        if self.connected:
            self._said.append((subject, payload))
            self._to_say.set()

    async def hear(self, subject: str, handler: Callable[[str, bytes], None]) -> None:
        """Listen to what is said."""

        async def heard(message: Msg) -> None:
            try:
                handler(message.subject, message.data)
            except Exception:  # noqa: BLE001 - the next message is for it all the same
                _log.exception("a handler failed", subject=subject)

        await self._listen(subject, heard)

    def on_connect(self, hook: Callable[[], None]) -> None:
        """Call a hook after each (re)connection, or when streams had to be made again; at once when connected."""
        self._hooks.append(hook)
        if self.connected:
            hook()

    async def close(self) -> None:
        """Leave in good order: what was handed over is sent first, if the server is there."""
        if self._closed:
            return
        self._closed = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._end_feeds()
        self._stands.set()  # whoever waits is told that it is closed
        if self._client.is_connected:
            try:
                await self._say_all()
                await self._client.flush(timeout=2)
            except (TimeoutError, nats.errors.Error) as e:
                _log.debug("not flushed", log=self.name, why=str(e))
        try:
            async with asyncio.timeout(3):
                await self._client.close()
        except TimeoutError:
            _log.warning("the connection did not close", log=self.name, server=self.shown)

    # ------------------------------------------------------------------ what readers ask (nats_readers.Session)

    async def standing(self) -> tuple[Client, JetStreamContext]:
        """Wait until the server is there and the streams stand."""
        await self._stands.wait()
        if self._closed:
            raise Unavailable(f"the log of {self.name} is closed")
        return self._client, self._js

    def place(self, stream: str) -> Place:
        """Return a stream's incarnation."""
        return self._places[stream]

    def feeds(self) -> dict[Feed, None]:
        """Return the feeds that end with the connection."""
        return self._feeds

    def doubt(self) -> None:
        """Look whether the streams still stand."""
        self._stands.clear()
        self._changed.set()

    # ------------------------------------------------------------------ the keeper

    async def _keep(self) -> None:
        """After each change: come back if we were thrown out, see that the streams stand, tell everybody."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                if self._client.is_closed:
                    await self._dial()
                    self._reconnected = True
                    for subject, answer in self._listening:
                        await self._client.subscribe(subject, cb=answer)
                if not self._client.is_connected:
                    continue  # the library is at it, and will say
                before = dict(self._places)
                if not await self._make_streams():
                    await asyncio.sleep(_RETRY_S)
                    self._changed.set()
                    continue
            except (TimeoutError, nats.errors.Error, OSError) as e:
                _log.warning("cannot come back to the log", log=self.name, server=self.shown, why=str(e))
                await asyncio.sleep(_RETRY_S * 4)
                self._changed.set()
                continue
            self._stands.set()
            lost = [name for name, place in before.items() if self._places[name].born != place.born]
            if lost:
                _log.warning("streams were made again", log=self.name, streams=lost)
            if lost or self._reconnected:
                self._reconnected = False
                self._end_feeds()
                self._call_hooks()

    async def _dial(self) -> None:
        self._client = Client()
        self._js = self._client.jetstream(timeout=_APPEND_S)
        await self._client.connect(
            self._urls,
            name=self.name,
            user=self._known_as.get("user"),
            password=self._known_as.get("password"),
            token=self._known_as.get("token"),
            connect_timeout=2,
            max_reconnect_attempts=-1,
            reconnect_time_wait=_RETRY_S,  # type: ignore[arg-type]  # given to asyncio.sleep
            ping_interval=10,
            max_outstanding_pings=2,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnected,
            reconnected_cb=self._on_reconnected,
            closed_cb=self._on_disconnected,
        )

    async def _make_streams(self) -> bool:
        """Create or alter the streams where need be; False when the server is not ready for it."""
        for stream in STREAMS:
            config = _config(stream)
            try:
                with cancellable():
                    info = await self._stream(config)
            except (nats.errors.Error, TimeoutError) as e:
                self._why = f"JetStream does not give stream {stream.name}: {e}"
                _log.warning("streams do not stand yet", log=self.name, stream=stream.name, why=str(e))
                return False
            self._places[stream.name] = Place(info.created, info.state.last_seq)
        self._why = ""
        return True

    async def _stream(self, config: StreamConfig) -> StreamInfo:
        try:
            return await self._js.add_stream(config)
        except nats.js.errors.APIError as e:
            if e.err_code != _OTHER_CONFIG:
                raise
            return await self._js.update_stream(config)

    async def _on_disconnected(self) -> None:
        if not self._closed:
            self._stands.clear()
            self._end_feeds()
            self._changed.set()

    async def _on_reconnected(self) -> None:
        self._reconnected = True
        self._changed.set()

    async def _on_error(self, error: Exception) -> None:
        why = str(error) or type(error).__name__
        if not (self._why and isinstance(error, ConnectionError)):  # a server hangs up after it has said why
            self._why = why
        _log.debug("nats", log=self.name, error=why)

    def _end_feeds(self) -> None:
        for feed in list(self._feeds):
            feed.end()

    def _call_hooks(self) -> None:
        for hook in list(self._hooks):
            try:
                hook()
            except Exception:  # noqa: BLE001 - one owner's mistake must not keep the others from sending again
                _log.exception("a hook failed", log=self.name)

    # ------------------------------------------------------------------ plain NATS

    async def _listen(self, subject: str, answer: Callable[[Msg], Awaitable[None]]) -> None:
        self._listening.append((subject, answer))
        if not self._client.is_closed:
            await self._client.subscribe(subject, cb=answer)
            if self._client.is_connected:
                await self._client.flush(timeout=5)

    async def _speak(self) -> None:
        while True:
            await self._to_say.wait()
            self._to_say.clear()
            await self._say_all()

    async def _say_all(self) -> None:
        while self._said:
            subject, payload = self._said.popleft()
            try:
                await self._client.publish(subject, payload)
            except nats.errors.Error as e:
                _log.debug("not said", subject=subject, why=str(e))


def _config(stream: Stream) -> StreamConfig:
    return StreamConfig(
        name=stream.name,
        subjects=[f"{stream.root}.>"],
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        max_bytes=stream.max_bytes,
        max_msgs_per_subject=1 if stream.last_only else -1,
        duplicate_window=ONCE_WINDOW_S,
        allow_msg_ttl=True,
        allow_direct=True,
        num_replicas=1,
    )
