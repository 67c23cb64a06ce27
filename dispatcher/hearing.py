"""What comes from the bus, as facts: a message that cannot be read is kept and counted, and stops nothing."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec
import structlog

from contracts import topics
from contracts.codec import decode
from contracts.errors import Rejected
from contracts.ids import RobotId, SiteId, TaskId
from contracts.messages import facts as told
from contracts.messages.floor import CellState, EdgeAnswer, EdgeEvent, StopState
from contracts.messages.ops import Unreadable
from contracts.messages.work import Work
from contracts.runtime.clock import Clock
from contracts.runtime.floor import Floor
from contracts.runtime.log import Log
from contracts.vda5050 import factsheet3, translation, v2, v3
from contracts.vda5050 import topics as vda
from contracts.vda5050.factsheet import Factsheet
from contracts.vda5050.header import has_zone
from contracts.vda5050.reading import read, read_with_deviation
from dispatcher.facts import (
    AckHeard,
    AnswerHeard,
    CellHeard,
    EventHeard,
    Fact,
    StopHeard,
    TransportUp,
    WorkClosed,
    WorkOpened,
)
from dispatcher.fleet.dialect import read_connection, read_factsheet, read_factsheet3, read_state, read_state3
from dispatcher.views import Place

T = TypeVar("T")
Names = Mapping[tuple[str, str], RobotId]
M = TypeVar("M", v2.State, v3.State, v2.Connection, v2.Visualization, Factsheet, factsheet3.Factsheet)
_log = structlog.get_logger("dispatcher")
_KEPT = 100
"""Unreadable messages that are kept to look at."""
_SHOWN_BYTES = 600
"""So much of the payload of each."""


class Ear:
    """Reads messages and passes them on as facts.

    Parameters
    ----------
    site
        Whose messages.
    clock
        Floor time.
    hear
        Where facts go.
    names
        Returns the robots known, by manufacturer and serial number.
    """

    def __init__(self, site: SiteId, clock: Clock, hear: Callable[[Fact], None], names: Callable[[], Names]) -> None:
        self.unreadable: deque[Unreadable] = deque(maxlen=_KEPT)
        """Messages that could not be read, the newest last."""
        self.unread = 0
        """How many there were."""
        self.deviations: dict[str, dict[str, int]] = {}
        """What had to be mended in states, by manufacturer."""
        self.places: dict[RobotId, Place] = {}
        """Where robots are between two states."""
        self.hear = hear
        self._site, self._clock, self._names = site, clock, names

    async def subscribe(self, floor: Floor, log: Log, *, poses: bool) -> None:
        """Listen to robots and edges, and to what central acknowledges; `poses`: to where robots are in between too."""
        site = self._site
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
        if poses:
            await floor.subscribe(vda.pattern(vda.VISUALIZATION, major=vda.MAJOR), self._on_visualization)
            await floor.subscribe(vda.pattern(vda.VISUALIZATION, major=v3.MAJOR), self._on_visualization)
        floor.on_connect(lambda: self.hear(TransportUp("floor")))
        await log.hear(topics.facts_ack(site), self._on_ack)
        log.on_connect(lambda: self.hear(TransportUp("log")))

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
            name = self._names().get((message.manufacturer, message.serial_number))
            if name is not None:
                self.places[name] = (at.x, at.y, at.theta)

    def _on_ack(self, subject: str, payload: bytes) -> None:
        try:
            self.hear(AckHeard(decode(payload, told.FactsAck)))
        except Rejected as error:
            self._keep(subject, payload, error)

    async def follow_work(self, log: Log) -> None:
        """Hear of central's work, from what is open now on."""
        async for entry in log.follow(topics.work_key(self._site), latest=True):
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
        self.unread += 1
        text = payload[:_SHOWN_BYTES].decode(errors="replace").replace("\x00", "\ufffd")
        self.unreadable.append(Unreadable(topic, text, str(error), self._clock.now_ms()))
        _log.warning("unreadable message", topic=topic, error=str(error))
