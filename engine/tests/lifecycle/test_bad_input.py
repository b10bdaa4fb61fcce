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
def _nothing_half_done(site: "TenantWorld") -> Iterator[None]:
    """Whatever a test has refused, what is counted is what is there."""
    yield
    site.check_accounts()


def refused(site: "TenantWorld", kind: str, error: type[StratoplaneError], **body: Any) -> StratoplaneError:
    """Ask for something that is refused with ``error``, see that no table grew, and return the error."""
    before, used = site.everything(), site.used()
    with pytest.raises(error) as caught:
        site.create(kind, **body)
    assert type(caught.value) is error
    assert (site.everything(), site.used()) == (before, used)
    return caught.value


def pointers(error: StratoplaneError) -> list[str]:
    assert isinstance(error, InvalidSpecError)
    return [violation.pointer for violation in error.violations]


def test_an_unknown_flavor(site: "TenantWorld") -> None:
    error = refused(site, "virtual_machine", ResourceNotFoundError, flavor="huge")
    assert error.detail == "flavor: there is no flavor 'huge'; list the flavors"


def test_a_flavor_that_was_deleted(site: "TenantWorld") -> None:
    site.execute("UPDATE flavor SET deleted_at = clock_timestamp() WHERE name = :name", name=site.flavor)
    refused(site, "virtual_machine", ResourceNotFoundError)


@pytest.mark.parametrize("kind", ["virtual_machine", "volume"])
def test_an_unknown_image(site: "TenantWorld", kind: str) -> None:
    size = {"size_gib": 5} if kind == "volume" else {}
    error = refused(site, kind, ResourceNotFoundError, image="windows-95", **size)
    assert error.detail == "image: there is no image 'windows-95'; list the images"


def test_neither_an_image_nor_a_volume_to_boot_from(site: "TenantWorld") -> None:
    assert pointers(refused(site, "virtual_machine", InvalidSpecError, image="")) == ["/image"]


def test_both_an_image_and_a_volume_to_boot_from(site: "TenantWorld") -> None:
    volume = site.made("volume", size_gib=5)
    both = {"image": site.image, "boot_volume_id": volume.resource.id}
    assert pointers(refused(site, "virtual_machine", InvalidSpecError, **both)) == ["/image"]


def test_a_disk_that_is_smaller_than_the_image(site: "TenantWorld") -> None:
    site.execute("UPDATE image SET minimum_disk_gib = 11 WHERE name = :name", name=site.image)
    assert pointers(refused(site, "virtual_machine", InvalidSpecError)) == ["/flavor"]
    assert pointers(refused(site, "volume", InvalidSpecError, size_gib=10, image=site.image)) == ["/size_gib"]


@pytest.mark.parametrize("member", ["network_ids", "volume_ids"])
def test_an_id_that_nothing_has(site: "TenantWorld", member: str) -> None:
    refused(site, "virtual_machine", ResourceNotFoundError, **{member: [NOBODY]})


@pytest.mark.parametrize("member", ["network_ids", "volume_ids"])
@pytest.mark.parametrize("identifier", ["no-uuid", ""])
def test_what_is_not_a_valid_id(site: "TenantWorld", member: str, identifier: str) -> None:
    assert pointers(refused(site, "virtual_machine", InvalidSpecError, **{member: [identifier]})) == [f"/{member}/0"]


def test_the_id_of_something_else(site: "TenantWorld") -> None:
    volume = site.made("volume", size_gib=5)
    error = refused(site, "virtual_machine", ResourceNotFoundError, network_ids=[volume.resource.id])
    assert error.detail == f"network_ids/0: this project has no network {volume.resource.id}; list its networks"


def test_the_id_of_another_project_of_the_same_organization(site: "TenantWorld") -> None:
    foreign = site.neighbour().made("network", cidr="10.1.0.0/24")
    refused(site, "virtual_machine", ResourceNotFoundError, network_ids=[foreign.resource.id])


def test_the_id_of_another_organization(site: "TenantWorld", other_site: "TenantWorld") -> None:
    foreign = other_site.made("network", cidr="10.1.0.0/24", cluster=other_site.cluster)
    refused(site, "virtual_machine", ResourceNotFoundError, network_ids=[foreign.resource.id])


def test_a_key_pair_of_another_project(site: "TenantWorld") -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUEyDRJGXJrSYvJF0bjPzS0pVIWzB1oDOLKmRLgj"
    pair = site.neighbour().create("key_pair", name="laptop", public_key=key)
    for named in ("laptop", str(pair.resource.id)):
        refused(site, "virtual_machine", ResourceNotFoundError, key_pair=named)


def test_a_deleted_network(site: "TenantWorld") -> None:
    network = site.made("network", cidr="10.1.0.0/24")
    site.delete(network)
    site.settle()
    refused(site, "virtual_machine", ResourceNotFoundError, network_ids=[network.resource.id])


def test_a_network_that_is_being_deleted(site: "TenantWorld") -> None:
    network = site.made("network", cidr="10.1.0.0/24")
    site.delete(network)
    error = refused(site, "virtual_machine", InvalidSpecError, network_ids=[network.resource.id])
    assert pointers(error) == ["/network_ids/0"]


def test_the_same_network_twice_in_two_spellings(site: "TenantWorld") -> None:
    network = str(site.made("network", cidr="10.1.0.0/24").resource.id)
    error = refused(site, "virtual_machine", InvalidSpecError, network_ids=[network, network.upper()])
    assert pointers(error) == ["/network_ids"]


def test_the_boot_volume_among_the_data_volumes(site: "TenantWorld") -> None:
    volume = str(site.made("volume", size_gib=5).resource.id)
    error = refused(site, "virtual_machine", InvalidSpecError, boot_volume_id=volume, volume_ids=[volume.upper()])
    assert pointers(error) == ["/volume_ids"]


def test_a_volume_that_another_machine_uses(site: "TenantWorld") -> None:
    volume = site.made("volume", size_gib=5)
    user = site.made("virtual_machine", volume_ids=[volume.resource.id])
    for member in ({"volume_ids": [volume.resource.id]}, {"boot_volume_id": volume.resource.id}):
        error = refused(site, "virtual_machine", InUseError, **member)
        assert isinstance(error, InUseError)
        assert error.used_by == (str(user.resource.id),)


@pytest.mark.parametrize("cidr", ["10.0.0.0/30", "10.0.0.1/24", "8.8.8.0/24", "fd00::/64", "somewhere", ""])
def test_a_range_that_cannot_be_served(site: "TenantWorld", cidr: str) -> None:
    assert pointers(refused(site, "network", InvalidSpecError, cidr=cidr)) == ["/cidr"]


def test_no_public_key(site: "TenantWorld") -> None:
    assert pointers(refused(site, "key_pair", InvalidSpecError, public_key="secret")) == ["/public_key"]


def test_a_name_that_exists(site: "TenantWorld") -> None:
    site.create("volume", name="data", size_gib=1)
    error = refused(site, "volume", NameTakenError, name="data", size_gib=1)
    assert error.detail == "this project has a volume named 'data' already; choose another name"


def test_a_name_is_taken_only_by_the_same_kind_in_the_same_project(site: "TenantWorld") -> None:
    site.create("volume", name="data", size_gib=1)
    site.create("bucket", name="data")
    site.neighbour().create("volume", name="data", size_gib=1)


def test_a_name_is_free_again_after_deletion(site: "TenantWorld") -> None:
    site.delete(site.made("volume", name="data", size_gib=1))
    site.settle()
    site.create("volume", name="data", size_gib=1)


@pytest.mark.parametrize(("key", "limit", "wanted"), [("volumes", 1, 1), ("storage_gib", 14, 10)])
def test_a_full_quota_of_the_organization(site: "TenantWorld", key: str, limit: int, wanted: int) -> None:
    site.create("volume", size_gib=5)
    site.limit(key, limit)
    error = refused(site, "volume", QuotaExceededError, size_gib=10)
    used = {"volumes": 1, "storage_gib": 5}[key]
    assert error.payload() == {"key": key, "scope": "organization", "limit": limit, "used": used, "wanted": wanted}


def test_a_full_quota_of_the_project_leaves_other_projects_alone(site: "TenantWorld") -> None:
    site.limit("vcpus", 0, scope_id=site.project_id)
    error = refused(site, "virtual_machine", QuotaExceededError)
    assert error.payload() == {"key": "vcpus", "scope": "project", "limit": 0, "used": 0, "wanted": 1}
    site.neighbour().create("virtual_machine")


def test_a_project_that_is_not_there(site: "TenantWorld", other_site: "TenantWorld") -> None:
    site.project_id = other_site.project_id
    error = refused(site, "network", ResourceNotFoundError, cidr="10.1.0.0/24")
    assert error.detail == f"there is no project {other_site.project_id}; list the projects"


def test_a_caller_without_permission(site: "TenantWorld") -> None:
    nobody = Actor(id=uuid4(), name="user:eve", organization_id=site.organization_id, credential_id=uuid4())
    context = RequestContext(actor=nobody, organization_id=site.organization_id)
    error = refused(site, "volume", PermissionDeniedError, size_gib=1, context=context)
    assert error.payload() == {"permission": "resource:write"}
