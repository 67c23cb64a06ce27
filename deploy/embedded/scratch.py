"""A throw-away PostgreSQL, ready in half a second: for tests, `floorplane day` and benchmarks."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import Unavailable
from deploy.embedded.postgres import SCRATCH, EmbeddedPostgres
from deploy.lock import FolderLock

_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder made in it is private
_PREFIX = "floorplane-scratch-"
_ROOM = 4 << 30
"""Bytes that must be free there: a day takes less than half a gigabyte, and two or three may run beside each other."""


class ScratchPostgres:
    """A running server whose databases are made and dropped at will."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.server = server
        self._made = 0

    @property
    def url(self) -> str:
        """URL (``postgresql://...``) of the database `floorplane`, which is empty at first."""
        return self.server.url()

    def url_of(self, database: str) -> str:
        """Return the URL of one of its databases."""
        return self.server.url(database)

    def create(self, name: str | None = None, *, template: str = "template0") -> str:
        """Create a database and return its name.

        Parameters
        ----------
        name
            None: a name that no other has.
        template
            What it is a copy of; nobody may be connected to that one. A database that was migrated once makes a
            migrated copy in some 30 ms.
        """
        if name is None:
            self._made += 1
            name = f"scratch_{self._made}"
        self.server.query(f'CREATE DATABASE "{name}" TEMPLATE "{template}"', database="postgres")
        return name

    def drop(self, name: str) -> None:
        """Drop a database, with whoever is connected to it."""
        self.server.query(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', database="postgres")


@contextmanager
def scratch_postgres(options: Mapping[str, str] | None = None) -> Iterator[ScratchPostgres]:
    """Run a server in a temporary folder until the block ends. Call it from the main thread.

    The folder lies in memory where there is room: a database is a thousand small files, and to copy and drop one costs
    0.05 s of CPU there, and 0.3 to 0.5 s on a disk.

    Parameters
    ----------
    options
        Settings beside those that trade durability for speed.
    """
    home = _MEMORY if _roomy() else Path(tempfile.gettempdir())
    _sweep(home)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=home))
    try:
        with EmbeddedPostgres(folder, {**SCRATCH, **(options or {})}) as server:
            yield ScratchPostgres(server)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(home: Path) -> None:
    """Remove what programs left that were killed."""
    for folder in home.glob(f"{_PREFIX}*"):
        try:
            if not (folder / "lock").exists():  # made just now
                continue
            left = FolderLock(folder, "PostgreSQL").take()
        except (OSError, Unavailable):
            continue
        shutil.rmtree(folder, ignore_errors=True)
        left.release()


def _roomy() -> bool:
    try:
        return os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _ROOM
    except OSError:
        return False
