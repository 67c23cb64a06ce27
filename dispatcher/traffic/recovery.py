"""Taking commitments back: of robots that stopped for good, of nodes that were closed, and of all that depend on them.

Cutting takes suffixes of paths away, so no new wait arises; but who is cut stands with his end where another may have
been planned to follow him. Those followers are cut too, until all ends lie in different resources again.
"""

from collections import deque
from collections.abc import Iterable

from dispatcher.traffic.executor import RightOfWay


def cut_back(right: RightOfWay, cuts: Iterable[tuple[int, int]]) -> list[int]:
    """Cut each robot's path to the given length, and all who queue behind its new end; return who was cut, in order.

    Raises
    ------
    Broken
        A released entry would be taken back.
    """
    changed: dict[int, None] = {}
    todo = deque(cuts)
    while todo:
        robot, keep = todo.popleft()
        if keep >= len(right.path[robot]):
            continue
        right.cut(robot, keep)
        changed[robot] = None
        todo.extend(right.behind(robot, len(right.path[robot]) - 1))
    return list(changed)


def strand(right: RightOfWay, robot: int) -> list[int]:
    """Cut a robot back to what is released to it, and everybody who waits for any of that; return who was cut."""
    changed = cut_back(right, [(robot, right.released[robot])])
    cuts = [cut for step in range(len(right.path[robot])) for cut in right.behind(robot, step)]
    return list(dict.fromkeys([*changed, *cut_back(right, cuts)]))


def evict_edge(right: RightOfWay, start: int, end: int) -> list[int]:
    """Cut every path before its first unreleased move from one node to the other; return who was cut."""
    cuts = []
    for robot, path in enumerate(right.path):
        for step in range(max(1, right.released[robot]), len(path)):
            if path[step - 1] == start and path[step] == end:
                cuts.append((robot, step))
                break
    return cut_back(right, cuts)


def evict(right: RightOfWay, nodes: frozenset[int]) -> list[int]:
    """Cut every path before its first unreleased entry in `nodes`; return who was cut."""
    cuts = []
    for robot, path in enumerate(right.path):
        for step in range(right.released[robot], len(path)):
            if path[step] in nodes:
                cuts.append((robot, step))
                break
    return cut_back(right, cuts)
