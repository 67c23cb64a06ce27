"""What waits for a second person: let pass or refused, by somebody else than who asked for it."""

from collections.abc import Mapping

import msgspec
from pydantic import BaseModel
from starlette.responses import Response

from central.context import Context
from central.database import Connection
from central.idempotency import once
from central.identity.access import Principal
from central.identity.audit import AUDIT
from central.moment import moment
from central.problems import Refusal


class Waiting(msgspec.Struct, frozen=True):
    """One kind of what waits.

    Parameters
    ----------
    noun, path
        How a refusal names one, and the route below ``/v1/``.
    table, decide
        Where they are, and the SQL function that decides: number, at, who, approve, why, owner; it returns `outcome`
        and `held`.
    action
        What an audit's action begins with.
    conflicts
        Outcome to why it cannot be decided (`who`, `held`).
    shown
        How one is answered.
    """

    noun: str
    path: str
    table: str
    decide: str
    action: str
    conflicts: Mapping[str, str]
    shown: type[BaseModel]


async def decide(
    kind: Waiting, here: Context, who: Principal, correlation: str, key: str | None, number: int, why: str, *,
    approve: bool,
) -> Response:  # fmt: skip
    """Decide one, and answer it as it is then.

    Raises
    ------
    Refusal
        404: it is not known, or of another owner. 409: it was decided before, by the same person, or cannot be done.
    """
    at = moment(here.clock.now_ms())
    verb = "approve" if approve else "refuse"

    async def work(connection: Connection) -> str:
        row = await connection.fetchrow(
            f"SELECT * FROM {kind.decide}($1, $2, $3, $4, $5, $6)",  # noqa: S608 - a constant of its room
            number, at, who.name, approve, why, who.owner,
        )  # fmt: skip
        if row["outcome"] == "unknown":
            raise Refusal(404, f"{kind.noun}: {number} is not known")
        if row["outcome"].startswith("no room"):
            raise Refusal(409, f"{kind.noun} {number}: {row['outcome']}")
        if row["outcome"] in kind.conflicts:
            why_not = kind.conflicts[row["outcome"]].format(who=who.name, held=row["held"])
            raise Refusal(409, f"{kind.noun} {number}: {why_not}")
        action = f"{kind.action}{verb}"
        await connection.execute(AUDIT, at, who.name, who.role, action, str(number), why, correlation, None)
        made = await connection.fetchrow(f"SELECT * FROM {kind.table} WHERE id = $1", number)  # noqa: S608 - as above
        return kind.shown.model_validate(dict(made)).model_dump_json()

    what = f"POST /v1/{kind.path}/{number}/{verb}"
    return await once(here.database, who.name, key, what, why, at, 200, work)
