"""The Floor in memory: a broker and its clients in one event loop, deterministic, cheap, and as unreliable as asked.

Every delivery is one callback, in the order of publication; QoS makes no difference while a client is connected.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from contracts.errors import Rejected, Unavailable
from contracts.runtime.floor.match import MAX_PAYLOAD_BYTES, check, matches, valid
from contracts.runtime.floor.port import Handler, Will

QUEUE = 10_000


class MemoryBroker:
    """A broker; `connect` makes it a `FloorConnector`. Faults: `drop`, `restore`, `stop`, `start`.

    Parameters
    ----------
    copies
        How often each message is delivered; a real broker may repeat any that it has no acknowledgement of.
    """

    def __init__(self, *, copies: int = 1) -> None:
        self._copies = range(copies)
        self._clients: dict[str, MemoryFloor] = {}
        self._away: dict[str, MemoryFloor] = {}
        self._retained: dict[str, bytes] = {}
        self._routes: dict[str, tuple[_Subscription, ...]] = {}
        self._running = True

    async def connect(self, client_id: str, *, will: Will | None = None) -> "MemoryFloor":
        """Open a client; an older one of the same id is dropped, for good."""
        if not self._running:
            raise Unavailable(f"the memory broker is stopped; {client_id} cannot connect")
        self.drop(client_id)
        self._away.pop(client_id, None)
        client = MemoryFloor(self, client_id, will)
        self._enter(client)
        return client

    def drop(self, client_id: str) -> None:
        """Cut a client off without a goodbye: its will is published. It stays away until `restore`."""
        client = self._clients.get(client_id)
        if client is None:
            return
        self._leave(client)
        self._away[client_id] = client
        if client.will is not None:
            self.publish(client.will.topic, client.will.payload, retain=client.will.retain)

    def restore(self, client_id: str) -> None:
        """Let a dropped client come back, as a real one does by itself: subscriptions, queue, hooks."""
        if self._running and (client := self._away.pop(client_id, None)) is not None:
            self._enter(client)

    def stop(self) -> None:
        """Kill the broker: every client is cut off, no will is published, what was retained is on its disk."""
        for client in list(self._clients.values()):
            self._leave(client)
            self._away[client.client_id] = client
        self._running = False

    def start(self, *, lose_store: bool = False) -> None:
        """Start it again, without what was retained when its store is lost; every client comes back."""
        self._running = True
        if lose_store:
            self._retained.clear()
        for client_id in list(self._away):
            self.restore(client_id)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Take a message from a client: keep it if it is to be retained, deliver it to whoever matches."""
        route = self._routes.get(topic)
        if route is None or len(payload) > MAX_PAYLOAD_BYTES:
            check(topic, payload)
        if retain:
            if payload:
                self._retained[topic] = payload
            else:
                self._retained.pop(topic, None)
        if route is None:
            route = self._routes[topic] = tuple(
                s for c in self._clients.values() for s in c.subscriptions if matches(s.pattern, topic)
            )
        if route:
            soon = asyncio.get_running_loop().call_soon
            for subscription in route:
                for _ in self._copies:
                    soon(subscription.deliver, topic, payload)

    def forget_routes(self) -> None:
        """Match anew: somebody came, went or subscribed."""
        self._routes.clear()

    def greet(self, subscription: "_Subscription") -> None:
        """Deliver what is retained to a new subscription."""
        soon = asyncio.get_running_loop().call_soon
        for topic, payload in self._retained.items():
            if matches(subscription.pattern, topic):
                soon(subscription.deliver, topic, payload)

    def goodbye(self, client: "MemoryFloor") -> None:
        """Let a client go in good order: no will."""
        if self._clients.get(client.client_id) is client:
            self._leave(client)
        if self._away.get(client.client_id) is client:
            del self._away[client.client_id]

    def _enter(self, client: "MemoryFloor") -> None:
        self._clients[client.client_id] = client
        self.forget_routes()
        client.entered()

    def _leave(self, client: "MemoryFloor") -> None:
        del self._clients[client.client_id]
        client.connected = False
        self.forget_routes()


class _Subscription:
    __slots__ = ("client", "handler", "pattern")

    def __init__(self, client: "MemoryFloor", pattern: str, handler: Handler) -> None:
        self.client, self.pattern, self.handler = client, pattern, handler

    def deliver(self, topic: str, payload: bytes) -> None:
        if self.client.connected:
            self.handler(topic, payload)


class MemoryFloor:
    """One client of a `MemoryBroker`; behaves as `Floor` says."""

    def __init__(self, broker: MemoryBroker, client_id: str, will: Will | None) -> None:
        self.client_id = client_id
        self.will = will
        self.connected = False
        self.subscriptions: list[_Subscription] = []
        self._broker = broker
        self._queue: deque[tuple[str, bytes, bool, asyncio.Future[None] | None]] = deque()
        self._hooks: list[Callable[[], None]] = []
        self._closed = False

    def send(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
        """Hand over a message and go on."""
        if self.connected:
            self._broker.publish(topic, payload, retain=retain)
        elif qos and not self._closed:
            self._wait(topic, payload, retain, None)

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, timeout_s: float = 10.0) -> None:
        """Send and return when the broker has it."""
        if self.connected:
            self._broker.publish(topic, payload, retain=retain)
            return
        if self._closed:
            raise Unavailable(f"{self.client_id} is closed")
        taken = asyncio.get_running_loop().create_future()
        self._wait(topic, payload, retain, taken)
        try:
            async with asyncio.timeout(timeout_s):
                await taken
        except TimeoutError:
            raise Unavailable(f"{self.client_id}: no acknowledgement for {topic} within {timeout_s:g} s") from None

    async def subscribe(self, pattern: str, handler: Handler, *, qos: int = 0) -> None:  # noqa: ARG002 - the port's
        """Hear all topics that match, retained messages first."""
        if not valid(pattern):
            raise Rejected("pattern", pattern, "an MQTT topic filter")
        subscription = _Subscription(self, pattern, handler)
        self.subscriptions.append(subscription)
        if self.connected:
            self._broker.forget_routes()
            self._broker.greet(subscription)

    def on_connect(self, hook: Callable[[], None]) -> None:
        """Call a hook after each (re)connection; at once when connected already."""
        self._hooks.append(hook)
        if self.connected:
            hook()

    async def close(self) -> None:
        """Say goodbye: the will is not published."""
        self._closed = True
        self._broker.goodbye(self)

    def entered(self) -> None:
        """Go on after a (re)connection: subscriptions, then the queue, then the hooks."""
        self.connected = True
        for subscription in self.subscriptions:
            self._broker.greet(subscription)
        while self._queue:
            topic, payload, retain, taken = self._queue.popleft()
            self._broker.publish(topic, payload, retain=retain)
            if taken is not None and not taken.done():
                taken.set_result(None)
        for hook in list(self._hooks):
            hook()

    def _wait(self, topic: str, payload: bytes, retain: bool, taken: asyncio.Future[None] | None) -> None:
        check(topic, payload)
        if len(self._queue) == QUEUE:
            _, _, _, lost = self._queue.popleft()
            if lost is not None and not lost.done():
                lost.set_exception(Unavailable(f"{self.client_id}: {QUEUE} messages waited, the oldest was dropped"))
        self._queue.append((topic, payload, retain, taken))
