# SPDX-License-Identifier: Apache-2.0
"""Volumes of the region."""

from collections.abc import Sequence
from uuid import UUID

from stratoplane.compute import ImageReference
from stratoplane.drivers import AvailableImage
from stratoplane.errors import ConflictError, NotFoundError
from stratoplane.foreign import Adoption, ForeignObject
from stratoplane.storage import VolumeSpec, VolumeStatus
from stratoplane_mock.adoption import adopt as adopted
from stratoplane_mock.adoption import reference_of
from stratoplane_mock.hosts import claim_storage
from stratoplane_mock.ownership import (
    Tenancy,
    foreign_rows,
    own_row,
    project_row,
    required_row,
    visible_row,
    visible_rows,
)
from stratoplane_mock.rules import Kind
from stratoplane_mock.store import Row, Transaction


def observe(transaction: Transaction, tenancy: Tenancy, uid: UUID) -> VolumeStatus | None:
    row = visible_row(transaction, tenancy, Kind.VOLUME, uid)
    return None if row is None else _status(row)


def list_all(transaction: Transaction, tenancy: Tenancy) -> list[VolumeStatus]:
    return [_status(row) for row in visible_rows(transaction, tenancy, Kind.VOLUME)]


def list_foreign(transaction: Transaction, tenancy: Tenancy, limit: int) -> list[ForeignObject]:
    """Return volumes of other installations."""
    found = [_status(row) for row in foreign_rows(transaction, tenancy, Kind.VOLUME, limit)]
    return [ForeignObject(reference=each.provider_reference, name=each.name, status=each) for each in found]


def adopt(transaction: Transaction, tenancy: Tenancy, adoption: Adoption) -> VolumeStatus:
    return _status(adopted(transaction, tenancy, Kind.VOLUME, adoption))


def create(transaction: Transaction, tenancy: Tenancy, spec: VolumeSpec) -> VolumeStatus:
    row = own_row(transaction, tenancy, Kind.VOLUME, spec.uid)
    image = "" if spec.image is None else str(spec.image.uid)
    if row is None:
        require_image(tenancy, spec.image)
        claim_storage(transaction, spec.size_gib)
        transaction.run(
            "INSERT INTO volume (uid, installation, project, name, size_gib, image) VALUES (?, ?, ?, ?, ?, ?)",
            str(spec.uid),
            tenancy.installation,
            str(spec.project_id),
            spec.name,
            spec.size_gib,
            image,
        )
        transaction.step()
    elif (row["size_gib"], row["image"]) != (spec.size_gib, image):
        raise ConflictError(f"volume {spec.uid} exists with {row['size_gib']} GiB or another image")
    return update(transaction, tenancy, spec)


def update(transaction: Transaction, tenancy: Tenancy, spec: VolumeSpec) -> VolumeStatus:
    row = required_row(transaction, tenancy, Kind.VOLUME, spec.uid)
    if spec.size_gib < row["size_gib"]:
        raise ConflictError(f"volume {spec.uid} has {row['size_gib']} GiB and cannot shrink to {spec.size_gib} GiB")
    claim_storage(transaction, spec.size_gib - row["size_gib"])
    transaction.run("UPDATE volume SET name = ?, size_gib = ? WHERE uid = ?", spec.name, spec.size_gib, str(spec.uid))
    return _status(required_row(transaction, tenancy, Kind.VOLUME, spec.uid))


def delete(transaction: Transaction, tenancy: Tenancy, uid: UUID) -> None:
    row = own_row(transaction, tenancy, Kind.VOLUME, uid)
    if row is None:
        return
    if row["machine"] is not None:
        raise ConflictError(f"volume {uid} is in use by machine {row['machine']}", provider_text="volume is in-use")
    claim_storage(transaction, -row["size_gib"])
    transaction.run("DELETE FROM volume WHERE uid = ?", str(uid))


def list_images(_transaction: Transaction, tenancy: Tenancy, limit: int) -> list[AvailableImage] | None:
    """Return the images of the region, None when every image exists."""
    known = tenancy.settings.images
    return [AvailableImage(source=source) for source in known[:limit]] if known else None


def require_image(tenancy: Tenancy, image: ImageReference | None) -> None:
    """Raise NotFoundError unless the region has the image."""
    known = tenancy.settings.images
    if image is not None and known and image.source not in known:
        raise NotFoundError(f"image {image.source!r} does not exist in the region; it has {', '.join(known)}")


def attached(transaction: Transaction, machine: str) -> list[str]:
    """Return the ids of a machine's volumes in the guest's order."""
    return [
        row["uid"] for row in transaction.rows("SELECT uid FROM volume WHERE machine = ? ORDER BY position", machine)
    ]


def check_free(
    transaction: Transaction, tenancy: Tenancy, machine: UUID, project_id: UUID, wanted: Sequence[UUID]
) -> None:
    """Check that the machine may have every volume.

    Raises:
        NotFoundError: a volume is absent or another project's.
        ConflictError: another machine has it.
    """
    for uid in wanted:
        row = project_row(transaction, tenancy, Kind.VOLUME, uid, project_id)
        if row["machine"] not in (None, str(machine)):
            raise ConflictError(f"volume {uid} is in use by machine {row['machine']}", provider_text="volume is in-use")


def attach(transaction: Transaction, machine: str, wanted: Sequence[UUID]) -> None:
    """Bring a machine's volumes to ``wanted``, which :func:`check_free` has approved."""
    present, desired = attached(transaction, machine), [str(uid) for uid in wanted]
    if present == desired:
        return
    for uid in set(present) - set(desired):
        transaction.run("UPDATE volume SET machine = NULL, position = NULL WHERE uid = ?", uid)
        transaction.step()
    for position, uid in enumerate(desired):
        transaction.run("UPDATE volume SET machine = ?, position = ? WHERE uid = ?", machine, position, uid)
        transaction.step()


def _status(row: Row) -> VolumeStatus:
    return VolumeStatus(
        uid=UUID(row["uid"]),
        name=row["name"],
        size_gib=row["size_gib"],
        provider_reference=reference_of(Kind.VOLUME, row),
        private={"simulated": True},
    )
