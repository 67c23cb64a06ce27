"""What the core hears: everything that can change a decision, as frozen values that are journaled and replayed."""

import msgspec

from contracts.ids import NodeId, RobotId, TaskId
from contracts.messages.facts import FactsAck
from contracts.messages.floor import CellState, EdgeAnswer, EdgeEvent, StopState
from contracts.messages.ops import OpsCommand
from contracts.messages.work import Work
from dispatcher.params import Params


class _Fact(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Written as an array, not tracked by the garbage collector: there are hundreds of thousands a day."""


class Trouble(_Fact, frozen=True):
    """One active error of a robot. `about` holds the values of its references (order, node, action ids)."""

    kind: str
    fatal: bool
    about: tuple[str, ...] = ()
    text: str = ""


class Request(_Fact, frozen=True):
    """What a robot of VDA 5050 3.0 asks for before it drives on."""

    id: str
    kind: str
    """ACCESS to a zone, REPLANNING in one, or an edge's CORRIDOR."""
    what: str
    """The zone or the edge."""
    status: str
    """As the robot says: REQUESTED, GRANTED, REVOKED or EXPIRED."""
    zone_set: str = ""
    seq: int = 0
    """Sequence id of the edge."""


class RobotState(_Fact, frozen=True, tag="robot_state"):
    """A robot's state message in the words of no protocol version (`fleet.dialect` reads them)."""

    robot: RobotId
    manufacturer: str
    order_id: str
    order_update_id: int
    node: NodeId
    """The last node; empty: unknown."""
    seq: int
    """Sequence id of that node in the order."""
    driving: bool
    paused: bool
    base_left: int
    """Released nodes that it has not reached yet."""
    horizon_left: int
    actions: tuple[tuple[str, str], ...]
    """(action id, status), as reported."""
    loads: tuple[str, ...] | None
    """Names of what it carries; None: it does not know."""
    battery: float
    """0 to 1."""
    charging: bool
    automatic: bool
    troubles: tuple[Trouble, ...] = ()
    x_m: float | None = None
    y_m: float | None = None
    heading_rad: float = 0.0
    version: str = ""
    """Of the protocol, as it says."""
    header: int = 0
    """Counts its states."""
    requests: tuple[Request, ...] = ()
    zone_sets: tuple[tuple[str, bool], ...] | None = None
    """Zone sets that it holds, and whether they are in use; None: its version knows no zones."""
    failed: tuple[tuple[str, str], ...] = ()
    """(action id, why) of actions that failed and say why."""
    wants_base: bool = False
    """It asks for more released nodes, or it would have to brake."""


class RobotConnection(_Fact, frozen=True, tag="robot_connection"):
    """The robot's retained connection message or its last will."""

    robot: RobotId
    manufacturer: str
    online: bool
    version: str = ""


class RobotFactsheet(_Fact, frozen=True, tag="robot_factsheet"):
    """What matters of a factsheet: speed in m/s, the shortest time between two orders in ms."""

    robot: RobotId
    manufacturer: str
    series: str
    speed_max_mps: float
    min_order_interval_ms: int
    zones: tuple[str, ...] = ()
    """Types of zones that it understands."""
    width_m: float = 0.0
    """0: not said."""
    corridors: bool = False
    """It can leave its line within a corridor, once it may (3.0)."""
    load_types: tuple[str, ...] = ()
    """What it can carry; empty: not said."""
    nodes_max: int = 0
    """Most nodes of an order or an update; 0: no limit."""
    charge_critical: float = 0.0
    """At or below this level (0 to 1) it gets no work (3.0); 0: not said, as the next two."""
    charge_from: float = 0.0
    """Below this level it wants to be charged."""
    charge_to: float = 0.0
    """It wants no more than this."""


class WorkOpened(_Fact, frozen=True, tag="work_opened"):
    """Central released a task, or says so again."""

    work: Work


class WorkClosed(_Fact, frozen=True, tag="work_closed"):
    """Central closed a task: what we told of it is committed, or it was cancelled."""

    task: TaskId


class EventHeard(_Fact, frozen=True, tag="event"):
    """A cell's event, perhaps again."""

    event: EdgeEvent


class AnswerHeard(_Fact, frozen=True, tag="answer"):
    """A cell's answer to a command."""

    answer: EdgeAnswer


class CellHeard(_Fact, frozen=True, tag="cell"):
    """A cell's retained state or last will."""

    state: CellState


class AckHeard(_Fact, frozen=True, tag="ack"):
    """How far central has committed our facts."""

    ack: FactsAck


class OpsAsked(_Fact, frozen=True, tag="ops"):
    """An operator's command."""

    command: OpsCommand


class StopHeard(_Fact, frozen=True, tag="stop"):
    """The fleet-wide stop was set or lifted."""

    state: StopState


class TransportUp(_Fact, frozen=True, tag="transport_up"):
    """A port (``floor`` or ``log``) is connected again: whatever was under way may be lost."""

    port: str


class Timer(_Fact, frozen=True, tag="timer"):
    """Nothing was heard, but something is due."""


class Restarted(_Fact, frozen=True, tag="restarted"):
    """A new process took over this core under a new epoch, perhaps with other parameters."""

    epoch: int
    params: Params


class TookOver(_Fact, frozen=True, tag="took_over"):
    """We stood by and lead now, as the one that led was silent or gone."""

    holder: str
    """The one before."""


Fact = (
    RobotState
    | RobotConnection
    | RobotFactsheet
    | WorkOpened
    | WorkClosed
    | EventHeard
    | AnswerHeard
    | CellHeard
    | AckHeard
    | OpsAsked
    | StopHeard
    | TransportUp
    | Timer
    | Restarted
    | TookOver
)
