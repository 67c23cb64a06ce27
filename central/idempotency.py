"""Idempotency keys: the answer is stored in the transaction of its effect, and given again for the same request."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec
from fastapi import Header
from starlette.responses import Response

from central.database import Connection, Database
from central.problems import Refusal

Work = Callable[[Connection], Awaitable[str]]
_BEGUN = 0
"""Status of a request that was begun and has no answer yet."""
_PRINTABLE = r"^[\x21-\x7e]+$"
IdempotencyKey = Annotated[
    str, Header(min_length=1, max_length=200, pattern=_PRINTABLE, description="Fresh for every new request")
]
PerhapsKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key", min_length=1, max_length=200, pattern=_PRINTABLE,
        description="With a key the request may be sent again: it has one effect, and the same answer",
    ),
]  # fmt: skip


class Stored(msgspec.Struct, frozen=True):
    """An answer that was given before."""

    status: int
    response: str


def request_hash(what: str, body: str) -> bytes:
    """Return what two requests with one key must share: the route and the body as it was understood."""
    return hashlib.sha256(f"{what}\n{body}".encode()).digest()


async def claim(connection: Connection, client: str, key: str, hashed: bytes) -> Stored | None:
    """Claim a key for this transaction; return the stored answer if the request was answered before.

    Raises
    ------
    Refusal
        409: a request with this key is under way. 422: the key was used for another request.
    """
    row = await connection.fetchrow(
        "SELECT pg_try_advisory_xact_lock(hashtextextended($1 || chr(10) || $2, 0)) AS mine", client, key
    )
    if not row["mine"]:
        raise Refusal(409, f"Idempotency-Key {key!r}: a request with this key is under way")
    row = await connection.fetchrow(
        "SELECT request_hash, status, response FROM idempotency WHERE client = $1 AND key = $2", client, key
    )
    if row is None:
        return None
    if bytes(row["request_hash"]) != hashed:
        raise Refusal(422, f"Idempotency-Key {key!r} was used for another request; take a new one")
    return Stored(row["status"], row["response"])


async def store(connection: Connection, client: str, key: str, hashed: bytes, answer: Stored, at: object) -> None:
    """Keep the answer, to be committed with its effect."""
    await connection.execute(
        "INSERT INTO idempotency VALUES ($1, $2, $3, $4, $5, $6)",
        client,
        key,
        hashed,
        answer.status,
        answer.response,
        at,
    )


async def begin(database: Database, client: str, key: str, hashed: bytes, at: object) -> Stored | None:
    """Keep that a request with an effect outside of the database is begun; give its answer if it has one.

    What is begun and has no answer (we died over it) is asked for again under the same name: whoever carries it out
    must know it by that. Its answer is kept by `finish`.

    Raises
    ------
    Refusal
        As `claim`.
    """

    async def unit(connection: Connection) -> Stored | None:
        stored = await claim(connection, client, key, hashed)
        if stored is None:
            await store(connection, client, key, hashed, Stored(_BEGUN, ""), at)
        return None if stored is None or stored.status == _BEGUN else stored

    return await database.unit(unit)


async def finish(database: Database, client: str, key: str, answer: Stored) -> None:
    """Keep the answer of a request that was begun."""
    await database.write(
        "UPDATE idempotency SET status = $3, response = $4 WHERE client = $1 AND key = $2 AND status = $5",
        client, key, answer.status, answer.response, _BEGUN,
    )  # fmt: skip


async def once(
    database: Database, client: str, key: str | None, what: str, body: str, at: object, status: int, work: Work
) -> Response:
    """Do something in one transaction and answer; the same key with the same body gives the same answer again.

    Parameters
    ----------
    key
        None: the request is done as it is, and nothing is kept of it.
    what, body
        The route with its path, and the body as it was understood.
    work
        Does it and returns the answer as JSON.

    Raises
    ------
    Refusal
        As `claim` does, or as `work` does: then nothing is stored.
    """
    hashed = request_hash(what, body)
    if key is None:
        return Response(await database.unit(work), status, media_type="application/json")

    async def unit(connection: Connection) -> tuple[Stored, bool]:
        stored = await claim(connection, client, key, hashed)
        if stored is not None:
            return stored, True
        answer = Stored(status, await work(connection))
        await store(connection, client, key, hashed, answer, at)
        return answer, False

    answer, replayed = await database.unit(unit)
    headers = {"Idempotency-Replayed": "true"} if replayed else {}
    return Response(answer.response, answer.status, headers, "application/json")
