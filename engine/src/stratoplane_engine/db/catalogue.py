# SPDX-License-Identifier: Apache-2.0
"""Flavors and images: what operators offer."""

from dataclasses import asdict
from typing import Final
from uuid import UUID

from stratoplane_engine.db.connection import Connection
from stratoplane_engine.db.images import lacks_image
from stratoplane_engine.db.keyset import oldest_first
from stratoplane_engine.db.statement import Statement
from stratoplane_engine.model.catalogue import Flavor, FlavorDraft, FlavorPatch, Image, ImageDraft, ImagePatch

MOST_NAMED: Final = 100
"""Clusters that are named at an image."""
_FLAVOR: Final = "t.id, t.name, t.vcpus, t.memory_mib, t.disk_gib, t.version, t.created_at, t.updated_at"
_FLAVORS: Final = f"SELECT {_FLAVOR} FROM flavor AS t"
_GET_FLAVOR: Final = Statement(f"{_FLAVORS} WHERE t.id = :id AND t.deleted_at IS NULL")
_LOCK_FLAVOR: Final = Statement(f"{_FLAVORS} WHERE t.id = :id AND t.deleted_at IS NULL FOR UPDATE")
_INSERT_FLAVOR: Final = Statement(f"""
INSERT INTO flavor AS t (id, name, vcpus, memory_mib, disk_gib) VALUES (:id, :name, :vcpus, :memory_mib, :disk_gib)
RETURNING {_FLAVOR}
""")
_UPDATE_FLAVOR: Final = Statement(f"""
UPDATE flavor AS t SET name = coalesce(:name, t.name), vcpus = coalesce(CAST(:vcpus AS integer), t.vcpus),
    memory_mib = coalesce(CAST(:memory_mib AS integer), t.memory_mib),
    disk_gib = coalesce(CAST(:disk_gib AS integer), t.disk_gib),
    version = t.version + 1, updated_at = clock_timestamp()
WHERE t.id = :id RETURNING {_FLAVOR}
""")
_DELETE_FLAVOR: Final = Statement("""
UPDATE flavor t SET deleted_at = clock_timestamp(), version = t.version + 1 WHERE t.id = :id
""")
_FLAVOR_WAS_NAMED: Final = Statement("SELECT EXISTS (SELECT FROM flavor t WHERE t.name = :name)")

_REFERENCE: Final = "jsonb_build_object('uid', t.id, 'source', t.source, 'sha256', t.sha256)"
_IMAGE: Final = f"""
    t.id, t.name, t.description, t.source, t.format, t.sha256, t.minimum_disk_gib, t.version, t.created_at,
    t.updated_at, ARRAY(
        SELECT c.name FROM cluster c WHERE c.deleted_at IS NULL AND 'compute' = ANY(c.features)
            AND NOT {lacks_image("c.id", _REFERENCE, "'compute'")} ORDER BY c.name LIMIT {MOST_NAMED}) AS clusters
"""
_IMAGES: Final = f"SELECT {_IMAGE} FROM image AS t"
_GET_IMAGE: Final = Statement(f"{_IMAGES} WHERE t.id = :id AND t.deleted_at IS NULL")
_LOCK_IMAGE: Final = Statement(f"{_IMAGES} WHERE t.id = :id AND t.deleted_at IS NULL FOR UPDATE")
_INSERT_IMAGE: Final = Statement(f"""
INSERT INTO image AS t (id, name, description, source, format, sha256, minimum_disk_gib)
VALUES (:id, :name, :description, :source, :format, :sha256, :minimum_disk_gib) RETURNING {_IMAGE}
""")
_UPDATE_IMAGE: Final = Statement(f"""
UPDATE image AS t SET name = coalesce(:name, t.name), description = coalesce(:description, t.description),
    minimum_disk_gib = coalesce(CAST(:minimum_disk_gib AS integer), t.minimum_disk_gib),
    version = t.version + 1, updated_at = clock_timestamp()
WHERE t.id = :id RETURNING {_IMAGE}
""")
_DELETE_IMAGE: Final = Statement("""
UPDATE image t SET deleted_at = clock_timestamp(), version = t.version + 1 WHERE t.id = :id
""")
_IMAGE_WAS_NAMED: Final = Statement("SELECT EXISTS (SELECT FROM image t WHERE t.name = :name)")


def flavors(connection: Connection, *, after: UUID | None, limit: int) -> list[Flavor]:
    """Return a page of flavors."""
    conditions = {"t.deleted_at IS NULL AND :value": True}
    return oldest_first(connection, Flavor, _FLAVORS, conditions, after=after, limit=limit)


def flavor(connection: Connection, flavor_id: UUID) -> Flavor | None:
    """Return one flavor, None if there is none."""
    return connection.first(Flavor, _GET_FLAVOR, {"id": flavor_id})


def lock_flavor(connection: Connection, flavor_id: UUID) -> Flavor | None:
    """Return a flavor whose row stays locked until the transaction ends, None if there is none."""
    return connection.first(Flavor, _LOCK_FLAVOR, {"id": flavor_id})


def insert_flavor(connection: Connection, flavor_id: UUID, draft: FlavorDraft) -> Flavor:
    """Add a flavor."""
    return connection.one(Flavor, _INSERT_FLAVOR, {"id": flavor_id, **asdict(draft)})


def update_flavor(connection: Connection, flavor_id: UUID, patch: FlavorPatch) -> Flavor:
    """Write the members of a flavor that are given."""
    return connection.one(Flavor, _UPDATE_FLAVOR, {"id": flavor_id, **asdict(patch)})


def delete_flavor(connection: Connection, flavor_id: UUID) -> None:
    """Withdraw a flavor; machines that were made with it keep their size."""
    connection.run(_DELETE_FLAVOR, {"id": flavor_id})


def flavor_was_named(connection: Connection, name: str) -> bool:
    """Tell whether there is a flavor of this name, or was one that an operator withdrew."""
    return bool(connection.value(bool, _FLAVOR_WAS_NAMED, {"name": name}))


def images(connection: Connection, *, after: UUID | None, limit: int) -> list[Image]:
    """Return a page of images."""
    conditions = {"t.deleted_at IS NULL AND :value": True}
    return oldest_first(connection, Image, _IMAGES, conditions, after=after, limit=limit)


def image(connection: Connection, image_id: UUID) -> Image | None:
    """Return one image, None if there is none."""
    return connection.first(Image, _GET_IMAGE, {"id": image_id})


def lock_image(connection: Connection, image_id: UUID) -> Image | None:
    """Return an image whose row stays locked until the transaction ends, None if there is none."""
    return connection.first(Image, _LOCK_IMAGE, {"id": image_id})


def insert_image(connection: Connection, image_id: UUID, draft: ImageDraft) -> Image:
    """Add an image."""
    return connection.one(Image, _INSERT_IMAGE, {"id": image_id, **asdict(draft)})


def update_image(connection: Connection, image_id: UUID, patch: ImagePatch) -> Image:
    """Write the members of an image that are given."""
    return connection.one(Image, _UPDATE_IMAGE, {"id": image_id, **asdict(patch)})


def delete_image(connection: Connection, image_id: UUID) -> None:
    """Withdraw an image; what was made of it keeps a copy of what it needs."""
    connection.run(_DELETE_IMAGE, {"id": image_id})


def image_was_named(connection: Connection, name: str) -> bool:
    """Tell whether there is an image of this name, or was one that an operator withdrew."""
    return bool(connection.value(bool, _IMAGE_WAS_NAMED, {"name": name}))
