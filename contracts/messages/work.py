"""Work: what central wants done. One key on the log an open task (`topics.work_key`); the last value wins.

Central publishes a task when it is released and an empty value when it is closed. The dispatcher alone decides who does
it and when. For one tote the order is: all its picks, then its convey, then its pack; central publishes the three kinds
together, and a short pick may add picks to a tote before its pick key is closed.
"""

import msgspec

from contracts.ids import BinId, ItemId, NodeId, OrderId, PodId, RobotId, TaskId, ToteId


class Pick(msgspec.Struct, frozen=True, tag="pick"):
    """Take `qty` pieces of an item out of a bin and put them into an order's tote at a station."""

    task: TaskId
    attempt: int
    order: OrderId
    line: int
    tote: ToteId
    item: ItemId
    barcode: str
    """What the item's label reads."""
    qty: int
    unit_weight_g: int
    pod: PodId
    bin: BinId
    due_ms: int
    priority: int
    """Higher is more urgent; 0 is ordinary."""


class Convey(msgspec.Struct, frozen=True, tag="convey"):
    """Bring a finished tote from its station over the conveyor to a chute of the dispatcher's choice."""

    task: TaskId
    attempt: int
    order: OrderId
    tote: ToteId
    due_ms: int
    priority: int


class Pack(msgspec.Struct, frozen=True, tag="pack"):
    """Pack a tote that has arrived at its chute; the answer closes the tote."""

    task: TaskId
    attempt: int
    order: OrderId
    tote: ToteId
    due_ms: int
    priority: int


class Transport(msgspec.Struct, frozen=True, tag="transport"):
    """Bring something from one node to another with one robot; it has nothing to do with stock."""

    task: TaskId
    attempt: int
    origin: NodeId
    goal: NodeId
    load: str
    """Name of what is carried; empty: it has none."""
    load_type: str
    handling: bool
    """Whether the robot picks up at `origin` and drops at `goal`; if not it only drives there."""
    due_ms: int
    """0: whenever it suits."""
    priority: int


class Member(msgspec.Struct, frozen=True, tag="member"):
    """A robot that the site does not name, but somebody adopted: it is of the fleet until its key is closed."""

    task: TaskId
    attempt: int
    robot: RobotId
    """What it is called here."""
    manufacturer: str
    serial: str


Work = Pick | Convey | Pack | Transport | Member
