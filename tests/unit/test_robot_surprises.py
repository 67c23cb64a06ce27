"""What robots do that nobody told them to: refuse once, be pushed, stop in an emergency, ask for more base."""

import random

import msgspec
import pytest

from contracts.ids import NodeId, RobotId
from contracts.messages.facts import PickDone
from contracts.messages.floor import StopState
from contracts.messages.ops import (
    CancelRobot,
    CloseNode,
    OpsBody,
    OpsCommand,
    PauseRobot,
    ReassignRobot,
    ReopenNode,
    ResumeRobot,
    RetireRobot,
    ReturnRobot,
    VehicleState,
)
from contracts.vda5050 import v2
from dispatcher.commands import SendInstantActions, SendOrder
from dispatcher.facts import OpsAsked, RobotConnection, StopHeard, Trouble
from dispatcher.fleet.dialect import read_state
from dispatcher.fleet.member import Pin
from dispatcher.params import Params
from dispatcher.traffic.params import TrafficParams
from tests.unit.dispatcher_bench import MAKER, Bench, BenchRobot, small_site, tote_work
from tests.unit.test_dispatcher_transports import changes, transport


def bench(robots: int = 1, params: Params | None = None) -> Bench:
    return Bench(small_site(robots, door=False), params)


def test_who_refused_an_order_once_works_as_before() -> None:
    """A refusal needs no person, and no robot stays out of work because of one."""
    b = bench()
    robot = b.robot("R1")
    robot.deaf = robot.silent = True
    b.work(transport("V1", "a5", "b5"))
    b.wait(1)
    order = b.vehicle("R1").order
    assert order is not None
    robot.deaf = robot.silent = False
    trouble = Trouble("orderError", fatal=False, about=(order.id,))
    b.hear(msgspec.structs.replace(robot.state(), troubles=(trouble,)))
    b.wait(60)
    assert changes(b, "V1")[-1] == "done"
    b.work(transport("V2", "a1", "b1"))
    b.wait(60)
    assert changes(b, "V2")[-1] == "done"
    assert b.vehicle("R1").state in {VehicleState.IDLE, VehicleState.CHARGING}
    assert b.world.alarms == {}


def test_an_idle_robot_that_is_pushed_elsewhere_is_taken_from_there() -> None:
    """An older state that comes late says nothing of that."""
    b = bench()
    robot = b.robot("R1")
    b.hear(msgspec.structs.replace(robot.state(), header=7))
    robot.node = NodeId("b1")
    b.hear(msgspec.structs.replace(robot.state(), header=8))
    assert (b.vehicle("R1").node, b.world.traffic.at(RobotId("R1"))) == ("b1", "b1")
    robot.node = NodeId("a4")
    b.hear(msgspec.structs.replace(robot.state(), header=6))
    assert b.world.traffic.at(RobotId("R1")) == "b1"
    robot.node = NodeId("b1")
    b.work(transport("V1", "b2", "b5"))
    b.wait(60)
    assert changes(b, "V1")[-1] == "done"


def test_an_emergency_stop_holds_a_robot_and_is_told_until_it_is_acknowledged() -> None:
    """One that ends by itself is only shown."""
    state = v2.State(order_id="", order_update_id=0, last_node_id="a4", manufacturer=MAKER, serial_number="R1")
    for stop, fatal in (("MANUAL", True), ("REMOTE", True), ("AUTOACK", False)):
        said = msgspec.structs.replace(state, safety_state=v2.SafetyState(e_stop=stop, field_violation=False))
        assert [(t.kind, t.fatal) for t in read_state(said).troubles] == [("emergencyStop", fatal)]
    b = bench()
    robot = b.robot("R1")
    robot.manual = True
    b.work(transport("V1"))
    b.wait(1)
    robot.troubles = (Trouble("emergencyStop", fatal=True),)
    b.hear(robot.state())
    assert b.vehicle("R1").pins & Pin.AWAY
    assert "failed-R1" in b.world.alarms
    robot.troubles, robot.manual = (), False
    b.hear(robot.state())
    b.wait(60)
    assert changes(b, "V1")[-1] == "done"
    assert b.world.alarms == {}


def test_an_order_for_who_stands_between_two_nodes_begins_within_its_reach() -> None:
    """The last node with a deviation that the robot is within (2.1, 6.6.3.1; 3.0, 6.1.3.1); else it would refuse it."""
    for x_m, within_m in ((4.0, None), (3.95, None), (3.31, 0.8), (4.5, None), (-40.0, None)):
        b = Bench(small_site(1, door=False), start=False)
        b.hear(msgspec.structs.replace(b.robot("R1").state(), x_m=x_m, y_m=0.0))
        b.robot("R1").silent = b.robot("R1").manual = True
        b.work(transport("V1", "b3", "b0"))
        b.wait(1)
        first, *others = b.orders("R1")[0].nodes
        assert first.node_position is not None
        assert first.node_position.allowed_deviation_xy == within_m
        assert all(n.node_position is not None and n.node_position.allowed_deviation_xy is None for n in others)


def test_who_lists_many_instant_actions_that_have_ended_is_told_to_forget_them() -> None:
    """A robot of 3.0 keeps them until then; not more often than once a minute."""
    b = bench()
    many = tuple((f"1-R1-i{k}", "FINISHED") for k in range(30))
    for zone_sets, told in ((None, 0), ((), 1), ((), 1)):
        b.hear(msgspec.structs.replace(b.robot("R1").state(), actions=many, zone_sets=zone_sets))
        kinds = [c.message.actions[0].action_type for c in b.sent if isinstance(c, SendInstantActions)]
        assert kinds.count("clearInstantActions") == told


def test_who_asks_for_more_base_gets_what_is_free_at_once() -> None:
    """`newBaseRequest`: otherwise a few nodes wait for what comes next."""
    for asks in (False, True):
        b = bench(1, Params(traffic=TrafficParams(most_moves=6, few_moves=5)))
        robot = b.robot("R1")
        robot.manual = True
        b.work(transport("V1", "b3", "b0"))
        b.wait(1)
        robot.drive(1)
        b.hear(robot.state())
        b.wait(1)
        assert b.vehicle("R1").queue
        b.hear(msgspec.structs.replace(robot.state(), wants_base=asks))
        assert (len(b.orders("R1")), not b.vehicle("R1").queue) == ((2, True) if asks else (1, False))


@pytest.mark.parametrize("seed", [*range(6), 11, 39, 94, 143, 358])
def test_whatever_happens_orders_only_grow_and_no_name_comes_in_two_contents(seed: int) -> None:
    """Failed, cancelled, offline, deaf: the base is never shortened, a cancelled order never sent again."""
    rng, b = random.Random(seed), bench(3)
    for robot in b.robots.values():
        robot.manual = True
    sent: dict[tuple[str, int], v2.Order] = {}
    cancelled: set[str] = set()
    newest: dict[str, str] = {}
    seen = 0
    for n in range(120):
        if n % 15 == 0:
            a, z = rng.sample(["a1", "a6", "b1", "b6", "w1", "w2", "s3", "t4"], 2)
            b.work(transport(f"V{n}", a, z))
        robot = b.robots[RobotId(f"R{rng.randint(1, 3)}")]
        _something(b, robot, rng)
        b.wait(rng.choice([0.1, 1, 3]))
        for c in b.sent[seen:]:
            if isinstance(c, SendInstantActions) and c.message.actions[0].action_type == "cancelOrder":
                cancelled.add(newest.get(c.message.serial_number, ""))
            elif isinstance(c, SendOrder):
                newest[c.order.serial_number] = c.order.order_id
                key = c.order.order_id, c.order.order_update_id
                assert sent.setdefault(key, c.order) == c.order, key
                assert key[0] not in cancelled
        seen = len(b.sent)
    _mend(b)
    left = {h.work.task: h.stage for h in b.world.hauls.values() if h.stage != "done"}
    assert left == {}, (left, b.world.alarms)


@pytest.mark.parametrize("seed", [*range(4), 13, 21, 234])
def test_whatever_happens_every_pick_is_done_in_the_end(seed: int) -> None:
    """With pods, stations and a door; and a robot that has set its pod down makes way for who fetches it."""
    rng, b = random.Random(seed), Bench(small_site(3))
    for robot in b.robots.values():
        robot.manual = True
    for n in range(120):
        if n % 20 == 0:
            b.work(*tote_work(f"A{n}", rng.sample(range(7), 2)))
        _something(b, b.robots[RobotId(f"R{rng.randint(1, 3)}")], rng)
        b.wait(rng.choice([0.1, 1, 3]))
    _mend(b)
    told = {f.task for f in b.told(PickDone) if isinstance(f, PickDone)}
    assert len(told) == 12, (b.world.alarms, b.world.missions)


def _mend(b: Bench) -> None:
    """Let everything that went wrong be over, and a person look at the robots that are asked about."""
    for robot in b.robots.values():
        robot.manual = robot.deaf = robot.silent = False
        robot.fails, robot.balks, robot.troubles, robot.automatic = 0, 0, (), True
        robot.drive()
    b.hear(StopHeard(StopState(stopped=False, who="me", reason="test", at_ms=b.now_ms)))
    for node in list(b.world.closed_nodes):
        b.hear(OpsAsked(OpsCommand(f"open-{node}", "me", "test", ReopenNode(node))))
    b.hear(*(r.state() for r in b.robots.values()))
    for _ in range(6):
        b.wait(400)
        for name in b.robots:
            for body in (ResumeRobot(name), ReturnRobot(name)):
                b.hear(OpsAsked(OpsCommand(f"{type(body).__name__}-{name}-{b.now_ms}", "me", "mended", body)))


_EVENTS = (
    *["drive"] * 8, "cancel", "offline", "fatal", "mended", "fails", "balks", "deaf", "manual", "automatic", "pause",
    "resume", "reassign", "close", "open", "stop", "go", "forgets", "refuses", "retire", "return",
)  # fmt: skip


def _something(b: Bench, robot: BenchRobot, rng: random.Random) -> None:
    what, name = rng.choice(_EVENTS), robot.id
    node = NodeId(rng.choice(["a2", "a5", "b2", "b5", "d", "e"]))
    asked: dict[str, OpsBody] = {
        "cancel": CancelRobot(name), "pause": PauseRobot(name), "resume": ResumeRobot(name),
        "reassign": ReassignRobot(name), "close": CloseNode(node), "open": ReopenNode(node),
        "retire": RetireRobot(name), "return": ReturnRobot(name),
    }  # fmt: skip
    troubles: tuple[Trouble, ...] = ()
    if what in asked:
        b.hear(OpsAsked(OpsCommand(f"q{len(b.sent)}-{b.now_ms}", "me", "test", asked[what])))
    elif what in {"stop", "go"}:
        b.hear(StopHeard(StopState(stopped=what == "stop", who="me", reason="test", at_ms=b.now_ms)))
    elif what == "drive":
        robot.drive(rng.randint(1, 3))
    elif what == "offline":
        b.hear(RobotConnection(name, MAKER, online=False))
    elif what in {"fatal", "mended"}:
        robot.troubles = (Trouble("driveFault", fatal=True),) if what == "fatal" else ()
    elif what in {"manual", "automatic"}:
        robot.automatic = what == "automatic"
    elif what == "fails":
        robot.fails = 1
    elif what == "balks":
        robot.balks = rng.randint(1, 4)
    elif what == "forgets":
        robot.order_id, robot.base, robot.horizon, robot.todo, robot.actions, robot.seq = "", [], 0, [], {}, 0
    elif what == "refuses":
        order = b.vehicle(name).order
        troubles = (Trouble("orderUpdateError", fatal=False, about=("" if order is None else order.id,)),)
    else:
        robot.deaf = not robot.deaf
    if not robot.deaf:
        b.hear(msgspec.structs.replace(robot.state(), troubles=(*robot.troubles, *troubles)))
