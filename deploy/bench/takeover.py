"""High availability: how long until a second dispatcher leads, when the first is killed or hangs.

Two `floorplane dispatcher --standby` share a journal; twins over MQTT are kept busy with transports. By turns whoever
leads is killed (SIGKILL) or stopped (SIGSTOP, and woken again some seconds later, when it must end by itself). The time
is taken from the signal to the first message of the new leader that reaches a robot. `baseline` is one dispatcher alone
that is killed and started again.
"""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from contracts import topics
from contracts.codec import decode
from contracts.errors import Broken, Rejected, Unavailable
from contracts.messages.lead import Term
from contracts.runtime.floor import Floor, Handler, Will
from contracts.runtime.floor.mqtt import MqttConnector
from contracts.runtime.log import Log
from contracts.runtime.log.nats import connect_log
from contracts.runtime.settings import bare_environment
from contracts.site import Site, write_site
from contracts.vda5050 import topics as vda
from deploy.bench.bounds import seed, whole
from deploy.bench.haulage import Haulage
from deploy.bench.ports import free_ports
from deploy.bench.streets import streets
from deploy.embedded.nats import EmbeddedNats
from deploy.floor_time import FloorTime
from simulators.battery import BatteryParams
from simulators.catalogue import Catalogue
from simulators.robot import RobotParams, RobotTwin
from simulators.world import World

_HANGS_S = 4.0
_PATIENCE_S = 90.0
_BETWEEN_S = 2.0
_SCALE = 8.0
"""Floor seconds a second: transports end sooner; leadership knows nothing of it."""
FAULTS = ("kill", "hang")


class Took(msgspec.Struct):
    """One takeover: seconds until the key had a new holder, and until a robot heard of it."""

    fault: str
    led_s: float
    heard_s: float
    ended: bool
    """The one that hung ended by itself when it was woken."""


class _Told(msgspec.Struct, rename="camel"):
    order_id: str
    order_update_id: int
    nodes: msgspec.Raw


class Ears:
    """A connector that notes what robots are told: when last, and whether one order update ever has two contents."""

    def __init__(self, broker: MqttConnector) -> None:
        self._broker = broker
        self.last_s = 0.0
        self.orders: dict[tuple[str, str, int], bytes] = {}
        self.contradictions = self.refusals = 0
        self.news = asyncio.Event()

    async def connect(self, client_id: str, *, will: Will | None = None) -> Floor:
        """Open the connection and listen in on it."""
        floor = await self._broker.connect(client_id, will=will)
        send, subscribe = floor.send, floor.subscribe

        def noting(topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
            if topic.endswith(vda.STATE) and any(word in payload for word in _REFUSALS):
                self.refusals += 1
            send(topic, payload, qos=qos, retain=retain)

        async def listening(pattern: str, handler: Handler, *, qos: int = 0) -> None:
            def heard(topic: str, payload: bytes) -> None:
                self.last_s = time.monotonic()
                self.news.set()
                if topic.endswith(vda.ORDER):
                    told = _told.decode(payload)
                    key = client_id, told.order_id, told.order_update_id
                    self.contradictions += self.orders.setdefault(key, bytes(told.nodes)) != bytes(told.nodes)
                handler(topic, payload)

            await subscribe(pattern, heard, qos=qos)

        floor.send = noting  # type: ignore[method-assign]
        floor.subscribe = listening  # type: ignore[method-assign]
        return floor


_REFUSALS = (b"orderError", b"orderUpdateError")
_told = msgspec.json.Decoder(_Told)


def run(args: list[str]) -> dict[str, object]:
    """Run it; see `--help`."""
    parser = argparse.ArgumentParser(prog="floorplane bench takeover", description=__doc__)
    parser.add_argument("--robots", type=whole(1, 400), default=20)
    parser.add_argument("--rounds", type=whole(1), default=3, help="kills, and as many hangs")
    parser.add_argument("--seed", type=seed, default=1)
    o = parser.parse_args(args)
    if not 1 <= o.robots <= 400:
        raise Rejected("--robots", o.robots, "from 1 to 400")
    with tempfile.TemporaryDirectory(prefix="floorplane-takeover-") as name:
        return measure(Path(name), o.robots, FAULTS * o.rounds, o.seed, alone=True)


def measure(folder: Path, robots: int, faults: tuple[str, ...], seed: int, *, alone: bool) -> dict[str, object]:
    """Run a pair of dispatchers through faults, and (`alone`) one of them through as many kills."""
    load = os.getloadavg()[0]
    with EmbeddedNats(folder / "nats", *free_ports(2)) as nats:
        pair = asyncio.run(_Pair(folder / "pair", nats, streets(robots, seed), seed, 2).run(faults))
    result: dict[str, object] = {"robots": robots, "load_average_1m_before": round(load, 2), **pair}
    kills = tuple(f for f in faults if f == "kill")
    if alone and kills:
        with EmbeddedNats(folder / "nats-alone", *free_ports(2)) as nats:
            one = asyncio.run(_Pair(folder / "alone", nats, streets(robots, seed), seed, 1).run(kills))
        result["baseline"] = {"what": "one dispatcher, started again at once when it is killed", **one}
    return result


class _Pair:
    """The dispatchers, the twins and the books."""

    def __init__(self, folder: Path, nats: EmbeddedNats, site: Site, seed: int, count: int) -> None:
        folder.mkdir(parents=True)
        self._folder, self._nats, self._site, self._seed, self._count = folder, nats, site, seed, count
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._log: Log
        self._ears: Ears

    async def run(self, faults: tuple[str, ...]) -> dict[str, object]:
        write_site(self._site, self._folder / "site.json")
        FloorTime.begin(self._folder / "floor_time.json", _SCALE)
        self._log = await connect_log(self._nats.url, "bench")
        clock = FloorTime.read(self._folder / "floor_time.json").clock()
        self._ears = Ears(MqttConnector(self._nats.mqtt_url))
        world = World(self._site, Catalogue((), ()), (), clock)
        params = RobotParams(level=(0.9, 1.0), battery=BatteryParams(capacity_wh=1e6))
        twins = [RobotTwin(r, self._site, self._ears, clock, world, self._seed, params) for r in self._site.robots]
        books = Haulage(self._site, await connect_log(self._nats.url, "books"), self._seed)
        tasks = [asyncio.create_task(t.run(), name=t.name) for t in twins]
        tasks.append(asyncio.create_task(books.run(), name="books"))
        took: list[Took] = []
        try:
            for _ in range(self._count):
                self._start()
            for _ in twins:
                await books.order()
            await self._until(lambda: self._has(books.done >= 1), "the first transport")
            for fault in faults:
                await self._until(lambda: self._has(self._warm()), "the second dispatcher")
                await asyncio.sleep(_BETWEEN_S)
                took.append(await self._strike(fault))
            before = books.done
            wanted = before + len(twins) // 2
            await self._until(lambda: self._has(books.done >= wanted), "transports after the last fault")
        finally:
            for process in self._running.values():
                if process.poll() is None:
                    process.kill()
                    process.wait()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._log.close()
        return {
            "takeovers": [msgspec.to_builtins(t) for t in took],
            "longest_s": round(max(t.heard_s for t in took), 3),
            "transports_done": books.done,
            "done_twice": books.again,
            "older_epoch_refused": books.refused,
            "contradictions": self._ears.contradictions,
            "states_with_a_refused_order": self._ears.refusals,
            "violations": [str(v) for v in world.violations][:5],
        }

    async def _strike(self, fault: str) -> Took:
        """Let the leader die or hang, and wait for the next one."""
        old = await self._leader()
        process = self._running[old.pid]
        begun_s = time.monotonic()
        process.send_signal(signal.SIGKILL if fault == "kill" else signal.SIGSTOP)
        if fault == "kill":
            process.wait()
            if self._count == 1:
                self._start()
        led_s = heard_s = 0.0
        if self._count > 1:
            await self._until(lambda: self._next_to(old), "the next leader")
            led_s = time.monotonic() - begun_s
        settled_s = time.monotonic()
        while self._ears.last_s < (settled_s if self._count > 1 else begun_s + 0.05):
            self._ears.news.clear()
            await asyncio.wait_for(self._ears.news.wait(), _PATIENCE_S)
        heard_s = self._ears.last_s - begun_s
        ended = True
        if fault == "hang":
            await asyncio.sleep(max(0.0, _HANGS_S - heard_s))
            process.send_signal(signal.SIGCONT)
            await self._until(lambda: self._has(process.poll() is not None), "the end of the one that hung")
            ended = process.returncode not in {None, 0}
        if self._count > 1:
            self._start()
        return Took(fault, round(led_s, 3), round(heard_s, 3), ended)

    def _start(self) -> None:
        environment = bare_environment() | {
            "FLOORPLANE_NATS_URL": self._nats.url,
            "FLOORPLANE_MQTT_URL": self._nats.mqtt_url,
            "FLOORPLANE_SITE": str(self._folder / "site.json"),
            "FLOORPLANE_STATE": str(self._folder),
            "FLOORPLANE_FLOOR_TIME": str(self._folder / "floor_time.json"),
            "FLOORPLANE_STANDBY": "true" if self._count > 1 else "false",
        }
        with (self._folder / "dispatchers.txt").open("ab") as log:
            command = [sys.executable, "-m", "deploy.cli", "dispatcher"]
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        self._running[process.pid] = process

    def _warm(self) -> bool:
        """Whether every dispatcher that was started has stood by; each says so once."""
        said = (self._folder / "dispatchers.txt").read_text().count("stands by")
        return self._count == 1 or said == len(self._running)

    async def _leader(self) -> Term:
        if self._count == 1:
            process = next(p for p in self._running.values() if p.poll() is None)
            return Term("", 0, "", process.pid, "")
        entry = await self._log.last(topics.lead_key(self._site.id))
        if entry is None:
            raise Broken("nobody leads")
        return decode(entry.payload, Term)

    async def _next_to(self, old: Term) -> bool:
        return (await self._leader()).epoch > old.epoch

    @staticmethod
    async def _has(value: bool) -> bool:
        return value

    async def _until(self, holds: Callable[[], Awaitable[bool]], what: str) -> None:
        end = time.monotonic() + _PATIENCE_S
        while not await holds():
            if time.monotonic() > end:
                raise Unavailable(f"benchmark takeover: {what} did not come within {_PATIENCE_S:g} s")
            await asyncio.sleep(0.01)
