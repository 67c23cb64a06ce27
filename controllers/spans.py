"""Which registers are read and written together: as few requests as the protocol allows. Pure."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from contracts.errors import Rejected
from controllers.ports import TagValue
from controllers.tags import Area, Tag

_MOST = {"coil": 1968, "discrete": 2000, "holding": 123, "input": 125}
"""Values of one request (Modbus Application Protocol 1.1b3, sections 6.2, 6.4, 6.11 and 6.12)."""
_GAP = 16
"""Values that are read in vain rather than ask twice."""
_TOP = {"bool": 1, "u16": 0xFFFF, "u32": 0xFFFF_FFFF}


class Span(msgspec.Struct, frozen=True):
    """Neighbouring values of one area, and the tags in them."""

    area: Area
    start: int
    count: int
    tags: tuple[Tag, ...]

    def decode(self, values: Sequence[int | bool]) -> dict[str, TagValue]:
        """Read the tags out of the span's values."""
        found: dict[str, TagValue] = {}
        for tag in self.tags:
            at = tag.address - self.start
            if tag.type == "bool":
                found[tag.name] = bool(values[at])
            elif tag.type == "u32":
                found[tag.name] = int(values[at]) << 16 | int(values[at + 1])
            else:
                found[tag.name] = int(values[at])
        return found


class Block(msgspec.Struct, frozen=True):
    """One write: neighbouring values of one area."""

    area: Area
    start: int
    values: tuple[int, ...]


def read_spans(table: Iterable[Tag]) -> tuple[Span, ...]:
    """Return what must be read to know all input tags of a table."""
    spans: list[Span] = []
    for tag in sorted((t for t in table if not t.writable), key=lambda t: (t.area, t.address)):
        last = spans[-1] if spans else None
        end = tag.address + tag.width
        if (
            last is not None
            and last.area == tag.area
            and tag.address - (last.start + last.count) <= _GAP
            and end - last.start <= _MOST[tag.area]
        ):
            count = max(last.count, end - last.start)
            spans[-1] = Span(last.area, last.start, count, (*last.tags, tag))
        else:
            spans.append(Span(tag.area, tag.address, tag.width, (tag,)))
    return tuple(spans)


def write_blocks(table: Mapping[str, Tag], values: Mapping[str, TagValue]) -> tuple[Block, ...]:
    """Return the writes for some values, in their order; neighbours in that order go together.

    Raises
    ------
    Rejected
        A tag is not in the table, cannot be written, or the value does not fit it.
    """
    blocks: list[Block] = []
    for name, value in values.items():
        tag = table.get(name)
        if tag is None:
            raise Rejected(f"tags/{name}", value, "for a tag of the table")
        if not tag.writable:
            raise Rejected(f"tags/{name}", value, f"for a tag that can be written: it is in area {tag.area}")
        if not 0 <= int(value) <= _TOP[tag.type]:
            raise Rejected(f"tags/{name}", value, f"from 0 to {_TOP[tag.type]}")
        number = int(value)
        words = (number >> 16, number & 0xFFFF) if tag.type == "u32" else (number,)
        last = blocks[-1] if blocks else None
        if (
            last is not None
            and last.area == tag.area
            and last.start + len(last.values) == tag.address
            and len(last.values) + len(words) <= _MOST[tag.area]
        ):
            blocks[-1] = Block(last.area, last.start, last.values + words)
        else:
            blocks.append(Block(tag.area, tag.address, words))
    return tuple(blocks)


class Image:
    """What was last written, so that a write of some tags can take the known ones between them along."""

    def __init__(self, table: Iterable[Tag]) -> None:
        self._table = {t.name: t for t in table}
        self._written: dict[str, TagValue] = {}

    def clear(self) -> None:
        """Forget it: the controller may have lost its memory."""
        self._written.clear()

    def fill(self, values: Mapping[str, TagValue]) -> dict[str, TagValue]:
        """Return the values with what was written before between the first and the last of them, area by area.

        Only where the values are in the order of their addresses, and every gap is known: then one request does it.
        """
        tags = [self._table[n] for n in values if n in self._table]
        if len(tags) != len(values) or len({t.area for t in tags}) != 1:
            return dict(values)
        addresses = [t.address for t in tags]
        if addresses != sorted(addresses):
            return dict(values)
        between = sorted(
            (t for t in self._table.values() if t.area == tags[0].area and addresses[0] <= t.address <= addresses[-1]),
            key=lambda t: t.address,
        )
        if any(t.name not in values and t.name not in self._written for t in between):
            return dict(values)
        return {t.name: values[t.name] if t.name in values else self._written[t.name] for t in between}

    def wrote(self, values: Mapping[str, TagValue]) -> None:
        """Take note of a write that was done."""
        self._written.update(values)
