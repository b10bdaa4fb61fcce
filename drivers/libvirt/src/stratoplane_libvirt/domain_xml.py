# SPDX-License-Identifier: Apache-2.0
"""A machine as libvirt domain XML, and back."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from stratoplane.compute import MachineInterface, MachineSpec
from stratoplane_libvirt import names
from stratoplane_libvirt.marks import Mark, read_mark
from stratoplane_libvirt.settings import CpuMode, DomainType
from stratoplane_libvirt.xml_document import child, memory_mib, parse, require_text, uuid_of, values_of

ROOT_TARGET: Final = "vda"
_SEED_TARGET: Final = "sda"
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_SERIAL_BYTES: Final = 20
"""How many characters of a disk's serial number QEMU keeps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GuestHardware:
    """The hardware that all guests of a host have in common.

    Attributes:
        domain_type: KVM or emulation.
        architecture: as libvirt spells it, such as ``x86_64``.
        machine: machine type, empty for the hypervisor's default.
        pool: name of the pool with disks and seeds.
        console_folder: absolute path on the host for the logs of serial consoles.
    """

    domain_type: DomainType
    architecture: str
    machine: str
    cpu_mode: CpuMode
    pool: str
    console_folder: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Disk:
    """A disk of a domain: where it is plugged in and the pool and volume behind it (empty for foreign files)."""

    target: str
    pool: str
    volume: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DomainRecord:
    """The content of a domain's XML; ``element`` is its root."""

    uid: UUID
    name: str
    mark: Mark | None
    vcpus: int
    memory_mib: int
    interfaces: tuple[MachineInterface, ...]
    disks: tuple[Disk, ...]
    element: ET.Element

    def volumes(self, installation_id: UUID) -> dict[UUID, Disk]:
        """Return the tenant's volumes among the disks, in the guest's order."""
        found = ((names.volume_uid(installation_id, disk.volume), disk) for disk in self.disks)
        return {uid: disk for uid, disk in found if uid is not None}


def build_domain(spec: MachineSpec, mark: Mark, hardware: GuestHardware) -> ET.Element:
    """Return the domain for ``spec``; it names its disks, which the caller creates."""
    domain = ET.Element("domain", {"type": hardware.domain_type.value})
    child(domain, "name", names.domain_name(spec.uid))
    child(domain, "uuid", spec.uid)
    child(domain, "title", _one_line(spec.name))
    child(domain, "metadata").append(mark.to_element())
    child(domain, "memory", spec.memory_mib, unit="MiB")
    child(domain, "currentMemory", spec.memory_mib, unit="MiB")
    child(domain, "vcpu", spec.vcpus)
    _add_platform(domain, hardware)
    devices = child(domain, "devices")
    _add_disks(devices, spec, mark.installation_id, hardware.pool)
    for interface in spec.interfaces:
        devices.append(build_interface(interface))
    _add_console(devices, f"{hardware.console_folder}/{names.console_name(spec.uid)}")
    child(devices, "controller", type="usb", model="none")
    child(devices, "memballoon", model="virtio")
    child(child(devices, "rng", model="virtio"), "backend", "/dev/urandom", model="random")
    return domain


def build_volume_disk(uid: UUID, volume: str, pool: str, target: str) -> ET.Element:
    """Return the disk element of a tenant's volume; the guest finds it by the first 20 characters of the uid."""
    disk = ET.Element("disk", {"type": "volume", "device": "disk"})
    child(disk, "driver", name="qemu", type="qcow2", discard="unmap")
    child(disk, "source", pool=pool, volume=volume)
    child(disk, "target", dev=target, bus="virtio" if target == ROOT_TARGET else "scsi")
    if target == ROOT_TARGET:
        child(disk, "boot", order=1)
    child(disk, "serial", str(uid)[:_SERIAL_BYTES])
    return disk


def build_interface(interface: MachineInterface) -> ET.Element:
    element = ET.Element("interface", {"type": "network"})
    child(element, "mac", address=interface.mac)
    child(element, "source", network=names.network_name(interface.network_uid))
    child(element, "model", type="virtio")
    return element


def free_target(used: set[str]) -> str:
    """Return the first device name for a data volume that is not in ``used``: sdb to sdz, sdaa to sdzz."""
    first = [f"sd{letter}" for letter in _LETTERS[1:]]
    second = (f"sd{high}{low}" for high in _LETTERS for low in _LETTERS)
    return next(target for target in (*first, *second) if target not in used)


def with_size(element: ET.Element, vcpus: int, memory: int) -> ET.Element:
    """Set processors and memory (MiB) in a domain's XML and return it."""
    for tag in ("memory", "currentMemory"):
        found = element.find(tag)
        amount = child(element, tag) if found is None else found
        amount.set("unit", "MiB")
        amount.text = str(memory)
    processors = element.find("vcpu")
    count = child(element, "vcpu") if processors is None else processors
    count.attrib.pop("current", None)
    count.text = str(vcpus)
    return element


def read_domain(text: str) -> DomainRecord:
    """Return the content of a domain's XML. Raises PermanentError if it cannot be read."""
    root = parse(text)
    with values_of(root):
        return DomainRecord(
            uid=uuid_of(root),
            name=require_text(root, "name"),
            mark=read_mark(root),
            vcpus=int(require_text(root, "vcpu")),
            memory_mib=memory_mib(root.find("memory")),
            interfaces=_read_interfaces(root),
            disks=tuple(_read_disk(disk) for disk in root.iterfind("devices/disk")),
            element=root,
        )


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _add_platform(domain: ET.Element, hardware: GuestHardware) -> None:
    kind = child(child(domain, "os"), "type", "hvm", arch=hardware.architecture)
    if hardware.machine:
        kind.set("machine", hardware.machine)
    features = child(domain, "features")
    child(features, "acpi")
    if hardware.architecture == "x86_64":
        child(features, "apic")
    if hardware.cpu_mode is not CpuMode.AUTO:
        child(domain, "cpu", mode=hardware.cpu_mode.value)
    elif hardware.domain_type is DomainType.KVM:
        child(domain, "cpu", mode=CpuMode.HOST_MODEL.value)
    child(domain, "clock", offset="utc")
    child(domain, "on_poweroff", "destroy")
    child(domain, "on_reboot", "restart")
    child(domain, "on_crash", "destroy")


def _add_disks(devices: ET.Element, spec: MachineSpec, installation_id: UUID, pool: str) -> None:
    volumes = list(spec.volume_uids)
    if spec.image is None:
        boot = volumes.pop(0)
        devices.append(build_volume_disk(boot, names.volume_name(installation_id, boot), pool, ROOT_TARGET))
    else:
        devices.append(build_volume_disk(spec.uid, names.root_disk_name(installation_id, spec.uid), pool, ROOT_TARGET))
    used = {_SEED_TARGET}
    for uid in volumes:
        target = free_target(used)
        used.add(target)
        devices.append(build_volume_disk(uid, names.volume_name(installation_id, uid), pool, target))
    _add_seed(devices, names.seed_name(installation_id, spec.uid), pool)
    # SCSI data disks are plugged in and out without a free PCI slot and without the guest's cooperation.
    child(devices, "controller", type="scsi", index=0, model="virtio-scsi")


def _add_seed(devices: ET.Element, volume: str, pool: str) -> None:
    disk = child(devices, "disk", type="volume", device="cdrom")
    child(disk, "driver", name="qemu", type="raw")
    child(disk, "source", pool=pool, volume=volume)
    child(disk, "target", dev=_SEED_TARGET, bus="scsi")
    child(disk, "readonly")


def _add_console(devices: ET.Element, path: str) -> None:
    serial = child(devices, "serial", type="pty")
    child(serial, "log", file=path, append="on")
    child(serial, "target", port=0)
    child(child(devices, "console", type="pty"), "target", type="serial", port=0)


def _read_interfaces(root: ET.Element) -> tuple[MachineInterface, ...]:
    found = []
    for element in root.iterfind("devices/interface"):
        source, mac = element.find("source"), element.find("mac")
        uid = names.network_uid(source.get("network", "")) if source is not None else None
        if uid is not None and mac is not None:
            found.append(MachineInterface(network_uid=uid, mac=mac.get("address", "").lower()))
    return tuple(found)


def _read_disk(disk: ET.Element) -> Disk:
    source, target = disk.find("source"), disk.find("target")
    return Disk(
        target="" if target is None else target.get("dev", ""),
        pool="" if source is None else source.get("pool", ""),
        volume="" if source is None else source.get("volume", ""),
    )
