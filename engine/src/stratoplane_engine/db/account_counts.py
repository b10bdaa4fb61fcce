# SPDX-License-Identifier: Apache-2.0
"""How many projects, users, role bindings and tokens there are, for limits that are counted and not kept in quotas."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from stratoplane_engine.db.connection import Connection
from stratoplane_engine.db.statement import Statement


class Counted(StrEnum):
    """What is counted, for each organization or, tokens and sessions, for each user."""

    PROJECTS = "projects"
    USERS = "users"
    ROLE_BINDINGS = "role_bindings"
    TOKENS = "tokens"
    SESSIONS = "sessions"


_LIVE: Final = """
t.user_id = :owner AND t.kind = '{}' AND t.revoked_at IS NULL
    AND coalesce(t.expires_at > clock_timestamp(), true)
"""
_ROWS: Final[Mapping[Counted, str]] = MappingProxyType(
    {
        Counted.PROJECTS: "project t WHERE t.organization_id = :owner AND t.deleted_at IS NULL",
        Counted.USERS: "user_account t WHERE t.organization_id = :owner AND t.deleted_at IS NULL",
        Counted.ROLE_BINDINGS: "role_binding t WHERE t.organization_id = :owner",
        Counted.TOKENS: f"api_token t WHERE {_LIVE.format('api')}",
        Counted.SESSIONS: f"api_token t WHERE {_LIVE.format('session')}",
    }
)
# No more is counted than matters.
_COUNTS: Final = MappingProxyType(
    {
        counted: Statement(f"SELECT count(*) FROM (SELECT FROM {rows} LIMIT :most) AS counted")
        for counted, rows in _ROWS.items()
    }
)
# Requests side by side would each find the last place free: those of one owner go one after the other.
_LOCK: Final = Statement("""
SELECT pg_advisory_xact_lock(hashtextextended(CAST(:counted AS text) || ' ' || CAST(:owner AS text), 0))
""")
_END_OLDEST: Final = Statement(f"""
UPDATE api_token k SET revoked_at = clock_timestamp() WHERE k.id IN (
    SELECT t.id FROM {_ROWS[Counted.SESSIONS]} ORDER BY t.created_at DESC, t.id DESC OFFSET :keep)
""")


def count(connection: Connection, counted: Counted, owner: UUID, *, most: int) -> int:
    """Return how many an owner has, ``most`` at most; who adds one counts alone until the transaction ends."""
    connection.defer(_LOCK, {"counted": counted, "owner": owner})
    return int(connection.value(int, _COUNTS[counted], {"owner": owner, "most": most}) or 0)


def end_oldest_sessions(connection: Connection, user_id: UUID, *, keep: int) -> None:
    """Revoke all but the newest sessions of a user."""
    connection.run(_END_OLDEST, {"owner": user_id, "keep": keep})
