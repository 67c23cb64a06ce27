"""What both embedded servers need of a child process: an end in good order, last words, a port that is free."""

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from contracts.errors import Unavailable

LOG_LIMIT_BYTES = 20_000_000


def end(
    process: "subprocess.Popen[bytes]",
    first: signal.Signals,
    timeout_s: float,
    second: signal.Signals = signal.SIGKILL,
) -> None:
    """Ask a child to end, insist after the timeout, kill it three seconds later; returns when it is gone."""
    for sign, patience_s in ((first, timeout_s), (second, 3.0), (signal.SIGKILL, None)):
        if process.poll() is None:
            process.send_signal(sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(patience_s)


def until(condition: Callable[[], bool], patience_s: float) -> bool:
    """Poll until something holds; False when patience ended first."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def last_words(log: Path, lines: int = 8) -> str:
    """Return the end of a log file."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(nothing)"


def turn_over(log: Path) -> None:
    """Put a log file aside that has grown beyond `LOG_LIMIT_BYTES`; one is kept."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))


def refuse_taken(host: str, port: int, what: str, remedy: str) -> None:
    """Make sure that a port can be listened on.

    Raises
    ------
    Unavailable
        Somebody listens there; names the port, the process where it can be known, and the remedy.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as e:
            raise Unavailable(f"{what}: port {port} on {host} is taken{_by_whom(port)}; {remedy}") from e


def _by_whom(port: int) -> str:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:  # 0A: listening
                    inodes.add(f"socket:[{fields[9]}]")
    for proc in Path("/proc").iterdir() if inodes else ():
        if proc.name.isdigit():
            with contextlib.suppress(OSError):
                for fd in (proc / "fd").iterdir():
                    if str(fd.readlink()) in inodes:
                        return f" by process {proc.name} ({(proc / 'comm').read_text().strip()})"
    return ""
