"""Clearing the way for a robot that stands still for no good reason.

PIBT alone moves the first in rank wherever the map is rich in loops. In a dead end it may push another robot to the
bottom and then stand before it. The rule here: the robot in the way is sent to a free place beside the way, before
all others, and stays there until the other one has passed. Attempt after attempt takes a place farther off, and every
third time it is the waiting robot itself that gives way.
"""

from collections import deque

from dispatcher.traffic.graph import LONGEST_MS, Roads
from dispatcher.traffic.state import FIXED, Fleet
from dispatcher.traffic.tables import Tables


def way(roads: Roads, tables: Tables, fleet: Fleet, robot: int) -> list[int]:
    """Return the nodes of a robot's shortest way from its committed end to its goal, both included."""
    table = tables.pool[fleet.row[robot]]
    goal, kind, at = int(fleet.goal[robot]), int(fleet.kind[robot]), int(fleet.end[robot])
    found = [at]
    while at != goal and table[at] < LONGEST_MS:
        part = range(*roads.ptr[kind, at : at + 2].tolist())
        ways = [(int(tables.ms[k]) + int(table[roads.nbr[k]]), int(roads.nbr[k])) for k in part]
        ways = [(ms, v) for ms, v in ways if table[v] < table[at] and ms < LONGEST_MS]
        ways = [(ms, v) for ms, v in ways if _enters(roads, tables, kind, v, goal)]
        if not ways:
            break
        _, at = min(ways)
        found.append(at)
    return found


def blocker(roads: Roads, fleet: Fleet, nodes: list[int], robot: int) -> int:
    """Return the first other robot whose end lies on these nodes, or -1."""
    for node in nodes:
        o = int(fleet.holder[roads.res[node]])
        if o >= 0 and o != robot:
            return o
    return -1


def refuge(roads: Roads, tables: Tables, fleet: Fleet, robot: int, keep_free: list[int], attempt: int) -> int:
    """Return a free node off the way for a robot to escape to, the nearest or, by attempt, one farther; -1 if none."""
    kind, start = int(fleet.kind[robot]), int(fleet.end[robot])
    banned = {roads.res_of[n] for n in keep_free}
    seen, todo = {start}, deque([start])
    found: list[int] = []
    wanted = 1 + attempt // 2
    while todo and len(found) < wanted:
        u = todo.popleft()
        for v in roads.ways(kind, u):
            if v in seen or not _enters(roads, tables, kind, v, -1):
                continue
            seen.add(v)
            o = int(fleet.holder[roads.res[v]])
            if o >= 0 and o != robot and fleet.mode[o] == FIXED:
                continue
            todo.append(v)
            if o < 0 and not roads.shy[v] and roads.res_of[v] not in banned:
                found.append(v)
    return found[-1] if found else -1


def _enters(roads: Roads, tables: Tables, kind: int, node: int, goal: int) -> bool:
    return not tables.shut[node] and (node == goal or not (kind == 1 and roads.storage[node]))
