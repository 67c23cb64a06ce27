"""Running SQL scripts inside a migration."""

from typing import Any, cast

from alembic import op


def execute(script: str) -> None:
    """Run a script of several statements on the migration's own connection, in its transaction."""
    dbapi: Any = op.get_bind().connection.dbapi_connection
    dbapi.run_async(lambda driver: cast("Any", driver).execute(script))
