"""Robots that the site does not name, but somebody adopted: central keeps them, one work key each."""

from contracts.ids import TaskId
from contracts.messages.work import Member
from dispatcher import missions, muster, vehicles
from dispatcher.fleet.member import Vehicle
from dispatcher.world import World


def opened(world: World, work: Member) -> None:
    """Take a robot into the fleet: one that has spoken already at once, another when it speaks."""
    if work.task in world.members:
        return
    world.members[work.task] = work
    known = world.names.get((work.manufacturer, work.serial))
    if known is None or (known in world.strangers and known != work.robot):
        muster.expect(world)  # it is not heard yet, or was under another name: it gets its own when it speaks
        if known is not None:
            muster.unmask(world, known)
            v = world.strangers.pop(known)
            world.clear_alarm(f"stranger-{v.manufacturer}-{v.serial}")
            del world.names[work.manufacturer, work.serial]
    elif known in world.strangers:
        vehicles.adopt(world, known)


def closed(world: World, task: TaskId) -> bool:
    """Let a robot of the fleet go; one that has work finishes it, and gets nothing more. Says whether it was one."""
    member = world.members.pop(task, None)
    if member is None:
        return False
    v = world.vehicles.get(member.robot)
    if v is not None and v.serial == member.serial and forget(world, v):
        v.retired = True
    return True


def forget(world: World, v: Vehicle) -> str:
    """Take a robot out of the fleet, as if it had never been adopted; returns why it cannot be, or nothing."""
    if any(r.id == v.id and r.manufacturer == v.manufacturer for r in world.site.robots):
        return f"Robot {v.id} is one of the site's own."
    if v.mission is not None or v.transport is not None or (v.report is not None and v.report.loads):
        return f"Robot {v.id} has work or a load: take it out of service first, and wait until it is done."
    if v.order is not None and v.placed and not v.lost and v.order.at < len(v.order.path) - 1:
        return f"Robot {v.id} is on its way: take it out of service first, and wait until it stands."
    missions.give_up_place(world, v)
    if v.placed:
        world.traffic.remove(v.id)
    for what in ("doubt", "lost", "instant", "place", "aim", "park", "order", "rest"):
        world.timers.cancel(what, v.id)
    for alarm in [a for a in world.alarms if a.endswith(f"-{v.id}")]:
        world.clear_alarm(alarm)
    muster.unmask(world, v.id)
    for memory in (world.touched, world.asking, world.halted):
        memory.pop(v.id, None)
    del world.vehicles[v.id]
    world.names.pop((v.manufacturer, v.serial), None)
    for task in [t for t, m in world.members.items() if m.robot == v.id]:
        del world.members[task]
    world.plan_wanted = world.release_wanted = world.fleet_changed = True
    return ""
