"""VDA 5050 3.0: order, instantActions, state, connection, visualization, zoneSet, responses (names as in its schemas).

What stays as it was in 2.x is taken from `v2`; `translation` leads from one to the other.
"""

from enum import StrEnum
from typing import Any

from msgspec import field

from contracts.vda5050 import header
from contracts.vda5050.header import Part, nothing
from contracts.vda5050.v2 import (
    ActionParameter,
    EdgeState,
    ErrorReference,
    InfoReference,
    Load,
    Trajectory,
    Velocity,
)

VERSION = "3.0.0"
MAJOR = "v3"


class BlockingType(StrEnum):
    """What may go on beside an action; SINGLE is new: driving, but no other action."""

    NONE = "NONE"
    SOFT = "SOFT"
    SINGLE = "SINGLE"
    HARD = "HARD"


class ActionStatus(StrEnum):
    """How far an action is; RETRIABLE is new: it failed, and master control may ask for it again or skip it."""

    WAITING = "WAITING"
    INITIALIZING = "INITIALIZING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    RETRIABLE = "RETRIABLE"
    FINISHED = "FINISHED"
    FAILED = "FAILED"


class ConnectionState(StrEnum):
    """What the retained connection message says."""

    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"
    HIBERNATING = "HIBERNATING"
    CONNECTION_BROKEN = "CONNECTION_BROKEN"


class GrantType(StrEnum):
    """Master control's answer to a request for a zone or a corridor."""

    GRANTED = "GRANTED"
    QUEUED = "QUEUED"
    REVOKED = "REVOKED"
    REJECTED = "REJECTED"


class Message(header.Message, frozen=True, kw_only=True, omit_defaults=True, rename="camel", gc=False):
    """A whole message of version 3."""

    version: str = field(default_factory=lambda: VERSION)


# --- order, instantActions


class Action(Part, frozen=True):
    """Something to be done at a node, on an edge, in a zone, or at once."""

    action_id: str
    action_type: str
    blocking_type: str = field(default_factory=lambda: str(BlockingType.HARD))
    action_descriptor: str | None = None
    action_parameters: tuple[ActionParameter, ...] = ()
    retriable: bool | None = None


class Deviation(Part, frozen=True):
    """An ellipse that a vehicle may stay within: half axes in metres, turn in radians."""

    a: float
    b: float
    theta: float = field(default_factory=float)


class NodePosition(Part, frozen=True):
    """Where a node lies: metres and radians."""

    x: float
    y: float
    map_id: str = field(default_factory=str)
    theta: float | None = None
    allowed_deviation_xy: Deviation | None = field(default=None, name="allowedDeviationXY")
    allowed_deviation_theta: float | None = None


class Node(Part, frozen=True):
    """A node of an order; even `sequence_id`."""

    node_id: str
    sequence_id: int
    released: bool
    node_position: NodePosition | None = None
    actions: tuple[Action, ...] = field(default_factory=nothing)
    node_descriptor: str | None = None


class Corridor(Part, frozen=True):
    """How far a vehicle may leave the straight line, metres; with `release_required` only when it was granted."""

    left_width: float
    right_width: float
    corridor_reference_point: str | None = None
    release_required: bool | None = None
    release_loss_behavior: str | None = None


class Edge(Part, frozen=True):
    """An edge of an order; odd `sequence_id`. It no longer names its ends: they are the nodes beside it."""

    edge_id: str
    sequence_id: int
    released: bool
    actions: tuple[Action, ...] = field(default_factory=nothing)
    edge_descriptor: str | None = None
    maximum_speed: float | None = None
    maximum_mobile_robot_height: float | None = None
    minimum_load_handling_device_height: float | None = None
    orientation: float | None = None
    orientation_type: str | None = None
    direction: str | None = None
    reach_orientation_before_entering: bool | None = None
    max_rotation_speed: float | None = None
    length: float | None = None
    trajectory: Trajectory | None = None
    corridor: Corridor | None = None


class Order(Message, frozen=True):
    """A new order (`order_update_id` 0) or an update of the running one."""

    order_id: str
    order_update_id: int
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    order_description: str | None = None


class InstantActions(Message, frozen=True):
    """Actions to be done at once; their blocking type is always NONE."""

    actions: tuple[Action, ...] = field(default_factory=nothing)


# --- state


class Position(Part, frozen=True):
    """Where a node of a state lies."""

    x: float
    y: float
    theta: float
    map_id: str = field(default_factory=str)


class NodeState(Part, frozen=True):
    """A node that is still to be reached."""

    node_id: str
    sequence_id: int
    released: bool = field(default_factory=lambda: True)
    node_position: NodePosition | None = None
    node_descriptor: str | None = None


class MobileRobotPosition(Part, frozen=True):
    """Where a vehicle is: metres, radians."""

    x: float
    y: float
    theta: float = field(default_factory=float)
    map_id: str = field(default_factory=str)
    localized: bool = field(default_factory=lambda: True)
    localization_score: float | None = None
    deviation_range: float | None = None


class ActionState(Part, frozen=True):
    """How far an action is."""

    action_id: str
    action_status: str
    action_type: str | None = None
    action_descriptor: str | None = None
    action_result: str | None = None


class PowerSupply(Part, frozen=True):
    """`state_of_charge` and `battery_health` in percent, `range` in metres; a missing charge reads as full."""

    state_of_charge: float = field(default_factory=lambda: 100.0)
    charging: bool = field(default_factory=bool)
    battery_voltage: float | None = None
    battery_current: float | None = None
    battery_health: float | None = None
    range: float | None = None


class Translation(Part, frozen=True):
    """A text in one language (ISO 639-1)."""

    translation_key: str
    translation_value: str


class ErrorEntry(Part, frozen=True):
    """One active error: WARNING, URGENT, CRITICAL (cannot go on with its order) or FATAL (a person must come)."""

    error_type: str
    error_level: str = field(default_factory=lambda: "WARNING")
    error_references: tuple[ErrorReference, ...] = ()
    error_description: str | None = None
    error_description_translations: tuple[Translation, ...] = ()
    error_hint: str | None = None
    error_hint_translations: tuple[Translation, ...] = ()


class Information(Part, frozen=True):
    """For people; no logic may depend on it."""

    info_type: str
    info_level: str = field(default_factory=lambda: "INFO")
    info_references: tuple[InfoReference, ...] = ()
    info_descriptor: str | None = None


class SafetyState(Part, frozen=True):
    """Emergency stop (MANUAL, REMOTE, NONE) and protective field."""

    active_emergency_stop: str = field(default_factory=lambda: "NONE")
    field_violation: bool = field(default_factory=bool)


class ZoneRequest(Part, frozen=True):
    """A vehicle asks to enter a release zone (ACCESS), or to plan anew in one (REPLANNING)."""

    request_id: str
    request_type: str
    zone_id: str
    zone_set_id: str
    request_status: str
    trajectory: Trajectory | None = None


class EdgeRequest(Part, frozen=True):
    """A vehicle asks to use an edge's corridor."""

    request_id: str
    request_type: str
    edge_id: str
    sequence_id: int
    request_status: str


class ZoneSetState(Part, frozen=True):
    """A zone set that the vehicle holds."""

    zone_set_id: str
    map_id: str
    zone_set_status: str


class MapEntry(Part, frozen=True):
    """A map that the vehicle holds."""

    map_id: str
    map_version: str
    map_status: str
    map_descriptor: str | None = None


class State(Message, frozen=True):
    """A vehicle as it is. A `last_node_sequence_id` that was not said reads as -1."""

    order_id: str
    order_update_id: int
    last_node_id: str
    last_node_sequence_id: int = field(default_factory=lambda: -1)
    driving: bool = field(default_factory=bool)
    node_states: tuple[NodeState, ...] = field(default_factory=nothing)
    edge_states: tuple[EdgeState, ...] = field(default_factory=nothing)
    action_states: tuple[ActionState, ...] = field(default_factory=nothing)
    instant_action_states: tuple[ActionState, ...] = field(default_factory=nothing)
    zone_action_states: tuple[ActionState, ...] = ()
    power_supply: PowerSupply = field(default_factory=PowerSupply)
    operating_mode: str = field(default_factory=lambda: "AUTOMATIC")
    errors: tuple[ErrorEntry, ...] = field(default_factory=nothing)
    safety_state: SafetyState = field(default_factory=SafetyState)
    mobile_robot_position: MobileRobotPosition | None = None
    velocity: Velocity | None = None
    loads: tuple[Load, ...] | None = None
    information: tuple[Information, ...] = ()
    paused: bool | None = None
    new_base_request: bool | None = None
    distance_since_last_node: float | None = None
    zone_requests: tuple[ZoneRequest, ...] = ()
    edge_requests: tuple[EdgeRequest, ...] = ()
    zone_sets: tuple[ZoneSetState, ...] = ()
    maps: tuple[MapEntry, ...] = ()
    planned_path: Any = None
    intermediate_path: Any = None


class Connection(Message, frozen=True):
    """Retained, QoS 1, and the last will with CONNECTION_BROKEN."""

    connection_state: str


class Visualization(Message, frozen=True):
    """Where a vehicle is, more often than its state."""

    reference_state_header_id: int = field(default_factory=int)
    mobile_robot_position: MobileRobotPosition | None = None
    velocity: Velocity | None = None
    planned_path: Any = None
    intermediate_path: Any = None


# --- zones


class Vertex(Part, frozen=True):
    """A corner of a zone, metres."""

    x: float
    y: float


class Zone(Part, frozen=True):
    """A polygon with a rule: BLOCKED, LINE_GUIDED, RELEASE, SPEED_LIMIT and the like."""

    zone_id: str
    zone_type: str
    vertices: tuple[Vertex, ...]
    zone_descriptor: str | None = None
    maximum_speed: float | None = None
    release_loss_behavior: str | None = None


class ZoneSetBody(Part, frozen=True):
    """The zones of one map."""

    map_id: str
    zone_set_id: str
    zones: tuple[Zone, ...]
    zone_set_descriptor: str | None = None


class ZoneSet(Message, frozen=True):
    """A zone set, sent to a vehicle."""

    zone_set: ZoneSetBody


class Response(Part, frozen=True):
    """The answer to one request; `lease_expiry` is until when a grant holds (ISO 8601, UTC)."""

    request_id: str
    grant_type: str
    lease_expiry: str | None = None


class Responses(Message, frozen=True):
    """Answers to requests of one vehicle."""

    responses: tuple[Response, ...] = field(default_factory=nothing)
