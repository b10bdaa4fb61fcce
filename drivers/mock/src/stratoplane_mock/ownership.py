# SPDX-License-Identifier: Apache-2.0
"""Ownership: every object carries the installation that created it, and others leave it alone."""

from dataclasses import dataclass
from uuid import UUID

from stratoplane.errors import ConflictError, NotFoundError
from stratoplane_mock.rules import Kind
from stratoplane_mock.settings import MockSettings
from stratoplane_mock.store import Row, Transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenancy:
    """On whose behalf a call is made: the installation's id as text, and the region's settings."""

    installation: str
    settings: MockSettings


def own_row(transaction: Transaction, tenancy: Tenancy, kind: Kind, uid: UUID) -> Row | None:
    """Return the row of our object, None if it does not exist.

    Raises:
        ConflictError: the object belongs to another installation.
    """
    row = transaction.row(f"SELECT * FROM {kind} WHERE uid = ?", str(uid))  # noqa: S608  # a member of Kind
    if row is not None and row["installation"] != tenancy.installation:
        raise ConflictError(f"the {kind} {uid} belongs to another installation and is left alone")
    return row


def visible_row(transaction: Transaction, tenancy: Tenancy, kind: Kind, uid: UUID) -> Row | None:
    """Return the row of our object if it is visible, None if it is absent, hidden or foreign."""
    return transaction.row(
        f"SELECT * FROM {kind} WHERE uid = ? AND installation = ? AND hidden_until <= ?",  # noqa: S608
        str(uid),
        tenancy.installation,
        transaction.now,
    )


def visible_rows(transaction: Transaction, tenancy: Tenancy, kind: Kind) -> list[Row]:
    """Return the rows of all our visible objects, ordered by uid."""
    return transaction.rows(
        f"SELECT * FROM {kind} WHERE installation = ? AND hidden_until <= ? ORDER BY uid",  # noqa: S608
        tenancy.installation,
        transaction.now,
    )


def foreign_rows(transaction: Transaction, tenancy: Tenancy, kind: Kind, limit: int) -> list[Row]:
    """Return the rows of up to ``limit`` objects of other installations, ordered by uid."""
    return transaction.rows(
        f"SELECT * FROM {kind} WHERE installation <> ? AND hidden_until <= ? ORDER BY uid LIMIT ?",  # noqa: S608
        tenancy.installation,
        transaction.now,
        limit,
    )


def required_row(transaction: Transaction, tenancy: Tenancy, kind: Kind, uid: UUID) -> Row:
    """Return the row of our object. Raises NotFoundError if it does not exist, else as :func:`own_row`."""
    row = own_row(transaction, tenancy, kind, uid)
    if row is None:
        raise NotFoundError(f"{kind} {uid} does not exist")
    return row


def project_row(transaction: Transaction, tenancy: Tenancy, kind: Kind, uid: UUID, project_id: UUID) -> Row:
    """Return the row of an object that another one uses; both must belong to one project, as at real providers.

    Raises:
        NotFoundError: it is absent, foreign, or another project's.
    """
    row = transaction.row(f"SELECT * FROM {kind} WHERE uid = ?", str(uid))  # noqa: S608
    if row is None or (row["installation"], row["project"]) != (tenancy.installation, str(project_id)):
        raise NotFoundError(f"{kind} {uid} does not exist in project {project_id}")
    return row
