"""REST of returns: announced, received, closed; graded as hand tasks of the kind `grade`."""

from typing import Annotated, Any

import asyncpg
import msgspec
from fastapi import APIRouter, Depends, Path, Query, Response

from central.context import Correlation, Here
from central.database import Connection
from central.idempotency import IdempotencyKey, once
from central.identity.access import ANYONE, ERP, Principal, Role, allowed
from central.identity.audit import AUDIT
from central.listing import Cursor, Limit, Page, following, turn
from central.moment import moment
from central.preconditions import IfMatch, check
from central.problems import FieldError, Refusal, documented, refused
from central.reason import Reason
from central.returns.model import ReceiptIn, Return, ReturnDetail, ReturnIn, ReturnLine, ReturnState
from contracts.ids import PATTERN, identifier

router = APIRouter(prefix="/v1/returns", tags=["returns"])
DESK = Depends(allowed(Role.OPERATOR, Role.SUPERVISOR, Role.DEVICE, house=True))
ReturnId = Annotated[str, Path(pattern=PATTERN)]
_LIST = (
    "SELECT g.id, g.source, g.ref, g.owner, g.order_id, g.state, g.reason, g.made_by, g.made_at, g.closed_at"
    " FROM goods_return g"
)
_BOUNDS = {
    "item": "a stock item of the return's owner",
    "order_line": "a line of that order with this item",
    "qty": "at most {held}: so many were shipped and are not returned",
}
_NOT_RECEIVED = {
    "unknown line": ("line", "a line of the return"),
    "wrong item": ("item", "the item of its line"),
    "unknown item": ("item", "a stock item of the return's owner"),
    "unknown place": ("place", "a place for goods: a staging lane, shelf, bin, dock or handling unit"),
    "too much": ("qty", "at most {held}: no more were shipped, and are not back"),
}


@router.get("", response_model=Page[Return], responses=documented())
async def list_returns(
    here: Here,
    state: Annotated[ReturnState | None, Query(description="Only in this state")] = None,
    order: Annotated[str | None, Query(pattern=PATTERN, description="Only of this order")] = None,
    newest: Annotated[bool, Query(description="The newest first")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
    who: Principal = ANYONE,
) -> dict[str, Any]:
    """List returns in the order in which they were announced, or the newest first."""
    at, name, past, direction = turn(cursor, newest=newest)
    rows = await here.database.read(
        f"{_LIST} WHERE (made_at, id) {past} ($1, $2) AND ($3::text IS NULL OR state = $3)"
        " AND ($4::text IS NULL OR order_id = $4) AND ($5 = '' OR owner = $5)"
        f" ORDER BY made_at {direction}, id {direction} LIMIT $6",
        at, name, state, order, who.owner, limit,
    )  # fmt: skip
    return {"items": [dict(r) for r in rows], "next": following(rows, limit, "made_at")}


@router.post("", status_code=201, response_model=ReturnDetail, responses=documented(400, 404, 409))
async def announce(
    body: ReturnIn, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey, who: Principal = ERP
) -> Response:
    """Announce a return. Of an order: never more of a line than was shipped and is not announced or returned yet."""
    at = moment(here.clock.now_ms())
    owner, source = body.owner if body.owner is not None else who.owner, body.source or who.name
    if who.owner and owner != who.owner:
        raise refused("owner", owner, f"{who.owner}, whose token this is")
    numbers = [x.line for x in body.lines]
    for n, line in enumerate(body.lines):
        if numbers.index(line.line) != n:
            raise refused(f"lines/{n}/line", line.line, "a number that no other line of the return has")
        if line.order_line is not None and body.order is None:
            raise refused(f"lines/{n}/order_line", line.order_line, "absent in a return without an order")
    if body.order is not None and not body.lines:
        raise refused("lines", [], "at least one line for a return of an order")

    async def work(connection: Connection) -> str:
        if body.order is not None:
            state = await connection.fetchval(
                "SELECT state FROM orders WHERE id = $1 AND owner = $2 FOR NO KEY UPDATE", body.order, owner
            )
            if state is None:
                raise refused("order", body.order, "an order of this owner")
            if state != "shipped":
                raise refused("order", body.order, f"a shipped order: it is {state}", status=409)
        name = identifier(body.ref)
        if await connection.fetchval("SELECT EXISTS (SELECT FROM goods_return WHERE id = $1)", name):
            name = identifier(f"{source}/{body.ref}")
        lines = [{"n": n, **x.model_dump()} for n, x in enumerate(body.lines)]
        try:
            rows = await connection.fetch(
                "SELECT * FROM announce_return($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10)",
                name, source, body.ref, owner, body.order, body.reason, at, who.name,
                msgspec.json.encode(lines).decode(), correlation,
            )  # fmt: skip
        except asyncpg.UniqueViolationError as e:
            raise refused("ref", body.ref, f"a ref that {source} has not used", status=409) from e
        errors = [
            FieldError(
                field=f"lines/{r['n']}/{r['field']}",
                value=getattr(body.lines[r["n"]], r["field"]),
                bound=_BOUNDS[r["field"]].format(held=r["held"]),
            )
            for r in rows
        ]
        if errors:
            raise Refusal(422, f"{errors[0].field}: {errors[0].value!r} is not {errors[0].bound}", errors)
        await connection.execute(AUDIT, at, who.name, who.role, "return.announce", name, body.reason, correlation, None)
        return (await _detail(connection, name, "")).model_dump_json()

    return await once(
        here.database, who.name, idempotency_key, "POST /v1/returns", body.model_dump_json(), at, 201, work
    )


@router.get("/{return_id}", responses=documented(404))
async def get_return(return_id: ReturnId, here: Here, response: Response, who: Principal = ANYONE) -> ReturnDetail:
    """Show a return and where its pieces went."""

    async def work(connection: Connection) -> tuple[ReturnDetail, str]:
        shown = await _detail(connection, return_id, who.owner)
        return shown, await connection.fetchval("SELECT return_tag($1)", return_id)

    shown, tag = await here.database.unit(work)
    response.headers["ETag"] = f'"{tag}"'
    return shown


@router.post("/{return_id}/receipts", response_model=ReturnDetail, responses=documented(400, 404, 409))
async def receive(
    return_id: ReturnId, body: ReceiptIn, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey,
    who: Principal = DESK,
) -> Response:  # fmt: skip
    """Say what has come; all of it, or nothing. It is not for sale until somebody has graded it.

    Of an order never more than was announced; blind never more of an item than was shipped of it and is not back,
    unless the policy takes any.
    """
    at = moment(here.clock.now_ms())
    for n, line in enumerate(body.lines):
        if line.line is None and line.item is None:
            raise refused(f"lines/{n}/item", None, "an item, where no line is named")

    async def work(connection: Connection) -> str:
        await _hold(connection, return_id, who.owner, None)
        await connection.execute("SELECT overrule($1)", body.overrule)
        for n, line in enumerate(body.lines):
            row = await connection.fetchrow(
                "SELECT * FROM receive_return($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                return_id, f"{who.name}/{idempotency_key}/{n}", line.line, line.item, line.lot, line.qty, body.place,
                at, who.name,
            )  # fmt: skip
            _refuse_receipt(return_id, row, n, line, body.place)
        await connection.execute(AUDIT, at, who.name, who.role, "return.receive", return_id, "", correlation, None)
        return (await _detail(connection, return_id, "")).model_dump_json()

    what = f"POST /v1/returns/{return_id}/receipts"
    return await once(here.database, who.name, idempotency_key, what, body.model_dump_json(), at, 200, work)


@router.post("/{return_id}/receipts/{task_id}/undo", response_model=ReturnDetail, responses=documented(400, 404, 409))
async def undo_receipt(
    return_id: ReturnId, task_id: Annotated[str, Path(pattern=PATTERN)], body: Reason, here: Here,
    correlation: Correlation, idempotency_key: IdempotencyKey, who: Principal = DESK,
) -> Response:  # fmt: skip
    """Take a receipt back that nobody has graded (`task_id`: its hand task), by a row that points back."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        await _hold(connection, return_id, who.owner, None)
        said = await connection.fetchval(
            "SELECT undo_return_receipt($1, $2, $3, $4, $5)", return_id, task_id, at, who.name, body.reason
        )
        if said == "unknown":
            raise Refusal(404, f"receipt: {task_id!r} is not known of return {return_id}")
        if said != "undone":
            raise Refusal(409, f"receipt: {task_id} {said}")
        await connection.execute(
            AUDIT, at, who.name, who.role, "return.undo", return_id, body.reason, correlation, None
        )
        return (await _detail(connection, return_id, "")).model_dump_json()

    what = f"POST /v1/returns/{return_id}/receipts/{task_id}/undo"
    return await once(here.database, who.name, idempotency_key, what, body.model_dump_json(), at, 200, work)


@router.post("/{return_id}/close", response_model=ReturnDetail, responses=documented(400, 404, 409, 412))
async def close(
    return_id: ReturnId, body: Reason, here: Here, correlation: Correlation, idempotency_key: IdempotencyKey,
    if_match: IfMatch = None, who: Principal = ERP,
) -> Response:  # fmt: skip
    """Say that nothing more will come: what was graded is refunded, the rest is not returned.

    409 while goods wait for it.

    A return of which nothing came is cancelled by it. One of which all came closes by itself with the last grading.
    """
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> str:
        await _hold(connection, return_id, who.owner, if_match)
        said = await connection.fetchval(
            "SELECT CASE WHEN closed_at IS NULL THEN close_return(id, $2, $3, $4, true) ELSE 'is ' || state END"
            " FROM goods_return WHERE id = $1",
            return_id, at, who.name, body.reason,
        )  # fmt: skip
        if said == "ungraded":
            raise Refusal(409, f"return: {return_id} has goods that nobody has graded")
        if said.startswith("is "):
            raise Refusal(409, f"return: {return_id} {said}")
        await connection.execute(
            AUDIT, at, who.name, who.role, "return.close", return_id, body.reason, correlation, None
        )
        return (await _detail(connection, return_id, "")).model_dump_json()

    what = f"POST /v1/returns/{return_id}/close"
    return await once(here.database, who.name, idempotency_key, what, body.model_dump_json(), at, 200, work)


def _refuse_receipt(return_id: str, row: Any, n: int, line: Any, place: str) -> None:
    said = row["outcome"]
    if said == "received":
        return
    if said.startswith("no room"):
        raise refused("place", place, f"one with room: {said}", status=409)
    if said not in _NOT_RECEIVED:
        raise Refusal(409, f"return: {return_id} {said}")
    field, bound = _NOT_RECEIVED[said]
    value = place if field == "place" else getattr(line, field)
    where = field if field == "place" else f"lines/{n}/{field}"
    raise refused(where, value, bound.format(held=row["held"]))


async def _hold(connection: Connection, return_id: str, owner: str, if_match: str | None) -> None:
    row = await connection.fetchrow(
        "SELECT owner FROM goods_return WHERE id = $1 AND ($2 = '' OR owner = $2) FOR UPDATE", return_id, owner
    )
    if row is None:
        raise Refusal(404, f"return: {return_id!r} is not known")
    check(if_match, await connection.fetchval("SELECT return_tag($1)", return_id), needed=False)


async def _detail(connection: Connection, return_id: str, owner: str) -> ReturnDetail:
    row = await connection.fetchrow(f"{_LIST} WHERE g.id = $1 AND ($2 = '' OR g.owner = $2)", return_id, owner)
    if row is None:
        raise Refusal(404, f"return: {return_id!r} is not known")
    lines = await connection.fetch("SELECT * FROM return_line WHERE return_id = $1 ORDER BY line", return_id)
    grading = await connection.fetch(
        "SELECT id FROM hand_task WHERE ref = $1 AND kind = 'grade' AND state IN ('open', 'leased') ORDER BY id",
        return_id,
    )
    shown = [ReturnLine(**{k: x[k] for k in ReturnLine.model_fields}) for x in lines]
    return ReturnDetail(**dict(row), lines=shown, grading=[r["id"] for r in grading])
