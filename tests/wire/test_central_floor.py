"""Work out, facts in: picks, short picks, conveyors, packing, shipping, and everything twice, late or missing."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from central.moment import moment
from contracts import topics
from contracts.codec import decode, encode
from contracts.ids import ChuteId, NodeId, PodId, RobotId, StationId, TaskId
from contracts.messages.facts import (
    AlarmCleared,
    AlarmRaised,
    Evidence,
    FactsAck,
    PickDone,
    PodMoved,
    TaskStarted,
    ToteArrived,
    TotePacked,
)
from contracts.messages.ops import CloseStation, OpsAnswer, OpsCommand, PauseRobot
from contracts.messages.work import Convey, Pack, Pick
from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import Floor, picked, running


@pytest.fixture
async def floor(postgres: ScratchPostgres) -> AsyncIterator[Floor]:
    async with running(postgres) as made:
        yield made
        assert await made.violations() == []


async def test_an_order_becomes_work_and_work_becomes_a_shipment(floor: Floor) -> None:
    """Order line, task, robot, ledger and shipment are seen in one look; the service line ships with the order."""
    await floor.stock(("P0-B0", "part1", 10), ("P1-B2", "part2", 4))
    await floor.order("A-1", ("part1", 3), ("part2", 4), ("serv1", 5), priority=4)
    await floor.until(lambda: len(floor.keys) == 4)
    assert [task for task, _ in floor.history] == ["P-T-A-1-1-1", "P-T-A-1-1-2", "C-T-A-1-1", "K-T-A-1-1"]
    pick = floor.keys["P-T-A-1-1-1"]
    assert isinstance(pick, Pick)
    assert (pick.item, pick.barcode, pick.qty, pick.unit_weight_g) == ("part1", "4000000000001", 3, 500)
    assert (pick.pod, pick.bin, pick.tote, pick.line, pick.priority) == ("P0", "P0-B0", "T-A-1-1", 1, 4)
    assert pick.due_ms == 1_386_000_000_000
    assert isinstance(floor.keys["C-T-A-1-1"], Convey)
    assert isinstance(floor.keys["K-T-A-1-1"], Pack)

    await floor.say(TaskStarted(pick.task, 1, StationId("S1"), RobotId("R1")))
    assert (await floor.shown("A-1"))["state"] == "picking"
    await floor.pick("P-T-A-1-1-1")
    await floor.pick("P-T-A-1-1-2")
    held = {"lot": "", "reserved": 0, "status": "ok", "doubt": False}
    assert (await floor.erp.get("/v1/items/part1/stock")).json()["rows"] == [
        held | {"place": "P0-B0", "kind": "bin", "pod": "P0", "qty": 7},
        held | {"place": "T-A-1-1", "kind": "tote", "pod": None, "qty": 3},
    ]
    await floor.finish_tote("T-A-1-1")
    await floor.until(lambda: not floor.keys)

    shown = await floor.shown("A-1")
    assert shown["state"] == "shipped"
    assert [(x["line"], x["done"], x["short"]) for x in shown["order_lines"]] == [(1, 3, 0), (2, 4, 0), (3, 5, 0)]
    assert shown["shipment"]["pieces"] == 7
    assert shown["shipment"]["services"] == 1
    assert shown["shipment"]["weight_g"] == 1_500
    started = next(t for t in shown["tasks"] if t["id"] == "P-T-A-1-1-1")
    assert (started["robot"], started["station"], started["state"], started["done_qty"]) == ("R1", "S1", "done", 3)
    assert [(g["from"], g["to"], g["item"], g["qty"], g["reason"], g["task"]) for g in shown["ledger"]] == [
        ("P0-B0", "T-A-1-1", "part1", 3, "pick", "P-T-A-1-1-1"),
        ("P1-B2", "T-A-1-1", "part2", 4, "pick", "P-T-A-1-1-2"),
        ("T-A-1-1", "customer", "part1", 3, "ship", None),
        ("T-A-1-1", "customer", "part2", 4, "ship", None),
    ]
    await floor.until(lambda: any(e["type"] == "floorplane.order.shipped" for e in floor.events))
    shipments = (await floor.erp.get("/v1/shipments")).json()["items"]
    assert [(s["order_id"], s["totes"]) for s in shipments] == [("A-1", 1)]
    stats = (await floor.operator.get("/v1/stats")).json()
    assert [(b["lines"], b["pieces"], b["totes"], b["orders"]) for b in stats["buckets"]] == [(2, 7, 1, 1)]


async def test_an_order_leaves_with_its_last_tote(floor: Floor) -> None:
    """Of two totes one packed is not a shipment."""
    await floor.stock(("P0-B0", "part1", 60))
    taken = await floor.order("A-1", ("part1", 60))
    assert taken["totes"] == 2
    await floor.pick("P-T-A-1-1-1")
    await floor.finish_tote("T-A-1-1")
    assert (await floor.shown("A-1"))["state"] == "picking"
    await floor.pick("P-T-A-1-2-1")
    await floor.finish_tote("T-A-1-2")
    assert (await floor.shown("A-1"))["state"] == "shipped"


async def test_services_alone_ship_at_once(floor: Floor) -> None:
    """There is nothing to pick, so the order is shipped when it is answered."""
    taken = await floor.order("A-1", ("serv1", 5), ("serv1", 1))
    assert taken["state"] == "shipped"
    assert [x["done"] for x in taken["lines"]] == [5, 1]
    assert (await floor.shown("A-1"))["shipment"]["services"] == 2
    assert floor.keys == {}


async def test_an_order_of_which_nothing_is_there_closes_short(floor: Floor) -> None:
    """Nothing is there, nothing will come: the order ends as short, without totes."""
    taken = await floor.order("A-1", ("part1", 5))
    assert (taken["state"], taken["totes"], taken["short"]) == ("short", 0, 5)
    await floor.until(lambda: any(e["type"] == "floorplane.order.short" for e in floor.events))


async def test_a_short_pick_is_looked_for_in_other_bins(floor: Floor) -> None:
    """The rest comes from another bin, whose task is published before the old one closes; the bin is to be counted."""
    await floor.stock(("P0-B0", "part1", 6), ("P1-B0", "part1", 3))
    await floor.order("A-1", ("part1", 5))
    await floor.pick("P-T-A-1-1-1", 3, "bin empty")
    await floor.until(lambda: "P-T-A-1-1-1" not in floor.keys)
    assert floor.history[-2:] == [("P-T-A-1-1-2", True), ("P-T-A-1-1-1", False)]
    again = floor.keys["P-T-A-1-1-2"]
    assert isinstance(again, Pick)
    assert (again.bin, again.qty, again.line) == ("P1-B0", 2, 1)
    await floor.until(lambda: any(e["type"] == "floorplane.stock.count_needed" for e in floor.events))
    event = next(e for e in floor.events if e["type"] == "floorplane.stock.count_needed")
    assert event["data"] == {
        "bin": "P0-B0",
        "item": "part1",
        "task": "P-T-A-1-1-1",
        "missing": 2,
        "reason": "bin empty",
    }
    stock = (await floor.erp.get("/v1/items/part1/stock")).json()
    assert stock["available"] == 1, "the piece that the books still see in the doubtful bin is given to nobody"
    await floor.pick("P-T-A-1-1-2")
    await floor.finish_tote("T-A-1-1")
    shown = await floor.shown("A-1")
    assert (shown["state"], shown["done"], shown["short"]) == ("shipped", 5, 0)
    moves = [(g["from"], g["to"], g["qty"], g["reason"]) for g in shown["ledger"]]
    assert ("P0-B0", "adjustment", 2, "short_pick") in moves


async def test_a_counted_bin_is_used_again(floor: Floor) -> None:
    """A count with its difference ends the doubt."""
    await floor.stock(("P0-B0", "part1", 6))
    await floor.order("A-1", ("part1", 2))
    await floor.pick("P-T-A-1-1-1", 1, "bin empty")
    assert (await floor.order("A-2", ("part1", 1)))["short"] == 1
    body = b'{"place": "P0-B0", "item": "part1", "qty": -1, "reason": "count"}'
    await floor.erp.post("/v1/stock:bulk", content=body, headers={"Idempotency-Key": "count-1"})
    assert (await floor.order("A-3", ("part1", 3)))["short"] == 0
    await floor.finish_tote("T-A-1-1")


async def test_what_is_nowhere_else_is_short_and_the_rest_ships(floor: Floor) -> None:
    """One piece of three was found: it ships, two are short, and the ERP hears of it."""
    await floor.stock(("P0-B0", "part1", 3))
    await floor.order("A-1", ("part1", 3))
    await floor.pick("P-T-A-1-1-1", 1, "bin empty")
    await floor.until(lambda: any(e["type"] == "floorplane.order.line_short" for e in floor.events))
    await floor.finish_tote("T-A-1-1")
    shown = await floor.shown("A-1")
    assert (shown["state"], shown["done"], shown["short"]) == ("shipped", 1, 2)


async def test_an_empty_tote_is_neither_conveyed_nor_packed(floor: Floor) -> None:
    """Nothing at all was found: convey and pack are withdrawn before the last pick closes, and the order closes."""
    await floor.stock(("P0-B0", "part1", 3), ("P0-B1", "part2", 1))
    await floor.order("A-1", ("part1", 3), ("part2", 1))
    await floor.pick("P-T-A-1-1-1", 0, "bin empty")
    await floor.pick("P-T-A-1-1-2", 0, "bin empty")
    await floor.until(lambda: not floor.keys)
    assert {task for task, _ in floor.history[-3:-1]} == {"C-T-A-1-1", "K-T-A-1-1"}
    assert floor.history[-1] == ("P-T-A-1-1-2", False)
    assert (await floor.shown("A-1"))["state"] == "short"


async def test_everything_ten_times_has_the_effect_of_once(floor: Floor) -> None:
    """Facts are resent and reordered behind each other; the books do not change."""
    await floor.stock(("P0-B0", "part1", 10))
    await floor.order("A-1", ("part1", 4))
    await floor.until(lambda: len(floor.keys) == 3)
    work = dict(floor.keys)
    facts = [
        *await floor.say(TaskStarted(TaskId("P-T-A-1-1-1"), 1, StationId("S1"), RobotId("R1"))),
        *await floor.say(picked(work["P-T-A-1-1-1"])),
    ]
    await floor.finish_tote("T-A-1-1")
    before = await floor.rows("SELECT * FROM ledger ORDER BY seq")
    floor.acks.clear()
    for _ in range(10):
        await floor.send(*facts)
    await floor.until(lambda: len(floor.acks) >= 1)
    # the same picks again in a new epoch, as after a restart of a dispatcher that did not hear the acknowledgement
    floor.epoch, floor.seq = 2, 0
    await floor.say(picked(work["P-T-A-1-1-1"]), ToteArrived(TaskId("C-T-A-1-1"), 1, ChuteId("C2"), Evidence()))
    await floor.say(TotePacked(TaskId("K-T-A-1-1"), 1, 1, Evidence()), picked(work["P-T-A-1-1-1"], 2))
    assert await floor.rows("SELECT * FROM ledger ORDER BY seq") == before
    assert len((await floor.erp.get("/v1/shipments")).json()["items"]) == 1


async def test_a_gap_stops_and_an_older_epoch_is_not_heard(floor: Floor) -> None:
    """Central says how far it is, takes nothing after a gap, and goes on when the missing fact comes."""
    await floor.stock(("P0-B0", "part1", 10))
    await floor.order("A-1", ("part1", 1))
    await floor.order("A-2", ("part1", 1))
    await floor.until(lambda: len(floor.keys) == 6)
    first, second = floor.fact(picked(floor.keys["P-T-A-1-1-1"])), floor.fact(picked(floor.keys["P-T-A-2-1-1"]))
    floor.acks.clear()
    await floor.send(second)
    await floor.until(lambda: FactsAck(floor.site.id, 1, 0) in floor.acks)
    assert len(await floor.rows("SELECT 1 FROM ledger WHERE reason = 'pick'")) == 0
    await floor.send(first, second)
    await floor.until(lambda: FactsAck(floor.site.id, 1, 2) in floor.acks)
    assert len(await floor.rows("SELECT 1 FROM ledger WHERE reason = 'pick'")) == 2

    floor.epoch, floor.seq = 5, 0
    await floor.say(PodMoved(PodId("P0"), NodeId("N1")))
    floor.epoch, floor.seq = 4, 0
    floor.acks.clear()
    await floor.send(floor.fact(PodMoved(PodId("P0"), NodeId("N0"))))
    await floor.until(lambda: floor.acks == [FactsAck(floor.site.id, 5, 1)])
    assert (await floor.rows("SELECT node FROM place WHERE code = 'P0'"))[0]["node"] == "N1"
    # a new epoch begins at 1: what comes first without it is not taken
    floor.epoch, floor.seq = 6, 1
    await floor.send(floor.fact(PodMoved(PodId("P0"), NodeId("N0"))))
    await floor.until(lambda: floor.acks[-1] == FactsAck(floor.site.id, 6, 0))


async def test_a_fact_of_another_attempt_or_of_no_task_posts_nothing(floor: Floor) -> None:
    """The attempt must be the task's own; an unknown task is said in the log and passed over."""
    await floor.stock(("P0-B0", "part1", 10))
    await floor.order("A-1", ("part1", 1))
    await floor.say(
        PickDone(TaskId("P-T-A-1-1-1"), 2, 1, StationId("S1"), "", Evidence()),
        PickDone(TaskId("P-none-1"), 1, 1, StationId("S1"), "", Evidence()),
        PodMoved(PodId("P77"), NodeId("N1")),
    )
    assert await floor.rows("SELECT 1 FROM ledger WHERE reason = 'pick'") == []
    assert "P-T-A-1-1-1" in floor.keys


async def test_more_pieces_than_asked_raise_an_alarm(floor: Floor) -> None:
    """What was asked for is posted; a person is asked to count."""
    await floor.stock(("P0-B0", "part1", 10))
    await floor.order("A-1", ("part1", 2))
    await floor.pick("P-T-A-1-1-1", 7)
    alarms = (await floor.operator.get("/v1/alarms", params={"active": True})).json()["items"]
    assert [(a["severity"], a["subject"]) for a in alarms] == [("error", "P-T-A-1-1-1")]
    assert (await floor.shown("A-1"))["done"] == 2


async def test_a_cancelled_order_gives_its_stock_back(floor: Floor) -> None:
    """Before anybody began everything is withdrawn; afterwards the answer says what goes on; a closed order is 409."""
    await floor.stock(("P0-B0", "part1", 10), ("P0-B1", "part2", 10))
    await floor.order("A-1", ("part1", 4), ("serv1", 1))
    whole = await floor.erp.post("/v1/orders/A-1/cancel", json={"reason": "customer called"})
    assert whole.json() == {
        "id": "A-1", "outcome": "cancelled", "withdrawn_picks": 1, "totes_going_on": 0, "put_back_tasks": 0,
    }  # fmt: skip
    await floor.until(lambda: not floor.keys and any(e["type"] == "floorplane.order.cancelled" for e in floor.events))
    assert (await floor.erp.get("/v1/items/part1/stock")).json()["available"] == 10
    assert (await floor.erp.post("/v1/orders/A-1/cancel", json={"reason": "again"})).status_code == 409
    assert (await floor.erp.post("/v1/orders/none/cancel", json={"reason": "x"})).status_code == 404

    await floor.order("A-2", ("part1", 4), ("part2", 2))
    await floor.pick("P-T-A-2-1-1")
    partly = await floor.erp.post("/v1/orders/A-2/cancel", json={"reason": "customer called"})
    assert partly.json() == {
        "id": "A-2", "outcome": "partly", "withdrawn_picks": 1, "totes_going_on": 1, "put_back_tasks": 0,
    }  # fmt: skip
    await floor.finish_tote("T-A-2-1")
    shown = await floor.shown("A-2")
    assert shown["state"] == "shipped"
    assert [(x["done"], x["cancelled"]) for x in shown["order_lines"]] == [(4, 0), (0, 2)]
    audit = (await floor.supervisor.get("/v1/audit", params={"subject": "A-2"})).json()["items"]
    assert [(a["who"], a["action"], a["reason"]) for a in audit] == [("erp", "order.cancel", "customer called")]


async def test_a_pick_that_came_after_its_cancellation_is_posted_and_said(floor: Floor) -> None:
    """The pieces are in the tote whatever the books wanted: they are moved there, and a person puts them back."""
    await floor.stock(("P0-B0", "part1", 10))
    await floor.order("A-1", ("part1", 4))
    await floor.until(lambda: len(floor.keys) == 3)
    work = floor.keys["P-T-A-1-1-1"]
    await floor.erp.post("/v1/orders/A-1/cancel", json={"reason": "customer called"})
    await floor.say(picked(work))
    stock = (await floor.erp.get("/v1/items/part1/stock")).json()
    assert [(r["place"], r["qty"], r["reserved"]) for r in stock["rows"]] == [("P0-B0", 6, 0), ("T-A-1-1", 4, 0)]
    alarms = (await floor.operator.get("/v1/alarms")).json()["items"]
    assert alarms[0]["key"] == "cancelled-pick/P-T-A-1-1-1"


async def test_alarms_are_raised_once_acknowledged_and_cleared(floor: Floor) -> None:
    """The same cause is one alarm; who has seen it is kept; when the cause is gone and returns it is a new one."""
    alarm = AlarmRaised("robot/R1/lost", "error", "R1", "R1 does not answer", "Look at it")
    await floor.say(alarm, alarm)
    page = (await floor.operator.get("/v1/alarms", params={"active": True, "unacknowledged": True})).json()
    assert len(page["items"]) == 1
    name = page["items"][0]["id"]
    assert (await floor.erp.post(f"/v1/alarms/{name}/acknowledge", json={"reason": "x"})).status_code == 403
    assert (await floor.operator.post(f"/v1/alarms/{name}/acknowledge", json={})).status_code == 422
    seen = await floor.operator.post(f"/v1/alarms/{name}/acknowledge", json={"reason": "on my way"})
    assert (seen.json()["acknowledged_by"], seen.json()["acknowledged_why"]) == ("operator", "on my way")
    later = await floor.supervisor.post(f"/v1/alarms/{name}/acknowledge", json={"reason": "me too"})
    assert later.json()["acknowledged_by"] == "operator"
    await floor.say(AlarmCleared(alarm.key), alarm)
    assert [a["cleared_at"] is None for a in (await floor.operator.get("/v1/alarms")).json()["items"]] == [True, False]
    assert (await floor.operator.post("/v1/alarms/999/acknowledge", json={"reason": "x"})).status_code == 404


async def test_a_log_that_lost_everything_gets_all_open_work_again(floor: Floor) -> None:
    """After the store is gone the open keys come again, and closed ones stay closed."""
    await floor.stock(("P0-B0", "part1", 10), ("P0-B1", "part2", 10))
    await floor.order("A-1", ("part1", 4), ("part2", 2))
    await floor.pick("P-T-A-1-1-1")
    await floor.until(lambda: len(floor.keys) == 3)
    floor.keys.clear()
    floor.store.lose()
    await floor.until(lambda: set(floor.keys) == {"P-T-A-1-1-2", "C-T-A-1-1", "K-T-A-1-1"})


async def test_a_log_that_was_away_gets_what_it_missed(floor: Floor) -> None:
    """Orders are taken in while the log is down; their work is published when it is back."""
    await floor.stock(("P0-B0", "part1", 10))
    floor.store.stop()
    await floor.order("A-1", ("part1", 4))
    assert floor.keys == {}
    floor.store.start()
    await floor.until(lambda: set(floor.keys) == {"P-T-A-1-1-1", "C-T-A-1-1", "K-T-A-1-1"})
    await floor.until(lambda: [e["subject"] for e in floor.events] == ["A-1"])


async def test_the_ledger_is_never_changed(floor: Floor) -> None:
    """Update, delete and truncate are refused by the database itself."""
    await floor.stock(("P0-B0", "part1", 10))
    for sql in ("UPDATE ledger SET qty = 1", "DELETE FROM ledger", "TRUNCATE ledger", "DELETE FROM audit"):
        with pytest.raises(Exception, match="append-only"):
            await floor.rows(sql)


async def test_the_invariants_see_damage(floor: Floor) -> None:
    """Each kind of damage is found and named; a supervisor sees it through REST."""
    await floor.stock(("P0-B0", "part1", 10), ("P0-B1", "part2", 10))
    await floor.order("A-1", ("part1", 4), ("part2", 2))
    damages = {
        "UPDATE stock SET qty = qty + 1 WHERE place = 'P0-B0'": "sum of moves is stock",
        "UPDATE stock SET reserved = reserved + 1 WHERE place = 'P0-B0'": "reservations are reserved",
        "UPDATE order_line SET allocated = allocated - 1 WHERE line = 1": "order lines add up",
        "UPDATE task SET state = 'done', done_qty = qty WHERE item = 'part1'": "a done pick is posted once",
        "UPDATE orders SET state = 'shipped'": "a shipped order has its shipment",
    }
    for sql, name in damages.items():
        undo = {
            table: await floor.rows(f"SELECT * FROM {table}") for table in ("stock", "order_line", "task", "orders")
        }
        await floor.rows(sql)
        found = (await floor.supervisor.get("/v1/invariants")).json()
        assert name in {v["name"] for v in found}, (sql, found)
        await floor.rows("UPDATE stock SET qty = 10")
        for row in undo["stock"]:
            await floor.rows("UPDATE stock SET reserved = $2 WHERE id = $1", row["id"], row["reserved"])
        for row in undo["order_line"]:
            await floor.rows("UPDATE order_line SET allocated = $2 WHERE line = $1", row["line"], row["allocated"])
        for row in undo["task"]:
            await floor.rows(
                "UPDATE task SET state = $2, done_qty = NULL, closed_at = NULL WHERE id = $1", row["id"], row["state"]
            )
        await floor.rows("UPDATE orders SET state = 'released'")
        assert (await floor.supervisor.get("/v1/invariants")).json() == []


async def test_operators_ask_the_dispatcher_and_leave_a_trace(floor: Floor) -> None:
    """A command reaches the dispatcher with who and why; a refusal is 409, nobody there 503; each has its audit row."""
    asked: list[OpsCommand] = []

    async def dispatcher(payload: bytes) -> bytes:
        command = decode(payload, OpsCommand)
        asked.append(command)
        good = isinstance(command.body, PauseRobot)
        return encode(OpsAnswer(command.id, good, "" if good else "it carries a pod"))

    away = await floor.operator.post("/v1/robots/R1/pause", json={"reason": "wet floor"})
    assert away.status_code == 503
    await floor.dispatcher.serve(topics.ops_subject(floor.site.id), dispatcher)
    done = await floor.operator.post("/v1/robots/R1/pause", json={"reason": "wet floor"})
    assert done.json()["done"] is True
    assert (asked[0].who, asked[0].reason, asked[0].body) == ("operator", "wet floor", PauseRobot(RobotId("R1")))
    refused = await floor.operator.post("/v1/robots/R1/charge", json={"reason": "low"})
    assert (refused.status_code, refused.json()["detail"]) == (409, "it carries a pod")
    fleet = await floor.operator.post("/v1/fleet/pause", json={"reason": "drill"})
    assert fleet.status_code == 200
    assert asked[-1].body == PauseRobot(None)
    assert (await floor.operator.post("/v1/robots/R1/retire", json={"reason": "old"})).status_code == 403
    assert (await floor.operator.post("/v1/robots/R9/pause", json={"reason": "x"})).status_code == 404
    assert (await floor.operator.post("/v1/robots/R1/fly", json={"reason": "x"})).status_code == 422
    assert (await floor.operator.post("/v1/stations/S1/close", json={"reason": "broken"})).status_code == 409
    assert asked[-1] == OpsCommand(asked[-1].id, "operator", "broken", CloseStation(StationId("S1")))
    assert (await floor.operator.post("/v1/stations/S9/close", json={"reason": "x"})).status_code == 404
    audit = (await floor.supervisor.get("/v1/audit")).json()["items"]
    assert [(a["action"], a["subject"]) for a in audit[:5]] == [
        ("station.close", "S1"), ("fleet.pause", "test"), ("robot.charge", "R1"), ("robot.pause", "R1"),
        ("robot.pause", "R1"),
    ]  # fmt: skip


async def test_an_order_waits_for_its_release(postgres: ScratchPostgres) -> None:
    """Reserved at once, published when the clock reaches its time; floor time runs a thousand times as fast here."""
    async with running(postgres, scale=1000) as floor:
        await floor.stock(("P0-B0", "part1", 10))
        release_ms = floor.clock.now_ms() + 1_500_000
        release_at = moment(release_ms).isoformat()
        taken = await floor.order("A-1", ("part1", 4), release_at=release_at)
        assert taken["state"] == "allocated"
        shown = await floor.shown("A-1")
        if floor.clock.now_ms() < release_ms:  # a busy machine may take longer than the second and a half until then
            assert {t["state"] for t in shown["tasks"]} == {"waiting"}
        await floor.until(lambda: len(floor.keys) == 3)
        shown = await floor.shown("A-1")
        assert shown["state"] == "released"
        assert shown["released_at"] >= release_at[:19]
        assert await floor.violations() == []


async def test_scarce_stock_is_never_oversold(postgres: ScratchPostgres) -> None:
    """240 orders from sixteen connections at a time want 480 of 150 pieces in four bins: exactly 150 are given."""
    async with running(postgres, connections=16) as floor:
        await floor.stock(
            ("P0-B0", "part1", 50), ("P0-B1", "part1", 40), ("P1-B0", "part1", 35), ("P1-B1", "part1", 25)
        )
        await floor.stock(("P0-B2", "part2", 60))

        async def buy(n: int) -> int:
            lines = [("part1", 1 + n % 3), ("part2", 1)]
            answer = await floor.post_order(f"A{n}", *(lines if n % 2 else reversed(lines)))
            assert answer.status_code == 201, answer.text
            return sum(x["allocated"] for x in answer.json()["lines"] if x["item"] == "part1")

        given = await asyncio.gather(*(buy(n) for n in range(240)))
        assert sum(given) == 150
        stock = (await floor.erp.get("/v1/items/part1/stock")).json()
        assert (stock["qty"], stock["reserved"], stock["available"]) == (150, 150, 0)
        await floor.until(lambda: sum(w.qty for w in floor.keys.values() if isinstance(w, Pick)) == 150 + 60)
        assert await floor.violations() == []
