"""EPCIS events and captures, webhooks with their deliveries, and the ledger readable in the order of commits."""

from pathlib import Path

from central.migrations.script import execute, index_ledger

revision = "0010"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Lay the tables; the ledger's indexes are built while others write."""
    execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))
    index_ledger("ledger_tx", "(tx, seq)")
    index_ledger("ledger_seq", "(seq)")
    index_ledger("ledger_reverses", "(reverses) WHERE reverses IS NOT NULL")


def downgrade() -> None:
    """Refuse: what others have captured is not thrown away."""
    raise NotImplementedError("captured events are never taken back; restore a backup instead")
