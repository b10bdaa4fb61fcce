# SPDX-License-Identifier: Apache-2.0
"""What a cluster does that operators drain or disable."""

from typing import TYPE_CHECKING

import pytest

from stratoplane.jobs import JobState
from stratoplane_engine.db import operations, outbox
from stratoplane_engine.model.cluster import ClusterPatch, ClusterState
from stratoplane_engine.services import job_control
from stratoplane_engine.services.clusters import update_cluster

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld


def put(tenant: "TenantWorld", state: ClusterState) -> None:
    update_cluster(tenant.database, tenant.operator(), tenant.cluster_id, ClusterPatch(state=state))


def test_a_draining_cluster_changes_and_deletes_what_it_has(tenant: "TenantWorld") -> None:
    made = tenant.made("volume", size_gib=1)
    put(tenant, ClusterState.DRAINING)
    grown = tenant.update(made, size_gib=2)
    tenant.settle()
    gone = tenant.delete(made)
    tenant.settle()
    assert [tenant.job(each).state for each in (grown, gone)] == [JobState.SUCCEEDED] * 2


@pytest.mark.parametrize("next_state", [ClusterState.ENABLED, ClusterState.DRAINING])
def test_changes_of_a_disabled_cluster_wait_with_the_reason(tenant: "TenantWorld", next_state: ClusterState) -> None:
    made = tenant.made("volume", size_gib=1)
    put(tenant, ClusterState.DISABLED)
    grown = tenant.update(made, size_gib=2)
    tenant.settle()
    assert tenant.job(grown).state is JobState.PENDING
    assert tenant.job(grown).disabled_cluster == tenant.cluster
    with tenant.database.system() as connection:
        assert outbox.overlooked_jobs(connection, grace_seconds=0, limit=100) == 0

    tenant.execute("UPDATE job SET deadline_at = clock_timestamp() WHERE id = :id", id=tenant.job_id(grown))
    put(tenant, next_state)
    assert tenant.job(grown).disabled_cluster is None
    tenant.settle()
    assert tenant.job(grown).state is JobState.SUCCEEDED


def test_what_no_agent_has_begun_waits_and_does_not_run_out_of_time(tenant: "TenantWorld") -> None:
    made = tenant.made("volume", size_gib=1)
    grown = tenant.update(made, size_gib=2)
    tenant.drain()
    put(tenant, ClusterState.DISABLED)
    assert tenant.agent.offers() == ()
    tenant.execute("UPDATE operation SET deadline_at = clock_timestamp() - interval '1 second'")
    with tenant.database.system() as connection:
        assert operations.abandon(connection, 10) == 0
    put(tenant, ClusterState.ENABLED)
    tenant.settle()
    assert (tenant.job(grown).state, tenant.job(grown).attempts) == (JobState.SUCCEEDED, 1)


def test_a_job_of_a_disabled_cluster_can_be_stopped(tenant: "TenantWorld") -> None:
    made = tenant.made("volume", size_gib=1)
    put(tenant, ClusterState.DISABLED)
    gone = tenant.delete(made)
    job_control.cancel_any(tenant.database, tenant.operator(), tenant.job_id(gone))
    tenant.settle()
    assert (tenant.job(gone).state, tenant.get(made).status) == (JobState.CANCELLED, "ACTIVE")


def test_another_clusters_jobs_run_on(tenant: "TenantWorld") -> None:
    put(tenant, ClusterState.DISABLED)
    identifier, name = tenant.add_cluster()
    made = tenant.create("volume", size_gib=1, cluster=name)
    tenant.drain()
    tenant.hand_of(identifier).work()
    tenant.drain()
    assert tenant.job(made).state is JobState.SUCCEEDED
