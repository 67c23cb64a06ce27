"""People who walk along aisles: areas, walks that a planner worker makes, batches planned anew, the handheld."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from deploy.embedded.scratch import ScratchPostgres
from dispatcher.planning.worker import PlannerWorker
from tests.wire.central_floor import Floor, running
from tests.wire.outbound_hands import Hands

SHELVES = [f"S-{j}-{k}" for j in range(4) for k in range(2)]
AREA: dict[str, Any] = {
    "aisles": 4, "pitch_m": 3.0, "block_m": [20.0], "depots": [{"id": "packing", "aisle": 0, "cross": 0}],
    "cart": {"totes": 2}, "places": {f"S-{j}-{k}": [j, 4.0 + 12 * k] for j in range(4) for k in range(2)},
}  # fmt: skip


@pytest.fixture
async def floor(postgres: ScratchPostgres) -> AsyncIterator[Floor]:
    async with running(postgres, hand_picks=True) as floor:
        for n, code in enumerate(SHELVES):  # by their way people would zigzag
            await floor.rows(f"INSERT INTO place (code, kind, way) VALUES ('{code}', 'shelf', {(n * 5) % 8})")
        await floor.rows("INSERT INTO place (code, kind) VALUES ('PACK', 'staging')")
        await floor.stock(*((code, f"part{1 + n % 3}", 20) for n, code in enumerate(SHELVES)))
        yield floor


@pytest.fixture
def hands(floor: Floor) -> Hands:
    return Hands(floor)


@asynccontextmanager
async def worker(floor: Floor) -> AsyncIterator[None]:
    task = asyncio.create_task(PlannerWorker(floor.site.id, floor.store.connect("w1"), "w1").run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def area(floor: Floor, **more: Any) -> Any:
    return await floor.supervisor.put("/v1/pick-areas/A", json=AREA | more)


async def seen(hands: Hands, path: str, ready: Any) -> Any:
    async with asyncio.timeout(120):
        while not ready(shown := await hands.get(path)):  # noqa: ASYNC110 - as a client asks
            await asyncio.sleep(0.2)
    return shown


def walk_m(places: list[str]) -> float:
    """What it takes to walk these places one after the other, and home."""
    at = [(0, 0.0), *((int(p[2]), 4.0 + 12 * int(p[4])) for p in places), (0, 0.0)]
    return sum(
        abs(a[1] - b[1]) if a[0] == b[0] else 3.0 * abs(a[0] - b[0]) + min(a[1] + b[1], 40 - a[1] - b[1])
        for a, b in itertools.pairwise(at)
    )


async def test_an_area_is_kept_and_what_contradicts_itself_is_named(floor: Floor) -> None:
    """A change needs the ETag; each place lies in one area; an area that is forgotten leaves its places."""
    for field, value, named in (
        ("depot", "door", "depot"),
        ("depots", [{"id": "packing", "aisle": 9, "cross": 0}], "depots/0/aisle"),
        ("one_way", [{"toward": "left", "aisle": 1}], "one_way"),
        ("one_way", [{"toward": "down", "aisle": 1, "block": 1}], "one_way/0/block"),
        ("places", {"S-0-0": [0, 21.0]}, "places/S-0-0/1"),
        ("places", {"nowhere": [0, 1.0]}, "places/nowhere"),
        ("block_m", [-1.0], "block_m"),
    ):
        refused = await area(floor, **{field: value})
        assert refused.status_code == 422
        assert named in refused.text
    made = await area(floor)
    assert made.status_code == 200, made.text
    assert (await area(floor)).status_code == 428
    again = {"If-Match": made.headers["ETag"]}
    changed = await floor.supervisor.put("/v1/pick-areas/A", json=AREA | {"crowd": 2.0}, headers=again)
    assert (changed.status_code, changed.json()["crowd"]) == (200, 2.0)
    assert (await floor.supervisor.put("/v1/pick-areas/B", json=AREA)).status_code == 409
    assert [a["code"] for a in (await floor.supervisor.get("/v1/pick-areas")).json()] == ["A"]
    tag = {"If-Match": (await floor.supervisor.get("/v1/pick-areas/A")).headers["ETag"]}
    assert (await floor.supervisor.delete("/v1/pick-areas/A", headers=tag)).status_code == 204
    assert (await floor.supervisor.get("/v1/pick-areas/A")).status_code == 404


@pytest.mark.slow
async def test_a_round_is_walked_as_the_planner_says_also_on_the_handheld(floor: Floor, hands: Hands) -> None:
    """At first by the way of the places, then by the plan, which the handheld follows too."""
    await area(floor)
    await floor.order("A1", ("part1", 40), ("part2", 30))
    shown = await hands.ok("/rounds", {"person": "anna"})
    listed = [s["place"] for s in shown["stops"]]
    ways = {code: (n * 5) % 8 for n, code in enumerate(SHELVES)}
    assert listed == sorted(listed, key=lambda code: ways[code])
    assert [(s["aisle"], s["at_m"]) for s in shown["stops"]] == [tuple(AREA["places"][p]) for p in listed]
    other = (await hands.post("/plans/picking", {"problem": {"round": shown["id"]}})).json()["id"]
    async with worker(floor):
        plan = await seen(hands, f"/plans/{shown['plan']}", lambda p: p["state"] in {"done", "failed"})
        await seen(hands, f"/plans/{other}", lambda p: p["state"] in {"done", "failed"})
    assert plan["state"] == "done", plan["reason"]
    walked = [s["place"] for s in (await hands.get(f"/rounds/{shown['id']}"))["stops"]]
    assert sorted(walked) == sorted(listed)
    assert walk_m(walked) == plan["plan"]["cost_m"] < walk_m(listed) == plan["plan"]["baseline"]["cost_m"]
    picked = []
    for _ in walked:
        task = await hands.ok("/hands/next", {"kinds": ["pick"], "person": "anna"})
        picked.append(task["source"])
        said = {"attempt": task["attempt"], "person": "anna", "qty": task["qty"]}
        await hands.ok(f"/hands/{task['id']}/confirm", said)
    assert picked == walked
    why = await hands.refused(f"/plans/{other}/accept", {"reason": "too late"})
    assert "its walk has begun" in why
    assert (await hands.get(f"/plans/{other}"))["state"] == "done"
    twice = await hands.post("/plans/picking", {"problem": {"round": shown["id"]}})
    assert twice.status_code == 422
    assert await floor.violations() == []


@pytest.mark.slow
async def test_batches_are_planned_from_the_books_accepted_and_given_to_who_begins_a_round(
    floor: Floor, hands: Hands
) -> None:
    """Two totes a cart; the walk comes with the batch; what is more urgent than the batches goes before them."""
    await area(floor)
    for k in range(4):
        await floor.order(f"A{k}", (f"part{1 + k % 2}", 2))
    assert (await hands.post("/plans/batching", {"problem": {"books": "B"}})).status_code == 422
    asked = (await hands.post("/plans/batching", {"problem": {"books": "A"}, "effort": 3_000})).json()
    async with worker(floor):
        plan = await seen(hands, f"/plans/{asked['id']}", lambda p: p["state"] in {"done", "failed"})
    assert plan["state"] == "done", plan["reason"]
    told = plan["plan"]["batches"]
    assert sorted(o for b in told for o in b["orders"]) == [f"T-A{k}-1" for k in range(4)]
    assert plan["picture"]["kind"] == "walks"
    await hands.ok(f"/plans/{asked['id']}/accept", {"reason": "shorter"})
    planned = await hands.get("/pick-areas/A/batches")
    assert [b["totes"] for b in planned] == [b["orders"] for b in told]
    await floor.order("B0", ("part3", 2), priority=9)
    first = await hands.ok("/rounds", {"person": "anna", "totes": 2})
    assert first["totes"][0]["tote"] == "T-B0-1"
    second = await hands.ok("/rounds", {"person": "bert", "totes": 8})
    left = [t["tote"] for t in second["totes"]]
    assert left in [b["orders"] for b in told] or set(left) < {o for b in told for o in b["orders"]}
    assert second["plan"] == asked["id"]
    assert await floor.violations() == []


@pytest.mark.slow
async def test_batches_are_planned_anew_as_orders_come_and_the_handheld_walks_them(floor: Floor, hands: Hands) -> None:
    """Every minute of the floor; what is begun is left out; who asks for picks on a handheld gets a round."""
    await area(floor, rebatch_s=60, handheld_totes=2)
    await floor.order("A1", ("part1", 2))
    async with worker(floor):
        await floor.rows("UPDATE pick_area SET asked_at = NULL")
        await floor.rows("SELECT ask_batches('2013-12-02T09:00:00Z')")
        once = await seen(hands, "/pick-areas/A/batches", lambda batches: len(batches) > 0)
        assert [b["totes"] for b in once] == [["T-A1-1"]]
        task = await hands.ok("/hands/next", {"kinds": ["pick"], "person": "anna"})
        assert task["id"] == "P-T-A1-1-1"
        await floor.order("A2", ("part2", 2))
        await floor.order("A3", ("part2", 2))
        assert (await floor.rows("SELECT ask_batches('2013-12-02T09:00:30Z') AS s"))[0]["s"] == 30
        await floor.rows("SELECT ask_batches('2013-12-02T09:01:00Z')")
        both = await seen(hands, "/pick-areas/A/batches", lambda batches: len(batches) > 0)
        assert [b["totes"] for b in both] == [["T-A2-1", "T-A3-1"]]
        await hands.ok(f"/hands/{task['id']}/confirm", {"attempt": task["attempt"], "person": "anna", "qty": 2})
        task = await hands.ok("/hands/next", {"kinds": ["pick"], "person": "anna"})
        assert task["target"] in {"T-A2-1", "T-A3-1"}
    rounds = (await hands.get("/rounds", person="anna"))["items"]
    assert sorted(r["state"] for r in rounds) == ["done", "open"]
    assert await hands.get("/pick-areas/A/batches") == []
    assert await floor.violations() == []
