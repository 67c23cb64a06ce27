"""Tag tables: what stands in which register of which kind of controller. The driver and the twin share these alone.

Modbus areas: ``coil`` and ``holding`` are written by us, ``discrete`` and ``input`` are read. ``u32`` takes two
registers, high word first. OPC UA tags are string node ids in the server's namespace 2 (``Door.Open``).
"""

from typing import Literal

import msgspec

Area = Literal["coil", "discrete", "holding", "input"]


class Tag(msgspec.Struct, frozen=True):
    """One value of a controller."""

    name: str
    area: Area
    address: int
    type: Literal["bool", "u16", "u32"] = "u16"

    @property
    def writable(self) -> bool:
        """Whether we may write it."""
        return self.area in {"coil", "holding"}

    @property
    def width(self) -> int:
        """Registers or bits that it takes."""
        return 2 if self.type == "u32" else 1


SLOTS = 8
"""Order totes at a pick station, at most."""
CHUTES = 6
"""Exits of the sorter, at most."""

PANEL: tuple[Tag, ...] = (
    # written by the edge: what the picker is shown. A new `show_seq` makes the panel take over the rest.
    Tag("show_face", "holding", 1),
    Tag("show_level", "holding", 2),
    Tag("show_column", "holding", 3),
    Tag("show_slot", "holding", 4),
    Tag("show_qty", "holding", 5, "u32"),
    Tag("show_error", "holding", 7),  # 0 none, 1 wrong item, 2 wrong weight, 3 ask for a recount
    Tag("open_slots", "holding", 8),  # bit mask: put an empty tote with the printed label here
    Tag("push_slots", "holding", 9),  # bit mask: push this tote onto the conveyor
    Tag("show_seq", "holding", 10),  # 0: nothing to pick
    # which bin comes next when no pod stands here: its face (from 1; 0: none is on its way), level and column
    Tag("next_face", "holding", 11),
    Tag("next_level", "holding", 12),
    Tag("next_column", "holding", 13),
    # read from the panel: what the picker did
    Tag("confirm_seq", "input", 0),  # the `show_seq` that was confirmed
    Tag("confirm_reason", "input", 1),  # 0 all there, 1 bin empty, 2 damaged
    Tag("confirm_qty", "input", 2, "u32"),
    Tag("slot_present", "input", 4),  # bit mask: a tote stands in the slot
)
"""A pick station's panel: lights, a small display, a confirm button (Modbus)."""

LINE: tuple[Tag, ...] = (
    Tag("run", "coil", 0, "bool"),
    Tag("reset", "coil", 1, "bool"),
    Tag("running", "discrete", 0, "bool"),
    Tag("estop", "discrete", 1, "bool"),
    Tag("jam", "discrete", 2, "bool"),
    # each tote that passes the sorter's photo-eye gets the next index (1, 2, ... 65535, 1); the scanner reads it there
    Tag("scan_index", "input", 0),
    Tag("chute_full", "input", 1),  # bit mask
    *(Tag(f"diverted_index_{k}", "input", 2 + k) for k in range(CHUTES)),  # the last index seen by the chute's eye
    *(Tag(f"diverted_count_{k}", "input", 2 + CHUTES + k) for k in range(CHUTES)),  # modulo 65536
    # written by the edge before the tote reaches the first chute; `route_seq` is written last and makes it valid
    Tag("route_index", "holding", 0),
    Tag("route_chute", "holding", 1),  # 0-based
    Tag("route_seq", "holding", 2),
)
"""The conveyor loop with its sorter (Modbus). A tote without a route goes around again."""

DOOR: tuple[Tag, ...] = (
    Tag("Door.OpenRequest", "coil", 0, "bool"),
    Tag("Door.IsOpen", "discrete", 0, "bool"),
    Tag("Door.IsClosed", "discrete", 1, "bool"),
    Tag("Door.FireAlarm", "discrete", 2, "bool"),
    Tag("Door.Heartbeat", "input", 0),  # grows once a second
)
"""A fire door (OPC UA; names are node ids, areas only say who writes)."""

LIFT: tuple[Tag, ...] = (
    # while it is held, the lift goes to the target and stays open there
    Tag("Lift.Target", "holding", 0),  # the floor, from 0
    Tag("Lift.Hold", "coil", 0, "bool"),
    Tag("Lift.Floor", "input", 0),  # where it stands, or passed last
    Tag("Lift.IsOpen", "discrete", 0, "bool"),  # the door of the floor where it stands is open, the cabin is locked
    Tag("Lift.IsClosed", "discrete", 1, "bool"),  # every door is closed
    Tag("Lift.Fault", "discrete", 2, "bool"),  # out of order, in fire alarm, or in somebody else's hand
    Tag("Lift.Heartbeat", "input", 1),  # grows once a second
)
"""A lift (Modbus or OPC UA)."""

TABLES: dict[str, tuple[Tag, ...]] = {"panel": PANEL, "line": LINE, "door": DOOR, "lift": LIFT}
"""By the role of the device."""
