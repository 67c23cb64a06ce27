"""A bench for the dispatcher's core: a small site, robots that do at once what they are told, and a record of commands.

The map: two roads (rows 0 and 3) joined at both ends (the left end through fire door D1), pods between them, two
stations below, chargers and parking places above. The robots hold the dispatcher to the rules of VDA 5050.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from contracts.ids import (
    BinId,
    CellId,
    ChuteId,
    DoorId,
    EdgeId,
    ItemId,
    NodeId,
    OrderId,
    PodId,
    RobotId,
    SiteId,
    StationId,
    TaskId,
    ToteId,
)
from contracts.layout import Edge, Layout, Node, NodeKind
from contracts.messages.facts import FactBody, FactsAck
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
    PresentPod,
    PushTote,
    RouteTote,
    ToteDiverted,
    TotePushed,
)
from contracts.messages.work import Convey, Pack, Pick, Work
from contracts.site import Bin, Cell, Chute, Door, Pod, Robot, Site, Station
from contracts.vda5050 import v2
from dispatcher.commands import AckEvents, Command, SendEdgeCommand, SendInstantActions, SendOrder, TellCentral
from dispatcher.core import Core
from dispatcher.facts import AckHeard, AnswerHeard, EventHeard, Fact, RobotState, Timer, Trouble, WorkClosed, WorkOpened
from dispatcher.fleet.member import Vehicle
from dispatcher.params import Params
from dispatcher.world import World

MAKER = "Bench"
SITE_ID = SiteId("bench")
LINE, DOORS = CellId("line"), CellId("doors")


def small_site(robots: int = 2, *, slots: int = 2, chute_capacity: int = 2, door: bool = True) -> Site:
    nodes: dict[str, Node] = {}
    edges: list[Edge] = []

    def node(name: str, x: int, y: int, kind: NodeKind = NodeKind.AISLE, door_id: str | None = None) -> None:
        nodes[name] = Node(NodeId(name), float(x), float(y), kind, None if door_id is None else DoorId(door_id))

    def way(a: str, b: str, *, both: bool = True) -> None:
        edges.append(Edge(EdgeId(f"{a}-{b}"), NodeId(a), NodeId(b), 1.5))
        if both:
            way(b, a, both=False)

    for x in range(8):
        node(f"a{x}", x, 0)
        node(f"b{x}", x, 3)
    for x in range(7):
        way(f"a{x}", f"a{x + 1}")
        way(f"b{x}", f"b{x + 1}")
    node("d", 0, 1, NodeKind.DOOR if door else NodeKind.AISLE, "D1" if door else None)
    node("e", 7, 1)
    for middle, end in (("d", 0), ("e", 7)):
        way(f"a{end}", middle)
        way(middle, f"b{end}")
    for x in range(1, 7):
        node(f"s{x}", x, 1, NodeKind.STORAGE)
        node(f"t{x}", x, 2, NodeKind.STORAGE)
        way(f"a{x}", f"s{x}")
        way(f"b{x}", f"t{x}")
    for k, x in ((1, 1), (2, 5)):
        node(f"q{k}", x, -1, NodeKind.QUEUE)
        node(f"w{k}", x + 1, -1, NodeKind.STATION)
        node(f"x{k}", x + 2, -1)
        way(f"a{x}", f"q{k}", both=False)
        way(f"q{k}", f"w{k}", both=False)
        way(f"w{k}", f"x{k}", both=False)
        way(f"x{k}", f"a{x + 2}", both=False)
    for k, x, kind in (
        (1, 1, NodeKind.CHARGER),
        (2, 2, NodeKind.CHARGER),
        (3, 4, NodeKind.PARK),
        (4, 5, NodeKind.PARK),
    ):
        node(f"p{k}", x, 4, kind)
        way(f"b{x}", f"p{k}")
    homes = ["s1", "s2", "s4", "s6", "t1", "t3", "t5"]
    return Site(
        id=SITE_ID,
        layout=Layout("bench", "floor", "1", tuple(nodes.values()), tuple(edges)),
        pods=tuple(Pod(PodId(f"P{k}"), NodeId(h), (Bin(BinId(f"P{k}-1"), 0, 0, 0),)) for k, h in enumerate(homes)),
        stations=tuple(
            Station(
                StationId(f"S{k}"),
                "pick",
                CellId(f"station-S{k}"),
                (NodeId(f"q{k}"), NodeId(f"w{k}")),
                NodeId(f"x{k}"),
                slots,
            )
            for k in (1, 2)
        ),
        chutes=tuple(Chute(ChuteId(f"C{k}"), LINE, float(k), chute_capacity) for k in (1, 2)),
        doors=(Door(DoorId("D1"), DOORS, (NodeId("d"),)),) if door else (),
        cells=tuple(
            Cell(CellId(name), kind, ())
            for name, kind in (
                ("station-S1", "station"),
                ("station-S2", "station"),
                ("line", "line"),
                ("doors", "doors"),
            )
        ),
        robots=tuple(
            Robot(RobotId(f"R{k}"), MAKER, NodeId(f"a{3 + k}" if k < 5 else f"b{k - 2}")) for k in range(1, robots + 1)
        ),
        line_length_m=20.0,
        infeed_m={StationId("S1"): 1.0, StationId("S2"): 2.0},
    )


def pick(order: str, k: int, pod: int, *, attempt: int = 1, due_ms: int = 10_000_000, priority: int = 0) -> Pick:
    tote = ToteId(f"T-{order}-1")
    return Pick(
        TaskId(f"P-{tote}-{k}"),
        attempt,
        OrderId(order),
        k,
        tote,
        ItemId("I1"),
        "4000000000000",
        1,
        100,
        PodId(f"P{pod}"),
        BinId(f"P{pod}-1"),
        due_ms,
        priority,
    )


def tote_work(order: str, pods: list[int], *, due_ms: int = 10_000_000, priority: int = 0) -> list[Work]:
    """Return the work of one tote: a pick from each pod, its convey and its pack."""
    tote = ToteId(f"T-{order}-1")
    picks: list[Work] = [pick(order, k, pod, due_ms=due_ms, priority=priority) for k, pod in enumerate(pods)]
    return [
        *picks,
        Convey(TaskId(f"C-{tote}"), 1, OrderId(order), tote, due_ms, priority),
        Pack(TaskId(f"K-{tote}"), 1, OrderId(order), tote, due_ms, priority),
    ]


@dataclass
class BenchRobot:
    """Does at once what it is told, and refuses what VDA 5050 forbids by failing the test."""

    id: RobotId
    node: NodeId
    manual: bool = False
    """It only does what `drive` lets it."""
    deaf: bool = False
    """It hears nothing."""
    silent: bool = False
    order_id: str = ""
    update: int = 0
    seq: int = 0
    base: list[tuple[NodeId, int]] = field(default_factory=list)
    horizon: int = 0
    actions: dict[str, str] = field(default_factory=dict)
    todo: list[v2.Action] = field(default_factory=list)
    loads: tuple[str, ...] = ()
    battery: float = 0.9
    charging: bool = False
    paused: bool = False
    automatic: bool = True
    troubles: tuple[Trouble, ...] = ()
    fails: int = 0
    """So many of its next actions fail."""
    balks: int = 0
    """So often its actions fail and wait for a decision (3.0: RETRIABLE)."""

    def take(self, order: v2.Order) -> None:
        first, released = order.nodes[0], [n for n in order.nodes if n.released]
        assert all(n.sequence_id % 2 == 0 for n in order.nodes)
        assert all(e.sequence_id % 2 == 1 for e in order.edges)
        assert [n.sequence_id for n in order.nodes] == list(
            range(first.sequence_id, first.sequence_id + 2 * len(order.nodes), 2)
        )
        assert len(order.edges) == len(order.nodes) - 1
        flags = [n.released for n in order.nodes]
        assert flags == sorted(flags, reverse=True)
        if order.order_id != self.order_id:
            assert not self.base, f"{self.id} is not at the end of {self.order_id}, {order.order_id} comes"
            assert self.horizon == 0
            assert order.order_update_id == 0
            assert (first.node_id, first.sequence_id) == (self.node, 0)
            self.order_id, self.seq, self.actions, self.todo = order.order_id, 0, {}, []
        elif order.order_update_id <= self.update:
            return
        else:
            assert order.order_update_id == self.update + 1
            last = self.base[-1] if self.base else (self.node, self.seq)
            assert (first.node_id, first.sequence_id) == last
        self.update = order.order_update_id
        self.base.extend((NodeId(n.node_id), n.sequence_id) for n in released[1:])
        self.horizon = len(order.nodes) - len(released)
        for n in released if order.order_update_id == 0 else released[1:]:
            for a in n.actions:
                assert a.action_id not in self.actions
                self.actions[a.action_id] = "WAITING"
                self.todo.append(a)

    def drive(self, nodes: int | None = None) -> None:
        """Drive some nodes of the base, or all; at its end do the actions."""
        if self.paused or any(t.fatal for t in self.troubles):
            return
        for _ in range(len(self.base) if nodes is None else nodes):
            if self.base:
                self.node, self.seq = self.base.pop(0)
        if not self.base:
            for a in list(self.todo):
                if self.balks:
                    self.balks -= 1
                    self.actions[a.action_id] = "RETRIABLE"
                    return
                self.todo.remove(a)
                if self.fails:
                    self.fails -= 1
                    self.actions[a.action_id] = "FAILED"
                    continue
                self.actions[a.action_id] = "FINISHED"
                if a.action_type == "pick":
                    self.loads = (str(a.parameter("loadId")),)
                elif a.action_type == "drop":
                    self.loads = ()
                elif a.action_type in {"startCharging", "stopCharging"}:
                    self.charging = a.action_type == "startCharging"

    def do(self, message: v2.InstantActions) -> None:
        for a in message.actions:
            self.actions[a.action_id] = "FINISHED"
            if a.action_type == "cancelOrder":
                self.actions |= {t.action_id: "FAILED" for t in self.todo}
                self.base, self.horizon, self.todo = [], 0, []
            elif a.action_type in {"startPause", "stopPause"}:
                self.paused = a.action_type == "startPause"
                if not self.manual:
                    self.drive()
            elif a.action_type in {"retry", "skipRetry"}:
                held = str(a.parameter("actionId"))
                assert self.actions[held] == "RETRIABLE", f"{held} does not wait for a decision"
                if a.action_type == "retry":
                    self.drive()
                else:
                    self.actions[held] = "FAILED"
                    self.todo = [t for t in self.todo if t.action_id != held]
                    self.drive()

    def state(self) -> RobotState:
        return RobotState(
            robot=self.id,
            manufacturer=MAKER,
            order_id=self.order_id,
            order_update_id=self.update,
            node=self.node,
            seq=self.seq,
            driving=False,
            paused=self.paused,
            base_left=len(self.base),
            horizon_left=self.horizon,
            actions=tuple(self.actions.items()),
            loads=self.loads,
            battery=self.battery,
            charging=self.charging,
            automatic=self.automatic,
            troubles=self.troubles,
        )


class Bench:
    """A core on the bench. `sent` are all commands so far; the floor answers unless told otherwise."""

    def __init__(self, site: Site | None = None, params: Params | None = None, *, start: bool = True) -> None:
        self.site = site or small_site()
        self.core = Core(self.site, params or Params(), 1)
        self.now_ms = 1_000_000
        self.sent: list[Command] = []
        self.heard: list[Fact] = []
        self.robots = {r.id: BenchRobot(r.id, r.start) for r in self.site.robots}
        self.people = True
        """Stations confirm picks, totes are pushed, diverted and packed, doors move: at once."""
        self.central = True
        """Facts are acknowledged and their tasks closed at once."""
        self.answering = True
        self.seq = 0
        self._beat_ms = self.now_ms + 30_000
        if start:
            self.hear(*(r.state() for r in self.robots.values()))

    @property
    def world(self) -> World:
        return self.core.world

    def vehicle(self, name: str) -> Vehicle:
        return self.world.vehicles[RobotId(name)]

    def robot(self, name: str) -> BenchRobot:
        return self.robots[RobotId(name)]

    def hear(self, *facts: Fact) -> list[Command]:
        """Let the core hear facts, and the floor do what it commands; returns the commands of the first step."""
        first: list[Command] | None = None
        waiting: list[Fact] = list(facts)
        for _ in range(10_000):
            self.heard.extend(waiting)
            commands = self.core.step(self.now_ms, waiting)
            first = commands if first is None else first
            self.sent.extend(commands)
            waiting = list(self._follow(commands))
            if not waiting:
                return first
        raise AssertionError("the floor and the core talk for ever")

    def work(self, *tasks: Work) -> list[Command]:
        return self.hear(*(WorkOpened(t) for t in tasks))

    def wait(self, seconds: float) -> None:
        """Let time pass, step by step as the core asks for it; robots say their state every 30 s."""
        end = self.now_ms + round(seconds * 1000)
        while True:
            due = self.core.next_due_ms
            if self._beat_ms <= min(end, self._beat_ms if due is None else due):
                self.now_ms = max(self._beat_ms, self.now_ms)
                self._beat_ms += 30_000
                self.hear(*(r.state() for r in self.robots.values() if not r.silent and not r.deaf))
            elif due is not None and due <= end:
                self.now_ms = max(due, self.now_ms)
                self.hear(Timer())
            else:
                break
        self.now_ms = end

    def event(self, cell: str, body: EventBody) -> EventHeard:
        self.seq += 1
        return EventHeard(EdgeEvent(CellId(cell), 1, self.seq, self.now_ms, 0, body))

    # ------------------------------------------------------------------------------------------ what was commanded

    def told(self, kind: type[FactBody]) -> list[FactBody]:
        return [c.fact.body for c in self.sent if isinstance(c, TellCentral) and isinstance(c.fact.body, kind)]

    def commanded(self, kind: type[CommandBody]) -> list[CommandBody]:
        return [
            c.command.body for c in self.sent if isinstance(c, SendEdgeCommand) and isinstance(c.command.body, kind)
        ]

    def orders(self, robot: str) -> list[v2.Order]:
        return [c.order for c in self.sent if isinstance(c, SendOrder) and c.order.serial_number == robot]

    def acked(self) -> list[tuple[int, int]]:
        return [e for c in self.sent if isinstance(c, AckEvents) for e in c.ack.events]

    # ----------------------------------------------------------------------------------------------------- the floor

    def _follow(self, commands: list[Command]) -> Iterator[Fact]:
        covered = 0
        for c in commands:
            if isinstance(c, SendOrder):
                robot = self.robots[RobotId(c.order.serial_number)]
                if robot.deaf:
                    continue
                robot.take(c.order)
                if not robot.manual:
                    robot.drive()
                if not robot.silent:
                    yield robot.state()
            elif isinstance(c, SendInstantActions):
                robot = self.robots[RobotId(c.message.serial_number)]
                if not robot.deaf:
                    robot.do(c.message)
                    if not robot.silent:
                        yield robot.state()
            elif isinstance(c, SendEdgeCommand):
                yield from self._edge(c.command)
            elif isinstance(c, TellCentral) and self.central:
                covered = max(covered, c.fact.seq)
                task = getattr(c.fact.body, "task", None)
                if task is not None and type(c.fact.body).__name__ in {"PickDone", "ToteArrived", "TotePacked"}:
                    yield WorkClosed(task)
        if covered:
            yield AckHeard(FactsAck(SITE_ID, self.core.epoch, covered))

    def _edge(self, command: EdgeCommand) -> Iterator[Fact]:
        if self.answering:
            yield AnswerHeard(EdgeAnswer(command.id, command.cell, Outcome.ACCEPTED, ""))
        if not self.people:
            return
        body = command.body
        match body:
            case PresentPod():
                for p in body.picks:
                    yield self.event(command.cell, PickConfirmed(p.task, p.attempt, p.qty, "", p.barcode, 100))
            case PushTote():
                yield self.event(command.cell, TotePushed(body.tote, body.slot))
            case RouteTote():
                yield self.event(command.cell, ToteDiverted(body.tote, body.chute))
            case PackTote():
                yield self.event(command.cell, PackConfirmed(body.tote, body.chute, body.tote, 500))
            case MoveDoor():
                yield self.event(command.cell, DoorChanged(body.door, "open" if body.open else "closed", body.ask))
            case OpenTote():
                pass
