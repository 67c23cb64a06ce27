"""VDA 5050 3.0 zones and leases: sent, asked for, granted, queued, revoked; twins on virtual time, official schemas."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from contracts.geometry import Point
from contracts.ids import EdgeId, NodeId, RobotId, SiteId, TaskId
from contracts.layout import Edge, Layout, Node, Zone, ZoneKind
from contracts.messages.ops import CloseEdge, CloseNode, OpsCommand, ReopenNode, RetireRobot, ReturnRobot
from contracts.messages.work import Transport
from contracts.runtime.clock import LoopClock
from contracts.runtime.floor.memory import MemoryBroker
from contracts.runtime.log.memory import MemoryStore
from contracts.site import Robot, Site
from contracts.vda5050 import topics, v3
from contracts.vda5050.reading import read
from dispatcher.commands import SendInstantActions, SendOrder, SendResponses
from dispatcher.facts import OpsAsked, Request, RobotFactsheet, WorkOpened
from dispatcher.fleet.zones import leads_through, zone_set
from dispatcher.params import Params
from dispatcher.service import Dispatcher
from dispatcher.settings import DispatcherSettings
from simulators import virtual_time
from simulators.catalogue import Catalogue
from simulators.robot import RobotFaults, RobotParams, RobotTwin
from simulators.world import World
from tests.unit.dispatcher_bench import MAKER, Bench, BenchRobot
from tests.unit.vda5050_messages import schema

ALL = ("BLOCKED", "RELEASE", "SPEED_LIMIT")


def box(x0: float, x1: float) -> tuple[Point, ...]:
    return (Point(x0, -1.0), Point(x1, -1.0), Point(x1, 1.0), Point(x0, 1.0))


def corridor(length: int, zones: tuple[Zone, ...], *robots: Robot) -> Site:
    nodes = tuple(Node(NodeId(f"n{x}"), 2.0 * x, 0.0) for x in range(length))
    ways = [(a, b) for a in range(length) for b in (a - 1, a + 1) if 0 <= b < length]
    edges = tuple(Edge(EdgeId(f"e{a}_{b}"), NodeId(f"n{a}"), NodeId(f"n{b}")) for a, b in ways)
    return Site(
        id=SiteId("zones"), layout=Layout("zones", "floor", "1", nodes, edges, zones), pods=(), stations=(), chutes=(),
        doors=(), cells=(), robots=robots, line_length_m=0.0, infeed_m={},
    )  # fmt: skip


NARROW = Zone("narrow", ZoneKind.ONE_ROBOT, box(7.0, 11.0))
"""Holds n4 and n5."""
SLOW = Zone("slow", ZoneKind.SPEED, box(1.0, 5.0), 0.4)


def test_a_layouts_zones_are_told_by_what_a_robot_understands() -> None:
    """Speed, one robot and closed now have types of their own; no-stop has none; another content has another name."""
    closed = Zone("closed", ZoneKind.CLOSED, box(17.0, 19.0))
    site = corridor(12, (NARROW, SLOW, closed, Zone("never", ZoneKind.NO_STOP, box(13.0, 15.0))))
    body = zone_set(site.layout, {"closed"}, ALL)
    assert body is not None
    assert {z.zone_id: z.zone_type for z in body.zones} == {
        "narrow": "RELEASE", "slow": "SPEED_LIMIT", "closed": "BLOCKED",
    }  # fmt: skip
    message = v3.ZoneSet(header_id=1, timestamp="2026-11-24T08:00:00.000Z", zone_set=body)
    schema("zoneSet", "3.0").validate(json.loads(msgspec.json.encode(message)))
    few = zone_set(site.layout, {"closed", "narrow"}, ("BLOCKED",))
    assert few is not None
    assert [z.zone_id for z in few.zones] == ["narrow", "closed"]
    assert few.zone_set_id != body.zone_set_id
    assert zone_set(site.layout, {"closed"}, ("ACTION",)) is None


def test_a_way_touches_a_zone_on_a_node_and_between_two() -> None:
    site = corridor(12, (NARROW, Zone("gap", ZoneKind.ONE_ROBOT, box(6.5, 7.5))))
    narrow, gap = site.layout.zones
    way = [NodeId(f"n{x}") for x in range(4)]
    assert not leads_through(site.layout, narrow, way)
    assert leads_through(site.layout, narrow, [*way, NodeId("n4")])
    assert not leads_through(site.layout, gap, way)
    assert leads_through(site.layout, gap, [NodeId("n3"), NodeId("n4")])


class Fleet:
    """A dispatcher and twins of version 3 on virtual time; `said` are all messages by topic name, as they were sent."""

    def __init__(self, site: Site, faults: RobotFaults | None = None) -> None:
        self.broker, self.store, self.clock = MemoryBroker(), MemoryStore(), LoopClock(1_386_000_000_000)
        settings = DispatcherSettings(journal=None, publish_views=False, params=Params())
        self.dispatcher = Dispatcher(settings, site, self.broker, self.store.connect("dispatcher"), self.clock)
        self.ground = World(site, Catalogue((), ()), (), self.clock)
        params = RobotParams(version="3.0.0", level=(0.9, 1.0), driving_state_s=1.0, faults=faults or RobotFaults())
        self.twins = [RobotTwin(r, site, self.broker, self.clock, self.ground, 1, params) for r in site.robots]
        self.said: dict[str, list[bytes]] = {n: [] for n in topics.NAMES_3}
        self.site = site

    async def listen(self) -> None:
        floor = await self.broker.connect("ear")
        await floor.subscribe("uagv/#", lambda t, p: self.said[topics.parse(t).name].append(p))

    def want(self, name: str, start: str, end: str) -> None:
        self.dispatcher.hear(WorkOpened(Transport(TaskId(name), 1, NodeId(start), NodeId(end), "", "", False, 0, 0)))

    def operate(self, body: object) -> None:
        self.dispatcher.hear(OpsAsked(OpsCommand(f"q{self.clock.now_ms()}", "me", "why not", body)))  # type: ignore[arg-type]

    def grants(self) -> list[str]:
        return [a.grant_type for p in self.said[topics.RESPONSES] for a in read(p, v3.Responses).responses]

    def validate(self) -> None:
        for name, payloads in self.said.items():
            for payload in payloads:
                schema(name, "3.0").validate(json.loads(payload))


def play(site: Site, scene: Callable[[Fleet], Awaitable[None]], faults: RobotFaults | None = None) -> Fleet:
    async def main() -> Fleet:
        fleet = Fleet(site, faults)
        await fleet.listen()
        parts = [fleet.dispatcher, *fleet.twins]
        tasks = [asyncio.create_task(p.run(), name=p.name) for p in parts]
        try:
            await asyncio.sleep(1)
            await scene(fleet)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return fleet

    fleet = virtual_time.run(main())
    fleet.validate()
    assert fleet.ground.violations == []
    return fleet


def robot(name: str, at: str) -> Robot:
    return Robot(RobotId(name), "Floorplane", NodeId(at))


def test_a_twin_of_version_3_gets_the_zones_asks_for_the_narrow_one_and_drives_slowly_in_the_slow_one() -> None:
    """Zone set, enable, request, grant, renewal, release: each message is valid, and the transport is done."""

    async def scene(fleet: Fleet) -> None:
        fleet.want("V1", "n0", "n11")
        await asyncio.sleep(60)
        v = fleet.dispatcher.core.world.vehicles[RobotId("R1")]
        assert v.node == "n11"
        assert v.leases == {}
        assert fleet.dispatcher.core.world.asking == {}

    fleet = play(corridor(12, (NARROW, SLOW), robot("R1", "n0")), scene)
    states = [read(p, v3.State) for p in fleet.said[topics.STATE]]
    assert states[-1].zone_sets[0].zone_set_status == "ENABLED"
    assert {q.request_status for s in states for q in s.zone_requests} == {"REQUESTED", "GRANTED"}
    assert fleet.grants()[-1] == "GRANTED"
    assert len(fleet.said[topics.ZONE_SET]) == 1
    slow = [s for s in states if s.last_node_id == "n1" and s.velocity is not None]
    assert slow
    assert max(s.velocity.vx for s in slow if s.velocity is not None and s.velocity.vx is not None) <= 0.45


def test_a_robot_waits_before_a_zone_that_another_one_is_in_and_goes_on_when_it_has_left() -> None:
    """The second one is queued while the first one stands in the zone, and is granted once it is free."""

    async def scene(fleet: Fleet) -> None:
        fleet.operate(RetireRobot(RobotId("R2")))
        await asyncio.sleep(0.1)
        fleet.want("V1", "n3", "n4")
        ground, together = fleet.ground, 0
        for tick in range(1200):
            if tick == 300:
                assert ground.nodes_of(RobotId("R2"))[0] in {"n5", "n6"}
                fleet.operate(ReturnRobot(RobotId("R2")))
                await asyncio.sleep(0.01)
                fleet.want("V2", "n8", "n9")
            await asyncio.sleep(0.1)
            inside = [r.id for r in fleet.site.robots if {"n4", "n5"} & set(ground.nodes_of(r.id))]
            together += len(inside) > 1
        assert together == 0
        assert ground.nodes_of(RobotId("R1")) == ("n4",)

    play(corridor(12, (NARROW,), robot("R1", "n0"), robot("R2", "n5")), scene)


def test_a_zone_that_an_operator_closes_is_revoked_shown_as_blocked_and_granted_again() -> None:
    async def scene(fleet: Fleet) -> None:
        world = fleet.dispatcher.core.world
        fleet.want("V1", "n1", "n9")
        while "GRANTED" not in fleet.grants():  # noqa: ASYNC110 - on virtual time
            await asyncio.sleep(0.05)
        for node in ("n4", "n5"):
            fleet.operate(CloseNode(NodeId(node)))
            await asyncio.sleep(0.01)
        await asyncio.sleep(25)
        assert "REVOKED" in fleet.grants()
        assert world.vehicles[RobotId("R1")].node == "n3"
        for node in ("n4", "n5"):
            fleet.operate(ReopenNode(NodeId(node)))
            await asyncio.sleep(0.01)
        await asyncio.sleep(60)
        assert world.vehicles[RobotId("R1")].node == "n9"

    fleet = play(corridor(12, (NARROW,), robot("R1", "n0")), scene)
    kinds = [{z.zone_type for z in read(p, v3.ZoneSet).zone_set.zones} for p in fleet.said[topics.ZONE_SET]]
    assert {"BLOCKED"} in kinds
    assert len(fleet.said[topics.ZONE_SET]) >= 2


def test_zone_sets_that_are_no_longer_true_are_deleted_from_a_robot() -> None:
    """A set's content never changes, so each change is a new one; those of other fleets are left alone."""
    layout = corridor(12, (NARROW,), robot("R1", "n0")).layout
    b = Bench(corridor(12, (NARROW,), Robot(RobotId("R1"), MAKER, NodeId("n0"))))
    b.hear(RobotFactsheet(RobotId("R1"), MAKER, "s", 1.0, 0, ALL))
    now = zone_set(layout, (), ALL)
    assert now is not None
    held = ((now.zone_set_id, True), ("zones-000000000000", False), ("theirs", False))
    for _ in range(2):
        b.hear(msgspec.structs.replace(b.robot("R1").state(), version="3.0.0", zone_sets=held))
    acts = [c.message.actions[0] for c in b.sent if isinstance(c, SendInstantActions)]
    assert [(a.action_type, a.parameter("zoneSetId")) for a in acts] == [("deleteZoneSet", "zones-000000000000")]


# --------------------------------------------------------------------------------------------- edges, on the bench


def asking(b: Bench, r: BenchRobot, *requests: Request) -> list[tuple[str, str]]:
    commands = b.hear(msgspec.structs.replace(r.state(), version="3.0.0", requests=requests, zone_sets=()))
    return [(a.request_id, a.grant_type) for c in commands if isinstance(c, SendResponses) for a in c.message.responses]


def test_corridors_of_edges_are_granted_when_they_are_released_and_queued_before() -> None:
    """An edge of the base is granted, one of the horizon queued, an unknown one and one that is not next rejected."""
    b = Bench(corridor(12, (), Robot(RobotId("R1"), MAKER, NodeId("n0"))))
    r = b.robot("R1")
    r.manual = True
    b.hear(RobotFactsheet(RobotId("R1"), MAKER, "s", 1.0, 0, ALL))
    b.hear(WorkOpened(Transport(TaskId("V1"), 1, NodeId("n11"), NodeId("n0"), "", "", False, 0, 0)))
    b.wait(1)
    order = next(c.order for c in reversed(b.sent) if isinstance(c, SendOrder))
    nodes = order.nodes
    base = sum(n.released for n in nodes) - 1
    first, last = order.edges[0], order.edges[-1]

    def ask(name: str, edge: str, seq: int, status: str = "REQUESTED") -> Request:
        return Request(name, "CORRIDOR", edge, status, seq=seq)

    wanted = [ask("a", first.edge_id, first.sequence_id), ask("b", "nowhere", 1), ask("c", first.edge_id, 3)]
    answers = dict(asking(b, r, *wanted))
    assert answers == {"a": "GRANTED", "b": "REJECTED", "c": "REJECTED"}
    assert asking(b, r, msgspec.structs.replace(wanted[0], status="GRANTED")) == []
    if len(nodes) - 1 > base:
        assert asking(b, r, ask("d", last.edge_id, last.sequence_id)) == [("d", "QUEUED")]
    far = order.edges[base - 1]
    if base > 1:
        assert asking(b, r, ask("e", far.edge_id, far.sequence_id)) == [("e", "GRANTED")]
        asking(b, r, ask("e", far.edge_id, far.sequence_id, "GRANTED"))
        before = len(b.sent)
        b.hear(OpsAsked(OpsCommand("q", "me", "why", CloseEdge(EdgeId(far.edge_id)))))
        said = [a.grant_type for c in b.sent[before:] if isinstance(c, SendResponses) for a in c.message.responses]
        assert said == ["REVOKED"]


def test_a_lease_is_renewed_before_it_ends_and_told_again_where_it_was_not_heard() -> None:
    b = Bench(corridor(12, (), Robot(RobotId("R1"), MAKER, NodeId("n0"))))
    r = b.robot("R1")
    r.manual = True
    b.hear(WorkOpened(Transport(TaskId("V1"), 1, NodeId("n11"), NodeId("n0"), "", "", False, 0, 0)))
    b.wait(1)
    order = next(c.order for c in reversed(b.sent) if isinstance(c, SendOrder))
    request = Request("a", "CORRIDOR", order.edges[0].edge_id, "REQUESTED", seq=1)
    assert asking(b, r, request) == [("a", "GRANTED")]
    b.now_ms += 3_500
    assert asking(b, r, request) == [("a", "GRANTED")]
    held = msgspec.structs.replace(request, status="GRANTED")
    assert asking(b, r, held) == []
    b.now_ms += 21_000
    assert asking(b, r, held) == [("a", "GRANTED")]
    b.now_ms += 100
    assert asking(b, r) == []
    assert b.world.asking == {}


@pytest.mark.parametrize("kind", ["REPLANNING", "SOMETHING"])
def test_what_we_do_not_know_is_rejected(kind: str) -> None:
    b = Bench(corridor(12, (NARROW,), Robot(RobotId("R1"), MAKER, NodeId("n0"))))
    assert asking(b, b.robot("R1"), Request("a", kind, "narrow", "REQUESTED", "zs")) == [("a", "REJECTED")]


def test_a_twin_of_version_3_whose_lift_jams_is_asked_to_try_again_and_then_to_leave_it() -> None:
    """`retriable` in the order, RETRIABLE in the state, `retry` twice, `skipRetry`, FAILED, an alarm: all valid."""

    async def scene(fleet: Fleet) -> None:
        load = Transport(TaskId("V1"), 1, NodeId("n3"), NodeId("n5"), "P1", "", True, 0, 0)
        fleet.dispatcher.hear(WorkOpened(load))
        await asyncio.sleep(200)
        assert "failing-V1" in fleet.dispatcher.core.world.alarms

    fleet = play(corridor(6, (), robot("R1", "n0")), scene, RobotFaults(lift_fails=1.0))
    acts = [a for p in fleet.said[topics.ORDER] for n in read(p, v3.Order).nodes for a in n.actions]
    picks = [a for a in acts if a.action_type == "pick"]
    assert picks
    assert all(a.retriable for a in picks)
    asked = [read(p, v3.InstantActions).actions[0] for p in fleet.said[topics.INSTANT_ACTIONS]]
    decided = [a.action_type for a in asked if a.action_type in {"retry", "skipRetry"}]
    assert decided == ["retry", "retry", "skipRetry"] * 2
    assert {a.retriable for a in asked} == {None}
    seen = [s.action_status for p in fleet.said[topics.STATE] for s in read(p, v3.State).action_states]
    assert {"RUNNING", "RETRIABLE", "FAILED"} <= set(seen)
