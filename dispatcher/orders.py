"""What each robot is told next: a new order, more base for the running one, or the end of a horizon.

One message is under way to a robot at a time: an update would not fit if the one before it were lost.
"""

import math

import msgspec

from contracts.ids import NodeId, RobotId
from contracts.vda5050 import v2
from contracts.vda5050.translation import blocking_of_2
from dispatcher import missions
from dispatcher.commands import SendInstantActions, SendOrder
from dispatcher.fleet import vehicle as model
from dispatcher.fleet.member import Leg, Pin, Vehicle
from dispatcher.fleet.order import RunningOrder, action
from dispatcher.world import World

_AT_NODE_M = 0.1
"""One that is no further from its node stands on it."""
_ASIDE_M = 0.3
"""One that is no further from the line to the next node is on its way there."""
BASE_AHEAD = 2
"""A robot with so many released nodes, the one it stands on included, can wait for more."""
WORTH_SENDING = 5
"""So many new nodes are sent to it all the same."""


def write_orders(world: World) -> None:
    """Send what the robots touched in this step need."""
    while world.touched:
        touched, world.touched = world.touched, {}
        for name in touched:
            write(world, world.vehicles[name])


def write(world: World, v: Vehicle) -> None:
    """Send one robot what it needs now, if it can take it."""
    if world.stopped or not v.placed or v.cancelling or v.pins & (Pin.AWAY | Pin.PAUSE):
        return
    order, leg = v.order, v.leg
    if order is not None and order.in_doubt:
        return
    if world.now_ms < v.ready_ms:
        world.timers.earlier(v.ready_ms, "order", v.id)
        return
    if order is None:
        if v.queue:
            _begin(world, v)
        elif leg is not None and not leg.done and not v.pins & Pin.LEG and world.traffic.settled(v.id):
            world.pin(v, Pin.LEG)
            if leg.act:
                _begin(world, v)
            else:
                missions.leg_done(world, v)
    elif v.dialect.replaces_orders and order.at < len(order.path) - 1:
        return
    elif order.leg == _leg_number(v):
        if v.queue:
            asked = v.report is not None and v.report.wants_base
            few = len(order.path) - order.at > BASE_AHEAD and len(v.queue) < WORTH_SENDING
            if few and not asked and v.queue[-1] != _goal(v):
                return  # it has enough for now; sent with what comes next
            _extend(world, v, order)
        elif order.horizon and not _horizon(world, v):
            _extend(world, v, order)
    elif order.horizon:
        order.horizon = ()
        _send(world, v, order, [])
    elif v.leg is None and v.queue:  # pushed on after its leg: the same order goes on
        _extend(world, v, order)


def order_due(world: World, name: str) -> None:
    """Send what had to wait for the robot's minimum order interval."""
    world.touched[RobotId(name)] = None


def doubt_due(world: World, name: str) -> None:
    """Send an order again that no state has echoed; after the whole schedule ask for a person."""
    v = world.vehicles[RobotId(name)]
    order = v.order
    if order is None or order.sent is None or not order.in_doubt or v.pins & Pin.AWAY or v.cancelling:
        return  # what is being cancelled must not begin after that
    waits = world.params.order_resend_ms
    order.tries += 1
    if order.tries >= len(waits):
        world.raise_alarm(
            f"doubt-{v.id}",
            "error",
            v.id,
            f"Robot {v.id} does not take order {order.id}, update {order.update}, after {order.tries} attempts.",
            "See whether it runs and hears the broker; the order is repeated.",
        )
    world.out.append(SendOrder(order.sent))
    wait = waits[order.tries] if order.tries < len(waits) else world.params.order_escalated_ms
    world.timers.set(world.now_ms + wait, "doubt", v.id)


def resend(world: World, v: Vehicle) -> None:
    """Send an order in doubt again at once: the connection was lost."""
    if v.cancelling or v.pins & Pin.AWAY:
        return
    if v.order is not None and v.order.sent is not None and v.order.in_doubt:
        world.out.append(SendOrder(v.order.sent))


def instant(world: World, v: Vehicle, kind: str, **parameters: str) -> str:
    """Send one instant action, which blocks nothing, and return its id."""
    v.instants += 1
    v.headers += 1
    name = f"{world.outbox.epoch:x}-{v.id}-i{v.instants}"
    message = v2.InstantActions(
        header_id=v.headers,
        timestamp=v2.timestamp(world.now_ms),
        version=v.speaks,
        manufacturer=v.manufacturer,
        serial_number=v.serial,
        actions=(action(v.dialect.instant.get(kind, kind), name, blocking=v2.BlockingType.NONE, **parameters),),
    )
    world.out.append(SendInstantActions(message))
    return name


def _goal(v: Vehicle) -> NodeId | None:
    return None if v.leg is None else v.leg.goal


def _leg_number(v: Vehicle) -> int:
    return 0 if v.leg is None else v.leg.n


def _horizon(world: World, v: Vehicle) -> tuple[NodeId, ...]:
    return () if v.dialect.fully_released else world.traffic.route(v.id)[1]


def _begin(world: World, v: Vehicle) -> None:
    leg = v.leg
    if leg is None:
        world.errands_n += 1
        job = f"Y{world.errands_n}"
    else:
        job = leg.job
    if job != v.job:
        v.job, v.job_epoch = job, world.outbox.epoch
    # of the task and its leg, not of who leads now: who takes over goes on in the same series; and no name comes twice,
    # also when a task comes back to a robot that had it before
    name = f"{v.job_epoch:x}-{job}-{0 if leg is None else leg.n}-{v.orders}"
    v.orders += 1
    v.order = RunningOrder(id=name, path=[v.node], leg=_leg_number(v))
    v.moved_ms = world.now_ms
    first: tuple[v2.Action, ...] = ()
    if v.report is not None and v.report.charging:
        first = (action("stopCharging", f"{name}-stop"),)
    _extend(world, v, v.order, first=first)


def _extend(world: World, v: Vehicle, order: RunningOrder, *, first: tuple[v2.Action, ...] = ()) -> None:
    most = 0 if v.factsheet is None else v.factsheet.nodes_max
    new, v.queue = (v.queue, []) if not most else (v.queue[: most - 1], v.queue[most - 1 :])
    if new and order.at == len(order.path) - 1:
        v.moved_ms = world.now_ms  # it stood, as it had no way
        world.timers.earlier(world.now_ms + world.params.late_look_ms, "late")
    planned = (*v.queue, *world.traffic.route(v.id)[1])
    order.horizon = () if v.dialect.fully_released else planned[: most - 1 - len(new)] if most else planned
    leg = v.leg
    end = new[-1] if new else order.path[-1]
    if leg is not None and order.leg == leg.n and not planned and end == leg.goal:
        world.pin(v, Pin.LEG)
        order.actions = _final(order, leg, v)
    _send(world, v, order, new, first=first)


def _final(order: RunningOrder, leg: Leg, v: Vehicle) -> tuple[v2.Action, ...]:
    if not leg.act:
        return ()
    parameters = dict(v.dialect.parameters.get(leg.act, {}))
    if leg.load_type:
        parameters |= {"stationType": "floor", "loadType": leg.load_type}
    if leg.load:
        parameters["loadId"] = leg.load
    blocking = v.dialect.blocking.get(leg.act, str(v2.BlockingType.HARD))
    if not v.speaks.startswith("3."):
        blocking = blocking_of_2(blocking)
    made = action(leg.act, f"{order.id}-{leg.act}", **parameters)
    return (made if blocking == made.blocking_type else msgspec.structs.replace(made, blocking_type=blocking),)


def _off_m(world: World, v: Vehicle, new: list[NodeId]) -> float:
    """Return how far a robot has come on the way to the next node already; 0: it stands on its node, or elsewhere."""
    report, nodes = v.report, world.site.layout.node
    if report is None or report.x_m is None or report.y_m is None or not new:
        return 0.0
    a, b = nodes[v.node], nodes[new[0]]
    x, y, dx, dy = report.x_m - a.x_m, report.y_m - a.y_m, b.x_m - a.x_m, b.y_m - a.y_m
    long_m = math.hypot(dx, dy)
    if not long_m or a.level != b.level:
        return 0.0
    along_m, aside_m = (x * dx + y * dy) / long_m, abs(x * dy - y * dx) / long_m
    return math.hypot(x, y) if 0 < along_m <= long_m and aside_m <= _ASIDE_M and math.hypot(x, y) > _AT_NODE_M else 0.0


def _send(
    world: World, v: Vehicle, order: RunningOrder, new: list[NodeId], *, first: tuple[v2.Action, ...] = ()
) -> None:
    v.headers += 1
    message = world.writer.write(
        v.serial, v.manufacturer, v.headers, world.now_ms, order, new, first=first, version=v.speaks,
        corridors=v.factsheet is not None and v.factsheet.corridors and v.speaks.startswith("3."),
        off_m=_off_m(world, v, new) if order.update < 0 else 0.0,
    )  # fmt: skip
    world.out.append(SendOrder(message))
    v.state = model.step(v.state, model.Signal.SENT)
    world.timers.set(world.now_ms + world.params.order_resend_ms[0], "doubt", v.id)
    if v.factsheet is not None and v.factsheet.min_order_interval_ms:
        v.ready_ms = world.now_ms + v.factsheet.min_order_interval_ms
