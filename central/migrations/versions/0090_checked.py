"""Check the rows that were there before a rule of 0060, in a step of its own that holds up nobody who writes."""

from central.migrations.script import execute, never_taken_back

revision = "0090"
down_revision = "0080"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Look at every order line once."""
    execute("ALTER TABLE order_line VALIDATE CONSTRAINT order_line_returned")


downgrade = never_taken_back
