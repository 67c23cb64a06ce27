"""One MQTT connection on gmqtt, which lives once: it tells when it is lost, and what the broker has acknowledged.

gmqtt reconnects with a persistent session, forgets refusals, and can wait for ever on a broker that hangs. So a
connection that is lost is thrown away, and `contracts.runtime.floor.mqtt` opens another.
"""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import gmqtt

from contracts.errors import Unavailable
from contracts.runtime.floor.port import Will
from contracts.runtime.url import server

_SUBSCRIBE_S = 10.0


class Broker:
    """Where a broker is and how it knows us, from ``mqtt://[user:password@]host[:1883]`` or ``mqtts://…[:8883]``.

    Raises
    ------
    Rejected
        It is no such URL.
    """

    def __init__(self, url: str) -> None:
        parts = server("mqtt_url", url, {"mqtt", "mqtts"}, "mqtt://host:port or mqtts://host:port")
        self.host: str = parts.hostname or ""
        self.tls = parts.scheme == "mqtts"
        self.port: int = parts.port or (8883 if self.tls else 1883)
        self.shown = f"{parts.scheme}://{self.host}:{self.port}"
        self.user = None if parts.username is None else unquote(parts.username)
        self.secret = None if parts.password is None else unquote(parts.password)


class Message:
    """One QoS 1 message on its way; `taken` is who waits for its acknowledgement."""

    __slots__ = ("payload", "retain", "taken", "topic", "tries")

    def __init__(self, topic: str, payload: bytes, retain: bool, taken: asyncio.Future[None] | None) -> None:
        self.topic, self.payload, self.retain, self.taken = topic, payload, retain, taken
        self.tries = 0


class InFlight:
    """Stands where gmqtt keeps what is not acknowledged; tells the packet id of each message sent, and its end."""

    def __init__(self) -> None:
        self.messages: dict[int, Message] = {}
        self.acknowledged: Callable[[], None] = lambda: None
        self.sending: Message | None = None

    is_empty = True  # nothing is for gmqtt to send again

    def push_message(self, mid: int, _packet: bytes) -> None:
        """Learn the packet id of the message that is being sent."""
        if self.sending is not None:
            self.messages[mid] = self.sending

    def remove_message_by_mid(self, mid: int) -> None:
        """Take an acknowledgement."""
        message = self.messages.pop(mid, None)
        if message is not None:
            if message.taken is not None and not message.taken.done():
                message.taken.set_result(None)
            self.acknowledged()

    def clear(self) -> None:
        """Nothing: gmqtt calls it when a clean session begins."""

    def get_all(self) -> list[tuple[int, bytes]]:
        """Return nothing to send again."""
        return []

    async def wait_empty(self) -> None:
        """Do not wait."""
        return


class Connection(gmqtt.Client):  # type: ignore[misc]  # gmqtt has no types
    """One connection, which does not come back."""

    def __init__(self, broker: Broker, client_id: str, will: Will | None) -> None:
        self.in_flight = InFlight()
        self.lost = asyncio.Event()
        self.granted: dict[int, asyncio.Future[tuple[int, ...]]] = {}
        said = None if will is None else gmqtt.Message(will.topic, will.payload, qos=will.qos, retain=will.retain)
        super().__init__(client_id, clean_session=True, will_message=said, persistent_storage=self.in_flight)
        if broker.user is not None:
            self.set_auth_credentials(broker.user, broker.secret)
        self.on_disconnect = lambda *_: self.lost.set()
        self.on_subscribe = self._suback

    async def reconnect(self, delay: bool = False) -> None:
        """Do not: the floor opens another connection."""

    def ask(self, wanted: list[tuple[str, int]]) -> int:
        """Subscribe, without waiting; return the packet's id."""
        self.subscriptions.clear()  # gmqtt would keep them all
        packet: int = self.subscribe([gmqtt.Subscription(pattern, qos=qos) for pattern, qos in wanted])
        return packet

    async def renew(self, wanted: list[tuple[str, int]]) -> None:
        """Subscribe, and return when it stands; Unavailable when the broker refuses or goes."""
        packet = self.ask(wanted)
        granted = self.granted[packet] = asyncio.get_running_loop().create_future()
        gone = asyncio.ensure_future(self.lost.wait())
        try:
            await asyncio.wait({granted, gone}, timeout=_SUBSCRIBE_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            del self.granted[packet]
        if not granted.done():
            raise Unavailable("the broker went, or did not answer, while subscribing")
        refused = [pattern for (pattern, _), code in zip(wanted, granted.result(), strict=True) if code >= 128]
        if refused:
            raise Unavailable(f"the broker refuses to let us hear {', '.join(refused)}")

    def abort(self) -> None:
        """Cut the socket at once, also when the peer hangs and nothing can be flushed."""
        if self._connection is not None:
            self._connection._keep_connection_callback.cancel()  # noqa: SLF001 - gmqtt waits for the peer to read
            self._connection._transport.abort()  # noqa: SLF001
        self.lost.set()

    def _suback(self, _client: Any, mid: int, qos: tuple[int, ...], _properties: Any) -> None:
        if (granted := self.granted.get(mid)) is not None and not granted.done():
            granted.set_result(qos)
