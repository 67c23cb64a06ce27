"""Pods that no loaded robot can bring away: left where they stand, and named to a person."""

import msgspec

from contracts.ids import EdgeId, NodeId, RobotId, TaskId
from contracts.messages.facts import AlarmCleared, AlarmRaised, PickDone, TransportChanged
from contracts.messages.ops import CloseEdge, OpsCommand, ReopenEdge
from contracts.messages.work import Transport
from contracts.site import Site
from dispatcher.facts import OpsAsked, WorkClosed
from dispatcher.fleet.member import Pin
from tests.unit.dispatcher_bench import Bench, small_site, tote_work


def site(robots: int = 1) -> Site:
    """Pod P0 stands on s1, which a robot with a pod cannot leave."""
    whole = small_site(robots, door=False)
    edges = tuple(
        msgspec.structs.replace(e, loaded=False) if (e.start, e.end) == ("s1", "a1") else e for e in whole.layout.edges
    )
    return msgspec.structs.replace(whole, layout=msgspec.structs.replace(whole.layout, edges=edges))


def alarms(b: Bench) -> list[AlarmRaised]:
    return [a for a in b.told(AlarmRaised) if isinstance(a, AlarmRaised) and a.key.startswith("way-")]


def test_a_pod_without_a_loaded_way_out_is_named_and_not_fetched_while_others_are() -> None:
    b = Bench(site())
    b.work(*tote_work("A", [0]), *tote_work("B", [5]))
    b.wait(200)
    assert {t.task for t in b.told(PickDone) if isinstance(t, PickDone)} == {"P-T-B-1-0"}
    assert b.world.pods[next(p for p in b.world.pods if p == "P0")] == "s1"
    assert not any(
        "pick" in a.action_id and n.node_id == "s1" for o in b.orders("R1") for n in o.nodes for a in n.actions
    )
    (alarm, *_) = alarms(b)
    assert ("P0" in alarm.text, "s1" in alarm.text, alarm.severity, alarm.subject) == (True, True, "error", "P0")
    b.hear(WorkClosed(TaskId("P-T-A-1-0")))
    assert not [k for k in b.world.alarms if k.startswith("way-")]


def test_it_is_fetched_once_the_road_is_open() -> None:
    b = Bench(small_site(1, door=False))
    b.hear(OpsAsked(OpsCommand("q1", "me", "oil", CloseEdge(EdgeId("s1-a1")))))
    b.work(*tote_work("A", [0]))
    b.wait(60)
    assert alarms(b)
    assert b.told(PickDone) == []
    b.hear(OpsAsked(OpsCommand("q2", "me", "clean", ReopenEdge(EdgeId("s1-a1")))))
    b.wait(120)
    assert len(b.told(PickDone)) == 1
    assert any(isinstance(a, AlarmCleared) and a.key.startswith("way-P0") for a in b.told(AlarmCleared))


def test_a_robot_that_has_such_a_pod_already_is_held_there_and_not_pushed_out_of_the_way() -> None:
    b = Bench(site(2), start=False)
    robot = b.robot("R1")
    robot.node, robot.loads = NodeId("s1"), ("P0",)
    b.work(*tote_work("A", [0]))
    b.hear(*(r.state() for r in b.robots.values()))
    b.wait(60)
    v = b.world.vehicles[RobotId("R1")]
    assert v.node == "s1"
    assert v.pins & Pin.LEG
    assert "unreachable-R1" in b.world.alarms


def test_a_load_without_a_way_to_its_goal_is_not_picked_up_and_a_person_is_told() -> None:
    b = Bench(site())
    b.work(
        Transport(TaskId("V1"), 1, NodeId("s1"), NodeId("b4"), "", "", True, 0, 0),
        Transport(TaskId("V2"), 1, NodeId("a1"), NodeId("b4"), "", "", True, 0, 0),
    )
    b.wait(60)
    states = [(f.task, f.state) for f in b.told(TransportChanged) if isinstance(f, TransportChanged)]
    assert states == [("V2", "assigned"), ("V2", "loaded"), ("V2", "done")]
    (alarm,) = [a for a in b.told(AlarmRaised) if isinstance(a, AlarmRaised)]
    assert (alarm.key, "s1" in alarm.text, "b4" in alarm.text) == ("failing-V1", True, True)
    b.hear(WorkClosed(TaskId("V1")))
    assert b.world.alarms == {}
    b.work(Transport(TaskId("V3"), 1, NodeId("s1"), NodeId("b4"), "", "", False, 0, 0))
    b.wait(60)
    assert [f.state for f in b.told(TransportChanged) if isinstance(f, TransportChanged)][-1] == "done"
