"""VDA 5050 3.0 factsheet: what a vehicle is and can do, zones included; lengths in m, masses in kg, times in s."""

from msgspec import field

from contracts.vda5050.factsheet import OptionalParameter, VersionEntry
from contracts.vda5050.header import Part, nothing
from contracts.vda5050.v2 import LoadDimensions
from contracts.vda5050.v3 import Message, Vertex


def _no_limits() -> dict[str, int]:
    return {}


def _no_lengths() -> dict[str, int | bool]:
    return {}


class TypeSpecification(Part, frozen=True):
    """The series; `supported_zones` are the zone types that the vehicle understands."""

    series_name: str
    mobile_robot_kinematics: str = field(default_factory=str)
    mobile_robot_class: str = field(default_factory=str)
    maximum_load_mass: float = field(default_factory=float)
    localization_types: tuple[str, ...] = field(default_factory=nothing)
    navigation_types: tuple[str, ...] = field(default_factory=nothing)
    series_description: str | None = None
    supported_zones: tuple[str, ...] = ()


class PhysicalParameters(Part, frozen=True):
    """Speeds in m/s, accelerations in m/s², sizes in m."""

    maximum_speed: float
    width: float
    length: float
    minimum_speed: float = field(default_factory=float)
    maximum_acceleration: float = field(default_factory=lambda: 1.0)
    maximum_deceleration: float = field(default_factory=lambda: 1.0)
    minimum_height: float = field(default_factory=float)
    maximum_height: float = field(default_factory=float)


class Timing(Part, frozen=True):
    """Seconds."""

    minimum_order_interval: float = field(default_factory=float)
    minimum_state_interval: float = field(default_factory=float)
    default_state_interval: float | None = None
    visualization_interval: float | None = None


class ProtocolLimits(Part, frozen=True):
    """Limits by name; a missing name or 0 is no limit."""

    maximum_string_lengths: dict[str, int | bool] = field(default_factory=_no_lengths)
    maximum_array_lengths: dict[str, int] = field(default_factory=_no_limits)
    timing: Timing = field(default_factory=Timing)


class RobotAction(Part, frozen=True):
    """An action that the vehicle can do; scopes are INSTANT, NODE, EDGE and ZONE."""

    action_type: str
    action_scopes: tuple[str, ...] = field(default_factory=nothing)
    pause_allowed: bool = field(default_factory=bool)
    cancel_allowed: bool = field(default_factory=bool)
    blocking_types: tuple[str, ...] = ()


class ProtocolFeatures(Part, frozen=True):
    """What the vehicle understands."""

    optional_parameters: tuple[OptionalParameter, ...] = field(default_factory=nothing)
    mobile_robot_actions: tuple[RobotAction, ...] = field(default_factory=nothing)


class Envelope2d(Part, frozen=True):
    """An outline of the vehicle."""

    envelope2d_id: str = field(name="envelope2dId")
    vertices: tuple[Vertex, ...]


class Geometry(Part, frozen=True):
    """The part of the geometry that traffic needs."""

    envelopes2d: tuple[Envelope2d, ...] = ()


class LoadSet(Part, frozen=True):
    """One kind of load and what it does to the vehicle."""

    set_name: str
    load_type: str
    load_dimensions: LoadDimensions | None = None
    maximum_weight: float | None = None
    maximum_speed: float | None = None
    pick_time: float | None = None
    drop_time: float | None = None


class LoadSpecification(Part, frozen=True):
    """What the vehicle carries."""

    load_positions: tuple[str, ...] = ()
    load_sets: tuple[LoadSet, ...] = ()


class BatteryCharging(Part, frozen=True):
    """When a vehicle wants to be charged; levels in percent, time in s."""

    critical_low_charging_level: float | None = None
    minimum_desired_charging_level: float | None = None
    maximum_desired_charging_level: float | None = None
    minimum_charging_time: float | None = None


class Configuration(Part, frozen=True):
    """Software and hardware versions, and charging."""

    versions: tuple[VersionEntry, ...] = ()
    battery_charging: BatteryCharging | None = None


class Factsheet(Message, frozen=True):
    """What a vehicle says about itself on `factsheetRequest`."""

    type_specification: TypeSpecification
    physical_parameters: PhysicalParameters
    protocol_limits: ProtocolLimits = field(default_factory=ProtocolLimits)
    protocol_features: ProtocolFeatures = field(default_factory=ProtocolFeatures)
    mobile_robot_geometry: Geometry = field(default_factory=Geometry)
    load_specification: LoadSpecification = field(default_factory=LoadSpecification)
    mobile_robot_configuration: Configuration | None = None
