"""Orders on the wire: VDA 5050's rules, doubt, dialects, quirks."""

import itertools
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from contracts.codec import encode
from contracts.ids import NodeId, RobotId
from contracts.messages.facts import PickDone
from contracts.messages.ops import CancelRobot, OpsCommand, PauseRobot, ResumeRobot, VehicleState
from contracts.vda5050 import v2
from contracts.vda5050.factsheet import Factsheet, PhysicalParameters, ProtocolLimits, Timing, TypeSpecification
from dispatcher.commands import SendInstantActions, SendOrder
from dispatcher.facts import OpsAsked, RobotFactsheet, Trouble
from dispatcher.fleet.dialect import Dialect, dialect_of, read_connection, read_factsheet, read_state
from dispatcher.fleet.member import Leg, Purpose
from dispatcher.fleet.order import OrderWriter, RunningOrder, action, finished
from dispatcher.orders import _final, instant
from tests.unit.dispatcher_bench import MAKER, Bench, small_site, tote_work

SCHEMAS = Path(__file__).parents[2] / ".." / "shared" / "data" / "vda5050"


def validator(name: str) -> Callable[[bytes], None]:
    import json

    import jsonschema_rs

    path = SCHEMAS / "2.1" / f"{name}.schema"
    if not path.exists():
        pytest.skip(f"the official schemas are not at {SCHEMAS}")
    schema = jsonschema_rs.validator_for(json.loads(path.read_text()))
    return lambda payload: schema.validate(json.loads(payload))


def test_everything_sent_to_robots_in_a_whole_mission_is_valid_by_the_official_schemas() -> None:
    order, instant = validator("order"), validator("instantActions")
    bench = Bench()
    bench.work(*tote_work("A", [0, 3, 5]))
    bench.wait(60)
    bench.robot("R1").automatic = False
    bench.hear(bench.robot("R1").state())
    bench.robot("R1").automatic = True
    bench.hear(bench.robot("R1").state())
    bench.wait(300)
    sent = [c for c in bench.sent if isinstance(c, SendOrder | SendInstantActions)]
    assert len(sent) > 10
    for c in sent:
        if isinstance(c, SendOrder):
            order(encode(c.order))
        else:
            instant(encode(c.message))


def test_an_update_begins_with_the_last_released_node_and_the_horizon_follows_the_base() -> None:
    site = small_site(door=False)
    writer = OrderWriter(site.layout)
    order = RunningOrder(id="1-M1-0", path=[NodeId("a3")], leg=1, horizon=(NodeId("a5"),))
    first = writer.write(RobotId("R1"), "M", 1, 0, order, [NodeId("a4")])
    assert [(n.node_id, n.sequence_id, n.released) for n in first.nodes] == [
        ("a3", 0, True),
        ("a4", 2, True),
        ("a5", 4, False),
    ]
    assert [(e.edge_id, e.sequence_id, e.released) for e in first.edges] == [("a3-a4", 1, True), ("a4-a5", 3, False)]
    order.horizon, order.actions = (), (action("pick", "x", loadId="P1"),)
    update = writer.write(RobotId("R1"), "M", 2, 0, order, [NodeId("a5"), NodeId("a6")])
    assert update.order_update_id == 1
    assert [(n.node_id, n.sequence_id) for n in update.nodes] == [("a4", 2), ("a5", 4), ("a6", 6)]
    assert [len(n.actions) for n in update.nodes] == [0, 0, 1]
    trimmed = writer.write(RobotId("R1"), "M", 3, 0, RunningOrder("o", [NodeId("a3")], 1, update=0), [])
    assert [n.sequence_id for n in trimmed.nodes] == [0]
    assert trimmed.edges == ()


def test_an_order_in_doubt_is_sent_again_on_its_schedule_and_then_a_person_is_asked() -> None:
    bench = Bench(small_site(1))
    bench.robot("R1").deaf = True
    bench.work(*tote_work("A", [0]))
    bench.wait(1)
    (order,) = bench.orders("R1")
    assert bench.vehicle("R1").state is VehicleState.IN_DOUBT
    bench.wait(40)
    again = bench.orders("R1")
    assert again == [order] * 6
    assert "doubt-R1" in bench.world.alarms
    bench.robot("R1").deaf = False
    bench.wait(200)
    assert "doubt-R1" not in bench.world.alarms
    assert bench.world.totes == {}


def test_a_robot_that_cannot_take_a_horizon_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.vehicles.dialect_of", lambda _: Dialect(name="bench", fully_released=True))
    bench = Bench()
    bench.work(*tote_work("A", [0, 3]))
    bench.wait(200)
    nodes = [n for name in bench.robots for o in bench.orders(name) for n in o.nodes]
    assert nodes
    assert all(n.released for n in nodes)
    assert bench.world.totes == {}


def test_without_the_quirk_a_horizon_is_shown() -> None:
    bench = Bench()
    bench.work(*tote_work("A", [0, 3]))
    bench.wait(200)
    assert any(not n.released for name in bench.robots for o in bench.orders(name) for n in o.nodes)


@pytest.mark.parametrize(
    ("wanted", "version", "sent"),
    [
        ("NONE", "2.1.0", "NONE"), ("SOFT", "2.0.0", "SOFT"), ("HARD", "3.0.0", "HARD"), ("SINGLE", "3.0.0", "SINGLE"),
        ("SINGLE", "2.1.0", "HARD"), ("SINGLE", "2.0.0", "HARD"),
    ],
)  # fmt: skip
def test_a_makers_blocking_types_are_said_as_its_version_knows_them(wanted: str, version: str, sent: str) -> None:
    """Instant actions block nothing: a request for a state would stop a robot that drives."""
    bench = Bench(small_site(1, door=False))
    v = bench.vehicle("R1")
    v.dialect, v.speaks = Dialect(name="own", blocking={"pick": wanted}), version
    order = RunningOrder("o", [NodeId("a4")], 1)
    leg = Leg(1, Purpose.FETCH, NodeId("s4"), "M1", act="pick", load="P2")
    (made,) = _final(order, leg, v)
    assert made.blocking_type == sent
    instant(bench.world, v, "stateRequest")
    (asked,) = [c for c in bench.world.out if isinstance(c, SendInstantActions)]
    assert [a.blocking_type for a in asked.message.actions] == ["NONE"]


def test_the_shortest_time_between_orders_is_kept() -> None:
    bench = Bench(small_site(1))
    bench.hear(RobotFactsheet(RobotId("R1"), MAKER, "s", 1.5, 2_000))
    bench.work(*tote_work("A", [0]))
    sent: list[int] = []
    for _ in range(1_200):
        before = len(bench.orders("R1"))
        bench.wait(0.1)
        sent.extend([bench.now_ms] * (len(bench.orders("R1")) - before))
    assert len(sent) >= 3
    assert min(b - a for a, b in itertools.pairwise(sent)) >= 1_900


def test_a_refused_order_is_cancelled_and_given_anew_and_after_three_a_person_is_asked() -> None:
    bench = Bench(small_site(1))
    robot = bench.robot("R1")
    robot.deaf = True
    bench.work(*tote_work("A", [0]))
    for _ in range(3):
        bench.wait(1)
        robot.troubles = (Trouble("noRouteError", fatal=False, about=(bench.orders("R1")[-1].order_id,)),)
        bench.hear(robot.state())
        robot.troubles = ()
    assert len({o.order_id for o in bench.orders("R1")}) >= 3
    bench.wait(1)
    robot.troubles = (Trouble("noRouteError", fatal=False, about=(bench.orders("R1")[-1].order_id,)),)
    bench.hear(robot.state())
    assert "failed-R1" in bench.world.alarms


def test_actions_that_a_library_forgets_count_as_done_once_they_were_seen() -> None:
    order = RunningOrder("o", [NodeId("a")], 1, actions=(action("pick", "x"),))
    assert finished(order, (), forgets=True) is False
    assert finished(order, (("x", "RUNNING"),), forgets=True) is False
    assert finished(order, (), forgets=True) is True
    assert finished(order, (), forgets=False) is False
    assert finished(order, (("x", "FINISHED"),), forgets=False) is True
    assert finished(order, (("x", "FAILED"),), forgets=True) is None
    assert finished(RunningOrder("o", [NodeId("a")], 1), (), forgets=False) is True


def test_a_cancel_and_a_pause_whose_action_states_are_dropped_at_once_take_effect_all_the_same() -> None:
    """A library drops finished instant actions after a few states: what counts is what the robot does."""
    bench = Bench(small_site(1))
    robot = bench.robot("R1")
    robot.manual = True
    bench.work(*tote_work("A", [3]))
    bench.wait(1)
    assert robot.base
    do = robot.do

    def forgetful(message: v2.InstantActions) -> None:
        do(message)
        for done in message.actions:
            robot.actions.pop(done.action_id, None)

    robot.do = forgetful  # type: ignore[method-assign]
    bench.hear(OpsAsked(OpsCommand("q1", "me", "why", PauseRobot(RobotId("R1")))))
    assert bench.vehicle("R1").state is VehicleState.PAUSED
    bench.hear(OpsAsked(OpsCommand("q2", "me", "why", ResumeRobot(RobotId("R1")))))
    bench.hear(OpsAsked(OpsCommand("q3", "me", "why", CancelRobot(RobotId("R1")))))
    assert not bench.vehicle("R1").cancelling
    robot.manual = False
    robot.drive()
    bench.hear(robot.state())
    bench.wait(120)
    assert len(bench.told(PickDone)) == 1
    assert not [a for a in bench.world.alarms if a.startswith("deaf-")]


def test_a_state_is_reduced_to_what_decides() -> None:
    state = v2.State(
        header_id=1,
        manufacturer="M",
        serial_number="R1",
        order_id="o",
        order_update_id=3,
        last_node_id="n",
        last_node_sequence_id=4,
        driving=True,
        node_states=(
            v2.NodeState(node_id="a", sequence_id=6),
            v2.NodeState(node_id="b", sequence_id=8, released=False),
        ),
        action_states=(v2.ActionState(action_id="x", action_status="RUNNING"),),
        battery_state=v2.BatteryState(battery_charge=43.0, charging=True),
        loads=(v2.Load(load_id="P1"), v2.Load()),
        agv_position=v2.AgvPosition(x=1.0, y=2.0, theta=0.5),
        errors=(
            v2.ErrorEntry(
                error_type="e",
                error_level="FATAL",
                error_references=(v2.ErrorReference(reference_key="orderId", reference_value="o"),),
            ),
        ),
    )
    fact = read_state(state)
    assert (fact.base_left, fact.horizon_left, fact.seq, fact.battery) == (1, 1, 4, 0.43)
    assert fact.loads == ("P1", "")
    assert fact.troubles == (Trouble("e", fatal=True, about=("o",)),)
    assert (fact.x_m, fact.heading_rad, fact.automatic, fact.charging) == (1.0, 0.5, True, True)
    lost = msgspec.structs.replace(state, agv_position=None, loads=None, operating_mode="MANUAL")
    assert (read_state(lost).x_m, read_state(lost).loads, read_state(lost).automatic) == (None, None, False)


def test_connection_and_factsheet_are_read_and_unknown_makers_speak_the_standard() -> None:
    online = v2.Connection(connection_state="ONLINE", manufacturer="M", serial_number="R1")
    assert read_connection(online).online
    assert not read_connection(msgspec.structs.replace(online, connection_state="CONNECTIONBROKEN")).online
    sheet = read_factsheet(
        Factsheet(
            manufacturer="M",
            serial_number="R1",
            type_specification=TypeSpecification("series", "DIFF", "CARRIER"),
            physical_parameters=PhysicalParameters(1.4, 0.7, 0.9),
            protocol_limits=ProtocolLimits(timing=Timing(min_order_interval=0.5)),
        )
    )
    assert (sheet.series, sheet.speed_max_mps, sheet.min_order_interval_ms) == ("series", 1.4, 500)
    assert dialect_of("nobody") == Dialect()
    assert dialect_of("ilesp").fully_released
