"""What is due when, inside the core: one entry a name, the next one known at once, no wake-up for a cancelled one."""

import heapq

Key = tuple[str, str]
"""What falls due, and for whom."""


class Timers:
    """Due times by name. Ties fall due in the order in which they were set."""

    __slots__ = ("_due", "_heap", "_n")

    def __init__(self) -> None:
        self._due: dict[Key, tuple[int, int]] = {}
        self._heap: list[tuple[int, int, Key]] = []
        self._n = 0

    def set(self, at_ms: int, what: str, whom: str = "") -> None:
        """Let it fall due then, instead of at whatever time was set before."""
        self._n += 1
        self._due[what, whom] = (at_ms, self._n)
        heapq.heappush(self._heap, (at_ms, self._n, (what, whom)))

    def earlier(self, at_ms: int, what: str, whom: str = "") -> None:
        """Let it fall due then, unless it does so before."""
        set_for = self._due.get((what, whom))
        if set_for is None or set_for[0] > at_ms:
            self.set(at_ms, what, whom)

    def cancel(self, what: str, whom: str = "") -> None:
        """Forget it."""
        self._due.pop((what, whom), None)

    def next_ms(self) -> int | None:
        """Return when the next one falls due; None: nothing is set."""
        heap, due = self._heap, self._due
        while heap:
            at_ms, n, key = heap[0]
            if due.get(key) == (at_ms, n):
                return at_ms
            heapq.heappop(heap)
        return None

    def pop(self, now_ms: int) -> list[Key]:
        """Take out what is due, in order."""
        found: list[Key] = []
        while (at_ms := self.next_ms()) is not None and at_ms <= now_ms:
            key = heapq.heappop(self._heap)[2]
            del self._due[key]
            found.append(key)
        return found

    def hasten(self, now_ms: int) -> None:
        """Let everything fall due now: after a restart the clock may have been set back."""
        for what, whom in list(self._due):
            self.set(now_ms, what, whom)
