"""The four streams, and how subjects match."""

import msgspec

from contracts.errors import Rejected

MIB = 1024 * 1024
CLOSED_KEY_FADES_S = 3600
ONCE_WINDOW_S = 120.0
AGAIN_AFTER_S = 30.0


class Stream(msgspec.Struct, frozen=True):
    """One stream: the subjects below `root`, at most `max_bytes`, the oldest dropped first.

    `last_only`: of each subject only the last entry is kept.
    """

    name: str
    root: str
    max_bytes: int
    last_only: bool


STREAMS = (
    Stream("WORK", "work", 128 * MIB, last_only=True),
    Stream("FACTS", "facts", 256 * MIB, last_only=False),
    Stream("EVENTS", "events", 512 * MIB, last_only=False),
    Stream("LEAD", "lead", 1 * MIB, last_only=True),
)
_BY_ROOT = {s.root: s for s in STREAMS}


def stream_of(subject: str) -> Stream:
    """Return the stream that keeps a subject or a pattern.

    Raises
    ------
    Rejected
        No stream keeps it, or it is not a subject.
    """
    root, dot, rest = subject.partition(".")
    stream = _BY_ROOT.get(root)
    if stream is None or not dot or not rest:
        raise Rejected("subject", subject, "below one of " + ", ".join(f"{s.root}." for s in STREAMS))
    return stream


def matches(pattern: str, subject: str) -> bool:
    """Whether a NATS pattern (``*`` one token, ``>`` the rest) takes a subject."""
    if pattern == subject:
        return True
    wanted, parts = pattern.split("."), subject.split(".")
    for n, want in enumerate(wanted):
        if n >= len(parts):
            return False
        if want == ">":
            return True
        if want not in {"*", parts[n]}:
            return False
    return len(wanted) == len(parts)
