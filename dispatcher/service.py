"""The shell: what comes from the bus becomes facts, what the core commands goes to the bus, all of it recorded."""

import asyncio
import os
from collections.abc import Sequence

import structlog

from contracts import topics
from contracts.errors import Rejected
from contracts.messages.ops import Unreadable
from contracts.runtime.clock import Clock
from contracts.runtime.floor import FloorConnector
from contracts.runtime.log import Log
from contracts.site import Site
from dispatcher.core import Core
from dispatcher.facts import Fact, Timer, TookOver
from dispatcher.follower import Follower
from dispatcher.hearing import Ear
from dispatcher.journal import Journal, resume
from dispatcher.lead import Lead
from dispatcher.saying import Mouth
from dispatcher.settings import DispatcherSettings
from dispatcher.showing import Screen

_log = structlog.get_logger("dispatcher")
_FSYNC_S = 0.1
_FOLDED = 100
"""Steps that who stands by folds at a time."""


class Dispatcher:
    """The dispatcher of one site, as a service.

    Parameters
    ----------
    settings
        See `DispatcherSettings`.
    site
        What stands on the floor.
    floor
        The broker of robots and edges.
    log
        The log that central shares with us.
    clock
        Floor time.
    """

    def __init__(self, settings: DispatcherSettings, site: Site, floor: FloorConnector, log: Log, clock: Clock) -> None:
        self.name = "dispatcher"
        self.ready = asyncio.Event()
        self.core: Core
        self.journal = Journal(settings.journal, site, settings.params, gathered=not settings.fsync)
        self._counts = {"facts": 0, "commands": 0, "steps": 0}
        self._ear = Ear(site.id, clock, self.hear, lambda: self.core.world.names)
        self._mouth = Mouth(site.id, log, self.hear)
        self._screen = Screen(settings, site.id, log, clock, lambda: self.core.world, self._ear)
        self._settings = settings
        self._site = site
        self._connector = floor
        self._log = log
        self._clock = clock
        self._heard: list[Fact] = []
        self._turn_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms: int | None = None
        self._broken: asyncio.Future[None] | None = None
        self._lead: Lead | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many facts, commands and steps there were, and messages that could not be read."""
        return self._counts | {"unreadable": self._ear.unread}

    @property
    def unreadable(self) -> Sequence[Unreadable]:
        """Messages that could not be read, the newest last."""
        return self._ear.unreadable

    @property
    def deviations(self) -> dict[str, dict[str, int]]:
        """What had to be mended in states, by manufacturer."""
        return self._ear.deviations

    async def run(self) -> None:
        """Run until cancelled.

        Raises
        ------
        Rejected
            The recording is of another site or version.
        Broken
            The recording was changed, or cannot be written.
        """
        self._broken = asyncio.get_running_loop().create_future()
        self._heard, self._turn_due = [], False
        if self._settings.standby:
            await self._stand_by()
        else:
            self._begin(self.journal.recover(self._site), self._epoch())
        try:
            await self._serve()
        finally:
            lead, self._lead = self._lead, None
            if lead is not None and lead.holds:
                await lead.resign()

    async def _serve(self) -> None:
        floor = self._mouth.floor = await self._connector.connect(self._settings.client_id)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._raise_broken(), name="dispatcher.broken")
                if self._lead is not None:
                    group.create_task(self._lead.hold(), name="dispatcher.lead")
                group.create_task(self._mouth.tell(), name="dispatcher.tell")
                if self._settings.fsync and self._settings.journal is not None:
                    group.create_task(self._sync(), name="dispatcher.sync")
                await self._ear.subscribe(floor, self._log, poses=self._settings.publish_views)
                await self._log.serve(topics.ops_subject(self._site.id), self._mouth.answer)
                group.create_task(self._ear.follow_work(self._log), name="dispatcher.work")
                if self._settings.publish_views:
                    group.create_task(self._screen.say_views(), name="dispatcher.views")
                    group.create_task(self._screen.say_poses(), name="dispatcher.poses")
                self.ready.set()
        finally:
            self.ready.clear()
            if self._timer is not None:
                self._timer.cancel()
            self._mouth.hush()
            try:
                # where a step failed half-way is no place to rest, nor where another dispatcher goes on
                failed = self._broken is not None and self._broken.done() and not self._broken.cancelled()
                if not failed and (self._lead is None or self._lead.holds):
                    self.journal.rest(self.core)
            finally:
                self.journal.close()
                await floor.close()

    # --------------------------------------------------------------------------------------------------- the one door

    def hear(self, fact: Fact) -> None:
        """Let the core hear a fact, together with whatever else comes in this turn of the loop."""
        self._heard.append(fact)
        self._turn_soon()

    def _turn_soon(self) -> None:
        if not self._turn_due:
            self._turn_due = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _epoch(self) -> int:
        return max(1, self._clock.now_ms() // 1000)

    async def _stand_by(self) -> None:
        """Follow the recording of whoever leads, until this process leads itself."""
        if self._settings.journal is None:
            raise Rejected("standby", True, "a dispatcher with a journal, which the other one follows")
        from dispatcher import matching

        matching.warm()
        self._settings.journal.mkdir(parents=True, exist_ok=True)
        follower = Follower(self._settings.journal, self._site)
        lead = Lead(self._log, self._site.id, self._settings.client_id)

        async def keep_warm() -> None:
            while follower.catch_up(_FOLDED):  # noqa: ASYNC110 - the recording has no event for it
                await asyncio.sleep(0)
            if not self.ready.is_set():
                _log.info("stands by", facts=follower.facts)
                self.ready.set()

        def epoch(before: int) -> int:
            known = 0 if follower.core is None else follower.core.epoch
            return max(before + 1, known + 1, self._epoch())

        number, before = await lead.win(epoch, keep_warm)
        self._lead = lead
        lead.renewed = self._turn_soon
        self._begin(self.journal.adopt(follower), number)
        if before is not None:
            self._heard.append(TookOver(before.holder))

    def _begin(self, core: Core | None, epoch: int) -> None:
        from dispatcher import matching

        matching.warm()
        if core is None:
            self.core = Core(self._site, self._settings.params, epoch)
            self.journal.begin(self.core, fresh=True)
        else:
            self.core = core
            self.journal.begin(core, fresh=False)
            self._heard.append(resume(core, self._settings.params, epoch))
            _log.info("recovered", facts=self.journal.facts, open_facts=len(core.world.outbox))

    def _turn(self) -> None:
        self._turn_due = False
        try:
            self._step()
        except Exception as error:  # noqa: BLE001 - whatever it is stops the service, not only this callback
            _log.exception("a step failed")  # now: whoever restarts the service may take its time
            if self._broken is not None and not self._broken.done():
                self._broken.set_exception(error)

    def _step(self) -> None:
        if self._broken is not None and self._broken.done():
            return
        if self._lead is not None and not self._lead.holds:
            return  # another one may decide now; what was heard waits until the key says that none does
        facts, self._heard = self._heard, []
        now_ms = self._clock.now_ms()
        commands = self.core.step(now_ms, facts)
        self.journal.write(now_ms, facts, commands)
        for command in commands:
            self._mouth.do(command)
        counts = self._counts
        counts["steps"] += 1
        counts["facts"] += len(facts)
        counts["commands"] += len(commands)
        if self.journal.full:
            self.journal.begin(self.core, fresh=False)
        self._wind(now_ms)

    def _wind(self, now_ms: int) -> None:
        """Set the one timer to when the core wants to be woken."""
        due_ms = self.core.next_due_ms
        if due_ms == self._timer_ms:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_ms = due_ms
        if due_ms is not None:
            self._timer = self._clock.call_later(max(due_ms - now_ms, 1) / 1000, self._woken)

    def _woken(self) -> None:
        due_ms, self._timer, self._timer_ms = self._timer_ms, None, None
        if due_ms is not None and self._clock.now_ms() < due_ms:
            self._wind(self._clock.now_ms())
        else:
            self.hear(Timer())

    async def _raise_broken(self) -> None:
        if self._broken is not None:
            await self._broken

    async def _sync(self) -> None:
        """Bring the recording to the disk, off the loop."""
        while True:
            await asyncio.sleep(_FSYNC_S)
            descriptor = self.journal.descriptor
            if self.journal.unsynced and descriptor is not None:
                self.journal.unsynced = False
                copy = os.dup(descriptor)
                try:
                    await asyncio.to_thread(os.fsync, copy)
                finally:
                    os.close(copy)
