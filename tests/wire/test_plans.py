"""Plans through REST, the log and a real planner worker: asked for, followed, cancelled, taken or left."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import pytest

from contracts import topics
from contracts.codec import decode, encode
from contracts.messages.ops import OpsAnswer, OpsCommand, SeatTotes
from contracts.messages.plans import PlanAnswer, PlanFound, PlanProgress, PlanRefused, PlanWanted
from deploy.embedded.scratch import ScratchPostgres
from dispatcher.planning.kinds import solve
from dispatcher.planning.worker import PlannerWorker
from tests.wire.central_floor import Floor, running
from tests.wire.outbound_hands import Hands

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
    async with worker(floor), worker(floor, "w2"):
        done = [await until(floor, p["id"], "done", "failed") for p in (first, again, routes, slots, books)]
    here = solve("transport", msgspec.json.encode(ROUTES), 50, 1, lambda *_: False)
    assert done[2]["plan"] == msgspec.json.decode(msgspec.json.encode(here.plan))
    assert {d["worker"] for d in done} <= {"w1", "w2"}
    assert [d["state"] for d in done] == ["done", "done", "done", "done", "failed"], [d["reason"] for d in done]
    assert done[0]["plan"] == done[1]["plan"]
    assert done[0]["picture"]["kind"] == "gantt"
    assert sorted(b["id"] for b in done[0]["picture"]["bars"]) == [f"b{k}" for k in range(9)]
    stops = [s["id"] for r in done[2]["picture"]["routes"] for s in r["stops"] if s["id"] != "dock"]
    assert sorted(stops) == [f"s{k}" for k in range(1, 9)]
    of = done[3]["plan"]["pod_of"]
    assert of["i0"] == of["i2"] != of["i1"] == of["i3"]
    assert sum(c["after"] for c in done[3]["picture"]["cells"]) == 16
    assert "items" in done[4]["reason"]  # nothing lies in the bins of this floor
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
    assert (await tell(PlanProgress(job.plan, 1, 0.6, 65.0, 600, 4.0))) == PlanAnswer(go_on=True)
    assert (await tell(PlanProgress(job.plan, 1, 0.7, 65.0, 700, 3.0))) == PlanAnswer(go_on=True)
    now = await shown(floor, plan["id"])
    assert (now["share"], now["cost"], now["worker"]) == (pytest.approx(0.7), 65.0, "w")
    assert (now["done"], now["eta_s"]) == (700, 3.0)
    assert now["steps"] == [{"done": 0, "cost": 70.0}, {"done": 600, "cost": 65.0}]
    assert (await decide(floor, plan["id"], "stop", "s1")).json()["state"] == "running"
    assert (await tell(PlanProgress(job.plan, 1, 0.8))).stop
    assert not (await tell(PlanProgress(job.plan, 2, 0.6))).go_on
    assert not (await tell(PlanRefused(job.plan, 2, "no"))).go_on
    assert (await tell(PlanRefused(job.plan, 1, "no"))).go_on
    assert (await shown(floor, plan["id"]))["state"] == "failed"


@pytest.mark.slow
async def test_a_plan_that_is_stopped_is_brought_as_good_as_it_is_and_can_be_made_again(floor: Floor) -> None:
    """Its progress comes in steps, each with the best so far; `until` as much effort gives the very same plan."""
    assert (await decide(floor, "L-unknown", "stop", "d0")).status_code == 404
    long = await ask(floor, "transport", "k1", problem=ROUTES, effort=100_000_000)
    assert (await decide(floor, long["id"], "stop", "d1")).status_code == 409  # nobody has begun it
    async with worker(floor):
        async with asyncio.timeout(120):
            while (now := await shown(floor, long["id"]))["done"] == 0:  # noqa: ASYNC110 - as a client asks
                await asyncio.sleep(0.2)
        assert (now["state"], now["steps"] != [], now["eta_s"] > 0) == ("running", True, True)
        assert (await decide(floor, long["id"], "stop", "d2")).json()["state"] == "running"
        stopped = await until(floor, long["id"], "done", "failed")
        assert 0 < stopped["used"] < 100_000_000
        assert stopped["share"] < 1
        again = await ask(floor, "transport", "k2", problem=ROUTES, effort=100_000_000, until=stopped["used"])
        again = await until(floor, again["id"], "done", "failed")
    assert again["used"] == stopped["used"]
    assert again["plan"] == stopped["plan"]
    assert (await decide(floor, long["id"], "accept", "d3")).json()["state"] == "accepted"
    assert (await decide(floor, long["id"], "stop", "d4")).status_code == 409  # nothing of it is left to do


@pytest.mark.slow
async def test_an_accepted_slotting_moves_the_stock_when_there_is_time(floor: Floor) -> None:
    """Moves are tasks for hands in the order of their worth, looked at again before each; the rest may be stopped."""
    await floor.stock(("P0-B0", "part1", 9), ("P0-B1", "part2", 5), ("P1-B0", "part3", 7), ("P1-B1", "part4", 3))
    for n in range(3):
        await floor.order(f"A{n}", ("part1", 1), ("part3", 1))
    assert {(r["item"], r["reserved"]) for r in await floor.rows("SELECT * FROM stock WHERE reserved > 0")} == {
        ("part1", 3), ("part3", 3),
    }  # fmt: skip
    asked = await ask(floor, "slotting", "k1", effort=20_000)
    made = await floor.rows("SELECT problem FROM plan")
    problem = msgspec.json.decode(made[0]["problem"])
    assert problem["items"] == [{"id": f"part{k}", "bins": 1, "pod": "P0" if k < 3 else "P1"} for k in (1, 2, 3, 4)]
    problem |= {"orders": [["part1", "part3"], ["part2", "part4"]] * 40, "most_share": 1.0, "together": 1}
    better = await ask(floor, "slotting", "k2", effort=20_000, problem=problem)
    async with worker(floor):
        await until(floor, asked["id"], "done", "failed")
        done = await until(floor, better["id"], "done", "failed")
    assert done["state"] == "done", done["reason"]
    assert [m["gain_m"] > m["cost_m"] for m in done["plan"]["moves"]].count(True) >= 1
    assert done["plan"]["cost_after_moves_m"] < done["plan"]["cost_before_m"]
    hands = Hands(floor)
    assert (await decide(floor, better["id"], "accept", "d1")).status_code == 200
    # three orders are open: what they hold is not touched, and robots have picks to do, but not many
    moves = await see_moves(floor, better["id"])
    assert {m["state"] for m in moves} <= {"waiting", "open"}
    assert len(moves) == len(done["plan"]["moves"]) >= 2
    for n in range(3):
        for task in [t["id"] for t in (await floor.shown(f"A{n}"))["tasks"] if t["kind"] == "pick"]:
            await floor.pick(task)
        await floor.finish_tote(f"T-A{n}-1")
    while any(m["state"] in {"waiting", "open"} for m in moves):
        floor.central._mover.changed()
        await asyncio.sleep(0.05)
        for task in await hands.open("move"):
            shown_task = await hands.get(f"/hands/{task}")
            assert shown_task["priority"] < 0
            await hands.do(task, qty=shown_task["qty"], target=shown_task["target"])
        moves = await see_moves(floor, better["id"])
    assert {m["state"] for m in moves} == {"done"}, moves
    assert all(m["tasks"] and m["qty"] > 0 for m in moves)
    rows = await floor.rows("SELECT item, left(place, 2) AS pod FROM stock WHERE live AND place LIKE 'P_-B%'")
    pod = {r["item"]: r["pod"] for r in rows}
    assert pod["part1"] == pod["part3"] != pod["part2"] == pod["part4"]
    assert (await shown(floor, better["id"]))["outcome"] == {"moves": {"done": len(moves)}}
    assert await floor.violations() == []


async def test_moves_that_do_not_fit_the_stock_any_more_are_left_out_and_the_rest_can_be_stopped(floor: Floor) -> None:
    await floor.stock(("P0-B0", "part1", 9), ("P0-B1", "part2", 5), ("P1-B0", "part3", 7))
    steps = [("part4", "P0", "P1"), ("part1", "P0", "P9"), ("part2", "P0", "P1"), ("part1", "P0", "P1")]
    told = [{"item": i, "from": a, "to": b, "gain_m": 9.0, "cost_m": 1.0} for i, a, b in steps]
    result = msgspec.json.encode({"plan": {"moves": told}, "picture": None}).decode()
    await floor.rows(
        "INSERT INTO plan (id, kind, state, problem, effort, seed, result, asked_by, asked_at)"
        " VALUES ('L-1', 'slotting', 'done', '{}', 0, 1, $1, 'x', now())",
        result,
    )
    assert (await decide(floor, "L-1", "accept", "d1")).status_code == 200
    async with asyncio.timeout(60):
        while not await Hands(floor).open("move"):  # noqa: ASYNC110 - as a handheld asks
            await asyncio.sleep(0.05)
    moves = await see_moves(floor, "L-1")
    assert [(m["state"], m["reason"]) for m in moves] == [
        ("skipped", "nothing of it lies in P0 any more"), ("skipped", "P9 is neither a pod nor a place of the site"),
        ("open", ""), ("open", ""),
    ]  # fmt: skip
    assert (await decide(floor, "L-1", "stop", "d2")).status_code == 200
    assert [m["state"] for m in await see_moves(floor, "L-1")] == ["skipped", "skipped", "stopped", "stopped"]
    assert await Hands(floor).open("move") == []
    assert (await decide(floor, "L-1", "stop", "d3")).status_code == 409


async def test_two_items_on_the_floor_of_people_change_their_places(floor: Floor) -> None:
    """A plan for people who walk: each of the two is a task for hands; what its place does not take is left out."""
    await floor.rows(
        "INSERT INTO place (code, kind, volume_ml)"
        " VALUES ('H1', 'shelf', NULL), ('H2', 'shelf', NULL), ('H3', 'shelf', 1)"
    )
    await floor.stock(("H1", "part1", 9), ("H2", "part2", 5))
    steps = [("part1", "H1", "H2"), ("part2", "H2", "H1"), ("part1", "H1", "H3")]
    told = [{"item": i, "from": a, "to": b, "gain_m": 9.0, "cost_m": 1.0} for i, a, b in steps]
    await floor.rows(
        "INSERT INTO plan (id, kind, state, problem, effort, seed, result, asked_by, asked_at)"
        " VALUES ('L-1', 'slotting', 'done', '{}', 0, 1, $1, 'x', now())",
        msgspec.json.encode({"plan": {"moves": told}, "picture": None}).decode(),
    )
    assert (await decide(floor, "L-1", "accept", "d1")).status_code == 200
    hands = Hands(floor)
    async with asyncio.timeout(60):
        while len(tasks := await hands.open("move")) < 2:  # noqa: ASYNC110 - as a handheld asks
            await asyncio.sleep(0.05)
    for task in tasks:
        shown_task = await hands.get(f"/hands/{task}")
        await hands.do(task, qty=shown_task["qty"], target=shown_task["target"])
    rows = await floor.rows("SELECT item, place FROM stock WHERE live AND place LIKE 'H_'")
    assert {(r["item"], r["place"]) for r in rows} == {("part1", "H2"), ("part2", "H1")}
    left = (await see_moves(floor, "L-1"))[2]
    assert (left["state"], left["reason"]) == ("skipped", "H3 has no room for it")
    assert await floor.violations() == []


async def see_moves(floor: Floor, plan: str) -> list[dict[str, Any]]:
    answer = await floor.operator.get(f"/v1/plans/{plan}/moves")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


@pytest.mark.slow
async def test_orders_become_stops_and_an_accepted_plan_becomes_trucks(floor: Floor) -> None:
    """Each route is a truck with its stops in order; what cannot be brought says why; taken twice is refused."""
    await floor.stock(("P0-B0", "part1", 90))
    towns = {"A": (0.0, 9_000.0), "B": (0.0, 8_000.0), "C": (4_000.0, 0.0)}
    for n, town in enumerate(("A", "C", "B", "A", "Nowhere"), 1):
        await floor.order(f"O{n}", ("part1", 2), route="NORTH", ship_to=town)
    await floor.order("O6", ("part1", 1), route="SOUTH", ship_to="A")
    problem: dict[str, Any] = {
        "places": [{"id": "home", "x": 0.0, "y": 0.0}, *({"id": t, "x": x, "y": y} for t, (x, y) in towns.items())],
        "depots": [{"id": "dock", "place": "home"}],
        "vehicles": [{"id": "van", "start_depot": "dock", "end_depot": "dock", "count": 3, "capacity": [3]}],
        "orders": {"route": "NORTH", "begins_at": "2013-12-02T09:00:00Z"},
    }  # fmt: skip

    async def refused(**orders: Any) -> str:
        body = {"problem": problem | {"orders": problem["orders"] | orders}}
        answer = await floor.operator.post("/v1/plans/transport", json=body, headers={"Idempotency-Key": "r"})
        assert answer.status_code == 422, answer.text
        return str(answer.json()["errors"][0]["field"])

    assert await refused(begins_at="yesterday") == "problem/orders/begins_at"
    assert await refused(ids=["O1", "O9"]) == "problem/orders/ids/1"
    assert await refused(measures=["litres"]) == "problem/orders/measures/0"
    first = await ask(floor, "transport", "k1", problem=problem, effort=200)
    second = await ask(floor, "transport", "k2", problem=problem, effort=200)
    async with worker(floor):
        done = [await until(floor, p["id"], "done", "failed") for p in (first, second)]
    assert done[0]["state"] == "done", done[0]["reason"]
    assert done[0]["plan"]["unplanned"] == [{"id": "O5", "reason": "where 'Nowhere' is, no place says"}]
    assert (await decide(floor, first["id"], "accept", "d1")).status_code == 200
    trucks = (await shown(floor, first["id"]))["outcome"]["trucks"]
    assert trucks == [f"{first['id']}-{n}" for n in (1, 2)]
    told = [(await floor.operator.get(f"/v1/trucks/{t}")).json() for t in trucks]
    stops = sorted([(s["ship_to"], s["orders"]) for s in t["stops"]] for t in told)
    stops = [sorted(s) for s in stops]
    assert stops == [[("A", ["O1", "O4"]), ("B", ["O3"])], [("C", ["O2"])]]
    assert {(t["state"], t["route"], t["vehicle"][:3]) for t in told} == {("planned", "NORTH", "van")}
    late = await decide(floor, second["id"], "accept", "d2")
    assert late.status_code == 409
    assert "on no other truck" in late.text
    assert (await shown(floor, second["id"]))["state"] == "done"
    # a late order goes into the plan that is under way, behind what has begun
    running = done[0]["plan"] | {"unplanned": []}
    late_one = problem | {"stops": [*stop_of("O1", "O2", "O3", "O4"), {"id": "late", "place": "B", "delivery": [1]}],
                          "running": running, "now_s": 1}  # fmt: skip
    late_one.pop("orders")
    third = await ask(floor, "transport", "k3", problem=late_one)
    async with worker(floor):
        changed = await until(floor, third["id"], "done", "failed")
    assert changed["state"] == "done", changed["reason"]
    assert sorted(v["id"] for r in changed["plan"]["routes"] for v in r["visits"] if v["kind"] == "stop") == [
        "O1", "O2", "O3", "O4", "late",
    ]  # fmt: skip
    assert await floor.violations() == []


def stop_of(*names: str) -> list[dict[str, Any]]:
    """The stops as central made them of the orders."""
    place = {"O1": "A", "O2": "C", "O3": "B", "O4": "A"}
    return [{"id": n, "place": place[n], "delivery": [1], "service_s": 300, "close_s": 25_200} for n in names]


async def test_an_accepted_plan_of_stations_is_followed_by_the_dispatcher(floor: Floor) -> None:
    """The open totes of the books are planned; what is accepted is told the dispatcher, or not accepted."""
    await floor.stock(("P0-B0", "part1", 90), ("P1-B0", "part3", 70))
    for n in range(3):
        await floor.order(f"A{n}", ("part1", 1), ("part3", 2))
    await floor.order("B0", ("part1", 1), priority=5)
    await floor.until(lambda: sum(t.startswith("P-") for t in floor.keys) == 7)
    asked = await ask(floor, "stations", "k1", problem={"books": True, "pick_s": 9.0}, effort=500)
    log, subject = floor.store.connect("planner"), topics.plans(floor.site.id)
    job = decode(await log.request(subject, encode(PlanWanted("here", ("stations",)))), PlanAnswer).job
    assert job is not None
    found = solve(job.kind, bytes(job.problem), job.effort, job.seed, lambda *_: False)
    result = msgspec.Raw(msgspec.json.encode({"plan": found.plan, "picture": found.picture}))
    await log.request(subject, encode(PlanFound(job.plan, job.attempt, found.cost, found.effort, result)))
    done = await shown(floor, asked["id"])
    seats = [o for s in done["plan"]["stations"] for o in s["orders"]]
    assert sorted(seats) == ["T-A0-1", "T-A1-1", "T-A2-1", "T-B0-1"]
    assert done["plan"]["visits"] <= done["plan"]["baseline"]["visits"]
    assert done["picture"]["rows"] == [s.id for s in floor.site.stations if s.kind == "pick"]
    assert (await decide(floor, asked["id"], "accept", "d1")).status_code == 503  # there is no dispatcher
    heard: list[OpsCommand] = []

    async def dispatcher(payload: bytes) -> bytes:
        heard.append(decode(payload, OpsCommand))
        return encode(OpsAnswer(heard[-1].id, done=len(heard) > 1, reason="not now" if len(heard) == 1 else ""))

    await floor.dispatcher.serve(topics.ops_subject(floor.site.id), dispatcher)
    refused = await decide(floor, asked["id"], "accept", "d2")
    assert (refused.status_code, refused.json()["detail"]) == (409, "not now")
    assert (await shown(floor, asked["id"]))["state"] == "done"
    assert (await decide(floor, asked["id"], "accept", "d3")).json()["state"] == "accepted"
    body = heard[-1].body
    assert isinstance(body, SeatTotes)
    assert (body.plan, sorted(s.tote for s in body.seats)) == (asked["id"], sorted(seats))
    assert (await decide(floor, asked["id"], "accept", "d3")).json()["state"] == "accepted"
    assert len(heard) == 2
