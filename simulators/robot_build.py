"""A robot of the reference site as it was built: how fast, how strong, how faulty; and its factsheet."""

import msgspec

from contracts.errors import Rejected
from contracts.site import Robot
from contracts.vda5050 import factsheet3, v3
from contracts.vda5050.factsheet import (
    AgvAction,
    Factsheet,
    LoadSet,
    LoadSpecification,
    PhysicalParameters,
    ProtocolFeatures,
    ProtocolLimits,
    Timing,
    TypeSpecification,
)
from contracts.vda5050.v2 import VERSION, timestamp
from simulators.battery import BatteryParams
from simulators.motion import DriveParams

NODE_ACTIONS = frozenset({"pick", "drop", "startCharging", "stopCharging"})
INSTANT_ACTIONS = frozenset({"startCharging", "stopCharging"})
ZONE_ACTIONS = frozenset({"enableZoneSet", "deleteZoneSet"})
"""Instant actions of version 3."""


class RobotFaults(msgspec.Struct, frozen=True):
    """Seeded faults; rates per hour of floor time, chances from 0 to 1."""

    fatal_per_h: float = 0.0
    fatal_s: float = 120.0
    """How long until somebody has mended it."""
    offline_per_h: float = 0.0
    offline_s: float = 30.0
    stall_chance: float = 0.0
    """Of each move: something stands in the way."""
    stall_s: tuple[float, float] = (5.0, 20.0)
    lift_fails: float = 0.0
    """Of each pick: the lift jams; the pod stays where it is."""

    def __post_init__(self) -> None:
        for name in ("fatal_per_h", "fatal_s", "offline_per_h", "offline_s"):
            if getattr(self, name) < 0:
                raise Rejected(name, getattr(self, name), "0 or more")
        for name in ("stall_chance", "lift_fails"):
            if not 0 <= getattr(self, name) <= 1:
                raise Rejected(name, getattr(self, name), "from 0 to 1")
        if not 0 <= self.stall_s[0] <= self.stall_s[1]:
            raise Rejected("stall_s", self.stall_s, "a range of seconds")


class RobotParams(msgspec.Struct, frozen=True):
    """One robot as it was built; seconds, Hz."""

    drive: DriveParams = DriveParams()
    battery: BatteryParams = BatteryParams()
    faults: RobotFaults = RobotFaults()
    level: tuple[float, float] = (0.6, 1.0)
    """Range of the charge at first."""
    lift_s: float = 4.0
    drop_s: float = 4.0
    dock_s: float = 2.0
    """From `startCharging` until it charges."""
    idle_state_s: float = 30.0
    """A state is said when nothing was said for this long."""
    driving_state_s: float = 30.0
    """The same while driving; 1 on real time."""
    visualization_hz: float = 0.0
    """0: none."""
    version: str = VERSION
    """The protocol that it speaks: 2.0.0, 2.1.0 or 3.0.0; some masters of 2.0 hear nothing of 2.1."""

    def __post_init__(self) -> None:
        if self.version not in {"2.0.0", "2.1.0", v3.VERSION}:
            raise Rejected("version", self.version, "2.0.0, 2.1.0 or 3.0.0")
        if not 0 <= self.level[0] <= self.level[1] <= 1:
            raise Rejected("level", self.level, "a range within 0 to 1")
        for name in ("lift_s", "drop_s", "dock_s", "visualization_hz"):
            if getattr(self, name) < 0:
                raise Rejected(name, getattr(self, name), "0 or more")
        for name in ("idle_state_s", "driving_state_s"):
            if not 0.05 <= getattr(self, name) <= 3600:
                raise Rejected(name, getattr(self, name), "from 0.05 to 3600 s")


def factsheet3_of(robot: Robot, params: RobotParams, now_ms: int, header_id: int) -> factsheet3.Factsheet:
    """Return the same for version 3, with the zones that it understands."""
    old = factsheet_of(robot, params, now_ms, header_id)
    kind, body, (load,) = old.type_specification, old.physical_parameters, old.load_specification.load_sets
    timing = old.protocol_limits.timing
    actions = [*old.protocol_features.agv_actions, *(AgvAction(k, ("INSTANT",)) for k in sorted(ZONE_ACTIONS))]
    return factsheet3.Factsheet(
        header_id=header_id,
        timestamp=old.timestamp,
        manufacturer=old.manufacturer,
        serial_number=old.serial_number,
        type_specification=factsheet3.TypeSpecification(
            series_name=kind.series_name,
            mobile_robot_kinematics="DIFFERENTIAL",
            mobile_robot_class=kind.agv_class,
            maximum_load_mass=kind.max_load_mass,
            localization_types=kind.localization_types,
            navigation_types=kind.navigation_types,
            series_description=kind.series_description,
            supported_zones=("BLOCKED", "RELEASE", "SPEED_LIMIT"),
        ),
        physical_parameters=factsheet3.PhysicalParameters(
            maximum_speed=body.speed_max,
            width=body.width,
            length=body.length,
            maximum_acceleration=body.acceleration_max,
            maximum_deceleration=body.deceleration_max,
            maximum_height=body.height_max,
        ),
        protocol_limits=factsheet3.ProtocolLimits(
            timing=factsheet3.Timing(
                default_state_interval=timing.default_state_interval,
                visualization_interval=timing.visualization_interval,
            )
        ),
        protocol_features=factsheet3.ProtocolFeatures(
            mobile_robot_actions=tuple(
                factsheet3.RobotAction(
                    action_type=a.action_type, action_scopes=a.action_scopes, pause_allowed=False, cancel_allowed=False
                )
                for a in actions
            )
        ),
        load_specification=factsheet3.LoadSpecification(
            load_sets=(
                factsheet3.LoadSet(
                    set_name=load.set_name, load_type=load.load_type, maximum_weight=load.max_weight,
                    maximum_speed=load.agv_speed_limit, pick_time=load.pick_time, drop_time=load.drop_time,
                ),
            )
        ),
    )  # fmt: skip


def factsheet_of(robot: Robot, params: RobotParams, now_ms: int, header_id: int) -> Factsheet:
    """Return what a robot of this build says about itself; it carries pods of up to 450 kg on its back."""
    drive = params.drive
    scopes: dict[str, tuple[str, ...]] = dict.fromkeys(NODE_ACTIONS, ("NODE",))
    scopes |= dict.fromkeys(NODE_ACTIONS & INSTANT_ACTIONS, ("NODE", "INSTANT"))
    instant = ("startPause", "stopPause", "cancelOrder", "stateRequest", "factsheetRequest", "initPosition")
    scopes |= dict.fromkeys(instant, ("INSTANT",))
    return Factsheet(
        type_specification=TypeSpecification(
            "pod carrier", "DIFF", "CARRIER", 450.0, ("GRID",), ("VIRTUAL_LINE_GUIDED",), "drives beneath pods"
        ),
        physical_parameters=PhysicalParameters(
            speed_max=drive.speed_mps,
            width=0.75,
            length=0.95,
            acceleration_max=drive.accelerate_mps2,
            deceleration_max=drive.brake_mps2,
            height_max=0.4,
        ),
        protocol_limits=ProtocolLimits(
            timing=Timing(
                0.0, 0.0, params.idle_state_s, 1 / params.visualization_hz if params.visualization_hz else None
            )
        ),
        protocol_features=ProtocolFeatures(agv_actions=tuple(AgvAction(k, v) for k, v in sorted(scopes.items()))),
        load_specification=LoadSpecification(
            load_sets=(
                LoadSet(
                    "pod",
                    "POD",
                    max_weight=450.0,
                    agv_speed_limit=drive.loaded_speed_mps,
                    agv_acceleration_limit=drive.loaded_accelerate_mps2,
                    pick_time=params.lift_s,
                    drop_time=params.drop_s,
                ),
            )
        ),
        header_id=header_id,
        timestamp=timestamp(now_ms),
        version=params.version,
        manufacturer=robot.manufacturer,
        serial_number=robot.id,
    )
