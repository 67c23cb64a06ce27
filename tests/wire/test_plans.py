"""Plans through REST, the log and a real planner worker: asked for, followed, cancelled, taken or left."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from contracts import topics
from contracts.codec import decode, encode
from contracts.messages.plans import PlanAnswer, PlanProgress, PlanRefused, PlanWanted
from deploy.embedded.scratch import ScratchPostgres
from dispatcher.planning.worker import PlannerWorker
from tests.wire.central_floor import Floor, running

WAVES: dict[str, Any] = {
    "workers": [
        {"id": w, "skills": ["pick"], "zones": ["all"], "begin_s": 0, "end_s": 7_200,
         "breaks": [{"begin_s": 3_600, "end_s": 3_900}]}
        for w in ("ann", "bob")
    ],
    "batches": [
        {"id": f"b{k}", "duration_s": 600 + 60 * k, "due_s": 1_200 + 300 * (k % 4), "weight": 1 + k % 3}
        for k in range(9)
    ],
}  # fmt: skip
ROUTES: dict[str, Any] = {
    "places": [{"id": f"p{k}", "x": 1000.0 * (k % 3), "y": 700.0 * (k // 3)} for k in range(9)],
    "depots": [{"id": "dock", "place": "p0"}],
    "vehicles": [{"id": "van", "start_depot": "dock", "end_depot": "dock", "count": 2, "capacity": [5]}],
    "stops": [{"id": f"s{k}", "place": f"p{k}", "delivery": [1]} for k in range(1, 9)],
}


@pytest.fixture
async def floor(postgres: ScratchPostgres) -> AsyncIterator[Floor]:
    async with running(postgres) as made:
        yield made


@asynccontextmanager
async def worker(floor: Floor, name: str = "w1") -> AsyncIterator[None]:
    task = asyncio.create_task(PlannerWorker(floor.site.id, floor.store.connect(name), name).run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def ask(floor: Floor, kind: str, key: str, **body: Any) -> dict[str, Any]:
    answer = await floor.operator.post(f"/v1/plans/{kind}", json=body, headers={"Idempotency-Key": key})
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def shown(floor: Floor, plan: str) -> dict[str, Any]:
    return dict((await floor.operator.get(f"/v1/plans/{plan}")).json())


async def until(floor: Floor, plan: str, *states: str) -> dict[str, Any]:
    async with asyncio.timeout(120):
        while (now := await shown(floor, plan))["state"] not in states:  # noqa: ASYNC110 - as a client asks
            await asyncio.sleep(0.2)
    return now


async def decide(floor: Floor, plan: str, to: str, key: str) -> Any:
    return await floor.operator.post(
        f"/v1/plans/{plan}/{to}", json={"reason": "we want it so"}, headers={"Idempotency-Key": key}
    )


@pytest.mark.slow
async def test_plans_of_each_kind_are_found_drawn_and_decided_about(floor: Floor) -> None:
    """The same effort and seed give the same plan; what is taken cannot be left any more."""
    assert (await floor.operator.post("/v1/plans/waves", json={}, headers={"Idempotency-Key": "k0"})).status_code == 422
    first = await ask(floor, "waves", "k1", problem=WAVES, effort=2_000, seed=3)
    assert (await ask(floor, "waves", "k1", problem=WAVES, effort=2_000, seed=3))["id"] == first["id"]
    again = await ask(floor, "waves", "k2", problem=WAVES, effort=2_000, seed=3)
    routes = await ask(floor, "transport", "k3", problem=ROUTES, effort=50)
    slots = await ask(
        floor, "slotting", "k4", effort=5_000,
        problem={
            "items": [{"id": f"i{k}", "pod": "P0" if k < 2 else "P1"} for k in range(4)],
            "pods": [{"id": f"P{k}", "bins": 2, "x_m": float(k), "y_m": 0.0, "way_m": 5.0} for k in range(2)],
            "orders": [["i0", "i2"], ["i1", "i3"]] * 4,
            "most_share": 1.0,
            "together": 1,
        },
    )  # fmt: skip
    books = await ask(floor, "slotting", "k5")
    assert [p["id"] for p in (await floor.operator.get("/v1/plans")).json()["items"]] != []
    async with worker(floor):
        done = [await until(floor, p["id"], "done", "failed") for p in (first, again, routes, slots, books)]
    assert [d["state"] for d in done] == ["done", "done", "done", "done", "failed"], [d["reason"] for d in done]
    assert done[0]["plan"] == done[1]["plan"]
    assert done[0]["picture"]["kind"] == "gantt"
    assert sorted(b["id"] for b in done[0]["picture"]["bars"]) == [f"b{k}" for k in range(9)]
    stops = [s["id"] for r in done[2]["picture"]["routes"] for s in r["stops"] if s["id"] != "dock"]
    assert sorted(stops) == [f"s{k}" for k in range(1, 9)]
    of = done[3]["plan"]["pod_of"]
    assert of["i0"] == of["i2"] != of["i1"] == of["i3"]
    assert sum(c["after"] for c in done[3]["picture"]["cells"]) == 16
    assert "bins" in done[4]["reason"]  # nothing lies in the bins of this floor
    assert done[0]["share"] == 1
    assert done[0]["cost"] == done[0]["plan"]["charge"]
    assert (await decide(floor, first["id"], "accept", "d1")).json()["state"] == "accepted"
    assert (await decide(floor, first["id"], "discard", "d2")).status_code == 409
    assert (await decide(floor, again["id"], "discard", "d3")).json()["decided_by"] == "operator"
    await floor.until(lambda: {"floorplane.plan.done", "floorplane.plan.accepted"} <= {e["type"] for e in floor.events})


async def test_a_problem_that_contradicts_itself_fails_with_the_element_named(floor: Floor) -> None:
    bad = WAVES | {"batches": [{"id": "b0", "duration_s": 0, "due_s": 5}]}
    shape = WAVES | {"workers": [{"id": "ann"}]}
    plans = [await ask(floor, "waves", f"k{k}", problem=p) for k, p in enumerate((bad, shape))]
    async with worker(floor):
        ends = [await until(floor, p["id"], "failed", "done") for p in plans]
    assert "batches/b0/duration_s" in ends[0]["reason"]
    assert "skills" in ends[1]["reason"]
    assert (await decide(floor, plans[0]["id"], "accept", "d1")).status_code == 409


async def test_a_cancelled_plan_stops_its_worker_which_then_takes_the_next(floor: Floor) -> None:
    long = await ask(floor, "waves", "k1", problem=WAVES, effort=1_000_000_000)
    short = await ask(floor, "waves", "k2", problem=WAVES, effort=1_000)
    async with worker(floor):
        await until(floor, long["id"], "running")
        assert (await decide(floor, long["id"], "cancel", "d1")).json()["state"] == "cancelled"
        assert (await until(floor, short["id"], "done", "failed"))["state"] == "done"
    assert (await shown(floor, long["id"]))["plan"] is None


async def test_a_worker_that_lost_its_plan_is_told_so_and_what_it_brings_is_not_kept(floor: Floor) -> None:
    """Two words of one attempt count; a later one, of a worker that somebody gave up, does not."""
    plan = await ask(floor, "waves", "k1", problem=WAVES)
    port = floor.store.connect("by hand")

    async def tell(told: object) -> PlanAnswer:
        return decode(await port.request(topics.plans(floor.site.id), encode(told)), PlanAnswer)

    job = (await tell(PlanWanted("w", ("waves",)))).job
    assert job is not None
    assert (job.plan, job.attempt, job.kind) == (plan["id"], 1, "waves")
    assert (await tell(PlanWanted("v", ("waves",)))).job is None
    assert (await tell(PlanWanted("v", ("transport",)))).job is None
    assert (await tell(PlanProgress(job.plan, 1, 0.5, 70.0))).go_on
    now = await shown(floor, plan["id"])
    assert (now["share"], now["cost"], now["worker"]) == (0.5, 70.0, "w")
    assert not (await tell(PlanProgress(job.plan, 2, 0.6))).go_on
    assert not (await tell(PlanRefused(job.plan, 2, "no"))).go_on
    assert (await tell(PlanRefused(job.plan, 1, "no"))).go_on
    assert (await shown(floor, plan["id"]))["state"] == "failed"
