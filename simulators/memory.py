"""What the simulated floor remembers over a restart: pods, robots, bins, totes, registers, and what people hold."""

from pathlib import Path

import msgspec

from contracts.errors import Rejected
from contracts.ids import BinId, ChuteId, DeviceId, ItemId, NodeId, PodId, RobotId, SiteId, StationId
from controllers.ports import TagValue
from simulators.line import LineTotes
from simulators.picker import Hands
from simulators.world import Tote


class RobotMemory(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a robot stood, how full it was, and what it carried."""

    node: NodeId
    level: float
    pod: PodId | None = None


class SlotMemory(msgspec.Struct, frozen=True):
    """A tote in a slot of a station."""

    station: StationId
    slot: int
    tote: Tote


class FloorMemory(msgspec.Struct, frozen=True):
    """Everything; `packed` are the totes that packers had in their hands."""

    site: SiteId
    pods: dict[NodeId, PodId]
    robots: dict[RobotId, RobotMemory]
    bins: dict[BinId, dict[ItemId, int]]
    slots: tuple[SlotMemory, ...]
    line: LineTotes
    packing: dict[ChuteId, Tote]
    registers: dict[DeviceId, dict[str, TagValue]]
    hands: dict[StationId, Hands]


def read_memory(path: Path) -> FloorMemory | None:
    """Read what was remembered; None where there is no file.

    Raises
    ------
    Rejected
        The file is damaged.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=FloorMemory)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as e:
        raise Rejected("memory", str(path), f"a file that the simulated floor wrote; remove it ({e})") from e


def write_memory(path: Path, memory: bytes) -> None:
    """Write what `FloorMemory` encodes to, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".new")
    scratch.write_bytes(memory)
    scratch.replace(path)
