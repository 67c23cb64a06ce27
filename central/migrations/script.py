"""Running SQL scripts inside a migration, and indexing the ledger while it is written to."""

from typing import Any, cast

from alembic import op


def execute(script: str) -> None:
    """Run a script of several statements on the migration's own connection, in its transaction."""
    dbapi: Any = op.get_bind().connection.dbapi_connection
    dbapi.run_async(lambda driver: cast("Any", driver).execute(script))


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
