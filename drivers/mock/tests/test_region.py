# SPDX-License-Identifier: Apache-2.0
"""The region has the rules of a real provider."""

import dataclasses
import logging
import uuid
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stratoplane.drivers import AgentContext, Interface
from stratoplane.errors import (
    CapacityError,
    ConflictError,
    MisconfiguredError,
    PermanentError,
    UnreachableError,
)
from stratoplane.network import NetworkMode
from stratoplane.registry import ExtensionState, load_driver
from stratoplane.resources import PowerState
from stratoplane.storage import BucketSpec
from stratoplane_mock.compute import MockComputeDriver
from stratoplane_mock.settings import MockSettings


@pytest.mark.parametrize("interface", list(Interface))
def test_the_platform_finds_the_drivers(interface):
    extension = load_driver(interface, "mock")

    assert extension.state is ExtensionState.LOADED, extension.reason
    assert extension.loaded.production_ready is False


def test_it_says_loudly_that_it_is_not_for_production(context, caplog):
    with caplog.at_level(logging.WARNING):
        MockComputeDriver(MockSettings(), context).prepare()

    assert "NOT FOR PRODUCTION" in caplog.text


def test_a_driver_that_was_not_prepared_is_unreachable(context):
    with pytest.raises(UnreachableError):
        MockComputeDriver(MockSettings(), context).observe(uuid.uuid4())


def test_a_file_that_is_not_a_region_is_named(context, tmp_path):
    (tmp_path / "mock-region.sqlite3").write_text("something else entirely, and long enough to be looked at")

    with pytest.raises(MisconfiguredError, match=r"mock-region\.sqlite3") as caught:
        MockComputeDriver(MockSettings(), context).prepare()

    assert caught.value.provider_text


def test_a_region_of_another_format_is_left_alone(make_cluster, context):
    region = make_cluster().region
    region.write(lambda transaction: transaction.run("PRAGMA user_version = 99"))

    with pytest.raises(MisconfiguredError, match="format 99"):
        MockComputeDriver(MockSettings(), context).prepare()


# --- networks, volumes, buckets -----------------------------------------------------------------------------------


def test_addresses_are_given_out_from_the_first_that_is_free(cluster, machine, network):
    lan = network("10.1.0.0/29")
    cluster.network.create(lan)
    specs = [machine(lan) for _ in range(5)]

    addresses = [cluster.compute.create(spec).addresses[0].address for spec in specs]

    assert addresses == [f"10.1.0.{number}" for number in range(2, 7)]
    with pytest.raises(CapacityError, match="no free address"):
        cluster.compute.create(machine(lan))
    cluster.compute.delete(specs[3].uid)
    cluster.compute.delete(specs[1].uid)
    assert cluster.compute.create(machine(lan)).addresses[0].address == "10.1.0.3"
    assert cluster.compute.create(machine(lan)).addresses[0].address == "10.1.0.5"


def test_a_gateway_inside_the_range_is_not_assigned(cluster, machine, network):
    lan = network("10.1.0.0/29", gateway="10.1.0.2")
    cluster.network.create(lan)

    addresses = [cluster.compute.create(machine(lan)).addresses[0].address for _ in range(5)]

    assert addresses == ["10.1.0.1", "10.1.0.3", "10.1.0.4", "10.1.0.5", "10.1.0.6"]


def test_two_cards_with_one_mac_address_collide(cluster, machine, network):
    lan = network()
    cluster.network.create(lan)
    first = machine(lan)
    cluster.compute.create(first)

    with pytest.raises(ConflictError, match="MAC address"):
        cluster.compute.create(machine(interfaces=first.interfaces))

    assert len(list(cluster.compute.list())) == 1


def test_networks_behind_one_router_do_not_overlap(cluster, network):
    cluster.network.create(network("10.1.0.0/24"))

    with pytest.raises(ConflictError, match="overlaps"):
        cluster.network.create(network("10.1.0.0/25"))


def test_isolated_networks_and_other_projects_may_overlap(cluster, network):
    cluster.network.create(network("10.1.0.0/24"))

    cluster.network.create(network("10.1.0.0/24", mode=NetworkMode.ISOLATED))
    cluster.network.create(replace(network("10.1.0.0/24"), project_id=uuid.uuid4()))

    assert len(list(cluster.network.list())) == 3


@pytest.mark.parametrize(
    ("cidr", "gateway"), [("10.1.0.1/24", "10.1.0.1"), ("nonsense", "x"), ("10.1.0.0/24", "10.2.0.1")]
)
def test_an_invalid_range_is_refused(cluster, network, cidr, gateway):
    with pytest.raises(PermanentError):
        cluster.network.create(replace(network(), cidr=cidr, gateway=gateway))

    assert list(cluster.network.list()) == []


def test_a_network_that_is_turned_off_takes_no_machine_until_it_is_turned_on(cluster, machine, network):
    lan = network()
    cluster.network.create(lan)
    cluster.region.admin.drift(lan.uid)
    assert cluster.network.observe(lan.uid).drift(lan) == {"active"}

    with pytest.raises(ConflictError):
        cluster.compute.create(machine(lan))
    assert cluster.network.update(lan).active
    assert cluster.compute.create(machine(lan)).addresses


def test_a_bucket_with_objects_is_not_deleted(cluster, project_id):
    spec = BucketSpec(uid=uuid.uuid4(), project_id=project_id, name="logs")
    assert cluster.storage.create_bucket(spec).endpoint.startswith("https://logs.objects.mock.invalid/")
    cluster.region.admin.fill_bucket(spec.uid, 3)

    with pytest.raises(ConflictError, match="3 objects"):
        cluster.storage.delete_bucket(spec.uid)

    cluster.region.admin.fill_bucket(spec.uid, 0)
    cluster.storage.delete_bucket(spec.uid)
    assert cluster.storage.observe_bucket(spec.uid) is None


def test_another_installations_objects_are_in_the_way(cluster, machine, context):
    spec = machine()
    cluster.compute.create(spec)
    stranger = MockComputeDriver(
        MockSettings(),
        AgentContext(installation_id=uuid.uuid4(), cluster_id=uuid.uuid4(), state_folder=context.state_folder),
    )
    stranger.prepare()

    with pytest.raises(ConflictError, match="another installation"):
        stranger.create(spec)
    with pytest.raises(ConflictError, match="another installation"):
        stranger.delete(spec.uid)


# --- books --------------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "delete", "resize", "stop", "vanish", "attach", "volume", "drop"]),
        st.integers(0, 5),
    ),
    max_size=30,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=STEPS)
def test_the_books_agree_after_any_life(make_cluster, machine, network, volume, steps):
    cluster = make_cluster(hosts=2, host_vcpus=6, storage_gib=60)
    lan = network(mode=NetworkMode.ISOLATED)
    cluster.network.create(lan)
    machines, volumes = [machine(lan) for _ in range(6)], [volume() for _ in range(6)]

    for action, number in steps:
        try:
            _act(cluster, action, machines[number], volumes[number])
        except PermanentError:
            continue  # refused, and so without effect

    assert cluster.region.admin.problems() == []
    for spec in machines:
        cluster.compute.delete(spec.uid)
    for spec in volumes:
        cluster.storage.delete(spec.uid)
    cluster.network.delete(lan.uid)
    assert set(cluster.region.admin.used().values()) == {0}


def _act(cluster, action, machine, volume) -> None:
    actions = {
        "create": lambda: cluster.compute.create(machine),
        "delete": lambda: cluster.compute.delete(machine.uid),
        "resize": lambda: cluster.compute.resize(replace(machine, vcpus=3, root_gib=20)),
        "stop": lambda: cluster.compute.update(replace(machine, power=PowerState.STOPPED)),
        "vanish": lambda: cluster.region.admin.vanish(machine.uid),
        "attach": lambda: cluster.compute.update(replace(machine, volume_uids=(volume.uid,))),
        "volume": lambda: cluster.storage.create(volume),
        "drop": lambda: cluster.storage.delete(volume.uid),
    }
    actions[action]()


@pytest.mark.parametrize(
    "chosen",
    [
        {"hosts": 0},
        {"machine_seconds": -1.0},
        {"calls_per_second": -1.0},
        {"faults": ("bogus",)},
        {"faults": ("lost_after=2",)},
    ],
)
def test_settings_that_cannot_work_are_refused(chosen):
    with pytest.raises(ValueError, match=next(iter(chosen))):
        MockSettings(**chosen)


def test_capacity_is_what_the_settings_say(make_cluster):
    cluster = make_cluster(hosts=3, host_vcpus=8, host_memory_mib=1024, storage_gib=77)

    assert dataclasses.astuple(cluster.compute.capacity()) == (24, 3072, 0)
    assert dataclasses.astuple(cluster.storage.capacity()) == (0, 0, 77)
    assert dataclasses.astuple(cluster.network.capacity()) == (0, 0, 0)
