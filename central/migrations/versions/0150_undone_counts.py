"""Counts that are taken back."""

from pathlib import Path

from central.migrations.script import execute, never_taken_back

revision = "0150"
down_revision = "0140"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Lay the table of counts that were taken back, and the view of those that prove something."""
    execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))


downgrade = never_taken_back
