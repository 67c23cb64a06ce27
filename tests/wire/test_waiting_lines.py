"""Lines that wait get what becomes free, however it does: the most urgent first, the oldest lot, in enough totes."""

from typing import Any

from deploy.embedded.scratch import ScratchPostgres
from tests.wire.care_floor import confirm, key, lay, next_task, put, say, see, shelves
from tests.wire.central_floor import Floor, running

NEVER = {"If-Match": "*"}


async def lines(floor: Floor, *orders: str) -> list[int]:
    """How many pieces of the first line of each order are reserved."""
    return [(await floor.shown(o))["order_lines"][0]["allocated"] for o in orders]


async def test_whatever_makes_goods_free_fills_the_lines_that_wait(postgres: ScratchPostgres) -> None:
    """Booked in, released, counted, moved, cancelled, changed, undone, transferred: the most urgent line first."""
    async with running(postgres) as floor:
        await shelves(floor, "H1")
        await lay(floor, ("P0-B0", "part2", 8))
        await floor.order("LATE", ("part1", 40), backorder=True)
        await floor.order("SOON", ("part1", 10), backorder=True, priority=5)
        assert await lines(floor, "SOON", "LATE") == [0, 0]
        await lay(floor, ("P0-B0", "part1", 3))
        assert await lines(floor, "SOON", "LATE") == [3, 0]
        # from hold, and from quality
        await lay(floor, ("P0-B1", "part1", 4), status="hold")
        assert await lines(floor, "SOON", "LATE") == [3, 0]
        body = {"place": "P0-B1", "item": "part1", "qty": 4, "from": "hold", "to": "ok", "reason": "looked at"}
        await say(floor.operator, "/v1/stock/status", body)
        assert await lines(floor, "SOON", "LATE") == [7, 0]
        # from where nobody picks to where robots do
        await lay(floor, ("H1", "part1", 5))
        assert await lines(floor, "SOON", "LATE") == [7, 0]
        moved = await say(floor.operator, "/v1/hands/moves", {"from": "H1", "to": "P0-B2", "item": "part1", "qty": 5})
        assert await lines(floor, "SOON", "LATE") == [10, 2]
        undone = await floor.supervisor.post(
            f"/v1/hands/{moved['id']}/undo", json={"reason": "x"}, headers=key()
        )  # fmt: skip
        assert undone.status_code == 409  # what orders hold is not taken back
        # another order gives up what it had: all of it, or a part
        await floor.order("FIRM", ("part1", 6), backorder=True, priority=9)
        await floor.order("OTHER", ("part2", 8))
        await floor.order("WAITS", ("part2", 5), backorder=True)
        patch = {"lines": [{"line": 1, "qty": 6}]}
        answer = await floor.erp.patch("/v1/orders/OTHER", json=patch, headers=NEVER)
        assert answer.status_code == 200, answer.text
        assert await lines(floor, "OTHER", "WAITS") == [6, 2]
        await say(floor.erp, "/v1/orders/OTHER/cancel", {"reason": "x"}, 200)
        assert await lines(floor, "WAITS") == [5]
        # what is undone, and what another site sends
        await lay(floor, ("P1-B0", "part1", 2), reason="found")
        assert await lines(floor, "FIRM", "LATE") == [2, 2]
        await lay(floor, ("P1-B0", "part4", 9))
        await lay(floor, ("P1-B0", "part4", -9))
        await floor.order("FOUR", ("part4", 4), backorder=True)
        (out,) = await floor.rows("SELECT seq FROM ledger WHERE item = 'part4' AND a = 'P1-B0'")
        await say(floor.supervisor, f"/v1/ledger/{out['seq']}/reverse", {"reason": "not so"})
        assert await lines(floor, "FOUR") == [4]
        body = {
            "ref": "UML-1", "way": "in", "other_site": "south", "lines": [{"line": 1, "item": "part1", "qty": 3}]
        }  # fmt: skip
        transfer = (await say(floor.erp, "/v1/transfers", body))["id"]
        came = {"place": "P1-B1", "lines": [{"line": 1, "qty": 3}]}
        await say(floor.operator, f"/v1/transfers/{transfer}/receipts", came, 200)
        assert await lines(floor, "FIRM", "LATE") == [5, 2]
        # doubt that a count ends
        await floor.rows("UPDATE stock SET doubt = true WHERE item = 'part4'")
        await floor.order("MORE", ("part4", 5), backorder=True)
        assert await lines(floor, "MORE") == [0]
        await lay(floor, ("P1-B0", "part4", 0), reason="count")
        assert await lines(floor, "MORE") == [5]
        assert (await see(floor.erp, "/v1/items/part1/availability"))["available"] == 0
        assert await floor.violations() == []


async def test_what_a_waiting_line_gets_travels_in_totes_that_hold_it(postgres: ScratchPostgres) -> None:
    """Sixty litres a tote: what comes across the dock for one line fills several, no piece twice."""
    async with running(postgres) as floor:
        await put(floor.supervisor, "/v1/receiving-rules/-", {"blind": True}, **NEVER)
        await floor.order("A1", ("part1", 130), backorder=True)
        body = {"item": "part1", "qty": 110}
        got = await say(floor.operator, "/v1/receipts", body)
        assert sorted(x["qty"] for x in got["cross_docked"]) == [10, 50, 50]  # 25 kg each, at half a kilo
        assert got["putaway"] == []
        await lay(floor, ("P0-B0", "part1", 60))
        assert await lines(floor, "A1") == [130]
        picks = await floor.rows(
            "SELECT tote, hand, sum(qty)::int AS qty FROM task WHERE kind = 'pick' GROUP BY tote, hand ORDER BY tote"
        )
        assert [(r["hand"], r["qty"]) for r in picks] == [(True, 50), (True, 50), (True, 10), (False, 20)]
        await floor.until(lambda: "P-T-A1-4-1" in floor.keys)
        assert await floor.violations() == []


async def lots(floor: Floor, **days: str) -> None:
    body = {"barcode": "milk", "lots": True, "shelf_life_days": 400, "volume_ml": 1_000, "weight_g": 500}
    await put(floor.erp, "/v1/items/milk", body)
    for lot, expires in days.items():
        await put(floor.erp, f"/v1/items/milk/lots/{lot}", {"expires": expires})


async def test_the_lot_that_expires_first_goes_first_wherever_it_lies(postgres: ScratchPostgres) -> None:
    """Over bins, shelves and pallets on them, where people pick; never what is not good as long as the order wants."""
    async with running(postgres, hand_picks=True) as floor:
        await shelves(floor, "H1", "H2")
        await lots(floor, OLD="2013-12-20", MID="2014-01-20", NEW="2014-03-20")
        await lay(floor, ("P0-B0", "milk", 10), lot="MID")
        await lay(floor, ("H1", "milk", 4), lot="OLD")
        await lay(floor, ("H2", "milk", 50), lot="NEW")
        await floor.order("A1", ("milk", 12))
        await floor.order("A2", ("milk", 5), min_days=60)
        await floor.order("A3", ("milk", 3), min_days=40)
        lot = await see(floor.erp, "/v1/items/milk/availability", lot="NEW")
        assert (lot["on_hand"], lot["reserved"], lot["available"]) == (50, 6, 44)
        assert (await see(floor.erp, "/v1/items/milk/stock"))["available"] == 44
        rows = (await see(floor.erp, "/v1/stock", lot="OLD"))["items"]
        assert [(r["place"], r["qty"], r["reserved"]) for r in rows] == [("H1", 4, 4)]
        picks = await floor.rows(
            "SELECT t.order_id, s.place, s.lot, t.qty, t.hand FROM task t JOIN stock s ON s.id = t.stock"
            " WHERE t.kind = 'pick' ORDER BY t.order_id, s.place"
        )
        assert [tuple(r) for r in picks] == [
            ("A1", "H1", "OLD", 4, True), ("A1", "P0-B0", "MID", 8, False), ("A2", "H2", "NEW", 5, True),
            ("A3", "H2", "NEW", 1, True), ("A3", "P0-B0", "MID", 2, False),
        ]  # fmt: skip
        assert await floor.violations() == []


async def test_demand_brings_the_first_lot_that_is_good_for_who_waits(postgres: ScratchPostgres) -> None:
    """From the reserve: the oldest for who takes any, a younger one for who wants more days; into bins with room."""
    async with running(postgres) as floor:
        await shelves(floor, "H1", "H2", "H3")
        await lots(floor, OLD="2013-12-20", MID="2014-01-20", NEW="2014-03-20")
        await put(floor.supervisor, "/v1/places/P0-B0", {"volume_ml": 6_000, "mixing": "lot"}, **NEVER)
        await lay(floor, ("H1", "milk", 10), lot="NEW")
        await lay(floor, ("H2", "milk", 10), lot="MID")
        await lay(floor, ("H3", "milk", 10), lot="OLD")
        await floor.order("ANY", ("milk", 8), backorder=True)
        await floor.order("LONG", ("milk", 7), backorder=True, min_days=60)
        await say(floor.operator, "/v1/replenishment:run", None, 200)
        wanted = await floor.rows(
            "SELECT source, lot, target, qty FROM hand_task WHERE kind = 'replenish' ORDER BY lot, target"
        )
        assert [tuple(r) for r in wanted] == [
            ("H1", "NEW", "P0-B1", 7), ("H3", "OLD", "P0-B0", 6), ("H3", "OLD", "P0-B1", 2),
        ]  # fmt: skip
        while (task := await next_task(floor, "anna", "replenish")) is not None:
            if task["target"] == "P0-B1":
                full = await confirm(floor, task, 409, qty=task["qty"], target="P0-B0")
                assert "no room: P0-B0 takes 0 of" in full["detail"]
            await confirm(floor, task, qty=task["qty"], target=task["target"])
        assert await lines(floor, "ANY", "LONG") == [8, 7]
        assert (await say(floor.operator, "/v1/replenishment:run", None, 200))["opened"] == 0
        assert await floor.violations() == []


async def test_a_pallet_goes_to_its_place_as_a_whole(postgres: ScratchPostgres) -> None:
    """Received by its SSCC: one task, a scan and a place; opened by the first pick; piece by piece if too large."""
    async with running(postgres, hand_picks=True) as floor:
        pallet, carton, large = "340123450000000017", "340123450000000024", "340123450000000031"
        await put(floor.supervisor, "/v1/places/H1", {"kind": "shelf", "volume_ml": 30_000, "way": 1})
        await put(floor.supervisor, "/v1/places/H2", {"kind": "shelf", "volume_ml": 60_000, "way": 2})
        units: list[dict[str, Any]] = [
            {"sscc": pallet, "contents": [{"line": 1, "qty": 30}]},
            {"sscc": carton, "parent": pallet, "contents": [{"line": 2, "qty": 12}]},
            {"sscc": large, "contents": [{"line": 3, "qty": 70}]},
        ]
        body = {
            "ref": "PO-1", "supplier": "acme", "due": "2013-12-02T12:00:00Z", "units": units,
            "lines": [{"line": n, "item": f"part{n}", "qty": q} for n, q in ((1, 30), (2, 12), (3, 70))],
        }  # fmt: skip
        await say(floor.erp, "/v1/asns", body)
        got = await say(floor.operator, "/v1/asns/PO-1/receive", {"unit": pallet})
        (whole,) = got["putaway"]
        assert (whole["item"], whole["source"], whole["target"], whole["qty"]) == (None, pallet, "H2", 42)
        assert [p["place"] for p in whole["why"]["passed"]] == ["H1"]
        got = await say(floor.operator, "/v1/asns/PO-1/receive", {"unit": large})
        assert [(t["item"], t["source"], t["target"], t["qty"]) for t in got["putaway"]] == [
            ("part3", large, "H1", 30), ("part3", large, "H2", 18), ("part3", large, "P0-B0", 22),
        ]  # fmt: skip
        task = await say(floor.operator, f"/v1/hands/{whole['task']}/lease", {"person": "anna"}, 200)
        assert [a["field"] for a in task["asks"]] == ["source", "target"]
        assert "H1 does not take" in (await confirm(floor, task, 409, source=pallet, target="H1"))["detail"]
        await confirm(floor, task, source=pallet, target="H2")
        at = (await see(floor.operator, f"/v1/units/{pallet}"))["at"]
        assert at == "H2"
        await floor.supervisor.post(f"/v1/hands/{task['id']}/undo", json={"reason": "x"}, headers=key())
        assert (await see(floor.operator, f"/v1/units/{pallet}"))["at"] == "inbound"
        again = await next_task(floor, "anna", "putaway")
        while again is not None and again["item"] is not None:
            again = await next_task(floor, "anna", "putaway")
        assert again is not None
        await confirm(floor, again, source=pallet, target="H2")
        # orders are picked from it now
        assert (await see(floor.erp, "/v1/items/part2/availability"))["available"] == 12
        order = await floor.order("A1", ("part2", 5))
        (pick,) = [t for t in (await floor.shown(order["id"]))["tasks"] if t["kind"] == "pick"]
        assert (await see(floor.operator, f"/v1/units/{carton}"))["state"] == "closed"
        taken = await say(floor.operator, f"/v1/hands/{pick['id']}/lease", {"person": "anna"}, 200)
        assert taken["source"] == carton
        await confirm(floor, taken, qty=5, source=carton)
        states = [(await see(floor.operator, f"/v1/units/{u}"))["state"] for u in (pallet, carton)]
        assert states == ["open", "open"]
        assert await floor.violations() == []
