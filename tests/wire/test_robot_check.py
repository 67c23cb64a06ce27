"""The conformance script against our twin, Siemens' library and a badly behaved vendor, on a real broker."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from contracts.errors import Unavailable
from contracts.ids import NodeId, RobotId
from contracts.runtime.clock import LoopClock
from contracts.runtime.floor import Floor
from contracts.runtime.floor.mqtt import MqttConnector
from contracts.site import Robot
from contracts.vda5050 import topics
from deploy.robot_check import Report, RobotCheck
from simulators.catalogue import Catalogue
from simulators.robot import RobotParams, RobotTwin
from simulators.world import World
from tests.wire.conftest import Server
from tests.wire.test_vda5050_peers import VEHICLE_JS, ilesp, library, program, script
from tests.wire.test_vda5050_vendors import corridor, virtual_agv

SITE = corridor(4, Robot(RobotId("R1"), "Floorplane", NodeId("0-0")))


@asynccontextmanager
async def client(server: Server) -> AsyncIterator[Floor]:
    await server.start()
    floor = await MqttConnector(server.mqtt_url).connect("check")
    try:
        yield floor
    finally:
        await floor.close()


def missed(report: Report) -> dict[str, str]:
    return {f.what: f.reason for f in report.findings if f.points < f.of}


async def test_our_twin_has_every_point(nats_server: Server) -> None:
    async with client(nats_server) as floor:
        clock = LoopClock(scale=5)
        world = World(SITE, Catalogue((), ()), (), clock)
        params = RobotParams(driving_state_s=1.0, idle_state_s=1.0, level=(0.9, 1.0))
        twin = RobotTwin(SITE.robots[0], SITE, MqttConnector(nats_server.mqtt_url), clock, world, 1, params)
        running = asyncio.create_task(twin.run(), name=twin.name)
        try:
            report = await RobotCheck(floor, clock, SITE.layout, "R1").run()
        finally:
            running.cancel()
            await asyncio.wait([running])
    assert (missed(report), report.score, report.suggested) == ({}, 100, {})


async def test_a_robot_that_is_not_there_is_named(nats_server: Server) -> None:
    async with client(nats_server) as floor:
        with pytest.raises(Unavailable, match="R9"):
            await RobotCheck(floor, LoopClock(), SITE.layout, "R9", patience_s=0.5).run()


@pytest.mark.peer
@library
async def test_the_library_does_well(nats_server: Server, tmp_path: Path) -> None:
    async with client(nats_server) as floor, program(*script(VEHICLE_JS, nats_server.mqtt_url, tmp_path)):
        report = await RobotCheck(floor, LoopClock(), SITE.layout, "V1").run()
    assert report.version == "2.0.0"
    assert report.score >= 85, missed(report)


@pytest.mark.peer
@ilesp
async def test_the_bad_vendor_does_badly_and_is_told_why(nats_server: Server) -> None:
    async with client(nats_server) as floor, program(*virtual_agv(nats_server, "I1")):
        await asyncio.sleep(0.5)  # it says nothing of having come
        at = {"actionType": "initPosition", "actionParameters": [{"nodeId": "0-0"}]}
        for _ in range(3):
            floor.send(
                topics.topic("ilesp", "I1", topics.INSTANT_ACTIONS), json.dumps({"instantActions": [at]}).encode()
            )
            await asyncio.sleep(0.5)
        report = await RobotCheck(floor, LoopClock(), SITE.layout, "I1", patience_s=8).run()
    assert report.score <= 60
    reasons = missed(report)
    assert "$.orderId" in reasons["its states keep to the schema"]
    assert reasons["it names the sequence id of its node"]
    assert report.suggested["keeps_node_states"] is True
