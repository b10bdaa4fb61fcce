# SPDX-License-Identifier: Apache-2.0
"""The hardware that a host offers to guests, and whether KVM really runs them."""

import logging
import time
import xml.etree.ElementTree as ET
from typing import Any, Final
from uuid import UUID

import libvirt

from stratoplane.compute import MachineSpec
from stratoplane.drivers import Capacity
from stratoplane.errors import CapacityError, MisconfiguredError
from stratoplane_libvirt import names
from stratoplane_libvirt.connection import tolerating
from stratoplane_libvirt.domain_xml import GuestHardware
from stratoplane_libvirt.pool import Pool
from stratoplane_libvirt.settings import DomainType, LibvirtSettings
from stratoplane_libvirt.xml_document import child, parse, render

_log = logging.getLogger(__name__)

_PROBE_SECONDS: Final = 10.0
_PROBE_MEMORY_MIB: Final = 32
_PROBE_DISK_BYTES: Final = 1024 * 1024

# A boot sector for x86 that enters protected mode, returns from an interrupt frame, which KVM on a poorly nested
# host fails to emulate, and turns the machine off by ACPI (port 0x604):
#   cli; xor ax,ax; mov ds,ax; lgdt [gdt]; mov eax,cr0; or al,1; mov cr0,eax; jmp 8:protected
#   protected: mov ax,16; mov ds,ax; mov ss,ax; mov esp,0x7000; pushfd; push 8; push returned; iretd
#   returned: mov dx,0x604; mov ax,0x2000; out dx,ax; halt: hlt; jmp halt; gdt: ...
_PROBE_SECTOR: Final = (
    bytes.fromhex(
        "fa31c08ed8660f0116587c0f20c00c010f22c0ea187c080066b810008ed88ed0"
        "bc007000009c6a08682e7c0000cf66ba040666b8002066eff4ebfd8d74260090"
        "0000000000000000ffff0000009bcf00ffff00000093cf001700407c0000"
    ).ljust(510, b"\0")
    + b"\x55\xaa"
)


def choose_hardware(
    host: Any, settings: LibvirtSettings, installation_id: UUID, pool: Pool, console_folder: str
) -> GuestHardware:
    """Return the hardware of all guests of this host; starts a probe guest if the domain type is ``auto``.

    Raises:
        MisconfiguredError: the host cannot run what the settings ask for.
    """
    architecture = str(host.getInfo()[0])
    offered = _offered_types(host, architecture)
    wanted = settings.domain_type
    if wanted is DomainType.AUTO:
        wanted = _proven_type(host, offered, architecture, pool, installation_id)
    if wanted.value not in offered:
        raise MisconfiguredError(f"libvirt offers no {wanted.value} guests for {architecture}, only {sorted(offered)}")
    return GuestHardware(
        domain_type=wanted,
        architecture=architecture,
        machine=settings.machine or ("q35" if architecture == "x86_64" else ""),
        cpu_mode=settings.cpu_mode,
        pool=settings.pool,
        console_folder=console_folder,
    )


def offered_capacity(host: Any, settings: LibvirtSettings) -> Capacity:
    """Return what the host's machines may use together; the storage driver counts disks."""
    _, memory_mib, processors, *_ = host.getInfo()
    return Capacity(
        vcpus=int(processors * settings.vcpu_overcommit),
        memory_mib=max(0, int(memory_mib) - settings.memory_reserve_mib),
    )


def refuse_too_large(spec: MachineSpec, capacity: Capacity) -> None:
    """Raise CapacityError if the machine would not fit on the empty host."""
    if spec.vcpus > capacity.vcpus or spec.memory_mib > capacity.memory_mib:
        wanted = f"{spec.vcpus} processors and {spec.memory_mib} MiB"
        raise CapacityError(
            f"the host cannot provide {wanted}: it offers {capacity.vcpus} and {capacity.memory_mib} MiB in all"
        )


def kvm_runs_guests(host: Any, domain_type: DomainType, pool: Pool, installation_id: UUID) -> bool:
    """Start a guest of 32 MiB that powers off at once, and tell whether it did.

    The file /dev/kvm and libvirt's capabilities say only that KVM exists, not that guests can boot.
    """
    name = names.probe_name(installation_id)
    _end_probe(host, name)
    disk = _PROBE_SECTOR.ljust(_PROBE_DISK_BYTES, b"\0")
    pool.replace_with_bytes(name, disk)
    try:
        domain = host.createXML(
            render(_probe_domain(name, domain_type, pool.name)), libvirt.VIR_DOMAIN_START_AUTODESTROY
        )
        return _turns_itself_off(domain)
    except libvirt.libvirtError as error:
        _log.warning("libvirt_probe_refused type=%s reason=%s", domain_type.value, error.get_error_message())
        return False
    finally:
        _end_probe(host, name)
        pool.delete(name)


def _offered_types(host: Any, architecture: str) -> set[str]:
    capabilities = parse(host.getCapabilities())
    guests = capabilities.iterfind(f"guest/arch[@name='{architecture}']")
    return {kind.get("type", "") for guest in guests for kind in guest.iterfind("domain")}


def _proven_type(host: Any, offered: set[str], architecture: str, pool: Pool, installation_id: UUID) -> DomainType:
    if DomainType.KVM.value not in offered:
        return DomainType.QEMU
    if architecture != "x86_64" or kvm_runs_guests(host, DomainType.KVM, pool, installation_id):
        return DomainType.KVM
    _log.warning("libvirt_kvm_unusable fallback=qemu reason=the probe guest did not boot")
    return DomainType.QEMU


def _probe_domain(name: str, domain_type: DomainType, pool: str) -> ET.Element:
    domain = ET.Element("domain", {"type": domain_type.value})
    child(domain, "name", name)
    child(domain, "memory", _PROBE_MEMORY_MIB, unit="MiB")
    child(domain, "vcpu", 1)
    child(child(domain, "os"), "type", "hvm", arch="x86_64")
    child(child(domain, "features"), "acpi")
    devices = child(domain, "devices")
    disk = child(devices, "disk", type="volume", device="disk")
    child(disk, "driver", name="qemu", type="raw")
    child(disk, "source", pool=pool, volume=name)
    child(disk, "target", dev="vda", bus="virtio")
    child(disk, "boot", order=1)
    child(devices, "controller", type="usb", model="none")
    child(devices, "memballoon", model="none")
    return domain


def _turns_itself_off(domain: Any) -> bool:
    """Wait for the transient domain to vanish; one that KVM cannot run stays paused."""
    end = time.monotonic() + _PROBE_SECONDS
    while time.monotonic() < end:
        state = libvirt.VIR_DOMAIN_SHUTOFF
        with tolerating(libvirt.VIR_ERR_NO_DOMAIN):
            state = domain.state()[0]
        if state == libvirt.VIR_DOMAIN_SHUTOFF:
            return True
        if state in (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_CRASHED):
            return False
        time.sleep(0.05)
    return False


def _end_probe(host: Any, name: str) -> None:
    with tolerating(libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID):
        host.lookupByName(name).destroy()
