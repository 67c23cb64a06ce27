"""The shell: what comes from the bus becomes facts, what the core commands goes to the bus, all of it recorded."""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import structlog

from contracts import topics
from contracts.codec import decode, encode
from contracts.errors import Rejected, Unavailable
from contracts.ids import RobotId, TaskId
from contracts.messages import facts as told
from contracts.messages.floor import CellState, EdgeAnswer, EdgeEvent, StopState
from contracts.messages.ops import OpsAnswer, OpsCommand, Unreadable
from contracts.messages.work import Work
from contracts.runtime.clock import Clock
from contracts.runtime.floor import Floor, FloorConnector
from contracts.runtime.log import Log
from contracts.site import Site
from contracts.vda5050 import factsheet3, translation, v2, v3
from contracts.vda5050 import topics as vda
from contracts.vda5050.factsheet import Factsheet
from contracts.vda5050.header import has_zone
from contracts.vda5050.reading import read, read_with_deviation
from dispatcher import views
from dispatcher.commands import (
    AckEvents,
    AnswerOps,
    Command,
    SendEdgeCommand,
    SendInstantActions,
    SendOrder,
    SendResponses,
    SendZoneSet,
    TellCentral,
)
from dispatcher.core import Core
from dispatcher.facts import (
    AckHeard,
    AnswerHeard,
    CellHeard,
    EventHeard,
    Fact,
    OpsAsked,
    StopHeard,
    Timer,
    TookOver,
    TransportUp,
    WorkClosed,
    WorkOpened,
)
from dispatcher.fleet.dialect import read_connection, read_factsheet, read_factsheet3, read_state, read_state3
from dispatcher.follower import Follower
from dispatcher.journal import Journal, resume
from dispatcher.lead import Lead
from dispatcher.settings import DispatcherSettings

T = TypeVar("T")
M = TypeVar("M", v2.State, v3.State, v2.Connection, v2.Visualization, Factsheet, factsheet3.Factsheet)
_log = structlog.get_logger("dispatcher")
_FSYNC_S = 0.1
_TOLD_AT_ONCE = 10_000
"""Facts that wait for the log at most; more are dropped here, and sent again by the outbox."""
_KEPT = 100
"""Unreadable messages that are kept to look at."""
_SHOWN = 10
"""Of them so many are shown in the fleet's view,"""
_SHOWN_BYTES = 600
"""each with so much of its payload."""
_OPS_S = 5.0
_FOLDED = 100
"""Steps that who stands by folds at a time."""
_VIEWED = 20
"""Robots are described for the view so many at a time, between other things."""


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
        self.unreadable: deque[Unreadable] = deque(maxlen=_KEPT)
        """Messages that could not be read, the newest last."""
        self.deviations: dict[str, dict[str, int]] = {}
        """What had to be mended in states, by manufacturer."""
        self.counts = {"facts": 0, "commands": 0, "steps": 0, "unreadable": 0}
        self._settings = settings
        self._site = site
        self._connector = floor
        self._log = log
        self._clock = clock
        self._floor: Floor
        self._heard: list[Fact] = []
        self._turn_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms: int | None = None
        self._to_tell: asyncio.Queue[told.Fact] = asyncio.Queue(_TOLD_AT_ONCE)
        self._asked: dict[str, asyncio.Future[OpsAnswer]] = {}
        self._places: dict[RobotId, views.Place] = {}
        self._topics: dict[tuple[str, str, str, str], str] = {}
        self._broken: asyncio.Future[None] | None = None
        self._lead: Lead | None = None

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
        self._floor = await self._connector.connect(self._settings.client_id)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._raise_broken(), name="dispatcher.broken")
                if self._lead is not None:
                    group.create_task(self._lead.hold(), name="dispatcher.lead")
                group.create_task(self._tell(), name="dispatcher.tell")
                if self._settings.fsync and self._settings.journal is not None:
                    group.create_task(self._sync(), name="dispatcher.sync")
                await self._subscribe()
                group.create_task(self._follow_work(), name="dispatcher.work")
                if self._settings.publish_views:
                    group.create_task(self._say_views(), name="dispatcher.views")
                    group.create_task(self._say_poses(), name="dispatcher.poses")
                self.ready.set()
        finally:
            self.ready.clear()
            if self._timer is not None:
                self._timer.cancel()
            for asked in self._asked.values():
                asked.cancel()
            try:
                # where a step failed half-way is no place to rest, nor where another dispatcher goes on
                failed = self._broken is not None and self._broken.done() and not self._broken.cancelled()
                if not failed and (self._lead is None or self._lead.holds):
                    self.journal.rest(self.core)
            finally:
                self.journal.close()
                await self._floor.close()

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
            _DO[type(command)](self, command)
        counts = self.counts
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

    # ------------------------------------------------------------------------------------------------------- hearing

    async def _subscribe(self) -> None:
        floor, site = self._floor, self._site.id
        await floor.subscribe(topics.stop(site), self._reads(StopState, StopHeard), qos=1)
        await floor.subscribe(topics.cell_state(site), self._reads(CellState, CellHeard), qos=1)
        await floor.subscribe(topics.cell_event(site), self._reads(EdgeEvent, EventHeard), qos=1)
        await floor.subscribe(topics.cell_answer(site), self._reads(EdgeAnswer, AnswerHeard), qos=1)
        await floor.subscribe(vda.pattern(vda.CONNECTION, major=vda.MAJOR), self._on_connection, qos=1)
        await floor.subscribe(vda.pattern(vda.FACTSHEET, major=vda.MAJOR), self._on_factsheet)
        await floor.subscribe(vda.pattern(vda.STATE, major=vda.MAJOR), self._on_state)
        await floor.subscribe(vda.pattern(vda.CONNECTION, major=v3.MAJOR), self._on_connection, qos=1)
        await floor.subscribe(vda.pattern(vda.FACTSHEET, major=v3.MAJOR), self._on_factsheet3)
        await floor.subscribe(vda.pattern(vda.STATE, major=v3.MAJOR), self._on_state3)
        if self._settings.publish_views:
            await floor.subscribe(vda.pattern(vda.VISUALIZATION, major=vda.MAJOR), self._on_visualization)
            await floor.subscribe(vda.pattern(vda.VISUALIZATION, major=v3.MAJOR), self._on_visualization)
        floor.on_connect(lambda: self.hear(TransportUp("floor")))
        await self._log.hear(topics.facts_ack(site), self._on_ack)
        await self._log.serve(topics.ops_subject(site), self._on_ops)
        self._log.on_connect(lambda: self.hear(TransportUp("log")))

    def _reads(self, kind: type[T], fact: Callable[[T], Fact]) -> Callable[[str, bytes], None]:
        def handler(topic: str, payload: bytes) -> None:
            try:
                message = decode(payload, kind)
            except Rejected as error:
                self._keep(topic, payload, error)
                return
            self.hear(fact(message))

        return handler

    def _on_state(self, topic: str, payload: bytes) -> None:
        try:
            state, deviation = read_with_deviation(payload, v2.State)
            state = self._addressed(topic, state)
            if deviation or not state.timestamp.endswith("Z"):
                self._deviates(state, deviation)
            self.hear(read_state(state))
        except Rejected as error:
            self._keep(topic, payload, error)

    def _on_state3(self, topic: str, payload: bytes) -> None:
        try:
            said, deviation = read_with_deviation(payload, v3.State)
            said = self._addressed(topic, said)
            if deviation or not said.timestamp.endswith("Z"):
                self._deviates(said, deviation)
            self.hear(read_state3(said))
        except Rejected as error:
            self._keep(topic, payload, error)

    def _deviates(self, state: v2.State | v3.State, deviation: str) -> None:
        """Count by manufacturer what had to be mended."""
        for how in (deviation, "" if has_zone(state.timestamp) else "a timestamp without a zone"):
            if how:
                self._count(state.manufacturer, how)

    def _count(self, manufacturer: str, how: str) -> None:
        seen = self.deviations.setdefault(manufacturer, {})
        if how in seen or len(seen) < _KEPT:
            seen[how] = seen.get(how, 0) + 1

    def _addressed(self, topic: str, said: M) -> M:
        """Return a message as of whom its topic names: nobody speaks for another robot."""
        _, manufacturer, serial, _ = topic.rsplit("/", 3)
        if not manufacturer or not serial:
            raise Rejected("topic", topic, "one that names a manufacturer and a serial number")
        if said.manufacturer == manufacturer and said.serial_number == serial:
            return said
        self._count(manufacturer, "another manufacturer or serialNumber than its topic's")
        return msgspec.structs.replace(said, manufacturer=manufacturer, serial_number=serial)

    def _on_connection(self, topic: str, payload: bytes) -> None:
        try:
            said = read(payload, v2.Connection)  # the same in both versions but for two of its values
            self.hear(read_connection(self._addressed(topic, said)))
        except Rejected as error:
            self._keep(topic, payload, error)

    def _on_factsheet(self, topic: str, payload: bytes) -> None:
        try:
            self.hear(read_factsheet(self._addressed(topic, read(payload, Factsheet))))
        except Rejected as error:
            self._keep(topic, payload, error)

    def _on_factsheet3(self, topic: str, payload: bytes) -> None:
        try:
            self.hear(read_factsheet3(self._addressed(topic, read(payload, factsheet3.Factsheet))))
        except Rejected as error:
            self._keep(topic, payload, error)

    def _on_visualization(self, topic: str, payload: bytes) -> None:
        try:
            if topic.split("/", 2)[1] == v3.MAJOR:
                message = translation.visualization_to_2(read(payload, v3.Visualization))
            else:
                message = read(payload, v2.Visualization)
            message = self._addressed(topic, message)
        except Rejected as error:
            self._keep(topic, payload, error)
            return
        if message.agv_position is not None:
            at = message.agv_position
            name = self.core.world.names.get((message.manufacturer, message.serial_number))
            if name is not None:
                self._places[name] = (at.x, at.y, at.theta)

    def _on_ack(self, subject: str, payload: bytes) -> None:
        try:
            self.hear(AckHeard(decode(payload, told.FactsAck)))
        except Rejected as error:
            self._keep(subject, payload, error)

    async def _on_ops(self, payload: bytes) -> bytes:
        try:
            command = decode(payload, OpsCommand)
        except Rejected as error:
            return encode(OpsAnswer(id="", done=False, reason=str(error)))
        asked = self._asked[command.id] = asyncio.get_running_loop().create_future()
        self.hear(OpsAsked(command))
        try:
            return encode(await asyncio.wait_for(asked, _OPS_S))
        except TimeoutError:
            return encode(OpsAnswer(id=command.id, done=False, reason="The dispatcher is too busy; try again."))
        finally:
            self._asked.pop(command.id, None)

    async def _follow_work(self) -> None:
        async for entry in self._log.follow(topics.work_key(self._site.id), latest=True):
            if not entry.payload:
                self.hear(WorkClosed(TaskId(entry.subject.rpartition(".")[2])))
                continue
            try:
                work: Work = decode(entry.payload, Work)  # type: ignore[arg-type]  # a union of tagged types
            except Rejected as error:
                self._keep(entry.subject, entry.payload, error)
                continue
            self.hear(WorkOpened(work))

    def _keep(self, topic: str, payload: bytes, error: Rejected) -> None:
        """Keep a message that cannot be read, and go on."""
        self.counts["unreadable"] += 1
        text = payload[:_SHOWN_BYTES].decode(errors="replace").replace("\x00", "\ufffd")
        self.unreadable.append(Unreadable(topic, text, str(error), self._clock.now_ms()))
        _log.warning("unreadable message", topic=topic, error=str(error))

    # -------------------------------------------------------------------------------------------------------- doing

    def _send_order(self, command: SendOrder) -> None:
        order = command.order
        if order.version == v3.VERSION:
            topic = self._topic(order.manufacturer, order.serial_number, vda.ORDER, v3.MAJOR)
            self._floor.send(topic, encode(translation.order_to_3(order)))
            return
        self._floor.send(self._topic(order.manufacturer, order.serial_number, vda.ORDER), encode(order))

    def _send_instant_actions(self, command: SendInstantActions) -> None:
        message = command.message
        if message.version == v3.VERSION:
            topic = self._topic(message.manufacturer, message.serial_number, vda.INSTANT_ACTIONS, v3.MAJOR)
            self._floor.send(topic, encode(translation.instant_to_3(message)))
            return
        topic = self._topic(message.manufacturer, message.serial_number, vda.INSTANT_ACTIONS)
        self._floor.send(topic, encode(message))

    def _send_responses(self, command: SendResponses) -> None:
        message = command.message
        topic = self._topic(message.manufacturer, message.serial_number, vda.RESPONSES, v3.MAJOR)
        self._floor.send(topic, encode(message))

    def _send_zone_set(self, command: SendZoneSet) -> None:
        message = command.message
        topic = self._topic(message.manufacturer, message.serial_number, vda.ZONE_SET, v3.MAJOR)
        self._floor.send(topic, encode(message))

    def _send_edge_command(self, command: SendEdgeCommand) -> None:
        topic = topics.cell_command(self._site.id, command.command.cell)
        self._floor.send(topic, encode(command.command), qos=1)

    def _ack_events(self, command: AckEvents) -> None:
        self._floor.send(topics.cell_ack(self._site.id, command.ack.cell), encode(command.ack), qos=1)

    def _tell_central(self, command: TellCentral) -> None:
        if not self._to_tell.full():
            self._to_tell.put_nowait(command.fact)

    def _answer_ops(self, command: AnswerOps) -> None:
        asked = self._asked.get(command.answer.id)
        if asked is not None and not asked.done():
            asked.set_result(command.answer)

    def _topic(self, manufacturer: str, serial: str, name: str, major: str = vda.MAJOR) -> str:
        key = (manufacturer, serial, name, major)
        found = self._topics.get(key)
        if found is None:
            found = self._topics[key] = vda.topic(manufacturer, serial, name, major=major)
        return found

    async def _tell(self) -> None:
        """Append facts to the log in order; one that is not taken comes again from the outbox."""
        subject = topics.facts_subject(self._site.id)
        while True:
            fact = await self._to_tell.get()
            try:
                await self._log.append(subject, encode(fact))
            except Unavailable as error:
                _log.warning("fact not taken, will be sent again", seq=fact.seq, error=str(error))

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

    # -------------------------------------------------------------------------------------------------------- showing

    async def _say_views(self) -> None:
        subject = topics.fleet(self._site.id)
        while True:
            await self._clock.sleep(1 / self._settings.view_hz)
            robots = []
            for v in [*self.core.world.vehicles.values(), *self.core.world.strangers.values()]:
                robots.append(views.robot_view(self.core.world, v, self._clock.now_ms(), self._places))
                if len(robots) % _VIEWED == 0:
                    await asyncio.sleep(0)  # robots are not kept waiting by a large fleet's view
            newest = list(self.unreadable)[-_SHOWN:]
            view = views.fleet_view(
                self.core.world, self._clock.now_ms(), robots, self.deviations, newest, self.counts["unreadable"]
            )
            self._log.say(subject, encode(view))

    async def _say_poses(self) -> None:
        subject = topics.poses(self._site.id)
        while True:
            await self._clock.sleep(1 / self._settings.pose_hz)
            self._log.say(subject, views.pose_frame(self.core.world, self._clock.now_ms(), self._places))


_DO: dict[type[Command], Callable[[Dispatcher, Any], None]] = {
    SendOrder: Dispatcher._send_order,  # noqa: SLF001 - the table belongs to the class
    SendInstantActions: Dispatcher._send_instant_actions,  # noqa: SLF001
    SendResponses: Dispatcher._send_responses,  # noqa: SLF001
    SendZoneSet: Dispatcher._send_zone_set,  # noqa: SLF001
    SendEdgeCommand: Dispatcher._send_edge_command,  # noqa: SLF001
    AckEvents: Dispatcher._ack_events,  # noqa: SLF001
    TellCentral: Dispatcher._tell_central,  # noqa: SLF001
    AnswerOps: Dispatcher._answer_ops,  # noqa: SLF001
}
