"""A line cell: the sorter and the packing places at its chutes."""

from contracts.messages.floor import PackTote
from edge.rules.pack import PackRules
from edge.rules.port import Commanded, Effect, Input, Tolerances
from edge.rules.sort import SortRules


class LineRules:
    """Both sets of rules as one."""

    def __init__(self, sort: SortRules, pack: PackRules) -> None:
        self._sort, self._pack = sort, pack

    @property
    def tolerances(self) -> Tolerances:
        """What the rules allow."""
        return self._sort.tolerances

    @tolerances.setter
    def tolerances(self, value: Tolerances) -> None:
        self._sort.tolerances = value

    def step(self, now_ms: int, said: Input) -> list[Effect]:
        """Take one input; see `edge.rules.port.Rules`."""
        if isinstance(said, Commanded):
            return self._pack.step(now_ms, said) if isinstance(said.body, PackTote) else self._sort.step(now_ms, said)
        return self._sort.step(now_ms, said) + self._pack.step(now_ms, said)
