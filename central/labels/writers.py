"""A label for a printer (ZPL II) and as a picture (SVG, PNG), each from the same marks."""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from central.labels import code128
from central.labels.layout import DOTS_PER_MM, HEIGHT, WIDTH, Bars, Mark, Rule, Text

_STARTS = {code128.START_B: ">:", code128.START_C: ">;"}
_PNG_FONT_DOTS = 22
"""Height of OpenCV's plain font at scale 1."""


def zpl(marks: Sequence[Mark]) -> str:
    """Return the label in ZPL II; the code sets of each symbol are told, so that the printer draws the same bars."""
    lines = ["^XA", "^CI28", f"^PW{WIDTH}", f"^LL{HEIGHT}"]
    for m in marks:
        if isinstance(m, Rule):
            lines.append(f"^FO0,{m.y}^GB{WIDTH},2,2^FS")
        elif isinstance(m, Text):
            lines.append(f"^FO{m.x},{m.y}^A0N,{m.height}^FH^FD{_hex(m.words)}^FS")
        else:
            lines.append(f"^FO{m.x},{m.y}^BY{m.module}^BCN,{m.height},N,N,N,N^FD{_invoked(m.values)}^FS")
    return "\n".join([*lines, "^XZ", ""])


def _hex(words: str) -> str:
    """Spell what ZPL takes for a command, or for a spelling, by its code."""
    return "".join(f"_{ord(c):02X}" if c in "^~_\\" else max(c, " ") for c in words)


def _invoked(values: Sequence[int]) -> str:
    """Write symbol characters with ZPL's invocation codes; check and stop are the printer's own."""
    text, in_c = _STARTS[values[0]], values[0] == code128.START_C
    for v in values[1:-2]:
        if v == code128.FNC1_VALUE:
            text += ">8"
        elif in_c and v == code128.TO_B:
            text, in_c = text + ">6", False
        elif in_c:
            text += f"{v:02d}"
        elif v == code128.TO_C:
            text, in_c = text + ">5", True
        else:
            character = chr(v + 32)
            text += ">0" if character == ">" else f"_{v + 32:02X}" if character in "^~" else character
    return text


def svg(marks: Sequence[Mark]) -> str:
    """Return the label as SVG, one unit a dot, sized in millimetres."""
    size = f'width="{WIDTH / DOTS_PER_MM:g}mm" height="{HEIGHT / DOTS_PER_MM:g}mm" viewBox="0 0 {WIDTH} {HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} shape-rendering="crispEdges">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for m in marks:
        if isinstance(m, Rule):
            parts.append(f'<rect x="0" y="{m.y}" width="{WIDTH}" height="2"/>')
        elif isinstance(m, Text):
            words = escape("".join(max(c, " ") for c in m.words))
            foot = f'x="{m.x}" y="{m.y + m.height * 3 // 4}" font-family="sans-serif" font-size="{m.height}"'
            parts.append(f"<text {foot}>{words}</text>")
        else:
            bars = "".join(f"M{x} {m.y}h{w}v{m.height}h-{w}z" for x, w in _bars(m))
            parts.append(f'<path d="{bars}"/>')
    return "\n".join([*parts, "</svg>", ""])


def png(marks: Sequence[Mark]) -> bytes:
    """Return the label as a grey picture, one pixel a dot."""
    import cv2
    import numpy as np

    page = np.full((HEIGHT, WIDTH), 255, np.uint8)
    for m in marks:
        if isinstance(m, Rule):
            page[m.y : m.y + 2] = 0
        elif isinstance(m, Text):
            scale, foot = m.height / _PNG_FONT_DOTS / 1.4, (m.x, m.y + m.height * 3 // 4)
            cv2.putText(page, m.words, foot, cv2.FONT_HERSHEY_SIMPLEX, scale, 0, 1 + m.height // 30, cv2.LINE_AA)
        else:
            for x, w in _bars(m):
                page[m.y : m.y + m.height, x : x + w] = 0
    written, data = cv2.imencode(".png", page)
    if not written:
        raise AssertionError("a grey array is always a picture")
    return bytes(data)


def _bars(symbol: Bars) -> list[tuple[int, int]]:
    """Where each bar begins, and how wide it is, in dots."""
    x, found = symbol.x, []
    for n, modules in enumerate(code128.widths(symbol.values)):
        if n % 2 == 0:
            found.append((x, modules * symbol.module))
        x += modules * symbol.module
    return found
