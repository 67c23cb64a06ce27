"""Many at once on the real database: nothing is oversold, nothing happens twice, the books hold; also when full."""

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from central.database import Database
from contracts import topics
from contracts.codec import encode
from contracts.messages.work import Pick
from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import DUE, Floor, ndjson, picked, running

CLIENTS = 16


async def rush(floor: Floor, commands: list[tuple[str, int, int]]) -> dict[str, int]:
    """Send commands from sixteen clients at the same time; what the answers say that stock should be by now."""
    model = {"in": 0, "out": 0, "reserved": 0, "freed": 0}
    waiting = iter(enumerate(commands))

    async def book(n: int, item: int, qty: int) -> None:
        line = {"place": f"P{item % 2}-B0", "item": f"part{item}", "qty": qty, "reason": "found", "key": f"b{n}"}
        answers = await asyncio.gather(
            *(
                floor.erp.post("/v1/stock:bulk", content=ndjson([line]), headers={"Idempotency-Key": f"b{n}"})
                for _ in "ab"
            )
        )
        posted = sum('"posted"' in a.text for a in answers)
        assert posted <= 1, "the same booking was posted twice"
        model["in" if qty > 0 else "out"] += posted * abs(qty)

    async def order(n: int, item: int, qty: int) -> None:
        body = {
            "ref": f"A{n}",
            "due": DUE,
            "lines": [{"line": k, "item": f"part{(item + k) % 3}", "qty": qty} for k in (1, 2)],
        }
        answers = await asyncio.gather(
            *(floor.erp.post("/v1/orders", json=body, headers={"Idempotency-Key": f"a{n}"}) for _ in "ab")
        )
        taken = [a.json() for a in answers if a.status_code == 201]
        assert taken
        assert all(a.status_code in {201, 409} for a in answers)
        assert all(t == taken[0] for t in taken)
        model["reserved"] += sum(x["allocated"] for x in taken[0]["lines"])

    async def cancel(_: int, item: int, qty: int) -> None:
        rows = await floor.rows(
            "SELECT id FROM orders WHERE closed_at IS NULL ORDER BY id OFFSET $1 LIMIT 1", item + qty
        )
        for row in rows:
            answer = await floor.erp.post(f"/v1/orders/{row['id']}/cancel", json={"reason": "rush"})
            assert answer.status_code in {200, 409}

    async def change(_: int, item: int, qty: int) -> None:
        rows = await floor.rows("SELECT id FROM orders WHERE closed_at IS NULL ORDER BY id OFFSET $1 LIMIT 1", item)
        for row in rows:
            answer = await floor.erp.patch(
                f"/v1/orders/{row['id']}", json={"lines": [{"line": 1, "qty": qty}]}, headers={"If-Match": "*"}
            )
            assert answer.status_code in {200, 409}, answer.text

    doing = {"in": book, "out": lambda n, i, q: book(n, i, -q), "order": order, "cancel": cancel, "change": change}

    async def client() -> None:
        for n, (kind, item, qty) in waiting:
            await doing[kind](n, item, qty)

    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(client())
    return model


COMMAND = st.tuples(
    st.sampled_from(["in", "in", "out", "order", "order", "order", "cancel", "change"]),
    st.integers(0, 2),
    st.integers(1, 9),
)


@settings(max_examples=4, deadline=None, derandomize=True)
@given(commands=st.lists(COMMAND, min_size=60, max_size=100))
def test_sixteen_clients_at_once_keep_the_books(
    postgres: ScratchPostgres, commands: list[tuple[str, int, int]]
) -> None:
    """Random commands, each sent twice at the same time: once in effect, and the answers add up to the stock."""

    async def live() -> None:
        async with running(postgres, connections=CLIENTS) as floor:
            model = await rush(floor, commands)
            held = await floor.rows(
                "SELECT COALESCE(sum(qty), 0) AS qty, COALESCE(sum(reserved), 0) AS reserved FROM stock"
            )
            assert held[0]["qty"] == model["in"] - model["out"]
            assert held[0]["reserved"] <= held[0]["qty"]
            claimed = await floor.rows("SELECT COALESCE(sum(qty), 0) AS qty FROM reservation")
            assert claimed[0]["qty"] == held[0]["reserved"]
            assert await floor.violations() == []

    asyncio.run(live())


@pytest.mark.slow
async def test_twelve_thousand_attempts_on_ten_thousand_units_oversell_none(postgres: ScratchPostgres) -> None:
    """Sixteen writers; every unit is given once, and the last two thousand get nothing."""
    async with running(postgres) as floor:
        await floor.stock(("P0-B0", "part1", 4_000), ("P0-B1", "part1", 3_000), ("P1-B0", "part1", 3_000))
        database = Database(floor.url, connections=CLIENTS)
        await database.open()
        waiting, got = iter(range(12_000)), 0

        async def writer() -> None:
            nonlocal got
            for _ in waiting:
                rows = await database.write("SELECT * FROM reserve('part1', 1)")
                got += len(rows)

        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(writer())
        await database.close()
        assert got == 10_000
        rows = await floor.rows("SELECT sum(qty) AS qty, sum(reserved) AS reserved FROM stock")
        assert tuple(rows[0]) == (10_000, 10_000)


async def test_every_fact_ten_times_has_the_effect_of_one(postgres: ScratchPostgres) -> None:
    """In any order, under the same number: the ledger, the stock and the shipment are those of one."""
    async with running(postgres) as floor:
        await floor.stock(("P0-B0", "part1", 10), ("P0-B1", "part2", 10))
        await floor.order("A1", ("part1", 4), ("part2", 2))
        await floor.until(lambda: "P-T-A1-1-2" in floor.keys)
        works = [w for w in floor.keys.values() if isinstance(w, Pick)]
        facts = await floor.say(*(picked(w) for w in works))
        again = facts * 10
        random.Random(1).shuffle(again)
        await floor.send(*again)
        await floor.finish_tote("T-A1-1")
        await floor.send(*again)
        for fact in again:
            await floor.dispatcher.append(topics.facts_subject(floor.site.id), encode(fact))
        await floor.say(picked(works[0]))  # a new number, of work that is done
        rows = await floor.rows("SELECT reason, sum(qty) AS qty FROM ledger GROUP BY reason ORDER BY reason")
        assert [tuple(r) for r in rows] == [("opening", 20), ("pick", 6), ("ship", 6)]
        assert (await floor.shown("A1"))["shipment"]["pieces"] == 6
        assert await floor.violations() == []


async def test_a_full_disk_is_507_and_nothing_is_stored(postgres: ScratchPostgres) -> None:
    """The server's own error (53100), given by a trigger: central tells it and goes on when there is room again."""
    full = (
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$"
    )
    async with running(postgres) as floor:
        await floor.stock(("P0-B0", "part1", 10))
        await floor.rows(full)
        await floor.rows("CREATE TRIGGER full_disk BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION full_disk()")
        answer = await floor.post_order("A1", ("part1", 4))
        told: dict[str, Any] = answer.json()
        assert (answer.status_code, told["title"], "No space left" in told["detail"]) == (
            507, "Insufficient Storage", True,
        )  # fmt: skip
        assert (await floor.erp.get("/v1/orders/A1")).status_code == 404
        assert (await floor.erp.get("/v1/items/part1/stock")).json()["reserved"] == 0
        await floor.rows("DROP TRIGGER full_disk ON event")
        assert (await floor.order("A1", ("part1", 4)))["short"] == 0
        assert await floor.violations() == []
