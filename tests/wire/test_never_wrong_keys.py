"""Idempotency-Key on every POST: one effect and the same answer; another body is refused, a request under way too."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from contracts import topics
from contracts.codec import decode, encode
from contracts.messages.ops import OpsAnswer, OpsCommand
from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import DUE, Floor, ndjson, results, running

WITHOUT = {
    "/v1/session": "signing in twice is two sessions",
    "/v1/epcis/events:query": "it only reads",
}
"""POSTs that take no key, and why."""
WHY = {"reason": "a reason"}
EVENT = {
    "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
    "type": "ObjectEvent",
    "eventTime": "2013-12-02T08:00:00Z",
    "eventTimeZoneOffset": "+00:00",
    "action": "OBSERVE",
    "epcList": ["urn:epc:id:sgtin:0614141.107346.2017"],
    "bizStep": "receiving",
}


def document(*events: dict[str, Any]) -> dict[str, Any]:
    bare = [{k: v for k, v in e.items() if k != "@context"} for e in events]
    return {
        "@context": EVENT["@context"], "type": "EPCISDocument", "schemaVersion": "2.0",
        "creationDate": "2013-12-02T08:00:00Z", "epcisBody": {"eventList": bare},
    }  # fmt: skip


def order(ref: str) -> dict[str, Any]:
    return {"ref": ref, "due": DUE, "lines": [{"line": 1, "item": "serv1", "qty": 1}]}


OTHER = EVENT | {"eventTime": "2013-12-02T09:00:00Z"}
CALLS: list[tuple[str, str, Any, Any]] = [
    ("erp", "/v1/orders", order("N1"), order("N2")),
    ("erp", "/v1/orders/A1/cancel", WHY, {"reason": "another"}),
    ("erp", "/v1/orders/A2/release", None, None),
    ("erp", "/v1/transports", {"from": "N2", "to": "N4"}, {"from": "N4", "to": "N2"}),
    ("erp", "/v1/webhooks", {"url": "https://127.0.0.1/hook"}, {"url": "https://127.0.0.1/other"}),
    ("erp", "/v1/epcis/capture", document(EVENT), document(OTHER)),
    ("erp", "/v1/epcis/events", EVENT | {"action": "ADD"}, OTHER),
    ("supervisor", "/v1/adjustments/1/approve", WHY, {"reason": "another"}),
    ("supervisor", "/v1/adjustments/2/refuse", WHY, {"reason": "another"}),
    ("operator", "/v1/alarms/1/acknowledge", WHY, {"reason": "another"}),
    ("operator", "/v1/robots/R1/pause", WHY, {"reason": "another"}),
    ("operator", "/v1/fleet/pause", WHY, {"reason": "another"}),
    ("operator", "/v1/zones/pause", WHY | {"nodes": ["N1"]}, WHY | {"nodes": ["N2"]}),
    ("operator", "/v1/nodes/N1/close", WHY, {"reason": "another"}),
    ("supervisor", "/v1/clients", {"name": "acme", "role": "erp"}, {"name": "acme", "role": "operator"}),
]  # fmt: skip
"""Who asks what, and the other body under the same key (None: it has no body)."""


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def floor(postgres: ScratchPostgres) -> AsyncIterator[Floor]:
    async with running(postgres, adjustment_limit=5, webhook_internal=True) as it:

        async def answer(payload: bytes) -> bytes:
            return encode(OpsAnswer(decode(payload, OpsCommand).id, True, ""))

        await it.dispatcher.serve(topics.ops_subject(it.site.id), answer)
        await it.stock(("P0-B0", "part1", 4), ("P0-B1", "part2", 4))
        for n in (1, 2):
            body = ndjson([{"place": "P0-B2", "item": "part3", "qty": 100 * n, "reason": "found"}])
            answered = await it.erp.post("/v1/stock:bulk", content=body, headers={"Idempotency-Key": f"much-{n}"})
            assert b"pending" in answered.content
        await it.order("A1", ("part1", 1))
        await it.order("A2", ("part2", 1), reserve_until="2199-01-01T00:00:00Z")
        await it.rows("SELECT raise_alarm('2013-12-02', 'k', 'warning', 's', 't', 'r')")
        yield it


async def test_every_post_of_the_document_takes_a_key(floor: Floor) -> None:
    """Whoever adds a POST without one reads this."""
    paths = floor.central.app.openapi()["paths"]
    without = {
        path
        for path, operations in paths.items()
        if "post" in operations
        and not any(p["name"].lower() == "idempotency-key" for p in operations["post"].get("parameters", []))
    }
    assert without == set(WITHOUT)


@pytest.mark.parametrize(("who", "path", "body", "other"), CALLS, ids=[c[1] for c in CALLS])
async def test_the_same_request_again_has_one_effect_and_one_answer(
    floor: Floor, who: str, path: str, body: Any, other: Any
) -> None:
    """While it is under way the key is taken (409); again it is answered from memory; with another body it is 422."""
    client, key = getattr(floor, who), {"Idempotency-Key": f"key{path}"}
    name = (await client.get("/v1/me")).json()["name"]
    connection = await asyncpg.connect(floor.url)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1 || chr(10) || $2, 0))", name, key["Idempotency-Key"]
    )
    under_way = await client.post(path, json=body, headers=key)
    await transaction.rollback()
    await connection.close()
    assert (under_way.status_code, "under way" in under_way.json()["detail"]) == (409, True), under_way.text
    before = await _effects(floor)
    first = await client.post(path, json=body, headers=key)
    assert first.status_code in {200, 201, 202}, first.text
    after = await _effects(floor)
    again = await client.post(path, json=body, headers=key)
    assert again.status_code == first.status_code
    assert again.headers.get("location") == first.headers.get("location")
    if path == "/v1/clients":  # its token is kept nowhere: the new one is told, the old one ends
        assert again.json()["token"] != first.json()["token"]
    else:
        assert again.text == first.text
        assert await _effects(floor) == after
    assert after != before, "it had no effect at all"
    if other is not None:
        refused = await client.post(path, json=other, headers=key)
        assert refused.status_code == 422, refused.text
        assert "another request" in refused.json()["detail"]


async def _effects(floor: Floor) -> list[int]:
    counts = ", ".join(f"(SELECT count(*) FROM {t})" for t in ("event", "audit", "ledger", "epcis_event"))
    return list((await floor.rows(f"SELECT {counts}"))[0])


async def test_a_bulk_body_that_comes_again_late_undoes_nothing(floor: Floor) -> None:
    """Each line is answered as before, but what was changed since stays; another body under the key is 422."""
    shelf = {"code": "SH1", "kind": "shelf"}
    for who, path, old, new in (
        (floor.erp, "/v1/items:bulk", {"id": "thing", "weight_g": 1}, {"id": "thing", "weight_g": 2}),
        (floor.supervisor, "/v1/places:bulk", shelf | {"way": 10}, shelf | {"way": 20}),
    ):
        bad = {"id": "???"}
        first = await who.post(path, content=ndjson([old, bad]), headers={"Idempotency-Key": "bulk-1"})
        assert [r["outcome"] for r in results(first)] == ["created", "refused"], first.text
        second = await who.post(path, content=ndjson([new]), headers={"Idempotency-Key": "bulk-2"})
        assert [r["outcome"] for r in results(second)] == ["updated"]
        again = await who.post(path, content=ndjson([old, bad]), headers={"Idempotency-Key": "bulk-1"})
        assert again.text == first.text
        (shown,) = results(await who.get(path.replace(":bulk", f"/{old.get('id', 'SH1')}")))
        assert {k: shown[k] for k in new} == new
        other = await who.post(path, content=ndjson([new, bad]), headers={"Idempotency-Key": "bulk-1"})
        assert (other.status_code, "another request" in other.json()["detail"]) == (422, True)


async def test_a_booking_under_a_key_of_another_booking_is_refused_and_not_called_a_duplicate(floor: Floor) -> None:
    """Also while the first waits for a second person, and also when it was approved: nothing of the other is booked."""

    async def book(key: str, qty: int) -> str:
        line = {"place": "P1-B0", "item": "part4", "qty": qty, "reason": "found", "key": key}
        answer = await floor.erp.post(
            "/v1/stock:bulk", content=ndjson([line]), headers={"Idempotency-Key": f"{key}{qty}"}
        )
        (result,) = results(answer)
        assert result["outcome"] != "refused" or result["errors"][0]["field"] == "key", result
        return str(result["outcome"])

    assert [await book("little", 3), await book("little", 3), await book("little", 4)] == [
        "posted", "duplicate", "refused",
    ]  # fmt: skip
    assert [await book("much", 500), await book("much", 500), await book("much", 400), await book("much", 4)] == [
        "pending", "duplicate", "refused", "refused",
    ]  # fmt: skip
    (number,) = (
        a["id"] for a in (await floor.supervisor.get("/v1/adjustments")).json()["items"] if a["key"].endswith("/much")
    )
    decided = await floor.supervisor.post(f"/v1/adjustments/{number}/approve", json=WHY)
    assert decided.status_code == 200, decided.text
    assert [await book("much", 500), await book("much", 4)] == ["duplicate", "refused"]
    rows = (await floor.erp.get("/v1/items/part4/stock")).json()["rows"]
    assert [r["qty"] for r in rows] == [503]
    assert await floor.violations() == []


async def test_a_command_that_was_begun_is_asked_for_again_under_the_same_name(floor: Floor) -> None:
    """We died between the dispatcher's deed and our answer: the same id goes out again, for it knows that."""
    key = {"Idempotency-Key": "begun"}
    first = await floor.operator.post("/v1/robots/R1/resume", json=WHY, headers=key)
    await floor.rows("UPDATE idempotency SET status = 0, response = '' WHERE key = 'begun'")
    second = await floor.operator.post("/v1/robots/R1/resume", json=WHY, headers=key)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["id"] == second.json()["id"]
    assert "Idempotency-Replayed" not in second.headers
    third = await floor.operator.post("/v1/robots/R1/resume", json=WHY, headers=key)
    assert (third.json(), third.headers["Idempotency-Replayed"]) == (second.json(), "true")
