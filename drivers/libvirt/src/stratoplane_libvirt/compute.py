# SPDX-License-Identifier: Apache-2.0
"""Virtual machines on libvirt.

A machine is a domain whose UUID is our uid. It is defined before its disks are created, so that everything that an
interrupted call leaves behind can be found from the definition. Its mark becomes complete when all parts exist, and
only then the machine can be observed.
"""

import dataclasses
import logging
import threading
from collections.abc import Iterable
from typing import Any, ClassVar, Final
from uuid import UUID

import libvirt

from stratoplane.compute import ComputeDriver, ConsoleOps, ImageOps, MachineSpec, MachineStatus, RebootOps, ResizeOps
from stratoplane.drivers import AvailableImage, Capacity, DriverContext, UsageSample
from stratoplane.errors import ConflictError, DriverError, NotFoundError, PermanentError
from stratoplane.foreign import ForeignObject, ForeignOps
from stratoplane.jobs import Wait
from stratoplane.resources import PowerState
from stratoplane_libvirt import names, power
from stratoplane_libvirt.addresses import AddressBook
from stratoplane_libvirt.connection import Connection, tolerating
from stratoplane_libvirt.domain_xml import DomainRecord, GuestHardware, build_domain, read_domain, with_size
from stratoplane_libvirt.domains import all_records, find_domain, own_mark, save_mark, save_title
from stratoplane_libvirt.foreign import in_order
from stratoplane_libvirt.hardware import choose_hardware, offered_capacity, refuse_too_large
from stratoplane_libvirt.images import ImageLibrary
from stratoplane_libvirt.locks import ObjectLocks
from stratoplane_libvirt.machine_disks import MachineDisks, check_image_size
from stratoplane_libvirt.machine_status import StatusReader, read_usage
from stratoplane_libvirt.marks import Mark
from stratoplane_libvirt.networks import find_network, require_network
from stratoplane_libvirt.pool import Pool, open_own_pool, open_pool
from stratoplane_libvirt.settings import LibvirtSettings
from stratoplane_libvirt.volume_xml import Backing
from stratoplane_libvirt.xml_document import clean, render

_log = logging.getLogger(__name__)

_CONSOLE_BYTES: Final = 64 * 1024
_UNDEFINE_FLAGS: Final = (
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
)


class LibvirtComputeDriver(ComputeDriver, RebootOps, ResizeOps, ConsoleOps, ImageOps, ForeignOps):
    """Virtual machines on one libvirt host."""

    Settings: ClassVar = LibvirtSettings

    def __init__(self, settings: LibvirtSettings, context: DriverContext) -> None:
        super().__init__(settings, context)
        self._installation_id: Final = context.installation_id
        self._connection: Final = Connection(settings.uri)
        self._images: Final = ImageLibrary(self._connection, settings.pool, settings.image_folder)
        self._locks: Final = ObjectLocks()
        self._addresses: Final = AddressBook()
        self._hardware: GuestHardware | None = None
        self._hardware_lock: Final = threading.Lock()

    def prepare(self) -> None:
        with self._connection.changing("read the host's properties") as host:
            self._guest_hardware(host)

    def capacity(self) -> Capacity:
        with self._connection.reading("read its capacity") as host:
            return offered_capacity(host, self.settings)

    def list_images(self, limit: int) -> Iterable[AvailableImage]:
        with self._connection.reading("list the images") as host:
            return self._images.listed(host, limit)

    def usage(self) -> Iterable[UsageSample]:
        with self._connection.reading("read the machines' usage") as host:
            return read_usage(host, self._installation_id)

    def observe(self, uid: UUID) -> MachineStatus | None:
        with self._connection.reading(f"describe machine {uid}") as host:
            domain = find_domain(host, uid)
            if domain is None or not self._is_complete(record := read_domain(domain.XMLDesc(0))):
                return None
            return StatusReader(host, self._installation_id).status(domain, record)

    def list(self) -> Iterable[MachineStatus]:
        with self._connection.reading("list the machines") as host:
            reader = StatusReader(host, self._installation_id)
            return [reader.status(domain, record) for domain, record in all_records(host) if self._is_ours(record)]

    def list_foreign(self, limit: int) -> Iterable[ForeignObject]:
        with self._connection.reading("list foreign machines") as host:
            reader = StatusReader(host, self._installation_id)
            others = ((domain, record) for domain, record in all_records(host) if not self._is_ours(record))
            return in_order((reader.status(domain, record) for domain, record in others), limit)

    def create(self, spec: MachineSpec) -> MachineStatus | Wait:
        action = f"create machine {spec.uid}"
        with self._locks.hold(spec.uid):
            with self._connection.changing(action) as host:
                domain = self._find_complete(host, spec)
                if domain is not None:
                    return self._converge(host, domain, spec)
            try:
                with self._connection.changing(action) as host:
                    made = self._make(host, spec)
                    return made if isinstance(made, Wait) else self._converge(host, made, spec)
            except PermanentError:
                self._discard(spec.uid)
                raise

    def update(self, spec: MachineSpec) -> MachineStatus | Wait:
        with self._locks.hold(spec.uid), self._connection.changing(f"change machine {spec.uid}") as host:
            domain, _ = self._require(host, spec.uid)
            return self._converge(host, domain, spec)

    def delete(self, uid: UUID) -> None:
        with self._locks.hold(uid), self._connection.changing(f"delete machine {uid}") as host:
            self._remove(host, uid)

    def reboot(self, uid: UUID) -> None:
        with self._locks.hold(uid), self._connection.changing(f"restart machine {uid}") as host:
            domain, _ = self._require(host, uid)
            if not domain.isActive():
                raise ConflictError(f"machine {uid} is stopped")
            power.restart(domain)

    def resize(self, spec: MachineSpec) -> MachineStatus | Wait:
        with self._locks.hold(spec.uid), self._connection.changing(f"resize machine {spec.uid}") as host:
            domain, record = self._require(host, spec.uid)
            disks = self._disks(host)
            if (record.vcpus, record.memory_mib) == (spec.vcpus, spec.memory_mib) and disks.root_matches(spec):
                return self._converge(host, domain, spec)
            refuse_too_large(spec, offered_capacity(host, self.settings))
            disks.refuse_shrinking(spec)
            waiting = power.stop(domain, own_mark(record, self._installation_id), self.settings.shutdown_grace)
            if waiting is not None:
                return waiting
            disks.grow_root(spec)
            stored = read_domain(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)).element
            host.defineXMLFlags(render(with_size(stored, spec.vcpus, spec.memory_mib)), 0)
            return self._converge(host, domain, spec)

    def console_log(self, uid: UUID) -> str:
        with self._connection.reading(f"read the console of machine {uid}") as host:
            self._require(host, uid)
            console = self._console(host)
            console.handle.refresh(0)
            name = names.console_name(uid)
            if console.find(name) is None:
                return ""
            offset = max(0, console.size(name) - _CONSOLE_BYTES)
            return console.read(name, offset, 0)[-_CONSOLE_BYTES:].decode(errors="replace")

    def _find_complete(self, host: Any, spec: MachineSpec) -> Any | None:
        domain = find_domain(host, spec.uid)
        if domain is None:
            return None
        record = read_domain(domain.XMLDesc(0))
        mark = own_mark(record, self._installation_id)
        if not mark.complete:
            return None
        _refuse_other_shape(record, mark, spec)
        if not self._disks(host).root_matches(spec):
            raise ConflictError(f"machine {spec.uid} already exists and differs in root_gib")
        return domain

    def _make(self, host: Any, spec: MachineSpec) -> Any:
        """Return the domain with everything that belongs to it, not started; or Wait while its image is copied."""
        if spec.image is None and not spec.volume_uids:
            raise PermanentError(f"machine {spec.uid} has nothing to boot from: neither an image nor a volume")
        refuse_too_large(spec, offered_capacity(host, self.settings))
        disks = self._disks(host)
        disks.require_volumes(host, spec.uid, spec.volume_uids)
        networks = [require_network(host, card.network_uid, self._installation_id) for card in spec.interfaces]
        image: Backing | None = None
        if spec.image is not None:
            provided = self._images.provide(host, spec.image)
            if isinstance(provided, Wait):
                return provided
            image = provided
            check_image_size(spec, image)
        mark = self._new_mark(spec)
        xml = render(build_domain(spec, mark, self._guest_hardware(host)))
        domain = host.defineXMLFlags(xml, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
        disks.make(spec, image)
        for network, card in zip(networks, spec.interfaces, strict=True):
            self._addresses.ensure(network, card.mac.lower())
        save_mark(domain, dataclasses.replace(mark, complete=True))
        return domain

    def _new_mark(self, spec: MachineSpec) -> Mark:
        return Mark(
            installation_id=self._installation_id,
            project_id=spec.project_id,
            name=spec.name,
            image_uid=spec.image.uid if spec.image else None,
        )

    def _converge(self, host: Any, domain: Any, spec: MachineSpec) -> MachineStatus | Wait:
        """Bring name, volumes and power of a complete machine to ``spec``."""
        record = read_domain(domain.XMLDesc(0))
        mark = own_mark(record, self._installation_id)
        if mark.name != clean(spec.name):
            mark = dataclasses.replace(mark, name=spec.name)
            save_mark(domain, mark)
            save_title(domain, spec.name)
        unplugging = self._disks(host).plug(host, domain, record, spec.volume_uids)
        switching = self._switch(host, domain, record, mark, spec.power)
        if waiting := switching or unplugging:
            return waiting
        return StatusReader(host, self._installation_id).status(domain, read_domain(domain.XMLDesc(0)))

    def _switch(self, host: Any, domain: Any, record: DomainRecord, mark: Mark, wanted: PowerState) -> Wait | None:
        if wanted is PowerState.STOPPED:
            return power.stop(domain, mark, self.settings.shutdown_grace)
        for card in record.interfaces:
            self._addresses.ensure(require_network(host, card.network_uid, self._installation_id), card.mac)
        power.start(domain, mark)
        return None

    def _remove(self, host: Any, uid: UUID) -> None:
        """Remove a machine and everything created for it; its definition goes last, since it names the rest."""
        domain = find_domain(host, uid)
        if domain is not None:
            self._stop_and_release(host, domain)
        self._disks(host).remove(uid)
        if domain is not None:
            with tolerating(libvirt.VIR_ERR_NO_DOMAIN):
                domain.undefineFlags(_UNDEFINE_FLAGS)

    def _stop_and_release(self, host: Any, domain: Any) -> None:
        """Stop our domain and release its addresses. Raises ConflictError if it is not ours."""
        record = read_domain(domain.XMLDesc(0))
        own_mark(record, self._installation_id)
        power.power_off(domain)
        for interface in record.interfaces:
            network = find_network(host, interface.network_uid)
            if network is not None:
                self._addresses.release(network, interface.mac)

    def _discard(self, uid: UUID) -> None:
        """Remove what a permanently failed creation left; if that fails too, the machine stays in the list."""
        try:
            with self._connection.changing(f"delete machine {uid}") as host:
                self._remove(host, uid)
        except DriverError as error:
            _log.warning("libvirt_discard_failed machine=%s reason=%s", uid, error.detail)

    def _require(self, host: Any, uid: UUID) -> tuple[Any, DomainRecord]:
        domain = find_domain(host, uid)
        if domain is None or not self._is_complete(record := read_domain(domain.XMLDesc(0))):
            raise NotFoundError(f"machine {uid} does not exist")
        return domain, record

    def _is_ours(self, record: DomainRecord) -> bool:
        return record.mark is not None and record.mark.installation_id == self._installation_id

    def _is_complete(self, record: DomainRecord) -> bool:
        return record.mark is not None and record.mark.complete and self._is_ours(record)

    def _disks(self, host: Any) -> MachineDisks:
        return MachineDisks(open_pool(host, self.settings.pool), self._console(host), self._installation_id)

    def _console(self, host: Any) -> Pool:
        return open_own_pool(host, names.CONSOLE_POOL, f"{open_pool(host, self.settings.pool).path()}/console")

    def _guest_hardware(self, host: Any) -> GuestHardware:
        """Return the hardware of guests; determined once, since that starts a probe guest."""
        with self._hardware_lock:
            if self._hardware is None:
                pool, console = open_pool(host, self.settings.pool), self._console(host)
                self._hardware = choose_hardware(host, self.settings, self._installation_id, pool, console.path())
            return self._hardware


def _refuse_other_shape(record: DomainRecord, mark: Mark, spec: MachineSpec) -> None:
    """Raise ConflictError if the machine differs from ``spec`` in what cannot be changed."""
    cards = tuple((interface.network_uid, interface.mac.lower()) for interface in spec.interfaces)
    pairs = {
        "vcpus": (record.vcpus, spec.vcpus),
        "memory_mib": (record.memory_mib, spec.memory_mib),
        "interfaces": (tuple((interface.network_uid, interface.mac) for interface in record.interfaces), cards),
        "image": (mark.image_uid, spec.image.uid if spec.image else None),
    }
    if different := [name for name, (present, wanted) in pairs.items() if present != wanted]:
        raise ConflictError(f"machine {spec.uid} already exists and differs in {', '.join(different)}")
