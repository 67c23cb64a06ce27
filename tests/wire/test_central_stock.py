"""Stock over time and by two people: cards, past days, adjustments, counts; over REST, on a real PostgreSQL."""

from datetime import UTC, datetime

import pytest

from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import Floor, ndjson, results, running

MOVES = [  # at, from, to, qty
    ("2013-09-10", "supplier", "P0-B0", 100),
    ("2013-10-05", "P0-B0", "adjustment", 10),
    ("2013-10-20", "P0-B0", "P0-B1", 30),
    ("2013-11-30", "P0-B1", "customer", 5),
]


async def post_past(floor: Floor) -> None:
    """Moves of past months, and the stock that they sum up to."""
    for n, (day, a, b, qty) in enumerate(MOVES):
        at = datetime.fromisoformat(day).replace(hour=12, tzinfo=UTC)
        await floor.rows(
            "SELECT post($1, $2, $3, 'part1', $4, 'test', NULL, NULL, NULL, 'me', $5)", at, a, b, qty, f"past-{n}"
        )
    await floor.rows("INSERT INTO stock (place, item, qty) VALUES ('P0-B0', 'part1', 60), ('P0-B1', 'part1', 25)")


async def stock_at(floor: Floor, day: str, **more: str) -> dict[str, int]:
    """Page by page, one row a page."""
    found: dict[str, int] = {}
    while True:
        answer = await floor.erp.get("/v1/stock", params={"as_of": day, "limit": "1", **more})
        assert answer.status_code == 200, answer.text
        found |= {r["place"]: r["qty"] for r in answer.json()["items"]}
        if answer.json()["next"] is None:
            return found
        more["cursor"] = answer.json()["next"]


async def test_stock_of_past_days_is_the_same_whether_month_ends_are_kept_or_not(postgres: ScratchPostgres) -> None:
    """Also with a move that is posted late, for a day before a month end that was kept already."""
    days = {
        "2013-09-09": {},
        "2013-09-10": {"P0-B0": 100},
        "2013-10-05": {"P0-B0": 90},
        "2013-10-31": {"P0-B0": 60, "P0-B1": 30},
        "2013-11-29": {"P0-B0": 60, "P0-B1": 30},
        "2013-12-24": {"P0-B0": 60, "P0-B1": 25},
    }
    async with running(postgres) as floor:
        await post_past(floor)
        for day, held in days.items():
            assert await stock_at(floor, day) == held
        upto = (await floor.rows("SELECT settled_seq() AS seq"))[0]["seq"]
        assert (await floor.rows("SELECT keep_months('2013-12-10', $1) AS n", upto))[0]["n"] == 3
        for day, held in days.items():
            assert await stock_at(floor, day) == held
            assert await stock_at(floor, day, item="part1") == held
        await floor.rows(
            "SELECT post('2013-10-10', 'supplier', 'P1-B0', 'part1', 7, 'late', NULL, NULL, NULL, 'me', 'late')"
        )
        await floor.rows("INSERT INTO stock (place, item, qty) VALUES ('P1-B0', 'part1', 7)")
        assert await stock_at(floor, "2013-10-09") == {"P0-B0": 90}
        assert await stock_at(floor, "2013-10-31", item="part1") == {"P0-B0": 60, "P0-B1": 30, "P1-B0": 7}
        assert await stock_at(floor, "2013-12-24") == {"P0-B0": 60, "P0-B1": 25, "P1-B0": 7}
        # by status, also after another month end is kept
        await floor.rows(
            "SELECT post('2013-11-05', 'P0-B0', 'P0-B0', 'part1', 10, 'hold', NULL, NULL, NULL, 'me', 'held', '', NULL,"
            " 'ok', 'hold')"
        )
        await floor.rows("UPDATE stock SET qty = qty - 10 WHERE place = 'P0-B0'")
        await floor.rows("INSERT INTO stock (place, item, qty, status) VALUES ('P0-B0', 'part1', 10, 'hold')")
        for _ in range(2):
            assert await stock_at(floor, "2013-11-04", status="hold") == {}
            for which in ({}, {"item": "part1"}):
                assert await stock_at(floor, "2013-11-29", status="hold", **which) == {"P0-B0": 10}
                assert (await stock_at(floor, "2013-11-29", status="ok", **which))["P0-B0"] == 50
            upto = (await floor.rows("SELECT settled_seq() AS seq"))[0]["seq"]
            await floor.rows("SELECT keep_months('2014-01-10', $1)", upto)
        assert await floor.violations() == []
        await floor.rows("UPDATE stock_then SET qty = qty + 1 WHERE place = 'P0-B0' AND at > '2013-11-01'")
        assert {v.name for v in await floor.violations()} == {"a kept month end is the sum of moves"}


async def test_a_card_shows_every_move_with_the_balance_after_it(postgres: ScratchPostgres) -> None:
    """Page by page, the newest first; moves within the floor change nothing."""
    async with running(postgres) as floor:
        await post_past(floor)
        seen, cursor = [], None
        while True:
            answer = await floor.erp.get(
                "/v1/items/part1/card", params={"limit": 3} | ({"cursor": cursor} if cursor else {})
            )
            seen += answer.json()["items"]
            cursor = answer.json()["next"]
            if cursor is None:
                break
        assert [(m["to_place"], m["change"], m["balance"]) for m in seen] == [
            ("customer", -5, 85), ("P0-B1", 0, 90), ("adjustment", -10, 90), ("P0-B0", 100, 100),
        ]  # fmt: skip
        assert (await floor.erp.get("/v1/items/none/card")).status_code == 404
        assert (await floor.erp.get("/v1/items/part2/card")).json() == {"items": [], "next": None}


@pytest.mark.parametrize("cursor", ["x", "W10=", "WyJhIiwyLDNd", "WzEsLTEsMl0="])
async def test_a_foreign_cursor_is_refused(postgres: ScratchPostgres, cursor: str) -> None:
    """422, whatever is in it."""
    async with running(postgres) as floor:
        for path in ("/v1/items/part1/card", "/v1/stock"):
            assert (await floor.erp.get(path, params={"cursor": cursor})).status_code == 422


async def book(floor: Floor, key: str, qty: int, reason: str = "found") -> str:
    line = {"place": "P0-B0", "item": "part1", "qty": qty, "reason": reason, "key": key}
    answer = await floor.erp.post("/v1/stock:bulk", content=ndjson([line]), headers={"Idempotency-Key": key})
    outcome: str = results(answer)[0]["outcome"]
    return outcome


async def test_above_the_limit_a_second_person_decides_and_never_the_same(postgres: ScratchPostgres) -> None:
    """Nothing is booked before; approved it is booked once, refused never; the books agree."""
    async with running(postgres) as floor:
        await floor.stock(("P0-B0", "part1", 5_000))
        assert [await book(floor, "big", 2_000), await book(floor, "big", 2_000)] == ["pending", "duplicate"]
        assert await book(floor, "small", 1_000) == "posted"
        assert await book(floor, "no", -3_000) == "pending"
        pending = (await floor.supervisor.get("/v1/adjustments", params={"state": "pending"})).json()["items"]
        assert [(a["qty"], a["asked_by"]) for a in pending] == [(-3_000, "erp"), (2_000, "erp")]
        no, big = (a["id"] for a in pending)
        why = {"reason": "counted twice"}
        assert (await floor.erp.post(f"/v1/adjustments/{big}/approve", json=why)).status_code == 403
        assert (await floor.supervisor.post("/v1/adjustments/999/approve", json=why)).status_code == 404
        for action, number, state in (("approve", big, "approved"), ("refuse", no, "refused")):
            answer = await floor.supervisor.post(f"/v1/adjustments/{number}/{action}", json=why)
            assert (answer.status_code, answer.json()["state"]) == (200, state)
            assert (await floor.supervisor.post(f"/v1/adjustments/{number}/approve", json=why)).status_code == 409
        assert (await floor.erp.get("/v1/items/part1/stock")).json()["qty"] == 8_000
        line = {"place": "P0-B0", "item": "part1", "qty": 2_000, "reason": "found", "key": "own"}
        own = await floor.supervisor.post("/v1/stock:bulk", content=ndjson([line]), headers={"Idempotency-Key": "own"})
        assert results(own)[0]["outcome"] == "pending"
        number = (await floor.supervisor.get("/v1/adjustments", params={"state": "pending"})).json()["items"][0]["id"]
        same = await floor.supervisor.post(f"/v1/adjustments/{number}/approve", json=why)
        assert (same.status_code, "somebody else must decide" in same.json()["detail"]) == (409, True)
        assert await floor.violations() == []


async def test_a_count_that_finds_no_difference_ends_doubt_and_moves_nothing(postgres: ScratchPostgres) -> None:
    """It is kept as an event; any other reason needs a number other than 0."""
    async with running(postgres) as floor:
        await floor.stock(("P0-B0", "part1", 5))
        await floor.rows("UPDATE stock SET doubt = true")
        assert (await floor.erp.get("/v1/items/part1/stock")).json()["available"] == 0
        assert await book(floor, "none", 0) == "refused"
        assert [await book(floor, "count", 0, "count"), await book(floor, "count", 0, "count")] == [
            "posted",
            "duplicate",
        ]
        assert (await floor.erp.get("/v1/items/part1/stock")).json()["available"] == 5
        await floor.until(lambda: any(e["type"] == "floorplane.stock.counted" for e in floor.events))
        assert await floor.violations() == []
