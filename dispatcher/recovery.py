"""Robots that go away, fail, refuse, get lost or are taken over: their space, their work, and their way back.

The way back is always the same: cancel what the robot still has, put it where it reports to be, and go on with its
leg, as its own loads tell.
"""

import math

from contracts.errors import Rejected
from contracts.ids import NodeId, PodId, RobotId
from contracts.messages.ops import VehicleState
from dispatcher import missions, muster, orders, stopped, transports
from dispatcher.facts import RobotState
from dispatcher.fleet.member import Pin, Purpose, Vehicle
from dispatcher.fleet.vehicle import Signal, step
from dispatcher.trespass import halt_neighbours, let_neighbours_go
from dispatcher.world import Stage, World

_NEAR_M = 0.75
"""A robot that names no node stands on one that is not further away."""
_NOT_TO_ASK = frozenset({VehicleState.OFFLINE, VehicleState.MANUAL})
_RETRY_PLACE_MS = 1_000


# ------------------------------------------------------------------------------------------------------- going away


def gone(world: World, v: Vehicle, why: str) -> None:
    """Hold everything of a robot that does not speak; after a while others get its unreleased way."""
    world.pin(v, Pin.AWAY)
    world.timers.cancel("doubt", v.id)
    world.timers.set(world.now_ms + world.params.lost_after_ms, "lost", v.id)
    world.raise_alarm(
        f"offline-{v.id}", "error", v.id, f"Robot {v.id} is offline: {why}.", "Look at the robot and its network."
    )
    world.fleet_changed = True


def unable(world: World, v: Vehicle, signal: Signal) -> None:
    """Hold a robot that reports a fatal error or is driven by hand."""
    if v.pins & Pin.AWAY:
        return
    world.pin(v, Pin.AWAY)
    world.timers.cancel("doubt", v.id)
    world.timers.set(world.now_ms + world.params.lost_after_ms, "lost", v.id)
    if signal is Signal.FAILS and v.report is not None:
        text = "; ".join(f"{t.kind} {t.text}".strip() for t in v.report.troubles if t.fatal)
        world.raise_alarm(
            f"failed-{v.id}", "error", v.id, f"Robot {v.id} reports: {text}.", "Mend it and clear its error."
        )
    else:
        world.raise_alarm(
            f"failed-{v.id}", "warning", v.id, f"Robot {v.id} is driven by hand.", "Switch it back to automatic."
        )
    world.fleet_changed = True


def lost_due(world: World, name: str) -> None:
    """Give a stopped robot's unreleased way to others, and its mission if the pod is not touched."""
    v = world.vehicles[RobotId(name)]
    heeds = v.cancelling and v.state is not VehicleState.OFFLINE
    if not v.pins & Pin.AWAY or heeds or not v.placed or v.lost:
        return
    v.lost = True
    world.traffic.lost(v.id)
    if v.id in world.halted:
        let_neighbours_go(world, v)
    world.plan_wanted = world.release_wanted = world.hauls_changed = True
    v.queue.clear()
    if not hand_on(world, v) and v.mission is None and v.transport is None:
        missions.give_up_place(world, v)
        v.leg = None
        world.traffic.rest(v.id)
    if v.state not in _NOT_TO_ASK and not stopped.stays(world, v):
        stopped.ask_to_stay(world, v)


def hand_on(world: World, v: Vehicle) -> bool:
    """Let another robot fetch what this one has not picked up and was not told to; says whether there was something."""
    if v.transport is not None:
        return transports.hand_on(world, v)
    mission = None if v.mission is None else world.missions.get(v.mission)
    if mission is None or mission.stage is not Stage.FETCH or v.pins & Pin.LEG:
        return False
    missions.drop(world, mission)
    return True


# ------------------------------------------------------------------------------------------------------ coming back


def back(world: World, v: Vehicle) -> None:
    """Hear a robot again that was offline; if nothing was given away it just goes on."""
    world.timers.cancel("lost", v.id)
    if v.cancelling:  # whether it has heard that is not known: what it had is not gone on with
        world.timers.set(world.now_ms + world.params.instant_resend_ms, "instant", v.id)
    elif v.placed and not v.lost:
        world.unpin(v, Pin.AWAY)
        order, report = v.order, v.report
        if order is None or order.update == 0 or (report is not None and report.order_id == order.id):
            orders.resend(world, v)  # an update fits only who still has the order
        if v.order is not None and v.order.in_doubt:
            world.timers.set(world.now_ms + world.params.order_resend_ms[0], "doubt", v.id)
            v.state = step(v.state, Signal.SENT)
        world.touched[v.id] = None


def able(world: World, v: Vehicle) -> None:
    """Take a robot back whose fatal error is cleared, or that is automatic again: it may stand elsewhere.

    One that was set back too often waits until somebody resumes it.
    """
    if v.failures > world.params.leg_tries:
        return
    world.timers.cancel("lost", v.id)
    world.clear_alarm(f"failed-{v.id}")
    if not (v.lost and stopped.drive_on(world, v)):
        reset(world, v, "")


def reset(world: World, v: Vehicle, why: str) -> None:
    """Cancel whatever a robot has, then place it where it is and go on from there."""
    if why:
        v.failures += 1
        if v.failures > world.params.leg_tries:
            world.pin(v, Pin.AWAY)
            if v.report is not None and not v.report.loads and not _at_work(v.report):
                v.pins &= ~Pin.LEG  # what it was told to pick up another one may have
            world.raise_alarm(
                f"failed-{v.id}",
                "error",
                v.id,
                f"Robot {v.id} was set back {v.failures - 1} times: {why}.",
                "Look at it, then resume it on the console.",
            )
            world.timers.set(world.now_ms + world.params.lost_after_ms, "lost", v.id)  # others take its work
            return
        world.raise_alarm(
            f"reset-{v.id}", "warning", v.id, f"Robot {v.id} is set back: {why}.", "It goes on by itself."
        )
    world.pin(v, Pin.AWAY)
    world.timers.cancel("doubt", v.id)
    report = v.report
    if report is not None and not _at_work(report):
        _place(world, v)
        return
    v.cancelling = orders.instant(world, v, "cancelOrder")
    v.instant_tries = 0
    v.state = step(v.state, Signal.CANCEL_SENT)
    world.timers.set(world.now_ms + world.params.instant_resend_ms, "instant", v.id)


def cancel_progress(world: World, v: Vehicle) -> None:
    """See whether a cancelled robot has come to rest."""
    report = v.report
    if report is None or report.driving:
        return
    if not stopped.rests(v, report):
        return
    v.state = step(v.state, Signal.CANCELLED)
    if (v.lost or v.late) and stopped.stays(world, v) and stopped.drive_on(world, v):
        return
    v.cancelling = ""
    world.timers.cancel("instant", v.id)
    _place(world, v)


def instant_due(world: World, name: str) -> None:
    """Repeat a cancel or a pause that shows no effect; after some attempts ask for a person."""
    v = world.vehicles[RobotId(name)]
    if v.state is VehicleState.OFFLINE or v.report is None:
        return
    if v.cancelling:
        orders.instant(world, v, "cancelOrder")
    elif v.pause_wanted != v.report.paused:
        orders.instant(world, v, "startPause" if v.pause_wanted else "stopPause")
    else:
        return
    v.instant_tries += 1
    if v.instant_tries == world.params.instant_tries:
        world.raise_alarm(
            f"deaf-{v.id}",
            "error",
            v.id,
            f"Robot {v.id} does not {'cancel its order' if v.cancelling else 'pause or resume'}.",
            "Stop it at the robot.",
        )
    world.timers.set(world.now_ms + world.params.instant_resend_ms * 2 ** min(v.instant_tries, 5), "instant", v.id)


def adopt(world: World, v: Vehicle) -> None:
    """Place a robot that is heard for the first time; one with a foreign order is set back first."""
    report = v.report
    if report is not None and (report.base_left or report.horizon_left or stopped.busy(report)):
        reset(world, v, "")
    else:
        _place(world, v)


def place_due(world: World, name: str) -> None:
    """Try again to place a robot."""
    v = world.vehicles[RobotId(name)]
    if not v.placed and not v.cancelling and v.state is not VehicleState.OFFLINE:
        _place(world, v)


def _place(world: World, v: Vehicle) -> None:
    """Put a robot that rests on its node, and let it go on."""
    report = v.report
    node = None if report is None else _where(world, report)
    key = f"place-{v.id}"
    if report is None or node is None:
        _cannot_place(world, v, key, f"Robot {v.id} does not say on which node it stands.", "Drive it onto a node.")
        return
    if v.placed:
        world.traffic.remove(v.id)
        v.placed = False
    try:
        world.traffic.place(v.id, node)
    except Rejected as error:
        if _ask_for_way(world, v, node):
            text, remedy = "others give up their way there", "It goes on by itself."
        else:
            text, remedy = str(error), "Move one of the robots by hand."
        _cannot_place(world, v, key, f"Robot {v.id} says that it stands on {node}: {text}.", remedy)
        return
    for alarm in (key, f"reset-{v.id}", f"failed-{v.id}", f"deaf-{v.id}", f"doubt-{v.id}", f"stuck-{v.id}"):
        world.clear_alarm(alarm)
    v.placed, v.lost, v.late, v.node, v.order = True, False, 0, node, None
    v.last_order = report.order_id
    v.state = step(v.state, Signal.CANCELLED)
    v.queue.clear()
    v.moved_ms = world.now_ms
    v.pins &= Pin.PAUSE | Pin.CHARGE
    if v.pins:
        world.traffic.pin(v.id)
    world.release_wanted = world.plan_wanted = world.fleet_changed = world.demand_changed = True
    muster.found(world, v.id)
    if v.id in world.halted:
        let_neighbours_go(world, v)
    _go_on(world, v, report)


def _ask_for_way(world: World, v: Vehicle, node: NodeId) -> bool:
    """Stop those who may drive onto a node where a robot stands that was not placed; says whether it will be free.

    Nobody is led there any more. Who was there last itself, and may have driven on from it, is let go on; if it cannot
    a person must look.
    """
    nodes = world.site.layout.node
    wanted = nodes[node].resource
    others = [o for o in world.vehicles.values() if o is not v and o.placed]
    if any(nodes[o.node].resource == wanted for o in others):
        if v.id in world.halted:
            let_neighbours_go(world, v)
        return False
    muster.mask(world, v.id, node)
    holders = [o for o in others if any(nodes[n].resource == wanted for n in world.traffic.route(o.id)[0])]
    if any(o.state is VehicleState.OFFLINE or o.lost for o in holders):
        return False
    for o in holders:
        if not o.cancelling:
            reset(world, o, "")
    return bool(holders)


def _go_on(world: World, v: Vehicle, report: RobotState) -> None:
    """Continue a placed robot's work as far as its loads allow."""
    if v.transport is not None:
        transports.go_on(world, v, report)
        return
    carried = _pod(world, report)
    mission = None if v.mission is None else world.missions.get(v.mission)
    if mission is not None and carried is not None and carried != mission.pod:
        missions.drop(world, mission)
        mission = None
    if mission is None and carried is not None:
        other = world.pod_mission.get(carried)
        if other is not None:
            missions.drop(world, world.missions[other])
        mission = missions.adopt_load(world, v, carried)
        missions.leave_station(world, mission)
        return
    if mission is None:
        if v.leg is not None:
            missions.aim(world, v)
        return
    if mission.stage is Stage.FETCH:
        if carried is None:
            missions.aim(world, v)
        else:
            missions.lifted(world, mission)
            missions.carry(world, v, mission)
    elif report.loads == () and not (v.leg is not None and v.leg.purpose is Purpose.STORE and v.node == v.leg.goal):
        world.pin(v, Pin.AWAY)
        world.raise_alarm(
            f"failed-{v.id}",
            "error",
            v.id,
            f"Robot {v.id} has lost pod {mission.pod} between two states.",
            "Put the pod on the robot again, or into storage, and resume the robot.",
        )
    elif report.loads == ():  # it has set the pod down, and its state was lost
        missions.leg_done(world, v)
    elif mission.stage is Stage.PRESENT and mission.station is not None:
        goal = world.stations[mission.station].station.lane[-1]
        if v.node == goal:
            world.pin(v, Pin.PRESENT)
        else:
            missions.carry(world, v, mission)
    elif mission.stage is Stage.STORE and mission.store is None:
        missions.store(world, v, mission)  # no place was free, or none could be reached
    elif v.leg is not None:
        missions.aim(world, v)
    else:
        missions.leave_station(world, mission)


# ------------------------------------------------------------------------------------------------------ going wrong


def rejected(world: World, v: Vehicle, trouble: str) -> None:
    """Set a robot back that refused its order."""
    v.state = step(v.state, Signal.REFUSED)
    reset(world, v, f"it refused its order ({trouble})")


def forgotten(world: World, v: Vehicle) -> None:
    """Set a robot back that has lost its order, for example by a restart."""
    reset(world, v, "it has forgotten its order")


def astray(world: World, v: Vehicle, report: RobotState, detail: str = "") -> None:
    """Stop a robot that is where it was not sent."""
    reset(world, v, f"it is at {report.node!r} ({report.seq}), where it was not sent {detail}".rstrip())


def trespassed(world: World, v: Vehicle, report: RobotState) -> None:
    """Stop a robot that drove where nothing was released to it, and its neighbours until it is placed again."""
    halt_neighbours(world, v, report)
    reset(world, v, f"it drove to {report.node}, which was not released to it")


def paused(world: World, v: Vehicle) -> None:
    """Hold a paused robot, or let it go on."""
    report = v.report
    if report is None:
        return
    if report.paused == v.pause_wanted and not v.cancelling:
        world.timers.cancel("instant", v.id)
        world.clear_alarm(f"deaf-{v.id}")
    if report.paused or v.pause_wanted:
        world.pin(v, Pin.PAUSE)
    elif v.pins & Pin.PAUSE:
        world.unpin(v, Pin.PAUSE)
        v.moved_ms = world.now_ms
        world.touched[v.id] = None
        world.fleet_changed = world.demand_changed = world.release_wanted = True


def sweep(world: World, _: str) -> None:
    """Look for robots that are silent."""
    p = world.params
    world.timers.set(world.now_ms + p.sweep_ms, "sweep")
    for v in world.vehicles.values():
        if v.state is VehicleState.OFFLINE:
            continue
        if world.now_ms - v.heard_ms > p.silent_ms:
            v.state = step(v.state, Signal.GONE)
            gone(world, v, f"it has said nothing for {(world.now_ms - v.heard_ms) // 1000} s")


def _at_work(report: RobotState) -> bool:
    return bool(report.base_left or report.horizon_left or report.driving or stopped.busy(report))


def _cannot_place(world: World, v: Vehicle, key: str, text: str, remedy: str) -> None:
    world.raise_alarm(key, "error", v.id, text, remedy)
    world.timers.set(world.now_ms + _RETRY_PLACE_MS, "place", v.id)


def _pod(world: World, report: RobotState) -> PodId | None:
    for load in report.loads or ():
        if load in world.pods:
            return PodId(load)
    return None


def _where(world: World, report: RobotState) -> NodeId | None:
    if report.node in world.site.layout.node:
        return report.node
    if report.x_m is None or report.y_m is None:
        return None
    best = min(
        ((math.hypot(n.x_m - report.x_m, n.y_m - report.y_m), n.id) for n in world.site.layout.nodes), default=None
    )
    return None if best is None or best[0] > _NEAR_M else best[1]
