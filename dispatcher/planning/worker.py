"""A planner worker: takes one problem at a time from central over the log, and plans it in a process of its own.

Any number of them run, on this machine or others; they know no address but the log's. Central gives a problem to one
worker alone, and to another one when that falls silent.
"""

import asyncio
import contextlib
import sys

import msgspec

from contracts import topics
from contracts.codec import decode, encode
from contracts.errors import FloorplaneError, Unavailable
from contracts.ids import SiteId
from contracts.messages.plans import (
    PlanAnswer,
    PlanFound,
    PlanJob,
    PlanProgress,
    PlanRefused,
    PlanTold,
    PlanWanted,
)
from contracts.runtime.log import Log
from contracts.runtime.logging import get_log
from dispatcher.planning.kinds import KINDS

logger = get_log(__name__)
_LINE = msgspec.json.Decoder(PlanProgress | PlanFound | PlanRefused)
_LONGEST_LINE = 1 << 26
BEAT_S = 2.0
"""Seconds of the wall between two words to central while a plan is made, or while there is nothing to do."""


class PlannerWorker:
    """One worker, as a service.

    Parameters
    ----------
    site
        Whose problems it plans.
    log
        The port to central.
    name
        Tells workers apart.
    """

    def __init__(self, site: SiteId, log: Log, name: str) -> None:
        self.name = name
        self.ready = asyncio.Event()
        self._subject = topics.plans(site)
        self._log = log

    async def run(self) -> None:
        """Plan one problem after the other until cancelled; a central that is away is asked again."""
        self.ready.set()
        while True:
            answer = await self._tell(PlanWanted(self.name, KINDS))
            if answer is None or answer.job is None:
                await asyncio.sleep(BEAT_S)
            else:
                await self._plan(answer.job)

    async def _tell(self, told: PlanTold) -> PlanAnswer | None:
        try:
            return decode(await self._log.request(self._subject, encode(told)), PlanAnswer)
        except Unavailable:
            return None
        except FloorplaneError as e:
            logger.warning("central refuses the planner", error=str(e))
            return None

    async def _plan(self, job: PlanJob) -> None:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dispatcher.planning.child",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_LONGEST_LINE,
        )  # fmt: skip
        try:
            assert child.stdin is not None  # noqa: S101 - asked for above
            child.stdin.write(msgspec.json.encode(job))
            with contextlib.suppress(ConnectionError):
                await child.stdin.drain()
            child.stdin.close()
            await self._follow(job, child)
        finally:
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
                await child.wait()

    async def _follow(self, job: PlanJob, child: asyncio.subprocess.Process) -> None:
        """Tell central what the child says, at least every `BEAT_S`; stop when central wants no more."""
        assert child.stdout is not None  # noqa: S101 - it is a pipe
        last = PlanProgress(job.plan, job.attempt, 0.0)
        reading = asyncio.ensure_future(child.stdout.readline())
        try:
            while True:
                await asyncio.wait([reading], timeout=BEAT_S)
                if reading.done():
                    line = reading.result()
                    if not line:
                        await self._tell(PlanRefused(job.plan, job.attempt, "the planning process died"))
                        return
                    said = _LINE.decode(line)
                    if not isinstance(said, PlanProgress):
                        await self._bring(said)
                        return
                    last = said
                    reading = asyncio.ensure_future(child.stdout.readline())
                answer = await self._tell(last)
                if answer is not None and not answer.go_on:
                    return
                if answer is not None and answer.stop and child.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        child.terminate()  # it brings the best so far
        finally:
            reading.cancel()

    async def _bring(self, said: PlanFound | PlanRefused) -> None:
        """Bring the end until central has it, or says that it does not want it any more."""
        while True:
            if await self._tell(said) is not None:
                return
            await asyncio.sleep(BEAT_S)
