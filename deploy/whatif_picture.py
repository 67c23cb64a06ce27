"""Two days in one picture: totes packed and totes that wait, over the hours; how busy each station was."""

from collections.abc import Sequence
from html import escape

from deploy.fork import Change
from deploy.recorded_day import RecordedDay

_WIDE, _HIGH, _LEFT = 900, 240, 60
_WAS, _WOULD = "#7a8794", "#0b6bcb"
Line = Sequence[tuple[float, float]]


def picture(was: RecordedDay, would: RecordedDay, change: Change) -> str:
    """Return an SVG of the day as it was (grey) and as it would have been (blue)."""
    days = ((was, _WAS), (would, _WOULD))
    hours = max((max(d.packed_ms, default=d.last_ms) - d.first_ms) / 3.6e6 for d, _ in days) or 1.0
    parts = [_text(_LEFT, 22, f"As it was (grey), and {_said(change)} (blue)", size=15)]
    packed: list[tuple[Line, str]] = [
        ([((ms - d.first_ms) / 3.6e6, n + 1.0) for n, ms in enumerate(sorted(d.packed_ms))], colour)
        for d, colour in days
    ]
    waiting: list[tuple[Line, str]] = [
        ([((ms - d.first_ms) / 3.6e6, float(n)) for ms, n in d.queue], colour) for d, colour in days
    ]
    parts += _chart("totes packed", packed, hours, change.at_s / 3600, 40)
    parts += _chart("totes that wait or are worked on", waiting, hours, change.at_s / 3600, 60 + _HIGH)
    parts += _bars(was, would, 80 + 2 * _HIGH)
    tall = 80 + 2 * _HIGH + 40 + 26 * len(was.busy | would.busy)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {tall}" font-family="system-ui, sans-serif">'
        f'<rect width="{_WIDE}" height="{tall}" fill="white"/>{"".join(parts)}</svg>\n'
    )


def _said(change: Change) -> str:
    said = [f"{v:g} {k}" for k, v in (("robots", change.robots), ("stations", change.stations)) if v is not None]
    if change.pace is not None:
        said.append(f"people at a pace of {change.pace:g}")
    if change.orders is not None:
        said.append(f"{change.orders:g} times the orders to come")
    return f"from {change.at_s:g} s on with {', '.join(said)}"


def _text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="#222">{escape(text)}</text>'


def _chart(title: str, lines: Sequence[tuple[Line, str]], hours: float, at_h: float, top: float) -> list[str]:
    most = max((y for line, _ in lines for _, y in line), default=1.0) or 1.0
    high, wide = _HIGH - 50, _WIDE - _LEFT - 20

    def x(h: float) -> float:
        return _LEFT + h / hours * wide

    def y(v: float) -> float:
        return top + 20 + high * (1 - v / most)

    parts = [_text(_LEFT, top + 12, title), _text(_LEFT - 6, top + 26, f"{most:.0f}", anchor="end")]
    parts.append(f'<path d="M{_LEFT} {top + 20}v{high}h{wide}" fill="none" stroke="#999"/>')
    parts += [_text(x(h), top + 34 + high, f"{h} h", anchor="middle") for h in range(int(hours) + 1)]
    parts.append(f'<path d="M{x(at_h):.1f} {top + 20}v{high}" stroke="#c33" stroke-dasharray="4 3"/>')
    for line, colour in lines:
        points = " ".join(f"{x(h):.1f},{y(v):.1f}" for h, v in line)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
    return parts


def _bars(was: RecordedDay, would: RecordedDay, top: float) -> list[str]:
    parts = [_text(_LEFT, top + 12, "share of the day in which each station picks")]
    wide = _WIDE - _LEFT - 80
    for n, station in enumerate(sorted(was.busy | would.busy)):
        y = top + 22 + 26 * n
        parts.append(_text(_LEFT - 6, y + 14, station, anchor="end"))
        for k, (day, colour) in enumerate(((was, _WAS), (would, _WOULD))):
            share = day.busy.get(station, 0.0)
            parts.append(f'<rect x="{_LEFT}" y="{y + 10 * k}" width="{share * wide:.1f}" height="9" fill="{colour}"/>')
            parts.append(_text(_LEFT + share * wide + 4, y + 9 + 10 * k, f"{share:.0%}", size=9))
    return parts
