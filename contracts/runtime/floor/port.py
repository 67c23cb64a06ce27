"""The Floor port: what is asked of MQTT 3.1.1, and no more."""

from collections.abc import Callable
from typing import Protocol

import msgspec

Handler = Callable[[str, bytes], None]
"""Called with topic and payload, in order of arrival, on the event loop; must not block. Hand work to a queue."""


class Will(msgspec.Struct, frozen=True):
    """What the broker says for us when we are gone without a goodbye."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = True


class Floor(Protocol):
    """One client's connection. It reconnects by itself, and renews its subscriptions then."""

    @property
    def connected(self) -> bool:
        """Whether the broker is there now."""
        ...

    def send(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
        """Hand over a message and go on.

        While the broker is away a QoS 0 message is dropped; QoS 1 messages wait in a bounded queue (10,000), whose
        oldest is dropped first: what must not be lost is sent again by its owner until it is acknowledged end to end.
        """
        ...

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, timeout_s: float = 10.0) -> None:
        """Send at QoS 1 and return when the broker has acknowledged.

        Raises
        ------
        Unavailable
            No acknowledgement came in time.
        """
        ...

    async def subscribe(self, pattern: str, handler: Handler, *, qos: int = 0) -> None:
        """Hear all topics that match (``+`` one level, ``#`` the rest); retained messages come first.

        Overlapping patterns of one client deliver a message once to each matching handler.
        """
        ...

    def on_connect(self, hook: Callable[[], None]) -> None:
        """Call a hook after each (re)connection, when the subscriptions stand; at once when connected already."""
        ...

    async def close(self) -> None:
        """Say goodbye: the will is not published."""
        ...


class FloorConnector(Protocol):
    """Opens clients on one broker: a URL on real time, the memory broker on virtual time."""

    async def connect(self, client_id: str, *, will: Will | None = None) -> Floor:
        """Open one client. A second client with the same id drops the first, as MQTT says.

        Raises
        ------
        Unavailable
            The broker cannot be reached within ten seconds, or refuses the client; the text says which and where.
        """
        ...
