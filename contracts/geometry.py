"""Points, poses and angles on the floor: metres and radians, x to the right, y up, counter-clockwise from x."""

import math
from collections.abc import Sequence

import msgspec


class Point(msgspec.Struct, frozen=True):
    """A place on one level of the floor."""

    x_m: float
    y_m: float


class Pose(msgspec.Struct, frozen=True):
    """A place and a heading in (-pi, pi]."""

    x_m: float
    y_m: float
    heading_rad: float


def distance_m(a: Point | Pose, b: Point | Pose) -> float:
    """Return the straight distance between two places."""
    return math.hypot(a.x_m - b.x_m, a.y_m - b.y_m)


def within(corners: Sequence[Point], at: Point) -> bool:
    """Whether a place lies in a polygon (crossing number; on the border: perhaps)."""
    inside, before = False, corners[-1]
    for corner in corners:
        if (corner.y_m > at.y_m) != (before.y_m > at.y_m):
            share = (at.y_m - corner.y_m) / (before.y_m - corner.y_m)
            if at.x_m < corner.x_m + share * (before.x_m - corner.x_m):
                inside = not inside
        before = corner
    return inside


def heading_rad(a: Point | Pose, b: Point | Pose) -> float:
    """Return the heading from one place to another, in (-pi, pi]."""
    return math.atan2(b.y_m - a.y_m, b.x_m - a.x_m)


def wrap_rad(angle_rad: float) -> float:
    """Bring an angle into (-pi, pi]."""
    wrapped = math.remainder(angle_rad, 2 * math.pi)
    return math.pi if wrapped == -math.pi else wrapped


def turn_rad(start_rad: float, end_rad: float) -> float:
    """Return the smallest turn from one heading to another, signed, in (-pi, pi]."""
    return wrap_rad(end_rad - start_rad)
