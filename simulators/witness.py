"""A witness of what is true on the simulated floor, written down for whoever compares it with the books."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

import msgspec

from contracts.errors import Rejected
from simulators.world import Packed, Violation, World

Happened = Violation | Packed


class Witness:
    """Writes each violation and each packed tote to a file, one JSON object a line, as it happens.

    No process of the control plane reads the file: the truth never leaves the simulators but for a test.

    Parameters
    ----------
    path
        Lines are appended; its folder is made.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("ab", buffering=0)

    def watch(self, world: World) -> Self:
        """Write down what happens there from now on."""
        world.happened.add(self._write)
        return self

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    def _write(self, what: Happened) -> None:
        if not self._file.closed:
            self._file.write(msgspec.json.encode(what) + b"\n")


def read_testimony(path: Path) -> Iterator[Happened]:
    """Read what a witness wrote; a last line that was cut off is left out, a missing file is empty.

    Raises
    ------
    Rejected
        A line is not what a witness writes.
    """
    if not path.exists():
        return
    for n, line in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
        try:
            yield msgspec.json.decode(line, type=Happened)
        except msgspec.DecodeError as e:
            raise Rejected(f"{path}:{n}", line[:80], f"a line of a witness: {e}") from e
