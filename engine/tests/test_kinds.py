# SPDX-License-Identifier: Apache-2.0
"""What kinds make of a request, as far as it needs no database."""

import re
from dataclasses import fields
from ipaddress import IPv4Address, IPv4Network, ip_network
from uuid import UUID, uuid4

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stratoplane.compute import ImageReference
from stratoplane.errors import InvalidSpecError
from stratoplane.kinds import Spec
from stratoplane.network import NetworkMode
from stratoplane.quota import DEFAULT_LIMITS, QuotaKey
from stratoplane.registry import resource_kind_problem
from stratoplane.resources import PowerState
from stratoplane_engine.db.connection import dump_json
from stratoplane_engine.kinds.bucket import BucketSpec
from stratoplane_engine.kinds.catalogue import BUILTIN_KINDS, Kinds
from stratoplane_engine.kinds.key_pair import KeyPairSpec
from stratoplane_engine.kinds.network import PRIVATE, NetworkSpec, parse_cidr
from stratoplane_engine.kinds.virtual_machine import VirtualMachineSpec, mac_address
from stratoplane_engine.kinds.volume import VolumeSpec
from stratoplane_engine.workflows.catalogue import WORKFLOWS, step_names

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUEyDRJGXJrSYvJF0bjPzS0pVIWzB1oDOLKmRLgj"
UUIDS = st.uuids()


@given(UUIDS, UUIDS)
def test_a_card_is_unicast_local_and_follows_from_machine_and_network(machine: UUID, network: UUID) -> None:
    card = mac_address(machine, network)
    assert re.fullmatch(r"02(:[0-9a-f]{2}){5}", card)
    first = int(card[:2], 16)
    assert (first & 1, first & 2) == (0, 2)
    assert card == mac_address(machine, network)


def test_cards_of_many_machines_differ() -> None:
    network = uuid4()
    assert len({mac_address(uuid4(), network) for _ in range(5000)}) == 5000


@given(st.integers(0, 2**32 - 1), st.integers(0, 32))
@example(0, 8)
@example(int(IPv4Address("240.0.0.0")), 8)
@example(int(IPv4Address("127.0.0.0")), 24)
@example(int(IPv4Address("169.254.0.0")), 16)
@example(int(IPv4Address("100.64.0.0")), 24)
@example(int(IPv4Address("192.0.2.0")), 24)
def test_a_range_is_taken_exactly_if_it_is_private_and_of_a_size_to_serve(address: int, prefix: int) -> None:
    text = f"{IPv4Address(address)}/{prefix}"
    network = ip_network(text, strict=False)
    assert isinstance(network, IPv4Network)
    servable = (
        8 <= prefix <= 29
        and int(network.network_address) == address
        and any(network.subnet_of(private) for private in PRIVATE)
    )
    if servable:
        assert parse_cidr(text) == network
    else:
        with pytest.raises(InvalidSpecError) as caught:
            parse_cidr(text)
        assert [violation.pointer for violation in caught.value.violations] == ["/cidr"]


@given(st.sampled_from(PRIVATE), st.integers(0, 2**24), st.integers(8, 29))
def test_every_private_range_of_a_servable_size_is_taken(private: IPv4Network, offset: int, prefix: int) -> None:
    prefix = max(prefix, private.prefixlen)
    address = int(private.network_address) + offset % private.num_addresses
    network = IPv4Network((address, prefix), strict=False)
    assert parse_cidr(str(network)) == network


@given(st.text(max_size=40))
def test_any_other_text_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        parse_cidr(f"{text}?")
    assert caught.value.violations[0].pointer == "/cidr"


def test_every_kind_on_a_cluster_can_be_made_changed_and_deleted() -> None:
    for kind in BUILTIN_KINDS.values():
        names = {name for name in WORKFLOWS if name.startswith(f"{kind.name}.")}
        assert (names >= {f"{kind.name}.{verb}" for verb in ("create", "update", "delete")}) == (
            kind.interface is not None
        )


def test_a_workflows_steps_have_names_of_their_own() -> None:
    for name, workflow in WORKFLOWS.items():
        assert workflow.name == name
        assert len(set(step_names(name, BUILTIN_KINDS))) == len(step_names(name, BUILTIN_KINDS)) > 0


def test_every_kinds_specs_are_read_back_as_they_were_written() -> None:
    image = ImageReference(uid=uuid4(), name="debian", source="debian.qcow2")
    machine = VirtualMachineSpec(
        flavor_id=uuid4(), flavor="small", vcpus=1, memory_mib=1024, disk_gib=10, image=image, key_pair_id=uuid4(),
        ssh_keys=(ED25519,), network_ids=(uuid4(), uuid4()), volume_ids=(uuid4(),), power=PowerState.STOPPED,
    )  # fmt: skip
    specs = {
        "virtual_machine": machine,
        "network": NetworkSpec(cidr="10.1.0.0/24", gateway="10.1.0.1", mode=NetworkMode.ISOLATED),
        "volume": VolumeSpec(size_gib=3, image=image),
        "bucket": BucketSpec(),
        "key_pair": KeyPairSpec(public_key=ED25519, fingerprint="SHA256:x"),
    }
    assert specs.keys() == BUILTIN_KINDS.keys()
    for name, spec in specs.items():
        assert BUILTIN_KINDS.read_spec(name, orjson.loads(dump_json(spec))) == spec


def test_what_sql_reads_of_a_spec_stands_in_it_by_these_names() -> None:
    """Statements of the reconciler and of placement read them; a rename needs a migration."""
    members = {each.name for each in fields(VirtualMachineSpec)}
    assert members >= {"power", "vcpus", "memory_mib", "disk_gib", "volume_ids", "boot_volume_id"}
    assert {each.name for each in fields(NetworkSpec)} == {"cidr", "gateway", "mode"}
    assert {each.name for each in fields(VolumeSpec)} == {"size_gib", "image"}


def test_the_spec_of_a_kind_that_is_not_enabled_stays_unread() -> None:
    assert type(BUILTIN_KINDS.read_spec("load_balancer", {"port": 443})) is Spec


def test_everything_that_is_counted_has_a_default_limit() -> None:
    assert dict(BUILTIN_KINDS.default_limits) == {str(key): limit for key, limit in DEFAULT_LIMITS.items()}
    assert set(BUILTIN_KINDS.quota_keys) == set(QuotaKey)


def test_every_kind_with_a_driver_can_be_served_and_none_takes_anothers_place() -> None:
    for kind in BUILTIN_KINDS.values():
        others = Kinds(each for each in BUILTIN_KINDS.values() if each is not kind)
        problem = resource_kind_problem(kind, others.values())
        # Its own key is among those of the platform, which only plugins' kinds must not take.
        assert problem == f"the quota key {kind.quota_key} is in use already"
