"""What goes to the bus: what the core commands, in each robot's version of the protocol, and the facts for central."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from contracts import topics
from contracts.codec import decode, encode
from contracts.errors import Rejected, Unavailable
from contracts.ids import SiteId
from contracts.messages import facts as told
from contracts.messages.ops import OpsAnswer, OpsCommand
from contracts.runtime.floor import Floor
from contracts.runtime.log import Log
from contracts.vda5050 import topics as vda
from contracts.vda5050 import translation, v3
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
from dispatcher.facts import Fact, OpsAsked

_log = structlog.get_logger("dispatcher")
_TOLD_AT_ONCE = 10_000
"""Facts that wait for the log at most; more are dropped here, and sent again by the outbox."""
_OPS_S = 5.0


class Mouth:
    """Carries out commands: sends them on the floor, appends them to the log, or answers who asked.

    Parameters
    ----------
    site
        Whose floor.
    log
        Where facts for central go.
    hear
        Where an operator's commands go.
    """

    def __init__(self, site: SiteId, log: Log, hear: Callable[[Fact], None]) -> None:
        self.floor: Floor
        """Where robots and edges are spoken to; set before the first command."""
        self._site, self._log, self._hear = site, log, hear
        self._to_tell: asyncio.Queue[told.Fact] = asyncio.Queue(_TOLD_AT_ONCE)
        self._asked: dict[str, asyncio.Future[OpsAnswer]] = {}
        self._topics: dict[tuple[str, str, str, str], str] = {}

    def do(self, command: Command) -> None:
        """Carry out one command."""
        _DO[type(command)](self, command)

    def hush(self) -> None:
        """Leave without an answer who still waits for one."""
        for asked in self._asked.values():
            asked.cancel()

    async def answer(self, payload: bytes) -> bytes:
        """Let the core carry out an operator's command, and return its answer."""
        try:
            command = decode(payload, OpsCommand)
        except Rejected as error:
            return encode(OpsAnswer(id="", done=False, reason=str(error)))
        asked = self._asked[command.id] = asyncio.get_running_loop().create_future()
        self._hear(OpsAsked(command))
        try:
            return encode(await asyncio.wait_for(asked, _OPS_S))
        except TimeoutError:
            return encode(OpsAnswer(id=command.id, done=False, reason="The dispatcher is too busy; try again."))
        finally:
            self._asked.pop(command.id, None)

    def _send_order(self, command: SendOrder) -> None:
        order = command.order
        if order.version == v3.VERSION:
            topic = self._topic(order.manufacturer, order.serial_number, vda.ORDER, v3.MAJOR)
            self.floor.send(topic, encode(translation.order_to_3(order)))
            return
        self.floor.send(self._topic(order.manufacturer, order.serial_number, vda.ORDER), encode(order))

    def _send_instant_actions(self, command: SendInstantActions) -> None:
        message = command.message
        if message.version == v3.VERSION:
            topic = self._topic(message.manufacturer, message.serial_number, vda.INSTANT_ACTIONS, v3.MAJOR)
            self.floor.send(topic, encode(translation.instant_to_3(message)))
            return
        topic = self._topic(message.manufacturer, message.serial_number, vda.INSTANT_ACTIONS)
        self.floor.send(topic, encode(message))

    def _send_responses(self, command: SendResponses) -> None:
        message = command.message
        topic = self._topic(message.manufacturer, message.serial_number, vda.RESPONSES, v3.MAJOR)
        self.floor.send(topic, encode(message))

    def _send_zone_set(self, command: SendZoneSet) -> None:
        message = command.message
        topic = self._topic(message.manufacturer, message.serial_number, vda.ZONE_SET, v3.MAJOR)
        self.floor.send(topic, encode(message))

    def _send_edge_command(self, command: SendEdgeCommand) -> None:
        topic = topics.cell_command(self._site, command.command.cell)
        self.floor.send(topic, encode(command.command), qos=1)

    def _ack_events(self, command: AckEvents) -> None:
        self.floor.send(topics.cell_ack(self._site, command.ack.cell), encode(command.ack), qos=1)

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

    async def tell(self) -> None:
        """Append facts to the log in order; one that is not taken comes again from the outbox."""
        subject = topics.facts_subject(self._site)
        while True:
            fact = await self._to_tell.get()
            try:
                await self._log.append(subject, encode(fact))
            except Unavailable as error:
                _log.warning("fact not taken, will be sent again", seq=fact.seq, error=str(error))


_DO: dict[type[Command], Callable[[Mouth, Any], None]] = {
    SendOrder: Mouth._send_order,  # noqa: SLF001 - the table belongs to the class
    SendInstantActions: Mouth._send_instant_actions,  # noqa: SLF001
    SendResponses: Mouth._send_responses,  # noqa: SLF001
    SendZoneSet: Mouth._send_zone_set,  # noqa: SLF001
    SendEdgeCommand: Mouth._send_edge_command,  # noqa: SLF001
    AckEvents: Mouth._ack_events,  # noqa: SLF001
    TellCentral: Mouth._tell_central,  # noqa: SLF001
    AnswerOps: Mouth._answer_ops,  # noqa: SLF001
}
