"""Which of several dispatchers leads: a key on the log that its holder renews, and that others take when it is silent.

A *term* begins when a process has replaced the key's last value by its own. It renews it twice a second, and may decide
anything only within `LEASE_S` of a renewal that was begun: it stops before anybody else may begin. Who stands by takes
the key when it has seen no renewal for `SILENT_S`, or when the holder was a process of this machine that is gone.
Who was only slow and finds the key as it left it goes on; who finds it taken has lost, and ends.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from contracts import topics
from contracts.codec import decode, encode
from contracts.errors import Broken, Rejected, Unavailable
from contracts.ids import SiteId
from contracts.messages.lead import Term
from contracts.runtime.log import Log

RENEW_S = 0.4
LEASE_S = 1.6
SILENT_S = 1.9
"""Longer than the lease: who hears of a renewal hears of it after it was begun."""
_LOOK_S = 0.1
_log = structlog.get_logger("dispatcher.lead")


class Lead:
    """One process's part in it.

    Parameters
    ----------
    log
        Where the key is.
    site
        Whose dispatcher.
    name
        Of this process among those of its machine.
    """

    def __init__(self, log: Log, site: SiteId, name: str) -> None:
        self._log, self._key = log, topics.lead_key(site)
        self._me = Term(f"{name}@{os.getpid()}", 0, _machine(), os.getpid(), _begun(os.getpid()))
        self._seq = 0
        self._until_s = 0.0
        self.renewed: Callable[[], None] = lambda: None
        """Called when the lease had run out, and the key was still ours."""

    @property
    def holds(self) -> bool:
        """Whether this process may decide and send now."""
        return asyncio.get_running_loop().time() < self._until_s

    async def win(
        self, epoch: Callable[[int], int], meanwhile: Callable[[], Awaitable[None]]
    ) -> tuple[int, Term | None]:
        """Wait until this process leads.

        Parameters
        ----------
        epoch
            Returns the epoch of the new term, from that of the one before it.
        meanwhile
            Called between two looks; it keeps the process warm.

        Returns
        -------
        tuple
            The epoch, and the term that was taken over; None: there was none, or it was resigned.
        """
        loop = asyncio.get_running_loop()
        seen, since_s = -1, loop.time()
        while True:
            await meanwhile()
            try:
                seq, term = await self._look()
                if seq != seen:
                    seen, since_s = seq, loop.time()
                # no key at all may mean that the store was lost a moment ago, and its holder does not know yet
                resigned = term is not None and (not term.holder or _is_gone(term))
                if resigned or loop.time() - since_s > SILENT_S:
                    won = await self._take(seq, epoch(0 if term is None else term.epoch))
                    if won is not None:
                        _log.info("leads", epoch=won, after=None if term is None else term.holder)
                        return won, None if term is None or not term.holder else term
            except Unavailable as error:
                _log.warning("the log is away", error=str(error))
                seen = -1  # its holder could not renew the key either
            await asyncio.sleep(_LOOK_S)

    async def hold(self) -> None:
        """Renew the key until cancelled.

        Raises
        ------
        Broken
            Another process leads; nothing may be decided here any more.
        """
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(RENEW_S)
            begun_s, held = loop.time(), self.holds
            try:
                if not held:
                    await self._find()  # numbers begin anew in a store that was lost: a match alone proves nothing
                try:
                    self._seq = await self._log.replace(self._key, encode(self._me), after=self._seq)
                except Rejected:
                    await self._find()
            except Unavailable as error:
                _log.warning("the leadership is not renewed", error=str(error))
                continue
            self._until_s = max(self._until_s, begun_s + LEASE_S)
            if not held:
                _log.warning("late, but still leads")
                self.renewed()

    async def resign(self) -> None:
        """Let the next one lead at once."""
        self._until_s = 0.0
        try:
            await self._log.replace(self._key, encode(Term("", self._me.epoch, "", 0, "")), after=self._seq)
        except (Rejected, Unavailable) as error:
            _log.info("the leadership was not handed over", error=str(error))

    async def _look(self) -> tuple[int, Term | None]:
        entry = await self._log.last(self._key)
        if entry is None:
            return 0, None
        try:
            return entry.seq, decode(entry.payload, Term)
        except Rejected as error:
            _log.warning("the leadership key cannot be read", error=str(error))
            return entry.seq, None

    async def _take(self, after: int, epoch: int) -> int | None:
        begun_s = asyncio.get_running_loop().time()
        me = Term(self._me.holder, epoch, self._me.machine, self._me.pid, self._me.begun)
        try:
            self._seq = await self._log.replace(self._key, encode(me), after=after)
        except Rejected:
            return None
        self._me, self._until_s = me, begun_s + LEASE_S
        return epoch

    async def _find(self) -> None:
        """See who has changed the key: we, when an answer was lost; nobody, when the store was; or our successor."""
        seq, term = await self._look()
        if term == self._me:
            self._seq = seq
        elif term is None:
            if await self._take(seq, self._me.epoch) is None:
                await self._find()
        else:
            self._until_s = 0.0
            raise Broken(f"dispatcher {term.holder or '(resigned)'} leads in epoch {term.epoch}: this one must end")


def _machine() -> str:
    """Name the running kernel and this process's view of its processes."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    space = Path("/proc/self/ns/pid")
    try:
        return f"{boot.read_text().strip()} {space.readlink()}"
    except OSError:
        return ""


def _begun(pid: int) -> str:
    """Return when a process began, in clock ticks of the kernel; empty: it is gone, or it cannot be known."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if words[0] in {"Z", "X"} else words[19]


def _is_gone(term: Term) -> bool:
    """Whether the holder was a process of this machine that has ended."""
    return bool(term.machine) and term.machine == _machine() and _begun(term.pid) != term.begun
