"""The handheld page in a real browser over a real central: scanner and keyboard alone, and connections that break."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from playwright.async_api import Browser, Page, Route, async_playwright, expect

from central.serve import HttpServer
from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import DUE, Floor, running

CHROMIUM = Path("/usr/bin/chromium")
ARGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
ARGS += ["--disable-component-update", "--disable-sync"]
pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(
        not CHROMIUM.exists() and not os.environ.get("FLOORPLANE_REQUIRE_PEERS"),
        reason=f"{CHROMIUM} is absent (apt-get install chromium)",
    ),
]
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)
SETTING = """
INSERT INTO place (code, kind) VALUES ('R1', 'shelf'), ('R2', 'shelf'), ('L1', 'staging'), ('D1', 'dock');
CREATE TABLE seen (task text, f jsonb, actor text);
CREATE FUNCTION hand_done_inspect(t hand_task, f jsonb, p_at timestamptz, p_actor text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    IF f->>'grade' = 'C' THEN RETURN 'nobody buys that'; END IF;
    INSERT INTO seen VALUES (t.id, f, p_actor);
    RETURN 'posted';
END $$;
"""
INSPECT = """
SELECT open_hand_task($1, 'inspect', '2013-12-02', 'part1', 3, 'R1', NULL, 'RMA-1', p_detail => '{
    "note": "mind the glass",
    "asks": ["source", "item", "lot", "expiry", "qty", {"field": "grade", "type": "choice", "label": "Grade",
    "options": ["A", "B", "C"]}]}')
"""


class Rf:
    """A handheld, the floor behind it, and what broke in the page."""

    def __init__(self, floor: Floor, url: str, page: Page) -> None:
        self.floor, self.url, self.page = floor, url, page

    async def type(self, text: str = "") -> None:
        """What a scanner or a hand does: characters, then Enter."""
        await self.page.keyboard.type(text)
        await self.page.keyboard.press("Enter")

    async def step(self, name: str) -> None:
        await expect(self.page.locator(f"[data-step={name}]")).to_be_visible()

    async def sign_in(self, person: str = "anna") -> None:
        await self.page.goto(f"{self.url}/rf")
        await expect(self.page.get_by_label("Badge or name")).to_be_focused()
        await self.type(self.floor.secrets.tokens["device"])
        await expect(self.page.get_by_label("Your name")).to_be_focused()
        await self.type(person)
        await expect(self.page.locator("[data-kind=move]")).to_be_visible()

    async def work_on(self, kind: str) -> None:
        """Choose a kind by its number, and start."""
        row = self.page.locator(f"[data-kind={kind}]")
        await self.type(await row.locator("kbd").inner_text())
        await expect(row).to_have_attribute("aria-pressed", "true")
        await self.type()

    async def open_move(self, qty: int = 5) -> str:
        body = {"from": "R1", "to": "R2", "item": "part1", "qty": qty, "later": True}
        made = await self.floor.operator.post(
            "/v1/hands/moves", json=body, headers={"Idempotency-Key": f"open-{qty}-{len(self.floor.events)}"}
        )
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    async def scan_move(self) -> None:
        """All of a move but the confirmation."""
        for step, text in (("source", "R1"), ("item", "4000000000001"), ("qty", ""), ("target", "R2")):
            await self.step(step)
            await self.type(text)
        await self.step("confirm")

    async def moved(self) -> list[Any]:
        return await self.floor.rows("SELECT * FROM ledger WHERE reason IN ('move', 'reverse') ORDER BY seq")


@pytest.fixture
async def served(postgres: ScratchPostgres) -> AsyncIterator[tuple[Floor, str]]:
    async with running(postgres, hand_picks=True) as floor:
        connection = await asyncpg.connect(floor.url)
        await connection.execute(SETTING)
        await connection.close()
        await floor.stock(("R1", "part1", 20))
        server = HttpServer(floor.central.app, port=0)
        serving = asyncio.create_task(server.run(), name="test.http")
        await server.ready.wait()
        yield floor, server.url
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        assert await floor.violations() == []


async def handheld(browser: Browser, floor: Floor, url: str, **options: Any) -> tuple[Rf, list[str]]:
    """A handheld of its own; what breaks in it or breaks its policy is listed."""
    context = await browser.new_context(viewport={"width": 420, "height": 800}, **options)
    page = await context.new_page()
    broken: list[str] = []
    page.on("pageerror", lambda e: broken.append(str(e)))
    page.on("console", lambda m: broken.append(m.text) if "Content Security Policy" in m.text else None)
    return Rf(floor, url, page), broken


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        made = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield made
        await made.close()


@pytest.fixture
async def rf(browser: Browser, served: tuple[Floor, str]) -> AsyncIterator[Rf]:
    # a service worker would fetch for the page where no route of a test sees it
    made, broken = await handheld(browser, *served, service_workers="block")
    yield made
    assert broken == []


async def test_a_whole_task_is_done_with_scanner_and_keyboard_alone(rf: Rf) -> None:
    """Badge, name, kind, place, item, quantity, place, Enter: it is posted for that person, and the next one comes."""
    task = await rf.open_move(5)
    await rf.sign_in()
    await rf.work_on("move")
    await rf.step("source")
    await expect(rf.page.locator(".show")).to_have_text("R1")
    if shot := os.environ.get("FLOORPLANE_SCREENSHOT"):
        await rf.page.screenshot(path=shot)
    await rf.scan_move()
    await rf.type()
    await expect(rf.page.get_by_role("status")).to_contain_text("Done: move · part1 · 5")
    (row,) = await rf.moved()
    assert (row["a"], row["b"], row["qty"], row["actor"], row["task"]) == ("R1", "R2", 5, "anna", task)
    second = await rf.open_move(4)
    await expect(rf.page.locator(f"[data-task='{second}']")).to_be_visible()


async def test_a_wrong_scan_stops_until_it_is_read(rf: Rf) -> None:
    """Red, in words, and the step is still the same; fewer pieces than wanted ask why."""
    task = await rf.open_move(5)
    await rf.sign_in()
    await rf.work_on("move")
    await rf.step("source")
    for wrong, words in (("R2", "Wrong source: R2"), ("", "nothing was scanned")):
        await rf.type(wrong)
        await expect(rf.page.get_by_role("alert")).to_contain_text(words)
        await expect(rf.page.locator("body")).to_have_attribute("data-tone", "bad")
        await rf.type()
        await rf.step("source")
    await rf.type("R1")
    await rf.step("item")
    await rf.type("part2")
    await expect(rf.page.get_by_role("alert")).to_contain_text("Wrong item: part2")
    await rf.page.keyboard.press("Escape")
    await rf.type("part1")
    await rf.type("9")
    await expect(rf.page.get_by_role("alert")).to_contain_text("more than 5")
    await rf.type()
    await rf.type("3")
    await rf.step("reason")
    await rf.type("2")
    await rf.type("R2")
    await rf.step("confirm")
    await rf.type()
    await expect(rf.page.get_by_role("status")).to_contain_text("Done")
    (row,) = await rf.floor.rows("SELECT done_qty, reason FROM hand_task WHERE id = $1", task)
    assert (row["done_qty"], row["reason"]) == (3, "damaged")


async def test_an_empty_place_is_said_to_be_empty_and_counted(rf: Rf) -> None:
    """F3 needs no scan of what is not there; the task is done with nothing, and a count of the place is asked for."""
    task = await rf.open_move(5)
    await rf.sign_in()
    await rf.work_on("move")
    await rf.step("source")
    await rf.page.keyboard.press("F3")
    await rf.step("source")
    await rf.type("R1")
    await rf.step("item")
    await rf.page.keyboard.press("F3")
    await rf.step("confirm")
    await rf.type()
    await expect(rf.page.get_by_role("status")).to_contain_text("Done: move · part1 · 0")
    assert await rf.moved() == []
    (row,) = await rf.floor.rows("SELECT done_qty, reason FROM hand_task WHERE id = $1", task)
    assert (row["done_qty"], row["reason"]) == (0, "missing")
    await rf.type()
    await rf.work_on("count")
    for step, text in (("source", "R1"), ("item", "part1"), ("qty", "20"), ("confirm", "")):
        await rf.step(step)
        await rf.type(text)
    await expect(rf.page.get_by_role("status")).to_contain_text("Done: count")
    assert await rf.floor.rows("SELECT FROM hand_task WHERE kind = 'count' AND state IN ('open', 'leased')") == []


async def test_a_lost_answer_is_asked_for_again_and_posts_once(rf: Rf) -> None:
    """Central has posted and its answer never comes, twice; the page sends the same again until it hears."""
    await rf.open_move(5)
    sent = []

    async def lose(route: Route) -> None:
        sent.append(route.request.headers["idempotency-key"])
        if len(sent) <= 2:
            await route.fetch()
            await route.abort("connectionreset")
        else:
            await route.continue_()

    await rf.page.route("**/confirm", lose)
    await rf.sign_in()
    await rf.work_on("move")
    await rf.scan_move()
    await rf.type()
    await expect(rf.page.get_by_role("status")).to_contain_text("Done: move")
    assert len(sent) == 3
    assert len(set(sent)) == 1
    assert len(await rf.moved()) == 1


async def test_a_lost_answer_to_the_question_for_work_leads_to_the_same_task(rf: Rf) -> None:
    """What was leased without our hearing of it is not left lying until its lease ends."""
    tasks = {await rf.open_move(5), await rf.open_move(4)}
    lost = []

    async def lose(route: Route) -> None:
        if not lost:
            lost.append((await (await route.fetch()).json())["id"])
            await route.abort("connectionreset")
        else:
            await route.continue_()

    await rf.page.route("**/next", lose)
    await rf.sign_in()
    await rf.work_on("move")
    await rf.step("source")
    assert await rf.page.locator("[data-task]").get_attribute("data-task") == lost[0]
    rows = await rf.floor.rows("SELECT id FROM hand_task WHERE state = 'leased'")
    assert [r["id"] for r in rows] == lost
    assert set(lost) < tasks


async def test_what_is_done_without_a_connection_is_sent_when_there_is_one(rf: Rf) -> None:
    """Confirmed, and goods carried besides, in a dead spot; it is shown, survives a reload, and is posted once each."""
    await rf.open_move(5)
    await rf.sign_in()
    await rf.work_on("move")
    await rf.scan_move()

    async def dead(route: Route) -> None:
        await route.abort("internetdisconnected")

    await rf.page.route("**/v1/**", dead)
    await rf.type()
    await expect(rf.page.locator("[data-link=down]")).to_be_visible()
    await rf.type("0")
    for step, text in (("source", "R1"), ("item", "part1"), ("lot", ""), ("qty", "2"), ("target", "L1")):
        await rf.step(step)
        await rf.type(text)
    await rf.step("confirm")
    await rf.type()
    await expect(rf.page.locator("[data-waiting='2']")).to_be_visible()
    await rf.page.reload()
    await expect(rf.page.locator("[data-waiting='2']")).to_be_visible()
    assert await rf.moved() == []
    await rf.page.unroute("**/v1/**")
    await expect(rf.page.locator("[data-waiting]")).to_have_count(0)
    assert [(r["b"], r["qty"], r["actor"]) for r in await rf.moved()] == [("R2", 5, "anna"), ("L1", 2, "anna")]


async def test_who_is_signed_out_in_between_loses_nothing(rf: Rf) -> None:
    """What one has confirmed waits for that one: somebody else with a password does not send it."""
    await rf.open_move(5)
    await rf.sign_in()
    await rf.work_on("move")
    await rf.scan_move()

    async def forget(route: Route) -> None:
        await route.fulfill(status=401, json={"detail": "A valid token is needed"})

    await rf.page.route("**/confirm", forget)
    await rf.type()
    await expect(rf.page.get_by_label("Badge or name")).to_be_visible()
    await rf.page.unroute("**/confirm")
    await rf.type("supervisor")
    await expect(rf.page.get_by_label("Password")).to_be_focused()
    await rf.type("wrong")
    await expect(rf.page.get_by_role("alert")).to_contain_text("name or password is wrong")
    await rf.type()
    await rf.type("supervisor")
    await rf.type(rf.floor.secrets.password)
    await expect(rf.page.locator("header b")).to_have_text("supervisor")
    await expect(rf.page.locator("[data-waiting='1']")).to_be_visible()
    assert await rf.moved() == []
    await rf.page.keyboard.press("F8")
    await rf.sign_in("anna")
    await expect(rf.page.locator("[data-waiting]")).to_have_count(0)
    assert [(r["qty"], r["actor"]) for r in await rf.moved()] == [(5, "anna")]


SCANS: list[tuple[str, dict[str, Any]]] = [
    ("4006381333931", {"code": "4006381333931"}),
    ("R-01-2", {"code": "R-01-2"}),
    ("01-02-03", {"code": "01-02-03"}),
    ("]E04006381333931", {"code": "4006381333931"}),
    ("0104006381333931", {"item": "04006381333931"}),
    ("0104006381333932", {"code": "0104006381333932"}),  # its check digit is wrong: a code of one's own
    ("(01)04006381333931(10)AB-1(17)270200", {"item": "04006381333931", "lot": "AB-1", "expiry": "2027-02-28"}),
    ("]C10104006381333931172701311012345", {"item": "04006381333931", "lot": "12345", "expiry": "2027-01-31"}),
    ("]d20104006381333931\x1d21S7\x1d3712", {"item": "04006381333931", "serial": "S7", "qty": 12}),
    ("0104006381333931310200125010L", {"item": "04006381333931", "lot": "L"}),
    ("00340123450000000017", {"unit": "340123450000000017"}),
    ("]C100340123450000000017", {"unit": "340123450000000017"}),
    ("00340123450000000018", {"code": "00340123450000000018"}),
    ("]C1garbage", {"code": "garbage"}),
    ("]C101040063813", {"code": "01040063813"}),
    ("]d2010400638133393117279999", {"item": "04006381333931", "expiry": None}),
]


async def test_what_a_scanner_types_is_understood(rf: Rf) -> None:
    """Plain codes as they are; GS1 strings with prefix, brackets or a right check digit by their identifiers."""
    await rf.page.goto(f"{rf.url}/rf/")
    read = "async texts => { const { read } = await import('/rf/gs1.js'); return texts.map(read); }"
    for (text, wanted), got in zip(SCANS, await rf.page.evaluate(read, [t for t, _ in SCANS]), strict=True):
        assert {k: got.get(k) for k in wanted} == wanted, (text, got)


async def test_goods_are_carried_and_taken_back(rf: Rf) -> None:
    """The books say what is there as help; F4 takes the last one back by a row that points back."""
    await rf.sign_in()
    await rf.type("0")
    await rf.step("source")
    await rf.type("R1")
    await expect(rf.page.locator(".contents")).to_contain_text("part1: 20 free")
    for step, text in (("item", "(01)04000000000001"), ("qty", "6"), ("target", "R2"), ("confirm", "")):
        await rf.step(step)
        await rf.type(text)
    await expect(rf.page.get_by_role("status")).to_contain_text("Done")
    await rf.page.keyboard.press("F4")
    await expect(rf.page.get_by_role("status")).to_contain_text("Taken back")
    there, again = await rf.moved()
    assert (again["reverses"], again["a"], again["b"], again["qty"]) == (there["seq"], "R2", "R1", 6)


async def test_what_central_refuses_is_said_and_the_task_is_there_again(rf: Rf) -> None:
    """Somebody took the pieces meanwhile: its words are shown, and after reading them the task begins anew."""
    await rf.open_move(15)
    await rf.sign_in()
    await rf.work_on("move")
    await rf.scan_move()
    body = {"from": "R1", "to": "L1", "item": "part1", "qty": 8}
    await rf.floor.operator.post("/v1/hands/moves", json=body, headers={"Idempotency-Key": "thief"})
    await rf.type()
    await expect(rf.page.get_by_role("alert")).to_contain_text("not so many are free in R1")
    await rf.type()
    await rf.step("source")
    await rf.page.keyboard.press("F2")
    await rf.step("reason")
    await rf.type("2")
    await expect(rf.page.get_by_role("status")).to_contain_text("Given back")
    (row,) = await rf.floor.rows(
        "SELECT state, reason, attempt FROM hand_task WHERE state = 'open' OR state = 'leased'"
    )
    assert row["attempt"] == 1 or row["state"] == "leased"


async def test_the_task_says_what_is_asked_for(rf: Rf) -> None:
    """Lot and best-before from one GS1 scan, a quantity, a choice of its own kind; a refusal of its room is shown."""
    await rf.floor.rows(INSPECT, "I1")
    await rf.sign_in()
    await rf.work_on("inspect")
    await rf.step("source")
    await expect(rf.page.locator("dl .note")).to_contain_text("mind the glass")
    await rf.type("R1")
    await rf.type("]C1010400000000000110LOT7\x1d17270200")
    await rf.step("qty")
    await expect(rf.page.locator("dl")).to_contain_text("2027-02-28")
    await rf.type()
    await rf.step("grade")
    await rf.type("4")
    await expect(rf.page.get_by_role("alert")).to_contain_text("none of 1 to 3")
    await rf.type()
    await rf.type("c")
    await rf.type()
    await expect(rf.page.get_by_role("alert")).to_contain_text("nobody buys that")
    await rf.type()
    await rf.step("source")
    for text in ("R1", "part1", "LOT7", "28.2.2027", "3", "A"):
        await rf.type(text)
    await rf.step("confirm")
    await rf.type()
    await expect(rf.page.get_by_role("status")).to_contain_text("Done: inspect")
    (row,) = await rf.floor.rows("SELECT f, actor FROM seen")
    said = json.loads(row["f"])
    assert (said["item"], said["lot"], said["expiry"], said["qty"], said["grade"]) == (
        "part1",
        "LOT7",
        "2027-02-28",
        3,
        "A",
    )


async def test_the_console_shows_who_has_what_and_takes_it_back(browser: Browser, served: tuple[Floor, str]) -> None:
    """Leased, done, taken back by a supervisor with a reason, withdrawn: each row changes where it stands."""
    rf, broken = await handheld(browser, *served)
    first, second = await rf.open_move(5), await rf.open_move(4)
    lease = {"kinds": ["move"], "person": "anna", "scan": first}
    await rf.floor.device.post("/v1/hands/next", json=lease, headers={"Idempotency-Key": "l"})
    await rf.page.set_viewport_size({"width": 1400, "height": 800})
    await rf.page.goto(f"{rf.url}/#/hands")
    await rf.page.fill("input[name=name]", "supervisor")
    await rf.page.fill("input[name=password]", rf.floor.secrets.password)
    await rf.page.get_by_role("button", name="Log in").click()
    row = rf.page.locator(f"tr[data-hand='{first}']")
    await expect(row).to_have_attribute("data-state", "leased")
    await expect(row).to_contain_text("anna")
    done = {"attempt": 1, "qty": 5}
    await rf.floor.device.post(f"/v1/hands/{first}/confirm", json=done, headers={"Idempotency-Key": "c"})
    await expect(row).to_have_attribute("data-state", "done")
    await row.get_by_role("button", name="Take back").click()
    await rf.page.fill("textarea[name=reason]", "wrong shelf")
    await rf.page.locator("dialog button[name=go]").click()
    await expect(row).to_have_attribute("data-state", "undone")
    other = rf.page.locator(f"tr[data-hand='{second}']")
    await other.get_by_role("button", name="Withdraw").click()
    await rf.page.fill("textarea[name=reason]", "not needed")
    await rf.page.locator("dialog button[name=go]").click()
    await expect(other).to_have_attribute("data-state", "cancelled")
    assert [r["reason"] for r in await rf.moved()] == ["move", "reverse"]
    assert broken == []


SSCC = "340123450000000017"


async def test_goods_are_received_put_away_and_carried_on_their_pallet(rf: Rf) -> None:
    """An announced pallet, of which two pieces are damaged: the good ones go to another shelf than planned."""
    line = {"line": 1, "item": "part3", "qty": 12}
    asn = {"ref": "PO-1", "supplier": "acme", "due": "2013-12-02T16:00:00Z", "lines": [line]}
    for who, path, body in (
        (rf.floor.erp, "/v1/asns", asn),
        (rf.floor.operator, "/v1/asns/PO-1/arrive", {"staging": "L1"}),
    ):
        answer = await who.post(path, json=body, headers={"Idempotency-Key": path})
        assert answer.status_code in {200, 201}, answer.text
    await rf.sign_in()
    await rf.work_on("receive")
    await rf.step("unit")
    wrong = f"{SSCC[:-1]}{(int(SSCC[-1]) + 1) % 10}"
    for text in (wrong, "part3", "1", "", "L1", ""):
        await rf.type(text)
    await expect(rf.page.get_by_role("alert")).to_contain_text("check digit is wrong")
    await rf.type()
    steps = ("unit", f"]C100{SSCC}"), ("item", "4000000000003"), ("qty", "10"), ("damaged", "2"), ("target", "L1")
    for step, text in (*steps, ("confirm", "")):
        await rf.step(step)
        await rf.type(text)
    await expect(rf.page.get_by_role("status")).to_contain_text("Done: receive · PO-1")
    await rf.type()  # no more of it
    await rf.work_on("putaway")
    await rf.step("source")
    planned = await rf.page.locator("[data-answer=target] dd").inner_text()
    other = "R1" if planned == "R2" else "R2"
    for step, text in (("source", SSCC), ("item", "part3"), ("qty", ""), ("target", other), ("confirm", "")):
        await rf.step(step)
        await rf.type(text)
    await expect(rf.page.get_by_role("status")).to_contain_text("Done: putaway")
    rows = await rf.floor.rows(
        "SELECT place, status, qty FROM stock WHERE item = 'part3' AND live ORDER BY status DESC"
    )
    assert [(r["status"], r["qty"]) for r in rows] == [("ok", 10), ("damaged", 2)]
    assert rows[0]["place"] == other
    await rf.type()
    await rf.type("0")
    for step, text in (("source", SSCC), ("item", ""), ("target", "R1"), ("confirm", "")):
        await rf.step(step)
        await rf.type(text)
    await expect(rf.page.get_by_role("status")).to_contain_text(f"Done: move {SSCC}")
    (place,) = await rf.floor.rows("SELECT parent FROM place WHERE code = $1", SSCC)
    assert place["parent"] == "R1"


async def test_an_order_is_picked_packed_and_loaded_at_the_handheld(rf: Rf) -> None:
    """From the shelf into its tote, closed, and through the dock onto its truck; then the truck may leave."""
    await rf.floor.order("A1", ("part1", 2), route="NORTH")
    await rf.sign_in()
    await rf.work_on("pick")
    for step, text in (("source", "R1"), ("item", "part1"), ("qty", ""), ("target", "T-A1-1"), ("confirm", "")):
        await rf.step(step)
        await rf.type(text)
    await expect(rf.page.get_by_role("status")).to_contain_text("Done: pick · A1")
    await rf.type()
    await rf.work_on("pack")
    for step, text in (("source", "T-A1-1"), ("confirm", "")):
        await rf.step(step)
        await rf.type(text)
    await expect(rf.page.get_by_role("status")).to_contain_text("Done: pack")
    stops = [{"ship_to": "Town 1", "orders": ["A1"]}]
    truck = {"id": "TR-1", "route": "NORTH", "carrier": "ACME", "dock": "D1", "departs_at": DUE, "stops": stops}
    for path, body in (("/v1/trucks", truck), ("/v1/trucks/TR-1/load", {})):
        answer = await rf.floor.supervisor.post(path, json=body, headers={"Idempotency-Key": path})
        assert answer.status_code in {200, 201}, answer.text
    await rf.type()
    await rf.work_on("load")
    await rf.step("source")
    label = await rf.page.locator(".show").inner_text()
    for step, text in (("source", f"]C100{label}"), ("target", "D1"), ("confirm", "")):
        await rf.step(step)
        await rf.type(text)
    await expect(rf.page.get_by_role("status")).to_contain_text("Done: load")
    gone = await rf.floor.supervisor.post("/v1/trucks/TR-1/dispatch", json={}, headers={"Idempotency-Key": "go"})
    assert gone.json()["state"] == "dispatched", gone.text
    assert (await rf.floor.shown("A1"))["state"] == "shipped"


async def test_the_page_loads_again_without_a_connection(browser: Browser, served: tuple[Floor, str]) -> None:
    """Its service worker keeps what it is made of; the task in hand is where it was."""
    rf, broken = await handheld(browser, *served)
    await rf.open_move(5)
    await rf.sign_in()
    await rf.work_on("move")
    await rf.step("source")
    await rf.page.wait_for_function("() => navigator.serviceWorker.controller !== null", timeout=PATIENCE_MS)
    await rf.page.reload()  # now all of it goes through the service worker
    await rf.step("source")
    await rf.type("R1")
    await rf.step("item")
    await rf.page.context.set_offline(True)
    await rf.page.reload()
    await rf.step("item")
    await rf.type("part1")
    await rf.step("qty")
    assert broken == []
