"""What people do on the console, in a real browser: receive, release, dispatch, approve, and look at every page."""

import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from contracts import topics
from contracts.codec import decode, encode
from contracts.ids import NodeId, RobotId
from contracts.messages.ops import AdoptRobot, CloseNode, OpsAnswer, OpsCommand, ResumeRobot
from deploy.embedded.scratch import ScratchPostgres
from tests.e2e.console_scene import CHROMIUM, PLANS, Seen, browser, opened, plan, said, stranger
from tests.wire.care_floor import held, say, see
from tests.wire.central_floor import Floor

pytestmark = [
    pytest.mark.peer,
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path(CHROMIUM).exists() and not os.environ.get("FLOORPLANE_REQUIRE_PEERS"),
        reason=f"{CHROMIUM} is absent (apt-get install chromium)",
    ),
    pytest.mark.asyncio(loop_scope="module"),
]
PAGES = ["", "robots/R3", "orders", "orders/A1", "inbound", "inbound/PO-1", "outbound", "tasks", "hands", "stations"]
PAGES += ["alarms", "throughput", "plans", "fleet", "audit", "care/counts", "care/returns", "care/returns/RMA-1"]
PAGES += ["transports", "whatif", "nodes/N2", "nodes/UL"]
PAGES += ["care/replenishment/part3", "care/kits", "care/kits/kit1", "care/scrap", "care/transfers/out-north-UML-7"]
expect.set_options(timeout=30_000)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def scene(postgres: ScratchPostgres) -> AsyncIterator[tuple[Floor, str]]:
    """One warehouse for the whole file; what a test does is seen by those after it."""
    async with opened(postgres) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def page(scene: tuple[Floor, str]) -> AsyncIterator[Page]:
    """A page that is logged in; whatever the browser complains of fails the test."""
    async with browser(*scene) as (page, seen):
        yield page
        assert seen.broken == []


async def act(page: Page, action: str, **fields: str) -> None:
    """Fill in the dialog that is open and press its button, with the keyboard."""
    dialog = page.locator("dialog[open]")
    for name, value in fields.items():
        field = dialog.locator(f"[name={name}]")
        if await field.evaluate("e => e.tagName") == "SELECT":
            await field.select_option(value)
        else:
            await field.fill(value)
    button = dialog.get_by_role("button", name=action, exact=True)
    await button.focus()
    await page.keyboard.press("Enter")


async def done(page: Page) -> None:
    """The dialog has closed: central has taken it; else what it says."""
    dialog = page.locator("dialog[open]")
    await expect(dialog.locator("[name=go]:disabled")).to_have_count(0)
    if await dialog.locator(".refusal").count():
        raise AssertionError(await dialog.inner_text())
    await expect(dialog).to_have_count(0)


async def test_a_line_is_received_and_put_away(page: Page, scene: tuple[Floor, str]) -> None:
    """Too many pieces are refused by field, value and bound; then the line is received and shown without a reload."""
    floor, url = scene
    await page.goto(f"{url}/#/inbound")
    await expect(page.locator("[data-door=D1] [data-appointment]")).to_have_count(1)
    await page.locator("[data-asn=PO-1] a").press("Enter")
    await page.locator("[data-line='1'] [data-do=receive]").click()
    await act(page, "It is here", qty="4000")
    await expect(page.locator("dialog [data-field=qty]")).to_contain_text("4000")
    await expect(page.locator("dialog [data-field=qty]")).to_contain_text("40")
    await expect(page.locator("dialog [name=qty]")).to_be_focused()
    await act(page, "It is here", qty="30", damaged="2")
    await done(page)
    await expect(page.locator("[data-line='1']")).to_contain_text("32 of 40")
    await expect(page.locator("[data-asn=PO-1]")).to_contain_text("2 damaged")
    await expect(page.locator("[data-table=putaway] tbody tr").first).to_contain_text("part4")
    assert sum(n for (_, status), n in (await held(floor, "part4")).items() if status == "damaged") == 2


async def test_doors_and_transports_are_changed_with_the_keyboard(page: Page, scene: tuple[Floor, str]) -> None:
    """A booking moves to a free time, an occupied one is refused beside its field; what robots bring is ordered."""
    floor, url = scene
    times = {"from": "2013-12-02T11:00:00Z", "to": "2013-12-02T12:00:00Z"}
    await say(floor.erp, "/v1/docks/D1/appointments", times | {"carrier": "north"})
    await page.goto(f"{url}/#/inbound")
    visit = page.locator("[data-table=appointments] tbody tr", has_text="acme-lines")
    await visit.locator("[data-do=move]").press("Enter")
    taken = {"from": "2013-12-02T11:30", "to": "2013-12-02T12:30"}
    await act(page, "Change it", reason="late", **taken)
    await expect(page.locator("dialog .field [data-field=from]")).to_contain_text("a time when D1 is free")
    await expect(page.locator("dialog [name=from]")).to_be_focused()
    await act(page, "Change it", **{"from": "2013-12-02T12:00", "to": "2013-12-02T13:00"}, vehicle="B-FP 7")
    await done(page)
    await expect(visit).to_contain_text("12:00 – 13:00")
    await expect(visit).to_contain_text("B-FP 7")
    await page.goto(f"{url}/#/transports")
    await page.locator("[data-do=transport]").press("Enter")
    await act(page, "Order it", **{"from": "nowhere", "to": "N3"}, load="PAL-1")
    await expect(page.locator("dialog .field [data-field=from]")).to_contain_text("nowhere")
    await act(page, "Order it", **{"from": "N2"})
    await done(page)
    await expect(page.locator("aside [data-step=open]")).to_be_visible()
    (made,) = (await see(floor.operator, "/v1/transports"))["items"]
    assert (made["from"], made["to"], made["load"]) == ("N2", "N3", "PAL-1")
    await page.locator("aside [data-do=withdraw]").press("Enter")
    await act(page, "Withdraw", reason="not needed any more")
    await done(page)
    await expect(page.locator("aside [data-step=cancelled]")).to_contain_text("not needed any more")


async def test_levels_lifts_the_past_and_what_if_are_looked_at(
    page: Page, scene: tuple[Floor, str], tmp_path: Path
) -> None:
    """One level at a time with what its lifts do; a robot as it stood before; two days side by side."""
    floor, url = scene
    said(floor)
    await page.goto(f"{url}/#/")
    await expect(page.locator(".lifts [data-lift=L1]")).to_contain_text("open at upper, called to map")
    await expect(page.locator("[data-level=map]")).to_have_attribute("aria-pressed", "true")
    await page.locator("[data-level=upper]").press("Enter")
    await expect(page.locator("fp-map")).to_have_attribute("data-robots", "0")
    await page.goto(f"{url}/#/robots/R3")
    await expect(page.locator("[data-level=map]")).to_have_attribute("aria-pressed", "true")
    await expect(page.locator("[data-wait] .hop")).to_have_count(2)
    then = floor.clock.now_ms()
    said(floor, robots=())
    await expect(page.locator("aside")).to_contain_text("Nothing was heard of it yet")
    await page.locator("[data-do=look-back]").press("Enter")
    await page.get_by_label("Moment").evaluate(
        "(e, at) => { e.value = at; e.dispatchEvent(new Event('input')); }", str(then)
    )
    await expect(page.locator("[data-banner=past]")).to_be_visible()
    await expect(page.locator("[data-wait] .hop")).to_have_count(2)
    await expect(page.locator("aside [data-command]")).to_have_count(0)
    await page.locator("[data-do=now]").press("Enter")
    await expect(page.locator("aside")).to_contain_text("Nothing was heard of it yet")
    said(floor)
    await page.goto(f"{url}/#/whatif")
    was = {
        "finish_h": 9.0,
        "distance_m": 120_000.0,
        "bottleneck": "S1",
        "waits_most_for": "pods",
        "waiting_h": {"pods": 3},
    }
    told = {
        "change": {"at_s": 3600, "robots": 30},
        "was": was,
        "would": was | {"finish_h": 8.1, "waiting_h": {"pods": 1.5}},
    }
    file = tmp_path / "whatif.json"
    file.write_text(json.dumps(told))
    await page.locator("[name=comparison]").set_input_files(file)
    await expect(page.locator("[data-whatif]")).to_contain_text("From 3,600 s on with 30 robots")
    await expect(page.locator("[data-table=whatif]")).to_contain_text("10.0 %")
    await expect(page.locator("[data-picture=whatif]")).to_be_visible()


async def test_a_wave_is_released(page: Page, scene: tuple[Floor, str]) -> None:
    """Its orders stop waiting in front of whoever released it."""
    floor, url = scene
    await page.goto(f"{url}/#/outbound")
    await expect(page.locator("[data-table=waiting] tbody tr")).to_have_count(2)
    await page.locator("[data-table=waves] [data-do=release]").click()
    await act(page, "Release")
    await done(page)
    await expect(page.locator("[data-table=waiting]")).to_have_count(0)
    await expect(page.locator("[data-table=waves]")).to_contain_text("2 released")
    assert (await floor.shown("W1"))["state"] == "released"


async def test_a_truck_is_loaded_and_dispatched(page: Page, scene: tuple[Floor, str]) -> None:
    """What is missing is named; with a reason it stays here, and the picture shows what stands on the truck."""
    floor, url = scene
    await page.goto(f"{url}/#/outbound")
    truck = page.locator("[data-truck=TR-1]")
    await truck.locator("[data-do=load]").click()
    await act(page, "It stands at the door")
    await done(page)
    await expect(truck).to_contain_text("0 of 2 totes")
    for n in (1, 2):
        await truck.locator("[data-do=tote]").click()
        await act(page, "Confirm", target="TR-1")
        await done(page)
        await expect(truck).to_contain_text(f"{n} of 2 totes")
    await truck.locator("[data-do=dispatch]").click()
    await act(page, "Dispatch")
    await expect(page.locator("dialog .refusal")).to_contain_text("A1")
    await act(page, "Dispatch", reason="the tote fell open")
    await done(page)
    await expect(truck).to_have_attribute("data-state", "dispatched")
    assert (await see(floor.erp, "/v1/orders/A2"))["state"] == "shipped"


async def test_a_second_person_approves_a_count_and_lets_goods_go(page: Page, scene: tuple[Floor, str]) -> None:
    """What two have counted is booked by a third; what one wants to throw away goes when another says so."""
    floor, url = scene
    await page.goto(f"{url}/#/care/counts")
    await page.locator("[data-adjustment]").get_by_role("button", name="Approve …").click()
    await expect(page.locator("dialog textarea")).to_be_visible()
    await act(page, "Approve", reason="seen at the place")
    await done(page)
    await expect(page.locator("[data-adjustment]")).to_have_count(0)
    await expect(page.locator("[data-table=settled] tbody tr").first).to_contain_text("posted")
    assert (await held(floor, "part2"))[("P0-B1", "ok")] == 70
    await page.goto(f"{url}/#/care/scrap")
    await page.locator("[data-table=scrap-pending]").get_by_role("button", name="Approve …").click()
    await act(page, "Approve", reason="seen, it is broken")
    await done(page)
    await expect(page.locator("[data-table=scrap]")).to_contain_text("thrown away")
    assert (await held(floor, "part0"))[("A-1", "ok")] == 4


async def test_the_other_care_of_the_stock(page: Page, scene: tuple[Floor, str]) -> None:
    """A return is graded, pieces are brought, kits are made, a transfer leaves, each by its task; nothing reloads."""
    floor, url = scene
    await page.goto(f"{url}/#/care/returns/RMA-1")
    await page.locator("aside [data-do=grade]").click()
    await act(page, "Confirm", qty="2", grade="A", target="P0-B1")
    await done(page)
    await expect(page.locator("aside .stacked")).to_have_attribute("aria-label", "2 in stock again of 3")
    await page.locator("aside [data-do=receive]").click()
    await act(page, "It is here", qty="2")
    await expect(page.locator("dialog [data-field='lines/0/qty']")).to_contain_text("at most 1")
    await page.keyboard.press("Escape")
    await page.goto(f"{url}/#/care/replenishment")
    await page.locator("[data-table=replenish] button").click()
    await act(page, "Confirm")
    await done(page)
    await expect(page.locator("[data-rule=part3]")).to_contain_text("40")
    await page.goto(f"{url}/#/care/kits/kit1")
    await page.locator("[data-do=build]").click()
    await act(page, "Confirm", qty="4")
    await done(page)
    await expect(page.locator("[data-build]")).to_have_attribute("data-state", "done")
    await page.goto(f"{url}/#/care/transfers/out-north-UML-7")
    await page.locator("aside [data-do=send]").click()
    await act(page, "It has left")
    await done(page)
    await expect(page.locator("aside [data-line='1']")).to_contain_text("20 of 20 sent")
    assert (await see(floor.erp, "/v1/transfers/out-north-UML-7"))["state"] == "sent"


async def test_why_a_robot_waits_is_drawn_and_commands_are_given_with_a_reason(
    page: Page, scene: tuple[Floor, str]
) -> None:
    """The chain ends with what would free it; a place is closed with its reason, and shown closed."""
    floor, url = scene
    asked: list[OpsCommand] = []

    async def answer(payload: bytes) -> bytes:
        command = decode(payload, OpsCommand)
        asked.append(command)
        return encode(OpsAnswer(command.id, True, ""))

    await floor.dispatcher.serve(topics.ops_subject(floor.site.id), answer)
    said(floor)
    await page.goto(f"{url}/#/robots/R3")
    await expect(page.locator("[data-wait] .hop")).to_have_count(2)
    await expect(page.locator("[data-frees]")).to_contain_text("R1 is done where it stands")
    await page.locator("[data-wait] .box a", has_text="R2").click()
    await expect(page.locator("[data-wait] .hop")).to_have_count(1)
    await page.goto(f"{url}/#/nodes/N2")
    await page.locator("aside [data-do=close]").click()
    await act(page, "Close", reason="something lies there")
    await done(page)
    assert (asked[-1].body, asked[-1].reason) == (CloseNode(NodeId("N2")), "something lies there")
    said(floor, closed=(NodeId("N2"),))
    await expect(page.locator("aside")).to_contain_text("closed")
    await page.goto(f"{url}/#/fleet")
    await expect(page.locator("[data-closed=N2]")).to_be_visible()
    await expect(page.locator("[data-maker='ACME GmbH']")).to_contain_text("128")
    await page.locator("[data-unreadable] summary").press("Enter")
    await expect(page.locator("[data-unreadable] pre")).to_have_text("{not json")
    said(floor, robots=(stranger(floor),))
    await page.locator("[data-table=new] [data-command=adopt]").press("Enter")
    await act(page, "Adopt", reason="rented for the peak")
    await done(page)
    assert asked[-1].body == AdoptRobot(RobotId("X9"))
    said(floor, closed=(NodeId("N2"),))
    await expect(page.locator("[data-table=adopted]")).to_contain_text("rented for the peak")
    await page.locator("[data-robot=R4] [data-command=resume]").press("Enter")
    await act(page, "Resume", reason="looked at it")
    await done(page)
    assert asked[-1].body == ResumeRobot(RobotId("R4"))
    told = await see(floor.operator, "/v1/robots")
    assert (told["closed"], told["unreadable"][0]["text"]) == (["N2"], "{not json")


async def test_plans_are_pictures_beside_their_baselines(page: Page, scene: tuple[Floor, str]) -> None:
    """Walks, shifts, pods and routes are drawn; one walk stands out when it is chosen; a plan is accepted."""
    floor, url = scene
    waiting = await say(floor.operator, "/v1/plans/waves", {"problem": PLANS["waves"]}, 202)
    await page.goto(f"{url}/#/plans/{waiting['id']}")
    await expect(page.locator("[data-progress]")).to_contain_text("waits for a planner worker")
    await page.locator("[data-do=cancel]").click()
    await act(page, "Cancel the plan", reason="another problem")
    await expect(page.locator("[data-plan] h2")).to_contain_text("cancelled")
    plans = await plan(floor, "batching", "waves", "slotting", "transport", "stations")
    kinds = {"batching": "walks", "waves": "gantt", "slotting": "heat", "transport": "routes", "stations": "stations"}
    for kind, name in plans.items():
        await page.goto(f"{url}/#/plans/{name}")
        shown = page.locator(f"[data-plan={name}]")
        await expect(shown.locator(f"[data-picture={kinds[kind]}]").first).to_be_visible()
    await page.goto(f"{url}/#/plans/{plans['stations']}")
    await page.locator(".station-lists .chip").first.press("Enter")
    lit = page.locator("[data-picture=stations] .plan-visit.lit")
    assert 1 <= await lit.count() <= 2
    await page.goto(f"{url}/#/plans/{plans['batching']}")
    walks = page.locator("[data-picture=walks]").first.locator(".plan-walk")
    await page.locator(".picture-chips .chip").first.click()
    await expect(page.locator(".plan-walk.lit")).to_have_count(1)
    assert await page.locator(".plan-walk.off").count() == await walks.count() - 1
    assert float(await page.locator("[data-saved]").get_attribute("data-saved") or "0") >= 0
    for name in (plans["slotting"], plans["batching"]):
        await page.goto(f"{url}/#/plans/{name}")
        await page.locator(f"[data-plan={name}] [data-do=accept]").click()
        await act(page, "Accept", reason="looks right")
        await done(page)
        await expect(page.locator(f"[data-plan={name}] h2")).to_contain_text("accepted")
        if name == plans["slotting"]:
            await expect(page.locator("[data-table=moves] [data-move='1']")).to_be_visible()
            await page.locator("[data-do=stop]").click()
            await act(page, "Stop moving", reason="the shift is over")
            await done(page)
            await expect(page.locator("[data-table=moves] [data-state=stopped]").first).to_be_visible()
    made = (await see(floor.operator, f"/v1/plans/{plans['batching']}"))["state"]
    assert made == "accepted"


@pytest.mark.parametrize("look", ["desk", "phone"])
async def test_every_page_fits_and_nothing_is_complained_of(scene: tuple[Floor, str], look: str) -> None:
    """At 1280 pixels in the dark and on a phone in the light, no page is wider than its window or logs anything."""
    floor, url = scene
    screens = {
        "desk": {"color_scheme": "dark"},
        "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}, "is_mobile": True},
    }
    seen: Seen
    async with browser(floor, url, **screens[look]) as (page, seen):
        for name in PAGES:
            said(floor)
            await page.goto(f"{url}/#/{name}")
            await expect(page.locator("main > *").first).to_be_visible()
            await expect(page.locator("body")).not_to_contain_text("Reading …")
            wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"{name} is {wide} px wider than the window"
            assert not re.search(r"undefined|\[object|NaN", await page.inner_text("body")), name
        assert seen.broken == []
