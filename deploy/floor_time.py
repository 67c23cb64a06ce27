"""One floor time for all processes of a machine, which may run faster than the wall and never jumps back.

It is written down once at each start of `up`: so all processes agree, also those that start later, and after a pause at
another speed the floor's time goes on from where it would be.
"""

import time
from pathlib import Path
from typing import Self

import msgspec

from contracts.errors import Rejected
from contracts.runtime.clock import LoopClock


class FloorTime(msgspec.Struct, frozen=True):
    """At wall time `wall_ms` it is `floor_ms` on the floor, and from there it runs `scale` times as fast."""

    wall_ms: int
    floor_ms: int
    scale: float

    def __post_init__(self) -> None:
        if not 0 < self.scale <= 1000:
            raise Rejected("scale", self.scale, "above 0 and at most 1000")

    @classmethod
    def begin(cls, file: Path, scale: float, *, wall_ms: int | None = None) -> Self:
        """Go on from what the file says (from the wall's time where there is none), at a new speed, and write it down.

        Raises
        ------
        Rejected
            The scale is out of bounds, or the file is damaged.
        """
        now_ms = _wall_ms() if wall_ms is None else wall_ms
        floor_ms = max(now_ms, cls.read(file).at(now_ms)) if file.exists() else now_ms
        begun = cls(now_ms, floor_ms, scale)
        file.parent.mkdir(parents=True, exist_ok=True)
        scratch = file.with_suffix(".new")
        scratch.write_bytes(msgspec.json.encode(begun))
        scratch.replace(file)
        return begun

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read what was written down.

        Raises
        ------
        Rejected
            There is no such file, or it is damaged.
        """
        try:
            return msgspec.json.decode(file.read_bytes(), type=cls)
        except (OSError, msgspec.DecodeError) as e:
            raise Rejected("floor_time", str(file), f"a file that `floorplane up` wrote: {e}") from e

    def at(self, wall_ms: int) -> int:
        """Floor time in ms since the Unix epoch at a wall time."""
        return self.floor_ms + round((wall_ms - self.wall_ms) * self.scale)

    def clock(self) -> LoopClock:
        """Return the running event loop's clock."""
        return LoopClock(self.at(_wall_ms()), scale=self.scale)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
