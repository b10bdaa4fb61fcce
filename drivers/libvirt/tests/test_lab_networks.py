# SPDX-License-Identifier: Apache-2.0
"""The network driver on a real libvirt."""

import dataclasses
import os
import re
import subprocess

import pytest

from stratoplane.drivers import AgentContext
from stratoplane.errors import ConflictError, NotFoundError
from stratoplane.ids import new_id
from stratoplane.network import NetworkMode


@pytest.fixture
def foreign_network(cluster, network_spec):
    """A network with the uid of ours that somebody else made."""
    made = cluster.host.networkDefineXML(
        f"<network><name>foreign-{network_spec.uid}</name><uuid>{network_spec.uid}</uuid>"
        f"<bridge name='sf{network_spec.uid.hex[-12:]}'/></network>"
    )
    yield made
    made.undefine()


@pytest.fixture
def host_route():
    """A network of the host itself, beside libvirt."""
    enter = os.environ.get("LIBVIRT_LAB_ENTER", "").split()
    if not enter:
        pytest.skip("the host's networks can be changed in the lab only")
    link = [*enter, "ip", "link"]
    subprocess.run([*link, "add", "sptestroute", "type", "bridge"], check=True)
    subprocess.run([*enter, "ip", "address", "add", "10.98.0.1/24", "dev", "sptestroute"], check=True)
    subprocess.run([*link, "set", "sptestroute", "up"], check=True)
    yield "10.98.0"
    subprocess.run([*link, "delete", "sptestroute"], check=True)


@pytest.mark.parametrize("mode", list(NetworkMode))
def test_a_network_is_made_once_and_removed(cluster, network_spec, mode):
    driver, spec = cluster.network, dataclasses.replace(network_spec, mode=mode)
    made = driver.create(spec)
    assert made.drift(spec) == frozenset()
    assert driver.create(spec) == made == driver.observe(spec.uid)
    assert list(driver.list()) == [made]
    assert cluster.host.networkLookupByUUIDString(str(spec.uid)).autostart()
    for _ in range(2):
        assert driver.delete(spec.uid) is None
    assert driver.observe(spec.uid) is None
    assert list(driver.list()) == []


def test_a_network_is_renamed_while_it_runs(cluster, network_spec):
    cluster.network.create(network_spec)
    renamed = cluster.network.update(dataclasses.replace(network_spec, name="back"))
    assert (renamed.name, renamed.active) == ("back", True)
    assert [each.name for each in cluster.network.list()] == ["back"]


def test_a_network_that_was_turned_off_is_turned_on_again(cluster, network_spec):
    cluster.network.create(network_spec)
    cluster.host.networkLookupByUUIDString(str(network_spec.uid)).destroy()
    assert not cluster.network.observe(network_spec.uid).active
    assert cluster.network.update(network_spec).active


@pytest.mark.parametrize("change", ["cidr", "gateway", "mode"])
def test_another_shape_under_the_same_uid_is_a_conflict(cluster, network_spec, change):
    cluster.network.create(network_spec)
    other = {
        "cidr": {"cidr": network_spec.cidr.replace("/24", "/25")},
        "gateway": {"gateway": f"{network_spec.gateway}9"},
        "mode": {"mode": NetworkMode.NAT},
    }[change]
    with pytest.raises(ConflictError, match=change):
        cluster.network.create(dataclasses.replace(network_spec, **other))
    assert cluster.network.observe(network_spec.uid).drift(network_spec) == frozenset()


def test_a_range_of_another_network_is_a_conflict_and_leaves_nothing(cluster, network_spec):
    cluster.network.create(network_spec)
    upper_half = {
        "cidr": network_spec.cidr.replace(".0.0/24", ".0.128/25"),
        "gateway": network_spec.gateway.replace(".0.1", ".0.129"),
    }
    other = dataclasses.replace(network_spec, uid=new_id(), **upper_half)
    with pytest.raises(ConflictError, match=re.escape(network_spec.cidr)):
        cluster.network.create(other)
    assert cluster.network.observe(other.uid) is None


def test_a_range_of_the_host_itself_is_a_conflict_and_leaves_nothing(cluster, network_spec, host_route):
    other = dataclasses.replace(network_spec, cidr=f"{host_route}.0/24", gateway=f"{host_route}.1")
    with pytest.raises(ConflictError, match="sptestroute"):
        cluster.network.create(other)
    assert cluster.network.observe(other.uid) is None
    assert list(cluster.network.list()) == []


def test_changing_what_is_absent_says_so(cluster, network_spec):
    with pytest.raises(NotFoundError):
        cluster.network.update(network_spec)


def test_foreign_networks_are_left_alone(cluster, foreign_network, network_spec):
    assert cluster.network.observe(network_spec.uid) is None
    for verb, argument in ((cluster.network.create, network_spec), (cluster.network.delete, network_spec.uid)):
        with pytest.raises(ConflictError):
            verb(argument)
    assert foreign_network.name().startswith("foreign")
    assert list(cluster.network.list()) == []


def test_another_installation_does_not_see_ours(cluster, network_spec, tmp_path):
    cluster.network.create(network_spec)
    stranger = AgentContext(installation_id=new_id(), cluster_id=new_id(), state_folder=tmp_path)
    driver = type(cluster.network)(cluster.settings, stranger)
    assert list(driver.list()) == []
    assert driver.observe(network_spec.uid) is None
