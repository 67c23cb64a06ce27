"""Against VDA 5050 implementations that are not ours: Siemens' `vda-5050-lib`, as master and as vehicle, and `ilesp`.

`make test-peers` installs them into `.peers`.
"""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts.codec import encode
from contracts.ids import NodeId, RobotId
from contracts.runtime.clock import LoopClock
from contracts.runtime.floor.mqtt import MqttConnector
from contracts.vda5050 import topics
from contracts.vda5050.factsheet import Factsheet
from contracts.vda5050.reading import read, read_with_deviation
from contracts.vda5050.v2 import Connection, NodePosition, State, timestamp
from simulators.catalogue import Catalogue
from simulators.robot import RobotParams, RobotTwin
from simulators.world import World
from tests.unit.vda5050_messages import grid_site, instant, order_along

PEERS = Path(os.environ.get("FLOORPLANE_PEERS", Path(__file__).parents[2] / ".peers"))
LIBRARY = PEERS / "node_modules" / "vda-5050-lib"
NODE = shutil.which("node")
ILESP = PEERS / "venv" / "bin" / "python"
pytestmark = pytest.mark.peer
library = pytest.mark.skipif(NODE is None or not LIBRARY.is_dir(), reason=f"no node, or no {LIBRARY}")
ilesp = pytest.mark.skipif(not [*PEERS.glob("venv/lib/*/site-packages/ilesp")], reason=f"no ilesp in {PEERS}/venv")
SPEED = 10.0

MASTER_JS = """
const { MasterController } = require("vda-5050-lib");
const [brokerUrl] = process.argv.slice(2);
const agv = { manufacturer: "Floorplane", serialNumber: "R1" };
const say = (what, more) => console.log(JSON.stringify({ what, ...more }));
const way = (names, first, released) => ({
  nodes: names.map((n, k) => ({ nodeId: n, sequenceId: first + 2 * k, released: k < released, actions: [] })),
  edges: names.slice(1).map((n, k) => ({ edgeId: `${names[k]}_${n}`, sequenceId: first + 2 * k + 1,
    released: k + 1 < released, startNodeId: names[k], endNodeId: n, actions: [] })),
});
(async () => {
  const master = new MasterController(
    { interfaceName: "uagv", transport: { brokerUrl, heartbeat: 5 }, vdaVersion: "2.0.0" }, {});
  await master.start();
  const online = new Promise(done => master.trackAgvs((id, state) => {
    say("connection", { id: id.serialNumber, state });
    if (state === "ONLINE") done();
  }));
  await online;
  const run = (order) => new Promise(done => master.assignOrder(agv, order, {
    onOrderProcessed: (error, cancelled, active, c) => {
      say("processed", { order: order.orderId, update: order.orderUpdateId, cancelled, active,
        error: error && error.errorType, at: c.state.lastNodeId });
      if (!active) done();
    },
    onNodeTraversed: (node) => say("traversed", { node: node.nodeId }),
    onActionStateChanged: (a) => say("action", { id: a.actionId, status: a.actionStatus }),
  }));
  const act = (actionId, actionType) => new Promise(done => master.initiateInstantActions(agv,
    { instantActions: [{ actionId, actionType, blockingType: "NONE" }] }, {
    onActionStateChanged: (a, e) => {
      say("instant", { id: a.actionId, status: a.actionStatus, error: e && e.errorType });
      if (["FINISHED", "FAILED"].includes(a.actionStatus)) done();
    },
    onActionError: (e) => { say("instantError", { error: e.errorType }); done(); },
  }));
  const fetch = { orderId: "fetch", orderUpdateId: 0, ...way(["0-0", "1-0", "1-1", "1-2", "1-3"], 0, 5) };
  fetch.nodes[4].actions = [{ actionId: "lift", actionType: "pick", blockingType: "HARD",
    actionParameters: [{ key: "loadId", value: "P1" }] }];
  await run(fetch);
  await run({ orderId: "away", orderUpdateId: 0, ...way(["0-0", "0-1"], 0, 2) });
  const first = run({ orderId: "bring", orderUpdateId: 0, ...way(["1-3", "1-2", "1-1", "2-1"], 0, 2) });
  await new Promise(next => setTimeout(next, 50));
  const east = ["1-2", "1-1", "1-0", "2-0", "3-0", "4-0", "5-0", "6-0"];
  await run({ orderId: "bring", orderUpdateId: 1, ...way(east, 2, 8) });
  const long = run({ orderId: "long", orderUpdateId: 0, ...way(["6-0", "5-0", "4-0", "3-0", "2-0", "1-0"], 0, 6) });
  await new Promise(next => setTimeout(next, 100));
  await act("p", "startPause");
  await act("r", "stopPause");
  await act("c", "cancelOrder");
  await long;
  await act("c2", "cancelOrder");
  await act("f", "factsheetRequest");
  say("done");
  await master.stop();
})().catch(e => { say("broken", { error: String(e.stack || e) }); process.exit(1); });
"""

VEHICLE_JS = """
const { AgvController, VirtualAgvAdapter } = require("vda-5050-lib");
const [brokerUrl] = process.argv.slice(2);
new AgvController({ manufacturer: "Siemens", serialNumber: "V1" },
  { interfaceName: "uagv", transport: { brokerUrl, heartbeat: 5 }, vdaVersion: "2.0.0" },
  { agvAdapterType: VirtualAgvAdapter, publishStateInterval: 5000 },
  { initialPosition: { mapId: "floor", x: 0, y: 0, theta: 0, lastNodeId: "0-0" }, vehicleSpeed: 1.5, timeLapse: 10 },
).start().then(() => console.log(JSON.stringify({ what: "started" })));
"""


@asynccontextmanager
async def program(*command: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[dict[str, Any]]]]:
    """Run a peer; yields the process and what it says, line by line as it comes."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=os.environ | {"NODE_PATH": str(PEERS / "node_modules")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said: list[dict[str, Any]] = []

    async def listen() -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            said.append(json.loads(line) if line.startswith(b"{") else {"what": "text", "text": line.decode()})

    listener = asyncio.create_task(listen(), name="peer's words")
    try:
        yield process, said
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await listener


def script(text: str, url: str, folder: Path) -> tuple[str, ...]:
    """A command that runs a script of ours with the peer's library."""
    path = folder / "peer.js"
    path.write_text(text)
    return str(NODE), str(path), url


async def until(holds: Callable[[], object], limit_s: float, what: Callable[[], object]) -> None:
    """Wait for something that others bring about."""
    try:
        async with asyncio.timeout(limit_s):
            while not holds():  # noqa: ASYNC110 - another process brings it about
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {limit_s} s: {what()}") from None


@pytest.fixture(params=["mosquitto", "nats_server"])
async def broker_url(request: pytest.FixtureRequest) -> str:
    """Both brokers, one after the other."""
    server = request.getfixturevalue(request.param)
    await server.start()
    url: str = server.mqtt_url
    return url


@library
async def test_a_foreign_master_drives_our_twin(broker_url: str, tmp_path: Path) -> None:
    """Fetch, refusal, order and update, pause, cancel, factsheet: the master understands each step of ours."""
    site, clock = grid_site(), LoopClock(scale=SPEED)
    world = World(site, Catalogue((), ()), (), clock)
    twin = RobotTwin(
        site.robots[0],
        site,
        MqttConnector(broker_url),
        clock,
        world,
        1,
        RobotParams(driving_state_s=1.0, version="2.0.0"),
    )
    running = asyncio.create_task(twin.run(), name=twin.name)
    try:
        await asyncio.wait_for(twin.ready.wait(), 10)
        async with program(*script(MASTER_JS, broker_url, tmp_path)) as (_, said):
            await until(
                lambda: any(s["what"] in {"done", "broken"} for s in said), 40, lambda: (said, twin.vehicle.order_id)
            )
    finally:
        running.cancel()
        await asyncio.wait([running])
    processed = [s for s in said if s["what"] == "processed"]
    assert [(p["order"], p.get("error"), p["cancelled"], p["active"], p["at"]) for p in processed] == [
        ("fetch", None, False, False, "1-3"),
        ("away", "noRouteError", False, False, "1-3"),
        ("bring", None, False, False, "6-0"),
        ("long", None, True, False, processed[-1]["at"]),
    ]
    fetched = [s["node"] for s in said if s["what"] == "traversed"][:5]
    assert fetched == ["0-0", "1-0", "1-1", "1-2", "1-3"]
    lifts = [s["status"] for s in said if s["what"] == "action" and s["id"] == "lift"]
    assert lifts[-1] == "FINISHED"
    ends = {s["id"]: s["status"] for s in said if s["what"] == "instant"}
    assert ends == {"p": "FINISHED", "r": "FINISHED", "c": "FINISHED", "c2": "FAILED", "f": "FINISHED"}
    assert twin.pod == "P1"
    assert world.nodes_of(RobotId("R1")) == (processed[-1]["at"],)
    assert world.violations == []


@library
async def test_we_drive_a_foreign_vehicle(broker_url: str, tmp_path: Path) -> None:
    """Order, update, pause and cancel of ours are carried out; its states are read; killed, its will says so."""
    floor = await MqttConnector(broker_url).connect("master")
    states: list[State] = []
    links: list[str] = []
    factsheets: list[Factsheet] = []
    deviations: set[str] = set()

    def hear(topic: str, payload: bytes) -> None:
        match topics.parse(topic).name:
            case topics.STATE:
                state, deviation = read_with_deviation(payload, State)
                states.append(state)
                deviations.add(deviation)
            case topics.CONNECTION:
                links.append(read(payload, Connection).connection_state)
            case topics.FACTSHEET:
                factsheets.append(read(payload, Factsheet))

    def send(name: str, message: object) -> None:
        floor.send(topics.topic("Siemens", "V1", name), encode(message))

    def stamped(message: Any) -> Any:
        head = {
            "manufacturer": "Siemens",
            "serial_number": "V1",
            "timestamp": timestamp(1_764_000_000_000),
            "version": "2.0.0",
        }
        return msgspec.structs.replace(message, **head)

    def statuses() -> dict[str, str]:
        return {a.action_id: a.action_status for a in states[-1].action_states}

    try:
        await floor.subscribe(topics.pattern("+", "Siemens"), hear)
        async with program(*script(VEHICLE_JS, broker_url, tmp_path)) as (process, said):
            await until(lambda: states and links, 20, lambda: said)
            places = {n.id: NodePosition(n.x_m, n.y_m, "floor") for n in grid_site().layout.nodes}
            where = {str(k): v for k, v in places.items()}
            first = order_along("O1", ["0-0", "1-0", "2-0", "3-0"], released=2, positions=where)
            send(topics.ORDER, stamped(first))
            await until(
                lambda: states[-1].order_id == "O1" and states[-1].last_node_id == "1-0", 20, lambda: (states[-1], said)
            )
            send(topics.ORDER, stamped(order_along("O1", ["1-0", "2-0", "3-0"], update=1, first=2, positions=where)))
            await until(
                lambda: states[-1].last_node_id == "3-0" and not states[-1].driving, 20, lambda: (states[-1], said)
            )
            assert states[-1].order_update_id == 1
            assert states[-1].node_states == ()
            long = order_along("O2", ["3-0", *(f"{x}-0" for x in range(4, 8)), "7-1", "7-2", "7-3"], positions=where)
            send(topics.ORDER, stamped(long))
            await until(lambda: states[-1].order_id == "O2", 20, lambda: (states[-1], said))
            send(topics.INSTANT_ACTIONS, stamped(instant("c", "cancelOrder")))
            await until(lambda: statuses().get("c") == "FINISHED", 20, lambda: (states[-1], said))
            assert states[-1].node_states == ()
            process.kill()
            await until(lambda: links[-1] == "CONNECTIONBROKEN", 20, lambda: links)
    finally:
        await floor.close()
    assert NodeId("3-0") in {s.last_node_id for s in states}
    assert deviations == {""}


@ilesp
async def test_a_badly_behaved_vehicle_is_read(broker_url: str) -> None:
    """It leaves out half of the state, sends null for names and lists nodes that it has passed: read, and noted."""
    floor = await MqttConnector(broker_url).connect("master")
    states: list[State] = []
    deviations: set[str] = set()

    def hear(_topic: str, payload: bytes) -> None:
        state, deviation = read_with_deviation(payload, State)
        states.append(state)
        deviations.add(deviation)

    try:
        await floor.subscribe(topics.pattern(topics.STATE, "ilesp"), hear)
        port = broker_url.rpartition(":")[2]
        command = (str(ILESP), "-m", "ilesp.adapters.virtual_agv", "--mqtt-port", port, "--serials", "I1")
        async with program(*command, "--node-interval", "0.2") as (_, said):
            await until(lambda: states, 20, lambda: said)
            assert (states[-1].order_id, states[-1].last_node_id) == ("", "")
            order = msgspec.structs.replace(order_along("O1", ["0-0", "1-0", "2-0"]), manufacturer="ilesp")
            floor.send(topics.topic("ilesp", "I1", topics.ORDER), encode(order))
            await until(lambda: states[-1].last_node_id == "2-0" and not states[-1].driving, 20, lambda: states[-1])
    finally:
        await floor.close()
    assert states[-1].order_id == "O1"
    assert states[-1].last_node_sequence_id == -1
    assert len(states[-1].node_states) == 3
    assert any("$.orderId" in d for d in deviations)
