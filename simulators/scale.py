"""A scale's twin: a load, some noise, and a while to come to rest."""

import random

from contracts.ids import DeviceId
from contracts.runtime.clock import Clock
from controllers.ports import Weight
from simulators.twin import Listeners, Twin

_NOISE_G = 0.6
_SWING = 0.08


class ScaleTwin(Twin):
    """One scale, in grams.

    Parameters
    ----------
    clock, rng
        When it is at rest, and its noise.
    settle_s
        Time to rest after a change of load.
    """

    def __init__(self, device: DeviceId, clock: Clock, rng: random.Random, settle_s: float) -> None:
        super().__init__(device)
        self._clock, self._rng, self._settle_ms = clock, rng, round(settle_s * 1000)
        self._load_g, self._rest_ms = 0.0, 0
        self.weighings: Listeners[int] = Listeners()
        """Hear the grams whenever somebody was told a stable weight: the light beside the platform."""

    def load(self, grams: float) -> None:
        """Let this lie on the platform from now on."""
        if grams != self._load_g:
            self._load_g = grams
            self._rest_ms = self._clock.now_ms() + self._settle_ms

    @property
    def rest_in_s(self) -> float:
        """Seconds until it is at rest, 0 when it is."""
        return max(0, self._rest_ms - self._clock.now_ms()) / 1000

    def show(self) -> Weight:
        """Return what its display shows now."""
        now = self._clock.now_ms()
        stable = now >= self._rest_ms
        shown = self._load_g + (self._rng.gauss(0, _NOISE_G) if self._load_g else 0)
        if not stable:
            shown += self._rng.uniform(-_SWING, _SWING) * (self._load_g + 20)
        return Weight(max(0, round(shown)), stable, now)

    def read(self) -> Weight:
        """Return the weight to somebody who asked for a stable one: the light goes on if it is."""
        weight = self.show()
        if weight.stable:
            self.weighings.tell(weight.weight_g)
        return weight
