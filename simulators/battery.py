"""A twin's battery: what driving, lifting and merely being there cost, and what a charger gives."""

import msgspec

from contracts.errors import Rejected


class BatteryParams(msgspec.Struct, frozen=True):
    """Energies in Wh and J, powers in W; the defaults last about ten hours of ordinary work.

    Raises
    ------
    Rejected
        A value is negative, or the capacity is 0.
    """

    capacity_wh: float = 1000.0
    idle_w: float = 40.0
    drive_j_per_m: float = 150.0
    loaded_j_per_m: float = 350.0
    lift_j: float = 1500.0
    charge_w: float = 1500.0

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if getattr(self, name) < 0:
                raise Rejected(name, getattr(self, name), "0 or more")
        if self.capacity_wh == 0:
            raise Rejected("capacity_wh", self.capacity_wh, "above 0")


class Battery:
    """The charge of one robot, brought up to date whenever it is looked at.

    Parameters
    ----------
    params
        Its size and drains.
    level
        Charge at first, 0 to 1.
    now_ms
        The time of that.
    """

    def __init__(self, params: BatteryParams, level: float, now_ms: int) -> None:
        self._params = params
        self._full_j = params.capacity_wh * 3600.0
        self._left_j = self._full_j * level
        self._at_ms = now_ms
        self.charging = False

    @property
    def level(self) -> float:
        """Charge, 0 to 1, as of the last `pass_time`."""
        return self._left_j / self._full_j

    def pass_time(self, now_ms: int) -> None:
        """Bring it up to a time."""
        power_w = (self._params.charge_w if self.charging else 0.0) - self._params.idle_w
        self._add(power_w * (now_ms - self._at_ms) / 1000)
        self._at_ms = now_ms

    def drive(self, way_m: float, *, loaded: bool) -> None:
        """Take what a way cost."""
        self._add(-way_m * (self._params.loaded_j_per_m if loaded else self._params.drive_j_per_m))

    def lift(self) -> None:
        """Take what one lift cost."""
        self._add(-self._params.lift_j)

    def full_in_s(self) -> float:
        """Return how long charging still takes; inf where it never ends."""
        power_w = self._params.charge_w - self._params.idle_w
        return (self._full_j - self._left_j) / power_w if power_w > 0 else float("inf")

    def _add(self, energy_j: float) -> None:
        self._left_j = min(self._full_j, max(0.0, self._left_j + energy_j))
