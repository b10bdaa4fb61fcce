# SPDX-License-Identifier: Apache-2.0
"""Flavors and images: tenants look, operators offer."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Final, TypeVar
from uuid import UUID

from psycopg.errors import UniqueViolation

from stratoplane.audit import AuditAction
from stratoplane.errors import NameTakenError, ResourceNotFoundError
from stratoplane.ids import new_id
from stratoplane_engine.access.authorization import require
from stratoplane_engine.access.context import RequestContext
from stratoplane_engine.access.permissions import Permission
from stratoplane_engine.db import audit
from stratoplane_engine.db import catalogue as rows
from stratoplane_engine.db.connection import Connection, Database
from stratoplane_engine.model.catalogue import Flavor, FlavorDraft, FlavorPatch, Image, ImageDraft, ImagePatch
from stratoplane_engine.model.listing import Listing, Page
from stratoplane_engine.services import listings
from stratoplane_engine.services.audit_records import given_members, record
from stratoplane_engine.services.versions import check_version

_FLAVORS: Final = listings.oldest_first(Flavor)
_IMAGES: Final = listings.oldest_first(Image)
_OfferT = TypeVar("_OfferT", Flavor, Image)


def list_flavors(database: Database, page: Page) -> Listing[Flavor]:
    """Return a page of flavors, for every user. Raises InvalidSpecError: the cursor is of another list."""
    after = _FLAVORS.begin(page)
    with database.system_reads() as connection:
        found = rows.flavors(connection, after=after, limit=page.limit + 1)
    return _FLAVORS.listing(found, page)


def get_flavor(database: Database, context: RequestContext, flavor_id: UUID) -> Flavor:
    """Return one flavor, for operators. Raises ResourceNotFoundError."""
    require(context, Permission.PLATFORM_READ)
    with database.system_reads() as connection:
        return _found("flavor", flavor_id, rows.flavor(connection, flavor_id))


def create_flavor(database: Database, context: RequestContext, draft: FlavorDraft) -> Flavor:
    """Offer a flavor. Raises NameTakenError."""
    require(context, Permission.PLATFORM_WRITE)
    with _unique_name("a flavor", draft.name), database.system() as connection:
        made = rows.insert_flavor(connection, new_id(), draft)
        audit.write(connection, record(context, AuditAction.FLAVOR_CREATED, made.id, made.name, detail=asdict(draft)))
        return made


def update_flavor(database: Database, context: RequestContext, flavor_id: UUID, patch: FlavorPatch) -> Flavor:
    """Change a flavor; machines keep the size they were made with.

    Raises:
        ResourceNotFoundError, VersionMismatchError, NameTakenError.
    """
    require(context, Permission.PLATFORM_WRITE)
    with _unique_name("a flavor", str(patch.name)), database.system() as connection:
        present = _lock_flavor(connection, context, flavor_id)
        changed = rows.update_flavor(connection, flavor_id, patch)
        detail = given_members(patch)
        audit.write(connection, record(context, AuditAction.FLAVOR_UPDATED, flavor_id, present.name, detail=detail))
        return changed


def delete_flavor(database: Database, context: RequestContext, flavor_id: UUID) -> None:
    """Withdraw a flavor. Raises ResourceNotFoundError, VersionMismatchError."""
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        present = _lock_flavor(connection, context, flavor_id)
        rows.delete_flavor(connection, flavor_id)
        audit.write(connection, record(context, AuditAction.FLAVOR_DELETED, flavor_id, present.name))


def _lock_flavor(connection: Connection, context: RequestContext, flavor_id: UUID) -> Flavor:
    found = _found("flavor", flavor_id, rows.lock_flavor(connection, flavor_id))
    check_version(context, found)
    return found


def list_images(database: Database, page: Page) -> Listing[Image]:
    """Return a page of images, for every user. Raises InvalidSpecError: the cursor is of another list."""
    after = _IMAGES.begin(page)
    with database.system_reads() as connection:
        found = rows.images(connection, after=after, limit=page.limit + 1)
    return _IMAGES.listing(found, page)


def get_image(database: Database, context: RequestContext, image_id: UUID) -> Image:
    """Return one image, for operators. Raises ResourceNotFoundError."""
    require(context, Permission.PLATFORM_READ)
    with database.system_reads() as connection:
        return _found("image", image_id, rows.image(connection, image_id))


def create_image(database: Database, context: RequestContext, draft: ImageDraft) -> Image:
    """Offer an image. Raises NameTakenError."""
    require(context, Permission.PLATFORM_WRITE)
    with _unique_name("an image", draft.name), database.system() as connection:
        made = rows.insert_image(connection, new_id(), draft)
        audit.write(connection, record(context, AuditAction.IMAGE_CREATED, made.id, made.name, detail=asdict(draft)))
        return made


def update_image(database: Database, context: RequestContext, image_id: UUID, patch: ImagePatch) -> Image:
    """Change an image; what was made of it keeps what it was made with. Raises as :func:`update_flavor`."""
    require(context, Permission.PLATFORM_WRITE)
    with _unique_name("an image", str(patch.name)), database.system() as connection:
        present = _lock_image(connection, context, image_id)
        changed = rows.update_image(connection, image_id, patch)
        detail = given_members(patch)
        audit.write(connection, record(context, AuditAction.IMAGE_UPDATED, image_id, present.name, detail=detail))
        return changed


def delete_image(database: Database, context: RequestContext, image_id: UUID) -> None:
    """Withdraw an image. Raises ResourceNotFoundError, VersionMismatchError."""
    require(context, Permission.PLATFORM_WRITE)
    with database.system() as connection:
        present = _lock_image(connection, context, image_id)
        rows.delete_image(connection, image_id)
        audit.write(connection, record(context, AuditAction.IMAGE_DELETED, image_id, present.name))


def _lock_image(connection: Connection, context: RequestContext, image_id: UUID) -> Image:
    found = _found("image", image_id, rows.lock_image(connection, image_id))
    check_version(context, found)
    return found


def _found(noun: str, offer_id: UUID, offer: _OfferT | None) -> _OfferT:
    if offer is None:
        raise ResourceNotFoundError(f"there is no {noun} {offer_id}; list the {noun}s")
    return offer


@contextmanager
def _unique_name(noun: str, name: str) -> Iterator[None]:
    try:
        yield
    except UniqueViolation as error:
        raise NameTakenError(f"there is {noun} named {name!r} already; choose another name") from error
