"""The Floor over MQTT 3.1.1: everything that must survive a broker, above connections that do not.

Sessions are clean: subscriptions, the queue of QoS 1 messages and the back-off are kept here.
"""

import asyncio
import ssl
import struct
from collections import deque
from collections.abc import Callable
from typing import Any

from gmqtt.mqtt.constants import MQTTv311
from gmqtt.mqtt.handler import MQTTConnectError

from contracts.errors import FloorplaneError, Rejected, Unavailable
from contracts.runtime.floor.match import MAX_PAYLOAD_BYTES, check, cover, matches, overlap, valid
from contracts.runtime.floor.mqtt_connection import Broker, Connection, InFlight, Message
from contracts.runtime.floor.port import Handler, Will
from contracts.runtime.logging import get_log

QUEUE = 10_000
_IN_FLIGHT = 1_000
_KEEPALIVE_S = 15
_ATTEMPT_S = 5.0
_BACK_OFF_S = (0.25, 5.0)
_ROUTES = 20_000
_LOOK_AGAIN_S = 1.0
_SHORT_S = 5.0
_TRIES = 5
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
        self.broker = Broker(url)
        self.wait_s = wait_s

    async def connect(self, client_id: str, *, will: Will | None = None) -> "MqttFloor":
        """Open one client, waiting up to `wait_s` for the broker."""
        floor = MqttFloor(self.broker, client_id, will)
        await floor.open(self.wait_s)
        return floor


class _Subscription:
    __slots__ = ("greeted", "handler", "pattern", "qos")

    def __init__(self, pattern: str, handler: Handler, qos: int) -> None:
        self.pattern, self.handler, self.qos = pattern, handler, qos
        self.greeted: set[str] = set()
        """Topics whose retained message this connection has brought."""


class MqttFloor:
    """One client; behaves as `Floor` says. Made by `MqttConnector.connect`."""

    def __init__(self, broker: Broker, client_id: str, will: Will | None) -> None:
        self.client_id = client_id
        self._broker = broker
        self._will = will
        self._live: Connection | None = None
        self._subscriptions: list[_Subscription] = []
        self._wire: dict[str, int] = {}
        self._routes: dict[str, tuple[_Subscription, ...]] = {}
        self._queue: deque[Message] = deque()
        self._hooks: list[Callable[[], None]] = []
        self._subscribing = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None
        self._second_look: asyncio.TimerHandle | None = None
        self._last: dict[str, bytes] = {}
        self._checked: set[str] = set()
        self._takes_spaces = False
        """This broker has brought a topic with a space: it can be answered on one."""
        self._closed = False
        self.dropped = 0
        """QoS 1 messages that the full queue has dropped."""

    @property
    def connected(self) -> bool:
        """Whether the broker is there now."""
        return self._live is not None

    async def open(self, within_s: float) -> None:
        """Connect for the first time."""
        loop = asyncio.get_running_loop()
        until, wait_s = loop.time() + within_s, _BACK_OFF_S[0]
        while True:
            try:
                connection = await self._connect()
                break
            except _Refused as e:
                raise Unavailable(str(e)) from e
            except Unavailable as e:
                if loop.time() + wait_s >= until:
                    raise Unavailable(f"{e} (tried for {within_s:g} s)") from e
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, 2.0)
        self._keeper = loop.create_task(self._keep(connection), name=f"mqtt:{self.client_id}")

    def send(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
        """Hand over a message and go on."""
        self._check(topic, payload)
        if qos:
            self._enqueue(Message(topic, payload, retain, None))
        elif self._live is not None:
            self._live.publish(topic, payload, qos=0, retain=retain)

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, timeout_s: float = 10.0) -> None:
        """Send at QoS 1 and return when the broker has acknowledged."""
        self._check(topic, payload)
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._enqueue(Message(topic, payload, retain, taken))
        try:
            async with asyncio.timeout(timeout_s):
                await taken
        except TimeoutError:
            raise Unavailable(f"{self._broker.shown}: no acknowledgement for {topic} within {timeout_s:g} s") from None

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
            self._look_again_soon()
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
        if self._second_look is not None:
            self._second_look.cancel()
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

    async def _keep(self, connection: "Connection") -> None:
        """Hold one connection after another, for ever."""
        loop = asyncio.get_running_loop()
        wait_s, short = _BACK_OFF_S[0], 0
        while True:
            since = loop.time()
            self._greet()
            await self._until_lost(connection)
            self._live = None
            connection.abort()
            short = short + 1 if loop.time() - since < _SHORT_S else 0
            self._requeue(connection, suspect=loop.time() - since < _SHORT_S)
            hint = {"hint": "does another client use this id?"} if short >= 3 else {}
            _log.warning("broker lost", client=self.client_id, broker=self._broker.shown, **hint)
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
                    _log.exception("cannot connect", client=self.client_id, broker=self._broker.shown)
            _log.info("broker is back", client=self.client_id, broker=self._broker.shown)

    async def _connect(self) -> Connection:
        """Open a connection and renew the subscriptions on it; then it is the live one."""
        where = f"MQTT broker {self._broker.shown}, client {self.client_id}"
        connection = Connection(self._broker, self.client_id, self._will)
        connection.on_message = self._receive
        connection.in_flight.acknowledged = self._pump
        tls: bool | ssl.SSLContext = ssl.create_default_context() if self._broker.tls else False
        try:
            async with asyncio.timeout(_ATTEMPT_S):
                await connection.connect(
                    self._broker.host, self._broker.port, ssl=tls, keepalive=_KEEPALIVE_S, version=MQTTv311
                )
            for subscription in self._subscriptions:
                subscription.greeted.clear()
            async with self._subscribing:
                self._wire = _wire(self._subscriptions)
                if self._wire:
                    await connection.renew(list(self._wire.items()))
                self._live = connection
        except MQTTConnectError as e:
            raise _Refused(f"{where}: refused: {e}") from e
        except TimeoutError as e:
            raise Unavailable(f"{where}: no answer within {_ATTEMPT_S:g} s") from e
        except (OSError, Unavailable) as e:
            raise Unavailable(f"{where}: {e}") from e
        finally:
            if self._live is not connection:
                connection.abort()
        self._look_again_soon()
        return connection

    @staticmethod
    async def _until_lost(connection: Connection) -> None:
        """Return when the connection is gone, also when gmqtt has given it up and waits for a peer that hangs."""
        while not connection.lost.is_set():
            try:
                async with asyncio.timeout(_KEEPALIVE_S):
                    await connection.lost.wait()
            except TimeoutError:
                if not connection.is_connected:
                    return

    def _look_again_soon(self) -> None:
        """Ask for retained messages once more in a second.

        nats-server may look for them before it hears of one, and deliver that one before it knows of the subscription:
        so it happens when everybody comes back at once and says its state.
        """
        if self._second_look is not None:
            self._second_look.cancel()
        self._second_look = asyncio.get_running_loop().call_later(_LOOK_AGAIN_S, self._look_again)

    def _look_again(self) -> None:
        self._second_look = None
        if self._live is not None and not self._live.lost.is_set() and self._wire:
            self._live.ask(list(self._wire.items()))

    def _greet(self) -> None:
        self._pump()
        for hook in list(self._hooks):
            try:
                hook()
            except Exception:  # noqa: BLE001 - one owner's mistake must not keep the others from speaking
                _log.exception("a hook failed", client=self.client_id)

    # ------------------------------------------------------------------ out

    def _check(self, topic: str, payload: bytes) -> None:
        if topic not in self._checked or len(payload) > MAX_PAYLOAD_BYTES:
            check(topic.replace(" ", "_") if self._takes_spaces else topic, payload)
            if len(self._checked) >= _ROUTES:
                self._checked.clear()
            self._checked.add(topic)

    def _enqueue(self, message: Message) -> None:
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

    def _requeue(self, connection: Connection, *, suspect: bool) -> None:
        """Put what the lost connection had not acknowledged before all that waits.

        A message at whose head connection after connection ends at once is one that the broker cannot stand: it is
        given up, or it would keep all others from ever being sent.
        """
        unacknowledged = list(connection.in_flight.messages.values())
        connection.in_flight.messages.clear()
        if suspect and unacknowledged:
            first = unacknowledged[0]
            first.tries += 1
            if first.tries >= _TRIES:
                _log.error("message given up", client=self.client_id, topic=first.topic, bytes=len(first.payload))
                _fail(first, Rejected("message", first.topic, "one that the broker can stand"))
                del unacknowledged[0]
        self._queue.extendleft(reversed(unacknowledged))
        while len(self._queue) > QUEUE:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        if not self.dropped:
            _log.warning("queue full, dropping the oldest", client=self.client_id, bound=QUEUE)
        self.dropped += 1
        text = f"{self._broker.shown}: {QUEUE} messages waited, the oldest was dropped"
        _fail(self._queue.popleft(), Unavailable(text))

    # ------------------------------------------------------------------ in

    def _receive(self, _client: Any, topic: str, payload: bytes, _qos: int, properties: dict[str, Any]) -> None:
        route = self._routes.get(topic)
        if route is None:
            if len(self._routes) >= _ROUTES:
                self._routes.clear()
            self._takes_spaces |= " " in topic
            route = self._routes[topic] = tuple(s for s in self._subscriptions if matches(s.pattern, topic))
        retained, known = properties["retain"], self._last.get(topic)
        if len(self._last) >= _ROUTES:
            self._last.clear()
        self._last[topic] = payload
        for subscription in route:
            if retained:
                if topic in subscription.greeted and payload == known:
                    continue  # the broker was asked again for the sake of another
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


async def _ended(in_flight: InFlight) -> None:
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


def _fail(message: Message, error: FloorplaneError) -> None:
    if message.taken is not None and not message.taken.done():
        message.taken.set_exception(error)
