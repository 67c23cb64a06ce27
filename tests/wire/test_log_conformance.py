"""One behaviour of the Log port, held by the memory store and by nats-server alike."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator

import pytest

from contracts.errors import Rejected, Unavailable
from contracts.runtime.log import Entry, Log
from contracts.runtime.log.memory import MemoryStore
from contracts.runtime.log.nats import connect_log
from contracts.runtime.log.streams import matches
from simulators import virtual_time


class Rig:
    """A log server of either kind with its faults."""

    def __init__(self, server=None):
        self.server = server
        self.store = MemoryStore()
        self._logs: list[Log] = []

    async def connect(self, name: str) -> Log:
        log = self.store.connect(name) if self.server is None else await connect_log(self.server.nats_url, name)
        self._logs.append(log)
        return log

    async def outage(self, *, lose_store: bool = False) -> None:
        """Kill the server and bring it back, with or without what it had stored."""
        if self.server is None:
            self.store.stop()
            if lose_store:
                self.store.lose()
            self.store.start()
        else:
            self.server.kill()
            if lose_store:
                self.server.lose_store()
            await self.server.start()

    async def close(self) -> None:
        for log in self._logs:
            await log.close()


@pytest.fixture(params=["memory", "nats"])
async def rig(request) -> AsyncIterator[Rig]:
    server = None
    if request.param == "nats":
        server = request.getfixturevalue("nats_server")
        await server.start()
    rig = Rig(server)
    yield rig
    await rig.close()


async def take(stream: AsyncIterator, count: int) -> list:
    """The next entries of a reader; one that was on its way to a reader that left comes again after thirty seconds."""
    async with asyncio.timeout(90):
        return [await anext(stream) for _ in range(count)]


async def append_surely(log: Log, subject: str, payload: bytes) -> int:
    """Append, again and again, as an owner does through an outage."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await log.append(subject, payload)
            except Unavailable:
                continue


async def test_a_key_is_replaced_only_by_who_has_read_its_last_value(rig):
    """Two that want the same key: one gets it, and goes on replacing it; the other is refused until it reads again."""
    a, b = await rig.connect("a"), await rig.connect("b")
    first = await a.replace("lead.x", b"a", after=0)
    with pytest.raises(Rejected):
        await b.replace("lead.x", b"b", after=0)
    assert (await b.last("lead.x")) == Entry("lead.x", first, b"a")
    second = await a.replace("lead.x", b"a again", after=first)
    with pytest.raises(Rejected):
        await b.replace("lead.x", b"b", after=first)
    third = await b.replace("lead.x", b"b", after=second)
    assert (await a.last("lead.x")) == Entry("lead.x", third, b"b")
    with pytest.raises(Rejected):
        await a.replace("lead.x", b"a", after=second)


async def test_follow_yields_all_in_order_and_goes_on(rig):
    """A follower has what was there, then what comes, each once and in order of its sequence number."""
    a, b = await rig.connect("a"), await rig.connect("b")
    for n in range(3):
        await a.append("facts.x", str(n).encode())
    await a.append("facts.other", b"not for it")
    reader = b.follow("facts.x")
    assert [e.payload for e in await take(reader, 3)] == [b"0", b"1", b"2"]
    seqs = [await a.append("facts.x", str(n).encode()) for n in range(3, 500)]
    live = await take(reader, 497)
    assert [e.seq for e in live] == seqs
    assert [e.payload for e in live] == [str(n).encode() for n in range(3, 500)]
    await reader.aclose()


async def test_the_last_of_each_key(rig):
    """Of work keys only the last value is kept; a closed key says so, and is nothing to `last`."""
    a = await rig.connect("a")
    for task, value in (("P-1", b"1"), ("P-2", b"1"), ("P-1", b"2"), ("P-2", b"")):
        await a.append(f"work.x.{task}", value)
    assert (await a.last("work.x.P-1")).payload == b"2"
    assert await a.last("work.x.P-2") is None
    assert await a.last("work.x.P-3") is None
    reader = a.follow("work.x.>", latest=True)
    assert [(e.subject, e.payload) for e in await take(reader, 2)] == [("work.x.P-1", b"2"), ("work.x.P-2", b"")]
    await a.append("work.x.P-3", b"new")
    await a.append("work.y.P-4", b"another site")
    await a.append("work.x.P-1", b"")
    assert [(e.subject, e.payload) for e in await take(reader, 2)] == [("work.x.P-3", b"new"), ("work.x.P-1", b"")]
    everything = a.follow("work.>")
    assert len(await take(everything, 4)) == 4
    await reader.aclose()
    await everything.aclose()


async def test_a_message_said_once(rig):
    """The same `once` appends nothing the second time and gives the first number."""
    a = await rig.connect("a")
    first = await a.append("events.x", b"1", once="e-1")
    assert await a.append("events.x", b"1", once="e-1") == first
    assert await a.append("events.x", b"2", once="e-2") == first + 1


async def test_a_subject_of_no_stream_is_refused(rig):
    """What no stream keeps is the caller's mistake and is named."""
    a = await rig.connect("a")
    for subject in ("poses.x", "work", "facts."):
        with pytest.raises(Rejected, match=f"'{subject}'"):
            await a.append(subject, b"")


async def test_a_durable_reader_goes_on_where_it_was_done(rig):
    """What was done does not come again to the next reader of that name; what came later does."""
    a, b = await rig.connect("a"), await rig.connect("b")
    for n in range(5):
        await a.append("facts.x", str(n).encode())
    reader = b.consume("facts.x", "ledger")
    deliveries = await take(reader, 5)
    assert [d.entry.payload for d in deliveries] == [b"0", b"1", b"2", b"3", b"4"]
    for d in deliveries:
        await d.done()
    await reader.aclose()
    await a.append("facts.x", b"5")
    again = b.consume("facts.x", "ledger")
    (later,) = await take(again, 1)
    assert later.entry.payload == b"5"
    await later.done()
    await again.aclose()


def test_what_is_not_done_comes_again():
    """An entry without `done` comes again after thirty seconds, to whoever reads under that name (virtual time)."""

    async def main():
        loop = asyncio.get_running_loop()
        log = MemoryStore().connect("a")
        await log.append("facts.x", b"1")
        await log.append("facts.x", b"2")
        reader = log.consume("facts.x", "ledger")
        first, second = await take(reader, 2)
        await second.done()
        again = await anext(reader)
        assert (again.entry, loop.time()) == (first.entry, 30)
        await first.done()  # late: the second handing out counts
        third = await anext(reader)
        assert loop.time() == 60
        await third.done()

    virtual_time.run(main())


@pytest.mark.slow
async def test_what_is_not_done_comes_again_from_nats(nats_server):
    """The same over nats-server, in thirty real seconds."""
    await nats_server.start()
    log = await connect_log(nats_server.nats_url, "a")
    await log.append("facts.x", b"1")
    reader = log.consume("facts.x", "ledger")
    start = time.monotonic()
    first = await anext(reader)
    async with asyncio.timeout(40):
        again = await anext(reader)
    assert again.entry == first.entry
    assert time.monotonic() - start > 25
    await again.done()
    await reader.aclose()
    await log.close()


def test_closed_keys_fade():
    """A closed work key is gone after an hour (virtual time), others stay."""

    async def main():
        log = MemoryStore().connect("a")
        await log.append("work.x.P-1", b"")
        await log.append("work.x.P-2", b"open")
        await asyncio.sleep(3601)
        await log.append("work.x.P-3", b"open")
        reader = log.follow("work.x.>", latest=True)
        assert [e.subject for e in await take(reader, 2)] == ["work.x.P-2", "work.x.P-3"]

    virtual_time.run(main())


async def test_readers_survive_a_kill(rig):
    """After a kill with the store intact a follower and a durable reader go on; each connection's hooks are called."""
    a, b, hooks = await rig.connect("a"), await rig.connect("b"), []
    again = asyncio.Event()
    b.on_connect(lambda: (hooks.append("b"), len(hooks) > 1 and again.set()))
    for n in range(3):
        await a.append("facts.x", str(n).encode())
    reader, durable = b.follow("facts.x"), b.consume("facts.x", "ledger")
    await take(reader, 3)
    for d in await take(durable, 3):
        await d.done()
    await rig.outage()
    await asyncio.wait_for(again.wait(), 20)
    await append_surely(a, "facts.x", b"3")
    heard: list[Entry] = []
    while not heard or heard[-1].payload != b"3":
        heard += await take(reader, 1)
    delivered = []
    while not delivered or delivered[-1] != b"3":
        (d,) = await take(durable, 1)
        delivered.append(d.entry.payload)
        await d.done()
    assert hooks == ["b", "b"]
    await reader.aclose()
    await durable.aclose()


async def test_a_lost_store_is_survived(rig):
    """With its whole store gone the server has streams again, hooks are called, and readers hear what is sent anew."""
    a, b = await rig.connect("a"), await rig.connect("b")
    again = asyncio.Event()
    for n in range(3):
        await a.append("facts.x", str(n).encode())
        await a.append(f"work.x.P-{n}", b"open")
    reader, keys, durable = b.follow("facts.x"), b.follow("work.x.>", latest=True), b.consume("facts.x", "ledger")
    await take(reader, 3)
    await take(keys, 3)
    for d in await take(durable, 3):
        await d.done()
    first = []
    b.on_connect(lambda: again.set() if first else first.append(1))
    await rig.outage(lose_store=True)
    await asyncio.wait_for(again.wait(), 20)
    assert await append_surely(a, "facts.x", b"anew") == 1
    await append_surely(a, "work.x.P-9", b"open")
    assert [e.payload for e in await take(reader, 1)] == [b"anew"]
    assert [e.subject for e in await take(keys, 1)] == ["work.x.P-9"]
    (d,) = await take(durable, 1)
    assert d.entry.payload == b"anew"
    await d.done()
    for r in (reader, keys, durable):
        await r.aclose()


async def test_request_and_serve(rig):
    """Requests are answered one at a time and in order; nobody, silence and failure are `Unavailable` and say which."""
    a, b, order = await rig.connect("a"), await rig.connect("b"), []
    with pytest.raises(Unavailable, match=r"ops\.x: nobody serves it"):
        await a.request("ops.x", b"?")

    async def handler(payload: bytes) -> bytes:
        if payload == b"fail":
            raise KeyError("robot r1")
        if payload == b"hang":
            await asyncio.Event().wait()
        order.append(("in", payload))
        await asyncio.sleep(0)
        order.append(("out", payload))
        return payload.upper()

    await b.serve("ops.x", handler)
    answers = await asyncio.gather(*(a.request("ops.x", str(n).encode()) for n in range(20)))
    assert answers == [str(n).encode() for n in range(20)]
    assert order == [(way, str(n).encode()) for n in range(20) for way in ("in", "out")]
    with pytest.raises(Unavailable, match="robot r1"):
        await a.request("ops.x", b"fail")
    assert await a.request("ops.x", b"pause") == b"PAUSE"
    with pytest.raises(Unavailable, match=r"no answer within 0\.2 s"):
        await a.request("ops.x", b"hang", timeout_s=0.2)


async def test_say_and_hear(rig):
    """What is said reaches whoever listens, in order, and nobody else; an outage does not end the listening."""
    a, b = await rig.connect("a"), await rig.connect("b")
    heard, enough, there = [], asyncio.Event(), asyncio.Event()

    def handler(subject: str, payload: bytes) -> None:
        if payload == b"there?":
            there.set()
            return
        heard.append((subject, payload))
        if len(heard) >= 100:
            enough.set()

    async def reached() -> None:
        """Say it until it is heard: what is said while one of the two is not there is lost, as the port says."""
        there.clear()
        async with asyncio.timeout(20):
            while not there.is_set():
                a.say("poses.x", b"there?")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(there.wait(), 0.2)

    await b.hear("poses.*", handler)
    await reached()
    a.say("fleet.x", b"not for it")
    for n in range(100):
        a.say("poses.x", str(n).encode())
    await asyncio.wait_for(enough.wait(), 10)
    assert heard == [("poses.x", str(n).encode()) for n in range(100)]
    back = [asyncio.Event(), asyncio.Event()]
    for log, event in zip((a, b), back, strict=True):
        calls = []
        log.on_connect(lambda event=event, calls=calls: event.set() if calls else calls.append(1))
    await rig.outage()
    for event in back:
        await asyncio.wait_for(event.wait(), 20)
    await reached()


async def test_a_server_that_is_not_there_is_named():
    """A first connection that cannot be made says where it was tried, and a wrong URL is refused."""
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1.*tried for 0\.5 s"):
        await connect_log("nats://user:secret@127.0.0.1:1", "a", wait_s=0.5)
    with pytest.raises(Rejected, match=r"nats_url.*'host' is not nats://host:port"):
        await connect_log("mqtt://user:secret@host", "a")


async def test_user_and_password(guarded_nats):
    """They stand percent-encoded in the URL; a refusal says so, without the password."""
    await guarded_nats.start()
    log = await connect_log(guarded_nats.nats_url.replace("//", "//me:p%40ss%3Aw%2Frd@"), "a")
    assert await log.append("facts.x", b"1") == 1
    await log.close()
    with pytest.raises(Unavailable, match=r"NATS server nats://127\.0\.0\.1:\d+: .*[Aa]uthorization") as caught:
        await connect_log(guarded_nats.nats_url.replace("//", "//me:wr0ng@"), "a", wait_s=1)
    assert "wr0ng" not in str(caught.value)


async def test_append_to_a_dead_server_is_unavailable(nats_server):
    """What the server did not take within five seconds is said to its owner, who keeps it."""
    await nats_server.start()
    log = await connect_log(nats_server.nats_url, "a")
    nats_server.kill()
    with pytest.raises(Unavailable, match=r"facts\.x: NATS server .* within 5 s"):
        await log.append("facts.x", b"1")
    assert not log.connected
    await log.close()


async def test_closing_ends_the_readers(rig):
    """Readers of a closed log do not wait for ever: they are told."""
    a = await rig.connect("a")
    await a.append("facts.x", b"1")
    follower, durable = a.follow("facts.x"), a.consume("facts.x", "ledger")
    await take(follower, 1)
    await take(durable, 1)
    waiting = [asyncio.create_task(take(r, 1)) for r in (follower, durable)]
    await asyncio.sleep(0)
    await a.close()
    for task in waiting:
        with pytest.raises(Unavailable, match="the log of a is closed"):
            await task


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        ("work.x.>", "work.x.P-1", True),
        ("work.x.>", "work.x", False),
        ("work.*.P-1", "work.x.P-1", True),
        ("work.*", "work.x.P-1", False),
        ("work.x", "work.x", True),
        (">", "work.x", True),
    ],
)
def test_subject_patterns(pattern, subject, expected):
    """NATS's own rules: ``*`` is one token, ``>`` at least one."""
    assert matches(pattern, subject) is expected


async def test_whoever_appends_ends_when_cancelled(rig: Rig) -> None:
    """A cancellation that comes in one turn of the loop with an answer is heard all the same (`asyncio.wait_for`)."""
    log = await rig.connect("busy")
    draw = random.Random(1)

    async def append_for_ever() -> None:
        while True:
            await log.append("work.s.t", b"x")
            await log.last("work.s.t")
            await asyncio.sleep(0)

    for _ in range(300):
        task = asyncio.create_task(append_for_ever())
        await asyncio.sleep(draw.uniform(0.0005, 0.003))
        time.sleep(0.001)  # noqa: ASYNC251 - an answer and the next timer are found in one turn
        await asyncio.sleep(0)
        task.cancel()
        _, still = await asyncio.wait([task], timeout=1)
        task.cancel()
        assert not still
