"""How a robot twin speaks: VDA 5050 messages with their headers, on its own topics, while the broker is there."""

import msgspec

from contracts.codec import encode
from contracts.geometry import Point
from contracts.ids import PodId
from contracts.runtime.clock import Clock
from contracts.runtime.floor import Floor
from contracts.site import Robot
from contracts.vda5050 import topics, translation, v3
from contracts.vda5050.reading import read
from contracts.vda5050.v2 import (
    AgvPosition,
    BatteryState,
    Connection,
    ConnectionState,
    InstantActions,
    Load,
    Order,
    Velocity,
    Visualization,
    timestamp,
)
from controllers.vda5050 import Reading, Vehicle
from controllers.vda5050.zones import Zones
from simulators.battery import Battery
from simulators.drive import Drive
from simulators.robot_build import RobotParams, factsheet3_of, factsheet_of

_INSTANTS = 100


class Voice:
    """The messages of one robot. `floor` is None while it has no radio: then nothing is said, nor counted."""

    def __init__(self, robot: Robot, params: RobotParams, clock: Clock, here: Point) -> None:
        self._robot, self._params, self._clock = robot, params, clock
        self._header = dict.fromkeys(topics.NAMES, 0)
        self.new = params.version == v3.VERSION
        """It speaks version 3."""
        self.zones = Zones(here)
        """What version 3 knows of zones; never used by a robot of version 2."""
        self.instants: dict[str, None] = {}
        """Ids of its latest instant actions, which version 3 lists by themselves."""
        major = v3.MAJOR if self.new else topics.MAJOR
        self.topic = {n: topics.topic(robot.manufacturer, robot.id, n, major=major) for n in topics.NAMES_3}
        self.retriable: dict[str, None] = {}
        """Ids of its order's actions that may be tried again where they failed, of version 3."""
        self.floor: Floor | None = None
        self.said_ms = 0
        """When the last state was due, said or not."""

    def connection(self, state: ConnectionState) -> bytes:
        """Write a connection message, for the will too."""
        message = Connection(
            connection_state=state,
            header_id=self._count(topics.CONNECTION),
            timestamp=timestamp(self._clock.now_ms()),
            version=self._params.version,
            manufacturer=self._robot.manufacturer,
            serial_number=self._robot.id,
        )
        return encode(translation.connection_to_3(message) if self.new else message)

    def order(self, payload: bytes) -> Order:
        """Read an order, whatever version it is of.

        Raises
        ------
        Rejected
            It cannot be read.
        """
        if not self.new:
            return read(payload, Order)
        order = read(payload, v3.Order)
        for action in (a for part in (order.nodes, order.edges) for one in part for a in one.actions):
            if action.retriable:
                self.retriable[action.action_id] = None
        while len(self.retriable) > _INSTANTS:
            del self.retriable[next(iter(self.retriable))]
        return translation.order_to_2(order)

    def instant(self, payload: bytes) -> InstantActions:
        """Read instant actions, whatever version they are of.

        Raises
        ------
        Rejected
            They cannot be read.
        """
        if not self.new:
            return read(payload, InstantActions)
        message = translation.instant_to_2(read(payload, v3.InstantActions))
        self.instants.update(dict.fromkeys(a.action_id for a in message.actions))
        while len(self.instants) > _INSTANTS:
            del self.instants[next(iter(self.instants))]
        return message

    def online(self) -> None:
        """Say that it is there, and what it is."""
        if self.floor is not None:
            payload = self.connection(ConnectionState.ONLINE)
            self.floor.send(self.topic[topics.CONNECTION], payload, qos=1, retain=True)
            self.factsheet()

    def factsheet(self) -> None:
        """Say what it is."""
        if self.floor is not None:
            write = factsheet3_of if self.new else factsheet_of
            factsheet = write(self._robot, self._params, self._clock.now_ms(), self._count(topics.FACTSHEET))
            self.floor.send(self.topic[topics.FACTSHEET], encode(factsheet), retain=True)

    def state(self, vehicle: Vehicle, drive: Drive, battery: Battery, pod: PodId | None) -> None:
        """Say how it is."""
        vehicle.changed = False
        self.said_ms = now_ms = self._clock.now_ms()
        battery.pass_time(now_ms)
        if self.floor is None:
            return
        speed_mps = drive.speed_mps()
        reading = Reading(
            self._position(drive),
            BatteryState(round(battery.level * 100, 2), battery.charging),
            Velocity(round(speed_mps, 3), 0.0) if speed_mps > 0 else None,
            () if pod is None else (Load(pod),),
        )
        robot = self._robot
        state = vehicle.state(
            reading,
            self._count(topics.STATE),
            timestamp(now_ms),
            robot.manufacturer,
            robot.id,
            self._params.version,
        )
        if self.new:
            said = translation.state_to_3(state, frozenset(self.instants))
            zones = self.zones
            said = msgspec.structs.replace(said, zone_requests=zones.requests(), zone_sets=zones.sets())
            self.floor.send(self.topic[topics.STATE], encode(said))
        else:
            self.floor.send(self.topic[topics.STATE], encode(state))

    def visualization(self, drive: Drive) -> None:
        """Say where it is."""
        if self.floor is not None and not self.new:
            message = Visualization(
                agv_position=self._position(drive),
                velocity=Velocity(round(drive.speed_mps(), 3)),
                header_id=self._count(topics.VISUALIZATION),
                timestamp=timestamp(self._clock.now_ms()),
                version=self._params.version,
                manufacturer=self._robot.manufacturer,
                serial_number=self._robot.id,
            )
            self.floor.send(self.topic[topics.VISUALIZATION], encode(message))

    def _position(self, drive: Drive) -> AgvPosition:
        pose = drive.pose()
        return AgvPosition(round(pose.x_m, 3), round(pose.y_m, 3), round(pose.heading_rad, 4), drive.level())

    def _count(self, name: str) -> int:
        number = self._header[name]
        self._header[name] = number + 1
        return number
