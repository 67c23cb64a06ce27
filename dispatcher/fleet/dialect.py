"""What a vendor's robots do differently, as data, and the way from their VDA 5050 messages to our facts."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files

import msgspec

from contracts.errors import Rejected
from contracts.ids import NodeId, RobotId
from contracts.vda5050 import factsheet3, translation, v2, v3
from contracts.vda5050.factsheet import Factsheet
from contracts.vda5050.header import VERSION
from dispatcher.facts import Request, RobotConnection, RobotFactsheet, RobotState, Trouble


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """One vendor's ways; the defaults are the standard's. One file a vendor, in `dialects/`."""

    name: str = "standard"
    manufacturers: tuple[str, ...] = ()
    """Whose robots speak it, as shell patterns."""
    version: str = ""
    """What stands in the messages that we send; empty: what the robot itself says."""
    fully_released: bool = False
    """It cannot take a horizon (it skips nodes, or drives on into it): every node that it is told is released."""
    keeps_node_states: bool = False
    """It never empties `nodeStates`: where it is says the last node alone."""
    forgets_actions: bool = False
    """It drops finished actions from its states after a while: an action that was seen and is gone has finished."""
    replaces_orders: bool = False
    """It takes an update as a whole new order: it gets one only at the end of its base."""
    handles_loads: bool = True
    """It can pick and drop."""
    instant: dict[str, str] = {}
    """Its own names of instant actions."""
    blocking: dict[str, str] = {}
    """What may go on beside its actions, by action type, where it is not HARD; SINGLE is HARD to who speaks 2.x."""
    parameters: dict[str, dict[str, str]] = {}
    """What its actions want to be told besides, by action type."""


STANDARD = Dialect()


@cache
def dialects() -> tuple[Dialect, ...]:
    """Return every vendor's dialect, as the files say."""
    folder = files("dispatcher.fleet") / "dialects"
    found = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return tuple(
        msgspec.structs.replace(msgspec.toml.decode(f.read_bytes(), type=Dialect), name=f.name.removesuffix(".toml"))
        for f in found
    )


def dialect_of(manufacturer: str) -> Dialect:
    """Return the dialect of a manufacturer."""
    for one in dialects():
        if any(fnmatchcase(manufacturer, pattern) for pattern in one.manufacturers):
            return one
    return STANDARD


def spoken(dialect: Dialect, version: str) -> str:
    """Return the version that a robot is to be addressed in, which says of itself that it speaks `version`."""
    if dialect.version:
        return dialect.version
    said = version.lstrip("v")
    if said.startswith("3"):
        return v3.VERSION
    return "2.0.0" if said.startswith(("1.", "2.0")) else VERSION


_LARGEST = 2**63 - 1
_LONGEST_INTERVAL_S = 3_600.0


def _kept(field: str, value: int) -> int:
    if not -_LARGEST <= value <= _LARGEST:
        raise Rejected(field, value, "a number that a journal keeps (64 bits)")
    return value


def _interval_ms(field: str, value_s: float) -> int:
    if not 0 <= value_s <= _LONGEST_INTERVAL_S:
        raise Rejected(field, value_s, f"in 0..{_LONGEST_INTERVAL_S:.0f} s")
    return round(value_s * 1000)


def read_state(state: v2.State) -> RobotState:
    """Reduce a VDA 5050 2.x state to what the core decides by.

    Raises
    ------
    Rejected
        A number is none that the standard means.
    """
    base = sum(1 for n in state.node_states if n.released) if state.node_states else 0
    position = state.agv_position
    battery = state.battery_state
    placed = position is not None and position.position_initialized
    return RobotState(
        robot=RobotId(state.serial_number),
        manufacturer=state.manufacturer,
        order_id=state.order_id,
        order_update_id=_kept("orderUpdateId", state.order_update_id),
        node=NodeId(state.last_node_id),
        seq=_kept("lastNodeSequenceId", state.last_node_sequence_id),
        driving=state.driving,
        paused=bool(state.paused),
        base_left=base,
        horizon_left=len(state.node_states) - base,
        actions=tuple([(a.action_id, a.action_status) for a in state.action_states]),
        failed=tuple(
            [
                (a.action_id, a.result_description[:200])
                for a in state.action_states
                if a.result_description and a.action_status in _FAILED
            ]
        ),
        loads=None if state.loads is None else tuple([load.load_id or "" for load in state.loads]),
        battery=min(max(battery.battery_charge / 100.0, 0.0), 1.0),
        charging=battery.charging,
        automatic=state.operating_mode in _OURS,
        troubles=_troubles(state) if state.errors or _stopped(state) else (),
        x_m=position.x if position is not None and placed else None,
        y_m=position.y if position is not None and placed else None,
        heading_rad=position.theta if position is not None and placed else 0.0,
        version=state.version,
        header=_kept("headerId", state.header_id),
        wants_base=bool(state.new_base_request),
    )


def read_state3(said: v3.State) -> RobotState:
    """Reduce a VDA 5050 3.0 state, with what it asks for and the zone sets that it holds."""
    asked = [
        Request(q.request_id, q.request_type, q.zone_id, q.request_status, q.zone_set_id) for q in said.zone_requests
    ] + [
        Request(
            q.request_id,
            q.request_type,
            q.edge_id,
            q.request_status,
            seq=_kept("edgeRequests/sequenceId", q.sequence_id),
        )
        for q in said.edge_requests
    ]
    return msgspec.structs.replace(
        read_state(translation.state_to_2(said)),
        requests=tuple(asked),
        zone_sets=tuple((z.zone_set_id, z.zone_set_status == "ENABLED") for z in said.zone_sets),
    )


def read_connection(message: v2.Connection) -> RobotConnection:
    """Read a connection message or last will."""
    return RobotConnection(
        robot=RobotId(message.serial_number),
        manufacturer=message.manufacturer,
        online=message.connection_state == v2.ConnectionState.ONLINE,
        version=message.version,
    )


def read_factsheet(sheet: Factsheet) -> RobotFactsheet:
    """Keep of a factsheet what the dispatcher uses.

    Raises
    ------
    Rejected
        The least time between orders is none that a robot can ask for.
    """
    return RobotFactsheet(
        robot=RobotId(sheet.serial_number),
        manufacturer=sheet.manufacturer,
        series=sheet.type_specification.series_name,
        width_m=sheet.physical_parameters.width,
        speed_max_mps=sheet.physical_parameters.speed_max,
        min_order_interval_ms=_interval_ms("minOrderInterval", sheet.protocol_limits.timing.min_order_interval),
        load_types=_load_types(s.load_type for s in sheet.load_specification.load_sets),
        nodes_max=_nodes_max(sheet.protocol_limits.max_array_lens),
    )


def read_factsheet3(sheet: factsheet3.Factsheet) -> RobotFactsheet:
    """Keep of a factsheet of version 3 what the dispatcher uses."""
    configuration = sheet.mobile_robot_configuration
    charging = factsheet3.BatteryCharging()
    if configuration is not None and configuration.battery_charging is not None:
        charging = configuration.battery_charging
    return RobotFactsheet(
        robot=RobotId(sheet.serial_number),
        manufacturer=sheet.manufacturer,
        series=sheet.type_specification.series_name,
        width_m=sheet.physical_parameters.width,
        speed_max_mps=sheet.physical_parameters.maximum_speed,
        min_order_interval_ms=_interval_ms("minimumOrderInterval", sheet.protocol_limits.timing.minimum_order_interval),
        zones=sheet.type_specification.supported_zones,
        corridors=any("corridor" in p.parameter.split(".") for p in sheet.protocol_features.optional_parameters),
        load_types=_load_types(s.load_type for s in sheet.load_specification.load_sets),
        nodes_max=_nodes_max(sheet.protocol_limits.maximum_array_lengths),
        charge_critical=_level(charging.critical_low_charging_level),
        charge_from=_level(charging.minimum_desired_charging_level),
        charge_to=_level(charging.maximum_desired_charging_level),
    )


def _load_types(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(n for n in names if n))


_FEWEST_NODES = 3
"""An update of fewer nodes than the last one, the next one and a goal would lead nowhere."""


def _nodes_max(limits: dict[str, int]) -> int:
    most = limits.get("order.nodes", 0)
    return max(most, _FEWEST_NODES) if most > 0 else 0


def _level(percent: float | None) -> float:
    return 0.0 if percent is None or not 0 < percent <= _FULL else percent / _FULL


_FULL = 100.0


_FAILED = frozenset({str(v3.ActionStatus.FAILED), str(v3.ActionStatus.RETRIABLE)})
_OURS = frozenset({str(v2.OperatingMode.AUTOMATIC), str(v2.OperatingMode.SEMIAUTOMATIC)})


def _stopped(state: v2.State) -> bool:
    return state.safety_state.e_stop != v2.EStop.NONE


def _troubles(state: v2.State) -> tuple[Trouble, ...]:
    """Return its errors; an emergency stop that somebody must acknowledge is one: it may be pushed meanwhile."""
    found = [_trouble(e) for e in state.errors]
    if _stopped(state):
        stop = state.safety_state.e_stop
        found.append(Trouble("emergencyStop", fatal=stop != v2.EStop.AUTOACK, text=f"to be acknowledged: {stop}"))
    return tuple(found)


def _trouble(error: v2.ErrorEntry) -> Trouble:
    return Trouble(
        kind=error.error_type,
        fatal=error.error_level == v2.ErrorLevel.FATAL,
        about=tuple([r.reference_value for r in error.error_references]),
        text=error.error_description or "",
    )
