"""Commands to a cell: late ones expire, the same id gets the same answer, what a rule refuses is answered with why."""

from collections import OrderedDict

from contracts.ids import CellId
from contracts.messages.floor import EdgeAnswer, EdgeCommand, Outcome


class Answers:
    """The answers given lately.

    Parameters
    ----------
    cell
        Who answers.
    keep
        Ids that are known at most; older ones are taken as new, which the rules bear.
    """

    def __init__(self, cell: CellId, keep: int = 4096) -> None:
        self._cell, self._keep = cell, keep
        self._given: OrderedDict[str, EdgeAnswer] = OrderedDict()

    def known(self, command: EdgeCommand, now_ms: int) -> EdgeAnswer | None:
        """Return the answer that needs no rule: the one already given, or that it came too late."""
        if given := self._given.get(command.id):
            self._given.move_to_end(command.id)
            return given
        if now_ms > command.deadline_ms:
            late = f"{now_ms - command.deadline_ms} ms after its deadline"
            return self.give(command, Outcome.EXPIRED, late)
        return None

    def give(self, command: EdgeCommand, outcome: Outcome, reason: str = "") -> EdgeAnswer:
        """Answer, and keep the answer."""
        answer = EdgeAnswer(id=command.id, cell=self._cell, outcome=outcome, reason=reason)
        self._given[command.id] = answer
        while len(self._given) > self._keep:
            self._given.popitem(last=False)
        return answer
