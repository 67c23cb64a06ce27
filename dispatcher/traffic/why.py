"""Why a robot waits: the chain from it to what would free it."""

from enum import StrEnum

import msgspec

from contracts.ids import DoorId, LiftId, NodeId, RobotId
from dispatcher.traffic.commitments import Commitments
from dispatcher.traffic.graph import LONGEST_MS
from dispatcher.traffic.state import FIXED


class Reason(StrEnum):
    """What a robot waits for."""

    MOVING = "moving"
    """It does not wait: it has released road ahead, or is at its goal."""
    HELD = "held"
    """The next node is held by `holder`."""
    QUEUED = "queued"
    """The planner cannot extend its way, as `holder` stands or will stop there."""
    GOAL_TAKEN = "goal_taken"
    """`holder` stands at its goal."""
    DOOR = "door"
    """`door` must open."""
    LIFT = "lift"
    """`lift` must come and open."""
    PINNED = "pinned"
    """It is at work, charging, paused or offline; its task says what ends that."""
    LOST = "lost"
    """It stopped for good: it must report where it stands, or be taken off the floor."""
    STALLED = "stalled"
    """It stands though its way is free; it may go on at any time."""
    CLOSED = "closed"
    """Closed nodes, or robots that stopped, cut it off from its goal."""
    NO_GOAL = "no_goal"
    """It has nothing to do."""


class Wait(msgspec.Struct, frozen=True, omit_defaults=True):
    """One link: `robot` waits for `node`, since when (ms of the core's time), and who or what would free it."""

    robot: RobotId
    reason: Reason
    since_ms: int
    node: NodeId | None = None
    holder: RobotId | None = None
    door: DoorId | None = None
    lift: LiftId | None = None


def chain(c: Commitments, robot: RobotId) -> tuple[Wait, ...]:
    """Return the chain of waits from a robot to the one that moves, or to what must happen outside."""
    chain: list[Wait] = []
    seen: set[int] = set()
    r: int | None = c.fleet.of(robot)
    while r is not None and r not in seen:
        seen.add(r)
        wait, r = _wait(c, r)
        chain.append(wait)
    return tuple(chain)


def _wait(c: Commitments, r: int) -> tuple[Wait, int | None]:
    f, right, ids = c.fleet, c.right, c.roads.ids
    name, since = f.name(r), c.since.get(r, 0)
    path, released = right.path[r], right.released[r]
    if r in c.lost:
        return Wait(name, Reason.LOST, since, ids[path[0]]), None
    if r in c.stalled:
        return Wait(name, Reason.STALLED, since, ids[path[0]]), None
    if r in c.pinned:
        return Wait(name, Reason.PINNED, since, ids[path[0]]), None
    if released > 1:
        return Wait(name, Reason.MOVING, since, ids[path[1]]), None
    if len(path) > 1:
        node = path[1]
        if not right.may_enter(r, 1):
            o = next(o for o in right.queue[c.roads.res_of[node]] if o != r)
            return Wait(name, Reason.HELD, since, ids[node], f.name(o)), o
        door, lift = c.roads.door[node], _lift(c, path[0], node)
        reason = Reason.DOOR if door else Reason.LIFT if lift else Reason.MOVING
        return Wait(name, reason, since, ids[node], door=door, lift=lift), None
    goal = int(f.goal[r])
    if goal < 0:
        return Wait(name, Reason.NO_GOAL, since, ids[path[0]]), None
    if goal == path[0]:
        return Wait(name, Reason.MOVING, since, ids[goal]), None
    if c.tables.pool[f.row[r], path[0]] >= LONGEST_MS:
        return Wait(name, Reason.CLOSED, since, ids[goal]), None
    from dispatcher.traffic.rescue import blocker, way
    from dispatcher.traffic.standstill import staller

    taken = int(f.holder[c.roads.res[goal]])
    if taken >= 0 and taken != r and (f.mode[taken] == FIXED or f.goal[taken] == goal):
        return Wait(name, Reason.GOAL_TAKEN, since, ids[goal], f.name(taken)), taken
    nodes = way(c.roads, c.tables, f, r)
    o = staller(c, nodes)
    if o < 0:
        o = blocker(c.roads, f, nodes[1:], r)
    if o < 0:
        return Wait(name, Reason.MOVING, since, ids[nodes[-1]]), None
    return Wait(name, Reason.QUEUED, since, ids[int(f.end[o])], f.name(o)), o


def _lift(c: Commitments, before: int, node: int) -> LiftId | None:
    """Return the lift that a move leads into, or out of."""
    for lift, q in c.roads.cabins.items():
        if q in {c.roads.res_of[before], c.roads.res_of[node]}:
            return lift
    return None
