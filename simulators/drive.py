"""A robot twin's wheels: they follow the base of its `Vehicle`, node by node, with one timer a node.

Right of way is a node's: the robot *enters* the next node when it begins to move towards it and has *left* the one
behind when it stands on the next. The ground hears both, so that anybody can check the truth for collisions.
"""

import asyncio
import math
from collections.abc import Callable, Iterator
from enum import Enum, auto

from contracts.geometry import Point, Pose, distance_m, heading_rad, turn_rad, wrap_rad
from contracts.ids import NodeId, RobotId
from contracts.layout import Layout
from contracts.runtime.clock import Clock
from controllers.vda5050 import Effect, Step, Vehicle
from simulators.ground import Ground
from simulators.motion import DriveParams, Leg, braking_m, entry_mps

STRAIGHT_RAD = 0.02
"""A smaller change of heading is driven through."""
_NEAR_M = 1e-6
_CRAWL_MPS = 0.01
"""Slower than this at a node is at rest."""


class Phase(Enum):
    """What the wheels do."""

    REST = auto()
    TURNING = auto()
    DRIVING = auto()


def _no_limit(_: Point) -> float:
    return math.inf


class Drive:
    """The wheels of one robot.

    Parameters
    ----------
    robot, vehicle
        Whose wheels, and the order that they follow.
    start
        The node on which it stands at first.
    layout
        Where speed limits come from when an order names none.
    clock, ground
        Time, and the world.
    params
        How it moves.
    react
        Called at the end of each turn, leg and halt with the vehicle's effects; it must call `follow`.
    """

    def __init__(
        self,
        robot: RobotId,
        vehicle: Vehicle,
        start: NodeId,
        layout: Layout,
        clock: Clock,
        ground: Ground,
        params: DriveParams,
        react: Callable[[list[Effect]], None],
    ) -> None:
        self._robot, self._vehicle, self._layout = robot, vehicle, layout
        self._clock, self._ground, self._react = clock, ground, react
        self._params = params
        self.phase = Phase.REST
        self.loaded = False
        self.blocked = False
        """Something stands in the way: it comes to rest where it is."""
        self.driven_m = 0.0
        self.legs = 0
        point = layout.node[start].point
        self._at, self._heading_rad = point, 0.0
        self._held: list[NodeId] = []
        self._start = start
        self._timer: asyncio.TimerHandle | None = None
        self._since_s = 0.0
        self._until_s = 0.0
        self._leg = Leg(0, 0, 1, 0, 1, 1)
        self._partial = False
        self._halting = False
        self._turn_rad = 0.0
        self._reaching = False
        self._exit_bound_mps = 0.0
        self.stale = False
        self.zone_mps: Callable[[Point], float] = _no_limit
        """The speed limit of zones at a place."""

    def stand(self) -> None:
        """Take up the first node."""
        if not self._held:
            self._held = [self._start]
            self._ground.place(self._robot, self._start)

    def cease(self) -> None:
        """Stop the timer for good."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def locate(self, pose: Pose, node: NodeId) -> None:
        """Stand somewhere else (`initPosition`)."""
        self._at, self._heading_rad = Point(pose.x_m, pose.y_m), wrap_rad(pose.heading_rad)
        if node in self._layout.node:
            self._held = [node]
            self._ground.place(self._robot, node)

    def pose(self) -> Pose:
        """Return where it is now."""
        if self.phase is Phase.DRIVING:
            way_m = self._leg.travelled_m(self._elapsed_s())
            cos, sin = math.cos(self._heading_rad), math.sin(self._heading_rad)
            return Pose(self._at.x_m + way_m * cos, self._at.y_m + way_m * sin, self._heading_rad)
        heading = self._heading_rad
        if self.phase is Phase.TURNING:
            heading = wrap_rad(heading + self._turned_rad())
        return Pose(self._at.x_m, self._at.y_m, heading)

    def level(self) -> str:
        """Return the map of the level where it is."""
        return self._layout.level(self._held[-1] if self._held else self._start)

    def speed_mps(self) -> float:
        """Return how fast it drives now."""
        return self._leg.speed_mps(self._elapsed_s()) if self.phase is Phase.DRIVING else 0.0

    def follow(self) -> list[Effect]:
        """Do what the vehicle's base and pauses ask for now; returns what the vehicle wants done besides.

        To be called after everything that may have changed them. After a new base set `stale` before.
        """
        vehicle, effects = self._vehicle, list[Effect]()
        while True:
            if vehicle.must_cut:
                effects += vehicle.cut(self._unavoidable())
                self.stale = True
            go = vehicle.may_drive and not self.blocked
            if self.phase is Phase.DRIVING:
                if go is self._halting or (self.stale and go and self._exit_mps() != self._exit_bound_mps):
                    self._halting = not go
                    self._replan()
            elif self._reaching and self._faces(vehicle.base[0]):
                self.phase, self._reaching = Phase.REST, False
                effects += vehicle.reached()
                continue
            elif not go or not vehicle.base or (self.phase is Phase.REST and not self._reaching and vehicle.waits):
                if self.phase is Phase.TURNING:
                    self._heading_rad = self.pose().heading_rad
                self._rest()
                effects += vehicle.moving(driving=False)
                if vehicle.must_cut:
                    continue
            elif self.phase is Phase.REST:
                if not self._reaching and distance_m(self._at, vehicle.base[0].at) <= _NEAR_M:
                    self._ride(NodeId(vehicle.base[0].node.node_id))
                    self._reaching = True
                    continue
                effects += vehicle.moving(driving=True)
                self._depart()
            self.stale = False
            return effects

    # --- beginning

    def _depart(self) -> None:
        """From rest: turn to where the next node wants or lies, or drive there."""
        step = self._vehicle.base[0]
        position = step.node.node_position
        if self._reaching and position is not None and position.theta is not None:
            self._turn(turn_rad(self._heading_rad, position.theta))
            return
        turn = turn_rad(self._heading_rad, heading_rad(self._at, step.at))
        if abs(turn) > STRAIGHT_RAD:
            self._turn(turn)
        else:
            self._drive_on(self._now_s(), 0.0)

    def _turn(self, turn: float) -> None:
        rate = self._params.loaded_turn_radps if self.loaded else self._params.turn_radps
        self.phase, self._turn_rad = Phase.TURNING, turn
        self._start_timer(self._now_s(), abs(turn) / rate, self._turned)

    def _drive_on(self, start_s: float, speed_mps: float) -> None:
        """Begin the leg to the next node of the base."""
        step = self._vehicle.base[0]
        self._enter(NodeId(step.node.node_id))
        self.phase = Phase.DRIVING
        self._heading_rad = heading_rad(self._at, step.at)
        self._plan(start_s, speed_mps, step)

    def _plan(self, start_s: float, speed_mps: float, step: Step) -> None:
        """Plan from here to the next node, or to where it can come to rest."""
        p = self._params
        accelerate = p.loaded_accelerate_mps2 if self.loaded else p.accelerate_mps2
        length_m = distance_m(self._at, step.at)
        limit_mps = max(self._limit_mps(step), speed_mps)
        if self._halting:
            way_m = braking_m(speed_mps, p.brake_mps2)
            self._partial = way_m < length_m - _NEAR_M
            exit_mps = 0.0 if self._partial else math.sqrt(max(0.0, speed_mps**2 - 2 * p.brake_mps2 * length_m))
            length_m = min(length_m, way_m)
            limit_mps = max(speed_mps, _CRAWL_MPS)
        else:
            self._partial = False
            exit_mps = self._exit_bound_mps = self._exit_mps()
        self._leg = Leg(speed_mps, length_m, limit_mps, exit_mps, accelerate, p.brake_mps2)
        self._start_timer(start_s, self._leg.duration_s, self._halted if self._partial else self._arrived)

    def _replan(self) -> None:
        """Plan the rest of this leg anew, from the actual place and speed."""
        elapsed_s = min(self._elapsed_s(), self._leg.duration_s)
        speed_mps = self._leg.speed_mps(elapsed_s)
        self._move(self._leg.travelled_m(elapsed_s))
        self._plan(self._since_s + elapsed_s, speed_mps, self._vehicle.base[0])

    # --- ending, each the end of a timer

    def _turned(self) -> None:
        self._heading_rad = wrap_rad(self._heading_rad + self._turn_rad)
        self.phase = Phase.REST
        self._react([])

    def _arrived(self) -> None:
        step, end_s, speed_mps = self._vehicle.base[0], self._until_s, self._leg.exit_mps
        self.driven_m += self._leg.length_m
        self._at = step.at
        node = NodeId(step.node.node_id)
        if len(self._held) > 1:
            for held in self._held:
                if held != node:
                    self._ground.left(self._robot, held)
            self._held = [node]
        if speed_mps > _CRAWL_MPS and len(self._vehicle.base) > 1:
            effects = self._vehicle.reached()
            self._drive_on(end_s, speed_mps)
            self._react(effects)
        else:
            self.phase, self._reaching, self._halting = Phase.REST, True, False
            self._react([])

    def _halted(self) -> None:
        self._move(self._leg.length_m)
        self._rest()
        self._react([])

    def _faces(self, step: Step) -> bool:
        """Whether it has the heading that the node wants."""
        position = step.node.node_position
        if position is None or position.theta is None:
            return True
        allowed = max(STRAIGHT_RAD, position.allowed_deviation_theta or 0.0)
        return self.phase is Phase.REST and abs(turn_rad(self._heading_rad, position.theta)) <= allowed

    def _rest(self) -> None:
        self.phase, self._halting = Phase.REST, False
        self.cease()

    # --- measures

    def _unavoidable(self) -> int:
        """Count the nodes of the base that are still passed when it comes to rest as soon as it can on a node."""
        if self._reaching:
            return 1
        if self.phase is not Phase.DRIVING:
            return 0
        need_m = braking_m(self.speed_mps(), self._params.brake_mps2)
        pose, keep, way_m = self.pose(), 0, 0.0
        last = Point(pose.x_m, pose.y_m)
        for step in self._vehicle.base:
            way_m += distance_m(last, step.at)
            if self._halting and need_m < way_m - _NEAR_M:
                break
            keep, last = keep + 1, step.at
            if need_m <= way_m + _NEAR_M:
                break
        return keep

    def _exit_mps(self) -> float:
        """Return the highest speed at the end of this leg, as far as the base reaches now."""
        return entry_mps(self._ahead(), self._params.brake_mps2) if not self._vehicle.stops_at(0) else 0.0

    def _ahead(self) -> Iterator[tuple[float, float]]:
        base, heading = self._vehicle.base, self._heading_rad
        for k in range(1, len(base)):
            a, b = base[k - 1].at, base[k].at
            following = heading_rad(a, b)
            if self._vehicle.stops_at(k - 1) or abs(turn_rad(heading, following)) > STRAIGHT_RAD:
                return
            yield distance_m(a, b), self._limit_mps(base[k])
            heading = following

    def _limit_mps(self, step: Step) -> float:
        own = self._params.loaded_speed_mps if self.loaded else self._params.speed_mps
        own = min(own, self.zone_mps(step.at))
        edge = step.edge
        if edge is None:
            return own
        if edge.max_speed is not None and edge.max_speed > 0:
            return min(own, edge.max_speed)
        road = self._layout.edge.get((NodeId(edge.start_node_id), NodeId(edge.end_node_id)))
        return own if road is None else min(own, road.max_speed_mps)

    def _move(self, way_m: float) -> None:
        self.driven_m += way_m
        cos, sin = math.cos(self._heading_rad), math.sin(self._heading_rad)
        self._at = Point(self._at.x_m + way_m * cos, self._at.y_m + way_m * sin)

    def _turned_rad(self) -> float:
        span_s = self._until_s - self._since_s
        return self._turn_rad * min(1.0, self._elapsed_s() / span_s) if span_s > 0 else self._turn_rad

    def _enter(self, node: NodeId) -> None:
        self.legs += 1
        if node not in self._held and node in self._layout.node:
            self._held.append(node)
            self._ground.entering(self._robot, node)

    def _ride(self, node: NodeId) -> None:
        """Be on another node without a move: a lift has brought it there."""
        if node in self._layout.node and node not in self._held:
            self._enter(node)
            for held in self._held:
                if held != node:
                    self._ground.left(self._robot, held)
            self._held = [node]

    def _start_timer(self, start_s: float, duration_s: float, then: Callable[[], None]) -> None:
        self.cease()
        self._since_s, self._until_s = start_s, start_s + duration_s
        self._timer = self._clock.call_later(max(0.0, self._until_s - self._now_s()), then)

    def _elapsed_s(self) -> float:
        return max(0.0, self._now_s() - self._since_s)

    def _now_s(self) -> float:
        return self._clock.now_ms() / 1000
