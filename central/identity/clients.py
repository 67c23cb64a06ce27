"""REST of programs that may come in: made with a token of their own, bound to an owner or not, and shut out again."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field, model_validator

from central.context import Correlation, Here
from central.database import Connection
from central.idempotency import PerhapsKey, Stored, claim, request_hash, store
from central.identity.access import SUPERVISOR, Principal, Role, digest
from central.identity.audit import AUDIT
from central.moment import moment
from central.problems import Refusal, documented

router = APIRouter(prefix="/v1", tags=["identity"])
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"


class ClientIn(BaseModel):
    """A program, and what it may do."""

    name: str = Field(pattern=_NAME, examples=["acme-erp"])
    role: Role
    owner: str = Field("", pattern=r"^([A-Za-z0-9][A-Za-z0-9._:-]{0,63})?$", description="Sees only this owner's goods")

    @model_validator(mode="after")
    def _only_an_erp(self) -> "ClientIn":
        if self.owner and self.role is not Role.ERP:
            raise ValueError("owner: only a client of the role erp can be bound to an owner")
        return self


class ClientOut(ClientIn):
    """A program as it is kept."""


class ClientMade(ClientIn):
    """A program that was made; its token is told once and never again."""

    token: str


@router.post("/clients", status_code=201, response_model=ClientMade, responses=documented(400, 409))
async def make_client(
    body: ClientIn, here: Here, correlation: Correlation, key: PerhapsKey = None, who: Principal = SUPERVISOR
) -> Response:
    """Let a program in.

    A token is kept nowhere. Asked again with the same key, the program gets a new one, and what it had ends.
    """
    token, at = secrets.token_urlsafe(32), moment(here.clock.now_ms())
    hashed = request_hash("POST /v1/clients", body.model_dump_json())

    async def work(connection: Connection) -> list[bytes] | None:
        if key is not None and await claim(connection, who.name, key, hashed) is not None:
            return await _replaced(connection)
        made = await connection.fetchrow(
            "INSERT INTO client (name, role, owner) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING name",
            body.name, body.role, body.owner,
        )  # fmt: skip
        if made is None:
            raise Refusal(409, f"client: {body.name!r} is there already")
        await _let_in(connection)
        await connection.execute(AUDIT, at, who.name, who.role, "client.make", body.name, "", correlation, None)
        if key is not None:
            await store(connection, who.name, key, hashed, Stored(201, ""), at)
        return None

    async def _let_in(connection: Connection) -> None:
        await connection.execute(
            "INSERT INTO token (hash, client, created_at) VALUES ($1, $2, $3)", digest(token), body.name, at
        )

    async def _replaced(connection: Connection) -> list[bytes]:
        old = await connection.fetch(
            "UPDATE token SET revoked_at = $2 WHERE client = $1 AND revoked_at IS NULL RETURNING hash", body.name, at
        )
        if not old:
            raise Refusal(409, f"client: {body.name!r} was made with this key, and shut out since")
        await _let_in(connection)
        await connection.execute(AUDIT, at, who.name, who.role, "client.new_token", body.name, "", correlation, None)
        return [r["hash"] for r in old]

    replaced = await here.database.unit(work)
    for hashed_token in replaced or ():
        here.doorkeeper.forget_hash(hashed_token)
    headers = {} if replaced is None else {"Idempotency-Replayed": "true"}
    made = ClientMade(**body.model_dump(), token=token)
    return Response(made.model_dump_json(), 201, headers, "application/json")


@router.get("/clients", response_model=list[ClientOut], responses=documented())
async def list_clients(here: Here, _: Principal = SUPERVISOR) -> list[dict[str, str]]:
    """List the programs that have a token."""
    rows = await here.database.read(
        "SELECT name, role, owner FROM client c WHERE EXISTS"
        " (SELECT FROM token t WHERE t.client = c.name AND t.revoked_at IS NULL) ORDER BY name"
    )
    return [dict(r) for r in rows]


@router.delete("/clients/{name}", status_code=204, responses=documented(404))
async def shut_out(
    name: Annotated[str, Path(pattern=_NAME)], here: Here, correlation: Correlation, who: Principal = SUPERVISOR
) -> None:
    """Revoke every token of a program; what it did stays."""
    at = moment(here.clock.now_ms())

    async def work(connection: Connection) -> list[bytes]:
        rows = await connection.fetch(
            "UPDATE token SET revoked_at = $2 WHERE client = $1 AND revoked_at IS NULL RETURNING hash", name, at
        )
        if not rows:
            raise Refusal(404, f"client: {name!r} has no token")
        await connection.execute(AUDIT, at, who.name, who.role, "client.shut_out", name, "", correlation, None)
        return [r["hash"] for r in rows]

    for hashed in await here.database.unit(work):
        here.doorkeeper.forget_hash(hashed)
