# SPDX-License-Identifier: Apache-2.0
"""Machines of the region."""

from collections.abc import Sequence
from uuid import UUID

from stratoplane.compute import LARGEST_USER_DATA, MachineInterface, MachineSpec, MachineStatus
from stratoplane.errors import BusyError, ConflictError, NotFoundError, PermanentError
from stratoplane.jobs import Wait
from stratoplane.resources import PowerState
from stratoplane.texts import size_in_bytes
from stratoplane_mock import console, volumes
from stratoplane_mock.addresses import plug
from stratoplane_mock.hosts import claim_host, claim_storage, release_host
from stratoplane_mock.machine_table import power_of, remove, status_of
from stratoplane_mock.ownership import Tenancy, own_row, project_row, required_row
from stratoplane_mock.rules import Kind
from stratoplane_mock.store import Row, Transaction


def create(transaction: Transaction, tenancy: Tenancy, spec: MachineSpec) -> MachineStatus | Wait:
    row = own_row(transaction, tenancy, Kind.MACHINE, spec.uid)
    if row is None:
        _check_sources(tenancy, spec)
        _check_parts(transaction, tenancy, spec)
        _insert(transaction, tenancy, spec)
        transaction.step()
    elif row["delete_at"] is not None:
        raise BusyError(f"machine {spec.uid} is being deleted")
    else:
        _refuse_other_shape(transaction, row, spec)
    if row is None or not row["complete"]:
        _plug_cards(transaction, tenancy, spec)
        volumes.check_free(transaction, tenancy, spec.uid, spec.project_id, spec.volume_uids)
        volumes.attach(transaction, str(spec.uid), spec.volume_uids)
        transaction.run("UPDATE machine SET complete = 1 WHERE uid = ?", str(spec.uid))
        if row is None:
            return _answer(transaction, tenancy, spec.uid)
    return _converge(transaction, tenancy, spec)


def update(transaction: Transaction, tenancy: Tenancy, spec: MachineSpec) -> MachineStatus | Wait:
    _require_whole(transaction, tenancy, spec.uid)
    return _converge(transaction, tenancy, spec)


def resize(transaction: Transaction, tenancy: Tenancy, spec: MachineSpec) -> MachineStatus | Wait:
    row = _require_whole(transaction, tenancy, spec.uid)
    root_gib = _root_gib(spec)
    if root_gib < row["root_gib"]:
        raise ConflictError(
            f"the root disk of {spec.uid} has {row['root_gib']} GiB and cannot shrink to {root_gib} GiB"
        )
    if (row["vcpus"], row["memory_mib"], row["root_gib"]) == (spec.vcpus, spec.memory_mib, root_gib):
        return _converge(transaction, tenancy, spec)
    release_host(transaction, row["host"], row["vcpus"], row["memory_mib"])
    host = claim_host(transaction, spec.vcpus, spec.memory_mib, preferred=row["host"])
    claim_storage(transaction, root_gib - row["root_gib"])
    transaction.run(
        "UPDATE machine SET vcpus = ?, memory_mib = ?, root_gib = ?, host = ? WHERE uid = ?",
        spec.vcpus,
        spec.memory_mib,
        root_gib,
        host,
        str(spec.uid),
    )
    if power_of(row, transaction.now) is PowerState.RUNNING:
        console.note(transaction, row, console.Event.STOP, console.Event.BOOT)
    transaction.step()
    return _converge(transaction, tenancy, spec)


def reboot(transaction: Transaction, tenancy: Tenancy, uid: UUID) -> None:
    row = _require_whole(transaction, tenancy, uid)
    if power_of(row, transaction.now) is not PowerState.RUNNING:
        raise ConflictError(
            f"machine {uid} is stopped", provider_text="Cannot 'reboot' while it is in power state shutoff"
        )
    console.note(transaction, row, console.Event.REBOOT, console.Event.BOOT)


def delete(transaction: Transaction, tenancy: Tenancy, uid: UUID) -> Wait | None:
    row = own_row(transaction, tenancy, Kind.MACHINE, uid)
    if row is None:
        return None
    seconds = tenancy.settings.delete_seconds
    if seconds:
        due = row["delete_at"] or transaction.now + seconds
        transaction.run("UPDATE machine SET delete_at = ? WHERE uid = ?", due, str(uid))
        return Wait(seconds=due - transaction.now, reason="the region deletes the machine")
    transaction.run("UPDATE volume SET machine = NULL, position = NULL WHERE machine = ?", str(uid))
    transaction.step()
    remove(transaction, row)
    return None


def _check_sources(tenancy: Tenancy, spec: MachineSpec) -> None:
    volumes.require_image(tenancy, spec.image)
    if spec.image is None and not spec.volume_uids:
        raise PermanentError(f"machine {spec.uid} has nothing to boot from: neither an image nor a volume")
    if size_in_bytes(spec.user_data) > LARGEST_USER_DATA:
        raise PermanentError(f"the user data of machine {spec.uid} is larger than {LARGEST_USER_DATA} bytes")


def _check_parts(transaction: Transaction, tenancy: Tenancy, spec: MachineSpec) -> None:
    for interface in spec.interfaces:
        network = project_row(transaction, tenancy, Kind.NETWORK, interface.network_uid, spec.project_id)
        if not network["active"]:
            raise ConflictError(f"network {interface.network_uid} is turned off")
    volumes.check_free(transaction, tenancy, spec.uid, spec.project_id, spec.volume_uids)


def _insert(transaction: Transaction, tenancy: Tenancy, spec: MachineSpec) -> None:
    host = claim_host(transaction, spec.vcpus, spec.memory_mib)
    claim_storage(transaction, _root_gib(spec))
    ready_at = transaction.now + tenancy.settings.machine_seconds
    runs = spec.power is PowerState.RUNNING
    transaction.run(
        "INSERT INTO machine (uid, installation, project, name, vcpus, memory_mib, root_gib, image, ssh_keys, host,"
        " power, power_at, ready_at, started_at, console) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        str(spec.uid),
        tenancy.installation,
        str(spec.project_id),
        spec.name,
        spec.vcpus,
        spec.memory_mib,
        _root_gib(spec),
        "" if spec.image is None else str(spec.image.uid),
        len(spec.ssh_keys),
        host,
        spec.power.value,
        ready_at,
        ready_at,
        ready_at if runs else None,
        console.first(ready_at) if runs else "[]",
    )


def _plug_cards(transaction: Transaction, tenancy: Tenancy, spec: MachineSpec) -> None:
    present = {
        row["position"] for row in transaction.rows("SELECT position FROM card WHERE machine = ?", str(spec.uid))
    }
    for position, interface in enumerate(spec.interfaces):
        if position not in present:
            network = project_row(transaction, tenancy, Kind.NETWORK, interface.network_uid, spec.project_id)
            plug(transaction, str(spec.uid), position, network, interface.mac.lower())
            transaction.step()


def _refuse_other_shape(transaction: Transaction, row: Row, spec: MachineSpec) -> None:
    """Raise ConflictError if the machine differs from ``spec`` in what cannot be changed."""
    cards = transaction.rows("SELECT network, mac FROM card WHERE machine = ? ORDER BY position", row["uid"])
    pairs = {
        "vcpus": (row["vcpus"], spec.vcpus),
        "memory_mib": (row["memory_mib"], spec.memory_mib),
        "root_gib": (row["root_gib"], _root_gib(spec)),
        "image": (row["image"], "" if spec.image is None else str(spec.image.uid)),
        "interfaces": _comparable(cards, spec.interfaces, complete=bool(row["complete"])),
    }
    if different := [name for name, (present, wanted) in pairs.items() if present != wanted]:
        raise ConflictError(f"machine {spec.uid} already exists and differs in {', '.join(different)}")


def _comparable(
    cards: Sequence[Row], interfaces: Sequence[MachineInterface], *, complete: bool
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the present and the wanted cards; of an incomplete machine, only as many as it has."""
    wanted = [(str(interface.network_uid), interface.mac.lower()) for interface in interfaces]
    return [(card["network"], card["mac"]) for card in cards], wanted if complete else wanted[: len(cards)]


def _require_whole(transaction: Transaction, tenancy: Tenancy, uid: UUID) -> Row:
    row = required_row(transaction, tenancy, Kind.MACHINE, uid)
    if not row["complete"]:
        raise NotFoundError(f"machine {uid} is incomplete; create it again")
    if row["delete_at"] is not None or row["ready_at"] > transaction.now:
        raise BusyError(f"machine {uid} is being {'deleted' if row['delete_at'] else 'built'}")
    return row


def _converge(transaction: Transaction, tenancy: Tenancy, spec: MachineSpec) -> MachineStatus | Wait:
    """Bring name, volumes and power of a machine that exists to ``spec``."""
    row = required_row(transaction, tenancy, Kind.MACHINE, spec.uid)
    if row["name"] != spec.name:
        transaction.run("UPDATE machine SET name = ? WHERE uid = ?", spec.name, str(spec.uid))
        transaction.step()
    _converge_volumes(transaction, tenancy, row, spec)
    if row["power"] != spec.power.value:
        _switch(transaction, tenancy, row, spec.power)
        transaction.step()
    return _answer(transaction, tenancy, spec.uid)


def _converge_volumes(transaction: Transaction, tenancy: Tenancy, row: Row, spec: MachineSpec) -> None:
    present = volumes.attached(transaction, row["uid"])
    if present == [str(uid) for uid in spec.volume_uids]:
        return
    boots_from_volume = not row["image"] and present
    if boots_from_volume and (not spec.volume_uids or str(spec.volume_uids[0]) != present[0]):
        raise ConflictError(f"machine {spec.uid} boots from volume {present[0]}, which cannot be detached")
    volumes.check_free(transaction, tenancy, spec.uid, spec.project_id, spec.volume_uids)
    volumes.attach(transaction, row["uid"], spec.volume_uids)


def _switch(transaction: Transaction, tenancy: Tenancy, row: Row, power: PowerState) -> None:
    now = transaction.now
    stops = power is PowerState.STOPPED
    takes = tenancy.settings.shutdown_seconds if stops and power_of(row, now) is PowerState.RUNNING else 0.0
    ran = max(0.0, now - row["started_at"]) if stops and row["started_at"] is not None else 0.0
    transaction.run(
        "UPDATE machine SET power = ?, power_at = ?, started_at = ?, ran_seconds = ran_seconds + ? WHERE uid = ?",
        power.value,
        now + takes,
        None if stops else now,
        ran,
        row["uid"],
    )
    console.note(transaction, row, console.Event.STOP if stops else console.Event.BOOT)


def _answer(transaction: Transaction, tenancy: Tenancy, uid: UUID) -> MachineStatus | Wait:
    row = required_row(transaction, tenancy, Kind.MACHINE, uid)
    if row["ready_at"] > transaction.now:
        return Wait(seconds=row["ready_at"] - transaction.now, reason="the region builds the machine")
    if row["power_at"] > transaction.now:
        return Wait(seconds=row["power_at"] - transaction.now, reason="the guest shuts down")
    return status_of(transaction, row)


def _root_gib(spec: MachineSpec) -> int:
    return 0 if spec.image is None else spec.root_gib
