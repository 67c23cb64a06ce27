"""VDA 5050 2.1 factsheet (6.15): what a vehicle is and what it can do; lengths in m, masses in kg, times in s."""

import msgspec
from msgspec import field

from contracts.vda5050.header import Message, Part, nothing
from contracts.vda5050.v2 import BoundingBoxReference, LoadDimensions


class TypeSpecification(Part, frozen=True):
    """The series and its class: DIFF, OMNI or THREEWHEEL; FORKLIFT, CONVEYOR, TUGGER or CARRIER."""

    series_name: str
    agv_kinematic: str
    agv_class: str
    max_load_mass: float = field(default_factory=float)
    localization_types: tuple[str, ...] = field(default_factory=nothing)
    navigation_types: tuple[str, ...] = field(default_factory=nothing)
    series_description: str | None = None


class PhysicalParameters(Part, frozen=True):
    """Speeds in m/s, accelerations in m/s², sizes in m."""

    speed_max: float
    width: float
    length: float
    speed_min: float = field(default_factory=float)
    acceleration_max: float = field(default_factory=lambda: 1.0)
    deceleration_max: float = field(default_factory=lambda: 1.0)
    height_min: float = field(default_factory=float)
    """Not required by 2.1, but by 2.0."""
    height_max: float = field(default_factory=float)


class Timing(Part, frozen=True):
    """Seconds."""

    min_order_interval: float = field(default_factory=float)
    min_state_interval: float = field(default_factory=float)
    default_state_interval: float | None = None
    visualization_interval: float | None = None


def _no_limits() -> dict[str, int]:
    return {}


class MaxStringLens(Part, frozen=True):
    """Characters; None: no limit is named."""

    msg_len: int | None = None
    topic_serial_len: int | None = None
    topic_elem_len: int | None = None
    id_len: int | None = None
    id_numerical_only: bool | None = None
    enum_len: int | None = None
    load_id_len: int | None = None


class ProtocolLimits(Part, frozen=True):
    """`max_array_lens` by names such as ``order.nodes``; a missing name or 0 is no limit."""

    max_string_lens: MaxStringLens = field(default_factory=MaxStringLens)
    max_array_lens: dict[str, int] = field(default_factory=_no_limits)
    timing: Timing = field(default_factory=Timing)


class OptionalParameter(Part, frozen=True):
    """`parameter` is a path such as ``order.nodes.nodePosition.allowedDeviationTheta``; SUPPORTED or REQUIRED."""

    parameter: str
    support: str
    description: str | None = None


class ActionParameterType(Part, frozen=True):
    """BOOL, NUMBER, INTEGER, FLOAT, STRING, OBJECT or ARRAY."""

    key: str
    value_data_type: str
    description: str | None = None
    is_optional: bool | None = None


class AgvAction(Part, frozen=True):
    """An action that the vehicle can do; scopes are INSTANT, NODE and EDGE.

    The schemas describe `blockingTypes` by an enumeration that no array can equal, so it is read but never written.
    """

    action_type: str
    action_scopes: tuple[str, ...] = field(default_factory=nothing)
    action_description: str | None = None
    action_parameters: tuple[ActionParameterType, ...] = ()
    result_description: str | None = None
    blocking_types: tuple[str, ...] = ()


class ProtocolFeatures(Part, frozen=True):
    """What the vehicle understands."""

    optional_parameters: tuple[OptionalParameter, ...] = field(default_factory=nothing)
    agv_actions: tuple[AgvAction, ...] = field(default_factory=nothing)


class PolygonPoint(Part, frozen=True):
    """Metres, in the vehicle's frame."""

    x: float
    y: float


class Envelope2d(Part, frozen=True):
    """An outline of the vehicle."""

    set: str
    polygon_points: tuple[PolygonPoint, ...]
    description: str | None = None


class AgvGeometry(Part, frozen=True):
    """The part of the geometry that traffic needs."""

    envelopes2d: tuple[Envelope2d, ...] = ()


class LoadSet(Part, frozen=True):
    """One kind of load and what it does to the vehicle."""

    set_name: str
    load_type: str
    load_positions: tuple[str, ...] = ()
    bounding_box_reference: BoundingBoxReference | None = None
    load_dimensions: LoadDimensions | None = None
    max_weight: float | None = None
    agv_speed_limit: float | None = None
    agv_acceleration_limit: float | None = None
    agv_deceleration_limit: float | None = None
    pick_time: float | None = None
    drop_time: float | None = None
    description: str | None = None


class LoadSpecification(Part, frozen=True):
    """What the vehicle carries."""

    load_positions: tuple[str, ...] = ()
    load_sets: tuple[LoadSet, ...] = ()


class VersionEntry(Part, frozen=True):
    """A component and its version."""

    key: str
    value: str


class VehicleConfig(Part, frozen=True):
    """Software and hardware versions (2.1)."""

    versions: tuple[VersionEntry, ...] = ()


class Factsheet(Message, frozen=True):
    """What a vehicle says about itself on `factsheetRequest`."""

    type_specification: TypeSpecification
    physical_parameters: PhysicalParameters
    protocol_limits: ProtocolLimits = field(default_factory=ProtocolLimits)
    protocol_features: ProtocolFeatures = field(default_factory=ProtocolFeatures)
    agv_geometry: AgvGeometry = field(default_factory=AgvGeometry)
    load_specification: LoadSpecification = field(default_factory=LoadSpecification)
    vehicle_config: VehicleConfig | msgspec.UnsetType = msgspec.UNSET
