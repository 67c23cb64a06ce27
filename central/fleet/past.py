"""What was heard of the fleet before: for whoever asks a moment later why a robot stood."""

import zlib
from bisect import bisect_right
from collections import deque

_LEVEL = 1
"""Of compression: a view of 400 robots costs a few milliseconds, once a second."""


class Past:
    """Views by the floor's time, compressed; the oldest go when there are too many bytes, or they are too old.

    Parameters
    ----------
    most_bytes
        Of all that is kept, compressed.
    longest_ms
        How old the oldest may be.
    step_ms
        Of views that are closer together than that the first is kept.
    """

    def __init__(self, most_bytes: int = 32_000_000, longest_ms: int = 4 * 3_600_000, step_ms: int = 1_000) -> None:
        self._most_bytes = most_bytes
        self._longest_ms = longest_ms
        self._step_ms = step_ms
        self._times: deque[int] = deque()
        self._views: deque[bytes] = deque()
        self._bytes = 0

    @property
    def span(self) -> tuple[int, int] | None:
        """When the oldest and the newest are of, ms since 1970; None: nothing is kept."""
        return (self._times[0], self._times[-1]) if self._times else None

    def keep(self, at_ms: int, view: bytes) -> None:
        """Keep a view as it was heard; one from before the newest (the clock was set back) forgets all."""
        if self._times and at_ms < self._times[-1]:
            self._times.clear()
            self._views.clear()
            self._bytes = 0
        if self._times and at_ms - self._times[-1] < self._step_ms:
            return
        packed = zlib.compress(view, _LEVEL)
        self._times.append(at_ms)
        self._views.append(packed)
        self._bytes += len(packed)
        while len(self._times) > 1 and (self._bytes > self._most_bytes or at_ms - self._times[0] > self._longest_ms):
            self._times.popleft()
            self._bytes -= len(self._views.popleft())

    def at(self, at_ms: int) -> bytes | None:
        """Return the newest view until then; None: there is none so old."""
        n = bisect_right(self._times, at_ms)
        return zlib.decompress(self._views[n - 1]) if n else None
