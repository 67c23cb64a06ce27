"""A fire door's twin: opens and shuts on request, stays open over a robot, and shuts by itself in a fire alarm."""

import asyncio
from collections.abc import Callable
from enum import StrEnum

from contracts.ids import DoorId
from contracts.runtime.clock import Clock
from controllers.ports import TagValue
from simulators.tag_bank import TagBank


class Leaf(StrEnum):
    """Where the door leaf is."""

    SHUT = "shut"
    OPENING = "opening"
    OPEN = "open"
    SHUTTING = "shutting"


class DoorTwin:
    """One door behind its controller.

    Parameters
    ----------
    bank
        Its tags (`controllers.tags.DOOR`).
    occupied
        Tells whether a robot stands or drives in the doorway: a photo-eye keeps the door from shutting.
    move_s
        Time from shut to open, and back.
    """

    def __init__(
        self, door: DoorId, bank: TagBank, clock: Clock, occupied: Callable[[], bool], move_s: float = 4.0
    ) -> None:
        self.door, self.bank = door, bank
        self.leaf = Leaf.SHUT
        self._clock, self._occupied, self._move_s = clock, occupied, move_s
        self._timer: asyncio.TimerHandle | None = None
        bank.set(**{"Door.IsClosed": True})
        bank.written.add(self._written)

    @property
    def passable(self) -> bool:
        """Whether a robot may drive in."""
        return self.leaf is Leaf.OPEN

    def alarm(self, *, raised: bool) -> None:
        """Raise or end the fire alarm: the door shuts and does not open while it lasts."""
        self.bank.set(**{"Door.FireAlarm": raised})
        self.look()

    def resume(self) -> None:
        """Begin shut, whatever the registers say, and go where they want it."""
        self.bank.set(**{"Door.IsOpen": False, "Door.IsClosed": True, "Door.FireAlarm": False})
        self.look()

    def look(self) -> None:
        """Go on: called after a request, an alarm, a finished move, and when a robot left the doorway."""
        want_open = self.bank["Door.OpenRequest"] and not self.bank["Door.FireAlarm"]
        if want_open and self.leaf in {Leaf.SHUT, Leaf.SHUTTING}:
            self._move(Leaf.OPENING)
        elif not want_open and self.leaf in {Leaf.OPEN, Leaf.OPENING} and not self._occupied():
            self._move(Leaf.SHUTTING)

    def _written(self, values: dict[str, TagValue]) -> None:
        if "Door.OpenRequest" in values:
            self.look()

    def _move(self, leaf: Leaf) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.leaf = leaf
        self.bank.set(**{"Door.IsOpen": False, "Door.IsClosed": False})
        self._timer = self._clock.call_later(self._move_s, self._moved)

    def _moved(self) -> None:
        self._timer = None
        self.leaf = Leaf.OPEN if self.leaf is Leaf.OPENING else Leaf.SHUT
        self.bank.set(**{"Door.IsOpen": self.leaf is Leaf.OPEN, "Door.IsClosed": self.leaf is Leaf.SHUT})
        self.look()
