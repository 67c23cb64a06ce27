"""How fast and how faulty the twins are; every figure can be set, none is drawn outside its bounds."""

import msgspec


class FloorParams(msgspec.Struct, frozen=True):
    """People and devices of the simulated floor.

    Parameters
    ----------
    no_read
        Share of scans that fail, 0..0.5.
    wrong_item
        Share of picks at which the picker first takes the neighbour's item, 0..0.5.
    miscount
        Share of picks at which one piece too many or too few is laid on the scale, 0..0.5.
    pace
        Times of people are divided by it, 0.1..10.
    settle_s
        Time until a scale is at rest after a change, 0..5.
    belt_mps
        Speed of the conveyor loop, 0.1..3.
    door_s
        Time of a door from shut to open, 0.5..60.
    picks
        Whether people work at all; without, totes and picks stay where they are.
    """

    no_read: float = 0.01
    wrong_item: float = 0.004
    miscount: float = 0.006
    pace: float = 1.0
    settle_s: float = 0.5
    belt_mps: float = 0.6
    door_s: float = 4.0
    picks: bool = True

    def __post_init__(self) -> None:
        for name, low, high in (
            ("no_read", 0, 0.5),
            ("wrong_item", 0, 0.5),
            ("miscount", 0, 0.5),
            ("pace", 0.1, 10),
            ("settle_s", 0, 5),
            ("belt_mps", 0.1, 3),
            ("door_s", 0.5, 60),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name}: {value} is not in {low}..{high}")
