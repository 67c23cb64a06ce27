"""The floor of the next-bin benchmark: its robots, and the people at its stations, as processes of their own.

Robots are the VDA 5050 twins, only faster, so that pods change often. Stations and the line speak the cell protocol as
an edge does (durable events until acknowledged, each command answered), one MQTT connection each, and note when a pod
was done and when the station was told what comes next.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from contracts import topics
from contracts.codec import decode, encode
from contracts.ids import CellId, ChuteId, ToteId
from contracts.messages.floor import (
    CellState,
    EdgeAnswer,
    EdgeCommand,
    EdgeEvent,
    EventAck,
    EventBody,
    NextPod,
    Outcome,
    PackConfirmed,
    PackTote,
    PickConfirmed,
    PickInstruction,
    PresentPod,
    PushTote,
    RouteTote,
    ToteDiverted,
    TotePushed,
)
from contracts.runtime.clock import LoopClock
from contracts.runtime.floor import Floor
from contracts.runtime.floor.mqtt import MqttConnector
from contracts.site import Site, Station, read_site
from deploy.bench.nextbin_site import LINE, SPEED_MPS

_PUSH_S, _RIDE_S, _PACK_S = 0.5, 2.0, 1.0
_RESEND_S = 10.0
_PING, _PONG = "bench/{}/ping", "bench/{}/pong"
_ASK_BYTES, _ANSWER_BYTES = 260, 220
"""About the size of a `PickConfirmed` event and of a `NextPod` command."""
_BARE_S, _BARE_HZ, _BESIDE_HZ = 8.0, 100.0, 10.0


class Plan(msgspec.Struct, frozen=True):
    """What every process of the benchmark is told."""

    mqtt_url: str
    robots: int
    pick_s: tuple[float, float]
    seed: int


class Sample(msgspec.Struct, frozen=True):
    """A pod was done at a station, and when the next bin was named there (monotonic ns, the same in all processes)."""

    station: str
    closed_ns: int
    named_ns: int
    how: str
    """``next_pod``, ``present_pod`` (more from the same pod), ``nothing`` (no pod is on its way), ``open``."""


class Report(msgspec.Struct, frozen=True):
    """What the stations' process saw."""

    samples: list[Sample]
    beside_ns: list[int]
    """Round trips of the bare question beside the load."""
    picks: int
    packed: int
    resent: int


# ------------------------------------------------------------------------------------------------------------ the cells


class BenchCell:
    """One cell's end of the floor bus: numbered events until acknowledged, every command answered at once."""

    def __init__(self, site: Site, cell: CellId) -> None:
        self.site, self.cell, self.resent = site, cell, 0
        self.floor: Floor
        self._seq = 0
        self._kept: dict[tuple[int, int], tuple[bytes, float]] = {}
        self._done: set[str] = set()

    async def connect(self, broker: MqttConnector) -> None:
        """Open the connection; nothing is heard of the dispatcher yet."""
        self.floor = await broker.connect(f"edge-{self.cell}")

    async def begin(self) -> None:
        """Be there."""
        await self.floor.subscribe(topics.cell_ack(self.site.id, self.cell), self._acked, qos=1)
        await self.floor.subscribe(topics.cell_command(self.site.id, self.cell), self._commanded, qos=1)
        here = CellState(self.cell, True, 1, time.time_ns() // 1_000_000, {}, 0)
        self.floor.send(topics.cell_state(self.site.id, self.cell), encode(here), qos=1, retain=True)

    def emit(self, body: EventBody) -> int:
        """Send an event, and return when (monotonic ns)."""
        self._seq += 1
        event = EdgeEvent(self.cell, 1, self._seq, time.time_ns() // 1_000_000, 0, body)
        payload = encode(event)
        at_ns = time.monotonic_ns()
        self.floor.send(topics.cell_event(self.site.id, self.cell), payload, qos=1)
        self._kept[1, self._seq] = (payload, time.monotonic())
        return at_ns

    def send_again(self) -> None:
        """Send what was not acknowledged in time."""
        late = time.monotonic() - _RESEND_S
        for number, (payload, at) in list(self._kept.items()):
            if at < late:
                self.resent += 1
                self._kept[number] = (payload, time.monotonic())
                self.floor.send(topics.cell_event(self.site.id, self.cell), payload, qos=1)

    def do(self, command: EdgeCommand, heard_ns: int) -> None:
        """Carry out a command that is new."""
        raise NotImplementedError

    def _acked(self, _: str, payload: bytes) -> None:
        for number in decode(payload, EventAck).events:
            self._kept.pop(number, None)

    def _commanded(self, _: str, payload: bytes) -> None:
        heard_ns = time.monotonic_ns()
        command = decode(payload, EdgeCommand)
        answer = EdgeAnswer(command.id, self.cell, Outcome.ACCEPTED, "")
        self.floor.send(topics.cell_answer(self.site.id, self.cell), encode(answer), qos=1)
        if command.id not in self._done:
            self._done.add(command.id)
            self.do(command, heard_ns)


class BenchStation(BenchCell):
    """A person who picks what is shown, one after the other."""

    def __init__(self, site: Site, station: Station, plan: Plan) -> None:
        super().__init__(site, station.cell)
        self.samples: list[Sample] = []
        self.picks = 0
        self._station, self._pick_s = station.id, plan.pick_s
        self._rng = random.Random(f"{plan.seed}/{station.id}")
        self._queue: dict[tuple[str, int], PickInstruction] = {}
        self._picked: dict[tuple[str, int], PickConfirmed] = {}
        self._busy = False
        self._closed_ns: int | None = None

    def do(self, command: EdgeCommand, heard_ns: int) -> None:
        """Pick what is shown, and note what was said of the next pod."""
        match command.body:
            case PresentPod(picks=picks):
                self._note(heard_ns, "present_pod")
                for pick in picks:
                    key = (pick.task, pick.attempt)
                    if key in self._picked:
                        self.emit(self._picked[key])
                    else:
                        self._queue[key] = pick
                self._go_on()
            case NextPod(pod=pod):
                self._note(heard_ns, "nothing" if pod is None else "next_pod")
            case PushTote(tote=tote, slot=slot):
                _later(_PUSH_S, lambda: self.emit(TotePushed(tote, slot)))
            case _:
                pass

    def left_open(self) -> list[Sample]:
        """Return the pod that is done and after which nothing was said."""
        return [] if self._closed_ns is None else [Sample(self._station, self._closed_ns, 0, "open")]

    def _note(self, heard_ns: int, how: str) -> None:
        if self._closed_ns is not None:
            self.samples.append(Sample(self._station, self._closed_ns, heard_ns, how))
            self._closed_ns = None

    def _go_on(self) -> None:
        if self._queue and not self._busy:
            self._busy = True
            _later(self._rng.uniform(*self._pick_s), self._confirm)

    def _confirm(self) -> None:
        key, pick = next(iter(self._queue.items()))
        del self._queue[key]
        self._busy = False
        said = self._picked[key] = PickConfirmed(pick.task, pick.attempt, pick.qty, "", pick.barcode, None)
        self.picks += 1
        at_ns = self.emit(said)
        if not self._queue:
            self._closed_ns = at_ns
        self._go_on()


class BenchLine(BenchCell):
    """Conveyor, sorter and packers: each tote comes down its chute after a ride, and is packed."""

    packed = 0

    def do(self, command: EdgeCommand, heard_ns: int) -> None:
        """Let a tote ride to its chute, or be packed there."""
        del heard_ns
        match command.body:
            case RouteTote(tote=tote, chute=chute):
                _later(_PUSH_S + _RIDE_S, lambda: self.emit(ToteDiverted(tote, chute)))
            case PackTote(tote=tote, chute=chute):
                _later(_PACK_S, lambda: self._pack(tote, chute))
            case _:
                pass

    def _pack(self, tote: ToteId, chute: ChuteId) -> None:
        self.packed += 1
        self.emit(PackConfirmed(tote, chute, tote, None))


def _later(seconds: float, call: Callable[[], object]) -> None:
    asyncio.get_running_loop().call_later(seconds, call)


# -------------------------------------------------------------------------------------------------------- the processes


async def play_cells(folder: Path, plan: Plan) -> None:
    """Measure the bare broker, then play all stations and the line until told to stop."""
    site, broker = read_site(folder / "site.json"), MqttConnector(plan.mqtt_url, wait_s=60)
    stations = [BenchStation(site, s, plan) for s in site.stations]
    line = BenchLine(site, LINE)
    for cell in (*stations, line):
        await cell.connect(broker)
    bare: list[int] = []
    took = bare
    for cell in stations:

        def heard(_: str, payload: bytes) -> None:
            took.append(time.monotonic_ns() - int(payload[:20]))

        await cell.floor.subscribe(_PONG.format(cell.cell), heard, qos=1)
    begun, loop = time.monotonic(), asyncio.get_running_loop()
    for n in range(round(_BARE_S * _BARE_HZ)):
        await asyncio.sleep(max(0.0, begun + n / _BARE_HZ - time.monotonic()))
        _ask(stations[n % len(stations)])
    await asyncio.sleep(1.0)
    _write(folder / "bare.json", msgspec.json.encode(bare))
    while not (folder / "drive").exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.05)
    for cell in (*stations, line):
        await cell.begin()
    beside: list[int] = []
    took = beside
    n, again = 0, loop.time() + 1.0
    while not (folder / "stop").exists():
        await asyncio.sleep(1 / _BESIDE_HZ)
        _ask(stations[n % len(stations)])
        n += 1
        if loop.time() > again:
            again = loop.time() + 1.0
            for cell in (*stations, line):
                cell.send_again()
    report = Report(
        samples=[x for s in stations for x in (*s.samples, *s.left_open())],
        beside_ns=beside,
        picks=sum(s.picks for s in stations),
        packed=line.packed,
        resent=line.resent + sum(s.resent for s in stations),
    )
    _write(folder / "report.json", msgspec.json.encode(report))
    for cell in (*stations, line):
        await cell.floor.close()


def _ask(cell: BenchCell) -> None:
    payload = b"%020d" % time.monotonic_ns() + b"x" * (_ASK_BYTES - 20)
    cell.floor.send(_PING.format(cell.cell), payload, qos=1)


async def play_echo(plan: Plan) -> None:
    """Answer the bare question: nothing is looked at."""
    floor = await MqttConnector(plan.mqtt_url, wait_s=60).connect("echo")
    await floor.subscribe(
        _PING.format("+"), lambda t, p: floor.send(t.replace("/ping", "/pong"), p[:_ANSWER_BYTES], qos=1), qos=1
    )
    await asyncio.get_running_loop().create_future()


async def play_robots(folder: Path, plan: Plan) -> None:
    """Drive the robots' twins until told to stop."""
    from simulators.battery import BatteryParams
    from simulators.catalogue import Catalogue
    from simulators.motion import DriveParams
    from simulators.robot import RobotParams, RobotTwin
    from simulators.world import World

    site, clock = read_site(folder / "site.json"), LoopClock()
    broker = MqttConnector(plan.mqtt_url, wait_s=60)
    world = World(site, Catalogue((), ()), (), clock)
    drive = DriveParams(SPEED_MPS, SPEED_MPS, SPEED_MPS, SPEED_MPS, SPEED_MPS, 6.0, 6.0)
    params = RobotParams(
        drive=drive,
        battery=BatteryParams(capacity_wh=1e6),
        level=(0.9, 1.0),
        lift_s=1.0,
        drop_s=1.0,
        driving_state_s=1.0,
    )
    twins = [RobotTwin(r, site, broker, clock, world, plan.seed, params) for r in site.robots]
    tasks = []
    for twin in twins:
        tasks.append(asyncio.create_task(twin.run(), name=twin.name))
        await twin.ready.wait()
    _write(folder / "robots.json", b"{}")
    while not (folder / "stop").exists():
        await asyncio.sleep(0.05)
        for task in tasks:
            if task.done():
                task.result()
    visits = {"pod_visits": world.pod_visits, "violations": [str(v) for v in world.violations][:20]}
    _write(folder / "robots.json", json.dumps(visits).encode())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _write(path: Path, text: bytes) -> None:
    path.with_suffix(".new").write_bytes(text)
    path.with_suffix(".new").rename(path)


def main(words: list[str]) -> None:
    """Play one part, in a process of its own: ``FOLDER cells|echo|robots``."""
    import uvloop

    folder, role = Path(words[0]), words[1]
    plan = msgspec.json.decode((folder / "plan.json").read_bytes(), type=Plan)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if role == "echo":
            runner.run(play_echo(plan))
        else:
            runner.run(play_cells(folder, plan) if role == "cells" else play_robots(folder, plan))


if __name__ == "__main__":
    main(sys.argv[1:])
