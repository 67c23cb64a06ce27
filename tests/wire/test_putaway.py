"""Putaway never overfills a place nor breaks its rules, whoever receives at the same time, and tells its reasons."""

import asyncio
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import Floor, ndjson, results, running

ITEMS = {
    "dry": {"volume_ml": 700, "weight_g": 300},
    "heavy": {"volume_ml": 500, "weight_g": 4_000, "per_pallet": 6},
    "cold": {"volume_ml": 1_000, "weight_g": 900, "temperature": "chilled", "lots": True, "shelf_life_days": 30},
    "acid": {"volume_ml": 900, "weight_g": 1_100, "hazard": "8"},
}
ZONES = {
    "room": {},
    "fridge": {"temperature": "chilled"},
    "cage": {"hazards": ["8", "3"]},
}
PLACES = st.lists(
    st.fixed_dictionaries(
        {"way": st.integers(0, 3), "mixing": st.sampled_from(["free", "owner", "item", "lot"])},
        optional={
            "volume_ml": st.integers(500, 30_000),
            "weight_g": st.integers(1_000, 60_000),
            "zone": st.sampled_from(sorted(ZONES)),
            "item": st.sampled_from(sorted(ITEMS)),
        },
    ),
    min_size=1,
    max_size=6,
)
GOODS = st.tuples(st.sampled_from(sorted(ITEMS)), st.integers(1, 30), st.sampled_from(["L1", "L2"]))
BATCHES = st.lists(st.lists(GOODS, min_size=1, max_size=5), min_size=1, max_size=3)


async def post(client: httpx.AsyncClient, url: str, key: str, **body: Any) -> httpx.Response:
    return await client.post(url, json=body, headers={"Idempotency-Key": key})


async def furnish(floor: Floor, places: list[dict[str, Any]]) -> None:
    for code, zone in ZONES.items():
        assert (await floor.supervisor.put(f"/v1/zones/{code}", json=zone)).status_code == 200
    await floor.items(*({"id": name, "barcode": name, **item} for name, item in ITEMS.items()))
    rows = [{"code": f"F{n}", "kind": "shelf", **place} for n, place in enumerate(places)]
    answer = await floor.supervisor.post("/v1/places:bulk", content=ndjson(rows))
    assert {r["outcome"] for r in results(answer)} == {"created"}, answer.text
    only_shelves = {"steps": [{"rule": r, "kinds": ["shelf"]} for r in ("fixed", "same_item", "nearest")]}
    for name, body in (
        ("putaway-strategies/-", only_shelves),
        ("receiving-rules/-", {"blind": True}),
    ):
        put = await floor.supervisor.put(f"/v1/{name}", json=body, headers={"If-Match": "*"})
        assert put.status_code == 200, put.text


def check(places: list[dict[str, Any]], lying: list[tuple[str, str, str, int]]) -> None:
    """What (place, item, lot, qty) lie and are on their way to each place keep to its limits and rules."""
    for n, place in enumerate(places):
        inside = [(i, lot, q) for p, i, lot, q in lying if p == f"F{n}"]
        items, lots = {i for i, _, _ in inside}, {(i, lot) for i, lot, _ in inside}
        zone = ZONES.get(place.get("zone", ""), {})
        assert sum(ITEMS[i]["volume_ml"] * q for i, _, q in inside) <= place.get("volume_ml", 10**12), (place, inside)  # type: ignore[operator]
        assert sum(ITEMS[i]["weight_g"] * q for i, _, q in inside) <= place.get("weight_g", 10**12), (place, inside)  # type: ignore[operator]
        assert place["mixing"] in {"free", "owner"} or len(items) <= 1, (place, inside)
        assert place["mixing"] != "lot" or len(lots) <= 1, (place, inside)
        assert items <= {place.get("item", i) for i in items}, (place, inside)
        for i in items:
            assert ITEMS[i].get("temperature", "ambient") == zone.get("temperature", "ambient"), (place, inside)  # type: ignore[attr-defined]
            assert ITEMS[i].get("hazard", "") in {"", *zone.get("hazards", ())}, (place, inside)  # type: ignore[attr-defined]


async def lying(floor: Floor) -> list[tuple[str, str, str, int]]:
    rows = await floor.rows(
        "SELECT place, item, lot, qty FROM stock WHERE qty > 0 AND place LIKE 'F%' UNION ALL"
        " SELECT target, item, lot, qty FROM hand_task WHERE kind = 'putaway' AND state IN ('open', 'leased')"
        " AND target IS NOT NULL"
    )
    return [tuple(r) for r in rows]


async def received_at_once(floor: Floor, n: int, goods: list[tuple[str, int, str]]) -> None:
    """Receive all of a batch at the same time, while others put away what came before, some at a place of their own."""

    async def receive(k: int, item: str, qty: int, lot: str) -> None:
        more = {"lot": lot, "expires": "2013-12-30"} if "lots" in ITEMS[item] else {}
        answer = await post(floor.operator, "/v1/receipts", f"r{n}-{k}", item=item, qty=qty, **more)
        assert answer.status_code == 201, answer.text
        assert sum(t["qty"] for t in answer.json()["putaway"]) == qty
        assert all(t["why"]["because"] for t in answer.json()["putaway"])

    async def put_away(k: int) -> None:
        answer = await post(floor.operator, "/v1/hands/next", f"n{n}-{k}", kinds=["putaway"], person=f"p{k}")
        if answer.status_code != 200:
            return
        task = answer.json()
        target = f"F{k}" if k % 2 and task["target"] else task["target"] or f"F{k}"
        body = {"attempt": task["attempt"], "qty": task["qty"], "target": target, "person": f"p{k}"}
        done = await post(floor.operator, f"/v1/hands/{task['id']}/confirm", f"c{n}-{k}", **body)
        assert done.status_code in {200, 409}, done.text

    await asyncio.gather(*(receive(k, *one) for k, one in enumerate(goods)), *(put_away(k) for k in range(3)))


@settings(max_examples=6, deadline=None, derandomize=True)
@given(PLACES, BATCHES)
def _fill(places: list[dict[str, Any]], batches: list[list[tuple[str, int, str]]]) -> None:
    async def live() -> None:
        async with running(_postgres[0]) as floor:
            await furnish(floor, places)
            for n, goods in enumerate(batches):
                await received_at_once(floor, n, goods)
                check(places, await lying(floor))
            assert await floor.violations() == []

    asyncio.run(live())


_postgres: list[ScratchPostgres] = []


@pytest.mark.slow
def test_no_place_is_overfilled_or_mixed_against_its_rule(postgres: ScratchPostgres) -> None:
    """Random places, zones and goods; several receive and put away at once, some where they were not told to."""
    _postgres[:] = [postgres]
    _fill()


async def test_strategies_are_data_and_each_choice_tells_its_reason(postgres: ScratchPostgres) -> None:
    """Fixed, then where it lies, then the nearest; what was passed over is told; no room: a person chooses."""
    async with running(postgres) as floor:
        await furnish(floor, [{"way": 1, "volume_ml": 7_000, "item": "dry"}, {"way": 2, "volume_ml": 1_400}])
        got = (await post(floor.operator, "/v1/receipts", "a", item="dry", qty=15)).json()["putaway"]
        assert [(t["target"], t["qty"], t["why"]["rule"]) for t in got] == [
            ("F0", 10, "fixed"), ("F1", 2, "nearest"), (None, 3, "none"),
        ]  # fmt: skip
        assert [p["place"] for p in got[2]["why"]["passed"]] == []
        more = (await post(floor.operator, "/v1/receipts", "b", item="heavy", qty=14)).json()["putaway"]
        assert [(t["target"], t["qty"]) for t in more] == [(None, 6), (None, 6), (None, 2)]
        assert more[0]["why"]["passed"] == [{"rule": "nearest", "place": "F1", "why": "1400 of 1400 ml are taken"}]
        etag = (await floor.supervisor.get("/v1/places/F1")).headers["ETag"]
        body = {"way": 2, "volume_ml": 700}
        small = await floor.supervisor.put("/v1/places/F1", json=body, headers={"If-Match": etag})
        assert (small.status_code, small.json()["errors"][0]["field"]) == (409, "volume_ml")
        large = await floor.supervisor.put(
            "/v1/places/F1", json=body | {"volume_ml": 90_000}, headers={"If-Match": etag}
        )
        assert large.status_code == 200, large.text
        again = (await post(floor.operator, "/v1/putaway", "c", place="inbound")).json()
        assert sorted((t["item"], t["target"], t["qty"]) for t in again) == [
            ("dry", "F1", 3), ("heavy", "F1", 2), ("heavy", "F1", 6), ("heavy", "F1", 6),
        ]  # fmt: skip
        bad = await floor.supervisor.put(
            "/v1/putaway-strategies/x", json={"steps": [{"rule": "nearest", "zones": ["nowhere"]}]}
        )
        assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "steps/0/zones")
        assert await floor.violations() == []


async def test_bad_master_data_is_refused_by_its_field(postgres: ScratchPostgres) -> None:
    """Items, places, zones and lots that cannot be; and what lies there binds them."""
    async with running(postgres) as floor:
        for body, wrong in (
            ({"shelf_life_days": 5}, "shelf_life_days"),
            ({"lots": True, "shelf_life_days": 5, "receive_days": 6}, "receive_days"),
            ({"per_case": 6, "per_layer": 20}, "per_layer"),
            ({"temperature": "hot"}, "temperature"),
        ):
            answer = await floor.erp.put("/v1/items/x", json=body)
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, wrong)
        for body, status, wrong in (
            ({}, 422, "kind"),
            ({"kind": "shelf", "zone": "nowhere"}, 422, "zone"),
            ({"kind": "shelf", "item": "nobody"}, 422, "item"),
            ({"kind": "shelf", "parent": "nowhere"}, 422, "parent"),
            ({"kind": "shelf", "volume_ml": 0}, 422, "volume_ml"),
        ):
            answer = await floor.supervisor.put("/v1/places/new", json=body)
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (status, wrong)
        await floor.stock(("P0-B0", "part1", 3), ("P0-B0", "part2", 1))
        for body, wrong in (
            ({"mixing": "item"}, "mixing"), ({"weight_g": 100}, "weight_g"), ({"kind": "shelf"}, "kind"),
            ({"parent": "P1"}, "parent"), ({"item": "part1"}, "item"),
        ):  # fmt: skip
            answer = await floor.supervisor.put("/v1/places/P0-B0", json=body, headers={"If-Match": "*"})
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (409, wrong), answer.text
        lots = await floor.erp.put("/v1/items/part1", json={"barcode": "x", "lots": True}, headers={"If-Match": "*"})
        assert (lots.status_code, lots.json()["errors"][0]["field"]) == (409, "lots")
        assert (await floor.erp.put("/v1/items/part1/lots/L", json={})).status_code == 409
