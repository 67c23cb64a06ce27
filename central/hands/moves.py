"""REST of goods that people carry from place to place."""

import hashlib
import json
from datetime import timedelta

from fastapi import APIRouter, Response

from central.context import Here
from central.database import Connection
from central.hands.model import HandTask, Movement
from central.hands.routes import HANDS, ask, show
from central.idempotency import IdempotencyKey, once
from central.identity.access import Principal
from central.moment import moment
from central.problems import documented, refused

router = APIRouter(prefix="/v1/hands", tags=["hands"])
_OPEN = "SELECT open_hand_task($1, 'move', $2, $3, $4, $5, $6, NULL, $7, $8, $9, NULL, $11::jsonb, $10)"
_LEASE_S = 60


@router.post("/moves", status_code=201, response_model=HandTask, responses=documented(400, 409))
async def post_move(body: Movement, here: Here, idempotency_key: IdempotencyKey, who: Principal = HANDS) -> Response:
    """Say that goods were carried from one place to another, or (`later`) that they should be.

    What is reserved stays (409). The same key with the same body gives the same answer again.
    """
    at = moment(here.clock.now_ms())
    name = "M-" + hashlib.sha256(f"{who.name}\n{idempotency_key}\n{at.isoformat()}".encode()).hexdigest()[:12]

    async def work(connection: Connection) -> str:
        row = await connection.fetchrow(
            "SELECT i.id, i.owner, i.kind, is_open_place($2) AS origin, is_open_place($3) AS goal"
            " FROM (SELECT item_by_scan($1) AS id) AS x LEFT JOIN item i ON i.id = x.id",
            body.item, body.origin, body.goal,
        )  # fmt: skip
        if row["id"] is None or row["kind"] != "stock":
            raise refused("item", body.item, "an item that is kept in stock")
        for field, value, there in (("from", body.origin, row["origin"]), ("to", body.goal, row["goal"])):
            if not there:
                raise refused(field, value, "a place for goods: a bin, a shelf, a lane, a dock, a handling unit")
        if body.origin == body.goal:
            raise refused("to", body.goal, "another place than `from`")
        person = body.person or who.name
        if body.later:  # its room is given to it from now on
            await connection.execute("SELECT overrule($1)", body.overrule)
            full = await connection.fetchval(
                "SELECT take_room($1, $2, $3, $4, $5, $6, $7, '', $8)",
                at, body.origin, body.goal, row["id"], body.lot, row["owner"], body.qty, person,
            )  # fmt: skip
            if full:
                raise refused("to", body.goal, f"one with room: {full}", status=409)
        await connection.fetchval(
            _OPEN, name, at, row["id"], body.qty, body.origin, body.goal, body.lot, row["owner"], body.priority,
            body.status, json.dumps({"overrule": body.overrule} if body.overrule else {}),
        )  # fmt: skip
        if not body.later:
            until = at + timedelta(seconds=_LEASE_S)
            await ask(connection, name, "leased", "SELECT take_hand_task($1, $2, $3, $4, $5)",
                      (name, at, person, who.name, until))  # fmt: skip
            await ask(connection, name, "posted", "SELECT confirm_hand_task($1, $2, $3, $4, 1, $5::jsonb)",
                      (name, at, who.name, person, json.dumps({"qty": body.qty})))  # fmt: skip
        return await show(connection, name, at)

    return await once(
        here.database, who.name, idempotency_key, "POST /v1/hands/moves", body.model_dump_json(), at, 201, work
    )
