"""A lift's twin: goes to the floor that it is held for, opens there and stays open; it never shuts on a robot."""

import asyncio
from collections.abc import Callable
from enum import StrEnum

from contracts.ids import LiftId
from contracts.runtime.clock import Clock
from contracts.site import Lift
from controllers.ports import TagValue
from simulators.tag_bank import TagBank
from simulators.world import World


class Cabin(StrEnum):
    """What the cabin does."""

    SHUT = "shut"
    OPENING = "opening"
    OPEN = "open"
    SHUTTING = "shutting"
    RIDING = "riding"


class LiftTwin:
    """One lift behind its controller.

    Parameters
    ----------
    bank
        Its tags (`controllers.tags.LIFT`).
    floors
        How many it serves.
    in_the_door
        Tells whether a robot is between the cabin and the floor outside: a light curtain keeps the door from shutting.
    door_s, ride_s
        Time of the door from shut to open, and back; of one floor.
    """

    def __init__(
        self,
        lift: LiftId,
        bank: TagBank,
        floors: int,
        clock: Clock,
        in_the_door: Callable[[], bool],
        door_s: float = 4.0,
        ride_s: float = 8.0,
    ) -> None:
        self.lift, self.bank, self.cabin, self.floor = lift, bank, Cabin.SHUT, 0
        self.rides = 0
        self._floors, self._clock, self._in_the_door = floors, clock, in_the_door
        self._door_s, self._ride_s = door_s, ride_s
        self._timer: asyncio.TimerHandle | None = None
        bank.set(**{"Lift.IsClosed": True})
        bank.written.add(self._written)

    def passable(self, floor: int) -> bool:
        """Whether a robot may drive in or out at a floor."""
        return self.cabin is Cabin.OPEN and self.floor == floor

    def fail(self, *, broken: bool) -> None:
        """Stand still, out of order, or work again."""
        self.bank.set(**{"Lift.Fault": broken})
        self.look()

    def resume(self) -> None:
        """Begin shut at the floor that the registers name, and go where they want it."""
        self.floor = min(self.bank["Lift.Floor"], self._floors - 1)
        self.bank.set(**{"Lift.IsOpen": False, "Lift.IsClosed": True, "Lift.Fault": False})
        self.look()

    def look(self) -> None:
        """Go on: called after a request, a fault, a finished move, and when a robot has left the doorway."""
        if self.bank["Lift.Fault"] or self.cabin in {Cabin.RIDING, Cabin.SHUTTING, Cabin.OPENING}:
            return
        held, target = self.bank["Lift.Hold"], min(self.bank["Lift.Target"], self._floors - 1)
        if self.cabin is Cabin.OPEN:
            if (not held or target != self.floor) and not self._in_the_door():
                self._move(Cabin.SHUTTING, self._door_s)
        elif held and target != self.floor:
            self._move(Cabin.RIDING, self._ride_s * abs(target - self.floor))
            self.floor, self.rides = target, self.rides + 1
        elif held:
            self._move(Cabin.OPENING, self._door_s)

    def _written(self, values: dict[str, TagValue]) -> None:
        if "Lift.Hold" in values or "Lift.Target" in values:
            self.look()

    def _move(self, cabin: Cabin, seconds: float) -> None:
        self.cabin = cabin
        self.bank.set(**{"Lift.IsOpen": False, "Lift.IsClosed": cabin is Cabin.RIDING})
        self._timer = self._clock.call_later(seconds, self._moved)

    def _moved(self) -> None:
        self._timer = None
        self.cabin = Cabin.OPEN if self.cabin is Cabin.OPENING else Cabin.SHUT
        self.bank.set(
            **{
                "Lift.Floor": self.floor,
                "Lift.IsOpen": self.cabin is Cabin.OPEN,
                "Lift.IsClosed": self.cabin is Cabin.SHUT,
            }
        )
        self.look()


def install_lift(lift: Lift, bank: TagBank, world: World, clock: Clock, door_s: float = 4.0) -> LiftTwin:
    """Put a lift into the world: robots are watched in its doorway, and it sees them there."""
    twin = LiftTwin(lift.id, bank, len(lift.nodes), clock, lambda: world.crossing(lift.nodes), door_s)
    world.lift_passable[lift.id] = lambda node: twin.passable(lift.nodes.index(node))
    for node in lift.nodes:
        world.watch(node, twin.look)
    return twin
