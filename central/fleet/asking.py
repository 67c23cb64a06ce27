"""What an operator asks of the dispatcher: with its audit row, once under a key, and what follows when it is done."""

from collections.abc import Awaitable, Callable

from fastapi import Response
from pydantic import BaseModel

from central.context import Context
from central.idempotency import Stored, begin, finish, request_hash
from central.identity.access import Principal
from central.identity.audit import AUDIT
from central.moment import moment
from central.problems import Refusal
from contracts import topics
from contracts.codec import decode, encode
from contracts.messages.ops import OpsAnswer, OpsBody, OpsCommand

_PATIENCE_S = 5.0


class Done(BaseModel):
    """The dispatcher's answer to a command."""

    id: str
    done: bool
    reason: str


async def ask_dispatcher(
    here: Context,
    who: Principal,
    correlation: str,
    key: str | None,
    action: str,
    subject: str,
    reason: str,
    body: OpsBody,
    *,
    needed: bool = True,
    then: Callable[[], Awaitable[None]] | None = None,
) -> Response:
    """Ask the dispatcher, who knows a command by its id: with a key, the same request gives it the same id.

    Parameters
    ----------
    needed
        Whether the dispatcher has to be asked at all.
    then
        Done when it agreed, before the answer is kept.
    """
    at = moment(here.clock.now_ms())
    hashed = request_hash(f"{action} {subject}", encode([reason, body]).decode())
    if key is not None and (stored := await begin(here.database, who.name, key, hashed, at)) is not None:
        return Response(stored.response, stored.status, {"Idempotency-Replayed": "true"}, "application/json")
    # the row comes first: what was asked is known even if the answer never comes
    rows = await here.database.write(
        AUDIT + " RETURNING id",
        at, who.name, who.role, action, subject, reason, correlation, None,
    )  # fmt: skip
    name = f"ops-{rows[0]['id']}" if key is None else f"ops-{who.name}-{key}"
    answer = OpsAnswer(name, done=True, reason="")
    if needed:
        command = OpsCommand(name, who.name, reason, body)
        payload = await here.log.request(topics.ops_subject(here.site.id), encode(command), timeout_s=_PATIENCE_S)
        answer = decode(payload, OpsAnswer)
    if not answer.done:
        raise Refusal(409, answer.reason)
    if then is not None:
        await then()
    said = Done(id=answer.id, done=answer.done, reason=answer.reason).model_dump_json()
    if key is not None:
        await finish(here.database, who.name, key, Stored(200, said))
    return Response(said, 200, media_type="application/json")
