"""The dispatcher against odd vendors on real brokers: `ilesp`, a maker with a space, one serial number twice, nulls."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from contracts import topics as names
from contracts.codec import decode, encode
from contracts.ids import EdgeId, NodeId, RobotId, SiteId, TaskId
from contracts.layout import Edge, Layout, Node
from contracts.messages.facts import AlarmRaised, Fact, FactsAck, TransportChanged
from contracts.messages.work import Transport
from contracts.runtime.clock import LoopClock
from contracts.runtime.floor.mqtt import MqttConnector
from contracts.runtime.log.memory import MemoryStore
from contracts.site import Robot, Site
from contracts.vda5050 import topics
from dispatcher.params import Params
from dispatcher.service import Dispatcher
from dispatcher.settings import DispatcherSettings
from simulators.catalogue import Catalogue
from simulators.motion import DriveParams
from simulators.robot import RobotParams, RobotTwin
from simulators.world import World
from tests.wire.conftest import Server
from tests.wire.test_vda5050_peers import ILESP, NODE, VEHICLE_JS, ilesp, library, program, script, until

peer = pytest.mark.peer


def corridor(length: int, *robots: Robot) -> Site:
    nodes = tuple(Node(NodeId(f"{x}-0"), 2.0 * x, 0.0) for x in range(length))
    ways = [(a, b) for a in range(length) for b in (a - 1, a + 1) if 0 <= b < length]
    edges = tuple(Edge(EdgeId(f"{a}_{b}"), NodeId(f"{a}-0"), NodeId(f"{b}-0")) for a, b in ways)
    return Site(
        id=SiteId("odd"), layout=Layout("odd", "floor", "1", nodes, edges), pods=(), stations=(), chutes=(), doors=(),
        cells=(), robots=robots, line_length_m=0.0, infeed_m={},
    )  # fmt: skip


class Books:
    """A dispatcher on a real broker, and what it tells central."""

    def __init__(self, site: Site, url: str, params: Params) -> None:
        self.store, self.clock, self.site = MemoryStore(), LoopClock(), site
        settings = DispatcherSettings(publish_views=False, params=params)
        self.dispatcher = Dispatcher(settings, site, MqttConnector(url), self.store.connect("dispatcher"), self.clock)
        self.log = self.store.connect("central")
        self.facts: list[Fact] = []

    async def read(self) -> None:
        async for entry in self.log.follow(names.facts_subject(self.site.id)):
            fact = decode(entry.payload, Fact)
            self.facts.append(fact)
            self.log.say(names.facts_ack(self.site.id), encode(FactsAck(self.site.id, fact.epoch, fact.seq)))

    async def want(self, name: str, start: str, end: str) -> None:
        work = Transport(TaskId(name), 1, NodeId(start), NodeId(end), "", "", handling=False, due_ms=0, priority=0)
        await self.log.append(names.work_key(self.site.id, work.task), encode(work))

    def states(self, name: str) -> list[str]:
        return [f.body.state for f in self.facts if isinstance(f.body, TransportChanged) and f.body.task == name]

    def alarms(self) -> list[str]:
        return [f.body.key for f in self.facts if isinstance(f.body, AlarmRaised)]

    async def until(self, holds: Callable[[], object], within_s: float = 40) -> None:
        await until(holds, within_s, lambda: (self.alarms(), [f.body for f in self.facts][-8:]))


@asynccontextmanager
async def dispatching(site: Site, url: str, params: Params | None = None) -> AsyncIterator[Books]:
    books = Books(site, url, params or Params(adopt="auto"))
    tasks = [asyncio.create_task(books.dispatcher.run(), name="d"), asyncio.create_task(books.read(), name="b")]
    try:
        await asyncio.wait_for(books.dispatcher.ready.wait(), 30)
        yield books
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def virtual_agv(server: Server, serial: str, maker: str = "ilesp") -> tuple[str, ...]:
    words = ("--mqtt-port", str(server.ports["mqtt"]), "--serials", serial, "--manufacturer", maker)
    return (str(ILESP), "-m", "ilesp.adapters.virtual_agv", *words, "--node-interval", "0.3")


@peer
@ilesp
async def test_a_known_bad_vendor_is_driven_by_its_dialect(nats_server: Server) -> None:
    """No sequence ids, no horizon, nodeStates that never empty, whole orders as updates: two transports are done."""
    await nats_server.start()
    async with dispatching(corridor(9), nats_server.mqtt_url) as books, program(*virtual_agv(nats_server, "I1")):
        await books.until(lambda: RobotId("I1") in books.dispatcher.core.world.vehicles)
        place = json.dumps(
            {"instantActions": [{"actionType": "initPosition", "actionParameters": [{"nodeId": "0-0"}]}]}
        )
        client = await MqttConnector(nats_server.mqtt_url).connect("hand")
        client.send(topics.topic("ilesp", "I1", topics.INSTANT_ACTIONS), place.encode())
        await books.until(lambda: books.dispatcher.core.world.vehicles[RobotId("I1")].placed)
        await books.want("V1", "2-0", "7-0")
        await books.until(lambda: books.states("V1")[-1:] == ["done"])
        await books.want("V2", "5-0", "1-0")
        await books.until(lambda: books.states("V2")[-1:] == ["done"])
        assert "names no sequence id" in books.dispatcher.core.world.deviations["ilesp"]
        assert books.dispatcher.deviations["ilesp"]
        await client.close()


@peer
@ilesp
async def test_an_unknown_vendor_that_drives_into_the_horizon_is_found_out_and_its_neighbour_stops(
    nats_server: Server,
) -> None:
    """It is told base and horizon, and drives on: an alarm, the robot before it paused, and no horizon from then on."""
    await nats_server.start()
    robot = Robot(RobotId("R1"), "Floorplane", NodeId("3-0"))
    site = corridor(14, robot)
    async with dispatching(site, nats_server.mqtt_url) as books:
        slow = RobotParams(
            drive=DriveParams(speed_mps=0.25, loaded_speed_mps=0.25), driving_state_s=1.0, level=(0.9, 1.0)
        )
        broker = MqttConnector(nats_server.mqtt_url)
        twin = RobotTwin(robot, site, broker, books.clock, World(site, Catalogue((), ()), (), books.clock), 1, slow)
        running = asyncio.create_task(twin.run(), name=twin.name)
        try:
            await books.until(lambda: RobotId("R1") in books.dispatcher.core.world.vehicles)
            await books.want("V1", "4-0", "13-0")
            await books.until(lambda: books.states("V1"))
            async with program(*virtual_agv(nats_server, "I1", "Odd")):
                world = books.dispatcher.core.world
                await books.until(lambda: RobotId("I1") in world.vehicles)
                at = {"actionType": "initPosition", "actionParameters": [{"nodeId": "0-0"}]}
                client = await broker.connect("hand")
                client.send(
                    topics.topic("Odd", "I1", topics.INSTANT_ACTIONS), json.dumps({"instantActions": [at]}).encode()
                )
                await books.until(lambda: world.vehicles[RobotId("I1")].placed)
                await books.want("V2", "1-0", "12-0")
                await books.until(lambda: "trespass-I1" in books.alarms())
                assert world.vehicles[RobotId("I1")].dialect.fully_released
                assert "drives to nodes that are not released" in world.deviations["Odd"]
                await books.until(lambda: twin.vehicle.paused or not world.halted.get(RobotId("I1")))
                await client.close()
        finally:
            running.cancel()
            await asyncio.wait([running])


@peer
@ilesp
async def test_two_robots_under_one_serial_number_are_found_out(mosquitto: Server) -> None:
    """Both answer to the same topics; their headers do not count up, an alarm says so, and neither gets work."""
    await mosquitto.start()
    async with (
        dispatching(corridor(9), mosquitto.mqtt_url) as books,
        program(*virtual_agv(mosquitto, "I1")),
    ):
        await books.until(lambda: books.dispatcher.core.world.names)
        await books.until(lambda: books.dispatcher.core.world.vehicles[RobotId("I1")].header > 3)
        async with program(*virtual_agv(mosquitto, "I1")):
            await books.until(lambda: "double-I1" in books.alarms())
            await books.want("V1", "2-0", "7-0")
            await asyncio.sleep(1)
            assert books.states("V1") == []


@peer
@library
async def test_a_maker_with_a_space_works_on_mosquitto(mosquitto: Server, tmp_path: Path) -> None:
    """Only the embedded broker refuses topics with a space; another one (FLOORPLANE_MQTT_URL) takes them."""
    await mosquitto.start()
    text = VEHICLE_JS.replace('manufacturer: "Siemens"', 'manufacturer: "ACME GmbH"')
    assert NODE
    async with (
        dispatching(corridor(9), mosquitto.mqtt_url) as books,
        program(*script(text, mosquitto.mqtt_url, tmp_path)),
    ):
        world = books.dispatcher.core.world
        await books.until(lambda: RobotId("V1") in world.vehicles and world.vehicles[RobotId("V1")].placed)
        await books.want("W1", "2-0", "7-0")
        await books.until(lambda: books.states("W1")[-1:] == ["done"])
        assert world.vehicles[RobotId("V1")].manufacturer == "ACME GmbH"
        assert world.vehicles[RobotId("V1")].speaks == "2.0.0"


async def test_nulls_and_times_without_a_zone_are_read_and_counted(nats_server: Server) -> None:
    """A state that breaks the schema is mended where it can be, kept to look at where not, and never stops the loop."""
    await nats_server.start()
    async with dispatching(corridor(9), nats_server.mqtt_url) as books:
        client = await MqttConnector(nats_server.mqtt_url).connect("odd")
        topic = topics.topic("Null AG".replace(" ", "-"), "N1", topics.STATE)
        state = {
            "headerId": 1, "timestamp": "2026-11-24T08:00:00.00", "version": "2.0.0", "manufacturer": "Null-AG",
            "serialNumber": "N1", "orderId": None, "orderUpdateId": None, "lastNodeId": "3-0",
            "lastNodeSequenceId": 0, "driving": False, "nodeStates": [], "edgeStates": [], "actionStates": [],
            "batteryState": {"batteryCharge": None, "charging": False}, "operatingMode": "AUTOMATIC", "errors": [],
            "safetyState": {"eStop": "NONE", "fieldViolation": False}, "velocity": {"vx": None},
        }  # fmt: skip
        client.send(topic, b"\xff{ not json")
        client.send(topic, json.dumps(state).encode())
        world = books.dispatcher.core.world
        await books.until(lambda: RobotId("N1") in world.vehicles and world.vehicles[RobotId("N1")].placed)
        seen = books.dispatcher.deviations["Null-AG"]
        assert seen["a timestamp without a zone"] == 1
        assert any("$.orderId" in how for how in seen)
        assert books.dispatcher.counts["unreadable"] == 1
        assert books.dispatcher.unreadable[0].topic == topic
        await client.close()


@pytest.mark.slow
async def test_versions_2_0_2_1_and_3_0_work_side_by_side_in_one_fleet(nats_server: Server) -> None:
    """Three twins, each of another version on its own topics: each is driven in its own, and all is done."""
    await nats_server.start()
    made = [Robot(RobotId(f"R{k}"), "Floorplane", NodeId(f"{4 * k}-0")) for k in range(3)]
    site = corridor(11, *made)
    async with dispatching(site, nats_server.mqtt_url) as books:
        broker, clock = MqttConnector(nats_server.mqtt_url), books.clock
        world = World(site, Catalogue((), ()), (), clock)
        builds = [
            RobotParams(version=v, level=(0.9, 1.0), driving_state_s=1.0, drive=DriveParams(speed_mps=2.0))
            for v in ("2.0.0", "2.1.0", "3.0.0")
        ]
        twins = [RobotTwin(r, site, broker, clock, world, 1, p) for r, p in zip(made, builds, strict=True)]
        running = [asyncio.create_task(t.run(), name=t.name) for t in twins]
        try:
            vehicles = books.dispatcher.core.world.vehicles
            await books.until(lambda: len(vehicles) == 3 and all(v.placed for v in vehicles.values()))
            for k in range(3):
                await books.want(f"V{k}", f"{4 * k + 1}-0", f"{4 * k}-0")
            await books.until(lambda: all(books.states(f"V{k}")[-1:] == ["done"] for k in range(3)))
            assert [vehicles[r.id].speaks for r in made] == ["2.0.0", "2.1.0", "3.0.0"]
            assert world.violations == []
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
