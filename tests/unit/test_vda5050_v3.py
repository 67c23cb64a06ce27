"""VDA 5050 3.0: what we write is what its schemas ask for, and nothing that both versions know is lost on the way."""

import json

import msgspec
import pytest
from hypothesis import given, settings

from contracts.codec import encode
from contracts.vda5050 import v2, v3
from contracts.vda5050.reading import read
from contracts.vda5050.translation import (
    blocking_of_2,
    connection_to_2,
    connection_to_3,
    instant_to_2,
    instant_to_3,
    order_to_2,
    order_to_3,
    state_to_2,
    state_to_3,
    visualization_to_2,
)
from contracts.vda5050.v2 import timestamp
from dispatcher.fleet.dialect import Dialect, read_state, spoken
from tests.unit import test_vda5050_messages as messages
from tests.unit.vda5050_messages import instant, order_along, schema

HEAD = {"header_id": 7, "timestamp": timestamp(1_764_000_000_000), "manufacturer": "M", "serial_number": "S"}


def valid(name: str, message: object) -> None:
    schema(name, "3.0").validate(json.loads(encode(message)))


def an_order() -> v2.Order:
    lift = (v2.Action(action_id="a", action_type="pick", blocking_type="HARD"),)
    order = order_along("O1", ["0-0", "1-0", "2-0"], released=2, actions={"1-0": lift}, max_speed=1.5)
    return msgspec.structs.replace(order, **HEAD)


def a_state() -> v2.State:
    return v2.State(
        **HEAD,
        order_id="O1",
        order_update_id=2,
        last_node_id="1-0",
        last_node_sequence_id=2,
        driving=True,
        node_states=(v2.NodeState(node_id="2-0", sequence_id=4, released=False),),
        edge_states=(v2.EdgeState(edge_id="e", sequence_id=3, released=False),),
        action_states=(
            v2.ActionState(action_id="a", action_status="RUNNING", action_type="pick"),
            v2.ActionState(action_id="i", action_status="FINISHED", action_type="startPause"),
        ),
        battery_state=v2.BatteryState(battery_charge=55.5, charging=False),
        errors=(v2.ErrorEntry(error_type="odd", error_level="FATAL", error_description="?"),),
        agv_position=v2.AgvPosition(x=1.0, y=2.0, theta=0.5, map_id="floor"),
        loads=(v2.Load(load_id="P1"),),
        paused=False,
    )


def test_order_and_instant_actions_keep_to_the_official_schemas_and_come_back() -> None:
    order = an_order()
    valid("order", order_to_3(order))
    assert order_to_2(read(encode(order_to_3(order)), v3.Order)) == msgspec.structs.replace(order, version="2.1.0")
    pause = msgspec.structs.replace(instant("p", "startPause"), **HEAD)
    valid("instantActions", instant_to_3(pause))
    back = instant_to_2(read(encode(instant_to_3(pause)), v3.InstantActions))
    assert [(a.action_id, a.action_type) for a in back.actions] == [("p", "startPause")]


def test_a_state_means_the_same_in_both_versions() -> None:
    state = a_state()
    new = state_to_3(state, frozenset({"i"}))
    valid("state", new)
    assert [a.action_id for a in new.instant_action_states] == ["i"]
    back = state_to_2(read(encode(new), v3.State))
    one, other = read_state(state), read_state(back)
    assert msgspec.structs.replace(other, version=one.version) == one


@settings(max_examples=60, deadline=None)
@given(messages.order)
def test_any_order_of_ours_is_one_of_version_3(order: v2.Order) -> None:
    valid("order", order_to_3(order))


def test_what_is_new_reads_on_the_safe_side() -> None:
    state = state_to_3(a_state())
    retriable = v3.ActionState(action_id="a", action_status="RETRIABLE")
    critical = v3.ErrorEntry(error_type="x", error_level="CRITICAL")
    odd = msgspec.structs.replace(
        state, action_states=(retriable,), errors=(critical,), operating_mode="INTERVENED",
        safety_state=v3.SafetyState(active_emergency_stop="MANUAL"),
    )  # fmt: skip
    back = state_to_2(odd)
    assert (back.action_states[0].action_status, back.errors[0].error_level) == ("RETRIABLE", "FATAL")
    assert back.operating_mode == "MANUAL"
    assert not read_state(back).automatic
    single = v3.Action(action_id="a", action_type="x", blocking_type="SINGLE")
    order = msgspec.structs.replace(order_to_3(an_order()), edges=())
    node = msgspec.structs.replace(order.nodes[0], actions=(single,))
    read_as = order_to_2(msgspec.structs.replace(order, nodes=(node,))).nodes[0].actions[0].blocking_type
    assert (read_as, blocking_of_2(read_as)) == ("SINGLE", "HARD")


@pytest.mark.parametrize(
    ("said", "means"),
    [("ONLINE", "ONLINE"), ("CONNECTION_BROKEN", "CONNECTIONBROKEN"), ("HIBERNATING", "OFFLINE")],
)
def test_connection_states(said: str, means: str) -> None:
    message = v3.Connection(**HEAD, connection_state=said)
    valid("connection", message)
    assert connection_to_2(message).connection_state == means
    valid("connection", connection_to_3(v2.Connection(**HEAD, connection_state="CONNECTIONBROKEN")))


def test_zone_sets_responses_and_visualization_keep_to_the_official_schemas() -> None:
    corners = tuple(v3.Vertex(x=x, y=y) for x, y in ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))
    zone = v3.Zone(zone_id="Z", zone_type="BLOCKED", vertices=corners)
    valid("zoneSet", v3.ZoneSet(**HEAD, zone_set=v3.ZoneSetBody(map_id="floor", zone_set_id="ZS", zones=(zone,))))
    answer = v3.Response(request_id="q", grant_type="GRANTED", lease_expiry=timestamp(1_764_000_060_000))
    valid("responses", v3.Responses(**HEAD, responses=(answer,)))
    at = v3.MobileRobotPosition(x=1.0, y=2.0, theta=0.1, map_id="floor")
    seen = v3.Visualization(**HEAD, reference_state_header_id=3, mobile_robot_position=at)
    valid("visualization", seen)
    back = visualization_to_2(seen)
    assert back.agv_position is not None
    assert back.agv_position.x == 1.0


def test_who_speaks_3_is_answered_in_3() -> None:
    assert spoken(Dialect(), "3.0.0") == "3.0.0"
    assert spoken(Dialect(), "2.1.0") == "2.1.0"
