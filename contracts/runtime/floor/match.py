"""MQTT topic filters (MQTT 3.1.1, section 4.7): what matches, which two overlap, and one that covers both.

Topics and filters hold no white space: the standard allows it, but nats-server closes the connection.
"""

import re

from contracts.errors import Rejected

_TOPIC = re.compile(r"[^\s+#\0]+")
_FILTER = re.compile(r"[^\s\0]+")
_LONGEST = 65_535
MAX_PAYLOAD_BYTES = 8_000_000


def check(topic: str, payload: bytes) -> None:
    """See that a broker can take a message; one that it cannot would close the connection again and again.

    Raises
    ------
    Rejected
        The topic is empty or too long, has wildcards or white space, or the payload is larger than 8 MB.
    """
    if not _TOPIC.fullmatch(topic) or len(topic.encode()) > _LONGEST:
        raise Rejected("topic", topic[:200], "an MQTT topic without wildcards and white space")
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise Rejected(f"payload of {topic}", f"{len(payload)} bytes", f"at most {MAX_PAYLOAD_BYTES} bytes")


def matches(pattern: str, topic: str) -> bool:
    """Whether a filter takes a topic; a wildcard in first place does not take topics that begin with ``$``."""
    if topic.startswith("$") and pattern[:1] in {"+", "#"}:
        return False
    filters, levels = pattern.split("/"), topic.split("/")
    for n, part in enumerate(filters):
        if part == "#":
            return True
        if n >= len(levels) or part not in {"+", levels[n]}:
            return False
    return len(filters) == len(levels)


def valid(pattern: str) -> bool:
    """Whether it is a filter: wildcards fill a whole level, ``#`` is last, not empty, no white space."""
    parts = pattern.split("/")
    return _FILTER.fullmatch(pattern) is not None and all(
        not ({"+", "#"} & set(part)) or part == "+" or (part == "#" and n == len(parts) - 1)
        for n, part in enumerate(parts)
    )


def overlap(first: str, second: str) -> bool:
    """Whether some topic matches both filters."""
    a, b = first.split("/"), second.split("/")
    if first.startswith("$") != second.startswith("$"):
        return False  # a wildcard in first place does not take it
    for n in range(max(len(a), len(b))):
        mine, its = a[n : n + 1], b[n : n + 1]
        if ["#"] in (mine, its):
            return True
        if not mine or not its:
            return False
        if mine != its and ["+"] not in (mine, its):
            return False
    return True


def cover(first: str, second: str) -> str:
    """Return the narrowest single filter that takes all that either takes."""
    a, b = first.split("/"), second.split("/")
    joint: list[str] = []
    for n in range(max(len(a), len(b))):
        mine, its = a[n : n + 1], b[n : n + 1]
        if not mine or not its or ["#"] in (mine, its):
            joint.append("#")
            break
        joint.append(a[n] if mine == its else "+")
    return "/".join(joint)
