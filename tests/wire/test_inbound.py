"""What comes in: announced, received by hand and through REST, put away with a reason; over a real PostgreSQL."""

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
