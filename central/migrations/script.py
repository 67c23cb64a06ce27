"""Running SQL scripts inside a migration, and indexing the ledger while it is written to."""

import asyncio
from typing import Any, cast

import asyncpg
from alembic import op

_PATIENCE = "100ms"
_AGAIN_S = 0.05


def execute(script: str) -> None:
    """Run a script of several statements on the migration's own connection, in its transaction."""
    op.get_bind().exec_driver_sql("SELECT 1")  # so that the transaction has begun in the driver too
    dbapi: Any = op.get_bind().connection.dbapi_connection
    dbapi.run_async(lambda driver: cast("Any", driver).execute(script))


def never_taken_back() -> None:
    """Refuse a downgrade: what was recorded is not thrown away.

    Raises
    ------
    NotImplementedError
        Always.
    """
    raise NotImplementedError("this is never taken back; restore a backup instead")


def take_tables(*tables: str) -> None:
    """Take tables for the rest of the migration's transaction, from those who write to them, without a deadlock.

    Who writes takes tables in one order or another; we wait for each a moment only (much less than the server's
    ``deadlock_timeout``), and else give back what we have and begin anew.
    """
    op.get_bind().exec_driver_sql("SELECT 1")  # so that the transaction has begun in the driver too
    dbapi: Any = op.get_bind().connection.dbapi_connection
    execute("SAVEPOINT taking")
    while True:
        try:
            execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'; LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
        except asyncpg.LockNotAvailableError:
            execute("ROLLBACK TO SAVEPOINT taking")
            dbapi.run_async(lambda _: asyncio.sleep(_AGAIN_S))
        else:
            execute("SET LOCAL lock_timeout = 0")
            return


def index_ledger(name: str, how: str) -> None:
    """Index the ledger partition by partition without holding up who writes; can be run again after a crash.

    What the migration did before this is committed.

    Parameters
    ----------
    name
        Of the index; those of the partitions are named after both.
    how
        Columns, or method and columns: ``(item, at)``, ``USING brin (seq)``.
    """
    context = op.get_context()
    with context.autocommit_block():
        execute(f"CREATE INDEX IF NOT EXISTS {name} ON ONLY ledger {how}")
        bind = op.get_bind()
        partitions = bind.exec_driver_sql(
            "SELECT i.inhrelid::regclass::text FROM pg_inherits i WHERE i.inhparent = 'ledger'::regclass"
            " AND NOT EXISTS (SELECT FROM pg_index x JOIN pg_inherits y ON y.inhrelid = x.indexrelid"
            " WHERE x.indrelid = i.inhrelid AND y.inhparent = $1::text::regclass) ORDER BY 1",
            (name,),
        ).scalars()
        for partition in list(partitions):
            own = f"{partition}_{name}"
            execute(f"DROP INDEX IF EXISTS {own}")  # one that a crash left invalid
            execute(f"CREATE INDEX CONCURRENTLY {own} ON {partition} {how}")
            execute(f"ALTER INDEX {name} ATTACH PARTITION {own}")
