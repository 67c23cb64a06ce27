"""A robot twin and the zones of VDA 5050 3.0: it hears sets and answers, and asks for what lies ahead."""

from typing import TYPE_CHECKING

from contracts.errors import Rejected
from contracts.ids import NodeId
from contracts.layout import Layout
from contracts.runtime.clock import Clock
from contracts.runtime.floor import Floor
from contracts.vda5050 import topics, v3
from contracts.vda5050.reading import read
from contracts.vda5050.v2 import Action, ErrorEntry, ErrorLevel

if TYPE_CHECKING:
    from simulators.robot import RobotTwin

_DUPLICATE, _DUPLICATE_S = "DUPLICATE_ZONE_SET", 10.0


class RobotZones:
    """What a robot of version 3 does about zones besides a robot of version 2."""

    def __init__(self, twin: "RobotTwin", clock: Clock, layout: Layout) -> None:
        self._twin, self._clock, self._node = twin, clock, layout.node
        self._zones = twin.voice.zones
        twin.vehicle.bars = self._zones.bars
        twin.drive.zone_mps = self._zones.limit_mps

    async def listen(self, floor: Floor) -> None:
        """Hear zone sets and answers."""
        await floor.subscribe(self._twin.voice.topic[topics.ZONE_SET], self._on_zone_set)
        await floor.subscribe(self._twin.voice.topic[topics.RESPONSES], self._on_responses)

    def look(self) -> None:
        """Ask for the zones ahead; wake up when the next lease ends."""
        twin, zones, now_ms = self._twin, self._zones, self._clock.now_ms()
        node = self._node.get(NodeId(twin.vehicle.last_node_id))
        if node is not None:
            zones.here = node.point
        if zones.look(twin.vehicle.base, now_ms):
            twin.vehicle.changed = True
        if zones.expires_ms is not None:
            twin.after("lease", max(zones.expires_ms - now_ms, 1) / 1000, lambda: twin.happened([]))

    def use(self, action: Action) -> str:
        """Carry out `enableZoneSet` or `deleteZoneSet`; returns why it could not be."""
        name = str(action.parameter("zoneSetId"))
        done = self._zones.enable(name) if action.action_type == "enableZoneSet" else self._zones.drop(name)
        return "" if done else f"zone set {name} is not held, or in use"

    def _on_zone_set(self, _topic: str, payload: bytes) -> None:
        twin = self._twin
        try:
            fresh = self._zones.take(read(payload, v3.ZoneSet))
        except Rejected as e:
            twin.vehicle.unreadable(topics.ZONE_SET, e)
        else:
            if not fresh:
                twin.vehicle.fault(ErrorEntry(_DUPLICATE, ErrorLevel.WARNING, (), "it is here already"))
                twin.after("duplicate", _DUPLICATE_S, lambda: twin.mend(_DUPLICATE))
        twin.vehicle.changed = True
        twin.happened([])

    def _on_responses(self, _topic: str, payload: bytes) -> None:
        twin = self._twin
        try:
            self._zones.answer(read(payload, v3.Responses))
        except Rejected as e:
            twin.vehicle.unreadable(topics.RESPONSES, e)
        twin.vehicle.changed = twin.drive.stale = True
        twin.happened([])
