"""The operator console in a real browser (Debian's chromium) over a real `floorplane up`."""

import asyncio
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from playwright.async_api import Page, async_playwright, expect

from central.identity.access import Role
from central.identity.bootstrap import login_link
from contracts import topics
from contracts.codec import encode
from contracts.ids import CellId
from contracts.messages.floor import CellState
from contracts.runtime.floor.mqtt import MqttConnector
from contracts.runtime.settings import bare_environment
from contracts.site import read_site
from deploy.state import Running
from tests.free_ports import take

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


class Floor:
    """One floor in a folder of its own, five times as fast as the wall."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, nats, mqtt = take(), take(), take()
        self.link = ""
        """The one-time login link that `up` prints."""
        self.url = f"http://127.0.0.1:{self.port}"
        environment = bare_environment(NO_COLOR="1", COLUMNS="300", FLOORPLANE_ORDERS_PER_H="300")
        command = [sys.executable, "-m", "deploy.cli", "up", "--port", str(self.port), "--nats-port", str(nats)]
        # its twins' devices must not meet those of another test's floor
        command += ["--mqtt-port", str(mqtt), "--scale", "5", "--device-port", str(19_000 + os.getpid() % 30 * 500)]
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=(folder / "err.txt").open("a"),
        )  # fmt: skip

    def await_link(self) -> str:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], 120)
        assert ready, (self.folder / "err.txt").read_text()
        found = re.search(r"http\S+token=\S+", self.process.stdout.readline())
        assert found, (self.folder / "err.txt").read_text()
        return found[0]

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    @property
    def running(self) -> Running:
        return msgspec.json.decode((self.folder / ".floorplane" / "running.json").read_bytes(), type=Running)

    @property
    def password(self) -> str:
        return str(json.loads((self.folder / ".floorplane" / "secrets.json").read_text())["password"])

    def get(self, path: str) -> Any:
        token = json.loads((self.folder / ".floorplane" / "secrets.json").read_text())["tokens"]["supervisor"]
        answer = httpx.get(f"{self.url}{path}", headers={"Authorization": f"Bearer {token}"}, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def process_of(self, name: str) -> int:
        """The child of this floor that runs one process of it."""
        for proc in Path("/proc").iterdir():
            if proc.name.isdigit():
                try:
                    words, stat = (proc / "cmdline").read_bytes().split(b"\0"), (proc / "stat").read_text()
                except OSError:
                    continue
                parent = int(stat.rpartition(")")[2].split()[1])
                if parent == self.process.pid and name.encode() in words:
                    return int(proc.name)
        raise AssertionError(f"no process {name} of {self.process.pid}")


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    made = Floor(tmp_path_factory.mktemp("console"))
    try:
        made.link = made.await_link()
        yield made
    finally:
        made.end()


@pytest.fixture
async def page(floor: Floor) -> AsyncIterator[Page]:
    """A page that has not logged in; whatever breaks in it or breaks its policy fails the test."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        made = await browser.new_page(viewport={"width": 1280, "height": 800})
        broken: list[str] = []
        made.on("pageerror", lambda e: broken.append(str(e)))
        made.on("console", lambda m: broken.append(m.text) if "Content Security Policy" in m.text else None)
        yield made
        await browser.close()
        assert not broken


async def log_in(page: Page, floor: Floor) -> None:
    await page.goto(floor.url)
    await page.fill("input[name=name]", "supervisor")
    await page.fill("input[name=password]", floor.password)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.locator("fp-header")).to_be_visible()


async def number(page: Page, name: str) -> int:
    return int(await page.locator("fp-map").get_attribute(f"data-{name}") or 0)


async def until(page: Page, script: str, arg: object = None) -> None:
    await page.wait_for_function(script, arg=arg, timeout=PATIENCE_MS)


async def test_the_link_of_up_leads_to_a_map_on_which_forty_robots_move(page: Page, floor: Floor) -> None:
    """The printed link logs in once; all robots of the site are on the map, listed beside it, and several drive."""
    await page.goto(floor.link)
    shown = page.locator("fp-map")
    await expect(shown).to_have_attribute("data-robots", "40")
    await expect(page.locator("[data-list=robots] li")).to_have_count(40)
    await until(page, "() => Number(document.querySelector('fp-map').dataset.moved) >= 5")
    frames = await number(page, "frames")
    await until(page, "n => Number(document.querySelector('fp-map').dataset.frames) > n + 10", frames)
    await expect(page.locator("[data-link=live]")).to_be_visible()
    again = await page.goto(floor.link)
    assert again is not None
    assert again.status == 401
    assert "used before" in await again.text()


async def test_a_wrong_password_is_refused_in_words_and_a_session_survives_a_reload(page: Page, floor: Floor) -> None:
    """What central says of the login stands on the page; the right one stays logged in until logged out."""
    await page.goto(floor.url)
    await page.fill("input[name=name]", "supervisor")
    await page.fill("input[name=password]", "wrong")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("alert")).to_have_text("name or password is wrong")
    await log_in(page, floor)
    await page.goto(f"{floor.url}/#/orders")
    await page.reload()
    await expect(page.locator("[data-table=orders] tbody tr").first).to_be_visible()
    await page.get_by_role("button", name="Log out").click()
    await expect(page.locator("input[name=name]")).to_be_visible()


async def test_a_tasks_row_changes_without_a_reload(page: Page, floor: Floor) -> None:
    """Rows of open tasks reach another state where they stand, as central's books do."""
    await log_in(page, floor)
    await page.goto(f"{floor.url}/#/tasks")
    await until(page, "() => document.querySelector('[data-table=tasks] tr[data-state=released]')")
    await page.evaluate(
        "() => { window.before = new Map([...document.querySelectorAll('tr[data-task]')]"
        ".map(r => [r.dataset.task, r.dataset.state])) }"
    )
    changed = await page.wait_for_function(
        "() => { for (const r of document.querySelectorAll('tr[data-task]'))"
        " { const was = window.before.get(r.dataset.task);"
        " if (was && was !== 'done' && r.dataset.state === 'done') return r.dataset.task } }",
        timeout=PATIENCE_MS,
    )
    task = str(await changed.json_value())
    order = await page.locator(f"tr[data-task='{task}'] td:nth-child(4)").inner_text()
    books = {t["id"]: t["state"] for t in floor.get(f"/v1/orders/{order}")["tasks"]}
    assert books[task] == "done"


async def test_an_alarm_is_raised_and_acknowledged_with_a_reason(page: Page, floor: Floor) -> None:
    """A cell that no site file knows speaks on the bus; the alarm appears by itself, is acknowledged, stays active."""
    await log_in(page, floor)
    await page.goto(f"{floor.url}/#/alarms")
    site = read_site(Path(floor.running.site))
    stranger = CellId("station-S99")
    bus = await MqttConnector(floor.running.mqtt_url).connect("stranger")
    try:
        state = CellState(stranger, online=True, epoch=1, at_ms=int(time.time() * 1000), devices={}, buffered=0)
        await bus.publish(topics.cell_state(site.id, stranger), encode(state))
        row = page.locator("tr[data-alarm='cell-station-S99']")
        await expect(row).to_contain_text("not in the site file")
    finally:
        await bus.close()
    await expect(row).to_have_attribute("data-active", "yes")
    await expect(page.locator(".rail .count")).to_be_visible()
    await row.get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("The cause is still there")
    await dialog.locator("textarea").fill("a laptop of the commissioner")
    await dialog.locator("button[name=go]").click()
    await expect(row).to_have_attribute("data-acknowledged", "yes")
    await expect(row).to_have_attribute("data-active", "yes")
    await expect(row).to_contain_text("a laptop of the commissioner")
    known = next(a for a in floor.get("/v1/alarms")["items"] if a["key"] == "cell-station-S99")
    assert known["acknowledged_by"] == "supervisor"
    await page.goto(f"{floor.url}/#/audit")
    said = page.locator("[data-table=audit] tr", has_text="a laptop of the commissioner")
    await expect(said).to_contain_text("alarm.acknowledge")


async def test_an_order_leads_to_its_tasks_robots_and_ledger_rows_in_one_click(page: Page, floor: Floor) -> None:
    """Line, task, robot and every ledger row of a shipped order stand on one page, as REST has them."""
    deadline = time.monotonic() + 120
    while not (shipped := floor.get("/v1/orders?state=shipped&newest=true")["items"]):
        assert time.monotonic() < deadline, "no order was shipped"
        select.select([], [], [], 0.5)
    order = next(o for o in shipped if o["done"])
    books = floor.get(f"/v1/orders/{order['id']}")
    await log_in(page, floor)
    await page.goto(f"{floor.url}/#/orders")
    await page.get_by_placeholder("Find by reference").fill(order["ref"])
    await page.locator(f"tr[data-order='{order['id']}']").click()
    trace = page.locator("[data-table=trace]")
    picks = [t for t in books["tasks"] if t["kind"] == "pick"]
    await expect(trace.locator("tr[data-task]")).to_have_count(len(picks))
    for task in picks:
        row = trace.locator(f"tr[data-task='{task['id']}']")
        await expect(row.locator(f"a[href='#/robots/{task['robot']}']")).to_be_visible()
        for posted in (g for g in books["ledger"] if g["task"] == task["id"]):
            await expect(row.locator("[data-ledger]")).to_contain_text(f"#{posted['seq']}")
    await expect(page.locator("[data-order-detail]")).to_contain_text(books["shipment"]["id"])
    await trace.locator("a[href^='#/robots/']").first.click()
    await expect(page.locator("fp-robot")).to_contain_text("Last spoke")


async def test_the_fleet_is_stopped_with_a_reason_and_resumed(page: Page, floor: Floor) -> None:
    """Stopping asks why and says what it is not; the banner stands until the fleet is resumed."""
    await log_in(page, floor)
    await page.locator("[data-fleet=stop]").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("not a safety function")
    await dialog.locator("button[name=go]").click()
    await expect(dialog).to_be_visible()  # a reason is missing
    await dialog.locator("textarea").fill("a drill")
    await dialog.locator("button[name=go]").click()
    await expect(page.locator("[data-banner=stopped]")).to_be_visible()
    async with asyncio.timeout(60):  # who lifts a pod sets it down first
        while True:
            states = [r["state"] for r in floor.get("/v1/robots")["robots"]]
            if not {"driving", "acting", "waiting"} & set(states):
                break
            await asyncio.sleep(0.2)
    assert states.count("paused") > len(states) / 2
    await page.locator("[data-fleet=resume]").click()
    await dialog.locator("textarea").fill("the drill is over")
    await dialog.locator("button[name=go]").click()
    await expect(page.locator("[data-banner=stopped]")).to_have_count(0)
    await expect(page.locator("[data-list=robots] .dot.driving, [data-list=robots] .dot.acting").first).to_be_visible()


async def test_an_operator_sees_no_button_that_would_be_refused(page: Page, floor: Floor) -> None:
    """An operator pauses and charges robots, but retires none and reads no audit."""
    token = await login_link(floor.running.database_url, "olga", Role.OPERATOR)
    await page.goto(f"{floor.url}/v1/session/link?token={token}")
    await page.goto(f"{floor.url}/#/robots/R001")
    await expect(page.locator("[data-command=charge]")).to_be_visible()
    await expect(page.locator("[data-command=retire]")).to_have_count(0)
    await expect(page.get_by_role("link", name="Audit")).to_have_count(0)
    await expect(page.locator("[data-fleet=stop]")).to_be_visible()
    await page.locator("[data-command=charge]").click()
    dialog = page.get_by_role("dialog")
    await dialog.locator("textarea").fill("before the shift")
    await dialog.locator("button[name=go]").click()
    await expect(dialog).to_have_count(0)
    told = floor.get("/v1/audit?subject=R001")["items"][0]
    assert (told["who"], told["action"], told["reason"]) == ("olga", "robot.charge", "before the shift")


async def test_the_page_outlives_the_death_of_central(page: Page, floor: Floor) -> None:
    """While central is away the page says how old it is; when central is back, it goes on without a reload."""
    await log_in(page, floor)
    await expect(page.locator("fp-map")).to_have_attribute("data-robots", "40")
    await page.evaluate("() => { window.sameElf = true }")
    os.kill(floor.process_of("central"), signal.SIGKILL)
    await expect(page.locator("[data-banner=lost]")).to_contain_text("ago")
    await until(page, "() => Number(document.querySelector('fp-map').dataset.stale) === 40")
    await expect(page.locator("[data-banner=lost]")).to_have_count(0)
    frames = await number(page, "frames")
    await until(page, "n => Number(document.querySelector('fp-map').dataset.frames) > n + 10", frames)
    assert await page.evaluate("() => window.sameElf")
