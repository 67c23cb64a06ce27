"""Dissolving a jam: a robot that cannot get on is brought to its goal by one plan for it and all who stand around.

The plan starts from committed ends, like a round, and is promised whole: its moves go into the queues in their order,
each to a resource where nobody's end lies. So it is a row of rounds of one move each, and the argument of rounds holds
for it. It is not taken back with what else is promised, until it is driven or given up.
"""

from collections import deque

from dispatcher.traffic.commitments import Commitments
from dispatcher.traffic.graph import EMPTY, LOADED
from dispatcher.traffic.pebbles import Jam, Move, solve
from dispatcher.traffic.rescue import way
from dispatcher.traffic.state import FIXED, NEVER_MS

_MOST_NODES = 200
_MOST_ROBOTS = 40
_MOST_STATES = 1_500


def dissolve(c: Commitments, robot: int) -> bool:
    """Promise the moves that bring a robot to its goal, or as far towards it as the part looked at reaches.

    Returns
    -------
    bool
        Whether there is such a plan, and it was found within the states that may be looked at.
    """
    c.take_back()
    found = _jam(c, robot)
    if found is None:
        return False
    jam, nodes, robots = found
    moves = solve(jam, _MOST_STATES).moves
    if not moves:
        return False
    _promise(c, robot, [(robots[r], nodes[x]) for r, x in moves])
    return True


def _jam(c: Commitments, robot: int) -> tuple[Jam, list[int], list[int]] | None:
    f, roads = c.fleet, c.roads
    start = int(f.end[robot])
    index, robots = {start: 0}, [robot]
    todo = deque([start])
    while todo and len(index) < _MOST_NODES and len(robots) < _MOST_ROBOTS:
        u = todo.popleft()
        for v in (*roads.ways(EMPTY, u), *_into(c, u)):
            o = int(f.holder[roads.res[v]])
            if v in index or c.barred[v] or roads.cabin[v] is not None or (o >= 0 and o != robot and _stays(c, o)):
                continue
            index[v] = len(index)
            todo.append(v)
            if o >= 0 and o not in robots:
                robots.append(o)
    for o in robots:  # of a resource with several nodes another one may have been seen
        index.setdefault(int(f.end[o]), len(index))
    nodes = list(index)
    goal = next((n for n in reversed(way(roads, c.tables, f, robot)) if n in index), start)
    if goal == start:
        return None
    ways = tuple([[index[v] for v in roads.ways(kind, u) if v in index] for u in nodes] for kind in (EMPTY, LOADED))
    jam = Jam(
        ways=(ways[0], ways[1]),
        res=[roads.res_of[n] for n in nodes],
        storage=[bool(roads.storage[n]) for n in nodes],
        shy=[bool(roads.shy[n]) for n in nodes],
        at=tuple(index[int(f.end[o])] for o in robots),
        kind=[int(f.kind[o]) for o in robots],
        goal=index[goal],
    )
    return jam, nodes, robots


def _into(c: Commitments, node: int) -> list[int]:
    roads = c.roads
    found: list[int] = roads.rnbr[roads.rptr[EMPTY, node] : roads.rptr[EMPTY, node + 1]].tolist()
    return found


def _stays(c: Commitments, robot: int) -> bool:
    """Whether a robot is not to be moved: it stands for good, has just arrived, or is in another plan."""
    f = c.fleet
    arrived = f.goal[robot] >= 0 and f.end[robot] == f.goal[robot] and c.now < f.anchor[robot]
    return bool(f.mode[robot] == FIXED or arrived) or robot in c.right.kept


def _promise(c: Commitments, robot: int, moves: list[Move]) -> None:
    f, right = c.fleet, c.right
    for o in dict.fromkeys(o for o, _ in moves):
        c.calm(o)
    for o, v in moves:
        right.commit(o, v)
        f.heading[o] = c.roads.heading.get((int(f.end[o]), v), -1)
        f.end[o] = v
        f.pending[o] += 1
        f.moved[o] = f.progress[o] = c.now
        f.anchor[o] = 0
        if c.roads.door[v] is not None:
            c.door_users.setdefault(v, set()).add(o)
    if f.end[robot] == f.goal[robot]:
        f.anchor[robot] = NEVER_MS
    right.keep(o for o, _ in moves)
    c.hold()
