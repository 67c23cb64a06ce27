"""Counts: blind, made anew when anything moved, and posted only when two people found the same."""

from typing import Any

from central.invariants import Violation
from deploy.embedded.scratch import ScratchPostgres
from tests.wire.care_floor import confirm, held, key, lay, next_task, put, say, see, shelves
from tests.wire.central_floor import Floor, running


async def count(floor: Floor, person: str, qty: int) -> dict[str, Any]:
    """Take the best open count and confirm so many pieces."""
    task = await next_task(floor, person, "count")
    assert task is not None, "nothing to count"
    assert (task["qty"], task["done_qty"]) == (None, None)
    assert [a["field"] for a in task["asks"]] == ["source", "item", "qty"]
    assert [a["default"] for a in task["asks"] if a["field"] == "qty"] == [None]
    return await confirm(floor, task, qty=qty)


async def ask(floor: Floor, place: str = "P0-B0", item: str = "part1") -> str:
    """Have an account counted."""
    made = await say(floor.operator, "/v1/counts", {"place": place, "item": item})
    assert made["results"] == []
    name: str = made["id"]
    return name


async def clean(floor: Floor) -> None:
    """The books hold."""
    found: list[Violation] = await floor.violations()
    assert found == []


async def test_two_people_must_find_the_same_difference(postgres: ScratchPostgres) -> None:
    """The first one's difference is a question that only another one can answer; the same answer is posted."""
    async with running(postgres) as floor:
        await lay(floor, ("P0-B0", "part1", 20))
        name = await ask(floor)
        again = await say(floor.operator, "/v1/counts", {"place": "P0-B0", "item": "part1"}, 409)
        assert "counted already" in again["detail"]
        await count(floor, "anna", 18)
        shown = await see(floor.operator, f"/v1/counts/{name}")
        assert (shown["state"], shown["results"]) == ("recount", [])  # blind for the next one too
        assert (await see(floor.erp, "/v1/items/part1/stock"))["available"] == 0  # in doubt
        task = await next_task(floor, "anna", "count")
        if task is not None:
            assert "somebody else" in (await confirm(floor, task, 409, qty=18))["detail"]
            body = {"attempt": task["attempt"]}
            assert (
                await floor.operator.post(f"/v1/hands/{task['id']}/release", json=body, headers=key())
            ).status_code == 200
        await count(floor, "bert", 18)
        assert await held(floor, "part1") == {("P0-B0", "ok"): 18}
        shown = await see(floor.operator, f"/v1/counts/{name}")
        assert (shown["state"], shown["difference"], shown["posted"]) == ("posted", -2, -2)
        assert [(r["person"], r["counted"], r["expected"]) for r in shown["results"]] == [
            ("anna", 18, 20),
            ("bert", 18, 20),
        ]
        assert (await see(floor.erp, "/v1/items/part1/stock"))["available"] == 18
        await clean(floor)


async def test_who_finds_what_the_books_say_ends_it(postgres: ScratchPostgres) -> None:
    """No difference is no question; a second person who finds the books right outvotes the first."""
    async with running(postgres) as floor:
        await lay(floor, ("P0-B0", "part1", 20), ("P0-B1", "part2", 5))
        one, two = await ask(floor), await ask(floor, "P0-B1", "part2")
        tasks = {t["source"]: t for t in [await next_task(floor, "anna", "count") for _ in "ab"] if t is not None}
        await confirm(floor, tasks["P0-B0"], qty=20)
        await confirm(floor, tasks["P0-B1"], qty=7)
        await count(floor, "bert", 5)
        for name in (one, two):
            shown = await see(floor.operator, f"/v1/counts/{name}")
            assert (shown["state"], shown["difference"], shown["posted"]) == ("agreed", 0, 0)
        assert (await see(floor.erp, "/v1/items/part2/stock"))["available"] == 5
        await clean(floor)


async def test_a_pick_in_flight_makes_a_recount(postgres: ScratchPostgres) -> None:
    """A begun pick, and a pick that was posted since the count was taken: neither count proves anything."""
    from contracts.ids import RobotId, StationId, TaskId
    from contracts.messages.facts import TaskStarted

    async with running(postgres) as floor:
        await lay(floor, ("P0-B0", "part1", 20))
        await floor.order("A1", ("part1", 3))
        pick = TaskId("P-T-A1-1-1")
        name = await ask(floor)
        first = await next_task(floor, "anna", "count")
        assert first is not None
        await floor.until(lambda: pick in floor.keys)
        await floor.say(TaskStarted(pick, 1, StationId("S1"), RobotId("R1")))
        await confirm(floor, first, qty=17)  # the picker has three in the hand
        second = await next_task(floor, "anna", "count")  # the same person may: the first one proved nothing
        assert second is not None
        await floor.pick(pick)
        await confirm(floor, second, qty=20)  # counted before the pick, confirmed after it
        await count(floor, "anna", 17)
        shown = await see(floor.operator, f"/v1/counts/{name}")
        assert [r["moving"] for r in shown["results"]] == [True, True, False]
        assert (shown["state"], shown["posted"]) == ("agreed", 0)
        assert (await held(floor, "part1"))[("P0-B0", "ok")] == 17
        await clean(floor)


async def test_above_the_limit_a_third_person_decides(postgres: ScratchPostgres) -> None:
    """Two have found it, a supervisor who is neither lets it pass; until then the rest of the bin is in doubt."""
    async with running(postgres) as floor:
        await lay(floor, ("P0-B0", "part1", 500))
        name = await ask(floor)
        await count(floor, "anna", 300)
        await count(floor, "bert", 300)
        shown = await see(floor.operator, f"/v1/counts/{name}")
        assert (shown["state"], shown["difference"], shown["posted"]) == ("pending", -200, 0)
        assert (await see(floor.erp, "/v1/items/part1/stock"))["available"] == 0
        (asked,) = (await see(floor.supervisor, "/v1/adjustments", state="pending"))["items"]
        assert (asked["qty"], asked["asked_by"], asked["key"]) == (-200, "bert", f"count/{name}")
        await say(floor.supervisor, f"/v1/adjustments/{asked['id']}/approve", {"reason": "stolen"}, 200)
        shown = await see(floor.operator, f"/v1/counts/{name}")
        assert (shown["state"], shown["posted"]) == ("posted", -200)
        assert await held(floor, "part1") == {("P0-B0", "ok"): 300}
        await clean(floor)


async def test_what_orders_hold_is_not_taken_from_them(postgres: ScratchPostgres) -> None:
    """Ten missing of twelve, eight of them promised: four are written off, the others come short as they are picked."""
    async with running(postgres) as floor:
        await lay(floor, ("P0-B0", "part1", 12))
        await floor.order("A1", ("part1", 8))
        await ask(floor)
        await count(floor, "anna", 2)
        await count(floor, "bert", 2)
        assert await held(floor, "part1") == {("P0-B0", "ok"): 8}
        await floor.pick("P-T-A1-1-1", 2, "bin empty")
        assert await held(floor, "part1") == {("T-A1-1", "ok"): 2}
        await clean(floor)


async def test_a_short_pick_is_counted_and_the_count_cancelled_with_a_reason(postgres: ScratchPostgres) -> None:
    """The bin where pieces were missing is counted by itself, before all others."""
    async with running(postgres) as floor:
        await lay(floor, ("P0-B0", "part1", 10), ("P0-B1", "part2", 5))
        await ask(floor, "P0-B1", "part2")
        await floor.order("A1", ("part1", 4))
        await floor.pick("P-T-A1-1-1", 3, "bin empty")
        (counted, _) = (await see(floor.operator, "/v1/counts", open=True, newest=True))["items"]
        assert (counted["place"], counted["cause"]) == ("P0-B0", "short_pick")
        task = await next_task(floor, "anna", "count")
        assert task is not None
        assert task["source"] == "P0-B0"
        gone = await say(floor.operator, f"/v1/counts/{counted['id']}/cancel", {"reason": "found it"}, 200)
        assert gone["state"] == "cancelled"
        assert "is cancelled" in (await confirm(floor, task, 409, qty=6))["detail"]
        assert (await say(floor.operator, f"/v1/counts/{counted['id']}/cancel", {"reason": "x"}, 409))["status"] == 409
        await clean(floor)


async def test_plans_count_by_class_and_what_was_emptied(postgres: ScratchPostgres) -> None:
    """A plan opens at most so many at a time, the longest uncounted first, and nothing twice in its days."""
    async with running(postgres, scale=60.0) as floor:
        await shelves(floor, "H1")
        await lay(floor, ("P0-B0", "part1", 4), ("P0-B1", "part2", 9), ("P0-B2", "part3", 9), ("H1", "part2", 30))
        await floor.order("A1", ("part1", 4))
        await floor.pick("P-T-A1-1-1")
        plan = {"cause": "class", "class": "C", "every_days": 30, "at_most": 2}
        bad = await put(floor.supervisor, "/v1/counts/plans/slow", plan | {"class": None}, 422)
        assert "A, B or C" in bad["detail"]
        # before the caretaker looks: the first plan comes inactive
        await put(floor.supervisor, "/v1/counts/plans/slow", plan | {"active": False})
        await put(floor.supervisor, "/v1/counts/plans/slow", plan, 428)
        await put(floor.supervisor, "/v1/counts/plans/slow", plan, **{"If-Match": "*"})
        await put(floor.supervisor, "/v1/counts/plans/empty", {"cause": "zero", "every_days": 7, "at_most": 9})
        await floor.until(lambda: sum(e["type"] == "floorplane.count.opened" for e in floor.events) >= 3)
        opened = (await see(floor.operator, "/v1/counts", open=True))["items"]
        assert {(c["place"], c["cause"]) for c in opened} == {("H1", "class"), ("P0-B1", "class"), ("P0-B0", "zero")}
        assert (await say(floor.operator, "/v1/counts/plans:run", None, 200))["opened"] == 0
        for _ in range(3):
            task = await next_task(floor, "anna", "count")
            assert task is not None
            books = {"H1": 30, "P0-B1": 9, "P0-B0": 0}
            await confirm(floor, task, qty=books[task["source"]])
        assert (await say(floor.operator, "/v1/counts/plans:run", None, 200))["opened"] == 1  # P0-B2 is left
        (left,) = (await see(floor.operator, "/v1/counts", open=True))["items"]
        assert left["place"] == "P0-B2"
        await clean(floor)


async def test_a_camera_only_asks(postgres: ScratchPostgres) -> None:
    """What agrees is nothing; what differs is counted, once; unknown goods are an alarm; nothing is corrected."""
    async with running(postgres) as floor:
        await lay(floor, ("P0-B0", "part1", 20))

        async def look(status: int = 200, **seen: Any) -> Any:
            return await say(
                floor.device, "/v1/counts/observations", {"place": "P0-B0", "camera": "S1-camera"} | seen, status
            )

        assert (await look(empty=False))["outcome"] == "agrees"
        assert (await look(empty=False, item="part1"))["outcome"] == "agrees"
        assert (await look(empty=False, item="part1", qty=20))["outcome"] == "agrees"
        doubt = await look(empty=True, picture="S1-17")
        assert doubt["outcome"] == "open"
        assert (await look(empty=True))["outcome"] == "counting"
        shown = await see(floor.operator, f"/v1/counts/{doubt['count']}")
        assert (shown["cause"], shown["opened_by"], shown["evidence"]["picture"]) == ("doubt", "S1-camera", "S1-17")
        assert (await look(place="P0-B2", empty=False))["outcome"] == "alarm"
        assert (await look(place="P0-B2", empty=False, item="part2"))["outcome"] == "open"
        assert (await look(422, empty=True, qty=3, item="part1"))["errors"]
        assert (await look(422, place="nowhere", empty=True))["errors"][0]["field"] == "place"
        assert await held(floor, "part1") == {("P0-B0", "ok"): 20}
        await clean(floor)
