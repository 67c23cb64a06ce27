"""Trucks over REST and a real database: planned, loaded last stop first, dispatched, opened again, departed."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest

from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import DUE, Floor, running
from tests.wire.outbound_hands import Hands, packed

PLACES = "INSERT INTO place (code, kind) VALUES ('D1', 'dock'), ('D2', 'dock'), ('LANE-1', 'staging')"


@pytest.fixture
async def floor(postgres: ScratchPostgres) -> AsyncIterator[Floor]:
    async with running(postgres) as floor:
        await floor.rows(PLACES)
        await floor.stock(("P0-B0", "part1", 90), ("P0-B1", "part2", 90))
        yield floor


@pytest.fixture
def hands(floor: Floor) -> Hands:
    return Hands(floor)


def truck(name: str = "TR-1", **fields: Any) -> dict[str, Any]:
    return {"id": name, "route": "NORTH", "carrier": "ACME", "dock": "D1", "departs_at": DUE} | fields


def stops(*orders: list[str]) -> list[dict[str, Any]]:
    return [{"ship_to": f"Town {n}", "orders": o} for n, o in enumerate(orders, 1)]


async def epcis(floor: Floor, **query: str) -> list[dict[str, Any]]:
    answer = await floor.erp.get("/v1/epcis/events", params={"perPage": 200} | query)
    found: list[dict[str, Any]] = answer.json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    return found


async def test_a_truck_is_loaded_from_its_last_stop_and_leaves(floor: Floor, hands: Hands) -> None:
    """What is unloaded first is loaded last; the manifest says what stands on it; each step reaches EPCIS."""
    one, two, three = [await packed(floor, ref, ("part1", 2), route="NORTH") for ref in ("A1", "A2", "A3")]
    assert (await floor.shown("A1"))["state"] == "packed"
    planned = await hands.ok("/trucks", truck(stops=stops(["A1"], ["A2", "A3"])))
    assert [(s["ship_to"], s["orders"]) for s in planned["stops"]] == [("Town 1", ["A1"]), ("Town 2", ["A2", "A3"])]
    assert await hands.open("load") == []
    loading = await hands.ok("/trucks/TR-1/load")
    assert [(s["expected"], s["loaded"]) for s in loading["stops"]] == [(1, 0), (2, 0)]
    assert await hands.open("load") == ["L-TR-1-T-A2-1", "L-TR-1-T-A3-1"]

    assert "wrong truck" in await hands.cannot("L-TR-1-T-A2-1", target="D2")
    await hands.do("L-TR-1-T-A2-1", source=two, target="TR-1")
    assert await hands.open("load") == ["L-TR-1-T-A3-1"]
    names = await hands.refused("/trucks/TR-1/dispatch")
    assert one in names
    assert three in names
    assert two not in names
    await hands.do("L-TR-1-T-A3-1", source=three)
    await hands.do("L-TR-1-T-A1-1", target="D1")
    assert await floor.violations() == []
    gone = await hands.ok("/trucks/TR-1/dispatch")
    assert (gone["state"], [s["loaded"] for s in gone["stops"]]) == ("dispatched", [1, 2])
    shown = await floor.shown("A2")
    assert (shown["state"], shown["shipment"]["truck"]) == ("shipped", "TR-1")

    manifest = await hands.get("/manifests/TR-1")
    assert (manifest["units"], manifest["totes"], manifest["pieces"], manifest["weight_g"]) == (3, 3, 6, 4_500)
    assert [(x["stop"], x["order_id"], x["tote"], x["pieces"], x["loaded_by"]) for x in manifest["lines"]] == [
        (1, "A1", one, 2, "anna"), (2, "A2", two, 2, "anna"), (2, "A3", three, 2, "anna"),
    ]  # fmt: skip
    text = (await floor.operator.get("/v1/manifests/TR-1", params={"format": "csv"})).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(r["stop"], r["tote"], r["state"]) for r in rows] == [
        ("1", one, "loaded"), ("2", two, "loaded"), ("2", three, "loaded"),
    ]  # fmt: skip
    await hands.ok("/trucks/TR-1/depart")
    assert "departed" in await hands.refused("/shipments/S-A1/reverse", {"reason": "too late"})
    assert "departed, not dispatched" in await hands.refused("/trucks/TR-1/reopen", {"reason": "too late"})
    assert await floor.violations() == []

    loads = await epcis(floor, EQ_bizStep="loading")
    assert [(e["action"], e["parentID"], e["childEPCs"]) for e in loads] == [
        ("ADD", "urn:floorplane:test:obj:TR-1", [f"https://id.gs1.org/00/{u}"]) for u in (two, three, one)
    ]
    (left,) = await epcis(floor, EQ_bizStep="departing")
    assert sorted(left["epcList"]) == sorted(f"https://id.gs1.org/00/{u}" for u in (one, two, three))
    assert len(await epcis(floor, EQ_bizStep="shipping")) == 3


async def test_what_is_not_there_yet_is_waited_for_by_name(floor: Floor, hands: Hands) -> None:
    """The last stop's order is still being picked: nothing of earlier stops is offered; once packed it is the next."""
    await packed(floor, "A1", ("part1", 2), route="NORTH")
    await floor.order("A2", ("part1", 1), route="NORTH")
    await hands.ok("/trucks", truck(stops=stops(["A1"], ["A2"])))
    await hands.ok("/trucks/TR-1/load")
    assert await hands.open("load") == []
    why = await hands.refused("/trucks/TR-1/dispatch")
    assert "T-A2-1" in why
    await floor.pick("P-T-A2-1-1")
    await floor.finish_tote("T-A2-1")
    assert await hands.open("load") == ["L-TR-1-T-A2-1"]
    await hands.do("L-TR-1-T-A2-1")
    assert await hands.open("load") == ["L-TR-1-T-A1-1"]
    # an order that does not come does not hold the others up for ever
    await floor.order("A3", ("part1", 1))
    await hands.ok("/trucks/TR-1/orders", {"stop": 2, "orders": ["A3"]})
    assert (await floor.shown("A3"))["route"] == "NORTH"
    assert "later stops are loaded first" in await hands.cannot("L-TR-1-T-A1-1")
    await hands.ok("/trucks/TR-1/leave", {"orders": ["A3"], "reason": "not picked in time"})
    await hands.do("L-TR-1-T-A1-1")
    await hands.ok("/trucks/TR-1/dispatch")
    assert (await floor.shown("A3"))["state"] == "released"
    assert await floor.violations() == []


async def test_a_dispatch_leaves_behind_what_has_a_reason(floor: Floor, hands: Hands) -> None:
    """An order with two totes leaves in parts; the rest goes with another truck, as a shipment of its own."""
    await floor.items({"id": "block", "barcode": "", "weight_g": 20_000, "volume_ml": 40_000, "category": "Spare"})
    await floor.stock(("P1-B0", "block", 2))
    await floor.order("A1", ("block", 2), route="NORTH")
    for n in (1, 2):
        await floor.pick(f"P-T-A1-{n}-1")
        await floor.finish_tote(f"T-A1-{n}")
    first, second = [(await hands.get(f"/units/T-A1-{n}"))["sscc"] for n in (1, 2)]
    await hands.ok("/trucks", truck(stops=stops(["A1"])))
    await hands.ok("/trucks/TR-1/load")
    await hands.do("L-TR-1-T-A1-1")
    assert second in await hands.refused("/trucks/TR-1/dispatch")
    await hands.ok("/trucks/TR-1/dispatch", {"reason": "the truck is full"})
    shown = await floor.shown("A1")
    assert (shown["state"], shown["shipment"]["id"], shown["shipment"]["pieces"]) == ("packed", "S-A1", 1)
    assert await hands.open("load") == []
    assert await floor.violations() == []
    lines = (await hands.get("/manifests/TR-1"))["lines"]
    assert [(x["tote"], x["state"], x["reason"]) for x in lines] == [
        (first, "loaded", ""), (second, "left", "the truck is full"),
    ]  # fmt: skip
    await hands.ok("/trucks/TR-1/depart")
    await hands.ok("/trucks", truck("TR-2", collect=True))
    await hands.ok("/trucks/TR-2/load")
    await hands.do("L-TR-2-T-A1-2")
    await hands.ok("/trucks/TR-2/dispatch")
    shown = await floor.shown("A1")
    assert (shown["state"], shown["shipment"]["id"]) == ("shipped", "S-A1-2")
    await floor.until(lambda: any(e["type"] == "floorplane.order.shipped" for e in floor.events))
    told = [e["type"].rsplit(".", 1)[1] for e in floor.events if e["type"].endswith("shipped")]
    assert told == ["partly_shipped", "shipped"]
    shipped = await epcis(floor, EQ_bizStep="shipping")
    assert [f"https://id.gs1.org/00/{u}" in e["epcList"] for e, u in zip(shipped, (first, second), strict=True)] == [
        True, True,
    ]  # fmt: skip
    assert await floor.violations() == []


async def test_a_pallet_is_lifted_with_all_that_stands_on_it(floor: Floor, hands: Hands) -> None:
    """Totes of two orders on one pallet are loaded by one task; while it is expected nothing is put on or off it."""
    for ref in ("A1", "A2"):
        await packed(floor, ref, ("part1", 1), route="NORTH")
    pallet = (await hands.ok("/units", {"kind": "pallet", "at": "LANE-1"}))["sscc"]
    for ref in ("A1", "A2"):
        await hands.ok(f"/units/T-{ref}-1/move", {"into": pallet})
    await hands.ok("/trucks", truck(stops=stops(["A1", "A2"])))
    await hands.ok("/trucks/TR-1/load")
    assert await hands.open("load") == [f"L-TR-1-{pallet}"]
    assert "truck TR-1 is being loaded" in await hands.refused("/units/T-A1-1/move", {"into": "LANE-1"})
    assert pallet in await hands.refused("/trucks/TR-1/leave", {"orders": ["A1"], "reason": "no"})
    await hands.do(f"L-TR-1-{pallet}", source=pallet)
    assert "loaded on truck TR-1" in await hands.refused(f"/units/{pallet}/move", {"into": "LANE-1"})
    await hands.ok("/trucks/TR-1/dispatch")
    manifest = await hands.get("/manifests/TR-1")
    assert (manifest["units"], manifest["totes"], {x["unit"] for x in manifest["lines"]}) == (1, 2, {pallet})
    assert (await hands.get(f"/units/{pallet}"))["state"] == "shipped"
    label = (await floor.operator.get(f"/v1/units/{pallet}/label")).text
    assert "COUNT 2" in label
    assert await floor.violations() == []


async def test_a_load_is_undone_and_loaded_again(floor: Floor, hands: Hands) -> None:
    """What stands before it comes off first; then it is offered anew; events and EPCIS say both."""
    await packed(floor, "A1", ("part1", 2), route="NORTH")
    await packed(floor, "A2", ("part1", 2), route="NORTH")
    await hands.ok("/trucks", truck(stops=stops(["A1"], ["A2"])))
    await hands.ok("/trucks/TR-1/load")
    await hands.do("L-TR-1-T-A2-1")
    await hands.do("L-TR-1-T-A1-1")
    assert "it stands behind" in await hands.refused("/hands/L-TR-1-T-A2-1/undo", {"reason": "wrong truck"})
    await hands.ok("/hands/L-TR-1-T-A1-1/undo", {"reason": "wrong truck"})
    assert await hands.open("load") == ["L-TR-1-T-A1-1.2"]
    await hands.ok("/hands/L-TR-1-T-A2-1/undo", {"reason": "wrong truck"})
    assert await hands.open("load") == ["L-TR-1-T-A2-1.2"]
    assert await floor.violations() == []
    assert [e["action"] for e in await epcis(floor, EQ_bizStep="unloading")] == ["DELETE", "DELETE"]
    await hands.ok("/trucks/TR-1/cancel", {"reason": "it broke down"})
    assert (await floor.shown("A1"))["state"] == "packed"
    await hands.ok("/trucks", truck("TR-2", dock="D2", collect=True))
    assert await floor.violations() == []


async def test_a_dispatch_is_taken_back_before_departure(floor: Floor, hands: Hands) -> None:
    """Every shipment is reversed by rows that point back; EPCIS declares what it said wrong; then it leaves anew."""
    one = await packed(floor, "A1", ("part1", 2), ("serv1", 1), route="NORTH")
    await hands.ok("/trucks", truck(stops=stops(["A1"])))
    await hands.ok("/trucks/TR-1/load")
    await hands.do("L-TR-1-T-A1-1")
    await hands.ok("/trucks/TR-1/dispatch")
    said = await epcis(floor, EQ_bizStep="shipping")
    opened = await hands.ok("/trucks/TR-1/reopen", {"reason": "one more pallet comes"})
    assert (opened["state"], opened["stops"][0]["loaded"]) == ("loading", 1)
    shown = await floor.shown("A1")
    assert (shown["state"], [(x["kind"], x["done"]) for x in shown["order_lines"]]) == (
        "packed", [("stock", 2), ("service", 0)],
    )  # fmt: skip
    assert await floor.violations() == []
    declared = [e for e in await epcis(floor) if "errorDeclaration" in e]
    assert sorted(e["bizStep"] for e in declared) == ["shipping", "staging_outbound"]
    (void,) = await epcis(floor, EQ_bizStep="void_shipping")
    for e in declared:
        assert e["errorDeclaration"]["correctiveEventIDs"] == [void["eventID"]]
    assert {e["eventID"] for e in declared if e["bizStep"] == "shipping"} == {said[0]["eventID"]}
    assert void["epcList"] == [f"https://id.gs1.org/00/{one}"]
    await hands.ok("/trucks/TR-1/dispatch")
    assert [s["id"] for s in (await hands.get("/shipments", order="A1"))["items"]] == ["S-A1", "S-A1-2"]
    assert (await floor.shown("A1"))["state"] == "shipped"
    assert await floor.violations() == []


async def test_one_door_has_one_truck(floor: Floor, hands: Hands) -> None:
    """The database is the gate; the answer names who stands there."""
    await packed(floor, "A1", ("part1", 2), route="NORTH")
    await hands.ok("/trucks", truck(stops=stops(["A1"])))
    await hands.ok("/trucks", truck("TR-2"))
    await hands.ok("/trucks/TR-1/load")
    assert "truck TR-1 stands there" in await hands.refused("/trucks/TR-2/load")
    await hands.ok("/trucks/TR-2/load", {"dock": "D2"})
    assert "nothing is loaded" in await hands.refused("/trucks/TR-2/dispatch", {"reason": "empty"})
    assert (await hands.get("/trucks", state="loading"))["items"][0]["id"] == "TR-1"


@pytest.mark.parametrize(
    ("fields", "field", "bound"),
    [
        ({"dock": "LANE-1"}, "dock", "a dock of the site"),
        ({"stops": [{"ship_to": "x", "orders": ["nobody"]}]}, "stops/0/orders/0", "a known order"),
        ({"stops": [{"ship_to": "x", "orders": ["gone"]}]}, "stops/0/orders/0", "it is shipped"),
        ({"stops": [{"ship_to": "x", "orders": ["other"]}]}, "stops/0/orders/0", "it is of SOUTH"),
        ({"id": "P0"}, "id", "a name that nothing at the site has"),
    ],
)
async def test_what_cannot_be_planned_is_refused_by_field(
    floor: Floor, hands: Hands, fields: dict[str, Any], field: str, bound: str
) -> None:
    """Nothing of the truck is stored then."""
    await packed(floor, "gone", ("part1", 1))
    await floor.order("other", ("part1", 1), route="SOUTH")
    answer = await hands.post("/trucks", truck(**fields))
    assert answer.status_code in {409, 422}, answer.text
    error = answer.json()["errors"][0]
    assert error["field"] == field
    assert bound in error["bound"]
    assert (await hands.get("/trucks"))["items"] == []


async def test_a_change_asks_for_what_was_seen(floor: Floor, hands: Hands) -> None:
    """If-Match of a plan that changed meanwhile is 412."""
    await packed(floor, "A1", ("part1", 1), route="NORTH")
    await hands.ok("/trucks", truck(stops=stops([])))
    seen = (await floor.operator.get("/v1/trucks/TR-1")).headers["etag"]
    await hands.ok("/trucks/TR-1/orders", {"stop": 1, "orders": ["A1"]})
    late = await hands.post("/trucks/TR-1/cancel", {"reason": "x"}, **{"If-Match": seen})
    assert late.status_code == 412
    now = (await floor.operator.get("/v1/trucks/TR-1")).headers["etag"]
    assert (await hands.post("/trucks/TR-1/cancel", {"reason": "x"}, **{"If-Match": now})).status_code == 200
