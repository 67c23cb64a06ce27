"""`floorplane up --profile fleet` for tests: a grid of roads as a LIF file, the processes, REST, and foreign robots."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import httpx

from contracts.ids import EdgeId, NodeId, StationId
from contracts.layout import Edge, Layout, Node
from contracts.lif import LifStation, write_lif
from contracts.runtime.settings import bare_environment
from tests.free_ports import take

PEERS = Path(os.environ.get("FLOORPLANE_PEERS", Path(__file__).parents[2] / ".peers"))
LIBRARY = PEERS / "node_modules" / "vda-5050-lib"
NODE = shutil.which("node")

VEHICLES_JS = """
const { AgvController, VirtualAgvAdapter } = require("vda-5050-lib");
const [brokerUrl, manufacturer, starts, timeLapse, vdaVersion] = process.argv.slice(2);
const all = JSON.parse(starts);
(async () => {
  for (const [serialNumber, node, x, y] of all) {
    const agv = new AgvController({ manufacturer, serialNumber },
      { interfaceName: "uagv", transport: { brokerUrl, heartbeat: 15 }, vdaVersion },
      { agvAdapterType: VirtualAgvAdapter, publishStateInterval: 5000 },
      { initialPosition: { mapId: "floor", x, y, theta: 0, lastNodeId: node }, vehicleSpeed: 2,
        timeLapse: Number(timeLapse), initialBatteryCharge: 100 });
    await agv.start();
  }
  console.log(JSON.stringify({ what: "started", count: all.length }));
})().catch(e => { console.log(JSON.stringify({ what: "broken", error: String(e.stack || e) })); process.exit(1); });
"""


def grid(width: int, height: int, *, pitch_m: float = 2.0) -> Layout:
    """Two-way roads between the nodes ``x-y`` of a grid."""
    names = {(x, y): NodeId(f"{x}-{y}") for x in range(width) for y in range(height)}
    nodes = tuple(Node(n, x * pitch_m, y * pitch_m) for (x, y), n in names.items())
    edges = tuple(
        Edge(EdgeId(f"{a}_{b}"), a, b, 2.0)
        for (x, y), a in names.items()
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))
        if (b := names.get((x + dx, y + dy))) is not None
    )
    return Layout("grid", "floor", "1", nodes, edges)


class FleetFloor:
    """A fleet in a folder of its own. Use it as a context; whatever it started ends with it."""

    def __init__(self, folder: Path, layout: Layout, stations: dict[str, str], *more: str, **environment: str) -> None:
        self.folder, self.layout = folder, layout
        self.port, self.nats, self.mqtt = take(), take(), take()
        self.lif = folder / "floor.lif.json"
        places = [LifStation(StationId(k), (NodeId(v),)) for k, v in stations.items()]
        self.lif.write_bytes(write_lif([(layout, places)], project="test", now_ms=0))
        self.environment = {
            **bare_environment(),
            "NO_COLOR": "1",
            "COLUMNS": "300",
            "PYTHONPATH": os.pathsep.join(sys.path),
            **environment,
        }
        self.more = more
        self.mqtt_url = environment.get("FLOORPLANE_MQTT_URL", f"mqtt://127.0.0.1:{self.mqtt}")
        self.started: list[subprocess.Popen[str]] = []
        self.rest: httpx.Client

    def __enter__(self) -> Self:
        ports = ["--port", str(self.port), "--nats-port", str(self.nats), "--mqtt-port", str(self.mqtt)]
        fleet = ["--profile", "fleet", "--layout", str(self.lif), "--robots", "none", *self.more]
        process = self.start([sys.executable, "-m", "deploy.cli", "up", *ports, *fleet], "up.txt")
        try:
            self.said(process, "floorplane is up", 90)
            token = json.loads((self.folder / ".floorplane" / "secrets.json").read_bytes())["tokens"]["supervisor"]
            self.rest = httpx.Client(
                base_url=f"http://127.0.0.1:{self.port}", headers={"Authorization": f"Bearer {token}"}, timeout=30
            )
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.started):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def start(self, command: list[str], log: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=(self.folder / log).open("a"), text=True,
            env=self.environment | {"NODE_PATH": str(PEERS / "node_modules")}, start_new_session=True,
        )  # fmt: skip
        self.started.append(process)
        return process

    def said(self, process: subprocess.Popen[str], word: str, within_s: float) -> str:
        """Wait for a line of a program that holds a word."""
        assert process.stdout is not None
        until = time.monotonic() + within_s
        while (left := until - time.monotonic()) > 0:
            if not select.select([process.stdout], [], [], left)[0]:
                break
            line = process.stdout.readline()
            if word in line:
                return line
            if not line:
                break
        logs = "\\n".join(f"{p.name}: {p.read_text()[-1500:]}" for p in self.folder.glob("*.txt"))
        raise AssertionError(f"{word!r} was not said: {logs}")

    def vehicles(
        self, starts: dict[str, str], *, maker: str = "vda-5050-lib", time_lapse: float = 10, version: str = "2.0.0"
    ) -> subprocess.Popen[str]:
        """Start robots of vda-5050-lib, all in one process: serial number to node."""
        script = self.folder / "vehicles.js"
        script.write_text(VEHICLES_JS)
        node = self.layout.node
        places = [[k, n, node[NodeId(n)].x_m, node[NodeId(n)].y_m] for k, n in starts.items()]
        words = [str(NODE), str(script), self.mqtt_url, maker, json.dumps(places), str(time_lapse), version]
        process = self.start(words, "vehicles.txt")
        self.said(process, "started", 60)
        return process

    def until(self, holds: Callable[[], Any], within_s: float, what: Callable[[], object] = lambda: "") -> Any:
        """Wait for something that other processes bring about."""
        end = time.monotonic() + within_s
        while not (found := holds()):
            assert time.monotonic() < end, f"not within {within_s} s: {what()}"
            time.sleep(0.2)
        return found

    def robots(self) -> dict[str, dict[str, Any]]:
        return {r["id"]: r for r in self.rest.get("/v1/robots").json()["robots"]}

    def transport(self, key: str, start: str, end: str, **more: Any) -> str:
        answer = self.rest.post(
            "/v1/transports", json={"from": start, "to": end, **more}, headers={"Idempotency-Key": key}
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def open_transports(self) -> list[dict[str, Any]]:
        return list(self.rest.get("/v1/transports", params={"open": True, "limit": 500}).json()["items"])

    def alarms(self) -> list[dict[str, Any]]:
        return list(self.rest.get("/v1/alarms", params={"limit": 500}).json()["items"])
