# SPDX-License-Identifier: Apache-2.0
"""A machine's disks: created with it, attached and detached while it exists, removed with it."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

import libvirt

from stratoplane.compute import MachineSpec
from stratoplane.errors import ConflictError, PermanentError
from stratoplane.jobs import Wait
from stratoplane_libvirt import names
from stratoplane_libvirt.domain_xml import ROOT_TARGET, DomainRecord, build_volume_disk, free_target, read_domain
from stratoplane_libvirt.domains import all_records, change_flags
from stratoplane_libvirt.pool import Pool
from stratoplane_libvirt.seed import build_seed
from stratoplane_libvirt.volume_xml import Backing
from stratoplane_libvirt.xml_document import render

GIB: Final = 1024**3


class MachineDisks:
    """The disks of this installation's machines in one pool."""

    def __init__(self, pool: Pool, console: Pool, installation_id: UUID) -> None:
        self._pool = pool
        self._console = console
        self._installation_id = installation_id

    def require_volumes(self, host: Any, machine_uid: UUID, uids: Iterable[UUID]) -> None:
        """Make sure that a machine can have these volumes.

        Raises:
            NotFoundError: one does not exist.
            ConflictError: another machine, running or not, has one already.
        """
        wanted = {names.volume_name(self._installation_id, uid): uid for uid in uids}
        for name, uid in wanted.items():
            self._pool.require(name, f"the volume {uid}")
        for _, record in all_records(host) if wanted else ():
            taken = [wanted[disk.volume] for disk in record.disks if disk.volume in wanted]
            if taken and record.uid != machine_uid:
                raise ConflictError(f"the volume {taken[0]} is in use by {record.name}")

    def make(self, spec: MachineSpec, image: Backing | None) -> None:
        """Create root disk and seed from scratch: an interrupted attempt may have left parts of them."""
        if image is not None:
            root = names.root_disk_name(self._installation_id, spec.uid)
            self._pool.delete(root)
            self._pool.create_qcow2(root, spec.root_gib * GIB, image)
        self._pool.replace_with_bytes(names.seed_name(self._installation_id, spec.uid), build_seed(spec))

    def remove(self, uid: UUID) -> None:
        """Remove everything that was created for the machine alone."""
        self._pool.delete(names.root_disk_name(self._installation_id, uid))
        self._pool.delete(names.seed_name(self._installation_id, uid))
        remove_console(self._console, uid)

    def plug(self, host: Any, domain: Any, record: DomainRecord, wanted: tuple[UUID, ...]) -> Wait | None:
        """Bring the attached volumes to ``wanted``; Wait while a guest still uses one.

        Raises:
            ConflictError: the boot disk would have to be detached, or another machine has one of the volumes.
            NotFoundError: one of them does not exist.
        """
        present = record.volumes(self._installation_id)
        for uid, disk in present.items():
            if uid not in wanted and disk.target == ROOT_TARGET:
                raise ConflictError(f"the volume {uid} is the boot disk of machine {record.uid} and cannot be detached")
        self.require_volumes(host, record.uid, set(wanted) - present.keys())
        for uid in wanted:
            self._plug_in(domain, uid)
        for uid in present.keys() - set(wanted):
            self._pull_out(domain, uid)
        left = read_domain(domain.XMLDesc(0)).volumes(self._installation_id).keys() - set(wanted)
        return Wait(seconds=1.0, reason="the guest is releasing a volume") if left else None

    def root_matches(self, spec: MachineSpec) -> bool:
        """Tell whether the root disk has the wanted size; a boot volume is not checked."""
        return spec.image is None or self._root_size(spec.uid) == spec.root_gib * GIB

    def refuse_shrinking(self, spec: MachineSpec) -> None:
        """Raise ConflictError if the root disk would have to become smaller."""
        if spec.image is not None and (size := self._root_size(spec.uid)) > spec.root_gib * GIB:
            raise ConflictError(f"the root disk has {size // GIB} GiB and cannot shrink to {spec.root_gib} GiB")

    def grow_root(self, spec: MachineSpec) -> None:
        """Bring the root disk of a stopped machine to the wanted size."""
        if not self.root_matches(spec):
            name = names.root_disk_name(self._installation_id, spec.uid)
            self._pool.require(name, "the root disk").resize(spec.root_gib * GIB, 0)

    def _root_size(self, uid: UUID) -> int:
        return self._pool.size(names.root_disk_name(self._installation_id, uid))

    def _plug_in(self, domain: Any, uid: UUID) -> None:
        """Attach a volume to the definition and the running machine, where it is missing."""
        volume = names.volume_name(self._installation_id, uid)
        missing = 0
        used: set[str] = set()
        for scope, text in _scopes(domain):
            disks = read_domain(text).disks
            used.update(disk.target for disk in disks)
            if all(disk.volume != volume for disk in disks):
                missing |= scope
        if missing:
            disk = build_volume_disk(uid, volume, self._pool.name, free_target(used))
            domain.attachDeviceFlags(render(disk), missing)

    def _pull_out(self, domain: Any, uid: UUID) -> None:
        volume = names.volume_name(self._installation_id, uid)
        for scope, text in _scopes(domain):
            for disk in read_domain(text).disks:
                if disk.volume == volume:
                    _detach(domain, render(build_volume_disk(uid, volume, self._pool.name, disk.target)), scope)


def check_image_size(spec: MachineSpec, image: Backing) -> None:
    """Raise PermanentError if the image does not fit on the root disk."""
    if image.size_bytes > spec.root_gib * GIB:
        needed = -(-image.size_bytes // GIB)
        raise PermanentError(f"the image needs a root disk of {needed} GiB; the machine's has {spec.root_gib} GiB")


def remove_console(console: Pool, uid: UUID) -> None:
    """Remove the logs of the serial console, rotated ones included.

    The log daemon creates these files without libvirt, so the pool must be refreshed first.
    """
    console.handle.refresh(0)
    name = names.console_name(uid)
    for each in console.names():
        if each == name or each.startswith(f"{name}."):
            console.delete(each)


def _scopes(domain: Any) -> list[tuple[int, str]]:
    """Return the XML of the definition and of the live machine, if any, with the flag that changes each."""
    scopes = [(libvirt.VIR_DOMAIN_AFFECT_CONFIG, domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))]
    if change_flags(domain) & libvirt.VIR_DOMAIN_AFFECT_LIVE:
        scopes.append((libvirt.VIR_DOMAIN_AFFECT_LIVE, domain.XMLDesc(0)))
    return scopes


def _detach(domain: Any, disk: str, scope: int) -> None:
    """Request a disk's removal; a removal in progress is not an error."""
    try:
        domain.detachDeviceFlags(disk, scope)
    except libvirt.libvirtError as error:
        if "in the process of unplug" not in error.get_error_message():
            raise
