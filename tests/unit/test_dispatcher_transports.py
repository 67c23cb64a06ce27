"""Transports in the core: who brings what, what follows a cancellation or a failing robot, and robots that are new."""

import msgspec
import pytest

from contracts.ids import NodeId, RobotId, TaskId
from contracts.messages.facts import AlarmRaised, TransportChanged
from contracts.messages.ops import (
    AdoptRobot,
    CancelRobot,
    CloseNode,
    OpsAnswer,
    OpsBody,
    OpsCommand,
    PauseZone,
    ReassignRobot,
    ReopenNode,
    VehicleState,
)
from contracts.messages.work import Transport
from contracts.vda5050 import v2
from dispatcher import views
from dispatcher.commands import AnswerOps, SendInstantActions, SendOrder
from dispatcher.facts import OpsAsked, WorkClosed, WorkOpened
from dispatcher.fleet.dialect import Dialect
from dispatcher.params import Params
from dispatcher.traffic.params import TrafficParams
from tests.unit.dispatcher_bench import MAKER, Bench, BenchRobot, small_site


def transport(name: str, start: str = "w1", end: str = "w2", **more: object) -> Transport:
    base = Transport(TaskId(name), 1, NodeId(start), NodeId(end), "", "EPAL", True, 0, 0)
    return msgspec.structs.replace(base, **more)


def bench(robots: int = 2, params: Params | None = None) -> Bench:
    return Bench(small_site(robots, door=False), params)


def changes(b: Bench, name: str) -> list[str]:
    return [f.state for f in b.told(TransportChanged) if isinstance(f, TransportChanged) and f.task == name]


def ask(b: Bench, body: OpsBody) -> OpsAnswer:
    commands = b.hear(OpsAsked(OpsCommand(f"q{len(b.sent)}-{b.now_ms}", "me", "why not", body)))
    return next(c.answer for c in commands if isinstance(c, AnswerOps))


def test_a_transport_is_collected_and_delivered_in_one_order_a_leg_and_told_in_order() -> None:
    b = bench(2, Params(traffic=TrafficParams(most_moves=8, few_moves=3)))
    b.work(transport("V1", load="PAL-1"))
    b.wait(60)
    assert changes(b, "V1") == ["assigned", "loaded", "done"]
    ids = dict.fromkeys(o.order_id for r in b.robots for o in b.orders(r) if "-V1-" in o.order_id)
    assert len(ids) == 2
    acts = [a for r in b.robots for o in b.orders(r) for n in o.nodes for a in n.actions]
    assert [(a.action_type, a.parameter("loadId"), a.parameter("loadType")) for a in acts] == [
        ("pick", "PAL-1", "EPAL"),
        ("drop", "PAL-1", "EPAL"),
    ]
    assert [h.stage.value for h in b.world.hauls.values()] == ["done"]
    b.hear(WorkClosed(TaskId("V1")))
    assert not b.world.hauls
    b.work(transport("V1"))  # said again, late
    assert not b.world.hauls


def test_without_handling_the_robot_only_drives() -> None:
    b = bench(1)
    b.work(transport("V1", handling=False))
    b.wait(60)
    assert changes(b, "V1") == ["assigned", "loaded", "done"]
    assert [o for o in b.orders("R1") if "-V1-" in o.order_id][-1].nodes[-1].node_id == "w2"
    assert not [a for o in b.orders("R1") for n in o.nodes for a in n.actions]


def test_many_transports_are_all_done_and_the_urgent_one_first() -> None:
    b = bench(1)
    b.central = True
    places = ["w1", "w2", "p3", "p4"]
    b.work(*(transport(f"V{k}", places[k % 4], places[(k + 1) % 4]) for k in range(8)), transport("V9", priority=5))
    for _ in range(400):
        b.wait(2)
        for name in list(b.world.hauls):
            if b.world.hauls[name].stage == "done":
                b.hear(WorkClosed(name))
        if not b.world.hauls:
            break
    done = [f.task for f in b.told(TransportChanged) if isinstance(f, TransportChanged) and f.state == "done"]
    assert done[0] == "V9"
    assert sorted(done) == sorted([*(f"V{k}" for k in range(8)), "V9"])


def test_one_that_is_left_for_more_urgent_ones_is_said_to_be_open_again() -> None:
    """What central shows is what is so: assigned, open again with a reason, assigned, and done."""
    b = bench(2)
    for r in b.robots.values():
        r.manual = True
    b.work(transport("V1"))
    b.wait(1)
    b.work(transport("V2", "p4", "b1", priority=9), transport("V3", "w2", "b6", priority=9))
    b.wait(1)
    assert [changes(b, n) for n in ("V1", "V2", "V3")] == [["assigned", "open"], ["assigned"], ["assigned"]]
    said = [f for f in b.told(TransportChanged) if isinstance(f, TransportChanged) and f.state == "open"]
    assert said[0].reason == f"robot {said[0].robot} has a more urgent one"
    for r in b.robots.values():
        r.manual = False
        r.drive()
    b.hear(*(r.state() for r in b.robots.values()))
    b.wait(180)
    assert changes(b, "V1") == ["assigned", "open", "assigned", "loaded", "done"]


def test_a_cancelled_transport_that_is_not_picked_up_lets_its_robot_go() -> None:
    b = bench(1)
    b.robot("R1").manual = True
    b.work(transport("V1", "p4", "w2"))
    assert b.vehicle("R1").transport == "V1"
    b.hear(WorkClosed(TaskId("V1")))
    assert b.vehicle("R1").transport is None
    assert not b.world.hauls
    b.robot("R1").manual = False
    b.robot("R1").drive()
    b.hear(b.robot("R1").state())
    b.work(transport("V2"))
    b.wait(120)
    assert changes(b, "V2") == ["assigned", "loaded", "done"]


def test_one_that_is_on_its_robot_when_it_is_cancelled_is_brought_to_its_end() -> None:
    b = bench(1)
    b.work(transport("V1"))
    b.robot("R1").manual = True
    for _ in range(50):
        b.wait(1)
        if changes(b, "V1")[-1:] == ["loaded"]:
            break
        b.robot("R1").drive()
        b.hear(b.robot("R1").state())
    b.hear(WorkClosed(TaskId("V1")))
    b.robot("R1").manual = False
    b.robot("R1").drive()
    b.hear(b.robot("R1").state())
    b.wait(60)
    assert changes(b, "V1")[-1] == "done"
    assert b.robot("R1").loads == ()
    assert not b.world.hauls


def test_a_robot_that_goes_away_before_it_picked_up_has_its_transport_given_to_another() -> None:
    b = bench(2, Params(traffic=TrafficParams(most_moves=4, few_moves=1)))
    for r in b.robots.values():
        r.manual = True
    b.work(transport("V1", "p1", "p4"))
    (name,) = [r for r in b.robots if b.vehicle(r).transport]
    b.robot(name).silent = b.robot(name).deaf = True
    for r in b.robots.values():
        r.manual = False
    b.wait(300)
    assert changes(b, "V1") == ["assigned", "open", "assigned", "loaded", "done"]


def test_reassigned_by_an_operator_it_goes_to_another_robot() -> None:
    b = bench(2)
    for r in b.robots.values():
        r.manual = True
    b.work(transport("V1", "p4", "w2"))
    (name,) = [r for r in b.robots if b.vehicle(r).transport]
    assert ask(b, ReassignRobot(name)).done
    assert not ask(b, ReassignRobot(name)).done
    assert [r for r in b.robots if b.vehicle(r).transport] == [r for r in b.robots if r != name]


def test_cancelled_by_an_operator_a_robot_goes_on_from_where_it_stands() -> None:
    b = bench(1)
    b.robot("R1").manual = True
    b.work(transport("V1", "p4", "w2"))
    b.robot("R1").drive(1)
    b.hear(b.robot("R1").state())
    assert ask(b, CancelRobot(RobotId("R1"))).done
    b.robot("R1").manual = False
    b.hear(b.robot("R1").state())
    b.wait(120)
    assert changes(b, "V1")[-1] == "done"


def test_a_closed_node_is_driven_around_until_it_is_open_again_and_an_unknown_one_is_named() -> None:
    b = bench(1)
    assert "nowhere" in ask(b, CloseNode(NodeId("nowhere"))).reason
    assert ask(b, CloseNode(NodeId("e"))).done
    b.work(transport("V1", "a7", "b7", handling=False))
    b.wait(60)
    assert "e" not in [n.node_id for o in b.orders("R1") for n in o.nodes]
    assert changes(b, "V1")[-1] == "done"
    assert ask(b, ReopenNode(NodeId("e"))).done
    b.work(transport("V2", "b7", "a7", handling=False))
    b.wait(60)
    assert "e" in [n.node_id for o in b.orders("R1") for n in o.nodes]


def test_a_transport_to_a_place_that_is_cut_off_gets_no_robot_and_one_that_was_sent_for_it_is_called_back() -> None:
    """It waits, others are done meanwhile; when the place can be reached again it is done too."""
    b = bench(1)
    b.robot("R1").manual = True
    b.work(transport("V1", "p4", "w2"))
    assert b.vehicle("R1").transport == "V1"
    assert ask(b, CloseNode(NodeId("w2"))).done
    b.work(transport("V2", "w1", "p3"))
    assert changes(b, "V1") == ["assigned", "open"]
    b.robot("R1").manual = False
    b.robot("R1").drive()
    b.hear(b.robot("R1").state())
    b.wait(120)
    assert changes(b, "V2")[-1] == "done"
    assert changes(b, "V1")[-1] == "open"
    assert ask(b, ReopenNode(NodeId("w2"))).done
    b.work(transport("V3", "p3", "w1"))
    b.wait(180)
    assert changes(b, "V1")[-1] == "done"


def test_a_robot_whose_released_way_ends_where_it_is_cut_off_gets_no_transport_again_and_again() -> None:
    """From where it is it would get there; but it must first drive on to where nobody gets away."""
    b = bench(1, Params(traffic=TrafficParams(most_moves=2, few_moves=1)))
    b.robot("R1").manual = True
    b.work(transport("V1", "b0", "b2", handling=False))
    b.wait(1)
    assert (b.vehicle("R1").node, b.world.traffic.end(RobotId("R1"))) == ("a4", "a2")
    for node in ("a1", "a3"):
        assert ask(b, CloseNode(NodeId(node))).done
    b.wait(10)
    assert changes(b, "V1") == ["assigned", "open"]


def loaded_and_cut_off(b: Bench) -> None:
    """R1 has fetched V1's load at p4 and is on its way when its goal w2 is closed."""
    b.robot("R1").manual = True
    b.work(transport("V1", "p4", "w2", load="PAL-1"))
    while changes(b, "V1")[-1:] != ["loaded"]:
        b.wait(1)
        b.robot("R1").drive()
        b.hear(b.robot("R1").state())
    assert ask(b, CloseNode(NodeId("w2"))).done
    b.robot("R1").manual = False
    b.robot("R1").drive()
    b.hear(b.robot("R1").state())


def test_a_load_whose_goal_is_cut_off_is_brought_back_after_a_while_and_delivered_when_the_road_is_open() -> None:
    """Its robot works for others meanwhile, nothing is brought to where it waits, and a person is told."""
    b = bench(1)
    loaded_and_cut_off(b)
    b.work(transport("V2", "w1", "p3"), transport("V3", "p3", "p4", priority=5))
    b.wait(50)
    assert changes(b, "V1")[-1] == "loaded"
    b.wait(150)
    assert changes(b, "V1") == ["assigned", "loaded", "open"]
    assert b.robot("R1").node != "w2"
    assert any(a.subject == "V1" and "back to p4" in a.text for a in b.told(AlarmRaised) if isinstance(a, AlarmRaised))
    assert changes(b, "V2")[-1] == "done"
    assert changes(b, "V3") == []
    assert ask(b, ReopenNode(NodeId("w2"))).done
    b.wait(200)
    assert changes(b, "V1") == ["assigned", "loaded", "open", "assigned", "loaded", "done"]
    assert changes(b, "V3")[-1] == "done"
    assert not {"aside-V1", "transport-V1"} & set(b.world.alarms)


def test_a_load_is_not_brought_back_to_where_something_else_stands_or_comes() -> None:
    """Its robot stays with it, and a person is told, until the other transport is gone."""
    b = bench(1)
    loaded_and_cut_off(b)
    b.work(transport("V2", "p4", "w1"))
    b.wait(200)
    assert changes(b, "V1") == ["assigned", "loaded"]
    assert "transport-V1" in b.world.alarms
    b.hear(WorkClosed(TaskId("V2")))
    b.wait(100)
    assert changes(b, "V1") == ["assigned", "loaded", "open"]
    assert b.robot("R1").loads == ()


def test_a_zone_pauses_who_is_in_it_and_nobody_else() -> None:
    b = bench(2)
    zone = (b.robot("R1").node,)
    assert ask(b, PauseZone(zone, wanted=True)).done
    assert (b.robot("R1").paused, b.robot("R2").paused) == (True, False)
    assert ask(b, PauseZone(zone, wanted=False)).done
    assert not b.robot("R1").paused


# ------------------------------------------------------------------------------------------------ robots that are new


def stranger(b: Bench, name: str = "X1", maker: str = MAKER, node: str = "b5") -> BenchRobot:
    robot = b.robots[RobotId(name)] = BenchRobot(RobotId(name), NodeId(node))
    b.hear(msgspec.structs.replace(robot.state(), manufacturer=maker))
    return robot


def test_a_robot_that_the_site_does_not_name_is_listed_as_new_and_works_once_it_is_adopted() -> None:
    b = bench(0)
    stranger(b)
    (view,) = views.all_robots(b.world, b.now_ms, {})
    assert (view.id, view.state, view.adopted) == ("X1", VehicleState.NEW, False)
    (alarm,) = [a for a in b.told(AlarmRaised) if isinstance(a, AlarmRaised)]
    assert (alarm.severity, "adopt" in alarm.remedy) == ("info", True)
    b.work(transport("V1"))
    b.wait(30)
    assert changes(b, "V1") == []
    assert ask(b, AdoptRobot(RobotId("X1"))).done
    b.wait(60)
    assert changes(b, "V1")[-1] == "done"


def test_with_adopt_auto_it_is_taken_at_once() -> None:
    b = bench(0, Params(adopt="auto"))
    stranger(b)
    assert b.vehicle("X1").placed
    with pytest.raises(Exception, match="adopt"):
        Params(adopt="maybe")


def test_two_makers_may_use_one_serial_number() -> None:
    b = bench(1)
    stranger(b, "R1", "Other")
    names = [(r.id, r.manufacturer) for r in views.all_robots(b.world, b.now_ms, {})]
    assert names[0] == ("R1", MAKER)
    assert names[1][1] == "Other"
    assert names[1][0] != "R1"


def test_two_robots_of_one_maker_under_one_serial_number_are_found_out_and_held() -> None:
    b = bench(1)
    first, second = b.robot("R1"), BenchRobot(RobotId("R1"), NodeId("b2"))
    for n in range(10):
        b.now_ms += 500
        b.hear(
            msgspec.structs.replace(first.state(), header=100 + n),
            msgspec.structs.replace(second.state(), header=10 + n),
        )
    assert "double-R1" in b.world.alarms
    b.work(transport("V1"))
    b.wait(5)
    assert not [c for c in b.sent if isinstance(c, SendOrder) and "-V1-" in c.order.order_id]
    for n in range(4):
        b.wait(15)
        b.hear(msgspec.structs.replace(first.state(), header=200 + n))
    assert "double-R1" not in b.world.alarms


def test_we_speak_the_version_that_a_robot_speaks() -> None:
    b = bench(0, Params(adopt="auto"))
    robot = b.robots[RobotId("X1")] = BenchRobot(RobotId("X1"), NodeId("a4"))
    b.hear(msgspec.structs.replace(robot.state(), version="2.0.0"))
    b.work(transport("V1"))
    b.wait(5)
    assert {o.version for o in b.orders("X1")} == {"2.0.0"}


def test_one_that_drives_into_the_horizon_is_found_out_its_neighbours_stop_and_it_gets_no_horizon_again() -> None:
    b = bench(3, Params(traffic=TrafficParams(most_moves=8, few_moves=3)))
    for r in b.robots.values():
        r.manual = True
    b.work(transport("V1", "p4", "w2", handling=False))
    (name,) = [r for r in b.robots if b.vehicle(r).transport]
    v, robot = b.vehicle(name), b.robot(name)
    horizon: list[v2.Node] = []
    for _ in range(30):
        b.wait(1)
        last = b.orders(name)[-1]
        horizon = [n for n in last.nodes if not n.released]
        if horizon and v.order is not None and not v.order.in_doubt:
            break
        robot.drive(1)
        b.hear(robot.state())
    at = NodeId(horizon[0].node_id)
    (holder,) = [r for r in b.robots.values() if r.node == at]
    holder.drive()  # it has left, and not said so yet
    robot.base, robot.node, robot.seq = [], at, horizon[0].sequence_id
    before = len(b.sent)
    b.hear(robot.state())
    assert v.dialect.fully_released
    assert any("drove to" in a.text for a in b.told(AlarmRaised) if isinstance(a, AlarmRaised))
    kinds = [a.action_type for c in b.sent[before:] if isinstance(c, SendInstantActions) for a in c.message.actions]
    assert "cancelOrder" in kinds
    assert "startPause" in kinds
    assert b.world.deviations[MAKER]
    for r in b.robots.values():
        r.manual = False
        r.drive()
    b.wait(120)
    assert changes(b, "V1")[-1] == "done"
    assert not any(r.paused for r in b.robots.values())


def test_a_vendor_without_sequence_ids_that_never_empties_its_list_is_followed_by_names() -> None:
    b = bench(1)
    v = b.vehicle("R1")
    v.dialect = Dialect(name="odd", fully_released=True)
    robot = b.robot("R1")

    def state() -> object:
        return msgspec.structs.replace(BenchRobot.state(robot), seq=-1, base_left=3 if robot.order_id else 0)

    robot.state = state  # type: ignore[method-assign, assignment]
    b.work(transport("V1", "a7", "b7", handling=False))
    for _ in range(60):
        b.wait(2)
        b.hear(robot.state())
    assert v.dialect.keeps_node_states
    assert changes(b, "V1")[-1] == "done"
    assert {"names no sequence id", "never empties nodeStates"} <= set(b.world.deviations[MAKER])


def test_a_transport_from_a_place_that_the_site_has_not_got_is_named_and_left() -> None:
    b = bench(1)
    b.hear(WorkOpened(transport("V1", "moon", "w2")))
    assert not b.world.hauls
    assert any("moon" in a.text for a in b.told(AlarmRaised) if isinstance(a, AlarmRaised))


def test_a_robot_without_work_at_a_place_that_others_want_makes_way() -> None:
    b = bench(3)
    for k in range(4):
        b.work(transport(f"V{k}", "a2", "b2", handling=False), transport(f"W{k}", "b2", "a2", handling=False))
        b.wait(100)
        assert changes(b, f"V{k}")[-1:] == changes(b, f"W{k}")[-1:] == ["done"]


def test_more_origins_than_tables_at_first_are_matched_all_the_same() -> None:
    b = bench(2)
    nodes = [n.id for n in b.site.layout.nodes if n.kind.value == "aisle"]
    pairs = [(a, z) for a in nodes for z in nodes if a != z][::7]
    b.work(*(transport(f"V{k}", a, z, handling=False) for k, (a, z) in enumerate(pairs[:90])))
    assert sum(v.transport is not None for v in b.world.vehicles.values()) == 2
    starts = [n.id for n in b.site.layout.nodes]
    times = b.world.traffic.travel_times_s(starts, starts, loaded=False)
    assert times[3, 5] == b.world.traffic.travel_s(starts[3], starts[5], loaded=False)
    tables = b.world.traffic.tables_to(starts, loaded=False)
    assert tables is not None
