"""How much was tried for a walk, and whether to stop: asked often, and only whole tries count."""

import math
from collections.abc import Callable

Watch = Callable[[int, float], bool]
"""Told how much was tried (from 1), and the cost of the best walk so far (infinite: none yet); true: stop now."""


class Effort:
    """Counts tries; what is under way when it is stopped is dropped, so that as many tries give the same walk."""

    def __init__(self, watch: Watch) -> None:
        self.done = 1
        self._stopped = False
        self._best = math.inf
        self._watch = watch

    def stop(self) -> bool:
        """Ask whether to stop."""
        self._stopped = self._stopped or self._watch(self.done, self._best)
        return self._stopped

    def stopped(self) -> bool:
        """Return whether the answer was yes."""
        return self._stopped

    def went_on(self, best: float) -> None:
        """Count a try; `best` is the cost of the best walk after it."""
        self.done += 1
        self._best = best
