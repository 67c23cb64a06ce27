"""What must hold, always: asked of the database in one view."""

import asyncpg
import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, Field

from central.context import Here
from central.database import dsn
from central.identity.access import FLOOR, Principal
from central.problems import documented
from contracts.errors import Unavailable
from contracts.runtime.clock import real

router = APIRouter(prefix="/v1", tags=["operation"])
_SQL = "SELECT name, subject, detail FROM invariant_violation ORDER BY name, subject"


class Violation(msgspec.Struct, frozen=True):
    """Something that must never be: a bug, or damage. Stop and keep the evidence."""

    name: str
    subject: str
    detail: str


class ViolationOut(BaseModel):
    """Something that must never be."""

    name: str = Field(examples=["sum of moves is stock"])
    subject: str
    detail: str


async def violations(url: str) -> list[Violation]:
    """Return every violation in the database behind `url`; an empty list is the only good answer.

    Raises
    ------
    Unavailable
        The database does not answer.
    """

    async def ask() -> list[Violation]:
        try:
            connection = await asyncpg.connect(dsn(url))
        except (OSError, asyncpg.PostgresError) as e:
            raise Unavailable(f"database: {e}") from e
        try:
            return [Violation(*row) for row in await connection.fetch(_SQL)]
        finally:
            await connection.close()

    return await real(ask())


@router.get("/invariants", responses=documented())
async def get_invariants(here: Here, _: Principal = FLOOR) -> list[ViolationOut]:
    """Check the books; an empty list is the only good answer."""
    rows = await here.database.read(_SQL)
    return [ViolationOut(**dict(r)) for r in rows]
