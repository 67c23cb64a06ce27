"""A floor of two levels that two lifts join: twins, the lifts' edge, the dispatcher, and transports for all."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from contracts.ids import CellId, DeviceId, EdgeId, LiftId, NodeId, PodId, RobotId, SiteId
from contracts.layout import Edge, Layout, Node, NodeKind
from contracts.runtime.clock import LoopClock
from contracts.runtime.floor.memory import MemoryBroker
from contracts.runtime.log.memory import MemoryStore
from contracts.site import Cell, Device, Lift, Pod, Robot, Site
from controllers.ports import Driver
from controllers.tags import TABLES
from deploy.bench.haulage import Haulage
from dispatcher.service import Dispatcher
from dispatcher.settings import DispatcherSettings
from edge.daemon import Edge as EdgeProcess
from edge.settings import EdgeSettings
from simulators.catalogue import Catalogue
from simulators.lift import LiftTwin, install_lift
from simulators.links import PlcLink
from simulators.robot import RobotTwin
from simulators.tag_bank import TagBank
from simulators.virtual_time import run
from simulators.world import World

T = TypeVar("T")
START_MS = 1_386_000_000_000
LIFTS = (LiftId("L1"), LiftId("L2"))
WIDE, HIGH = 6, 3


def two_levels(robots: int) -> Site:
    """Return two levels, each six by three crossings with bays above and below, and a lift at either end."""
    nodes: list[Node] = []
    ways: list[tuple[str, str]] = []
    for mark, level in (("g", ""), ("u", "upper")):
        for x in range(WIDE):
            for y in range(HIGH):
                nodes.append(Node(NodeId(f"{mark}{x}{y}"), 2.0 * x, 2.0 * y, level=level))
                ways += [(f"{mark}{x}{y}", f"{mark}{x + 1}{y}")] * (x + 1 < WIDE)
                ways += [(f"{mark}{x}{y}", f"{mark}{x}{y + 1}")] * (y + 1 < HIGH)
            for y, street in ((-1, 0), (HIGH, HIGH - 1)):
                bay = f"{mark}{x}{'b' if y < 0 else 't'}"
                nodes.append(Node(NodeId(bay), 2.0 * x, 2.0 * y, NodeKind.STORAGE, level=level))
                ways.append((bay, f"{mark}{x}{street}"))
        for lift, x, landing in zip(LIFTS, (-2.0, 2.0 * WIDE), (0, WIDE - 1), strict=True):
            nodes.append(Node(NodeId(f"{mark}{lift}"), x, 2.0, NodeKind.LIFT, level=level, lift=lift))
            ways.append((f"{mark}{lift}", f"{mark}{landing}1"))
    ways += [(f"g{lift}", f"u{lift}") for lift in LIFTS]
    edges = [Edge(EdgeId(f"{u}_{v}"), NodeId(u), NodeId(v)) for a, b in ways for u, v in ((a, b), (b, a))]
    bays = [n.id for n in nodes if n.kind is NodeKind.STORAGE]
    cell = CellId("lifts")
    return Site(
        id=SiteId("levels"), layout=Layout("levels", "ground", "1", tuple(nodes), tuple(edges)),
        pods=tuple(Pod(PodId(f"P{k}"), bays[2 * k + 1], ()) for k in range(robots)), stations=(), chutes=(), doors=(),
        cells=(Cell(cell, "lifts", tuple(
            Device(DeviceId(f"{name}-plc"), "lift", "modbus", f"modbus://127.0.0.1:{5020 + k}/1", name)
            for k, name in enumerate(LIFTS)
        )),),
        robots=tuple(Robot(RobotId(f"R{k}"), "Test", bays[2 * k]) for k in range(robots)), line_length_m=0.0,
        infeed_m={}, lifts=tuple(Lift(n, cell, (NodeId(f"g{n}"), NodeId(f"u{n}"))) for n in LIFTS),
    )  # fmt: skip


class LiftFloor:
    """Everything of the two levels in one event loop on virtual time."""

    def __init__(self, robots: int, seed: int) -> None:
        self.site, self.clock = two_levels(robots), LoopClock(START_MS)
        self.broker, self.store = MemoryBroker(), MemoryStore()
        self.world = World(self.site, Catalogue((), ()), (), self.clock)
        self.banks = {d.id: TagBank(d.id, TABLES["lift"]) for c in self.site.cells for d in c.devices}
        self.lifts: dict[LiftId, LiftTwin] = {
            lift.id: install_lift(lift, self.banks[DeviceId(f"{lift.id}-plc")], self.world, self.clock)
            for lift in self.site.lifts
        }
        self.twins = [RobotTwin(r, self.site, self.broker, self.clock, self.world, seed) for r in self.site.robots]
        settings = DispatcherSettings(journal=None, fsync=False, publish_views=False)
        self.dispatcher = Dispatcher(settings, self.site, self.broker, self.store.connect("dispatcher"), self.clock)
        self.books = Haulage(self.site, self.store.connect("books"), seed)

    def open(self, device: Device) -> Driver:
        """Open a link in memory to a lift's controller."""
        return PlcLink(self.banks[device.id], self.clock)

    async def begin(self, group: asyncio.TaskGroup) -> None:
        edge = EdgeProcess(EdgeSettings(), self.site, "all", self.broker, self, self.clock)
        for part in (edge, self.dispatcher, self.books, *self.twins):
            group.create_task(part.run(), name=getattr(part, "name", "books"))
        await self.dispatcher.ready.wait()
        for _ in self.twins:
            await self.books.order()


def play(robots: int, seed: int, scene: Callable[[LiftFloor], Awaitable[T]]) -> T:
    """Run a scene on the floor, from its first transports on."""

    async def whole() -> T:
        floor = LiftFloor(robots, seed)
        group = asyncio.TaskGroup()
        async with group:
            await floor.begin(group)
            told = await scene(floor)
            for task in list(group._tasks):
                task.cancel()
        return told

    return run(whole())
