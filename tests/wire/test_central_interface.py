"""What an integrator relies on: preconditions, quotas, bulk intake, changes of an order, reservations that expire."""

import base64
import gzip
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx

from central.quota import Quota
from contracts.ids import StationId
from contracts.messages.facts import TaskStarted
from contracts.runtime.clock import LoopClock
from deploy.embedded.scratch import ScratchPostgres
from simulators import virtual_time
from tests.wire.central_floor import DUE, START_MS, Floor, ndjson, results, running


def order_lines(*lines: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"line": n, "item": i, "qty": q} for n, (i, q) in enumerate(lines, 1)]


async def test_a_change_needs_the_etag_of_what_was_seen(postgres: ScratchPostgres) -> None:
    """428 without, 412 with an old one, and a fresh one every time; creating needs none."""
    async with running(postgres) as floor:
        made = await floor.erp.put("/v1/items/new1", json={"weight_g": 5})
        shown = await floor.erp.get("/v1/items/new1")
        assert (made.status_code, made.headers["etag"]) == (200, shown.headers["etag"])
        assert (await floor.erp.put("/v1/items/new1", json={"weight_g": 6})).status_code == 428
        old = {"If-Match": shown.headers["etag"]}
        changed = await floor.erp.put("/v1/items/new1", json={"weight_g": 6}, headers=old)
        assert (changed.status_code, changed.headers["etag"] != old["If-Match"]) == (200, True)
        assert (await floor.erp.put("/v1/items/new1", json={"weight_g": 7}, headers=old)).status_code == 412
        assert (await floor.erp.put("/v1/items/new2", json={}, headers=old)).status_code == 412
        await floor.order("A1", ("serv1", 1), release_at="2013-12-02T09:00:00Z")
        assert (await floor.erp.patch("/v1/orders/A1", json={"priority": 3})).status_code == 428
        seen = (await floor.erp.get("/v1/orders/A1")).headers["etag"]
        first = await floor.erp.patch("/v1/orders/A1", json={"priority": 3}, headers={"If-Match": seen})
        assert (first.status_code, first.json()["priority"]) == (200, 3)
        for method, path, body in (("PATCH", "", {"priority": 4}), ("POST", "/cancel", {"reason": "late"})):
            answer = await floor.erp.request(method, f"/v1/orders/A1{path}", json=body, headers={"If-Match": seen})
            assert answer.status_code == 412
        assert (await floor.erp.patch("/v1/orders/none", json={}, headers={"If-Match": "*"})).status_code == 404


async def test_bulk_intake_answers_each_line_and_each_once(postgres: ScratchPostgres) -> None:
    """Good lines are taken in beside bad ones; sent again they are duplicates; stock is reserved in their order."""
    async with running(postgres) as floor:
        await floor.stock(("P0-B0", "part1", 10))

        def body(ref: str, *lines: tuple[str, int]) -> dict[str, Any]:
            return {"ref": ref, "due": DUE, "lines": order_lines(*lines)}

        orders = [
            body("A1", ("part1", 6)), body("A2", ("nothing", 1)), body("A3", ("part1", 6), ("serv1", 1)),
            body("A1", ("part1", 1)), {"ref": "A4"}, body("A5", ("serv1", 2)),
        ]  # fmt: skip
        for outcome in ("created", "duplicate"):
            answer = await floor.erp.post(
                "/v1/orders:bulk", content=ndjson(orders), headers={"Idempotency-Key": "bulk"}
            )
            assert [(r["line"], r["id"], r["outcome"]) for r in results(answer)] == [
                (1, "A1", outcome), (2, "A2", "refused"), (3, "A3", outcome), (4, "A1", "refused"), (5, "", "refused"),
                (6, "A5", outcome),
            ]  # fmt: skip
        assert [r["errors"][0]["field"] for r in results(answer) if r["errors"]] == ["lines/0/item", "ref", "due"]
        assert [(await floor.shown(a))["short"] for a in ("A1", "A3")] == [0, 2]
        assert (await floor.shown("A5"))["state"] == "shipped"
        assert await floor.violations() == []


async def test_what_no_database_and_no_body_can_hold_is_refused_and_never_a_fault(postgres: ScratchPostgres) -> None:
    """Half characters, nesting without end, compressed bodies, lengths that are none, wrong methods and paths."""
    async with running(postgres) as floor:
        good = {"ref": "A1", "due": DUE, "lines": order_lines(("serv1", 1))}
        said = {"Content-Type": "application/json"}
        for n, (status, body, headers) in enumerate((
            (422, json.dumps(good | {"ship_to": "\ud800"}).encode(), {}),
            (422, json.dumps(good | {"ref": "\udfff"}).encode(), {}),
            (422, json.dumps(good | {"priority": float("nan")}).encode(), {}),
            (400, b"[" * 100_000, {}),
            (400, b'{"ref": "\xff"}', {}),
            (400, b'{"priority": ' + b"9" * 5_000 + b"}", {}),
            (415, gzip.compress(json.dumps(good).encode()), {"Content-Encoding": "gzip"}),
            (400, b"{}", {"Content-Length": "many"}),
            (400, b"{}", {"Content-Length": "-5"}),
            (413, b"{}", {"Content-Length": "9" * 15}),
            (400, json.dumps(good).encode(), {"Content-Type": "text/plain"}),
        )):  # fmt: skip
            answer = await floor.erp.post(
                "/v1/orders", content=body, headers=said | {"Idempotency-Key": f"bad-{n}"} | headers
            )
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), body[
                :60
            ]
        assert (await floor.erp.get("/v1/orders")).json()["items"] == []
        half = base64.urlsafe_b64encode(b'[1, "\\ud800"]').decode()
        assert (await floor.erp.get("/v1/orders", params={"cursor": half})).status_code == 422
        assert (await floor.erp.get("/v1/orders/%00")).status_code == 422
        for method, path, status in (
            ("HEAD", "/v1/items/part1", 200), ("HEAD", "/v1/items/none", 404), ("HEAD", "/healthz", 200),
            ("HEAD", "/v1/none", 404), ("POST", "/v1/none", 404), ("DELETE", "/v1/orders", 405),
        ):  # fmt: skip
            answer = await floor.erp.request(method, path, headers={"Accept": "text/event-stream"})
            assert answer.status_code == status, (method, path)
            assert bool(answer.content) is (method != "HEAD")
        seen = await floor.erp.head("/v1/items/part1")
        assert seen.headers["etag"] == (await floor.erp.get("/v1/items/part1")).headers["etag"]


async def test_a_bulk_body_is_answered_line_by_line_whatever_stands_in_it(postgres: ScratchPostgres) -> None:
    """A line without end, one that breaks off, a byte order mark, Windows' ends of line, bytes that are no text."""
    async with running(postgres) as floor:
        lines = [
            b"\xef\xbb\xbf" + json.dumps({"id": "i1"}).encode() + b"\r", b'{"id": "' + b"x" * 150_000 + b'"}',
            b"\xff\xfe", b"", b"[" * 90_000, b'{"id": "i2", "name": "\\ud800"}', b'{"id": "i3"}', b"null",
            b'{"id": "i4", "na',
        ]  # fmt: skip
        body = b"\n".join(lines)

        async def pieces() -> AsyncIterator[bytes]:
            for at in range(0, len(body), 4_000):
                yield body[at : at + 4_000]

        for content in (body, pieces()):
            answer = results(await floor.erp.post("/v1/items:bulk", content=content))
            assert [(r["line"], r["outcome"] == "refused") for r in answer] == [
                (1, False), (2, True), (3, True), (5, True), (6, True), (7, False), (8, True), (9, True),
            ]  # fmt: skip
            assert all(r["errors"][0]["bound"] for r in answer if r["outcome"] == "refused")
        assert [i["id"] for i in (await floor.erp.get("/v1/items")).json()["items"] if i["id"][0] == "i"] == [
            "i1",
            "i3",
        ]


async def patch(floor: Floor, order: str, **change: Any) -> httpx.Response:
    return await floor.erp.patch(f"/v1/orders/{order}", json=change, headers={"If-Match": "*"})


async def test_an_order_changes_as_far_as_it_is_possible_and_ships_as_changed(postgres: ScratchPostgres) -> None:
    """Less, more, a new line, a line less; what is begun stays; the totes that are made for it ship with it."""
    async with running(postgres) as floor:
        await floor.stock(("P0-B0", "part1", 10), ("P0-B1", "part2", 10), ("P1-B0", "part3", 4))
        await floor.order("A1", ("part1", 4), ("part2", 2), ("serv1", 1))
        await floor.until(lambda: "P-T-A1-1-2" in floor.keys)
        begun = floor.keys["P-T-A1-1-1"]
        await floor.say(TaskStarted(begun.task, begun.attempt, StationId("S1"), None))
        refused = await patch(floor, "A1", lines=[{"line": 1, "qty": 3}, {"line": 2, "qty": 9}])
        assert (refused.status_code, refused.json()["errors"][0]["bound"][:10]) == (409, "at least 4")
        for bad in ({"line": 9, "qty": 1}, {"line": 1, "item": "part2", "qty": 5}, {"line": 9, "item": "x", "qty": 1}):
            assert (await patch(floor, "A1", lines=[bad])).status_code == 422
        assert (await floor.shown("A1"))["qty"] == 7
        changed = await patch(
            floor, "A1", priority=7, reason="customer called",
            lines=[{"line": 1, "qty": 6}, {"line": 2, "qty": 0}, {"line": 4, "item": "part3", "qty": 9}],
        )  # fmt: skip
        assert changed.status_code == 200, changed.text
        now = changed.json()
        assert (now["withdrawn_picks"], now["new_totes"], now["priority"]) == (1, 1, 7)
        assert [(x["line"], x["qty"], x["allocated"], x["short"], x["cancelled"]) for x in now["lines"]] == [
            (1, 6, 6, 0, 0), (2, 1, 0, 0, 1), (3, 1, 0, 0, 0), (4, 9, 4, 5, 0),
        ]  # fmt: skip
        assert await floor.violations() == []
        await floor.until(lambda: "P-T-A1-1-2" not in floor.keys and "K-T-A1-2" in floor.keys)
        assert {w.priority for w in floor.keys.values()} == {7}
        for task in ("P-T-A1-1-1", "P-T-A1-2-1", "P-T-A1-2-2"):
            await floor.pick(task)
        for tote in ("T-A1-1", "T-A1-2"):
            await floor.finish_tote(tote)
        shown = await floor.shown("A1")
        assert (shown["state"], shown["shipment"]["pieces"]) == ("shipped", 10)
        late = await patch(floor, "A1", priority=1)
        assert (late.status_code, "is shipped already" in late.json()["detail"]) == (409, True)
        assert await floor.violations() == []


async def test_a_reserved_order_waits_for_its_release_and_gives_up_when_its_time_is_over(
    postgres: ScratchPostgres,
) -> None:
    """Nothing is picked before; released it goes on as any other; expired it is cancelled and its stock is free."""
    async with running(postgres, scale=600) as floor:
        await floor.stock(("P0-B0", "part1", 10))
        until = datetime.fromtimestamp(START_MS / 1000 + 2_400, UTC).isoformat()
        for ref in ("A1", "A2"):
            taken = await floor.order(ref, ("part1", 5), reserve_until=until)
            assert (taken["state"], taken["short"]) == ("allocated", 0)
        released = await floor.erp.post("/v1/orders/A1/release", json={})
        assert (released.status_code, released.json()["state"]) == (200, "released")
        assert (await floor.erp.post("/v1/orders/A1/release", json={})).status_code == 409
        await floor.pick("P-T-A1-1-1")
        await floor.until(lambda: any(e["type"] == "floorplane.order.cancelled" for e in floor.events))
        assert (await floor.shown("A2"))["state"] == "cancelled"
        assert (await floor.erp.get("/v1/items/part1/stock")).json()["available"] == 5
        assert not [t for t, opened in floor.history if "A2" in t and opened]
        assert await floor.violations() == []


async def test_every_answer_tells_the_quota(postgres: ScratchPostgres) -> None:
    """RateLimit headers beside the answer."""
    async with running(postgres) as floor:
        told = (await floor.erp.get("/v1/orders")).headers
        assert told["ratelimit-policy"] == '"client";q=20000;w=10'
        assert told["ratelimit"].startswith('"client";r=1999')


def test_a_bucket_is_emptied_and_fills_with_time() -> None:
    """Ten requests at once, then one each half second; another client has its own."""

    async def live() -> None:
        clock = LoopClock(0)
        quota = Quota(clock, 2, 5)
        taken = [quota.take("a") for _ in range(11)]
        assert [t.allowed for t in taken if t] == [True] * 10 + [False]
        assert taken[-1] is not None
        assert (taken[-1].remaining, taken[-1].reset_s) == (0, 1)
        other = quota.take("b")
        assert other is not None
        assert other.allowed
        await clock.sleep(1.0)
        assert [t.allowed for t in (quota.take("a") for _ in range(3)) if t] == [True, True, False]
        assert Quota(clock, 0, 5).take("a") is None

    virtual_time.run(live())
