"""Work for hands, and stock whose lots, owners and statuses the ledger knows."""

from pathlib import Path

from central.migrations.script import execute, never_taken_back, take_tables

revision = "0030"
down_revision = "0020"
branch_labels = None
depends_on = None

_CHANGED = (
    "orders",
    "order_line",
    "task",
    "tote",
    "shipment",
    "item",
    "place",
    "stock",
    "adjustment",
    "ledger",
    "posted",
)


def upgrade() -> None:
    """Lay the tables, and take those that this migration and the ones after it change, all at once."""
    take_tables(*_CHANGED)
    execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))


downgrade = never_taken_back
