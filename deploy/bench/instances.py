"""Published instances as gzipped JSON lines: read whole, or refused with file, line and field."""

import gzip
import zlib
from pathlib import Path
from typing import Any

import msgspec

from contracts.codec import UNREADABLE
from contracts.errors import Rejected

MOST_AISLES, MOST_CELLS, MOST_PIECES = 1_000, 10_000, 1_000_000


def json_lines(path: Path, row: type[msgspec.Struct]) -> list[dict[str, Any]]:
    """Read the file; each line must be what `row` says (it may say more).

    Raises
    ------
    Rejected
        It is missing, damaged or empty, or a line is not such a row; names file, line and field.
    """
    try:
        lines = gzip.decompress(path.read_bytes()).splitlines()
    except (OSError, EOFError, zlib.error) as e:
        raise Rejected("--data", str(path), f"a gzipped file of JSON lines that can be read ({e})") from e
    found: list[dict[str, Any]] = []
    for n, line in enumerate(lines, 1):
        try:
            msgspec.json.decode(line, type=row)
            found.append(msgspec.json.decode(line))
        except UNREADABLE as e:
            raise Rejected(f"{path}:{n}", line[:60].decode(errors="replace"), f"an instance ({e})") from e
    if not found:
        raise Rejected("--data", str(path), "a file with at least one instance")
    return found


def within(field: str, value: int, least: int, most: int) -> None:
    """Look at a number of a row.

    Raises
    ------
    ValueError
        It is out of its bounds; `json_lines` tells file and line besides.
    """
    if not least <= value <= most:
        raise ValueError(f"{field}: {value} is not in {least}..{most}")
