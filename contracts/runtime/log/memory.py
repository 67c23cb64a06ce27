"""The Log in memory: one store and its clients in one event loop, deterministic, and lost when asked."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

from contracts.errors import Rejected, Unavailable
from contracts.runtime.log.port import Delivery, Entry
from contracts.runtime.log.streams import (
    AGAIN_AFTER_S,
    CLOSED_KEY_FADES_S,
    ONCE_WINDOW_S,
    STREAMS,
    Stream,
    matches,
    stream_of,
)


class MemoryStore:
    """What a NATS server is to its clients. Faults are injected with `lose`, `stop` and `start`.

    Parameters
    ----------
    copies
        How often each entry, request and saying is delivered; a real server may repeat any of them.
    """

    def __init__(self, *, copies: int = 1) -> None:
        self.copies = range(copies)
        self.streams = {s.name: _Stream(s) for s in STREAMS}
        self.serving: dict[str, _Server] = {}
        self.running = True
        self._clients: list[MemoryLog] = []
        self._hearing: list[tuple[MemoryLog, str, Callable[[str, bytes], None]]] = []
        self._routes: dict[str, tuple[Callable[[str, bytes], None], ...]] = {}

    def connect(self, name: str) -> "MemoryLog":
        """Open a client."""
        if not self.running:
            raise Unavailable(f"the memory log is stopped; {name} cannot connect")
        client = MemoryLog(self, name)
        self._clients.append(client)
        return client

    def lose(self) -> None:
        """Delete the whole store under the clients' feet, as when the server restarts with an empty disk."""
        for stream in self.streams.values():
            stream.clear()
        if self.running:
            self._greet()

    def stop(self) -> None:
        """Take the server away: nothing is taken, nothing answers; readers wait."""
        self.running = False

    def start(self) -> None:
        """Bring the server back; every client's hooks are called."""
        self.running = True
        for stream in self.streams.values():
            stream.wake()
        self._greet()

    def say(self, subject: str, payload: bytes) -> None:
        """Deliver to whoever listens now."""
        route = self._routes.get(subject)
        if route is None:
            route = self._routes[subject] = tuple(h for _, p, h in self._hearing if matches(p, subject))
        if route:
            soon = asyncio.get_running_loop().call_soon
            for handler in route:
                for _ in self.copies:
                    soon(handler, subject, payload)

    def hear(self, client: "MemoryLog", pattern: str, handler: Callable[[str, bytes], None]) -> None:
        """Add a listener."""
        self._hearing.append((client, pattern, handler))
        self._routes.clear()

    def leave(self, client: "MemoryLog") -> None:
        """Forget a client."""
        if client in self._clients:
            self._clients.remove(client)
        self._hearing = [row for row in self._hearing if row[0] is not client]
        self._routes.clear()
        self.serving = {subject: s for subject, s in self.serving.items() if s.client is not client}
        for stream in self.streams.values():
            stream.wake()

    def _greet(self) -> None:
        for client in list(self._clients):
            client.greet()


class MemoryLog:
    """One client of a `MemoryStore`; behaves as `Log` says."""

    def __init__(self, store: MemoryStore, name: str) -> None:
        self.name = name
        self._store = store
        self._hooks: list[Callable[[], None]] = []
        self._closed = False

    @property
    def connected(self) -> bool:
        """Whether the store is there now."""
        return self._store.running and not self._closed

    async def append(self, subject: str, payload: bytes, *, once: str | None = None) -> int:
        """Append and return the sequence number."""
        stream = self._store.streams[stream_of(subject).name]
        self._need(subject)
        return stream.append(subject, payload, once)

    async def replace(self, subject: str, payload: bytes, *, after: int) -> int:
        """Append only if the last entry of the subject has the number `after`."""
        stream = self._store.streams[stream_of(subject).name]
        self._need(subject)
        entry = stream.last.get(subject)
        now = 0 if entry is None else entry.seq
        if now != after:
            raise Rejected(subject, after, f"the number of its last entry, {now}")
        return stream.append(subject, payload, None)

    async def last(self, subject: str) -> Entry | None:
        """Return the last entry of a subject."""
        stream = self._store.streams[stream_of(subject).name]
        self._need(subject)
        entry = stream.last.get(subject)
        return entry if entry is not None and entry.payload else None

    async def follow(self, pattern: str, *, latest: bool = False) -> AsyncIterator[Entry]:
        """Yield every entry, or the last of each subject, then whatever comes."""
        stream = self._store.streams[stream_of(pattern).name]
        reader = _Reader(pattern)
        reader.pending.extend(
            e for e in (stream.last.values() if latest else stream.all()) if matches(pattern, e.subject)
        )
        stream.readers.append(reader)
        stream.routes.clear()
        try:
            while True:
                while reader.pending and self.connected:
                    entry = reader.pending.popleft()
                    for _ in self._store.copies:
                        yield entry
                await self._more(reader)
        finally:
            stream.readers.remove(reader)
            stream.routes.clear()

    async def consume(self, subject: str, durable: str) -> AsyncIterator[Delivery]:
        """Yield what no reader of that durable name has done yet."""
        stream = self._store.streams[stream_of(subject).name]
        reader = stream.durable(durable, subject)
        while True:
            while reader.pending and self.connected:
                handed = reader.hand_out()
                for _ in self._store.copies:
                    yield handed
            await self._more(reader)

    async def request(self, subject: str, payload: bytes, *, timeout_s: float = 5.0) -> bytes:
        """Ask whoever serves a subject."""
        self._need(subject)
        server = self._store.serving.get(subject)
        if server is None:
            raise Unavailable(f"{subject}: nobody serves it")
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        for _ in self._store.copies:
            server.asked.put_nowait((payload, answer))
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            raise Unavailable(f"{subject}: no answer within {timeout_s:g} s") from None

    async def serve(self, subject: str, handler: Callable[[bytes], Awaitable[bytes]]) -> None:
        """Answer requests, one at a time and in order."""
        self._store.serving[subject] = _Server(self, subject, handler)

    def say(self, subject: str, payload: bytes) -> None:
        """Tell whoever listens now."""
        if self.connected:
            self._store.say(subject, payload)

    async def hear(self, subject: str, handler: Callable[[str, bytes], None]) -> None:
        """Listen to what is said."""
        self._store.hear(self, subject, handler)

    def on_connect(self, hook: Callable[[], None]) -> None:
        """Call a hook after each (re)connection; at once when connected already."""
        self._hooks.append(hook)
        if self.connected:
            hook()

    async def close(self) -> None:
        """Leave in good order."""
        self._closed = True
        servers = [s for s in self._store.serving.values() if s.client is self]
        self._store.leave(self)
        for server in servers:
            await server.end()

    def greet(self) -> None:
        """Call the hooks: the store is (again) there."""
        for hook in list(self._hooks):
            hook()

    async def _more(self, reader: "_Reader") -> None:
        if self._closed:
            raise Unavailable(f"the log of {self.name} is closed")
        await reader.wait()
        if self._closed:
            raise Unavailable(f"the log of {self.name} is closed")

    def _need(self, subject: str) -> None:
        if not self.connected:
            raise Unavailable(f"{subject}: the memory log is away")


class _Reader:
    """One reader's place: what it has still to see, and whether it waits for more."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.pending: deque[Entry] = deque()
        self._more = asyncio.Event()

    def push(self, entry: Entry) -> None:
        self.pending.append(entry)
        self._more.set()

    def wake(self) -> None:
        self._more.set()

    async def wait(self) -> None:
        self._more.clear()
        await self._more.wait()


class _Durable(_Reader):
    """A reader whose entries come again until they are done."""

    def __init__(self, pattern: str) -> None:
        super().__init__(pattern)
        self.out: dict[int, asyncio.TimerHandle] = {}

    def hand_out(self) -> "_Handed":
        entry = self.pending.popleft()
        self.out[entry.seq] = asyncio.get_running_loop().call_later(AGAIN_AFTER_S, self._again, entry)
        return _Handed(self, entry)

    def clear(self) -> None:
        self.pending.clear()
        for timer in self.out.values():
            timer.cancel()
        self.out.clear()

    def _again(self, entry: Entry) -> None:
        del self.out[entry.seq]
        place = next((n for n, e in enumerate(self.pending) if e.seq > entry.seq), len(self.pending))
        self.pending.insert(place, entry)
        self.wake()


class _Handed:
    __slots__ = ("_timer", "_to", "entry")

    def __init__(self, to: _Durable, entry: Entry) -> None:
        self.entry, self._to, self._timer = entry, to, to.out[entry.seq]

    async def done(self) -> None:
        if self._to.out.get(self.entry.seq) is self._timer:  # else it was handed out again, or the store was lost
            self._timer.cancel()
            del self._to.out[self.entry.seq]


class _Stream:
    """One stream's entries in order, the last of each subject, and who reads."""

    def __init__(self, kind: Stream) -> None:
        self.kind = kind
        self.readers: list[_Reader] = []
        self.durables: dict[str, _Durable] = {}
        self.routes: dict[str, tuple[_Reader, ...]] = {}
        self.clear()

    def clear(self) -> None:
        self.last: dict[str, Entry] = {}
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._seq = 0
        self._once: dict[str, tuple[float, int]] = {}
        self._closed: deque[tuple[float, Entry]] = deque()
        for reader in self.readers:
            reader.pending.clear()
        for durable in self.durables.values():
            durable.clear()

    def all(self) -> "deque[Entry] | list[Entry]":
        return list(self.last.values()) if self.kind.last_only else self._entries

    def append(self, subject: str, payload: bytes, once: str | None) -> int:
        now = asyncio.get_running_loop().time()
        self._fade(now)
        if once is not None and (known := self._once.get(once)) is not None:
            return known[1]
        self._seq += 1
        entry = Entry(subject, self._seq, payload)
        if once is not None:
            self._once[once] = (now + ONCE_WINDOW_S, self._seq)
        self.last.pop(subject, None)  # so that the order is that of sequence numbers
        self.last[subject] = entry
        if self.kind.last_only:
            if not payload:
                self._closed.append((now + CLOSED_KEY_FADES_S, entry))
        else:
            self._entries.append(entry)
            self._bytes += len(payload) + len(subject)
            while self._bytes > self.kind.max_bytes:
                oldest = self._entries.popleft()
                self._bytes -= len(oldest.payload) + len(oldest.subject)
        route = self.routes.get(subject)
        if route is None:
            everyone = (*self.readers, *self.durables.values())
            route = self.routes[subject] = tuple(r for r in everyone if matches(r.pattern, subject))
        for reader in route:
            reader.push(entry)
        return self._seq

    def durable(self, name: str, pattern: str) -> _Durable:
        known = self.durables.get(name)
        if known is None:
            known = self.durables[name] = _Durable(pattern)
            known.pending.extend(e for e in self.all() if matches(pattern, e.subject))
            self.routes.clear()
        return known

    def wake(self) -> None:
        for reader in (*self.readers, *self.durables.values()):
            reader.wake()

    def _fade(self, now: float) -> None:
        while self._closed and self._closed[0][0] <= now:
            _, entry = self._closed.popleft()
            if self.last.get(entry.subject) is entry:
                del self.last[entry.subject]
        for key in list(self._once):
            if self._once[key][0] > now:
                break
            del self._once[key]


class _Server:
    """One served subject: a task that answers in order."""

    def __init__(self, client: MemoryLog, subject: str, handler: Callable[[bytes], Awaitable[bytes]]) -> None:
        self.client = client
        self.asked: asyncio.Queue[tuple[bytes, asyncio.Future[bytes]]] = asyncio.Queue()
        self._handler = handler
        self._subject = subject
        self._task = asyncio.get_running_loop().create_task(self._answer(), name=f"serve:{subject}")

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _answer(self) -> None:
        while True:
            payload, answer = await self.asked.get()
            if answer.done():
                continue
            try:
                result = await self._handler(payload)
            except Exception as e:  # noqa: BLE001 - the asker is told, as over the wire
                if not answer.done():
                    answer.set_exception(Unavailable(f"{self._subject}: {e}"))
            else:
                if not answer.done():
                    answer.set_result(result)
