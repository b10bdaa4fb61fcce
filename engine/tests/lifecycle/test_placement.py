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


def refuse(site: "TenantWorld", kind: str, error: type[Exception], **body: Any) -> str:
    before = site.everything()
    with pytest.raises(error) as caught:
        site.create(kind, **body)
    assert type(caught.value) is error
    assert site.everything() == before
    site.check_accounts()
    return str(caught.value)


def test_the_cluster_with_most_free_memory_is_chosen(site: "TenantWorld") -> None:
    _, roomiest = site.add_cluster(memory_mib_total=20_000_000)

    assert site.create("virtual_machine").resource.cluster == roomiest


def test_the_caller_may_name_the_cluster(site: "TenantWorld") -> None:
    site.add_cluster(memory_mib_total=20_000_000)

    assert site.create("volume", size_gib=1, cluster=site.cluster).resource.cluster == site.cluster


def test_a_cluster_that_is_not_there(site: "TenantWorld") -> None:
    said = refuse(site, "volume", ResourceNotFoundError, size_gib=1, cluster="atlantis")
    assert said == "cluster: there is no cluster 'atlantis'; list the clusters"


def test_what_a_machine_uses_decides_its_cluster(site: "TenantWorld") -> None:
    network = site.made("network", cidr="10.1.0.0/24")
    site.add_cluster(memory_mib_total=20_000_000)

    machine = site.create("virtual_machine", network_ids=[network.resource.id])

    assert machine.resource.cluster == site.cluster


def test_what_a_machine_uses_decides_even_among_many_roomier_clusters(site: "TenantWorld") -> None:
    network = site.made("network", cidr="10.1.0.0/24")
    for _ in range(60):
        site.add_cluster(memory_mib_total=20_000_000)

    machine = site.create("virtual_machine", network_ids=[network.resource.id])

    assert machine.resource.cluster == site.cluster


def test_networks_of_two_clusters_do_not_fit_one_machine(site: "TenantWorld") -> None:
    _, other = site.add_cluster()
    here = site.create("network", cidr="10.1.0.0/24", cluster=site.cluster)
    there = site.create("network", cidr="10.2.0.0/24", cluster=other)

    said = refuse(site, "virtual_machine", InvalidSpecError, network_ids=[here.resource.id, there.resource.id])

    assert said == "what the resource uses is on different clusters; name what is on one cluster"


def test_a_named_cluster_against_that_of_the_network(site: "TenantWorld") -> None:
    _, other = site.add_cluster()
    network = site.create("network", cidr="10.1.0.0/24", cluster=site.cluster)

    said = refuse(site, "virtual_machine", InvalidSpecError, network_ids=[network.resource.id], cluster=other)

    assert said == f"what the resource uses is on cluster {site.cluster}, not {other}; leave cluster out"


@pytest.mark.parametrize("total", ["vcpus_total", "memory_mib_total", "storage_gib_total"])
def test_a_cluster_without_room_is_passed_over(site: "TenantWorld", total: str) -> None:
    site.execute(f"UPDATE cluster SET {total} = 0 WHERE id = :id", id=site.cluster_id)  # noqa: S608  # a column
    said = refuse(site, "virtual_machine", NoClusterError)
    assert said == "no cluster has room for this virtual machine; try a smaller one or tell an operator"
    refuse(site, "virtual_machine", NoClusterError, cluster=site.cluster)
    _, other = site.add_cluster(memory_mib_total=2000)

    assert site.create("virtual_machine").resource.cluster == other


@pytest.mark.parametrize("seen_at", ["NULL", "clock_timestamp() - interval '91 seconds'"])
def test_a_cluster_whose_agent_is_silent_takes_nothing_new(site: "TenantWorld", seen_at: str) -> None:
    network = site.made("network", cidr="10.1.0.0/24")
    site.execute(f"UPDATE cluster SET seen_at = {seen_at} WHERE id = :id", id=site.cluster_id)  # noqa: S608  # a time

    said = refuse(site, "volume", NoClusterError, size_gib=1)
    assert said == "no cluster is connected; an operator must start an agent (stratoplane-server status)"
    named = f"cluster {site.cluster} takes nothing new: its agent is not connected; try later or another cluster"
    assert refuse(site, "volume", NoClusterError, size_gib=1, cluster=site.cluster) == named
    assert refuse(site, "virtual_machine", NoClusterError, network_ids=[network.resource.id]) == named


@pytest.mark.parametrize("state", ["DRAINING", "DISABLED"])
def test_a_cluster_that_operators_closed_takes_nothing_new(site: "TenantWorld", state: str) -> None:
    site.execute("UPDATE cluster SET state = :state WHERE id = :id", state=state, id=site.cluster_id)

    refuse(site, "volume", NoClusterError, size_gib=1)
    said = refuse(site, "volume", NoClusterError, size_gib=1, cluster=site.cluster)
    assert said == f"cluster {site.cluster} takes nothing new: it is {state}; try later or another cluster"


def test_a_cluster_that_cannot_do_it_is_passed_over(site: "TenantWorld") -> None:
    site.execute("UPDATE cluster SET features = '{compute}' WHERE id = :id", id=site.cluster_id)
    said = refuse(site, "bucket", FeatureUnsupportedError)
    assert said == "no connected cluster can do buckets, storage; ask an operator"
    said = refuse(site, "network", FeatureUnsupportedError, cidr="10.1.0.0/24", cluster=site.cluster)
    assert said == f"cluster {site.cluster} cannot do network; choose another cluster"
    _, able = site.add_cluster(memory_mib_total=2000)

    assert site.create("bucket").resource.cluster == able


def test_what_two_clusters_hold_together_is_filled_by_many_at_once(site: "TenantWorld") -> None:
    site.execute("UPDATE cluster SET vcpus_total = 8 WHERE id = :id", id=site.cluster_id)
    site.add_cluster(vcpus_total=8, memory_mib_total=9_000_000)

    def create(_: int) -> ChangeResult | NoClusterError:
        try:
            return site.create("virtual_machine")
        except NoClusterError as error:
            return error

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(create, range(24)))

    assert sum(isinstance(answer, ChangeResult) for answer in answers) == 16
    site.check_accounts()


def test_a_network_that_is_deleted_meanwhile_is_not_used_by_a_new_machine(site: "TenantWorld") -> None:
    """Creating and deleting at once, many times: there is never a machine on a network that goes."""
    for _ in range(10):
        network = site.made("network", cidr="10.1.0.0/24")
        with ThreadPoolExecutor(2) as pool:
            deletion = pool.submit(site.delete, network)
            creation = pool.submit(site.create, "virtual_machine", network_ids=[network.resource.id])
            refusals = [task.exception() for task in (deletion, creation) if task.exception()]
        assert len(refusals) == 1
        site.settle()
        if deletion.exception() is None:
            assert site.row(network)["status"] == "DELETED"
        else:
            assert site.get(creation.result()).status == "RUNNING"
            site.delete(creation.result())
            site.settle()
            site.delete(network)
            site.settle()


def test_creates_and_resizes_that_need_each_others_rows_never_deadlock(site: "TenantWorld") -> None:
    volumes = [site.made("volume", size_gib=1) for _ in range(6)]

    def grow(volume: ChangeResult) -> int:
        for size in range(2, 6):
            site.update(volume, size_gib=size)
        return 4

    def attach(volume: ChangeResult) -> int:
        for _ in range(2):
            machine = site.create("virtual_machine", volume_ids=[volume.resource.id])
            site.execute("DELETE FROM resource_link WHERE source_id = :id", id=machine.resource.id)
        return 2

    with ThreadPoolExecutor(8) as pool:
        growing = [pool.submit(grow, volume) for volume in volumes]
        attaching = [pool.submit(attach, volume) for volume in volumes]
        draining = [pool.submit(site.drain) for _ in range(6)]
        assert [task.result() for task in growing + attaching] == [4] * 6 + [2] * 6
        assert all(task.exception() is None for task in draining)
    site.check_accounts()


def test_a_plugin_may_choose_among_the_candidates(site: "TenantWorld") -> None:
    from stratoplane.hookspecs import hookimpl

    wanted, name = site.add_cluster(memory_mib_total=2000)
    asked: list[UUID] = []

    class Chooser:
        @hookimpl
        def stratoplane_place(self, candidates: Any) -> UUID:
            asked.extend(each.cluster_id for each in candidates)
            return wanted

    site.plugins.manager.register(Chooser())

    assert site.create("virtual_machine").resource.cluster == name
    assert asked == [site.cluster_id, wanted]
