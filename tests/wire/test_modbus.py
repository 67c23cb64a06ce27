"""The Modbus driver over TCP, against pymodbus' server and the servers of two other authors."""

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.pdu import ModbusPDU
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from contracts.errors import Rejected, Unavailable
from contracts.ids import DeviceId
from contracts.messages.floor import DeviceState, Quality
from contracts.runtime.clock import LoopClock
from controllers.modbus import ModbusPlc
from controllers.ports import TagValue
from controllers.spans import Image, read_spans, write_blocks
from controllers.tags import LINE, PANEL, TABLES, Tag
from tests.free_ports import take

PEERS = Path(os.environ.get("FLOORPLANE_PEERS", Path(__file__).parents[2] / ".peers")) / "node_modules"


class Controller:
    """A controller's memory behind pymodbus' server; counts what it is asked."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.discrete = [0] * 16
        self.input = [0] * 32
        self.asked: list[tuple[int, int, int]] = []
        self.wrote: list[tuple[int, int, list[int]]] = []
        self.server: ModbusTcpServer | None = None

    async def start(self) -> None:
        bits = DataType.BITS
        blocks = (
            [SimData(0, values=[False] * 16, datatype=bits)],
            [SimData(0, values=[False] * 16, datatype=bits)],
            [SimData(0, values=[0] * 32, datatype=DataType.REGISTERS)],
            [SimData(0, values=[0] * 32, datatype=DataType.REGISTERS)],
        )
        device = SimDevice(1, simdata=blocks, action=self._fill)
        self.server = ModbusTcpServer(device, address=("127.0.0.1", self.port), trace_pdu=self._asked)
        await self.server.serve_forever(background=True)

    async def stop(self) -> None:
        if self.server is not None:
            await self.server.shutdown()
            self.server = None

    def _asked(self, sending: bool, pdu: ModbusPDU) -> ModbusPDU:
        if not sending and pdu.function_code in {15, 16}:
            self.wrote.append((pdu.function_code, pdu.address, [int(v) for v in (*pdu.bits, *pdu.registers)]))
        elif not sending:
            self.asked.append((pdu.function_code, pdu.address, pdu.count))
        return pdu

    async def _fill(
        self, code: int, start: int, address: int, count: int, registers: list[int], values: object
    ) -> None:
        if code == 2:
            registers[address - start] = sum(bit << k for k, bit in enumerate(self.discrete[address:]))
        elif code == 4:
            registers[address - start : address - start + count] = self.input[address : address + count]


class Heard:
    """What a driver told."""

    def __init__(self, plc: ModbusPlc) -> None:
        self.changes: list[tuple[dict[str, TagValue], int]] = []
        self.states: list[DeviceState] = []
        self._told = asyncio.Event()
        plc.on_state(self._state)
        plc.on_change(self._change)

    def _state(self, state: DeviceState) -> None:
        self.states.append(state)
        self._told.set()

    def _change(self, values: dict[str, TagValue], at_ms: int) -> None:
        self.changes.append((values, at_ms))
        self._told.set()

    async def until(self, seen: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not seen():
                self._told.clear()
                await self._told.wait()

    @property
    def quality(self) -> Quality:
        return self.states[-1].quality


@contextlib.asynccontextmanager
async def running(port: int, table: tuple[Tag, ...]) -> AsyncIterator[tuple[ModbusPlc, Heard]]:
    plc = ModbusPlc(DeviceId("plc"), f"modbus://127.0.0.1:{port}/1", LoopClock(), table, 0.02)
    heard = Heard(plc)
    task = asyncio.create_task(plc.run())
    try:
        yield plc, heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def controller() -> AsyncIterator[Controller]:
    controller = Controller(take())
    await controller.start()
    yield controller
    await controller.stop()


async def test_all_tags_are_told_first_and_then_only_what_changed(controller: Controller) -> None:
    controller.input[2], controller.input[3] = 1, 2
    async with running(controller.port, PANEL) as (_, heard):
        await heard.until(lambda: heard.changes)
        assert heard.changes[0][0] == {"confirm_seq": 0, "confirm_reason": 0, "confirm_qty": 65_538, "slot_present": 0}
        assert heard.quality is Quality.GOOD
        controller.input[4] = 5
        await heard.until(lambda: len(heard.changes) > 1)
        assert heard.changes[1][0] == {"slot_present": 5}
        assert heard.changes[1][1] >= heard.changes[0][1]


@pytest.mark.parametrize(("role", "reads"), [("panel", {(4, 0, 5)}), ("line", {(2, 0, 3), (4, 0, 14)})])
async def test_a_poll_is_one_read_an_area(controller: Controller, role: str, reads: set[tuple[int, int, int]]) -> None:
    async with running(controller.port, TABLES[role]) as (_, heard):
        await heard.until(lambda: heard.changes)
        assert set(controller.asked) == reads


async def test_bits_are_told_as_bits(controller: Controller) -> None:
    async with running(controller.port, LINE) as (_, heard):
        await heard.until(lambda: heard.changes)
        controller.discrete[2] = 1
        await heard.until(lambda: len(heard.changes) > 1)
        assert heard.changes[1][0] == {"jam": True}
        assert heard.changes[0][0]["jam"] is False


async def test_neighbours_are_written_in_one_request_and_gaps_filled_with_what_is_known(controller: Controller) -> None:
    shown = {
        "show_face": 1,
        "show_level": 2,
        "show_column": 3,
        "show_slot": 4,
        "show_qty": 70_000,
        "show_error": 0,
        "open_slots": 9,
        "push_slots": 0,
        "show_seq": 11,
    }
    async with running(controller.port, PANEL) as (plc, heard):
        await heard.until(lambda: heard.quality is Quality.GOOD)
        await plc.write(shown)
        await plc.write({"show_column": 0, "show_seq": 12})
        await plc.write({"push_slots": 2})
        assert controller.wrote == [
            (16, 1, [1, 2, 3, 4, 1, 4464, 0, 9, 0, 11]),
            (16, 3, [0, 4, 1, 4464, 0, 9, 0, 12]),
            (16, 9, [2]),
        ]


async def test_coils_and_registers_go_in_the_order_given(controller: Controller) -> None:
    async with running(controller.port, LINE) as (plc, heard):
        await heard.until(lambda: heard.quality is Quality.GOOD)
        await plc.write({"run": True, "reset": False})
        await plc.write({"route_index": 7, "route_chute": 2, "route_seq": 1})
        assert controller.wrote == [(15, 0, [1, 0]), (16, 0, [7, 2, 1])]


async def test_what_does_not_fit_is_refused_before_anything_is_written(controller: Controller) -> None:
    async with running(controller.port, PANEL) as (plc, heard):
        await heard.until(lambda: heard.quality is Quality.GOOD)
        for values in ({"show_slot": 1, "nonsense": 1}, {"confirm_seq": 1}, {"show_slot": 65_536}, {"show_slot": -1}):
            with pytest.raises(Rejected):
                await plc.write(values)
        assert controller.wrote == []


async def test_a_controller_that_comes_late_goes_and_returns_is_found_again() -> None:
    controller = Controller(take())
    async with running(controller.port, PANEL) as (plc, heard):
        await heard.until(lambda: "nobody listens" in heard.states[-1].text)
        with pytest.raises(Unavailable, match="nobody listens"):
            await plc.write({"show_slot": 1})
        await controller.start()
        await heard.until(lambda: heard.quality is Quality.GOOD)
        await controller.stop()
        await heard.until(lambda: heard.quality is Quality.BAD)
        assert Quality.STALE in {s.quality for s in heard.states}, "first stale, then bad"
        told = len(heard.changes)
        await controller.start()
        await heard.until(lambda: len(heard.changes) > told)
        assert len(heard.changes[-1][0]) == 4, "everything is told after a reconnect"
        await controller.stop()


async def test_a_controller_that_accepts_but_never_answers_is_not_good() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with running(port, PANEL) as (_, heard):
        await heard.until(lambda: "No response" in heard.states[-1].text)
        assert {s.quality for s in heard.states} == {Quality.BAD}
    server.close()


async def test_a_refused_read_says_which_and_why(controller: Controller) -> None:
    async with running(controller.port, (Tag("far", "input", 500),)) as (_, heard):
        await heard.until(lambda: "exception code 2" in heard.states[-1].text)
        assert "read of input 500..500" in heard.states[-1].text
        assert heard.quality is Quality.BAD


@pytest.mark.parametrize(
    "address", ["modbus://127.0.0.1", "tcp://127.0.0.1:5020", "modbus://127.0.0.1:99999", "x", "modbus://h:1/256"]
)
async def test_a_bad_address_is_refused(address: str) -> None:
    with pytest.raises(Rejected, match="address"):
        ModbusPlc(DeviceId("plc"), address, LoopClock(), PANEL)


NAMES = st.sampled_from([t.name for t in PANEL if t.writable])


@given(st.lists(st.dictionaries(NAMES, st.integers(0, 65_535), min_size=1), max_size=6))
def test_filled_writes_leave_the_registers_as_single_writes_would(writes: list[dict[str, int]]) -> None:
    """Whatever is written in which order: the image only ever repeats what is there already."""
    table = {t.name: t for t in PANEL}
    image, plain, filled = Image(PANEL), [0] * 16, [0] * 16
    for values in writes:
        for block in write_blocks(table, values):
            plain[block.start : block.start + len(block.values)] = block.values
        more = image.fill(values)
        for block in write_blocks(table, more):
            filled[block.start : block.start + len(block.values)] = block.values
        image.wrote(more)
        assert filled == plain


@given(st.sets(st.integers(0, 400), min_size=1, max_size=60))
def test_reads_cover_every_tag_within_the_protocols_limits(addresses: set[int]) -> None:
    table = tuple(Tag(f"t{a}", "input", a) for a in addresses)
    spans = read_spans(table)
    assert sorted(t.address for s in spans for t in s.tags) == sorted(addresses)
    for span in spans:
        assert span.count <= 125
        assert span.decode([span.start + k for k in range(span.count)]) == {t.name: t.address for t in span.tags}


MODBUS_SERIAL = """
const ModbusRTU = require("modbus-serial");
const input = new Array(32).fill(0), discrete = new Array(16).fill(false);
const vector = {
  getInputRegister: (a) => input[a], getDiscreteInput: (a) => discrete[a],
  getHoldingRegister: (a) => input[a], getCoil: (a) => discrete[a],
  setRegister: (a, v) => { input[4] = v; },           // what is written shows in slot_present, or chute_full's place
  setCoil: (a, v) => { discrete[a] = v; },
};
const server = new ModbusRTU.ServerTCP(vector, {host: "127.0.0.1", port: Number(process.argv[1]), unitID: 1});
server.on("initialized", () => console.log("ready"));
"""
JSMODBUS = """
const net = require("net"), modbus = require("jsmodbus");
const netServer = new net.Server();
const server = new modbus.server.TCP(netServer, {
  holding: Buffer.alloc(64), coils: Buffer.alloc(8), discrete: Buffer.alloc(8), input: Buffer.alloc(10),
});
server.on("postWriteMultipleRegisters", () => { server.input.writeUInt16BE(server.holding.readUInt16BE(20), 8); });
netServer.listen(Number(process.argv[1]), "127.0.0.1", () => console.log("ready"));
"""


@pytest.fixture
def node() -> Iterator[Callable[[str, str], int]]:
    """Starts a server of the npm world and returns its port."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(package: str, script: str) -> int:
        if shutil.which("node") is None:
            pytest.skip("no node on this machine")
        if not (PEERS / package).exists():
            pytest.skip(f"npm package {package} is not installed in {PEERS}; `make test-peers` does it")
        port = take()
        process = subprocess.Popen(
            ["node", "-e", script, str(port)], stdout=subprocess.PIPE, env=os.environ | {"NODE_PATH": str(PEERS)}
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        return port

    yield start
    for process in processes:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.mark.peer
@pytest.mark.parametrize(("package", "script"), [("modbus-serial", MODBUS_SERIAL), ("jsmodbus", JSMODBUS)])
async def test_a_panel_behind_another_authors_server(
    node: Callable[[str, str], int], package: str, script: str
) -> None:
    port = node(package, script)
    async with running(port, PANEL) as (plc, heard):
        await heard.until(lambda: heard.changes)
        await plc.write({"push_slots": 1, "show_seq": 77})
        await heard.until(lambda: len(heard.changes) > 1)
        assert heard.changes[1][0] == {"slot_present": 77}
        assert heard.quality is Quality.GOOD


@pytest.mark.peer
async def test_a_short_answer_that_calls_itself_success_is_not_believed(node: Callable[[str, str], int]) -> None:
    """jsmodbus answers a read beyond its memory with success and no registers."""
    port = node("jsmodbus", JSMODBUS)
    async with running(port, (Tag("far", "input", 500),)) as (_, heard):
        await heard.until(lambda: "0 values came instead of 1" in heard.states[-1].text)
        assert heard.quality is Quality.BAD
        assert heard.changes == []
