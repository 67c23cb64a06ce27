"""What goes into a cell's rules and what comes out: no rule knows a socket, a file or the time of day by itself.

All effects of one input are taken together: events and memories are durable before anything else of it happens.
"""

from typing import Protocol

import msgspec

from contracts.ids import DeviceId
from contracts.messages.floor import CommandBody, EventBody, Quality
from controllers.ports import TagValue

# ------------------------------------------------------------------------------------------------------------ inputs


class Commanded(msgspec.Struct, frozen=True):
    """The dispatcher wants something; a rule that cannot take it raises `Rejected`."""

    body: CommandBody


class Scanned(msgspec.Struct, frozen=True):
    """A scanner read a code (empty: it failed to)."""

    device: DeviceId
    code: str
    at_ms: int


class Changed(msgspec.Struct, frozen=True):
    """Input tags of a controller changed; after a (re)connection all of them."""

    device: DeviceId
    values: dict[str, TagValue]
    at_ms: int


class QualityChanged(msgspec.Struct, frozen=True):
    """A device can be trusted, or not."""

    device: DeviceId
    quality: Quality
    text: str


class Weighed(msgspec.Struct, frozen=True):
    """The answer to `Weigh`; None when the scale gave none."""

    device: DeviceId
    token: str
    weight_g: int | None


class Printed(msgspec.Struct, frozen=True):
    """The label of this token is out."""

    device: DeviceId
    token: str


class Pictured(msgspec.Struct, frozen=True):
    """The answer to `Grab`: the name under which the picture is kept; empty when there is none."""

    device: DeviceId
    token: str
    picture: str


class Elapsed(msgspec.Struct, frozen=True):
    """A time set by `After` is over."""

    key: str


Input = Commanded | Scanned | Changed | QualityChanged | Weighed | Printed | Pictured | Elapsed

# ----------------------------------------------------------------------------------------------------------- effects


class Emit(msgspec.Struct, frozen=True):
    """Tell the dispatcher, durably."""

    body: EventBody


class Remember(msgspec.Struct, frozen=True):
    """Keep a value over restarts, in one transaction with the events of the same input."""

    kind: str
    key: str
    value: bytes


class Forget(msgspec.Struct, frozen=True):
    """Drop a remembered value."""

    kind: str
    key: str


class Write(msgspec.Struct, frozen=True):
    """Set output tags of a controller, in the order of its table."""

    device: DeviceId
    values: dict[str, TagValue]


class Print(msgspec.Struct, frozen=True):
    """Print a label; answered by `Printed`, however long the printer is away."""

    device: DeviceId
    token: str
    zpl: str


class Weigh(msgspec.Struct, frozen=True):
    """Take a stable weight; answered by `Weighed`."""

    device: DeviceId
    token: str


class Grab(msgspec.Struct, frozen=True):
    """Take a picture; answered by `Pictured`."""

    device: DeviceId
    token: str


class After(msgspec.Struct, frozen=True):
    """Come back with `Elapsed` after this floor time; a new one with the same key replaces the old."""

    key: str
    seconds: float


Effect = Emit | Remember | Forget | Write | Print | Weigh | Grab | After
Memory = dict[str, dict[str, bytes]]
"""What was remembered before this start: kind, key, value; the oldest first."""


class Tolerances(msgspec.Struct, frozen=True):
    """What rules allow; read again when the edge is told to (SIGHUP).

    Parameters
    ----------
    weight_share, weight_g
        A weight may differ from pieces times unit weight by the greater of this share (0..1) and these grams.
    recounts
        How often a picker is asked again before the pick is taken as confirmed, with its reason saying so.
    pair_ms
        A reading and an index of the sorter belong together when they are at most this far apart.
    door_s
        A door that has not arrived after this time is in fault.
    lift_s
        A lift that has not arrived open after this time is in fault.
    start_s
        A line that does not run after this time is alarmed.
    """

    weight_share: float = 0.03
    weight_g: int = 5
    recounts: int = 2
    pair_ms: int = 700
    door_s: float = 30.0
    lift_s: float = 120.0
    start_s: float = 15.0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("weight_share", 0, 1),
            ("weight_g", 0, 100_000),
            ("recounts", 0, 10),
            ("pair_ms", 1, 10_000),
            ("door_s", 1, 600),
            ("lift_s", 1, 3_600),
            ("start_s", 1, 600),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"tolerances/{name}: {value} is not between {low} and {high}")


class Rules(Protocol):
    """The rules of one cell."""

    tolerances: Tolerances
    """What they allow; may be replaced at any time."""

    def step(self, now_ms: int, said: Input) -> list[Effect]:
        """Take one input.

        Raises
        ------
        Rejected
            A command cannot be taken; nothing was changed.
        """
        ...
