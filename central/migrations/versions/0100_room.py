"""Stock of past months by its status, limits that are overruled, and what a tote holds."""

from pathlib import Path

from central.migrations.script import execute, never_taken_back, take_tables

revision = "0100"
down_revision = "0130"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; the months that were kept without a status are kept anew when central starts."""
    take_tables("stock_then", "stock_month", "adjustment", "outbound_setting", "orders")
    execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))


downgrade = never_taken_back
