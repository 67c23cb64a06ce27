"""Places, items, stock, ledger, orders, work, events and identity of one floor."""

from pathlib import Path

from central.migrations.script import execute

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Lay the tables."""
    execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))


def downgrade() -> None:
    """Refuse: what is in the ledger is not thrown away."""
    raise NotImplementedError("a ledger is never taken back; restore a backup instead")
