"""The twins over their real protocols, met by ordinary clients of those protocols."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
import zxingcpp
from asyncua import Client, ua
from pymodbus.client import AsyncModbusTcpClient

from contracts.errors import Unavailable
from contracts.ids import CellId, RobotId, StationId
from contracts.runtime.clock import LoopClock
from contracts.site import Device, Site
from simulators import site as reference
from simulators.catalogue import Catalogue, StockRow
from simulators.floor import SimulatedFloor
from simulators.params import FloorParams
from simulators.scenario import Incident, Trouble
from simulators.serve import ServedDevices
from simulators.tag_bank import TagBank
from simulators.twin import Listeners
from tests.free_ports import take

CATALOGUE = Catalogue.seeded(7, 200)
GOODS = next(i for i in CATALOGUE.stock_items if i.weight_g > 50)
CALM = FloorParams(no_read=0, wrong_item=0, miscount=0, pace=10, settle_s=0.1, door_s=0.5)


class Served:
    def __init__(self, site: Site, floor: SimulatedFloor) -> None:
        self.site, self.floor = site, floor

    def device(self, name: str) -> Device:
        return next(d for c in self.site.cells for d in c.devices if d.id == name)

    def port(self, name: str) -> int:
        return int(self.device(name).address.split(":")[2].partition("/")[0])

    def bank(self, name: str) -> TagBank:
        twin = self.floor.twins[self.device(name).id]
        assert isinstance(twin, TagBank)
        return twin

    async def connect(self, name: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port(name))


async def until(listeners: Listeners[Any], seen: Callable[[], bool]) -> None:
    """Wait for what a twin tells."""
    news = asyncio.Event()
    end = listeners.add(lambda _: news.set())
    while not seen():
        news.clear()
        await news.wait()
    end()


@asynccontextmanager
async def served(*cells: str, rows: tuple[StockRow, ...] = ()) -> AsyncIterator[Served]:
    site = reference.build(7, CATALOGUE, base_port=take(170))
    clock = LoopClock()
    floor = SimulatedFloor(site, CATALOGUE, None, clock, 3, CALM, rows=rows)
    devices = ServedDevices(floor, clock, {CellId(c) for c in cells})
    tasks = [asyncio.create_task(floor.run()), asyncio.create_task(devices.run())]
    try:
        async with asyncio.timeout(30):
            await devices.ready.wait()
        yield Served(site, floor)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(r, asyncio.CancelledError) for r in results), results


async def test_a_pick_over_the_wire() -> None:
    """ZPL, Modbus, scanner line and scale command: the whole station as an edge meets it."""
    site = reference.build(7, CATALOGUE)
    pod = site.pods[0]
    async with asyncio.timeout(60), served("station-S1", rows=(StockRow(pod.bins[0].id, GOODS.id, 9, 9),)) as here:
        world, station = here.floor.world, here.site.station[StationId("S1")]
        _, printer = await here.connect("S1-printer")
        scans, _ = await here.connect("S1-scanner")
        reader, scale = await here.connect("S1-scale")
        panel = AsyncModbusTcpClient("127.0.0.1", port=here.port("S1-panel"))
        assert await panel.connect()
        printer.write(b"^XA^FO10,10^BCN,100^FDT-1-")
        await printer.drain()
        printer.write(b"1^FS^XZ")
        await panel.write_register(8, 1, device_id=1)
        bank = here.bank("S1-panel")
        await until(bank.changed, lambda: bank["slot_present"] == 1)
        assert (await panel.read_input_registers(4, device_id=1)).registers == [1]
        assert world.slots[station.id, 0].label == "T-1-1"
        world.place(RobotId("R001"), pod.home)
        world.lift(RobotId("R001"), pod.home)
        world.place(RobotId("R001"), station.lane[-1])
        bin_ = pod.bins[0]
        shown = [bin_.face, bin_.level, bin_.column, 0, 0, 3, 0]
        assert not (await panel.write_registers(1, shown, device_id=1)).isError()
        await panel.write_register(10, 7, device_id=1)
        assert (await scans.readline()).decode() == f"{GOODS.barcode}\r\n"
        await until(bank.changed, lambda: bank["confirm_seq"] == 7)
        assert (await panel.read_input_registers(0, count=5, device_id=1)).registers == [7, 0, 0, 3, 1]
        scale.write(b"S\r\n")
        head, kind, grams, unit = (await reader.readline()).split()
        assert (head, kind, unit) == (b"S", b"S", b"g")
        assert int(grams) == pytest.approx(3 * GOODS.weight_g, rel=0.02, abs=3)
        panel.close()


async def test_modbus_refuses_what_is_not_there() -> None:
    """Reading past the table, writing an input or between tags are exceptions, and change nothing."""
    async with asyncio.timeout(60), served("station-S1", "line") as here:
        panel = AsyncModbusTcpClient("127.0.0.1", port=here.port("S1-panel"))
        assert await panel.connect()
        assert (await panel.read_input_registers(0, count=6, device_id=1)).isError()
        assert (await panel.write_registers(12, [3, 4, 5], device_id=1)).isError()
        assert (await panel.write_register(0, 1, device_id=1)).isError()
        assert (await panel.write_coil(0, True, device_id=1)).isError()
        assert (await panel.read_holding_registers(0, count=14, device_id=1)).registers == [0] * 14
        await panel.write_registers(5, [1, 2], device_id=1)
        assert here.bank("S1-panel")["show_qty"] == 65_538
        panel.close()
        line = AsyncModbusTcpClient("127.0.0.1", port=here.port("line-plc"))
        assert await line.connect()
        await line.write_coil(0, True, device_id=1)
        assert (await line.read_discrete_inputs(0, count=3, device_id=1)).bits[:3] == [True, False, False]
        line.close()


async def test_a_door_over_opc_ua() -> None:
    """Written from outside it opens, and subscribers hear it; the heartbeat grows."""
    async with asyncio.timeout(60), served("doors") as here:
        heard: asyncio.Queue[tuple[str, object]] = asyncio.Queue()

        class Handler:
            def datachange_notification(self, node: object, val: object, _data: object) -> None:
                heard.put_nowait((str(node), val))

        async with Client(here.device("D1-plc").address) as client:
            names = ["Door.IsOpen", "Door.IsClosed", "Door.FireAlarm", "Door.Heartbeat"]
            nodes = [client.get_node(f"ns=2;s={name}") for name in names]
            assert await client.read_values(nodes[:3]) == [False, True, False]
            subscription = await client.create_subscription(50, Handler())
            await subscription.subscribe_data_change(nodes)
            request = client.get_node("ns=2;s=Door.OpenRequest")
            await request.write_value(ua.Variant(True, ua.VariantType.Boolean))
            seen: dict[str, object] = {}
            while not (seen.get("ns=2;s=Door.IsOpen") and int(str(seen.get("ns=2;s=Door.Heartbeat", 0))) >= 1):
                name, value = await heard.get()
                seen[name] = value
            assert seen["ns=2;s=Door.IsClosed"] is False
            with pytest.raises(ua.UaError):
                await nodes[0].write_value(ua.Variant(False, ua.VariantType.Boolean))
            with pytest.raises(ua.UaError):
                await request.write_value(ua.Variant(3, ua.VariantType.UInt16))


async def test_a_camera_over_http() -> None:
    """A JPEG with the pod's barcodes; another path is not found."""
    site = reference.build(7, CATALOGUE)
    pod = site.pods[0]
    async with asyncio.timeout(60), served("station-S2", rows=(StockRow(pod.bins[0].id, GOODS.id, 9, 9),)) as here:
        world = here.floor.world
        world.place(RobotId("R001"), pod.home)
        world.lift(RobotId("R001"), pod.home)
        world.place(RobotId("R001"), here.site.station[StationId("S2")].lane[-1])
        async with httpx.AsyncClient() as client:
            address = here.device("S2-camera").address
            answer = await client.get(address)
            assert answer.headers["content-type"] == "image/jpeg"
            picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_GRAYSCALE)
            assert [r.text for r in zxingcpp.read_barcodes(picture)] == [GOODS.barcode]
            assert (await client.get(address.replace("frame", "other"))).status_code == 404


async def test_scale_and_printer_answer_like_their_kind() -> None:
    """Unknown commands, the immediate value, the continuous one, the printer's host status."""
    async with asyncio.timeout(60), served("station-S1", "line") as here:
        reader, writer = await here.connect("C1-scale")
        for command, answer in ((b"XY", b"ES\r\n"), (b"SI", b"S S          0 g\r\n"), (b"@", b'I4 A "C1-scale"\r\n')):
            writer.write(command + b"\r\n")
            assert await reader.readline() == answer
        writer.write(b"SIR\r\n")
        assert [await reader.readline() for _ in range(3)] == [b"S S          0 g\r\n"] * 3
        reader, writer = await here.connect("S1-printer")
        writer.write(b"~HS")
        assert (await reader.readline()).startswith(b"\x02030")


async def test_a_device_that_fails_hangs_up_and_listens_again() -> None:
    """While it is out of order nobody can connect."""
    async with asyncio.timeout(60), served("station-S1") as here:
        for name in ("S1-scanner", "S1-scale"):
            reader, _ = await here.connect(name)
            here.floor.begin(Incident(0, 0.5, Trouble.DEVICE_DOWN, name))
            assert await reader.read() == b""
            with pytest.raises(OSError, match="Connect call failed"):
                await here.connect(name)
            twin = here.floor.twins[here.device(name).id]
            await until(twin.power, lambda twin=twin: not twin.down)
            writer = None
            while writer is None:  # it listens as soon as its server has heard of the repair
                with suppress(ConnectionRefusedError):
                    _, writer = await here.connect(name)
            writer.close()


async def test_a_taken_port_is_named() -> None:
    """Whoever starts the simulators reads which device and which port, and nothing stays open."""
    base = take(170)
    site = reference.build(7, CATALOGUE, base_port=base)
    floor = SimulatedFloor(site, CATALOGUE, None, LoopClock(), 3, CALM, rows=())
    with socket.socket() as s:
        s.bind(("127.0.0.1", base + 13))
        s.listen()
        with pytest.raises(Unavailable, match=str(base + 13)):
            await ServedDevices(floor, LoopClock()).run()
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", base)
