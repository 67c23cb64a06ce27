"""The packing places at the chutes: the packer scans a tote's label, the scale below says what it weighs.

A packer may be faster than the dispatcher: a tote that is known to have come down the chute is taken as packed when it
is scanned, and told as soon as its packing is asked for.
"""

from collections.abc import Mapping

import msgspec

from contracts.errors import Rejected
from contracts.ids import ChuteId, DeviceId, ToteId
from contracts.messages.floor import PackConfirmed, PackTote, UnknownScan
from controllers.scanner.parse import parse
from edge.rules.memory import Memento
from edge.rules.port import Commanded, Effect, Emit, Input, Memory, Scanned, Weigh, Weighed


class PackPlace(msgspec.Struct, frozen=True):
    """One packing place; without a scale, totes are packed unweighed."""

    chute: ChuteId
    scanner: DeviceId
    scale: DeviceId | None = None


class PackRules:
    """The rules of all packing places of a line.

    Parameters
    ----------
    places
        By chute.
    diverted
        Which tote came down which chute (`SortRules.diverted`).
    memory
        What was remembered.
    """

    def __init__(self, places: Mapping[ChuteId, PackPlace], diverted: Memento, memory: Memory) -> None:
        self._places = dict(places)
        self._by_scanner = {p.scanner: p for p in places.values()}
        self._diverted = diverted
        self._expected = Memento("expected", memory)
        self._packed = Memento("packed", memory)
        self._weighing: dict[str, tuple[PackPlace, str]] = {}

    def step(self, now_ms: int, said: Input) -> list[Effect]:
        """Take one input; see `edge.rules.port.Rules`."""
        del now_ms
        match said:
            case Commanded(body=PackTote() as body):
                return self._expect(body)
            case Scanned(device=device) if device in self._by_scanner:
                return self._scan(self._by_scanner[device], said)
            case Weighed(token=token) if token in self._weighing:
                place, code = self._weighing.pop(token)
                return self._close(place, ToteId(token), code, said.weight_g)
            case _:
                return []

    def _expect(self, body: PackTote) -> list[Effect]:
        if body.chute not in self._places:
            raise Rejected("chute", body.chute, f"a chute with a packing place ({', '.join(self._places)})")
        if told := self._packed.get(body.tote):
            return [*self._expected.drop(body.tote), Emit(msgspec.json.decode(told, type=PackConfirmed))]
        return self._expected.put(body.tote, body.chute.encode())

    def _scan(self, place: PackPlace, said: Scanned) -> list[Effect]:
        tote = parse(said.code).text
        here = place.chute.encode()
        packed = self._packed.get(tote)
        packed_here = packed is not None and msgspec.json.decode(packed, type=PackConfirmed).chute == place.chute
        if not tote or not (packed_here or here in {self._expected.get(tote), self._diverted.get(tote)}):
            return [Emit(UnknownScan(said.device, said.code))]
        if place.scale is None:
            return self._close(place, ToteId(tote), said.code, None)
        if tote in self._weighing:
            return []
        self._weighing[tote] = (place, said.code)
        return [Weigh(place.scale, tote)]

    def _close(self, place: PackPlace, tote: ToteId, code: str, weight_g: int | None) -> list[Effect]:
        if tote in self._packed:  # scanned again: the packer has the scale's light as an answer, nobody else is told
            return []
        told = PackConfirmed(tote=tote, chute=place.chute, barcode=code, weight_g=weight_g)
        effects = self._packed.put(tote, msgspec.json.encode(told))
        if tote in self._expected:
            effects += self._expected.drop(tote)
            effects.append(Emit(told))
        return effects
