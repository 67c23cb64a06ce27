"""The person at a chute: takes a tote, scans its label over the scale, closes it when the scale's light was on."""

import asyncio
import random

from contracts.runtime.clock import Clock
from simulators.catalogue import TOTE_WEIGHT_G
from simulators.line import LineTwin
from simulators.person import Attention, Person
from simulators.scale import ScaleTwin
from simulators.scanner import ScannerTwin
from simulators.world import Tote, World

_LIGHT_S = 3.0
_AGAIN_S = 10.0


class PackerTwin:
    """One packer at one chute.

    A reading that nobody took (no beep, no light of the scale) is repeated. When the scanner is connected anew, the
    tote that was last closed is scanned once more, for its reading may have been lost with the terminal.
    """

    def __init__(
        self,
        chute: int,
        world: World,
        line: LineTwin,
        scanner: ScannerTwin,
        scale: ScaleTwin,
        clock: Clock,
        rng: random.Random,
        pace: float,
    ) -> None:
        self._chute, self._world, self._line = chute, world, line
        self._scanner, self._scale, self._clock = scanner, scale, clock
        self._person = Person(clock, rng, pace)
        self._look = Attention()
        self._weighed = False
        self._rejoined = False
        self._last: Tote | None = None
        self.hand: Tote | None = None
        """The tote that is being packed."""
        line.on_arrival(chute, self._look.call)
        scale.weighings.add(self._light)
        scanner.joined.add(self._joined)

    def set_pace(self, pace: float) -> None:
        """Work faster or slower from now on."""
        self._person.pace = pace

    def set_shift(self, shift: asyncio.Semaphore) -> None:
        """Share these people with other places from now on."""
        self._person.shift = shift

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            if self._rejoined and self._last is not None:
                await self._once_more(self._last)
            elif self._line.on_chute[self._chute]:
                await self._pack(self._line.take(self._chute))
            else:
                await self._look.wait()

    def _light(self, _: int) -> None:
        self._weighed = True
        self._look.call()

    def _joined(self, _: str) -> None:
        self._rejoined = True
        self._look.call()

    async def _pack(self, tote: Tote) -> None:
        self.hand = tote
        await self._person.spend(4.0)
        self._scale.load(TOTE_WEIGHT_G + sum(self._world.items[i].weight_g * n for i, n in tote.contents.items()))
        self._last = tote
        while True:
            await self._person.spend(1.0)
            self._weighed = self._rejoined = False
            if self._scanner.scan(tote.label) and await self._look.within(self._clock, _LIGHT_S, lambda: self._weighed):
                break
            await self._look.within(self._clock, _AGAIN_S, lambda: self._rejoined)
        self._world.pack(tote)
        self.hand = None
        await self._person.spend(9.0)
        self._scale.load(0.0)

    async def _once_more(self, tote: Tote) -> None:
        self._rejoined = False
        await self._person.spend(2.0)
        self._scale.load(TOTE_WEIGHT_G + sum(self._world.items[i].weight_g * n for i, n in tote.contents.items()))
        for _ in range(5):
            await self._person.spend(1.0)
            if self._scanner.scan(tote.label):
                break
        await self._person.spend(2.0)
        self._scale.load(0.0)
