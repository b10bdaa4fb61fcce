# SPDX-License-Identifier: Apache-2.0
"""Adoption: foreign objects become ours, and foreign again."""

import json
from typing import Final
from uuid import UUID

from stratoplane.errors import ConflictError, NotFoundError
from stratoplane.foreign import Adoption
from stratoplane_mock.ownership import Tenancy, own_row, required_row
from stratoplane_mock.rules import Kind
from stratoplane_mock.store import Row, Transaction

_PREFIX: Final = {Kind.NETWORK: "net", Kind.VOLUME: "vol"}
_USED: Final = {
    Kind.NETWORK: "SELECT machine FROM card WHERE network = ? LIMIT 1",
    Kind.VOLUME: "SELECT machine FROM volume WHERE uid = ? AND machine IS NOT NULL",
}
_KEPT: Final = ("uid", "installation", "project", "name")


def reference_of(kind: Kind, row: Row) -> str:
    """Return the region's own id of an object; adoption does not change it."""
    first = json.loads(row["adopted"])["uid"] if row["adopted"] else row["uid"]
    return f"{_PREFIX[kind]}-{first[-12:]}"


def adopt(transaction: Transaction, tenancy: Tenancy, kind: Kind, adoption: Adoption) -> Row:
    """Give a foreign object our mark and return its row; raises as :meth:`stratoplane.foreign.ImportOps.adopt`."""
    ours = own_row(transaction, tenancy, kind, adoption.uid)
    if ours is not None:
        if reference_of(kind, ours) != adoption.reference:
            raise ConflictError(f"the mark {adoption.uid} is on another {kind}, {reference_of(kind, ours)}")
        return ours
    row = _foreign_row(transaction, tenancy, kind, adoption.reference)
    _refuse_used(transaction, kind, row)
    before = json.dumps({key: row[key] for key in _KEPT})
    transaction.run(
        f"UPDATE {kind} SET uid = ?, installation = ?, project = ?, name = ?, adopted = ? WHERE uid = ?",  # noqa: S608
        str(adoption.uid),
        tenancy.installation,
        str(adoption.project_id),
        adoption.name,
        before,
        row["uid"],
    )
    return required_row(transaction, tenancy, kind, adoption.uid)


def release(transaction: Transaction, tenancy: Tenancy, kind: Kind, uid: UUID) -> None:
    """Make an adopted object foreign again; raises as :meth:`stratoplane.foreign.ImportOps.release`."""
    row = own_row(transaction, tenancy, kind, uid)
    if row is None:
        return
    if not row["adopted"]:
        raise ConflictError(f"{kind} {uid} was created here, not adopted")
    _refuse_used(transaction, kind, row)
    before = json.loads(row["adopted"])
    transaction.run(
        f"UPDATE {kind} SET uid = ?, installation = ?, project = ?, name = ?, adopted = NULL WHERE uid = ?",  # noqa: S608
        *(before[key] for key in _KEPT),
        str(uid),
    )


def _foreign_row(transaction: Transaction, tenancy: Tenancy, kind: Kind, reference: str) -> Row:
    for row in transaction.each(f"SELECT * FROM {kind} WHERE installation <> ?", tenancy.installation):  # noqa: S608
        if reference_of(kind, row) == reference:
            return row
    raise NotFoundError(f"foreign {kind} {reference} does not exist")


def _refuse_used(transaction: Transaction, kind: Kind, row: Row) -> None:
    user = transaction.row(_USED[kind], row["uid"])
    if user is not None:
        raise ConflictError(f"{kind} {row['uid']} is in use by machine {user['machine']}")
