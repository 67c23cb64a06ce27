"""A barcode scanner's twin: reads what is held before it, and beeps if somebody took the reading."""

import random

from contracts.ids import DeviceId
from simulators.twin import Listeners, Twin


class ScannerTwin(Twin):
    """One scanner.

    Parameters
    ----------
    rng
        Decides which readings fail.
    no_read
        Share of readings that fail.
    """

    def __init__(self, device: DeviceId, rng: random.Random, no_read: float) -> None:
        super().__init__(device)
        self._rng, self._no_read = rng, no_read
        self.codes: Listeners[str] = Listeners()
        self.joined: Listeners[str] = Listeners()
        """Hear the peer's name each time somebody connects."""

    def scan(self, code: str) -> bool:
        """Read a code; False: no beep, since the reading failed (which is said, too) or nobody is connected."""
        if self.down or not self.codes:
            return False
        failed = self._rng.random() < self._no_read
        self.codes.tell("" if failed else code)
        return not failed
