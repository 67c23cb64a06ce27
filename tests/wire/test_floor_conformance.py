"""One behaviour of the Floor port, held by the memory broker, nats-server and mosquitto alike."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from contracts.errors import Rejected, Unavailable
from contracts.runtime.floor import Floor, Will
from contracts.runtime.floor.memory import MemoryBroker, MemoryFloor
from contracts.runtime.floor.mqtt import MqttConnector, MqttFloor
from contracts.runtime.floor.mqtt_connection import Message


class Inbox:
    """A handler that keeps what it heard and lets a test wait for more."""

    def __init__(self):
        self.heard: list[tuple[str, bytes]] = []
        self._more = asyncio.Event()

    def __call__(self, topic: str, payload: bytes) -> None:
        self.heard.append((topic, payload))
        self._more.set()

    async def until(self, count: int, timeout_s: float = 15) -> list[tuple[str, bytes]]:
        async with asyncio.timeout(timeout_s):
            while len(self.heard) < count:
                self._more.clear()
                await self._more.wait()
        return self.heard


class Rig:
    """A broker of either kind with its faults."""

    def __init__(self, server=None):
        self.server = server
        self.connector = MemoryBroker() if server is None else MqttConnector(server.mqtt_url)
        self._clients: list[Floor] = []

    async def connect(self, client_id: str, *, will: Will | None = None) -> Floor:
        client = await self.connector.connect(client_id, will=will)
        self._clients.append(client)
        return client

    async def cut(self, client: Floor) -> None:
        """The client's process dies: its socket goes without a goodbye, and it does not come back."""
        if isinstance(client, MemoryFloor):
            self.connector.drop(client.client_id)
        elif isinstance(client, MqttFloor):
            client._keeper.cancel()
            client._live.abort()

    def kill(self) -> None:
        self.connector.stop() if self.server is None else self.server.kill()

    async def restart(self, *, lose_store: bool = False) -> None:
        if self.server is None:
            self.connector.start(lose_store=lose_store)
        else:
            if lose_store:
                self.server.lose_store()
            await self.server.start()

    async def close(self) -> None:
        for client in self._clients:
            await client.close()


@pytest.fixture(params=["memory", "nats", pytest.param("mosquitto", marks=pytest.mark.peer)])
async def rig(request) -> AsyncIterator[Rig]:
    server = None
    if request.param != "memory":
        server = request.getfixturevalue("nats_server" if request.param == "nats" else "mosquitto")
        await server.start()
    rig = Rig(server)
    yield rig
    await rig.close()


async def test_retained_messages_come_first_and_an_empty_one_clears(rig):
    """A late subscriber gets the last retained value of each topic, then what is live; a cleared topic is gone."""
    a, b, inbox = await rig.connect("a"), await rig.connect("b"), Inbox()
    for n in (b"1", b"2"):
        await a.publish("site/x/state", n, retain=True)
    await a.publish("site/y/state", b"gone", retain=True)
    await a.publish("site/y/state", b"", retain=True)
    await b.subscribe("site/+/state", inbox, qos=1)
    assert await inbox.until(1) == [("site/x/state", b"2")]
    await a.publish("site/x/state", b"3", retain=True)
    assert await inbox.until(2) == [("site/x/state", b"2"), ("site/x/state", b"3")]


@pytest.mark.parametrize("qos", [0, 1])
async def test_messages_of_one_sender_arrive_in_order(rig, qos):
    """Two thousand messages of one QoS arrive once each and in the order in which they were sent."""
    a, b, inbox = await rig.connect("a"), await rig.connect("b"), Inbox()
    await b.subscribe("stream/#", inbox, qos=qos)
    sent = [(f"stream/{n % 3}", str(n).encode()) for n in range(2000)]
    for topic, payload in sent:
        a.send(topic, payload, qos=qos)
    assert await inbox.until(2000) == sent


async def test_wildcards(rig):
    """``+`` takes one level, ``#`` the rest and the level above, and nothing else comes."""
    a, b = await rig.connect("a"), await rig.connect("b")
    topics = ["w/1", "w/1/state", "w/1/state/deep", "w/2/state", "w", "v/1/state"]
    expected = {
        "w/+/state": ["w/1/state", "w/2/state"],
        "w/#": ["w/1", "w/1/state", "w/1/state/deep", "w/2/state", "w"],
        "w/1/state": ["w/1/state"],
        "+/1/+": ["w/1/state", "v/1/state"],
    }
    inboxes = {pattern: Inbox() for pattern in expected}
    end = Inbox()
    for n, (pattern, inbox) in enumerate(inboxes.items()):
        client = await rig.connect(f"c{n}")
        await client.subscribe(pattern, inbox)
        await client.subscribe("end", end)
    for topic in topics:
        a.send(topic, b"x")
    a.send("end", b"")
    await end.until(len(inboxes))
    assert {pattern: [t for t, _ in inbox.heard] for pattern, inbox in inboxes.items()} == expected
    with pytest.raises(Rejected, match=r"w/#/x"):
        await b.subscribe("w/#/x", end)


async def test_what_a_broker_cannot_take_is_refused(rig):
    """Topics and payloads for which a broker would close the connection are the caller's mistake, and are named."""
    a = await rig.connect("a")
    for topic in ("a b", "a/+", "a/#", "", "a\0b", "x" * 70_000):
        with pytest.raises(Rejected, match="topic"):
            await a.publish(topic, b"")
        with pytest.raises(Rejected, match="topic"):
            a.send(topic, b"", qos=1)
    with pytest.raises(Rejected, match=r"payload of big.*8000001 bytes"):
        await a.publish("big", bytes(8_000_001))
    await a.publish("big", b"fits")


async def test_overlapping_patterns_deliver_once_to_each_handler(rig):
    """However the patterns of one client overlap, each handler gets each message once, retained ones too."""
    a, b = await rig.connect("a"), await rig.connect("b")
    await a.publish("o/1/state", b"kept", retain=True)
    wide, narrow, crossing, end = Inbox(), Inbox(), Inbox(), Inbox()
    await b.subscribe("o/1/state", narrow, qos=1)
    await narrow.until(1)
    await b.subscribe("o/#", wide, qos=1)
    await wide.until(1)
    await b.subscribe("+/1/+", crossing)
    await crossing.until(1)
    await b.subscribe("end", end, qos=1)
    a.send("o/1/state", b"live", qos=1)
    a.send("o/2/state", b"other", qos=1)
    await narrow.until(2)
    await crossing.until(2)
    await wide.until(3)
    await a.publish("end", b"")
    await end.until(1)
    assert [p for _, p in narrow.heard] == [b"kept", b"live"]
    assert [p for _, p in wide.heard] == [b"kept", b"live", b"other"]
    assert [p for _, p in crossing.heard] == [b"kept", b"live"]


async def test_the_will_is_said_of_the_dead_only(rig):
    """A client that is cut off has its will published and retained; one that says goodbye has not."""
    watcher, inbox = await rig.connect("watcher"), Inbox()
    await watcher.subscribe("v/+/connection", inbox, qos=1)
    polite = await rig.connect("polite", will=Will("v/polite/connection", b"BROKEN"))
    await polite.close()
    killed = await rig.connect("killed", will=Will("v/killed/connection", b"BROKEN"))
    await rig.cut(killed)
    assert await inbox.until(1) == [("v/killed/connection", b"BROKEN")]
    late = Inbox()
    await (await rig.connect("late")).subscribe("v/+/connection", late)
    assert await late.until(1) == [("v/killed/connection", b"BROKEN")]


async def test_a_second_client_of_the_same_id_drops_the_first(rig):
    """The newer connection is the one that lives and hears."""
    first, second_inbox = await rig.connect("twin"), Inbox()
    lost = asyncio.Event()
    if isinstance(first, MqttFloor):
        connection = first._live
        watch = asyncio.create_task(connection.lost.wait())
        watch.add_done_callback(lambda _: lost.set())
    second = await rig.connect("twin")
    if isinstance(first, MqttFloor):
        await asyncio.wait_for(lost.wait(), 10)
        await first.close()  # else it would come back and drop the second in its turn
    assert not first.connected
    reconnected = asyncio.Event()
    second.on_connect(reconnected.set)
    await asyncio.wait_for(reconnected.wait(), 10)
    await second.subscribe("t", second_inbox, qos=1)
    await (await rig.connect("other")).publish("t", b"for the living")
    assert await second_inbox.until(1) == [("t", b"for the living")]


async def test_qos_1_waits_for_a_broker_that_was_killed(rig):
    """What was sent at QoS 1 to a dead broker arrives after its restart, QoS 0 does not; nobody reconnects by hand."""
    a, b, inbox, connections = await rig.connect("a"), await rig.connect("b"), Inbox(), []
    await b.subscribe("k/#", inbox, qos=1)
    a.on_connect(lambda: connections.append("a"))
    await a.publish("k/before", b"", retain=True)
    await inbox.until(1)
    rig.kill()
    lost = a._live.lost if isinstance(a, MqttFloor) else None
    if lost is not None:
        await asyncio.wait_for(lost.wait(), 10)
    a.send("k/dropped", b"0", retain=True)
    for n in range(50):
        a.send(f"k/{n:02}", b"1", qos=1, retain=True)
    acknowledged = asyncio.create_task(a.publish("k/last", b"1", retain=True, timeout_s=20))
    with pytest.raises(Unavailable, match=r"k/late.*0\.2 s"):
        await a.publish("k/late", b"1", timeout_s=0.2)
    await rig.restart()
    await acknowledged
    await b.publish("k/end", b"1", timeout_s=20)
    topics = {f"k/{n:02}" for n in range(50)} | {"k/last", "k/end"}
    async with asyncio.timeout(20):
        while not topics <= {t for t, _ in inbox.heard}:
            await inbox.until(len(inbox.heard) + 1)
    assert "k/dropped" not in {t for t, _ in inbox.heard}
    assert connections == ["a", "a"]


async def test_a_lost_store_is_survived(rig):
    """After a restart without its store the broker serves everybody again; owners say their states on connecting."""
    a, b, inbox = await rig.connect("a"), await rig.connect("b"), Inbox()
    a.on_connect(lambda: a.send("s/state", b"here", qos=1, retain=True))
    await b.subscribe("s/state", inbox, qos=1)
    await inbox.until(1)
    rig.kill()
    inbox.heard.clear()
    await rig.restart(lose_store=True)
    assert (await inbox.until(1))[0] == ("s/state", b"here")
    late = Inbox()
    await (await rig.connect("late")).subscribe("s/#", late)
    assert (await late.until(1))[0] == ("s/state", b"here")


async def test_a_full_queue_drops_the_oldest(rig):
    """Of more than ten thousand QoS 1 messages for a dead broker the newest ten thousand wait."""
    a = await rig.connect("a")
    rig.kill()
    if isinstance(a, MqttFloor):
        await asyncio.wait_for(a._live.lost.wait(), 10)
        await asyncio.sleep(0)
    oldest = asyncio.create_task(a.publish("q/oldest", b"", timeout_s=30))
    await asyncio.sleep(0)
    for n in range(10_000):
        a.send(f"q/{n}", b"", qos=1)
    with pytest.raises(Unavailable, match="oldest was dropped"):
        await oldest


async def test_an_unreachable_broker_is_named():
    """A first connection that cannot be made says where it was tried."""
    with pytest.raises(Unavailable, match=r"mqtt://127\.0\.0\.1:1.*tried for 0\.3 s"):
        await MqttConnector("mqtt://127.0.0.1:1", wait_s=0.3).connect("a")
    with pytest.raises(Rejected, match=r"mqtt_url.*'host/x' is not mqtt://host:port"):
        MqttConnector("http://user:secret@host/x")


async def test_user_and_password(guarded_nats):
    """They stand percent-encoded in the URL; a refusal is said at once, without the password."""
    await guarded_nats.start()
    url = guarded_nats.mqtt_url.replace("//", "//me:p%40ss%3Aw%2Frd@")
    client = await MqttConnector(url).connect("a")
    await client.publish("t", b"")
    await client.close()
    with pytest.raises(Unavailable, match=r"mqtt://127\.0\.0\.1:\d+, client a: refused: .*") as caught:
        await MqttConnector(guarded_nats.mqtt_url.replace("//", "//me:wr0ng@")).connect("a")
    assert "wr0ng" not in str(caught.value)


async def test_a_frozen_broker(nats_server):
    """A broker that is stopped, not killed: publish times out, and works once it goes on."""
    await nats_server.start()
    a = await MqttConnector(nats_server.mqtt_url).connect("a")
    nats_server.freeze()
    with pytest.raises(Unavailable):
        await a.publish("f", b"x", timeout_s=0.2)
    nats_server.thaw()
    await a.publish("f", b"y")
    await a.close()


@pytest.mark.parametrize("broker", ["nats", pytest.param("mosquitto", marks=pytest.mark.peer)])
async def test_a_state_that_slipped_by_is_fetched(request, broker):
    """A retained state said while a subscription was being made, and delivered to nobody, comes a second later."""
    server = request.getfixturevalue("nats_server" if broker == "nats" else "mosquitto")
    await server.start()
    connector, inbox = MqttConnector(server.mqtt_url), Inbox()
    a, b = await connector.connect("a"), await connector.connect("b")
    await a.publish("s/1", b"old", retain=True)
    await b.subscribe("s/+", inbox, qos=1)
    await inbox.until(1)
    b._live.on_message = lambda *_: None  # the broker's race, made to happen
    await a.publish("s/1", b"new", retain=True)
    await a.publish("s/2", b"new", retain=True)
    await b.publish("flush", b"")
    b._live.on_message = b._receive
    assert sorted(await inbox.until(3)) == [("s/1", b"new"), ("s/1", b"old"), ("s/2", b"new")]
    await a.publish("end", b"")
    assert len(inbox.heard) == 3
    await a.close()
    await b.close()


@pytest.mark.slow
async def test_a_message_that_the_broker_cannot_stand_is_given_up(nats_server):
    """What makes the broker hang up each time is dropped after five connections, and what waits behind it is sent."""
    await nats_server.start()
    connector, inbox = MqttConnector(nats_server.mqtt_url), Inbox()
    a, b = await connector.connect("a"), await connector.connect("b")
    await b.subscribe("#", inbox, qos=1)
    refused = asyncio.get_running_loop().create_future()
    a._enqueue(Message("white space", b"", False, refused))  # past the check that keeps such topics out
    behind = asyncio.create_task(a.publish("behind", b"", timeout_s=60))
    with pytest.raises(Rejected, match="white space"):
        await refused
    await behind
    assert await inbox.until(1) == [("behind", b"")]
    await a.close()
    await b.close()


async def test_dropped_clients_come_back_in_memory():
    """The memory broker's faults: a restored client has its subscriptions, its queue and its hooks."""
    broker, inbox, hooks = MemoryBroker(), Inbox(), []
    a, b = await broker.connect("a"), await broker.connect("b")
    await b.subscribe("m/#", inbox)
    b.on_connect(lambda: hooks.append("b"))
    broker.drop("b")
    a.send("m/missed", b"")
    b.send("m/queued", b"", qos=1)
    broker.restore("b")
    a.send("m/heard", b"")
    assert await inbox.until(2) == [("m/queued", b""), ("m/heard", b"")]
    assert hooks == ["b", "b"]
