"""What a command writes for its user: a file that cannot be written is refused before the work, not after it."""

import sys
from pathlib import Path

from contracts.errors import Rejected

STDOUT = "-"


def refuse_unwritable(flag: str, target: str | Path | None) -> None:
    """Look whether a file could be written, before hours of work are done for it.

    Raises
    ------
    Rejected
        Its folder does not exist, or it is a folder itself; names the flag.
    """
    if target is None or str(target) == STDOUT:
        return
    path = Path(target)
    if path.is_dir():
        raise Rejected(flag, str(target), "a file, not a folder")
    if not path.parent.is_dir():
        raise Rejected(flag, str(target), f"a file in a folder that exists ({path.parent} does not)")


def write(flag: str, target: str | Path, text: str) -> None:
    """Write a text; ``-`` is standard output.

    Raises
    ------
    Rejected
        The file cannot be written; names the flag.
    """
    if str(target) == STDOUT:
        sys.stdout.write(text)
        return
    try:
        Path(target).write_text(text, "utf-8")
    except OSError as e:
        raise Rejected(flag, str(target), f"a file that can be written ({e.strerror})") from e
