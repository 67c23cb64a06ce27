"""One move of every reason there is, and its undoing: by itself, with what it is part of, or why not."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from central.epcis import projection, transformation
from deploy.embedded.scratch import ScratchPostgres
from tests.wire.care_floor import confirm, do, key, lay, next_task, put, say, see, shelves, shipped
from tests.wire.central_floor import Floor, picked, running

ALONE = frozenset({
    "opening", "found", "receipt", "transfer", "receive", "move", "putaway", "replenish", "count", "short_pick", "pick",
    "late_pick", "hold", "quality", "release", "damage", "scrap", "return", "fill", "empty", "transfer_in",
})  # fmt: skip
"""Reversed one by one."""
WHOLE = frozenset({"restock", "regrade", "regrade_from", "regrade_to", "kit", "kit_part", "unkit", "unkit_part"})
"""Undone with the hand task that posted them."""
DOCUMENT = frozenset({"ship", "transfer_out"})
"""Undone with their document."""
NEVER = frozenset({"putback", "lost", "transfer_difference"})
"""What really happened after an order or a transfer had ended: something else is posted instead."""


@pytest.fixture
async def floor(postgres: ScratchPostgres) -> AsyncIterator[Floor]:
    async with running(postgres) as made:
        await shelves(made, "H1", "H2", "H3")
        yield made
        assert await made.violations() == []


async def last(floor: Floor, reason: str) -> Any:
    """The newest row of a reason that undoes nothing."""
    rows = await floor.rows(
        "SELECT * FROM ledger WHERE reason = $1 AND reverses IS NULL ORDER BY seq DESC LIMIT 1", reason
    )
    assert rows, f"nothing was posted as {reason}"
    return rows[0]


async def reverse(floor: Floor, seq: int) -> Any:
    return await floor.supervisor.post(f"/v1/ledger/{seq}/reverse", json={"reason": "a mistake"}, headers=key())


async def alone(floor: Floor, *reasons: str) -> None:
    """Reverse the newest row of each reason."""
    for reason in reasons:
        move = await last(floor, reason)
        answer = await reverse(floor, move["seq"])
        assert answer.status_code == 201, (reason, answer.text)
        made = answer.json()
        assert (made["a"], made["b"], made["reverses"]) == (move["b"], move["a"], move["seq"])


async def by_hand(floor: Floor, task: str, *reasons: str) -> None:
    """See that rows are refused by themselves with the name of their hand task, and undone with it."""
    moves = [await last(floor, reason) for reason in reasons]
    for move in moves:
        answer = await reverse(floor, move["seq"])
        assert (answer.status_code, task in answer.json()["detail"]) == (409, True), answer.text
    await say(floor.supervisor, f"/v1/hands/{task}/undo", {"reason": "a mistake"}, 200)
    for move in moves:
        assert len(await floor.rows("SELECT FROM ledger WHERE reverses = $1", move["seq"])) == 1


async def test_every_reason_is_undone_or_says_what_to_do_instead(floor: Floor) -> None:
    """Each move has its row that points back, and EPCIS its declaration with the corrective event."""
    everything = {*projection._STEPS, *transformation._STEPS, "lost"}
    assert everything == ALONE | WHOLE | DOCUMENT | NEVER
    await booked(floor)
    await came_in(floor)
    await was_ordered(floor)
    await came_back(floor)
    await became_others(floor)
    await went_elsewhere(floor)
    posted = {r["reason"] for r in await floor.rows("SELECT DISTINCT reason FROM ledger WHERE reverses IS NULL")}
    assert posted == everything
    undone = await floor.rows("SELECT l.reason FROM ledger l JOIN ledger r ON r.reverses = l.seq")
    assert {r["reason"] for r in undone} == everything - NEVER
    for reason in sorted(NEVER):
        answer = await reverse(floor, (await last(floor, reason))["seq"])
        assert answer.status_code == 409, answer.text
        assert any(w in answer.json()["detail"] for w in ("move the pieces", "make another one"))
    await declared(floor)


async def booked(floor: Floor) -> None:
    """What was booked, carried, held, counted, thrown away or put into a handling unit."""
    for reason in ("opening", "found", "receipt", "transfer"):
        await lay(floor, ("P0-B0", "part1", 10), reason=reason)
        await alone(floor, reason)
    await lay(floor, ("P0-B0", "part1", 40), ("H1", "part1", 30), reason="opening")
    await say(floor.operator, "/v1/hands/moves", {"from": "P0-B0", "to": "H2", "item": "part1", "qty": 2})
    await alone(floor, "move")
    for was, becomes, reason in (
        ("ok", "hold", "hold"), ("hold", "quality", "quality"), ("quality", "ok", "release"),
        ("ok", "damaged", "damage"),
    ):  # fmt: skip
        change = {"place": "P0-B0", "item": "part1", "qty": 2, "from": was, "to": becomes, "reason": "looked at"}
        await say(floor.operator, "/v1/stock/status", change)
        if reason in {"release", "damage"}:
            await alone(floor, reason)
    await say(floor.operator, "/v1/stock/status", change | {"from": "quality", "to": "hold"})
    await alone(floor, "hold")
    await alone(floor, "quality")
    thrown = {"place": "P0-B0", "item": "part1", "qty": 1, "reason": "broken"}
    await say(floor.operator, "/v1/scrap", thrown)
    await alone(floor, "scrap")
    unit = (await say(floor.operator, "/v1/units", {"kind": "carton", "at": "H2"}))["sscc"]
    for qty in (4, -1):
        await say(floor.operator, f"/v1/units/{unit}/fill", {"place": "H1", "item": "part1", "qty": qty}, 200)
    await say(floor.operator, f"/v1/units/{unit}/close", {}, 200)
    closed = await reverse(floor, (await last(floor, "fill"))["seq"])
    assert (closed.status_code, "open it first" in closed.json()["detail"]) == (409, True)
    await say(floor.operator, f"/v1/units/{unit}/open", {"reason": "a mistake"}, 200)
    await alone(floor, "empty", "fill")
    name = (await say(floor.operator, "/v1/counts", {"place": "H1", "item": "part1"}))["id"]
    for person in ("anna", "bert"):
        await do(floor, person, "count", qty=27)
    await alone(floor, "count")
    assert (await see(floor.operator, f"/v1/counts/{name}"))["posted"] == 0
    await put(floor.erp, "/v1/replenishment/rules/part1", {"min_qty": 45, "max_qty": 50, "target": "P0-B0"})
    name = (await say(floor.operator, "/v1/counts", {"place": "H1", "item": "part1"}))["id"]
    await do(floor, "cleo", "count", qty=30)  # nobody doubts it any more
    await say(floor.operator, "/v1/replenishment:run", None, 200)
    await do(floor, "anna", "replenish", qty=5, target="P0-B0", reason="that will do")
    await alone(floor, "replenish")


async def came_in(floor: Floor) -> None:
    """What a supplier has sent, and where it was put."""
    asn = {
        "ref": "PO-1",
        "supplier": "maker",
        "due": "2013-12-02T09:00:00Z",
        "lines": [{"line": 1, "item": "part3", "qty": 9}],
    }
    await say(floor.erp, "/v1/asns", asn)
    await say(floor.operator, "/v1/asns/PO-1/receive", {"line": 1, "qty": 5})
    task = await next_task(floor, "anna", "putaway")
    assert task is not None
    await confirm(floor, task, qty=5, target="H3")
    await alone(floor, "putaway", "receive")
    assert (await see(floor.operator, "/v1/asns/PO-1"))["asn_lines"][0]["received"] == 0


async def was_ordered(floor: Floor) -> None:
    """What was picked, short, late, shipped, cancelled and put back."""
    await lay(floor, ("P1-B0", "part2", 60))
    await floor.order("A1", ("part2", 6))
    await floor.pick("P-T-A1-1-1", 4, "bin_empty")
    await alone(floor, "short_pick", "pick")
    await lay(floor, ("P1-B1", "part0", 20))  # the bin before is in doubt
    await floor.order("A2", ("part0", 3))
    await floor.until(lambda: "P-T-A2-1-1" in floor.keys)
    work = floor.keys["P-T-A2-1-1"]
    await say(floor.erp, "/v1/orders/A2/cancel", {"reason": "a mistake"}, 200)
    await floor.say(picked(work))
    await alone(floor, "late_pick")
    await shipped(floor, "A3", ("part0", 2))
    refused = await reverse(floor, (await last(floor, "ship"))["seq"])
    assert (refused.status_code, "of a shipment" in refused.json()["detail"]) == (409, True)
    await say(floor.supervisor, "/v1/shipments/S-A3/reverse", {"reason": "a mistake"}, 200)
    await floor.order("A4", ("part0", 3))
    await floor.pick("P-T-A4-1-1")
    await say(floor.erp, "/v1/orders/A4/cancel", {"reason": "a mistake", "put_back": True}, 200)
    await floor.finish_tote("T-A4-1")
    await do(floor, "anna", "putback", qty=2, reason="one is broken")


async def came_back(floor: Floor) -> None:
    """What a customer has sent back, and what became of it."""
    await lay(floor, ("P1-B2", "part4", 20))
    order = await shipped(floor, "A5", ("part4", 9))
    await say(
        floor.erp, "/v1/returns", {"ref": "RMA-1", "order": order, "lines": [{"line": 1, "item": "part4", "qty": 9}]}
    )
    for _ in range(2):
        await say(floor.operator, "/v1/returns/RMA-1/receipts", {"lines": [{"line": 1, "qty": 1}]}, 200)
        await alone(floor, "return")
    await say(floor.operator, "/v1/returns/RMA-1/receipts", {"lines": [{"line": 1, "qty": 4}]}, 200)
    for said, reasons in (
        ({"grade": "A", "target": "P1-B2"}, ("restock",)),
        ({"grade": "B", "target": "H3"}, ("regrade",)),
        ({"grade": "B", "target": "H3", "b_item": "part3"}, ("regrade_from", "regrade_to")),
        ({"grade": "damaged"}, ("damage",)),
        ({"grade": "scrap"}, ("scrap",)),
    ):
        task = await next_task(floor, "anna", "grade")
        assert task is not None
        await confirm(floor, task, qty=1, **said)
        await by_hand(floor, task["id"], *reasons)


async def became_others(floor: Floor) -> None:
    """Kits that were made, and taken apart."""
    await floor.items({"id": "kit1", "weight_g": 900, "volume_ml": 1_000})
    await lay(floor, ("H3", "part4", 6), ("H3", "kit1", 3))
    await put(floor.erp, "/v1/kits/kit1", {"mode": "build", "parts": [{"item": "part4", "qty": 2}]})
    for way, reasons in (("build", ("kit", "kit_part")), ("unbuild", ("unkit", "unkit_part"))):
        await say(floor.operator, "/v1/kit-builds", {"kit": "kit1", "way": way, "qty": 1, "place": "H3"})
        task = await next_task(floor, "anna", "kit")
        assert task is not None
        await confirm(floor, task, qty=1)
        await by_hand(floor, task["id"], *reasons)


async def went_elsewhere(floor: Floor) -> None:
    """What went to another site, and came from one."""
    lines = [{"line": 1, "item": "part4", "qty": 2, "place": "H3"}]
    sent = {"ref": "U-1", "way": "out", "other_site": "north", "lines": lines}
    made = await say(floor.erp, "/v1/transfers", sent)
    await say(floor.operator, f"/v1/transfers/{made['id']}/send", None, 200)
    refused = await reverse(floor, (await last(floor, "transfer_out"))["seq"])
    assert (refused.status_code, f"{made['id']}; cancel that" in refused.json()["detail"]) == (409, True)
    await say(floor.erp, f"/v1/transfers/{made['id']}/cancel", {"reason": "a mistake"}, 200)
    made = await say(floor.erp, "/v1/transfers", sent | {"ref": "U-2"})
    await say(floor.operator, f"/v1/transfers/{made['id']}/send", None, 200)
    told = {"reason": "one was lost", "received": [{"line": 1, "received": 1}]}
    await say(floor.erp, f"/v1/transfers/{made['id']}/close", told, 200)
    taken = sent | {"ref": "U-3", "way": "in", "lines": [{"line": 1, "item": "part4", "qty": 2}]}
    made = await say(floor.erp, "/v1/transfers", taken)
    got = {"place": "H3", "lines": [{"line": 1, "qty": 2}]}
    await say(floor.operator, f"/v1/transfers/{made['id']}/receipts", got, 200)
    await alone(floor, "transfer_in")
    assert (await see(floor.operator, f"/v1/transfers/{made['id']}"))["lines"][0]["received"] == 0


async def declared(floor: Floor) -> None:
    """Each event of something that was undone is told once more as wrong, with a corrective event that is there."""
    names = projection.Names("test")
    undone = await floor.rows(
        "SELECT l.key, l.reason FROM ledger l JOIN ledger r ON r.reverses = l.seq"
        " WHERE l.reason <> 'ship' ORDER BY l.seq"
    )
    for row in undone:
        cause = row["key"].rpartition("/")[0] if row["reason"] in transformation._STEPS else row["key"]
        told = await see(floor.erp, f"/v1/epcis/events/{names.event(cause)}")
        assert told["errorDeclaration"]["reason"] == "did_not_occur", row
        for corrective in told["errorDeclaration"]["correctiveEventIDs"]:
            assert (await see(floor.erp, f"/v1/epcis/events/{corrective}"))["eventID"] == corrective
    ships = (await see(floor.erp, "/v1/epcis/events", EQ_bizStep="void_shipping"))["epcisBody"]["queryResults"]
    assert len(ships["resultsBody"]["eventList"]) >= 1


async def test_a_count_is_taken_back_and_the_place_is_counted_anew(floor: Floor) -> None:
    """What a person found proves nothing any more: its posting is reversed, and they may count again."""
    await lay(floor, ("P0-B0", "part1", 20))
    name = (await say(floor.operator, "/v1/counts", {"place": "P0-B0", "item": "part1"}))["id"]
    first = await do(floor, "anna", "count", qty=17)
    second = await do(floor, "bert", "count", qty=17)
    assert (await see(floor.operator, f"/v1/counts/{name}"))["posted"] == -3
    earlier = await say(floor.supervisor, f"/v1/hands/{first['id']}/undo", {"reason": "x"}, 409)
    assert "settled by a later round" in earlier["detail"]
    await say(floor.operator, f"/v1/hands/{second['id']}/undo", {"reason": "the wrong shelf"}, 200)
    shown = await see(floor.operator, f"/v1/counts/{name}")
    assert (shown["state"], shown["posted"], shown["rounds"], shown["results"]) == ("recount", 0, 3, [])
    assert (await see(floor.erp, "/v1/items/part1/stock"))["qty"] == 20
    assert await next_task(floor, "anna", "count") is None  # what she found still stands
    await do(floor, "bert", "count", qty=16)  # he may again
    await do(floor, "cleo", "count", qty=17)  # as anna did
    shown = await see(floor.operator, f"/v1/counts/{name}")
    assert (shown["state"], shown["posted"], len(shown["results"])) == ("posted", -3, 4)
    assert await floor.violations() == []
    undone = await say(floor.supervisor, f"/v1/hands/{second['id']}/undo", {"reason": "x"}, 409)
    assert "is undone" in undone["detail"]


async def test_a_difference_that_waits_for_a_third_person_is_refused_there(floor: Floor) -> None:
    """And an approved one is reversed by a supervisor; each time the count says which way."""
    await lay(floor, ("P0-B0", "part1", 500))
    await say(floor.operator, "/v1/counts", {"place": "P0-B0", "item": "part1"})
    await do(floor, "anna", "count", qty=300)
    task = await do(floor, "bert", "count", qty=300)
    waits = await say(floor.operator, f"/v1/hands/{task['id']}/undo", {"reason": "x"}, 409)
    (asked,) = (await see(floor.supervisor, "/v1/adjustments", state="pending"))["items"]
    assert f"have adjustment {asked['id']} refused" in waits["detail"]
    await say(floor.supervisor, f"/v1/adjustments/{asked['id']}/refuse", {"reason": "count again"}, 200)
    await say(floor.operator, f"/v1/hands/{task['id']}/undo", {"reason": "x"}, 200)
    await do(floor, "bert", "count", qty=300)
    (asked,) = (await see(floor.supervisor, "/v1/adjustments", state="pending"))["items"]
    await say(floor.supervisor, f"/v1/adjustments/{asked['id']}/approve", {"reason": "stolen"}, 200)
    assert (await see(floor.erp, "/v1/items/part1/stock"))["qty"] == 300


async def test_a_pack_is_taken_back_as_long_as_its_tote_stands_by_itself(postgres: ScratchPostgres) -> None:
    """Off its truck and out of its shipment first; then it is packed anew under the number that it has."""
    async with running(postgres, hand_picks=True) as floor:
        await shelves(floor, "SH")
        await floor.rows("INSERT INTO place (code, kind) VALUES ('D1', 'dock')")
        await lay(floor, ("SH", "part1", 20))
        await floor.order("A1", ("part1", 2), route="NORTH")
        await do(floor, "anna", "pick", qty=2, target="T-A1-1")
        pack = await do(floor, "anna", "pack")
        sscc = (await see(floor.operator, "/v1/units/T-A1-1"))["sscc"]
        stops = [{"ship_to": "x", "orders": ["A1"]}]
        truck = {"id": "TR-1", "route": "NORTH", "dock": "D1", "departs_at": "2013-12-02T16:00:00Z", "stops": stops}
        await say(floor.operator, "/v1/trucks", truck)
        await say(floor.operator, "/v1/trucks/TR-1/load", {}, 200)
        load = await do(floor, "anna", "load")
        undo = f"/v1/hands/{pack['id']}/undo"
        why = {"reason": "the wrong label"}
        assert "unload it first" in (await say(floor.operator, undo, why, 409))["detail"]
        await say(floor.operator, f"/v1/hands/{load['id']}/undo", why, 200)
        await say(floor.operator, undo, why, 200)
        assert (await floor.shown("A1"))["state"] == "picking"
        assert await next_task(floor, "anna", "load") is None
        missing = await say(floor.operator, "/v1/trucks/TR-1/dispatch", {}, 409)
        assert "A1" in str(missing)
        again = await do(floor, "bert", "pack")
        assert again["id"] != pack["id"]
        assert (await see(floor.operator, "/v1/units/T-A1-1"))["sscc"] == sscc
        await do(floor, "bert", "load")
        await say(floor.operator, "/v1/trucks/TR-1/dispatch", {}, 200)
        gone = await say(floor.operator, f"/v1/hands/{again['id']}/undo", why | {"reason": "x"}, 409)
        assert "reverse that first" in gone["detail"]
        assert (await floor.shown("A1"))["state"] == "shipped"
        kinds = [e["type"] for e in floor.events if e["subject"] == "A1"]
        assert "floorplane.order.unpacked" in kinds
        assert await floor.violations() == []
