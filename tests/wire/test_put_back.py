"""Cancelling at every stage, and taking a shipment back: what is still possible is done, what is not is named."""

from collections.abc import AsyncIterator

import pytest

from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import DUE, Floor, running
from tests.wire.outbound_hands import Hands, packed


@pytest.fixture
async def floor(postgres: ScratchPostgres) -> AsyncIterator[Floor]:
    async with running(postgres) as floor:
        await floor.rows("INSERT INTO place (code, kind) VALUES ('D1', 'dock'), ('R1', 'shelf')")
        await floor.stock(("P0-B0", "part1", 20), ("P0-B1", "part2", 20))
        yield floor


@pytest.fixture
def hands(floor: Floor) -> Hands:
    return Hands(floor)


def back(outcome: str, withdrawn: int, totes: int, tasks: int) -> dict[str, object]:
    return {
        "id": "A1", "outcome": outcome, "withdrawn_picks": withdrawn, "totes_going_on": totes, "put_back_tasks": tasks,
    }  # fmt: skip


async def free(floor: Floor, item: str) -> int:
    available: int = (await floor.erp.get(f"/v1/items/{item}/stock")).json()["available"]
    return available


async def test_before_anybody_begins_nothing_is_to_be_put_back(floor: Floor, hands: Hands) -> None:
    """Picks are withdrawn, and that is all."""
    await floor.order("A1", ("part1", 2), ("serv1", 1))
    assert await hands.ok("/orders/A1/cancel", {"reason": "x", "put_back": True}) == back("cancelled", 1, 0, 0)
    assert await free(floor, "part1") == 20
    await floor.until(lambda: floor.keys == {})
    assert await floor.violations() == []


async def test_what_is_picked_is_put_back_once_the_floor_has_brought_its_tote(floor: Floor, hands: Hands) -> None:
    """The open pick is withdrawn, the tote goes on to the packer, people put its pieces back where there is room."""
    await floor.order("A1", ("part1", 3), ("part2", 2), ("serv1", 1))
    await floor.pick("P-T-A1-1-1")
    assert await hands.ok("/orders/A1/cancel", {"reason": "x", "put_back": True}) == back("stopping", 1, 1, 0)
    assert "being put back" in await hands.refused("/orders/A1/cancel", {"reason": "x", "put_back": True})
    await floor.finish_tote("T-A1-1")
    assert (await floor.shown("A1"))["state"] == "cancelled"
    assert await hands.open("putback") == ["B-P-T-A1-1-1"]
    assert await floor.violations() == []
    assert "to be put back, not 4" in await hands.cannot("B-P-T-A1-1-1", qty=4)
    assert "no place for stock" in await hands.cannot("B-P-T-A1-1-1", qty=3, target="D1")
    await hands.do("B-P-T-A1-1-1", qty=3, target="R1")
    lines = (await floor.shown("A1"))["order_lines"]
    assert [(x["done"], x["cancelled"]) for x in lines] == [(0, 3), (0, 2), (0, 1)]
    rows = await floor.rows("SELECT place, qty FROM stock WHERE item = 'part1' AND qty > 0 ORDER BY place")
    assert [tuple(r) for r in rows] == [("P0-B0", 17), ("R1", 3)]
    assert await free(floor, "part2") == 20
    assert await floor.violations() == []


async def test_what_is_lost_on_the_way_back_is_written_off_with_a_reason(floor: Floor, hands: Hands) -> None:
    """Two of three are found."""
    await floor.order("A1", ("part1", 3))
    await floor.pick("P-T-A1-1-1")
    await hands.ok("/orders/A1/cancel", {"reason": "x", "put_back": True})
    await floor.finish_tote("T-A1-1")
    assert "the reason is missing" in await hands.cannot("B-P-T-A1-1-1", qty=2)
    await hands.do("B-P-T-A1-1-1", qty=2, reason="one is broken")
    assert await free(floor, "part1") == 19
    rows = await floor.rows("SELECT a, b, qty, reason FROM ledger WHERE order_id = 'A1' ORDER BY seq")
    assert [tuple(r) for r in rows] == [
        ("P0-B0", "T-A1-1", 3, "pick"), ("T-A1-1", "P0-B0", 2, "putback"), ("T-A1-1", "adjustment", 1, "lost"),
    ]  # fmt: skip
    seqs = await floor.rows("SELECT seq FROM ledger WHERE reason IN ('putback', 'lost')")
    for row in seqs:
        assert "was cancelled" in await hands.refused(f"/ledger/{row['seq']}/reverse", {"reason": "x"})
    assert await floor.violations() == []


async def test_a_packed_order_is_unpacked(floor: Floor, hands: Hands) -> None:
    """Without put_back it is refused and says how; with it its unit is opened, its truck gives it up, all goes back."""
    sscc = await packed(floor, "A1", ("part1", 2), ("part2", 1), route="NORTH")
    stops = [{"ship_to": "x", "orders": ["A1"]}]
    await hands.ok("/trucks", {"id": "TR-1", "route": "NORTH", "dock": "D1", "departs_at": DUE, "stops": stops})
    assert "with put_back" in await hands.refused("/orders/A1/cancel", {"reason": "x"})
    seen = {"If-Match": "*"}
    lines = await floor.erp.patch("/v1/orders/A1", json={"lines": [{"line": 1, "qty": 1}]}, headers=seen)
    assert (lines.status_code, "may be put back" in lines.json()["detail"]) == (409, True)
    moved = await floor.erp.patch("/v1/orders/A1", json={"ship_to": "Dock 9", "priority": 3}, headers=seen)
    assert (moved.status_code, moved.json()["ship_to"], moved.json()["state"]) == (200, "Dock 9", "packed")
    await hands.ok("/trucks/TR-1/load")
    await hands.do("L-TR-1-T-A1-1")
    loaded = await floor.erp.patch("/v1/orders/A1", json={"priority": 4}, headers=seen)
    assert (loaded.status_code, "loaded on truck TR-1" in loaded.json()["detail"]) == (409, True)
    why = await hands.refused("/orders/A1/cancel", {"reason": "x", "put_back": True})
    assert "tote T-A1-1 is loaded on truck TR-1; unload it first" in why
    await hands.ok("/hands/L-TR-1-T-A1-1/undo", {"reason": "it is cancelled"})
    assert await hands.ok("/orders/A1/cancel", {"reason": "x", "put_back": True}) == back("put back", 0, 0, 2)
    assert await hands.open("load") == []
    assert (await hands.get("/trucks/TR-1"))["stops"][0] == {
        "stop": 1, "ship_to": "x", "orders": [], "expected": 0, "loaded": 0,
    }  # fmt: skip
    assert (await hands.get(f"/units/{sscc}"))["state"] == "open"
    for task in await hands.open("putback"):
        shown = await hands.get(f"/hands/{task}")
        await hands.do(task, qty=shown["qty"], source="T-A1-1")
    assert (await hands.get(f"/units/{sscc}"))["state"] == "void"
    assert (await free(floor, "part1"), await free(floor, "part2")) == (20, 20)
    assert await floor.violations() == []


async def test_a_dispatched_order_is_taken_back_first(floor: Floor, hands: Hands) -> None:
    """The refusal names the shipment; once it is reversed the order can be cancelled; after departure nothing can."""
    for ref in ("A1", "A2"):
        await packed(floor, ref, ("part1", 2), route="NORTH")
    stops = [{"ship_to": "x", "orders": ["A1", "A2"]}]
    await hands.ok("/trucks", {"id": "TR-1", "route": "NORTH", "dock": "D1", "departs_at": DUE, "stops": stops})
    await hands.ok("/trucks/TR-1/load")
    await hands.do("L-TR-1-T-A1-1")
    await hands.do("L-TR-1-T-A2-1")
    await hands.ok("/trucks/TR-1/dispatch")
    cancel = {"reason": "x", "put_back": True}
    assert "reverse its shipment S-A1 first" in await hands.refused("/orders/A1/cancel", cancel)
    await hands.ok("/shipments/S-A1/reverse", {"reason": "the customer called"})
    assert "taken back already" in await hands.refused("/shipments/S-A1/reverse", {"reason": "again"})
    assert await floor.violations() == []
    assert await hands.ok("/orders/A1/cancel", cancel) == back("put back", 0, 0, 1)
    await hands.do("B-P-T-A1-1-1", qty=2)
    await hands.ok("/trucks/TR-1/depart")
    assert "S-A2 has departed with truck TR-1" in await hands.refused("/orders/A2/cancel", cancel)
    assert await free(floor, "part1") == 18
    assert await floor.violations() == []


async def test_a_shipment_without_a_truck_is_taken_back_and_sent_again(floor: Floor, hands: Hands) -> None:
    """An event tells the ERP, EPCIS has the declaration, the second shipment has a name and keys of its own."""
    sscc = await packed(floor, "A1", ("part1", 2))
    labels = (await floor.erp.get("/v1/shipments/S-A1/labels")).text
    assert (labels.count("^XA"), f"(00){sscc}" in labels) == (1, True)
    assert "not packed" in await hands.refused("/orders/A1/ship")
    taken = await hands.ok("/shipments/S-A1/reverse", {"reason": "not fetched", "error": "incorrect_data"})
    assert taken["reversed_why"] == "not fetched"
    await floor.until(lambda: any(e["type"] == "floorplane.order.unshipped" for e in floor.events))
    answer = await floor.erp.get("/v1/epcis/events", params={"perPage": 100, "EXISTS_errorDeclaration": ""})
    declared = answer.json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    assert {e["errorDeclaration"]["reason"] for e in declared} == {"incorrect_data"}
    again = await hands.ok("/orders/A1/ship")
    assert (again["id"], again["pieces"]) == ("S-A1-2", 2)
    await hands.ok("/shipments/S-A1-2/reverse", {"reason": "once more"})
    assert (await hands.ok("/orders/A1/ship"))["id"] == "S-A1-3"
    assert await hands.refused("/shipments/nobody/reverse", {"reason": "x"}, status=404)
    rows = await floor.rows("SELECT key FROM ledger WHERE reason = 'ship' ORDER BY seq")
    assert [r["key"].split("/")[0] for r in rows] == ["ship", "ship#2", "ship#3"]
    assert await floor.violations() == []
