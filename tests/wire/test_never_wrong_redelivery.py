"""Every message ten times over the real broker: central's books, and what a cell's people are asked, stay the same."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from contracts.ids import TaskId, ToteId
from contracts.messages.floor import (
    EdgeEvent,
    NextPod,
    OpenTote,
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
from contracts.messages.work import Pick
from contracts.runtime.clock import LoopClock
from contracts.runtime.floor import Floor as MqttFloor
from contracts.runtime.floor import Will
from contracts.runtime.floor.mqtt import MqttConnector
from contracts.runtime.log.nats import connect_log
from deploy.embedded.scratch import ScratchPostgres
from edge.daemon import Edge
from edge.settings import EdgeSettings
from simulators.floor import SimulatedFloor
from simulators.params import FloorParams
from simulators.site import build, stock
from tests.wire import central_floor
from tests.wire.central_floor import running
from tests.wire.conftest import Server
from tests.wire.test_edge_over_wire import CATALOGUE, LINE, Dispatcher, tasks

pytestmark = pytest.mark.slow

TIMES = 10
SCALE = 20.0


class TenfoldLog:
    """A client of the log that appends and says everything ten times; the log cannot know that it is the same."""

    def __init__(self, log: Any) -> None:
        self._log = log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def append(self, subject: str, payload: bytes, *, once: str | None = None) -> int:
        del once  # what the server would know again, it is not told
        numbers = [await self._log.append(subject, payload) for _ in range(TIMES)]
        last: int = numbers[-1]
        return last

    def say(self, subject: str, payload: bytes) -> None:
        for _ in range(TIMES):
            self._log.say(subject, payload)


class TenfoldConnector:
    """Clients of the floor bus that send everything ten times."""

    def __init__(self, broker: MqttConnector) -> None:
        self._broker = broker

    async def connect(self, client_id: str, *, will: Will | None = None) -> MqttFloor:
        floor = await self._broker.connect(client_id, will=will)
        send = floor.send

        def send_often(topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
            for _ in range(TIMES):
                send(topic, payload, qos=qos, retain=retain)

        floor.send = send_often  # type: ignore[method-assign]
        return floor


class Logs:
    """Stands where central's tests make their store: its clients are those of a real server."""

    def __init__(self, logs: dict[str, Any]) -> None:
        self._logs = logs

    def connect(self, name: str) -> Any:
        return self._logs[name]


async def test_facts_work_and_acknowledgements_ten_times_over_jetstream(
    postgres: ScratchPostgres, nats_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three orders from their picks to their shipments: each move once, each order shipped once."""
    await nats_server.start()
    logs = {n: TenfoldLog(await connect_log(nats_server.nats_url, n)) for n in ("central", "dispatcher")}
    monkeypatch.setattr(central_floor, "MemoryStore", lambda: Logs(logs))
    async with running(postgres) as floor:
        await floor.stock(("P0-B0", "part1", 50), ("P0-B1", "part2", 50))
        for ref in ("A1", "A2", "A3"):
            for _ in range(TIMES):  # the ERP too
                await floor.order(ref, ("part1", 4), ("part2", 2))
            await floor.until(lambda ref=ref: f"P-T-{ref}-1-2" in floor.keys)  # type: ignore[misc]
        for work in sorted((w for w in floor.keys.values() if isinstance(w, Pick)), key=lambda w: w.task):
            await floor.pick(work.task, 1 if work.task == "P-T-A2-1-2" else None, "bin empty")
        for task in [t for t in floor.keys if t.startswith("P-T-A2")]:  # what was short is picked elsewhere, or short
            await floor.pick(task)
        for ref in ("A1", "A2", "A3"):
            await floor.finish_tote(f"T-{ref}-1")
        rows = await floor.rows("SELECT key, count(*) AS n FROM ledger GROUP BY key HAVING count(*) > 1")
        assert rows == []
        moved = Counter(
            {r["reason"]: r["qty"] for r in await floor.rows("SELECT reason, sum(qty) AS qty FROM ledger GROUP BY 1")}
        )
        assert moved["pick"] == moved["ship"] == 17
        assert (moved["short_pick"], moved["opening"]) == (1, 100)
        shipped = await floor.rows("SELECT order_id FROM shipment ORDER BY 1")
        assert [r["order_id"] for r in shipped] == ["A1", "A2", "A3"]
        told = Counter(e["subject"] for e in floor.events if e["type"] == "floorplane.order.shipped")
        assert set(told.values()) == {TIMES}, "the same event comes again under the same id"
        ids = {e["id"] for e in floor.events if e["type"] == "floorplane.order.shipped"}
        assert len(ids) == 3
        assert await floor.violations() == []
    for log in logs.values():
        await log.close()


async def test_events_commands_and_answers_ten_times_over_mqtt(nats_server: Server, tmp_path: Path) -> None:
    """A tote's whole way at a station and on the line: each pick once, the tote pushed, diverted and packed once."""
    await nats_server.start()
    site = build(1, CATALOGUE, robots=1)
    rows = [r for r in stock(site, CATALOGUE, 1) if r.physical_qty >= 2]
    pod = max(site.pods, key=lambda p: sum(site.bin_pod[r.bin] == p.id for r in rows))
    station, clock = site.stations[0], LoopClock(scale=SCALE)
    broker = TenfoldConnector(MqttConnector(nats_server.mqtt_url))
    floor = SimulatedFloor(
        site, CATALOGUE, None, clock, 1, FloorParams(no_read=0, wrong_item=0, miscount=0, pace=4), rows=rows
    )
    edge = Edge(EdgeSettings(state=tmp_path, cameras=False), site, [station.cell, LINE], broker, floor, clock)
    dispatcher = Dispatcher(site, clock)
    await dispatcher.start(broker)  # type: ignore[arg-type]  # it only connects
    items = {i.id: i for i in CATALOGUE.items}
    found = [r for r in rows if site.bin_pod[r.bin] == pod.id][:3]
    tote, chute = ToteId("T-1"), site.chutes[1].id
    picks = tuple(
        PickInstruction(TaskId(f"P-{n}"), 1, r.item, items[r.item].barcode, 2, items[r.item].weight_g, r.bin, tote, 0)
        for n, r in enumerate(found)
    )
    services = (asyncio.create_task(floor.run(), name="floor"), asyncio.create_task(edge.run(), name="edge"))
    async with tasks(*services), asyncio.timeout(100):
        await edge.ready.wait()
        robot = site.robots[0].id
        floor.world.place(robot, pod.home)
        floor.world.lift(robot, pod.home, pod.id)
        floor.world.place(robot, station.lane[-1])
        dispatcher.send(station.cell, OpenTote(tote, 0))
        dispatcher.send(station.cell, NextPod(None, pod.id, picks[0].bin, picks[0].item, 2))
        dispatcher.send(station.cell, PresentPod(pod.id, picks))
        await dispatcher.until(lambda: len(_once(dispatcher, PickConfirmed)) == 3)
        dispatcher.send(LINE, RouteTote(tote, chute))
        dispatcher.send(station.cell, PushTote(tote, 0))
        await dispatcher.until(lambda: _once(dispatcher, ToteDiverted))
        dispatcher.send(LINE, PackTote(tote, chute))
        await dispatcher.until(lambda: _once(dispatcher, PackConfirmed))
    assert len(dispatcher.events) >= TIMES * 6
    assert {a.outcome for a in dispatcher.answers} == {Outcome.ACCEPTED}
    assert [len(_once(dispatcher, kind)) for kind in (PickConfirmed, TotePushed, ToteDiverted, PackConfirmed)] == [
        3,
        1,
        1,
        1,
    ]
    assert [p.contents for p in floor.world.packed] == [{r.item: 2 for r in found}]


def _once(dispatcher: Dispatcher, kind: type) -> dict[tuple[str, int, int], EdgeEvent]:
    """Return the events of a kind by their names; what has the same name must say the same."""
    found: dict[tuple[str, int, int], EdgeEvent] = {}
    for event in dispatcher.events:
        if isinstance(event.body, kind):
            name = (event.cell, event.epoch, event.seq)
            assert found.setdefault(name, event).body == event.body
    return found
