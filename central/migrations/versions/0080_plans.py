"""Plans: problems for planner workers, and what they found."""

from pathlib import Path

from central.migrations.script import execute, never_taken_back

revision = "0080"
down_revision = "0070"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Lay the table."""
    execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))


downgrade = never_taken_back
