"""Alembic's entry: runs on the connection that `central.migrate` hands over."""

from alembic import context

# each in a transaction of its own: who writes meanwhile waits for one at most
context.configure(
    connection=context.config.attributes["connection"], target_metadata=None, transaction_per_migration=True
)
with context.begin_transaction():
    context.run_migrations()
