"""Lifts: called to a level and held open there; believed only while their controller is heard and says no fault."""

from collections.abc import Mapping

import msgspec

from contracts.errors import Rejected
from contracts.ids import DeviceId, LiftId
from contracts.messages.floor import CallLift, LiftChanged, Quality
from controllers.ports import TagValue
from edge.rules.port import (
    After,
    Changed,
    Commanded,
    Effect,
    Elapsed,
    Emit,
    Input,
    QualityChanged,
    Tolerances,
    Write,
)


class LiftPlace(msgspec.Struct, frozen=True):
    """A lift's controller, and its levels by the controller's floors, from 0."""

    device: DeviceId
    levels: tuple[str, ...]


class _OneLift:
    """One lift as its rules see it."""

    def __init__(self, lift: LiftId, place: LiftPlace) -> None:
        self.lift, self.device, self.levels = lift, place.device, place.levels
        self.good = self.late = False
        self.asked: tuple[str, bool] | None = None
        self.ask = 0
        self.written: dict[str, TagValue] = {}
        self.told: tuple[str, str, int] | None = None
        self.inputs: dict[str, TagValue] = {}

    @property
    def timer(self) -> str:
        return f"lift.{self.lift}"

    def level(self) -> str:
        floor = int(self.inputs.get("Lift.Floor", -1))
        return self.levels[floor] if 0 <= floor < len(self.levels) else ""

    def seen(self) -> tuple[str, str]:
        """Return where it stands and how: open or closed at a level, moving, or in fault."""
        is_open, is_closed = bool(self.inputs.get("Lift.IsOpen")), bool(self.inputs.get("Lift.IsClosed"))
        if not self.good or self.inputs.get("Lift.Fault") or (is_open and is_closed) or not self.level():
            return "", "fault"
        if is_open:
            return self.level(), "open"
        if is_closed and (self.asked is None or not self.asked[1]):
            return self.level(), "closed"
        return "", "moving"

    def there(self) -> bool:
        """Whether it does what was asked."""
        if self.asked is None:
            return True
        level, state = self.seen()
        return (level == self.asked[0] and state == "open") if self.asked[1] else state == "closed"


class LiftRules:
    """The rules of all lifts of a cell.

    Parameters
    ----------
    lifts
        Each lift's controller and levels.
    """

    def __init__(self, lifts: Mapping[LiftId, LiftPlace], tolerances: Tolerances | None = None) -> None:
        self.tolerances = tolerances or Tolerances()
        self._lifts = {name: _OneLift(name, place) for name, place in lifts.items()}
        self._by_device = {one.device: one for one in self._lifts.values()}
        self._by_timer = {one.timer: one for one in self._lifts.values()}

    def step(self, now_ms: int, said: Input) -> list[Effect]:
        """Take one input; see `edge.rules.port.Rules`."""
        del now_ms
        match said:
            case Commanded(body=CallLift() as body):
                return self._ask(body)
            case Commanded(body=body):
                raise Rejected("command", type(body).__name__, "one for a lift")
            case Changed(device=device) if device in self._by_device:
                one = self._by_device[device]
                one.inputs.update(said.values)
                return [] if set(said.values) <= {"Lift.Heartbeat"} else self._settle(one)
            case QualityChanged(device=device) if device in self._by_device:
                one = self._by_device[device]
                one.good = said.quality is Quality.GOOD
                return self._settle(one) if one.inputs else []
            case Elapsed(key=key) if key in self._by_timer:
                one = self._by_timer[key]
                one.late = not one.there()
                return self._settle(one)
            case _:
                return []

    def _ask(self, body: CallLift) -> list[Effect]:
        one = self._lifts.get(body.lift)
        if one is None:
            raise Rejected("lift", body.lift, f"a lift of this cell ({', '.join(self._lifts)})")
        if body.level not in one.levels:
            raise Rejected("level", body.level, f"a level of lift {body.lift} ({', '.join(one.levels)})")
        one.asked, one.ask, one.late = (body.level, body.open), body.ask, False
        return [*self._settle(one), *([] if one.there() else [After(one.timer, self.tolerances.lift_s)])]

    def _settle(self, one: _OneLift) -> list[Effect]:
        effects: list[Effect] = []
        if one.asked is not None and one.good:
            wanted: dict[str, TagValue] = {"Lift.Target": one.levels.index(one.asked[0]), "Lift.Hold": one.asked[1]}
            if wanted != one.written:
                one.written = wanted
                effects.append(Write(one.device, wanted))
        if one.there():
            one.late = False
        level, state = ("", "fault") if one.late else one.seen()
        if state == "open" and one.asked is not None and not one.there():
            level, state = "", "moving"  # it is about to leave: nobody is to enter any more
        told = (level, state, one.ask)
        if told != one.told and (one.inputs or one.asked is not None):
            one.told = told
            effects.append(Emit(LiftChanged(lift=one.lift, level=level, state=state, ask=one.ask)))
        return effects
