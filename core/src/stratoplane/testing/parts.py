# SPDX-License-Identifier: Apache-2.0
"""The tests of machines together with networks and volumes of the same cluster."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address, ip_network
from uuid import UUID, uuid4

import pytest

from stratoplane.compute import ImageReference, MachineInterface, MachineSpec
from stratoplane.errors import CapacityError, ConflictError, NotFoundError
from stratoplane.network import NetworkSpec
from stratoplane.resources import PowerState
from stratoplane.storage import VolumeSpec
from stratoplane.testing.bench import Workbench
from stratoplane.testing.trouble import at_once


class Power:
    """Power is desired state, not a verb."""

    def test_a_machine_is_made_stopped_if_it_should_be(self, bench: Workbench) -> None:
        spec = replace(bench.new_spec(), power=PowerState.STOPPED)

        assert bench.create(spec).power is PowerState.STOPPED

    def test_a_machine_stops_and_runs_again(self, bench: Workbench) -> None:
        spec = bench.new_spec()
        assert bench.create(spec).power is PowerState.RUNNING

        assert bench.update(replace(spec, power=PowerState.STOPPED)).power is PowerState.STOPPED
        assert bench.observe(spec.uid).power is PowerState.STOPPED
        assert bench.update(spec).power is PowerState.RUNNING
        assert bench.observe(spec.uid).power is PowerState.RUNNING

    def test_an_update_does_not_resize(self, bench: Workbench) -> None:
        spec = bench.new_spec()
        made = bench.create(spec)

        bench.update(replace(spec, vcpus=spec.vcpus + 1, memory_mib=spec.memory_mib * 2))

        observed = bench.observe(spec.uid)
        assert (observed.vcpus, observed.memory_mib) == (made.vcpus, made.memory_mib)

    def test_a_machine_that_no_cluster_can_hold_is_refused(
        self, bench: Workbench, too_large: Callable[[MachineSpec], MachineSpec] | None
    ) -> None:
        if too_large is None:
            pytest.skip("no fixture too_large")
        spec = too_large(bench.new_spec())

        with pytest.raises(CapacityError):
            bench.create(spec)

        assert spec.uid not in bench.listed()

    def test_a_machine_without_its_image_is_refused(
        self, bench: Workbench, missing_image: ImageReference | None
    ) -> None:
        if missing_image is None:
            pytest.skip("no fixture missing_image")
        spec = replace(bench.new_spec(), image=missing_image)

        with pytest.raises(NotFoundError):
            bench.create(spec)

        assert spec.uid not in bench.listed()


class Addresses:
    """Every card of a machine has an address of its network."""

    def test_a_running_machine_has_its_address(self, bench: Workbench, network: NetworkSpec) -> None:
        spec = plugged(bench, network)

        [address] = bench.create(spec).addresses

        assert (address.network_uid, address.mac.lower()) == (network.uid, spec.interfaces[0].mac)
        assert is_usable(address.address, network)

    def test_machines_made_at_once_have_different_addresses(
        self, bench: Workbench, network: NetworkSpec, crowd: int
    ) -> None:
        specs = [plugged(bench, network) for _ in range(crowd)]

        at_once(crowd, lambda number: bench.create(specs[number]))

        found = [address.address for spec in specs for address in bench.observe(spec.uid).addresses]
        assert len(set(found)) == crowd
        assert all(is_usable(address, network) for address in found)

    def test_an_address_outlives_a_stop(self, bench: Workbench, network: NetworkSpec) -> None:
        spec = plugged(bench, network)
        made = bench.create(spec)

        bench.update(replace(spec, power=PowerState.STOPPED))

        assert bench.update(spec).addresses == made.addresses

    def test_creating_again_keeps_the_address(self, bench: Workbench, network: NetworkSpec, times: int) -> None:
        spec = plugged(bench, network)

        answers = [bench.create(spec).addresses for _ in range(times)]

        assert answers == [answers[0]] * times

    def test_a_network_in_use_cannot_be_deleted(
        self, bench: Workbench, networks: Workbench, network: NetworkSpec
    ) -> None:
        spec = plugged(bench, network)
        bench.create(spec)

        with pytest.raises(ConflictError):
            networks.delete(network.uid)
        assert networks.observe(network.uid) is not None

        bench.delete(spec.uid)
        networks.delete(network.uid)
        assert networks.observe(network.uid) is None

    def test_an_unknown_network_is_refused_and_nothing_is_left(self, bench: Workbench, network: NetworkSpec) -> None:
        spec = plugged(bench, replace(network, uid=uuid4()))

        with pytest.raises(NotFoundError):
            bench.create(spec)

        assert bench.observe(spec.uid) is None
        assert spec.uid not in bench.listed()


class Volumes:
    """A volume belongs to one machine at a time and outlives it."""

    def test_a_machine_is_made_with_its_volume(self, bench: Workbench, volume: VolumeSpec) -> None:
        spec = replace(bench.new_spec(), volume_uids=(volume.uid,))

        assert bench.create(spec).volume_uids == (volume.uid,)

    def test_a_volume_is_attached_and_detached(self, bench: Workbench, volume: VolumeSpec, times: int) -> None:
        spec = bench.new_spec()
        bench.create(spec)

        for _ in range(times):
            assert bench.update(replace(spec, volume_uids=(volume.uid,))).volume_uids == (volume.uid,)
        for _ in range(times):
            assert bench.update(spec).volume_uids == ()

    def test_a_second_machine_does_not_get_it(self, bench: Workbench, volume: VolumeSpec) -> None:
        owner, other = replace(bench.new_spec(), volume_uids=(volume.uid,)), bench.new_spec()
        bench.create(owner)
        bench.create(other)

        with pytest.raises(ConflictError):
            bench.update(replace(other, volume_uids=(volume.uid,)))

        assert bench.observe(owner.uid).volume_uids == (volume.uid,)

    def test_a_volume_in_use_cannot_be_deleted(self, bench: Workbench, volumes: Workbench, volume: VolumeSpec) -> None:
        bench.create(replace(bench.new_spec(), volume_uids=(volume.uid,)))

        with pytest.raises(ConflictError):
            volumes.delete(volume.uid)

        assert volumes.observe(volume.uid) is not None

    def test_a_volume_outlives_its_machine(self, bench: Workbench, volumes: Workbench, volume: VolumeSpec) -> None:
        spec = replace(bench.new_spec(), volume_uids=(volume.uid,))
        bench.create(spec)

        bench.delete(spec.uid)

        assert volumes.observe(volume.uid) is not None
        volumes.delete(volume.uid)
        assert volumes.observe(volume.uid) is None

    def test_an_unknown_volume_is_refused_and_nothing_is_left(self, bench: Workbench, volume: VolumeSpec) -> None:
        spec = replace(bench.new_spec(), volume_uids=(volume.uid, uuid4()))

        with pytest.raises(NotFoundError):
            bench.create(spec)

        assert spec.uid not in bench.listed()
        bench.create(replace(bench.new_spec(), volume_uids=(volume.uid,)))


def plugged(bench: Workbench, network: NetworkSpec) -> MachineSpec:
    """Return the specification of a new machine with one card on ``network``."""
    spec: MachineSpec = bench.new_spec()
    return replace(spec, interfaces=(MachineInterface(network_uid=network.uid, mac=card_address(spec.uid)),))


def card_address(uid: UUID) -> str:
    """Return a locally administered MAC address that follows from ``uid``."""
    return ":".join(f"{octet:02x}" for octet in (0x02, *uid.bytes[-5:]))


def is_usable(address: str, network: NetworkSpec) -> bool:
    """Tell whether a machine may have ``address`` on ``network``."""
    cidr = ip_network(network.cidr)
    reserved = {ip_address(network.gateway), cidr.network_address, cidr.broadcast_address}
    return ip_address(address) in cidr and ip_address(address) not in reserved
