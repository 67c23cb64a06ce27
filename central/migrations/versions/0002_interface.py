"""Owners, expiring reservations, adjustments by two people, and indexes for stock cards and past days."""

from pathlib import Path

from central.migrations.script import execute, index_ledger

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them; the index of the ledger is built while others write."""
    execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))
    index_ledger("ledger_item", "(item, at, seq)")


def downgrade() -> None:
    """Refuse: who owns what is not thrown away."""
    raise NotImplementedError("owners are never taken back; restore a backup instead")
