"""What all device twins have: a name, power that may fail, and links of those who listen.

A twin knows no protocol. A link in memory (`simulators.links`) or a server (`simulators.serve`) joins it to an edge.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from contracts.ids import DeviceId

T = TypeVar("T")


class Listeners(Generic[T]):
    """Those who hear a thing, in the order in which they came."""

    def __init__(self) -> None:
        self._all: list[Callable[[T], None]] = []

    def __len__(self) -> int:
        return len(self._all)

    def add(self, listener: Callable[[T], None]) -> Callable[[], None]:
        """Let somebody listen; the returned call ends it."""
        self._all.append(listener)

        def end() -> None:
            if listener in self._all:
                self._all.remove(listener)

        return end

    def tell(self, what: T) -> None:
        """Tell all."""
        for listener in tuple(self._all):
            listener(what)


class Twin:
    """One device. `down` names why it does not answer; empty while it does."""

    def __init__(self, device: DeviceId) -> None:
        self.device = device
        self.down = ""
        self.power: Listeners[str] = Listeners()
        """Hear `down` whenever it changes."""

    def fail(self, why: str) -> None:
        """Let the device be gone, for a reason."""
        if self.down != why:
            self.down = why
            self.power.tell(why)

    def repair(self) -> None:
        """Bring it back."""
        self.fail("")
