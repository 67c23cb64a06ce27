"""REST of work for hands: what is open, the best of it for me, done, given back, withdrawn, undone."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any

import asyncpg
from fastapi import APIRouter, Depends, Path, Query, Response

from central.context import Context, Correlation, Here
from central.database import Connection
from central.hands.model import (
    SHOWN,
    Confirm,
    GiveBack,
    HandChange,
    HandState,
    HandTask,
    Kind,
    KindOfWork,
    Next,
    Take,
    Why,
    shown,
)
from central.idempotency import IdempotencyKey, once
from central.identity.access import Principal, Role, allowed
from central.identity.audit import AUDIT
from central.listing import Cursor, Limit, Page, following, turn
from central.moment import moment
from central.orders.model import Name
from central.preconditions import IfMatch, check
from central.problems import Refusal, documented

router = APIRouter(prefix="/v1/hands", tags=["hands"])
HANDS = Depends(allowed(Role.OPERATOR, Role.SUPERVISOR, Role.DEVICE, house=True))
TaskId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]
NOTHING: dict[int | str, dict[str, Any]] = {204: {"description": "There is no open task of these kinds"}}


@router.get("", response_model=Page[HandTask], responses=documented())
async def list_hands(
    here: Here,
    kind: Annotated[Kind | None, Query(description="Only of this kind")] = None,
    state: Annotated[HandState | None, Query(description="Only in this state")] = None,
    person: Annotated[str | None, Query(max_length=64, description="Only what this person has, or had last")] = None,
    ref: Annotated[str | None, Query(max_length=200, description="Only for this")] = None,
    newest: Annotated[bool, Query(description="The newest first")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
    _: Principal = HANDS,
) -> dict[str, Any]:
    """List work for people in the order in which it came, or the newest first."""
    at, name, past, direction = turn(cursor, newest=newest)
    rows = await here.database.read(
        f"SELECT * FROM ({SHOWN}) AS h WHERE (created_at, id) {past} ($2, $3)"  # noqa: S608 - constants
        " AND ($4::text IS NULL OR kind = $4) AND ($5::text IS NULL OR shown = $5)"
        " AND ($6::text IS NULL OR person = $6) AND ($7::text IS NULL OR ref = $7)"
        f" ORDER BY created_at {direction}, id {direction} LIMIT $8",
        moment(here.clock.now_ms()), at, name, kind, state, person, ref, limit,
    )  # fmt: skip
    return {"items": [shown(r) for r in rows], "next": following(rows, limit, "created_at")}


@router.get("/kinds", responses=documented())
async def list_kinds(
    here: Here,
    person: Annotated[Name | None, Query(description="Who asks; whoever is logged in when absent")] = None,
    who: Principal = HANDS,
) -> list[KindOfWork]:
    """List the kinds of work that people do here, and how many tasks of each this person could have."""
    now = moment(here.clock.now_ms())
    rows = await here.database.read("SELECT * FROM hand_kinds($1, $2)", now, person or who.name)
    return [KindOfWork(**dict(r)) for r in rows]


@router.get("/{task_id}", responses=documented(404))
async def get_hand(task_id: TaskId, here: Here, response: Response, _: Principal = HANDS) -> HandTask:
    """Show one task; its `ETag` goes into the `If-Match` of a change."""
    rows = await here.database.read(f"{SHOWN} WHERE h.id = $2", moment(here.clock.now_ms()), task_id)
    if not rows:
        raise Refusal(404, f"hand task: {task_id!r} is not known")
    response.headers["ETag"] = f'"{rows[0]["tag"]}"'
    return shown(rows[0])


@router.post("/next", response_model=HandTask, responses=documented(400, 409) | NOTHING)
async def next_hand(body: Next, here: Here, idempotency_key: IdempotencyKey, who: Principal = HANDS) -> Response:
    """Take the best open task of these kinds: the most urgent, then the one that is due first.

    It is leased: until `lease_until` nobody else gets it. The same key gives the same task again; that there was none
    is not kept.
    """
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        row = await connection.fetchrow(
            "SELECT id FROM lease_hand_task($1, $2, $3, $4, $5, $6)",
            at, body.person or who.name, who.name, body.kinds, at + timedelta(seconds=body.lease_s), body.scan,
        )  # fmt: skip
        if row is None:
            raise _NothingOpen
        return await show(connection, row["id"], at)

    try:
        return await once(
            here.database, who.name, idempotency_key, "POST /v1/hands/next", body.model_dump_json(), at, 200, work
        )
    except _NothingOpen:
        return Response(status_code=204)


@router.post("/{task_id}/lease", response_model=HandTask, responses=documented(400, 404, 409))
async def take_hand(
    task_id: TaskId, body: Take, here: Here, idempotency_key: IdempotencyKey, who: Principal = HANDS
) -> Response:
    """Take this one task, or get more time for it; 409 when somebody else has it."""
    until = moment(here.clock.now_ms()) + timedelta(seconds=body.lease_s)
    sql = "SELECT take_hand_task($1, $2, $3, $4, $5)"
    return await _command(
        here, who, idempotency_key, "lease", task_id, body, "leased",
        lambda at: (sql, (task_id, at, body.person or who.name, who.name, until)),
    )  # fmt: skip


@router.post("/{task_id}/confirm", response_model=HandTask, responses=documented(400, 404, 409))
async def confirm_hand(
    task_id: TaskId, body: Confirm, here: Here, idempotency_key: IdempotencyKey, who: Principal = HANDS
) -> Response:
    """Say that it is done. It is posted in the same transaction, once: by whoever has the lease, in its own attempt.

    409 says why it is not: done already, given to somebody else meanwhile, the wrong item, not so many there, …
    """
    sql = "SELECT confirm_hand_task($1, $2, $3, $4, $5, $6::jsonb)"
    return await _command(
        here, who, idempotency_key, "confirm", task_id, body, "posted",
        lambda at: (sql, (task_id, at, who.name, body.person, body.attempt, body.said())),
    )  # fmt: skip


@router.post("/{task_id}/release", response_model=HandTask, responses=documented(400, 404, 409))
async def release_hand(
    task_id: TaskId, body: GiveBack, here: Here, idempotency_key: IdempotencyKey, who: Principal = HANDS
) -> Response:
    """Give a task back, so that somebody else gets it. A supervisor may take it from anybody."""
    sql = "SELECT release_hand_task($1, $2, $3, $4, $5, $6)"
    return await _command(
        here, who, idempotency_key, "release", task_id, body, "released",
        lambda at: (sql, (task_id, at, who.name, body.attempt, body.reason, who.role is Role.SUPERVISOR)),
    )  # fmt: skip


@router.post("/{task_id}/cancel", response_model=HandTask, responses=documented(400, 404, 409))
async def cancel_hand(
    task_id: TaskId, body: Why, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey,
    who: Principal = HANDS,
) -> Response:  # fmt: skip
    """Withdraw a task that is not done, with a reason; whoever has it is told when they confirm it."""
    sql = "SELECT withdraw_hand_task($1, $2, $3, $4)"
    return await _command(
        here, who, idempotency_key, "cancel", task_id, body, "cancelled",
        lambda at: (sql, (task_id, at, who.name, body.reason)), (correlation, body.reason),
    )  # fmt: skip


@router.post("/{task_id}/undo", response_model=HandTask, responses=documented(400, 404, 409))
async def undo_hand(
    task_id: TaskId, body: Why, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey,
    who: Principal = HANDS,
) -> Response:  # fmt: skip
    """Take back what a confirmation posted: each move by a row that points back. One's own; a supervisor, anybody's.

    409 when what it brought is reserved or gone, or when work of its kind is not taken back.
    """
    sql = "SELECT undo_hand_task($1, $2, $3, $4, $5, $6)"
    return await _command(
        here, who, idempotency_key, "undo", task_id, body, "undone",
        lambda at: (sql, (task_id, at, who.name, who.name, body.reason, who.role is Role.SUPERVISOR)),
        (correlation, body.reason),
    )  # fmt: skip


@router.patch("/{task_id}", responses=documented(400, 404, 409, 412, 428))
async def change_hand(
    task_id: TaskId, body: HandChange, here: Here, correlation: Correlation, response: Response,
    if_match: IfMatch = None, who: Principal = HANDS,
) -> HandTask:  # fmt: skip
    """Change how urgent a task is."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> None:
        row = await connection.fetchrow("SELECT state FROM hand_task WHERE id = $1 FOR UPDATE", task_id)
        if row is None:
            raise Refusal(404, f"hand task: {task_id!r} is not known")
        check(if_match, await connection.fetchval("SELECT hand_tag($1)", task_id))
        if row["state"] not in {"open", "leased"}:
            raise Refusal(409, f"hand task: {task_id} is {row['state']}")
        await connection.execute(
            "UPDATE hand_task SET priority = COALESCE($2, priority), due = COALESCE($3, due) WHERE id = $1",
            task_id, body.priority, body.due,
        )  # fmt: skip
        detail = body.model_dump_json(exclude_unset=True)
        await connection.execute(AUDIT, at, who.name, who.role, "hands.change", task_id, "", correlation, detail)

    await here.database.unit(work)
    return await get_hand(task_id, here, response)


async def show(connection: Connection, task_id: str, at: datetime) -> str:
    """Return a task as JSON, as it is in this transaction."""
    return shown(await connection.fetchrow(f"{SHOWN} WHERE h.id = $2", at, task_id)).model_dump_json()


async def ask(connection: Connection, task_id: str, wanted: str, sql: str, arguments: tuple[Any, ...]) -> None:
    """Ask the database for one change of a task.

    Raises
    ------
    Refusal
        404: it is not known. 409: something else than `wanted` came of it, or the books refuse it.
    """
    try:
        said = await connection.fetchval(sql, *arguments)
    except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError) as e:
        raise Refusal(409, f"hand task: {task_id} cannot be posted: {e}") from e
    if said == "unknown":
        raise Refusal(404, f"hand task: {task_id!r} is not known")
    if said != wanted:
        raise Refusal(409, f"hand task: {task_id} {said}" if said.startswith("is ") else f"{said} ({task_id})")


async def _command(
    here: Context, who: Principal, key: str, what: str, task_id: str, body: Any, wanted: str,
    statement: Callable[[datetime], tuple[str, tuple[Any, ...]]], audit: tuple[str, str] | None = None,
) -> Response:  # fmt: skip
    """One change of a task, once."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        await ask(connection, task_id, wanted, *statement(at))
        if audit is not None:
            correlation, why = audit
            await connection.execute(AUDIT, at, who.name, who.role, f"hands.{what}", task_id, why, correlation, None)
        return await show(connection, task_id, at)

    route = f"POST /v1/hands/{task_id}/{what}"
    return await once(here.database, who.name, key, route, body.model_dump_json(), at, 200, work)


class _NothingOpen(Exception):  # noqa: N818 - it is an answer, not a fault
    """There is no open task: nothing of the question is stored."""
