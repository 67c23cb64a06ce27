"""Ports for the servers that a benchmark starts."""

import socket
from contextlib import ExitStack


def free_ports(count: int) -> list[int]:
    """Return loopback ports that nobody listens at now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [int(s.getsockname()[1]) for s in sockets]
