"""Orders through REST on a real database: what is accepted, what is refused, and what is stored then."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import DUE, Floor, ndjson, results, running

JSON = {"Content-Type": "application/json"}
EMPTY = (
    "SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM order_line) + (SELECT count(*) FROM task)"
    " + (SELECT count(*) FROM reservation) + (SELECT count(*) FROM event) + (SELECT count(*) FROM idempotency) AS n"
)


@pytest.fixture
async def floor(postgres: ScratchPostgres) -> AsyncIterator[Floor]:
    async with running(postgres) as made:
        yield made


async def nothing_stored(floor: Floor) -> bool:
    reserved = await floor.rows("SELECT COALESCE(sum(reserved), 0) AS n FROM stock")
    return (await floor.rows(EMPTY))[0]["n"] == 0 and reserved[0]["n"] == 0


async def test_an_order_reserves_its_stock_and_is_answered_the_same_again(floor: Floor) -> None:
    """The same key with the same body gives the same answer and has no second effect; with another body it is 422."""
    await floor.stock(("P0-B0", "part1", 10))
    first = await floor.post_order("A-1", ("part1", 4), key="k1")
    again = await floor.post_order("A-1", ("part1", 4), key="k1")
    other = await floor.post_order("A-1", ("part1", 5), key="k1")
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert other.status_code == 422
    assert "k1" in other.json()["detail"]
    assert first.json()["lines"] == [
        {"line": 1, "item": "part1", "kind": "stock", "qty": 4, "allocated": 4, "done": 0, "short": 0, "cancelled": 0}
    ]
    stock = (await floor.erp.get("/v1/items/part1/stock")).json()
    assert (stock["qty"], stock["reserved"], stock["available"]) == (10, 4, 6)
    assert await floor.violations() == []


async def test_a_request_under_way_with_the_same_key_is_in_conflict(floor: Floor) -> None:
    """While the first request holds the key, a second one is told 409 and stores nothing."""
    holder = await asyncpg.connect(floor.url)
    try:
        async with holder.transaction():
            await holder.execute("SELECT pg_advisory_xact_lock(hashtextextended('erp' || chr(10) || 'k9', 0))")
            answer = await floor.post_order("A-9", ("part1", 1), key="k9")
            assert answer.status_code == 409
            assert answer.headers["content-type"] == "application/problem+json"
            assert await nothing_stored(floor)
    finally:
        await holder.close()
    assert (await floor.post_order("A-9", ("part1", 1), key="k9")).status_code == 201


async def test_an_unknown_part_is_named_and_nothing_is_stored(floor: Floor) -> None:
    """The fourth line's unknown part is named as lines/3/item."""
    await floor.stock(("P0-B0", "part1", 10))
    answer = await floor.post_order("A-1", ("part1", 1), ("part2", 1), ("serv1", 1), ("part9999", 1))
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["errors"] == [{"field": "lines/3/item", "value": "part9999", "bound": "an item of the item master"}]
    assert problem["status"] == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert await nothing_stored(floor)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"lines": [{"line": 1, "item": "part1", "qty": -3}]}, "lines/0/qty"),
        ({"lines": [{"line": 1, "item": "part1", "qty": 0}]}, "lines/0/qty"),
        ({"lines": [{"line": 1, "item": "part1", "qty": 100_001}]}, "lines/0/qty"),
        ({"lines": [{"line": 1, "item": "part1", "qty": 10**40}]}, "lines/0/qty"),
        ({"lines": [{"line": 1, "item": "part1", "qty": 1.5}]}, "lines/0/qty"),
        ({"lines": [{"line": 1, "item": "part1", "qty": "2"}]}, "lines/0/qty"),
        ({"lines": [{"line": 1, "item": "part1", "qty": True}]}, "lines/0/qty"),
        ({"lines": [{"line": 1, "item": "part1"}]}, "lines/0/qty"),
        ({"lines": [{"line": 1, "item": "", "qty": 1}]}, "lines/0/item"),
        ({"lines": [{"line": 1, "item": "a\u0000b", "qty": 1}]}, "lines/0/item"),
        ({"lines": []}, "lines"),
        ({"lines": [{"line": n + 1, "item": "part1", "qty": 1} for n in range(501)]}, "lines"),
        ({"lines": [{"line": 1, "item": "part1", "qty": 1}, {"line": 1, "item": "part1", "qty": 1}]}, "lines/1/line"),
        ({"ref": ""}, "ref"),
        ({"ref": "x" * 65}, "ref"),
        ({"due": "tomorrow"}, "due"),
        ({"due": "2013-12-02T16:00:00"}, "due"),
        ({"due": None}, "due"),
        ({"priority": 10}, "priority"),
    ],
)
async def test_a_value_out_of_bounds_is_named_and_nothing_is_stored(
    floor: Floor, change: dict[str, Any], field: str
) -> None:
    """The problem names the field and its bound."""
    await floor.stock(("P0-B0", "part1", 1_000))
    answer = await floor.post_order("A-1", ("part1", 1), **change)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert field in [e["field"] for e in answer.json()["errors"]]
    assert all(e["bound"] for e in answer.json()["errors"])
    assert await nothing_stored(floor)


async def test_every_error_is_a_problem(floor: Floor) -> None:
    """Malformed body 400, no or wrong token 401, role 403, unknown 404, method 405, size 413, no key 422."""
    key = {"Idempotency-Key": "k"}
    body = {"ref": "A", "due": DUE, "lines": [{"line": 1, "item": "part1", "qty": 1}]}
    answers = {
        400: await floor.erp.post("/v1/orders", content=b'{"ref": "A", ', headers=key | JSON),
        401: await floor.nobody.post("/v1/orders", json=body, headers=key),
        403: await floor.device.post("/v1/orders", json=body, headers=key),
        404: await floor.erp.get("/v1/orders/none-such"),
        405: await floor.erp.delete("/v1/orders"),
        413: await floor.erp.post("/v1/orders", content=b"x" * 1_000_001, headers=key),
        422: await floor.erp.post("/v1/orders", json=body),
    }
    for status, answer in answers.items():
        assert answer.status_code == status, (status, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
        assert answer.json()["title"]
    assert "Idempotency-Key".lower() in answers[422].json()["errors"][0]["field"].lower()
    wrong = await floor.nobody.post("/v1/orders", json=body, headers=key | {"Authorization": "Bearer wrong"})
    assert wrong.status_code == 401
    assert wrong.headers["www-authenticate"] == "Bearer"
    not_json = await floor.erp.post("/v1/orders", content=b"\xff\xfe", headers=key | JSON)
    assert not_json.status_code == 400
    untyped = await floor.erp.post("/v1/orders", content=b"{}", headers=key)
    assert untyped.status_code == 400
    assert "Content-Type" in untyped.json()["detail"]
    no_object = await floor.erp.post("/v1/orders", content=b"[1]", headers=key | JSON)
    assert no_object.status_code == 422
    unknown = await floor.erp.get("/v1/none-such")
    assert unknown.status_code == 404
    assert await nothing_stored(floor)


async def test_a_streamed_body_without_a_length_is_limited_too(floor: Floor) -> None:
    """The limit counts what arrives, not what was announced."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * 10_000

    answer = await floor.erp.post("/v1/orders", content=endless(), headers={"Idempotency-Key": "k"})
    assert answer.status_code == 413


async def test_a_ref_is_taken_once_per_source(floor: Floor) -> None:
    """The same ref under a new key is 409; of another source it is another order with another id."""
    await floor.order("A-1", ("part1", 1))
    again = await floor.post_order("A-1", ("part1", 1), key="other")
    assert again.status_code == 409
    assert again.json()["errors"][0]["field"] == "ref"
    elsewhere = await floor.order("A-1", ("part1", 1), key="third", source="shop")
    assert elsewhere["id"] != "A-1"
    assert (await floor.shown(elsewhere["id"]))["source"] == "shop"


async def test_foreign_refs_become_ids_that_fit_everywhere(floor: Floor) -> None:
    """Spaces, dots and length do not reach a topic; the ref stays what it was."""
    await floor.stock(("P0-B0", "part1", 10))
    for ref in ("Auftrag 7/2013", "x" * 64, "ß.>*"):
        taken = await floor.order(ref, ("part1", 1), key=f"k-{len(ref)}")
        shown = await floor.shown(taken["id"])
        assert shown["ref"] == ref
        assert all(len(t["id"]) <= 64 for t in shown["tasks"])


async def test_what_is_not_there_is_short_at_once_and_said(floor: Floor) -> None:
    """Three of five are there: three are reserved, two short, and the ERP hears of it."""
    await floor.stock(("P0-B0", "part1", 2), ("P1-B0", "part1", 1))
    taken = await floor.order("A-1", ("part1", 5))
    assert (taken["lines"][0]["allocated"], taken["lines"][0]["short"], taken["short"]) == (3, 2, 2)
    await floor.until(lambda: any(e["type"] == "floorplane.order.received" for e in floor.events))
    event = next(e for e in floor.events if e["type"] == "floorplane.order.received")
    assert event["specversion"] == "1.0"
    assert event["subject"] == "A-1"
    line = {"line": 1, "item": "part1", "qty": 5, "allocated": 3, "done": 0, "short": 2, "cancelled": 0}
    assert event["data"]["lines"] == [line]
    assert await floor.violations() == []


async def test_bins_are_chosen_few_and_always_the_same(floor: Floor) -> None:
    """The smallest bin that has all of it; else the fullest first; among equals the first by name."""
    await floor.stock(("P0-B0", "part1", 5), ("P0-B1", "part1", 9), ("P0-B2", "part1", 5), ("P1-B0", "part1", 30))
    await floor.order("A", ("part1", 5))
    await floor.order("B", ("part1", 8))
    await floor.order("C", ("part1", 33))
    picks = [
        (t["tote"], t["bin"], t["qty"])
        for ref in "ABC"
        for t in (await floor.shown(ref))["tasks"]
        if t["kind"] == "pick"
    ]
    assert picks == [("T-A-1", "P0-B0", 5), ("T-B-1", "P0-B1", 8), ("T-C-1", "P0-B2", 3), ("T-C-1", "P1-B0", 30)]


async def test_a_large_line_is_spread_over_totes(floor: Floor) -> None:
    """1,305 pieces of one litre and one pound need 27 totes of 60 l and 25 kg, each with its own convey and pack."""
    await floor.stock(("P0-B0", "part1", 1_305))
    taken = await floor.order("BIG", ("part1", 1_305))
    assert taken["totes"] == 27
    shown = await floor.shown("BIG")
    assert sum(t["qty"] for t in shown["tasks"] if t["kind"] == "pick") == 1_305
    assert max(t["qty"] for t in shown["tasks"] if t["kind"] == "pick") == 50
    await floor.until(lambda: len(floor.keys) == 27 * 3)


async def test_bulk_lines_are_judged_one_by_one(floor: Floor) -> None:
    """Good lines are posted, bad ones named; the same request again posts nothing."""
    lines: list[Any] = [
        {"place": "P0-B0", "item": "part1", "qty": 5, "reason": "opening"},
        {"place": "P9-B9", "item": "part1", "qty": 5, "reason": "opening"},
        {"place": "P0-B0", "item": "part77", "qty": 5, "reason": "opening"},
        {"place": "P0-B0", "item": "serv1", "qty": 5, "reason": "opening"},
        {"place": "P0-B0", "item": "part1", "qty": 0, "reason": "opening"},
        {"place": "P0-B0", "item": "part1", "qty": -6, "reason": "scrap"},
        {"place": "P0-B0", "item": "part1", "qty": -1, "reason": "scrap"},
    ]
    body = ndjson(lines) + b'{"place": \n'
    answer = await floor.erp.post("/v1/stock:bulk", content=body, headers={"Idempotency-Key": "b1"})
    outcomes = [(r["line"], r["outcome"], [e["field"] for e in r["errors"]]) for r in results(answer)]
    assert outcomes == [
        (1, "posted", []),
        (2, "refused", ["place"]),
        (3, "refused", ["item"]),
        (4, "refused", ["item"]),
        (5, "refused", ["qty"]),
        (6, "refused", ["qty"]),
        (7, "posted", []),
        (8, "refused", ["line"]),
    ]
    again = await floor.erp.post("/v1/stock:bulk", content=body, headers={"Idempotency-Key": "b1"})
    assert [r["outcome"] for r in results(again)].count("duplicate") == 2
    assert (await floor.erp.get("/v1/items/part1/stock")).json()["qty"] == 4
    assert await floor.violations() == []


async def test_bulk_items_are_judged_one_by_one(floor: Floor) -> None:
    """A barcode that another item has is refused for its own line only; a known id is updated."""
    answer = await floor.erp.post(
        "/v1/items:bulk",
        content=ndjson(
            [
                {"id": "new1", "barcode": "111"},
                {"id": "new2", "barcode": "4000000000001"},
                {"id": "new 3"},
                {"id": "part1", "barcode": "4000000000001", "weight_g": 501, "volume_ml": 1_000},
                {"id": "new1", "barcode": "112"},
            ]
        ),
    )
    assert [(r["line"], r["outcome"]) for r in results(answer)] == [
        (1, "created"), (2, "refused"), (3, "refused"), (4, "updated"), (5, "updated"),
    ]  # fmt: skip
    assert (await floor.erp.get("/v1/items/part1")).json()["weight_g"] == 501
    assert (await floor.erp.get("/v1/items/new2")).status_code == 404
    put = await floor.erp.put("/v1/items/new4", json={"barcode": "112"})
    assert put.status_code == 409
    assert put.json()["errors"][0]["field"] == "barcode"


async def test_lists_are_paged_without_a_gap(floor: Floor) -> None:
    """Following `next` shows each order once; a made-up cursor is refused."""
    for n in range(7):
        await floor.order(f"A{n}", ("serv1", 1))
    seen, cursor = [], None
    while True:
        page = (await floor.erp.get("/v1/orders", params={"limit": 3} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [o["id"] for o in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [f"A{n}" for n in range(7)]
    bad = await floor.erp.get("/v1/orders", params={"cursor": "nonsense"})
    assert bad.status_code == 422
    assert bad.json()["errors"][0]["field"] == "cursor"
    assert (await floor.erp.get("/v1/orders", params={"limit": 501})).status_code == 422
    assert (await floor.erp.get("/v1/orders", params={"state": "picking"})).json()["items"] == []
