# SPDX-License-Identifier: Apache-2.0
import dataclasses
from ipaddress import IPv4Address, IPv4Network
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratoplane.errors import PermanentError
from stratoplane.network import NetworkMode, NetworkSpec
from stratoplane_libvirt.marks import Mark
from stratoplane_libvirt.network_xml import build_network, read_network, with_mark
from stratoplane_libvirt.xml_document import render

MARK = Mark(
    installation_id=UUID("01980000-0000-7000-8000-000000000000"),
    project_id=UUID("01980000-0000-7000-8000-000000000001"),
    name="front",
)
subnets = st.builds(
    lambda address, prefix: IPv4Network((address, prefix), strict=False),
    st.integers(int(IPv4Address("10.0.0.0")), int(IPv4Address("10.255.255.255"))),
    st.integers(8, 30),
)


@pytest.mark.parametrize("mode", list(NetworkMode))
def test_a_network_reads_back_as_it_was_built(network_spec, mark, mode):
    spec = dataclasses.replace(network_spec, mode=mode)
    record = read_network(render(build_network(spec, mark)))
    assert (record.uid, record.mode, record.mark) == (spec.uid, mode, mark)
    assert (str(record.subnet), str(record.gateway)) == (spec.cidr, spec.gateway)
    assert record.gateway is not None
    assert record.subnet is not None
    assert record.pool == (record.gateway + 1, record.subnet.broadcast_address - 1)
    assert record.hosts == {}


@given(subnets, st.data())
def test_machines_get_host_addresses_beside_the_gateway_within_what_libvirt_takes(subnet, data):
    gateway = IPv4Address(data.draw(st.integers(int(subnet[1]), int(subnet[-2]))))
    spec = NetworkSpec(
        uid=MARK.project_id, project_id=MARK.project_id, name="n", cidr=str(subnet), gateway=str(gateway)
    )
    pool = read_network(render(build_network(spec, MARK))).pool
    assert pool is not None
    first, last = pool
    assert subnet[1] <= first <= last <= subnet[-2]
    assert not first <= gateway <= last
    assert first.packed[:2] == last.packed[:2]


@pytest.mark.parametrize(
    ("cidr", "gateway"),
    [
        ("10.0.0.0/31", "10.0.0.1"),
        ("10.0.0.0/32", "10.0.0.0"),
        ("10.0.0.1/24", "10.0.0.1"),
        ("fd00::/64", "fd00::1"),
        ("10.0.0.0/24", "10.0.1.1"),
        ("10.0.0.0/24", "10.0.0.0"),
        ("10.0.0.0/24", "10.0.0.255"),
        ("10.0.0.0/24", "'><x/>"),
    ],
)
def test_impossible_ranges_are_refused(network_spec, mark, cidr, gateway):
    with pytest.raises(PermanentError):
        build_network(dataclasses.replace(network_spec, cidr=cidr, gateway=gateway), mark)


def test_a_new_mark_replaces_the_old_one(network_spec, mark):
    element = build_network(network_spec, mark)
    renamed = with_mark(element, dataclasses.replace(mark, name="back"))
    assert read_network(render(renamed)).mark == dataclasses.replace(mark, name="back")
    assert len(renamed.findall("metadata/*")) == 1


def test_networks_of_other_kinds_can_be_read():
    record = read_network(
        "<network><name>bridged</name><uuid>01980000-0000-7000-8000-000000000002</uuid>"
        "<forward mode='bridge'/><bridge name='br0'/></network>"
    )
    assert record.mode is None
    assert record.subnet is None
    assert record.pool is None


def test_fixed_addresses_are_found_by_mac(network_spec, mark):
    record = read_network(
        "<network><name>n</name><uuid>01980000-0000-7000-8000-000000000002</uuid>"
        "<ip address='10.0.0.1' netmask='255.255.255.0'><dhcp><range start='10.0.0.2' end='10.0.0.254'/>"
        "<host mac='02:00:00:00:00:AA' ip='10.0.0.7'/><host name='x' ip='10.0.0.8'/></dhcp></ip></network>"
    )
    assert record.hosts == {"02:00:00:00:00:aa": IPv4Address("10.0.0.7")}
    assert str(record.subnet) == "10.0.0.0/24"
