"""Travel tables from coordinates; any other source (a road router's table) is as good: give a `Matrix` of it."""

import numpy as np
import numpy.typing as npt

from contracts.errors import Rejected
from dispatcher.optimizers.transport.problem import Matrix, Place

_EARTH_RADIUS_M = 6_371_008.8

_FARTHEST = 1e12


def straight(places: tuple[Place, ...], speed_mps: float, detour: float = 1.0) -> Matrix:
    """As the crow flies between places in metres, times a detour of at least 1; rounded to metres and seconds."""
    dx, dy = _differences(places)
    return _table(np.hypot(dx, dy), speed_mps, detour)


def rectangular(places: tuple[Place, ...], speed_mps: float, detour: float = 1.0) -> Matrix:
    """Along the axes between places in metres, as in a yard or a city of blocks."""
    dx, dy = _differences(places)
    return _table(np.abs(dx) + np.abs(dy), speed_mps, detour)


def great_circle(places: tuple[Place, ...], speed_mps: float, detour: float = 1.3) -> Matrix:
    """Over the globe between places in degrees (x east, y north), by the haversine formula; 1.3 is common for roads.

    Raises
    ------
    Rejected
        A latitude is beyond the poles.
    """
    for n, p in enumerate(places):
        if not -90 <= p.y <= 90:
            raise Rejected(f"places/{n}/y", p.y, "a latitude in -90..90 degrees")
    lat = np.radians([p.y for p in places])
    dx, dy = _differences(places)
    half = np.sin(np.radians(dy) / 2) ** 2 + np.cos(lat)[:, None] * np.cos(lat)[None] * np.sin(np.radians(dx) / 2) ** 2
    return _table(2 * _EARTH_RADIUS_M * np.arcsin(np.sqrt(np.minimum(1.0, half))), speed_mps, detour)


def _differences(places: tuple[Place, ...]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    for n, p in enumerate(places):
        for name, at in (("x", p.x), ("y", p.y)):
            if not -_FARTHEST <= at <= _FARTHEST:
                raise Rejected(f"places/{n}/{name}", at, f"a coordinate in -{_FARTHEST:g}..{_FARTHEST:g}")
    x, y = np.array([p.x for p in places], np.float64), np.array([p.y for p in places], np.float64)
    return x[None] - x[:, None], y[None] - y[:, None]


def _table(meters: npt.NDArray[np.float64], speed_mps: float, detour: float) -> Matrix:
    if not 0 < speed_mps < np.inf:
        raise Rejected("speed_mps", speed_mps, "above 0, and a number")
    if not 1 <= detour < np.inf:
        raise Rejected("detour", detour, "at least 1, and a number")
    far = meters * detour
    return Matrix(np.rint(far).astype(np.int64), np.rint(far / speed_mps).astype(np.int64))
