"""What robots say, and what follows: progress on their order, the end of a leg, and whatever goes wrong."""

from contracts.errors import Rejected
from contracts.ids import RobotId
from contracts.messages.ops import VehicleState
from dispatcher import energy, missions, recovery
from dispatcher.facts import RobotConnection, RobotFactsheet, RobotState
from dispatcher.fleet import order as orders
from dispatcher.fleet.dialect import dialect_of
from dispatcher.fleet.member import Pin, Vehicle
from dispatcher.fleet.vehicle import Signal, observe, refused, step
from dispatcher.world import World

_UNABLE = frozenset({Signal.FAILS, Signal.TAKEN_OVER})


def state_heard(world: World, report: RobotState) -> None:
    """Take a robot's state."""
    v = known(world, report.robot, report.manufacturer)
    if v is None:
        return
    v.report, v.heard_ms = report, world.now_ms
    signal = observe(report)
    if v.state is VehicleState.OFFLINE:
        v.state = step(v.state, Signal.BACK)
        world.clear_alarm(f"offline-{v.id}")
        recovery.back(world, v)
    if signal in _UNABLE:
        v.state = step(v.state, signal)
        recovery.unable(world, v, signal)
        return
    if v.cancelling:
        recovery.cancel_progress(world, v)
        return
    if not v.placed:
        recovery.adopt(world, v)
        return
    if v.pins & Pin.AWAY:
        recovery.able(world, v)
        return
    if signal is Signal.PAUSES or v.pins & Pin.PAUSE:
        recovery.paused(world, v)
    order = v.order
    if order is not None:
        if report.order_id == order.id:
            _follow(world, v, order, report)
        elif order.in_doubt and order.update == 0:
            trouble = refused(report, order.id)
            if trouble:
                recovery.rejected(world, v, trouble)
                return
        elif order.echoed >= 0 and report.order_id != order.id:
            recovery.forgotten(world, v)
            return
    elif report.base_left and report.order_id != v.last_order:
        recovery.reset(world, v, f"it drives order {report.order_id!r}, which is not ours")
        return
    if signal is Signal.RESTS and (v.mission is not None or (v.leg is not None and not v.leg.done)):
        signal = Signal.STANDS  # it has nothing to do, but we have plans for it
    v.state = step(v.state, signal)
    energy.battery_heard(world, v)


def connection_heard(world: World, message: RobotConnection) -> None:
    """Take a robot's connection message: online says nothing until its state comes."""
    v = known(world, message.robot, message.manufacturer)
    if v is not None and not message.online and v.state is not VehicleState.OFFLINE:
        v.state = step(v.state, Signal.GONE)
        recovery.gone(world, v, "its connection is lost")


def factsheet_heard(world: World, sheet: RobotFactsheet) -> None:
    """Keep a robot's factsheet."""
    v = known(world, sheet.robot, sheet.manufacturer)
    if v is not None:
        v.factsheet = sheet


def known(world: World, robot: RobotId, manufacturer: str) -> Vehicle | None:
    """Return the robot if the site has it; others are named to the operator and left alone."""
    v = world.vehicles.get(robot)
    if v is not None and v.manufacturer == manufacturer:
        return v
    if any(r.id == robot and r.manufacturer == manufacturer for r in world.site.robots):
        v = world.vehicles[robot] = Vehicle(robot, manufacturer, dialect_of(manufacturer))
        return v
    world.raise_alarm(
        f"stranger-{manufacturer}-{robot}",
        "info",
        robot,
        f"Robot {robot} of {manufacturer} speaks, but is not in the site file.",
        "Add it to the site to give it work.",
    )
    return None


def _follow(world: World, v: Vehicle, order: orders.RunningOrder, report: RobotState) -> None:
    """Note the echo and the progress of the robot's order, and go on when it is done."""
    if report.order_update_id >= order.update:
        if order.in_doubt:
            order.echoed = order.update
            world.timers.cancel("doubt", v.id)
            world.clear_alarm(f"doubt-{v.id}")
            v.state = step(v.state, Signal.ECHOED)
            if v.queue:
                world.touched[v.id] = None
    elif order.in_doubt and order.update > 0:
        trouble = refused(report, order.id)
        if trouble:
            _progress(world, v, order, report)
            recovery.rejected(world, v, trouble)
            return
    if not _progress(world, v, order, report):
        return
    if order.in_doubt or report.driving or order.at < len(order.path) - 1:
        return
    if report.base_left and not v.dialect.keeps_node_states:
        return
    leg = 0 if v.leg is None else v.leg.n
    done = orders.finished(order, report.actions, forgets=v.dialect.forgets_actions)
    if done is None:
        recovery.action_failed(world, v)
    elif done and not order.horizon and (not v.queue or order.leg != leg):
        v.last_order = order.id
        v.order = None
        if v.leg is not None and order.leg == v.leg.n and v.pins & Pin.LEG:
            missions.leg_done(world, v)
        elif v.leg is None:
            world.fleet_changed = True
        world.touched[v.id] = None
    elif not v.queue:
        world.touched[v.id] = None


def _progress(world: World, v: Vehicle, order: orders.RunningOrder, report: RobotState) -> bool:
    """Free what the robot left; returns False when it is where it was not sent."""
    at = report.seq // 2
    if at >= len(order.path) or at < 0 or (order.path[at] != report.node and at > order.at):
        recovery.astray(world, v, report)
        return False
    if at <= order.at:
        return True
    for node in order.path[order.at + 1 : at + 1]:
        try:
            world.traffic.passed(v.id, node)
        except Rejected as error:
            recovery.astray(world, v, report, str(error))
            return False
        if node in world.door_nodes:
            world.doors_wanted = True
    if order.path[order.at] in world.door_nodes:
        world.doors_wanted = True
    order.at = at
    v.node = order.path[at]
    v.moved_ms = world.now_ms
    world.release_wanted = world.plan_wanted = True
    if v.queue:
        world.touched[v.id] = None
    if v.stuck:
        v.stuck = False
        world.clear_alarm(f"stuck-{v.id}")
    return True
