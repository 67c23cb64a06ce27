"""Facts: what the dispatcher tells central. Numbered without a gap within an epoch, consumed in order, posted once.

The dispatcher keeps each fact until central's `FactsAck` covers it, and sends again from the first one not covered
after a reconnect or a pause. Central takes number n only after n - 1, in one transaction with its effect. An epoch is
one run of one dispatcher; central takes nothing from an older epoch than it has seen.
"""

import msgspec

from contracts.ids import ChuteId, NodeId, PodId, RobotId, SiteId, StationId, TaskId


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why we believe it: what the devices said, and which edge event carried it."""

    cell: str = ""
    epoch: int = 0
    seq: int = 0
    at_ms: int = 0
    barcode: str = ""
    weight_g: int | None = None
    picture: str = ""
    """Name of a camera observation, where there is one."""


class TaskStarted(msgspec.Struct, frozen=True, tag="task_started"):
    """Somebody works on a task: which station, and for a pick which robot brings the pod."""

    task: TaskId
    attempt: int
    station: StationId | None
    robot: RobotId | None


class PickDone(msgspec.Struct, frozen=True, tag="pick_done"):
    """A pick ended with `qty` pieces in the tote; fewer than asked for is a short pick and carries its `reason`."""

    task: TaskId
    attempt: int
    qty: int
    station: StationId
    reason: str
    evidence: Evidence


class ToteArrived(msgspec.Struct, frozen=True, tag="tote_arrived"):
    """A convey task is done: the tote is on a chute."""

    task: TaskId
    attempt: int
    chute: ChuteId
    evidence: Evidence


class TotePacked(msgspec.Struct, frozen=True, tag="tote_packed"):
    """A pack task is done."""

    task: TaskId
    attempt: int
    weight_g: int | None
    evidence: Evidence


class PodMoved(msgspec.Struct, frozen=True, tag="pod_moved"):
    """A pod was set down on a storage node, or stands at a station."""

    pod: PodId
    node: NodeId


class TransportChanged(msgspec.Struct, frozen=True, tag="transport_changed"):
    """A transport got further: `assigned` to a robot, `loaded`, `done`, or `open` again when its robot failed."""

    task: TaskId
    attempt: int
    state: str
    robot: RobotId
    node: NodeId
    """Where the robot was last."""
    reason: str


class AlarmRaised(msgspec.Struct, frozen=True, tag="alarm_raised"):
    """Something needs a person's eyes. `key` is the same for the same cause, so that it is raised once."""

    key: str
    severity: str  # "info" | "warning" | "error"
    subject: str
    text: str
    remedy: str
    """What a person can do about it."""


class AlarmCleared(msgspec.Struct, frozen=True, tag="alarm_cleared"):
    """The cause is gone."""

    key: str


FactBody = TaskStarted | PickDone | ToteArrived | TotePacked | PodMoved | TransportChanged | AlarmRaised | AlarmCleared


class Fact(msgspec.Struct, frozen=True):
    """One fact on `topics.facts`."""

    site: SiteId
    epoch: int
    seq: int
    at_ms: int
    body: FactBody


class FactsAck(msgspec.Struct, frozen=True):
    """Central has committed everything of `epoch` up to and including `seq` (0: nothing yet). Said on `facts_ack`.

    Central says it after each commit, and at once, with what it has, when it meets a gap, an older epoch or its start.
    """

    site: SiteId
    epoch: int
    seq: int
