# SPDX-License-Identifier: Apache-2.0
"""Alembic's entry: runs revisions on the connection that :mod:`stratoplane_engine.db.migrate` hands over."""

from alembic import context

from stratoplane_engine.db.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
