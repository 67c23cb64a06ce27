"""Right of way: one first-come queue per resource; who is head may be released, who passed is taken out.

A robot's *path* is a list of nodes: where it stands, then the released ones it has not passed (VDA 5050's base), then
committed ones that wait (the horizon). Each entry of a path is one entry in its resource's queue.
"""

from collections.abc import Iterable

from contracts.errors import Broken
from dispatcher.traffic.graph import Roads


class RightOfWay:
    """The queues of all resources and the paths of all robots, by robot number.

    Attributes
    ----------
    queue
        By resource: robot numbers, first come first.
    path, released
        By robot: nodes from where it stands on, and how many of them are released (at least 1 while it is on the
        floor).
    kept
        By robot: how many nodes of its path are not taken back with the rest, as they belong to one plan with others'
        (see `jam`).
    """

    def __init__(self, roads: Roads) -> None:
        self._res = roads.res_of
        self._gate, self._cabin = roads.gate, roads.cabin
        self.queue: list[list[int]] = [[] for _ in range(roads.resources)]
        self.path: list[list[int]] = []
        self.released: list[int] = []
        self.kept: dict[int, int] = {}
        self._ready: dict[int, None] = {}

    def stand(self, robot: int, node: int) -> None:
        """Put a robot on a node whose queue is empty."""
        if self.queue[self._res[node]]:
            raise Broken(f"resource of node {node} is held by {self.queue[self._res[node]]}")
        while len(self.path) <= robot:
            self.path.append([])
            self.released.append(0)
        self.path[robot] = [node]
        self.released[robot] = 1
        self.queue[self._res[node]].append(robot)

    def leave(self, robot: int) -> None:
        """Take a robot and all it holds off the floor."""
        for q in {self._res[n] for n in self.path[robot]}:
            queue = self.queue[q]
            queue[:] = [o for o in queue if o != robot]
            if queue:
                self._ready[queue[0]] = None
        if robot in self.kept:
            self.kept.clear()
        self.path[robot] = []
        self.released[robot] = 0
        self._ready.pop(robot, None)

    def commit(self, robot: int, node: int) -> None:
        """Append a move to a robot's path and to the resource's queue."""
        self.path[robot].append(node)
        self.queue[self._res[node]].append(robot)
        self._ready[robot] = None

    def passed(self, robot: int, steps: int) -> None:
        """Free what lies before the entry `steps` of a robot's path, where it is now."""
        path = self.path[robot]
        for node in path[:steps]:
            queue = self.queue[self._res[node]]
            if queue.pop(0) != robot:
                raise Broken(f"robot {robot} passed node {node}, which it did not hold")
            if queue:
                self._ready[queue[0]] = None
        del path[:steps]
        self.released[robot] -= steps
        if robot in self.kept:
            self.kept[robot] -= steps
            if self.kept[robot] <= 1:
                del self.kept[robot]
        self._ready[robot] = None

    def keep(self, robots: Iterable[int]) -> None:
        """Keep the paths of these robots as they are now: they are one plan, and come true whole or not at all."""
        self.kept.update((r, len(self.path[r])) for r in robots)

    def wake(self, robots: Iterable[int]) -> None:
        """Look at these robots at the next release."""
        self._ready.update(dict.fromkeys(robots))

    def may_enter(self, robot: int, step: int) -> bool:
        """Whether everybody before a robot's path entry in its queue is the robot itself."""
        path = self.path[robot]
        q = self._res[path[step]]
        queue = self.queue[q]
        if queue[0] != robot:
            return False
        return all(queue[k] == robot for k in range(1, 1 + sum(self._res[n] == q for n in path[:step])))

    def release(self, few: int, standing: set[int], open_gates: frozenset[str]) -> list[tuple[int, int]]:
        """Release all that can be; return (robot, number of new nodes) in the order of robot numbers.

        Robots with more than `few` released nodes ahead wait until they have driven some, so that their orders grow by
        several nodes at a time. Robots in `standing` get nothing. Doors and lifts not named in `open_gates` stop.
        """
        found: list[tuple[int, int]] = []
        ready, self._ready = sorted(self._ready), {}
        for robot in ready:
            path, start = self.path[robot], self.released[robot]
            if start == len(path) or start == 0 or start - 1 > few or robot in standing:
                continue
            step = start
            while step < len(path) and self.may_enter(robot, step):
                if self._shut(path[step - 1], path[step], open_gates):
                    self._ready[robot] = None
                    break
                step += 1
            if step > start:
                self.released[robot] = step
                found.append((robot, step - start))
        return found

    def _shut(self, before: int, node: int, open_gates: frozenset[str]) -> bool:
        """Whether a move must wait for the door or lift that it leads into, or for the lift that it leads out of."""
        gate, cabin = self._gate[node], self._cabin[before]
        if gate is not None and gate not in open_gates:
            return True
        return cabin is not None and cabin not in open_gates and self._res[before] != self._res[node]

    def take_back(self) -> list[int]:
        """Take back every entry that is neither released nor kept; return whose, in order."""
        found: list[int] = []
        queues, res = self.queue, self._res
        for robot, path in enumerate(self.path):
            keep = max(self.released[robot], self.kept.get(robot, 0))
            if 0 < keep < len(path):
                found.append(robot)
                for node in path[keep:]:
                    queue = queues[res[node]]
                    for k in range(len(queue) - 1, -1, -1):
                        if queue[k] == robot:
                            del queue[k]
                            break
                del path[keep:]
        return found

    def cut(self, robot: int, keep: int) -> None:
        """Take back a robot's path from the entry `keep` on; released entries are never taken back."""
        if keep < self.released[robot]:
            raise Broken(f"robot {robot}: {self.released[robot]} entries are released, {keep} would be kept")
        path = self.path[robot]
        if keep < self.kept.get(robot, 0):
            self.kept.clear()
        for node in reversed(path[keep:]):
            queue = self.queue[self._res[node]]
            at = len(queue) - 1 - queue[::-1].index(robot)
            del queue[at]
            if queue:
                self._ready[queue[0]] = None
        del path[keep:]

    def give_back(self, robot: int, keep: int) -> None:
        """Take back a robot's path from the entry `keep` on, released or not: it said that it does not drive there."""
        self.released[robot] = min(self.released[robot], keep)
        self.cut(robot, keep)

    def behind(self, robot: int, step: int) -> list[tuple[int, int]]:
        """Return who comes after a robot's path entry in its queue: (robot, first path entry that does)."""
        path = self.path[robot]
        q = self._res[path[step]]
        queue = self.queue[q]
        own = sum(self._res[n] == q for n in path[: step + 1])
        seen: dict[int, int] = {}
        found: dict[int, int] = {}
        for o in queue:
            seen[o] = seen.get(o, 0) + 1
            if o != robot and seen.get(robot, 0) >= own and o not in found:
                entries = [k for k, n in enumerate(self.path[o]) if self._res[n] == q]
                found[o] = entries[seen[o] - 1]
        return list(found.items())
