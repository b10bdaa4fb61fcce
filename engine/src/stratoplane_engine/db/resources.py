# SPDX-License-Identifier: Apache-2.0
"""Reading resources: one, locked for a change, and pages of many."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from stratoplane_engine.db.connection import Connection

_COLUMNS: Final = """
    r.id, r.organization_id, r.project_id, r.kind, r.name, r.status, r.labels, r.spec, r.observed, r.quota_usage,
    r.provider_reference, r.cluster_id, r.generation, r.observed_generation, r.detail, r.version, r.created_at,
    r.updated_at, r.deleted_at, c.name AS cluster,
    ARRAY(SELECT l.source_id FROM resource_link l WHERE l.organization_id = r.organization_id AND l.target_id = r.id
        ORDER BY l.source_id LIMIT 100) AS used_by
"""
_ONE: Final = f"""
SELECT {_COLUMNS} FROM resource r LEFT JOIN cluster c ON c.id = r.cluster_id
WHERE r.organization_id = :organization AND r.project_id = :project AND r.kind = :kind AND r.id = :id
"""
_GET: Final = text(_ONE)
_LOCK: Final = text(_ONE + " FOR UPDATE OF r")
_SORTS: Final = {
    "created_at": ("r.id", ">", "ASC"),
    "-created_at": ("r.id", "<", "DESC"),
    "name": ("r.name", ">", "ASC"),
}


def get(
    connection: Connection, organization_id: UUID, project_id: UUID, kind: str, resource_id: UUID, *, lock: bool = False
) -> Mapping[str, Any] | None:
    """Return the row of a resource, deleted ones too, None when there is none; ``lock`` keeps others off."""
    parameters = {"organization": organization_id, "project": project_id, "kind": kind, "id": resource_id}
    row = connection.execute(_LOCK if lock else _GET, parameters).one_or_none()
    return row._asdict() if row else None


def page(
    connection: Connection,
    *,
    organization_id: UUID,
    project_id: UUID,
    kind: str,
    sort: str,
    after: str | None,
    limit: int,
    status: str = "",
    name_contains: str = "",
    labels: Mapping[str, str],
    excluded: Mapping[str, str],
) -> Sequence[Mapping[str, Any]]:
    """Return up to ``limit`` rows after the sort key ``after``; the cost does not grow with the table.

    ``sort`` is ``created_at``, ``-created_at`` (ids are ordered by time) or ``name``.
    """
    column, comparison, order = _SORTS[sort]
    conditions = [
        "r.organization_id = :organization AND r.project_id = :project AND r.kind = :kind AND r.deleted_at IS NULL"
    ]
    parameters: dict[str, Any] = {
        "organization": organization_id,
        "project": project_id,
        "kind": kind,
        "limit": limit,
    }
    if after is not None:
        conditions.append(f"{column} {comparison} :after")
        parameters["after"] = after if sort == "name" else UUID(after)
    if status:
        conditions.append("r.status = :status")
        parameters["status"] = status
    if name_contains:
        conditions.append("position(:name_contains IN r.name) > 0")
        parameters["name_contains"] = name_contains
    for number, (key, value) in enumerate(labels.items()):
        conditions.append(f"r.labels ->> :label_key_{number} = :label_value_{number}")
        parameters |= {f"label_key_{number}": key, f"label_value_{number}": value}
    for number, (key, value) in enumerate(excluded.items()):
        conditions.append(f"r.labels ->> :not_key_{number} IS DISTINCT FROM :not_value_{number}")
        parameters |= {f"not_key_{number}": key, f"not_value_{number}": value}
    statement = f"""
        SELECT {_COLUMNS} FROM resource r LEFT JOIN cluster c ON c.id = r.cluster_id
        WHERE {" AND ".join(conditions)} ORDER BY {column} {order} LIMIT :limit
    """  # the parts are constants of this module; values are parameters
    return [row._asdict() for row in connection.execute(text(statement), parameters)]


_USERS: Final = text("""
SELECT r.name, r.kind FROM resource_link l
JOIN resource r ON r.organization_id = l.organization_id AND r.id = l.source_id
WHERE l.organization_id = :organization AND l.target_id = :id ORDER BY r.name LIMIT 10
""")
_QUOTA: Final = text("""
SELECT q.scope_id, q.key, q.limit_amount, q.used FROM quota q
WHERE q.organization_id = :organization AND q.scope_id = ANY(CAST(:scopes AS uuid[]))
""")
_NOW: Final = text("SELECT clock_timestamp()")


def users_of(connection: Connection, organization_id: UUID, resource_id: UUID) -> Sequence[str]:
    """Return up to ten users of a resource, as ``virtual machine web-1``."""
    rows = connection.execute(_USERS, {"organization": organization_id, "id": resource_id})
    return [f"{row.kind.replace('_', ' ')} {row.name}" for row in rows]


def quotas(connection: Connection, organization_id: UUID, scopes: Sequence[UUID]) -> Sequence[Mapping[str, Any]]:
    """Return the quota rows of the scopes (an organization's or a project's id)."""
    rows = connection.execute(_QUOTA, {"organization": organization_id, "scopes": list(scopes)})
    return [row._asdict() for row in rows]


def now(connection: Connection) -> datetime:
    """Return the database's clock."""
    moment: datetime = connection.execute(_NOW).scalar_one()
    return moment
