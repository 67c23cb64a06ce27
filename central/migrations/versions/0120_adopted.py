"""Robots that were adopted are kept."""

from pathlib import Path

from central.migrations.script import execute, never_taken_back

revision = "0120"
down_revision = "0150"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Lay the table of adopted robots."""
    execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))


downgrade = never_taken_back
