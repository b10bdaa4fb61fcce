# SPDX-License-Identifier: Apache-2.0
"""The installation's own identity."""

from typing import Final
from uuid import UUID

from stratoplane_engine.db.connection import Connection
from stratoplane_engine.db.statement import Statement

_INSERT: Final = Statement("INSERT INTO installation (id) SELECT :id WHERE NOT EXISTS (SELECT FROM installation)")
_GET: Final = Statement("SELECT i.id FROM installation i ORDER BY i.created_at LIMIT 1")
_ORGANIZATION: Final = Statement("SELECT o.id FROM organization o WHERE o.name = :name AND o.deleted_at IS NULL")
_LOCK: Final = Statement("SELECT pg_advisory_xact_lock(:lock)")
_LITTLE_MEMORY: Final = Statement("SELECT set_config('work_mem', '64kB', true)")
# Kept rows that do not fit are written out as they come: nothing is sorted, and few wide ones cost no time.
_SPILL: Final = Statement("""
WITH kept AS MATERIALIZED (SELECT repeat('x', 8000) AS page FROM generate_series(1, 16))
SELECT count(*) FROM kept WHERE page IS NOT NULL
""")
# Refused by a server that only reads, though there is nothing that it would lock.
_LOCK_NOTHING: Final = Statement("SELECT FROM outbox o WHERE false FOR UPDATE")
_BOOTSTRAP: Final = 0x5354_5242


def lock(connection: Connection) -> None:
    """Let one bootstrap at a time go on."""
    connection.run(_LOCK, {"lock": _BOOTSTRAP})


def ensure(connection: Connection, installation_id: UUID) -> UUID:
    """Give the installation an id unless it has one; return the one it has."""
    connection.run(_INSERT, {"id": installation_id})
    return connection.value(UUID, _GET) or installation_id


def organization_by_name(connection: Connection, name: str) -> UUID | None:
    """Return the id of the organization of a name, None if there is none."""
    return connection.value(UUID, _ORGANIZATION, {"name": name})


def check_writes(connection: Connection) -> None:
    """Have the database lock a row that is not there, and write 128 KiB: rows that do not fit its memory.

    A row would show nothing of its room: it may still fit a page that exists. This leaves nothing behind.
    """
    connection.defer(_LOCK_NOTHING)
    connection.defer(_LITTLE_MEMORY)
    connection.run(_SPILL)
