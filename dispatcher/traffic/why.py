"""Why a robot waits: the chain from it to what would free it."""

from enum import StrEnum

import msgspec

from contracts.ids import DoorId, LiftId, NodeId, RobotId


class Reason(StrEnum):
    """What a robot waits for."""

    MOVING = "moving"
    """It does not wait: it has released road ahead, or is at its goal."""
    HELD = "held"
    """The next node is held by `holder`."""
    QUEUED = "queued"
    """The planner cannot extend its way, as `holder` stands or will stop there."""
    GOAL_TAKEN = "goal_taken"
    """`holder` stands at its goal."""
    DOOR = "door"
    """`door` must open."""
    LIFT = "lift"
    """`lift` must come and open."""
    PINNED = "pinned"
    """It is at work, charging, paused or offline; its task says what ends that."""
    LOST = "lost"
    """It stopped for good: it must report where it stands, or be taken off the floor."""
    STALLED = "stalled"
    """It stands though its way is free; it may go on at any time."""
    CLOSED = "closed"
    """Closed nodes, or robots that stopped, cut it off from its goal."""
    NO_GOAL = "no_goal"
    """It has nothing to do."""


class Wait(msgspec.Struct, frozen=True, omit_defaults=True):
    """One link: `robot` waits for `node`, since when (ms of the core's time), and who or what would free it."""

    robot: RobotId
    reason: Reason
    since_ms: int
    node: NodeId | None = None
    holder: RobotId | None = None
    door: DoorId | None = None
    lift: LiftId | None = None
