"""The tote slots of a pick station: an empty tote is asked for, stands, is filled, and is pushed onto the conveyor."""

from enum import StrEnum

import msgspec

from contracts.errors import Rejected
from contracts.ids import DeviceId, ToteId
from contracts.messages.floor import DeviceAlarm, OpenTote, PushTote, TotePushed
from controllers.tags import SLOTS
from edge.rules.label import tote_label
from edge.rules.memory import Memento
from edge.rules.port import Effect, Emit, Memory, Print


class SlotPhase(StrEnum):
    """Where a slot stands; a slot that nobody knows is empty."""

    ORDERED = "ordered"
    """Asked for; the label is not yet out."""
    OPENING = "opening"
    """The label is out and the light is on."""
    STANDING = "standing"
    PUSHING = "pushing"
    EMPTY = "empty"


class SlotEvent(StrEnum):
    """What happens to a slot."""

    PRINTED = "printed"
    PRESENT = "present"
    ABSENT = "absent"
    PUSH = "push"


TRANSITIONS: dict[tuple[SlotPhase, SlotEvent], SlotPhase] = {
    (SlotPhase.ORDERED, SlotEvent.PRINTED): SlotPhase.OPENING,
    (SlotPhase.ORDERED, SlotEvent.PRESENT): SlotPhase.STANDING,
    (SlotPhase.OPENING, SlotEvent.PRESENT): SlotPhase.STANDING,
    (SlotPhase.STANDING, SlotEvent.PUSH): SlotPhase.PUSHING,
    (SlotPhase.PUSHING, SlotEvent.ABSENT): SlotPhase.EMPTY,
}


def step(phase: SlotPhase, event: SlotEvent) -> SlotPhase:
    """Return the next phase; what the table does not name changes nothing."""
    return TRANSITIONS.get((phase, event), phase)


class Slot(msgspec.Struct, frozen=True):
    """One slot as it is remembered."""

    tote: ToteId
    phase: SlotPhase


class Slots:
    """All slots of one station. The tote of a slot and how far it is survive a restart of the edge.

    Parameters
    ----------
    count
        Slots of the station, 1..8.
    panel, printer
        The devices; without a printer, totes are expected to wear a label already.
    memory
        What was remembered.
    """

    def __init__(self, count: int, panel: DeviceId, printer: DeviceId | None, memory: Memory) -> None:
        self.count = min(count, SLOTS)
        self._panel, self._printer = panel, printer
        self._slots: dict[int, Slot] = {}
        self._stored = Memento("slot", memory, SLOTS)
        self._pushed = Memento("pushed", memory)
        for key, value in self._stored.items():
            self._slots[int(key)] = msgspec.json.decode(value, type=Slot)
        self._printing: set[int] = set()
        self._present: int | None = None

    def lights(self) -> dict[str, int]:
        """Return the two light masks as they should be."""
        masks = {SlotPhase.OPENING: 0, SlotPhase.PUSHING: 0}
        for k, slot in self._slots.items():
            if slot.phase in masks:
                masks[slot.phase] |= 1 << k
        return {"open_slots": masks[SlotPhase.OPENING], "push_slots": masks[SlotPhase.PUSHING]}

    def stands(self, slot: int, tote: ToteId) -> bool:
        """Tell whether a tote is ready to be picked into."""
        found = self._slots.get(slot)
        return (
            found is not None
            and found.tote == tote
            and found.phase is SlotPhase.STANDING
            and bool((self._present or 0) >> slot & 1)
        )

    def holds(self, code: str) -> bool:
        """Tell whether a code is the label of a tote of this station."""
        return any(s.tote == code for s in self._slots.values())

    def order(self, command: OpenTote) -> list[Effect]:
        """Ask for an empty tote. The same again is the same; a tote that was pushed already is told again.

        Raises
        ------
        Rejected
            There is no such slot, another tote has it, or the tote has another slot.
        """
        self._check(command.slot)
        held = self._slots.get(command.slot)
        if told := self._pushed.get(command.tote):
            return [Emit(msgspec.json.decode(told, type=TotePushed))]
        if held is not None:
            if held.tote != command.tote:
                raise Rejected("slot", command.slot, f"free: tote {held.tote} has it ({held.phase})")
            return []
        for k, slot in self._slots.items():
            if slot.tote == command.tote:
                raise Rejected("slot", command.slot, f"slot {k}, where tote {slot.tote} is")
        effects = self._set(command.slot, Slot(command.tote, SlotPhase.ORDERED))
        return effects + self._advance()

    def push(self, command: PushTote) -> list[Effect]:
        """Have a full tote pushed; one that was pushed already is told again.

        Raises
        ------
        Rejected
            The tote does not stand in that slot.
        """
        self._check(command.slot)
        if told := self._pushed.get(command.tote):
            return [Emit(msgspec.json.decode(told, type=TotePushed))]
        held = self._slots.get(command.slot)
        if held is None or held.tote != command.tote:
            raise Rejected("tote", command.tote, f"the tote in slot {command.slot} ({held.tote if held else 'none'})")
        if held.phase not in {SlotPhase.STANDING, SlotPhase.PUSHING}:
            raise Rejected("tote", command.tote, f"standing in slot {command.slot}: it is {held.phase}")
        effects = self._set(command.slot, Slot(held.tote, step(held.phase, SlotEvent.PUSH)))
        return effects + self._advance()

    def printed(self, token: str) -> list[Effect]:
        """Go on when a label is out."""
        for k, slot in list(self._slots.items()):
            if slot.tote == token and k in self._printing:
                self._printing.discard(k)
                return self._set(k, Slot(slot.tote, step(slot.phase, SlotEvent.PRINTED))) + self._advance()
        return []

    def seen(self, mask: int) -> list[Effect]:
        """Take the mask of slots in which a tote stands."""
        before, self._present = self._present, mask
        effects: list[Effect] = []
        for k, slot in self._slots.items():
            was, is_ = before is not None and before >> k & 1, mask >> k & 1
            if slot.phase is SlotPhase.STANDING and was and not is_:
                text = f"tote {slot.tote} was taken out of slot {k} before it was complete"
                effects.append(Emit(DeviceAlarm(device=self._panel, raised=True, text=text)))
            elif slot.phase is SlotPhase.STANDING and before is not None and is_ and not was:
                text = f"tote {slot.tote} stands in slot {k} again"
                effects.append(Emit(DeviceAlarm(device=self._panel, raised=False, text=text)))
        return effects + self._advance()

    def _advance(self) -> list[Effect]:
        """Move every slot as far as the panel's sensors let it; nothing moves before they were read once."""
        if self._present is None:
            return []
        effects: list[Effect] = []
        for k, slot in list(self._slots.items()):
            seen = SlotEvent.PRESENT if self._present >> k & 1 else SlotEvent.ABSENT
            after = step(slot.phase, seen)
            if after is SlotPhase.EMPTY:
                del self._slots[k]
                told = TotePushed(tote=slot.tote, slot=k)
                effects += self._stored.drop(str(k))
                effects += self._pushed.put(slot.tote, msgspec.json.encode(told))
                effects.append(Emit(told))
            elif after is not slot.phase:
                self._printing.discard(k)
                effects += self._set(k, Slot(slot.tote, after))
            elif slot.phase is SlotPhase.ORDERED and k not in self._printing:
                if self._printer is None:
                    effects += self._set(k, Slot(slot.tote, SlotPhase.OPENING))
                else:
                    self._printing.add(k)
                    effects.append(Print(self._printer, slot.tote, tote_label(slot.tote)))
        return effects

    def _set(self, k: int, slot: Slot) -> list[Effect]:
        self._slots[k] = slot
        return self._stored.put(str(k), msgspec.json.encode(slot))

    def _check(self, slot: int) -> None:
        if not 0 <= slot < self.count:
            raise Rejected("slot", slot, f"a slot of this station (0..{self.count - 1})")
