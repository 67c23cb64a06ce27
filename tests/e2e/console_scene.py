"""A warehouse in the middle of its day, for tests that look at the console: something on every page."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import numpy as np
from playwright.async_api import BrowserContext, ConsoleMessage, Page, async_playwright

from central.identity.bootstrap import login_link
from central.serve import HttpServer
from contracts import poses, topics
from contracts.codec import encode
from contracts.ids import CellId, EdgeId, LiftId, NodeId, PodId, RobotId, StationId
from contracts.layout import Edge, Node, NodeKind
from contracts.messages.ops import (
    FleetView,
    LiftView,
    RobotView,
    StationView,
    Unreadable,
    VehicleState,
    VendorView,
    Wait,
)
from contracts.site import Cell, Lift, Site
from deploy.embedded.scratch import ScratchPostgres
from dispatcher.planning.worker import PlannerWorker
from tests.wire.care_floor import confirm, lay, next_task, put, say, see, shelves
from tests.wire.central_floor import DUE, Floor, running, small_site
from tests.wire.outbound_hands import Hands

CHROMIUM = "/usr/bin/chromium"
ARGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
ARGS += ["--disable-component-update", "--disable-sync"]


def two_levels() -> Site:
    """Return the small site with a second level of two places, which a lift joins to the first."""
    site = small_site()
    more = [("NL", 5.0, "", "L1"), ("UL", 5.0, "upper", "L1"), ("U0", 4.0, "upper", None), ("U1", 3.0, "upper", None)]
    nodes = tuple(
        Node(
            NodeId(n), x_m, 0.0, NodeKind.AISLE if lift is None else NodeKind.LIFT, level=level,
            lift=None if lift is None else LiftId(lift),
        )
        for n, x_m, level, lift in more
    )  # fmt: skip
    ways = [("N4", "NL"), ("NL", "UL"), ("UL", "U0"), ("U0", "U1")]
    edges = tuple(Edge(EdgeId(f"{u}-{v}"), NodeId(u), NodeId(v)) for a, b in ways for u, v in ((a, b), (b, a)))
    layout = msgspec.structs.replace(site.layout, nodes=site.layout.nodes + nodes, edges=site.layout.edges + edges)
    lift = Lift(LiftId("L1"), CellId("lifts"), (NodeId("NL"), NodeId("UL")))
    cells = (*site.cells, Cell(CellId("lifts"), "lifts", ()))
    return msgspec.structs.replace(site, layout=layout, cells=cells, lifts=(lift,))


async def stand(floor: Floor) -> None:
    """Put up the places, stock, notices, orders, trucks and everything of care that the pages show."""
    await floor.rows("INSERT INTO place (code, kind) VALUES ('D1', 'dock'), ('LANE-1', 'staging')")
    await shelves(floor, "A-1", "R-1", "B-GOODS")
    await floor.stock(("P0-B0", "part1", 90), ("P0-B1", "part2", 90), ("P1-B0", "part3", 4), ("R-1", "part3", 80))
    await _inbound(floor)
    await _outbound(floor)
    await _care(floor)
    said(floor)


async def _inbound(floor: Floor) -> None:
    lines = [{"line": 1, "item": "part4", "qty": 40}, {"line": 2, "item": "part0", "qty": 12}]
    await say(floor.erp, "/v1/asns", {"ref": "PO-1", "supplier": "acme", "due": DUE, "lines": lines})
    times = {"from": "2013-12-02T09:00:00Z", "to": "2013-12-02T10:00:00Z"}
    await say(floor.erp, "/v1/docks/D1/appointments", times | {"asn": "PO-1", "carrier": "acme-lines"})


async def _outbound(floor: Floor) -> None:
    for ref in ("A1", "A2", "A3"):
        await floor.order(ref, ("part1", 2), route="NORTH", wave=False)
        await floor.pick(f"P-T-{ref}-1-1")
        await floor.finish_tote(f"T-{ref}-1")
    for ref in ("W1", "W2"):
        await floor.order(ref, ("part1", 1), ("part2", 3), route="SOUTH")
    await floor.order("gone", ("part2", 8), wave=False)
    await floor.pick("P-T-gone-1-1")
    await floor.finish_tote("T-gone-1")
    hands = Hands(floor)
    stops = [{"ship_to": "Berlin", "orders": ["A1"]}, {"ship_to": "Hamburg", "orders": ["A2", "A3"]}]
    truck = {"id": "TR-1", "route": "NORTH", "carrier": "ACME", "dock": "D1", "departs_at": DUE, "stops": stops}
    await hands.ok("/trucks", truck)
    await hands.ok("/waves", {"route": "SOUTH"})


async def _care(floor: Floor) -> None:
    there = await floor.supervisor.get("/v1/care/policy")
    limits = {"count_limit": 5, "scrap_limit": 3}
    await put(floor.supervisor, "/v1/care/policy", limits, **{"If-Match": there.headers["ETag"]})
    for place, item, found in (("P0-B1", "part2", 70), ("P0-B0", "part1", 80)):
        await say(floor.operator, "/v1/counts", {"place": place, "item": item})
        if place == "P0-B1":  # more than two may correct: it waits for a third
            for person in ("anna", "bert"):
                task = await next_task(floor, person, "count")
                assert task is not None
                await confirm(floor, task, qty=found)
    back = [{"line": 1, "item": "part2", "qty": 3, "reason": "too small"}]
    await say(floor.erp, "/v1/returns", {"ref": "RMA-1", "order": "gone", "reason": "does not fit", "lines": back})
    await say(floor.operator, "/v1/returns/RMA-1/receipts", {"lines": [{"line": 1, "qty": 2}]}, 200)
    await put(floor.erp, "/v1/replenishment/rules/part3", {"min_qty": 12, "max_qty": 40, "pack": 4})
    await say(floor.operator, "/v1/replenishment:run", None, 200)
    await floor.items({"id": "kit1", "barcode": "4000000000017", "weight_g": 900, "volume_ml": 2_000})
    parts = [{"item": "part1", "qty": 2}, {"item": "part2", "qty": 1}]
    await put(floor.erp, "/v1/kits/kit1", {"mode": "build", "parts": parts})
    await say(floor.operator, "/v1/kit-builds", {"kit": "kit1", "qty": 4, "place": "A-1"})
    await lay(floor, ("A-1", "part0", 9))
    scrap = {"place": "A-1", "item": "part0", "qty": 5, "reason": "broken", "note": "fell from the fork"}
    await say(floor.operator, "/v1/scrap", scrap)
    away = {"ref": "UML-7", "way": "out", "other_site": "north", "reason": "they sell more of it"}
    await say(floor.erp, "/v1/transfers", away | {"lines": [{"line": 1, "item": "part3", "qty": 20}]})


def said(floor: Floor, **changed: Any) -> None:
    """Let the dispatcher say how the fleet stands: one drives, one waits for it, one stands in the way of both."""
    at = floor.clock.now_ms()
    make = {"manufacturer": "ACME GmbH", "series": "Lift 600", "version": "2.1.0", "dialect": "strict"}
    wait = Wait("N3", "R1", "P-T-W1-1-1", at - 41_000, "R1 is done where it stands")
    behind = Wait("N2", "R2", "M-7", at - 20_000, "R2 leaves N2, or gives it up")
    one = RobotView(
        RobotId("R1"), VehicleState.ACTING, 3.0, 0.0, 0.0, 0.81, NodeId("N3"), at, pod=PodId("P0"),
        station=StationId("S1"), order_id="1-M-3-1", **make,
    )  # fmt: skip
    two = replace_robot(one, "R2", VehicleState.WAITING, "N2", 2.0, (wait,))
    three = replace_robot(one, "R3", VehicleState.WAITING, "N1", 1.0, (behind, wait))
    lost = replace_robot(one, "R4", VehicleState.ERROR, "N0", 0.0, (), errors=("wheel slips: left drive",))
    garbled = Unreadable("uagv/v2/ACME/7/state", "{not json", "state: {not json is not JSON", at - 9_000)
    view = FleetView(
        floor.site.id, 1, at, False, (one, two, three, lost),
        (StationView(StationId("S1"), (None, None, None, None), PodId("P0"), (RobotId("R1"),), 3),), 6,
        vendors=(VendorView("ACME GmbH", 4, {"null_for_number": 128, "no_new_base_request": 4}),),
        closed=(NodeId("N4"),), closed_edges=(EdgeId("E1-4"),), unreadable=(garbled,), unreadable_count=3,
        lifts=(LiftView(LiftId("L1"), "open", "upper", "map"),),
    )  # fmt: skip
    view = msgspec.structs.replace(view, **changed)
    floor.dispatcher.say(topics.fleet(floor.site.id), encode(view))
    n = len(view.robots)
    x_m = np.array([r.x_m for r in view.robots])
    loaded = np.array([r.pod is not None for r in view.robots])
    frame = poses.pack(at, np.arange(n), x_m, np.zeros(n), np.zeros(n), np.ones(n, int), loaded)
    floor.dispatcher.say(topics.poses(floor.site.id), frame)


def stranger(floor: Floor) -> RobotView:
    """Return a robot that speaks and that nobody has adopted."""
    return RobotView(
        RobotId("X9"), VehicleState.NEW, 4.0, 0.0, 0.0, 0.5, NodeId("N4"), floor.clock.now_ms(),
        manufacturer="Rent GmbH", serial="X9", series="Tug", version="2.1.0", adopted=False,
    )  # fmt: skip


def replace_robot(
    like: RobotView, name: str, state: VehicleState, node: str, x_m: float, wait: tuple[Wait, ...], **more: Any
) -> RobotView:
    """Make another robot of the same maker."""
    return msgspec.structs.replace(
        like, id=RobotId(name), state=state, node=NodeId(node), x_m=x_m, wait=wait, pod=None, station=None, **more
    )


AREA = {"aisles": 8, "pitch_m": 4.0, "block_m": [18.0, 18.0], "depots": [{"id": "desk", "aisle": 3, "cross": 2}]}
PLANS: dict[str, dict[str, Any]] = {
    "picking": {
        "area": AREA,
        "wants": [
            {"id": f"w{k}", "spots": [{"aisle": k * 5 % 8, "at_m": 2.0 + k * 7 % 34, "id": f"A{k}"}]} for k in range(14)
        ],
    },
    "batching": {
        "area": AREA,
        "orders": [
            {
                "id": f"o{k}",
                "due_s": 600.0 + 120 * k,
                "lines": [{"aisle": (k * 3 + n) % 8, "at_m": 1.0 + (k * 11 + n * 5) % 35} for n in range(1 + k % 4)],
            }
            for k in range(18)
        ],
        "cart": {"totes": 4},
        "pickers": [{"id": "anna"}, {"id": "bert"}],
    },
    "waves": {
        "workers": [
            {"id": w, "skills": ["pick"], "zones": ["all"], "begin_s": 0, "end_s": 7_200,
             "breaks": [{"begin_s": 3_600, "end_s": 3_900}]}
            for w in ("anna", "bert", "cora")
        ],
        "batches": [
            {"id": f"b{k}", "duration_s": 500 + 90 * k % 700, "due_s": 1_500 + 420 * (k % 7), "weight": 1 + k % 3}
            for k in range(16)
        ],
    },
    "slotting": {
        "items": [{"id": f"i{k}", "bins": 1, "pod": f"P{k * 7 % 24}"} for k in range(48)],
        "pods": [
            {"id": f"P{k}", "bins": 3, "x_m": 2.0 * (k % 6), "y_m": 3.0 * (k // 6), "way_m": 8.0 + 3 * (k // 6)}
            for k in range(24)
        ],
        "orders": [[f"i{(k * k) % 11}", f"i{(k * 5) % 48}"] for k in range(3_000)],
    },
    "stations": {
        "stations": [{"id": "S1", "slots": 3}, {"id": "S2", "slots": 3, "x_m": 24.0}],
        "pods": [{"id": f"P{k}", "x_m": 3.0 * k, "y_m": 8.0} for k in range(8)],
        "orders": [
            {"id": f"o{k}", "pods": {f"P{k * 3 % 8}": 1, f"P{k * 5 % 7}": 2}, "due_s": 400.0 + 60 * k}
            for k in range(14)
        ],
    },
    "transport": {
        "places": [{"id": f"p{k}", "x": 900.0 * (k * 4 % 7), "y": 700.0 * (k * 3 % 5)} for k in range(16)],
        "depots": [{"id": "dock", "place": "p0"}],
        "vehicles": [{"id": "van", "start_depot": "dock", "end_depot": "dock", "count": 4, "capacity": [6]}],
        "stops": [
            {"id": f"s{k}", "place": f"p{k}", "delivery": [1 + k % 2], "service_s": 120,
             "open_s": 300 * (k % 4), "close_s": 2_400 + 300 * (k % 5)}
            for k in range(1, 16)
        ],
    },
}  # fmt: skip


async def plan(floor: Floor, *kinds: str, effort: int = 400) -> dict[str, str]:
    """Have a worker plan small problems of these kinds; their plans by kind."""
    worker = PlannerWorker(floor.site.id, floor.store.connect("planner"), "w1")
    working = asyncio.create_task(worker.run(), name="test.planner")
    names: dict[str, str] = {}
    try:
        for kind in kinds:
            body = {"problem": PLANS[kind], "effort": effort}
            names[kind] = (await say(floor.operator, f"/v1/plans/{kind}", body, 202))["id"]
        async with asyncio.timeout(180):
            while not await _ended(floor, names):  # noqa: ASYNC110 - as a client asks
                await asyncio.sleep(0.2)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    return names


async def _ended(floor: Floor, names: dict[str, str]) -> bool:
    """Whether each plan is made, or cannot be."""
    shown = (await see(floor.operator, "/v1/plans"))["items"]
    return all(p["state"] not in {"queued", "running"} for p in shown if p["id"] in names.values())


@asynccontextmanager
async def opened(postgres: ScratchPostgres) -> AsyncIterator[tuple[Floor, str]]:
    """Run a central with the scene behind a real socket; its address."""
    async with running(postgres, release_waves=True, site=two_levels()) as floor:
        server = HttpServer(floor.central.app, port=0)
        serving = asyncio.create_task(server.run(), name="test.http")
        await server.ready.wait()
        try:
            await stand(floor)
            yield floor, server.url
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
        assert await floor.violations() == []


class Seen:
    """What a browser has complained of."""

    def __init__(self, context: BrowserContext) -> None:
        self.broken: list[str] = []
        context.on("page", self._watch)

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda e: self.broken.append(f"{page.url}: {e}"))
        page.on("console", self._heard)
        page.on("requestfailed", lambda r: self.broken.append(f"{r.url}: {r.failure}") if "/app/" in r.url else None)

    def _heard(self, message: ConsoleMessage) -> None:
        refused = re.search(r"status of (409|412|422)", message.text)  # central said no, and the dialog says why
        if message.type in {"error", "warning"} and not refused:
            self.broken.append(f"{message.location.get('url', '')}: {message.text}")


@asynccontextmanager
async def browser(floor: Floor, url: str, **context: Any) -> AsyncIterator[tuple[Page, Seen]]:
    """Open a page that is logged in as the supervisor, with an empty profile."""
    async with async_playwright() as playwright:
        made = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        try:
            there = await made.new_context(**({"viewport": {"width": 1280, "height": 800}} | context))
            seen = Seen(there)
            page = await there.new_page()
            await page.goto(f"{url}/v1/session/link?token={await login_link(floor.url)}")
            yield page, seen
        finally:
            await made.close()


__all__ = ["Seen", "browser", "opened", "plan", "said", "see", "stand", "stranger"]
