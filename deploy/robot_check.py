"""`floorplane robot check SERIAL`: drives one robot through a conformance script over MQTT and scores what it does.

It is master control for that robot while it runs: use it before the robot is adopted, or with the dispatcher stopped.
It needs the broker alone. The robot is driven to a neighbouring node and back, so the way must be free.
"""

import asyncio
from collections.abc import Callable
from itertools import pairwise

import msgspec

from contracts.codec import encode
from contracts.errors import Rejected, Unavailable
from contracts.ids import NodeId
from contracts.layout import Layout
from contracts.runtime.clock import Clock
from contracts.runtime.floor import Floor
from contracts.vda5050 import topics, v2
from contracts.vda5050.factsheet import Factsheet
from contracts.vda5050.header import has_zone
from contracts.vda5050.reading import read, read_with_deviation


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at; `points` of `of`, and why."""

    what: str
    points: int
    of: int
    reason: str


class Report(msgspec.Struct, frozen=True):
    """What a robot can do, of 100."""

    serial: str
    manufacturer: str
    version: str
    score: int
    findings: tuple[Finding, ...]
    suggested: dict[str, object]
    """Lines for its dialect file."""


class RobotCheck:
    """One conformance run.

    Parameters
    ----------
    floor, clock
        The broker and the time.
    layout
        The roads on which it stands.
    serial
        Its serial number.
    patience_s
        How long each single answer may take.
    """

    def __init__(self, floor: Floor, clock: Clock, layout: Layout, serial: str, *, patience_s: float = 30.0) -> None:
        self._floor, self._clock, self._layout, self._serial = floor, clock, layout, serial
        self._patience_s = patience_s
        self._address: topics.Address | None = None
        self._states: list[v2.State] = []
        self._deviations: dict[str, int] = {}
        self._factsheet: Factsheet | None = None
        self._connection: v2.Connection | None = None
        self._news = asyncio.Event()
        self._findings: list[Finding] = []
        self._suggested: dict[str, object] = {}
        self._sent = 0
        self._orders: dict[str, v2.Order] = {}

    async def run(self) -> Report:
        """Drive it through the script.

        Raises
        ------
        Unavailable
            Nothing is heard of it.
        Rejected
            It does not stand on a node of the layout, or that node has no neighbour with a way back.
        """
        for name in (topics.CONNECTION, topics.STATE, topics.FACTSHEET):
            await self._floor.subscribe(topics.pattern(name, serial=self._serial), self._hear, qos=1)
        if not await self._until(lambda: self._states):
            raise Unavailable(f"robot {self._serial}: no state within {self._patience_s:g} s; is it on this broker?")
        await self._say_what_it_is()
        self._speaks_properly()
        here, there = self._way()
        order = await self._drives(here, there)
        await self._repeats(order)
        await self._extends(order, here, there)
        await self._pauses(here, there)
        await self._cancels(here, there)
        await self._refuses()
        score = round(100 * sum(f.points for f in self._findings) / max(1, sum(f.of for f in self._findings)))
        last = self._states[-1]
        return Report(self._serial, last.manufacturer, last.version, score, tuple(self._findings), self._suggested)

    # ----------------------------------------------------------------------------------------------------- the script

    async def _say_what_it_is(self) -> None:
        online = await self._until(self._is_online, 10)  # a state may overtake the retained message
        self._note(
            "a retained connection message says ONLINE", 5 if online else 0, 5, "" if online else "none was heard"
        )
        if self._factsheet is None:
            self._instant("factsheetRequest")
            await self._until(lambda: self._factsheet, 5)
        found = self._factsheet is not None
        self._note("it has a factsheet", 5 if found else 0, 5, "" if found else "none, also after factsheetRequest")

    def _is_online(self) -> bool:
        return self._connection is not None and self._connection.connection_state == v2.ConnectionState.ONLINE

    def _speaks_properly(self) -> None:
        said = "; ".join(self._deviations) or ""
        self._note("its states keep to the schema", 0 if said else 10, 10, said)
        zone = all(has_zone(s.timestamp) for s in self._states)
        self._note("its timestamps say their zone", 3 if zone else 0, 3, "" if zone else self._states[-1].timestamp)
        placed = self._states[-1].agv_position is not None
        self._note("it says where it is", 4 if placed else 0, 4, "" if placed else "no agvPosition")

    async def _drives(self, here: NodeId, there: NodeId) -> str:
        order = self._order("there", 0, [here, there])
        begun = self._clock.now_ms()
        taken = await self._until(lambda: self._last.order_id == order)
        took_s = (self._clock.now_ms() - begun) / 1000
        self._note(
            "it takes an order", 15 if taken else 0, 15, f"echoed after {took_s:.1f} s" if taken else self._why()
        )
        came = taken and await self._until(lambda: self._last.last_node_id == there and not self._last.driving)
        self._note(
            "it drives to the next node", 15 if came else 0, 15, "" if came else f"it is at {self._last.last_node_id!r}"
        )
        numbered = self._last.last_node_sequence_id == 2
        said = "" if numbered else f"lastNodeSequenceId is {self._last.last_node_sequence_id}, not 2"
        self._note("it names the sequence id of its node", 5 if came and numbered else 0, 5, said)
        empty = await self._until(lambda: not self._last.node_states, 5)
        self._note(
            "it empties nodeStates", 5 if empty else 0, 5, "" if empty else f"{len(self._last.node_states)} are left"
        )
        if not empty:
            self._suggested["keeps_node_states"] = True
        return order

    async def _repeats(self, order: str) -> None:
        at = self._last.last_node_id
        heard = len(self._states)
        self._send(self._orders[order])
        await self._until(lambda: len(self._states) > heard, 5)
        calm = self._last.last_node_id == at and not any(
            e.error_level == v2.ErrorLevel.FATAL for e in self._last.errors
        )
        self._note("the same order again changes nothing", 5 if calm else 0, 5, "" if calm else self._why())

    async def _extends(self, order: str, here: NodeId, there: NodeId) -> None:
        self._order(order, 1, [there, here], first=2)
        came = await self._until(lambda: self._last.order_update_id == 1 and self._last.last_node_id == here)
        self._note("it takes an update, stitched on its last node", 10 if came else 0, 10, "" if came else self._why())
        if not came:
            self._suggested["replaces_orders"] = True
            self._order("home", 0, [there, here])
            await self._until(lambda: self._last.last_node_id == here)

    async def _pauses(self, here: NodeId, there: NodeId) -> None:
        order = self._order("slow", 0, [here, there])
        await self._until(lambda: self._last.order_id == order)
        self._instant("startPause")
        paused = await self._until(lambda: self._last.paused, 10)
        self._instant("stopPause")
        resumed = await self._until(lambda: not self._last.paused and self._last.last_node_id == there)
        self._note(
            "it pauses and goes on",
            (4 if paused else 0) + (4 if paused and resumed else 0),
            8,
            "" if paused else "never paused",
        )
        if not resumed:
            await self._until(lambda: self._last.last_node_id == there, 10)

    async def _cancels(self, here: NodeId, there: NodeId) -> None:
        order = self._order("dropped", 0, [there, here])
        await self._until(lambda: self._last.order_id == order)
        self._instant("cancelOrder")
        rested = await self._until(lambda: not self._last.node_states and not self._last.driving)
        self._note(
            "it cancels an order",
            8 if rested else 0,
            8,
            "" if rested else f"{len(self._last.node_states)} nodes are left",
        )

    async def _refuses(self) -> None:
        self._order(
            "nowhere", 0, [NodeId("floorplane-check-nowhere"), NodeId("floorplane-check-elsewhere")], placed=False
        )
        refused = await self._until(lambda: self._last.errors, 10)
        self._note(
            "it refuses an order from where it is not", 2 if refused else 0, 2, self._why() if refused else "no error"
        )
        self._instant("cancelOrder")

    # --------------------------------------------------------------------------------------------------------- inside

    @property
    def _last(self) -> v2.State:
        return self._states[-1]

    def _way(self) -> tuple[NodeId, NodeId]:
        at = self._last.last_node_id
        if at not in self._layout.node:
            raise Rejected("lastNodeId", at, f"a node of layout {self._layout.id}: drive the robot onto one")
        here = NodeId(at)
        for edge in self._layout.out[here]:
            if (edge.end, here) in self._layout.edge:
                return here, edge.end
        raise Rejected("lastNodeId", at, "a node with a two-way road to another one")

    def _hear(self, topic: str, payload: bytes) -> None:
        address = topics.parse(topic)
        self._address = address
        try:
            if address.name == topics.STATE:
                state, deviation = read_with_deviation(payload, v2.State)
                self._states.append(state)
                if deviation:
                    self._deviations[deviation] = self._deviations.get(deviation, 0) + 1
            elif address.name == topics.CONNECTION:
                self._connection = read(payload, v2.Connection)
            else:
                self._factsheet = read(payload, Factsheet)
        except Rejected as e:
            self._deviations[str(e)] = self._deviations.get(str(e), 0) + 1
        self._news.set()

    async def _until(self, holds: Callable[[], object], within_s: float | None = None) -> bool:
        end_ms = self._clock.now_ms() + 1000 * (self._patience_s if within_s is None else within_s)
        while not holds():
            left_s = (end_ms - self._clock.now_ms()) / 1000
            if left_s <= 0:
                return False
            self._news.clear()
            try:
                async with asyncio.timeout(min(left_s, 1.0)):
                    await self._news.wait()
            except TimeoutError:
                continue
        return True

    def _order(self, name: str, update: int, way: list[NodeId], *, first: int = 0, placed: bool = True) -> str:
        order_id = name if update else f"check-{self._clock.now_ms():x}-{name}"
        nodes = tuple(
            v2.Node(
                node_id=n,
                sequence_id=first + 2 * k,
                released=True,
                node_position=self._position(n)
                if placed
                else v2.NodePosition(x=1e6, y=1e6, map_id=self._layout.map_id),
            )
            for k, n in enumerate(way)
        )
        edges = tuple(
            v2.Edge(edge_id=f"{a}_{b}", sequence_id=first + 2 * k + 1, released=True, start_node_id=a, end_node_id=b)
            for k, (a, b) in enumerate(pairwise(way))
        )
        order = v2.Order(order_id=order_id, order_update_id=update, nodes=nodes, edges=edges)
        self._orders[order_id] = order
        self._send(order)
        return order_id

    def _position(self, node: NodeId) -> v2.NodePosition:
        at = self._layout.node[node]
        return v2.NodePosition(x=at.x_m, y=at.y_m, map_id=self._layout.map_id)

    def _instant(self, kind: str) -> None:
        action = v2.Action(action_id=f"check-{self._sent}-{kind}", action_type=kind, blocking_type="HARD")
        self._send(v2.InstantActions(actions=(action,)))

    def _send(self, message: v2.Order | v2.InstantActions) -> None:
        assert self._address is not None  # noqa: S101 - it has spoken
        self._sent += 1
        said = self._last.version.lstrip("v")
        head = {
            "header_id": self._sent,
            "timestamp": v2.timestamp(self._clock.now_ms()),
            "version": "2.0.0" if said.startswith(("1.", "2.0")) else v2.VERSION,
            "manufacturer": self._last.manufacturer,
            "serial_number": self._serial,
        }
        a, name = self._address, topics.ORDER if isinstance(message, v2.Order) else topics.INSTANT_ACTIONS
        topic = topics.topic(a.manufacturer, a.serial, name, a.interface, a.major)
        self._floor.send(topic, encode(msgspec.structs.replace(message, **head)))

    def _why(self) -> str:
        return "; ".join(f"{e.error_type} {e.error_description or ''}".strip() for e in self._last.errors)

    def _note(self, what: str, points: int, of: int, reason: str) -> None:
        self._findings.append(Finding(what, points, of, reason))
