"""A change to a day that is under way: from a second on there are other robots, stations, people or orders."""

import random
from collections.abc import Sequence

import msgspec

from contracts import topics
from contracts.codec import decode, encode
from contracts.errors import Broken, Rejected
from contracts.ids import NodeId, OrderId, RobotId
from contracts.layout import NodeKind
from contracts.messages.ops import AdoptRobot, CloseStation, OpsAnswer, OpsBody, OpsCommand, RetireRobot
from contracts.site import Robot, Site
from deploy.one_loop import OneLoop
from simulators.demand import Planned
from simulators.site import MANUFACTURER

_SETTLE_S = 5.0
"""A new robot has told its state by then."""


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

    def __post_init__(self) -> None:
        if not self.at_s >= 0:
            raise Rejected("--at", self.at_s, "at least 0 seconds")
        for name, least, most in (("robots", 1, 400), ("stations", 1, 1_000), ("pace", 0.1, 10), ("orders", 0, 10)):
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise Rejected(f"--{name}", value, f"from {least} to {most}")
        if self.robots is self.stations is self.pace is self.orders is None:
            raise Rejected("--robots, --stations, --pace, --orders", None, "at least one of them")


def changed_orders(plan: Sequence[Planned], start_ms: int, change: Change, seed: int) -> list[Planned]:
    """Return the plan with fewer or more orders after the change: some left out, or some again under new references."""
    from_ms = start_ms + round(change.at_s * 1000)
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


async def apply(floor: OneLoop, change: Change) -> None:
    """Wait until the second comes, and make the change as an operator would.

    Raises
    ------
    Broken
        The dispatcher refuses it.
    """
    start_ms = floor.plan.start_ms
    await floor.clock.sleep(max(0.0, change.at_s - (floor.clock.now_ms() - start_ms) / 1000))
    site = floor.plan.site
    if change.pace is not None:
        floor.twins.set_pace(change.pace)
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
