"""From VDA 5050 2.1 to 3.0 and back, so that all versions meet in one vehicle model.

What only one version can say is left out on the way to the other: zones and leases are answered in 3.0 itself.
"""

from typing import Any

import msgspec

from contracts.vda5050 import v2, v3

RETRIABLE_ACTIONS = frozenset({"pick", "drop", "startCharging", "detectObject", "finePositioning"})
"""Actions of an order that may be tried again where they failed (3.0, table 5)."""
_ACTIONS_TO_3 = {"initPosition": "initializePosition"}
_ACTIONS_TO_2 = {new: old for old, new in _ACTIONS_TO_3.items()}
_MODES_TO_2 = {"TEACH_IN": "TEACHIN", "STARTUP": "SERVICE", "INTERVENED": "MANUAL"}
_MODES_TO_3 = {"TEACHIN": "TEACH_IN"}
_STOPS_TO_3 = {"AUTOACK": "MANUAL"}
_REFERENCES_TO_3 = {"KINEMATICCENTER": "KINEMATIC_CENTER"}
_FATAL = frozenset({"CRITICAL", "FATAL"})
_UNTIL_NEXT_ORDER = frozenset({"UNSUPPORTED_PARAMETER", "NODE_UNREACHABLE"})
"""Errors that are CRITICAL to one order, and are gone once another one is taken (3.0, 6.6.5.4)."""
_CONNECTIONS_TO_2 = {"CONNECTION_BROKEN": "CONNECTIONBROKEN", "HIBERNATING": "OFFLINE"}
_CONNECTIONS_TO_3 = {"CONNECTIONBROKEN": "CONNECTION_BROKEN"}


def _head(message: msgspec.Struct, version: str) -> dict[str, Any]:
    return {
        "header_id": getattr(message, "header_id"),  # noqa: B009 - of every message
        "timestamp": getattr(message, "timestamp"),  # noqa: B009
        "version": version,
        "manufacturer": getattr(message, "manufacturer"),  # noqa: B009
        "serial_number": getattr(message, "serial_number"),  # noqa: B009
    }


# --- what master control says


def order_to_3(order: v2.Order) -> v3.Order:
    """Write an order as 3.0 wants it."""
    return v3.Order(
        **_head(order, v3.VERSION),
        order_id=order.order_id,
        order_update_id=order.order_update_id,
        nodes=tuple(
            v3.Node(
                node_id=n.node_id,
                sequence_id=n.sequence_id,
                released=n.released,
                node_position=None if n.node_position is None else _position_to_3(n.node_position),
                actions=tuple(_action_to_3(a, a.blocking_type) for a in n.actions),
                node_descriptor=n.node_description,
            )
            for n in order.nodes
        ),
        edges=tuple(
            v3.Edge(
                edge_id=e.edge_id,
                sequence_id=e.sequence_id,
                released=e.released,
                actions=tuple(_action_to_3(a, a.blocking_type) for a in e.actions),
                edge_descriptor=e.edge_description,
                maximum_speed=e.max_speed,
                orientation=e.orientation,
                orientation_type=e.orientation_type,
                direction=e.direction,
                length=e.length,
                trajectory=e.trajectory,
                corridor=None if e.corridor is None else _corridor_to_3(e.corridor),
            )
            for e in order.edges
        ),
    )


def order_to_2(order: v3.Order) -> v2.Order:
    """Read an order of 3.0 as one of 2.1; a blocking type SINGLE stays what it is, which only our own reader knows."""
    ids = {n.sequence_id: n.node_id for n in order.nodes}
    return v2.Order(
        **_head(order, v2.VERSION),
        order_id=order.order_id,
        order_update_id=order.order_update_id,
        nodes=tuple(
            v2.Node(
                node_id=n.node_id,
                sequence_id=n.sequence_id,
                released=n.released,
                node_position=None if n.node_position is None else _position_to_2(n.node_position),
                actions=tuple(_action_to_2(a) for a in n.actions),
                node_description=n.node_descriptor,
            )
            for n in order.nodes
        ),
        edges=tuple(
            v2.Edge(
                edge_id=e.edge_id,
                sequence_id=e.sequence_id,
                released=e.released,
                start_node_id=ids.get(e.sequence_id - 1, ""),
                end_node_id=ids.get(e.sequence_id + 1, ""),
                actions=tuple(_action_to_2(a) for a in e.actions),
                edge_description=e.edge_descriptor,
                max_speed=e.maximum_speed,
                orientation=e.orientation,
                orientation_type=e.orientation_type,
                direction=e.direction,
                length=e.length,
                trajectory=e.trajectory,
            )
            for e in order.edges
        ),
    )


def instant_to_3(message: v2.InstantActions) -> v3.InstantActions:
    """Write instant actions as 3.0 wants them: they block nothing, and those that fail have failed."""
    none = str(v3.BlockingType.NONE)
    actions = tuple(msgspec.structs.replace(_action_to_3(a, none), retriable=None) for a in message.actions)
    return v3.InstantActions(**_head(message, v3.VERSION), actions=actions)


def instant_to_2(message: v3.InstantActions) -> v2.InstantActions:
    """Read instant actions of 3.0."""
    return v2.InstantActions(**_head(message, v2.VERSION), actions=tuple(_action_to_2(a) for a in message.actions))


# --- what a vehicle says


def state_to_2(state: v3.State) -> v2.State:
    """Read a state of 3.0 as one of 2.1: CRITICAL is fatal but to one order, all kinds of actions are one list.

    RETRIABLE stays what it is, which only our own reader knows.
    """
    at = state.mobile_robot_position
    power = state.power_supply
    return v2.State(
        **_head(state, state.version),
        order_id=state.order_id,
        order_update_id=state.order_update_id,
        last_node_id=state.last_node_id,
        last_node_sequence_id=state.last_node_sequence_id,
        driving=state.driving,
        node_states=tuple(
            v2.NodeState(node_id=n.node_id, sequence_id=n.sequence_id, released=n.released) for n in state.node_states
        ),
        edge_states=state.edge_states,
        action_states=tuple(
            v2.ActionState(
                action_id=a.action_id,
                action_status=a.action_status,
                action_type=a.action_type,
                action_description=a.action_descriptor,
                result_description=a.action_result,
            )
            for a in (*state.action_states, *state.instant_action_states, *state.zone_action_states)
        ),
        battery_state=v2.BatteryState(
            battery_charge=power.state_of_charge, charging=power.charging, battery_voltage=power.battery_voltage,
            battery_health=power.battery_health, reach=power.range,
        ),
        operating_mode=_MODES_TO_2.get(state.operating_mode, state.operating_mode),
        errors=tuple(
            v2.ErrorEntry(
                error_type=e.error_type,
                error_level=str(v2.ErrorLevel.FATAL if _stops(e) else v2.ErrorLevel.WARNING),
                error_references=e.error_references,
                error_description=e.error_description,
                error_hint=e.error_hint,
            )
            for e in state.errors
        ),
        safety_state=v2.SafetyState(
            e_stop=state.safety_state.active_emergency_stop, field_violation=state.safety_state.field_violation
        ),
        agv_position=None if at is None else _robot_to_2(at),
        velocity=state.velocity,
        loads=state.loads,
        paused=state.paused,
        new_base_request=state.new_base_request,
        distance_since_last_node=state.distance_since_last_node,
    )  # fmt: skip


def state_to_3(state: v2.State, instant: frozenset[str] = frozenset()) -> v3.State:
    """Write a vehicle's state as 3.0 wants it; `instant` are the ids of its instant actions."""
    battery = state.battery_state
    actions = tuple(
        v3.ActionState(
            action_id=a.action_id,
            action_status=a.action_status,
            action_type=a.action_type,
            action_descriptor=a.action_description,
            action_result=a.result_description,
        )
        for a in state.action_states
    )
    return v3.State(
        **_head(state, v3.VERSION),
        order_id=state.order_id,
        order_update_id=state.order_update_id,
        last_node_id=state.last_node_id,
        last_node_sequence_id=state.last_node_sequence_id,
        driving=state.driving,
        node_states=tuple(
            v3.NodeState(node_id=n.node_id, sequence_id=n.sequence_id, released=n.released) for n in state.node_states
        ),
        edge_states=tuple(
            v2.EdgeState(edge_id=e.edge_id, sequence_id=e.sequence_id, released=e.released) for e in state.edge_states
        ),
        action_states=tuple(a for a in actions if a.action_id not in instant),
        instant_action_states=tuple(a for a in actions if a.action_id in instant),
        power_supply=v3.PowerSupply(
            state_of_charge=battery.battery_charge, charging=battery.charging, battery_voltage=battery.battery_voltage,
            battery_health=battery.battery_health, range=battery.reach,
        ),
        operating_mode=_MODES_TO_3.get(state.operating_mode, state.operating_mode),
        errors=tuple(
            v3.ErrorEntry(
                error_type=e.error_type,
                error_level=e.error_level,
                error_references=e.error_references,
                error_description=e.error_description,
                error_hint=e.error_hint,
            )
            for e in state.errors
        ),
        safety_state=v3.SafetyState(
            active_emergency_stop=_STOPS_TO_3.get(state.safety_state.e_stop, state.safety_state.e_stop),
            field_violation=state.safety_state.field_violation,
        ),
        mobile_robot_position=None if state.agv_position is None else _robot_to_3(state.agv_position),
        velocity=state.velocity,
        loads=state.loads,
        paused=state.paused,
        new_base_request=state.new_base_request,
        distance_since_last_node=state.distance_since_last_node,
    )  # fmt: skip


def connection_to_2(message: v3.Connection) -> v2.Connection:
    """Read a connection message; a hibernating vehicle takes no orders, which is what OFFLINE means to us."""
    said = message.connection_state
    return v2.Connection(**_head(message, message.version), connection_state=_CONNECTIONS_TO_2.get(said, said))


def connection_to_3(message: v2.Connection) -> v3.Connection:
    """Write a connection message."""
    said = message.connection_state
    return v3.Connection(**_head(message, v3.VERSION), connection_state=_CONNECTIONS_TO_3.get(said, said))


def visualization_to_2(message: v3.Visualization) -> v2.Visualization:
    """Read where a vehicle is."""
    at = message.mobile_robot_position
    position = None if at is None else _robot_to_2(at)
    return v2.Visualization(**_head(message, message.version), agv_position=position, velocity=message.velocity)


# --- parts


def _stops(error: v3.ErrorEntry) -> bool:
    """Whether a robot takes no order before somebody or something has ended an error."""
    return error.error_level in _FATAL and error.error_type not in _UNTIL_NEXT_ORDER


def _corridor_to_3(c: v2.Corridor) -> v3.Corridor:
    """Let a vehicle leave its line only once it was granted that, and come back to it when the grant ends."""
    point = c.corridor_ref_point
    return v3.Corridor(
        left_width=c.left_width, right_width=c.right_width,
        corridor_reference_point=None if point is None else _REFERENCES_TO_3.get(point, point),
        release_required=True, release_loss_behavior="RETURN",
    )  # fmt: skip


def _position_to_3(at: v2.NodePosition) -> v3.NodePosition:
    r = at.allowed_deviation_xy
    return v3.NodePosition(
        x=at.x,
        y=at.y,
        map_id=at.map_id,
        theta=at.theta,
        allowed_deviation_xy=None if r is None else v3.Deviation(a=r, b=r),
        allowed_deviation_theta=at.allowed_deviation_theta,
    )


def _position_to_2(at: v3.NodePosition) -> v2.NodePosition:
    r = at.allowed_deviation_xy
    return v2.NodePosition(
        x=at.x,
        y=at.y,
        map_id=at.map_id,
        theta=at.theta,
        allowed_deviation_xy=None if r is None else min(r.a, r.b),
        allowed_deviation_theta=at.allowed_deviation_theta,
    )


def _robot_to_2(at: v3.MobileRobotPosition) -> v2.AgvPosition:
    return v2.AgvPosition(
        x=at.x,
        y=at.y,
        theta=at.theta,
        map_id=at.map_id,
        position_initialized=at.localized,
        localization_score=at.localization_score,
        deviation_range=at.deviation_range,
    )


def _robot_to_3(at: v2.AgvPosition) -> v3.MobileRobotPosition:
    return v3.MobileRobotPosition(
        x=at.x,
        y=at.y,
        theta=at.theta,
        map_id=at.map_id,
        localized=at.position_initialized,
        localization_score=at.localization_score,
        deviation_range=at.deviation_range,
    )


def blocking_of_2(blocking: str) -> str:
    """Return what 2.x has for a blocking type: HARD for SINGLE, which is the safe side."""
    return "HARD" if blocking == v3.BlockingType.SINGLE else blocking


def _action_to_3(a: v2.Action, blocking: str) -> v3.Action:
    return v3.Action(
        action_id=a.action_id,
        action_type=_ACTIONS_TO_3.get(a.action_type, a.action_type),
        blocking_type=blocking,
        action_descriptor=a.action_description,
        action_parameters=a.action_parameters,
        retriable=True if a.action_type in RETRIABLE_ACTIONS else None,
    )


def _action_to_2(a: v3.Action) -> v2.Action:
    return v2.Action(
        action_id=a.action_id,
        action_type=_ACTIONS_TO_2.get(a.action_type, a.action_type),
        blocking_type=a.blocking_type,
        action_description=a.action_descriptor,
        action_parameters=a.action_parameters,
    )
