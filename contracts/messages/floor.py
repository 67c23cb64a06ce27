"""What an edge says and is told on the floor bus: events, commands and their answers, one retained state a cell."""

from enum import StrEnum

import msgspec

from contracts.ids import BinId, CellId, ChuteId, DeviceId, DoorId, ItemId, LiftId, PodId, TaskId, ToteId

# ------------------------------------------------------------------------------------------------------------ events


class PickConfirmed(msgspec.Struct, frozen=True, tag="pick_confirmed"):
    """A person finished one pick; `qty` below what was asked is a short pick with its reason."""

    task: TaskId
    attempt: int
    qty: int
    reason: str
    barcode: str
    weight_g: int | None
    picture: str = ""


class TotePushed(msgspec.Struct, frozen=True, tag="tote_pushed"):
    """A finished tote left its slot and is on the conveyor."""

    tote: ToteId
    slot: int


class ToteSeen(msgspec.Struct, frozen=True, tag="tote_seen"):
    """The sorter's scanner read a tote; `chute` is where it will be pushed off, None: once more around."""

    tote: ToteId
    chute: ChuteId | None


class ToteDiverted(msgspec.Struct, frozen=True, tag="tote_diverted"):
    """The chute's photo-eye saw the tote come."""

    tote: ToteId
    chute: ChuteId


class PackConfirmed(msgspec.Struct, frozen=True, tag="pack_confirmed"):
    """The packer scanned and closed a tote."""

    tote: ToteId
    chute: ChuteId
    barcode: str
    weight_g: int | None


class DoorChanged(msgspec.Struct, frozen=True, tag="door_changed"):
    """A door reached `open` or `closed`, began to move (`moving`), or is broken or in fire alarm (`fault`)."""

    door: DoorId
    state: str
    ask: int = 0
    """`MoveDoor.ask` that the cell took last; 0: none since it started."""


class LiftChanged(msgspec.Struct, frozen=True, tag="lift_changed"):
    """A lift stands `open` or `closed` at a level, is under way or moves its door (`moving`), or is in `fault`."""

    lift: LiftId
    level: str
    """Where it stands, named by the level's map; empty: not known, or under way."""
    state: str
    ask: int = 0
    """`CallLift.ask` that the cell took last; 0: none since it started."""


class UnknownScan(msgspec.Struct, frozen=True, tag="unknown_scan"):
    """A code that nobody waits for; empty when a reading failed."""

    device: DeviceId
    code: str


class DeviceAlarm(msgspec.Struct, frozen=True, tag="device_alarm"):
    """A device failed or came back."""

    device: DeviceId
    raised: bool
    text: str


EventBody = (
    PickConfirmed
    | TotePushed
    | ToteSeen
    | ToteDiverted
    | PackConfirmed
    | DoorChanged
    | LiftChanged
    | UnknownScan
    | DeviceAlarm
)


class EdgeEvent(msgspec.Struct, frozen=True):
    """One event of one cell; `(cell, epoch, seq)` names it for ever. Kept by the edge until an `EventAck` names it.

    `at_ms` is when it happened, known to `uncertainty_ms`; `epoch` grows with each start of the edge's buffer file.
    """

    cell: CellId
    epoch: int
    seq: int
    at_ms: int
    uncertainty_ms: int
    body: EventBody


class EventAck(msgspec.Struct, frozen=True):
    """What these events led to is committed at central (or they led to nothing): the edge may forget them."""

    cell: CellId
    events: tuple[tuple[int, int], ...]
    """Pairs of (epoch, seq)."""


# ---------------------------------------------------------------------------------------------------------- commands


class PickInstruction(msgspec.Struct, frozen=True):
    """One pick as the station shows it."""

    task: TaskId
    attempt: int
    item: ItemId
    barcode: str
    qty: int
    unit_weight_g: int
    bin: BinId
    tote: ToteId
    slot: int


class PresentPod(msgspec.Struct, frozen=True, tag="present_pod"):
    """A pod stands at the station: let these picks be done, one after the other. Answered when it is taken up."""

    pod: PodId
    picks: tuple[PickInstruction, ...]


class NextPod(msgspec.Struct, frozen=True, tag="next_pod"):
    """The pod at the station is done, or what follows it has changed: which pod comes next, and what from it first.

    Said while no pod is worked on there, at once when `after` is done: the person need not wait for the wheels.
    """

    after: PodId | None
    """The pod that is done; None: only what follows has changed."""
    pod: PodId | None
    """None: none is on its way yet."""
    bin: BinId | None = None
    item: ItemId | None = None
    qty: int = 0


class OpenTote(msgspec.Struct, frozen=True, tag="open_tote"):
    """An empty tote with this label belongs into the slot."""

    tote: ToteId
    slot: int


class PushTote(msgspec.Struct, frozen=True, tag="push_tote"):
    """The tote in the slot is complete: put it on the conveyor. Its event is `TotePushed`."""

    tote: ToteId
    slot: int


class RouteTote(msgspec.Struct, frozen=True, tag="route_tote"):
    """The sorter shall push this tote off at this chute whenever it comes by."""

    tote: ToteId
    chute: ChuteId


class PackTote(msgspec.Struct, frozen=True, tag="pack_tote"):
    """A tote lies on the chute: show it to the packer."""

    tote: ToteId
    chute: ChuteId


class MoveDoor(msgspec.Struct, frozen=True, tag="move_door"):
    """Open or close a door; its event is `DoorChanged`."""

    door: DoorId
    open: bool
    ask: int = 0
    """Counts what was asked of this door, so that a report from before it is known as such."""


class CallLift(msgspec.Struct, frozen=True, tag="call_lift"):
    """Bring a lift to a level and hold it open there, or let go of it where it stands; its event is `LiftChanged`."""

    lift: LiftId
    level: str
    """Named by the level's map."""
    open: bool = True
    """False: the lift may close and serve others."""
    ask: int = 0
    """Counts what was asked of this lift, so that a report from before it is known as such."""


CommandBody = PresentPod | NextPod | OpenTote | PushTote | RouteTote | PackTote | MoveDoor | CallLift


class EdgeCommand(msgspec.Struct, frozen=True):
    """One command to one cell. The same `id` again has no effect but the same answer; past its deadline it expires."""

    id: str
    cell: CellId
    deadline_ms: int
    body: CommandBody


class Outcome(StrEnum):
    """What became of a command."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    EXPIRED = "expired"


class EdgeAnswer(msgspec.Struct, frozen=True):
    """The answer to a command, within its deadline."""

    id: str
    cell: CellId
    outcome: Outcome
    reason: str


# ------------------------------------------------------------------------------------------------------------- state


class Quality(StrEnum):
    """How far a value can be trusted."""

    GOOD = "good"
    STALE = "stale"
    BAD = "bad"


class DeviceState(msgspec.Struct, frozen=True):
    """A device as the edge last knew it."""

    quality: Quality
    at_ms: int
    text: str


class CellState(msgspec.Struct, frozen=True):
    """A cell's retained state; its last will is the same with `online` false."""

    cell: CellId
    online: bool
    epoch: int
    at_ms: int
    devices: dict[DeviceId, DeviceState]
    buffered: int
    """Events that wait for their acknowledgement."""


class StopState(msgspec.Struct, frozen=True):
    """Retained while the whole fleet is stopped by an operator (`floorplane stop`)."""

    stopped: bool
    who: str
    reason: str
    at_ms: int
