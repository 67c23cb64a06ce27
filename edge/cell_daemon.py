"""The daemon of one cell: inputs in, one transaction, then what follows from it."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from typing import cast

import msgspec

from contracts.errors import Broken, Rejected, Unavailable
from contracts.ids import DeviceId
from contracts.messages.floor import (
    DeviceAlarm,
    DeviceState,
    EdgeAnswer,
    EdgeCommand,
    EdgeEvent,
    Outcome,
    Quality,
)
from contracts.runtime.clock import Clock
from contracts.runtime.floor import FloorConnector
from contracts.runtime.logging import get_log
from contracts.site import Cell, Site
from controllers.ports import Devices, Driver, Plc, Scan, Scanner, TagValue
from edge.buffer import Buffer, Draft
from edge.cell import BinMap, rules_of
from edge.commands import Answers
from edge.health import Health
from edge.outputs import Develop, Hand, Task
from edge.perception import Darkroom
from edge.rules.port import (
    After,
    Changed,
    Commanded,
    Effect,
    Elapsed,
    Emit,
    Forget,
    Input,
    QualityChanged,
    Remember,
    Rules,
    Scanned,
    Tolerances,
)
from edge.settings import EdgeSettings
from edge.uplink import Uplink

_log = get_log("edge")
_UNCERTAIN_MS = 50
"""A scan has travelled; a tag was polled."""
_FILLING = 0.8
_DRAFTS = 200
"""Events of one transaction, about."""
_INBOX = 10_000
"""Inputs that wait at most; what comes then is dropped, and the log says so."""


class CellDaemon:
    """One cell: its devices, its rules, its buffer and its line to the bus.

    Inputs are taken one at a time in the order in which they came. What follows from one is first made durable (events
    and memory in one transaction), then said and done.

    Parameters
    ----------
    settings, site, cell
        What it is.
    floor, devices, clock
        The world outside.
    buffer
        Where events wait; opened and closed here.
    bins
        All bins of the site.
    """

    def __init__(
        self,
        settings: EdgeSettings,
        site: Site,
        cell: Cell,
        floor: FloorConnector,
        devices: Devices,
        clock: Clock,
        buffer: Buffer,
        bins: BinMap,
    ) -> None:
        self.name = f"edge.{cell.id}"
        used = tuple(d for d in cell.devices if d.role != "camera" or settings.cameras)
        cell = msgspec.structs.replace(cell, devices=used)
        self._settings, self._site, self._cell, self._clock, self._buffer = settings, site, cell, clock, buffer
        self._bins = bins
        self._tolerances = settings.tolerances
        self._rules: Rules | None = None
        self._inbox: deque[_Said] = deque()
        self._awake = asyncio.Event()
        self._room = asyncio.Event()
        self._filling = False
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._answers = Answers(cell.id)
        self._waiting: set[str] = set()
        self._uplink = Uplink(
            site.id, cell.id, floor, clock, buffer, self._take, self._acknowledged, resend_s=settings.resend_s
        )
        self._health = Health(cell.id, (d.id for d in cell.devices), clock, self._uplink.say, self._alarm)
        self._drivers: dict[DeviceId, Driver] = {d.id: devices.open(d) for d in used}
        roles = {d.id: d.role for d in used}
        develop: Develop | None = None
        if settings.cameras and settings.state is not None:
            develop = Darkroom(settings.state / "pictures" / cell.id, settings.pictures).keep
        self._hands = {d: Hand(d, driver, clock, self._put, develop) for d, driver in self._drivers.items()}
        self._hear(roles)

    @property
    def ready(self) -> asyncio.Event:
        """Set when the cell is on the bus."""
        return self._uplink.ready

    @property
    def tolerances(self) -> Tolerances:
        """What the rules allow now."""
        return self._tolerances

    def retune(self, tolerances: Tolerances) -> None:
        """Let the rules allow something else from now on."""
        self._tolerances = tolerances
        if self._rules is not None:
            self._rules.tolerances = tolerances

    async def run(self) -> None:
        """Work until cancelled; may be called again, and then begins a new epoch as a new process would."""
        memory = await self._buffer.open()
        try:
            self._inbox.clear()
            self._waiting.clear()
            self._answers = Answers(self._cell.id)
            self._rules = rules_of(self._site, self._cell, self._bins, memory, self._tolerances)
            self._health.begin(self._buffer.epoch, len(self._buffer.waiting()))
            async with asyncio.TaskGroup() as group:
                group.create_task(self._uplink.run(self._health.offline), name=f"{self.name}.uplink")
                group.create_task(self._work(), name=f"{self.name}.rules")
                for device, hand in self._hands.items():
                    group.create_task(hand.run(), name=f"{self.name}.{device}.hand")
                for device, driver in self._drivers.items():
                    group.create_task(driver.run(), name=f"{self.name}.{device}")
        finally:
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()
            self._health.close()
            self._uplink.ready.clear()
            await self._buffer.close()

    # --------------------------------------------------------------------------------------------------- what comes in

    def _hear(self, roles: Mapping[DeviceId, str]) -> None:
        for device, driver in self._drivers.items():
            driver.on_state(partial(self._device_state, device))
            match roles[device]:
                case "scanner":
                    cast("Scanner", driver).on_scan(partial(self._scanned, device))
                case "panel" | "line" | "door" | "lift":
                    cast("Plc", driver).on_change(partial(self._changed, device))
                case _:
                    pass

    def _device_state(self, device: DeviceId, state: DeviceState) -> None:
        self._hands[device].heard(state)
        self._health.device(device, state)
        self._put(QualityChanged(device, state.quality, state.text))

    def _scanned(self, device: DeviceId, scan: Scan) -> None:
        self._put(Scanned(device, scan.code, scan.at_ms))

    def _changed(self, device: DeviceId, values: dict[str, TagValue], at_ms: int) -> None:
        self._put(Changed(device, values, at_ms))

    def _alarm(self, device: DeviceId, state: DeviceState) -> None:
        raised = state.quality is not Quality.GOOD
        self._put(_Told(DeviceAlarm(device=device, raised=raised, text=state.text)))

    def _elapsed(self, key: str) -> None:
        self._timers.pop(key, None)
        self._put(Elapsed(key))

    def _take(self, command: EdgeCommand) -> None:
        if command.id in self._waiting:
            return  # its answer is on the way
        self._waiting.add(command.id)
        self._put(command)

    def _put(self, said: "_Said") -> None:
        if len(self._inbox) >= _INBOX:
            if isinstance(said, EdgeCommand):
                self._waiting.discard(said.id)  # it is sent again
            _log.error("cell does not follow", cell=self._cell.id, dropped=type(said).__name__, waiting=_INBOX)
            return
        self._inbox.append(said)
        self._awake.set()

    def _acknowledged(self) -> None:
        waiting = len(self._buffer.waiting())
        self._health.buffered(waiting)
        self._room.set()
        if self._filling and waiting < _FILLING / 2 * self._settings.buffer_limit:
            self._filling = False
            self._put(_Told(DeviceAlarm(DeviceId(self._cell.id), False, "event buffer has room again")))

    # -------------------------------------------------------------------------------------------------- what follows

    async def _work(self) -> None:
        while True:
            await self._awake.wait()
            self._awake.clear()
            while self._inbox:
                await self._batch()

    async def _batch(self) -> None:
        """Take what has come; make what follows durable in one transaction; then say and do it."""
        batch = _Batch()
        while self._inbox and len(batch.drafts) < _DRAFTS:
            said = self._inbox.popleft()
            now_ms = self._clock.now_ms()
            if isinstance(said, EdgeCommand):
                self._command(said, now_ms, batch)
            elif isinstance(said, _Told):
                batch.drafts.append(Draft(now_ms, 0, said.body))
            else:
                at_ms: int = getattr(said, "at_ms", now_ms)
                uncertain_ms = _UNCERTAIN_MS if isinstance(said, Scanned | Changed) else 0
                batch.take(self._step(now_ms, said), at_ms, uncertain_ms)
        self._warn(batch)
        events = await self._commit(batch)
        if events:
            self._uplink.send()
        for answer in batch.answers:
            self._waiting.discard(answer.id)
            self._uplink.answer(answer)
        for effect in batch.effects:
            if isinstance(effect, After):
                if timer := self._timers.pop(effect.key, None):
                    timer.cancel()
                self._timers[effect.key] = self._clock.call_later(effect.seconds, partial(self._elapsed, effect.key))
            else:
                self._hands[effect.device].do(effect)
        if events:
            self._health.buffered(len(self._buffer.waiting()))

    def _command(self, command: EdgeCommand, now_ms: int, batch: "_Batch") -> None:
        answer = self._answers.known(command, now_ms)
        if answer is None:
            try:
                batch.take(self._step(now_ms, Commanded(command.body)), now_ms, 0)
                answer = self._answers.give(command, Outcome.ACCEPTED)
            except Rejected as e:
                _log.warning("command refused", cell=self._cell.id, id=command.id, reason=str(e))
                answer = self._answers.give(command, Outcome.REJECTED, str(e))
        batch.answers.append(answer)

    def _step(self, now_ms: int, said: Input) -> list[Effect]:
        if self._rules is None:
            raise Broken(f"{self.name} has no rules yet")
        return self._rules.step(now_ms, said)

    def _warn(self, batch: "_Batch") -> None:
        """Alarm a buffer that fills, while there is still room for the alarm."""
        share = (len(self._buffer.waiting()) + len(batch.drafts)) / self._settings.buffer_limit
        if share >= _FILLING and not self._filling:
            self._filling = True
            text = f"event buffer is {share:.0%} full: nobody acknowledges; at 100 % this cell stops"
            batch.drafts.append(Draft(self._clock.now_ms(), 0, DeviceAlarm(DeviceId(self._cell.id), True, text)))

    async def _commit(self, batch: "_Batch") -> list[EdgeEvent]:
        if not batch.drafts and not batch.changes:
            return []
        while True:
            self._room.clear()
            try:
                return await self._buffer.commit(batch.drafts, batch.changes)
            except Unavailable as e:
                _log.error("cell stands", cell=self._cell.id, reason=str(e))
                await self._room.wait()


class _Told(msgspec.Struct, frozen=True):
    """An event that no rule made."""

    body: DeviceAlarm


_Said = Input | EdgeCommand | _Told


class _Batch:
    """What follows from several inputs."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.changes: list[Remember | Forget] = []
        self.effects: list[Task | After] = []
        self.answers: list[EdgeAnswer] = []

    def take(self, effects: Sequence[Effect], at_ms: int, uncertainty_ms: int) -> None:
        for effect in effects:
            match effect:
                case Emit(body=body):
                    self.drafts.append(Draft(at_ms, uncertainty_ms, body))
                case Remember() | Forget():
                    self.changes.append(effect)
                case _:
                    self.effects.append(effect)
