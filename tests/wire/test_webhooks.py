"""Events outwards: webhooks that are signed, retried, dead and replayed; a stream that goes on where it broke off."""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

import central
from central.events.asyncapi import document
from central.events.catalogue import CATALOGUE
from central.serve import HttpServer
from central.settings import CentralSettings
from contracts import topics
from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import Floor, running

EVENT = re.compile(r"floorplane\.[a-z]+\.[a-z_]*")


class Receiver:
    """An ERP's HTTP server: answers with the next of `answers`, then 204, and keeps what it got."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.changed = asyncio.Condition()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {k.lower(): v for k, _, v in (h.partition(": ") for h in head[1:] if h)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                status = self.answers.pop(0) if self.answers else 204
                if status == 0:
                    writer.close()
                    return
                async with self.changed:
                    self.got.append((headers, body))
                    self.changed.notify_all()
                location = "location: http://127.0.0.1:1/\r\n" if status == 302 else ""
                writer.write(f"HTTP/1.1 {status} x\r\n{location}content-length: 0\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(condition)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?a=b"
    async with server:
        yield receiver


@pytest.fixture
async def floor(postgres: ScratchPostgres) -> AsyncIterator[Floor]:
    async with running(postgres, scale=1000, webhook_internal=True) as made:
        yield made
        assert await made.violations() == []


async def hook(floor: Floor, url: str, **fields: Any) -> dict[str, Any]:
    answer = await floor.erp.post(
        "/v1/webhooks", json={"url": url} | fields, headers={"Idempotency-Key": f"hook-{url}"}
    )
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def settled(floor: Floor, webhook: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Ask until the webhook is as wanted: the pump writes down what came of a delivery after the receiver has it."""
    async with asyncio.timeout(20):
        while True:
            shown: dict[str, Any] = (await floor.erp.get(f"/v1/webhooks/{webhook}")).json()
            if condition(shown):
                return shown
            await floor.clock.sleep(1)


def verified(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """As a receiver would do it by the Standard Webhooks specification."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    right = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return hmac.compare_digest(right, headers["webhook-signature"])


async def test_events_come_signed_in_order_and_once(floor: Floor) -> None:
    """CloudEvents of the types that were asked for, from the registration on."""
    await floor.order("before", ("serv1", 1))
    async with receiving() as erp:
        made = await hook(floor, erp.url, types=["floorplane.order.*"])
        await floor.stock(("P0-B0", "part1", 3))
        for n in range(3):
            await floor.order(f"O{n}", ("serv1", 1))
        await erp.until(lambda: len(erp.got) == 6)
        assert [(e["type"].rsplit(".", 1)[1], e["subject"]) for e in erp.events] == [
            (kind, f"O{n}") for n in range(3) for kind in ("received", "shipped")
        ]
        for headers, body in erp.got:
            assert verified(made["secret"], headers, body)
            assert not verified(made["secret"], headers, body + b" ")
            assert headers["content-type"].startswith("application/cloudevents+json")
        assert len({headers["webhook-id"] for headers, _ in erp.got}) == 6
        shown = await settled(floor, made["id"], lambda w: w["delivered"] == 6)
        assert (shown["waiting"], shown["dead"], shown["last_outcome"]) == (0, 0, "204")
        assert "secret" not in shown


async def test_a_failed_delivery_is_tried_again_with_back_off_and_the_same_id(floor: Floor) -> None:
    """500, a broken connection and a redirect are failures; the fourth try is taken."""
    async with receiving() as erp:
        erp.answers = [500, 0, 302]
        made = await hook(floor, erp.url)
        await floor.order("O1", ("serv1", 1))
        await settled(floor, made["id"], lambda w: w["delivered"] == 2)
        first = [headers["webhook-id"] for headers, body in erp.got if b"order.received" in body]
        assert len(first) >= 2
        assert len(set(first)) == 1
        rows = await floor.rows("SELECT * FROM webhook_delivery")
        assert rows == []


async def test_what_cannot_be_delivered_is_dead_can_be_read_and_sent_again(floor: Floor) -> None:
    """After the last back-off; the replay delivers it."""
    async with receiving() as erp:
        made = await hook(floor, erp.url, types=["floorplane.order.shipped"])
        await floor.rows("UPDATE webhook SET url = 'http://127.0.0.1:1/nobody' WHERE id = $1", made["id"])
        await floor.order("O1", ("serv1", 1))
        await settled(floor, made["id"], lambda w: w["waiting"] == 1 and w["last_at"] is not None)
        await floor.rows("UPDATE webhook_delivery SET attempts = 8, due_at = '2013-12-01Z'")
        await floor.order("O2", ("serv1", 1))
        shown = await settled(floor, made["id"], lambda w: w["dead"] == 1)
        assert "Connect" in shown["last_outcome"]
        letters = (await floor.erp.get(f"/v1/webhooks/{made['id']}/dead-letters")).json()
        assert [(x["type"], x["subject"]) for x in letters] == [("floorplane.order.shipped", "O1")]
        assert letters[0]["attempts"] > 8  # one more than the last back-off, or two if one was under way just now
        await floor.rows("UPDATE webhook SET url = $2 WHERE id = $1", made["id"], erp.url)
        answer = await floor.erp.post(
            f"/v1/webhooks/{made['id']}/dead-letters:replay", json={}, headers={"Idempotency-Key": "replay"}
        )
        assert answer.json() == {"replayed": 1}
        await settled(floor, made["id"], lambda w: w["delivered"] == 2)
        assert sorted(e["subject"] for e in erp.events) == ["O1", "O2"]
        assert (await floor.erp.delete(f"/v1/webhooks/{made['id']}")).status_code == 204
        assert (await floor.erp.get(f"/v1/webhooks/{made['id']}")).status_code == 404
        await floor.order("O3", ("serv1", 1))
        await floor.until(lambda: any(e["subject"] == "O3" for e in floor.events))
        assert await floor.rows("SELECT * FROM webhook_delivery") == []


async def test_a_receiver_that_is_gone_is_not_called_again(floor: Floor) -> None:
    """410 ends it; a replay begins anew."""
    async with receiving() as erp:
        erp.answers = [410]
        made = await hook(floor, erp.url)
        await floor.order("O1", ("serv1", 1))
        shown = await settled(floor, made["id"], lambda w: not w["active"])
        assert shown["dead"] == 1
        assert len(erp.got) == 1


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://10.1.2.3/x", "https://169.254.169.254/latest",
     "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://0.0.0.0/",
     "http://93.184.216.34/", "https://user:word@93.184.216.34/", "ftp://93.184.216.34/", "https://", "nonsense",
     "https://100.64.0.1/", "https://a..b/", "https://[", "https://host\\x/",
     "https://224.0.0.1/", "https://2130706433/", "https://0x7f.1/"],
)  # fmt: skip
async def test_private_addresses_are_refused(postgres: ScratchPostgres, url: str) -> None:
    """Loopback, private, link-local, wrapped and multicast ones, however they are written; nothing is stored."""
    async with running(postgres) as floor:
        answer = await floor.erp.post("/v1/webhooks", json={"url": url}, headers={"Idempotency-Key": "k"})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "url"
        assert await floor.rows("SELECT * FROM webhook") == []


async def test_an_address_that_became_private_is_not_called(
    postgres: ScratchPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name is looked up at each delivery, and the address that was judged is the one that would be called."""
    async with receiving() as erp, running(postgres, scale=1000) as floor:
        port = int(erp.url.split(":")[2].split("/")[0])
        public = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 443))]
        private = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        answers = [public]

        async def lookup(host: str, *_: Any, **__: Any) -> Any:
            assert host == "erp.example.com"
            return answers.pop(0) if answers else private

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lookup)
        made = await hook(floor, f"https://erp.example.com:{port}/hook")
        await floor.order("O1", ("serv1", 1))
        shown = await settled(floor, made["id"], lambda w: w["last_at"] is not None)
        assert "public address" in shown["last_outcome"]
        assert erp.got == []


async def test_pages_and_streams_tell_everything_once(floor: Floor) -> None:
    """A page leads to the next; a stream that breaks off goes on after the last id that was seen."""
    server = HttpServer(floor.central.app, port=0)
    serving = asyncio.create_task(server.run(), name="test.http")
    await server.ready.wait()
    try:
        await floor.order("O0", ("serv1", 1))
        await floor.until(lambda: any(e["type"].endswith("shipped") for e in floor.events))
        page = (await floor.erp.get("/v1/events", params={"type": "floorplane.order.shipped"})).json()
        assert [e["subject"] for e in page["items"]] == ["O0"]
        empty = (await floor.erp.get("/v1/events", params={"after": page["next"]})).json()
        assert empty["items"] == []
        headers = {"Authorization": floor.erp.headers["Authorization"], "Accept": "text/event-stream"}
        seen: list[tuple[str, str]] = []

        async def read(count: int, **more: str) -> None:
            url = f"{server.url}/v1/events"
            async with (
                httpx.AsyncClient(headers=headers | more, timeout=20) as http,
                http.stream("GET", url, params={"type": "floorplane.order.*", "after": page["next"]}) as answer,
            ):
                assert answer.headers["content-type"].startswith("text/event-stream")
                name = ""
                async for line in answer.aiter_lines():
                    if line.startswith("id: "):
                        name = line[4:]
                    elif line.startswith("data: "):
                        event = json.loads(line[6:])
                        seen.append((name, f"{event['subject']} {event['type'].rsplit('.', 1)[1]}"))
                        if len(seen) == count:
                            return

        reading = asyncio.create_task(read(3), name="test.read")
        for n in (1, 2, 3):
            await floor.order(f"O{n}", ("serv1", 1))
        await asyncio.wait_for(reading, 20)
        reading = asyncio.create_task(read(8, **{"Last-Event-ID": seen[-1][0]}), name="test.read")
        await floor.order("O4", ("serv1", 1))
        await asyncio.wait_for(reading, 20)
        assert [s for _, s in seen] == [f"O{n} {k}" for n in (1, 2, 3, 4) for k in ("received", "shipped")]
        bad = await floor.erp.get("/v1/events", headers={"Last-Event-ID": "x"})
        assert bad.json()["errors"][0]["field"] == "Last-Event-ID"
    finally:
        serving.cancel()
        await asyncio.wait([serving])


async def test_the_asyncapi_document_names_every_topic_and_every_event(floor: Floor) -> None:
    """Each reference leads somewhere; each event type that central's sources name is in the catalogue."""
    answer = await floor.operator.get("/v1/asyncapi.json")
    found = answer.json()
    assert found["asyncapi"] == "3.0.0"
    assert set(found["channels"]) == {row.name for row in topics.TABLE} | {"stream"}
    assert set(found["channels"]["events"]["messages"]) == {kind.type for kind in CATALOGUE}

    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if "$ref" in value else []
            return own + [r for v in value.values() for r in references(v)]
        return [r for v in value for r in references(v)] if isinstance(value, list) else []

    for reference in references(found):
        at = found
        for name in reference.removeprefix("#/").split("/"):
            at = at[name]
    assert document("1") == document("1")
    known = {kind.type for kind in CATALOGUE}
    room = Path(central.__file__).parent
    sources = [p.read_text() for p in sorted(room.rglob("*")) if p.suffix in {".py", ".sql"}]
    said = {name for text in sources for name in EVENT.findall(text)}
    # a name that ends in a dot or an underscore is completed where it is said
    assert {s for s in said - known if not (s[-1] in "._" and any(k.startswith(s) for k in known))} == set()


def test_settings_keep_webhooks_away_from_private_addresses_by_default() -> None:
    """Nobody gets this by accident."""
    assert CentralSettings(database_url="postgresql:///x").webhook_internal is False
