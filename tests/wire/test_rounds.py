"""People who pick from shelves, over REST and a real database: batch, cluster, zones, short picks, changes, packing."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import Floor, running
from tests.wire.outbound_hands import Hands

PLACES = """
INSERT INTO zone (code) VALUES ('A'), ('B');
INSERT INTO place (code, kind, zone, way) VALUES
    ('S-1', 'shelf', 'A', 30), ('S-2', 'shelf', 'A', 10), ('S-3', 'shelf', 'B', 20), ('PACK', 'staging', NULL, 0);
"""


@pytest.fixture
async def floor(postgres: ScratchPostgres) -> AsyncIterator[Floor]:
    async with running(postgres, hand_picks=True) as floor:
        for statement in PLACES.strip().split(";"):
            if statement.strip():
                await floor.rows(statement)
        await floor.stock(("S-1", "part1", 20), ("S-2", "part2", 20), ("S-3", "part3", 20))
        yield floor


@pytest.fixture
def hands(floor: Floor) -> Hands:
    return Hands(floor)


def walk(shown: dict[str, Any]) -> list[tuple[str, str, int, list[tuple[int, int]]]]:
    return [(s["place"], s["item"], s["qty"], [(p["slot"], p["qty"]) for p in s["parts"]]) for s in shown["stops"]]


async def test_a_batch_is_walked_once_and_shared_out(floor: Floor, hands: Hands) -> None:
    """Two orders, one cart: by the way of the places, one stop for both; packed, numbered and shipped by hand."""
    await floor.order("A1", ("part1", 2), ("part2", 1))
    await floor.order("A2", ("part1", 3))
    assert floor.keys == {}
    shown = await hands.ok("/rounds", {"how": "batch", "totes": 4, "person": "anna"})
    assert [(t["slot"], t["tote"]) for t in shown["totes"]] == [(1, "T-A1-1"), (2, "T-A2-1")]
    assert walk(shown) == [("S-2", "part2", 1, [(1, 1)]), ("S-1", "part1", 5, [(1, 2), (2, 3)])]
    assert (await floor.shown("A1"))["state"] == "picking"
    assert await hands.open("pick") == []
    base = f"/rounds/{shown['id']}"
    await hands.ok(f"{base}/pick", {"place": "S-2", "item": "part2", "qty": 1})
    assert "5 pieces are wanted, not 6" in await hands.refused(
        f"{base}/pick", {"place": "S-1", "item": "part1", "qty": 6}
    )
    done = await hands.ok(f"{base}/pick", {"place": "S-1", "item": "part1", "qty": 5})
    assert [s["picked"] for s in done["stops"]] == [1, 5]
    assert await hands.open("pack") == ["K-T-A1-1", "K-T-A2-1"]
    assert "no place for totes" in await hands.refused(f"{base}/finish", {"to": "S-1"})
    await hands.ok(f"{base}/finish", {"to": "PACK"})
    await hands.do("K-T-A1-1", source="T-A1-1", weight_g=1_700)
    await hands.do("K-T-A2-1")
    assert [(await floor.shown(o))["state"] for o in ("A1", "A2")] == ["shipped", "shipped"]
    weights = [t["weight_g"] for o in ("A1", "A2") for t in (await floor.shown(o))["tote_list"]]
    assert weights == [1_700, 1_500]
    assert floor.keys == {}
    assert await floor.violations() == []


async def test_robots_and_people_share_an_order_but_no_tote(floor: Floor, hands: Hands) -> None:
    """What bins have goes the robots' way; the rest is for people; the order leaves when both are packed."""
    await floor.stock(("P0-B0", "part1", 2))
    taken = await floor.order("A1", ("part1", 5))
    assert (taken["totes"], taken["short"]) == (2, 0)
    await floor.until(lambda: len(floor.keys) == 3)
    await floor.pick("P-T-A1-1-1")
    await floor.finish_tote("T-A1-1")
    assert (await floor.shown("A1"))["state"] == "picking"
    await hands.do("P-T-A1-2-1", qty=3, target="T-A1-2", source="S-1")
    await hands.do("K-T-A1-2", target="PACK")
    assert (await floor.shown("A1"))["state"] == "shipped"
    assert await floor.violations() == []


async def test_a_cluster_confirms_each_tote(floor: Floor, hands: Hands) -> None:
    """Which tote is said each time; a wrong one is refused by name."""
    await floor.order("A1", ("part1", 2))
    await floor.order("A2", ("part1", 3))
    shown = await hands.ok("/rounds", {"how": "cluster", "person": "anna"})
    base = f"/rounds/{shown['id']}/pick"
    said: dict[str, Any] = {"place": "S-1", "item": "part1", "qty": 2}
    assert "which tote" in await hands.refused(base, said)
    assert "2 pieces are wanted, not 3" in await hands.refused(base, said | {"tote": "T-A1-1", "qty": 3})
    assert "nothing of part1 is wanted" in await hands.refused(base, said | {"tote": "T-A9-1"})
    await hands.ok(base, said | {"tote": "T-A1-1"})
    await hands.ok(base, said | {"tote": "T-A2-1", "qty": 3})
    assert await hands.open("pack") == ["K-T-A1-1", "K-T-A2-1"]
    assert await floor.violations() == []


async def test_a_tote_is_passed_on_from_zone_to_zone(floor: Floor, hands: Hands) -> None:
    """Zone B gets it only after zone A; then it is packed."""
    await floor.order("A1", ("part1", 2), ("part3", 1))
    why = await hands.refused("/rounds", {"how": "zone", "zone": "B"})
    assert "nothing is to be picked by hand in zone B" in why
    first = await hands.ok("/rounds", {"how": "zone", "zone": "A"})
    assert walk(first) == [("S-1", "part1", 2, [(1, 2)])]
    await hands.ok(f"/rounds/{first['id']}/pick", {"place": "S-1", "item": "part1", "qty": 2})
    await hands.ok(f"/rounds/{first['id']}/finish", {"to": "PACK"})
    assert await hands.open("pack") == []
    second = await hands.ok("/rounds", {"how": "zone", "zone": "B", "join": "pass"})
    assert walk(second) == [("S-3", "part3", 1, [(1, 1)])]
    assert second["totes"][0]["tote"] == first["totes"][0]["tote"]
    await hands.ok(f"/rounds/{second['id']}/pick", {"place": "S-3", "item": "part3", "qty": 1})
    assert await hands.open("pack") == ["K-T-A1-1"]
    assert await floor.violations() == []


async def test_zones_fill_totes_of_their_own_and_are_consolidated_at_packing(floor: Floor, hands: Hands) -> None:
    """Both at the same time; the order leaves when the last of its totes is packed."""
    await floor.order("A1", ("part1", 2), ("part3", 1))
    b = await hands.ok("/rounds", {"how": "zone", "zone": "B", "join": "consolidate", "person": "bert"})
    a = await hands.ok("/rounds", {"how": "zone", "zone": "A", "join": "consolidate", "person": "anna"})
    assert (b["totes"][0]["tote"], a["totes"][0]["tote"]) == ("T-A1-2", "T-A1-1")
    await hands.ok(f"/rounds/{b['id']}/pick", {"place": "S-3", "item": "part3", "qty": 1})
    await hands.do("K-T-A1-2")
    assert (await floor.shown("A1"))["state"] == "picking"
    await hands.ok(f"/rounds/{a['id']}/pick", {"place": "S-1", "item": "part1", "qty": 2})
    await hands.do("K-T-A1-1")
    shown = await floor.shown("A1")
    assert (shown["state"], shown["shipment"]["totes"]) == ("shipped", 2)
    assert await floor.violations() == []


async def test_what_is_missing_is_looked_for_on_shelves_then_in_bins_then_it_is_short(
    floor: Floor, hands: Hands
) -> None:
    """Ten wanted, four there: two on another shelf for this round, one in a bin for the robots, three are short."""
    await floor.order("A1", ("part1", 10))
    shown = await hands.ok("/rounds", {"person": "anna"})
    await floor.stock(("S-2", "part1", 2), ("P0-B1", "part1", 1))
    base = f"/rounds/{shown['id']}/pick"
    assert "the reason is missing" in await hands.refused(base, {"place": "S-1", "item": "part1", "qty": 4})
    more = await hands.ok(base, {"place": "S-1", "item": "part1", "qty": 4, "reason": "empty"})
    assert walk(more) == [("S-2", "part1", 2, [(1, 2)]), ("S-1", "part1", 10, [(1, 10)])]
    await hands.ok(base, {"place": "S-2", "item": "part1", "qty": 2})
    await floor.until(lambda: {"P-T-A1-2-1", "C-T-A1-2", "K-T-A1-2"} == set(floor.keys))
    kinds = [e["type"].rsplit(".", 1)[1] for e in floor.events]
    assert "count_needed" in kinds
    short = next(e["data"] for e in floor.events if e["type"] == "floorplane.order.line_short")
    assert short == {"line": 1, "item": "part1", "short": 3}
    await floor.pick("P-T-A1-2-1")
    await floor.finish_tote("T-A1-2")
    await hands.do("K-T-A1-1")
    line = (await floor.shown("A1"))["order_lines"][0]
    assert (line["done"], line["short"], (await floor.shown("A1"))["state"]) == (7, 3, "shipped")
    assert await floor.violations() == []


async def test_a_short_pick_of_a_robot_is_finished_by_a_person(floor: Floor, hands: Hands) -> None:
    """The bin was empty; the shelf has it; a person brings it in a tote of its own."""
    await floor.stock(("P0-B0", "part2", 3))
    await floor.order("A1", ("part2", 3))
    await floor.pick("P-T-A1-1-1", 1, "bin empty")
    assert await hands.open("pick") == ["P-T-A1-2-1"]
    await floor.finish_tote("T-A1-1")
    await hands.do("P-T-A1-2-1", qty=2)
    await hands.do("K-T-A1-2")
    assert (await floor.shown("A1"))["order_lines"][0]["done"] == 3
    assert await floor.violations() == []


async def test_what_nobody_has_begun_is_withdrawn_and_what_is_in_hand_goes_on(floor: Floor, hands: Hands) -> None:
    """A change or cancellation closes open hand tasks; a leased one is kept; with put_back all of it goes back."""
    await floor.order("A1", ("part1", 2), ("part2", 2))
    taken = await hands.take("P-T-A1-1-1")
    why = (await hands.post("/hands/P-T-A1-1-2/cancel", {"reason": "no"})).json()["detail"]
    assert "belongs to its order" in why
    answer = await hands.ok("/orders/A1/cancel", {"reason": "x"})
    assert (answer["outcome"], answer["withdrawn_picks"], answer["totes_going_on"]) == ("partly", 1, 1)
    assert (await hands.get("/hands/P-T-A1-1-2"))["state"] == "cancelled"
    await hands.ok("/hands/P-T-A1-1-1/confirm", {"attempt": taken["attempt"], "person": "anna", "qty": 2})
    assert await floor.violations() == []
    await hands.ok("/orders/A1/cancel", {"reason": "x", "put_back": True})
    assert await hands.open("pack") == []
    await hands.do("B-P-T-A1-1-1", qty=2)
    assert (await floor.shown("A1"))["state"] == "cancelled"
    assert (await floor.erp.get("/v1/items/part1/stock")).json()["rows"][0]["qty"] == 20
    assert await floor.violations() == []


async def test_a_pick_is_taken_back_and_picked_again(floor: Floor, hands: Hands) -> None:
    """The undo reverses the move; a new pick replaces it, and the tote is not packed before."""
    await floor.order("A1", ("part1", 2))
    await hands.do("P-T-A1-1-1", qty=2)
    await hands.ok("/hands/P-T-A1-1-1/undo", {"reason": "wrong tote"})
    assert await hands.open("pick") == ["P-T-A1-1-2"]
    assert await hands.open("pack") == []
    assert await floor.violations() == []
    await hands.do("P-T-A1-1-2", qty=2)
    await hands.do((await hands.open("pack"))[0])
    assert (await floor.shown("A1"))["state"] == "shipped"
    assert await floor.violations() == []


async def test_a_round_that_is_given_up_leaves_its_picks_to_others(floor: Floor, hands: Hands) -> None:
    """Once; and an order that is held is in no round."""
    await floor.order("A1", ("part1", 2))
    await floor.order("A2", ("part1", 2), release_at="2013-12-03T00:00:00Z")
    shown = await hands.ok("/rounds", {"person": "anna"})
    assert [t["order_id"] for t in shown["totes"]] == ["A1"]
    await hands.refused("/rounds", {"person": "bert"})
    assert (await hands.ok(f"/rounds/{shown['id']}/cancel", {"reason": "the shift is over"}))["state"] == "cancelled"
    await hands.refused(f"/rounds/{shown['id']}/finish", {"to": "PACK"})
    assert await hands.open("pick") == ["P-T-A1-1-1"]
    again = await hands.ok("/rounds", {"person": "bert"})
    assert again["totes"][0]["tote"] == "T-A1-1"
    await hands.refused("/rounds/nobody/finish", {"to": "PACK"}, status=404)
    assert await floor.violations() == []
