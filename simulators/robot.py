"""The robot twin: a pod-carrying robot that speaks VDA 5050 2.1 over the Floor port.

Nothing ticks: a timer a node, a turn, a lift; a heartbeat when it has said nothing for a while. Whatever happens at
one moment is said in one state. When the broker is away it drives its base to the end, and says where it is when it is
back.
"""

import asyncio
import contextlib
import math
import random
from collections.abc import Callable

from contracts.errors import Rejected, Unavailable
from contracts.geometry import Pose
from contracts.ids import NodeId, PodId
from contracts.layout import NodeKind
from contracts.runtime.clock import Clock
from contracts.runtime.floor import Floor, FloorConnector, Will
from contracts.site import Robot, Site
from contracts.vda5050 import topics, v3
from contracts.vda5050.v2 import (
    Action,
    ConnectionState,
    ErrorEntry,
    ErrorLevel,
)
from controllers.vda5050 import Abilities, Begin, Effect, Locate, SayFactsheet, Vehicle
from simulators.battery import Battery
from simulators.drive import Drive, Phase
from simulators.ground import Ground
from simulators.robot_build import INSTANT_ACTIONS, NODE_ACTIONS, ZONE_ACTIONS, RobotFaults, RobotParams
from simulators.robot_voice import Voice
from simulators.robot_zones import RobotZones

__all__ = ["RobotFaults", "RobotParams", "RobotTwin"]

RECONNECT_S = 2.0


class RobotTwin:
    """One robot.

    Parameters
    ----------
    robot, site
        Which robot of which site.
    floor
        Where to connect.
    clock, world
        Time, and the ground on which it stands.
    seed
        Of the whole run; the twin's own generator is seeded by ``f"{seed}/{serial}"``.
    params
        How it is built.
    pod
        What it carries at first.
    """

    def __init__(
        self,
        robot: Robot,
        site: Site,
        floor: FloorConnector,
        clock: Clock,
        world: Ground,
        seed: int,
        params: RobotParams | None = None,
        *,
        pod: PodId | None = None,
    ) -> None:
        self.name = f"robot {robot.id}"
        self.ready = asyncio.Event()
        self._robot, self._connector, self._clock, self._world = robot, floor, clock, world
        self._params = params = RobotParams() if params is None else params
        self._random = random.Random(f"{seed}/{robot.id}")
        self._node = site.layout.node
        places = {n.id: n.point for n in site.layout.nodes}
        instants = INSTANT_ACTIONS | ZONE_ACTIONS if params.version == v3.VERSION else INSTANT_ACTIONS
        abilities = Abilities(NODE_ACTIONS, frozenset(), instants, places)
        self.vehicle = Vehicle(abilities, robot.start)
        self.drive = Drive(robot.id, self.vehicle, robot.start, site.layout, clock, world, params.drive, self.happened)
        self.battery = Battery(params.battery, self._random.uniform(*params.level), clock.now_ms())
        self.pod: PodId | None = None
        if pod is not None:
            self._carry(pod)
        self.voice = Voice(robot, params, clock, places[robot.start])
        self._zones: RobotZones | None = None
        if self.voice.new:
            self._zones = RobotZones(self, clock, site.layout)
        self._charged_m = 0.0
        self._legs = 0
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._outages: asyncio.Queue[float] = asyncio.Queue(16)
        self._seized = False
        self.stalls = 0
        """How often something stood in its way."""

    # --- its life

    async def run(self) -> None:
        """Be on the floor until cancelled."""
        self.drive.stand()
        self._begin_faults()
        self._beat()
        if self._params.visualization_hz > 0:
            self._visualize()
        try:
            while True:
                floor = await self._connect()
                try:
                    outage_s = await self._outages.get()
                except asyncio.CancelledError:
                    self.voice.floor = None
                    with contextlib.suppress(Unavailable):
                        await floor.publish(
                            self.voice.topic[topics.CONNECTION],
                            self.voice.connection(ConnectionState.OFFLINE),
                            retain=True,
                        )
                    await floor.close()
                    raise
                self.voice.floor = None
                with contextlib.suppress(Unavailable):
                    broken = self.voice.connection(ConnectionState.CONNECTIONBROKEN)
                    await floor.publish(self.voice.topic[topics.CONNECTION], broken, retain=True)
                await floor.close()
                await self._clock.sleep(outage_s)
        finally:
            self.drive.cease()
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()

    def fail(self, error_type: str, text: str, for_s: float | None = None) -> None:
        """Stop with a fatal error, until `mend` or for some time."""
        self.vehicle.fault(ErrorEntry(error_type, ErrorLevel.FATAL, (), text))
        if for_s is not None:
            self.after(f"mend {error_type}", for_s, lambda: self.mend(error_type))
        self.happened([])

    def mend(self, error_type: str) -> None:
        """End a fatal error: it goes on with its order."""
        self.vehicle.mended(error_type)
        self.happened([])

    def go_offline(self, for_s: float) -> None:
        """Lose the radio for some time: the broker's clients see CONNECTIONBROKEN, the base is driven to its end."""
        if not self._outages.full():
            self._outages.put_nowait(for_s)

    def seize(self) -> None:
        """Stand for good, wherever it is, and say nothing of it: its states come as before."""
        self._seized = self.drive.blocked = True
        self.happened([])

    def lose_power(self) -> None:
        """Stand for good, without a word: the broker's clients see CONNECTIONBROKEN."""
        self.voice.floor = None
        self.go_offline(math.inf)
        self.seize()

    @property
    def pose(self) -> Pose:
        """Where it is now."""
        return self.drive.pose()

    async def _connect(self) -> Floor:
        will = Will(self.voice.topic[topics.CONNECTION], self.voice.connection(ConnectionState.CONNECTIONBROKEN))
        while True:
            try:
                floor = await self._connector.connect(f"{self._robot.manufacturer}-{self._robot.id}", will=will)
            except Unavailable:
                await self._clock.sleep(RECONNECT_S)
                continue
            await floor.subscribe(self.voice.topic[topics.ORDER], self._on_order)
            await floor.subscribe(self.voice.topic[topics.INSTANT_ACTIONS], self._on_instant)
            if self._zones is not None:
                await self._zones.listen(floor)
            self.voice.floor = floor
            floor.on_connect(self._hello)
            self.ready.set()
            return floor

    # --- what it hears

    def _on_order(self, _topic: str, payload: bytes) -> None:
        try:
            order = self.voice.order(payload)
        except Rejected as e:
            self.vehicle.unreadable(topics.ORDER, e)
            self.happened([])
            return
        self.drive.stale = True
        self.happened(self.vehicle.order(order, self.drive.pose()))

    def _on_instant(self, _topic: str, payload: bytes) -> None:
        try:
            message = self.voice.instant(payload)
        except Rejected as e:
            self.vehicle.unreadable(topics.INSTANT_ACTIONS, e)
            self.happened([])
            return
        self.happened(self.vehicle.instant(message))

    # --- what it does

    def happened(self, effects: list[Effect]) -> None:
        """Do what follows from something that happened, and say it once."""
        legs = self.drive.driven_m
        if legs != self._charged_m:
            self.battery.drive(legs - self._charged_m, loaded=self.pod is not None)
            self._charged_m = legs
        stall_chance = self._params.faults.stall_chance
        while True:
            for effect in effects:
                self._do(effect)
            was = self.drive.phase
            effects = self.drive.follow()
            if self.drive.legs != self._legs:
                self._legs = self.drive.legs
                if was is not Phase.DRIVING:
                    self._departed()
                if stall_chance and self._random.random() < stall_chance:
                    self._stall()
                    continue
            if not effects:
                break
        if self._zones is not None:
            self._zones.look()
        if self.vehicle.changed:
            self._say_state()

    def _do(self, effect: Effect) -> None:
        match effect:
            case Begin(action):
                self._begin(action)
            case SayFactsheet():
                self.voice.factsheet()
            case Locate(pose, _):
                self.drive.locate(pose, NodeId(self.vehicle.last_node_id))
            case _:
                pass  # no edge actions here, and a lift cannot be stopped half-way: it ends by itself

    def _begin(self, action: Action) -> None:
        durations = {"pick": self._params.lift_s, "drop": self._params.drop_s, "startCharging": self._params.dock_s}
        duration_s = durations.get(action.action_type, 0.0)
        self.after(f"action {action.action_id}", duration_s, lambda: self._finish(action))

    def _finish(self, action: Action) -> None:
        match action.action_type:
            case "pick":
                failure = self._lift(action)
            case "drop":
                failure = self._set_down()
            case "startCharging":
                failure = self._start_charging()
            case "enableZoneSet" | "deleteZoneSet":
                failure = "it knows no zones" if self._zones is None else self._zones.use(action)
            case _:
                self._stop_charging()
                failure = ""
        result = str(self.pod or "") if action.action_type == "pick" else ""
        again = action.action_id in self.voice.retriable
        self.happened(self.vehicle.ended(action.action_id, failure=failure, result=result, retriable=again))

    def _lift(self, action: Action) -> str:
        faults, wanted = self._params.faults, action.parameter("loadId")
        self.battery.lift()
        if faults.lift_fails and self._random.random() < faults.lift_fails:
            return "the lift jammed"
        try:
            node, pod = NodeId(self.vehicle.last_node_id), PodId(str(wanted)) if wanted else None
            self._carry(self._world.lift(self._robot.id, node, pod))
        except Rejected as e:
            return str(e)
        return ""

    def _set_down(self) -> str:
        try:
            self._world.set_down(self._robot.id, NodeId(self.vehicle.last_node_id))
        except Rejected as e:
            return str(e)
        self._carry(None)
        return ""

    def _carry(self, pod: PodId | None) -> None:
        self.pod = pod
        self.drive.loaded = pod is not None

    def _start_charging(self) -> str:
        node = self._node.get(NodeId(self.vehicle.last_node_id))
        if node is None or node.kind is not NodeKind.CHARGER:
            return f"{self.vehicle.last_node_id} is not a charger"
        self.battery.pass_time(self._clock.now_ms())
        self.battery.charging = True
        self.vehicle.mended("batteryEmpty")
        full_s = self.battery.full_in_s()
        if full_s < 1e6:
            self.after("full", full_s, self._say_state)
        return ""

    def _stop_charging(self) -> None:
        self.battery.pass_time(self._clock.now_ms())
        self.battery.charging = False
        timer = self._timers.pop("full", None)
        if timer is not None:
            timer.cancel()

    def _departed(self) -> None:
        """A leg begins from rest: it leaves a charger, it may meet something, and it speaks more often."""
        if self.battery.charging:
            self._stop_charging()
        if self._params.driving_state_s < self._params.idle_state_s:
            self.after("beat", self._params.driving_state_s, self._beat)

    # --- what goes wrong

    def _begin_faults(self) -> None:
        faults = self._params.faults
        if faults.fatal_per_h > 0:
            self.after("fatal", self._random.expovariate(faults.fatal_per_h / 3600), self._break_down)
        if faults.offline_per_h > 0:
            self.after("offline", self._random.expovariate(faults.offline_per_h / 3600), self._lose_radio)

    def _break_down(self) -> None:
        faults = self._params.faults
        self.after("fatal", faults.fatal_s + self._random.expovariate(faults.fatal_per_h / 3600), self._break_down)
        self.fail("driveFault", "the drive does not answer", faults.fatal_s)

    def _lose_radio(self) -> None:
        faults = self._params.faults
        self.after(
            "offline", faults.offline_s + self._random.expovariate(faults.offline_per_h / 3600), self._lose_radio
        )
        self.go_offline(faults.offline_s)

    def _stall(self) -> None:
        """Something stands in the way for a while."""
        self.drive.blocked = True
        self.stalls += 1
        self.after("stall", self._random.uniform(*self._params.faults.stall_s), self._unstall)

    def _unstall(self) -> None:
        self.drive.blocked = self._seized
        self.happened([])

    # --- what it says

    def _hello(self) -> None:
        self.voice.online()
        self._say_state()

    def _beat(self) -> None:
        """Say a state when nothing was said for a while."""
        params = self._params
        interval_s = params.driving_state_s if self.vehicle.driving else params.idle_state_s
        rest_s = interval_s - (self._clock.now_ms() - self.voice.said_ms) / 1000
        if rest_s <= 0.001:
            self._check_battery()
            self._say_state()
            rest_s = interval_s
        self.after("beat", rest_s, self._beat)

    def _check_battery(self) -> None:
        self.battery.pass_time(self._clock.now_ms())
        if self.battery.level <= 0 and not self.battery.charging:
            self.fail("batteryEmpty", "it must be brought to a charger")

    def _say_state(self) -> None:
        self.voice.state(self.vehicle, self.drive, self.battery, self.pod)

    def _visualize(self) -> None:
        if self.drive.phase is not Phase.REST:
            self.voice.visualization(self.drive)
        self.after("visualize", 1 / self._params.visualization_hz, self._visualize)

    def after(self, what: str, seconds: float, call: Callable[[], None]) -> None:
        """Set a named timer; one of the same name is replaced."""
        old = self._timers.pop(what, None)
        if old is not None:
            old.cancel()

        def due() -> None:
            del self._timers[what]
            call()

        self._timers[what] = self._clock.call_later(seconds, due)
