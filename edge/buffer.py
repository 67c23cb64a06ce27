"""The durable buffer of a cell: an event is on disk before anybody hears of it, and stays until it is acknowledged.

One transaction takes the events of an input and what the rules remember with them. `SqliteBuffer` is a file (WAL,
synchronous=FULL, in a thread of its own); `MemoryBuffer` is its twin for virtual time. It is bounded: a full buffer
takes nothing more, and so stops its cell, rather than lose an event.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from contracts.codec import encode
from contracts.errors import Broken, Unavailable
from contracts.ids import CellId
from contracts.messages.floor import EdgeEvent, EventBody
from contracts.runtime.clock import real
from edge.rules.port import Forget, Memory, Remember

Number = tuple[int, int]
"""(epoch, seq) of an event."""
R = TypeVar("R")

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS event (
    epoch INTEGER, seq INTEGER, payload BLOB NOT NULL, PRIMARY KEY (epoch, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS memory (
    n INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, UNIQUE (kind, key)
);
"""


class Draft(msgspec.Struct, frozen=True):
    """An event before it has its number."""

    at_ms: int
    uncertainty_ms: int
    body: EventBody


class Buffer(Protocol):
    """What a cell keeps over restarts."""

    epoch: int

    async def open(self) -> Memory:
        """Begin a new epoch; return what was remembered."""
        ...

    async def commit(self, drafts: Sequence[Draft], changes: Sequence[Remember | Forget]) -> list[EdgeEvent]:
        """Number the events and keep all of it, or none.

        Raises
        ------
        Unavailable
            The buffer is full: nothing was taken.
        """
        ...

    def forget(self, numbers: Iterable[Number]) -> None:
        """Drop acknowledged events; those unknown are no matter. On disk this happens with the next commit."""
        ...

    def waiting(self) -> dict[Number, bytes]:
        """Return the encoded events that are not acknowledged, in order; do not change it."""
        ...

    async def close(self) -> None:
        """Write what is still to be written, and let go of the file."""
        ...


class MemoryBuffer:
    """A buffer that lasts as long as the object: hand the same one to the next start of the edge.

    Parameters
    ----------
    cell
        Whose events these are.
    limit
        Events that wait at most.
    """

    def __init__(self, cell: CellId, limit: int = 100_000) -> None:
        self.epoch = 0
        self._cell, self._limit = cell, limit
        self._seq = 0
        self._waiting: dict[Number, bytes] = {}
        self._memory: Memory = {}

    async def open(self) -> Memory:
        """Begin a new epoch; return what was remembered."""
        self.epoch, self._seq = self.epoch + 1, 0
        return {kind: dict(entries) for kind, entries in self._memory.items()}

    async def commit(self, drafts: Sequence[Draft], changes: Sequence[Remember | Forget]) -> list[EdgeEvent]:
        """Number the events and keep all of it, or none; raises `Unavailable` when full."""
        _refuse_full(self._cell, len(self._waiting), len(drafts), self._limit)
        for change in changes:
            entries = self._memory.setdefault(change.kind, {})
            entries.pop(change.key, None)
            if isinstance(change, Remember):
                entries[change.key] = change.value
        events = _number(self._cell, self.epoch, self._seq, drafts)
        self._seq += len(events)
        self._waiting.update({(e.epoch, e.seq): encode(e) for e in events})
        return events

    def forget(self, numbers: Iterable[Number]) -> None:
        """Drop acknowledged events."""
        for number in numbers:
            self._waiting.pop(number, None)

    def waiting(self) -> dict[Number, bytes]:
        """Return the encoded events that are not acknowledged, in order."""
        return self._waiting

    async def close(self) -> None:
        """Nothing is held."""


class SqliteBuffer:
    """A buffer in a file.

    Parameters
    ----------
    cell
        Whose events these are.
    path
        The file; its folder is made.
    limit
        Events that wait at most.
    """

    def __init__(self, cell: CellId, path: Path, limit: int = 100_000) -> None:
        self.epoch = 0
        self._cell, self._path, self._limit = cell, path, limit
        self._seq = 0
        self._waiting: dict[Number, bytes] = {}
        self._gone: list[Number] = []
        self._db: sqlite3.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def open(self) -> Memory:
        """Begin a new epoch; return what was remembered.

        Raises
        ------
        Broken
            The file is damaged or cannot be written.
        """

        def work() -> Memory:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.executescript(SCHEMA)
            db.execute("BEGIN IMMEDIATE")
            db.execute("INSERT INTO meta VALUES ('epoch', 1) ON CONFLICT (key) DO UPDATE SET value = value + 1")
            (self.epoch,) = db.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
            db.execute("COMMIT")
            self._seq = 0
            self._gone.clear()
            self._waiting.clear()
            for epoch, seq, payload in db.execute("SELECT epoch, seq, payload FROM event ORDER BY epoch, seq"):
                self._waiting[(epoch, seq)] = payload
            memory: Memory = {}
            for kind, key, value in db.execute("SELECT kind, key, value FROM memory ORDER BY n"):
                memory.setdefault(kind, {})[key] = value
            self._db = db
            return memory

        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"buffer-{self._cell}")
        return await self._do(work)

    async def commit(self, drafts: Sequence[Draft], changes: Sequence[Remember | Forget]) -> list[EdgeEvent]:
        """Number the events and keep all of it, or none; raises `Unavailable` when full, `Broken` when the disk is."""
        if not drafts and not changes:
            return []
        _refuse_full(self._cell, len(self._waiting), len(drafts), self._limit)
        events = _number(self._cell, self.epoch, self._seq, drafts)
        rows = [(e.epoch, e.seq, encode(e)) for e in events]
        gone, self._gone = self._gone, []
        try:
            await self._do(lambda: self._write(rows, changes, gone))
        except BaseException:
            self._gone = gone + self._gone
            raise
        self._seq += len(events)
        self._waiting.update({(epoch, seq): payload for epoch, seq, payload in rows})
        return events

    def forget(self, numbers: Iterable[Number]) -> None:
        """Drop acknowledged events; on disk with the next commit."""
        self._gone += [n for n in numbers if self._waiting.pop(n, None) is not None]

    def waiting(self) -> dict[Number, bytes]:
        """Return the encoded events that are not acknowledged, in order."""
        return self._waiting

    async def close(self) -> None:
        """Write what is still to be written, and let go of the file."""

        def work() -> None:
            if self._db is not None:
                if self._gone:
                    self._write([], [], self._gone)
                self._db.close()
                self._db = None

        if self._thread is None:
            return
        try:
            await self._do(work)
        finally:
            self._thread.shutdown(wait=False)
            self._thread = None

    def _write(
        self, rows: list[tuple[int, int, bytes]], changes: Sequence[Remember | Forget], gone: list[Number]
    ) -> None:
        db = self._db
        if db is None:
            raise Broken(f"buffer {self._path} is not open")
        db.execute("BEGIN IMMEDIATE")
        try:
            db.executemany("INSERT INTO event VALUES (?, ?, ?)", rows)
            db.executemany("DELETE FROM event WHERE epoch = ? AND seq = ?", gone)
            for change in changes:
                db.execute("DELETE FROM memory WHERE kind = ? AND key = ?", (change.kind, change.key))
                if isinstance(change, Remember):
                    row = (change.kind, change.key, change.value)
                    db.execute("INSERT INTO memory (kind, key, value) VALUES (?, ?, ?)", row)
            db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise

    async def _do(self, work: Callable[[], R]) -> R:
        """Run on the buffer's thread, to its end even when the caller is cancelled."""
        loop = asyncio.get_running_loop()
        try:
            return await real(asyncio.shield(loop.run_in_executor(self._thread, work)))
        except sqlite3.Error as e:
            text = f"buffer {self._path}: {e}; free the disk, or move the file away to begin anew"
            raise Broken(text) from e


def _number(cell: CellId, epoch: int, seq: int, drafts: Sequence[Draft]) -> list[EdgeEvent]:
    return [
        EdgeEvent(cell=cell, epoch=epoch, seq=k, at_ms=d.at_ms, uncertainty_ms=d.uncertainty_ms, body=d.body)
        for k, d in enumerate(drafts, seq + 1)
    ]


def _refuse_full(cell: CellId, waiting: int, more: int, limit: int) -> None:
    if more and waiting + more > limit:
        raise Unavailable(f"the event buffer of {cell} is full: {waiting} of {limit} wait for their acknowledgement")
