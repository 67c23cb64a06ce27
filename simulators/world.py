"""The truth of the simulated floor: where pods and robots are and what lies in bins and totes.

Nothing outside `simulators` sees it; it is met only through what devices say. It watches on its own that no two robots
are in one place, whatever the dispatcher believes.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable

import msgspec

from contracts.errors import Rejected
from contracts.ids import BinId, DoorId, ItemId, LiftId, NodeId, PodId, RobotId, StationId, ToteId
from contracts.layout import NodeKind
from contracts.runtime.clock import Clock
from contracts.site import Bin, Site
from simulators.catalogue import Catalogue, Item, StockRow
from simulators.twin import Listeners


class Violation(msgspec.Struct, frozen=True, tag="violation"):
    """Something that must never happen on a floor: ``collision``, ``door``, ``lift``, ``pod`` or ``road``."""

    at_ms: int
    kind: str
    text: str


class Packed(msgspec.Struct, frozen=True, tag="packed"):
    """A tote that left the floor in a parcel, and what lay in it."""

    at_ms: int
    tote: ToteId
    contents: dict[ItemId, int]


class Tote(msgspec.Struct):
    """An order tote: its label and what lies in it."""

    label: ToteId
    contents: dict[ItemId, int]

    def put(self, item: ItemId, qty: int) -> None:
        """Lay pieces into it."""
        if qty:
            self.contents[item] = self.contents.get(item, 0) + qty

    def take(self, item: ItemId, qty: int) -> None:
        """Take pieces out again."""
        left = self.contents[item] - qty
        if left:
            self.contents[item] = left
        else:
            del self.contents[item]


def _always(_: NodeId) -> bool:
    return True


class World:
    """Everything that is somewhere.

    Parameters
    ----------
    stock
        What lies in the bins at first (`physical_qty` of each row).
    """

    def __init__(self, site: Site, catalogue: Catalogue, stock: Iterable[StockRow], clock: Clock) -> None:
        self.site, self._clock = site, clock
        self.items: dict[ItemId, Item] = {i.id: i for i in catalogue.items}
        self.violations: list[Violation] = []
        self.happened: Listeners[Violation | Packed] = Listeners()
        """Hear what must not be, and what leaves."""
        self.pod_at: dict[NodeId, PodId] = {p.home: p.id for p in site.pods}
        """Pods that stand on the floor."""
        self.load: dict[RobotId, PodId] = {}
        self.bins: dict[BinId, dict[ItemId, int]] = {b.id: {} for p in site.pods for b in p.bins}
        for row in stock:
            if row.physical_qty:
                self.bins[row.bin][row.item] = row.physical_qty
        self._bin: dict[tuple[PodId, int, int, int], Bin] = {
            (p.id, b.face, b.level, b.column): b for p in site.pods for b in p.bins
        }
        self.slots: dict[tuple[StationId, int], Tote] = {}
        self.packed: list[Tote] = []
        self.door_passable: dict[DoorId, Callable[[], bool]] = {}
        self.lift_passable: dict[LiftId, Callable[[NodeId], bool]] = {}
        """Whether robots may drive into and out of a lift at a node of its cabin."""
        self._group = {n.id: n.resource for n in site.layout.nodes}
        self._nodes: dict[RobotId, list[NodeId]] = {}
        self._holder: dict[str, list[RobotId]] = defaultdict(list)
        self.pod_visits = 0
        """How often a pod was brought to stand at a station."""
        self._stations = frozenset(n.id for n in site.layout.nodes if n.kind is NodeKind.STATION)
        self._busy_ms: dict[RobotId, int] = {}
        self._busy_since: dict[RobotId, int] = {}
        self._watchers: dict[NodeId, list[Callable[[], None]]] = defaultdict(list)
        self.pod_moved: Callable[[], None] = lambda: None
        """Called when a robot has lifted a pod or set one down."""

    # --------------------------------------------------------------------------------------------------------- robots

    def place(self, robot: RobotId, node: NodeId) -> None:
        """Put a robot on the floor, or somewhere else by hand; what it carries comes along."""
        for held in tuple(self._nodes.get(robot, ())):
            self.left(robot, held)
        self._hold(robot, node)

    def entering(self, robot: RobotId, node: NodeId) -> None:
        """Let a robot begin to drive onto a node; it stands on the one before until `left`."""
        where = self._nodes.get(robot, [])
        before = where[-1:]
        edge = self.site.layout.edge.get((where[-1], node)) if where else None
        if where and edge is None:
            self._violated("road", f"robot {robot} drives from {where[-1]} to {node}, where there is no road")
        if edge is not None and robot in self.load and not edge.loaded:
            self._violated(
                "road", f"robot {robot} carries {self.load[robot]} over {edge.id}, which is for empty robots"
            )
        self._hold(robot, node)
        at = self.site.layout.node[node]
        if at.door is not None and not self.door_passable.get(at.door, lambda: True)():
            self._violated("door", f"robot {robot} drives into door {at.door}, which is not open")
        self._through_a_lift(robot, before, node)
        if robot in self.load and node in self.pod_at:
            self._violated("pod", f"robot {robot} drives {self.load[robot]} into {self.pod_at[node]} on {node}")

    def _through_a_lift(self, robot: RobotId, before: list[NodeId], node: NodeId) -> None:
        """Watch that a lift stands open at the level where a robot enters or leaves it, or to which it rode."""
        nodes = self.site.layout.node
        for cabin in (node, *before):
            lift = nodes[cabin].lift
            if lift is not None:
                if not self.lift_passable.get(lift, _always)(cabin):
                    self._violated("lift", f"robot {robot} drives to {node}: lift {lift} is not open at {cabin}")
                return

    def left(self, robot: RobotId, node: NodeId) -> None:
        """Let a robot have left a node wholly."""
        nodes = self._nodes.get(robot, [])
        if node in nodes:
            nodes.remove(node)
            self._holder[self._group[node]].remove(robot)
            if len(nodes) == 1 and robot in self.load and nodes[0] in self._stations:
                self.pod_visits += 1
        self._account(robot)
        for place in (node, *nodes):
            self._tell(place)

    def lift(self, robot: RobotId, node: NodeId, pod: PodId | None = None) -> PodId:
        """Let a robot lift the pod over it.

        Raises
        ------
        Rejected
            It carries one already, there is none, or it is not the one that was meant.
        """
        if robot in self.load:
            raise Rejected("pick", self.load[robot], f"possible: robot {robot} carries it already")
        found = self.pod_at.get(node)
        if found is None or (pod is not None and found != pod):
            raise Rejected("pick/loadId", pod, f"on {node} ({found or 'nothing'} is)")
        del self.pod_at[node]
        self.load[robot] = found
        self._account(robot)
        self._tell(node)
        self.pod_moved()
        return found

    def set_down(self, robot: RobotId, node: NodeId) -> PodId:
        """Let a robot set down its pod.

        Raises
        ------
        Rejected
            It carries none, or a pod stands there already.
        """
        pod = self.load.get(robot)
        if pod is None:
            raise Rejected("drop", robot, "a robot that carries a pod")
        if node in self.pod_at:
            raise Rejected("drop", node, f"a free place: {self.pod_at[node]} stands there")
        if self.site.layout.node[node].kind not in {NodeKind.STORAGE, NodeKind.STATION}:
            self._violated("pod", f"robot {robot} sets down {pod} on {node}, in the way")
        del self.load[robot]
        self.pod_at[node] = pod
        self._account(robot)
        self._tell(node)
        self.pod_moved()
        return pod

    def busy_ms(self) -> int:
        """Return for how long all robots together have driven or carried a pod."""
        now_ms = self._clock.now_ms()
        return sum(self._busy_ms.values()) + sum(now_ms - since for since in self._busy_since.values())

    def occupied(self, nodes: Iterable[NodeId]) -> bool:
        """Tell whether a robot stands or drives on one of these nodes."""
        return any(self._holder.get(self._group[n]) for n in nodes)

    def crossing(self, nodes: Iterable[NodeId]) -> bool:
        """Tell whether a robot drives from one of these nodes out of them, or in."""
        there = {r for n in nodes for r in self._holder.get(self._group[n], ())}
        return any(len({self._group[n] for n in self._nodes[r]}) > 1 for r in there)

    def nodes_of(self, robot: RobotId) -> tuple[NodeId, ...]:
        """Return what a robot stands on: one node, or two while it drives."""
        return tuple(self._nodes.get(robot, ()))

    # --------------------------------------------------------------------------------------------------------- places

    def pod_on(self, node: NodeId) -> PodId | None:
        """Return the pod that is on a node: standing there, or on a robot that stands there."""
        if (standing := self.pod_at.get(node)) is not None:
            return standing
        for robot in self._holder.get(self._group[node], ()):
            if self._nodes[robot] == [node] and robot in self.load:
                return self.load[robot]
        return None

    def watch(self, node: NodeId, call: Callable[[], None]) -> None:
        """Call whenever something on a node may have changed."""
        self._watchers[node].append(call)

    def bin_at(self, pod: PodId, face: int, level: int, column: int) -> Bin | None:
        """Return the bin in a place of a pod."""
        return self._bin.get((pod, face, level, column))

    def take(self, bin_: BinId, qty: int) -> tuple[ItemId | None, int]:
        """Take up to so many pieces of what lies in a bin; returns what it was and how many there were."""
        content = self.bins[bin_]
        for item, there in content.items():
            taken = min(qty, there)
            if taken == there:
                del content[item]
            else:
                content[item] = there - taken
            return item, taken
        return None, 0

    def give_back(self, bin_: BinId, item: ItemId, qty: int) -> None:
        """Lay pieces back into a bin."""
        if qty:
            self.bins[bin_][item] = self.bins[bin_].get(item, 0) + qty

    def pack(self, tote: Tote) -> None:
        """Let a tote leave the floor in a parcel."""
        self.packed.append(tote)
        self.happened.tell(Packed(self._clock.now_ms(), tote.label, dict(tote.contents)))

    def _hold(self, robot: RobotId, node: NodeId) -> None:
        nodes = self._nodes.setdefault(robot, [])
        if node in nodes:
            return
        nodes.append(node)
        holders = self._holder[self._group[node]]
        for other in holders:
            if other != robot:
                self._violated("collision", f"robots {other} and {robot} are both on {node}")
        holders.append(robot)
        self._account(robot)
        self._tell(node)

    def _account(self, robot: RobotId) -> None:
        """Begin or end the time in which a robot is busy."""
        busy = robot in self.load or len(self._nodes.get(robot, ())) > 1
        since = self._busy_since.get(robot)
        if busy and since is None:
            self._busy_since[robot] = self._clock.now_ms()
        elif not busy and since is not None:
            del self._busy_since[robot]
            self._busy_ms[robot] = self._busy_ms.get(robot, 0) + self._clock.now_ms() - since

    def _tell(self, node: NodeId) -> None:
        for call in self._watchers.get(node, ()):
            call()

    def _violated(self, kind: str, text: str) -> None:
        found = Violation(self._clock.now_ms(), kind, text)
        self.violations.append(found)
        self.happened.tell(found)
