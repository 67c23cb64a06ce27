"""One transport as the dispatcher keeps it: from its work key until central has closed it."""

from dataclasses import dataclass
from enum import StrEnum

from contracts.ids import RobotId
from contracts.messages.work import Transport


class HaulStage(StrEnum):
    """How far a transport is."""

    OPEN = "open"
    COLLECT = "collect"
    """Its robot drives to the origin, or picks up there."""
    DELIVER = "deliver"
    DONE = "done"
    """Told to central, whose key is still open."""


@dataclass(slots=True)
class Haul:
    """A transport and the robot that has it."""

    work: Transport
    since_ms: int
    """When it became known: it ages."""
    stage: HaulStage = HaulStage.OPEN
    robot: RobotId | None = None
    cancelled: bool = False
    """Central closed it while its robot was picking up or on its way with it: it is brought to its end all the same."""
    aside: bool = False
    """Its goal was cut off, so its load is brought back to its origin, or waits there to be picked up again."""
    taken: bool = False
    """Something else was set down at its origin meanwhile."""
