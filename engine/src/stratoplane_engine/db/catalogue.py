# SPDX-License-Identifier: Apache-2.0
"""Flavors and images: what operators offer."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from stratoplane_engine.db.connection import Connection
from stratoplane_engine.db.keyset import rows_after


class Offer(StrEnum):
    """A sort of catalogue entry; the value is its table."""

    FLAVOR = "flavor"
    IMAGE = "image"


_MEMBERS: Final = {
    Offer.FLAVOR: ("name", "vcpus", "memory_mib", "disk_gib"),
    Offer.IMAGE: ("name", "description", "source", "format", "sha256", "minimum_disk_gib"),
}


def _select(offer: Offer) -> str:
    members = ", ".join(f"t.{name}" for name in _MEMBERS[offer])
    return f"SELECT t.id, {members}, t.version, t.created_at, t.updated_at FROM {offer.value} AS t"


def page(connection: Connection, offer: Offer, *, after: str | None, limit: int) -> Sequence[dict[str, Any]]:
    """Return a page of what is offered."""
    return rows_after(connection, _select(offer), {"t.deleted_at IS NULL AND :value": True}, after=after, limit=limit)


def get(connection: Connection, offer: Offer, identifier: UUID, *, lock: bool = False) -> dict[str, Any] | None:
    """Return one entry, None if there is none."""
    statement = f"{_select(offer)} WHERE t.id = :id AND t.deleted_at IS NULL{' FOR UPDATE' if lock else ''}"
    row = connection.execute(text(statement), {"id": identifier}).one_or_none()
    return row._asdict() if row else None


def insert(connection: Connection, offer: Offer, values: Mapping[str, Any]) -> None:
    """Add an entry."""
    names = ("id", *_MEMBERS[offer])
    columns, parameters = ", ".join(names), ", ".join(f":{name}" for name in names)
    connection.execute(text(f"INSERT INTO {offer.value} ({columns}) VALUES ({parameters})"), dict(values))


def was_ever_named(connection: Connection, offer: Offer, name: str) -> bool:
    """Tell whether there is an entry of this name, or was one that an operator took away."""
    statement = f"SELECT EXISTS (SELECT FROM {offer.value} t WHERE t.name = :name)"
    return bool(connection.execute(text(statement), {"name": name}).scalar_one())


def update(connection: Connection, offer: Offer, values: Mapping[str, Any]) -> None:
    """Write every member of an entry."""
    members = ", ".join(f"{name} = :{name}" for name in _MEMBERS[offer])
    statement = (
        f"UPDATE {offer.value} SET {members}, version = version + 1, updated_at = clock_timestamp() WHERE id = :id"
    )
    connection.execute(text(statement), dict(values))


def delete(connection: Connection, offer: Offer, identifier: UUID) -> None:
    """Take an entry from the catalogue; what was made of it keeps a copy of what it needs."""
    statement = f"UPDATE {offer.value} SET deleted_at = clock_timestamp(), version = version + 1 WHERE id = :id"
    connection.execute(text(statement), {"id": identifier})
