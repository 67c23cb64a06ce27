"""Where people walk along aisles, and the walks that are planned for them."""

from pathlib import Path

from central.migrations.script import execute, never_taken_back

revision = "0140"
down_revision = "0100"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Lay the tables of areas, batches and walks."""
    execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))


downgrade = never_taken_back
