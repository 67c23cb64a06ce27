"""The conveyor line: keeps it running, and tells the sorter at which chute each tote that it scans is pushed off."""

import re

import msgspec

from contracts.errors import Rejected
from contracts.ids import PATTERN, ChuteId, DeviceId, ToteId
from contracts.messages.floor import (
    DeviceAlarm,
    RouteTote,
    ToteDiverted,
    ToteSeen,
    UnknownScan,
)
from controllers.conveyor import OUTPUTS, Conveyor, ConveyorEvent, events, step
from controllers.ports import TagValue
from controllers.scanner.parse import parse
from controllers.sorter import COUNT_MODULUS, Routed, passed, steps_between
from edge.rules.memory import Memento
from edge.rules.port import (
    After,
    Changed,
    Commanded,
    Effect,
    Elapsed,
    Emit,
    Input,
    Memory,
    Scanned,
    Tolerances,
    Write,
)

_LABEL = re.compile(PATTERN)
_STARTED = "line.started"
_ROUTES = 4000


class SortRules:
    """The rules of the sorter.

    Parameters
    ----------
    line, scanner
        The line's controller and the scanner before its first chute.
    chutes
        By their position in the line's registers.
    memory
        What was remembered: routes, totes between scanner and chute, counters.
    """

    def __init__(
        self,
        line: DeviceId,
        scanner: DeviceId,
        chutes: tuple[ChuteId, ...],
        memory: Memory,
        tolerances: Tolerances | None = None,
    ) -> None:
        self.tolerances = tolerances or Tolerances()
        self._line, self._scanner, self._chutes = line, scanner, chutes
        self._routes = Memento("route", memory, _ROUTES)
        self.diverted = Memento("diverted", memory)
        """Tote to chute: what came down, for whoever packs it."""
        self._stored = Memento("between", memory, _ROUTES)
        self._counts = Memento("count", memory, len(chutes))
        self._between: dict[int, Routed] = {
            int(k): msgspec.json.decode(v, type=Routed) for k, v in self._stored.items()
        }
        self._inputs: dict[str, TagValue] = {}
        self._outputs: dict[str, bool] = {}
        self._state = Conveyor.STOPPED
        self._alarm = ""
        self._index: tuple[int, int] | None = None
        """An index that no reading belongs to yet, and when it came."""
        self._scan: Scanned | None = None
        """A reading that no index belongs to yet."""
        self._last_index = 0
        self._seq = 0

    def step(self, now_ms: int, said: Input) -> list[Effect]:
        """Take one input; see `edge.rules.port.Rules`."""
        del now_ms
        match said:
            case Commanded(body=RouteTote() as body):
                return self._route(body)
            case Commanded(body=body):
                raise Rejected("command", type(body).__name__, "one for a conveyor line")
            case Scanned(device=self._scanner):
                return self._read(said)
            case Changed(device=self._line):
                return self._change(said)
            case Elapsed(key="line.started"):
                if self._state is Conveyor.STARTING:
                    return self._tell("the line does not start")
                return []
            case _:
                return []

    def _route(self, body: RouteTote) -> list[Effect]:
        if body.chute not in self._chutes:
            raise Rejected("chute", body.chute, f"a chute of this line ({', '.join(self._chutes)})")
        if told := self.diverted.get(body.tote):
            return [Emit(ToteDiverted(tote=body.tote, chute=ChuteId(told.decode())))]
        return self._routes.put(body.tote, body.chute.encode())

    # -------------------------------------------------------------------------------------------------- the scanner

    def _read(self, said: Scanned) -> list[Effect]:
        if self._index is not None and said.at_ms - self._index[1] <= self.tolerances.pair_ms:
            index, self._index = self._index[0], None
            self._scan = None
            return self._pair(index, parse(said.code).text)
        self._index, self._scan = None, said
        return []

    def _passed_scanner(self, index: int, at_ms: int) -> list[Effect]:
        count = steps_between(self._last_index, index)
        self._last_index = index
        if count == 0:
            return []
        scan, self._scan, self._index = self._scan, None, None
        if scan is not None and count == 1 and abs(at_ms - scan.at_ms) <= self.tolerances.pair_ms:
            return self._pair(index, parse(scan.code).text)
        if count == 1:
            self._index = (index, at_ms)  # the reading has not come yet
        # several at once: which reading is whose cannot be told, so they go around
        return []

    def _pair(self, index: int, code: str) -> list[Effect]:
        if not code:
            return [Emit(UnknownScan(self._scanner, ""))]
        route = self._routes.get(code)
        if route is None:
            if not _LABEL.match(code):
                return [Emit(UnknownScan(self._scanner, code))]
            # one that we took for diverted rides after all: another came down in its stead
            return [*self.diverted.drop(code), Emit(ToteSeen(tote=ToteId(code), chute=None))]
        tote, chute = ToteId(code), ChuteId(route.decode())
        k = self._chutes.index(chute)
        if int(self._inputs.get("chute_full", 0)) >> k & 1:
            return [Emit(ToteSeen(tote=tote, chute=None))]
        effects: list[Effect] = []
        for old in [r for r in self._between.values() if r.tote == tote]:  # it went around
            effects += self._settle(old)
        routed = Routed(index, tote, k)
        self._between[index] = routed
        effects += self._stored.put(str(index), msgspec.json.encode(routed))
        effects.append(Emit(ToteSeen(tote=tote, chute=chute)))
        self._seq = self._seq % 65_535 + 1
        effects.append(Write(self._line, {"route_index": index, "route_chute": k, "route_seq": self._seq}))
        return effects

    def _settle(self, routed: Routed) -> list[Effect]:
        if self._between.get(routed.index) == routed:
            del self._between[routed.index]
            return self._stored.drop(str(routed.index))
        return []

    # --------------------------------------------------------------------------------------------------- the line

    def _change(self, said: Changed) -> list[Effect]:
        first = not self._inputs
        self._inputs.update(said.values)
        if first:
            # a tote that passed before we looked has no reading; the sequence begins anywhere but where it ended
            self._last_index = int(self._inputs.get("scan_index", 0))
            self._seq = said.at_ms // 1000 % 65_535
        effects = self._drive(said.values, first=first)
        if not first and "scan_index" in said.values:
            effects += self._passed_scanner(int(said.values["scan_index"]), said.at_ms)
        for k in range(len(self._chutes)):
            if f"diverted_count_{k}" in said.values:
                effects += self._counted(k)
        return effects

    def _counted(self, k: int) -> list[Effect]:
        count = int(self._inputs[f"diverted_count_{k}"])
        index = int(self._inputs.get(f"diverted_index_{k}", 0))
        before = self._counts.get(str(k))
        if before is not None and int(before) == count:
            return []
        grown = (count - int(before)) % COUNT_MODULUS if before is not None else (1 if index in self._between else 0)
        if before is not None and grown > COUNT_MODULUS // 2:
            grown = count  # the controller began anew
        effects = self._counts.put(str(k), str(count).encode())
        if grown == 0:
            return effects
        waiting = tuple(r for r in self._between.values() if r.chute == k or r.index == index)
        result = passed(waiting, index, grown)
        for routed in result.missed:
            effects += self._settle(routed)
        for routed in result.diverted:
            effects += self._settle(routed)
            chute = self._chutes[k]
            effects += self._routes.drop(routed.tote)
            effects += self.diverted.put(routed.tote, chute.encode())
            effects.append(Emit(ToteDiverted(tote=routed.tote, chute=chute)))
        if result.strangers:
            text = f"{result.strangers} totes that nobody sent came down chute {self._chutes[k]}"
            effects.append(Emit(DeviceAlarm(device=self._line, raised=True, text=text)))
        return effects

    def _drive(self, values: dict[str, TagValue], *, first: bool) -> list[Effect]:
        bits = {n: bool(v) for n, v in self._inputs.items() if n in _BITS}
        changed = {n: bool(v) for n, v in values.items() if n in _BITS}
        effects: list[Effect] = []
        state = step(self._state, ConveyorEvent.START) if first else self._state
        for event in events(bits, changed):
            state = step(state, event)
        if state is not self._state and state is Conveyor.STARTING:
            effects.append(After(_STARTED, self.tolerances.start_s))
        self._state = state
        if state is Conveyor.JAMMED:
            effects += self._tell("the line is jammed")
        elif state is Conveyor.ESTOP:
            effects += self._tell("emergency stop of the line is pressed")
        elif state is Conveyor.RUNNING:
            effects += self._tell("")
        wanted = OUTPUTS[state]
        if wanted != self._outputs:
            self._outputs = dict(wanted)
            effects.append(Write(self._line, dict(wanted)))
        return effects

    def _tell(self, alarm: str) -> list[Effect]:
        if alarm == self._alarm:
            return []
        before, self._alarm = self._alarm, alarm
        raised = bool(alarm)
        return [Emit(DeviceAlarm(device=self._line, raised=raised, text=alarm or f"no more: {before}"))]


_BITS = ("running", "estop", "jam")
