"""Instances of the League of Robot Runners: read, refereed and written, sharing nothing with the planner.

Formats: github.com/MAPF-Competition/Start-Kit, Input_Output_Format.md. Cells are numbered row by row on the map.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.errors import Broken, Rejected

Cells = NDArray[np.int64]
_HEADINGS = "ESWN"
_ACTIONS = "FRCW"


class Instance:
    """A map, where robots stand at first (heading east), and the tasks of each (round robin).

    Parameters
    ----------
    path
        The instance's JSON file.
    robots
        Take only the first so many; None: the instance's team.

    Raises
    ------
    Rejected
        A file is missing or is not of the format; names it.
    """

    def __init__(self, path: Path, robots: int | None = None) -> None:
        try:
            head = json.loads(path.read_text())
            self.map_lines = (path.parent / head["mapFile"]).read_text().splitlines()
            starts = _numbers(path.parent / head["agentFile"])
            self.tasks: Cells = np.array(_numbers(path.parent / head["taskFile"]), np.int64)
            team = int(head["teamSize"])
            rows = self.map_lines[self.map_lines.index("map") + 1 :]
            self.width = len(rows[0])
            self.free = np.array([[c not in "@T" for c in row] for row in rows])
        except (OSError, LookupError, ValueError, TypeError) as e:
            raise Rejected("--instance", str(path), f"an instance of the League of Robot Runners: {e}") from e
        if not 1 <= team <= len(starts):
            raise Rejected("teamSize", team, f"from 1 to {len(starts)}, the robots of the agentFile")
        self.size = team if robots is None else robots
        if not 1 <= self.size <= team:
            raise Rejected("--robots", robots, f"from 1 to {team}")
        self.start: Cells = np.array(starts[: self.size], np.int64)
        for name, cells in (("agentFile", self.start), ("taskFile", self.tasks)):
            for n in np.flatnonzero((cells < 0) | (cells >= self.free.size))[:1]:
                raise Rejected(f"{name}/{n}", int(cells[n]), f"a cell of the map, in 0..{self.free.size - 1}")
        if not len(self.tasks):
            raise Rejected("taskFile", 0, "at least one task")
        if len(np.unique(self.start)) < self.size:
            raise Rejected("agentFile", "two robots", "each in a cell of its own")
        if not self.free.ravel()[self.start].all() or not self.free.ravel()[self.tasks].all():
            raise Rejected("--instance", str(path), "one whose robots start, and whose tasks lie, in free cells")


def _numbers(path: Path) -> list[int]:
    """Read a count and so many numbers, one a line; lines that begin with # are comments."""
    lines = [line for line in path.read_text().split("\n") if line.strip() and not line.startswith("#")]
    count, rest = int(lines[0]), lines[1:]
    if len(rest) < count:
        raise ValueError(f"{path.name}: {count} lines are announced, {len(rest)} are there")
    return [int(line) for line in rest[:count]]


class Referee:
    """Moves the robots by their actions, counts errands, and refuses what the rules forbid.

    Parameters
    ----------
    keep
        Remember every action, for `write`.
    """

    def __init__(self, instance: Instance, *, keep: bool = False) -> None:
        self._instance = instance
        self.at = instance.start.copy()
        self.heading = np.zeros(instance.size, np.int64)
        self._blocked = ~instance.free.ravel()
        self._turn = np.zeros(instance.size, np.int64)
        self.errands = 0
        self.collisions = 0
        self.steps = 0
        self._kept: list[bytes] | None = [] if keep else None
        self._events: list[list[tuple[int, int, str]]] = [[(r, 0, "assigned")] for r in range(instance.size)]

    @property
    def goal(self) -> Cells:
        """Each robot's errand; one whose list is done stays where it is."""
        number = np.arange(len(self.at)) + self._turn * len(self.at)
        tasks = self._instance.tasks
        return np.where(number < len(tasks), tasks[np.minimum(number, len(tasks) - 1)], self.at)

    def turn(self, actions: NDArray[np.int8]) -> None:
        """Let every robot do one action: 0 forward, 1 right, 2 left, 3 wait."""
        height = len(self._blocked) // self._instance.width
        row, column = np.divmod(self.at, self._instance.width)
        ahead = actions == 0
        row = row + ahead * np.array([0, 1, 0, -1])[self.heading]
        column = column + ahead * np.array([1, 0, -1, 0])[self.heading]
        if ((row < 0) | (row >= height) | (column < 0) | (column >= self._instance.width)).any():
            raise Broken(f"step {self.steps}: a robot leaves the map")
        self.heading = (self.heading + np.array([0, 1, 3, 0])[actions]) % 4
        self.move(row * self._instance.width + column)
        if self._kept is not None:
            self._kept.append(np.frombuffer(_ACTIONS.encode(), np.uint8)[actions].tobytes())

    def move(self, to: Cells) -> None:
        """Let every robot go to a cell beside its own, or stay; count robots in one cell and pairs that swap."""
        away = np.abs(np.subtract(np.divmod(self.at, self._instance.width), np.divmod(to, self._instance.width))).sum(0)
        if (away > 1).any() or self._blocked[to].any():
            raise Broken(f"step {self.steps}: a robot jumps, or drives into a wall")
        goal = self.goal
        self.collisions += len(to) - len(np.unique(to))
        before = dict(zip(self.at.tolist(), range(len(to)), strict=True))
        for r in np.flatnonzero(to != self.at).tolist():
            x = before.get(int(to[r]), r)
            self.collisions += x < r and int(to[x]) == int(self.at[r])
        self.at = to
        self.steps += 1
        there = np.flatnonzero((to == goal) & (np.arange(len(to)) + self._turn * len(to) < len(self._instance.tasks)))
        self._turn[there] += 1
        self.errands += len(there)
        if self._kept is not None:
            for r in there.tolist():
                task = r + int(self._turn[r]) * len(to)
                self._events[r] += [(task - len(to), self.steps, "finished"), (task, self.steps, "assigned")]

    def write(self, path: Path, step_s: list[float]) -> None:
        """Write the plan in the competition's output format; needs `keep`."""
        if self._kept is None:
            raise Broken("the referee kept no actions")
        letters = np.frombuffer(b"".join(self._kept), np.uint8).reshape(len(self._kept), -1).T
        paths = [",".join(bytes(row).decode()) for row in letters]
        start = [[int(a) // self._instance.width, int(a) % self._instance.width, "E"] for a in self._instance.start]
        revealed = sorted({e[0] for events in self._events for e in events if e[0] < len(self._instance.tasks)})
        plan: dict[str, Any] = {
            "actionModel": "MAPF_T",
            "AllValid": "Yes",
            "teamSize": len(paths),
            "start": start,
            "numTaskFinished": self.errands,
            "sumOfCost": self.steps * len(paths),
            "makespan": self.steps,
            "actualPaths": paths,
            "plannerPaths": paths,
            "plannerTimes": [round(s, 6) for s in step_s],
            "errors": [],
            "events": [[list(e) for e in events if e[0] < len(self._instance.tasks)] for events in self._events],
            "tasks": [[t, *divmod(int(self._instance.tasks[t]), self._instance.width)] for t in revealed],
        }
        path.write_text(json.dumps(plan))
