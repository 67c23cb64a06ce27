"""What totes and robots waited for on a recorded day, in hours, by resource: where more of something would help.

A tote waits for a slot until it stands, then for its pods while nobody picks for it, then for the sorter and for a
packer. A robot with a pod waits in the lane of a station, at a door, or on the road, wherever it stands longer than a
robot does that may drive on.
"""

from collections import defaultdict

from contracts.messages.facts import PickDone, ToteArrived, TotePacked
from contracts.messages.floor import OpenTote, PresentPod
from contracts.messages.work import Pick
from contracts.site import Site
from dispatcher.commands import Command, SendEdgeCommand, TellCentral
from dispatcher.facts import Fact, RobotState, WorkOpened

_SLOT, _PODS, _PERSON = "totes for a slot at a station", "totes for their pods", "totes for the person who picks"
_LINE, _PACKER = "totes for the line and the sorter", "totes for the packer"
_ROLLING_MS = 6_000
"""Who stands shorter than this between two edges drives."""


class Waits:
    """Adds up as a recording is read.

    Parameters
    ----------
    site
        Where lanes, doors and chargers are.
    """

    def __init__(self, site: Site) -> None:
        self._at: dict[str, str] = {}
        self._place: dict[str, str] = {}
        for s in site.stations:
            for node in s.lane[:-1]:
                self._place[node] = f"robots in the lane of {s.id}"
            self._place[s.lane[-1]] = ""  # it is worked on
        doors = {n.id: n.door for n in site.layout.nodes if n.door is not None}
        for edge in site.layout.edges:
            if edge.end in doors and edge.start not in doors:
                self._place.setdefault(edge.start, f"robots at the door {doors[edge.end]}")
        self._ms: dict[str, int] = defaultdict(int)
        self._since: dict[str, tuple[str, int, bool]] = {}
        self._tote: dict[str, tuple[str, int]] = {}
        """What each tote waits for, since when."""
        self._shown: dict[str, set[str]] = defaultdict(set)
        """Picks that a person has yet to do for a tote, of the pods that stand at its station."""
        self._of_task: dict[str, str] = {}

    def hear(self, now_ms: int, fact: Fact) -> None:
        """Take in what the dispatcher heard."""
        if isinstance(fact, WorkOpened) and isinstance(fact.work, Pick):
            self._of_task[fact.work.task] = fact.work.tote
            if fact.work.tote not in self._tote:
                self._tote[fact.work.tote] = (_SLOT, now_ms)
        elif isinstance(fact, RobotState):
            node, since_ms, carries = self._since.get(fact.robot, ("", now_ms, False))
            loaded = carries if fact.loads is None else bool(fact.loads)
            if fact.node != node or loaded != carries:
                stood_ms = now_ms - since_ms
                what = self._place.get(node, "robots with pods on the road")
                if carries and stood_ms > _ROLLING_MS and what:
                    self._ms[what] += stood_ms
                self._since[fact.robot] = (fact.node, now_ms, loaded)

    def command(self, now_ms: int, command: Command) -> None:
        """Take in what the dispatcher said."""
        if isinstance(command, SendEdgeCommand):
            body = command.command.body
            if isinstance(body, OpenTote):
                self._next(body.tote, _PODS, now_ms, {_SLOT})
            elif isinstance(body, PresentPod):
                for pick in body.picks:
                    self._shown[pick.tote].add(pick.task)
                    self._next(pick.tote, _PERSON, now_ms, {_PODS})
        elif isinstance(command, TellCentral):
            told = command.fact.body
            if isinstance(told, PickDone):
                tote = self._of_task.get(told.task, "")
                self._shown[tote].discard(told.task)
                if not self._shown[tote]:
                    self._next(tote, _PODS, now_ms, {_PERSON})
            elif isinstance(told, ToteArrived):
                self._next(told.task.removeprefix("C-"), _PACKER, now_ms, set(), _LINE)
            elif isinstance(told, TotePacked):
                self._next(told.task.removeprefix("K-"), "", now_ms, set())

    def told_h(self) -> dict[str, float]:
        """Return the hours waited by what was waited for."""
        return {what: round(ms / 3_600_000, 4) for what, ms in sorted(self._ms.items()) if ms}

    def _next(self, tote: str, what: str, now_ms: int, only: set[str], instead: str = "") -> None:
        waited = self._tote.get(tote)
        if waited is None or (only and waited[0] not in only):
            return
        self._ms[instead or waited[0]] += now_ms - waited[1]
        if what:
            self._tote[tote] = (what, now_ms)
        else:
            del self._tote[tote]
