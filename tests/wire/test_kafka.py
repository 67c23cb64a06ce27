"""Events reach Kafka: librdkafka's mock cluster stands in for brokers."""

import asyncio
import json
from typing import Any

import pytest

from central.settings import CentralSettings
from contracts.errors import Rejected
from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import Floor, running, small_site

pytestmark = pytest.mark.peer


@pytest.fixture
def cluster() -> Any:
    """A mock cluster of three brokers; it lives as long as the producer that made it."""
    kafka = pytest.importorskip("confluent_kafka", reason="needs the extra kafka")
    maker = kafka.Producer({"test.mock.num.brokers": 3, "bootstrap.servers": ""})
    brokers = maker.list_topics(timeout=10).brokers.values()
    yield ",".join(f"{b.host}:{b.port}" for b in brokers)
    maker.flush(1)


def consume(servers: str, topic: str, count: int) -> list[Any]:
    import confluent_kafka

    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": servers, "group.id": "erp", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    got: list[Any] = []
    try:
        for _ in range(300):
            message = consumer.poll(0.1)
            if message is not None and message.error() is None:
                got.append(message)
            if len(got) >= count:
                break
    finally:
        consumer.close()
    return got


async def test_every_event_arrives_with_its_order_as_key(postgres: ScratchPostgres, cluster: str) -> None:
    """CloudEvents in structured mode; one order's events in order in one partition."""
    async with running(postgres, kafka_servers=cluster, kafka_topic="floor.events") as floor:
        for n in range(5):
            await floor.order(f"O{n}", ("serv1", 1))
        got = await asyncio.to_thread(consume, cluster, "floor.events", 10)
        events = [json.loads(m.value()) for m in got]
        for n in range(5):
            mine = [(m.partition(), e) for m, e in zip(got, events, strict=True) if m.key() == f"O{n}".encode()]
            assert [e["type"].rsplit(".", 1)[1] for _, e in mine] == ["received", "shipped"]
            assert len({p for p, _ in mine}) == 1
        assert {e["specversion"] for e in events} == {"1.0"}
        assert dict(got[0].headers())["content-type"].startswith(b"application/cloudevents+json")


async def test_what_happened_while_the_brokers_were_away_arrives(postgres: ScratchPostgres, cluster: str) -> None:
    """The cursor waits; after a restart nothing is missing."""
    from tests.wire.central_floor import migrated_copy

    url, secrets = await migrated_copy(postgres)

    async def live(servers: str, ref: str) -> Floor:
        floor = Floor(url, secrets, 1.0, 4, kafka_servers=servers, kafka_topic="floor.events")
        serving = asyncio.create_task(floor.central.run(), name="test.central")
        hearing = asyncio.create_task(floor.hear(), name="test.hear")
        try:
            await asyncio.wait_for(floor.central.ready.wait(), 20)
            await floor.erp.post("/v1/items:bulk", content=b'{"id": "serv1", "kind": "service"}\n')
            await floor.order(ref, ("serv1", 1))
            await floor.until(lambda: any(e["subject"] == ref for e in floor.events))
            if servers == cluster:
                got = await asyncio.to_thread(consume, cluster, "floor.events", 4)
                assert {m.key() for m in got} == {b"O1", b"O2"}
        finally:
            serving.cancel()
            hearing.cancel()
            await asyncio.wait([serving, hearing])
        return floor

    await live("127.0.0.1:1", "O1")
    await live(cluster, "O2")


def test_without_the_extra_the_setting_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at the first event: at the start."""
    import sys

    from central.service import Central
    from contracts.runtime.log.memory import MemoryStore

    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    settings = CentralSettings(database_url="postgresql://localhost/nowhere", kafka_servers="localhost:9092")

    async def make() -> None:
        from contracts.runtime.clock import LoopClock

        Central(settings, small_site(), MemoryStore().connect("central"), LoopClock())

    with pytest.raises(Rejected, match="floorplane\\[kafka\\]"):
        asyncio.run(make())
