"""The Floor over MQTT 3.1.1: gmqtt below, everything that must survive a broker above.

gmqtt reconnects with a persistent session, forgets refusals, and can wait for ever on a broker that hangs. So one gmqtt
client lives for one connection only; sessions are clean; subscriptions, the queue of QoS 1 messages and the back-off
are kept here.
"""

import asyncio
import ssl
import struct
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import gmqtt
from gmqtt.mqtt.constants import MQTTv311
from gmqtt.mqtt.handler import MQTTConnectError

from contracts.errors import FloorplaneError, Rejected, Unavailable
from contracts.runtime.floor.match import cover, matches, overlap, valid
from contracts.runtime.floor.port import Handler, Will
from contracts.runtime.logging import get_log

QUEUE = 10_000
_IN_FLIGHT = 1_000
_KEEPALIVE_S = 15
_ATTEMPT_S = 5.0
_SUBSCRIBE_S = 10.0
_BACK_OFF_S = (0.25, 5.0)
_ROUTES = 20_000
_log = get_log("contracts.floor")


class MqttConnector:
    """Opens clients on one broker.

    Parameters
    ----------
    url
        ``mqtt://[user:password@]host[:1883]`` or ``mqtts://…[:8883]``.
    wait_s
        How long a first connection is tried, seconds.
    """

    def __init__(self, url: str, *, wait_s: float = 10.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
            raise Rejected("mqtt_url", url.rpartition("@")[2], "mqtt://host:port or mqtts://host:port")
        self.host: str = parts.hostname
        self.tls = parts.scheme == "mqtts"
        self.port: int = parts.port or (8883 if self.tls else 1883)
        self.wait_s = wait_s
        self.shown = f"{parts.scheme}://{self.host}:{self.port}"
        self.user = None if parts.username is None else unquote(parts.username)
        self.secret = None if parts.password is None else unquote(parts.password)

    async def connect(self, client_id: str, *, will: Will | None = None) -> "MqttFloor":
        """Open one client, waiting up to `wait_s` for the broker."""
        floor = MqttFloor(self, client_id, will)
        await floor.open()
        return floor


class _Message:
    __slots__ = ("payload", "retain", "taken", "topic")

    def __init__(self, topic: str, payload: bytes, retain: bool, taken: asyncio.Future[None] | None) -> None:
        self.topic, self.payload, self.retain, self.taken = topic, payload, retain, taken


class _Subscription:
    __slots__ = ("greeted", "handler", "pattern", "qos")

    def __init__(self, pattern: str, handler: Handler, qos: int) -> None:
        self.pattern, self.handler, self.qos = pattern, handler, qos
        self.greeted: set[str] = set()
        """Topics whose retained message this connection has brought."""


class _InFlight:
    """Stands where gmqtt keeps what is not acknowledged; tells the packet id of each message sent, and its end."""

    def __init__(self) -> None:
        self.messages: dict[int, _Message] = {}
        self.acknowledged: Callable[[], None] = lambda: None
        self.sending: _Message | None = None

    is_empty = True  # nothing is for gmqtt to send again

    def push_message(self, mid: int, _packet: bytes) -> None:
        if self.sending is not None:
            self.messages[mid] = self.sending

    def remove_message_by_mid(self, mid: int) -> None:
        message = self.messages.pop(mid, None)
        if message is not None:
            if message.taken is not None and not message.taken.done():
                message.taken.set_result(None)
            self.acknowledged()

    def clear(self) -> None:
        """Nothing: gmqtt calls it when a clean session begins."""

    def get_all(self) -> list[tuple[int, bytes]]:
        return []

    async def wait_empty(self) -> None:
        return


class _Connection(gmqtt.Client):  # type: ignore[misc]  # gmqtt has no types
    """One connection, which does not come back."""

    def __init__(self, connector: MqttConnector, client_id: str, will: Will | None) -> None:
        self.in_flight = _InFlight()
        self.lost = asyncio.Event()
        self.granted: dict[int, asyncio.Future[tuple[int, ...]]] = {}
        said = None if will is None else gmqtt.Message(will.topic, will.payload, qos=will.qos, retain=will.retain)
        super().__init__(client_id, clean_session=True, will_message=said, persistent_storage=self.in_flight)
        if connector.user is not None:
            self.set_auth_credentials(connector.user, connector.secret)
        self.on_disconnect = lambda *_: self.lost.set()
        self.on_subscribe = self._suback

    async def reconnect(self, delay: bool = False) -> None:
        """Do not: the floor opens another connection."""

    async def renew(self, wanted: list[tuple[str, int]]) -> None:
        """Subscribe, and return when it stands; Unavailable when the broker refuses or goes."""
        packet = self.subscribe([gmqtt.Subscription(pattern, qos=qos) for pattern, qos in wanted])
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


class MqttFloor:
    """One client; behaves as `Floor` says. Made by `MqttConnector.connect`."""

    def __init__(self, connector: MqttConnector, client_id: str, will: Will | None) -> None:
        self.client_id = client_id
        self._connector = connector
        self._will = will
        self._live: _Connection | None = None
        self._subscriptions: list[_Subscription] = []
        self._wire: dict[str, int] = {}
        self._routes: dict[str, tuple[_Subscription, ...]] = {}
        self._queue: deque[_Message] = deque()
        self._hooks: list[Callable[[], None]] = []
        self._subscribing = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None
        self._closed = False
        self.dropped = 0
        """QoS 1 messages that the full queue has dropped."""

    @property
    def connected(self) -> bool:
        """Whether the broker is there now."""
        return self._live is not None

    async def open(self) -> None:
        """Connect for the first time, within the connector's `wait_s`."""
        loop = asyncio.get_running_loop()
        until, wait_s = loop.time() + self._connector.wait_s, _BACK_OFF_S[0]
        while True:
            try:
                connection = await self._connect()
                break
            except _Refused as e:
                raise Unavailable(str(e)) from e
            except Unavailable as e:
                if loop.time() + wait_s >= until:
                    raise Unavailable(f"{e} (tried for {self._connector.wait_s:g} s)") from e
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, 2.0)
        self._keeper = loop.create_task(self._keep(connection), name=f"mqtt:{self.client_id}")

    def send(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
        """Hand over a message and go on."""
        if qos:
            self._enqueue(_Message(topic, payload, retain, None))
        elif self._live is not None:
            self._live.publish(topic, payload, qos=0, retain=retain)

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, timeout_s: float = 10.0) -> None:
        """Send at QoS 1 and return when the broker has acknowledged."""
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._enqueue(_Message(topic, payload, retain, taken))
        try:
            async with asyncio.timeout(timeout_s):
                await taken
        except TimeoutError:
            raise Unavailable(
                f"{self._connector.shown}: no acknowledgement for {topic} within {timeout_s:g} s"
            ) from None

    async def subscribe(self, pattern: str, handler: Handler, *, qos: int = 0) -> None:
        """Hear all topics that match; while the broker is away it is done at the next connection."""
        if not valid(pattern):
            raise Rejected("pattern", pattern, "an MQTT topic filter")
        self._subscriptions.append(_Subscription(pattern, handler, qos))
        self._routes.clear()
        async with self._subscribing:
            before, self._wire = self._wire, _wire(self._subscriptions)
            connection = self._live
            if connection is None:
                return
            mine = next(w for w in self._wire if w == pattern or overlap(w, pattern))
            try:
                await connection.renew([(mine, self._wire[mine])])  # also when it stood: retained messages come again
            except Unavailable:
                if connection.lost.is_set():
                    return
                raise
            narrower = [w for w in before if w not in self._wire]
            if narrower:
                connection.unsubscribe(narrower)

    def on_connect(self, hook: Callable[[], None]) -> None:
        """Call a hook after each (re)connection; at once when connected already."""
        self._hooks.append(hook)
        if self.connected:
            hook()

    async def close(self) -> None:
        """Say goodbye, once what waits is acknowledged or two seconds have passed: the will is not published."""
        self._closed = True
        if self._keeper is None:
            return
        connection = self._live
        if connection is not None:
            waiting = [m.taken for m in (*self._queue, *connection.in_flight.messages.values()) if m.taken is not None]
            if waiting:
                await asyncio.wait(waiting, timeout=2)
            await _ended(connection.in_flight)
        self._keeper.cancel()
        await asyncio.wait([self._keeper])
        if connection is not None and not connection.lost.is_set():
            try:
                async with asyncio.timeout(2):
                    await connection.disconnect()
            except TimeoutError:
                connection.abort()
        self._live = None

    # ------------------------------------------------------------------ the keeper

    async def _keep(self, connection: "_Connection") -> None:
        """Hold one connection after another, for ever."""
        loop = asyncio.get_running_loop()
        wait_s = _BACK_OFF_S[0]
        while True:
            since = loop.time()
            self._greet()
            await self._until_lost(connection)
            self._live = None
            connection.abort()
            self._requeue(connection)
            _log.warning("broker lost", client=self.client_id, broker=self._connector.shown)
            if loop.time() - since > 2 * _BACK_OFF_S[1]:
                wait_s = _BACK_OFF_S[0]
            while True:
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, _BACK_OFF_S[1])
                try:
                    connection = await self._connect()
                    break
                except Unavailable as e:
                    _log.debug("broker still away", client=self.client_id, why=str(e))
                except Exception:  # noqa: BLE001 - whatever it was, the keeper must go on trying
                    _log.exception("cannot connect", client=self.client_id, broker=self._connector.shown)
            _log.info("broker is back", client=self.client_id, broker=self._connector.shown)

    async def _connect(self) -> _Connection:
        """Open a connection and renew the subscriptions on it; then it is the live one."""
        where = f"MQTT broker {self._connector.shown}, client {self.client_id}"
        connection = _Connection(self._connector, self.client_id, self._will)
        connection.on_message = self._receive
        connection.in_flight.acknowledged = self._pump
        tls: bool | ssl.SSLContext = ssl.create_default_context() if self._connector.tls else False
        try:
            async with asyncio.timeout(_ATTEMPT_S):
                await connection.connect(
                    self._connector.host, self._connector.port, ssl=tls, keepalive=_KEEPALIVE_S, version=MQTTv311
                )
            for subscription in self._subscriptions:
                subscription.greeted.clear()
            async with self._subscribing:
                self._wire = _wire(self._subscriptions)
                if self._wire:
                    await connection.renew(list(self._wire.items()))
                self._live = connection
        except MQTTConnectError as e:
            connection.abort()
            raise _Refused(f"{where}: refused: {e}") from e
        except TimeoutError as e:
            connection.abort()
            raise Unavailable(f"{where}: no answer within {_ATTEMPT_S:g} s") from e
        except OSError as e:
            connection.abort()
            raise Unavailable(f"{where}: {e}") from e
        except Unavailable as e:
            connection.abort()
            raise Unavailable(f"{where}: {e}") from e
        except asyncio.CancelledError:
            connection.abort()
            raise
        return connection

    @staticmethod
    async def _until_lost(connection: _Connection) -> None:
        """Return when the connection is gone, also when gmqtt has given it up and waits for a peer that hangs."""
        while not connection.lost.is_set():
            try:
                async with asyncio.timeout(_KEEPALIVE_S):
                    await connection.lost.wait()
            except TimeoutError:
                if not connection.is_connected:
                    return

    def _greet(self) -> None:
        self._pump()
        for hook in list(self._hooks):
            try:
                hook()
            except Exception:  # noqa: BLE001 - one owner's mistake must not keep the others from speaking
                _log.exception("a hook failed", client=self.client_id)

    # ------------------------------------------------------------------ out

    def _enqueue(self, message: _Message) -> None:
        if self._closed:
            _fail(message, Unavailable(f"{self.client_id} is closed"))
            return
        if len(self._queue) >= QUEUE:
            self._drop_oldest()
        self._queue.append(message)
        if self._live is not None:
            self._pump()

    def _pump(self) -> None:
        """Send what waits, as far as the window allows."""
        connection = self._live
        if connection is None:
            return
        in_flight = connection.in_flight
        while self._queue and len(in_flight.messages) < _IN_FLIGHT and not connection.lost.is_set():
            in_flight.sending = message = self._queue.popleft()
            try:
                connection.publish(message.topic, message.payload, qos=1, retain=message.retain)
            except (ValueError, OverflowError, struct.error) as e:  # too long for the protocol: no retry mends it
                _log.error("message refused", client=self.client_id, topic=message.topic[:200], why=str(e))
                _fail(message, Rejected("message", message.topic[:200], f"one that MQTT can carry: {e}"))
            in_flight.sending = None

    def _requeue(self, connection: _Connection) -> None:
        """Put what the lost connection had not acknowledged before all that waits."""
        self._queue.extendleft(reversed(connection.in_flight.messages.values()))
        connection.in_flight.messages.clear()
        while len(self._queue) > QUEUE:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        if not self.dropped:
            _log.warning("queue full, dropping the oldest", client=self.client_id, bound=QUEUE)
        self.dropped += 1
        text = f"{self._connector.shown}: {QUEUE} messages waited, the oldest was dropped"
        _fail(self._queue.popleft(), Unavailable(text))

    # ------------------------------------------------------------------ in

    def _receive(self, _client: Any, topic: str, payload: bytes, _qos: int, properties: dict[str, Any]) -> None:
        route = self._routes.get(topic)
        if route is None:
            if len(self._routes) >= _ROUTES:
                self._routes.clear()
            route = self._routes[topic] = tuple(s for s in self._subscriptions if matches(s.pattern, topic))
        retained = properties["retain"]
        for subscription in route:
            if retained:
                if topic in subscription.greeted:
                    continue
                subscription.greeted.add(topic)
            try:
                subscription.handler(topic, payload)
            except Exception:  # noqa: BLE001 - a handler's bug must not take the message from the others
                _log.exception("a handler failed", client=self.client_id, topic=topic)


class _Refused(Unavailable):
    """The broker is there and does not want us."""


def _wire(subscriptions: list[_Subscription]) -> dict[str, int]:
    """Return filters, none of which overlaps another, that take all that is wanted, with the QoS of each.

    A broker may deliver a message once for each filter that it matches; on filters that do not overlap it comes once.
    """
    wire: dict[str, int] = {}
    for subscription in subscriptions:
        pattern, qos = subscription.pattern, subscription.qos
        while (other := next((w for w in wire if overlap(w, pattern)), None)) is not None:
            pattern, qos = cover(other, pattern), max(qos, wire.pop(other))
        wire[pattern] = qos
    return wire


async def _ended(in_flight: _InFlight) -> None:
    """Wait up to two seconds until nothing is in flight."""
    if not in_flight.messages:
        return
    ended, before = asyncio.Event(), in_flight.acknowledged

    def acknowledged() -> None:
        before()
        if not in_flight.messages:
            ended.set()

    in_flight.acknowledged = acknowledged
    try:
        async with asyncio.timeout(2):
            await ended.wait()
    except TimeoutError:
        return


def _fail(message: _Message, error: FloorplaneError) -> None:
    if message.taken is not None and not message.taken.done():
        message.taken.set_exception(error)
