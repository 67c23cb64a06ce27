"""Bringing one robot to its goal among others that stand anywhere: pebble motion with a single marked pebble.

Only the marked robot has a goal; the others are interchangeable (Papadimitriou et al., "Motion planning on a graph",
FOCS 1994). While it stands on a node, the others move about in what is left of the map without that node. In each
strongly connected part of it they reach every arrangement as long as one place is free, so of an arrangement nothing
counts but *how many robots each part holds*. The search goes over those numbers, not over arrangements: that is what
keeps it small where a search over configurations (LaCAM) drowns, in trees. It stands on real arrangements all the
same, and every move is checked on them, so no plan is wrong where the numbers do not say all: robots of two kinds,
resources of several nodes.

Every move goes to a free resource: nobody follows within a move, no circle turns, and no two change places.
"""

import heapq
from collections import deque
from typing import NamedTuple

import msgspec

LOADED = 1
_SHY_COST = 4
Move = tuple[int, int]


class Jam(msgspec.Struct, frozen=True):
    """Robots that stand in each other's way, and the part of the road map where they may make room.

    Attributes
    ----------
    ways
        By kind (0 empty, 1 loaded) and node: the nodes that it leads to.
    res
        By node: its resource; a resource holds one robot.
    storage, shy
        By node: whether loaded robots enter it only as their goal; whether robots should not be left there.
    at, kind
        By robot: its node and its kind. Robot 0 is the one that is to arrive.
    goal
        Where it is to arrive.
    """

    ways: tuple[list[list[int]], list[list[int]]]
    res: list[int]
    storage: list[bool]
    shy: list[bool]
    at: tuple[int, ...]
    kind: list[int]
    goal: int


class Found(NamedTuple):
    """What a search found: the moves (robot, node) in order, or None; and whether nothing was left to look at."""

    moves: list[Move] | None
    exhausted: bool
    expanded: int


class _Cells(NamedTuple):
    """The map without the marked robot's node, cut further by the node to which it goes next."""

    of: list[int]
    """By node: its cell, -1 for what the robot's resource covers."""
    borders: list[tuple[int, int]]
    """Ways from cell to cell."""


def solve(jam: Jam, most: int) -> Found:
    """Find moves that bring robot 0 to its goal.

    Parameters
    ----------
    most
        States to expand before giving up.
    """
    return _Search(jam).run(most)


class _Search:
    def __init__(self, jam: Jam) -> None:
        self._j = jam
        n = len(jam.res)
        self._common = LOADED if LOADED in jam.kind[1:] else 0
        self._into: tuple[list[list[int]], list[list[int]]] = ([[] for _ in range(n)], [[] for _ in range(n)])
        for kind in (0, LOADED):
            for u in range(n):
                for v in jam.ways[kind][u]:
                    self._into[kind][v].append(u)
        self._hops, self._next = self._distances()
        self._part: dict[int, list[int]] = {}
        self._cells: dict[tuple[int, int], _Cells] = {}

    def run(self, most: int) -> Found:
        j = self._j
        if self._hops[j.at[0]] < 0:
            return Found(None, exhausted=True, expanded=0)
        trail: list[tuple[int, list[Move]]] = [(-1, [])]
        heap = [(self._left(j.at), 0, 0, j.at, -1)]
        seen: set[tuple[object, ...]] = set()
        expanded = 0
        while heap and expanded < most:
            _, cost, number, at, to = heapq.heappop(heap)
            u = at[0]
            if u == j.goal:
                return Found(_moves(trail, number), exhausted=False, expanded=expanded)
            key = self._key(at, to)
            if key in seen:
                continue
            seen.add(key)
            expanded += 1
            if to < 0:
                for v in j.ways[j.kind[0]][u]:
                    if self._hops[v] >= 0 and self._enters(0, v):
                        heapq.heappush(heap, (cost + self._left(at), cost, number, at, v))
                continue
            held = {j.res[x]: r for r, x in enumerate(at)}
            steps: list[tuple[list[Move], int]] = []
            if held.get(j.res[to], 0) == 0:
                steps.append(([(0, to)], -1))
            for a, b in self._cells_of(u, to).borders:
                moves = self._shift(at, held, self._cells_of(u, to).of, a, b)
                if moves:
                    steps.append((moves, to))
            for moves, then in steps:
                after = self._apply(at, held, moves)
                if after is not None and self._key(after, then) not in seen:
                    trail.append((number, moves))
                    spent = cost + len(moves) + _SHY_COST * j.shy[moves[0][1]] * (then >= 0)
                    heapq.heappush(heap, (spent + self._left(after), spent, len(trail) - 1, after, then))
        return Found(None, exhausted=not heap, expanded=expanded)

    def _enters(self, robot: int, node: int) -> bool:
        j = self._j
        return not (j.kind[robot] == LOADED and j.storage[node]) or (robot == 0 and node == j.goal)

    def _distances(self) -> tuple[list[int], list[int]]:
        """Return each node's moves to the goal on the empty map, -1 if there is no way, and the next node on it."""
        j = self._j
        hops, following = [-1] * len(j.res), [-1] * len(j.res)
        hops[j.goal] = 0
        todo = deque([j.goal])
        while todo:
            v = todo.popleft()
            if not self._enters(0, v):
                continue
            for u in self._into[j.kind[0]][v]:
                if hops[u] < 0:
                    hops[u], following[u] = hops[v] + 1, v
                    todo.append(u)
        return hops, following

    def _left(self, at: tuple[int, ...]) -> int:
        """Estimate what is left: the way, and who stands on it; twice, as finding a plan soon is worth some moves."""
        j, u, here = self._j, at[0], set()
        for x in at[1:]:
            here.add(j.res[x])
        blocked = 0
        left = self._hops[u]
        while u != j.goal:
            u = self._next[u]
            blocked += j.res[u] in here
        return 2 * (left + blocked)

    def _key(self, at: tuple[int, ...], to: int) -> tuple[object, ...]:
        j, cell = self._j, self._cells_of(at[0], to).of
        return at[0], to, tuple(sorted((cell[x], j.kind[r]) for r, x in enumerate(at) if r))

    def _cells_of(self, u: int, to: int) -> _Cells:
        found = self._cells.get((u, to))
        if found is None:
            here = self._parts(u)
            there = self._parts(to) if to >= 0 else here
            number: dict[tuple[int, int], int] = {}
            of = [-1 if here[x] < 0 else number.setdefault((here[x], there[x]), len(number)) for x in range(len(here))]
            borders = [
                (a, b)
                for a, ways in enumerate(self._j.ways[0])
                for b in ways
                if of[a] >= 0 and of[b] >= 0 and of[a] != of[b]
            ]
            found = self._cells[u, to] = _Cells(of, borders)
        return found

    def _parts(self, u: int) -> list[int]:
        """Number the strongly connected parts of the map without a node's resource (Tarjan's algorithm)."""
        part = self._part.get(u)
        if part is None:
            j = self._j
            gone = j.res[u]
            ways = [
                [y for y in out if j.res[y] != gone and not (self._common and j.storage[y])]
                for out in j.ways[self._common]
            ]
            part = self._part[u] = _components(ways, [q != gone for q in j.res])
        return part

    def _shift(self, at: tuple[int, ...], held: dict[int, int], cell: list[int], a: int, b: int) -> list[Move]:
        """Return the moves that bring a robot of one cell over a way into another cell where a place is free."""
        j = self._j
        room = self._room(at, held, cell, b)
        if room is None:
            return []
        for kind in (0, LOADED):
            if b in j.ways[kind][a] and not (kind == LOADED and j.storage[b]):
                path = self._nearest(at, held, cell, a, kind)
                if path is not None:
                    robot = held[j.res[path[0]]]
                    return [*room, *((robot, x) for x in path[1:]), (robot, b)]
        return []

    def _room(self, at: tuple[int, ...], held: dict[int, int], cell: list[int], b: int) -> list[Move] | None:
        """Return the moves that make a node free: who stands there is pushed, and who stands behind, in its cell."""
        j = self._j
        first = held.get(j.res[b], -1)
        if first < 0:
            return []
        before: dict[int, tuple[int, int]] = {first: (-1, -1)}
        todo = deque([first])
        spare: tuple[int, int] | None = None
        while todo and first:
            r = todo.popleft()
            for y in j.ways[j.kind[r]][at[r]]:
                if cell[y] != cell[b] or not self._enters(r, y):
                    continue
                o = held.get(j.res[y], -1)
                if o < 0:
                    if not j.shy[y]:
                        return _pushed(before, r, y)
                    spare = spare or (r, y)
                elif o not in before and o:
                    before[o] = r, y
                    todo.append(o)
        return _pushed(before, *spare) if spare else None

    def _nearest(
        self, at: tuple[int, ...], held: dict[int, int], cell: list[int], a: int, kind: int
    ) -> list[int] | None:
        """Return the way to a node from the nearest robot of a kind in its cell, over free places."""
        j = self._j
        following = {a: -1}
        todo = deque([a])
        while todo:
            x = todo.popleft()
            r = held.get(j.res[x], -1)
            if r >= 0:
                if r and at[r] == x and j.kind[r] == kind:
                    path = []
                    while x >= 0:
                        path.append(x)
                        x = following[x]
                    return path
                continue
            if kind == LOADED and j.storage[x]:
                continue
            for y in self._into[kind][x]:
                if cell[y] == cell[a] and y not in following:
                    following[y] = x
                    todo.append(y)
        return None

    def _apply(self, at: tuple[int, ...], held: dict[int, int], moves: list[Move]) -> tuple[int, ...] | None:
        """Return where robots are after moves; None if one of them leads to where somebody is."""
        after, now, res = list(at), dict(held), self._j.res
        for r, x in moves:
            if now.get(res[x], r) != r:
                return None
            del now[res[after[r]]]
            now[res[x]] = r
            after[r] = x
        return tuple(after)


def _pushed(before: dict[int, tuple[int, int]], robot: int, to: int) -> list[Move]:
    moves = []
    while robot >= 0:
        moves.append((robot, to))
        robot, to = before[robot]
    return moves


def _moves(trail: list[tuple[int, list[Move]]], number: int) -> list[Move]:
    parts: list[list[Move]] = []
    while number >= 0:
        number, moves = trail[number]
        parts.append(moves)
    return [m for part in reversed(parts) for m in part]


def _components(ways: list[list[int]], there: list[bool]) -> list[int]:
    """Return by node the number of its strongly connected component, -1 where it is not there."""
    n = len(ways)
    order, low, part = [-1] * n, [0] * n, [-1] * n
    stack: list[int] = []
    count = parts = 0
    for start in range(n):
        if not there[start] or order[start] >= 0:
            continue
        order[start] = low[start] = count
        count += 1
        stack.append(start)
        todo = [(start, iter(ways[start]))]
        while todo:
            u, left = todo[-1]
            for v in left:
                if order[v] < 0:
                    order[v] = low[v] = count
                    count += 1
                    stack.append(v)
                    todo.append((v, iter(ways[v])))
                    break
                if part[v] < 0:
                    low[u] = min(low[u], order[v])
            else:
                todo.pop()
                if todo:
                    low[todo[-1][0]] = min(low[todo[-1][0]], low[u])
                if low[u] == order[u]:
                    while part[u] < 0:
                        part[stack.pop()] = parts
                    parts += 1
    return part
