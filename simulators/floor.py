"""The whole simulated floor as one service: the world, its robots, people and devices, and what goes wrong."""

import asyncio
import random
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import msgspec

from contracts.errors import Rejected
from contracts.ids import DeviceId, DoorId, LiftId, RobotId
from contracts.runtime.clock import Clock
from contracts.runtime.floor import FloorConnector
from contracts.site import Cell, Device, Robot, Site
from controllers.ports import Driver
from controllers.tags import TABLES
from simulators.camera import CameraTwin
from simulators.catalogue import Catalogue, StockRow
from simulators.door import DoorTwin
from simulators.lift import LiftTwin, install_lift
from simulators.line import LineTwin
from simulators.links import CameraLink, PlcLink, PrinterLink, ScaleLink, ScannerLink
from simulators.memory import FloorMemory, RobotMemory, SlotMemory, read_memory, write_memory
from simulators.packer import PackerTwin
from simulators.params import FloorParams
from simulators.picker import Hands, PickerTwin
from simulators.printer import PrinterTwin
from simulators.robot import RobotParams, RobotTwin
from simulators.scale import ScaleTwin
from simulators.scanner import ScannerTwin
from simulators.scenario import Incident, Scenario, Trouble
from simulators.site import stock
from simulators.tag_bank import TagBank
from simulators.twin import Twin
from simulators.world import World

_REMEMBER_S = 0.5
"""Besides whenever a pod was lifted or set down: it stands where it stands, also after a kill."""


class SimulatedFloor:
    """Everything that stands on the floor of a site; a service.

    It opens its devices as drivers in memory (`controllers.ports.Devices`); `simulators.serve` serves the same twins
    over their real protocols.

    Parameters
    ----------
    site, catalogue
        What there is. The bins are filled from the catalogue by the seed; `rows` replaces that.
    floor
        The broker that robots connect to; None: a floor without robots.
    seed
        Of every twin: each has a generator seeded by ``f"{seed}/{name}"``.
    params, robots, scenario
        People and devices, how robots are built, and what goes wrong.
    memory
        A file: the floor goes on where it says that it stood, and writes it every two seconds and at its end. For real
        time only.

    Raises
    ------
    Rejected
        The site lacks a device that people need, or the memory is damaged or of another site.
    """

    def __init__(
        self,
        site: Site,
        catalogue: Catalogue,
        floor: FloorConnector | None,
        clock: Clock,
        seed: int,
        params: FloorParams | None = None,
        *,
        robots: RobotParams | None = None,
        scenario: Scenario | None = None,
        rows: Iterable[StockRow] | None = None,
        memory: Path | None = None,
    ) -> None:
        self.name, self.ready = "simulated floor", asyncio.Event()
        self.site, self._clock, self._seed = site, clock, seed
        self.params = params = params or FloorParams()
        self.world = World(site, catalogue, stock(site, catalogue, seed) if rows is None else rows, clock)
        self.twins: dict[DeviceId, Twin] = {}
        self.doors: dict[DoorId, DoorTwin] = {}
        self.lifts: dict[LiftId, LiftTwin] = {}
        self.pickers: list[PickerTwin] = []
        self.packers: list[PackerTwin] = []
        for cell in site.cells:
            for device in cell.devices:
                if (twin := self._twin(device)) is not None:
                    self.twins[device.id] = twin
        self.line = self._line()
        for cell in site.cells:
            if cell.kind == "station":
                self._station(cell)
            elif cell.kind == "doors":
                self._doors(cell)
            elif cell.kind == "lifts":
                self._lifts(cell)
        self._memory, self._written = memory, b""
        before = read_memory(memory) if memory is not None else None
        if before is not None and before.site != site.id:
            raise Rejected("memory", before.site, f"of site {site.id}; remove {memory}")
        self._connector, self._built = floor, robots
        self._group: asyncio.TaskGroup | None = None
        self.robots: dict[RobotId, RobotTwin] = {}
        if floor is not None:
            for robot in site.robots:
                self.robots[robot.id] = self._robot(robot, floor, robots, before)
        if before is not None:
            self._resume(before)
        self._incidents = (scenario or Scenario()).incidents(site, seed)

    async def run(self) -> None:
        """Let everybody work until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for robot in self.robots.values():
                group.create_task(robot.run(), name=robot.name)
            if self.params.picks:
                for picker in self.pickers:
                    group.create_task(picker.run(), name=f"picker {picker.station.id}")
                for k, packer in enumerate(self.packers):
                    group.create_task(packer.run(), name=f"packer {k}")
            group.create_task(self._troubles(), name="scenario")
            if self._memory is not None:
                group.create_task(self._remember(self._memory), name="floor memory")
            for robot in self.robots.values():
                await robot.ready.wait()
            self.ready.set()

    def open(self, device: Device) -> Driver:
        """Open a new link in memory to a device of this floor.

        Raises
        ------
        Rejected
            The device is not of this site.
        """
        match self.twins.get(device.id):
            case ScannerTwin() as twin:
                return ScannerLink(twin, self._clock)
            case ScaleTwin() as twin:
                return ScaleLink(twin, self._clock)
            case PrinterTwin() as twin:
                return PrinterLink(twin, self._clock)
            case CameraTwin() as twin:
                return CameraLink(twin, self._clock)
            case TagBank() as twin:
                return PlcLink(twin, self._clock)
            case _:
                raise Rejected("device", device.id, f"a device of site {self.site.id}")

    def add_robot(self, robot: Robot) -> None:
        """Put one more robot onto the floor while it runs; nobody knows it yet.

        Raises
        ------
        Rejected
            There is one of that name, somebody stands there, or the floor does not run.
        """
        if robot.id in self.robots or self.world.occupied((robot.start,)):
            raise Rejected("robot", robot.id, f"a new one, and {robot.start} free")
        if self._connector is None or self._group is None:
            raise Rejected("robot", robot.id, "a floor with robots that runs")
        twin = self.robots[robot.id] = self._robot(robot, self._connector, self._built, None)
        self._group.create_task(twin.run(), name=twin.name)

    def set_pace(self, pace: float) -> None:
        """Let all people work faster or slower from now on; their times are divided by it."""
        for picker in self.pickers:
            picker.set_pace(pace)
        for packer in self.packers:
            packer.set_pace(pace)

    @property
    def driven_m(self) -> float:
        """How far all robots have driven."""
        return sum(r.drive.driven_m for r in self.robots.values())

    @property
    def pod_visits(self) -> int:
        """How often a pod was brought to stand at a station."""
        return self.world.pod_visits

    def busy_share(self, first_ms: int, last_ms: int) -> float:
        """Return the share of the robots' time between two moments in which they drove or carried a pod.

        All driving is taken to have been between the two, as on a day that begins and ends at rest.
        """
        span_ms = (last_ms - first_ms) * len(self.robots)
        return min(1.0, self.world.busy_ms() / span_ms) if span_ms > 0 else 0.0

    # --------------------------------------------------------------------------------------------------------- memory

    def remembered(self) -> FloorMemory:
        """Return all that is to be remembered."""
        world = self.world
        robots = {}
        for name, robot in self.robots.items():
            if nodes := world.nodes_of(name):
                robots[name] = RobotMemory(nodes[-1], robot.battery.level, world.load.get(name))
        return FloorMemory(
            site=self.site.id,
            pods=world.pod_at,
            robots=robots,
            bins={b: content for b, content in world.bins.items() if content},
            slots=tuple(SlotMemory(s, k, tote) for (s, k), tote in world.slots.items()),
            line=self.line.where(),
            packing={c.id: p.hand for c, p in zip(self.site.chutes, self.packers, strict=True) if p.hand is not None},
            registers={d: t.values for d, t in self.twins.items() if isinstance(t, TagBank)},
            hands={p.station.id: p.hands() for p in self.pickers},
        )

    def _resume(self, before: FloorMemory) -> None:
        world = self.world
        world.pod_at = dict(before.pods)
        world.load = {name: robot.pod for name, robot in before.robots.items() if robot.pod is not None}
        world.bins.update({b: before.bins.get(b, {}) for b in world.bins})
        world.slots = {(s.station, s.slot): s.tote for s in before.slots}
        for device, values in before.registers.items():
            bank = self.twins.get(device)
            if isinstance(bank, TagBank):
                bank.values.update({n: v for n, v in values.items() if n in bank.table})
        self.line.resume(before.line)
        for k, chute in enumerate(self.site.chutes):
            if (tote := before.packing.get(chute.id)) is not None:
                self.line.on_chute[k].appendleft(tote)
        for picker in self.pickers:
            picker.resume(before.hands.get(picker.station.id, Hands()))
        for door in self.doors.values():
            door.resume()
        for lift in self.lifts.values():
            lift.resume()

    async def _remember(self, path: Path) -> None:
        self.world.pod_moved = lambda: self._write(path)
        try:
            while True:
                await asyncio.sleep(_REMEMBER_S)
                self._write(path)
        finally:
            self._write(path)

    def _write(self, path: Path) -> None:
        memory = msgspec.json.encode(self.remembered())
        if memory != self._written:
            write_memory(path, memory)
            self._written = memory

    # ------------------------------------------------------------------------------------------------------- building

    def _robot(
        self, robot: Robot, floor: FloorConnector, params: RobotParams | None, before: FloorMemory | None
    ) -> RobotTwin:
        was = before.robots.get(robot.id) if before is not None else None
        if was is None:
            return RobotTwin(robot, self.site, floor, self._clock, self.world, self._seed, params)
        params = msgspec.structs.replace(params or RobotParams(), level=(was.level, was.level))
        robot = msgspec.structs.replace(robot, start=was.node)
        twin = RobotTwin(robot, self.site, floor, self._clock, self.world, self._seed, params)
        if was.pod is not None:
            twin._carry(was.pod)  # noqa: SLF001 - it is loaded from the beginning
        return twin

    def _rng(self, name: str) -> random.Random:
        return random.Random(f"{self._seed}/{name}")

    def _twin(self, device: Device) -> Twin | None:
        match device.role:
            case "scanner":
                return ScannerTwin(device.id, self._rng(device.id), self.params.no_read)
            case "scale":
                return ScaleTwin(device.id, self._clock, self._rng(device.id), self.params.settle_s)
            case "printer":
                return PrinterTwin(device.id)
            case "panel" | "line" | "door" | "lift":
                return TagBank(device.id, TABLES[device.role])
            case "camera":
                return None  # needs its station's panel
            case role:
                raise Rejected(f"devices/{device.id}/role", role, "a role that a twin exists for")

    def _of(self, cell: Cell, role: str, serves: str | None = None) -> DeviceId:
        for device in cell.devices:
            if device.role == role and (serves is None or device.serves == serves):
                return device.id
        raise Rejected(f"cells/{cell.id}/devices", role, f"there, for {serves or cell.kind}")

    def _line(self) -> LineTwin:
        cell = next((c for c in self.site.cells if c.kind == "line"), None)
        if cell is None:
            raise Rejected("cells", [c.kind for c in self.site.cells], "with one of kind 'line'")
        bank, scanner = self.twins[self._of(cell, "line")], self.twins[self._of(cell, "scanner", "")]
        assert isinstance(bank, TagBank)  # noqa: S101 - by its role
        assert isinstance(scanner, ScannerTwin)  # noqa: S101 - by its role
        line = LineTwin(self.site, bank, scanner, self._clock, self.params.belt_mps)
        for k, chute in enumerate(self.site.chutes):
            reader, scale = (
                self.twins[self._of(cell, "scanner", chute.id)],
                self.twins[self._of(cell, "scale", chute.id)],
            )
            assert isinstance(reader, ScannerTwin)  # noqa: S101 - by its role
            assert isinstance(scale, ScaleTwin)  # noqa: S101 - by its role
            rng = self._rng(f"packer {chute.id}")
            self.packers.append(PackerTwin(k, self.world, line, reader, scale, self._clock, rng, self.params.pace))
        return line

    def _station(self, cell: Cell) -> None:
        station = next(s for s in self.site.stations if s.cell == cell.id)
        panel, scanner = self.twins[self._of(cell, "panel")], self.twins[self._of(cell, "scanner")]
        scale, printer = self.twins[self._of(cell, "scale")], self.twins[self._of(cell, "printer")]
        assert isinstance(panel, TagBank)  # noqa: S101 - by its role
        assert isinstance(scanner, ScannerTwin)  # noqa: S101 - by its role
        assert isinstance(scale, ScaleTwin)  # noqa: S101 - by its role
        assert isinstance(printer, PrinterTwin)  # noqa: S101 - by its role
        for device in cell.devices:
            if device.role == "camera":
                self.twins[device.id] = CameraTwin(device.id, station, self.world, panel, self._rng(device.id))
        if station.kind == "pick":
            rng = self._rng(f"picker {station.id}")
            self.pickers.append(
                PickerTwin(
                    station, self.world, panel, scanner, scale, printer, self.line, self._clock, rng, self.params
                )
            )

    def _doors(self, cell: Cell) -> None:
        for door in self.site.doors:
            if door.cell != cell.id:
                continue
            bank = self.twins[self._of(cell, "door", door.id)]
            assert isinstance(bank, TagBank)  # noqa: S101 - by its role
            twin = DoorTwin(door.id, bank, self._clock, partial(self.world.occupied, door.nodes), self.params.door_s)
            self.doors[door.id] = twin
            self.world.door_passable[door.id] = partial(getattr, twin, "passable")
            for node in door.nodes:
                self.world.watch(node, twin.look)

    def _lifts(self, cell: Cell) -> None:
        for lift in self.site.lifts:
            if lift.cell == cell.id:
                bank = self.twins[self._of(cell, "lift", lift.id)]
                assert isinstance(bank, TagBank)  # noqa: S101 - by its role
                self.lifts[lift.id] = install_lift(lift, bank, self.world, self._clock, self.params.door_s)

    # -------------------------------------------------------------------------------------------------------- trouble

    async def _troubles(self) -> None:
        start_ms = self._clock.now_ms()
        for incident in self._incidents:
            await self._clock.sleep(max(0.0, incident.at_s - (self._clock.now_ms() - start_ms) / 1000))
            self.begin(incident)

    def begin(self, incident: Incident) -> None:
        """Let one trouble begin; it ends by itself."""
        subject = incident.subject
        match incident.trouble:
            case Trouble.ROBOT_ERROR:
                self.robots[RobotId(subject)].fail("driveError", "a wheel slips", incident.for_s)
            case Trouble.ROBOT_OFFLINE:
                self.robots[RobotId(subject)].go_offline(incident.for_s)
            case Trouble.DEVICE_DOWN:
                twin = self.twins[DeviceId(subject)]
                twin.fail("out of order")
                self._clock.call_later(incident.for_s, twin.repair)
            case Trouble.JAM:
                self.line.jam()
                self._clock.call_later(incident.for_s, self.line.free)
            case Trouble.FIRE_ALARM:
                door = self.doors[DoorId(subject)]
                door.alarm(raised=True)
                self._clock.call_later(incident.for_s, lambda: door.alarm(raised=False))
