"""Work for hands over REST: leased to one, posted once, given back, withdrawn, undone."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest

from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import Floor, ndjson, results, running

PLACES = """
INSERT INTO place (code, kind)
VALUES ('R1', 'shelf'), ('R2', 'shelf'), ('L1', 'staging'), ('D1', 'dock'), ('U1', 'unit')
"""


@pytest.fixture
async def floor(postgres: ScratchPostgres) -> AsyncIterator[Floor]:
    async with running(postgres) as made:
        await made.rows(PLACES)
        await made.stock(("R1", "part1", 20), ("P0-B0", "part2", 10))
        yield made
        assert await made.violations() == []


async def say(
    floor: Floor, path: str, key: str, client: httpx.AsyncClient | None = None, **body: Any
) -> httpx.Response:
    who = client or floor.operator
    return await who.post(f"/v1/hands{path}", json=body, headers={"Idempotency-Key": key})


async def carried(floor: Floor, key: str, **more: Any) -> dict[str, Any]:
    body = {"from": "R1", "to": "R2", "item": "part1", "qty": 5} | more
    answer = await say(floor, "/moves", key, **body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def held(floor: Floor, place: str) -> dict[str, int]:
    rows = await floor.rows("SELECT status, qty FROM stock WHERE place = $1 AND live ORDER BY status", place)
    return {r["status"]: r["qty"] for r in rows}


async def test_a_person_carries_goods_and_the_books_follow_once(floor: Floor) -> None:
    """The move is posted with its task, the same key posts nothing more, and an item is known by its barcode."""
    made = await carried(floor, "m1", item="4000000000001", person="anna")
    assert (made["state"], made["done_qty"], made["done_by"], made["item"]) == ("done", 5, "anna", "part1")
    assert await carried(floor, "m1", item="4000000000001", person="anna") == made
    assert (await held(floor, "R1"), await held(floor, "R2")) == ({"ok": 15}, {"ok": 5})
    (row,) = await floor.rows("SELECT * FROM ledger WHERE reason = 'move'")
    assert (row["a"], row["b"], row["qty"], row["actor"], row["task"]) == ("R1", "R2", 5, "anna", made["id"])
    assert made["moves"] == [row["seq"]]
    await floor.until(lambda: any(e["type"] == "floorplane.hands.done" for e in floor.events))


async def test_what_cannot_be_carried_is_refused_in_words(floor: Floor) -> None:
    """The answer names the field, or says what the books have; nothing is changed."""
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"item": "nothing"}, 422, "item"),
        ({"item": "serv1"}, 422, "kept in stock"),
        ({"to": "customer"}, 422, "to"),
        ({"from": "nowhere"}, 422, "from"),
        ({"to": "R1"}, 422, "another place"),
        ({"qty": 21}, 409, "not so many are free in R1"),
        ({"lot": "L7"}, 409, "not so many are free in R1"),
        ({"status": "damaged"}, 409, "not so many are free in R1"),
    ]
    for n, (more, status, why) in enumerate(cases):
        body = {"from": "R1", "to": "R2", "item": "part1", "qty": 5} | more
        answer = await say(floor, "/moves", f"bad-{n}", **body)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), more
        assert why in answer.text
    assert await held(floor, "R1") == {"ok": 20}
    assert await floor.rows("SELECT FROM hand_task") == []


async def test_the_most_urgent_task_is_leased_to_one_person(floor: Floor) -> None:
    """By priority, then by due time; of the kinds that were asked for; whoever comes when all are taken gets none."""
    for key, priority in (("a", 0), ("b", 5), ("c", 1)):
        await carried(floor, key, later=True, priority=priority)
    assert (await say(floor, "/next", "n0", kinds=["putaway"])).status_code == 204
    got = await asyncio.gather(*(say(floor, "/next", f"n{n}", kinds=["move"], person=f"p{n}") for n in range(1, 6)))
    leased = [a.json() for a in got if a.status_code == 200]
    assert sorted(t["priority"] for t in leased) == [0, 1, 5]
    assert len({t["id"] for t in leased}) == 3
    assert [a.status_code for a in got].count(204) == 2
    assert all(t["attempt"] == 1 and t["state"] == "leased" for t in leased)
    assert [a["field"] for a in leased[0]["asks"]] == ["source", "item", "qty", "target"]
    first = leased[0]["person"]
    again = await say(floor, "/next", f"n{first[1:]}", kinds=["move"], person=first)
    assert again.json() == leased[0]
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_a_confirmation_counts_for_its_attempt_only(floor: Floor) -> None:
    """After the lease has run out somebody else has it; what the first one confirms is refused and posts nothing."""
    task = (await carried(floor, "a", later=True))["id"]
    first = (await say(floor, "/next", "n1", kinds=["move"], person="anna")).json()
    await floor.rows("UPDATE hand_task SET lease_until = '2000-01-01'")
    assert (await floor.operator.get(f"/v1/hands/{task}")).json()["state"] == "open"
    second = (await say(floor, "/next", "n2", kinds=["move"], person="ben")).json()
    assert (first["attempt"], second["attempt"], second["id"]) == (1, 2, task)
    late = await say(floor, f"/{task}/confirm", "c1", attempt=1, person="anna", qty=5)
    assert (late.status_code, "attempt 2" in late.json()["detail"]) == (409, True)
    assert await held(floor, "R2") == {}
    done = await say(
        floor, f"/{task}/confirm", "c2", attempt=2, person="ben", qty=4, source="R1", item="part1", target="R2"
    )
    assert (done.status_code, done.json()["done_by"], done.json()["done_qty"]) == (200, "ben", 4), done.text
    twice = await say(floor, f"/{task}/confirm", "c3", attempt=2, person="ben", qty=4)
    assert (twice.status_code, "is done" in twice.json()["detail"]) == (409, True)
    assert await held(floor, "R2") == {"ok": 4}


async def test_a_wrong_scan_is_refused_and_the_lease_stays(floor: Floor) -> None:
    """Another item, another place, too many: each said; then the right one is taken."""
    task = (await carried(floor, "a", later=True))["id"]
    await say(floor, f"/{task}/lease", "l", person="anna")
    for n, (more, why) in enumerate((
        ({"item": "4000000000002"}, "wrong item"), ({"source": "R2"}, "wrong place"), ({"target": "L1"}, "wrong place"),
        ({"qty": 6}, "not 6"), ({"item": "zzz"}, "not known"), ({"person": "ben"}, "hands of anna"),
        ({"qty": 0}, "missing"),
    )):  # fmt: skip
        answer = await say(floor, f"/{task}/confirm", f"c{n}", **({"attempt": 1, "qty": 5} | more))
        assert (answer.status_code, why in answer.json()["detail"]) == (409, True), answer.text
    other = await say(floor, f"/{task}/confirm", "d", floor.device, attempt=1, qty=5)
    assert "hands of anna" in other.json()["detail"]
    assert (await say(floor, f"/{task}/confirm", "e", attempt=1, qty=5)).status_code == 200
    assert (await say(floor, "/nothing/confirm", "f", attempt=1, qty=5)).status_code == 404


async def test_a_task_is_given_back_or_withdrawn(floor: Floor) -> None:
    """Given back it is open and its old attempt is void; withdrawn it is nobody's, and the audit says why."""
    task = (await carried(floor, "a", later=True))["id"]
    await say(floor, f"/{task}/lease", "l1")
    assert (await say(floor, f"/{task}/release", "r1", floor.device, attempt=1)).status_code == 409
    assert (await say(floor, f"/{task}/release", "r2", attempt=1, reason="too heavy")).json()["state"] == "open"
    assert (await say(floor, f"/{task}/confirm", "c1", attempt=1, qty=5)).status_code == 409
    assert (await say(floor, f"/{task}/lease", "l2", floor.device, person="ben")).json()["attempt"] == 2
    assert (await say(floor, f"/{task}/lease", "l3")).status_code == 409
    gone = await say(floor, f"/{task}/cancel", "x", reason="not needed")
    assert (gone.json()["state"], gone.json()["reason"]) == ("cancelled", "not needed")
    late = await say(floor, f"/{task}/confirm", "c2", floor.device, attempt=2, qty=5)
    assert (late.status_code, "is cancelled" in late.json()["detail"]) == (409, True)
    (row,) = await floor.rows("SELECT * FROM audit WHERE action = 'hands.cancel'")
    assert (row["subject"], row["reason"]) == (task, "not needed")


async def test_a_done_task_is_taken_back_by_a_row_that_points_back(floor: Floor) -> None:
    """By whoever did it, as long as the pieces are free there; a second time is refused."""
    made = await carried(floor, "a")
    assert (await say(floor, f"/{made['id']}/undo", "u0", floor.device, reason="no")).status_code == 409
    gone = await say(floor, f"/{made['id']}/undo", "u1", reason="wrong shelf")
    assert (gone.status_code, gone.json()["state"]) == (200, "undone"), gone.text
    (row,) = await floor.rows("SELECT * FROM ledger WHERE reverses IS NOT NULL")
    assert (row["reverses"], row["a"], row["b"], row["qty"]) == (made["moves"][0], "R2", "R1", 5)
    assert await held(floor, "R1") == {"ok": 20}
    assert (await say(floor, f"/{made['id']}/undo", "u2", reason="again")).status_code == 409
    told = (await floor.erp.get("/v1/epcis/events")).json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    (declared,) = (e for e in told if "errorDeclaration" in e)
    (corrective,) = declared["errorDeclaration"]["correctiveEventIDs"]
    assert [e["readPoint"]["id"].rsplit(":")[-1] for e in told if e["eventID"] == corrective] == ["R2"]
    other = await carried(floor, "b")
    await carried(floor, "c", **{"from": "R2", "to": "L1", "qty": 1})
    answer = await say(floor, f"/{other['id']}/undo", "u3", reason="wrong shelf")
    assert (answer.status_code, "only 4" in answer.json()["detail"]) == (409, True)
    assert (await floor.operator.get(f"/v1/hands/{other['id']}")).json()["state"] == "done"


async def test_how_urgent_a_task_is_can_be_changed(floor: Floor) -> None:
    """With the ETag that was read, else 412 or 428."""
    task = (await carried(floor, "a", later=True))["id"]
    read = await floor.operator.get(f"/v1/hands/{task}")
    url, tag = f"/v1/hands/{task}", read.headers["ETag"]
    assert (await floor.operator.patch(url, json={"priority": 9})).status_code == 428
    assert (await floor.operator.patch(url, json={"priority": 9}, headers={"If-Match": '"old"'})).status_code == 412
    changed = await floor.operator.patch(url, json={"priority": 9}, headers={"If-Match": tag})
    assert (changed.status_code, changed.json()["priority"]) == (200, 9)
    assert changed.headers["ETag"] not in {"", tag}


async def test_the_list_is_filtered_and_paged(floor: Floor) -> None:
    """Every task once, over pages of two; by kind, state and person; nobody without the role sees it."""
    for n in range(5):
        await carried(floor, f"k{n}", later=n < 3, qty=1)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = (
            await floor.operator.get("/v1/hands", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
        ).json()
        seen += [t["id"] for t in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 5
    for params, count in (({"state": "open"}, 3), ({"state": "done", "person": "operator"}, 2), ({"kind": "count"}, 0)):
        assert len((await floor.device.get("/v1/hands", params=params)).json()["items"]) == count, params
    assert (await floor.erp.get("/v1/hands")).status_code == 403
    assert (await floor.nobody.get("/v1/hands")).status_code == 401


async def test_other_rooms_open_and_cancel_tasks_in_sql(floor: Floor) -> None:
    """An id opens once, a kind that nobody knows is refused, a closed task is not cancelled again."""
    opened = "SELECT open_hand_task('X1', 'move', '2013-12-02', 'part1', 2, 'R1', 'R2', 'why', p_priority => 3) AS x"
    assert [(await floor.rows(opened))[0]["x"] for _ in range(2)] == [True, False]
    with pytest.raises(asyncpg.InvalidParameterValueError, match="juggle"):
        await floor.rows("SELECT open_hand_task('X2', 'juggle', '2013-12-02', 'part1', 2, 'R1', 'R2', 'why')")
    cancelled = "SELECT cancel_hand_task('X1', '2013-12-02', 'done otherwise') AS x"
    assert [(await floor.rows(cancelled))[0]["x"] for _ in range(2)] == [True, False]
    assert await floor.rows("SELECT FROM hand_task WHERE id = 'X2'") == []


async def test_stock_of_one_status_becomes_another_in_place(floor: Floor) -> None:
    """Held pieces are no stock for orders; the ledger says both statuses, and undoing restores them."""
    move = "SELECT move_stock('2013-12-02', $1, $1, $2, '', '', 4, 'hold', 'me', 'k1', 'ok', 'hold') AS x"
    said = [(await floor.rows(move, "P0-B0", "part2"))[0]["x"] for _ in range(2)]
    assert said == ["posted", "duplicate"]
    assert await held(floor, "P0-B0") == {"hold": 4, "ok": 6}
    await floor.order("O1", ("part2", 8))
    assert (await floor.shown("O1"))["order_lines"][0]["short"] == 2
    (seq,) = [r["seq"] for r in await floor.rows("SELECT seq FROM ledger WHERE reason = 'hold'")]
    undone = await floor.supervisor.post(
        f"/v1/ledger/{seq}/reverse", json={"reason": "was fine"}, headers={"Idempotency-Key": "u"}
    )
    assert undone.status_code == 201, undone.text
    assert await held(floor, "P0-B0") == {"ok": 10}
    much = "SELECT move_stock('2013-12-02', $1, 'R2', $2, '', '', 5, 'move', 'me', 'k2') AS x"
    assert (await floor.rows(much, "P0-B0", "part2"))[0]["x"] == "too little"


async def test_a_lot_goes_with_its_pieces_from_the_bin_to_the_customer(floor: Floor) -> None:
    """Two lots of an item are two accounts; a pick takes one of them and the ledger names it, as does its undoing."""
    line = {"place": "P1-B0", "item": "part3", "reason": "opening"}
    body = [line | {"qty": 3, "lot": "L1"}, line | {"qty": 9, "lot": "L2"}, line | {"qty": 5, "status": "quality"}]
    booked = await floor.erp.post("/v1/stock:bulk", content=ndjson(body), headers={"Idempotency-Key": "lots"})
    assert [r["outcome"] for r in results(booked)] == ["posted"] * 3
    shown = (await floor.erp.get("/v1/items/part3/stock")).json()
    assert (shown["qty"], shown["available"]) == (17, 12)
    assert {(r["lot"], r["status"], r["qty"]) for r in shown["rows"]} == {
        ("L1", "ok", 3), ("L2", "ok", 9), ("", "quality", 5),
    }  # fmt: skip
    await floor.order("O1", ("part3", 5))
    await floor.pick("P-T-O1-1-1", 4, "one was broken")
    rows = await floor.rows("SELECT lot, qty, reason, seq FROM ledger WHERE order_id = 'O1' ORDER BY seq")
    assert [(r["lot"], r["qty"], r["reason"]) for r in rows] == [("L2", 4, "pick"), ("L2", 1, "short_pick")]
    undone = await floor.supervisor.post(
        f"/v1/ledger/{rows[1]['seq']}/reverse", json={"reason": "it was there"}, headers={"Idempotency-Key": "u"}
    )
    assert undone.status_code == 201, undone.text
    left = await floor.rows("SELECT lot, qty FROM stock WHERE place = 'P1-B0' AND status = 'ok' ORDER BY lot")
    assert [(r["lot"], r["qty"]) for r in left] == [("L1", 3), ("L2", 5)]
    out = {"place": "P1-B0", "item": "part3", "reason": "scrap", "qty": -2, "status": "quality"}
    booked = await floor.erp.post("/v1/stock:bulk", content=ndjson([out]), headers={"Idempotency-Key": "out"})
    assert [r["outcome"] for r in results(booked)] == ["posted"]


async def test_goods_carried_to_and_fro_at_once_are_never_more_or_less(floor: Floor) -> None:
    """Forty people carry between three places in all directions; who finds too little is told so, nobody else fails."""
    ways = [("R1", "R2"), ("R2", "R1"), ("R1", "L1"), ("L1", "R2"), ("R2", "L1")]

    async def carry(n: int) -> int:
        a, b = ways[n % len(ways)]
        body = {"from": a, "to": b, "item": "part1", "qty": 1 + n % 4}
        return (await say(floor, "/moves", f"fro-{n}", **body)).status_code

    said = await asyncio.gather(*(carry(n) for n in range(40)))
    assert set(said) <= {201, 409}
    assert said.count(201) > 10
    held_now = [sum((await held(floor, p)).values()) for p in ("R1", "R2", "L1")]
    assert sum(held_now) == 20
    assert len(await floor.rows("SELECT FROM ledger WHERE reason = 'move'")) == said.count(201)


async def test_an_order_is_cancelled_while_people_move_its_goods(floor: Floor) -> None:
    """What is reserved stays where it is until the order lets go of it."""
    await floor.stock(("P0-B1", "part4", 6))
    await floor.order("O1", ("part4", 5))
    body = {"from": "P0-B1", "to": "R2", "item": "part4", "qty": 2}
    assert (await say(floor, "/moves", "m1", **body)).status_code == 409
    gone = await floor.supervisor.post(
        "/v1/orders/O1/cancel", json={"reason": "customer called"}, headers={"Idempotency-Key": "x", "If-Match": "*"}
    )
    assert gone.status_code == 200, gone.text
    assert (await say(floor, "/moves", "m2", **body)).status_code == 201
