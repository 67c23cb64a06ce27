"""What comes in."""

from pathlib import Path

from central.migrations.script import execute, never_taken_back

revision = "0040"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Lay the tables."""
    execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))


downgrade = never_taken_back
