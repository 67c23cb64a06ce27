"""What comes in: announced, received by hand and through REST, put away with a reason; over a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from central.epcis.identifiers import check_digit
from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import DUE, Floor, ndjson, results, running


def sscc(n: int) -> str:
    """A right SSCC."""
    digits = f"340123450{n:08d}"
    return digits + check_digit(digits)


@pytest.fixture
async def floor(postgres: ScratchPostgres) -> AsyncIterator[Floor]:
    """A floor with shelves, lanes and doors, whose books are right in the end."""
    async with running(postgres) as made:
        places: list[dict[str, Any]] = [
            {"code": "A-01", "kind": "shelf", "volume_ml": 40_000, "way": 1, "mixing": "item"},
            {"code": "A-02", "kind": "shelf", "volume_ml": 100_000, "weight_g": 30_000, "way": 2, "mixing": "lot"},
            {"code": "A-03", "kind": "shelf", "way": 3},
            {"code": "lane-1", "kind": "staging"},
            {"code": "dock-1", "kind": "dock"},
            {"code": "dock-2", "kind": "dock"},
        ]
        answer = await made.supervisor.post("/v1/places:bulk", content=ndjson(places))
        assert [r["outcome"] for r in results(answer)] == ["created"] * len(places), answer.text
        yield made
        assert await made.violations() == []


_count = iter(range(1_000_000))


async def post(client: httpx.AsyncClient, url: str, key: str = "", **body: Any) -> httpx.Response:
    return await client.post(url, json=body, headers={"Idempotency-Key": key or f"k{next(_count)}"})


async def announce(floor: Floor, ref: str, *lines: tuple[str, int], **fields: Any) -> httpx.Response:
    told = [{"line": n, "item": i, "qty": q} for n, (i, q) in enumerate(lines, 1)]
    return await post(floor.erp, "/v1/asns", **({"ref": ref, "supplier": "acme", "due": DUE, "lines": told} | fields))


async def announced(floor: Floor, ref: str, *lines: tuple[str, int], **fields: Any) -> None:
    answer = await announce(floor, ref, *lines, **fields)
    assert answer.status_code == 201, answer.text


async def asn(floor: Floor, ref: str) -> dict[str, Any]:
    found: dict[str, Any] = (await floor.erp.get(f"/v1/asns/{ref}")).json()
    return found


def field(answer: httpx.Response) -> tuple[int, str]:
    """Which field was refused, and how."""
    errors = answer.json().get("errors") or [{"field": ""}]
    return answer.status_code, errors[0]["field"]


async def test_an_asn_is_received_line_by_line_and_put_away_with_a_reason(floor: Floor) -> None:
    """From the announcement to the shelf: places by capacity, receipts, ledger, events; then it closes itself."""
    await announced(floor, "PO-1", ("part1", 100))
    arrived = await post(floor.operator, "/v1/asns/PO-1/arrive", staging="lane-1")
    assert arrived.status_code == 200, arrived.text
    assert arrived.json()["state"] == "arrived"
    answer = await post(floor.operator, "/v1/asns/PO-1/receive", line=1, qty=60)
    assert answer.status_code == 201, answer.text
    got = answer.json()
    assert [(r["qty"], r["status"], r["place"]) for r in got["receipts"]] == [(60, "ok", "lane-1")]
    goals = [(t["target"], t["qty"], t["why"]["rule"]) for t in got["putaway"]]
    assert goals == [("A-01", 40, "nearest"), ("A-02", 20, "nearest")]
    assert "40000" in got["putaway"][0]["why"]["because"]
    rest = await post(floor.operator, "/v1/asns/PO-1/receive", line=1, qty=38, damaged=2)
    assert rest.json()["state"] == "closed"
    shown = await asn(floor, "PO-1")
    assert (shown["received"], shown["damaged"], len(shown["receipts"])) == (100, 2, 3)
    await floor.until(lambda: any(e["type"] == "floorplane.asn.closed" for e in floor.events))


async def test_a_person_receives_and_puts_away_with_a_handheld(floor: Floor) -> None:
    """Tasks lead from the lane to the shelf; the rest of a line, and of a putaway, stays to be done."""
    await announced(floor, "PO-2", ("part1", 50))
    await post(floor.operator, "/v1/asns/PO-2/arrive", staging="lane-1")
    task = (await post(floor.operator, "/v1/hands/next", kinds=["receive"])).json()
    assert (task["id"], task["qty"]) == ("R-PO-2-1-1", 50)
    body = {"attempt": task["attempt"], "qty": 28, "damaged": 2, "target": "lane-1"}
    done = await post(floor.operator, f"/v1/hands/{task['id']}/confirm", **body)
    assert done.status_code == 200, done.text
    shown = await asn(floor, "PO-2")
    assert (shown["received"], shown["damaged"], shown["state"]) == (30, 2, "arrived")
    rest = (await post(floor.operator, "/v1/hands/next", kinds=["receive"])).json()
    assert (rest["id"], rest["qty"]) == ("R-PO-2-1-2", 20)
    put = (await post(floor.operator, "/v1/hands/next", kinds=["putaway"])).json()
    assert (put["source"], put["target"], put["qty"]) == ("lane-1", "A-01", 28)
    wrong = {"attempt": put["attempt"], "qty": 28, "source": "lane-1", "target": "dock-1"}
    refused = await post(floor.operator, f"/v1/hands/{put['id']}/confirm", **wrong)
    assert (refused.status_code, "dock-1 takes 0" in refused.text) == (409, True), refused.text
    right = wrong | {"target": "A-02", "qty": 20}
    assert (await post(floor.operator, f"/v1/hands/{put['id']}/confirm", **right)).status_code == 200
    stock = {r["place"]: (r["qty"], r["status"]) for r in (await floor.erp.get("/v1/items/part1/stock")).json()["rows"]}
    assert stock["A-02"] == (20, "ok")
    again = (await post(floor.operator, "/v1/hands/next", kinds=["putaway"])).json()
    assert (again["qty"], again["source"]) == (8, "lane-1")


async def test_what_expires_first_goes_first_and_expired_goods_never(floor: Floor) -> None:
    """FEFO over bins, minimum shelf life of an order and of a customer, and what can be promised."""
    await floor.items(
        {"id": "milk", "barcode": "milk", "weight_g": 1, "volume_ml": 1, "lots": True, "shelf_life_days": 30}
    )
    for n, (lot, expires) in enumerate(
        (("L3", "2013-12-20"), ("L1", "2013-12-05"), ("L0", "2013-11-30"), ("L2", "2013-12-10"))
    ):
        put = await floor.erp.put(f"/v1/items/milk/lots/{lot}", json={"expires": expires})
        assert put.status_code == 200, put.text
        line = {"place": f"P{n // 3}-B{n % 3}", "item": "milk", "lot": lot, "qty": 10, "reason": "opening"}
        answer = await floor.erp.post("/v1/stock:bulk", content=ndjson([line]), headers={"Idempotency-Key": lot})
        assert results(answer)[0]["outcome"] == "posted", answer.text
    await floor.order("O1", ("milk", 12))  # due 2013-12-02
    tasks = (await floor.shown("O1"))["tasks"]
    assert sorted((t["bin"], t["qty"]) for t in tasks if t["kind"] == "pick") == [("P0-B1", 10), ("P1-B0", 2)]
    await floor.order("O2", ("milk", 3), min_days=10)
    assert [(t["bin"], t["qty"]) for t in (await floor.shown("O2"))["tasks"] if t["kind"] == "pick"] == [("P0-B0", 3)]
    assert (await floor.erp.put("/v1/customers/shop", json={"min_days": 12})).status_code == 200
    taken = await floor.order("O3", ("milk", 20), customer="shop")
    assert (taken["lines"][0]["allocated"], taken["short"]) == (7, 13)
    unknown = await floor.post_order("O4", ("milk", 1), customer="nobody")
    assert field(unknown) == (422, "customer")
    held = (await floor.erp.get("/v1/items/milk/availability")).json()
    assert (held["on_hand"], held["reserved"], held["expired"], held["available"]) == (40, 22, 10, 8)
    await announced(floor, "PO-3", ("milk", 24), due="2013-12-04T08:00:00Z")
    later = (await floor.erp.get("/v1/items/milk/availability")).json()
    assert later["promise"] == [{"day": "2013-12-02", "qty": 8}, {"day": "2013-12-04", "qty": 32}]
    await floor.pick("P-T-O1-1-1")
    rows = await floor.rows("SELECT lot, qty FROM stock WHERE place = 'T-O1-1'")
    assert [tuple(r) for r in rows] == [("L1", 10)]


async def test_a_quality_rule_holds_goods_until_two_people_let_them_go(floor: Floor) -> None:
    """Of a supplier; released in part by one, above the limit by two, never the same; then put away."""
    rule = await floor.erp.put("/v1/quality-rules/acme", json={"supplier": "acme", "reason": "new supplier"})
    assert rule.status_code == 200, rule.text
    await announced(floor, "PO-4", ("part2", 1_500))
    got = (await post(floor.operator, "/v1/asns/PO-4/receive", line=1, qty=1_500)).json()
    assert [(r["status"], r["why"]) for r in got["receipts"]] == [("quality", "new supplier")]
    assert got["putaway"] == []
    free = {"place": "inbound", "item": "part2", "from": "quality", "to": "ok", "reason": "looks good"}
    too_many = await post(floor.operator, "/v1/stock/status", qty=2_000, **free)
    assert field(too_many) == (409, "qty")
    first = await post(floor.operator, "/v1/stock/status", qty=100, **free)
    assert (first.status_code, first.json()["state"]) == (201, "posted"), first.text
    await post(floor.operator, "/v1/stock/status", qty=20, **(free | {"to": "damaged"}))
    more = (await post(floor.supervisor, "/v1/stock/status", qty=1_200, **free)).json()
    assert more["state"] == "pending"
    same = await post(floor.supervisor, f"/v1/status-changes/{more['id']}/approve", reason="I say so")
    assert (same.status_code, "somebody else" in same.text) == (409, True)
    other = await second_supervisor(floor)
    done = await post(other, f"/v1/status-changes/{more['id']}/approve", reason="seen")
    assert (done.status_code, done.json()["state"]) == (200, "posted"), done.text
    held = (await floor.erp.get("/v1/items/part2/availability")).json()
    assert (held["quality"], held["damaged"], held["elsewhere"]) == (180, 20, 1_300)
    listed = (await floor.operator.get("/v1/putaway", params={"source": "inbound"})).json()["items"]
    assert sum(t["qty"] for t in listed) == 1_300
    assert all(t["why"]["because"] for t in listed)
    await other.aclose()


async def second_supervisor(floor: Floor) -> httpx.AsyncClient:
    """Somebody else who may decide."""
    made = await floor.supervisor.post("/v1/clients", json={"name": "second", "role": "supervisor"})
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(floor.central.app), base_url="http://central",
        headers={"Authorization": f"Bearer {made.json()['token']}"},
    )  # fmt: skip


async def test_more_than_announced_is_taken_up_to_the_tolerance_and_less_is_told_when_it_is_closed(
    floor: Floor,
) -> None:
    """Over: the owner's rule, or the ASN's own; under: an event with what is short; nothing comes after that."""
    rule = (await floor.erp.get("/v1/receiving-rules/-")).headers["ETag"]
    body = {"over_pct": 5}
    assert (await floor.erp.put("/v1/receiving-rules/-", json=body)).status_code == 428
    put = await floor.erp.put("/v1/receiving-rules/-", json=body, headers={"If-Match": rule})
    assert put.status_code == 200, put.text
    await announced(floor, "PO-5", ("part1", 100), ("part3", 40))
    await announced(floor, "PO-6", ("part1", 100), over_pct=0)
    over = await post(floor.operator, "/v1/asns/PO-5/receive", line=1, qty=106)
    assert field(over) == (409, "qty")
    assert "at most 105" in over.text
    assert (await post(floor.operator, "/v1/asns/PO-5/receive", line=1, qty=105)).status_code == 201
    assert field(await post(floor.operator, "/v1/asns/PO-6/receive", line=1, qty=101)) == (409, "qty")
    assert field(await post(floor.operator, "/v1/asns/PO-5/receive", line=9, qty=1)) == (422, "line")
    assert field(await post(floor.operator, "/v1/asns/PO-5/receive", line=2, qty=0)) == (422, "qty")
    closed = await post(floor.operator, "/v1/asns/PO-5/close", reason="the truck is empty")
    assert closed.json()["state"] == "closed"
    await floor.until(lambda: any(e["type"] == "floorplane.asn.closed" for e in floor.events))
    event = next(e for e in floor.events if e["type"] == "floorplane.asn.closed")
    assert (event["data"]["short"], [x["short"] for x in event["data"]["lines"]]) == (40, [0, 40])
    assert [x["over"] for x in event["data"]["lines"]] == [5, 0]
    assert field(await post(floor.operator, "/v1/asns/PO-5/receive", line=2, qty=1)) == (409, "asn")
    assert (await post(floor.erp, "/v1/asns/PO-6/cancel", reason="not sent")).json()["state"] == "cancelled"


async def test_what_nobody_announced_is_taken_in_only_where_that_is_allowed(floor: Floor) -> None:
    """A rule of the house; then it becomes stock with a receipt, and is put away."""
    blind = {"item": "part1", "qty": 7, "supplier": "somebody"}
    assert field(await post(floor.operator, "/v1/receipts", **blind)) == (409, "asn")
    await floor.erp.put("/v1/receiving-rules/-", json={"blind": True}, headers={"If-Match": "*"})
    got = await post(floor.operator, "/v1/receipts", key="blind-1", **blind)
    assert got.status_code == 201, got.text
    again = await post(floor.operator, "/v1/receipts", key="blind-1", **blind)
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (got.json(), "true")
    assert [t["target"] for t in got.json()["putaway"]] == ["A-01"]
    listed = (await floor.erp.get("/v1/receipts", params={"item": "part1"})).json()["items"]
    assert [(r["qty"], r["asn"], r["supplier"]) for r in listed] == [(7, None, "somebody")]


async def test_a_pallet_with_cartons_is_received_by_one_scan(floor: Floor) -> None:
    """Nested units with checked SSCCs; each stands in the other, and a wrong one is refused with its field."""
    pallet, carton, wrong = sscc(1), sscc(2), sscc(3)[:-1] + str((int(sscc(3)[-1]) + 1) % 10)
    units = [
        {"sscc": pallet, "contents": [{"line": 1, "qty": 30}]},
        {"sscc": carton, "parent": pallet, "contents": [{"line": 2, "qty": 12}]},
    ]
    bad = await announce(floor, "PO-7", ("part1", 30), ("part2", 12), units=[{"sscc": wrong}])
    assert field(bad) == (422, "units/0/sscc")
    full = await announce(floor, "PO-7", ("part1", 29), ("part2", 12), units=units)
    assert field(full) == (422, "units/0/contents/0/qty")
    looped = [units[0] | {"parent": carton}, units[1]]
    assert field(await announce(floor, "PO-7", ("part1", 30), ("part2", 12), units=looped)) == (422, "units/0/parent")
    await announced(floor, "PO-7", ("part1", 30), ("part2", 12), units=units)
    assert field(await announce(floor, "PO-8", ("part1", 30), units=[{"sscc": pallet}])) == (409, "units/sscc")
    got = await post(floor.operator, "/v1/asns/PO-7/receive", unit=pallet, place="lane-1")
    assert got.status_code == 201, got.text
    assert [(r["place"], r["qty"]) for r in got.json()["receipts"]] == [(pallet, 30), (carton, 12)]
    assert got.json()["state"] == "closed"
    shown = await asn(floor, "PO-7")
    assert [u["state"] for u in shown["units"]] == ["received", "received"]
    parents = dict(await floor.rows("SELECT code, parent FROM place WHERE kind = 'unit'"))
    assert parents == {pallet: "lane-1", carton: pallet}
    task = (await post(floor.operator, "/v1/hands/next", kinds=["putaway"])).json()
    done = {"attempt": task["attempt"], "qty": task["qty"], "source": task["source"], "target": task["target"]}
    assert (await post(floor.operator, f"/v1/hands/{task['id']}/confirm", **done)).status_code == 200


async def test_two_want_one_door_at_the_same_time_and_one_gets_it(floor: Floor) -> None:
    """Sixteen ask at once; the database lets one through, and 409 names it. Who leaves early frees the door."""
    body = {"from": "2013-12-02T09:00:00Z", "to": "2013-12-02T10:00:00Z", "carrier": "acme-lines"}
    answers = await asyncio.gather(*(post(floor.erp, "/v1/docks/dock-1/appointments", **body) for _ in range(16)))
    won = [a.json() for a in answers if a.status_code == 201]
    lost = [a for a in answers if a.status_code != 201]
    assert (len(won), len(lost)) == (1, 15)
    for a in lost:
        assert field(a) == (409, "from")
        assert won[0]["id"] in a.text
    name = won[0]["id"]
    assert (await post(floor.erp, "/v1/docks/dock-2/appointments", **body)).status_code == 201
    assert (await post(floor.erp, "/v1/docks/lane-1/appointments", **body)).status_code == 404
    after = {"from": "2013-12-02T10:00:00Z", "to": "2013-12-02T11:00:00Z"}
    assert (await post(floor.erp, "/v1/docks/dock-1/appointments", **after)).status_code == 201
    tag = {"If-Match": (await floor.erp.get(f"/v1/appointments/{name}")).headers["ETag"]}
    later = await floor.erp.patch(f"/v1/appointments/{name}", json={"to": "2013-12-02T10:30:00Z"}, headers=tag)
    assert field(later) == (409, "from")
    moved = await floor.erp.patch(f"/v1/appointments/{name}", json={"from": "2013-12-02T08:00:00Z"}, headers=tag)
    assert moved.status_code == 200, moved.text
    assert (await post(floor.operator, f"/v1/appointments/{name}/arrive", reason="here")).status_code == 200
    assert (await post(floor.erp, f"/v1/appointments/{name}/cancel", reason="no")).status_code == 409
    day = (await floor.erp.get("/v1/appointments", params={"day": "2013-12-02"})).json()
    assert [(a["dock"], a["state"]) for a in day] == [("dock-1", "arrived"), ("dock-1", "booked"), ("dock-2", "booked")]
    paged, url = [], "/v1/appointments?day=2013-12-02&limit=1"
    while url:
        answer = await floor.erp.get(url)
        paged += answer.json()
        url = answer.links.get("next", {}).get("url", "")
    assert paged == day
    backwards = {"from": "2013-12-02T12:00:00Z", "to": "2013-12-02T11:00:00Z"}
    assert field(await post(floor.erp, "/v1/docks/dock-1/appointments", **backwards)) == (422, "to")


async def test_many_receive_one_line_at_once_and_no_piece_too_many_comes(floor: Floor) -> None:
    """Twelve receive 10 of 100 each: ten get through; also one who does it by hand meanwhile."""
    await announced(floor, "PO-9", ("part4", 100))
    await post(floor.operator, "/v1/asns/PO-9/arrive")
    task = (await post(floor.operator, "/v1/hands/next", kinds=["receive"])).json()
    hand = {"attempt": task["attempt"], "qty": 10, "target": "inbound"}
    answers = await asyncio.gather(
        *(post(floor.operator, "/v1/asns/PO-9/receive", line=1, qty=10) for _ in range(12)),
        post(floor.operator, f"/v1/hands/{task['id']}/confirm", **hand),
    )
    assert sum(a.status_code in {200, 201} for a in answers) == 10, [a.text for a in answers]
    assert (await asn(floor, "PO-9"))["received"] == 100


async def test_a_receipt_is_undone_and_comes_again(floor: Floor) -> None:
    """The line counts back, its putaway is withdrawn, and what is to come is a task again."""
    await announced(floor, "PO-10", ("part1", 20))
    await post(floor.operator, "/v1/asns/PO-10/receive", line=1, qty=12)
    (move,) = await floor.rows("SELECT seq FROM ledger WHERE reason = 'receive'")
    undone = await post(floor.supervisor, f"/v1/ledger/{move['seq']}/reverse", reason="counted wrong")
    assert undone.status_code == 201, undone.text
    assert (await asn(floor, "PO-10"))["received"] == 0
    assert (await floor.operator.get("/v1/putaway")).json()["items"] == []
    task = (await post(floor.operator, "/v1/hands/next", kinds=["receive"])).json()
    assert task["qty"] == 20


async def test_epcis_is_told_what_came_in_and_where_it_was_stored(floor: Floor) -> None:
    """Receiving with the notice, then storing; both of the lot."""
    code = "952114100000" + check_digit("952114100000")
    item = {"id": "yoghurt", "barcode": code, "weight_g": 1, "volume_ml": 1, "lots": True, "shelf_life_days": 20}
    await floor.items(item)
    line = {"line": 1, "item": "yoghurt", "qty": 9, "lot": "L7", "expires": "2013-12-20"}
    await announced(floor, "PO-11", lines=[line])
    early = await post(floor.operator, "/v1/asns/PO-11/receive", line=1, qty=9, expires="2013-12-09", lot="L8")
    assert early.status_code == 201, early.text  # another lot than announced is taken as it is
    task = (await post(floor.operator, "/v1/hands/next", kinds=["putaway"])).json()
    done = {"attempt": task["attempt"], "qty": 9, "source": "inbound", "lot": "L8", "target": task["target"]}
    assert (await post(floor.operator, f"/v1/hands/{task['id']}/confirm", **done)).status_code == 200
    answer = await floor.erp.get("/v1/epcis/events", params={"EQ_bizStep": "receiving|storing"})
    assert answer.status_code == 200, (answer.status_code, answer.text)
    events = answer.json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    lot = {"epcClass": f"https://id.gs1.org/01/0{code}/10/L8", "quantity": 9}
    assert [(e["bizStep"], e["quantityList"]) for e in events] == [("receiving", [lot]), ("storing", [lot])]
    notice = {"type": "desadv", "bizTransaction": "urn:floorplane:test:bt:erp%3APO-11"}
    assert events[0]["bizTransactionList"] == [notice]
    assert events[0]["sourceList"][0]["source"] == "urn:floorplane:test:party:acme"


async def test_goods_that_an_order_waits_for_go_straight_to_it(floor: Floor) -> None:
    """A back-order stays open; what comes in is picked from the lane, the rest of it is put away; then it ships."""
    await floor.stock(("P0-B0", "part1", 3))
    plain = await floor.order("W0", ("part2", 2))
    assert plain["state"] == "short"
    taken = await floor.order("W1", ("part1", 10), ("part2", 4), backorder=True)
    assert (taken["state"], taken["short"]) == ("released", 11)
    await floor.pick("P-T-W1-1-1")
    await floor.finish_tote("T-W1-1")
    assert (await floor.shown("W1"))["state"] == "picking"
    await announced(floor, "PO-12", ("part1", 20), ("part2", 4))
    got = (await post(floor.operator, "/v1/asns/PO-12/receive", line=1, qty=20)).json()
    assert [(c["order"], c["line"], c["qty"], c["place"]) for c in got["cross_docked"]] == [("W1", 1, 7, "inbound")]
    assert [(t["target"], t["qty"]) for t in got["putaway"]] == [("A-01", 13)]
    more = (await post(floor.operator, "/v1/asns/PO-12/receive", line=2, qty=4)).json()
    assert [c["qty"] for c in more["cross_docked"]] == [4]
    assert more["putaway"] == []
    await floor.until(lambda: sum(e["type"] == "floorplane.order.line_filled" for e in floor.events) == 2)
    lines = (await floor.shown("W1"))["order_lines"]
    assert [(x["done"], x["allocated"], x["short"]) for x in lines] == [(3, 7, 0), (0, 4, 0)]
    for _ in range(4):
        await work(floor, ["pick", "pack"])
    assert (await floor.shown("W1"))["state"] == "shipped"


async def work(floor: Floor, kinds: list[str]) -> None:
    """Do the next thing that people are to do, as it should be done."""
    task = (await post(floor.operator, "/v1/hands/next", kinds=kinds)).json()
    said = {k: task[k] for k in ("qty", "source", "target", "lot") if task.get(k)}
    if task["kind"] == "pack":
        said = {"qty": 1, "weight_g": 900}
    done = await post(floor.operator, f"/v1/hands/{task['id']}/confirm", attempt=task["attempt"], **said)
    assert done.status_code == 200, (task, done.text)


async def test_a_back_order_is_filled_from_the_shelf_or_given_up(floor: Floor) -> None:
    """What is put into a bin for it is picked by robots; who cancels it gets what is packed."""
    await floor.order("W2", ("part3", 5), backorder=True)
    await floor.erp.put("/v1/receiving-rules/-", json={"blind": True}, headers={"If-Match": "*"})
    steps = {"steps": [{"rule": "nearest", "kinds": ["bin"]}]}
    await floor.supervisor.put("/v1/putaway-strategies/-", json=steps, headers={"If-Match": "*"})
    await post(floor.operator, "/v1/receipts", item="part3", qty=4)
    await work(floor, ["putaway"])
    line = (await floor.shown("W2"))["order_lines"][0]
    assert (line["allocated"], line["short"]) == (4, 1)
    await floor.pick("P-T-W2-1-1")
    await floor.finish_tote("T-W2-1")
    assert (await floor.shown("W2"))["state"] == "picking"
    await post(floor.erp, "/v1/orders/W2/cancel", reason="the rest is not wanted")
    assert (await floor.shown("W2"))["state"] == "shipped"


async def test_an_owner_sees_and_changes_only_what_comes_in_for_it(floor: Floor) -> None:
    """ASNs, customers, lots, receipts, appointments, putaway and events of one owner, tried with the other's token."""
    acme, bolt = [await owner(floor, name) for name in ("acme", "bolt")]
    item = {
        "id": "acme-milk",
        "barcode": "acme-milk",
        "volume_ml": 1,
        "weight_g": 1,
        "lots": True,
        "shelf_life_days": 9,
    }
    assert results(await acme.post("/v1/items:bulk", content=ndjson([item])))[0]["outcome"] == "created"
    assert (await acme.put("/v1/items/acme-milk/lots/acme-L", json={"expires": "2013-12-30"})).status_code == 200
    assert (await acme.put("/v1/customers/acme-shop", json={"min_days": 1})).status_code == 200
    line = {"line": 1, "item": "acme-milk", "qty": 9, "lot": "acme-L"}
    told = {"ref": "acme-PO", "supplier": "acme-dairy", "due": DUE, "lines": [line]}
    assert (await post(acme, "/v1/asns", **told)).status_code == 201
    times = {"from": "2013-12-02T09:00:00Z", "to": "2013-12-02T10:00:00Z"}
    booked = await post(acme, "/v1/docks/dock-1/appointments", asn="acme-PO", **times)
    assert booked.status_code == 201, booked.text
    assert (await post(floor.operator, "/v1/asns/acme-PO/receive", line=1, qty=4)).status_code == 201
    visit = booked.json()["id"]
    for url in ("asns", "receipts", "customers", "appointments?day=2013-12-02", "docks", "putaway", "status-changes"):
        assert "acme" not in (await bolt.get(f"/v1/{url}")).text, url
    for url in ("asns/acme-PO", "customers/acme-shop", f"appointments/{visit}", "items/acme-milk/lots"):
        assert (await acme.get(f"/v1/{url}")).status_code == 200, url
        assert (await bolt.get(f"/v1/{url}")).status_code == 404, url
    for url in ("items/acme-milk/lots/acme-L", "items/acme-milk/availability"):
        assert (await bolt.get(f"/v1/{url}")).status_code == 404, url
    for url in ("places", "zones", "receiving-rules", "quality-rules", "putaway-strategies"):
        assert (await bolt.get(f"/v1/{url}")).status_code == 403, url
    for url in ("asns/acme-PO/close", "asns/acme-PO/cancel", f"appointments/{visit}/cancel"):
        assert (await post(bolt, f"/v1/{url}", reason="mine")).status_code == 404, url
    for url, body in (
        ("asns/acme-PO", {"note": "mine"}), (f"appointments/{visit}", {"vehicle": "mine"}),
    ):  # fmt: skip
        assert (await bolt.patch(f"/v1/{url}", json=body, headers={"If-Match": "*"})).status_code == 404, url
    assert (await bolt.put("/v1/customers/acme-shop", json={}, headers={"If-Match": "*"})).status_code == 409
    taken = await post(bolt, "/v1/docks/dock-1/appointments", **times)
    assert (taken.status_code, visit in taken.text, "acme" in taken.text) == (409, False, False)
    assert field(await post(bolt, "/v1/asns", **(told | {"ref": "bolt-PO"}))) == (422, "lines/0/item")
    hold = {
        "place": "inbound",
        "item": "acme-milk",
        "lot": "acme-L",
        "qty": 1,
        "from": "ok",
        "to": "hold",
        "reason": "x",
    }
    assert field(await post(bolt, "/v1/stock/status", **hold)) == (422, "item")
    pages = {
        c: (await c.get("/v1/events", params={"after": "start", "type": "floorplane.asn.*"})).text for c in (acme, bolt)
    }
    assert ("acme-PO" in pages[acme], "acme-PO" in pages[bolt]) == (True, False)
    for client in (acme, bolt):
        await client.aclose()


async def owner(floor: Floor, name: str) -> httpx.AsyncClient:
    """An owner's ERP."""
    made = await floor.supervisor.post("/v1/clients", json={"name": f"{name}-erp", "role": "erp", "owner": name})
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(floor.central.app), base_url="http://central",
        headers={"Authorization": f"Bearer {made.json()['token']}"},
    )  # fmt: skip


async def test_an_asn_is_changed_by_who_has_seen_it_and_never_below_what_has_come(floor: Floor) -> None:
    """428 without an ETag, 412 with an old one; lines grow, shrink to what has come, and are added."""
    await announced(floor, "PO-20", ("part1", 30))
    seen = {"If-Match": (await floor.erp.get("/v1/asns/PO-20")).headers["ETag"]}
    more = {"lines": [{"line": 1, "qty": 25}, {"line": 2, "item": "part2", "qty": 4}], "due": "2013-12-03T08:00:00Z"}
    assert (await floor.erp.patch("/v1/asns/PO-20", json=more)).status_code == 428
    changed = await floor.erp.patch("/v1/asns/PO-20", json=more, headers=seen)
    assert changed.status_code == 200, changed.text
    assert [(x["line"], x["qty"]) for x in changed.json()["asn_lines"]] == [(1, 25), (2, 4)]
    assert (await floor.erp.patch("/v1/asns/PO-20", json=more, headers=seen)).status_code == 412
    await post(floor.operator, "/v1/asns/PO-20/receive", line=1, qty=20)
    less = {"lines": [{"line": 1, "qty": 19}]}
    refused = await floor.erp.patch("/v1/asns/PO-20", json=less, headers={"If-Match": "*"})
    assert field(refused) == (409, "lines/0/qty")
    twice = {"lines": [{"line": 1, "qty": 25}, {"line": 1, "qty": 26}]}
    assert field(await floor.erp.patch("/v1/asns/PO-20", json=twice, headers={"If-Match": "*"})) == (
        422,
        "lines/1/line",
    )
    other = {"lines": [{"line": 1, "item": "part3", "qty": 25}]}
    assert field(await floor.erp.patch("/v1/asns/PO-20", json=other, headers={"If-Match": "*"})) == (
        422,
        "lines/0/item",
    )
    assert field(await announce(floor, "PO-20", ("part1", 1))) == (409, "ref")
    assert (await post(floor.erp, "/v1/asns/PO-20/cancel", reason="no")).status_code == 409
    assert field(await announce(floor, "PO-21", ("nothing", 1))) == (422, "lines/0/item")
    assert field(await announce(floor, "PO-21", ("serv1", 1))) == (422, "lines/0/item")


@pytest.mark.parametrize("never", ["0001-01-01", "9999-12-31"])
async def test_a_day_that_stands_for_never_is_refused_by_name(floor: Floor, never: str) -> None:
    """The database reads the outermost days as infinity: an ERP says "never" by leaving the field out."""
    line = {"line": 1, "item": "part1", "qty": 4, "lot": "L1", "expires": never}
    told = await post(floor.erp, "/v1/asns", ref="PO-1", supplier="acme", due=DUE, lines=[line])
    assert field(told) == (422, "lines/0/expires")
    assert "1970 to 2199" in told.text
    late = await announce(floor, "PO-1", ("part1", 4), due=f"{never}T12:00:00Z")
    assert field(late) == (422, "due")
    await announced(floor, "PO-2", ("part1", 4))
    change = await floor.erp.patch(
        "/v1/asns/PO-2", json={"lines": [{"line": 1, "qty": 4, "expires": never}]}, headers={"If-Match": "*"}
    )
    assert field(change) == (422, "lines/0/expires")
    for day in ("expires", "made"):
        assert field(await post(floor.operator, "/v1/asns/PO-2/receive", line=1, qty=4, **{day: never})) == (422, day)
    for url in ("/v1/items/part1/availability?good_until=", "/v1/stock?as_of=", "/v1/appointments?day="):
        assert (await floor.erp.get(url + never)).status_code == 422, url
