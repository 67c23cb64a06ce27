"""Robots that stopped for good but speak: what they give up is free again, and how they go on from between two nodes.

A robot holds all that is released to it, as it may stand anywhere there or drive on at any time. Once it has cancelled
its order it holds the node that it named last, and, unless its position says that it stands there, the next one. One
that is silent keeps all.
"""

import math

from dispatcher import orders
from dispatcher.facts import RobotState
from dispatcher.fleet.member import Pin, Vehicle
from dispatcher.world import World

_BUSY = frozenset({"RUNNING", "INITIALIZING", "PAUSED", "RETRIABLE"})
_AT_NODE_M = 0.1
"""One that is further from its node stands between it and the next."""


def ask_to_stay(world: World, v: Vehicle) -> None:
    """Cancel the order of a robot that stopped for good but speaks: what it says it will not drive is free again."""
    if world.traffic.route(v.id)[0] and not v.cancelling:
        v.cancelling = orders.instant(world, v, "cancelOrder")
        v.instant_tries = 0
        world.timers.set(world.now_ms + world.params.instant_resend_ms, "instant", v.id)


def stays(world: World, v: Vehicle) -> bool:
    """Free what a stopped robot has given up: it keeps where it stands. Says whether it has given up its order."""
    report = v.report
    if report is None or not rests(v, report):
        return False
    v.cancelling = ""
    world.timers.cancel("instant", v.id)
    world.clear_alarm(f"deaf-{v.id}")
    at = (v.node, *world.traffic.route(v.id)[0])
    if report.node in at:
        began = v.order is None or v.order.echoed >= 0 or report.order_id == v.order.id
        v.order, v.last_order = None, report.order_id
        world.timers.cancel("doubt", v.id)
        world.traffic.keep(v.id, at.index(report.node) + (bool(v.late) or (began and _between(world, report))))
        world.plan_wanted = world.release_wanted = True
        world.hauls_changed = world.fleet_changed = world.demand_changed = True
    return True


def drive_on(world: World, v: Vehicle) -> bool:
    """Send a robot that stands between two nodes and has no order to the next one; says whether it stands there.

    It keeps both until it is there, and then it goes on as before.
    """
    report, ahead = v.report, world.traffic.route(v.id)[0]
    if report is None or v.order is not None or report.node != v.node or not ahead or not rests(v, report):
        return False
    if v.lost:
        v.lost, v.late = False, 0
        world.traffic.found(v.id)
    v.pins &= Pin.PAUSE | Pin.CHARGE
    if v.placed and not v.pins:
        world.traffic.unpin(v.id)
    for alarm in (f"reset-{v.id}", f"failed-{v.id}", *((f"stuck-{v.id}",) if not v.late else ())):
        world.clear_alarm(alarm)
    v.queue = list(ahead)
    v.moved_ms = world.now_ms
    world.touched[v.id] = None
    return True


def rests(v: Vehicle, report: RobotState) -> bool:
    """Whether a robot that was told to cancel has done so, and stands."""
    if report.driving:
        return False
    status = dict(report.actions).get(v.cancelling, "")
    empty = not (report.base_left or report.horizon_left or busy(report))
    return empty or (status in {"FINISHED", "FAILED"} and v.dialect.keeps_node_states)


def _between(world: World, report: RobotState) -> bool:
    """Whether a robot may stand between the node that it names and the next one."""
    node = world.site.layout.node.get(report.node)
    if node is None or report.x_m is None or report.y_m is None:
        return True
    return math.hypot(node.x_m - report.x_m, node.y_m - report.y_m) > _AT_NODE_M


def busy(report: RobotState) -> bool:
    """Whether an action of its order runs, or waits for a decision."""
    return any(status in _BUSY for _, status in report.actions)
