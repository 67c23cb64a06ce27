"""The edge against the simulated floor on virtual time: a small script plays the dispatcher, over the bus alone."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from contracts import topics
from contracts.codec import decode, encode
from contracts.errors import Rejected
from contracts.ids import BinId, CellId, DoorId, PodId, TaskId, ToteId
from contracts.messages.floor import (
    CellState,
    CommandBody,
    DeviceAlarm,
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
    Quality,
    RouteTote,
    ToteDiverted,
    TotePushed,
)
from contracts.runtime.clock import LoopClock
from contracts.runtime.floor.memory import MemoryBroker
from contracts.site import Site
from edge.buffer import MemoryBuffer
from edge.daemon import Edge
from edge.settings import EdgeSettings
from simulators import virtual_time
from simulators.catalogue import Catalogue
from simulators.floor import SimulatedFloor
from simulators.params import FloorParams
from simulators.site import build, stock

CATALOGUE = Catalogue.seeded(1, 4000)
SITE: Site = build(1, CATALOGUE, robots=1)
STATION = SITE.stations[0]
CELL = STATION.cell
ROWS = [r for r in stock(SITE, CATALOGUE, 1) if r.physical_qty >= 2]
POD = max(SITE.pods, key=lambda p: sum(SITE.bin_pod[r.bin] == p.id for r in ROWS))
START_MS = 1_700_000_000_000


class Dispatcher:
    """Hears all cells, acknowledges what it hears unless told not to, and knows each event once."""

    def __init__(self, clock: LoopClock, *, acknowledge: bool = True) -> None:
        self.clock, self.acknowledge = clock, acknowledge
        self.events: dict[tuple[str, int, int], EdgeEvent] = {}
        self.deliveries = 0
        self.answers: list[EdgeAnswer] = []
        self.states: dict[str, CellState] = {}
        self.state_messages = 0
        self._heard = asyncio.Event()
        self._n = 0

    async def start(self, broker: MemoryBroker) -> "Dispatcher":
        self.floor = await broker.connect("dispatcher")
        await self.floor.subscribe(topics.cell_event(SITE.id), self._event, qos=1)
        await self.floor.subscribe(topics.cell_answer(SITE.id), self._answer, qos=1)
        await self.floor.subscribe(topics.cell_state(SITE.id), self._state, qos=1)
        return self

    def _event(self, _: str, payload: bytes) -> None:
        event = decode(payload, EdgeEvent)
        self.deliveries += 1
        self.events[event.cell, event.epoch, event.seq] = event
        if self.acknowledge:
            self.ack(event)
        self._heard.set()

    def ack(self, event: EdgeEvent) -> None:
        ack = EventAck(event.cell, ((event.epoch, event.seq),))
        self.floor.send(topics.cell_ack(SITE.id, event.cell), encode(ack), qos=1)

    def _answer(self, _: str, payload: bytes) -> None:
        self.answers.append(decode(payload, EdgeAnswer))
        self._heard.set()

    def _state(self, _: str, payload: bytes) -> None:
        state = decode(payload, CellState)
        self.states[state.cell] = state
        self.state_messages += 1
        self._heard.set()

    def of(self, kind: type) -> list[EdgeEvent]:
        return [e for e in self.events.values() if isinstance(e.body, kind)]

    def bodies(self, kind: type) -> list[object]:
        return [e.body for e in self.of(kind)]

    def send(self, cell: CellId, body: CommandBody, *, name: str = "", deadline_s: float = 30) -> str:
        self._n += 1
        name = name or f"c-{self._n}"
        command = EdgeCommand(name, cell, self.clock.now_ms() + round(deadline_s * 1000), body)
        self.floor.send(topics.cell_command(SITE.id, cell), encode(command), qos=1)
        return name

    async def until(self, seen: Callable[[], object], within_s: float = 600) -> None:
        async with asyncio.timeout(within_s):
            while not seen():
                self._heard.clear()
                await self._heard.wait()


class Floor:
    """The simulated floor with an edge that can be killed and started."""

    def __init__(self, params: FloorParams | None = None, *, cells: list[CellId] | None = None) -> None:
        self.clock = LoopClock(START_MS)
        self.broker = MemoryBroker()
        self.floor = SimulatedFloor(SITE, CATALOGUE, None, self.clock, 1, params, rows=ROWS)
        self.cells = cells or "all"
        self.limit = 100_000
        self.buffers: dict[CellId, MemoryBuffer] = {}
        self.tasks: list[asyncio.Task[None]] = [asyncio.create_task(self.floor.run(), name="floor")]
        self.edge: Edge | None = None
        self.edge_task: asyncio.Task[None] | None = None

    async def start(self) -> Edge:
        def buffer(cell: CellId) -> MemoryBuffer:
            return self.buffers.setdefault(cell, MemoryBuffer(cell, self.limit))

        settings = EdgeSettings(buffer_limit=self.limit)
        self.edge = Edge(settings, SITE, self.cells, self.broker, self.floor, self.clock, buffers=buffer)
        self.edge_task = asyncio.create_task(self.edge.run(), name="edge")
        await self.edge.ready.wait()
        return self.edge

    async def kill(self) -> None:
        """Let the edge go as a kill would: whatever it was at is not finished, its will is said."""
        assert self.edge_task is not None
        if self.edge_task.done():
            self.edge_task.result()
        for cell in SITE.cells:
            self.broker.drop(f"edge-{cell.id}")
        self.edge_task.cancel()
        await asyncio.gather(self.edge_task, return_exceptions=True)

    async def close(self) -> None:
        await self.kill()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def bring(self, pod: PodId) -> None:
        """Stand a pod at the station, on a robot."""
        node, robot, world = STATION.lane[-1], SITE.robots[0].id, self.floor.world
        world.place(robot, POD.home)
        world.lift(robot, POD.home, pod)
        world.left(robot, POD.home)
        world.place(robot, node)

    def picks(self, count: int, tote: str = "T-1", slot: int = 0) -> tuple[PickInstruction, ...]:
        """Picks from bins of the pod that hold something."""
        found = [r for r in ROWS if SITE.bin_pod[r.bin] == POD.id][:count]
        items = {i.id: i for i in CATALOGUE.items}
        return tuple(
            PickInstruction(
                task=TaskId(f"P-{tote}-{n}"),
                attempt=1,
                item=r.item,
                barcode=items[r.item].barcode,
                qty=2,
                unit_weight_g=items[r.item].weight_g,
                bin=BinId(r.bin),
                tote=ToteId(tote),
                slot=slot,
            )
            for n, r in enumerate(found)
        )


def on_the_floor(scenario: Callable[[Floor, Dispatcher], Awaitable[None]], params: FloorParams | None = None) -> None:
    async def main() -> None:
        floor = Floor(params)
        dispatcher = await Dispatcher(floor.clock).start(floor.broker)
        try:
            await scenario(floor, dispatcher)
        finally:
            await floor.close()

    virtual_time.run(main())


async def one_tote(floor: Floor, dispatcher: Dispatcher, tote: str = "T-1", picks: int = 3) -> None:
    """Play a tote's way from an empty slot to the packed parcel."""
    wanted = floor.picks(picks, tote)
    assert len(wanted) == picks
    dispatcher.send(CELL, OpenTote(ToteId(tote), 0))
    dispatcher.send(CELL, PresentPod(POD.id, wanted))
    await dispatcher.until(lambda: len({e.body.task for e in dispatcher.of(PickConfirmed)}) == picks)
    dispatcher.send(CELL, PushTote(ToteId(tote), 0))
    dispatcher.send(CellId("line"), RouteTote(ToteId(tote), SITE.chutes[2].id))
    await dispatcher.until(lambda: dispatcher.of(ToteDiverted))
    dispatcher.send(CellId("line"), PackTote(ToteId(tote), SITE.chutes[2].id))
    await dispatcher.until(lambda: dispatcher.of(PackConfirmed))


def test_a_tote_goes_from_the_empty_slot_to_the_packed_parcel() -> None:
    async def scenario(floor: Floor, dispatcher: Dispatcher) -> None:
        await floor.start()
        floor.bring(POD.id)
        await one_tote(floor, dispatcher)
        assert dispatcher.bodies(TotePushed) == [TotePushed(ToteId("T-1"), 0)]
        assert dispatcher.bodies(ToteDiverted) == [ToteDiverted(ToteId("T-1"), SITE.chutes[2].id)]
        assert {a.outcome for a in dispatcher.answers} == {Outcome.ACCEPTED}
        for event in dispatcher.of(PickConfirmed):
            assert isinstance(event.body, PickConfirmed)
            assert event.body.qty == 2
            assert event.body.weight_g is not None
        contents = floor.floor.world.packed[0].contents if floor.floor.world.packed else floor.floor.packers[2]._last
        assert contents
        assert not floor.floor.world.violations

    on_the_floor(scenario, FloorParams(no_read=0, wrong_item=0, miscount=0))


def test_a_clumsy_picker_still_puts_exactly_what_was_asked_for() -> None:
    """Half of the scans fail, and every third pick goes wrong: the tote holds what the events say."""

    async def scenario(floor: Floor, dispatcher: Dispatcher) -> None:
        await floor.start()
        floor.bring(POD.id)
        await one_tote(floor, dispatcher, picks=8)
        told: dict[str, int] = {}
        items = {p.task: p.item for p in floor.picks(8)}
        for body in dispatcher.bodies(PickConfirmed):
            assert isinstance(body, PickConfirmed)
            told[items[body.task]] = told.get(items[body.task], 0) + body.qty
        await dispatcher.clock.sleep(60)
        assert floor.floor.world.packed[0].contents == told

    on_the_floor(scenario, FloorParams(no_read=0.3, wrong_item=0.3, miscount=0.3))


@pytest.mark.parametrize("after_s", [0.5, 4, 7, 11, 15, 19, 23, 31, 45, 60, 90])
def test_a_killed_edge_goes_on_where_it_was(after_s: float) -> None:
    """Kill the edge at any moment of a tote's way: the dispatcher sends its open commands again, nothing is lost."""

    async def scenario(floor: Floor, dispatcher: Dispatcher) -> None:
        await floor.start()
        floor.bring(POD.id)
        wanted = floor.picks(3)
        tote, chute, line = ToteId("T-1"), SITE.chutes[0].id, CellId("line")

        def confirmed() -> int:
            return len({e.body.task for e in dispatcher.of(PickConfirmed)})

        def resend() -> None:
            if confirmed() < 3:
                dispatcher.send(CELL, OpenTote(tote, 0))
                dispatcher.send(CELL, PresentPod(POD.id, wanted))
            elif not dispatcher.of(TotePushed):
                dispatcher.send(CELL, PushTote(tote, 0))
            if confirmed() == 3 and not dispatcher.of(ToteDiverted):
                dispatcher.send(line, RouteTote(tote, chute))
            if dispatcher.of(ToteDiverted) and not dispatcher.of(PackConfirmed):
                dispatcher.send(line, PackTote(tote, chute))

        async def kill() -> None:
            await dispatcher.clock.sleep(after_s)
            await floor.kill()
            await dispatcher.clock.sleep(5)
            await floor.start()
            resend()

        killer = asyncio.create_task(kill())
        resend()
        await dispatcher.until(lambda: confirmed() == 3)
        resend()
        await dispatcher.until(lambda: dispatcher.of(TotePushed))
        await dispatcher.until(lambda: dispatcher.of(ToteDiverted))
        resend()
        await dispatcher.until(lambda: dispatcher.of(PackConfirmed))
        await killer
        # told again is the same, word for word
        for kind in (PickConfirmed, TotePushed, ToteDiverted, PackConfirmed):
            told: dict[str, object] = {}
            for body in dispatcher.bodies(kind):
                key = body.task if isinstance(body, PickConfirmed) else body.tote
                assert told.setdefault(key, body) == body
        assert all(b.qty == 2 for b in dispatcher.bodies(PickConfirmed))

    on_the_floor(scenario, FloorParams(no_read=0, wrong_item=0, miscount=0))


def test_what_is_not_acknowledged_is_sent_again_until_it_is() -> None:
    async def scenario(floor: Floor, dispatcher: Dispatcher) -> None:
        await floor.start()
        dispatcher.acknowledge = False
        dispatcher.send(CellId("doors"), MoveDoor(DoorId("D1"), True))
        await dispatcher.until(lambda: len(dispatcher.of(DoorChanged)) == 4)
        once = len(dispatcher.events)
        await dispatcher.clock.sleep(31)
        assert len(dispatcher.events) == once, "the same events, not new ones"
        assert dispatcher.deliveries >= 2 * once
        floor.broker.drop("edge-doors")
        before = dispatcher.deliveries
        floor.broker.restore("edge-doors")
        await dispatcher.clock.sleep(0.1)
        assert dispatcher.deliveries > before
        for event in list(dispatcher.events.values()):
            dispatcher.ack(event)
        await dispatcher.clock.sleep(0.1)
        quiet = dispatcher.deliveries
        await dispatcher.clock.sleep(120)
        assert dispatcher.deliveries == quiet
        assert not floor.buffers[CellId("doors")].waiting()

    on_the_floor(scenario)


def test_a_full_buffer_alarms_and_stops_the_cell_and_loses_nothing() -> None:
    async def main() -> None:
        floor = Floor()
        floor.limit = 100
        dispatcher = await Dispatcher(floor.clock, acknowledge=False).start(floor.broker)
        try:
            await floor.start()
            for n in range(150):
                dispatcher.send(CellId("doors"), MoveDoor(DoorId("D1"), True), deadline_s=3600)
                await dispatcher.clock.sleep(1)
                if n == 90:
                    assert any(b.raised and "full" in b.text for b in dispatcher.bodies(DeviceAlarm))
            told = len(dispatcher.of(DoorChanged))
            assert told <= 100
            assert len(dispatcher.answers) < 150, "a cell that stands answers nothing"
            dispatcher.acknowledge = True
            await dispatcher.until(lambda: len(dispatcher.answers) == 150)
            await dispatcher.clock.sleep(20)
            numbers = sorted(seq for cell, _, seq in dispatcher.events if cell == "doors")
            assert numbers == list(range(1, len(numbers) + 1))
            assert any(not b.raised and "room again" in b.text for b in dispatcher.bodies(DeviceAlarm))
        finally:
            await floor.close()

    virtual_time.run(main())


def test_a_long_backlog_is_sent_in_order_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ten in flight at most, a hundred events that waited for the broker all arrive, in order."""
    monkeypatch.setattr("edge.uplink._IN_FLIGHT", 10)

    async def scenario(floor: Floor, dispatcher: Dispatcher) -> None:
        await floor.start()
        await dispatcher.clock.sleep(1)
        dispatcher.acknowledge = False
        for _ in range(100):
            dispatcher.send(CellId("doors"), MoveDoor(DoorId("D1"), True))
        await dispatcher.clock.sleep(10)
        doors = [k for k in dispatcher.events if k[0] == "doors"]
        assert len(doors) == 12, "two were acknowledged before, and ten are in flight"
        dispatcher.acknowledge = True
        await dispatcher.clock.sleep(20)
        doors = [k for k in dispatcher.events if k[0] == "doors"]
        assert doors == sorted(doors)
        assert len(doors) >= 102

    on_the_floor(scenario)


def test_events_made_while_the_broker_is_away_arrive_when_it_is_back() -> None:
    async def scenario(floor: Floor, dispatcher: Dispatcher) -> None:
        await floor.start()
        await dispatcher.clock.sleep(1)
        floor.broker.stop()
        floor.floor.line.jam()
        await dispatcher.clock.sleep(20)
        floor.broker.start(lose_store=True)
        await dispatcher.until(lambda: any(b.raised for b in dispatcher.bodies(DeviceAlarm)))
        assert dispatcher.states["line"].online

    on_the_floor(scenario)


@pytest.mark.parametrize(
    ("role", "from_s", "for_s"), [("printer", 0, 40), ("panel", 0, 30), ("panel", 12, 20), ("panel", 8, 5)]
)
def test_a_tote_is_filled_though_a_device_is_away_for_a_while(role: str, from_s: float, for_s: float) -> None:
    """A label waits for its printer, and a panel that comes back is shown what it should show."""

    async def scenario(floor: Floor, dispatcher: Dispatcher) -> None:
        await floor.start()
        floor.bring(POD.id)
        twin = floor.floor.twins[next(d.id for d in SITE.cells[0].devices if d.role == role)]
        dispatcher.clock.call_later(from_s, lambda: twin.fail("unplugged"))
        dispatcher.clock.call_later(from_s + for_s, twin.repair)
        await dispatcher.clock.sleep(0.1)
        await one_tote(floor, dispatcher)
        assert all(b.qty == 2 for b in dispatcher.bodies(PickConfirmed))

    on_the_floor(scenario, FloorParams(no_read=0, wrong_item=0, miscount=0))


def test_picks_are_confirmed_without_a_weight_while_the_scale_is_away() -> None:
    async def scenario(floor: Floor, dispatcher: Dispatcher) -> None:
        await floor.start()
        floor.bring(POD.id)
        floor.floor.twins[next(d.id for d in SITE.cells[0].devices if d.role == "scale")].fail("unplugged")
        await one_tote(floor, dispatcher, picks=1)
        (body,) = dispatcher.bodies(PickConfirmed)
        assert (body.qty, body.weight_g) == (2, None)

    on_the_floor(scenario, FloorParams(no_read=0, wrong_item=0, miscount=0))


def test_a_panel_that_lost_its_memory_is_shown_everything_again() -> None:
    async def scenario(floor: Floor, dispatcher: Dispatcher) -> None:
        await floor.start()
        floor.bring(POD.id)
        panel = floor.floor.twins[next(d.id for d in SITE.cells[0].devices if d.role == "panel")]
        dispatcher.send(CELL, OpenTote(ToteId("T-1"), 3))
        await dispatcher.clock.sleep(0.1)
        shown = dict(panel.values)
        assert shown["open_slots"] == 0b1000
        panel.fail("power")
        for name, tag in panel.table.items():
            if tag.writable:
                panel.values[name] = 0
        panel.repair()
        await dispatcher.clock.sleep(0.1)
        assert panel.values == shown

    on_the_floor(scenario, FloorParams(picks=False))


def test_a_command_is_answered_once_for_all() -> None:
    async def scenario(floor: Floor, dispatcher: Dispatcher) -> None:
        await floor.start()
        for _ in range(3):
            dispatcher.send(CELL, OpenTote(ToteId("T-1"), 0), name="open-1")
        dispatcher.send(CELL, OpenTote(ToteId("T-2"), 0), name="open-2")
        dispatcher.send(CELL, OpenTote(ToteId("T-3"), 1), name="late", deadline_s=-1)
        await dispatcher.clock.sleep(1)
        dispatcher.send(CELL, OpenTote(ToteId("T-1"), 0), name="open-1")
        dispatcher.send(CELL, OpenTote(ToteId("T-3"), 1), name="late")
        await dispatcher.clock.sleep(1)
        outcomes = {a.id: {b.outcome for b in dispatcher.answers if b.id == a.id} for a in dispatcher.answers}
        assert outcomes == {
            "open-1": {Outcome.ACCEPTED},
            "open-2": {Outcome.REJECTED},
            "late": {Outcome.EXPIRED},
        }
        refused = next(a for a in dispatcher.answers if a.id == "open-2")
        assert "T-1 has it" in refused.reason

    on_the_floor(scenario)


def test_a_dead_device_is_seen_in_the_cells_state_and_alarmed_once() -> None:
    async def scenario(floor: Floor, dispatcher: Dispatcher) -> None:
        await floor.start()
        await dispatcher.clock.sleep(5)
        assert {d.quality for d in dispatcher.states[CELL].devices.values() if d.text != "not yet heard"} == {
            Quality.GOOD
        }
        scale = next(d.id for d in SITE.cells[0].devices if d.role == "scale")
        for _ in range(5):
            floor.floor.twins[scale].fail("unplugged")
            await dispatcher.clock.sleep(0.1)
            floor.floor.twins[scale].repair()
            await dispatcher.clock.sleep(0.1)
        assert not dispatcher.of(DeviceAlarm), "a flicker is no alarm"
        floor.floor.twins[scale].fail("unplugged")
        await dispatcher.clock.sleep(10)
        assert dispatcher.states[CELL].devices[scale].quality is Quality.BAD
        floor.floor.twins[scale].repair()
        await dispatcher.clock.sleep(10)
        alarms = [b for b in dispatcher.bodies(DeviceAlarm) if b.device == scale]
        assert [(a.raised, a.text) for a in alarms] == [(True, "unplugged"), (False, "")]
        assert dispatcher.states[CELL].devices[scale].quality is Quality.GOOD

    on_the_floor(scenario)


def test_the_cells_state_is_said_at_most_once_a_second() -> None:
    async def scenario(floor: Floor, dispatcher: Dispatcher) -> None:
        await floor.start()
        scale = floor.floor.twins[next(d.id for d in SITE.cells[0].devices if d.role == "scale")]
        await dispatcher.clock.sleep(5)
        before = dispatcher.state_messages
        for _ in range(50):
            scale.fail("loose contact")
            await dispatcher.clock.sleep(0.05)
            scale.repair()
            await dispatcher.clock.sleep(0.05)
        assert 1 <= dispatcher.state_messages - before <= 7

    on_the_floor(scenario)


def test_the_last_will_says_offline_and_the_next_start_a_new_epoch() -> None:
    async def scenario(floor: Floor, dispatcher: Dispatcher) -> None:
        await floor.start()
        await dispatcher.until(lambda: len(dispatcher.states) == len(SITE.cells))
        first = dispatcher.states[CELL]
        assert (first.online, first.epoch) == (True, 1)
        await floor.kill()
        await dispatcher.until(lambda: not dispatcher.states[CELL].online)
        await floor.start()
        await dispatcher.until(lambda: dispatcher.states[CELL].online)
        assert dispatcher.states[CELL].epoch == 2

    on_the_floor(scenario)


def test_an_edge_that_is_run_again_begins_anew_and_answers_the_same_commands() -> None:
    """As a supervisor does after an error: the same object, a new epoch, nothing left of the old run but the buffer."""

    async def scenario(floor: Floor, dispatcher: Dispatcher) -> None:
        edge = await floor.start()
        floor.bring(POD.id)
        wanted = floor.picks(2)
        dispatcher.send(CELL, OpenTote(ToteId("T-1"), 0), name="open")
        dispatcher.send(CELL, PresentPod(POD.id, wanted), name="present")
        await dispatcher.until(lambda: len(dispatcher.of(PickConfirmed)) == 1)
        await floor.kill()
        floor.edge_task = asyncio.create_task(edge.run(), name="edge")
        await edge.ready.wait()
        dispatcher.send(CELL, OpenTote(ToteId("T-1"), 0), name="open")
        dispatcher.send(CELL, PresentPod(POD.id, wanted), name="present")
        await dispatcher.until(lambda: len({b.task for b in dispatcher.bodies(PickConfirmed)}) == 2)
        assert {e.epoch for e in dispatcher.of(PickConfirmed)} == {1, 2}

    on_the_floor(scenario, FloorParams(no_read=0, wrong_item=0, miscount=0))


def test_a_cell_that_the_site_has_not_got_is_refused() -> None:
    async def main() -> None:
        clock, broker = LoopClock(START_MS), MemoryBroker()
        floor = SimulatedFloor(SITE, CATALOGUE, None, clock, 1)
        with pytest.raises(Rejected, match="nowhere"):
            Edge(EdgeSettings(), SITE, [CellId("nowhere")], broker, floor, clock)

    virtual_time.run(main())


def test_settings_are_taken_again_while_it_runs_and_bad_ones_change_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        clock, broker = LoopClock(START_MS), MemoryBroker()
        floor = SimulatedFloor(SITE, CATALOGUE, None, clock, 1)
        file = tmp_path / "edge.toml"
        file.write_text('log_level = "warning"\n[tolerances]\nweight_g = 9\n')
        levels: list[str] = []
        edge = Edge(EdgeSettings(file=file), SITE, "all", broker, floor, clock, on_level=levels.append)
        assert {c.tolerances.weight_g for c in edge.cells} == {9}
        file.write_text('log_level = "debug"\n[tolerances]\nweight_g = 7\nrecounts = 1\n')
        edge.reload()
        assert {(c.tolerances.weight_g, c.tolerances.recounts) for c in edge.cells} == {(7, 1)}
        file.write_text("[tolerances]\nweight_g = -1\n")
        edge.reload()
        file.write_text("no toml")
        edge.reload()
        assert {c.tolerances.weight_g for c in edge.cells} == {7}
        assert levels == ["warning", "debug"]

    virtual_time.run(main())


def test_ten_idle_hours_cost_next_to_nothing() -> None:
    """Nothing ticks in the edge while nothing happens."""

    async def scenario(floor: Floor, dispatcher: Dispatcher) -> None:
        await floor.start()
        await dispatcher.clock.sleep(10)
        messages, started = dispatcher.state_messages, time.process_time()
        await dispatcher.clock.sleep(36_000)
        assert dispatcher.state_messages == messages
        assert time.process_time() - started < 0.5

    on_the_floor(scenario)
