"""What robots say, and what follows: progress on their order, the end of a leg, and whatever goes wrong."""

import msgspec

from contracts.errors import Rejected
from contracts.ids import RobotId, identifier
from contracts.messages.ops import VehicleState
from dispatcher import energy, failures, lateness, leases, missions, muster, recovery, stopped, widths
from dispatcher import orders as orders_of
from dispatcher.facts import RobotConnection, RobotFactsheet, RobotState
from dispatcher.fleet import order as orders
from dispatcher.fleet.dialect import dialect_of, spoken
from dispatcher.fleet.member import Pin, Vehicle
from dispatcher.fleet.vehicle import Signal, observe, refused, step, unreachable
from dispatcher.world import World

_UNABLE = frozenset({Signal.FAILS, Signal.TAKEN_OVER})
_MOST_STRANGERS = 1_000
_DOUBLE, _DOUBLE_MS = 5, 20_000
"""Headers that count backwards so often, each within so long of the one before, come from two robots."""
_MANY_ACTIONS, _CLEAR_MS = 24, 60_000
_ENDED = frozenset({"FINISHED", "FAILED"})
_STALE_MS = 5_000
"""A robot that stands at the end of its base and lists it still after this time never empties it."""


def state_heard(world: World, report: RobotState) -> None:
    """Take a robot's state."""
    v = known(world, report.robot, report.manufacturer)
    if v is None:
        _stranger_heard(world, report)
        return
    again = report == v.report  # the broker delivered it once more
    v.report, v.heard_ms = report, world.now_ms
    if report.version != v.version:
        _learn_version(v, report.version)
    newer = report.header > v.header
    if not again and (report.header <= v.header or v.double) and _counts_backwards(world, v, report.header):
        return
    v.header = report.header
    if report.zone_sets is not None:
        leases.heard(world, v, report)
        if len(report.actions) > _MANY_ACTIONS:
            _let_forget(world, v, report)
    signal = observe(report)
    if v.state is VehicleState.OFFLINE:
        v.state = step(v.state, Signal.BACK)
        world.clear_alarm(f"offline-{v.id}")
        recovery.back(world, v)
    if signal in _UNABLE:
        v.state = step(v.state, signal)
        recovery.unable(world, v, signal)
        if v.lost and v.cancelling:
            stopped.stays(world, v)
        return
    if v.cancelling:
        recovery.cancel_progress(world, v)
        return
    if not v.placed:
        recovery.adopt(world, v)
        return
    if v.pins & Pin.AWAY:
        if v.state in {VehicleState.ERROR, VehicleState.MANUAL}:
            v.state = step(v.state, signal)
        recovery.able(world, v)
        return
    if signal is Signal.PAUSES or v.pins & Pin.PAUSE:
        recovery.paused(world, v)
    order = v.order
    if order is not None:
        if report.order_id == order.id:
            if report.troubles and unreachable(report):
                recovery.reset(world, v, "it says that it cannot reach a node of its order")
                return
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
    elif newer and report.node != v.node and not report.driving and report.node in world.site.layout.node:
        world.deviates(v, "moves without an order")  # or somebody has pushed it, or it took another node for this one
        recovery.reset(world, v, "")
        return
    busy = v.mission is not None or v.transport is not None or (v.leg is not None and not v.leg.done)
    if busy and signal is Signal.RESTS:
        signal = Signal.STANDS  # it has nothing to do, but we have plans for it
    v.state = step(v.state, signal)
    energy.battery_heard(world, v)


def connection_heard(world: World, message: RobotConnection) -> None:
    """Take a robot's connection message: online says nothing until its state comes."""
    v = known(world, message.robot, message.manufacturer)
    if v is not None:
        _learn_version(v, message.version)
    if v is not None and message.online and v.report is None and world.mustering:
        orders_of.instant(world, v, "stateRequest")  # some say their state seldom, and everybody waits for it
    if v is not None and not message.online and v.state is not VehicleState.OFFLINE:
        v.state = step(v.state, Signal.GONE)
        recovery.gone(world, v, "its connection is lost")


def factsheet_heard(world: World, sheet: RobotFactsheet) -> None:
    """Keep a robot's factsheet."""
    v = known(world, sheet.robot, sheet.manufacturer)
    if v is not None:
        if v.factsheet != sheet:
            world.fleet_changed = world.hauls_changed = True
        v.factsheet = sheet
        widths.retire_wide(world, v)
    elif (name := world.names.get((sheet.manufacturer, sheet.robot))) in world.strangers and name is not None:
        world.strangers[name].factsheet = sheet  # known before it is adopted


def known(world: World, robot: RobotId, manufacturer: str) -> Vehicle | None:
    """Return the robot if it is of our fleet; others are shown to the operator as new, and left alone."""
    name = world.names.get((manufacturer, robot))
    return world.vehicles.get(name) if name is not None else _meet(world, robot, manufacturer)


def adopt(world: World, name: RobotId) -> None:
    """Take a new robot into the fleet."""
    v = world.strangers.pop(name)
    world.vehicles[name] = v
    world.clear_alarm(f"stranger-{v.manufacturer}-{v.serial}")
    widths.retire_wide(world, v)
    if v.report is not None and world.now_ms - v.heard_ms <= world.params.silent_ms:
        state_heard(world, v.report)


def _meet(world: World, robot: RobotId, manufacturer: str) -> Vehicle | None:
    kept = next((m.robot for m in world.members.values() if (m.manufacturer, m.serial) == (manufacturer, robot)), None)
    ours = kept is not None or any(r.id == robot and r.manufacturer == manufacturer for r in world.site.robots)
    if not ours and len(world.strangers) >= _MOST_STRANGERS:
        return None
    name = kept or RobotId(identifier(robot))
    if not ours and (name in world.vehicles or name in world.strangers or any(r.id == name for r in world.site.robots)):
        name = RobotId(identifier(f"{manufacturer} {robot}"))  # another maker's robot has that serial number
    world.names[manufacturer, robot] = name
    dialect = dialect_of(manufacturer)
    v = Vehicle(name, manufacturer, dialect, serial=robot, speaks=spoken(dialect, ""))
    if ours:
        world.vehicles[name] = v
        return v
    world.strangers[name] = v
    if world.params.adopt == "auto":
        adopt(world, name)
        return v
    world.raise_alarm(
        f"stranger-{manufacturer}-{robot}",
        "info",
        name,
        f"Robot {robot} of {manufacturer} is new.",
        f"Adopt it (POST /v1/robots/{name}/adopt) to give it work.",
    )
    return None


def _stranger_heard(world: World, report: RobotState) -> None:
    name = world.names.get((report.manufacturer, report.robot))
    v = world.strangers.get(name) if name is not None else None
    if v is not None:
        v.report, v.heard_ms, v.node = report, world.now_ms, report.node
        if not report.driving:
            muster.mask(world, v.id, report.node)
        _learn_version(v, report.version)


def _let_forget(world: World, v: Vehicle, report: RobotState) -> None:
    """Let a robot of 3.0 drop instant actions that have ended: it lists them until it is told so."""
    ended = sum(1 for name, status in report.actions if status in _ENDED and "-i" in name)
    if ended > _MANY_ACTIONS and world.now_ms - v.cleared_ms > _CLEAR_MS:
        v.cleared_ms = world.now_ms
        orders_of.instant(world, v, "clearInstantActions")


def _learn_version(v: Vehicle, version: str) -> None:
    if version and version != v.version:
        v.version, v.speaks = version, spoken(v.dialect, version)


def _counts_backwards(world: World, v: Vehicle, header: int) -> bool:
    """Whether two robots speak under this name: their headers do not count up, time and again."""
    if 0 < header <= v.header:
        if world.now_ms - v.backwards_ms > _DOUBLE_MS:
            v.backwards = 0
        v.backwards += 1
        v.backwards_ms = world.now_ms
        if v.backwards >= _DOUBLE and not v.double:
            v.double = True
            world.deviates(v, "one serial number, two robots")
            world.pin(v, Pin.AWAY)
            world.timers.set(world.now_ms + world.params.lost_after_ms, "lost", v.id)
            world.raise_alarm(
                f"double-{v.id}", "error", v.id, f"Two robots of {v.manufacturer} say that they are {v.serial}.",
                "Stop both, and give one of them a serial number of its own.",
            )  # fmt: skip
    elif v.double and world.now_ms - v.backwards_ms > _DOUBLE_MS:
        v.double, v.backwards = False, 0
        world.clear_alarm(f"double-{v.id}")
        recovery.able(world, v)
    v.header = header
    return v.double


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
    if report.wants_base and v.queue:
        world.touched[v.id] = None
    if report.actions and failures.waits(world, v, order, report):
        return
    if order.in_doubt or report.driving or order.at < len(order.path) - 1:
        return
    if report.base_left and not v.dialect.keeps_node_states:
        _see_stale(world, v)
        return
    leg = 0 if v.leg is None else v.leg.n
    done = orders.finished(order, report.actions, forgets=v.dialect.forgets_actions)
    if done is None:
        failures.failed(world, v)
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


def _see_stale(world: World, v: Vehicle) -> None:
    """Learn that a robot never empties its list of nodes."""
    if not v.stale_ms:
        v.stale_ms = world.now_ms
    elif world.now_ms - v.stale_ms > _STALE_MS:
        v.stale_ms = 0
        world.deviates(v, "never empties nodeStates")
        v.dialect = msgspec.structs.replace(v.dialect, keeps_node_states=True)


def _by_name(world: World, v: Vehicle, order: orders.RunningOrder, report: RobotState) -> int:
    """Find where on its path a robot is that names no sequence ids."""
    world.deviates(v, "names no sequence id")
    try:
        return order.path.index(report.node, order.at)
    except ValueError:
        # the node it stood on before the order is not news
        return order.at if order.at == 0 and report.node not in order.horizon else len(order.path)


def _progress(world: World, v: Vehicle, order: orders.RunningOrder, report: RobotState) -> bool:
    """Free what the robot left; returns False when it is where it was not sent."""
    at = report.seq // 2
    if report.seq < 0 and report.node:
        at = _by_name(world, v, order, report)
    if at >= len(order.path) or at < 0 or (order.path[at] != report.node and at > order.at):
        if report.node == order.path[order.at]:
            world.deviates(v, "names a sequence id of another order")
            return True
        beyond = at - len(order.path)
        if report.node in order.horizon and (report.seq < 0 or order.horizon[beyond : beyond + 1] == (report.node,)):
            recovery.trespassed(world, v, report)
        else:
            recovery.astray(world, v, report)
        return False
    if at <= order.at:
        return True
    if v.late:
        lateness.moves_again(world, v)
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
    v.stale_ms = 0
    v.node = order.path[at]
    v.moved_ms = world.now_ms
    world.release_wanted = world.plan_wanted = True
    if v.queue:
        world.touched[v.id] = None
    return True
