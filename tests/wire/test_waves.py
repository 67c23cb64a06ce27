"""Release by time, by capacity and in waves, over REST and a real database, with the reason why an order waits."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from deploy.embedded.scratch import ScratchPostgres
from tests.wire.central_floor import DUE, START_MS, Floor, running


@pytest.fixture
async def floor(postgres: ScratchPostgres) -> AsyncIterator[Floor]:
    async with running(postgres, release_waves=True) as floor:
        await floor.stock(("P0-B0", "part1", 90), ("P0-B1", "part2", 90))
        yield floor


async def post(floor: Floor, path: str, body: dict[str, Any], key: str, **headers: str) -> httpx.Response:
    return await floor.operator.post(f"/v1/waves{path}", json=body, headers={"Idempotency-Key": key} | headers)


async def states(floor: Floor, *names: str) -> list[tuple[str, str]]:
    return [(o["state"], o["waits"]) for o in [await floor.shown(n) for n in names]]


def due(hours: float) -> str:
    return (datetime.fromisoformat(DUE) + timedelta(hours=hours)).isoformat()


async def test_a_wave_is_planned_released_worked_on_and_done(floor: Floor) -> None:
    """Orders wait and say why; the wave takes those that fit; it is done with its last order; each step is an event."""
    await floor.order("A1", ("part1", 2), route="NORTH", priority=1)
    await floor.order("A2", ("part1", 1), ("part2", 3), route="NORTH")
    await floor.order("A3", ("part1", 1), route="SOUTH")
    assert await states(floor, "A1", "A3") == [("allocated", "no wave has taken it yet")] * 2
    planned = await post(floor, "", {"route": "NORTH"}, "w1")
    assert planned.status_code == 201, planned.text
    wave = planned.json()
    assert (wave["state"], wave["progress"]["orders"]) == ("planned", {"allocated": 2})
    assert await states(floor, "A1") == [("allocated", f"wave {wave['id']} is not released yet")]
    assert floor.keys == {}

    released = await post(floor, f"/{wave['id']}/release", {}, "w2")
    assert released.json()["progress"]["orders"] == {"released": 2}
    assert await states(floor, "A1", "A3") == [("released", ""), ("allocated", "no wave has taken it yet")]
    for task in ("P-T-A1-1-1", "P-T-A2-1-1", "P-T-A2-1-2"):
        await floor.pick(task)
    half = (await floor.operator.get(f"/v1/waves/{wave['id']}")).json()["progress"]
    assert half == {
        "orders": {"picking": 2},
        "picks": {"total": 3, "done": 3, "short": 0, "by_hand": 0},
        "pieces": {"wanted": 6, "picked": 6, "short": 0},
        "totes": {"total": 2, "packed": 0},
    }
    for tote in ("T-A1-1", "T-A2-1"):
        await floor.finish_tote(tote)
    await floor.until(lambda: any(e["type"] == "floorplane.wave.done" for e in floor.events))
    done = (await floor.operator.get(f"/v1/waves/{wave['id']}")).json()
    assert done["state"] == "done"
    # they go with a truck of their route, and are packed
    assert done["progress"]["orders"] == {"packed": 2}
    told = [e["type"] for e in floor.events if e["type"].startswith("floorplane.wave.")]
    assert told == ["floorplane.wave.planned", "floorplane.wave.released", "floorplane.wave.done"]
    assert await floor.violations() == []


async def test_what_does_not_fit_is_left_out_and_what_is_named_must_fit(floor: Floor) -> None:
    """By due time, owner, priority, zone and number; a name that cannot be taken is refused with its reason."""
    await floor.rows("INSERT INTO zone (code) VALUES ('COLD')")
    await floor.rows("UPDATE place SET zone = 'COLD' WHERE code = 'P0'")
    for n in range(4):
        await floor.order(f"A{n}", ("part1", 1), due=due(n), priority=n)
    await floor.order("now", ("part1", 1), wave=False)
    await floor.order("kept", ("part1", 1), reserve_until=due(9))
    first = await post(floor, "", {"due_from": due(1), "priority": 1, "zone": "COLD", "owner": "", "most": 2}, "w1")
    assert first.status_code == 201, first.text
    wave = first.json()["id"]
    assert [(await floor.shown(f"A{n}"))["wave"] for n in range(4)] == [None, None, wave, wave]
    assert (await post(floor, "", {"zone": "HOT"}, "w2")).status_code == 409
    named = await post(floor, "", {"orders": ["A0", "A2", "now", "kept", "nobody"]}, "w3")
    assert named.status_code == 409
    assert [(e["field"], e["value"], e["bound"]) for e in named.json()["errors"]] == [
        ("orders/1", "A2", f"an order in no other wave; it is in {wave}"),
        ("orders/2", "now", "an order that waits; it is released"),
        ("orders/3", "kept", "an order that is more than reserved"),
        ("orders/4", "nobody", "a known order"),
    ]
    assert (await floor.shown("A0"))["wave"] is None
    assert (await post(floor, "", {"orders": ["A0"], "route": "X"}, "w4")).status_code == 422


async def test_a_wave_that_is_given_up_lets_its_orders_wait_again(floor: Floor) -> None:
    """Once: a released or cancelled one is not; ETag and key are kept to."""
    await floor.order("A1", ("part1", 1))
    wave = (await post(floor, "", {"orders": ["A1"]}, "w1")).json()["id"]
    seen = (await floor.operator.get(f"/v1/waves/{wave}")).headers["etag"]
    late = await post(floor, f"/{wave}/cancel", {"reason": "no truck"}, "w2", **{"If-Match": '"other"'})
    assert late.status_code == 412
    gone = await post(floor, f"/{wave}/cancel", {"reason": "no truck"}, "w3", **{"If-Match": seen})
    again = await post(floor, f"/{wave}/cancel", {"reason": "no truck"}, "w3", **{"If-Match": seen})
    assert (gone.status_code, gone.json()["state"], again.json()) == (200, "cancelled", gone.json())
    assert await states(floor, "A1") == [("allocated", "no wave has taken it yet")]
    refused = await post(floor, f"/{wave}/release", {}, "w4")
    assert (refused.status_code, refused.json()["errors"][0]["bound"]) == (409, "a planned wave: it is cancelled")
    assert (await floor.operator.post("/v1/waves/none/release", headers={"Idempotency-Key": "x"})).status_code == 404
    assert (await floor.erp.post("/v1/orders/A1/release")).json() == {"id": "A1", "state": "released"}


async def test_two_plans_at_once_share_no_order(floor: Floor) -> None:
    """Each order is in one of the waves."""
    for n in range(12):
        await floor.order(f"A{n}", ("part1", 1))
    answers = await asyncio.gather(*(post(floor, "", {"most": 8}, f"w{n}") for n in range(3)))
    taken = [a.json()["progress"]["orders"]["allocated"] for a in answers if a.status_code == 201]
    assert sum(taken) <= 12
    assert {a.status_code for a in answers} <= {201, 409}
    rows = await floor.rows("SELECT wave, count(*) AS n FROM orders WHERE wave IS NOT NULL GROUP BY wave")
    assert sorted(r["n"] for r in rows) == sorted(taken)


async def test_a_wave_is_released_at_its_time(postgres: ScratchPostgres) -> None:
    """On the injected clock, by itself."""
    async with running(postgres, release_waves=True, scale=600.0) as floor:
        await floor.stock(("P0-B0", "part1", 9))
        await floor.order("A1", ("part1", 1))
        at = datetime.fromtimestamp(START_MS / 1000).astimezone() + timedelta(minutes=10)
        answer = await post(floor, "", {"release_at": at.isoformat()}, "w1")
        assert answer.status_code == 201, answer.text
        await floor.until(lambda: "P-T-A1-1-1" in floor.keys)
        released = (await floor.operator.get(f"/v1/waves/{answer.json()['id']}")).json()["released_at"]
        assert datetime.fromisoformat(released) >= at


async def test_only_so_many_orders_are_in_work(postgres: ScratchPostgres) -> None:
    """The most urgent first, then what is due first; the others say why; each that leaves lets the next one in."""
    async with running(postgres, release_in_work=2) as floor:
        await floor.stock(("P0-B0", "part1", 90))
        for name, hours, priority in (("late", 3, 0), ("soon", 1, 0), ("urgent", 9, 5), ("last", 4, 0)):
            await floor.order(name, ("part1", 1), due=due(hours), priority=priority)
        await floor.until(lambda: len({k.split("-")[2] for k in floor.keys}) == 2)
        # what came first was let in while there was room; from then on the order of urgency counts
        first = {o: (await floor.shown(o))["state"] for o in ("late", "soon", "urgent", "last")}
        assert sorted(first.values()) == ["allocated", "allocated", "released", "released"]
        waiting = [o for o, s in first.items() if s == "allocated"]
        for name in waiting:
            assert (await floor.shown(name))["waits"] == "2 orders are in work, as many as may be"
        done = next(o for o, s in first.items() if s == "released")
        await floor.pick(f"P-T-{done}-1-1")
        await floor.finish_tote(f"T-{done}-1")
        nearest = "urgent" if "urgent" in waiting else "soon" if "soon" in waiting else "late"
        await floor.until(lambda: f"P-T-{nearest}-1-1" in floor.keys)
        assert (await floor.shown(nearest))["waits"] == ""
        rows = await floor.rows("SELECT count(*) AS n FROM orders WHERE state IN ('released', 'picking')")
        assert rows[0]["n"] == 2
        # a person may let one in besides
        other = next(o for o in waiting if o != nearest)
        assert (await floor.erp.post(f"/v1/orders/{other}/release")).json()["state"] == "released"
        assert await floor.violations() == []


async def test_no_order_is_begun_long_before_it_is_due(postgres: ScratchPostgres) -> None:
    """It waits for its day though there is room, and says so; then it is let in by itself."""
    async with running(postgres, release_in_work=5, release_ahead_h=7.9, scale=600.0) as floor:
        await floor.stock(("P0-B0", "part1", 90))
        await floor.order("A1", ("part1", 1), due=due(0))
        waits = (await floor.shown("A1"))["waits"]
        assert waits in {"it is due later than 7.9 h from now", "its turn has not come yet", ""}
        await floor.until(lambda: "P-T-A1-1-1" in floor.keys)
        released = datetime.fromisoformat((await floor.shown("A1"))["released_at"])
        assert released >= datetime.fromisoformat(DUE) - timedelta(hours=7.9)


async def test_requests_at_once_never_let_too_many_in(postgres: ScratchPostgres) -> None:
    """Twenty orders from four clients with room for three: at no time are more in work."""
    async with running(postgres, release_in_work=3) as floor:
        await floor.stock(("P0-B0", "part1", 90))
        await asyncio.gather(*(floor.order(f"A{n}", ("part1", 1)) for n in range(20)))
        for n in range(20):
            await floor.until(lambda: any(k.startswith("P-") for k in floor.keys))
            task = min(k for k in floor.keys if k.startswith("P-"))
            rows = await floor.rows("SELECT count(*) AS n FROM orders WHERE state IN ('released', 'picking')")
            assert rows[0]["n"] <= 3
            await floor.pick(task)
            await floor.finish_tote(task[2:-2])
            await floor.until(lambda n=n: sum(e["type"] == "floorplane.order.shipped" for e in floor.events) > n)  # type: ignore[misc]
        assert await floor.violations() == []
