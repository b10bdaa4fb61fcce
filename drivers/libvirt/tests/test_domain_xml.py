# SPDX-License-Identifier: Apache-2.0
import dataclasses
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratoplane.compute import MachineSpec
from stratoplane.errors import PermanentError
from stratoplane.ids import new_id
from stratoplane_libvirt import names
from stratoplane_libvirt.domain_xml import GuestHardware, build_domain, free_target, read_domain, with_size
from stratoplane_libvirt.marks import Mark
from stratoplane_libvirt.settings import CpuMode, DomainType
from stratoplane_libvirt.xml_document import clean, parse, render

HARDWARE = GuestHardware(
    domain_type=DomainType.QEMU,
    architecture="x86_64",
    machine="q35",
    cpu_mode=CpuMode.AUTO,
    pool="default",
    console_folder="/var/lib/console",
)
UID, INSTALLATION, PROJECT, IMAGE = new_id(), new_id(), new_id(), new_id()
any_text = st.text(st.characters(categories=None), max_size=80)


def structure(element):
    """Tags and attribute names of a whole tree, without any value."""
    return (element.tag, tuple(sorted(element.attrib)), tuple(structure(child) for child in element))


def plain_spec(name: str) -> MachineSpec:
    return MachineSpec(
        uid=UID,
        project_id=PROJECT,
        name=name,
        vcpus=1,
        memory_mib=64,
        root_gib=1,
        volume_uids=(IMAGE,),
        ssh_keys=(name,),
        user_data=name,
    )


@given(any_text)
def test_no_text_of_a_tenant_changes_the_structure_of_the_domain(text):
    mark = Mark(installation_id=INSTALLATION, project_id=PROJECT, name=text)
    built = parse(render(build_domain(plain_spec(text), mark, HARDWARE)))
    reference = build_domain(plain_spec("web-1"), dataclasses.replace(mark, name="web-1"), HARDWARE)
    assert structure(built) == structure(reference)


@given(any_text)
def test_the_mark_survives_with_what_xml_can_carry_of_a_name(text):
    mark = Mark(installation_id=INSTALLATION, project_id=PROJECT, name=text, complete=True, stop_requested=12.5)
    record = read_domain(render(build_domain(plain_spec("web-1"), mark, HARDWARE)))
    assert record.mark == dataclasses.replace(mark, name=clean(text))


def test_a_domain_reads_back_as_it_was_built(machine_spec, mark):
    record = read_domain(render(build_domain(machine_spec, mark, HARDWARE)))
    assert record.uid == machine_spec.uid
    assert record.name == names.domain_name(machine_spec.uid)
    assert (record.vcpus, record.memory_mib) == (machine_spec.vcpus, machine_spec.memory_mib)
    assert record.interfaces == machine_spec.interfaces
    assert tuple(record.volumes(mark.installation_id)) == machine_spec.volume_uids


def part(element: Element, name: str) -> Element:
    found = element.find(name)
    assert found is not None, f"no {name}"
    return found


def test_the_machine_boots_from_its_root_disk_and_finds_volumes_by_serial_number(machine_spec, mark):
    domain = build_domain(machine_spec, mark, HARDWARE)
    disks = {part(disk, "target").get("dev"): disk for disk in domain.iterfind("devices/disk")}
    root_disk = names.root_disk_name(mark.installation_id, machine_spec.uid)
    assert part(disks["vda"], "source").get("volume") == root_disk
    assert part(disks["vda"], "boot").get("order") == "1"
    assert disks["sdb"].findtext("serial") == str(machine_spec.volume_uids[0])[:20]
    assert disks["sda"].get("device") == "cdrom"


def test_without_an_image_the_first_volume_is_the_boot_disk(machine_spec, mark):
    spec = dataclasses.replace(machine_spec, image=None)
    disks = read_domain(render(build_domain(spec, mark, HARDWARE))).volumes(mark.installation_id)
    assert [disk.target for disk in disks.values()] == ["vda", "sdb"]


@pytest.mark.parametrize(
    ("domain_type", "cpu_mode", "expected"),
    [
        (DomainType.KVM, CpuMode.AUTO, "host-model"),
        (DomainType.QEMU, CpuMode.AUTO, None),
        (DomainType.QEMU, CpuMode.MAXIMUM, "maximum"),
    ],
)
def test_the_processor_follows_the_settings(machine_spec, mark, domain_type, cpu_mode, expected):
    hardware = dataclasses.replace(HARDWARE, domain_type=domain_type, cpu_mode=cpu_mode)
    cpu = build_domain(machine_spec, mark, hardware).find("cpu")
    assert (cpu.get("mode") if cpu is not None else None) == expected


def test_a_new_size_replaces_the_old_one(machine_spec, mark):
    resized = with_size(build_domain(machine_spec, mark, HARDWARE), 4, 512)
    record = read_domain(render(resized))
    assert (record.vcpus, record.memory_mib) == (4, 512)
    assert len(resized.findall("memory")) == len(resized.findall("vcpu")) == 1


def test_targets_are_filled_from_the_front():
    assert free_target({"sda"}) == "sdb"
    assert free_target({"sda", "sdc", "sdb"}) == "sdd"
    assert free_target({f"sd{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"}) == "sdaa"


def test_a_foreign_domain_has_no_mark_and_none_of_our_parts():
    record = read_domain(
        f"<domain><name>other</name><uuid>{UID}</uuid><memory unit='KiB'>65536</memory><vcpu>2</vcpu><devices>"
        "<disk type='file'><source file='/x.img'/><target dev='vda'/></disk>"
        "<interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/></interface>"
        "<interface type='user'/></devices></domain>"
    )
    assert record.mark is None
    assert record.memory_mib == 64
    assert record.interfaces == ()
    assert record.volumes(INSTALLATION) == {}


@pytest.mark.parametrize(
    "text",
    [
        "<domain>",
        "<domain><uuid>x</uuid></domain>",
        "<!DOCTYPE x [<!ENTITY e 'x'>]><domain><name>&e;</name></domain>",
        "<!DOCTYPE x SYSTEM 'file:///etc/passwd'><domain/>",
    ],
)
def test_damaged_and_hostile_xml_is_refused(text):
    with pytest.raises(PermanentError):
        read_domain(text)
