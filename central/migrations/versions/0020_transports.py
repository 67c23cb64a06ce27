"""Transports and their history."""

from pathlib import Path

from central.migrations.script import execute

revision = "0020"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Lay the tables."""
    execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))


def downgrade() -> None:
    """Refuse: what was ordered is not thrown away."""
    raise NotImplementedError("transports are never taken back; restore a backup instead")
