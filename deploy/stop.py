"""Stop every robot of a site with nothing but the broker: central, dispatcher and database may all be dead.

This is NOT a safety function: it is a request over a network that may be down, to robots that may not listen. People
are kept safe by the robots' own scanners and by emergency stop buttons.
"""

import asyncio
import contextlib

import msgspec

from contracts import topics
from contracts.codec import encode
from contracts.errors import Rejected
from contracts.ids import SiteId
from contracts.messages.floor import StopState
from contracts.runtime.clock import Clock
from contracts.runtime.floor import Floor, FloorConnector
from contracts.vda5050 import topics as vda
from contracts.vda5050.reading import read
from contracts.vda5050.v2 import Action, ActionStatus, BlockingType, InstantActions, State, timestamp

NOT_A_SAFETY_FUNCTION = (
    "This is not a safety function: it asks robots over a network. Where people are in danger, use the emergency stop."
)

_NAMES_S = 3.0
_CONSOLE_PATIENCE_S = 2.0
"""Whoever has not answered by then is named; somebody waits at the console."""


class Outcome(msgspec.Struct, frozen=True):
    """Who was asked and who did it; robots as ``manufacturer/serial``."""

    asked: tuple[str, ...]
    confirmed: tuple[str, ...]
    """Those whose own state says so."""

    @property
    def silent(self) -> tuple[str, ...]:
        """Those that have not said that they did it."""
        return tuple(r for r in self.asked if r not in self.confirmed)


class FleetStop:
    """Asks all robots that a broker knows to pause, or to go on.

    Parameters
    ----------
    floor
        A client of the broker.
    clock
        For times on the wire.
    site
        Whose stop state is kept on the broker, for whoever starts later.
    pause
        True: stop; False: go on.
    """

    def __init__(self, floor: Floor, clock: Clock, site: SiteId, *, pause: bool) -> None:
        self._floor = floor
        self._clock = clock
        self._site = site
        self._pause = pause
        self._action = f"stop-{clock.now_ms():x}" if pause else f"resume-{clock.now_ms():x}"
        self._asked: dict[str, vda.Address] = {}
        self._confirmed: set[str] = set()
        self._another = asyncio.Event()
        self._news = asyncio.Event()

    async def run(self, who: str, reason: str, *, settle_s: float = 0.5, patience_s: float = 5.0) -> Outcome:
        """Ask each robot as soon as the broker names it, keep the stop state there, and wait for the robots' own word.

        Parameters
        ----------
        who, reason
            Kept with the stop state.
        settle_s
            No robot named for so long: the broker has named all.
        patience_s
            How long to wait for the last confirmation; a silent robot is asked again every second.
        """
        for name in (vda.CONNECTION, vda.STATE):
            handler = self._named if name == vda.CONNECTION else self._said
            await self._floor.subscribe(vda.pattern(name), handler, qos=vda.QOS[name])
        state = StopState(self._pause, who, reason, self._clock.now_ms())
        await self._floor.publish(topics.stop(self._site), encode(state), retain=True)
        with contextlib.suppress(TimeoutError):  # names that come later than this are asked all the same
            async with asyncio.timeout(_NAMES_S):
                while await self._hears_more(settle_s):
                    pass
        for _ in range(max(1, round(patience_s))):
            missing = [r for r in sorted(self._asked) if r not in self._confirmed]
            if not missing or not await self._all_confirm(1.0):
                for robot in (r for r in missing if r not in self._confirmed):
                    self._ask(self._asked[robot])
            if len(self._confirmed) == len(self._asked):
                break
        return Outcome(tuple(sorted(self._asked)), tuple(sorted(self._confirmed)))

    def _named(self, topic: str, payload: bytes) -> None:
        if not payload:
            return
        address = vda.parse(topic)
        robot = f"{address.manufacturer}/{address.serial}"
        if robot not in self._asked:
            self._asked[robot] = address
            self._ask(address)
            self._another.set()

    def _said(self, topic: str, payload: bytes) -> None:
        address = vda.parse(topic)
        robot = f"{address.manufacturer}/{address.serial}"
        try:
            state = read(payload, State)
        except Rejected:
            return
        if robot not in self._asked:
            self._asked[robot] = address
            self._ask(address)
            self._another.set()
        ours = [a for a in state.action_states if a.action_id == self._action]
        if bool(state.paused) is self._pause or any(a.action_status == ActionStatus.FINISHED for a in ours):
            self._confirmed.add(robot)
        self._news.set()

    def _ask(self, address: vda.Address) -> None:
        action = Action(
            action_id=self._action,
            action_type="startPause" if self._pause else "stopPause",
            blocking_type=str(BlockingType.HARD),
        )
        message = InstantActions(
            header_id=1,
            timestamp=timestamp(self._clock.now_ms()),
            manufacturer=address.manufacturer,
            serial_number=address.serial,
            actions=(action,),
        )
        topic = vda.topic(address.manufacturer, address.serial, vda.INSTANT_ACTIONS, address.interface, address.major)
        self._floor.send(topic, encode(message))

    async def _hears_more(self, within_s: float) -> bool:
        self._another.clear()
        try:
            async with asyncio.timeout(within_s):
                await self._another.wait()
        except TimeoutError:
            return False
        return True

    async def _all_confirm(self, within_s: float) -> bool:
        try:
            async with asyncio.timeout(within_s):
                while len(self._confirmed) < len(self._asked):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True


class BrokerHalt:
    """Central's way to stop the fleet: the same, over a connection that is made for it.

    Parameters
    ----------
    broker
        Makes clients of the broker.
    site, clock
        As of `FleetStop`.
    """

    def __init__(self, broker: FloorConnector, site: SiteId, clock: Clock) -> None:
        self._broker = broker
        self._site = site
        self._clock = clock

    async def __call__(self, who: str, reason: str, *, pause: bool) -> tuple[int, tuple[str, ...]]:
        """Stop or resume; see `central.fleet.halt.Halt`.

        Raises
        ------
        Unavailable
            The broker is not reached.
        """
        floor = await self._broker.connect(f"floorplane-halt-{self._clock.now_ms():x}")
        try:
            outcome = await FleetStop(floor, self._clock, self._site, pause=pause).run(
                who, reason, patience_s=_CONSOLE_PATIENCE_S
            )
        finally:
            await floor.close()
        return len(outcome.asked), outcome.silent
