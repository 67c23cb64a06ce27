"""The fleet's stop from the console: over the broker alone where central reaches it, with its audit row."""

from typing import Protocol

from fastapi import Response

from central.context import Context
from central.fleet.asking import Done
from central.idempotency import Stored, begin, finish, request_hash
from central.identity.access import Principal
from central.identity.audit import AUDIT
from central.moment import moment


class Halt(Protocol):
    """Stops every robot that the broker knows, or lets them go on; whether the dispatcher lives does not matter."""

    async def __call__(self, who: str, reason: str, *, pause: bool) -> tuple[int, tuple[str, ...]]:
        """Return how many robots were asked, and which of them have not said that they did it.

        Raises
        ------
        Unavailable
            The broker is not reached.
        """


async def halt_fleet(
    here: Context, halt: Halt, who: Principal, correlation: str, key: str | None, reason: str, *, pause: bool
) -> Response:
    """Stop or resume first, then write the audit row: robots do not wait for the database."""
    at, action = moment(here.clock.now_ms()), "fleet.pause" if pause else "fleet.resume"
    if key is not None:
        hashed = request_hash(f"{action} {here.site.id}", reason)
        if (stored := await begin(here.database, who.name, key, hashed, at)) is not None:
            return Response(stored.response, stored.status, {"Idempotency-Replayed": "true"}, "application/json")
    asked, silent = await halt(who.name, reason, pause=pause)
    rows = await here.database.write(
        AUDIT + " RETURNING id", at, who.name, who.role, action, here.site.id, reason, correlation, None
    )
    told = f"{asked - len(silent)} of {asked} robots confirm that they {'stand still' if pause else 'run again'}."
    if silent:
        told += f" No word yet from: {', '.join(silent[:20])}."
    said = Done(id=f"halt-{rows[0]['id']}", done=True, reason=told).model_dump_json()
    if key is not None:
        await finish(here.database, who.name, key, Stored(200, said))
    return Response(said, 200, media_type="application/json")
