"""What every VDA 5050 message begins with, how its times are written, and how our structs treat absent fields.

Two kinds of absence are told apart. A field that the schema does not require is None and is then not written. A field
that the schema requires but a careless sender may leave out has a default *factory*: msgspec leaves out only what
equals a plain default, so it is always written, and may be missing when read.
"""

from datetime import UTC, datetime
from functools import lru_cache

import msgspec
from msgspec import field

VERSION = "2.1.0"


class Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", gc=False):
    """Any object inside a VDA 5050 message: snake_case here, camelCase on the wire.

    Not tracked by the garbage collector: a frozen tree cannot hold a cycle.
    """


class Message(Part, frozen=True, kw_only=True, omit_defaults=True, rename="camel", gc=False):
    """A whole message. `header_id` counts up by one per topic and sender; `timestamp` is `timestamp(now_ms)`."""

    header_id: int = field(default_factory=int)
    timestamp: str = field(default_factory=str)
    version: str = field(default_factory=lambda: VERSION)
    manufacturer: str = field(default_factory=str)
    serial_number: str = field(default_factory=str)


def nothing() -> tuple[()]:
    """Return an empty list for a field that is written also when empty."""
    return ()


def timestamp(now_ms: int) -> str:
    """Write milliseconds since the Unix epoch as ISO 8601 UTC with milliseconds (``2026-01-31T06:00:00.000Z``)."""
    minute, rest_ms = divmod(now_ms, 60_000)
    return f"{_minute(minute)}{rest_ms // 1000:02d}.{rest_ms % 1000:03d}Z"


@lru_cache(maxsize=4)
def _minute(minute: int) -> str:
    """Write a minute since the Unix epoch: a fleet says thousands of times in the same one what time it is."""
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%M:")


def has_zone(text: str) -> bool:
    """Whether a timestamp says its zone, as it must."""
    return text.endswith("Z") or "+" in text or text.count("-") > 2


def timestamp_ms(text: str) -> int | None:
    """Read a timestamp as milliseconds since the Unix epoch; without a zone it is UTC; None where it cannot be read."""
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return round(when.timestamp() * 1000)
