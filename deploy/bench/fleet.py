"""The fleet: from the state that frees a resource to the order update on the wire, with the whole dispatcher at work.

Twins speak VDA 5050 over MQTT from processes of their own, one connection each, their states spread over the period.
The real `floorplane dispatcher` runs beside them with its journal, views and traffic; transports keep every robot busy,
and a bookkeeper stands in for central. The time is taken from a twin's sending the first state of a step of the
dispatcher that frees a node (its journal says which) to each order of this step on the wire, as an ear hears it that
does nothing else: the twins, which are no part of what is measured, get what the machine has left (nice 10), and their
own times stand beside (`at_robots`). `stages` parts the time at the dispatcher's step. `baseline` is a bare
echo over the twins' connections, at the same rate, with messages of the same size, before the dispatcher starts.
"""

import argparse
import asyncio
import json
import math
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from contracts import topics
from contracts.codec import decode, encode
from contracts.errors import Broken, Unavailable
from contracts.ids import EdgeId, NodeId, RobotId, SiteId, TaskId
from contracts.layout import Edge, Layout, Node
from contracts.messages.facts import Fact, FactsAck, TransportChanged
from contracts.messages.ops import OpsCommand, ResumeRobot
from contracts.messages.work import Transport
from contracts.runtime.clock import LoopClock
from contracts.runtime.floor import Floor, Handler, Will
from contracts.runtime.floor.mqtt import MqttConnector
from contracts.runtime.log.nats import connect_log
from contracts.runtime.settings import bare_environment
from contracts.site import Robot, Site, read_site, write_site
from contracts.vda5050 import topics as vda
from deploy.bench.bounds import number, positive, seed, whole
from deploy.bench.ports import free_ports
from deploy.embedded.nats import EmbeddedNats

MAKER = "Bench"
_PING, _PONG = "bench/{}/ping", "bench/{}/pong"
_STATE_BYTES = 900
_BASELINE_S = 8.0
_WARM_S = 20.0
_STATIONS = 240


class Plan(msgspec.Struct, frozen=True):
    """What every process of the benchmark is told."""

    folder: str
    nats_url: str
    mqtt_url: str
    robots: int
    states_hz: float
    seconds: float
    processes: int
    seed: int


def run(args: list[str]) -> dict[str, object]:
    """Run it; see `--help`."""
    parser = argparse.ArgumentParser(prog="floorplane bench fleet", description=__doc__)
    parser.add_argument("--robots", type=whole(1, 10_000), default=1000)
    parser.add_argument(
        "--states-hz", type=number(0, 100, above=True), default=2.0, help="states a second of each robot"
    )
    parser.add_argument(
        "--seconds", type=positive, default=60.0, help="how long is measured, after the fleet has begun"
    )
    parser.add_argument("--processes", type=whole(1, 64), default=2, help="processes that the twins are spread over")
    parser.add_argument("--seed", type=seed, default=1)
    o = parser.parse_args(args)
    with tempfile.TemporaryDirectory(prefix="floorplane-fleet-") as name:
        folder = Path(name)
        nats_port, mqtt_port = free_ports(2)
        write_site(_site(o.robots), folder / "site.json")
        with EmbeddedNats(folder / "nats", nats_port, mqtt_port) as nats:
            plan = Plan(name, nats.url, nats.mqtt_url, o.robots, o.states_hz, o.seconds, o.processes, o.seed)
            (folder / "plan.json").write_bytes(msgspec.json.encode(plan))
            return _measure(plan, folder, nats)


def _measure(plan: Plan, folder: Path, nats: EmbeddedNats) -> dict[str, object]:
    load = os.getloadavg()[0]
    started: list[subprocess.Popen[bytes]] = []
    try:
        echo = _start(folder, "echo")
        started.append(echo)
        twins = [_start(folder, "twins", str(k)) for k in range(plan.processes)]
        started += twins
        ear = _start(folder, "ear")
        started.append(ear)
        _until(lambda: all((folder / f"echoed-{k}.npy").exists() for k in range(plan.processes)), 180, started)
        echo.terminate()
        echo.wait()
        brain = _dispatcher(plan, folder)
        started.append(brain)
        nats_cpu = _cpu_s(nats.pid)
        asyncio.run(_keep_books(plan, folder))
        brain_cpu, nats_cpu = _cpu_s(brain.pid), _cpu_s(nats.pid) - nats_cpu
        (folder / "stop").touch()
        wanted = [folder / "ear.json", *(folder / f"twins-{k}.json" for k in range(plan.processes))]
        _until(lambda: all(file.exists() for file in wanted), 60, started)
        brain.kill()  # its journal stands up to here; a snapshot would only take time
        brain.wait()
        reports = [json.loads((folder / f"twins-{k}.json").read_bytes()) for k in range(plan.processes)]
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
                process.wait()
    bare = np.concatenate([np.load(folder / f"echoed-{k}.npy") for k in range(plan.processes)])
    heard = json.loads((folder / "ear.json").read_bytes())
    latencies, lost, stages = _latencies(folder, reports, heard)
    at_robots, lost_there, _ = _latencies(folder, reports, [o for r in reports for o in r["orders"]])
    books = json.loads((folder / "books.json").read_bytes())
    return {
        "robots": plan.robots,
        "states_hz": plan.states_hz,
        "seconds": plan.seconds,
        "states_in": sum(r["states"] for r in reports),
        "orders_out": sum(len(r["orders"]) for r in reports),
        "transports_done": books["done"],
        "lost": max(lost, lost_there),
        "measured": len(latencies),
        "p50_ms": _percentile(latencies, 50),
        "p95_ms": _percentile(latencies, 95),
        "p99_ms": _percentile(latencies, 99),
        "max_ms": _percentile(latencies, 100),
        "at_robots": {"p50_ms": _percentile(at_robots, 50), "p99_ms": _percentile(at_robots, 99)},
        "stages": {
            name: {"p50_ms": _percentile(of, 50), "p99_ms": _percentile(of, 99)}
            for name, of in (("state_to_step", stages[:, 0]), ("step_to_wire", stages[:, 1]))
        },
        "cpu_s": {
            "dispatcher": round(brain_cpu, 2),
            "broker": round(nats_cpu, 2),
            "twins": [round(r["cpu_s"], 2) for r in reports],
        },
        "load_average_1m_before": round(load, 2),
        "baseline": {
            "what": f"bare echo of {_STATE_BYTES} bytes over the same connections at the same rate",
            "measured": len(bare),
            "p50_ms": _percentile(bare, 50),
            "p99_ms": _percentile(bare, 99),
        },
    }


def _percentile(values: "np.ndarray[Any, Any]", q: float) -> float | None:
    return round(float(np.percentile(values, q)) * 1000, 3) if len(values) else None


def _start(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    with (folder / f"{'-'.join(words)}.txt").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "deploy.bench.fleet", str(folder), *words], stdout=log, stderr=log
        )


def _dispatcher(plan: Plan, folder: Path) -> subprocess.Popen[bytes]:
    environment = bare_environment() | {
        "FLOORPLANE_NATS_URL": plan.nats_url,
        "FLOORPLANE_MQTT_URL": plan.mqtt_url,
        "FLOORPLANE_SITE": str(folder / "site.json"),
        "FLOORPLANE_STATE": str(folder),
    }
    with (folder / "dispatcher.txt").open("ab") as log:
        command = [sys.executable, "-m", "deploy.cli", "dispatcher"]
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment)


def _until(holds: Callable[[], bool], within_s: float, watched: list[subprocess.Popen[bytes]]) -> None:
    end = time.monotonic() + within_s
    while not holds():
        for one in watched:
            if one.poll() not in {None, 0, -15}:
                raise Broken(f"benchmark fleet: {one.args!r} ended with {one.returncode}")
        if time.monotonic() > end:
            raise Unavailable(f"benchmark fleet: its processes were not ready within {within_s:g} s")
        time.sleep(0.1)


def _cpu_s(pid: int | None) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks: int = os.sysconf("SC_CLK_TCK")
    return float(int(words[11]) + int(words[12])) / ticks


def _side(robots: int) -> int:
    return max(8, round(math.sqrt(4.2 * robots)))


def _site(robots: int) -> Site:
    """A square grid of two-way roads with four nodes a robot."""
    side = _side(robots)
    nodes = tuple(Node(NodeId(f"{x}-{y}"), 2.0 * x, 2.0 * y) for y in range(side) for x in range(side))
    edges: list[Edge] = []
    for y in range(side):
        for x in range(side):
            for u, v in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
                if 0 <= u < side and 0 <= v < side:
                    edges.append(Edge(EdgeId(f"{x}-{y}_{u}-{v}"), NodeId(f"{x}-{y}"), NodeId(f"{u}-{v}"), 1.5))
    starts = random.Random(f"{robots}/starts").sample([n.id for n in nodes], robots)
    return Site(
        id=SiteId("bench"), layout=Layout("bench", "floor", "1", nodes, tuple(edges)), pods=(), stations=(), chutes=(),
        doors=(), cells=(), robots=tuple(Robot(RobotId(f"B{k}"), MAKER, n) for k, n in enumerate(starts)),
        line_length_m=0.0, infeed_m={},
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------- the bookkeeper


async def _keep_books(plan: Plan, folder: Path) -> None:
    """Keep every robot busy with transports for the time, and acknowledge facts as central does."""
    log = await connect_log(plan.nats_url, "books")
    site, rng = read_site(folder / "site.json"), random.Random(f"{plan.seed}/work")
    places = rng.sample([n.id for n in site.layout.nodes], min(_STATIONS, len(site.layout.nodes) // 4))
    made = done = 0
    epoch = seq = 0

    async def order() -> None:
        nonlocal made
        start, end = rng.sample(places, 2)
        made += 1
        task = TaskId(f"V{made}")
        work = Transport(task, 1, start, end, "", "", handling=False, due_ms=0, priority=0)
        await log.append(topics.work_key(site.id, task), encode(work))

    async def post() -> None:
        nonlocal epoch, seq, done
        async for entry in log.follow(topics.facts_subject(site.id)):
            fact = decode(entry.payload, Fact)
            if fact.epoch > epoch:
                epoch, seq = fact.epoch, 0
            if fact.epoch == epoch and fact.seq == seq + 1:
                seq += 1
                if isinstance(fact.body, TransportChanged) and fact.body.state == "done":
                    done += 1
                    await log.append(topics.work_key(site.id, fact.body.task), b"")
                    await order()
            log.say(topics.facts_ack(site.id), encode(FactsAck(site.id, epoch, seq)))

    ask = encode(OpsCommand("bench-hello", "bench", "ready?", ResumeRobot(RobotId("nobody"))))
    for _ in range(120):
        try:
            await log.request(topics.ops_subject(site.id), ask, timeout_s=1.0)
            break
        except Unavailable:
            await asyncio.sleep(0.5)
    posting = asyncio.create_task(post(), name="books")
    (folder / "drive").touch()
    for _ in range(plan.robots + plan.robots // 10):
        await order()
    await asyncio.sleep(_WARM_S)
    begun, before = time.monotonic_ns(), done
    await asyncio.sleep(plan.seconds)
    (folder / "books.json").write_text(
        json.dumps({"done": done - before, "begun_ns": begun, "ended_ns": time.monotonic_ns()})
    )
    posting.cancel()
    await log.close()


# ------------------------------------------------------------------------------------------------------ the twins


class Recorder:
    """A connector that notes when states were sent and orders arrived; monotonic ns, the same in all processes."""

    def __init__(self, broker: MqttConnector, robot: str) -> None:
        self._broker, self._robot = broker, robot
        self.sent_ns: list[int] = []
        """By header of the state."""
        self.orders: list[tuple[str, str, int, int]] = []
        """Robot, order id, update, when."""

    async def connect(self, client_id: str, *, will: Will | None = None) -> Floor:
        """Open the connection and listen in on it."""
        floor = await self._broker.connect(client_id, will=will)
        send, subscribe = floor.send, floor.subscribe
        state = vda.topic(MAKER, self._robot, vda.STATE)

        def noting_send(topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
            if topic == state:
                self.sent_ns.append(time.monotonic_ns())
            send(topic, payload, qos=qos, retain=retain)

        async def noting_subscribe(pattern: str, handler: Handler, *, qos: int = 0) -> None:
            if not pattern.endswith(vda.ORDER):
                await subscribe(pattern, handler, qos=qos)
                return

            def noting(topic: str, payload: bytes) -> None:
                at = time.monotonic_ns()
                told = _told.decode(payload)
                self.orders.append((self._robot, told.order_id, told.order_update_id, at))
                handler(topic, payload)

            await subscribe(pattern, noting, qos=qos)

        floor.send = noting_send  # type: ignore[method-assign]
        floor.subscribe = noting_subscribe  # type: ignore[method-assign]
        return floor


class _Told(msgspec.Struct, rename="camel"):
    order_id: str
    order_update_id: int


_told = msgspec.json.Decoder(_Told)


async def _twins(plan: Plan, folder: Path, number: int) -> None:
    from simulators.battery import BatteryParams
    from simulators.catalogue import Catalogue
    from simulators.robot import RobotParams, RobotTwin
    from simulators.world import World

    os.nice(10)
    site, clock = read_site(folder / "site.json"), LoopClock()
    broker = MqttConnector(plan.mqtt_url, wait_s=60)
    mine = site.robots[number :: plan.processes]
    await _echo(plan, folder, number, broker, [r.id for r in mine])
    while not (folder / "drive").exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.05)
    world = World(site, Catalogue((), ()), (), clock)
    period_s = 1 / plan.states_hz
    params = RobotParams(
        idle_state_s=period_s, driving_state_s=period_s, level=(0.9, 1.0), battery=BatteryParams(capacity_wh=1e6)
    )
    recorders = {r.id: Recorder(broker, r.id) for r in mine}
    twins = [RobotTwin(r, site, recorders[r.id], clock, world, plan.seed, params) for r in mine]
    cpu_s = time.process_time()
    tasks = []
    for twin in twins:
        tasks.append(asyncio.create_task(twin.run(), name=twin.name))
        await asyncio.sleep(period_s / len(twins))  # their phases are spread over the period
    while not (folder / "stop").exists():
        await asyncio.sleep(0.05)
        for task in tasks:
            if task.done():
                task.result()
    report = {
        "cpu_s": time.process_time() - cpu_s,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "states": sum(len(r.sent_ns) for r in recorders.values()),
        "sent_ns": {k: r.sent_ns for k, r in recorders.items()},
        "orders": [o for r in recorders.values() for o in r.orders],
        "violations": [str(v) for v in world.violations][:20],
    }
    (folder / f"twins-{number}.new").write_text(json.dumps(report))
    (folder / f"twins-{number}.new").rename(folder / f"twins-{number}.json")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _echo(plan: Plan, folder: Path, number: int, broker: MqttConnector, names: list[RobotId]) -> None:
    """Measure the bare transport: each client says something as large as a state, and hears it again."""
    took: list[float] = []
    loop, filler = asyncio.get_running_loop(), b"x" * (_STATE_BYTES - 20)

    def heard(_: str, payload: bytes) -> None:
        took.append((time.monotonic_ns() - int(payload[:20])) / 1e9)

    floors = []
    for name in names:
        floor = await broker.connect(f"bare-{name}")
        await floor.subscribe(_PONG.format(name), heard)
        floors.append(floor)
    begun, period_s = loop.time(), 1 / plan.states_hz
    rounds = max(1, round(_BASELINE_S * plan.states_hz))
    for k in range(rounds):
        for i, (name, floor) in enumerate(zip(names, floors, strict=True)):
            wait_s = begun + (k + i / len(names)) * period_s - loop.time()
            if wait_s > 0.001:
                await asyncio.sleep(wait_s)
            floor.send(_PING.format(name), b"%020d" % time.monotonic_ns() + filler)
    await asyncio.sleep(1.0)
    for floor in floors:
        await floor.close()
    half = took[len(took) // 4 :]
    with (folder / f"echoed-{number}.new").open("wb") as file:
        np.save(file, np.array(half))
    (folder / f"echoed-{number}.new").rename(folder / f"echoed-{number}.npy")


async def _listen(plan: Plan, folder: Path) -> None:
    """Note when each order comes over the wire."""
    orders: list[tuple[str, str, int, int]] = []

    def noted(topic: str, payload: bytes) -> None:
        at = time.monotonic_ns()
        told = _told.decode(payload)
        orders.append((topic.split("/")[3], told.order_id, told.order_update_id, at))

    floor = await MqttConnector(plan.mqtt_url, wait_s=60).connect("ear")
    await floor.subscribe(vda.pattern(vda.ORDER, major=vda.MAJOR), noted)
    while not (folder / "stop").exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.1)
    (folder / "ear.new").write_text(json.dumps(orders))
    (folder / "ear.new").rename(folder / "ear.json")


async def _answer(plan: Plan) -> None:
    floor = await MqttConnector(plan.mqtt_url).connect("echo")
    await floor.subscribe(_PING.format("+"), lambda t, p: floor.send(t.replace("/ping", "/pong"), p))
    await asyncio.get_running_loop().create_future()


# ----------------------------------------------------------------------------------------------------- evaluation


def _latencies(
    folder: Path, reports: list[dict[str, Any]], heard: list[Any]
) -> tuple["np.ndarray[Any, Any]", int, "np.ndarray[Any, Any]"]:
    """Return seconds from the first freeing state of a step to each of its orders, orders lost, and both stages."""
    from dispatcher import journal
    from dispatcher.commands import SendOrder
    from dispatcher.facts import RobotState

    books = json.loads((folder / "books.json").read_bytes())
    sent: dict[str, list[int]] = {k: v for r in reports for k, v in r["sent_ns"].items()}
    arrived = {(o[0], o[1], o[2]): o[3] for o in reversed(heard)}
    offset_ns = time.time_ns() - time.monotonic_ns()
    stages: list[tuple[float, float]] = []
    at: dict[str, tuple[str, int]] = {}
    found: list[float] = []
    lost = 0
    for segment in journal.segments(folder / "dispatcher"):
        _, steps = journal.read(segment)
        for step in steps:
            first: int | None = None
            for fact in journal.decode_facts(step.facts):
                if isinstance(fact, RobotState):
                    place = (fact.order_id, fact.seq)
                    if at.get(fact.robot) != place:
                        at[fact.robot] = place
                        times = sent[fact.robot]
                        if fact.seq > 0 and fact.header < len(times):
                            first = times[fact.header] if first is None else min(first, times[fact.header])
            if first is None or not books["begun_ns"] <= first < books["ended_ns"] - 2e9:
                continue
            for command in journal.decode_commands(step.commands):
                if isinstance(command, SendOrder):
                    o = command.order
                    when = arrived.get((o.serial_number, o.order_id, o.order_update_id))
                    if when is None:
                        lost += 1
                    else:
                        found.append((when - first) / 1e9)
                        step_ns = step.now_ms * 1_000_000 - offset_ns  # to a millisecond
                        stages.append(((step_ns - first) / 1e9, (when - step_ns) / 1e9))
    return np.array(found), lost, np.array(stages).reshape(-1, 2)


def main(words: list[str]) -> None:
    """Play one part of the benchmark, in a process of its own."""
    import uvloop

    folder, role = Path(words[0]), words[1]
    plan = msgspec.json.decode((folder / "plan.json").read_bytes(), type=Plan)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if role == "twins":
            runner.run(_twins(plan, folder, int(words[2])))
        else:
            runner.run(_answer(plan) if role == "echo" else _listen(plan, folder))


if __name__ == "__main__":
    main(sys.argv[1:])
