"""VDA 5050 2.0 and 2.1: order, instantActions, state, connection, visualization.

What we write validates against both schemas (sections and names as in VDA 5050 2.1.0). Enumerations are read as plain
text, since vendors invent values; compare with the `StrEnum`s here. `contracts.vda5050.reading` reads tolerantly.
"""

from enum import StrEnum
from typing import Any

import msgspec
from msgspec import field

from contracts.vda5050.header import VERSION, Message, Part, nothing, timestamp, timestamp_ms

__all__ = [
    "VERSION",
    "Action",
    "ActionParameter",
    "ActionState",
    "ActionStatus",
    "AgvPosition",
    "BatteryState",
    "BlockingType",
    "BoundingBoxReference",
    "Connection",
    "ConnectionState",
    "ControlPoint",
    "Corridor",
    "EStop",
    "Edge",
    "EdgeState",
    "ErrorEntry",
    "ErrorLevel",
    "ErrorReference",
    "InfoLevel",
    "InfoReference",
    "Information",
    "InstantActions",
    "Load",
    "LoadDimensions",
    "MapEntry",
    "Message",
    "Node",
    "NodePosition",
    "NodeState",
    "OperatingMode",
    "Order",
    "SafetyState",
    "State",
    "Trajectory",
    "Velocity",
    "Visualization",
    "timestamp",
    "timestamp_ms",
]


class BlockingType(StrEnum):
    """What may go on beside an action (6.12.2)."""

    NONE = "NONE"
    """Driving and other actions."""
    SOFT = "SOFT"
    """Other actions, but no driving."""
    HARD = "HARD"
    """Nothing."""


class ActionStatus(StrEnum):
    """How far an action is (6.11). PAUSED is not in the JSON schema of 2.1 and is only read."""

    WAITING = "WAITING"
    INITIALIZING = "INITIALIZING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"


class ConnectionState(StrEnum):
    """What the retained connection message says."""

    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"
    CONNECTIONBROKEN = "CONNECTIONBROKEN"


class OperatingMode(StrEnum):
    """Who is in charge of the vehicle (6.10.6); an order is carried out in AUTOMATIC and SEMIAUTOMATIC only."""

    AUTOMATIC = "AUTOMATIC"
    SEMIAUTOMATIC = "SEMIAUTOMATIC"
    MANUAL = "MANUAL"
    SERVICE = "SERVICE"
    TEACHIN = "TEACHIN"


class ErrorLevel(StrEnum):
    """WARNING: goes on by itself. FATAL: a person must come."""

    WARNING = "WARNING"
    FATAL = "FATAL"


class InfoLevel(StrEnum):
    """What an information entry is for."""

    INFO = "INFO"
    DEBUG = "DEBUG"


class EStop(StrEnum):
    """How an emergency stop is acknowledged; NONE: none is active."""

    AUTOACK = "AUTOACK"
    MANUAL = "MANUAL"
    REMOTE = "REMOTE"
    NONE = "NONE"


# --- order, instantActions


class ActionParameter(Part, frozen=True):
    """One named argument; the value is any JSON value but null."""

    key: str
    value: Any


class Action(Part, frozen=True):
    """Something to be done at a node, on an edge, or at once."""

    action_id: str
    action_type: str
    blocking_type: str = field(default_factory=lambda: str(BlockingType.HARD))
    action_description: str | None = None
    action_parameters: tuple[ActionParameter, ...] = ()

    def parameter(self, key: str) -> Any:
        """Return the value of a parameter, None where it is not given."""
        for p in self.action_parameters:
            if p.key == key:
                return p.value
        return None


class NodePosition(Part, frozen=True):
    """Where a node lies: metres and radians; `theta` None leaves the heading to the vehicle."""

    x: float
    y: float
    map_id: str = field(default_factory=str)
    theta: float | None = None
    allowed_deviation_xy: float | None = field(default=None, name="allowedDeviationXY")
    allowed_deviation_theta: float | None = None
    map_description: str | None = None


class ControlPoint(Part, frozen=True):
    """A control point of a NURBS."""

    x: float
    y: float
    weight: float | None = None


class Trajectory(Part, frozen=True):
    """A NURBS between two nodes; knots lie in [0, 1]."""

    degree: int
    knot_vector: tuple[float, ...]
    control_points: tuple[ControlPoint, ...]


class Corridor(Part, frozen=True):
    """How far a vehicle may leave the straight line to drive around something, metres (2.1)."""

    left_width: float
    right_width: float
    corridor_ref_point: str | None = None


class Node(Part, frozen=True):
    """A node of an order; even `sequence_id`."""

    node_id: str
    sequence_id: int
    released: bool
    """True: base. False: horizon."""
    node_position: NodePosition | None = None
    actions: tuple[Action, ...] = field(default_factory=nothing)
    node_description: str | None = None


class Edge(Part, frozen=True):
    """An edge of an order; odd `sequence_id`. Speeds in m/s, angles in radians, lengths in metres."""

    sequence_id: int
    released: bool
    start_node_id: str
    end_node_id: str
    edge_id: str = field(default_factory=str)
    actions: tuple[Action, ...] = field(default_factory=nothing)
    edge_description: str | None = None
    max_speed: float | None = None
    max_height: float | None = None
    min_height: float | None = None
    orientation: float | None = None
    orientation_type: str | None = None
    direction: str | None = None
    rotation_allowed: bool | None = None
    max_rotation_speed: float | None = None
    length: float | None = None
    trajectory: Trajectory | None = None
    corridor: Corridor | None = None


class Order(Message, frozen=True):
    """A new order (`order_update_id` 0) or an update of the running one (6.6)."""

    order_id: str
    order_update_id: int
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    zone_set_id: str | None = None


class InstantActions(Message, frozen=True):
    """Actions to be done at once.

    The list was called `instantActions` before 2.0 and still is in some libraries: it is written under both names, and
    read from either.
    """

    actions: tuple[Action, ...] = field(default_factory=nothing)
    instant_actions: tuple[Action, ...] = field(default_factory=nothing)

    def __post_init__(self) -> None:
        if not self.actions:
            msgspec.structs.force_setattr(self, "actions", self.instant_actions)
        else:
            msgspec.structs.force_setattr(self, "instant_actions", self.actions)


# --- state


class NodeState(Part, frozen=True):
    """A node that is still to be reached."""

    node_id: str
    sequence_id: int
    released: bool = field(default_factory=lambda: True)
    node_position: NodePosition | None = None
    node_description: str | None = None


class EdgeState(Part, frozen=True):
    """An edge that is still to be left."""

    edge_id: str
    sequence_id: int
    released: bool = field(default_factory=lambda: True)
    trajectory: Trajectory | None = None
    edge_description: str | None = None


class AgvPosition(Part, frozen=True):
    """Where a vehicle is: metres, radians."""

    x: float
    y: float
    theta: float = field(default_factory=float)
    map_id: str = field(default_factory=str)
    position_initialized: bool = field(default_factory=lambda: True)
    localization_score: float | None = None
    deviation_range: float | None = None
    map_description: str | None = None


class Velocity(Part, frozen=True):
    """In the vehicle's own frame: m/s and rad/s."""

    vx: float | None = None
    vy: float | None = None
    omega: float | None = None


class BoundingBoxReference(Part, frozen=True):
    """Where a load's box begins, in the vehicle's frame."""

    x: float
    y: float
    z: float
    theta: float | None = None


class LoadDimensions(Part, frozen=True):
    """Metres."""

    length: float
    width: float
    height: float | None = None


class Load(Part, frozen=True):
    """Something carried. `weight` in kg."""

    load_id: str | None = None
    load_type: str | None = None
    load_position: str | None = None
    bounding_box_reference: BoundingBoxReference | None = None
    load_dimensions: LoadDimensions | None = None
    weight: float | None = None


class ActionState(Part, frozen=True):
    """How far an action of the order, or an instant action, is."""

    action_id: str
    action_status: str
    action_type: str | None = None
    action_description: str | None = None
    result_description: str | None = None


class BatteryState(Part, frozen=True):
    """`battery_charge` and `battery_health` in percent, `reach` in metres.

    A charge that is missing or null reads as full: such a vehicle looks after itself.
    """

    battery_charge: float = field(default_factory=lambda: 100.0)
    charging: bool = field(default_factory=bool)
    battery_voltage: float | None = None
    battery_health: float | None = None
    reach: float | None = None


class ErrorReference(Part, frozen=True):
    """What an error is about: ``orderId``, ``nodeId``, ``actionId``, ``headerId`` and the like."""

    reference_key: str
    reference_value: str


class ErrorEntry(Part, frozen=True):
    """One active error."""

    error_type: str
    error_level: str = field(default_factory=lambda: str(ErrorLevel.WARNING))
    error_references: tuple[ErrorReference, ...] = ()
    error_description: str | None = None
    error_hint: str | None = None


class InfoReference(Part, frozen=True):
    """What an information is about."""

    reference_key: str
    reference_value: str


class Information(Part, frozen=True):
    """For people; no logic may depend on it."""

    info_type: str
    info_level: str = field(default_factory=lambda: str(InfoLevel.INFO))
    info_references: tuple[InfoReference, ...] = ()
    info_description: str | None = None


class SafetyState(Part, frozen=True):
    """Emergency stop and protective field."""

    e_stop: str = field(default_factory=lambda: str(EStop.NONE))
    field_violation: bool = field(default_factory=bool)


class MapEntry(Part, frozen=True):
    """A map that the vehicle holds (2.1)."""

    map_id: str
    map_version: str
    map_status: str
    map_description: str | None = None


class State(Message, frozen=True):
    """A vehicle as it is (6.10).

    `order_id`, `order_update_id` and `last_node_id` are required also when read: nothing can be concluded from a state
    without them. A `last_node_sequence_id` that was not said reads as -1.
    """

    order_id: str
    order_update_id: int
    last_node_id: str
    last_node_sequence_id: int = field(default_factory=lambda: -1)
    driving: bool = field(default_factory=bool)
    node_states: tuple[NodeState, ...] = field(default_factory=nothing)
    edge_states: tuple[EdgeState, ...] = field(default_factory=nothing)
    action_states: tuple[ActionState, ...] = field(default_factory=nothing)
    battery_state: BatteryState = field(default_factory=BatteryState)
    operating_mode: str = field(default_factory=lambda: str(OperatingMode.AUTOMATIC))
    errors: tuple[ErrorEntry, ...] = field(default_factory=nothing)
    safety_state: SafetyState = field(default_factory=SafetyState)
    agv_position: AgvPosition | None = None
    velocity: Velocity | None = None
    loads: tuple[Load, ...] | None = None
    """None: the vehicle does not know; empty: it carries nothing."""
    information: tuple[Information, ...] = ()
    paused: bool | None = None
    new_base_request: bool | None = None
    distance_since_last_node: float | None = None
    zone_set_id: str | None = None
    maps: tuple[MapEntry, ...] = ()


class Connection(Message, frozen=True):
    """Retained, QoS 1, and the last will with CONNECTIONBROKEN (6.14)."""

    connection_state: str


class Visualization(Message, frozen=True):
    """Where a vehicle is, more often than its state."""

    agv_position: AgvPosition | None = None
    velocity: Velocity | None = None
