"""Which dispatcher of a site leads: the value of one key on the log, replaced only by who has read its last value."""

import msgspec


class Term(msgspec.Struct, frozen=True):
    """One dispatcher's time as leader; it says the same again several times a second while it lives."""

    holder: str
    """Names the process; empty: it has resigned, and the next one may lead at once."""
    epoch: int
    """Of its facts: above that of every term before it."""
    machine: str
    """Names the running kernel and its process space; who shares them may look whether `pid` still lives."""
    pid: int
    begun: str
    """When the process began, in the kernel's own measure: a number is given out again."""
