"""Kits made of their parts and taken apart, scrap that a second person lets pass, transfers whose ledgers add up."""

from typing import Any

import pytest

from deploy.embedded.scratch import ScratchPostgres
from tests.wire.care_floor import confirm, do, held, key, lay, next_task, put, say, see, shelves
from tests.wire.central_floor import Floor, running

SECOND = {"name": "second", "role": "supervisor"}


async def second(floor: Floor) -> Any:
    """Another supervisor."""
    import httpx

    made = await floor.supervisor.post("/v1/clients", json=SECOND, headers=key())
    assert made.status_code == 201, made.text
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(floor.central.app), base_url="http://central",
        headers={"Authorization": f"Bearer {made.json()['token']}"},
    )  # fmt: skip


# --------------------------------------------------------------------------------------------------------------- kits


async def test_a_kit_is_built_of_its_parts_and_undone_as_a_whole(postgres: ScratchPostgres) -> None:
    """Parts from shelves before bins, all or nothing; undone by rows that point back, and taken apart by others."""
    async with running(postgres) as floor:
        await shelves(floor, "H1", "BENCH")
        await lay(floor, ("P0-B0", "part1", 10), ("H1", "part1", 3), ("P0-B1", "part2", 4))
        body = {"mode": "build", "parts": [{"item": "part1", "qty": 2}, {"item": "part2", "qty": 1}]}
        kit = await put(floor.erp, "/v1/kits/part0", body)
        assert (kit["possible"], kit["version"]) == (4, 1)
        assert (await put(floor.erp, "/v1/kits/part0", body, 428))["status"] == 428
        ask = {"kit": "part0", "qty": 3, "place": "P0-B2"}
        build = await say(floor.operator, "/v1/kit-builds", ask)
        task = await next_task(floor, "anna", "kit")
        assert task is not None
        assert (task["id"], task["qty"], task["target"]) == (build["task"], 3, "P0-B2")
        done = await confirm(floor, task, qty=3)
        assert await held(floor, "part0") == {("P0-B2", "ok"): 3}
        assert await held(floor, "part1") == {("P0-B0", "ok"): 7}
        assert await held(floor, "part2") == {("P0-B1", "ok"): 1}
        assert (await see(floor.operator, f"/v1/kit-builds/{build['id']}"))["state"] == "done"
        assert await floor.violations() == []
        single = await floor.supervisor.post(
            f"/v1/ledger/{done['moves'][0]}/reverse", json={"reason": "x"}, headers=key()
        )
        assert single.status_code == 409
        assert "whole" in single.json()["detail"]
        await say(floor.operator, "/v1/kit-builds", ask | {"qty": 2})
        short = await next_task(floor, "anna", "kit")
        assert short is not None
        assert "pieces of part2 are missing" in (await confirm(floor, short, 409, qty=2))["detail"]
        assert await held(floor, "part1") == {("P0-B0", "ok"): 7}
        await say(floor.operator, f"/v1/hands/{short['id']}/cancel", {"reason": "later"}, 200)
        await say(floor.supervisor, f"/v1/hands/{task['id']}/undo", {"reason": "wrong kit"}, 200)
        assert await held(floor, "part0") == {}
        assert await held(floor, "part1") == {("P0-B0", "ok"): 10, ("H1", "ok"): 3}
        assert await floor.violations() == []
        told = (await see(floor.supervisor, "/v1/epcis/events", eventType="TransformationEvent"))["epcisBody"]
        events = told["queryResults"]["resultsBody"]["eventList"]
        made = next(e for e in events if e["bizStep"] == "assembling" and "errorDeclaration" not in e)
        wrong = next(e for e in events if "errorDeclaration" in e)
        (back,) = (e for e in events if e["eventID"] != made["eventID"])
        assert sorted(q["quantity"] for q in made["inputQuantityList"]) == [3, 3, 3]
        assert [q["quantity"] for q in made["outputQuantityList"]] == [3]
        assert wrong["eventID"] == made["eventID"]
        assert wrong["errorDeclaration"]["correctiveEventIDs"] == [back["eventID"]]
        assert back["inputQuantityList"] == made["outputQuantityList"]


async def test_a_kit_is_taken_apart_where_the_person_says(postgres: ScratchPostgres) -> None:
    """Its parts go where they are laid; parts that are named are taken from there and from nowhere else."""
    async with running(postgres) as floor:
        await shelves(floor, "H1")
        await lay(floor, ("P0-B0", "part1", 10), ("H1", "part1", 3), ("P0-B1", "part2", 4))
        await put(floor.erp, "/v1/kits/part0", {"mode": "build", "parts": [{"item": "part1", "qty": 2}]})
        await say(floor.operator, "/v1/kit-builds", {"kit": "part0", "qty": 2, "place": "H1"})
        task = await next_task(floor, "anna", "kit")
        assert task is not None
        assert "missing" in (await confirm(floor, task, 409, qty=2, taken=["part1,P0-B0,3"]))["detail"]
        assert "not a number" in (await confirm(floor, task, 409, qty=2, taken=["part1,P0-B0,many"]))["detail"]
        await confirm(floor, task, qty=2, taken=["part1,P0-B0,3", "part1,H1,1"])
        assert await held(floor, "part1") == {("P0-B0", "ok"): 7, ("H1", "ok"): 2}
        await say(floor.operator, "/v1/kit-builds", {"kit": "part0", "way": "unbuild", "qty": 2, "place": "H1"})
        await do(floor, "anna", "kit", qty=1, laid=["part1,P0-B0,2"])
        assert await held(floor, "part0") == {("H1", "ok"): 1}
        assert await held(floor, "part1") == {("P0-B0", "ok"): 9, ("H1", "ok"): 2}
        assert await floor.violations() == []


@pytest.mark.parametrize(
    ("item", "body", "field"),
    [
        ("part0", {"mode": "explode", "parts": [{"item": "part1", "qty": 1}]}, "mode"),
        ("serv1", {"mode": "build", "parts": [{"item": "part1", "qty": 1}]}, "mode"),
        ("part0", {"mode": "build", "parts": [{"item": "nothing", "qty": 1}]}, "parts"),
        ("part0", {"mode": "build", "parts": [{"item": "part0", "qty": 1}]}, "parts"),
        ("part0", {"mode": "build", "parts": [{"item": "part4", "qty": 1}]}, "parts"),
        ("part0", {"mode": "build", "parts": [{"item": "part1", "qty": 0}]}, "parts/0/qty"),
        ("part0", {"mode": "build", "parts": []}, "parts"),
    ],
)  # fmt: skip
async def test_a_kit_that_cannot_be_is_refused_with_its_part(
    postgres: ScratchPostgres, item: str, body: dict[str, Any], field: str
) -> None:
    """The wrong kind, an unknown part, itself, a circle over another kit, no pieces, no parts."""
    async with running(postgres) as floor:
        await put(floor.erp, "/v1/kits/part4", {"mode": "build", "parts": [{"item": "part0", "qty": 1}]})
        refused = await put(floor.erp, f"/v1/kits/{item}", body, 422)
        assert refused["errors"][0]["field"] == field
        assert (await floor.erp.get(f"/v1/kits/{item}")).status_code == 404


# -------------------------------------------------------------------------------------------------------------- scrap


async def test_above_the_limit_a_second_person_lets_it_go(postgres: ScratchPostgres) -> None:
    """Twenty pieces are one person's; more wait for another supervisor, never for who asked; undone by reversing."""
    async with running(postgres) as floor:
        await lay(floor, ("P0-B0", "part1", 100))
        ask = {"place": "P0-B0", "item": "part1", "qty": 20, "reason": "broken", "note": "fell down"}
        done = await say(floor.supervisor, "/v1/scrap", ask)
        assert done["state"] == "posted"
        over = await say(floor.supervisor, "/v1/scrap", ask | {"qty": 81}, 422)
        assert (over["errors"][0]["field"], over["errors"][0]["bound"][:10]) == ("qty", "at most 80")
        waits = await say(floor.supervisor, "/v1/scrap", ask | {"qty": 40})
        kept = await say(floor.supervisor, "/v1/scrap", ask | {"qty": 21})
        assert (waits["state"], kept["state"]) == ("pending", "pending")
        path = f"/v1/scrap/{waits['id']}"
        assert "somebody else" in (await say(floor.supervisor, f"{path}/approve", {"reason": "x"}, 409))["detail"]
        other = await second(floor)
        gone = await say(other, f"{path}/approve", {"reason": "seen"}, 200)
        assert (gone["state"], gone["decided_by"]) == ("posted", "second")
        assert (await say(other, f"/v1/scrap/{kept['id']}/refuse", {"reason": "can be mended"}, 200))[
            "state"
        ] == "refused"
        assert (await say(other, f"{path}/refuse", {"reason": "x"}, 409))["detail"].endswith("is posted")
        assert await held(floor, "part1") == {("P0-B0", "ok"): 40}
        listed = (await see(floor.operator, "/v1/scrap", state="posted"))["items"]
        assert [x["qty"] for x in listed] == [20, 40]
        await say(floor.supervisor, f"/v1/ledger/{done['move']}/reverse", {"reason": "the wrong ones"})
        assert await held(floor, "part1") == {("P0-B0", "ok"): 60}
        assert await floor.violations() == []
        await other.aclose()


# ---------------------------------------------------------------------------------------------------------- transfers


async def test_what_one_site_sends_the_other_receives_and_nothing_stays_in_transit(postgres: ScratchPostgres) -> None:
    """Two centrals on two databases: the document goes from one to the other, its difference comes back."""
    async with running(postgres) as south, running(postgres) as north:
        await lay(south, ("P0-B0", "part1", 30), ("P0-B1", "part2", 5))
        body = {
            "ref": "UML-7", "way": "out", "other_site": "north",
            "lines": [{"line": 1, "item": "part1", "qty": 20}, {"line": 2, "item": "part2", "qty": 6}],
        }  # fmt: skip
        made = await say(south.erp, "/v1/transfers", body)
        lacks = await say(south.operator, f"/v1/transfers/{made['id']}/send", None, 409)
        assert "line 2 only 5" in lacks["detail"]
        assert await held(south, "part1") == {("P0-B0", "ok"): 30}
        await lay(south, ("P0-B2", "part2", 1))
        sent = await say(south.operator, f"/v1/transfers/{made['id']}/send", None, 200)
        assert (sent["state"], [x["sent"] for x in sent["lines"]]) == ("sent", [20, 6])
        assert await held(south, "part2") == {}

        lines = [{"line": x["line"], "item": x["item"], "lot": x["lot"], "qty": x["sent"]} for x in sent["lines"]]
        came = await say(
            north.erp, "/v1/transfers", {"ref": "UML-7", "way": "in", "other_site": "south", "lines": lines}
        )
        path = f"/v1/transfers/{came['id']}"
        await say(north.operator, f"{path}/receipts", {"place": "P0-B0", "lines": [{"line": 1, "qty": 18}]}, 200)
        bad = await say(north.operator, f"{path}/receipts", {"place": "P0-B0", "lines": [{"line": 3, "qty": 1}]}, 422)
        assert bad["errors"][0]["field"] == "lines/0/line"
        two = {"place": "P0-B1", "lines": [{"line": 2, "qty": 6}, {"line": 2, "qty": 1, "status": "damaged"}]}
        await say(north.operator, f"{path}/receipts", two, 200)
        assert (await say(north.erp, f"{path}/cancel", {"reason": "x"}, 409))["status"] == 409
        tag = (await north.erp.get(path)).headers["ETag"]
        closed = await say(north.erp, f"{path}/close", {"reason": "done"}, 200, **{"If-Match": tag})
        assert [(x["sent"], x["received"]) for x in closed["lines"]] == [(20, 18), (6, 7)]
        assert await held(north, "part2") == {("P0-B1", "ok"): 6, ("P0-B1", "damaged"): 1}

        told = [{"line": x["line"], "received": x["received"]} for x in closed["lines"]]
        path = f"/v1/transfers/{made['id']}"
        assert (
            await say(south.erp, f"{path}/close", {"reason": "done", "received": [{"line": 9, "received": 1}]}, 422)
        )["errors"]
        await say(south.erp, f"{path}/close", {"reason": "told by north", "received": told}, 200)
        transit = (
            "SELECT item, sum(CASE b WHEN 'transit' THEN qty ELSE -qty END)::int AS qty FROM ledger"
            " WHERE 'transit' IN (a, b) GROUP BY item"
        )
        balance = {r["item"]: r["qty"] for r in await south.rows(transit)}
        for r in await north.rows(transit):
            balance[r["item"]] += r["qty"]
        assert balance == {"part1": 0, "part2": 0}
        assert await south.violations() == await north.violations() == []


async def test_a_transfer_is_cancelled_by_rows_that_point_back(postgres: ScratchPostgres) -> None:
    """Before it has left nothing moves; afterwards it comes back to where it was, while nobody has received it."""
    async with running(postgres) as floor:
        await lay(floor, ("P0-B0", "part1", 30))
        body = {"ref": "T1", "way": "out", "other_site": "north", "lines": [{"line": 1, "item": "part1", "qty": 20}]}
        made = await say(floor.erp, "/v1/transfers", body)
        assert (await say(floor.erp, "/v1/transfers", body, 409))["errors"][0]["field"] == "ref"
        assert (await say(floor.erp, "/v1/transfers", body | {"other_site": "test"}, 422))["errors"][0][
            "field"
        ] == "other_site"
        await say(floor.operator, f"/v1/transfers/{made['id']}/send", None, 200)
        back = await say(floor.erp, f"/v1/transfers/{made['id']}/cancel", {"reason": "no truck"}, 200)
        assert (back["state"], back["lines"][0]["sent"]) == ("cancelled", 0)
        assert await held(floor, "part1") == {("P0-B0", "ok"): 30}
        assert await floor.violations() == []


# ------------------------------------------------------------------------------------------------------- ordered kits


async def test_a_kit_is_taken_apart_when_it_is_ordered(postgres: ScratchPostgres) -> None:
    """Its parts are picked as lines of their own; it is done as far as they make it whole, the rest is short."""
    async with running(postgres) as floor:
        await lay(floor, ("P0-B0", "part1", 7), ("P0-B1", "part2", 2))
        kit = {"mode": "explode", "parts": [{"item": "part1", "qty": 2}, {"item": "part2", "qty": 1}]}
        await put(floor.erp, "/v1/kits/serv1", kit)
        taken = await floor.order("K1", ("serv1", 3), ("part1", 1))
        assert [(x["line"], x["item"], x["kind"], x["qty"], x["allocated"], x["short"]) for x in taken["lines"]] == [
            (1, "serv1", "kit", 3, 0, 0), (2, "part1", "stock", 1, 1, 0),
            (1_000_001, "part1", "stock", 6, 6, 0), (1_000_002, "part2", "stock", 3, 2, 1),
        ]  # fmt: skip
        change = {"lines": [{"line": 1, "qty": 1}]}
        refused = await floor.erp.patch("/v1/orders/K1", json=change, headers={"If-Match": "*"})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "lines/0/line")
        more = {"lines": [{"line": 3, "item": "serv1", "qty": 1}]}
        assert (await floor.erp.patch("/v1/orders/K1", json=more, headers={"If-Match": "*"})).status_code == 422
        for task in (await floor.shown("K1"))["tasks"]:
            if task["kind"] == "pick":
                await floor.pick(task["id"])
        await floor.finish_tote("T-K1-1")
        lines = {x["line"]: x for x in (await floor.shown("K1"))["order_lines"]}
        assert (lines[1]["done"], lines[1]["short"]) == (2, 1)
        await floor.until(lambda: any(e["type"] == "floorplane.order.shipped" for e in floor.events))
        told = next(e for e in floor.events if e["type"] == "floorplane.order.shipped")["data"]["lines"]
        assert [(x["line"], x["done"]) for x in told] == [(1, 2), (2, 1), (1_000_001, 6), (1_000_002, 2)]
        none = await floor.order("K2", ("serv1", 1))
        assert (none["state"], none["lines"][0]["short"]) == ("short", 1)
        assert await floor.violations() == []


async def test_a_cancelled_order_cancels_its_kits(postgres: ScratchPostgres) -> None:
    """The kit's line goes with its parts; too many pieces of a part are refused with the bound of the kit."""
    async with running(postgres) as floor:
        await lay(floor, ("P0-B0", "part1", 6))
        await put(floor.erp, "/v1/kits/serv1", {"mode": "explode", "parts": [{"item": "part1", "qty": 2}]})
        await floor.order("K1", ("serv1", 2))
        await say(floor.erp, "/v1/orders/K1/cancel", {"reason": "no"}, 200)
        lines = (await floor.shown("K1"))["order_lines"]
        assert [(x["line"], x["cancelled"]) for x in lines] == [(1, 2), (1_000_001, 4)]
        over = await floor.post_order("K2", ("serv1", 60_000))
        assert over.status_code == 422
        assert "at most 50000" in over.json()["errors"][0]["bound"]
        assert await floor.violations() == []
