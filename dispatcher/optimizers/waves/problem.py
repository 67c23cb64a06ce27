"""The wave and labour problem, its parameters and its plans, each checked when it is built.

Times are whole seconds since the day's begin. A batch is done by one person without interruption: it does not begin
before a break and end after it. What is charged is weight times seconds late; a batch left for another day is charged
as if it were `unplanned_s` late.
"""

import itertools
import math
from functools import cached_property

import msgspec

from contracts.errors import Broken, Rejected

MOST_S = 100_000_000
"""Three years; so that a day's charge is a whole number that a machine can count."""
MOST_WEIGHT = 1_000_000


def _within(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise Rejected(name, value, f"in {least}..{most}")


class Break(msgspec.Struct, frozen=True):
    """Nobody works from `begin_s` until `end_s`."""

    begin_s: int
    end_s: int


class Worker(msgspec.Struct, frozen=True):
    """A person or a station: what it can do, in which zones, from when until when, and its breaks."""

    id: str
    skills: frozenset[str]
    zones: frozenset[str]
    begin_s: int
    end_s: int
    breaks: tuple[Break, ...] = ()

    def windows(self) -> list[tuple[int, int]]:
        """Times of work between the breaks, ascending."""
        windows, at = [], self.begin_s
        for b in sorted(self.breaks, key=lambda b: b.begin_s):
            if b.begin_s > at:
                windows.append((at, b.begin_s))
            at = max(at, b.end_s)
        return [*windows, (at, self.end_s)] if at < self.end_s else windows


class Batch(msgspec.Struct, frozen=True):
    """Work of `duration_s` that needs a skill in a zone, can begin at `release_s` and should be done by `due_s`."""

    id: str
    duration_s: int
    due_s: int
    weight: int = 1
    skill: str = "pick"
    zone: str = "all"
    release_s: int = 0


class Problem(msgspec.Struct, frozen=True, dict=True):
    """People and batches; refused with the element's path if anything contradicts itself."""

    workers: tuple[Worker, ...]
    batches: tuple[Batch, ...]
    unplanned_s: int = 86_400

    def __post_init__(self) -> None:
        _within("unplanned_s", self.unplanned_s, 0, MOST_S)
        for field, names in (("workers", [w.id for w in self.workers]), ("batches", [b.id for b in self.batches])):
            for n, name in enumerate(names):
                if name in names[:n]:
                    raise Rejected(f"{field}/{n}/id", name, "new: another one has that name")
        for w in self.workers:
            if not 0 <= w.begin_s < w.end_s:
                raise Rejected(f"workers/{w.id}/end_s", (w.begin_s, w.end_s), "a shift that begins before it ends")
            _within(f"workers/{w.id}/end_s", w.end_s, 0, MOST_S)
            for n, rest in enumerate(w.breaks):
                if not 0 <= rest.begin_s < rest.end_s:
                    raise Rejected(f"workers/{w.id}/breaks/{n}", (rest.begin_s, rest.end_s), "begun before it ends")
                _within(f"workers/{w.id}/breaks/{n}/end_s", rest.end_s, 0, MOST_S)
        for b in self.batches:
            for name, value, least, most in (
                ("duration_s", b.duration_s, 1, MOST_S), ("due_s", b.due_s, 0, MOST_S),
                ("weight", b.weight, 0, MOST_WEIGHT), ("release_s", b.release_s, 0, MOST_S),
            ):  # fmt: skip
                _within(f"batches/{b.id}/{name}", value, least, most)

    @cached_property
    def able(self) -> tuple[tuple[int, ...], ...]:
        """Of each batch the numbers of the workers who have its skill and zone and a window long enough for it."""
        return tuple(
            tuple(
                k
                for k, w in enumerate(self.workers)
                if b.skill in w.skills and b.zone in w.zones and fit(w.windows(), b.release_s, b.duration_s) is not None
            )
            for b in self.batches
        )

    @cached_property
    def unit_s(self) -> int:
        """The greatest common divisor of all times: a solver that counts in it loses nothing."""
        times = [t for b in self.batches for t in (b.duration_s, b.due_s, b.release_s)]
        times += [t for w in self.workers for a in w.windows() for t in a]
        return max(1, math.gcd(*times)) if times else 1

    def why_not(self, n: int) -> str | None:
        """Why nobody can do a batch even if there were nothing else to do; None if somebody can."""
        b = self.batches[n]
        if self.able[n]:
            return None
        skilled = [w for w in self.workers if b.skill in w.skills]
        if not skilled:
            return f"nobody has the skill {b.skill}"
        if not any(b.zone in w.zones for w in skilled):
            return f"nobody with the skill {b.skill} works in zone {b.zone}"
        return f"no time between two breaks holds {b.duration_s} s after {b.release_s} s for those who could"


class Params(msgspec.Struct, frozen=True):
    """How hard to try. The same `moves`, `rounds` and `seed` (and the rest) give the same plan.

    Parameters
    ----------
    moves
        Moves tried by annealing before the neighbourhoods; None: as many as a share of `seconds` allows, recorded.
    rounds
        Neighbourhoods solved; None: as many as `seconds` allow, recorded in the plan.
    seconds
        Guard, above 0.
    seed
        Of the choice of neighbourhoods and of CP-SAT.
    free
        Batches that a neighbourhood may move, at least 2.
    workers
        Workers among whom they may move, at least 1.
    effort
        CP-SAT's deterministic time for each neighbourhood, above 0.
    """

    moves: int | None = None
    rounds: int | None = None
    seconds: float = 20.0
    seed: int = 1
    free: int = 14
    workers: int = 4
    effort: float = 0.4

    def __post_init__(self) -> None:
        for name, count in (("moves", self.moves), ("rounds", self.rounds)):
            if count is not None and count < 0:
                raise Rejected(name, count, "at least 0")
        for name, value in (("seconds", self.seconds), ("effort", self.effort)):
            if not value > 0:
                raise Rejected(name, value, "above 0")
        if self.free < 2 or self.workers < 1:
            raise Rejected("free, workers", (self.free, self.workers), "at least 2 and at least 1")


class Shift(msgspec.Struct, frozen=True):
    """One batch done by one worker."""

    batch: str
    worker: str
    begin_s: int
    end_s: int
    late_s: int


class Unplanned(msgspec.Struct, frozen=True):
    """A batch that is left for another day, and why."""

    batch: str
    reason: str


class Plan(msgspec.Struct, frozen=True):
    """Who does what when (by worker, then time), what is left, the charge (weight times seconds late), the effort."""

    shifts: tuple[Shift, ...]
    unplanned: tuple[Unplanned, ...]
    charge: int
    moves: int
    rounds: int


def fit(windows: list[tuple[int, int]], from_s: int, duration_s: int) -> int | None:
    """Earliest begin at `from_s` or later so that the whole duration lies in one window."""
    for begin, end in windows:
        at = max(begin, from_s)
        if at + duration_s <= end:
            return at
    return None


def check(problem: Problem, plan: Plan) -> None:
    """Look at a plan without knowing how it was made.

    Raises
    ------
    Broken
        A batch is done twice or forgotten, by someone who cannot, in a break, too early, or together with another one.
    """
    workers, batches = {w.id: w for w in problem.workers}, {b.id: b for b in problem.batches}
    named = [s.batch for s in plan.shifts] + [u.batch for u in plan.unplanned]
    if sorted(named) != sorted(batches):
        raise Broken("plan: a batch is not planned exactly once or named as left")
    by_worker: dict[str, list[Shift]] = {}
    charge = sum(batches[u.batch].weight for u in plan.unplanned) * problem.unplanned_s
    for s in plan.shifts:
        w, b = workers[s.worker], batches[s.batch]
        if b.skill not in w.skills or b.zone not in w.zones:
            raise Broken(f"plan: {s.worker} has not the skill or zone of {s.batch}")
        if s.end_s - s.begin_s != b.duration_s or s.begin_s < b.release_s:
            raise Broken(f"plan: {s.batch} takes {s.end_s - s.begin_s} s from {s.begin_s} s")
        inside = w.begin_s <= s.begin_s and s.end_s <= w.end_s
        if not inside or any(s.begin_s < x.end_s and x.begin_s < s.end_s for x in w.breaks):
            raise Broken(f"plan: {s.worker} does {s.batch} outside of working time")
        if s.late_s != max(0, s.end_s - b.due_s):
            raise Broken(f"plan: {s.batch} is not {s.late_s} s late")
        charge += b.weight * s.late_s
        by_worker.setdefault(s.worker, []).append(s)
    for name, shifts in by_worker.items():
        shifts.sort(key=lambda s: s.begin_s)
        for one, other in itertools.pairwise(shifts):
            if other.begin_s < one.end_s:
                raise Broken(f"plan: {name} does {one.batch} and {other.batch} at once")
    if charge != plan.charge:
        raise Broken(f"plan: says a charge of {plan.charge}, it is {charge}")
