"""The ledger's invariants, asked of a database from outside: the view is central's."""

import asyncpg

from contracts.errors import Unavailable


async def violations(database_url: str) -> list[dict[str, str]]:
    """Return what does not hold, one row each with `name`, `subject` and `detail`; empty is the only good answer.

    Raises
    ------
    Unavailable
        The database cannot be reached, or is not migrated.
    """
    try:
        connection = await asyncpg.connect(database_url)
    except (OSError, asyncpg.PostgresError, TimeoutError) as e:
        raise Unavailable(f"database: {e}") from e
    try:
        rows = await connection.fetch("SELECT name, subject, detail FROM invariant_violation ORDER BY name, subject")
    except asyncpg.UndefinedTableError as e:
        raise Unavailable(f"database: {e}; it has not been migrated, `floorplane central` does it at its start") from e
    finally:
        await connection.close()
    return [dict(r) for r in rows]
