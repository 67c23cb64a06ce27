"""How a robot with two driven wheels moves: trapezoidal speed along straight legs, turns on the spot.

A leg is planned once, when it is begun or when its end changed while it is driven; where the robot is at any moment
follows by formula, so that nothing ticks.
"""

import math
from collections.abc import Iterable

import msgspec

from contracts.errors import Rejected


class DriveParams(msgspec.Struct, frozen=True):
    """Speeds in m/s, accelerations in m/s², turns in rad/s; `loaded_*` while a pod is carried.

    Raises
    ------
    Rejected
        A value is not above 0.
    """

    speed_mps: float = 1.5
    loaded_speed_mps: float = 1.2
    accelerate_mps2: float = 1.0
    loaded_accelerate_mps2: float = 0.6
    brake_mps2: float = 1.0
    turn_radps: float = math.pi / 2
    loaded_turn_radps: float = math.pi / 3

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if not getattr(self, name) > 0:
                raise Rejected(name, getattr(self, name), "above 0")


class Leg:
    """A stretch driven with constant acceleration, then constant speed, then constant braking.

    Parameters
    ----------
    start_mps
        Speed at its beginning, at most `limit_mps`.
    length_m
        Its length, not negative.
    limit_mps
        Highest speed on it, above 0.
    exit_mps
        Highest speed at its end; it is reached from below where acceleration does not suffice.
    accelerate_mps2, brake_mps2
        Above 0. Where the length is too short to brake, the robot brakes as hard as it must.
    """

    __slots__ = (
        "_accelerate",
        "_brake",
        "_cruise_s",
        "_peak",
        "_rise_s",
        "_start",
        "duration_s",
        "exit_mps",
        "length_m",
    )

    def __init__(
        self,
        start_mps: float,
        length_m: float,
        limit_mps: float,
        exit_mps: float,
        accelerate_mps2: float,
        brake_mps2: float,
    ) -> None:
        a, b, v0 = accelerate_mps2, brake_mps2, start_mps
        reach = v0 * v0 + 2 * a * length_m
        ve = min(exit_mps, limit_mps)
        if reach <= ve * ve:
            peak = ve = math.sqrt(reach)
        else:
            peak = min(limit_mps, math.sqrt((2 * a * b * length_m + b * v0 * v0 + a * ve * ve) / (a + b)))
            if peak < max(v0, ve):
                peak = max(v0, ve)
                if v0 > ve and length_m > 0:
                    b = (v0 * v0 - ve * ve) / (2 * length_m)
        rise_s, fall_s = (peak - v0) / a, (peak - ve) / b
        rest_m = length_m - (v0 + peak) / 2 * rise_s - (peak + ve) / 2 * fall_s
        self._start, self._peak, self._accelerate, self._brake = v0, peak, a, b
        self._rise_s = rise_s
        self._cruise_s = max(0.0, rest_m) / peak if peak > 0 else 0.0
        self.duration_s = rise_s + self._cruise_s + fall_s
        self.length_m = length_m
        self.exit_mps = ve

    def speed_mps(self, after_s: float) -> float:
        """Return the speed some time after the beginning."""
        if after_s < self._rise_s:
            return self._start + self._accelerate * max(0.0, after_s)
        falling_s = after_s - self._rise_s - self._cruise_s
        return self._peak if falling_s <= 0 else max(self.exit_mps, self._peak - self._brake * falling_s)

    def travelled_m(self, after_s: float) -> float:
        """Return the way driven some time after the beginning, at most the leg's length."""
        rising_s = min(max(0.0, after_s), self._rise_s)
        way_m = (self._start + self._accelerate * rising_s / 2) * rising_s
        if after_s > self._rise_s:
            cruising_s = min(after_s - self._rise_s, self._cruise_s)
            way_m += self._peak * cruising_s
            falling_s = min(after_s, self.duration_s) - self._rise_s - self._cruise_s
            if falling_s > 0:
                way_m += (self._peak - self._brake * falling_s / 2) * falling_s
        return min(way_m, self.length_m)


def entry_mps(ahead: Iterable[tuple[float, float]], brake_mps2: float) -> float:
    """Return the highest speed at which what lies ahead may be entered, to come to rest at its end.

    Parameters
    ----------
    ahead
        Length (m) and speed limit (m/s) of each leg up to the next stop, nearest first; read only as far as needed.
    brake_mps2
        Above 0.
    """
    square, way_m = math.inf, 0.0
    for length_m, limit_mps in ahead:
        square = min(square, limit_mps * limit_mps + 2 * brake_mps2 * way_m)
        way_m += length_m
        if 2 * brake_mps2 * way_m >= square:
            return math.sqrt(square)
    return math.sqrt(min(square, 2 * brake_mps2 * way_m))


def braking_m(speed_mps: float, brake_mps2: float) -> float:
    """Return the way needed to come to rest."""
    return speed_mps * speed_mps / (2 * brake_mps2)
