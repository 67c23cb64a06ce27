"""REST of plans: ask a planner worker, see how far it is, take what it found or leave it."""

import hashlib
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from central.areas.problems import problem_of_books, refuse_untaken
from central.context import Context, Correlation, Here
from central.database import Connection
from central.idempotency import IdempotencyKey, once
from central.identity.access import HOUSE, Principal, Role, allowed
from central.identity.audit import AUDIT
from central.listing import Cursor, Limit, Page, following, turn
from central.moment import moment
from central.plans.books import encoded, slotting_problem
from central.plans.seats import seat_totes, stations_problem
from central.plans.trucks import make_trucks, transport_problem
from central.problems import Refusal, documented, refused
from central.reason import Why
from contracts.ids import PATTERN

router = APIRouter(prefix="/v1/plans", tags=["plans"])
PLANNERS = Depends(allowed(Role.OPERATOR, Role.SUPERVISOR, house=True))
PlanId = Annotated[str, Path(pattern=PATTERN)]
Planned = Literal["slotting", "waves", "transport", "picking", "batching", "stations"]
_COLUMNS = (
    "id, kind, state, effort, seed, until, worker, share, done, cost, eta_s, used, reason, asked_by, asked_at,"
    " begun_at, ended_at, decided_by, decided_at"
)
_MOST_BYTES = 6_000_000
"""A problem travels to its worker in one message of the log."""


class PlanIn(BaseModel):
    """What is to be planned, and how hard to try. The same problem, effort and seed give the same plan."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"seed": 1},
                {
                    "problem": {
                        "workers": [{"id": "a", "skills": ["pick"], "zones": ["all"], "begin_s": 0, "end_s": 28800}],
                        "batches": [{"id": "b1", "duration_s": 600, "due_s": 3600}],
                    }
                },
            ]
        }
    )  # fmt: skip

    problem: dict[str, Any] | None = Field(
        None,
        description="As the kind reads it; absent for `slotting`: what the books and the orders so far say. `transport`"
        " with `orders` (`OrdersToBring`): its stops are those of the open orders; `stations` with `books` true: the"
        " open totes that robots serve",
    )
    effort: int = Field(0, ge=0, le=1_000_000_000, strict=True, description="In the kind's own measure; 0: as usual")
    seed: int = Field(1, ge=0, le=2**31 - 1, strict=True)
    until: int = Field(
        0, ge=0, le=1_000_000_000, strict=True,
        description="Stop after so much of the effort: with `used` of a plan that was stopped it is made again; 0: not",
    )  # fmt: skip


class PlanOut(BaseModel):
    """A plan, and how far it is."""

    id: str
    kind: str
    state: Literal["queued", "running", "done", "failed", "cancelled", "accepted", "discarded"]
    effort: int = Field(description="As it was asked for")
    seed: int
    until: int
    worker: str = Field(description="Who plans it, or planned it")
    share: float = Field(description="Of the effort that is done, 0 to 1")
    done: int = Field(description="Of the effort that is done, in the kind's own measure")
    cost: float | None = Field(description="Of the best plan so far, in the kind's own measure")
    eta_s: float | None = Field(
        description="So much longer, as far as it has gone by now; null: not running, or not known"
    )
    used: int | None = Field(description="The effort that the plan took")
    reason: str = Field(description="Why it failed, or why it was decided so")
    asked_by: str
    asked_at: datetime
    begun_at: datetime | None
    ended_at: datetime | None
    decided_by: str
    decided_at: datetime | None


class BestSoFar(BaseModel):
    """A step to a better plan."""

    done: int = Field(description="Of the effort")
    cost: float


class PlanDetail(PlanOut):
    """A plan with what was found."""

    steps: list[BestSoFar] = Field(description="How the best plan so far became better; 500 steps at the most")
    plan: Any = Field(description="As the kind writes it; null: there is none (yet)")
    picture: Any = Field(description="What the console draws of it: `heat`, `gantt`, `routes` or `walks`")
    outcome: dict[str, Any] = Field(
        description="What an accepted plan became: `trucks` of transport; `moves` of slotting, how many in which state"
    )


class MoveOut(BaseModel):
    """A move of an accepted slotting plan."""

    n: int = Field(description="Its place in the order, the most worth first")
    item: str
    origin: str = Field(description="The pod, or place, where it lay")
    goal: str = Field(description="The pod, or place, where it is wanted")
    gain_m: float = Field(description="What as many orders as were learned from drive less by it")
    cost_m: float = Field(description="What it costs to do it")
    state: Literal["waiting", "open", "done", "skipped", "stopped"]
    qty: int = Field(description="Pieces that were moved")
    reason: str = Field(description="Why it was left out, or fewer were moved")
    opened_at: datetime | None
    closed_at: datetime | None
    tasks: list[str] = Field(description="Its tasks for hands (`GET /v1/hands/{id}`)")


@router.post(
    "/{kind}",
    status_code=202,
    response_model=PlanOut,
    responses=documented(400, 409, 413, 422),
    summary="Have something planned",
)
async def post_plan(
    kind: Planned,
    asked: PlanIn,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    who: Principal = PLANNERS,
) -> Response:
    """Ask for a plan. It is planned as soon as a worker is free; see `GET /v1/plans/{id}` for how far it is.

    What contradicts itself in the problem is told as the plan's `reason`, with the element at fault.
    """
    if asked.problem is None and kind != "slotting":
        raise refused("problem", None, f"what is to be planned; only slotting is read from the books, not {kind}")
    at = moment(here.clock.now_ms())
    given = asked.problem
    if kind == "slotting" and given is None:
        given = await slotting_problem(here.database, here.site)
    elif kind == "transport" and given is not None and "orders" in given:
        given = await transport_problem(here.database, given)
    elif kind == "stations" and given is not None and given.get("books") is True:
        given = await stations_problem(here.database, here.site, at, given)
    elif given is not None:
        given = await problem_of_books(here.database, kind, given, at)
    problem = encoded(given or {})
    if len(problem) > _MOST_BYTES:
        raise refused("problem", f"{len(problem)} bytes", f"at most {_MOST_BYTES} bytes", status=413)
    name = "L-" + hashlib.sha256(f"{who.name}\n{idempotency_key}\n{kind}".encode()).hexdigest()[:12]

    async def work(connection: Connection) -> str:
        row = await connection.fetchrow(
            "INSERT INTO plan (id, kind, state, problem, effort, seed, until, asked_by, asked_at)"  # noqa: S608 - constants
            f" VALUES ($1, $2, 'queued', $3, $4, $5, $6, $7, $8) RETURNING {_COLUMNS}",
            name, kind, problem, asked.effort, asked.seed, asked.until, who.name, at,
        )  # fmt: skip
        await connection.execute(AUDIT, at, who.name, who.role, "plan.ask", name, kind, correlation, None)
        return PlanOut.model_validate(dict(row)).model_dump_json()

    what = f"POST /v1/plans/{kind}"
    return await once(here.database, who.name, idempotency_key, what, asked.model_dump_json(), at, 202, work)


@router.get("", response_model=Page[PlanOut], responses=documented())
async def list_plans(
    here: Here,
    kind: Annotated[Planned | None, Query(description="Only of this kind")] = None,
    state: Annotated[str | None, Query(description="Only in this state")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    _: Principal = HOUSE,
) -> dict[str, Any]:
    """List plans, the newest first."""
    at, name, past, direction = turn(cursor, newest=True)
    rows = await here.database.read(
        f"SELECT {_COLUMNS} FROM plan WHERE (asked_at, id) {past} ($1, $2)"  # noqa: S608 - constants
        " AND ($3::text IS NULL OR kind = $3) AND ($4::text IS NULL OR state = $4)"
        f" ORDER BY asked_at {direction}, id {direction} LIMIT $5",
        at, name, kind, state, limit,
    )  # fmt: skip
    return {"items": [dict(r) for r in rows], "next": following(rows, limit, "asked_at")}


@router.get("/{plan_id}", response_model=PlanDetail, responses=documented(404))
async def get_plan(plan_id: PlanId, here: Here, _: Principal = HOUSE) -> dict[str, Any]:
    """Show a plan: how far it is, and what was found."""
    rows = await here.database.read(f"SELECT {_COLUMNS}, steps, outcome, result FROM plan WHERE id = $1", plan_id)  # noqa: S608 - constants
    if not rows:
        raise Refusal(404, f"plan: {plan_id!r} is not known")
    one = dict(rows[0])
    result = msgspec.json.decode(one.pop("result") or "{}")
    one |= {k: msgspec.json.decode(one[k]) for k in ("steps", "outcome")}
    if one["kind"] == "slotting" and one["state"] == "accepted":
        moves = await here.database.read(
            "SELECT state, count(*) AS n FROM plan_move WHERE plan = $1 GROUP BY 1", plan_id
        )
        one["outcome"] = {"moves": {r["state"]: r["n"] for r in moves}}
    return one | {"plan": result.get("plan"), "picture": result.get("picture")}


@router.get("/{plan_id}/moves", response_model=Page[MoveOut], responses=documented(404))
async def list_moves(
    plan_id: PlanId,
    here: Here,
    limit: Limit = 100,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,9}$")] = None,
    _: Principal = HOUSE,
) -> dict[str, Any]:
    """List the moves of an accepted slotting plan in their order, the most worth first, with how far each is."""
    if not await here.database.read("SELECT FROM plan WHERE id = $1", plan_id):
        raise Refusal(404, f"plan: {plan_id!r} is not known")
    rows = await here.database.read(
        "SELECT n, item, origin, goal, gain_m, cost_m, state, qty, reason, opened_at, closed_at,"
        " ARRAY(SELECT h.id FROM tasks_of_move(plan, n) h ORDER BY 1) AS tasks"
        " FROM plan_move WHERE plan = $1 AND n > $2 ORDER BY n LIMIT $3",
        plan_id, int(cursor or 0), limit,
    )  # fmt: skip
    items = [dict(r) for r in rows]
    return {"items": items, "next": str(items[-1]["n"]) if len(items) == limit else None}


async def _decide(
    plan_id: str, to: str, why: Why, here: Context, correlation: str, who: Any, key: str
) -> Response:  # fmt: skip
    at = moment(here.clock.now_ms())
    if to == "accepted":
        await seat_totes(here, plan_id, who.name, why.reason)

    async def work(connection: Connection) -> str:
        if to == "stopped":
            now = await connection.fetchval("SELECT stop_plan($1, $2, $3)", plan_id, at, why.reason)
        else:
            now = await connection.fetchval(
                "SELECT decide_plan($1, $2, $3, $4, $5)", plan_id, to, at, who.name, why.reason
            )
        if now == "unknown":
            raise Refusal(404, f"plan: {plan_id!r} is not known")
        if now != to:
            raise refused("state", now.removeprefix("is "), f"{_FROM[to]}, to be {to}", status=409)
        if to == "accepted":
            await make_trucks(connection, plan_id, at, who)
            await refuse_untaken(connection, plan_id)
        await connection.execute(AUDIT, at, who.name, who.role, f"plan.{to}", plan_id, why.reason, correlation, None)
        row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM plan WHERE id = $1", plan_id)  # noqa: S608 - constants
        return PlanOut.model_validate(dict(row)).model_dump_json()

    what = f"POST /v1/plans/{plan_id}/{to}"
    answer = await once(here.database, who.name, key, what, why.model_dump_json(), at, 200, work)
    here.mover.changed()
    return answer


_FROM = {
    "cancelled": "queued or running", "accepted": "done", "discarded": "done",
    "stopped": "running, or an accepted slotting plan with moves that are left",
}  # fmt: skip


@router.post("/{plan_id}/stop", response_model=PlanOut, responses=documented(400, 404, 409))
async def stop_plan(
    plan_id: PlanId,
    why: Why,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    who: Principal = PLANNERS,
) -> Response:
    """Stop: a plan that is made is brought within seconds as good as it is by then (`used` says with which effort).

    Of an accepted slotting plan the moves that nobody has done yet are given up; what was moved stays.
    """
    return await _decide(plan_id, "stopped", why, here, correlation, who, idempotency_key)


@router.post("/{plan_id}/cancel", response_model=PlanOut, responses=documented(400, 404, 409))
async def cancel_plan(
    plan_id: PlanId,
    why: Why,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    who: Principal = PLANNERS,
) -> Response:
    """Cancel a plan that is not there yet; its worker stops within seconds."""
    return await _decide(plan_id, "cancelled", why, here, correlation, who, idempotency_key)


@router.post("/{plan_id}/accept", response_model=PlanOut, responses=documented(400, 404, 409))
async def accept_plan(
    plan_id: PlanId,
    why: Why,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    who: Principal = PLANNERS,
) -> Response:
    """Accept a plan: it is kept as what was decided, told as an event, and done.

    Of `slotting` the moves become tasks for hands, a few at a time while there is nothing else to do (`GET …/moves`);
    `/stop` gives up those that are left. Of `transport` planned from orders each route becomes a truck with its stops
    in order; an order that has left or goes with another truck by now refuses it (409). A plan of `waves`, and a
    transport of things that are no orders, is only kept. Of `batching` from the books (`{"books": area}`) the batches
    are given to people who begin rounds, `picking` of a round (`{"round": id}`) becomes its walk; if somebody has begun
    to walk it, that is refused (409). Of `stations` from the books (`{"books": true}`) the dispatcher gives free slots
    to the totes as planned; if it does not answer, nothing is accepted (503).
    """
    return await _decide(plan_id, "accepted", why, here, correlation, who, idempotency_key)


@router.post("/{plan_id}/discard", response_model=PlanOut, responses=documented(400, 404, 409))
async def discard_plan(
    plan_id: PlanId,
    why: Why,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    who: Principal = PLANNERS,
) -> Response:
    """Discard a plan; it can still be looked at."""
    return await _decide(plan_id, "discarded", why, here, correlation, who, idempotency_key)
