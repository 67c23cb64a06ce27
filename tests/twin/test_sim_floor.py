"""People and devices of the simulated floor, met through their drivers in memory, on virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar, cast

import pytest

from contracts.errors import Rejected, Unavailable
from contracts.ids import NodeId, PodId, RobotId, StationId, ToteId
from contracts.messages.floor import DeviceState, Quality
from contracts.runtime.clock import LoopClock
from contracts.site import Device, Site
from controllers.ports import Camera, Driver, Plc, Printer, Scale, Scan, Scanner, TagValue
from simulators import site as reference
from simulators.catalogue import Catalogue, StockRow
from simulators.floor import SimulatedFloor
from simulators.memory import read_memory
from simulators.params import FloorParams
from simulators.scenario import Incident, Scenario, Trouble
from simulators.virtual_time import run

T = TypeVar("T")
CATALOGUE = Catalogue.seeded(7, 200)
SITE = reference.build(7, CATALOGUE)
S1 = SITE.station[StationId("S1")]
POD = SITE.pods[0]
GOODS = [i for i in CATALOGUE.stock_items if i.weight_g > 50][:2]
CALM = FloorParams(no_read=0, wrong_item=0, miscount=0)


def device(site: Site, name: str) -> Device:
    return next(d for c in site.cells for d in c.devices if d.id == name)


class Cell:
    """Links to some devices, and everything that they said."""

    def __init__(self, floor: SimulatedFloor, *names: str) -> None:
        self.links: dict[str, Driver] = {n: floor.open(device(SITE, n)) for n in names}
        self.tags: dict[str, dict[str, TagValue]] = {n: {} for n in names}
        self.scans: list[tuple[str, Scan]] = []
        self.states: list[tuple[str, DeviceState]] = []
        self._news = asyncio.Event()
        for name, link in self.links.items():
            link.on_state(lambda s, n=name: self.states.append((n, s)))
            if hasattr(link, "on_change"):
                cast("Plc", link).on_change(lambda v, _t, n=name: self._changed(n, v))
            if hasattr(link, "on_scan"):
                cast("Scanner", link).on_scan(lambda s, n=name: self._scanned(n, s))

    def _changed(self, name: str, values: dict[str, TagValue]) -> None:
        self.tags[name].update(values)
        self._news.set()

    def _scanned(self, name: str, scan: Scan) -> None:
        self.scans.append((name, scan))
        self._news.set()

    async def until(self, seen: Callable[[], bool], seconds: float = 600) -> None:
        async with asyncio.timeout(seconds):
            while not seen():
                self._news.clear()
                await self._news.wait()

    def plc(self, name: str) -> Plc:
        return cast("Plc", self.links[name])


def on_the_floor(
    script: Callable[[SimulatedFloor], Awaitable[T]],
    params: FloorParams = CALM,
    rows: tuple[StockRow, ...] = (),
) -> T:
    """Run a script beside a floor without robots."""

    async def main() -> T:
        floor = SimulatedFloor(SITE, CATALOGUE, None, LoopClock(0), 3, params, rows=rows)
        work = asyncio.create_task(floor.run())
        await floor.ready.wait()
        try:
            return await script(floor)
        finally:
            work.cancel()

    return run(main())


def bring(floor: SimulatedFloor, pod: PodId = POD.id, node: NodeId = S1.lane[-1]) -> None:
    """A robot carries a pod onto a node, node by node as the drive would."""
    robot, home = RobotId("R001"), next(n for n, p in floor.world.pod_at.items() if p == pod)
    floor.world.place(robot, home)
    floor.world.lift(robot, home)
    floor.world.place(robot, node)


STATION = ("S1-panel", "S1-scanner", "S1-scale", "S1-printer", "S1-camera")


class Bench:
    """A picking bench worked by hand-written steps: what an edge does, without its rules."""

    def __init__(self, floor: SimulatedFloor) -> None:
        self.floor, self.cell = floor, Cell(floor, *STATION)
        self.panel, self.seq = self.cell.plc("S1-panel"), 0
        self._tasks = [asyncio.create_task(link.run()) for link in self.cell.links.values()]

    async def open(self, slot: int, tote: str) -> None:
        await asyncio.sleep(0)
        await cast("Printer", self.cell.links["S1-printer"]).print_label(f"^XA^FO1,1^BCN^FD{tote}^FS^XZ")
        await self.panel.write({"open_slots": 1 << slot})
        await self.cell.until(lambda: bool(int(self.cell.tags["S1-panel"].get("slot_present", 0)) >> slot & 1))

    async def show(self, qty: int, bin_: int = 0, slot: int = 0, error: int = 0) -> None:
        self.seq += 1
        place = POD.bins[bin_]
        await self.panel.write(
            {
                "show_face": place.face,
                "show_level": place.level,
                "show_column": place.column,
                "show_slot": slot,
                "show_qty": qty,
                "show_error": error,
                "show_seq": self.seq,
            }
        )

    async def confirmed(self) -> tuple[int, int, int]:
        """Return (qty, reason, grams) of the confirmation of what is shown."""
        tags = self.cell.tags["S1-panel"]
        await self.cell.until(lambda: tags.get("confirm_seq") == self.seq)
        grams = (await cast("Scale", self.cell.links["S1-scale"]).weigh()).weight_g
        return int(tags["confirm_qty"]), int(tags["confirm_reason"]), grams


def rows(*held: tuple[int, int, int]) -> tuple[StockRow, ...]:
    """(bin, item, physical qty) of the pod."""
    return tuple(StockRow(POD.bins[b].id, GOODS[i].id, q, q) for b, i, q in held)


def test_a_pick_is_done_by_hand_and_lies_in_the_tote() -> None:
    """Label, tote, pod, scan, weight, confirmation; then the pieces are in the tote and the bin has fewer."""

    async def script(floor: SimulatedFloor) -> None:
        bench = Bench(floor)
        await bench.open(2, "T-1-1")
        bring(floor)
        await bench.show(3, slot=2)
        qty, reason, grams = await bench.confirmed()
        assert (qty, reason) == (3, 0)
        assert grams == pytest.approx(3 * GOODS[0].weight_g, rel=0.015, abs=3)
        assert [s.code for _, s in bench.cell.scans] == [GOODS[0].barcode]
        await bench.panel.write({"show_seq": 0})
        await asyncio.sleep(5)
        assert floor.world.slots[S1.id, 2].contents == {GOODS[0].id: 3}
        assert floor.world.bins[POD.bins[0].id] == {GOODS[0].id: 7}
        assert (await cast("Scale", bench.cell.links["S1-scale"]).weigh()).weight_g <= 2

    on_the_floor(script, rows=rows((0, 0, 10)))


def test_a_bin_with_less_than_the_books_say_makes_a_short_pick() -> None:
    """The picker confirms what there was, with the reason; from an empty bin nothing, without a scan."""

    async def script(floor: SimulatedFloor) -> None:
        bench = Bench(floor)
        await bench.open(0, "T-1-1")
        bring(floor)
        await bench.show(3)
        assert (await bench.confirmed())[:2] == (2, 1)
        await bench.show(1, bin_=1)
        assert (await bench.confirmed())[:2] == (0, 1)
        assert len(bench.cell.scans) == 1

    on_the_floor(script, rows=rows((0, 0, 2)))


def test_the_wrong_item_is_put_back_when_the_panel_says_so() -> None:
    """The first scan names the neighbour; after the error the right item is scanned, and the neighbour is whole."""

    async def script(floor: SimulatedFloor) -> None:
        bench = Bench(floor)
        await bench.open(0, "T-1-1")
        bring(floor)
        taken = 0
        while True:
            await bench.show(2)
            before = len(bench.cell.scans)
            await bench.cell.until(lambda before=before: len(bench.cell.scans) > before)
            if bench.cell.scans[-1][1].code == GOODS[1].barcode:
                break
            assert (await bench.confirmed())[0] == 2
            taken += 2
        floor.pickers[0]._params = CALM
        await bench.show(2, error=1)
        assert (await bench.confirmed())[0] == 2
        assert bench.cell.scans[-1][1].code == GOODS[0].barcode
        assert floor.world.bins[POD.bins[1].id] == {GOODS[1].id: 5}
        assert floor.world.bins[POD.bins[0].id] == {GOODS[0].id: 98 - taken}

    on_the_floor(script, FloorParams(no_read=0, wrong_item=0.5, miscount=0), rows((0, 0, 100), (1, 1, 5)))


def test_a_miscount_shows_on_the_scale_and_a_recount_mends_it() -> None:
    """Of many picks some are one piece off by weight; shown again with an error, weight and count agree."""

    async def script(floor: SimulatedFloor) -> int:
        bench = Bench(floor)
        await bench.open(0, "T-1-1")
        bring(floor)
        off = 0
        for _ in range(12):
            await bench.show(4)
            qty, _, grams = await bench.confirmed()
            assert qty == 4
            if abs(grams - 4 * GOODS[0].weight_g) > GOODS[0].weight_g / 2:
                off += 1
                await bench.show(4, error=2)
                qty, _, grams = await bench.confirmed()
                assert qty == 4
                assert grams == pytest.approx(4 * GOODS[0].weight_g, rel=0.015, abs=3)
        await bench.panel.write({"show_seq": 0})
        await asyncio.sleep(5)
        assert floor.world.slots[S1.id, 0].contents == {GOODS[0].id: 48}
        assert floor.world.bins[POD.bins[0].id] == {GOODS[0].id: 52}
        return off

    params = FloorParams(no_read=0, wrong_item=0, miscount=0.5)
    assert 2 <= on_the_floor(script, params, rows((0, 0, 100))) <= 10


def test_an_edge_that_was_away_finds_the_confirmation_and_may_have_it_counted_again() -> None:
    """The panel keeps its registers; a recount that is asked for late takes the pieces out of the tote, not the bin."""

    async def script(floor: SimulatedFloor) -> None:
        bench = Bench(floor)
        await bench.open(0, "T-1-1")
        bring(floor)
        await bench.show(3)
        for task in bench._tasks:
            task.cancel()
        await asyncio.sleep(60)  # the picker goes on alone
        again = Bench(floor)
        again.seq = bench.seq
        assert (await again.confirmed())[0] == 3
        await again.panel.write({"show_seq": 0})
        await asyncio.sleep(30)
        assert floor.world.slots[S1.id, 0].contents == {GOODS[0].id: 3}
        await again.show(3, error=3)
        assert (await again.confirmed())[0] == 3
        await again.panel.write({"show_seq": 0})
        await asyncio.sleep(30)
        assert floor.world.slots[S1.id, 0].contents == {GOODS[0].id: 3}
        assert floor.world.bins[POD.bins[0].id] == {GOODS[0].id: 7}

    on_the_floor(script, rows=rows((0, 0, 10)))


def test_a_picker_waits_for_the_pod_and_a_withdrawn_pick_is_not_confirmed() -> None:
    """Shown too early, nothing happens until the pod stands; taken back in the middle, no confirmation comes."""

    async def script(floor: SimulatedFloor) -> None:
        bench = Bench(floor)
        await bench.open(0, "T-1-1")
        await bench.show(3)
        await asyncio.sleep(100)
        assert not bench.cell.scans
        bring(floor)
        await asyncio.sleep(2)
        await bench.panel.write({"show_seq": 0})
        await asyncio.sleep(100)
        assert bench.cell.tags["S1-panel"]["confirm_seq"] == 0
        await bench.show(3)
        assert (await bench.confirmed())[0] == 3
        await bench.panel.write({"show_seq": 0})
        await asyncio.sleep(10)
        assert floor.world.slots[S1.id, 0].contents == {GOODS[0].id: 3}

    on_the_floor(script, rows=rows((0, 0, 10)))


def test_a_tote_is_pushed_sorted_and_packed() -> None:
    """From the slot over the belt past the scanner to the chute that it was sent to, and through the packer's hands."""

    async def script(floor: SimulatedFloor) -> None:
        bench = Bench(floor)
        line = Cell(floor, "line-plc", "line-scanner", "C3-scanner", "C3-scale")
        links = [asyncio.create_task(link.run()) for link in line.links.values()]
        await bench.open(0, "T-9-1")
        await line.plc("line-plc").write({"run": True})
        await bench.panel.write({"open_slots": 0, "push_slots": 1})
        await bench.cell.until(lambda: bench.cell.tags["S1-panel"].get("slot_present") == 0)
        tags = line.tags["line-plc"]
        await line.until(lambda: bool(line.scans) and tags.get("scan_index") == 1)
        assert line.scans[0] == ("line-scanner", Scan("T-9-1", line.scans[0][1].at_ms))
        await line.plc("line-plc").write({"route_index": 1, "route_chute": 2, "route_seq": 1})
        await line.until(lambda: tags.get("diverted_count_2") == 1)
        assert tags["diverted_index_2"] == 1
        await line.until(lambda: line.scans[-1][0] == "C3-scanner")
        assert line.scans[-1][1].code == "T-9-1"
        weight = await cast("Scale", line.links["C3-scale"]).weigh()
        assert weight.weight_g == pytest.approx(1_900, abs=5)
        await asyncio.sleep(60)
        assert [t.label for t in floor.world.packed] == ["T-9-1"]
        assert not floor.line.totes
        for task in links:
            task.cancel()

    on_the_floor(script)


def test_a_tote_without_a_route_goes_around_and_a_full_chute_is_passed() -> None:
    """Each pass of the scanner gives the next index; a chute takes no more than its capacity."""

    async def script(floor: SimulatedFloor) -> None:
        line = Cell(floor, "line-plc", "line-scanner")
        links = [asyncio.create_task(link.run()) for link in line.links.values()]
        await asyncio.sleep(0.1)
        await line.plc("line-plc").write({"run": True})
        plc, tags = line.plc("line-plc"), line.tags["line-plc"]
        from simulators.world import Tote

        for k in range(4):
            assert floor.line.offer(S1.id, Tote(ToteId(f"T-{k}"), {}))
        await line.until(lambda: int(tags.get("scan_index", 0)) >= 8)  # twice around
        assert [s.code for _, s in line.scans[:8]] == [f"T-{k}" for k in range(4)] * 2
        assert sum(int(tags[f"diverted_count_{k}"]) for k in range(6)) == 0
        floor.packers.clear()
        for number in range(2):
            for k in range(4):
                floor.line.offer(S1.id, Tote(ToteId(f"U-{number}-{k}"), {}))
            await asyncio.sleep(60)
        for seq in range(1, 40):
            seen = int(tags["scan_index"])
            await line.until(lambda seen=seen: tags["scan_index"] != seen)
            await plc.write({"route_index": int(tags["scan_index"]), "route_chute": 1, "route_seq": seq})
            if int(tags["chute_full"]):
                break
        assert int(tags["chute_full"]) == 0b10
        assert len(floor.line.on_chute[1]) == 4
        for task in links:
            task.cancel()

    on_the_floor(script, FloorParams(no_read=0, picks=False))


def test_a_jam_stops_the_belt_until_it_is_freed_and_told_to_run() -> None:
    """While it is jammed nothing moves and `run` has no effect."""

    async def script(floor: SimulatedFloor) -> None:
        from simulators.world import Tote

        line = Cell(floor, "line-plc")
        link = asyncio.create_task(line.links["line-plc"].run())
        await asyncio.sleep(0.1)
        plc, tags = line.plc("line-plc"), line.tags["line-plc"]
        await plc.write({"run": True})
        floor.line.offer(S1.id, Tote(ToteId("T-1"), {}))
        await asyncio.sleep(10)
        floor.begin(Incident(0, 300, Trouble.JAM, "line"))
        await line.until(lambda: bool(tags["jam"]))
        assert not tags["running"]
        await plc.write({"run": False})
        await plc.write({"run": True})
        await asyncio.sleep(200)
        assert not tags["running"]
        assert tags["scan_index"] == 0
        await line.until(lambda: not tags["jam"])
        await plc.write({"run": True, "reset": True})
        await line.until(lambda: tags["scan_index"] == 1)
        link.cancel()

    on_the_floor(script)


def test_a_door_opens_shuts_and_obeys_the_fire_alarm() -> None:
    """Four seconds each way; in an alarm it shuts whatever is asked, but not on a robot."""

    async def script(floor: SimulatedFloor) -> None:
        clock = floor._clock
        cell = Cell(floor, "D1-plc")
        link = asyncio.create_task(cell.links["D1-plc"].run())
        tags, door = cell.tags["D1-plc"], SITE.doors[0]
        await cell.until(lambda: bool(tags.get("Door.IsClosed")))
        floor.world.place(RobotId("R002"), door.nodes[0])
        start = clock.now_ms()
        await cell.plc("D1-plc").write({"Door.OpenRequest": True})
        await cell.until(lambda: bool(tags["Door.IsOpen"]))
        assert 4_000 <= clock.now_ms() - start <= 4_100
        floor.begin(Incident(0, 100, Trouble.FIRE_ALARM, "D1"))
        await asyncio.sleep(20)
        assert tags["Door.IsOpen"]
        assert tags["Door.FireAlarm"]
        floor.world.left(RobotId("R002"), door.nodes[0])
        await cell.until(lambda: bool(tags["Door.IsClosed"]))
        await cell.until(lambda: bool(tags["Door.IsOpen"]))
        assert clock.now_ms() - start > 100_000
        link.cancel()

    on_the_floor(script)


def test_the_world_counts_what_must_never_happen() -> None:
    """Two robots on one node, a drive through a shut door, off the road, and into a pod, are each noticed."""

    async def script(floor: SimulatedFloor) -> list[str]:
        world, layout = floor.world, SITE.layout
        a, b = SITE.doors[0].nodes[0], SITE.pods[1].home
        before = next(e.start for e in layout.edges if e.end == a)
        world.place(RobotId("R001"), before)
        world.entering(RobotId("R001"), a)
        world.place(RobotId("R002"), POD.home)
        world.place(RobotId("R003"), POD.home)
        world.lift(RobotId("R003"), POD.home)
        world.entering(RobotId("R003"), b)
        return [v.kind for v in world.violations]

    assert sorted(on_the_floor(script)) == ["collision", "door", "pod", "road"]


def test_a_device_that_fails_says_so_and_comes_back() -> None:
    """Quality goes bad with a reason and good again; meanwhile a call is refused."""

    async def script(floor: SimulatedFloor) -> None:
        bench = Bench(floor)
        await asyncio.sleep(1)
        floor.begin(Incident(0, 30, Trouble.DEVICE_DOWN, "S1-scale"))
        scale = cast("Scale", bench.cell.links["S1-scale"])
        with pytest.raises(Unavailable, match="out of order"):
            await scale.weigh()
        await asyncio.sleep(40)
        assert (await scale.weigh()).stable
        told = [s.quality for n, s in bench.cell.states if n == "S1-scale"]
        assert told == [Quality.BAD, Quality.GOOD, Quality.BAD, Quality.GOOD]

    on_the_floor(script)


def test_a_picture_shows_the_barcodes_of_the_pod() -> None:
    """What zxing reads in the picture is what lies in the bins of the shown face."""
    zxing = pytest.importorskip("zxingcpp")
    cv2 = pytest.importorskip("cv2")
    import numpy as np

    async def script(floor: SimulatedFloor) -> bytes:
        bench = Bench(floor)
        await asyncio.sleep(1)
        bring(floor)
        return (await cast("Camera", bench.cell.links["S1-camera"]).grab())[0]

    picture = on_the_floor(script, rows=rows((0, 0, 10), (5, 1, 1)))
    found = zxing.read_barcodes(cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_GRAYSCALE))
    assert {r.text for r in found} == {g.barcode for g in GOODS}


def test_a_day_without_work_costs_nothing_on_virtual_time() -> None:
    """Ten hours in which nothing happens set hardly a timer."""

    async def script(floor: SimulatedFloor) -> int:
        cells = Bench(floor)
        await asyncio.sleep(36_000)
        del cells
        return next(cast("object", asyncio.get_running_loop()).__dict__["_set"])

    assert on_the_floor(script) < 40


def test_incidents_are_drawn_from_the_seed() -> None:
    """None by default; equal seeds give equal troubles, in order of time."""
    assert Scenario().incidents(SITE, 1) == ()
    busy = Scenario(robot_error_per_h=4, jam_per_h=2, device_down_per_h=3, fire_alarm_per_h=1, robot_offline_per_h=2)
    found = busy.incidents(SITE, 1)
    assert found == busy.incidents(SITE, 1) != busy.incidents(SITE, 2)
    assert 80 <= len(found) <= 220
    assert [i.at_s for i in found] == sorted(i.at_s for i in found)
    assert {i.trouble for i in found} == set(Trouble)


def test_same_seed_same_floor() -> None:
    """Two runs with errors of all kinds say the same at the same times."""

    async def script(floor: SimulatedFloor) -> list[tuple[str, str, int]]:
        bench = Bench(floor)
        await bench.open(0, "T-1-1")
        bring(floor)
        for _ in range(20):
            await bench.show(4)
            await bench.confirmed()
        return [(n, s.code, s.at_ms) for n, s in bench.cell.scans]

    params = FloorParams(no_read=0.3, wrong_item=0, miscount=0.2)
    first = on_the_floor(script, params, rows((0, 0, 100)))
    assert first == on_the_floor(script, params, rows((0, 0, 100)))
    assert "" in {code for _, code, _ in first}


def test_the_floor_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """A second run from the memory has the same pods, totes and registers, finishes the pick and packs the tote."""
    file = tmp_path / "floor.json"

    async def main(second: bool) -> SimulatedFloor:
        floor = SimulatedFloor(
            SITE, CATALOGUE, None, LoopClock(0), 3, CALM, rows=rows((0, 0, 10), (1, 1, 5)), memory=file
        )
        work = asyncio.create_task(floor.run())
        await floor.ready.wait()
        if not second:
            bench, line = Bench(floor), Cell(floor, "line-plc")
            link = asyncio.create_task(line.links["line-plc"].run())
            await bench.open(0, "T-1-1")
            await bench.open(3, "T-2-1")
            await line.plc("line-plc").write({"run": True})
            await bench.panel.write({"push_slots": 8, "open_slots": 0})
            await line.until(lambda: line.tags["line-plc"].get("scan_index") == 1)
            await line.plc("line-plc").write({"route_index": 1, "route_chute": 4, "route_seq": 1})
            robot = RobotId("R001")
            floor.world.place(robot, POD.home)
            floor.world.lift(robot, POD.home)
            floor.world.place(robot, S1.lane[-1])
            floor.world.set_down(robot, S1.lane[-1])
            now = read_memory(file)
            assert now is not None
            assert now.pods[S1.lane[-1]] == POD.id  # written before anybody hears of it
            await bench.show(3)
            await bench.confirmed()  # the edge is gone before it has heard
            link.cancel()
        else:
            bench, line = Bench(floor), Cell(floor, "line-plc")
            link = asyncio.create_task(line.links["line-plc"].run())
            bench.seq = 1
            assert (await bench.confirmed())[0] == 3
            await bench.panel.write({"show_seq": 0})
            assert line.tags["line-plc"]["running"] is False
            await line.plc("line-plc").write({"run": True})
            await line.until(lambda: line.tags["line-plc"]["diverted_count_4"] == 1)
            assert line.tags["line-plc"]["diverted_index_4"] == 1
            await asyncio.sleep(60)
            link.cancel()
        work.cancel()
        await asyncio.wait([work])
        return floor

    first = run(main(False))
    again = run(main(True))
    assert again.world.pod_at == first.world.pod_at
    assert again.world.pod_at[S1.lane[-1]] == POD.id
    assert again.world.slots[S1.id, 0].contents == {GOODS[0].id: 3}
    assert again.world.bins[POD.bins[0].id] == {GOODS[0].id: 7}
    assert again.world.bins[POD.bins[1].id] == {GOODS[1].id: 5}
    other = reference.build(7, CATALOGUE)
    file.write_bytes(file.read_bytes().replace(b'"site":"reference"', b'"site":"elsewhere"'))
    with pytest.raises(Rejected, match="elsewhere"):
        run(_build(other, file))
    file.write_text("{")
    with pytest.raises(Rejected, match="remove it"):
        run(_build(other, file))


async def _build(site: Site, memory: Path) -> SimulatedFloor:
    return SimulatedFloor(site, CATALOGUE, None, LoopClock(0), 3, memory=memory)
