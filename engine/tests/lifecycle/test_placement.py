# SPDX-License-Identifier: Apache-2.0
"""Where new resources go, and why they go nowhere."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from stratoplane.errors import FeatureUnsupportedError, InvalidSpecError, NoClusterError, ResourceNotFoundError
from stratoplane_engine.model.change import ChangeResult

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld

TENANTS_WORDS = "no cluster takes new resources at present; try later or ask an operator"


def refuse(tenant: "TenantWorld", kind: str, error: type[Exception], **body: Any) -> str:
    before = tenant.everything()
    with pytest.raises(error) as caught:
        tenant.create(kind, **body)
    assert type(caught.value) is error
    assert tenant.everything() == before
    tenant.check_accounts()
    return str(caught.value)


def test_the_cluster_with_most_free_memory_is_chosen(tenant: "TenantWorld") -> None:
    _, roomiest = tenant.add_cluster(memory_mib_total=20_000_000)

    assert tenant.create("virtual_machine").resource.cluster == roomiest


def test_the_caller_may_name_the_cluster(tenant: "TenantWorld") -> None:
    tenant.add_cluster(memory_mib_total=20_000_000)

    assert tenant.create("volume", size_gib=1, cluster=tenant.cluster).resource.cluster == tenant.cluster


def test_a_cluster_that_is_not_there(tenant: "TenantWorld") -> None:
    said = refuse(tenant, "volume", ResourceNotFoundError, size_gib=1, cluster="atlantis")
    assert said == "cluster: there is no cluster 'atlantis'; list the clusters"


def test_what_a_machine_uses_decides_its_cluster(tenant: "TenantWorld") -> None:
    network = tenant.made("network", cidr="10.1.0.0/24")
    tenant.add_cluster(memory_mib_total=20_000_000)

    machine = tenant.create("virtual_machine", network_ids=[network.resource.id])

    assert machine.resource.cluster == tenant.cluster


def test_what_a_machine_uses_decides_even_among_many_roomier_clusters(tenant: "TenantWorld") -> None:
    network = tenant.made("network", cidr="10.1.0.0/24")
    for _ in range(60):
        tenant.add_cluster(memory_mib_total=20_000_000)

    machine = tenant.create("virtual_machine", network_ids=[network.resource.id])

    assert machine.resource.cluster == tenant.cluster


def test_networks_of_two_clusters_do_not_fit_one_machine(tenant: "TenantWorld") -> None:
    _, other = tenant.add_cluster()
    here = tenant.create("network", cidr="10.1.0.0/24", cluster=tenant.cluster)
    there = tenant.create("network", cidr="10.2.0.0/24", cluster=other)

    said = refuse(tenant, "virtual_machine", InvalidSpecError, network_ids=[here.resource.id, there.resource.id])

    name = there.resource.name
    assert said == f"network {name} is on cluster {other}, not {tenant.cluster}; name what is on one cluster"


def test_a_named_cluster_against_that_of_the_network(tenant: "TenantWorld") -> None:
    _, other = tenant.add_cluster()
    network = tenant.create("network", cidr="10.1.0.0/24", cluster=tenant.cluster)

    said = refuse(tenant, "virtual_machine", InvalidSpecError, network_ids=[network.resource.id], cluster=other)

    where = f"network {network.resource.name} is on cluster {tenant.cluster}, not {other}"
    assert said == f"{where}; name what is on one cluster"


@pytest.mark.parametrize("total", ["vcpus_total", "memory_mib_total", "storage_gib_total"])
def test_a_cluster_without_room_is_passed_over(tenant: "TenantWorld", total: str) -> None:
    tenant.execute(f"UPDATE cluster SET {total} = 0 WHERE id = :id", id=tenant.cluster_id)  # noqa: S608  # a column
    said = refuse(tenant, "virtual_machine", NoClusterError)
    assert said == "no cluster has room for this virtual machine; try a smaller one or tell an operator"
    refuse(tenant, "virtual_machine", NoClusterError, cluster=tenant.cluster)
    _, other = tenant.add_cluster(memory_mib_total=2000)

    assert tenant.create("virtual_machine").resource.cluster == other


@pytest.mark.parametrize("seen_at", ["NULL", "clock_timestamp() - interval '91 seconds'"])
def test_a_cluster_whose_agent_is_silent_takes_nothing_new(tenant: "TenantWorld", seen_at: str) -> None:
    network = tenant.made("network", cidr="10.1.0.0/24")
    tenant.execute(f"UPDATE cluster SET seen_at = {seen_at} WHERE id = :id", id=tenant.cluster_id)  # noqa: S608  # a time

    said = refuse(tenant, "volume", NoClusterError, size_gib=1)
    assert said == TENANTS_WORDS
    said = refuse(tenant, "volume", NoClusterError, size_gib=1, context=tenant.operator())
    assert f"{tenant.cluster} has no agent connected" in said
    named = f"cluster {tenant.cluster} takes nothing new: it has no agent connected; try later or another cluster"
    assert refuse(tenant, "volume", NoClusterError, size_gib=1, cluster=tenant.cluster) == named
    assert refuse(tenant, "virtual_machine", NoClusterError, network_ids=[network.resource.id]) == named


@pytest.mark.parametrize("state", ["DRAINING", "DISABLED"])
def test_a_cluster_that_operators_closed_takes_nothing_new(tenant: "TenantWorld", state: str) -> None:
    tenant.execute("UPDATE cluster SET state = :state WHERE id = :id", state=state, id=tenant.cluster_id)

    assert refuse(tenant, "volume", NoClusterError, size_gib=1) == TENANTS_WORDS
    said = refuse(tenant, "volume", NoClusterError, size_gib=1, context=tenant.operator())
    assert said == (
        f"no cluster takes new resources: {tenant.cluster} is {state.lower()}; enable one or start its agent"
    )
    said = refuse(tenant, "volume", NoClusterError, size_gib=1, cluster=tenant.cluster)
    assert said == f"cluster {tenant.cluster} takes nothing new: it is {state.lower()}; try later or another cluster"


def test_operators_are_told_that_there_is_no_cluster(tenant: "TenantWorld") -> None:
    tenant.execute("UPDATE cluster SET deleted_at = clock_timestamp() WHERE deleted_at IS NULL")
    said = refuse(tenant, "volume", NoClusterError, size_gib=1, context=tenant.operator())
    assert said == "there is no cluster yet; create one and enrol an agent for it"


def test_a_cluster_that_cannot_do_it_is_passed_over(tenant: "TenantWorld") -> None:
    tenant.execute("UPDATE cluster SET features = '{compute}' WHERE id = :id", id=tenant.cluster_id)
    said = refuse(tenant, "bucket", FeatureUnsupportedError)
    assert said == "no connected cluster can do buckets, storage; ask an operator"
    said = refuse(tenant, "network", FeatureUnsupportedError, cidr="10.1.0.0/24", cluster=tenant.cluster)
    assert said == f"cluster {tenant.cluster} cannot do network; choose another cluster"
    _, able = tenant.add_cluster(memory_mib_total=2000)

    assert tenant.create("bucket").resource.cluster == able


def test_what_two_clusters_hold_together_is_filled_by_many_at_once(tenant: "TenantWorld") -> None:
    tenant.execute("UPDATE cluster SET vcpus_total = 8 WHERE id = :id", id=tenant.cluster_id)
    tenant.add_cluster(vcpus_total=8, memory_mib_total=9_000_000)

    def create(_: int) -> ChangeResult | NoClusterError:
        try:
            return tenant.create("virtual_machine")
        except NoClusterError as error:
            return error

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(create, range(24)))

    assert sum(isinstance(answer, ChangeResult) for answer in answers) == 16
    tenant.check_accounts()


def test_a_network_that_is_deleted_meanwhile_is_not_used_by_a_new_machine(tenant: "TenantWorld") -> None:
    """Creating and deleting at once, many times: there is never a machine on a network that goes."""
    for _ in range(10):
        network = tenant.made("network", cidr="10.1.0.0/24")
        with ThreadPoolExecutor(2) as pool:
            deletion = pool.submit(tenant.delete, network)
            creation = pool.submit(tenant.create, "virtual_machine", network_ids=[network.resource.id])
            refusals = [task.exception() for task in (deletion, creation) if task.exception()]
        assert len(refusals) == 1
        tenant.settle()
        if deletion.exception() is None:
            assert tenant.row(network)["status"] == "DELETED"
        else:
            assert tenant.get(creation.result()).status == "RUNNING"
            tenant.delete(creation.result())
            tenant.settle()
            tenant.delete(network)
            tenant.settle()


def test_creates_and_resizes_that_need_each_others_rows_never_deadlock(tenant: "TenantWorld") -> None:
    volumes = [tenant.made("volume", size_gib=1) for _ in range(6)]

    def grow(volume: ChangeResult) -> int:
        for size in range(2, 6):
            tenant.update(volume, size_gib=size)
        return 4

    def attach(volume: ChangeResult) -> int:
        for _ in range(2):
            machine = tenant.create("virtual_machine", volume_ids=[volume.resource.id])
            tenant.execute("DELETE FROM resource_link WHERE source_id = :id", id=machine.resource.id)
        return 2

    with ThreadPoolExecutor(8) as pool:
        growing = [pool.submit(grow, volume) for volume in volumes]
        attaching = [pool.submit(attach, volume) for volume in volumes]
        draining = [pool.submit(tenant.drain) for _ in range(6)]
        assert [task.result() for task in growing + attaching] == [4] * 6 + [2] * 6
        assert all(task.exception() is None for task in draining)
    tenant.check_accounts()


def test_a_plugin_may_choose_among_the_candidates(tenant: "TenantWorld") -> None:
    from stratoplane.hookspecs import hookimpl

    wanted, name = tenant.add_cluster(memory_mib_total=2000)
    asked: list[UUID] = []

    class Chooser:
        @hookimpl
        def stratoplane_place(self, candidates: Any) -> UUID:
            asked.extend(each.cluster_id for each in candidates)
            return wanted

    tenant.plugins.manager.register(Chooser())

    assert tenant.create("virtual_machine").resource.cluster == name
    assert asked == [tenant.cluster_id, wanted]
