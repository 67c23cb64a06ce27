"""EPCIS events and captures, webhooks with their deliveries, and the ledger readable in the order of commits."""

from pathlib import Path

from central.migrations.script import execute

revision = "0010"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Lay the tables."""
    execute(Path(__file__).with_suffix(".sql").read_text())


def downgrade() -> None:
    """Refuse: what others have captured is not thrown away."""
    raise NotImplementedError("captured events are never taken back; restore a backup instead")
