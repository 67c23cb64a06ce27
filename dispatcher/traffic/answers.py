"""What can be asked of the traffic engine; asking changes nothing but which distance tables are at hand."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from contracts.ids import DoorId, LiftId, NodeId, RobotId
from contracts.layout import Layout
from dispatcher.traffic.commitments import Commitments
from dispatcher.traffic.graph import LONGEST_MS, Ints
from dispatcher.traffic.params import TrafficParams
from dispatcher.traffic.why import Wait, chain


class Answers:
    """The half of `engine.Traffic` that only reads."""

    def __init__(self, layout: Layout, params: TrafficParams | None = None) -> None:
        self._c = Commitments(layout, params or TrafficParams())

    def settled(self, robot: RobotId) -> bool:
        """Whether a robot stands at its goal with nothing pending."""
        r = self._c.fleet.of(robot)
        path = self._c.right.path[r]
        return len(path) == 1 and self._c.want.get(r) == path[0]

    def cut_off(self, robot: RobotId) -> bool:
        """Whether closed nodes, or robots that stopped, shut a robot off from its goal."""
        f, r = self._c.fleet, self._c.fleet.of(robot)
        return f.goal[r] >= 0 and bool(self._c.tables.pool[f.row[r], f.end[r]] >= LONGEST_MS)

    @property
    def impaired(self) -> bool:
        """Whether anything is closed, or shut by a robot that stopped for good."""
        return self._c.roads.impaired or bool(self._c.tables.shut.any())

    def route(self, robot: RobotId) -> tuple[tuple[NodeId, ...], tuple[NodeId, ...]]:
        """Return the released nodes that a robot has not passed, and those planned behind them."""
        r = self._c.fleet.of(robot)
        path, released, ids = self._c.right.path[r], self._c.right.released[r], self._c.roads.ids
        return tuple(ids[v] for v in path[1:released]), tuple(ids[v] for v in path[released:])

    def at(self, robot: RobotId) -> NodeId:
        """Return the node that a robot passed last."""
        return self._c.roads.ids[self._c.right.path[self._c.fleet.of(robot)][0]]

    def end(self, robot: RobotId) -> NodeId:
        """Return the node where a robot's committed way ends: from there it goes on to its next goal."""
        return self._c.roads.ids[int(self._c.fleet.end[self._c.fleet.of(robot)])]

    def wanted_doors(self) -> frozenset[DoorId]:
        """Return the doors that somebody is planned through or stands in."""
        doors = (self._c.roads.door[n] for n, users in self._c.door_users.items() if users)
        return frozenset(d for d in doors if d is not None)

    def wanted_lifts(self) -> dict[LiftId, str]:
        """Return the level at which each lift is to stand open that somebody is planned through or stands in.

        It is what the first in its queue needs next: the level where he gets in, then the one to which he rides, where
        it stays until he has got out. So no lift is called away from a robot that was let in or out.
        """
        found: dict[LiftId, str] = {}
        res, level = self._c.roads.res_of, self._c.roads.level
        for lift, q in self._c.roads.cabins.items():
            if not self._c.right.queue[q]:
                continue
            path = self._c.right.path[self._c.right.queue[q][0]]
            at = next(k for k, n in enumerate(path) if res[n] == q)
            rides = at == 0 and len(path) > 1 and res[path[1]] == q
            found[lift] = level[path[1 if rides else at]]
        return found

    def travel_s(self, start: NodeId, end: NodeId, *, loaded: bool) -> float:
        """Return the time to drive from one node to another on the open road, without stops; inf if there is no way."""
        t = self._c.tables
        row = t.row(self._c.roads.at("end", end), int(loaded), self._c.fleet.row)
        ms = int(t.pool[row, self._c.roads.at("start", start)])
        return ms / 1000 if ms < LONGEST_MS else math.inf

    def travel_times_s(self, starts: Sequence[NodeId], ends: Sequence[NodeId], *, loaded: bool) -> NDArray[np.float64]:
        """Return `travel_s` from each start to each end, shape (starts, ends), in seconds."""
        t, used = self._c.tables, self._c.fleet.row
        at = np.fromiter((self._c.roads.at("start", n) for n in starts), np.int64, len(starts))
        found = np.empty((len(starts), len(ends)))
        for j, end in enumerate(ends):
            row = t.row(self._c.roads.at("end", end), int(loaded), used)  # first: the pool may grow for it
            found[:, j] = t.pool[row][at]
        found[found >= LONGEST_MS] = math.inf
        return found / 1000

    def tables_to(self, ends: Sequence[NodeId], *, loaded: bool) -> tuple[Ints, Ints] | None:
        """Return the pool of distance tables, ms, (tables, nodes), and each end's row in it, to be read at once.

        None: they do not all fit into the memory for tables.
        """
        t, used = self._c.tables, self._c.fleet.row
        rows = np.fromiter((t.row(self._c.roads.at("end", n), int(loaded), used) for n in ends), np.int32, len(ends))
        return (t.pool, rows) if len(np.unique(rows)) == len(set(ends)) else None

    def numbers(self, nodes: Sequence[NodeId]) -> Ints:
        """Return the columns of nodes in the distance tables."""
        return np.fromiter((self._c.roads.at("node", n) for n in nodes), np.int32, len(nodes))

    def why(self, robot: RobotId, now_ms: int) -> tuple[Wait, ...]:  # noqa: ARG002 - part of the face
        """Return the chain of waits from a robot to the one that moves, or to what must happen outside."""
        return chain(self._c, robot)
