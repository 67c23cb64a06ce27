"""One tote's life through a real edge: once with twins in memory on virtual time, once over their real protocols."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from contracts import topics
from contracts.codec import decode, encode
from contracts.ids import CellId, ChuteId, DoorId, ItemId, RobotId, StationId, TaskId, ToteId
from contracts.messages.floor import (
    CommandBody,
    DoorChanged,
    EdgeAnswer,
    EdgeCommand,
    EdgeEvent,
    EventBody,
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
    ToteSeen,
)
from contracts.runtime.clock import LoopClock
from contracts.runtime.floor.memory import MemoryBroker
from contracts.site import Site
from controllers.ports import Devices
from controllers.registry import Registry
from edge.daemon import Edge
from edge.settings import EdgeSettings
from simulators import site as reference
from simulators.catalogue import TOTE_WEIGHT_G, Catalogue, StockRow
from simulators.floor import SimulatedFloor
from simulators.params import FloorParams
from simulators.serve import ServedDevices
from simulators.virtual_time import run
from tests.free_ports import take

CATALOGUE = Catalogue.seeded(7, 200)
GOODS = [i for i in CATALOGUE.stock_items if i.weight_g > 50][:2]
QUICK = FloorParams(no_read=0, wrong_item=0, miscount=0, pace=10, settle_s=0.1, door_s=0.5, belt_mps=3)
CELLS = tuple(CellId(c) for c in ("station-S1", "line", "doors"))
S1 = StationId("S1")


def _site(base_port: int = 17_000) -> Site:
    """The reference site with a shorter conveyor, so that the real-time run need not wait for the belt."""
    return msgspec.structs.replace(reference.build(7, CATALOGUE, base_port=base_port), line_length_m=45.0)


class Dispatcher:
    """Says commands to cells and hears their events, as the dispatcher would."""

    def __init__(self, site: Site, floor: Any, clock: LoopClock) -> None:
        self._site, self._floor, self._clock = site, floor, clock
        self.events: list[EventBody] = []
        self._answers: dict[str, EdgeAnswer] = {}
        self._news = asyncio.Event()
        self._count = 0

    async def listen(self) -> None:
        await self._floor.subscribe(topics.cell_event(self._site.id), self._event, qos=1)
        await self._floor.subscribe(topics.cell_answer(self._site.id), self._answer, qos=1)

    def _event(self, _topic: str, payload: bytes) -> None:
        self.events.append(decode(payload, EdgeEvent).body)
        self._news.set()

    def _answer(self, _topic: str, payload: bytes) -> None:
        answer = decode(payload, EdgeAnswer)
        self._answers[answer.id] = answer
        self._news.set()

    async def say(self, cell: str, body: CommandBody) -> None:
        self._count += 1
        name = f"c-{self._count}"
        command = EdgeCommand(name, CellId(cell), self._clock.now_ms() + 60_000, body)
        self._floor.send(topics.cell_command(self._site.id, CellId(cell)), encode(command), qos=1)
        while name not in self._answers:
            await self._wait()
        assert self._answers[name].outcome is Outcome.ACCEPTED, self._answers[name]

    async def heard(self, kind: type[Any], **wanted: object) -> Any:
        while True:
            for event in self.events:
                if isinstance(event, kind) and all(getattr(event, k) == v for k, v in wanted.items()):
                    return event
            await self._wait()

    async def _wait(self) -> None:
        self._news.clear()
        await self._news.wait()


@asynccontextmanager
async def parts(site: Site, clock: LoopClock, *, wire: bool) -> AsyncIterator[tuple[SimulatedFloor, Dispatcher]]:
    pod, broker = site.pods[0], MemoryBroker()
    held = tuple(StockRow(pod.bins[k].id, item.id, 9, 9) for k, item in enumerate(GOODS))
    floor = SimulatedFloor(site, CATALOGUE, None, clock, 3, QUICK, rows=held)
    devices: Devices = Registry(clock) if wire else floor
    edge = Edge(EdgeSettings(), site, CELLS, broker, devices, clock)
    services: list[Any] = [floor, *([ServedDevices(floor, clock, CELLS)] if wire else []), edge]
    tasks = []
    try:
        for service in services:
            tasks.append(asyncio.create_task(service.run(), name=service.name))
            await service.ready.wait()
        dispatcher = Dispatcher(site, await broker.connect("dispatcher"), clock)
        await dispatcher.listen()
        yield floor, dispatcher
    finally:
        for task in reversed(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def life_of_a_tote(site: Site, floor: SimulatedFloor, dispatcher: Dispatcher) -> list[EventBody]:
    """Open, pick twice, push, sort, pack; and a door besides. Returns what became known, in order of kind."""
    pod, tote, chute = site.pods[0], ToteId("T-1-1"), ChuteId("C2")
    await dispatcher.say("station-S1", OpenTote(tote, 3))
    robot = RobotId("R001")
    floor.world.place(robot, pod.home)
    floor.world.lift(robot, pod.home)
    floor.world.place(robot, site.station[S1].lane[-1])
    picks = tuple(
        PickInstruction(TaskId(f"P-{k}"), 1, ItemId(g.id), g.barcode, k + 2, g.weight_g, pod.bins[k].id, tote, 3)
        for k, g in enumerate(GOODS)
    )
    await dispatcher.say("station-S1", PresentPod(pod.id, picks))
    known: list[EventBody] = [await dispatcher.heard(PickConfirmed, task=p.task) for p in picks]
    await dispatcher.say("line", RouteTote(tote, chute))
    await dispatcher.say("station-S1", PushTote(tote, 3))
    known.append(await dispatcher.heard(TotePushed, tote=tote))
    known.append(await dispatcher.heard(ToteSeen, tote=tote))
    known.append(await dispatcher.heard(ToteDiverted, tote=tote))
    await dispatcher.say("line", PackTote(tote, chute))
    known.append(await dispatcher.heard(PackConfirmed, tote=tote))
    await dispatcher.say("doors", MoveDoor(DoorId("D2"), True))
    known.append(await dispatcher.heard(DoorChanged, door="D2", state="open"))
    return known


def _check(site: Site, floor: SimulatedFloor, known: list[EventBody]) -> None:
    first, second, pushed, seen, diverted, packed, door = known
    assert isinstance(first, PickConfirmed)
    assert isinstance(second, PickConfirmed)
    assert (first.qty, second.qty) == (2, 3)
    assert (first.barcode, second.barcode) == (GOODS[0].barcode, GOODS[1].barcode)
    assert first.weight_g == pytest.approx(2 * GOODS[0].weight_g, rel=0.02, abs=3)
    assert pushed == TotePushed(ToteId("T-1-1"), 3)
    assert seen == ToteSeen(ToteId("T-1-1"), ChuteId("C2"))
    assert diverted == ToteDiverted(ToteId("T-1-1"), ChuteId("C2"))
    assert isinstance(packed, PackConfirmed)
    gross_g = TOTE_WEIGHT_G + 2 * GOODS[0].weight_g + 3 * GOODS[1].weight_g
    assert packed.weight_g == pytest.approx(gross_g, abs=6)
    assert isinstance(door, DoorChanged)
    (tote,) = floor.world.packed
    assert tote.contents == {GOODS[0].id: 2, GOODS[1].id: 3}
    assert {floor.world.bins[site.pods[0].bins[k].id][GOODS[k].id] for k in (0, 1)} == {7, 6}


def test_in_memory_on_virtual_time() -> None:
    """The same edge, links in memory: the whole life in a blink."""
    site = _site()

    async def main() -> None:
        clock = LoopClock(0)
        async with asyncio.timeout(600), parts(site, clock, wire=False) as (floor, dispatcher):
            _check(site, floor, await life_of_a_tote(site, floor, dispatcher))

    run(main())


@pytest.mark.slow
async def test_over_the_real_protocols() -> None:
    """The same edge with its real drivers: Modbus, OPC UA, sockets."""
    site = _site(take(170))
    async with asyncio.timeout(90), parts(site, LoopClock(), wire=True) as (floor, dispatcher):
        _check(site, floor, await life_of_a_tote(site, floor, dispatcher))
