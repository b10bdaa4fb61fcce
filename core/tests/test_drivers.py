# SPDX-License-Identifier: Apache-2.0
"""Drivers' features follow from their classes, and drift names what differs."""

import uuid
from dataclasses import replace
from typing import Any

import pytest

from stratoplane.compute import ComputeDriver, ConsoleOps, MachineSpec, MachineStatus, RebootOps, ResizeOps
from stratoplane.drivers import AgentContext, Capacity, Feature
from stratoplane.network import NetworkMode, NetworkSpec, NetworkStatus
from stratoplane.resources import PowerState
from stratoplane.storage import BucketSpec, BucketStatus, VolumeSpec, VolumeStatus

nothing: Any = lambda *_: None  # noqa: E731  # stands for any verb


class Silent(ComputeDriver):
    """A driver that does nothing."""

    def capacity(self):
        return Capacity()

    prepare = observe = create = update = delete = list = nothing


class Able(Silent, RebootOps, ResizeOps, ConsoleOps):
    reboot = resize = console_log = nothing


class AlmostAble(Silent, RebootOps):
    pass


def context(tmp_path):
    return AgentContext(installation_id=uuid.uuid4(), cluster_id=uuid.uuid4(), state_folder=tmp_path)


def test_features_are_read_off_the_classes(tmp_path):
    assert Silent(None, context(tmp_path)).features() == frozenset()
    assert Able(None, context(tmp_path)).features() == {Feature.REBOOT, Feature.RESIZE, Feature.CONSOLE_LOG}


def test_an_ability_without_its_method_cannot_be_made(tmp_path):
    with pytest.raises(TypeError, match="reboot"):
        AlmostAble(None, context(tmp_path))  # type: ignore[abstract]  # as an author who runs no type checker


def test_usage_is_empty_unless_a_driver_measures(tmp_path):
    assert list(Silent(None, context(tmp_path)).usage()) == []


UID, PROJECT, VOLUME = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
MACHINE = MachineSpec(
    uid=UID, project_id=PROJECT, name="web", vcpus=2, memory_mib=512, root_gib=5, volume_uids=(VOLUME,)
)
MACHINE_STATUS = MachineStatus(
    uid=UID, name="web", vcpus=2, memory_mib=512, power=PowerState.RUNNING, volume_uids=(VOLUME,), host="host-1"
)
NETWORK = NetworkSpec(uid=UID, project_id=PROJECT, name="lan", cidr="10.0.0.0/24", gateway="10.0.0.1")
NETWORK_STATUS = NetworkStatus(uid=UID, name="lan", cidr="10.0.0.0/24", gateway="10.0.0.1", mode=NetworkMode.NAT)


@pytest.mark.parametrize(
    ("status", "spec", "different"),
    [
        (MACHINE_STATUS, MACHINE, {}),
        (MACHINE_STATUS, MACHINE, {"name": "db"}),
        (MACHINE_STATUS, MACHINE, {"vcpus": 4}),
        (MACHINE_STATUS, MACHINE, {"memory_mib": 1}),
        (MACHINE_STATUS, MACHINE, {"power": PowerState.STOPPED}),
        (MACHINE_STATUS, MACHINE, {"volume_uids": ()}),
        (MACHINE_STATUS, MACHINE, {"name": "db", "vcpus": 4}),
        (NETWORK_STATUS, NETWORK, {}),
        (NETWORK_STATUS, NETWORK, {"name": "wan"}),
        (NETWORK_STATUS, NETWORK, {"cidr": "10.1.0.0/24"}),
        (NETWORK_STATUS, NETWORK, {"gateway": "10.0.0.254"}),
        (NETWORK_STATUS, NETWORK, {"mode": NetworkMode.ISOLATED}),
        (
            VolumeStatus(uid=UID, name="x", size_gib=1),
            VolumeSpec(uid=UID, project_id=PROJECT, name="y", size_gib=1),
            {},
        ),
        (
            VolumeStatus(uid=UID, name="x", size_gib=1),
            VolumeSpec(uid=UID, project_id=PROJECT, name="x", size_gib=1),
            {"size_gib": 2},
        ),
        (BucketStatus(uid=UID, name="x"), BucketSpec(uid=UID, project_id=PROJECT, name="x"), {}),
        (BucketStatus(uid=UID, name="x"), BucketSpec(uid=UID, project_id=PROJECT, name="x"), {"name": "y"}),
    ],
)
def test_drift_names_what_differs(status, spec, different):
    assert status.drift(replace(spec, **different)) == different.keys()


def test_a_network_that_carries_no_traffic_has_drifted():
    assert replace(NETWORK_STATUS, active=False).drift(NETWORK) == {"active"}


def test_the_order_of_volumes_is_no_drift():
    other = uuid.uuid4()

    status = replace(MACHINE_STATUS, volume_uids=(other, VOLUME))

    assert status.drift(replace(MACHINE, volume_uids=(VOLUME, other))) == frozenset()
