"""A pick station: shows one pick after the other, believes a confirmation only with the right scan and weight.

The panel takes over what is shown when `show_seq` changes, and names it in `confirm_seq`. After an error the same pick
is shown under a new number: the picker leaves the pieces on the scale, scans again and confirms again.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from contracts.errors import Rejected
from contracts.ids import BinId, DeviceId, PodId
from contracts.messages.floor import (
    NextPod,
    OpenTote,
    PickConfirmed,
    PickInstruction,
    PresentPod,
    PushTote,
    UnknownScan,
)
from contracts.site import Bin
from controllers.ports import TagValue
from controllers.scanner.parse import parse, same
from edge.rules.memory import Memento
from edge.rules.port import (
    Changed,
    Commanded,
    Effect,
    Emit,
    Grab,
    Input,
    Memory,
    Pictured,
    Printed,
    Remember,
    Scanned,
    Tolerances,
    Weigh,
    Weighed,
    Write,
)
from edge.rules.slots import Slots

REASONS = ("", "bin_empty", "damaged")
"""By the panel's `confirm_reason`."""
SEQ_LAST = 65_535


class Fault(StrEnum):
    """Why a confirmation is not believed."""

    WRONG_ITEM = "wrong_item"
    WRONG_WEIGHT = "wrong_weight"
    WRONG_COUNT = "wrong_count"
    NOT_SCANNED = "not_scanned"


SHOWN_AS = {Fault.WRONG_ITEM: 1, Fault.WRONG_WEIGHT: 2, Fault.WRONG_COUNT: 3, Fault.NOT_SCANNED: 3}
"""`show_error` of the panel."""


class Phase(StrEnum):
    """Where the station stands."""

    IDLE = "idle"
    SHOWN = "shown"
    WEIGHING = "weighing"


class Shown(msgspec.Struct, frozen=True):
    """What the panel shows, as it is remembered."""

    seq: int
    key: str


class StationDevices(msgspec.Struct, frozen=True):
    """The devices of a station by role; a station without a scale believes the count."""

    panel: DeviceId
    scanner: DeviceId
    scale: DeviceId | None = None
    printer: DeviceId | None = None
    camera: DeviceId | None = None


def _key(pick: PickInstruction) -> str:
    return f"{pick.task}.{pick.attempt}"


class PickRules:
    """The rules of one pick station.

    Parameters
    ----------
    slots
        Tote slots of the station.
    devices
        Its devices by role.
    bins
        Face, level and column of every bin that may come.
    memory
        What was remembered before this start.
    tolerances
        Weight and recounts; replaced as a whole by assigning it.
    """

    def __init__(
        self,
        slots: int,
        devices: StationDevices,
        bins: Mapping[BinId, Bin],
        memory: Memory,
        tolerances: Tolerances | None = None,
    ) -> None:
        self.tolerances = tolerances or Tolerances()
        self._devices, self._bins = devices, bins
        self._slots = Slots(slots, devices.panel, devices.printer, memory)
        self._confirmed = Memento("confirmed", memory)
        remembered = memory.get("shown", {}).get("panel")
        self._shown = msgspec.json.decode(remembered, type=Shown) if remembered else Shown(0, "")
        self._phase = Phase.IDLE
        self._pod: PodId | None = None
        self._queue: dict[str, PickInstruction] = {}
        self._current: PickInstruction | None = None
        self._scanned = ""
        self._faults = 0
        self._fault: Fault | None = None
        self._answer: tuple[int, int] = (0, 0)
        self._picture = ""
        self._panel: dict[str, TagValue] = {}
        self._written: dict[str, int] = {}
        self._next: dict[str, int] = {}
        """What the panel shows of the next pod; empty before anything was heard of one."""
        self._held = bool(self._shown.key) and self._shown.key not in self._confirmed
        """Whether the panel may still show what was open before this start: it is left alone until we know more."""

    def step(self, now_ms: int, said: Input) -> list[Effect]:
        """Take one input; see `edge.rules.port.Rules`."""
        del now_ms
        match said:
            case Commanded(body=OpenTote() as body):
                effects = self._slots.order(body)
            case Commanded(body=PushTote() as body):
                effects = self._push(body)
            case Commanded(body=PresentPod() as body):
                effects = self._present(body)
            case Commanded(body=NextPod() as body):
                self._expect(body)
                effects = []
            case Commanded(body=body):
                raise Rejected("command", type(body).__name__, "one for a pick station")
            case Scanned():
                effects = self._scan(said)
            case Changed(device=self._devices.panel):
                effects = self._change(said.values)
            case Weighed(token=token, weight_g=weight_g):
                effects = self._weighed(token, weight_g)
            case Printed(token=token):
                effects = self._slots.printed(token)
            case Pictured(token=token, picture=picture):
                if token == self._pod:
                    self._picture = picture
                effects = []
            case _:
                effects = []
        effects += self._show()
        return effects

    # ------------------------------------------------------------------------------------------------------- commands

    def _push(self, body: PushTote) -> list[Effect]:
        for pick in (*self._queue.values(), *([self._current] if self._current else [])):
            if pick.tote == body.tote:
                raise Rejected("tote", body.tote, f"complete: pick {pick.task} is still open here")
        return self._slots.push(body)

    def _present(self, body: PresentPod) -> list[Effect]:
        for pick in body.picks:
            if not 0 <= pick.slot < self._slots.count:
                raise Rejected(
                    f"picks/{pick.task}/slot", pick.slot, f"a slot of this station (0..{self._slots.count - 1})"
                )
            if pick.bin not in self._bins:
                raise Rejected(f"picks/{pick.task}/bin", pick.bin, "a bin of the site")
            if pick.qty < 1:
                raise Rejected(f"picks/{pick.task}/qty", pick.qty, "at least 1")
        effects: list[Effect] = []
        if self._next:
            self._next = dict(_NO_NEXT)
        wanted = {_key(p) for p in body.picks}
        if body.pod != self._pod or not (self._queue or self._current):
            self._pod, self._picture = body.pod, ""
            self._queue.clear()
            self._held = self._held and self._shown.key in wanted
            if self._current and _key(self._current) not in wanted:
                self._drop_current()
            if self._devices.camera is not None and any(k not in self._confirmed for k in wanted):
                effects.append(Grab(self._devices.camera, body.pod))
        for pick in body.picks:
            key = _key(pick)
            if told := self._confirmed.get(key):
                effects.append(Emit(msgspec.json.decode(told, type=PickConfirmed)))
                continue
            for other in [k for k, p in self._queue.items() if p.task == pick.task and k != key]:
                del self._queue[other]
            if self._current and self._current.task == pick.task:
                if _key(self._current) == key:
                    continue
                self._drop_current()
            self._queue[key] = pick
        return effects

    def _expect(self, body: NextPod) -> None:
        """Show which bin the person will be asked for next, before its pod is here."""
        if body.bin is not None and body.bin not in self._bins:
            raise Rejected("bin", body.bin, "a bin of the site")
        self._next = dict(_NO_NEXT)
        if body.bin is not None:
            bin_ = self._bins[body.bin]
            self._next = {"next_face": bin_.face + 1, "next_level": bin_.level, "next_column": bin_.column}

    def _drop_current(self) -> None:
        self._current, self._phase = None, Phase.IDLE

    # -------------------------------------------------------------------------------------------------------- devices

    def _scan(self, said: Scanned) -> list[Effect]:
        if said.device != self._devices.scanner:
            return []
        text = parse(said.code).text
        if not text:
            return [Emit(UnknownScan(said.device, ""))]
        if self._current is not None and same(said.code, self._current.barcode):
            if self._phase is Phase.SHOWN:
                self._scanned = said.code
            return []
        if self._slots.holds(text):
            return []
        effects: list[Effect] = [Emit(UnknownScan(said.device, said.code))]
        if self._phase is Phase.SHOWN:
            effects += self._again(Fault.WRONG_ITEM)
        return effects

    def _change(self, values: Mapping[str, TagValue]) -> list[Effect]:
        self._panel.update(values)
        effects = self._slots.seen(int(values["slot_present"])) if "slot_present" in values else []
        if values.get("confirm_seq") != self._shown.seq:
            return effects
        self._held = False
        if self._phase is Phase.SHOWN:
            effects += self._confirm(int(self._panel.get("confirm_qty", 0)), int(self._panel.get("confirm_reason", 0)))
        return effects

    def _confirm(self, qty: int, reason: int) -> list[Effect]:
        pick = self._current
        if pick is None:
            return []
        self._answer = (qty, reason)
        if qty > 0 and not self._scanned:
            return self._again(Fault.NOT_SCANNED)
        if qty > pick.qty or (qty < pick.qty and not 0 < reason < len(REASONS)):
            return self._doubt(Fault.WRONG_COUNT, None)
        if qty == 0 or self._devices.scale is None:
            return self._accept(qty, REASONS[reason] if qty < pick.qty else "", None)
        self._phase = Phase.WEIGHING
        return [Weigh(self._devices.scale, str(self._shown.seq))]

    def _weighed(self, token: str, weight_g: int | None) -> list[Effect]:
        pick = self._current
        if pick is None or self._phase is not Phase.WEIGHING or token != str(self._shown.seq):
            return []
        qty, reason = self._answer
        expected = qty * pick.unit_weight_g
        allowed = max(self.tolerances.weight_g, self.tolerances.weight_share * expected)
        if weight_g is not None and pick.unit_weight_g > 0 and abs(weight_g - expected) > allowed:
            return self._doubt(Fault.WRONG_WEIGHT, weight_g)
        return self._accept(qty, REASONS[reason] if qty < pick.qty else "", weight_g)

    # ------------------------------------------------------------------------------------------------------- showing

    def _doubt(self, fault: Fault, weight_g: int | None) -> list[Effect]:
        """Ask for a recount; after the last one take it as it was confirmed, and say so in the reason."""
        pick = self._current
        assert pick is not None  # noqa: S101 - both callers have just looked
        if self._faults < self.tolerances.recounts:
            self._faults += 1
            return self._again(fault if self._faults == 1 else Fault.WRONG_COUNT)
        qty, reason = self._answer
        named = REASONS[reason] if reason < len(REASONS) and qty < pick.qty else ""
        return self._accept(min(qty, pick.qty), named or f"{fault}", weight_g)

    def _again(self, fault: Fault) -> list[Effect]:
        """Show the same pick under a new number, with its fault."""
        self._phase, self._scanned, self._fault = Phase.SHOWN, "", fault
        assert self._current is not None  # noqa: S101 - nothing can be wrong with nothing
        return self._number(_key(self._current))

    def _accept(self, qty: int, reason: str, weight_g: int | None) -> list[Effect]:
        pick = self._current
        assert pick is not None  # noqa: S101 - only a pick that is shown is accepted
        told = PickConfirmed(
            task=pick.task,
            attempt=pick.attempt,
            qty=qty,
            reason=reason,
            barcode=self._scanned,
            weight_g=weight_g,
            picture=self._picture,
        )
        effects = self._confirmed.put(_key(pick), msgspec.json.encode(told))
        self._drop_current()
        return [*effects, Emit(told)]

    def _number(self, key: str) -> list[Effect]:
        self._shown = Shown(self._shown.seq % SEQ_LAST + 1, key)
        return [Remember("shown", "panel", msgspec.json.encode(self._shown))]

    def _show(self) -> list[Effect]:
        """Bring the panel up to date: the next pick whose tote stands, the lights, or nothing to pick."""
        effects: list[Effect] = []
        if self._phase is Phase.IDLE:
            ready = next((p for p in self._queue.values() if self._slots.stands(p.slot, p.tote)), None)
            if ready is not None:
                effects += self._take_up(ready)
        wanted = self._slots.lights() | self._next
        if self._current or not self._held:
            wanted |= self._display()
            wanted["show_seq"] = self._shown.seq if self._current else 0
        changed = {name: wanted[name] for name in _ORDER if name in wanted and self._written.get(name) != wanted[name]}
        if changed and self._panel:
            self._written.update(changed)
            effects.append(Write(self._devices.panel, dict(changed)))
        return effects

    def _take_up(self, pick: PickInstruction) -> list[Effect]:
        key = _key(pick)
        del self._queue[key]
        self._held = False
        self._current, self._phase = pick, Phase.SHOWN
        self._scanned, self._faults, self._fault = "", 0, None
        confirmed = int(self._panel.get("confirm_seq", 0))
        if self._shown.key != key:
            if self._shown.seq % SEQ_LAST + 1 == confirmed:  # the memory was lost: never a number already confirmed
                self._shown = Shown(confirmed, "")
            return self._number(key)
        if self._shown.seq == confirmed:  # confirmed while nobody listened: what was scanned is not known any more
            self._fault = Fault.NOT_SCANNED
            return self._number(key)
        return []

    def _display(self) -> dict[str, int]:
        pick = self._current
        if pick is None:
            return {**{n: self._written.get(n, 0) for n in _ORDER if n not in _LIGHTS}, "show_error": 0}
        bin_ = self._bins[pick.bin]
        return {
            "show_face": bin_.face,
            "show_level": bin_.level,
            "show_column": bin_.column,
            "show_slot": pick.slot,
            "show_qty": pick.qty,
            "show_error": SHOWN_AS[self._fault] if self._fault else 0,
        }


_NO_NEXT = {"next_face": 0, "next_level": 0, "next_column": 0}
_ORDER = (
    "show_face",
    "show_level",
    "show_column",
    "show_slot",
    "show_qty",
    "show_error",
    "open_slots",
    "push_slots",
    "next_level",
    "next_column",
    "next_face",
    "show_seq",
)
_LIGHTS = ("open_slots", "push_slots", *_NO_NEXT)
