"""A fresh dispatcher knows where nobody stands: all have to speak before anybody moves, or keep their place."""

from contracts.ids import NodeId, RobotId
from contracts.messages.facts import AlarmCleared, AlarmRaised
from contracts.messages.ops import CloseNode, OpsCommand
from contracts.site import Robot
from dispatcher.commands import SendOrder
from dispatcher.facts import OpsAsked, WorkOpened
from dispatcher.params import Params
from tests.unit.dispatcher_bench import MAKER, Bench
from tests.unit.test_dispatcher_transports import stranger, transport
from tests.unit.test_leases import corridor


def robot(name: str, at: str) -> Robot:
    return Robot(RobotId(name), MAKER, NodeId(at))


PARAMS = Params(muster_ms=10_000, absent_ms=120_000)


def bench() -> Bench:
    """R1 at the left end of a corridor, R2 in its middle; nobody has spoken."""
    site = corridor(8, (), robot("R1", "n0"), robot("R2", "n4"))
    b = Bench(site, PARAMS, start=False)
    b.now_ms += 1
    b.hear()
    return b


def sent_to(b: Bench) -> set[str]:
    return {n.node_id for c in b.sent if isinstance(c, SendOrder) for n in c.order.nodes if n.released}


def test_nobody_moves_before_all_robots_of_the_site_have_spoken() -> None:
    b = bench()
    b.hear(b.robot("R1").state(), WorkOpened(transport("V1", "n6", "n7", handling=False)))
    b.wait(9)
    assert sent_to(b) == set()
    b.hear(b.robot("R2").state())
    b.wait(30)
    assert "n6" in sent_to(b)


def test_one_that_does_not_speak_keeps_its_place_is_named_and_is_waited_for_only_so_long() -> None:
    b = bench()
    b.robot("R2").silent = b.robot("R2").deaf = True
    b.hear(b.robot("R1").state(), WorkOpened(transport("V1", "n6", "n7", handling=False)))
    b.wait(60)
    assert "n4" not in sent_to(b)
    alarm = next(a for a in b.told(AlarmRaised) if isinstance(a, AlarmRaised) and a.key == "unheard-R2")
    assert ("n4" in alarm.text, alarm.severity) == (True, "warning")
    b.wait(120)
    assert "n6" in sent_to(b)


def test_one_that_speaks_later_is_placed_and_its_mask_is_lifted() -> None:
    b = bench()
    late = b.robot("R2")
    late.silent = True
    b.hear(b.robot("R1").state())
    b.wait(20)
    assert dict(b.world.masked) == {RobotId("R2"): NodeId("n4")}
    late.node, late.silent = NodeId("n7"), False
    b.hear(late.state())
    assert b.vehicle("R2").placed
    assert b.world.masked == {}
    assert [a for a in b.told(AlarmCleared) if isinstance(a, AlarmCleared) and a.key == "unheard-R2"]
    b.work(transport("V1", "n5", "n6", handling=False))
    b.wait(30)
    assert "n5" in sent_to(b)


def test_a_node_that_an_operator_closed_stays_closed_when_the_mask_is_lifted() -> None:
    b = bench()
    b.hear(b.robot("R1").state())
    b.wait(20)
    b.hear(OpsAsked(OpsCommand("q", "me", "why", CloseNode(NodeId("n4")))))
    b.hear(b.robot("R2").state())
    b.robot("R2").node = NodeId("n7")
    b.hear(WorkOpened(transport("V1", "n6", "n7", handling=False)))
    assert NodeId("n4") in b.world.closed_nodes
    assert b.world.masked == {}


def test_a_stranger_is_left_alone_and_driven_around_where_it_stands() -> None:
    """It has no right of way with us; its node is masked, and the next one when it has moved, until it is adopted."""
    b = Bench(corridor(8, (), robot("R1", "n0")), PARAMS, start=False)
    b.hear(b.robot("R1").state())
    other = stranger(b, "X1", MAKER, "n4")
    assert dict(b.world.masked) == {RobotId("X1"): NodeId("n4")}
    b.work(transport("V1", "n5", "n6", handling=False))
    b.wait(40)
    assert "n4" not in sent_to(b)
    other.node = NodeId("n7")
    b.hear(other.state())
    b.wait(60)
    assert "n5" in sent_to(b)
