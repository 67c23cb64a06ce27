"""Orders changed and cancelled at every stage: what is still possible is done; the rest says why not."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from contracts.ids import RobotId, StationId, TaskId
from contracts.messages.facts import TaskStarted
from deploy.embedded.scratch import ScratchPostgres
from tests.wire.care_floor import do, key, next_task, say, see
from tests.wire.central_floor import DUE, Floor, running

STAGES = ("planned", "wave", "released", "started", "picked", "packed", "loading", "loaded", "dispatched", "departed")
ACTIONS = ("less", "more", "out", "cancel", "put_back")
"""PATCH of a line down to one piece, up to six, down to one with put_back; cancel without and with put_back."""
GOOD: dict[str, dict[str, Any]] = {
    **{s: dict.fromkeys(ACTIONS, 200) for s in ("planned", "wave", "released")},
    "started": {
        "less": "so many are begun", "more": 200, "out": "so many are begun", "cancel": "too late",
        "put_back": "stopping",
    },
    "picked": {
        "less": "so many are begun", "more": 200, "out": "on its way to be packed", "cancel": "too late",
        "put_back": "stopping",
    },
    "packed": {"less": "may be put back", "more": 200, "out": 200, "cancel": "with put_back", "put_back": "put back"},
    "loading": {"less": "may be put back", "more": 200, "out": 200, "cancel": "with put_back", "put_back": "put back"},
    "loaded": dict.fromkeys(ACTIONS, "unload it first"),
    "dispatched": dict.fromkeys(("less", "more", "out"), "is shipped already")
    | dict.fromkeys(("cancel", "put_back"), "reverse its shipment"),
    "departed": dict.fromkeys(("less", "more", "out"), "is shipped already")
    | dict.fromkeys(("cancel", "put_back"), "has departed with truck"),
}  # fmt: skip
"""What is answered: 200, an outcome of a cancellation, or a part of why it is refused (409)."""


@pytest.fixture
async def floor(postgres: ScratchPostgres) -> AsyncIterator[Floor]:
    async with running(postgres) as made:
        await made.stock(("P0-B0", "part1", 900), ("P0-B1", "part2", 900))
        yield made
        assert await made.violations() == []


async def reach(floor: Floor, ref: str, stage: str) -> None:
    """Bring an order of three pieces and a truck of its own to a stage."""
    routed = {"route": ref} if STAGES.index(stage) >= STAGES.index("packed") else {}
    await floor.order(ref, ("part1", 3), wave=stage in {"planned", "wave"}, **routed)
    if stage in {"planned", "wave"}:
        wave = await say(floor.operator, "/v1/waves", {"orders": [ref]})
        if stage == "wave":
            await say(floor.operator, f"/v1/waves/{wave['id']}/release", {}, 200)
        return
    pick = f"P-T-{ref}-1-1"
    await floor.until(lambda: pick in floor.keys)
    if stage == "released":
        return
    await floor.say(TaskStarted(TaskId(pick), 1, StationId("S1"), RobotId("R1")))
    if stage == "started":
        return
    await floor.pick(pick)
    if stage == "picked":
        return
    await floor.finish_tote(f"T-{ref}-1")
    if stage == "packed":
        return
    await floor.rows("INSERT INTO place (code, kind) VALUES ($1, 'dock')", f"D-{ref}")
    stops = [{"ship_to": "x", "orders": [ref]}]
    truck = {"id": f"TR-{ref}", "route": ref, "dock": f"D-{ref}", "departs_at": DUE, "stops": stops}
    await say(floor.operator, "/v1/trucks", truck)
    await say(floor.operator, f"/v1/trucks/TR-{ref}/load", {}, 200)
    if stage == "loading":
        return
    task = await say(floor.operator, f"/v1/hands/L-TR-{ref}-T-{ref}-1/lease", {"person": "anna"}, 200)
    await say(floor.operator, f"/v1/hands/{task['id']}/confirm", {"attempt": task["attempt"]}, 200)
    for then in ("dispatch", "depart")[: STAGES.index(stage) - STAGES.index("loaded")]:
        await say(floor.operator, f"/v1/trucks/TR-{ref}/{then}", {}, 200)


async def patch(floor: Floor, ref: str, qty: int, **more: Any) -> httpx.Response:
    body = {"lines": [{"line": 1, "qty": qty}], "reason": "the customer called"} | more
    return await floor.erp.patch(f"/v1/orders/{ref}", json=body, headers={"If-Match": "*"})


async def act(floor: Floor, ref: str, action: str) -> httpx.Response:
    if action in {"cancel", "put_back"}:
        body = {"reason": "the customer called", "put_back": action == "put_back"}
        return await floor.erp.post(f"/v1/orders/{ref}/cancel", json=body, headers=key())
    return await patch(floor, ref, 6 if action == "more" else 1, put_back=action == "out")


@pytest.mark.slow
async def test_each_stage_answers_each_change(floor: Floor) -> None:
    """Ten stages, five wishes each: the table of docs/outbound.md; a refusal changes nothing."""
    for stage in STAGES:
        for action in ACTIONS:
            ref = f"{stage}-{action}".replace("_", "-")
            await reach(floor, ref, stage)
            before = await floor.shown(ref)
            answer = await act(floor, ref, action)
            wanted = GOOD[stage][action]
            said = answer.json()
            if wanted == 200 or said.get("outcome") == wanted:
                assert answer.status_code == 200, (ref, answer.text)
            else:
                assert (answer.status_code, str(wanted) in said["detail"]) == (409, True), (ref, answer.text)
                assert await floor.shown(ref) == before, ref
    assert await floor.violations() == []


async def test_pieces_of_a_packed_order_are_taken_out_and_the_rest_leaves(floor: Floor) -> None:
    """A person puts them back; then the tote is closed again, under its number, and may be loaded."""
    await reach(floor, "A1", "loading")
    sscc = (await see(floor.operator, "/v1/units/T-A1-1"))["sscc"]
    changed = await patch(floor, "A1", 2, put_back=True)
    assert (changed.json()["state"], changed.json()["put_back_tasks"]) == ("picking", 1), changed.text
    assert await next_task(floor, "anna", "load") is None
    await do(floor, "anna", "putback", qty=1, target="P0-B0")
    line = (await floor.shown("A1"))["order_lines"][0]
    assert (line["done"], line["cancelled"], (await floor.shown("A1"))["state"]) == (2, 1, "packed")
    assert (await patch(floor, "A1", 1, put_back=True)).status_code == 200
    await do(floor, "anna", "putback", qty=1, target="P0-B0")
    assert (await see(floor.operator, "/v1/units/T-A1-1"))["state"] == "closed"
    await do(floor, "anna", "load")
    await say(floor.operator, "/v1/trucks/TR-A1/dispatch", {}, 200)
    shown = await floor.shown("A1")
    assert (shown["state"], shown["shipment"]["pieces"]) == ("shipped", 1)
    assert (await see(floor.erp, "/v1/items/part1/stock"))["available"] == 899
    assert (await see(floor.operator, "/v1/units/T-A1-1"))["sscc"] == sscc


async def test_more_for_a_packed_order_travels_in_a_tote_more(floor: Floor) -> None:
    """It is picked and packed besides; cancelled while something is taken out, all of it goes back."""
    await reach(floor, "A1", "packed")
    changed = (await patch(floor, "A1", 5)).json()
    assert (changed["state"], changed["new_totes"]) == ("picking", 1)
    await floor.pick("P-T-A1-2-1")
    await floor.finish_tote("T-A1-2")
    assert (await floor.shown("A1"))["state"] == "packed"
    assert (await patch(floor, "A1", 4, put_back=True)).json()["put_back_tasks"] == 1
    gone = await say(floor.erp, "/v1/orders/A1/cancel", {"reason": "x", "put_back": True}, 200)
    assert (gone["outcome"], gone["put_back_tasks"]) == ("put back", 2)
    for _ in range(2):
        task = await next_task(floor, "anna", "putback")
        assert task is not None
        body = {"attempt": task["attempt"], "qty": task["qty"], "target": "P0-B0"}
        await say(floor.operator, f"/v1/hands/{task['id']}/confirm", body, 200)
    assert (await see(floor.erp, "/v1/items/part1/stock"))["available"] == 900


async def test_a_released_wave_is_withdrawn_as_far_as_nobody_has_begun(floor: Floor) -> None:
    """One order is begun and goes on; the other waits again, reserved as before, and goes with another wave."""
    for ref in ("A1", "A2"):
        await floor.order(ref, ("part1", 2), ("part2", 1), wave=True)
    wave = (await say(floor.operator, "/v1/waves", {"orders": ["A1", "A2"]}))["id"]
    planned = await say(floor.operator, f"/v1/waves/{wave}/withdraw", {"reason": "too early"}, 409)
    assert "it is planned" in planned["detail"]
    await say(floor.operator, f"/v1/waves/{wave}/release", {}, 200)
    await floor.pick("P-T-A1-1-1")
    told = await say(floor.operator, f"/v1/waves/{wave}/withdraw", {"reason": "the truck is late"}, 200)
    assert (told["waiting"], told["going_on"], told["wave"]["state"]) == (["A2"], ["A1"], "released")
    waits = await floor.shown("A2")
    assert (waits["state"], waits["waits"]) == ("allocated", "its wave was withdrawn: the truck is late")
    assert (await see(floor.erp, "/v1/items/part1/stock"))["available"] == 896
    await floor.until(lambda: not any("A2" in k for k in floor.keys))
    again = await say(floor.operator, f"/v1/waves/{wave}/withdraw", {"reason": "x"}, 409)
    assert "something is begun" in again["detail"]
    other = (await say(floor.operator, "/v1/waves", {"orders": ["A2"]}))["id"]
    await say(floor.operator, f"/v1/waves/{other}/release", {}, 200)
    for task in [
        t["id"] for t in (await floor.shown("A2"))["tasks"] if t["kind"] == "pick" and t["state"] == "released"
    ]:
        await floor.pick(task)
    await floor.finish_tote("T-A2-2")
    assert (await floor.shown("A2"))["state"] == "shipped"
    await floor.pick("P-T-A1-1-2")
    await floor.finish_tote("T-A1-1")
    assert (await see(floor.operator, f"/v1/waves/{wave}"))["state"] == "done"
