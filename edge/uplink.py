"""A cell's line to the floor bus: events until they are acknowledged, its retained state with a last will, commands."""

import asyncio
from collections.abc import Callable

from contracts import topics
from contracts.codec import decode, encode
from contracts.errors import Rejected, Unavailable
from contracts.ids import CellId, SiteId
from contracts.messages.floor import CellState, EdgeAnswer, EdgeCommand, EventAck
from contracts.runtime.clock import Clock
from contracts.runtime.floor import Floor, FloorConnector, Will
from contracts.runtime.logging import get_log
from edge.buffer import Buffer, Number

_log = get_log("edge")
_IN_FLIGHT = 1000
_FIRST_BACK_OFF_S, _LAST_BACK_OFF_S = 0.5, 15.0


class Uplink:
    """One cell's client of the floor bus.

    Parameters
    ----------
    site, cell
        Who speaks.
    floor, clock, buffer
        Bus, time, and the events.
    on_command
        Called with each command; must not block.
    on_ack
        Called after events were acknowledged.
    resend_s
        An event that is not acknowledged is sent again after this time, and after each reconnect.
    """

    def __init__(
        self,
        site: SiteId,
        cell: CellId,
        floor: FloorConnector,
        clock: Clock,
        buffer: Buffer,
        on_command: Callable[[EdgeCommand], None],
        on_ack: Callable[[], None],
        *,
        resend_s: float = 15.0,
    ) -> None:
        self.ready = asyncio.Event()
        self._site, self._cell = site, cell
        self._connector, self._clock, self._buffer = floor, clock, buffer
        self._on_command, self._on_ack, self._resend_s = on_command, on_ack, resend_s
        self._floor: Floor | None = None
        self._state: CellState | None = None
        self._sent_ms: dict[Number, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, will: Callable[[], CellState]) -> None:
        """Connect, however long it takes, and stay until cancelled; then say that the cell is gone."""
        back_off_s = _FIRST_BACK_OFF_S
        topic = topics.cell_state(self._site, self._cell)
        while True:
            try:
                floor = await self._connector.connect(f"edge-{self._cell}", will=Will(topic, encode(will())))
                break
            except Unavailable as e:
                _log.warning("floor bus away", cell=self._cell, reason=str(e), again_s=back_off_s)
                await self._clock.sleep(back_off_s)
                back_off_s = min(_LAST_BACK_OFF_S, back_off_s * 2)
        self._floor = floor
        try:
            await floor.subscribe(topics.cell_ack(self._site, self._cell), self._acknowledged, qos=1)
            await floor.subscribe(topics.cell_command(self._site, self._cell), self._commanded, qos=1)
            floor.on_connect(self._connected)
            self.ready.set()
            await asyncio.get_running_loop().create_future()
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._floor = None
            floor.send(topic, encode(will()), qos=1, retain=True)
            await floor.close()

    def send(self) -> None:
        """Send what was not sent yet, in order, a thousand in flight at most; without a connection it waits."""
        if self._floor is not None and self._floor.connected:
            now_ms, room = self._clock.now_ms(), _IN_FLIGHT - len(self._sent_ms)
            topic = topics.cell_event(self._site, self._cell)
            for number, payload in self._buffer.waiting().items():
                if room <= 0:
                    break
                if number not in self._sent_ms:
                    room -= 1
                    self._sent_ms[number] = now_ms
                    self._floor.send(topic, payload, qos=1)
        self._watch()

    def say(self, state: CellState) -> None:
        """Publish the cell's state, now and after each reconnect."""
        self._state = state
        if self._floor is not None and self._floor.connected:
            self._floor.send(topics.cell_state(self._site, self._cell), encode(state), qos=1, retain=True)

    def answer(self, answer: EdgeAnswer) -> None:
        """Answer a command; a lost answer is asked for again."""
        if self._floor is not None:
            self._floor.send(topics.cell_answer(self._site, self._cell), encode(answer), qos=1)

    def _connected(self) -> None:
        if self._state is not None:
            self.say(self._state)
        self._sent_ms.clear()
        self.send()

    def _acknowledged(self, topic: str, payload: bytes) -> None:
        try:
            ack = decode(payload, EventAck)
        except Rejected as e:
            _log.warning("unreadable acknowledgement", topic=topic, reason=str(e))
            return
        numbers = [(epoch, seq) for epoch, seq in ack.events]
        self._buffer.forget(numbers)
        for number in numbers:
            self._sent_ms.pop(number, None)
        if not self._buffer.waiting() and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        elif len(self._sent_ms) <= _IN_FLIGHT // 2 and len(self._buffer.waiting()) > len(self._sent_ms):
            self.send()
        self._on_ack()

    def _commanded(self, topic: str, payload: bytes) -> None:
        try:
            command = decode(payload, EdgeCommand)
        except Rejected as e:
            _log.warning("unreadable command", topic=topic, reason=str(e))
            return
        self._on_command(command)

    def _watch(self) -> None:
        if self._timer is None and self._buffer.waiting():
            self._timer = self._clock.call_later(self._resend_s, self._again)

    def _again(self) -> None:
        self._timer = None
        due_ms = self._clock.now_ms() - round(self._resend_s * 1000)
        self._sent_ms = {n: at_ms for n, at_ms in self._sent_ms.items() if at_ms > due_ms}
        self.send()
