"""Transports: which robot brings what from where to where, without any stock; to origin, pick up, to goal, set down."""

import numpy as np
from numpy.typing import NDArray

from contracts.errors import Broken
from contracts.ids import NodeId, TaskId
from contracts.messages.facts import TransportChanged
from contracts.messages.work import Transport
from dispatcher import assignment, attempts, carriers, missions
from dispatcher.facts import RobotState
from dispatcher.fleet.member import Leg, Pin, Purpose, Vehicle
from dispatcher.haul import Haul, HaulStage
from dispatcher.traffic.graph import LONGEST_MS
from dispatcher.world import World, remember

_FAR_S = 1e6
"""Stands for 'unreachable' in the matching."""
_WINDOW = 4
"""So many transports a free robot compete for it, the most urgent ones."""
_PRIORITY_S = 600.0
"""One step of priority is worth so much driving."""
_SLACK_S = 900.0
"""A transport that is due within this time gains a second of driving a second."""
_SWAPPED = 64
"""With more robots than this robots on their way are left in peace: the matching would take too long."""
_SWAP_S = 5.0
"""A robot on its way to an origin is swapped for another only if that saves so much driving in all."""


def opened(world: World, work: Transport) -> None:
    """Take a transport's key: new, a new attempt, or one that is known (which changes nothing)."""
    if world.closed.get(work.task, -1) >= work.attempt:
        return
    known = world.hauls.get(work.task)
    if known is not None:
        if work.attempt > known.work.attempt and known.stage is HaulStage.OPEN:
            known.work = work
        return
    nodes = world.site.layout.node
    for node in (work.origin, work.goal):
        if node not in nodes:
            text = f"Transport {work.task} names {node}, which is not in the site's layout."
            remedy = "Cancel it; see that central and dispatcher use one site."
            world.raise_alarm(f"transport-{work.task}", "error", work.task, text, remedy)
            return
    world.hauls[work.task] = Haul(work, world.now_ms)
    world.hauls_changed = True


def closed(world: World, task: TaskId) -> bool:
    """Let a transport go; what its robot carries already it brings to its end. Says whether it was one."""
    haul = world.hauls.get(task)
    if haul is None:
        return False
    world.closed[task] = haul.work.attempt
    remember(world.closed)
    world.clear_alarm(f"transport-{task}")
    world.clear_alarm(f"aside-{task}")
    world.clear_alarm(f"carrier-{task}")
    attempts.forget(world, task)
    v = None if haul.robot is None else world.vehicles[haul.robot]
    if v is not None and _has_lost(world, v, haul):
        del world.hauls[task]
        _let_go(world, v)
        return True
    if haul.stage is HaulStage.DELIVER or (v is not None and haul.stage is HaulStage.COLLECT and v.pins & Pin.LEG):
        haul.cancelled = True
        return True
    del world.hauls[task]
    if v is not None and haul.stage is HaulStage.COLLECT:
        _let_go(world, v)
    return True


def _has_lost(world: World, v: Vehicle, haul: Haul) -> bool:
    """Whether a robot stands and waits for a person as it has lost what it was to deliver."""
    if haul.stage is not HaulStage.DELIVER or not haul.work.handling or not v.pins & Pin.AWAY:
        return False
    return v.report is not None and v.report.loads == () and f"failed-{v.id}" in world.alarms


def assign(world: World) -> None:
    """Give free robots the transports that they reach soonest, the urgent and the old first.

    Robots that are still on their way to an origin take part again, so that a nearer one may take over.
    """
    if not world.hauls or not (world.hauls_changed or world.fleet_changed) or world.stopped:
        return
    world.hauls_changed = False
    impaired = world.traffic.impaired
    if impaired:
        _recall(world)
    aside = {h.work.origin for h in world.hauls.values() if h.aside}
    waiting = [
        h
        for h in world.hauls.values()
        if h.stage is HaulStage.OPEN and h.work.goal not in aside and h.work.task not in world.held
    ]
    if not waiting:
        return
    carriers.tell_of_uncarried(world, waiting)
    robots = [v for v in world.vehicles.values() if assignment.free(world, v)]
    if robots and impaired:
        waiting = _possible(world, robots, waiting)
    if not robots or not waiting:
        return
    moving = [h for h in world.hauls.values() if h.stage is HaulStage.COLLECT and _may_swap(world, h)]
    if len(moving) + len(robots) > _SWAPPED:
        moving = []
    gain = {h.work.task: _gain_s(world, h) for h in (*waiting, *moving)}
    waiting.sort(key=lambda h: (-gain[h.work.task], h.work.task))
    tasks = [*moving, *waiting[: _WINDOW * len(robots)]]
    all_robots = [*robots, *(world.vehicles[h.robot] for h in moving if h.robot is not None)]
    left: list[tuple[Vehicle, Haul]] = []
    for i, j in _pairs(world, all_robots, tasks, [gain[h.work.task] for h in tasks]):
        v, haul = all_robots[i], tasks[j]
        if haul.robot == v.id:
            continue
        if not impaired and not _deliverable(world, haul):
            origin, goal, loaded = haul.work.origin, haul.work.goal, "loaded " * haul.work.handling
            attempts.leave_alone(world, haul.work.task, f"No {loaded}robot gets from {origin} to {goal}")
            world.hauls_changed = True
            continue
        if haul.robot is not None:  # its former robot gets another one, or nothing
            former = world.vehicles[haul.robot]
            if former.transport == haul.work.task:
                _let_go(world, former)
        if v.transport is not None:
            given_up = world.hauls[v.transport]
            if given_up.robot == v.id:
                given_up.stage, given_up.robot = HaulStage.OPEN, None
                world.hauls_changed = True
                left.append((v, given_up))
        _begin(world, v, haul)
    for v, haul in left:
        if haul.stage is HaulStage.OPEN:
            _tell(world, v, haul, "open", f"robot {v.id} has a more urgent one")


def leg_done(world: World, v: Vehicle, leg: Leg) -> None:
    """Go on from the origin to the goal, or end at the goal."""
    haul = None if v.transport is None else world.hauls.get(v.transport)
    if haul is None:
        raise Broken(f"robot {v.id} finished a {leg.purpose} leg without a transport")
    if leg.purpose is Purpose.COLLECT:
        if haul.cancelled and not haul.work.handling:
            del world.hauls[haul.work.task]
            _let_go(world, v)
            return
        _deliver(world, v, haul)
        return
    if haul.aside:
        _brought_back(world, v, haul)
        return
    _tell(world, v, haul, "done")
    _let_go(world, v)
    for other in world.hauls.values():
        other.taken |= other.stage is HaulStage.DELIVER and other.work.origin == leg.goal
    if haul.cancelled:
        del world.hauls[haul.work.task]
    else:
        haul.stage = HaulStage.DONE


def go_on(world: World, v: Vehicle, report: RobotState) -> None:
    """Continue with a robot that was placed anew, as far as its loads tell."""
    haul = None if v.transport is None else world.hauls.get(v.transport)
    if haul is None or v.leg is None:
        v.transport, v.leg = None, None
        return
    if not haul.work.handling or report.loads is None:
        missions.aim(world, v)
    elif haul.stage is HaulStage.COLLECT:
        if report.loads and v.node == haul.work.origin:
            _deliver(world, v, haul)
        else:
            missions.aim(world, v)
    elif report.loads:
        missions.aim(world, v)
    elif v.node == v.leg.goal:  # it has set it down, and its state was lost
        missions.leg_done(world, v)
    else:
        world.pin(v, Pin.AWAY)
        world.raise_alarm(
            f"failed-{v.id}", "error", v.id, f"Robot {v.id} has lost the load of transport {haul.work.task}.",
            "Put the load on the robot again and resume it; or cancel the transport as lost, then resume the robot.",
        )  # fmt: skip


def hand_on(world: World, v: Vehicle, why: str = "cannot go on") -> bool:
    """Let another robot collect what this one has not picked up; says whether it was so."""
    haul = None if v.transport is None else world.hauls.get(v.transport)
    if haul is None or haul.stage is not HaulStage.COLLECT or v.pins & Pin.LEG:
        return False
    give_up(world, v, why)
    return True


def give_up(world: World, v: Vehicle, why: str) -> None:
    """Let another robot collect what this one does not have."""
    haul = None if v.transport is None else world.hauls.get(v.transport)
    if haul is None:
        raise Broken(f"robot {v.id} has no transport to give up")
    haul.stage, haul.robot = HaulStage.OPEN, None
    world.hauls_changed = True
    _tell(world, v, haul, "open", f"robot {v.id} {why}")
    if haul.cancelled:
        del world.hauls[haul.work.task]
    _let_go(world, v)


def _recall(world: World) -> None:
    """Call robots back whose origin or goal is cut off by now, before they stand loaded before it; tell of the others.

    A robot that carries its load already waits as near to its goal as it can, and brings it back after a while.
    """
    for haul in list(world.hauls.values()):
        v = None if haul.robot is None else world.vehicles[haul.robot]
        if v is None or not v.placed or v.lost:
            continue
        if haul.stage is HaulStage.COLLECT and _may_swap(world, haul):
            if world.traffic.cut_off(v.id) or not _deliverable(world, haul):
                hand_on(world, v, "is called back: its way is cut off")
        elif haul.stage is HaulStage.DELIVER and not haul.aside and world.traffic.cut_off(v.id):
            world.timers.earlier(world.now_ms + world.params.cut_off_ms, "cut off", haul.work.task)
            world.raise_alarm(
                f"transport-{haul.work.task}", "warning", haul.work.task,
                f"Robot {v.id} cannot bring transport {haul.work.task} to {haul.work.goal}: it is cut off.",
                "Open what is closed, or remove the robot that stands in the way.",
            )  # fmt: skip


def cut_off_due(world: World, name: str) -> None:
    """Bring a load back to its origin whose goal is cut off still: its robot is needed, and others wait behind it.

    Of other places nobody here knows what stands there; this one was left free. Until it is picked up again nothing
    else is brought there. While it is taken or cut off itself the robot waits, and a person must help.
    """
    haul = world.hauls.get(TaskId(name))
    v = None if haul is None or haul.robot is None else world.vehicles[haul.robot]
    if haul is None or v is None or haul.stage is not HaulStage.DELIVER or haul.aside or not haul.work.handling:
        return
    work, leg = haul.work, v.leg
    if leg is None or leg.done or not v.placed or v.lost or not world.traffic.cut_off(v.id):
        world.clear_alarm(f"transport-{name}")
        return
    if v.pins or v.cancelling or v.late or _spoken_for(world, haul) or not _reaches(world, v, work.origin):
        world.timers.set(world.now_ms + world.params.cut_off_ms, "cut off", name)
        return
    haul.aside = True
    world.clear_alarm(f"transport-{name}")
    world.raise_alarm(
        f"aside-{name}", "warning", work.task,
        f"{work.goal} cannot be reached: robot {v.id} brings the load of transport {name} back to {work.origin}, where"
        " it waits.",
        "Open what is closed, or remove the robot that stands in the way; or cancel it and order another transport.",
    )  # fmt: skip
    missions.begin_leg(
        world, v, Purpose.DELIVER, work.origin, work.task, act="drop", load=work.load, load_type=work.load_type,
        loaded=True,
    )  # fmt: skip


def _spoken_for(world: World, haul: Haul) -> bool:
    """Whether something else stands where this load came from, or is on its way there."""
    if haul.taken:
        return True
    place, started = haul.work.origin, {HaulStage.COLLECT, HaulStage.DELIVER}
    return any(
        (h.work.goal == place and h.stage in started)
        or (h.work.origin == place and (h.aside or h.stage in {HaulStage.OPEN, HaulStage.COLLECT}))
        for h in world.hauls.values()
        if h is not haul
    )


def _reaches(world: World, v: Vehicle, node: NodeId) -> bool:
    return world.travel_s(v.node, node, loaded=True) < _FAR_S


def _brought_back(world: World, v: Vehicle, haul: Haul) -> None:
    """Leave a load where it came from: it waits for the road, or for a person."""
    task = haul.work.task
    if haul.cancelled:
        _tell(world, v, haul, "done", f"it was brought back to {v.node}")
        world.clear_alarm(f"aside-{task}")
        del world.hauls[task]
    else:
        haul.stage, haul.robot = HaulStage.OPEN, None
        _tell(world, v, haul, "open", f"it was brought back: {haul.work.goal} is cut off")
    world.hauls_changed = True
    _let_go(world, v)


def _possible(world: World, robots: list[Vehicle], waiting: list[Haul]) -> list[Haul]:
    """Return the transports whose origin a free robot reaches, and whose goal is reached from there."""
    seconds = world.traffic.travel_times_s(_starts(world, robots), [h.work.origin for h in waiting], loaded=False)
    near: NDArray[np.float64] = np.min(seconds, axis=0)
    return [h for h, s in zip(waiting, near.tolist(), strict=True) if s < _FAR_S and _deliverable(world, h)]


def _starts(world: World, robots: list[Vehicle]) -> list[NodeId]:
    """Return whence robots drive to an origin: from where they are, but if something is shut from where their way ends.

    What is committed to them they drive in any case, and it may end where they do not get away: then they would be
    given a transport and called back for ever.
    """
    return [world.traffic.end(v.id) if world.traffic.impaired else v.node for v in robots]


def _deliverable(world: World, haul: Haul) -> bool:
    work = haul.work
    return world.travel_s(work.origin, work.goal, loaded=work.handling) < _FAR_S


def _begin(world: World, v: Vehicle, haul: Haul) -> None:
    work = haul.work
    haul.stage, haul.robot, v.transport = HaulStage.COLLECT, v.id, work.task
    act, kind = ("pick" if work.handling else ""), work.load_type
    missions.begin_leg(world, v, Purpose.COLLECT, work.origin, work.task, act=act, load=work.load, load_type=kind)
    _tell(world, v, haul, "assigned")


def _deliver(world: World, v: Vehicle, haul: Haul) -> None:
    work = haul.work
    haul.stage, haul.aside, haul.taken = HaulStage.DELIVER, False, False
    world.clear_alarm(f"aside-{work.task}")
    _tell(world, v, haul, "loaded")
    act, kind = ("drop" if work.handling else ""), work.load_type
    missions.begin_leg(
        world, v, Purpose.DELIVER, work.goal, work.task, act=act, load=work.load, load_type=kind, loaded=work.handling
    )
    world.hauls_changed |= world.traffic.impaired  # its goal may be cut off by now


def _let_go(world: World, v: Vehicle) -> None:
    """Leave a robot without work; it drives on to where its released way ends."""
    world.unpin(v, Pin.LEG)
    v.transport, v.leg = None, None
    world.fleet_changed = True
    if v.placed:
        world.traffic.rest(v.id)


def _tell(world: World, v: Vehicle, haul: Haul, state: str, reason: str = "") -> None:
    world.tell(TransportChanged(haul.work.task, haul.work.attempt, state, v.id, v.node, reason))


def _may_swap(world: World, haul: Haul) -> bool:
    v = None if haul.robot is None else world.vehicles[haul.robot]
    return v is not None and v.placed and not v.pins and not v.cancelling and not haul.cancelled


def _gain_s(world: World, haul: Haul) -> float:
    """Return what a transport's urgency is worth, in seconds of driving; it grows as it waits."""
    slack_s = (haul.work.due_ms - world.now_ms) / 1000 if haul.work.due_ms else _SLACK_S
    waited_s = (world.now_ms - haul.since_ms) / 1000
    return haul.work.priority * _PRIORITY_S + max(0.0, _SLACK_S - slack_s) + waited_s


def _costs_s(world: World, robots: list[Vehicle], tasks: list[Haul]) -> NDArray[np.float64]:
    """Return the driving time of each robot to each origin, shape (robots, tasks); `_FAR_S`: it cannot."""
    cost = world.traffic.travel_times_s(_starts(world, robots), [h.work.origin for h in tasks], loaded=False)
    np.minimum(cost, _FAR_S, out=cost)
    for i, v in enumerate(robots):
        if carriers.choosy(v):
            cost[i, [not carriers.carries(world, v, h.work) for h in tasks]] = _FAR_S
    place = {v.id: i for i, v in enumerate(robots)}
    for j, haul in enumerate(tasks):
        if haul.robot is not None and haul.robot in place:
            cost[place[haul.robot], j] -= _SWAP_S
    return cost


def _pairs(world: World, robots: list[Vehicle], tasks: list[Haul], gain_s: list[float]) -> list[tuple[int, int]]:
    """Match robots and transports by the smallest sum of driving times less gains; nothing unreachable is matched."""
    from dispatcher import matching

    if len(robots) * len(tasks) > matching.DENSE and not any(map(carriers.choosy, robots)):
        found = world.traffic.tables_to([h.work.origin for h in tasks], loaded=False)
    else:
        found = None
    if found is not None:
        pool, rows = found
        starts = world.traffic.numbers(_starts(world, robots))
        gain = (np.array(gain_s) * 1000).clip(max=LONGEST_MS).astype(np.int32)
        pairs = matching.match_nearest(pool, rows, starts, gain)
        return [(i, j) for i, j in pairs if pool[rows[j], starts[i]] < LONGEST_MS]
    cost = _costs_s(world, robots, tasks)
    return [(i, j) for i, j in matching.match_dense(cost - np.array(gain_s)) if cost[i, j] < _FAR_S]
