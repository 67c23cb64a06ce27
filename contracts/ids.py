"""The names that cross a process border: one `NewType` a kind, so that a pod is never taken for a tote.

All are non-empty strings of ``[A-Za-z0-9_-]`` (at most 64 characters): they stand in MQTT topics, NATS subjects and
URLs as they are. `identifier` makes one from whatever an outside system calls a thing.
"""

import hashlib
import re
from typing import NewType

SiteId = NewType("SiteId", str)
NodeId = NewType("NodeId", str)
EdgeId = NewType("EdgeId", str)
RobotId = NewType("RobotId", str)
"""The VDA 5050 serial number; the manufacturer is a field of the robot, not of its name."""
PodId = NewType("PodId", str)
BinId = NewType("BinId", str)
StationId = NewType("StationId", str)
ChuteId = NewType("ChuteId", str)
DoorId = NewType("DoorId", str)
LiftId = NewType("LiftId", str)
CellId = NewType("CellId", str)
"""One edge daemon's part of the floor: a pick station, the conveyor line, the doors."""
DeviceId = NewType("DeviceId", str)
ItemId = NewType("ItemId", str)
OrderId = NewType("OrderId", str)
ToteId = NewType("ToteId", str)
TaskId = NewType("TaskId", str)
MissionId = NewType("MissionId", str)
"""One pod's trip to a station and back; known to the dispatcher alone."""

PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
_VALID = re.compile(PATTERN)
_FORBIDDEN = re.compile(r"[^A-Za-z0-9_-]+")
_READABLE = 40


def is_identifier(name: str) -> bool:
    """Whether a name can stand as it is wherever an identifier does."""
    return _VALID.fullmatch(name) is not None


def identifier(foreign: str) -> str:
    """Make an identifier of a foreign name: itself where it fits, else its readable part and eight hex digits of it.

    Two foreign names never share an identifier, short of a collision of 32 bits among names with one readable part.
    """
    if is_identifier(foreign):
        return foreign
    digest = hashlib.sha256(foreign.encode()).hexdigest()[:8]
    readable = _FORBIDDEN.sub("-", foreign)[:_READABLE].strip("-")
    return f"{readable}-{digest}" if readable else digest
