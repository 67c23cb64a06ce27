"""The person at a pick station: does what the panel shows, with their own hands, eyes and mistakes.

They put labelled totes into slots, take pieces out of the pod, scan one, lay all on the scale, confirm, move them into
the tote when the panel goes on, and push full totes onto the conveyor. They look into the world's bin, so a bin that
holds less than the books say is found out here.
"""

import asyncio
import random
import re
from collections import deque

import msgspec

from contracts.ids import BinId, ItemId, ToteId
from contracts.runtime.clock import Clock
from contracts.site import Station
from controllers.tags import SLOTS
from simulators.line import LineTwin
from simulators.params import FloorParams
from simulators.person import Attention, Person
from simulators.printer import Label, PrinterTwin
from simulators.scale import ScaleTwin
from simulators.scanner import ScannerTwin
from simulators.tag_bank import TagBank
from simulators.world import Tote, World

_BIN_EMPTY = 1
_WRONG_ITEM = 1
_SLOT = re.compile(r"SLOT (\d+)")
"""A label may say which slot (0-based) it is for; without, labels and lit slots are paired in their order."""
_NOTICE_S = 4.0
"""A picker who took the wrong thing notices it by themselves after so long, if the panel says nothing."""


class Held(msgspec.Struct):
    """What the picker has out of a bin: on the scale, or still in the hand."""

    bin: BinId
    item: ItemId
    qty: int
    slot: int


class Hands(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a picker remembers and has in their hands."""

    labels: tuple[Label, ...] = ()
    held: Held | None = None
    confirmed: bool = False
    last: Held | None = None
    wrong: Held | None = None


class PickerTwin:
    """One picker at one station.

    Parameters
    ----------
    station
        Where they work; its last lane node is where the pod stands.
    panel, scanner, scale, printer
        What they see and use.
    line
        The conveyor whose infeed is beside them.
    """

    def __init__(
        self,
        station: Station,
        world: World,
        panel: TagBank,
        scanner: ScannerTwin,
        scale: ScaleTwin,
        printer: PrinterTwin,
        line: LineTwin,
        clock: Clock,
        rng: random.Random,
        params: FloorParams,
    ) -> None:
        self.station, self._world, self._node = station, world, station.lane[-1]
        self._panel, self._scanner, self._scale, self._line = panel, scanner, scale, line
        self._rng, self._params = rng, params
        self._person = Person(clock, rng, params.pace)
        self._clock = clock
        self._look = Attention()
        self._labels: deque[Label] = deque()
        self._to_open: deque[int] = deque()
        self._held: Held | None = None
        self._confirmed = False
        """Whether what is held was confirmed."""
        self._last: Held | None = None
        """What went into a tote last: it is got out again if the panel asks for a recount late."""
        self._wrong: Held | None = None
        self._fresh = False
        """Whether the panel shows something that was not yet looked at."""
        printer.labels.add(self._label_out)
        panel.written.add(self._shown)
        world.watch(self._node, self._look.call)
        line.on_room(station.id, self._look.call)
        self._tell_slots()

    def hands(self) -> Hands:
        """Return what to remember over a restart of the simulators."""
        return Hands(tuple(self._labels), self._held, self._confirmed, self._last, self._wrong)

    def resume(self, hands: Hands) -> None:
        """Go on where another run ended; the panel's registers were restored before."""
        self._labels = deque(hands.labels)
        self._held, self._confirmed, self._last, self._wrong = hands.held, hands.confirmed, hands.last, hands.wrong
        if self._held is not None:
            self._scale.load(float(self._held.qty * self._world.items[self._held.item].weight_g))
        self._tell_slots()
        self._shown({"show_seq": 0, "open_slots": 0})

    def set_pace(self, pace: float) -> None:
        """Work faster or slower from now on."""
        self._person.pace = pace

    def set_shift(self, shift: asyncio.Semaphore) -> None:
        """Share these people with other places from now on."""
        self._person.shift = shift

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._look.wait()
            while await self._next():
                pass

    async def _next(self) -> bool:
        """Do one thing that is asked for; False when there is none that can be done now."""
        seq = self._panel["show_seq"]
        if self._held is not None and self._confirmed and self._accepted(seq):
            await self._into_tote(self._held)
        elif self._fresh and seq not in {0, self._panel["confirm_seq"]} and self._here():
            await self._pick(seq)
        elif (opening := self._to_label()) is not None:
            await self._person.spend(3.5)
            self._open(*opening)
        elif (slot := self._full_slot()) is not None:
            return await self._push(slot)
        else:
            return False
        return True

    # ---------------------------------------------------------------------------------------------------------- picks

    def _accepted(self, seq: int) -> bool:
        """Whether the panel went on from what lies on the scale: it shows nothing, or another pick without an error."""
        return seq == 0 or (seq != self._panel["confirm_seq"] and not self._panel["show_error"])

    def _here(self) -> bool:
        return self._world.pod_on(self._node) is not None

    async def _pick(self, seq: int) -> None:
        self._fresh = False
        recount = self._panel["show_error"] not in {0, _WRONG_ITEM}
        await self._put_away_others(recount=recount)
        if self._held is not None and recount:
            await self._recount(self._held)
        else:
            await self._person.spend(1.2)
            if self._held is None and not await self._take(seq):
                return
        await self._confirm(seq)

    async def _put_away_others(self, *, recount: bool) -> None:
        """Lay back what does not belong to the pick that is shown, and get out what is to be counted again."""
        shown, slot = self._bin(0), self._panel["show_slot"]
        if self._wrong is not None:
            await self._person.spend(3.0)
            self._world.give_back(self._wrong.bin, self._wrong.item, self._wrong.qty)
            self._wrong = None
        if self._held is not None and (self._held.bin, self._held.slot) != (shown, slot):
            self._world.give_back(self._held.bin, self._held.item, self._held.qty)
            self._held = None
            self._scale.load(0.0)
        last = self._last
        if recount and self._held is None and last is not None and (last.bin, last.slot) == (shown, slot):
            tote = self._world.slots.get((self.station.id, slot))
            if tote is not None and tote.contents.get(last.item, 0) >= last.qty:
                await self._person.spend(2.0)
                tote.take(last.item, last.qty)
                self._held = last
        self._last, self._confirmed = None, False

    async def _take(self, seq: int) -> bool:
        """Take the pieces out of the pod onto the scale; False when it was the wrong item, which the panel says."""
        bin_, wanted = self._bin(0), self._panel["show_qty"]
        if bin_ is None:
            return True
        if self._rng.random() < self._params.wrong_item and (neighbour := self._bin(1)) is not None:
            item, taken = self._world.take(neighbour, 1)
            if item is not None and self._world.items[item].barcode != self._code(bin_):
                self._wrong = Held(neighbour, item, taken, self._panel["show_slot"])
                await self._handle(item, 1)
                await self._scan(item)
                if await self._look.within(self._clock, _NOTICE_S, lambda: self._panel["show_seq"] != seq):
                    return False
                self._world.give_back(neighbour, item, taken)
                self._wrong = None
            elif item is not None:
                self._world.give_back(neighbour, item, taken)
        reach = wanted
        if self._rng.random() < self._params.miscount:
            reach = max(1, wanted + self._rng.choice((-1, 1)))
        item, taken = self._world.take(bin_, reach)
        if item is None:
            await self._person.spend(3.0)
            return True
        self._held = Held(bin_, item, taken, self._panel["show_slot"])
        await self._handle(item, taken)
        await self._lay()
        return True

    async def _recount(self, held: Held) -> None:
        wanted = self._panel["show_qty"]
        await self._person.spend(2.0 + 0.5 * held.qty)
        if held.qty > wanted:
            self._world.give_back(held.bin, held.item, held.qty - wanted)
            held.qty = wanted
        elif held.qty < wanted:
            item, more = self._world.take(held.bin, wanted - held.qty)
            if item == held.item:
                held.qty += more
        await self._lay()

    async def _confirm(self, seq: int) -> None:
        wanted = self._panel["show_qty"]
        held = self._held
        if held is not None and held.qty:
            await self._scan(held.item)
        await self._person.spend(0.8)
        if self._panel["show_seq"] != seq:
            return
        # a picker who is one off believes to have all; one who found the bin empty knows
        there = held.qty if held is not None else 0
        short = held is None or (there < wanted and not self._world.bins[held.bin])
        qty = there if short else wanted
        self._confirmed = True
        self._panel.set(confirm_qty=qty, confirm_reason=_BIN_EMPTY if short else 0, confirm_seq=seq)

    async def _into_tote(self, held: Held) -> None:
        self._held, self._last = None, held
        self._scale.load(0.0)
        tote = self._world.slots.get((self.station.id, held.slot))
        if tote is None:
            self._world.give_back(held.bin, held.item, held.qty)  # no tote, no pick
        else:
            tote.put(held.item, held.qty)
        await self._person.spend(1.5)

    async def _handle(self, item: ItemId, qty: int) -> None:
        """Reach into the pod and take pieces: singly at first, then by the handful; heavy ones are slow."""
        level = self._panel["show_level"]
        weight_kg = self._world.items[item].weight_g / 1000
        bend = 0.8 if level in {0, 3} else 0.0
        singles, handfuls = min(qty, 8), max(0, qty - 8)
        await self._person.spend(2.0 + bend + singles * (0.7 + 0.08 * weight_kg) + handfuls * 0.12)

    async def _scan(self, item: ItemId) -> None:
        """Hold a piece before the scanner until it beeps, three times at most: then the panel will say."""
        for _ in range(3):
            await self._person.spend(0.9)
            if self._scanner.scan(self._world.items[item].barcode):
                return

    async def _lay(self) -> None:
        held = self._held
        assert held is not None  # noqa: S101 - only what is held is laid down
        await self._person.spend(0.6)
        unit_g = self._world.items[held.item].weight_g
        self._scale.load(held.qty * unit_g * self._rng.gauss(1.0, 0.003))

    def _bin(self, offset: int) -> BinId | None:
        """Return the bin that the panel shows, or its neighbour."""
        pod = self._world.pod_on(self._node)
        if pod is None:
            return None
        column = self._panel["show_column"]
        column += offset if column == 0 else -offset
        found = self._world.bin_at(pod, self._panel["show_face"], self._panel["show_level"], column)
        return found.id if found else None

    def _code(self, bin_: BinId) -> str:
        item = next(iter(self._world.bins[bin_]), None)
        return self._world.items[item].barcode if item is not None else ""

    # ---------------------------------------------------------------------------------------------------------- totes

    def _label_out(self, label: Label) -> None:
        standing = {t.label for (s, _), t in self._world.slots.items() if s == self.station.id}
        if label not in self._labels and label.fields[0] not in standing:  # a label printed twice is thrown away
            self._labels.append(label)
        self._look.call()

    def _to_label(self) -> tuple[int, Label] | None:
        """Return a lit slot and the label that belongs there."""
        for label in self._labels:
            named = next((int(m[1]) for f in label.fields if (m := _SLOT.fullmatch(f))), None)
            slot = self._to_open[0] if named is None and self._to_open else named
            if slot is not None and slot in self._to_open:
                return slot, label
        return None

    def _shown(self, values: dict[str, int | bool]) -> None:
        if "show_seq" in values:
            self._fresh = True
        if "open_slots" in values:
            wanted = self._panel["open_slots"]
            self._to_open = deque(s for s in self._to_open if wanted >> s & 1)
            for slot in range(SLOTS):
                if (
                    wanted >> slot & 1
                    and slot not in self._to_open
                    and (self.station.id, slot) not in self._world.slots
                ):
                    self._to_open.append(slot)
        self._look.call()

    def _open(self, slot: int, label: Label) -> None:
        if slot in self._to_open:  # not taken back meanwhile
            self._to_open.remove(slot)
            self._labels.remove(label)
            self._world.slots[self.station.id, slot] = Tote(ToteId(label.fields[0]), {})
        self._tell_slots()

    def _full_slot(self) -> int | None:
        mask = self._panel["push_slots"]
        return next((s for s in range(SLOTS) if mask >> s & 1 and (self.station.id, s) in self._world.slots), None)

    async def _push(self, slot: int) -> bool:
        tote = self._world.slots[self.station.id, slot]
        if not self._line.offer(self.station.id, tote):
            return False
        del self._world.slots[self.station.id, slot]
        await self._person.spend(2.5)
        self._tell_slots()
        return True

    def _tell_slots(self) -> None:
        mask = sum(1 << s for s in range(SLOTS) if (self.station.id, s) in self._world.slots)
        self._panel.set(slot_present=mask)
