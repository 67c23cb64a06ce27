"""What goes out."""

from pathlib import Path

from central.migrations.script import execute, never_taken_back, take_tables

revision = "0050"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Lay the tables."""
    take_tables("place", "orders", "tote", "task", "shipment")
    execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))


downgrade = never_taken_back
