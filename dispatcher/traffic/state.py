"""What the planner knows of each robot, as arrays over robot numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.errors import Rejected
from contracts.ids import RobotId
from dispatcher.traffic.graph import Flags, Ints, Roads

Longs = NDArray[np.int64]

ABSENT, FREE, FIXED = 0, 1, 2
NEVER_MS = 1 << 60
_COLUMNS: tuple[tuple[str, Any, int], ...] = (
    ("mode", np.uint8, ABSENT),
    ("kind", np.uint8, 0),
    ("boost", np.uint8, 0),
    ("end", np.int32, 0),
    ("heading", np.int32, -1),
    ("pending", np.int32, 0),
    ("goal", np.int32, -1),
    ("row", np.int32, -1),
    ("best", np.int32, 0),
    ("key", np.int64, 0),
    ("anchor", np.int64, 0),
    ("moved", np.int64, 0),
    ("progress", np.int64, 0),
)


class Fleet:
    """Robots by number, struct of arrays; numbers of removed robots are used again.

    Attributes
    ----------
    mode
        `ABSENT`, `FREE` (may be moved on) or `FIXED` (pinned or lost).
    kind
        Class of the road map: 0 empty, 1 loaded.
    boost
        1 while the robot leaves the way of another one before all others.
    end, heading, pending
        Committed end (node), heading in degrees of the last committed move (-1 unknown), moves not yet driven.
    goal, row
        Node it plans towards (-1 none) and the row of its table.
    key
        Rank among robots with a goal: the lowest goes first (milliseconds; the time of its target less its priority).
    anchor
        Time until which it is not pushed off its goal.
    moved, best, progress
        When its end last moved, the nearest it came to its goal (ms of travel), and when that was.
    holder
        (Q,) the robot whose committed end lies in a resource, or -1.
    """

    mode: Flags
    kind: Flags
    boost: Flags
    end: Ints
    heading: Ints
    pending: Ints
    goal: Ints
    row: Ints
    best: Ints
    key: Longs
    anchor: Longs
    moved: Longs
    progress: Longs

    def __init__(self, roads: Roads) -> None:
        self.number: dict[RobotId, int] = {}
        self.ids: list[RobotId | None] = []
        self.holder: Ints = np.full(roads.resources, -1, np.int32)
        for name, kind, _ in _COLUMNS:
            setattr(self, name, np.zeros(0, kind))

    def __len__(self) -> int:
        return len(self.ids)

    def of(self, robot: RobotId) -> int:
        """Return the number of a robot.

        Raises
        ------
        Rejected
            It was not placed.
        """
        try:
            return self.number[robot]
        except KeyError:
            raise Rejected("robot", robot, "a robot that was placed") from None

    def name(self, number: int) -> RobotId:
        """Return the robot of a number in use."""
        name = self.ids[number]
        if name is None:
            raise Rejected("robot", number, "the number of a robot that was placed")
        return name

    def add(self, robot: RobotId) -> int:
        """Give a new robot a number, with every column at its start."""
        r = self.ids.index(None) if None in self.ids else len(self.ids)
        if r == len(self.ids):
            self.ids.append(robot)
            if r == len(self.mode):
                for name, kind, _ in _COLUMNS:
                    grown = np.zeros(max(16, 2 * r), kind)
                    grown[:r] = getattr(self, name)
                    setattr(self, name, grown)
        self.ids[r] = robot
        self.number[robot] = r
        for name, _, start in _COLUMNS:
            getattr(self, name)[r] = start
        return r

    def drop(self, robot: RobotId) -> None:
        """Forget a robot."""
        r = self.number.pop(robot)
        self.ids[r] = None
        self.mode[r] = ABSENT
