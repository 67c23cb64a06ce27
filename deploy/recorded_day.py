"""What a dispatcher's recording says of its day: how it went hour by hour, and what was busiest."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from statistics import mean, quantiles
from typing import Any

import msgspec

from contracts.messages.facts import PickDone, PodMoved, TaskStarted, TotePacked
from contracts.messages.work import Pick
from deploy.waits import Waits
from dispatcher import journal
from dispatcher.commands import AnswerOps, TellCentral
from dispatcher.facts import RobotState, WorkOpened

BUCKET_MS = 600_000
_LONGEST_PICK_MS = 300_000
"""What lies longer between two picks of a station is not work."""


class RecordedDay(msgspec.Struct, frozen=True):
    """Times in ms since the Unix epoch, distances in metres."""

    first_ms: int
    last_ms: int
    packed_ms: tuple[int, ...]
    picks: int
    pod_visits: int
    distance_m: float
    waits_s: tuple[float, ...]
    """From a tote's first pick known to its packing."""
    busy: dict[str, float]
    """Share of the day in which each station picks."""
    queue: tuple[tuple[int, int], ...]
    """Totes known and not packed, every ten minutes."""
    carrying: tuple[tuple[int, int], ...]
    """Robots with a load, every ten minutes."""
    waiting_h: dict[str, float]
    """Hours that totes or robots with pods waited in all, by what they waited for; see `waits.py`."""

    def told(self) -> dict[str, Any]:
        """Return the figures that are compared."""
        end = max(self.packed_ms, default=self.first_ms)
        cuts = quantiles(self.waits_s, n=20) if len(self.waits_s) > 1 else [0.0] * 19
        busiest = max(self.busy, key=lambda s: (self.busy[s], s), default="")
        share = self.busy.get(busiest, 0.0)
        carrying = [n for _, n in self.carrying if n]
        return {
            "totes_packed": len(self.packed_ms),
            "picks": self.picks,
            "finish_h": round((end - self.first_ms) / 3_600_000, 3),
            "pod_visits": self.pod_visits,
            "distance_m": round(self.distance_m, 1),
            "tote_p50_s": round(cuts[9], 1),
            "tote_p95_s": round(cuts[18], 1),
            "busiest_share": round(share, 4),
            "robots_with_pods": round(mean(carrying), 2) if carrying else 0.0,
            "most_waiting": max((n for _, n in self.queue), default=0),
            "waiting_h": dict(sorted(self.waiting_h.items(), key=lambda w: (-w[1], w[0]))),
            "waits_most_for": max(self.waiting_h, key=lambda w: (self.waiting_h[w], w), default=""),
            "bottleneck": f"station {busiest}, {share:.0%} busy" if share > 0.5 else f"no station above {share:.0%}",
        }


def recorded_day(folder: Path) -> RecordedDay:
    """Read a recording.

    Raises
    ------
    Rejected
        There is none.
    """
    first = last = 0
    packed: list[int] = []
    known: dict[str, int] = {}
    waited_s: list[float] = []
    worked: dict[str, int] = defaultdict(int)
    since: dict[str, int] = {}
    picks = visits = 0
    loads: dict[str, bool] = {}
    nodes: dict[str, tuple[float, float]] = {}
    at: dict[str, str] = {}
    stations: set[str] = set()
    driven = 0.0
    waits: Waits | None = None
    queue: list[tuple[int, int]] = []
    carrying: list[tuple[int, int]] = []
    for file in journal.segments(folder):
        header, steps = journal.read(file)
        if not nodes:
            site = journal.core_of(header).world.site
            nodes = {n.id: (n.x_m, n.y_m) for n in site.layout.nodes}
            stations = {s.lane[-1] for s in site.stations}
            waits = Waits(site)
        assert waits is not None  # noqa: S101 - made with the nodes
        for step in steps:
            first, last = first or step.now_ms, step.now_ms
            if not queue or step.now_ms - queue[-1][0] >= BUCKET_MS:
                queue.append((step.now_ms, len(known)))
                carrying.append((step.now_ms, sum(loads.values())))
            for fact in journal.decode_facts(step.facts):
                waits.hear(step.now_ms, fact)
                if isinstance(fact, RobotState):
                    if fact.loads is not None:
                        loads[fact.robot] = bool(fact.loads)
                    before, here = at.get(fact.robot), fact.node
                    if here in nodes:
                        if before is not None and before != here:
                            (x, y), (u, v) = nodes[before], nodes[here]
                            driven += abs(x - u) + abs(y - v)
                        at[fact.robot] = here
                elif isinstance(fact, WorkOpened) and isinstance(fact.work, Pick):
                    known.setdefault(fact.work.tote, step.now_ms)
            for command in journal.decode_commands(step.commands):
                waits.command(step.now_ms, command)
                if not isinstance(command, TellCentral):
                    continue
                body = command.fact.body
                if isinstance(body, TotePacked):
                    packed.append(step.now_ms)
                    tote = body.task.removeprefix("K-")
                    if tote in known:
                        waited_s.append((step.now_ms - known.pop(tote)) / 1000)
                elif isinstance(body, PodMoved):
                    visits += body.node in stations
                elif isinstance(body, TaskStarted) and body.station is not None and body.robot is not None:
                    since.setdefault(body.station, step.now_ms)
                elif isinstance(body, PickDone):
                    picks += 1
                    begun = since.pop(body.station, None)
                    if begun is not None:
                        worked[body.station] += min(step.now_ms - begun, _LONGEST_PICK_MS)
                    since[body.station] = step.now_ms
    span = max(1, max(packed, default=last) - first)
    busy = {s: round(ms / span, 4) for s, ms in sorted(worked.items())}
    return RecordedDay(
        first, last, tuple(packed), picks, visits, driven, tuple(waited_s), busy, tuple(queue), tuple(carrying),
        {} if waits is None else waits.told_h(),
    )  # fmt: skip


def first_difference_ms(one: Path, other: Path) -> int | None:
    """Return when the commands of two recordings differ first, answers to operators apart; None: never."""
    for a, b in zip_longest(_steps(one), _steps(other)):
        if a is None or b is None:
            rest = a or b
            return None if rest is None else rest[0]
        if a != b:
            return min(a[0], b[0])
    return None


def _steps(folder: Path) -> Iterator[tuple[int, bytes]]:
    for file in journal.segments(folder):
        for step in journal.read(file)[1]:
            if step.commands == _NOTHING:
                continue
            if _ANSWER in step.commands:
                kept = [c for c in journal.decode_commands(step.commands) if not isinstance(c, AnswerOps)]
                if kept:
                    yield step.now_ms, journal.encode_commands(kept)
            else:
                yield step.now_ms, step.commands


_NOTHING = journal.encode_commands([])
_ANSWER = b"answer_ops"
