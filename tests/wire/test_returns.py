"""Returns: never more than was shipped, not for sale until graded, each grade to its place, and a refund told."""

import asyncio

from deploy.embedded.scratch import ScratchPostgres
from tests.wire.care_floor import confirm, do, held, key, lay, next_task, say, see, shelves, shipped
from tests.wire.central_floor import running


async def test_a_return_of_an_order_goes_back_to_stock_and_is_refunded(postgres: ScratchPostgres) -> None:
    """Announced, received, graded A, B, damaged and scrap; the last grading closes it with what to refund."""
    async with running(postgres) as floor:
        await shelves(floor, "B-GOODS")
        await lay(floor, ("P0-B0", "part1", 20))
        order = await shipped(floor, "A1", ("part1", 8))
        body = {"ref": "RMA-1", "order": order, "lines": [{"line": 1, "item": "part1", "qty": 6}]}
        made = await say(floor.erp, "/v1/returns", body)
        assert (made["id"], made["state"], made["lines"][0]["order_line"]) == ("RMA-1", "announced", 1)
        more = body | {"ref": "RMA-2", "lines": [{"line": 1, "item": "part1", "qty": 3}]}
        refused = await say(floor.erp, "/v1/returns", more, 422)
        assert refused["errors"][0]["field"] == "lines/0/qty"
        assert "at most 2" in refused["errors"][0]["bound"]

        await say(floor.operator, "/v1/returns/RMA-1/receipts", {"lines": [{"item": "part1", "qty": 5}]}, 200)
        over = await say(floor.operator, "/v1/returns/RMA-1/receipts", {"lines": [{"line": 1, "qty": 2}]}, 422)
        assert (over["errors"][0]["field"], over["errors"][0]["value"]) == ("lines/0/qty", 2)
        await say(floor.operator, "/v1/returns/RMA-1/receipts", {"lines": [{"line": 1, "qty": 1}]}, 200)
        assert await held(floor, "part1") == {("P0-B0", "ok"): 12, ("returns", "quality"): 6}
        assert (await see(floor.erp, "/v1/items/part1/stock"))["available"] == 12

        task = await next_task(floor, "anna", "grade")
        assert task is not None
        assert "none of A, B" in (await confirm(floor, task, 409, qty=1, grade="Z", target="P0-B0"))["detail"]
        assert "is not a place" in (await confirm(floor, task, 409, qty=1, grade="A"))["detail"]
        assert (await confirm(floor, task, qty=1, grade="A", target="P0-B0", item="4000000000001"))["done_qty"] == 1
        for said in (
            {"grade": "A", "target": "P0-B0"},
            {"grade": "damaged"},
            {"grade": "B", "target": "B-GOODS"},
            {"grade": "B", "target": "B-GOODS", "b_item": "part2"},
            {"grade": "scrap"},
        ):
            await do(floor, "anna", "grade", qty=1, **said)
        assert await held(floor, "part1") == {("P0-B0", "ok"): 14, ("damaged", "damaged"): 1, ("B-GOODS", "hold"): 1}
        assert await held(floor, "part2") == {("B-GOODS", "ok"): 1}
        shown = await see(floor.erp, "/v1/returns/RMA-1")
        assert (shown["state"], shown["grading"]) == ("closed", [])
        line = shown["lines"][0]
        assert [line[k] for k in ("received", "back", "other", "damaged", "scrapped")] == [6, 2, 2, 1, 1]
        await floor.until(lambda: any(e["type"] == "floorplane.return.closed" for e in floor.events))
        told = next(e for e in floor.events if e["type"] == "floorplane.return.closed")["data"]
        assert (told["order"], told["lines"][0]["refund"]) == (order, 6)
        assert await floor.violations() == []


async def test_what_does_not_come_is_not_returned_and_may_be_announced_again(postgres: ScratchPostgres) -> None:
    """Closed short, the rest can be returned later; where nothing came it is cancelled; nobody cancels a grading."""
    async with running(postgres) as floor:
        await lay(floor, ("P0-B0", "part1", 20))
        order = await shipped(floor, "A1", ("part1", 4))
        for ref, qty in (("R1", 3), ("R2", 1)):
            await say(
                floor.erp,
                "/v1/returns",
                {"ref": ref, "order": order, "lines": [{"line": 1, "item": "part1", "qty": qty}]},
            )
        await say(floor.operator, "/v1/returns/R1/receipts", {"lines": [{"line": 1, "qty": 1}]}, 200)
        assert (await say(floor.erp, "/v1/returns/R1/close", {"reason": "lost"}, 409))["detail"].endswith(
            "nobody has graded"
        )
        task = await next_task(floor, "anna", "grade")
        assert task is not None
        assert (
            await floor.operator.post(f"/v1/hands/{task['id']}/cancel", json={"reason": "no"}, headers=key())
        ).status_code == 409
        await confirm(floor, task, qty=1, grade="A", target="P0-B0")
        tag = (await floor.erp.get("/v1/returns/R1")).headers["ETag"]
        assert (await say(floor.erp, "/v1/returns/R1/close", {"reason": "x"}, 412, **{"If-Match": '"old"'}))[
            "status"
        ] == 412
        assert (await say(floor.erp, "/v1/returns/R1/close", {"reason": "lost"}, 200, **{"If-Match": tag}))[
            "state"
        ] == "closed"
        assert (await say(floor.erp, "/v1/returns/R2/close", {"reason": "kept"}, 200))["state"] == "cancelled"
        await say(
            floor.erp, "/v1/returns", {"ref": "R3", "order": order, "lines": [{"line": 1, "item": "part1", "qty": 3}]}
        )
        assert await floor.violations() == []


async def test_a_blind_return_is_bounded_by_what_has_left(postgres: ScratchPostgres) -> None:
    """Without an order: what comes is written down, never more of an item than has left; a receipt is undone."""
    async with running(postgres) as floor:
        await lay(floor, ("P0-B0", "part1", 20))
        await shipped(floor, "A1", ("part1", 2))
        await say(floor.erp, "/v1/returns", {"ref": "blind"})
        path = "/v1/returns/blind/receipts"
        over = await say(floor.operator, path, {"lines": [{"item": "part1", "qty": 3}]}, 422)
        assert "at most 2" in over["errors"][0]["bound"]
        never = await say(floor.operator, path, {"lines": [{"item": "part3", "qty": 1}]}, 422)
        assert "at most 0" in never["errors"][0]["bound"]
        shown = await say(floor.operator, path, {"lines": [{"item": "part1", "qty": 2}]}, 200)
        assert (shown["lines"][0]["qty"], shown["lines"][0]["received"]) == (0, 2)
        undone = await say(floor.operator, f"{path}/{shown['grading'][0]}/undo", {"reason": "not ours"}, 200)
        assert (undone["lines"][0]["received"], undone["grading"]) == (0, [])
        assert await held(floor, "part1") == {("P0-B0", "ok"): 18}
        tag = (await floor.supervisor.get("/v1/care/policy")).headers["ETag"]
        answer = await floor.supervisor.put("/v1/care/policy", json={"blind_returns": "any"}, headers={"If-Match": tag})
        assert answer.status_code == 200, answer.text
        await say(floor.operator, path, {"lines": [{"item": "part3", "qty": 1}]}, 200)
        assert await floor.violations() == []


async def test_a_grading_is_taken_back_while_the_return_is_open(postgres: ScratchPostgres) -> None:
    """Undoing the hand task brings the pieces back to where they wait, ungraded; a told refund stays."""
    async with running(postgres) as floor:
        await lay(floor, ("P0-B0", "part1", 20))
        order = await shipped(floor, "A1", ("part1", 3))
        await say(
            floor.erp, "/v1/returns", {"ref": "R1", "order": order, "lines": [{"line": 1, "item": "part1", "qty": 3}]}
        )
        await say(floor.operator, "/v1/returns/R1/receipts", {"lines": [{"line": 1, "qty": 3}]}, 200)
        done = await do(floor, "anna", "grade", qty=2, grade="A", target="P0-B1")
        undone = await floor.supervisor.post(
            f"/v1/hands/{done['id']}/undo", json={"reason": "scratched"}, headers=key()
        )
        assert undone.status_code == 200, undone.text
        assert await held(floor, "part1") == {("P0-B0", "ok"): 17, ("returns", "quality"): 3}
        assert await floor.violations() == []
        last = [await do(floor, "bert", "grade", qty=q, grade="scrap") for q in (1, 1, 1)]
        assert (await see(floor.erp, "/v1/returns/R1"))["state"] == "closed"
        late = await floor.supervisor.post(f"/v1/hands/{last[0]['id']}/undo", json={"reason": "x"}, headers=key())
        assert late.status_code == 409
        assert "refund was told" in late.json()["detail"]
        assert await floor.violations() == []


async def test_sixteen_at_once_return_no_more_than_was_shipped(postgres: ScratchPostgres) -> None:
    """Of ten pieces, announced by sixteen requests of two and unpacked twice each, ten come back."""
    async with running(postgres) as floor:
        await lay(floor, ("P0-B0", "part1", 20))
        order = await shipped(floor, "A1", ("part1", 10))

        async def back(n: int) -> int:
            body = {"ref": f"R{n}", "order": order, "lines": [{"line": 1, "item": "part1", "qty": 2}]}
            made = await floor.erp.post("/v1/returns", json=body, headers=key())
            assert made.status_code in {201, 422}, made.text
            if made.status_code == 422:
                return 0
            receipt = {"lines": [{"line": 1, "qty": 2}]}
            both = await asyncio.gather(
                *(floor.operator.post(f"/v1/returns/R{n}/receipts", json=receipt, headers=key()) for _ in "ab")
            )
            assert sorted(a.status_code for a in both) == [200, 422]
            return 2

        assert sum(await asyncio.gather(*(back(n) for n in range(16)))) == 10
        assert await held(floor, "part1") == {("P0-B0", "ok"): 10, ("returns", "quality"): 10}
        assert await floor.violations() == []


async def test_an_owner_follows_their_own_returns_and_nobody_elses(postgres: ScratchPostgres) -> None:
    """The events of a return go to its owner; the other's token neither sees it nor closes it."""
    async with running(postgres) as floor:
        tokens = {}
        for name in ("acme", "bolt"):
            made = await floor.supervisor.post(
                "/v1/clients", json={"name": name, "role": "erp", "owner": name}, headers=key()
            )
            tokens[name] = {"Authorization": f"Bearer {made.json()['token']}"}
        await say(floor.erp, "/v1/returns", {"ref": "mine"}, **tokens["acme"])
        assert (await floor.erp.get("/v1/returns/mine", headers=tokens["bolt"])).status_code == 404
        await say(floor.erp, "/v1/returns/mine/close", {"reason": "x"}, 404, **tokens["bolt"])
        assert (await say(floor.erp, "/v1/returns/mine/close", {"reason": "x"}, 200, **tokens["acme"]))[
            "state"
        ] == "cancelled"
        for name, told in (("acme", 2), ("bolt", 0)):
            page = (await floor.erp.get("/v1/events", params={"after": "start"}, headers=tokens[name])).json()
            assert len(page["items"]) == told, page
