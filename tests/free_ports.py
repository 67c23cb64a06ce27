"""Ports for servers that a test starts.

They lie below the range from which the kernel gives ports to clients: a port that was free a moment ago is otherwise
soon the near end of somebody's connection, and the server that the test starts cannot bind it.
"""

import fcntl
import os
import socket
import tempfile
from pathlib import Path

_FIRST, _END = 20_000, 32_000
_locks = (Path(tempfile.gettempdir()) / f"floorplane-test-ports-{os.getuid()}").open("wb")


class _Ports:
    """The ports of this process, handed out in a circle."""

    def __init__(self) -> None:
        self._next = _FIRST + os.getpid() * 61 % (_END - _FIRST)

    def take(self, count: int = 1) -> int:
        """First of `count` neighbouring TCP ports of loopback that are free, and that no other test process takes."""
        for _ in range(2 * (_END - _FIRST) // count):
            if self._next + count > _END:
                self._next = _FIRST
            block = range(self._next, self._next + count)
            self._next = block.stop
            if all(map(_free, block)):
                return block.start
        raise AssertionError(f"no {count} free ports in a row between {_FIRST} and {_END}")


def _free(port: int) -> bool:
    try:
        fcntl.lockf(_locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)  # given back when the process ends
        with socket.socket() as s:
            s.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


take = _Ports().take
