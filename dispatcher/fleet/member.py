"""One robot of the fleet, as the dispatcher keeps it: its state, its order, its leg, and why it is held."""

from dataclasses import dataclass, field
from enum import StrEnum

from contracts.ids import MissionId, NodeId, RobotId, TaskId
from contracts.messages.ops import VehicleState
from dispatcher.facts import Request, RobotFactsheet, RobotState
from dispatcher.fleet.dialect import Dialect
from dispatcher.fleet.order import RunningOrder


class Pin:
    """Why a robot must not be moved on by traffic, not even to make way: bits of `Vehicle.pins`.

    Plain integers: they are tested several times a state, where an `IntFlag` costs a tenth of the core's time.
    """

    LEG = 1
    """Its way to its goal is released, or it acts there."""
    PRESENT = 2
    """People work on its pod."""
    CHARGE = 4
    PAUSE = 8
    AWAY = 16
    """Offline, driven by hand, in error, or its order is being cancelled."""


_NOWHERE = NodeId("")


class Purpose(StrEnum):
    """What a leg is for."""

    FETCH = "fetch"
    CARRY = "carry"
    STORE = "store"
    CHARGE = "charge"
    PARK = "park"
    COLLECT = "collect"
    """To a transport's origin."""
    DELIVER = "deliver"
    """To a transport's goal."""


@dataclass(slots=True)
class Leg:
    """One goal of a robot, reached by one VDA 5050 order (or several, after a disturbance)."""

    n: int
    """Counts all legs of the dispatcher's life."""
    purpose: Purpose
    goal: NodeId
    job: str
    """Mission, or name of an errand; stands in the order's id."""
    act: str = ""
    """VDA 5050 action type at the goal; empty: none."""
    load: str = ""
    """What is picked or dropped there."""
    load_type: str = ""
    loaded: bool = False
    """Whether it drives with a pod."""
    done: bool = False


@dataclass(slots=True)
class Lease:
    """A robot's request and our answer to it."""

    request: Request
    grant: str = ""
    """The answer as VDA 5050 3.0 calls it; empty: none yet."""
    until_ms: int = 0
    """Until when a grant holds."""
    said_ms: int = 0


@dataclass(slots=True)
class Vehicle:
    """One robot, as far as it has spoken."""

    id: RobotId
    manufacturer: str
    dialect: Dialect
    serial: str = ""
    """What it calls itself; `id` where no other maker's robot has it."""
    version: str = ""
    """Of the protocol, as it says."""
    speaks: str = ""
    """The version of what we send."""
    state: VehicleState = VehicleState.OFFLINE
    report: RobotState | None = None
    factsheet: RobotFactsheet | None = None
    heard_ms: int = 0
    moved_ms: int = 0
    """When it last reported another node, or began an order."""
    node: NodeId = _NOWHERE
    """Where it last said to be, on the way that it was given."""
    placed: bool = False
    """Traffic knows where it stands."""
    order: RunningOrder | None = None
    queue: list[NodeId] = field(default_factory=list)
    """Released by traffic, not yet in an order."""
    leg: Leg | None = None
    mission: MissionId | None = None
    transport: TaskId | None = None
    pins: int = 0
    orders: int = 0
    """Orders so far; a number in their ids."""
    job: str = ""
    job_epoch: int = 0
    """The epoch in which it was given its job; stands in its orders' ids."""
    last_order: str = ""
    """The last order that it finished."""
    headers: int = 0
    instants: int = 0
    cancelling: str = ""
    """Action id of the cancelOrder that is under way."""
    instant_tries: int = 0
    late: int = 0
    """Whether it stands though its way is free (`lateness.Late`)."""
    lost: bool = False
    """Its unreleased way was given to others."""
    pause_wanted: bool = False
    retired: bool = False
    charge_asked: bool = False
    resting: bool = False
    """It gets no work for a while: an operator gave its work to others."""
    ready_ms: int = 0
    """The next order may not be sent before (minOrderInterval)."""
    failures: int = 0
    """Resets since the last completed leg."""
    held: str = ""
    """The action that failed and may be tried again (3.0), or was."""
    retries: int = 0
    """How often we asked for that."""
    skipped: int = 0
    """How often we asked it to leave that action failed."""
    failed_job: str = ""
    """What it could not pick up, or where it could not do what it had to, last (`attempts.key_of`)."""
    failed_jobs: int = 0
    """How many of these in a row."""
    header: int = 0
    """Of its newest state."""
    backwards: int = 0
    """How often its header counted backwards lately."""
    backwards_ms: int = 0
    double: bool = False
    """Two robots speak under its name."""
    leases: dict[str, Lease] = field(default_factory=dict)
    """What it asks for, by the request's id."""
    answers: int = 0
    """Zone sets and responses sent to it."""
    zone_set: str = ""
    """The zone set that it should use."""
    zones_listed: bool | None = None
    """What it said of that when it was last told: in use, held, or (None) neither."""
    zones_ms: int = 0
    cleared_ms: int = 0
    """When it was last told to forget instant actions that have ended."""
    stale_ms: int = 0
    """Since when it lists nodes that it has passed."""
