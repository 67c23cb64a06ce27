"""Plans step by step, stopped with the best so far, and what an accepted one moves."""

from pathlib import Path

from central.migrations.script import execute, never_taken_back

revision = "0130"
down_revision = "0090"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Widen the table, and lay that of moves."""
    execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))


downgrade = never_taken_back
