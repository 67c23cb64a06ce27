"""Care of the stock."""

from pathlib import Path

from central.migrations.script import execute, never_taken_back

revision = "0060"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Lay the tables."""
    execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))


downgrade = never_taken_back
