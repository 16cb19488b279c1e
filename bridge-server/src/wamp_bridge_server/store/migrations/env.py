"""What Alembic executes for each command, on the connection that it was handed.

Run from `wamp_bridge_server.store.migrate`, which owns the connection and its transaction.
"""

from __future__ import annotations

from alembic import context

from wamp_bridge_server.store.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
context.run_migrations()
