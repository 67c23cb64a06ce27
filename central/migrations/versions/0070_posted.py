"""What was posted under a key, so that another booking under it is not taken for the same."""

from central.migrations.script import execute, never_taken_back, take_tables

revision = "0070"
down_revision = "0060"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what was posted before has none, and is taken for the same as ever."""
    take_tables("posted")
    execute("ALTER TABLE posted ADD COLUMN said bigint")


downgrade = never_taken_back
