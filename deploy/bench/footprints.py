"""A referee of robots' bodies: it shares nothing with traffic, and looks at where every robot is at each step.

A body is a rectangle (`LENGTH_M` by `WIDTH_M`, centred on the robot's position); two that overlap are a collision. It
also notes who stands for how long, and when nobody moves at all.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LENGTH_M, WIDTH_M = 0.95, 0.75
"""Of the twins, as their factsheet says."""
_REACH_M = math.hypot(LENGTH_M, WIDTH_M)
_MOVED = 1e-4


class Referee:
    """Watches `count` robots.

    Attributes
    ----------
    collisions
        Pairs that began to overlap, each time anew.
    first
        The first collisions: seconds and robot numbers.
    standstill_s
        The longest time in which no robot moved or turned.
    stood_s
        (count,) the longest time that each robot stood in one place.
    """

    def __init__(self, count: int) -> None:
        self.collisions = 0
        self.first: list[tuple[float, int, int]] = []
        self.standstill_s = 0.0
        self.stood_s: Floats = np.zeros(count)
        self.steps = 0
        self._last: Floats | None = None
        self._moved_s: Floats = np.zeros(count)
        self._overlap: set[tuple[int, int]] = set()
        self._begun_s = 0.0
        self._some_moved_s = 0.0

    def look(self, now_s: float, poses: Sequence[tuple[float, float, float]]) -> None:
        """Look at all robots: x and y in metres, heading in radians."""
        at = np.array(poses)
        self.steps += 1
        if self._last is None:
            self._last, self._moved_s[:], self._some_moved_s = at, now_s, now_s
        moved = np.abs(at - self._last).max(axis=1) > _MOVED
        self._last = at
        self._moved_s[moved] = now_s
        if moved.any():
            self._some_moved_s = now_s
        self.standstill_s = max(self.standstill_s, now_s - self._some_moved_s)
        np.maximum(self.stood_s, now_s - self._moved_s, out=self.stood_s)
        self._bodies(now_s, at)

    def forget(self, robot: int, now_s: float) -> None:
        """Begin to count a robot's standing anew."""
        self._moved_s[robot] = now_s

    def stands_s(self, robot: int, now_s: float) -> float:
        """Return for how long a robot has stood."""
        return float(now_s - self._moved_s[robot])

    def _bodies(self, now_s: float, at: Floats) -> None:
        order = np.argsort(at[:, 0], kind="stable")
        x = at[order, 0]
        far = np.searchsorted(x, x + _REACH_M)
        now: set[tuple[int, int]] = set()
        for k in np.flatnonzero(far > np.arange(len(x)) + 1).tolist():
            i = int(order[k])
            for j in order[k + 1 : int(far[k])].tolist():
                if abs(at[i, 1] - at[j, 1]) < _REACH_M and overlap(at[i], at[j]):
                    now.add((min(i, j), max(i, j)))
        for i, j in sorted(now - self._overlap):
            self.collisions += 1
            if len(self.first) < 10:
                self.first.append((round(now_s, 2), i, j))
        self._overlap = now


def overlap(a: "NDArray[Any]", b: "NDArray[Any]") -> bool:
    """Say whether two bodies (x, y, heading) overlap, by the separating axes of both rectangles."""
    dx, dy = float(b[0] - a[0]), float(b[1] - a[1])
    for angle, other in ((float(a[2]), float(b[2])), (float(b[2]), float(a[2]))):
        cos, sin = math.cos(angle), math.sin(angle)
        turn_cos, turn_sin = abs(math.cos(other - angle)), abs(math.sin(other - angle))
        along, across = abs(dx * cos + dy * sin), abs(dy * cos - dx * sin)
        if along >= (LENGTH_M + LENGTH_M * turn_cos + WIDTH_M * turn_sin) / 2:
            return False
        if across >= (WIDTH_M + LENGTH_M * turn_sin + WIDTH_M * turn_cos) / 2:
            return False
    return True
