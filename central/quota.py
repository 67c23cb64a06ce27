"""How many requests a client may send: one bucket a client, filled on the injected clock; told in RateLimit headers."""

import msgspec

from contracts.runtime.clock import Clock

_MOST = 10_000


class Standing(msgspec.Struct, frozen=True):
    """Where a client stands after a request."""

    allowed: bool
    remaining: int
    reset_s: int
    """Until the whole quota is there again; for one that was refused, until the next request is taken."""


class Quota:
    """Token buckets by client (IETF draft-ietf-httpapi-ratelimit-headers-11).

    Parameters
    ----------
    clock
        Fills the buckets.
    per_s
        Requests a second; 0: no limit.
    burst_s
        A full bucket holds so many seconds' requests.
    """

    def __init__(self, clock: Clock, per_s: int, burst_s: int) -> None:
        self._clock = clock
        self._per_s = per_s
        self._most = per_s * burst_s
        self._window_s = burst_s
        self._buckets: dict[str, tuple[int, float]] = {}

    def take(self, client: str) -> Standing | None:
        """Take one request of a client; None where there is no limit."""
        if not self._per_s:
            return None
        now = self._clock.now_ms()
        at, left = self._buckets.get(client, (now, float(self._most)))
        left = min(float(self._most), left + max(0, now - at) * self._per_s / 1000)
        allowed = left >= 1
        if allowed:
            left -= 1
        if client not in self._buckets and len(self._buckets) >= _MOST:
            self._buckets.clear()
        self._buckets[client] = now, left
        wait = (self._most - left if allowed else 1 - left) / self._per_s
        return Standing(allowed, int(left), max(1, -int(-wait // 1)))

    def headers(self, standing: Standing) -> dict[str, str]:
        """Write what a client should know."""
        return {
            "RateLimit-Policy": f'"client";q={self._most};w={self._window_s}',
            "RateLimit": f'"client";r={standing.remaining};t={standing.reset_s}',
        }
