"""The edge with its real drivers against the twins served over their real protocols: a tote's whole way."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from contracts import topics
from contracts.codec import decode, encode
from contracts.ids import CellId, DoorId, TaskId, ToteId
from contracts.messages.floor import (
    CommandBody,
    DoorChanged,
    EdgeAnswer,
    EdgeCommand,
    EdgeEvent,
    EventAck,
    MoveDoor,
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
from contracts.runtime.clock import LoopClock
from contracts.runtime.floor.memory import MemoryBroker
from contracts.site import Site
from controllers.registry import Registry
from edge.daemon import Edge
from edge.settings import EdgeSettings
from simulators.catalogue import Catalogue
from simulators.floor import SimulatedFloor
from simulators.params import FloorParams
from simulators.serve import ServedDevices
from simulators.site import build, stock
from tests.free_ports import take
from vision.pipeline import Observation

CATALOGUE = Catalogue.seeded(1, 4000)
SCALE = 4.0
LINE, DOORS = CellId("line"), CellId("doors")


class Dispatcher:
    """Commands over the bus, and what came back."""

    def __init__(self, site: Site, clock: LoopClock) -> None:
        self._site, self._clock = site, clock
        self.events: list[EdgeEvent] = []
        self.answers: list[EdgeAnswer] = []
        self._heard = asyncio.Event()

    async def start(self, broker: MemoryBroker) -> None:
        self._floor = await broker.connect("dispatcher")
        await self._floor.subscribe(topics.cell_event(self._site.id), self._event, qos=1)
        await self._floor.subscribe(topics.cell_answer(self._site.id), self._answer, qos=1)

    def _event(self, _: str, payload: bytes) -> None:
        event = decode(payload, EdgeEvent)
        self.events.append(event)
        ack = EventAck(event.cell, ((event.epoch, event.seq),))
        self._floor.send(topics.cell_ack(self._site.id, event.cell), encode(ack), qos=1)
        self._heard.set()

    def _answer(self, _: str, payload: bytes) -> None:
        self.answers.append(decode(payload, EdgeAnswer))

    def send(self, cell: CellId, body: CommandBody) -> None:
        name = f"c-{len(self.answers)}-{type(body).__name__}"
        command = EdgeCommand(name, cell, self._clock.now_ms() + 60_000, body)
        self._floor.send(topics.cell_command(self._site.id, cell), encode(command), qos=1)

    def bodies(self, kind: type) -> list[object]:
        return [e.body for e in self.events if isinstance(e.body, kind)]

    async def until(self, seen: Callable[[], object]) -> None:
        async with asyncio.timeout(40):
            while not seen():
                self._heard.clear()
                await self._heard.wait()


@contextlib.asynccontextmanager
async def tasks(*runs: asyncio.Task[None]) -> AsyncIterator[None]:
    """Run services beside the test; one that ends before it fails the test."""
    try:
        yield
        for run in runs:
            if run.done():
                run.result()
    finally:
        for run in reversed(runs):
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)


@pytest.mark.slow
async def test_a_totes_whole_way_over_modbus_opc_ua_and_tcp(tmp_path: Path) -> None:
    site = build(1, CATALOGUE, robots=1, base_port=take(250))
    rows = [r for r in stock(site, CATALOGUE, 1) if r.physical_qty >= 2]
    pod = max(site.pods, key=lambda p: sum(site.bin_pod[r.bin] == p.id for r in rows))
    station = site.stations[0]
    clock, broker = LoopClock(scale=SCALE), MemoryBroker()
    params = FloorParams(no_read=0, wrong_item=0, miscount=0, pace=2)
    floor = SimulatedFloor(site, CATALOGUE, None, clock, 1, params, rows=rows)
    cells = [station.cell, LINE, DOORS]
    served = ServedDevices(floor, clock, cells)
    settings = EdgeSettings(state=tmp_path, cameras=True)
    edge = Edge(settings, site, cells, broker, Registry(clock), clock)
    dispatcher = Dispatcher(site, clock)
    await dispatcher.start(broker)
    items = {i.id: i for i in CATALOGUE.items}
    found = [r for r in rows if site.bin_pod[r.bin] == pod.id][:3]
    tote, chute = ToteId("T-1"), site.chutes[1].id
    picks = tuple(
        PickInstruction(TaskId(f"P-{n}"), 1, r.item, items[r.item].barcode, 2, items[r.item].weight_g, r.bin, tote, 0)
        for n, r in enumerate(found)
    )
    running = (
        asyncio.create_task(floor.run(), name="floor"),
        asyncio.create_task(served.run(), name="served"),
        asyncio.create_task(edge.run(), name="edge"),
    )
    async with tasks(*running), asyncio.timeout(100):
        await edge.ready.wait()
        robot, node = site.robots[0].id, station.lane[-1]
        floor.world.place(robot, pod.home)
        floor.world.lift(robot, pod.home, pod.id)
        floor.world.place(robot, node)
        dispatcher.send(DOORS, MoveDoor(DoorId("D1"), True, 1))
        dispatcher.send(station.cell, OpenTote(tote, 0))
        dispatcher.send(station.cell, PresentPod(pod.id, picks))
        await dispatcher.until(lambda: len(dispatcher.bodies(PickConfirmed)) == 3)
        dispatcher.send(LINE, RouteTote(tote, chute))
        dispatcher.send(station.cell, PushTote(tote, 0))
        await dispatcher.until(lambda: dispatcher.bodies(TotePushed))
        await dispatcher.until(lambda: dispatcher.bodies(ToteDiverted))
        dispatcher.send(LINE, PackTote(tote, chute))
        await dispatcher.until(lambda: dispatcher.bodies(PackConfirmed))
        await dispatcher.until(lambda: DoorChanged(DoorId("D1"), "open", 1) in dispatcher.bodies(DoorChanged))
    assert {a.outcome for a in dispatcher.answers} == {Outcome.ACCEPTED}
    confirmed = dispatcher.bodies(PickConfirmed)
    assert all(isinstance(c, PickConfirmed) and c.qty == 2 and c.weight_g and c.picture for c in confirmed)
    assert dispatcher.bodies(ToteDiverted) == [ToteDiverted(tote, chute)]
    first = confirmed[0]
    assert isinstance(first, PickConfirmed)
    record = tmp_path / "pictures" / station.cell / f"{first.picture}.json"
    observation = msgspec.json.decode(record.read_bytes(), type=Observation)
    assert observation.barcodes, "the bins' labels were read"
