"""What a place takes is asked by all that puts goods there; lines that wait get what becomes free, oldest lot first."""

from typing import Any

from deploy.embedded.scratch import ScratchPostgres
from tests.wire.care_floor import confirm, held, key, lay, next_task, put, say, see, shipped
from tests.wire.central_floor import Floor, ndjson, results, running

ANY = {"If-Match": "*"}


async def shelf(floor: Floor, code: str, **limits: Any) -> None:
    await put(floor.supervisor, f"/v1/places/{code}", {"kind": "shelf"} | limits)


async def book(floor: Floor, place: str, item: str, qty: int, reason: str = "found", **more: Any) -> tuple[str, str]:
    line = {"place": place, "item": item, "qty": qty, "reason": reason} | more
    answer = await floor.erp.post("/v1/stock:bulk", content=ndjson([line]), headers=key())
    (row,) = results(answer)
    return row["outcome"], row["errors"][0]["bound"] if row.get("errors") else ""


def move(origin: str, goal: str, qty: int, **more: Any) -> dict[str, Any]:
    return {"from": origin, "to": goal, "item": "part1", "qty": qty} | more


async def test_every_way_into_a_place_asks_for_room(postgres: ScratchPostgres) -> None:
    """Bookings, second persons, hand moves, transfers, units, returns, gradings: refused by place, value, bound."""
    async with running(postgres, adjustment_limit=50) as floor:
        await shelf(floor, "R1", volume_ml=5_000)
        await shelf(floor, "R2", weight_g=2_000)
        await lay(floor, ("P0-B0", "part1", 40), ("P0-B1", "part2", 5))
        order = await shipped(floor, "A1", ("part1", 4))
        full = "R1 takes 5 of 6 of part1: 0 of 5000 ml are taken"
        assert await book(floor, "R1", "part1", 6) == ("refused", f"one with room: no room: {full}")
        assert await book(floor, "R1", "part1", 4) == ("posted", "")
        full = "no room: R1 takes 1 of 2 of part1: 4000 of 5000 ml are taken"
        # by hand, now and later
        assert full in (await say(floor.operator, "/v1/hands/moves", move("P0-B0", "R1", 2), 409))["detail"]
        wrong = await say(floor.operator, "/v1/hands/moves", move("P0-B0", "R1", 2, later=True), 409)
        assert (wrong["errors"][0]["field"], full in wrong["errors"][0]["bound"]) == ("to", True)
        later = await say(floor.operator, "/v1/hands/moves", move("P0-B0", "R1", 1, later=True))
        taken = "no room: R1 takes 0 of 1 of part1: 5000 of 5000 ml are taken"
        assert taken in (await say(floor.operator, "/v1/hands/moves", move("P0-B0", "R1", 1), 409))["detail"]
        task = await say(floor.operator, f"/v1/hands/{later['id']}/lease", {}, 200)
        await confirm(floor, task, qty=1)  # its own room is kept for it
        # whoever may book much, and whoever lets them
        await put(floor.supervisor, "/v1/places/R2", {"weight_g": 2_000, "mixing": "lot"}, **ANY)
        assert (await book(floor, "R2", "part1", 60))[0] == "pending"
        (waiting,) = (await see(floor.supervisor, "/v1/adjustments", state="pending"))["items"]
        heavy = "no room: R2 takes 4 of 60 of part1: 0 of 2000 g are on it"
        approve = f"/v1/adjustments/{waiting['id']}/approve"
        assert heavy in (await say(floor.supervisor, approve, {"reason": "counted"}, 409))["detail"]
        # transfers, units, returns
        lines = [{"line": 1, "item": "part1", "qty": 9}]
        body = {"ref": "UML-7", "way": "in", "other_site": "south", "lines": lines}
        transfer = (await say(floor.erp, "/v1/transfers", body))["id"]
        came: dict[str, Any] = {"place": "R2", "lines": [{"line": 1, "qty": 5}]}
        answer = await say(floor.operator, f"/v1/transfers/{transfer}/receipts", came, 409)
        assert (answer["errors"][0]["field"], "R2 takes 4 of 5" in answer["errors"][0]["bound"]) == ("place", True)
        came["lines"] = [{"line": 1, "qty": 4}]
        await say(floor.operator, f"/v1/transfers/{transfer}/receipts", came, 200)
        unit = (await say(floor.operator, "/v1/units", {"kind": "carton", "at": "inbound"}))["sscc"]
        await say(floor.operator, f"/v1/units/{unit}/fill", {"place": "P0-B1", "item": "part2", "qty": 1}, 200)
        for goal, bound in (("R1", "R1 does not take"), ("R2", "R2 does not take")):
            answer = await say(floor.operator, f"/v1/units/{unit}/move", {"into": goal}, 409)
            assert (answer["errors"][0]["field"], bound in answer["errors"][0]["bound"]) == ("into", True)
        await say(floor.operator, "/v1/hands/moves", move("R1", "P0-B0", 3))
        await say(floor.operator, f"/v1/units/{unit}/move", {"into": "R1"}, 200)
        answer = await say(
            floor.operator, f"/v1/units/{unit}/fill", {"place": "P0-B1", "item": "part2", "qty": 3}, 409
        )  # fmt: skip
        assert "R1 takes 2 of 3 of part2: 3000 of 5000 ml" in answer["errors"][0]["bound"]
        # what lies in a unit there may be taken out of it there
        await say(floor.operator, f"/v1/units/{unit}/fill", {"place": "R1", "item": "part2", "qty": -1}, 200)
        body = {"ref": "RMA", "order": order, "lines": [{"line": 1, "item": "part1", "qty": 4}]}
        await say(floor.erp, "/v1/returns", body)
        came = {"place": "R1", "lines": [{"line": 1, "qty": 4}]}
        answer = await say(floor.operator, "/v1/returns/RMA/receipts", came, 409)
        assert (answer["errors"][0]["field"], "R1 takes 2 of 4" in answer["errors"][0]["bound"]) == ("place", True)
        await say(floor.operator, "/v1/returns/RMA/receipts", came | {"place": "returns"}, 200)
        task = await next_task(floor, "anna", "grade")
        assert task is not None
        assert "R1 takes 2 of 4" in (await confirm(floor, task, 409, qty=4, grade="A", target="R1"))["detail"]
        await confirm(floor, task, qty=2, grade="A", target="R1")
        assert await floor.violations() == []


async def test_a_person_may_overrule_some_limits_with_a_reason(postgres: ScratchPostgres) -> None:
    """Volume, mixing, what a place is kept for: told as an event; weight never. A count is the truth, and an alarm."""
    async with running(postgres) as floor:
        await shelf(floor, "R1", volume_ml=2_000, weight_g=3_000)
        await lay(floor, ("P0-B0", "part1", 40))
        why = {"overrule": "they fit when stacked crosswise"}
        await say(floor.operator, "/v1/hands/moves", move("P0-B0", "R1", 4, **why))
        told = [e async for e in _told(floor, "floorplane.stock.limit_overruled")]
        assert told == [{
            "place": "R1", "item": "part1", "lot": "", "qty": 4, "unit": None, "bound": "0 of 2000 ml are taken",
            "reason": why["overrule"], "who": told[0]["who"],
        }]  # fmt: skip
        heavy = await say(floor.operator, "/v1/hands/moves", move("P0-B0", "R1", 3, **why), 409)
        assert "R1 takes 0 of 3 of part1" in heavy["detail"]
        assert (await book(floor, "R1", "part1", 3, **why))[0] == "refused"
        assert (await book(floor, "R1", "part1", 2, **why))[0] == "posted"
        assert (await book(floor, "R1", "part1", 3, "count"))[0] == "posted"
        (alarm,) = [a for a in (await see(floor.supervisor, "/v1/alarms"))["items"] if a["key"] == "overfull/R1"]
        assert "volume_ml must be at least 9000" in alarm["text"]
        # a move that is undone is there again, whatever the limits say
        moved = await say(floor.operator, "/v1/hands/moves", move("R1", "P0-B0", 9))
        await floor.rows("SELECT care_due(now(), false)")
        active = (await see(floor.supervisor, "/v1/alarms", active=True))["items"]
        assert "overfull/R1" not in {a["key"] for a in active}
        await say(floor.supervisor, f"/v1/hands/{moved['id']}/undo", {"reason": "not so"}, 200)
        assert (await held(floor, "part1"))["R1", "ok"] == 9
        assert await floor.violations() == []


async def _told(floor: Floor, kind: str) -> Any:
    await floor.until(lambda: any(e["type"] == kind for e in floor.events))
    for event in floor.events:
        if event["type"] == kind:
            yield event["data"]
