# SPDX-License-Identifier: Apache-2.0
"""Networks of the region."""

from ipaddress import IPv4Address
from uuid import UUID

from stratoplane.errors import ConflictError, PermanentError
from stratoplane.foreign import Adoption, ForeignObject
from stratoplane.network import NetworkMode, NetworkSpec, NetworkStatus
from stratoplane_mock.addresses import first_host, parse_range
from stratoplane_mock.adoption import adopt as adopted
from stratoplane_mock.adoption import reference_of
from stratoplane_mock.ownership import Tenancy, foreign_rows, own_row, required_row, visible_row, visible_rows
from stratoplane_mock.rules import Kind
from stratoplane_mock.store import Row, Transaction


def observe(transaction: Transaction, tenancy: Tenancy, uid: UUID) -> NetworkStatus | None:
    row = visible_row(transaction, tenancy, Kind.NETWORK, uid)
    return None if row is None else _status(row)


def list_all(transaction: Transaction, tenancy: Tenancy) -> list[NetworkStatus]:
    return [_status(row) for row in visible_rows(transaction, tenancy, Kind.NETWORK)]


def list_foreign(transaction: Transaction, tenancy: Tenancy, limit: int) -> list[ForeignObject]:
    """Return networks of other installations."""
    found = [_status(row) for row in foreign_rows(transaction, tenancy, Kind.NETWORK, limit)]
    return [ForeignObject(reference=each.provider_reference, name=each.name, status=each) for each in found]


def adopt(transaction: Transaction, tenancy: Tenancy, adoption: Adoption) -> NetworkStatus:
    return _status(adopted(transaction, tenancy, Kind.NETWORK, adoption))


def create(transaction: Transaction, tenancy: Tenancy, spec: NetworkSpec) -> NetworkStatus:
    if own_row(transaction, tenancy, Kind.NETWORK, spec.uid) is None:
        _check_range(spec)
        _refuse_overlap(transaction, tenancy, spec)
        transaction.run(
            "INSERT INTO network (uid, installation, project, name, cidr, gateway, mode, active, lowest_free)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)",
            str(spec.uid),
            tenancy.installation,
            str(spec.project_id),
            spec.name,
            spec.cidr,
            spec.gateway,
            spec.mode.value,
            first_host(spec.cidr),
        )
        transaction.step()
    return update(transaction, tenancy, spec)


def update(transaction: Transaction, tenancy: Tenancy, spec: NetworkSpec) -> NetworkStatus:
    row = required_row(transaction, tenancy, Kind.NETWORK, spec.uid)
    wanted = {"cidr": spec.cidr, "gateway": spec.gateway, "mode": spec.mode.value}
    if different := [name for name, value in wanted.items() if row[name] != value]:
        raise ConflictError(f"network {spec.uid} already exists and differs in {', '.join(different)}")
    transaction.run("UPDATE network SET name = ?, active = 1 WHERE uid = ?", spec.name, str(spec.uid))
    return _status(required_row(transaction, tenancy, Kind.NETWORK, spec.uid))


def delete(transaction: Transaction, tenancy: Tenancy, uid: UUID) -> None:
    if own_row(transaction, tenancy, Kind.NETWORK, uid) is None:
        return
    users = transaction.rows("SELECT DISTINCT machine FROM card WHERE network = ? LIMIT 4", str(uid))
    if users:
        names = ", ".join(row["machine"] for row in users)
        raise ConflictError(f"network {uid} is in use by {names}", provider_text="One or more ports are in use")
    transaction.run("UPDATE network SET active = 0 WHERE uid = ?", str(uid))
    transaction.step()
    transaction.run("DELETE FROM network WHERE uid = ?", str(uid))


def _status(row: Row) -> NetworkStatus:
    return NetworkStatus(
        uid=UUID(row["uid"]),
        name=row["name"],
        cidr=row["cidr"],
        gateway=row["gateway"],
        mode=NetworkMode(row["mode"]),
        active=bool(row["active"]),
        provider_reference=reference_of(Kind.NETWORK, row),
        private={"simulated": True},
    )


def _check_range(spec: NetworkSpec) -> None:
    try:
        inside = IPv4Address(spec.gateway) in parse_range(spec.cidr)
    except ValueError as error:
        raise PermanentError(f"network {spec.uid} cannot be created", provider_text=str(error)) from error
    if not inside:
        raise PermanentError(f"the gateway {spec.gateway} is outside of {spec.cidr}")


def _refuse_overlap(transaction: Transaction, tenancy: Tenancy, spec: NetworkSpec) -> None:
    """Raise ConflictError for an overlap: networks with NAT share their project's router."""
    if spec.mode is not NetworkMode.NAT:
        return
    for row in transaction.each(
        "SELECT uid, cidr FROM network WHERE project = ? AND installation = ? AND mode = ?",
        str(spec.project_id),
        tenancy.installation,
        NetworkMode.NAT.value,
    ):
        if parse_range(row["cidr"]).overlaps(parse_range(spec.cidr)):
            raise ConflictError(
                f"{spec.cidr} overlaps with {row['cidr']} of network {row['uid']} of the same project",
                provider_text="Cidr overlaps with another subnet on the router",
            )
