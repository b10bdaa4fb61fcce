# SPDX-License-Identifier: Apache-2.0
"""Images are on clusters: placement goes where the image is, as drivers tell, and lists say where that is."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from stratoplane.drivers import MOST_IMAGES, AvailableImage, Capacity
from stratoplane.errors import InvalidSpecError
from stratoplane.ids import new_id
from stratoplane.messages import Hello, Outcome, ProviderReport
from stratoplane_engine.jobs.tenant_words import for_tenants
from stratoplane_engine.model.listing import Page
from stratoplane_engine.services import agents, catalogue, clusters, job_control
from stratoplane_engine.services.agent_authentication import AgentIdentity

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld

DIGEST, OTHER_DIGEST = "a" * 64, "b" * 64
DEBIAN, ROCKY = AvailableImage(source="debian.qcow2"), AvailableImage(source="rocky.qcow2")


def tell(tenant: "TenantWorld", cluster_id: UUID, **images: tuple[AvailableImage, ...] | None) -> None:
    """Be the agent of a cluster that says hello; ``images`` are those of its drivers, by interface."""
    identity = AgentIdentity(id=new_id(), name="agent", cluster_id=cluster_id, cluster="")
    told = {"compute": None, "storage": None, "network": None, **images}
    providers = tuple(
        ProviderReport(interface=interface, driver="test", images=known) for interface, known in told.items()
    )
    capacity = Capacity(vcpus=10_000, memory_mib=10_000_000, storage_gib=100_000)
    agents.hello(
        tenant.database, identity, Hello(version="1", providers=providers, capacity=capacity), inventory_seconds=60
    )


def refused(tenant: "TenantWorld", kind: str, **body: Any) -> InvalidSpecError:
    """Return the refusal of a create, which its dry run gives as well."""
    said = []
    for context in (tenant.context(dry_run=True), tenant.context()):
        with pytest.raises(InvalidSpecError) as caught:
            tenant.create(kind, context=context, **body)
        said.append((caught.value.detail, caught.value.violations))
    assert said[0] == said[1]
    assert [each.pointer for each in caught.value.violations] == ["/image"]
    return caught.value


def image_id(tenant: "TenantWorld") -> UUID:
    (found,) = (each.id for each in catalogue.list_images(tenant.database, PAGE).items if each.name == tenant.image)
    return found


PAGE = Page(limit=1_000, cursor="")


@pytest.mark.parametrize("kind", ["virtual_machine", "volume"])
def test_a_resource_goes_to_a_cluster_that_has_its_image(tenant: "TenantWorld", kind: str) -> None:
    needed = "compute" if kind == "virtual_machine" else "storage"
    more: dict[str, Any] = {} if kind == "virtual_machine" else {"image": tenant.image, "size_gib": 10}
    roomy = [tenant.add_cluster(memory_mib_total=50_000_000)[0] for _ in range(55)]
    for each in roomy:
        tell(tenant, each, **{needed: (ROCKY,)})
    tell(tenant, tenant.cluster_id, **{needed: (DEBIAN,)})

    assert tenant.create(kind, **more).resource.cluster == tenant.cluster

    tell(tenant, tenant.cluster_id, **{needed: (ROCKY,)})
    said = refused(tenant, kind, **more).detail
    where = f"no cluster that takes new resources has the image {tenant.image} at present"
    assert said == f"{where}; choose another image or tell an operator"

    tell(tenant, roomy[0])
    assert tenant.create(kind, **more).resource.cluster_id == roomy[0]


def test_a_named_cluster_and_that_of_a_network_must_have_the_image(tenant: "TenantWorld") -> None:
    network = tenant.made("network", cidr="10.1.0.0/24")
    tell(tenant, tenant.cluster_id, compute=(ROCKY,))
    tenant.add_cluster()

    members: tuple[dict[str, Any], ...] = ({"cluster": tenant.cluster}, {"network_ids": [network.resource.id]})
    for member in members:
        said = refused(tenant, "virtual_machine", **member).detail
        assert said.startswith(f"cluster {tenant.cluster} does not have the image {tenant.image}; ")
    volume = tenant.made("volume", size_gib=10, cluster=tenant.cluster)
    from_volume = tenant.create("virtual_machine", boot_volume_id=volume.resource.id)
    assert from_volume.resource.cluster == tenant.cluster


def test_the_same_name_with_another_digest_is_another_image(tenant: "TenantWorld") -> None:
    tenant.execute("UPDATE image SET sha256 = :digest WHERE name = :name", digest=DIGEST, name=tenant.image)
    for digest, is_it in ((OTHER_DIGEST, False), (DIGEST, True), ("", True)):
        tell(tenant, tenant.cluster_id, compute=(AvailableImage(source="debian.qcow2", sha256=digest),))
        if is_it:
            assert tenant.create("virtual_machine").resource.cluster == tenant.cluster
        else:
            refused(tenant, "virtual_machine")


def test_a_copy_is_known_by_our_id_and_needs_no_source(tenant: "TenantWorld") -> None:
    tell(tenant, tenant.cluster_id, compute=(AvailableImage(uid=image_id(tenant)),))

    assert tenant.create("virtual_machine").resource.cluster == tenant.cluster
    tell(tenant, tenant.cluster_id, compute=(AvailableImage(uid=new_id()),))
    refused(tenant, "virtual_machine")


def test_an_image_that_goes_away_meanwhile_is_a_clear_failure_and_no_retry_goes_there(tenant: "TenantWorld") -> None:
    tell(tenant, tenant.cluster_id, compute=(DEBIAN,), storage=None)
    machine = tenant.create("virtual_machine")
    tell(tenant, tenant.cluster_id, compute=())

    tenant.settle(lambda each: tenant.agent.failed(each, Outcome.PERMANENT, code="not_found_at_provider"))
    job = tenant.job(machine)

    assert job.error is not None
    assert job.error.code == "not_found_at_provider"
    assert "such as its image, is missing at the provider" in for_tenants(job.error).detail
    for dry_run in (True, False):
        context = tenant.context(dry_run=dry_run)
        with pytest.raises(InvalidSpecError, match=f"does not have the image {tenant.image}"):
            job_control.retry(tenant.database, tenant.plugins, context, tenant.project_id, job.id)
    tell(tenant, tenant.cluster_id, compute=(DEBIAN,))
    assert job_control.retry(tenant.database, tenant.plugins, tenant.context(), tenant.project_id, job.id).id != job.id


def test_a_machine_that_is_there_changes_without_its_image(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine")
    tell(tenant, tenant.cluster_id, compute=())

    assert tenant.update(machine, power="STOPPED").job is not None


def test_lists_say_where_an_image_is_and_what_each_driver_has(tenant: "TenantWorld") -> None:
    other_id, other = tenant.add_cluster()
    tell(tenant, tenant.cluster_id, compute=(ROCKY, AvailableImage(source="a\x1b[2J"), AvailableImage()))
    tell(tenant, other_id, compute=None)

    def where() -> tuple[str, ...]:
        (found,) = (each for each in catalogue.list_images(tenant.database, PAGE).items if each.name == tenant.image)
        return found.clusters

    assert where() == (other,)
    tell(tenant, tenant.cluster_id, compute=(ROCKY, DEBIAN))
    assert set(where()) == {other, tenant.cluster}
    shown = clusters.list_providers(tenant.database, tenant.operator(), PAGE).items
    told = {(each.cluster, each.interface): each.images for each in shown}
    assert told[tenant.cluster, "compute"] == ("debian.qcow2", "rocky.qcow2")
    assert told[tenant.cluster, "storage"] is None
    assert told[other, "compute"] is None
    tell(tenant, tenant.cluster_id, compute=tuple(AvailableImage(source=f"i{at}") for at in range(MOST_IMAGES + 1)))
    assert set(where()) == {other, tenant.cluster}
