"""Readiness as systemd tells it: a child says ``READY=1`` on the datagram socket that NOTIFY_SOCKET names.

So one process is started the same way by `floorplane up`, by systemd (``Type=notify``) and by hand.
"""

import os
import secrets
import socket


def ready(status: str = "") -> None:
    """Say that this process works now; without a NOTIFY_SOCKET nobody asked."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        target = f"\0{address[1:]}" if address.startswith("@") else address  # systemd writes abstract names so
        s.sendto(f"READY=1\nSTATUS={status}".encode(), target)


class Ear:
    """The supervisor's end for one child."""

    def __init__(self) -> None:
        # An abstract name: the kernel forgets it with us, also when we are killed.
        self.address = f"@floorplane-{os.getpid()}-{secrets.token_hex(8)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{self.address[1:]}")
        self._socket.setblocking(False)
        self.is_ready = False

    def heard(self) -> bool:
        """Whether the child has said that it is ready."""
        while not self.is_ready:
            try:
                message = self._socket.recv(4096)
            except BlockingIOError:
                break
            self.is_ready = b"READY=1" in message.split(b"\n")
        return self.is_ready

    def forget(self) -> None:
        """Begin again, for a child that is started anew."""
        self.heard()
        self.is_ready = False
        while True:
            try:
                self._socket.recv(4096)
            except BlockingIOError:
                return

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()
