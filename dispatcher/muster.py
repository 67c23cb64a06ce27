"""Robots whose place is not known, or not ours to give away: nobody moves at first, and nobody is led over them.

A fresh dispatcher knows where nobody stands. Until every robot of the site is placed, or a bounded time has passed, no
robot gets a way. Who has not spoken by then is taken to stand where it was last known to; that node is masked until it
is heard, or a longer time has passed. Robots that nobody has adopted are masked where they say that they are.
"""

from contracts.ids import NodeId, RobotId
from dispatcher.world import World


def begin(world: World) -> None:
    """Wait for the site's robots; for a core that has heard nothing yet."""
    if world.site.robots:
        expect(world)


def expect(world: World) -> None:
    """Wait for a robot that was made known after a fresh start, if it is not too late for that."""
    until_ms = world.started_ms + world.params.muster_ms
    if world.fresh and not world.mustering and world.now_ms < until_ms:
        world.mustering = True
        world.timers.set(until_ms, "muster")


def over(world: World) -> bool:
    """Whether robots may be moved: all are placed, or were waited for."""
    if world.mustering and not _missing(world):
        _end(world)
    return not world.mustering


def muster_due(world: World, _: str) -> None:
    """Go on without those that have not spoken, around where they were last."""
    for robot, node in _missing(world).items():
        if node and not any(v.placed and v.node == node for v in world.vehicles.values()):
            mask(world, robot, node)
        masked = robot in world.masked
        where = f"the others keep off {node}, where it was last" if masked else "nobody knows where it is"
        remedy = "Switch it on, or see that it is not on the road."
        if masked:
            remedy += f" The place is given to others after {world.params.absent_ms // 60_000} minutes."
        text = f"Robot {robot} has not said where it stands; {where}."
        world.raise_alarm(f"unheard-{robot}", "warning", robot, text, remedy)
    if world.masked:
        world.timers.set(world.now_ms + world.params.absent_ms, "absent")
    if world.mustering:
        _end(world)


def absent_due(world: World, _: str) -> None:
    """Give the places of those away that are still not heard."""
    for robot in list(world.masked):
        if robot not in world.strangers:
            unmask(world, robot)


def mask(world: World, robot: RobotId, node: NodeId) -> None:
    """Keep others off a node, because a robot may stand there; it is the only one for that robot."""
    was = world.masked.get(robot)
    if was == node or node not in world.site.layout.node:
        return
    unmask(world, robot)
    world.masked[robot] = node
    world.traffic.close(node)
    _look_again(world)


def unmask(world: World, robot: RobotId) -> None:
    """Let others drive where a robot was thought to stand."""
    node = world.masked.pop(robot, None)
    if node is None:
        return
    if node not in world.closed_nodes and node not in world.masked.values():
        world.traffic.reopen(node)
        _look_again(world)


def found(world: World, robot: RobotId) -> None:
    """Note that a robot is placed: its own right of way says where it stands."""
    unmask(world, robot)
    world.clear_alarm(f"unheard-{robot}")


def _missing(world: World) -> dict[RobotId, NodeId]:
    """Return the robots of the fleet that are not placed, and where each was last."""
    known = {r.id: r.start for r in world.site.robots} | {m.robot: NodeId("") for m in world.members.values()}
    known |= {v.id: v.node for v in world.vehicles.values() if v.node}
    for v in world.vehicles.values():
        if v.report is not None and v.report.node in world.site.layout.node:
            known[v.id] = v.report.node
    return {
        robot: node
        for robot, node in known.items()
        if robot not in world.strangers and not (robot in world.vehicles and world.vehicles[robot].placed)
    }


def _end(world: World) -> None:
    world.mustering = False
    world.timers.cancel("muster")
    _look_again(world)


def _look_again(world: World) -> None:
    """Other places can be reached now: plan and assign again."""
    world.plan_wanted = world.release_wanted = True
    world.hauls_changed = world.fleet_changed = world.demand_changed = True
