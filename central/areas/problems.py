"""The problems of `picking` and `batching` as the books have them, and what stands against taking their plans."""

import json
from datetime import datetime
from typing import Any

from central.database import Connection, Database
from central.problems import Refusal, refused


async def problem_of_books(database: Database, kind: str, given: dict[str, Any], at: datetime) -> dict[str, Any]:
    """Read what ``{"round": …}`` (`picking`) or ``{"books": …}`` (`batching`) names; else it is the problem itself.

    Raises
    ------
    Refusal
        The round or area is not known, or the round's places do not all lie in one area.
    """
    if kind == "picking" and given.keys() == {"round"}:
        name, sql = given["round"], "SELECT walk_problem($1) AS problem"
        bound = "an open round with picks whose places all lie in one pick area"
        rows = await database.read(sql, str(name))
    elif kind == "batching" and given.keys() == {"books"}:
        name, bound = given["books"], "a known pick area"
        rows = await database.read("SELECT batching_problem($1, $2) AS problem", str(name), at)
    else:
        return given
    if not rows or rows[0]["problem"] is None:
        raise refused(f"problem/{next(iter(given))}", name, bound)
    problem: dict[str, Any] = json.loads(rows[0]["problem"])
    return problem


async def refuse_untaken(connection: Connection, plan_id: str) -> None:
    """Refuse to accept a walk whose round is over or begun.

    Raises
    ------
    Refusal
        409: the plan is not that of its round.
    """
    name = await connection.fetchval(
        "SELECT p.problem::jsonb->>'round' FROM plan p WHERE p.id = $1 AND p.kind = 'picking'"
        " AND p.problem::jsonb ? 'round' AND NOT EXISTS (SELECT FROM pick_round r WHERE r.plan = p.id)",
        plan_id,
    )
    if name is not None:
        raise Refusal(409, f"plan: {plan_id!r} cannot be taken: round {name} is over, or its walk has begun")
