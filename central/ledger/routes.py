"""REST of the ledger: one move, and its undoing."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from central.context import Correlation, Here
from central.idempotency import IdempotencyKey, once
from central.identity.access import ANYONE, SUPERVISOR, Principal
from central.identity.audit import AUDIT
from central.moment import moment
from central.problems import Refusal, documented
from central.reason import Undo

router = APIRouter(prefix="/v1/ledger", tags=["stock"])
MoveId = Annotated[int, Path(ge=1, lt=2**63, description="`seq` of the move")]


class MoveOut(BaseModel):
    """A row of the ledger: so much went from one place to another."""

    seq: int
    at: datetime
    a: str = Field(description="From")
    b: str = Field(description="To")
    item: str
    lot: str
    qty: int
    reason: str
    task: str | None
    order_id: str | None
    line: int | None
    actor: str
    key: str = Field(description="The cause; each posts once")
    reverses: int | None = Field(description="The move that this one undoes")
    reversed_by: int | None = Field(description="The move that undoes this one")


_MOVE = (
    "SELECT l.seq, l.at, l.a, l.b, l.item, l.lot, l.qty, l.reason, l.task, l.order_id, l.line, l.actor, l.key,"
    " l.reverses, (SELECT r.seq FROM ledger r WHERE r.reverses = l.seq) AS reversed_by"
    " FROM ledger l JOIN item i ON i.id = l.item WHERE l.seq = $1 AND ($2 = '' OR i.owner = $2)"
)


@router.get("/{move_id}", response_model=MoveOut, responses=documented(404))
async def get_move(move_id: MoveId, here: Here, who: Principal = ANYONE) -> dict[str, Any]:
    """Show one move, and what undid it."""
    rows = await here.database.read(_MOVE, move_id, who.owner)
    if not rows:
        raise Refusal(404, f"move: {move_id} is not known")
    return dict(rows[0])


@router.post("/{move_id}/reverse", status_code=201, response_model=MoveOut, responses=documented(400, 404, 409))
async def reverse_move(
    move_id: MoveId,
    body: Undo,
    here: Here,
    correlation: Correlation,
    idempotency_key: IdempotencyKey,
    who: Principal = SUPERVISOR,
) -> Response:
    """Undo a posted move by a row in the other direction that points back; nothing is edited.

    What is reserved or gone is not taken back (409). A pick that is undone makes its line short; the tote goes on.
    Those who were told of the move hear of it: an event, and in EPCIS an error declaration with the corrective event.
    """
    at = moment(here.clock.now_ms())

    async def work(connection: Any) -> str:
        why = await connection.fetchval(
            "SELECT why_not_reversed(l) FROM ledger l JOIN item i ON i.id = l.item"
            " WHERE l.seq = $1 AND ($2 = '' OR i.owner = $2)",
            move_id, who.owner,
        )  # fmt: skip
        if why:
            raise Refusal(409, f"move: {move_id} {why}")
        row = await connection.fetchrow(
            "SELECT * FROM reverse_move($1, $2, $3, $4, $5, $6)",
            move_id, at, who.name, body.how, body.reason, who.owner,
        )  # fmt: skip
        if row["outcome"] == "unknown":
            raise Refusal(404, f"move: {move_id} is not known")
        if row["outcome"] == "too little":
            raise Refusal(409, f"move: of what {move_id} brought, only {row['held']} are there and not reserved")
        if row["outcome"] != "reversed":
            raise Refusal(409, f"move: {move_id} is {row['outcome']}")
        await connection.execute(
            AUDIT, at, who.name, who.role, "ledger.reverse", str(move_id), body.reason, correlation, None
        )
        made = await connection.fetchrow(_MOVE, row["seq"], who.owner)
        await connection.execute("SELECT fill_waiting($1, $2)", at, made["item"])
        return MoveOut.model_validate(dict(made)).model_dump_json()

    what = f"POST /v1/ledger/{move_id}/reverse"
    return await once(here.database, who.name, idempotency_key, what, body.model_dump_json(), at, 201, work)
