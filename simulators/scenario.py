"""What goes wrong on the simulated floor, and when: drawn from a seed before the day begins; nothing by default."""

import random
from enum import StrEnum

import msgspec

from contracts.errors import Rejected
from contracts.site import Site


class Trouble(StrEnum):
    """A kind of trouble."""

    ROBOT_ERROR = "robot_error"
    """A robot stands with a fatal error until somebody has mended it."""
    ROBOT_OFFLINE = "robot_offline"
    DEVICE_DOWN = "device_down"
    """A scanner, scale, printer or camera does not answer."""
    JAM = "jam"
    """A tote is stuck on the conveyor."""
    FIRE_ALARM = "fire_alarm"
    """A door shuts and stays shut."""


class Incident(msgspec.Struct, frozen=True):
    """One trouble: when it begins after the start, how long it lasts, and whom it meets."""

    at_s: float
    for_s: float
    trouble: Trouble
    subject: str


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """How often each trouble comes, on average, per hour of floor time over the whole site, and how long it lasts.

    Raises
    ------
    Rejected
        A rate is not in 0..1000, or a time not above 0.
    """

    hours: float = 12.0
    robot_error_per_h: float = 0.0
    robot_error_s: float = 180.0
    robot_offline_per_h: float = 0.0
    robot_offline_s: float = 60.0
    device_down_per_h: float = 0.0
    device_down_s: float = 60.0
    jam_per_h: float = 0.0
    jam_s: float = 90.0
    fire_alarm_per_h: float = 0.0
    fire_alarm_s: float = 120.0

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if name.endswith("_per_h") and not 0 <= value <= 1000:
                raise Rejected(name, value, "from 0 to 1000")
            if not name.endswith("_per_h") and not value > 0:
                raise Rejected(name, value, "above 0")

    def incidents(self, site: Site, seed: int) -> tuple[Incident, ...]:
        """Draw all incidents, in order of time; each kind has a generator of its own."""
        devices = [d.id for c in site.cells for d in c.devices if d.role in {"scanner", "scale", "printer", "camera"}]
        subjects: dict[Trouble, list[str]] = {
            Trouble.ROBOT_ERROR: [r.id for r in site.robots],
            Trouble.ROBOT_OFFLINE: [r.id for r in site.robots],
            Trouble.DEVICE_DOWN: list(devices),
            Trouble.JAM: ["line"],
            Trouble.FIRE_ALARM: [d.id for d in site.doors],
        }
        found = []
        for trouble, names in subjects.items():
            per_h: float = getattr(self, f"{trouble}_per_h")
            lasts_s: float = getattr(self, f"{trouble}_s")
            rng = random.Random(f"{seed}/scenario/{trouble}")
            at_s = 0.0
            while per_h > 0 and names and (at_s := at_s + rng.expovariate(per_h / 3600)) < self.hours * 3600:
                found.append(Incident(at_s, lasts_s * rng.uniform(0.5, 1.5), trouble, rng.choice(names)))
        return tuple(sorted(found, key=lambda i: (i.at_s, i.trouble, i.subject)))
