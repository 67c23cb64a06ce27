"""Replenishment: below the minimum up to the maximum, or as much as orders lack; no piece is planned twice."""

from deploy.embedded.scratch import ScratchPostgres
from tests.wire.care_floor import confirm, held, key, lay, next_task, put, say, see, shelves
from tests.wire.central_floor import running


async def test_below_the_minimum_the_maximum_is_brought(postgres: ScratchPostgres) -> None:
    """In whole packs, from the shelves, into the bin that has it; what is under way is not asked for again."""
    async with running(postgres) as floor:
        await shelves(floor, "H1", "H2")
        await lay(floor, ("P0-B0", "part1", 5), ("H1", "part1", 10), ("H2", "part1", 100))
        await put(floor.erp, "/v1/replenishment/rules/part1", {"min_qty": 10, "max_qty": 30, "pack": 12})
        await floor.until(lambda: sum(e["type"] == "floorplane.hands.opened" for e in floor.events) == 2)
        assert (await say(floor.operator, "/v1/replenishment:run", None, 200))["opened"] == 0
        atp = await see(floor.erp, "/v1/replenishment/items/part1")
        assert {k: atp[k] for k in ("bins", "reserve", "under_way", "available_to_promise")} == {
            "bins": 5, "reserve": 110, "under_way": 36, "available_to_promise": 115,
        }  # fmt: skip
        tasks = [await next_task(floor, "anna", "replenish") for _ in "ab"]
        assert {(t["source"], t["target"], t["qty"]) for t in tasks if t} == {("H1", "P0-B0", 10), ("H2", "P0-B0", 26)}
        for task in tasks:
            assert task is not None
            await confirm(floor, task, qty=task["qty"], target="P0-B0")
        assert await held(floor, "part1") == {("P0-B0", "ok"): 41, ("H2", "ok"): 74}
        atp = await see(floor.erp, "/v1/replenishment/items/part1")
        assert (atp["bins"], atp["reserve"], atp["under_way"], atp["available_to_promise"]) == (41, 74, 0, 115)
        undone = await floor.supervisor.post(
            f"/v1/hands/{tasks[0]['id']}/undo", json={"reason": "no room"}, headers=key()
        )
        assert undone.status_code == 200, undone.text
        assert await floor.violations() == []


async def test_a_shelf_that_holds_less_is_counted(postgres: ScratchPostgres) -> None:
    """What is there is brought, the shelf is in doubt until it is counted; more than asked for is refused."""
    async with running(postgres) as floor:
        await shelves(floor, "H1")
        await lay(floor, ("H1", "part1", 20))
        bad = await put(floor.erp, "/v1/replenishment/rules/part1", {"min_qty": 10, "max_qty": 10}, 422)
        assert "above min_qty" in bad["detail"]
        none = await put(floor.erp, "/v1/replenishment/rules/part1", {"min_qty": 1, "max_qty": 10, "target": "H1"}, 422)
        assert none["errors"][0]["field"] == "target"
        await put(floor.erp, "/v1/replenishment/rules/part1", {"min_qty": 1, "max_qty": 10})
        await floor.until(lambda: any(e["type"] == "floorplane.hands.opened" for e in floor.events))
        task = await next_task(floor, "anna", "replenish")
        assert task is not None
        assert task["target"] == "P0-B0"  # the first empty bin
        assert "not 11" in (await confirm(floor, task, 409, qty=11))["detail"]
        assert "is not a bin" in (await confirm(floor, task, 409, qty=1, target="H1"))["detail"]
        await confirm(floor, task, qty=7)
        (counted,) = (await see(floor.operator, "/v1/counts", open=True))["items"]
        assert (counted["place"], counted["cause"]) == ("H1", "short_pick")
        assert (await see(floor.erp, "/v1/replenishment/items/part1"))["reserve"] == 0
        assert await floor.violations() == []


async def test_what_open_orders_lack_is_brought_without_a_rule(postgres: ScratchPostgres) -> None:
    """A line that waits draws on the reserve, before what rules want, and gets its pieces when they have come."""
    async with running(postgres) as floor:
        await shelves(floor, "H1")
        await lay(floor, ("P0-B0", "part1", 2), ("H1", "part1", 50))
        await floor.order("A1", ("part1", 9), backorder=True)
        assert (await say(floor.operator, "/v1/replenishment:run", None, 200))["opened"] in {0, 1}
        task = await next_task(floor, "anna", "replenish")
        assert task is not None
        assert (task["qty"], task["priority"], task["detail"]["waiting"]) == (7, 5, 7)
        atp = await see(floor.erp, "/v1/replenishment/items/part1")
        assert (atp["bins"], atp["reserve"], atp["waiting"], atp["available_to_promise"]) == (0, 50, 7, 43)
        await confirm(floor, task, qty=7, target=task["target"])
        (line,) = (await floor.shown("A1"))["order_lines"]
        assert (line["allocated"], line["short"]) == (9, 0)
        assert await floor.violations() == []
