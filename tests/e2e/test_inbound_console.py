"""The inbound view in a real browser (Debian's chromium): the doors' day, what is announced, what goes where."""

import asyncio
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import async_playwright, expect

from central.identity.bootstrap import login_link
from central.serve import HttpServer
from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import DUE, ndjson, running

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(
        not CHROMIUM.exists() and not os.environ.get("FLOORPLANE_REQUIRE_PEERS"),
        reason=f"{CHROMIUM} is absent (apt-get install chromium)",
    ),
]


async def test_a_day_of_goods_coming_in_is_seen_and_an_asn_is_closed_there(postgres: ScratchPostgres) -> None:
    """A bar for each appointment of the clock's day, the received part of each ASN, each putaway with its reason."""
    async with running(postgres) as floor:
        server = HttpServer(floor.central.app, port=0)
        serving = asyncio.create_task(server.run(), name="test.http")
        await server.ready.wait()

        async def post(client: httpx.AsyncClient, url: str, **body: Any) -> None:
            answer = await client.post(url, json=body, headers={"Idempotency-Key": url})
            assert answer.is_success, answer.text

        places = [{"code": "A-1", "kind": "shelf", "volume_ml": 50_000}, {"code": "dock-1", "kind": "dock"}]
        await floor.supervisor.post("/v1/places:bulk", content=ndjson(places))
        line = {"line": 1, "item": "part1", "qty": 40}
        await post(floor.erp, "/v1/asns", ref="PO-1", supplier="acme", due=DUE, lines=[line])
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
            )
            page = await browser.new_page()
            errors: list[str] = []
            page.on("pageerror", lambda e: errors.append(str(e)))
            await page.goto(f"{server.url}/v1/session/link?token={await login_link(floor.url)}")
            await page.goto(f"{server.url}/#/inbound")
            today = await page.evaluate("async () => (await import('/app/floor.js')).floor.clock.now()")
            day = await page.evaluate("(ms) => new Date(ms).toISOString().slice(0, 10)", today)
            times = {"from": f"{day}T09:00:00Z", "to": f"{day}T10:00:00Z"}
            await post(floor.erp, "/v1/docks/dock-1/appointments", asn="PO-1", carrier="acme-lines", **times)
            await post(floor.operator, "/v1/asns/PO-1/receive", line=1, qty=30, damaged=2)
            await expect(page.locator("[data-door=dock-1] [data-appointment]")).to_have_count(1)
            await expect(page.locator("[data-asn=PO-1]")).to_contain_text("32 / 40")
            await expect(page.locator("[data-table=putaway]")).to_contain_text("A-1 is the nearest with room")
            await page.get_by_role("button", name="Close …").click()
            await page.locator("dialog textarea").fill("the truck is empty")
            await page.get_by_role("button", name="Close", exact=True).click()
            await page.get_by_role("button", name="closed ones too").click()
            await expect(page.locator("[data-asn=PO-1]")).to_contain_text("8 short")
            assert errors == []
            await browser.close()
        assert await floor.violations() == []
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
