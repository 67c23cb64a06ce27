"""What stands where on a logistic label: A6 upright (105 x 148 mm), in dots of a 203 dpi printer. Pure.

From the top as GS1 wants it (General Specifications 6.6): where it goes, what is in it, and the bars with the SSCC at
the foot. Printers and pictures are written from the same list, so that both show the same bars.
"""

from datetime import date

import msgspec

from central.epcis.identifiers import is_gtin
from central.labels import code128, gs1

WIDTH, HEIGHT = 840, 1184
DOTS_PER_MM = 8
_MARGIN = 32
_WIDEST_MODULE = 4
"""0.5 mm, as a logistic label should have; narrower only where a symbol is too long for it."""
_SSCC_HEIGHT, _OTHER_HEIGHT = 256, 80
_MOST_SYMBOLS = 3
"""Besides the SSCC; what is last among the elements, the weight, is left to the words where there is no room."""


class Content(msgspec.Struct, frozen=True):
    """So many pieces of an item in a unit."""

    item: str
    name: str
    barcode: str
    lot: str
    expiry: date | None
    qty: int


class LabelData(msgspec.Struct, frozen=True):
    """What a label says of a unit."""

    sscc: str
    kind: str
    site: str
    ship_to: str
    gln: str
    postcode: str
    route: str
    orders: tuple[str, ...]
    weight_g: int | None
    content: tuple[Content, ...]


class Text(msgspec.Struct, frozen=True):
    """A line of words; x, y of its upper left, the height of a capital letter with its surroundings, all in dots."""

    x: int
    y: int
    height: int
    words: str


class Bars(msgspec.Struct, frozen=True):
    """A symbol; x, y of its first bar's upper left, in dots; `module` dots is the narrowest bar."""

    x: int
    y: int
    height: int
    module: int
    values: tuple[int, ...]


class Rule(msgspec.Struct, frozen=True):
    """A line across the label, two dots thick."""

    y: int


Mark = Text | Bars | Rule


def elements(label: LabelData) -> list[gs1.Element]:
    """Return what the bars say besides the SSCC: content where it is of one kind, weight, and where it goes."""
    found: list[gs1.Element] = []
    kinds = {(c.item, c.barcode) for c in label.content}
    if len(kinds) == 1:
        first = label.content[0]
        if is_gtin(first.barcode):
            count = sum(c.qty for c in label.content)
            found += [gs1.Element("02", first.barcode.zfill(14)), gs1.Element("37", str(count))]
            lots = {(c.lot, c.expiry) for c in label.content}
            if len(lots) == 1:
                if first.expiry is not None:
                    found.append(gs1.Element("17", first.expiry.strftime("%y%m%d")))
                if first.lot and gs1.may_stand("10", first.lot):
                    found.append(gs1.Element("10", first.lot))
    if label.gln:
        found.append(gs1.Element("410", label.gln))
    elif label.postcode and gs1.may_stand("420", label.postcode):
        found.append(gs1.Element("420", label.postcode))
    if label.weight_g is not None and 0 < label.weight_g < 1_000_000:
        found.append(gs1.Element("3303", f"{label.weight_g:06d}"))
    return found


def lay_out(label: LabelData) -> list[Mark]:
    """Return the marks of a label, from the top."""
    marks: list[Mark] = [Text(_MARGIN, 24, 28, f"FROM {label.site}")]
    y = 64
    for line in _wrapped(label.ship_to or "-", 40)[:3]:
        marks.append(Text(_MARGIN, y, 40, line))
        y += 46
    where = " ".join(x for x in (label.postcode, label.route and f"ROUTE {label.route}") if x)
    if where:
        marks.append(Text(_MARGIN, y, 40, where))
    marks.append(Rule(258))
    y = 272
    for line in _said(label)[:6]:
        marks.append(Text(_MARGIN, y, 28, line))
        y += 36
    marks.append(Rule(496))
    rows = gs1.symbols(elements(label), _fits)
    y = 512
    for row in rows[:_MOST_SYMBOLS]:
        marks += _symbol(row, y, _OTHER_HEIGHT)
        y += _OTHER_HEIGHT + 38
    sscc = [gs1.Element("00", label.sscc)]
    return marks + _symbol(sscc, HEIGHT - _SSCC_HEIGHT - 60, _SSCC_HEIGHT)


def _said(label: LabelData) -> list[str]:
    lines = [f"SSCC {label.sscc}  {label.kind.upper()}"]
    if label.orders:
        lines.append(_cut("ORDER " + ", ".join(label.orders), 52))
    if len({c.item for c in label.content}) == 1:
        first = label.content[0]
        lines.append(_cut(f"CONTENT {first.item} {first.name}", 52))
        lines.append(f"COUNT {sum(c.qty for c in label.content)}")
        if len({(c.lot, c.expiry) for c in label.content}) == 1:
            lot = f"LOT {first.lot}" if first.lot else ""
            expiry = f"EXPIRY {first.expiry.isoformat()}" if first.expiry else ""
            lines += [x for x in (f"{lot}  {expiry}".strip(),) if x]
    elif label.content:
        lines.append(
            f"CONTENT {len({c.item for c in label.content})} items, {sum(c.qty for c in label.content)} pieces"
        )
    if label.weight_g is not None:
        lines.append(f"GROSS {label.weight_g / 1000:.3f} kg")
    return lines


def _fits(text: str) -> bool:
    return _wide(code128.values(text)) * _WIDEST_MODULE <= WIDTH


def _wide(values: list[int]) -> int:
    return code128.modules(values) + 2 * code128.QUIET_MODULES


def _symbol(row: list[gs1.Element], y: int, height: int) -> list[Mark]:
    values = code128.values(gs1.write(row))
    module = max(1, min(_WIDEST_MODULE, WIDTH // _wide(values)))
    x = (WIDTH - code128.modules(values) * module) // 2
    shown = "".join(e.shown for e in row)
    letters = 32 if len(shown) <= 44 else 24
    return [
        Bars(x, y, height, module, tuple(values)),
        Text(max(_MARGIN, (WIDTH - len(shown) * letters // 2) // 2), y + height + 8, letters, shown),
    ]


def _wrapped(text: str, letters: int) -> list[str]:
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            if line and len(line) + 1 + len(word) > letters:
                lines.append(line)
                line = ""
            line = _cut(f"{line} {word}".strip(), letters)
        lines.append(line)
    return [x for x in lines if x] or ["-"]


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"
