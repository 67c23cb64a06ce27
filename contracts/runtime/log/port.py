"""The Log port: what is asked of NATS JetStream, and no more.

Streams are fixed: WORK (``work.>``, last value per subject, closed keys fade after an hour), FACTS (``facts.>``),
EVENTS (``events.>``) and LEAD (``lead.>``, last value per subject), bounded by size, oldest dropped. The log is
disposable: its whole store may vanish at any time, and every owner then appends again what is not known to be committed
elsewhere.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

import msgspec


class Entry(msgspec.Struct, frozen=True):
    """One appended message. `payload` is empty when a key was closed."""

    subject: str
    seq: int
    payload: bytes


class Delivery(Protocol):
    """An entry of a durable reader, which comes again until it is done."""

    entry: Entry

    async def done(self) -> None:
        """Never bring it again."""
        ...


class Log(Protocol):
    """One process's connection to the log. It reconnects by itself; readers go on, and survive a lost store."""

    @property
    def connected(self) -> bool:
        """Whether the server is there now."""
        ...

    async def append(self, subject: str, payload: bytes, *, once: str | None = None) -> int:
        """Append and return the sequence number; the same `once` within two minutes appends nothing.

        Raises
        ------
        Unavailable
            The server did not take it within five seconds.
        """
        ...

    async def replace(self, subject: str, payload: bytes, *, after: int) -> int:
        """Append only if the last entry of the subject has the number `after` (0: it has none); return the new number.

        Raises
        ------
        Rejected
            Somebody else has appended meanwhile, or the store was lost.
        Unavailable
            The server did not take it within five seconds; it may have been appended all the same.
        """
        ...

    async def last(self, subject: str) -> Entry | None:
        """Return the last entry of a subject, None when there is none or it was closed."""
        ...

    def follow(self, pattern: str, *, latest: bool = False) -> AsyncIterator[Entry]:
        """Yield every entry from the beginning, or only the last of each subject, then whatever comes, for ever.

        After a lost connection or store it goes on, and may yield entries again: the reader knows what it has.
        """
        ...

    def consume(self, subject: str, durable: str) -> AsyncIterator[Delivery]:
        """Yield what no reader of that durable name has done yet, in order, and again after 30 s without `done`."""
        ...

    async def request(self, subject: str, payload: bytes, *, timeout_s: float = 5.0) -> bytes:
        """Ask whoever serves a subject.

        Raises
        ------
        Unavailable
            Nobody serves it, or no answer came in time.
        """
        ...

    async def serve(self, subject: str, handler: Callable[[bytes], Awaitable[bytes]]) -> None:
        """Answer requests, one at a time and in order."""
        ...

    def say(self, subject: str, payload: bytes) -> None:
        """Tell whoever listens now; lost otherwise."""
        ...

    async def hear(self, subject: str, handler: Callable[[str, bytes], None]) -> None:
        """Listen to what is said; the handler must not block."""
        ...

    def on_connect(self, hook: Callable[[], None]) -> None:
        """Call a hook after each (re)connection; at once when connected already."""
        ...

    async def close(self) -> None:
        """Leave in good order."""
        ...
