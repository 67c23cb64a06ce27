"""The ledger as bytes in its own order, for a digest: no database identity, no server time."""

from collections.abc import AsyncIterator

import asyncpg
import msgspec

from central.database import dsn
from central.moment import milliseconds
from contracts.runtime.clock import real

_PAGE = 5_000
_SQL = (
    "SELECT seq, at, a, b, item, lot, owner, qty, reason, task, order_id, line, actor, key FROM ledger"
    " WHERE seq > $1 ORDER BY seq LIMIT $2"
)


async def ledger_rows(url: str) -> AsyncIterator[bytes]:
    """Yield each row of the ledger in the order of posting, as a JSON array without its sequence number.

    Fields: at (ms), from, to, item, lot, owner, qty, reason, task, order, line, actor, key.
    """
    connection = await real(asyncpg.connect(dsn(url)))
    try:
        last = 0
        while True:
            rows = await real(connection.fetch(_SQL, last, _PAGE))
            for row in rows:
                yield msgspec.json.encode([milliseconds(row["at"]), *list(row)[2:]])
            if len(rows) < _PAGE:
                return
            last = rows[-1]["seq"]
    finally:
        await real(connection.close())
