"""The console's live feed over a real WebSocket."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from central.serve import HttpServer
from contracts import topics
from contracts.codec import encode
from contracts.errors import Rejected
from contracts.ids import NodeId, RobotId
from contracts.messages.facts import AlarmRaised
from contracts.messages.ops import FleetView, RobotView, VehicleState
from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import Floor, running


@pytest.fixture
async def floor(postgres: ScratchPostgres) -> AsyncIterator[Floor]:
    async with running(postgres) as made:
        yield made


@pytest.fixture
async def server(floor: Floor) -> AsyncIterator[HttpServer]:
    made = HttpServer(floor.central.app, port=0)
    serving = asyncio.create_task(made.run())
    await made.ready.wait()
    yield made
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


def listen(server: HttpServer, floor: Floor, **headers: str) -> connect:
    token = {"Authorization": f"Bearer {floor.secrets.tokens['operator']}"}
    return connect(server.url.replace("http", "ws") + "/v1/live", additional_headers=token | headers)


async def until(socket: ClientConnection, kind: str, wanted: Any = None) -> Any:
    """Read messages until one of a kind comes that is wanted."""
    async with asyncio.timeout(10):
        while True:
            raw = await socket.recv()
            if isinstance(raw, bytes):
                if kind == "poses":
                    return raw
                continue
            message = json.loads(raw)
            if message["kind"] == kind and (wanted is None or wanted(message)):
                return message


async def test_fleet_rows_and_alarms_reach_the_console(floor: Floor, server: HttpServer) -> None:
    """What the dispatcher says of robots, the rows of what changed, and an alarm, each as REST writes it."""
    view = FleetView(
        floor.site.id, 1, floor.clock.now_ms(), stopped=False,
        robots=(RobotView(RobotId("R1"), VehicleState.IDLE, 1.0, 2.0, 0.5, 0.8, NodeId("N4"), floor.clock.now_ms()),),
        stations=(), open_tasks=0,
    )  # fmt: skip
    floor.dispatcher.say(topics.fleet(floor.site.id), encode(view))
    async with listen(server, floor) as socket:
        first = await until(socket, "fleet")
        assert first["view"]["robots"][0]["id"] == "R1"
        floor.dispatcher.say(topics.poses(floor.site.id), b"frame")
        assert await until(socket, "poses") == b"frame"
        await floor.stock(("P0-B0", "part1", 10))
        await floor.order("A-1", ("part1", 4))
        await floor.pick("P-T-A-1-1-1")

        def is_done(message: Any) -> bool:
            return any(t["id"] == "P-T-A-1-1-1" and t["state"] == "done" for t in message["tasks"])

        rows = await until(socket, "rows", is_done)
        assert rows["orders"][0]["id"] == "A-1"
        listed = (await floor.operator.get("/v1/tasks", params={"order": "A-1"})).json()["items"]
        assert set(rows["tasks"][0]) == set(listed[0])
        await floor.say(AlarmRaised("k", "warning", "R1", "R1 stands still", "Look at it"))
        alarm = await until(socket, "alarm")
        assert (alarm["alarm"]["key"], alarm["alarm"]["acknowledged_at"]) == ("k", None)
        await floor.operator.post(f"/v1/alarms/{alarm['alarm']['id']}/acknowledge", json={"reason": "seen"})
        seen = await until(socket, "alarm")
        assert seen["alarm"]["acknowledged_by"] == "operator"
    assert (await floor.operator.get("/v1/robots")).json()["robots"][0]["state"] == "idle"


async def test_nobody_listens_without_a_login_or_from_another_site(floor: Floor, server: HttpServer) -> None:
    """Without a token, and from a page of somebody else, the feed is refused."""
    with pytest.raises((InvalidStatus, ConnectionClosed)):
        async with connect(server.url.replace("http", "ws") + "/v1/live") as socket:
            await socket.recv()
    with pytest.raises((InvalidStatus, ConnectionClosed)):
        async with listen(server, floor, Origin="http://elsewhere.example") as socket:
            await socket.recv()


async def test_a_taken_port_is_named(floor: Floor, server: HttpServer) -> None:
    """Two servers on one port: the second says which port and what to do."""
    port = int(server.url.rsplit(":", 1)[1])
    with pytest.raises(Rejected, match=f"127.0.0.1:{port}"):
        await HttpServer(floor.central.app, port=port).run()
