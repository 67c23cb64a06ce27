"""The robot twin on virtual time: it drives its base as a robot would, says what it must, and the world agrees."""

import asyncio
import json
import math
import random
from collections.abc import Awaitable, Callable
from itertools import pairwise

import jsonschema_rs
import pytest

from contracts.codec import encode
from contracts.ids import NodeId, RobotId
from contracts.runtime.clock import LoopClock
from contracts.runtime.floor.memory import MemoryBroker, MemoryFloor
from contracts.vda5050 import topics
from contracts.vda5050.reading import read
from contracts.vda5050.v2 import Action, Connection, NodePosition, Order, State, Visualization, timestamp_ms
from simulators import virtual_time
from simulators.battery import BatteryParams
from simulators.catalogue import Catalogue
from simulators.motion import DriveParams
from simulators.robot import RobotFaults, RobotParams, RobotTwin
from simulators.world import World
from tests.unit.vda5050_messages import CELL_M, grid_site, instant, order_along, schema

START_MS = 1_764_000_000_000


class Master:
    """What a master control sees and says, and when (ms since the start)."""

    def __init__(
        self, floor: MemoryFloor, clock: LoopClock, twin: RobotTwin, world: World, broker: MemoryBroker
    ) -> None:
        self.floor, self.clock, self.twin, self.world, self.broker = floor, clock, twin, world, broker
        self.states: list[tuple[int, State]] = []
        self.raw: dict[str, list[bytes]] = {n: [] for n in topics.NAMES}

    async def listen(self) -> None:
        await self.floor.subscribe("uagv/#", self._hear)

    def _hear(self, topic: str, payload: bytes) -> None:
        name = topics.parse(topic).name
        self.raw[name].append(payload)
        if name == topics.STATE:
            self.states.append((self.clock.now_ms() - START_MS, read(payload, State)))

    @property
    def last(self) -> State:
        return self.states[-1][1]

    def send(self, message: object) -> None:
        name = topics.ORDER if isinstance(message, Order) else topics.INSTANT_ACTIONS
        self.floor.send(topics.topic("Floorplane", "R1", name), encode(message))

    async def until(self, holds: Callable[[State], bool], limit_s: float = 120.0) -> float:
        """Wait for a state; returns when it came, in seconds since the start."""
        for _ in range(int(limit_s / 0.05)):
            for at, state in reversed(self.states):
                if holds(state):
                    return at / 1000
                break
            await self.clock.sleep(0.05)
        raise AssertionError(f"not within {limit_s} s; last {self.last if self.states else None}")

    def reached_s(self) -> dict[str, float]:
        """When each node was first reported."""
        found: dict[str, float] = {}
        for at, s in self.states:
            found.setdefault(s.last_node_id, at / 1000)
        return found


def play(
    scene: Callable[[Master], Awaitable[None]],
    params: RobotParams | None = None,
    seed: int = 1,
    world: type[World] = World,
) -> Master:
    """Run a scene with one twin on virtual time."""

    async def main() -> Master:
        broker, clock = MemoryBroker(), LoopClock(START_MS)
        place = grid_site()
        ground = world(place, Catalogue((), ()), (), clock)
        twin = RobotTwin(place.robots[0], place, broker, clock, ground, seed, params or RobotParams())
        master = Master(await broker.connect("master"), clock, twin, ground, broker)
        await master.listen()
        task = asyncio.create_task(twin.run(), name=twin.name)
        await twin.ready.wait()
        await master.clock.sleep(0.01)
        try:
            await scene(master)
        finally:
            task.cancel()
            await asyncio.wait([task])
        await master.clock.sleep(0.01)
        return master

    return virtual_time.run(main())


def test_says_who_and_where_it_is_before_any_order() -> None:
    """On connecting: ONLINE retained, a factsheet and a state that name the start node; on leaving: OFFLINE."""

    async def scene(m: Master) -> None:
        assert m.last.last_node_id == "0-0"
        assert not m.last.driving

    m = play(scene)
    assert [read(p, Connection).connection_state for p in m.raw["connection"]] == ["ONLINE", "OFFLINE"]
    assert len(m.raw["factsheet"]) == 1
    for name in ("state", "connection", "factsheet"):
        for payload in m.raw[name]:
            schema(name).validate(json.loads(payload))


def test_straight_run_takes_the_time_of_its_trapezoid() -> None:
    """Seven cells from rest to rest: 1.5 s of speeding up, 1.5 s of braking, the rest at 1.5 m/s."""

    async def scene(m: Master) -> None:
        m.send(order_along("O1", [f"{x}-0" for x in range(7)]))
        end = await m.until(lambda s: s.last_node_id == "6-0" and not s.driving)
        length, v = 6 * CELL_M, 1.5
        assert end - 0.01 == pytest.approx(2 * v + (length - v * v) / v, abs=0.06)
        assert m.world.nodes_of(RobotId("R1")) == ("6-0",)
        assert m.world.violations == []

    m = play(scene)
    assert sum(1 for _, s in m.states if s.order_id == "O1") == 7  # accepted, five passed, arrived


def test_it_does_not_brake_when_its_base_is_extended_in_time() -> None:
    """An update that comes before braking begins costs no time; one that comes while braking costs little."""

    async def whole(m: Master) -> None:
        m.send(order_along("O1", [f"{x}-0" for x in range(8)]))
        await m.until(lambda s: s.last_node_id == "7-0" and not s.driving)

    async def extended(m: Master) -> None:
        m.send(order_along("O1", [f"{x}-0" for x in range(4)]))
        await m.clock.sleep(2.2)  # at 1.5 m/s, 1.4 m before the end of the base
        m.send(order_along("O1", [f"{x}-0" for x in range(3, 8)], update=1, first=6))
        await m.until(lambda s: s.last_node_id == "7-0" and not s.driving)

    async def late(m: Master) -> None:
        m.send(order_along("O1", [f"{x}-0" for x in range(4)]))
        await m.clock.sleep(2.8)  # braking
        m.send(order_along("O1", [f"{x}-0" for x in range(3, 8)], update=1, first=6))
        await m.until(lambda s: s.last_node_id == "7-0" and not s.driving)

    arrival = [play(s).reached_s()["7-0"] for s in (whole, extended, late)]
    assert arrival[1] == pytest.approx(arrival[0], abs=0.005)
    assert arrival[0] + 0.05 < arrival[2] < arrival[0] + 1.0


def test_corners_cost_a_stop_and_a_turn() -> None:
    """An L of two and two cells: two runs from rest to rest and a quarter turn between, one more at the start."""

    async def scene(m: Master) -> None:
        m.send(order_along("O1", ["0-0", "0-1", "0-2", "1-2", "2-2"]))
        end = await m.until(lambda s: s.last_node_id == "2-2" and not s.driving)
        run = 2 * math.sqrt(2 * CELL_M)  # too short for full speed: half up, half down
        assert end - 0.01 == pytest.approx(2 * run + 2 * 1.0, abs=0.06)
        assert m.last.agv_position is not None
        assert m.last.agv_position.theta == pytest.approx(0.0)

    play(scene)


def test_it_carries_a_pod_slower_and_sets_it_down() -> None:
    """Pick under a pod, drive it away, drop it: loads and the world follow, and the way back takes longer."""
    pick = Action("a1", "pick", "HARD", action_parameters=())
    drop = Action("a2", "drop", "HARD")

    async def scene(m: Master) -> None:
        m.send(order_along("O1", ["0-0", "1-0", "1-1", "1-2", "1-3"], actions={"1-3": (pick,)}))
        done = await m.until(lambda s: any(a.action_status == "FINISHED" for a in s.action_states))
        assert m.last.loads is not None
        assert [x.load_id for x in m.last.loads] == ["P1"]
        assert done - m.reached_s()["1-3"] == pytest.approx(4.0, abs=0.06)
        assert m.world.pod_at.get(NodeId("1-3")) is None
        m.send(
            order_along("O1", ["1-3", "1-2", "1-1", "0-1", "0-2", "0-3"], update=1, first=8, actions={"0-3": (drop,)})
        )
        await m.until(lambda s: [a.action_status for a in s.action_states] == ["FINISHED", "FINISHED"])
        assert m.world.pod_at[NodeId("0-3")] == "P1"
        assert m.last.loads == ()
        assert m.world.violations == []

    m = play(scene)
    statuses = [tuple(a.action_status for a in s.action_states) for _, s in m.states if s.order_id]
    assert statuses[0] == ("WAITING",)
    assert ("RUNNING",) in statuses


def test_a_pick_that_finds_nothing_fails_and_says_so() -> None:
    """FAILED with a reason, a warning that names the action, and the order still counts as done."""

    async def scene(m: Master) -> None:
        m.send(order_along("O1", ["0-0", "0-1"], actions={"0-1": (Action("a1", "pick", "HARD"),)}))
        await m.until(lambda s: any(a.action_status == "FAILED" for a in s.action_states))
        assert m.last.errors[0].error_type == "orderActionError"
        assert ("actionId", "a1") in [(r.reference_key, r.reference_value) for r in m.last.errors[0].error_references]
        m.send(order_along("O2", ["0-1", "0-2"]))
        await m.until(lambda s: s.last_node_id == "0-2")
        assert m.last.errors == ()

    play(scene)


def test_pause_stops_it_between_nodes_and_resume_goes_on() -> None:
    """startPause: RUNNING, then FINISHED at standstill within two seconds; stopPause drives the rest."""

    async def scene(m: Master) -> None:
        m.send(order_along("O1", [f"{x}-0" for x in range(8)]))
        await m.clock.sleep(2.5)
        m.send(instant("p", "startPause"))
        at = await m.until(lambda s: bool(s.paused))
        assert at <= 2.5 + 1.5 + 0.1
        here = m.last.agv_position
        assert here is not None
        assert not m.last.driving
        assert m.last.action_states[-1].action_status == "FINISHED"
        assert all(abs(here.x - x * CELL_M) > 0.02 for x in range(8))
        await m.clock.sleep(60)
        assert m.last.agv_position == here
        m.send(instant("r", "stopPause"))
        await m.until(lambda s: s.last_node_id == "7-0" and not s.driving)
        assert m.world.violations == []

    play(scene)


def test_cancel_stops_on_the_next_node_it_can_and_takes_a_new_order_there() -> None:
    """cancelOrder: RUNNING while it rolls out, FINISHED on a node with empty states; then a new orderId is taken."""

    async def scene(m: Master) -> None:
        m.send(order_along("O1", [f"{x}-0" for x in range(8)]))
        await m.clock.sleep(2.5)
        m.send(instant("c", "cancelOrder"))
        await m.until(lambda s: any(a.action_id == "c" and a.action_status == "FINISHED" for a in s.action_states))
        s = m.last
        assert (s.node_states, s.edge_states, s.driving, s.order_id) == ((), (), False, "O1")
        assert s.agv_position is not None
        node = m.twin._node[NodeId(s.last_node_id)]
        assert math.hypot(node.x_m - s.agv_position.x, node.y_m - s.agv_position.y) < 0.01
        assert s.last_node_id in {"3-0", "4-0"}
        x = int(s.last_node_id[0])
        m.send(order_along("O2", [f"{x}-0", f"{x}-1"]))
        await m.until(lambda s: s.last_node_id == f"{x}-1" and s.order_id == "O2")
        m.send(instant("c2", "cancelOrder"))
        await m.until(lambda s: any(a.action_id == "c2" and a.action_status == "FAILED" for a in s.action_states))
        assert m.last.errors[0].error_type == "noOrderToCancel"

    play(scene)


def test_a_fatal_error_stops_it_and_mending_lets_it_go_on() -> None:
    """The error is FATAL in the state; the order is kept and finished afterwards."""

    async def scene(m: Master) -> None:
        m.send(order_along("O1", [f"{x}-0" for x in range(8)]))
        await m.clock.sleep(2.0)
        m.twin.fail("driveFault", "no answer", 50)
        await m.until(lambda s: not s.driving)
        assert [e.error_level for e in m.last.errors] == ["FATAL"]
        assert await m.until(lambda s: s.last_node_id == "7-0" and not s.driving) > 50
        assert m.last.errors == ()

    play(scene)


def test_a_cancelled_order_after_a_fault_between_nodes_lets_it_drive_back() -> None:
    """Standing between two nodes with nothing to do, it takes an order that begins at the node behind it."""

    async def scene(m: Master) -> None:
        m.send(order_along("O1", [f"{x}-0" for x in range(8)]))
        await m.clock.sleep(2.3)
        m.twin.fail("driveFault", "no answer")
        await m.until(lambda s: not s.driving)
        m.send(instant("c", "cancelOrder"))
        await m.until(lambda s: any(a.action_id == "c" and a.action_status == "FINISHED" for a in s.action_states))
        behind = m.last.last_node_id
        assert len(m.world.nodes_of(RobotId("R1"))) == 2
        m.twin.mend("driveFault")
        x = int(behind[0])
        m.send(order_along("O2", [behind, f"{x}-1"]))
        await m.until(lambda s: s.last_node_id == f"{x}-1" and not s.driving)
        assert m.world.nodes_of(RobotId("R1")) == (f"{x}-1",)

    play(scene)


def test_it_drives_its_base_while_the_broker_is_away_and_says_so_when_it_is_back() -> None:
    """No state comes while the broker is down; the first one afterwards names the end of the base."""

    async def scene(m: Master) -> None:
        m.send(order_along("O1", [f"{x}-0" for x in range(8)]))
        await m.clock.sleep(1.0)
        seen = len(m.states)
        m.broker.stop()
        await m.clock.sleep(30)
        assert len(m.states) == seen
        m.broker.start()
        await m.clock.sleep(0.05)
        assert m.last.last_node_id == "7-0"

    m = play(scene)
    assert [read(p, Connection).connection_state for p in m.raw["connection"]][-1] == "OFFLINE"


def test_losing_the_radio_is_seen_as_a_broken_connection() -> None:
    """CONNECTIONBROKEN, then ONLINE after the outage; what is sent in between does not arrive."""

    async def scene(m: Master) -> None:
        m.twin.go_offline(20)
        await m.clock.sleep(10)
        m.send(order_along("O1", ["0-0", "1-0"]))
        await m.clock.sleep(20)
        assert m.last.order_id == ""

    m = play(scene)
    said = [read(p, Connection).connection_state for p in m.raw["connection"]]
    assert said == ["ONLINE", "CONNECTIONBROKEN", "ONLINE", "OFFLINE"]


def test_an_idle_robot_speaks_every_thirty_seconds() -> None:
    """One state at first, then one each 30 s and nothing else."""

    async def scene(m: Master) -> None:
        await m.clock.sleep(600)

    m = play(scene)
    gaps = [b - a for (a, _), (b, _) in pairwise(m.states)]
    assert len(m.states) == 21
    assert all(gap == pytest.approx(30_000, abs=20) for gap in gaps[1:])
    assert [s.header_id for _, s in m.states] == list(range(21))
    assert all(timestamp_ms(s.timestamp) == START_MS + at for at, s in m.states)


def test_on_real_time_settings_it_speaks_each_second_while_driving_and_shows_itself() -> None:
    """`driving_state_s` 1 and `visualization_hz` 5: in-between states and poses move along the edge."""

    async def scene(m: Master) -> None:
        slow = order_along("O1", ["0-0", "1-0", "2-0"], max_speed=0.2)
        m.send(slow)
        await m.until(lambda s: s.last_node_id == "2-0" and not s.driving)

    m = play(scene, RobotParams(driving_state_s=1.0, visualization_hz=5))
    xs = [s.agv_position.x for _, s in m.states if s.agv_position and s.driving]
    assert len(xs) >= 11
    assert xs == sorted(xs)
    poses = [read(p, Visualization).agv_position for p in m.raw["visualization"]]
    assert 55 <= len(poses) <= 65
    assert all(distance_m_of(a, b) <= 0.045 for a, b in pairwise(poses))


def distance_m_of(a, b) -> float:
    return math.hypot(a.x - b.x, a.y - b.y)


def test_a_charger_fills_it_and_only_a_charger() -> None:
    """startCharging fails in the aisle; on the charger it fills up, which is said; driving away ends it."""

    async def scene(m: Master) -> None:
        m.send(order_along("O1", ["0-0", "1-0"], actions={"1-0": (Action("a1", "startCharging", "HARD"),)}))
        await m.until(lambda s: any(a.action_status == "FAILED" for a in s.action_states))
        way = [f"{x}-0" for x in range(1, 8)]
        m.send(order_along("O2", way, actions={"7-0": (Action("a2", "startCharging", "HARD"),)}))
        await m.until(lambda s: s.battery_state.charging)
        at_first = m.last.battery_state.battery_charge
        await m.until(lambda s: s.battery_state.battery_charge == 100.0, 7200)
        assert at_first < 81
        m.send(order_along("O3", ["7-0", "6-0"]))
        await m.until(lambda s: s.last_node_id == "6-0" and not s.driving)
        assert not m.last.battery_state.charging

    play(scene, RobotParams(level=(0.8, 0.8)))


def test_stalls_and_breakdowns_are_seeded() -> None:
    """The same seed gives the same day to the millisecond, another seed another one; orders still finish."""

    async def scene(m: Master) -> None:
        for k in range(6):
            way = [f"{x}-{k % 2}" for x in range(8)]
            way = way if k % 2 == 0 else way[::-1]
            m.send(order_along(f"O{k}", [way[0], *way[1:]] if k == 0 else [m.last.last_node_id, *way]))
            await m.until(lambda s, k=k, way=way: s.order_id == f"O{k}" and s.last_node_id == way[-1], 4000)

    faults = RobotFaults(fatal_per_h=30, fatal_s=20, offline_per_h=20, offline_s=5, stall_chance=0.2, lift_fails=0.5)
    days = [[(at, encode(s)) for at, s in play(scene, RobotParams(faults=faults), seed).states] for seed in (1, 1, 2)]
    assert days[0] == days[1]
    assert days[0] != days[2]


def test_everything_it_says_is_valid() -> None:
    """A whole mission with a pause, a refusal and a cancel: each message validates against the official schema."""

    async def scene(m: Master) -> None:
        m.send(order_along("O1", ["0-0", "1-0", "1-1", "1-2", "1-3"], actions={"1-3": (Action("a1", "pick", "HARD"),)}))
        await m.clock.sleep(3)
        m.send(instant("p", "startPause"))
        await m.clock.sleep(3)
        m.send(order_along("O9", ["0-0", "1-0"]))
        m.floor.send("uagv/v2/Floorplane/R1/order", b"{")
        m.send(instant("r", "stopPause"))
        await m.clock.sleep(2)
        m.send(instant("c", "cancelOrder"))
        m.send(instant("u", "somersault"))
        m.send(instant("f", "factsheetRequest"))
        await m.clock.sleep(30)

    m = play(scene, RobotParams(visualization_hz=2))
    kinds = {e.error_type for _, s in m.states for e in s.errors}
    assert kinds == {"orderError", "validationError", "instantActionError"}
    for name, payloads in m.raw.items():
        if name in {"order", "instantActions"}:
            continue
        validator: jsonschema_rs.Draft202012Validator = schema(name)
        assert payloads
        for payload in payloads:
            validator.validate(json.loads(payload))


def test_a_node_may_want_a_heading() -> None:
    """With theta it turns before the node counts as reached, and acts only then; within the deviation it does not."""
    wanted = {"2-0": NodePosition(2 * CELL_M, 0, "floor", theta=math.pi / 2)}
    near = {"4-0": NodePosition(4 * CELL_M, 0, "floor", theta=0.3, allowed_deviation_theta=0.5)}

    async def scene(m: Master) -> None:
        m.send(order_along("O1", ["0-0", "1-0", "2-0"], positions=wanted))
        end = await m.until(lambda s: s.last_node_id == "2-0" and not s.driving)
        assert end - 0.01 == pytest.approx(2 * math.sqrt(2 * CELL_M) + 1.0, abs=0.06)
        assert m.last.agv_position is not None
        assert m.last.agv_position.theta == pytest.approx(math.pi / 2, abs=0.001)
        m.send(order_along("O2", ["2-0", "3-0", "4-0"], positions=near))
        await m.until(lambda s: s.last_node_id == "4-0" and not s.driving)
        assert m.last.agv_position is not None
        assert m.last.agv_position.theta == pytest.approx(0.0)

    play(scene)


def test_an_empty_battery_stops_it_until_somebody_brings_it_to_a_charger() -> None:
    """A fatal error; carried to the charger by hand (initPosition) it charges and works again."""

    async def scene(m: Master) -> None:
        await m.until(lambda s: any(e.error_type == "batteryEmpty" for e in s.errors), 3600)
        m.send(order_along("O1", ["0-0", "1-0"]))
        await m.clock.sleep(10)
        assert m.last.last_node_id == "0-0"
        m.send(instant("c", "cancelOrder"))
        m.send(instant("i", "initPosition", x=7 * CELL_M, y=0, theta=0, mapId="floor", lastNodeId="7-0"))
        m.send(instant("s", "startCharging"))
        await m.until(lambda s: s.battery_state.charging)
        assert m.last.errors == ()
        await m.clock.sleep(600)
        m.send(order_along("O2", ["7-0", "6-0"]))
        await m.until(lambda s: s.last_node_id == "6-0" and not s.driving)
        assert m.world.violations == []

    play(scene, RobotParams(battery=BatteryParams(capacity_wh=10), level=(0.5, 0.5)))


class Released(World):
    """A world that also remembers which nodes were entered."""

    entered: list[str]

    def entering(self, robot: RobotId, node: NodeId) -> None:
        self.entered.append(node)
        super().entering(robot, node)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_a_master_says_it_stays_on_what_was_released(seed: int) -> None:
    """Random orders, updates, pauses, cancels, faults and outages at random moments: it enters exactly the nodes that
    were released to it, in order, never leaves the road, and always ends at rest where it says it is.
    """
    random_ = random.Random(seed)

    def step(node: str) -> str:
        x, y = map(int, node.split("-"))
        ways = [(x + dx, y + dy) for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1))]
        return "{}-{}".format(*random_.choice([(a, b) for a, b in ways if 0 <= a < 8 and 0 <= b < 4]))

    async def scene(m: Master) -> None:
        assert isinstance(m.world, Released)
        m.world.entered = []
        granted: list[str] = []
        vehicle = m.twin.vehicle
        for k in range(80):
            await m.clock.sleep(random_.choice((0.0, 0.1, 0.7, 2.0, 7.0)))
            what = random_.random()
            if what < 0.6:
                fresh = not vehicle.active
                end = vehicle.base[-1].node_state if vehicle.base else None
                node, sequence = (
                    (end.node_id, end.sequence_id)
                    if end
                    else (vehicle.last_node_id, 0 if fresh else vehicle.last_node_sequence_id)
                )
                way = [node]
                for _ in range(random_.randint(1, 5)):
                    way.append(step(way[-1]))
                released = random_.randint(1, len(way))
                order_id = f"O{k}" if fresh else vehicle.order_id
                update = 0 if fresh else vehicle.order_update_id + 1
                m.send(order_along(order_id, way, update=update, first=sequence, released=released))
                before = (vehicle.order_id, vehicle.order_update_id)
                await m.clock.sleep(0)
                await m.clock.sleep(0.001)
                if (vehicle.order_id, vehicle.order_update_id) != before:
                    granted += way[1:released]
            elif what < 0.7:
                m.send(instant(f"i{k}", "cancelOrder"))
            elif what < 0.85:
                m.send(instant(f"i{k}", random_.choice(("startPause", "stopPause"))))
            elif what < 0.95:
                m.twin.fail("driveFault", "no answer", random_.uniform(0.1, 5))
            else:
                m.twin.go_offline(random_.uniform(1, 10))
            allowed = iter(granted)
            assert all(any(n == g for g in allowed) for n in m.world.entered), (m.world.entered, granted)
        m.send(instant("last", "stopPause"))
        await m.clock.sleep(120)
        assert not vehicle.driving
        assert not vehicle.base
        assert [v for v in m.world.violations if v.kind != "road"] == []
        pose, node = m.twin.pose, m.twin._node[NodeId(vehicle.last_node_id)]
        if len(m.world.nodes_of(RobotId("R1"))) == 1:
            assert math.hypot(pose.x_m - node.x_m, pose.y_m - node.y_m) < 1e-3

    play(scene, RobotParams(drive=DriveParams(loaded_speed_mps=1.0)), seed, world=Released)
