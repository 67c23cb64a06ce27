"""Facts on their way to central: numbered without a gap, kept until covered, sent again when nothing moves.

Each fact may carry the edge event that caused it; the event is free to be acknowledged when the fact is covered.
"""

from collections import deque

from contracts.ids import CellId, SiteId
from contracts.messages.facts import Fact, FactBody, FactsAck

_PAUSE_MS = 1_000
"""Everything is not sent again more often than this, however often central says that it misses something."""
Cause = tuple[CellId, int, int]
"""The edge event (cell, epoch, seq) that a fact came from."""


class Outbox:
    """What central has not committed yet.

    Parameters
    ----------
    site, epoch
        Stand in every fact.
    resend_ms
        Without progress for so long everything not covered is sent again.
    """

    __slots__ = ("_due_ms", "_open", "_resend_ms", "_resent_ms", "covered", "epoch", "last", "site")

    def __init__(self, site: SiteId, epoch: int, resend_ms: int) -> None:
        self.site = site
        self.epoch = epoch
        self.last = 0
        """Number of the newest fact."""
        self.covered = 0
        """Central has committed everything up to here."""
        self._open: deque[tuple[Fact, Cause | None]] = deque()
        self._resend_ms = resend_ms
        self._resent_ms: int | None = None
        self._due_ms: int | None = None

    def __len__(self) -> int:
        return len(self._open)

    @property
    def due_ms(self) -> int | None:
        """When `resend` should be called, if nothing is heard until then."""
        return self._due_ms

    def add(self, now_ms: int, body: FactBody, cause: Cause | None = None) -> Fact:
        """Number a fact and keep it."""
        self.last += 1
        fact = Fact(site=self.site, epoch=self.epoch, seq=self.last, at_ms=now_ms, body=body)
        self._open.append((fact, cause))
        if self._due_ms is None:
            self._due_ms = now_ms + self._resend_ms
        return fact

    def heard(self, now_ms: int, ack: FactsAck) -> tuple[list[Cause], list[Fact]]:
        """Take central's acknowledgement.

        Returns
        -------
        The causes of all facts that are now covered, and the facts to send again: central says what it has, without
        progress, when it met a gap or has just started.
        """
        if ack.site != self.site or ack.epoch > self.epoch:
            return [], []
        seq = ack.seq if ack.epoch == self.epoch else 0
        if seq > self.covered:
            self.covered = min(seq, self.last)
            causes: list[Cause] = []
            while self._open and self._open[0][0].seq <= self.covered:
                cause = self._open.popleft()[1]
                if cause is not None:
                    causes.append(cause)
            self._due_ms = now_ms + self._resend_ms if self._open else None
            return causes, []
        if seq < self.covered and ack.epoch == self.epoch:
            return [], []  # an old one, overtaken
        if self._resent_ms is not None and now_ms - self._resent_ms < _PAUSE_MS:
            if self._open:
                self._due_ms = min(self._due_ms or now_ms + _PAUSE_MS, self._resent_ms + _PAUSE_MS)
            return [], []
        return [], self.resend(now_ms)

    def resend(self, now_ms: int) -> list[Fact]:
        """Return everything not covered, in order, and wait again."""
        if not self._open:
            self._due_ms = None
            return []
        self._resent_ms = now_ms
        self._due_ms = now_ms + self._resend_ms
        return [f for f, _ in self._open]

    def renumber(self, now_ms: int, epoch: int) -> list[Fact]:
        """Begin a new epoch: what is not covered gets new numbers from 1, and is returned to be sent."""
        kept = self._open
        self.epoch, self.last, self.covered = epoch, 0, 0
        self._open = deque()
        self._due_ms = None
        return [self.add(now_ms, f.body, cause) for f, cause in kept]
