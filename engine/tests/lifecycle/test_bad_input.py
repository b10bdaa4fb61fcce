# SPDX-License-Identifier: Apache-2.0
"""Requests that cannot be granted: each is refused by name, says where, and leaves nothing behind."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from stratoplane.errors import (
    InUseError,
    InvalidSpecError,
    NameTakenError,
    PermissionDeniedError,
    QuotaExceededError,
    ResourceNotFoundError,
    StratoplaneError,
)
from stratoplane_engine.access.context import Actor, RequestContext

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld

NOBODY = "00000000-0000-7000-8000-000000000000"


@pytest.fixture(autouse=True)
def _nothing_half_done(tenant: "TenantWorld") -> Iterator[None]:
    """Whatever a test has refused, what is counted is what is there."""
    yield
    tenant.check_accounts()


def refused(tenant: "TenantWorld", kind: str, error: type[StratoplaneError], **body: Any) -> StratoplaneError:
    """Ask for something that is refused with ``error``, see that no table grew, and return the error."""
    before, used = tenant.everything(), tenant.used()
    with pytest.raises(error) as caught:
        tenant.create(kind, **body)
    assert type(caught.value) is error
    assert (tenant.everything(), tenant.used()) == (before, used)
    return caught.value


def pointers(error: StratoplaneError) -> list[str]:
    assert isinstance(error, InvalidSpecError)
    return [violation.pointer for violation in error.violations]


def test_an_unknown_flavor(tenant: "TenantWorld") -> None:
    error = refused(tenant, "virtual_machine", ResourceNotFoundError, flavor="huge")
    assert error.detail == "flavor: there is no flavor 'huge'; list the flavors"


def test_a_flavor_that_was_deleted(tenant: "TenantWorld") -> None:
    tenant.execute("UPDATE flavor SET deleted_at = clock_timestamp() WHERE name = :name", name=tenant.flavor)
    refused(tenant, "virtual_machine", ResourceNotFoundError)


@pytest.mark.parametrize("kind", ["virtual_machine", "volume"])
def test_an_unknown_image(tenant: "TenantWorld", kind: str) -> None:
    size = {"size_gib": 5} if kind == "volume" else {}
    error = refused(tenant, kind, ResourceNotFoundError, image="windows-95", **size)
    assert error.detail == "image: there is no image 'windows-95'; list the images"


def test_neither_an_image_nor_a_volume_to_boot_from(tenant: "TenantWorld") -> None:
    assert pointers(refused(tenant, "virtual_machine", InvalidSpecError, image="")) == ["/image"]


def test_both_an_image_and_a_volume_to_boot_from(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", size_gib=5)
    both = {"image": tenant.image, "boot_volume_id": volume.resource.id}
    assert pointers(refused(tenant, "virtual_machine", InvalidSpecError, **both)) == ["/image"]


def test_a_disk_that_is_smaller_than_the_image(tenant: "TenantWorld") -> None:
    tenant.execute("UPDATE image SET minimum_disk_gib = 11 WHERE name = :name", name=tenant.image)
    assert pointers(refused(tenant, "virtual_machine", InvalidSpecError)) == ["/flavor"]
    assert pointers(refused(tenant, "volume", InvalidSpecError, size_gib=10, image=tenant.image)) == ["/size_gib"]


@pytest.mark.parametrize("member", ["network_ids", "volume_ids"])
def test_an_id_that_nothing_has(tenant: "TenantWorld", member: str) -> None:
    refused(tenant, "virtual_machine", ResourceNotFoundError, **{member: [NOBODY]})


@pytest.mark.parametrize("member", ["network_ids", "volume_ids"])
@pytest.mark.parametrize("identifier", ["no-uuid", ""])
def test_what_is_not_a_valid_id(tenant: "TenantWorld", member: str, identifier: str) -> None:
    assert pointers(refused(tenant, "virtual_machine", InvalidSpecError, **{member: [identifier]})) == [f"/{member}/0"]


def test_the_id_of_something_else(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", size_gib=5)
    error = refused(tenant, "virtual_machine", ResourceNotFoundError, network_ids=[volume.resource.id])
    assert error.detail == f"network_ids/0: this project has no network {volume.resource.id}; list its networks"


def test_the_id_of_another_project_of_the_same_organization(tenant: "TenantWorld") -> None:
    foreign = tenant.neighbour().made("network", cidr="10.1.0.0/24")
    refused(tenant, "virtual_machine", ResourceNotFoundError, network_ids=[foreign.resource.id])


def test_the_id_of_another_organization(tenant: "TenantWorld", other_tenant: "TenantWorld") -> None:
    foreign = other_tenant.made("network", cidr="10.1.0.0/24", cluster=other_tenant.cluster)
    refused(tenant, "virtual_machine", ResourceNotFoundError, network_ids=[foreign.resource.id])


def test_a_key_pair_of_another_project(tenant: "TenantWorld") -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUEyDRJGXJrSYvJF0bjPzS0pVIWzB1oDOLKmRLgj"
    pair = tenant.neighbour().create("key_pair", name="laptop", public_key=key)
    for named in ("laptop", str(pair.resource.id)):
        refused(tenant, "virtual_machine", ResourceNotFoundError, key_pair=named)


def test_a_deleted_network(tenant: "TenantWorld") -> None:
    network = tenant.made("network", cidr="10.1.0.0/24")
    tenant.delete(network)
    tenant.settle()
    refused(tenant, "virtual_machine", ResourceNotFoundError, network_ids=[network.resource.id])


def test_a_network_that_is_being_deleted(tenant: "TenantWorld") -> None:
    network = tenant.made("network", cidr="10.1.0.0/24")
    tenant.delete(network)
    error = refused(tenant, "virtual_machine", InvalidSpecError, network_ids=[network.resource.id])
    assert pointers(error) == ["/network_ids/0"]


def test_the_same_network_twice_in_two_spellings(tenant: "TenantWorld") -> None:
    network = str(tenant.made("network", cidr="10.1.0.0/24").resource.id)
    error = refused(tenant, "virtual_machine", InvalidSpecError, network_ids=[network, network.upper()])
    assert pointers(error) == ["/network_ids"]


def test_the_boot_volume_among_the_data_volumes(tenant: "TenantWorld") -> None:
    volume = str(tenant.made("volume", size_gib=5).resource.id)
    error = refused(tenant, "virtual_machine", InvalidSpecError, boot_volume_id=volume, volume_ids=[volume.upper()])
    assert pointers(error) == ["/volume_ids"]


def test_a_volume_that_another_machine_uses(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", size_gib=5)
    user = tenant.made("virtual_machine", volume_ids=[volume.resource.id])
    for member in ({"volume_ids": [volume.resource.id]}, {"boot_volume_id": volume.resource.id}):
        error = refused(tenant, "virtual_machine", InUseError, **member)
        assert isinstance(error, InUseError)
        assert error.used_by == (str(user.resource.id),)


@pytest.mark.parametrize("cidr", ["10.0.0.0/30", "10.0.0.1/24", "8.8.8.0/24", "fd00::/64", "somewhere", ""])
def test_a_range_that_cannot_be_served(tenant: "TenantWorld", cidr: str) -> None:
    assert pointers(refused(tenant, "network", InvalidSpecError, cidr=cidr)) == ["/cidr"]


def test_no_public_key(tenant: "TenantWorld") -> None:
    assert pointers(refused(tenant, "key_pair", InvalidSpecError, public_key="secret")) == ["/public_key"]


def test_a_name_that_exists(tenant: "TenantWorld") -> None:
    tenant.create("volume", name="data", size_gib=1)
    error = refused(tenant, "volume", NameTakenError, name="data", size_gib=1)
    assert error.detail == "this project has a volume named 'data' already; choose another name"


def test_a_name_is_taken_only_by_the_same_kind_in_the_same_project(tenant: "TenantWorld") -> None:
    tenant.create("volume", name="data", size_gib=1)
    tenant.create("bucket", name="data")
    tenant.neighbour().create("volume", name="data", size_gib=1)


def test_a_name_is_free_again_after_deletion(tenant: "TenantWorld") -> None:
    tenant.delete(tenant.made("volume", name="data", size_gib=1))
    tenant.settle()
    tenant.create("volume", name="data", size_gib=1)


@pytest.mark.parametrize(("key", "limit", "wanted"), [("volumes", 1, 1), ("storage_gib", 14, 10)])
def test_a_full_quota_of_the_organization(tenant: "TenantWorld", key: str, limit: int, wanted: int) -> None:
    tenant.create("volume", size_gib=5)
    tenant.limit(key, limit)
    error = refused(tenant, "volume", QuotaExceededError, size_gib=10)
    used = {"volumes": 1, "storage_gib": 5}[key]
    assert error.payload() == {"key": key, "scope": "organization", "limit": limit, "used": used, "wanted": wanted}


def test_a_full_quota_of_the_project_leaves_other_projects_alone(tenant: "TenantWorld") -> None:
    tenant.limit("vcpus", 0, scope_id=tenant.project_id)
    error = refused(tenant, "virtual_machine", QuotaExceededError)
    assert error.payload() == {"key": "vcpus", "scope": "project", "limit": 0, "used": 0, "wanted": 1}
    tenant.neighbour().create("virtual_machine")


def test_a_project_that_is_not_there(tenant: "TenantWorld", other_tenant: "TenantWorld") -> None:
    tenant.project_id = other_tenant.project_id
    error = refused(tenant, "network", ResourceNotFoundError, cidr="10.1.0.0/24")
    assert error.detail == f"there is no project {other_tenant.project_id}; list the projects"


def test_a_caller_without_permission(tenant: "TenantWorld") -> None:
    nobody = Actor(id=uuid4(), name="user:eve", organization_id=tenant.organization_id, credential_id=uuid4())
    context = RequestContext(actor=nobody, organization_id=tenant.organization_id)
    error = refused(tenant, "volume", PermissionDeniedError, size_gib=1, context=context)
    assert error.payload() == {"permission": "resource:write"}
