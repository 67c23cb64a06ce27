"""All that the core knows: plain values in ordered containers, changed by the phases and by nothing else."""

from dataclasses import dataclass, field
from enum import StrEnum

from contracts.ids import (
    CellId,
    ChuteId,
    DoorId,
    EdgeId,
    LiftId,
    MissionId,
    NodeId,
    OrderId,
    PodId,
    RobotId,
    StationId,
    TaskId,
    ToteId,
)
from contracts.layout import NodeKind
from contracts.messages.facts import AlarmCleared, AlarmRaised, Fact, FactBody
from contracts.messages.floor import CommandBody, EdgeCommand, EventAck
from contracts.messages.ops import OpsAnswer
from contracts.messages.work import Convey, Member, Pack, Pick
from contracts.site import Chute, Door, Lift, Site, Station
from dispatcher.commands import AckEvents, Command, SendEdgeCommand, TellCentral
from dispatcher.fleet.member import Vehicle
from dispatcher.fleet.order import OrderWriter
from dispatcher.haul import Haul
from dispatcher.outbox import Cause, Outbox
from dispatcher.params import Params
from dispatcher.timers import Timers
from dispatcher.traffic.engine import Traffic

REMEMBERED = 20_000
"""How many tasks that we told central of, or that it closed, are remembered against late repetitions."""


class PickState(StrEnum):
    """How far a pick is, as the dispatcher knows."""

    OPEN = "open"
    PRESENTED = "presented"
    TOLD = "told"


@dataclass(slots=True)
class PickTask:
    """A pick that central has not closed yet."""

    work: Pick
    state: PickState = PickState.OPEN


class Place(StrEnum):
    """Where a tote is."""

    WAITING = "waiting"
    """For a slot."""
    STANDING = "standing"
    PUSHING = "pushing"
    CONVEYED = "conveyed"
    ARRIVED = "arrived"
    PACKED = "packed"


@dataclass(slots=True)
class Tote:
    """An order's tote from its first work key to its last."""

    id: ToteId
    n: int
    """Order of arrival."""
    order: OrderId
    due_ms: int
    priority: int
    picks: dict[TaskId, PickTask] = field(default_factory=dict)
    convey: Convey | None = None
    pack: Pack | None = None
    place: Place = Place.WAITING
    listed: bool = False
    """It stands in `World.waiting`."""
    listed_ms: int = 0
    """Since when."""
    stands_ms: int = 0
    """Since when it stands in its slot."""
    station: StationId | None = None
    slot: int = -1
    chute: ChuteId | None = None
    arrived: tuple[int, int] = (0, 0)
    """The line's event (epoch, seq) by which it came down its chute."""
    unwanted: bool = False
    """Central wants nothing of it any more, but it stands at a station: it leaves as any other, empty."""

    @property
    def rank(self) -> tuple[int, int, int]:
        """Sort key of release: priority, due time, arrival."""
        return (-self.priority, self.due_ms, self.n)


class Stage(StrEnum):
    """Where a mission is."""

    FETCH = "fetch"
    CARRY = "carry"
    PRESENT = "present"
    STORE = "store"


@dataclass(slots=True)
class Mission:
    """One pod's trip to one or more stations and back."""

    id: MissionId
    pod: PodId
    station: StationId | None
    """The present aim; None while it is stored."""
    stage: Stage
    robot: RobotId | None = None
    store: NodeId | None = None
    shows: int = 0
    """PresentPod commands so far."""
    open: dict[TaskId, None] = field(default_factory=dict)
    """Picks that the station was asked for and has not confirmed."""


@dataclass(slots=True)
class StationWork:
    """A station's slots, and the pods that it needs and gets."""

    station: Station
    slots: list[ToteId | None]
    demand: dict[PodId, dict[TaskId, ToteId]] = field(default_factory=dict)
    """Picks of totes that stand here and that nobody has confirmed, by pod."""
    missions: dict[MissionId, None] = field(default_factory=dict)
    """On the way here, or here."""
    present: MissionId | None = None
    vacated: PodId | None = None
    """The pod that is done here, until the station was told what follows it."""
    named: PodId | None = None
    """The pod that the station was told to expect."""
    nexts: int = 0
    """NextPod commands so far."""


@dataclass(slots=True)
class OpenCommand:
    """A command to a cell that was not answered yet."""

    command: EdgeCommand
    subject: str
    """What it is about, the same for every attempt."""
    retry: int = 0
    rejected: bool = False
    """The cell refused it; it is given again under a new name."""


@dataclass(slots=True)
class CellLink:
    """The conversation with one cell."""

    id: CellId
    online: bool = True
    epoch: int | None = None
    commands: dict[str, OpenCommand] = field(default_factory=dict)
    handled: dict[tuple[int, int], bool] = field(default_factory=dict)
    """Events heard, by (epoch, seq); True: acknowledged, False: its fact is not covered yet."""


@dataclass(slots=True)
class DoorWatch:
    """A fire door as it was last reported, and what was asked of it."""

    door: Door
    state: str = ""
    asked: bool | None = None
    """True: to open, False: to close, None: nothing."""
    asked_ms: int = 0
    asks: int = 0


@dataclass(slots=True)
class LiftWatch:
    """A lift as it was last reported, and what was asked of it."""

    lift: Lift
    state: str = ""
    level: str = ""
    """Where it stands open or closed; empty: on the way, or not known."""
    asked: tuple[str, bool] | None = None
    """The level that it was called to, and whether to stand open there; None: nothing."""
    asks: int = 0


@dataclass(slots=True)
class World:
    """The core's whole memory.

    The phases communicate through it alone. `out` collects the commands of the present step.
    """

    site: Site
    params: Params
    traffic: Traffic
    outbox: Outbox
    writer: OrderWriter
    now_ms: int = 0
    started_ms: int = 0
    timers: Timers = field(default_factory=Timers)
    out: list[Command] = field(default_factory=list)

    vehicles: dict[RobotId, Vehicle] = field(default_factory=dict)
    names: dict[tuple[str, str], RobotId] = field(default_factory=dict)
    """Robots and strangers by (manufacturer, serial number)."""
    strangers: dict[RobotId, Vehicle] = field(default_factory=dict)
    """Robots that nobody has adopted yet."""
    asking: dict[RobotId, None] = field(default_factory=dict)
    """Robots with open requests, those first that asked first."""
    shut_zones: frozenset[str] = frozenset()
    members: dict[TaskId, Member] = field(default_factory=dict)
    """Robots that central keeps as adopted, by their keys."""
    halted: dict[RobotId, list[RobotId]] = field(default_factory=dict)  # stand as another one drove where it must not
    deviations: dict[str, dict[str, int]] = field(default_factory=dict)  # from the standard, by manufacturer
    fresh: bool = True
    mustering: bool = False
    """Not gone on from a recording, so nobody's place is known; and nobody gets a way before all are placed."""
    masked: dict[RobotId, NodeId] = field(default_factory=dict)
    """Where robots may stand that have no right of way: those that have not spoken, and strangers."""
    closed_nodes: dict[NodeId, None] = field(default_factory=dict)
    closed_stations: dict[StationId, None] = field(default_factory=dict)  # they get no totes any more
    closed_edges: dict[EdgeId, int] = field(default_factory=dict)
    """Until when (ms): 0 for those that an operator closed, until he opens them."""
    failures: dict[str, int] = field(default_factory=dict)  # of pods, tasks, nodes in a row (`attempts`)
    held: dict[str, int] = field(default_factory=dict)  # what is left alone because of that, until when (ms)
    got_stuck: dict[EdgeId, dict[RobotId, int]] = field(default_factory=dict)  # when (ms) each was last late there
    paused: bool = False  # by an operator, all of it
    missions: dict[MissionId, Mission] = field(default_factory=dict)
    next_wanted: dict[StationId, None] = field(default_factory=dict)
    """Stations where another pod may be next than they were told."""
    pods: dict[PodId, NodeId | None] = field(default_factory=dict)
    """Where each pod stands; None: on a robot."""
    pod_mission: dict[PodId, MissionId] = field(default_factory=dict)
    stored: dict[NodeId, PodId | None] = field(default_factory=dict)
    """Storage nodes that are taken, by a pod or (None) for one that is on its way."""
    totes: dict[ToteId, Tote] = field(default_factory=dict)
    waiting: list[tuple[tuple[int, int, int], ToteId]] = field(default_factory=list)
    """Totes that wait for a slot, sorted by rank."""
    seats: dict[ToteId, StationId] = field(default_factory=dict)  # where a plan wants totes, the first first
    for_hands: dict[PodId, None] = field(default_factory=dict)  # what people need at stations, while there is time
    passed_over: dict[ToteId, int] = field(default_factory=dict)  # since when (ms) others went before the first
    picks: dict[TaskId, ToteId] = field(default_factory=dict)
    conveys: dict[TaskId, ToteId] = field(default_factory=dict)
    packs: dict[TaskId, ToteId] = field(default_factory=dict)
    hauls: dict[TaskId, Haul] = field(default_factory=dict)
    """Transports that central has not closed, the oldest first."""
    hauls_changed: bool = False
    told: dict[tuple[TaskId, int], None] = field(default_factory=dict)
    """Results that central was told, the oldest first."""
    closed: dict[TaskId, int] = field(default_factory=dict)
    """Tasks that central closed, with their attempt, the oldest first."""
    stations: dict[StationId, StationWork] = field(default_factory=dict)
    chutes: dict[ChuteId, Chute] = field(default_factory=dict)
    chute_load: dict[ChuteId, int] = field(default_factory=dict)
    """Totes on a chute and on their way to it."""
    pushable: dict[ToteId, None] = field(default_factory=dict)
    """Complete totes that wait for room on a chute."""
    cells: dict[CellId, CellLink] = field(default_factory=dict)
    free_acks: dict[CellId, list[tuple[int, int]]] = field(default_factory=dict)
    """Events that can be acknowledged at the end of this step."""
    doors: dict[DoorId, DoorWatch] = field(default_factory=dict)
    lifts: dict[LiftId, LiftWatch] = field(default_factory=dict)
    door_nodes: frozenset[NodeId] = frozenset()
    """Of doors and lifts."""
    chargers: dict[NodeId, RobotId | None] = field(default_factory=dict)
    parks: dict[NodeId, RobotId | None] = field(default_factory=dict)
    alarms: dict[str, None] = field(default_factory=dict)
    stopped: bool = False
    answers: dict[str, OpsAnswer] = field(default_factory=dict)

    totes_n: int = 0
    missions_n: int = 0
    errands_n: int = 0
    legs_n: int = 0
    commands_n: int = 0

    touched: dict[RobotId, None] = field(default_factory=dict)
    """Robots that may need an order in this step."""
    # what changed since the phase that cares about it ran
    release_wanted: bool = True
    doors_wanted: bool = True
    """Ways were committed or left, so that other doors may be needed."""
    slots_changed: bool = True
    demand_changed: bool = True
    fleet_changed: bool = True
    """A robot became free, or can be sent again."""
    push_wanted: bool = False
    plan_wanted: bool = True
    plan_after_ms: int = 0

    # ---------------------------------------------------------------------------------------------- what phases share

    def tell(self, body: FactBody, cause: Cause | None = None) -> Fact:
        """Tell central a fact; `cause` is the edge event that it frees when it is covered."""
        fact = self.outbox.add(self.now_ms, body, cause)
        self.out.append(TellCentral(fact))
        return fact

    def raise_alarm(self, key: str, severity: str, subject: str, text: str, remedy: str) -> None:
        """Raise an alarm, unless it is raised already."""
        if key not in self.alarms:
            self.alarms[key] = None
            self.tell(AlarmRaised(key=key, severity=severity, subject=subject, text=text, remedy=remedy))

    def clear_alarm(self, key: str) -> None:
        """Clear an alarm, if it is raised."""
        if key in self.alarms:
            del self.alarms[key]
            self.tell(AlarmCleared(key=key))

    def deviates(self, vehicle: Vehicle, how: str) -> None:
        """Count something that the standard does not say."""
        seen = self.deviations.setdefault(vehicle.manufacturer, {})
        seen[how] = seen.get(how, 0) + 1

    def command(self, cell: CellId, subject: str, body: CommandBody, *, retry: int = 0) -> str:
        """Give a command to a cell and keep it until it is answered; returns its id.

        A command about the same subject takes the place of the one before it.
        """
        link = self.cells[cell]
        epoch = link.epoch or 0
        name = f"{self.outbox.epoch:x}-{subject}" + (f"-r{retry}" if retry else "") + (f"-e{epoch}" if epoch else "")
        command = EdgeCommand(id=name, cell=cell, deadline_ms=self.now_ms + self.params.command_deadline_ms, body=body)
        link.commands[subject] = OpenCommand(command, subject, retry)
        if link.online:
            self.out.append(SendEdgeCommand(command))
        self.timers.earlier(self.now_ms + self.params.command_resend_ms, "commands", cell)
        return name

    def pin(self, vehicle: Vehicle, reason: int) -> None:
        """Hold a robot where its released way ends."""
        if not vehicle.pins and vehicle.placed:
            self.traffic.pin(vehicle.id)
        vehicle.pins |= reason

    def unpin(self, vehicle: Vehicle, reason: int) -> None:
        """Take back one reason; without any it may be moved again."""
        if vehicle.pins & reason:
            vehicle.pins &= ~reason
            if not vehicle.pins and vehicle.placed:
                self.traffic.unpin(vehicle.id)
                self.plan_wanted = True

    def travel_s(self, start: NodeId, end: NodeId, *, loaded: bool) -> float:
        """Return the travel time on an empty road; inf: unreachable."""
        return self.traffic.travel_s(start, end, loaded=loaded)

    def flush_acks(self) -> None:
        """Acknowledge what can be forgotten by the edges, one message a cell."""
        for cell, events in self.free_acks.items():
            self.out.append(AckEvents(EventAck(cell=cell, events=tuple(events))))
        self.free_acks.clear()


def new_world(site: Site, params: Params, epoch: int) -> World:
    """Return what is known of a site before anything was heard: pods at home, slots empty, robots silent."""
    world = World(
        site=site,
        params=params,
        traffic=Traffic(site.layout, params.traffic),
        outbox=Outbox(site.id, epoch, params.facts_resend_ms),
        writer=OrderWriter(site.layout),
    )
    for pod in site.pods:
        world.pods[pod.id] = pod.home
        world.stored[pod.home] = pod.id
    for station in site.stations:
        world.stations[station.id] = StationWork(station, [None] * station.slots)
    for chute in site.chutes:
        world.chutes[chute.id] = chute
        world.chute_load[chute.id] = 0
    for cell in site.cells:
        world.cells[cell.id] = CellLink(cell.id)
    world.doors = {d.id: DoorWatch(d) for d in site.doors if d.cell}  # the others the robots move themselves
    world.lifts = {x.id: LiftWatch(x) for x in site.lifts if x.cell}
    world.door_nodes = frozenset(n.id for n in site.layout.nodes if n.kind in {NodeKind.DOOR, NodeKind.LIFT})
    for node in site.layout.nodes:
        if node.kind is NodeKind.CHARGER:
            world.chargers[node.id] = None
        elif node.kind is NodeKind.PARK:
            world.parks[node.id] = None
    return world


def remember(ring: dict[TaskId, int] | dict[tuple[TaskId, int], None], limit: int = REMEMBERED) -> None:
    """Let the oldest entries of a memory go."""
    while len(ring) > limit:
        del ring[next(iter(ring))]  # type: ignore[arg-type]  # both are ordered dicts; the key is their own
