"""Care of the stock."""

from pathlib import Path

from central.migrations.script import execute

revision = "0060"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Lay the tables."""
    execute(Path(__file__).with_suffix(".sql").read_text("utf-8"))


def downgrade() -> None:
    """Refuse: what was recorded is not thrown away."""
    raise NotImplementedError("this is never taken back; restore a backup instead")
