"""What operators see of the fleet (latest wins, lost when nobody listens) and what they ask of the dispatcher."""

from enum import StrEnum

import msgspec

from contracts.ids import DoorId, EdgeId, LiftId, MissionId, NodeId, PodId, RobotId, SiteId, StationId, TaskId, ToteId


class VehicleState(StrEnum):
    """The one explicit state of a robot."""

    OFFLINE = "offline"
    IDLE = "idle"
    DRIVING = "driving"
    ACTING = "acting"
    WAITING = "waiting"
    IN_DOUBT = "in_doubt"
    CANCELLING = "cancelling"
    REJECTED = "rejected"
    PAUSED = "paused"
    MANUAL = "manual"
    CHARGING = "charging"
    ERROR = "error"
    NEW = "new"
    """It speaks, but nobody has adopted it yet: it gets nothing."""


class Wait(msgspec.Struct, frozen=True):
    """One link of the chain that answers 'why is it waiting?'."""

    resource: str
    holder: str
    """Robot, door or person that has it."""
    holder_task: str
    since_ms: int
    until: str
    """What would free it, in words."""


class RobotView(msgspec.Struct, frozen=True, omit_defaults=True):
    """A robot as an operator sees it."""

    id: RobotId
    state: VehicleState
    x_m: float
    y_m: float
    heading_rad: float
    battery: float
    """0 to 1."""
    node: NodeId
    at_ms: int
    """When the robot last said so."""
    pod: PodId | None = None
    mission: MissionId | None = None
    station: StationId | None = None
    tasks: tuple[TaskId, ...] = ()
    order_id: str = ""
    wait: tuple[Wait, ...] = ()
    errors: tuple[str, ...] = ()
    retired: bool = False
    """Out of service: it gets nothing more until it is returned."""
    manufacturer: str = ""
    serial: str = ""
    version: str = ""
    """Of VDA 5050, as it says."""
    dialect: str = ""
    loads: tuple[str, ...] = ()
    adopted: bool = True
    speed_max_mps: float | None = None
    """From its factsheet."""
    series: str = ""


class StationView(msgspec.Struct, frozen=True):
    """A station as an operator sees it."""

    id: StationId
    totes: tuple[ToteId | None, ...]
    """By slot."""
    pod: PodId | None
    queue: tuple[RobotId, ...]
    open_picks: int
    closed: bool = False
    """Out of service: it finishes the totes that stand there and gets no others."""


class DoorView(msgspec.Struct, frozen=True):
    """A fire door as it was last reported: ``open``, ``closed``, ``moving``, ``fault``; empty: not reported yet."""

    id: DoorId
    state: str


class LiftView(msgspec.Struct, frozen=True):
    """A lift as it was last reported: ``open``, ``closed``, ``moving``, ``fault``; empty: not reported yet."""

    id: LiftId
    state: str
    level: str = ""
    """Where it stands; empty: on the way, or not known."""
    called: str = ""
    """The level that it was called to; empty: nobody needs it now, or it stands there."""


class VendorView(msgspec.Struct, frozen=True):
    """How a manufacturer's robots depart from the standard: what was observed, and how often."""

    manufacturer: str
    robots: int
    deviations: dict[str, int]


class Unreadable(msgspec.Struct, frozen=True):
    """A message that could not be read: the begin of its text, what is no text in it replaced, and why not."""

    topic: str
    text: str
    error: str
    at_ms: int


class FleetView(msgspec.Struct, frozen=True):
    """The dispatcher's view of the site, said about once a second on `topics.fleet`."""

    site: SiteId
    epoch: int
    at_ms: int
    stopped: bool
    robots: tuple[RobotView, ...]
    stations: tuple[StationView, ...]
    open_tasks: int
    doors: tuple[DoorView, ...] = ()
    lifts: tuple[LiftView, ...] = ()
    vendors: tuple[VendorView, ...] = ()
    closed: tuple[NodeId, ...] = ()
    """Nodes that an operator closed."""
    closed_edges: tuple[EdgeId, ...] = ()
    """Edges that an operator closed, or on which robots got stuck time and again."""
    unreadable: tuple[Unreadable, ...] = ()
    """Messages that could not be read, the newest few of them, the newest last."""
    unreadable_count: int = 0
    """How many there were since the dispatcher began."""


class PauseRobot(msgspec.Struct, frozen=True, tag="pause_robot"):
    """Let one robot stand until it is resumed; None: the whole fleet."""

    robot: RobotId | None


class ResumeRobot(msgspec.Struct, frozen=True, tag="resume_robot"):
    """End a pause; None: the whole fleet."""

    robot: RobotId | None


class RetireRobot(msgspec.Struct, frozen=True, tag="retire_robot"):
    """Take a robot out of service: it finishes what it carries and gets nothing more."""

    robot: RobotId


class ReturnRobot(msgspec.Struct, frozen=True, tag="return_robot"):
    """Put a robot back into service."""

    robot: RobotId


class ChargeRobot(msgspec.Struct, frozen=True, tag="charge_robot"):
    """Send a robot to a charger as soon as it carries nothing."""

    robot: RobotId


class AdoptRobot(msgspec.Struct, frozen=True, tag="adopt_robot"):
    """Take a robot that is `new` into the fleet."""

    robot: RobotId


class ForgetRobot(msgspec.Struct, frozen=True, tag="forget_robot"):
    """Take an adopted robot out of the fleet; it is refused while it has work, or is on its way."""

    robot: RobotId


class CancelRobot(msgspec.Struct, frozen=True, tag="cancel_robot"):
    """Cancel a robot's VDA 5050 order; it is placed where it stands and goes on with its work from there."""

    robot: RobotId


class ReassignRobot(msgspec.Struct, frozen=True, tag="reassign_robot"):
    """Give what a robot has not picked up yet to others; it gets other work."""

    robot: RobotId


class CloseNode(msgspec.Struct, frozen=True, tag="close_node"):
    """Let nobody be planned into a node until it is opened again."""

    node: NodeId


class ReopenNode(msgspec.Struct, frozen=True, tag="reopen_node"):
    """Open a closed node again."""

    node: NodeId


class CloseEdge(msgspec.Struct, frozen=True, tag="close_edge"):
    """Let nobody be planned over an edge, in its one direction, until it is opened again."""

    edge: EdgeId


class ReopenEdge(msgspec.Struct, frozen=True, tag="reopen_edge"):
    """Open a closed edge again."""

    edge: EdgeId


class PauseZone(msgspec.Struct, frozen=True, tag="pause_zone"):
    """Pause every robot that stands on these nodes or is on its way over them; `wanted` False: resume those."""

    nodes: tuple[NodeId, ...]
    wanted: bool


class CloseStation(msgspec.Struct, frozen=True, tag="close_station"):
    """Give a station no totes any more; it finishes those that stand there."""

    station: StationId


class ReopenStation(msgspec.Struct, frozen=True, tag="reopen_station"):
    """Give a station totes again."""

    station: StationId


class Seat(msgspec.Struct, frozen=True):
    """A tote, and at which station it is to stand."""

    tote: ToteId
    station: StationId


class SeatTotes(msgspec.Struct, frozen=True, tag="seat_totes"):
    """Follow a plan of stations: its totes get free slots there in this order; it takes the place of the one before."""

    plan: str
    seats: tuple[Seat, ...]


class ShowPods(msgspec.Struct, frozen=True, tag="show_pods"):
    """People need these pods at stations now, and no others; it takes the place of what was asked before."""

    pods: tuple[PodId, ...]


OpsBody = (
    PauseRobot
    | ResumeRobot
    | RetireRobot
    | ReturnRobot
    | ChargeRobot
    | AdoptRobot
    | ForgetRobot
    | CancelRobot
    | ReassignRobot
    | CloseNode
    | ReopenNode
    | CloseEdge
    | ReopenEdge
    | PauseZone
    | CloseStation
    | ReopenStation
    | SeatTotes
    | ShowPods
)


class OpsCommand(msgspec.Struct, frozen=True):
    """An operator's command on `topics.ops`, answered by `OpsAnswer`; it changes nothing the second time."""

    id: str
    who: str
    reason: str
    body: OpsBody


class OpsAnswer(msgspec.Struct, frozen=True):
    """`done` says whether it was carried out; if not, `reason` says why, in words for the operator."""

    id: str
    done: bool
    reason: str
