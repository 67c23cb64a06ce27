"""Fire doors: asked open and closed, believed only while their controller is heard and no fire alarm is on."""

from collections.abc import Mapping

from contracts.errors import Rejected
from contracts.ids import DeviceId, DoorId
from contracts.messages.floor import DoorChanged, MoveDoor, Quality
from controllers.door import TOLD, Door, DoorEvent, DoorInputs, event, step
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


class _OneDoor:
    """One door as its rules see it."""

    def __init__(self, door: DoorId, device: DeviceId) -> None:
        self.door, self.device = door, device
        self.state = Door.UNKNOWN
        self.good = False
        self.asked: bool | None = None
        self.ask = 0
        self.written: bool | None = None
        self.told = ""
        self.inputs: dict[str, TagValue] = {}

    @property
    def timer(self) -> str:
        return f"door.{self.door}"

    def fire(self) -> bool:
        return bool(self.inputs.get("Door.FireAlarm", False))

    def seen(self) -> DoorEvent:
        if not self.good or not self.inputs:
            return DoorEvent.BROKEN
        return event(
            DoorInputs(
                bool(self.inputs.get("Door.IsOpen", False)),
                bool(self.inputs.get("Door.IsClosed", False)),
                self.fire(),
            )
        )


class DoorRules:
    """The rules of all doors of a cell.

    Parameters
    ----------
    doors
        Door to the device that moves it.
    """

    def __init__(self, doors: Mapping[DoorId, DeviceId], tolerances: Tolerances | None = None) -> None:
        self.tolerances = tolerances or Tolerances()
        self._doors = {d: _OneDoor(d, device) for d, device in doors.items()}
        self._by_device = {d.device: d for d in self._doors.values()}
        self._by_timer = {d.timer: d for d in self._doors.values()}

    def step(self, now_ms: int, said: Input) -> list[Effect]:
        """Take one input; see `edge.rules.port.Rules`."""
        del now_ms
        match said:
            case Commanded(body=MoveDoor() as body):
                return self._ask(body)
            case Commanded(body=body):
                raise Rejected("command", type(body).__name__, "one for a door")
            case Changed(device=device) if device in self._by_device:
                door = self._by_device[device]
                door.inputs.update(said.values)
                if set(said.values) <= {"Door.Heartbeat"}:
                    return []
                return self._settle(door, door.seen())
            case QualityChanged(device=device) if device in self._by_device:
                door = self._by_device[device]
                door.good = said.quality is Quality.GOOD
                if not door.inputs:  # never heard: nothing to tell yet
                    return []
                return self._settle(door, door.seen())
            case Elapsed(key=key) if key in self._by_timer:
                return self._settle(self._by_timer[key], DoorEvent.TIME_OUT)
            case _:
                return []

    def _ask(self, body: MoveDoor) -> list[Effect]:
        door = self._doors.get(body.door)
        if door is None:
            raise Rejected("door", body.door, f"a door of this cell ({', '.join(self._doors)})")
        door.asked, door.ask = body.open, body.ask
        door.told = ""  # an answer in events is due, whether or not the door moves
        if door.state is Door.FAULT:  # it may have come to rest in the meantime
            door.state = step(door.state, door.seen())
        return self._settle(door, DoorEvent.ASK_OPEN if body.open else DoorEvent.ASK_CLOSE)

    def _settle(self, door: _OneDoor, happened: DoorEvent) -> list[Effect]:
        before = door.state
        door.state = step(before, happened)
        if happened in {DoorEvent.AT_OPEN, DoorEvent.AT_CLOSED} and door.asked is not None:
            # an end switch is believed at once; what is still asked for moves it on
            door.state = step(door.state, DoorEvent.ASK_OPEN if door.asked else DoorEvent.ASK_CLOSE)
        effects: list[Effect] = []
        wanted = bool(door.asked) and not door.fire()
        if door.asked is not None and wanted != door.written and door.good:
            door.written = wanted
            effects.append(Write(door.device, {"Door.OpenRequest": wanted}))
        if door.state in {Door.OPENING, Door.CLOSING} and (before is not door.state):
            effects.append(After(door.timer, self.tolerances.door_s))
        told = TOLD[door.state]
        if told != door.told:
            door.told = told
            effects.append(Emit(DoorChanged(door=door.door, state=told, ask=door.ask)))
        return effects
