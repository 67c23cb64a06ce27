"""Two days in one picture: totes packed and waiting over the hours, how busy stations were, what was waited for."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from deploy.fork import Change
from deploy.recorded_day import RecordedDay

_WIDE, _HIGH, _LEFT = 900, 240, 60
_MOST_BARS = 16
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
    top = 80 + 2 * _HIGH
    parts += _bars("share of the day in which each station picks", was.busy, would.busy, top, "{:.0%}")
    top += 40 + 26 * len(was.busy | would.busy)
    most = sorted({**was.waiting_h, **would.waiting_h}, key=lambda w: (-max(d.waiting_h.get(w, 0) for d, _ in days), w))
    shown = most[:_MOST_BARS]
    before, after = ({w: d.waiting_h.get(w, 0.0) for w in shown} for d, _ in days)
    parts += _bars("hours of waiting, by what was waited for", before, after, top, "{:.1f} h")
    tall = top + 40 + 26 * len(shown)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {tall}" font-family="system-ui, sans-serif">'
        f'<rect width="{_WIDE}" height="{tall}" fill="white"/>{"".join(parts)}</svg>\n'
    )


def _said(change: Change) -> str:
    words = {
        "robots": "{} robots", "stations": "{} stations", "pickers": "{} people who pick", "packers": "{} who pack",
        "pace": "people at a pace of {:g}", "orders": "{:g} times the orders to come", "without": "{} orders less",
        "also": "the orders of {}", "close": "{} closed", "layout": "the roads of {}",
    }  # fmt: skip
    said = []
    for name, value in change.said().items():
        shown = len(value) if name == "without" else ", ".join(value) if name == "close" else value
        said.append(words[name].format(shown.name if isinstance(shown, Path) else shown))
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


def _bars(title: str, was: Mapping[str, float], would: Mapping[str, float], top: float, figure: str) -> list[str]:
    names = list(dict.fromkeys([*was, *would]))
    left = max([_LEFT, *(7 * len(n) + 12 for n in names)])
    parts = [_text(_LEFT, top + 12, title)]
    most = max([*was.values(), *would.values()], default=1.0)
    wide = (_WIDE - left - 80) / max(most, 1.0 if "%" in figure else 1e-9)
    for n, name in enumerate(names):
        y = top + 22 + 26 * n
        parts.append(_text(left - 6, y + 14, name, anchor="end"))
        for k, (day, colour) in enumerate(((was, _WAS), (would, _WOULD))):
            long = day.get(name, 0.0)
            parts.append(f'<rect x="{left}" y="{y + 10 * k}" width="{long * wide:.1f}" height="9" fill="{colour}"/>')
            parts.append(_text(left + long * wide + 4, y + 9 + 10 * k, figure.format(long), size=9))
    return parts
