"""One digest for a day: over every command of the dispatcher and every row of the ledger, each in its order."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from dispatcher import journal

_COMMANDS, _LEDGER = b"commands", b"ledger"


def recorded_commands(folder: Path) -> Iterable[bytes | msgspec.Raw]:
    """Yield each command of a recording in order, as it was written."""
    for segment in journal.segments(folder):
        _, steps = journal.read(segment)
        for step in steps:
            yield from journal.split_commands(step.commands)


def day_digest(commands: Iterable[bytes | msgspec.Raw], ledger: Iterable[bytes]) -> str:
    """Return 64 hex digits; any command or row that is missing, changed or moved gives others.

    Each entry is preceded by its length, and each of the two lists by its name and followed by its count, so that
    nothing can pass from one entry or list to another.
    """
    digest = hashlib.sha256()
    for name, entries in ((_COMMANDS, commands), (_LEDGER, ledger)):
        digest.update(name)
        count = 0
        for entry in entries:
            digest.update(len(entry).to_bytes(4, "big"))
            digest.update(entry)
            count += 1
        digest.update(count.to_bytes(8, "big"))
    return digest.hexdigest()
