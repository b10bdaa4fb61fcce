# SPDX-License-Identifier: Apache-2.0
"""Flavors and images: tenants look, operators offer."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from psycopg.errors import IntegrityError

from stratoplane.audit import AuditAction
from stratoplane.errors import NameTakenError, ResourceNotFoundError
from stratoplane.ids import new_id
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit
from stratoplane_engine.db import catalogue as rows
from stratoplane_engine.db.catalogue import Offer
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.kinds.wire_form import instant
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import listings
from stratoplane_engine.services.audit_records import record
from stratoplane_engine.services.versions import check_version

_ACTIONS: Final = {
    Offer.FLAVOR: (AuditAction.FLAVOR_CREATED, AuditAction.FLAVOR_UPDATED, AuditAction.FLAVOR_DELETED),
    Offer.IMAGE: (AuditAction.IMAGE_CREATED, AuditAction.IMAGE_UPDATED, AuditAction.IMAGE_DELETED),
}
_FOR_OPERATORS: Final = frozenset({"source", "sha256"})
_IMAGE_DEFAULTS: Final = {"description": "", "format": "qcow2", "sha256": "", "minimum_disk_gib": 1}
_DEFAULTS: Final[Mapping[Offer, Mapping[str, Any]]] = {Offer.FLAVOR: {}, Offer.IMAGE: _IMAGE_DEFAULTS}


def _wire(row: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: instant(row[name]) for name in ("created_at", "updated_at")}
    return {**row, "id": str(row["id"]), **times}


def _tenant_wire(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in _wire(row).items() if name not in _FOR_OPERATORS}


def list_offers(database: Database, context: RequestContext, offer: Offer, page: Page) -> Listing[Mapping[str, object]]:
    """Return a page of what tenants may choose from."""
    require(context, Permission.SELF, own=True)
    with database.system() as connection:
        found = rows.page(connection, offer, after=listings.after(page), limit=page.limit + 1)
    return listings.listing(found, page, _tenant_wire)


def list_offers_whole(
    database: Database, context: RequestContext, offer: Offer, page: Page
) -> Listing[Mapping[str, object]]:
    """Return a page of what is offered with everything that operators see."""
    require(context, Permission.PLATFORM_READ)
    with database.system() as connection:
        found = rows.page(connection, offer, after=listings.after(page), limit=page.limit + 1)
    return listings.listing(found, page, _wire)


def get_offer(database: Database, context: RequestContext, offer: Offer, identifier: UUID) -> dict[str, Any]:
    """Return one entry, for operators. Raises ResourceNotFoundError."""
    require(context, Permission.PLATFORM_READ)
    with database.system() as connection:
        return _wire(_existing(connection, offer, identifier))


def _existing(connection: Connection, offer: Offer, identifier: UUID, *, lock: bool = False) -> dict[str, Any]:
    found = rows.get(connection, offer, identifier, lock=lock)
    if found is None:
        raise ResourceNotFoundError(f"there is no {offer.value} {identifier}; list the {offer.value}s")
    return found


def create_offer(database: Database, context: RequestContext, offer: Offer, body: Mapping[str, Any]) -> dict[str, Any]:
    """Offer a flavor or an image. Raises NameTakenError."""
    require(context, Permission.PLATFORM_WRITE)
    identifier = new_id()
    try:
        with database.system() as connection:
            rows.insert(connection, offer, {**_DEFAULTS[offer], **body, "id": identifier})
            audit.write(connection, record(context, _ACTIONS[offer][0], identifier, body["name"], detail=dict(body)))
            return _wire(_existing(connection, offer, identifier))
    except IntegrityError as error:
        raise _taken(offer, str(body["name"])) from error


def _taken(offer: Offer, name: str) -> NameTakenError:
    return NameTakenError(f"there is a {offer.value} named {name!r} already; choose another name")


def update_offer(
    database: Database, context: RequestContext, offer: Offer, identifier: UUID, patch: Mapping[str, Any]
) -> dict[str, Any]:
    """Change an entry; machines keep what they were made with.

    Raises:
        ResourceNotFoundError, VersionMismatchError, NameTakenError.
    """
    require(context, Permission.PLATFORM_WRITE)
    try:
        with database.system() as connection:
            row = _existing(connection, offer, identifier, lock=True)
            check_version(context, row)
            rows.update(connection, offer, {**row, **patch})
            audit.write(connection, record(context, _ACTIONS[offer][1], identifier, row["name"], detail=dict(patch)))
            return _wire(_existing(connection, offer, identifier))
    except IntegrityError as error:
        raise _taken(offer, str(patch.get("name"))) from error


def delete_offer(database: Database, context: RequestContext, offer: Offer, identifier: UUID) -> None:
    """Take an entry from the catalogue. Raises ResourceNotFoundError, VersionMismatchError."""
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        row = _existing(connection, offer, identifier, lock=True)
        check_version(context, row)
        rows.delete(connection, offer, identifier)
        audit.write(connection, record(context, _ACTIONS[offer][2], identifier, row["name"]))
