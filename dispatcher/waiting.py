"""Why a robot does not move, link by link, in an operator's words.

Traffic knows who holds what (`traffic.why`); here stands what traffic cannot know: why a robot is held where it is, and
what ends that.
"""

from contracts.ids import RobotId
from contracts.messages.ops import VehicleState, Wait
from dispatcher import failures, widths
from dispatcher.fleet.member import Pin, Vehicle
from dispatcher.traffic import why
from dispatcher.traffic.why import Reason
from dispatcher.world import Stage, World


def waits(world: World, v: Vehicle, now_ms: int) -> tuple[Wait, ...]:
    """Return why a robot does not move, from itself to what would free it; empty while it drives, rests or charges."""
    if v.id in world.strangers:
        return ()
    if v.state is VehicleState.OFFLINE:
        until = "it says a state that can be read" if v.report is None else f"{v.id} speaks again"
        return (Wait(v.node or v.id, v.id, _task(v), v.heard_ms or now_ms, until),)
    if not v.placed:
        return (_not_placed(world, v),)
    mission = None if v.mission is None else world.missions.get(v.mission)
    if mission is not None and mission.stage is Stage.PRESENT and mission.station is not None:
        picks = ", ".join(mission.open)
        until = "its picks are confirmed" if picks else "it is given its way on"
        return (Wait(mission.station, mission.station, picks, v.moved_ms, until),)
    if v.retired and v.mission is None and v.transport is None and v.state is not VehicleState.DRIVING:
        wide = widths.too_wide(world, v)
        return (Wait(v.node, v.id, "", v.moved_ms, wide or f"{v.id} is returned to service"),)
    if v.state in _CONTENT and not (v.state is VehicleState.IDLE and (_task(v) or v.pins & Pin.AWAY)):
        return ()
    decision = failures.decision(world, v)
    if decision:
        return (Wait(v.node, v.id, _task(v), v.moved_ms, decision),)
    chain: list[Wait] = []
    for link in world.traffic.why(v.id, now_ms):
        holder = world.vehicles.get(RobotId(link.holder)) if link.holder else None
        task = "" if holder is None else _task(holder)
        name = link.holder or link.door or link.lift or link.robot
        chain.append(Wait(link.node or link.robot, name, task, link.since_ms, _until(world, link, name)))
    return tuple(chain)


def _not_placed(world: World, v: Vehicle) -> Wait:
    """Say why traffic does not know where a robot stands."""
    node = None if v.report is None else world.site.layout.node.get(v.report.node)
    if v.cancelling:
        return Wait(v.node or v.id, v.id, _task(v), v.moved_ms, f"{v.id} has given up its order")
    if node is None:
        return Wait(v.node or v.id, v.id, _task(v), v.moved_ms, f"{v.id} says that it stands on a node of the layout")
    nodes = world.site.layout.node
    for o in world.vehicles.values():
        if o is not v and o.placed:
            held = (o.node, *world.traffic.route(o.id)[0])
            if any(nodes[n].resource == node.resource for n in held):
                return Wait(node.id, o.id, _task(o), v.moved_ms, f"{o.id} leaves {node.id}, or gives it up")
    return Wait(node.id, v.id, _task(v), v.moved_ms, f"{v.id} is placed there")


def _until(world: World, link: why.Wait, name: str) -> str:
    """Say what ends one link."""
    if link.reason is Reason.PINNED:
        return _held(world, world.vehicles[link.robot])
    if link.reason is Reason.LOST:
        v = world.vehicles[link.robot]
        doubted = v.order is not None and v.order.in_doubt
        return _held(world, v) if v.pins & Pin.AWAY or doubted else f"{name} moves on, or is taken off the floor"
    if link.reason is Reason.MOVING:
        v = world.vehicles[link.robot]
        return _held(world, v) if v.pins or (v.order is not None and v.order.in_doubt) else f"{name} drives on"
    return _WORDS[link.reason].format(name=name, node=link.node)


def _held(world: World, v: Vehicle) -> str:
    """Say why a robot is held where it stands, and so what ends that."""
    if v.state is VehicleState.OFFLINE:
        return f"{v.id} speaks again"
    if v.cancelling:
        return f"{v.id} has given up its order"
    if v.double:
        return f"one of the two robots that call themselves {v.serial} is stopped"
    if f"place-{v.id}" in world.alarms and v.placed:
        return f"{v.id} says that it stands on a node of the layout"
    gone = v.state not in {VehicleState.ERROR, VehicleState.MANUAL} and f"failed-{v.id}" in world.alarms
    if gone or v.failures > world.params.leg_tries:
        return f"a person looks at {v.id} and resumes it"
    if v.state is VehicleState.ERROR:
        return f"{v.id} clears its error"
    if v.state is VehicleState.MANUAL:
        return f"{v.id} is switched back to automatic"
    if v.pins & Pin.PAUSE:
        return _paused(world, v)
    if v.pins & Pin.CHARGE or v.state is VehicleState.CHARGING:
        return f"{v.id} has charged"
    if v.order is not None and v.order.in_doubt:
        return f"{v.id} takes its order"
    if v.leg is not None and v.leg.act:
        return f"{v.id} has finished its {v.leg.act} at {v.node}"
    return f"{v.id} is done where it stands"


def _paused(world: World, v: Vehicle) -> str:
    if world.stopped or world.paused:
        return "the fleet's stop is lifted" if world.stopped else "the fleet is resumed"
    for trespasser, halted in world.halted.items():
        if v.id in halted:
            return f"{trespasser}, which drove where it was not sent, stands on a node of its own"
    return f"{v.id} is resumed" if v.pause_wanted else f"the pause at {v.id} itself ends"


def _task(v: Vehicle) -> str:
    return str(v.mission or v.transport or "")


_CONTENT = frozenset({VehicleState.DRIVING, VehicleState.IDLE, VehicleState.CHARGING})
_WORDS = {
    Reason.HELD: "{name} leaves {node}, or gives it up",
    Reason.QUEUED: "{name} makes room",
    Reason.GOAL_TAKEN: "{name} leaves {node}",
    Reason.DOOR: "door {name} is open",
    Reason.LIFT: "lift {name} stands open there",
    Reason.STALLED: "{name} drives on, as its way is free",
    Reason.CLOSED: "{node} can be reached again: the road there is closed, or a robot that stopped stands on it",
    Reason.NO_GOAL: "{name} gets something to do",
}
