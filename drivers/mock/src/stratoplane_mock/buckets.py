# SPDX-License-Identifier: Apache-2.0
"""Buckets of the region."""

from uuid import UUID

from stratoplane.errors import ConflictError
from stratoplane.storage import BucketSpec, BucketStatus
from stratoplane_mock.ownership import Tenancy, own_row, required_row, visible_row, visible_rows
from stratoplane_mock.rules import Kind
from stratoplane_mock.store import Row, Transaction


def observe(transaction: Transaction, tenancy: Tenancy, uid: UUID) -> BucketStatus | None:
    row = visible_row(transaction, tenancy, Kind.BUCKET, uid)
    return None if row is None else _status(row)


def list_all(transaction: Transaction, tenancy: Tenancy) -> list[BucketStatus]:
    return [_status(row) for row in visible_rows(transaction, tenancy, Kind.BUCKET)]


def create(transaction: Transaction, tenancy: Tenancy, spec: BucketSpec) -> BucketStatus:
    if own_row(transaction, tenancy, Kind.BUCKET, spec.uid) is None:
        transaction.run(
            "INSERT INTO bucket (uid, installation, project, name) VALUES (?, ?, ?, ?)",
            str(spec.uid),
            tenancy.installation,
            str(spec.project_id),
            spec.name,
        )
        transaction.step()
    return update(transaction, tenancy, spec)


def update(transaction: Transaction, tenancy: Tenancy, spec: BucketSpec) -> BucketStatus:
    required_row(transaction, tenancy, Kind.BUCKET, spec.uid)
    transaction.run("UPDATE bucket SET name = ? WHERE uid = ?", spec.name, str(spec.uid))
    return _status(required_row(transaction, tenancy, Kind.BUCKET, spec.uid))


def delete(transaction: Transaction, tenancy: Tenancy, uid: UUID) -> None:
    row = own_row(transaction, tenancy, Kind.BUCKET, uid)
    if row is None:
        return
    if row["objects"]:
        raise ConflictError(f"bucket {uid} contains {row['objects']} objects", provider_text="BucketNotEmpty")
    transaction.run("DELETE FROM bucket WHERE uid = ?", str(uid))


def _status(row: Row) -> BucketStatus:
    return BucketStatus(
        uid=UUID(row["uid"]),
        name=row["name"],
        endpoint=f"https://{row['name']}.objects.mock.invalid/{row['uid']}",
        provider_reference=f"bucket-{row['uid'][-12:]}",
        private={"simulated": True},
    )
