"""A change to a day that is under way: from a second on there are other robots, stations, roads, people or orders."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from contracts import topics
from contracts.codec import decode, encode
from contracts.errors import Broken, Rejected
from contracts.ids import EdgeId, NodeId, OrderId, RobotId
from contracts.layout import NodeKind
from contracts.messages.ops import (
    AdoptRobot,
    CloseEdge,
    CloseNode,
    CloseStation,
    OpsAnswer,
    OpsBody,
    OpsCommand,
    ReopenEdge,
    RetireRobot,
)
from contracts.site import Robot, Site, read_site
from deploy.one_loop import OneLoop
from simulators.demand import Planned
from simulators.orders import read_orders
from simulators.site import MANUFACTURER

_SETTLE_S = 5.0
"""A new robot has told its state by then."""


_BOUNDS = (
    ("robots", 1, 400), ("stations", 1, 1_000), ("pickers", 1, 1_000), ("packers", 1, 1_000), ("pace", 0.1, 10),
    ("orders", 0, 10),
)  # fmt: skip


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is different from a second of the day on; None: as it was.

    Raises
    ------
    Rejected
        A value is out of its bounds.
    """

    at_s: float
    """Seconds since the day's start."""
    robots: int | None = None
    stations: int | None = None
    """So many pick stations stay open, the first ones; the others finish the totes that stand there."""
    pace: float | None = None
    """How fast people work; 1: as they did."""
    orders: float | None = None
    """So many times the orders that were still to come."""
    pickers: int | None = None
    """So many people for all pick stations together: whoever is free does what comes next, wherever that is."""
    packers: int | None = None
    """So many people for all packing places together."""
    close: tuple[str, ...] = ()
    """Nodes and edges of the layout that nobody is planned over any more."""
    layout: Path | None = None
    """A site file with other roads: what it does not have is closed, what it has more is open from then on."""
    without: tuple[str, ...] = ()
    """Orders that do not come, by their references; they must not have come yet."""
    also: Path | None = None
    """An order file: all its orders come at that second too."""

    def __post_init__(self) -> None:
        if not self.at_s >= 0:
            raise Rejected("--at", self.at_s, "at least 0 seconds")
        for name, least, most in _BOUNDS:
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise Rejected(f"--{name}", value, f"from {least} to {most}")
        if not self.said():
            raise Rejected(f"--{', --'.join(_SAID)}", None, "at least one of them")

    def said(self) -> dict[str, Any]:
        """Return what is different, by the names of the flags."""
        return {name: value for name in _SAID if (value := getattr(self, name)) not in {None, ()}}


_SAID = ("robots", "stations", "pickers", "packers", "pace", "orders", "without", "also", "close", "layout")


def changed_site(site: Site, change: Change) -> Site:
    """Return the site with all roads that there ever are: those of before, and those of the change.

    Raises
    ------
    Rejected
        The file differs in more than roads, or what is to be closed is not there.
    """
    for name in change.close:
        if name not in site.layout.node and all(e.id != name for e in site.layout.edges):
            raise Rejected("--close", name, f"a node or an edge of {site.id}")
    if change.layout is None:
        return site
    other = read_site(change.layout)
    for field in Site.__struct_fields__:
        if field not in {"id", "layout", "robots"} and getattr(other, field) != getattr(site, field):
            raise Rejected(
                "--layout",
                str(change.layout),
                f"a site that differs from the recorded one in its roads only, not in its {field}",
            )
    old = {e.id: e for e in site.layout.edges}
    for node in other.layout.nodes:
        before = site.layout.node.get(node.id)
        if before is not None and before != node:
            raise Rejected("--layout", node.id, "where and what it was in the recorded one, or a new one")
    for edge in other.layout.edges:
        if edge.id in old and old[edge.id] != edge:
            raise Rejected("--layout", edge.id, "the edge that it was in the recorded one, or a new name")
    layout = msgspec.structs.replace(
        site.layout,
        nodes=(*site.layout.nodes, *(n for n in other.layout.nodes if n.id not in site.layout.node)),
        edges=(*site.layout.edges, *(e for e in other.layout.edges if e.id not in old)),
    )
    return msgspec.structs.replace(site, layout=layout)


class Roads(msgspec.Struct, frozen=True):
    """Edges and nodes that are closed until the change, and those that are closed from then on."""

    until: tuple[EdgeId, ...] = ()
    from_then: tuple[EdgeId, ...] = ()
    nodes: tuple[NodeId, ...] = ()


def changed_roads(before: Site, change: Change) -> Roads:
    """Return what a change does to the roads of the recorded site."""
    edges = {e.id for e in before.layout.edges}
    closed = tuple(e.id for e in before.layout.edges if e.id in change.close)
    nodes = tuple(NodeId(n) for n in change.close if n in before.layout.node)
    if change.layout is None:
        return Roads((), closed, nodes)
    wanted = read_site(change.layout).layout
    there = {e.id for e in wanted.edges}
    return Roads(
        tuple(e.id for e in wanted.edges if e.id not in edges),
        tuple(e.id for e in before.layout.edges if e.id not in there or e.id in change.close),
        (*nodes, *(n.id for n in before.layout.nodes if n.id not in wanted.node and n.id not in nodes)),
    )


def changed_orders(plan: Sequence[Planned], start_ms: int, change: Change, seed: int) -> list[Planned]:
    """Return the plan with fewer or more orders after the change: some left out, some again under new references.

    Raises
    ------
    Rejected
        An order to leave out is not in the plan or has come by then, or one to add has a reference that is taken.
    """
    from_ms = start_ms + round(change.at_s * 1000)
    at_ms = {p.order.ref: p.at_ms for p in plan}
    for ref in change.without:
        if OrderId(ref) not in at_ms:
            raise Rejected("--without", ref, "an order of the recorded day")
        if at_ms[OrderId(ref)] < from_ms:
            came_s = (at_ms[OrderId(ref)] - start_ms) / 1000
            raise Rejected("--without", ref, f"an order that comes after --at; it came at {came_s:.0f} s")
    found = [p for p in _more_or_fewer(plan, from_ms, change, seed) if p.order.ref not in change.without]
    if change.also is not None:
        due_ms = max((p.due_ms for p in plan), default=from_ms)
        for order in read_orders(change.also):
            if order.ref in at_ms:
                raise Rejected("--also", order.ref, "a reference that no order of the recorded day has")
            found.append(Planned(from_ms, due_ms, order))
        found.sort(key=lambda p: p.at_ms)  # stable: what came at the same moment keeps its order
    return found


def _more_or_fewer(plan: Sequence[Planned], from_ms: int, change: Change, seed: int) -> list[Planned]:
    if change.orders is None:
        return list(plan)
    rng = random.Random(f"{seed}/whatif")
    whole, part = int(change.orders), change.orders - int(change.orders)
    found: list[Planned] = []
    for p in plan:
        if p.at_ms < from_ms:
            found.append(p)
            continue
        for k in range(whole + (rng.random() < part)):
            ref = p.order.ref if k == 0 else OrderId(f"{p.order.ref}-w{k}")
            found.append(msgspec.structs.replace(p, order=msgspec.structs.replace(p.order, ref=ref)))
    return found


async def apply(floor: OneLoop, change: Change, roads: Roads) -> None:
    """Wait until the second comes, and make the change as an operator would.

    Raises
    ------
    Broken
        The dispatcher refuses it.
    """
    start_ms = floor.plan.start_ms
    for edge in roads.until:
        await _ask(floor, CloseEdge(edge))
    await floor.clock.sleep(max(0.0, change.at_s - (floor.clock.now_ms() - start_ms) / 1000))
    site = floor.plan.site
    if change.pace is not None:
        floor.twins.set_pace(change.pace)
    for people, places in ((change.pickers, floor.twins.pickers), (change.packers, floor.twins.packers)):
        if people is not None:
            shift = asyncio.Semaphore(people)
            for place in places:
                place.set_shift(shift)
    for edge in roads.until:
        await _ask(floor, ReopenEdge(edge))
    for edge in roads.from_then:
        await _ask(floor, CloseEdge(edge))
    for node in roads.nodes:
        await _ask(floor, CloseNode(node))
    if change.stations is not None:
        for station in [s for s in site.stations if s.kind == "pick"][change.stations :]:
            await _ask(floor, CloseStation(station.id))
    if change.robots is not None:
        for robot in site.robots[change.robots :]:
            await _ask(floor, RetireRobot(robot.id))
        names = [RobotId(f"W{n + 1:03d}") for n in range(change.robots - len(site.robots))]
        for name, node in zip(names, _free_nodes(floor, site), strict=False):
            floor.twins.add_robot(Robot(name, MANUFACTURER, node))
        if names:
            await floor.clock.sleep(_SETTLE_S)
        for name in names:
            await _ask(floor, AdoptRobot(name))


def _free_nodes(floor: OneLoop, site: Site) -> list[NodeId]:
    """Places for new robots, out of the way: where one parks, then beneath pods."""
    order = {NodeKind.PARK: 0, NodeKind.STORAGE: 1}
    places = [n for n in site.layout.nodes if n.kind in order and not floor.twins.world.occupied((n.id,))]
    return [n.id for n in sorted(places, key=lambda n: (order[n.kind], n.id))]


async def _ask(floor: OneLoop, body: OpsBody) -> None:
    port = floor.store.connect("whatif")
    command = OpsCommand(id=f"whatif-{body!r}", who="whatif", reason="floorplane whatif", body=body)
    answer = decode(await port.request(topics.ops_subject(floor.plan.site.id), encode(command)), OpsAnswer)
    if not answer.done:
        raise Broken(f"whatif: {body} was refused: {answer.reason}")
