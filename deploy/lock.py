"""One owner of a folder at a time; the kernel gives it free when the owner is gone, however it went."""

import fcntl
import os
from pathlib import Path
from typing import IO, Self

from contracts.errors import Unavailable


class FolderLock:
    """Held from `take` to `release`.

    Parameters
    ----------
    folder
        Made when absent; the lock is its file `lock`, which holds the owner's process id.
    what
        How an error names it (``PostgreSQL``).
    """

    def __init__(self, folder: Path, what: str) -> None:
        self.folder = folder
        self._what = what
        self._file: IO[str] | None = None

    @property
    def held(self) -> bool:
        """Whether we are the owner."""
        return self._file is not None

    def take(self) -> Self:
        """Become the owner.

        Raises
        ------
        Unavailable
            Somebody else is; names the process.
        """
        if self._file is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / "lock").open("a+")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as e:
                file.close()
                raise Unavailable(f"{self._what}: {self.folder} is in use by process {self.owner()}") from e
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            self._file = file
        return self

    def owner(self) -> str:
        """Return the process id that the last owner wrote."""
        path = self.folder / "lock"
        return (path.read_text().strip() if path.exists() else "") or "unknown"

    def release(self) -> None:
        """Let the next one have it."""
        if self._file is not None:
            self._file.close()
            self._file = None
