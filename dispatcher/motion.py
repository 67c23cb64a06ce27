"""Traffic's turn: plan at most once a period, release what is free, hand the new nodes to the robots' orders."""

from contracts.layout import ZoneKind
from dispatcher import muster
from dispatcher.doors import open_doors
from dispatcher.lifts import open_lifts
from dispatcher.world import World


def move(world: World) -> None:
    """Plan and release the robots' ways."""
    if not muster.over(world):
        return
    if world.plan_wanted:
        if world.now_ms >= world.plan_after_ms:
            world.plan_wanted = False
            world.plan_after_ms = world.now_ms + world.params.plan_period_ms
            world.traffic.plan(world.now_ms)
            world.release_wanted = world.doors_wanted = True
            world.timers.cancel("plan")
            world.timers.set(world.now_ms + world.params.replan_ms, "replan")
        else:
            # whatever is heard after the period plans; a wake-up of its own only if nothing is
            world.timers.earlier(world.plan_after_ms + world.params.plan_period_ms, "plan")
    if not world.release_wanted or world.stopped:
        return
    world.release_wanted = False
    for robot, nodes in world.traffic.release(world.now_ms, open_doors(world) | open_lifts(world)).items():
        world.vehicles[robot].queue.extend(nodes)
        world.touched[robot] = None


def close_zones(world: World) -> None:
    """Close the nodes of zones that the layout calls closed, until an operator opens them."""
    layout = world.site.layout
    for zone in layout.zones:
        for node in layout.within[zone.id] if zone.kind is ZoneKind.CLOSED else ():
            world.closed_nodes[node] = None
            world.traffic.close(node)


def plan_due(world: World, _: str) -> None:
    """Plan now."""
    world.plan_wanted = True


def replan_due(world: World, _: str) -> None:
    """Plan again though nothing was heard, while somebody is on its way: waiting robots gain rank with time."""
    if any(v.leg is not None and not v.leg.done and v.placed and not v.pins for v in world.vehicles.values()):
        world.plan_wanted = True
