# SPDX-License-Identifier: Apache-2.0
"""Organizations, projects, users, roles, tokens, clusters, flavors, images, quotas: what is done without a job."""

import pytest

import stratoplane_client
from client.tests.contract_server import Contract
from client.tests.contract_server.fixtures import Connect
from stratoplane_client import (
    AccessDeniedError,
    Client,
    ConflictError,
    NameTakenError,
    NotFoundError,
    VersionConflictError,
)


def test_a_tenant_keeps_projects_users_and_roles(client: Client, project: str) -> None:
    assert client.organization().name == "acme"
    made = client.projects.create(name="shop", display_name="The shop", labels={"env": "prod"})
    changed = client.projects.update(made.id, labels={}, if_match=made.etag)
    assert (changed.name, changed.labels, changed.version) == ("shop", {}, 2)
    with pytest.raises(VersionConflictError):
        client.projects.update(made.id, name="other", if_match=made.etag)
    with pytest.raises(NameTakenError):
        client.projects.create(name="shop")
    client.projects.delete(made.id)
    assert [each.name for each in client.projects.list()] == ["web"]

    bob = client.users.create(username="bob", password="another pass phrase")
    assert client.users.find("bob") == client.users.get(bob.id)
    assert [each.name for each in client.roles.list()] == ["organization-admin", "project-member"]
    binding = client.role_bindings.create(user_id=bob.id, role="project-member", project_id=project)
    assert [(each.username, each.role) for each in client.role_bindings.list()] == [("bob", "project-member")]
    client.role_bindings.delete(binding.id)
    client.users.delete(bob.id)
    with pytest.raises(NotFoundError):
        client.users.get(bob.id)


def test_everybody_sees_what_is_offered(client: Client) -> None:
    assert [each.name for each in client.flavors.list()] == ["small", "large"]
    assert [each.minimum_disk_gib for each in client.images.list()] == [1]
    assert [each.features for each in client.clusters.list()] == [("compute", "network")]
    assert client.health().checks[0].name == "database"


def test_tokens_for_programs(client: Client) -> None:
    made = client.tokens.create(name="ci", expires_in=3600)

    assert made.token.startswith("secret-")
    listed = next(client.tokens.list())
    assert (listed.name, listed.kind) == ("ci", "api")
    client.tokens.delete(made.id)
    assert list(client.tokens.list()) == []


def test_an_operator_keeps_the_platform(connect: Connect) -> None:
    operator = connect("olga").operator
    organization = operator.organizations.create(name="globex")
    assert operator.organizations.find("globex").id == organization.id
    assert operator.organizations.update(organization.id, display_name="Globex").display_name == "Globex"
    user = operator.users.create(organization_id=organization.id, username="hank", password="a long pass phrase")
    assert operator.role_bindings.create(user_id=user.id, role="organization-admin").username == "hank"
    operator.organizations.delete(organization.id)

    cluster = operator.clusters.create(name="rack-2", description="second")
    assert operator.clusters.update(cluster.id, state="DRAINING").state == "DRAINING"
    token = operator.clusters.create_join_token(cluster.id, expires_in=60)
    assert (token.token, token.cluster_id) == ("join-me", cluster.id)
    assert "join-me" not in repr(token)
    operator.clusters.delete(operator.clusters.find("rack-2").id)

    flavor = operator.flavors.create(name="huge", vcpus=64, memory_mib=262_144, disk_gib=100)
    assert operator.flavors.update(flavor.id, vcpus=32).vcpus == 32
    operator.flavors.delete(operator.flavors.find("huge").id)
    image = operator.images.create(name="debian-13", source="d13.qcow2", minimum_disk_gib=2)
    assert operator.images.update(image.id, description="new").description == "new"
    operator.images.delete(operator.images.find("debian-13").id)

    agent = next(operator.agents.list())
    assert (agent.state, operator.agents.revoke(agent.id).state) == ("ACTIVE", "REVOKED")
    assert next(operator.providers.list()).reason == "no such folder"
    assert next(operator.plugins.list()).name == "naming"
    assert [each.name for each in operator.roles.list()]
    assert list(operator.jobs.list()) == []
    assert list(operator.audit_events.list()) == []


def test_an_operator_sets_limits(connect: Connect, project: str) -> None:
    quotas = connect("olga").operator.quotas

    assert {each.key: each.limit for each in quotas.set_organization("x", {"networks": 5}).organization}[
        "networks"
    ] == 5
    assert quotas.set_project(project, {"volumes": -1}).project
    assert quotas.of_project(project) == quotas.of_organization("x")


def test_a_tenant_is_no_operator(client: Client) -> None:
    with pytest.raises(AccessDeniedError):
        next(client.operator.organizations.list())


def test_every_public_name_is_there() -> None:
    for name in stratoplane_client.__all__:
        assert getattr(stratoplane_client, name).__module__.startswith("stratoplane_client.") or name == "NO_RETRIES"
    with pytest.raises(AttributeError):
        _ = stratoplane_client.Nonsense


def test_jobs_are_stopped_tried_again_and_ended(
    contract: Contract, client: Client, connect: Connect, project: str
) -> None:
    contract.state.stuck = True
    job = client.networks(project).create(name="front", cidr="10.9.0.0/24").job
    assert job is not None
    jobs, all_jobs = client.jobs(project), connect("olga").operator.jobs

    assert jobs.cancel(job.id).cancelled_by == "user:alice"
    assert jobs.retry(job.id).id == job.id
    assert all_jobs.cancel(job.id).cancelled_by == "user:olga"
    assert all_jobs.retry(job.id).id == job.id
    assert [each.provider_text for each in all_jobs.operations(job.id)] == ["connection refused"]
    ended = all_jobs.resolve(job.id, note="the rack is gone")
    assert ended.error is not None
    assert (ended.state, ended.error.detail) == ("FAILED", "the rack is gone")
    with pytest.raises(ConflictError):
        jobs.cancel(job.id)


def test_leaks_are_listed_and_closed(connect: Connect) -> None:
    leaks = connect("olga").operator.leaks
    (leak,) = leaks.list(open=True)
    assert leaks.resolve(leak.id, note="deleted manually").resolved_by == "user:olga"


def test_incidents_are_handled(connect: Connect) -> None:
    incidents = connect("olga").operator.incidents
    (incident,) = incidents.list(severity="CRITICAL")
    assert incidents.acknowledge(incident.id, note="looking").status == "ACKNOWLEDGED"
    assert incidents.assign(incident.id, assignee="user:bob").assignee == "user:bob"
    assert incidents.add_note(incident.id, note="a cable").events[-1].note == "a cable"
    assert incidents.resolve(incident.id).status == "RESOLVED"
    with pytest.raises(ConflictError):
        incidents.resolve(incident.id)
    assert incidents.reopen(incident.id).status == "OPEN"
    (delivery,) = incidents.get(incident.id).deliveries
    assert incidents.redeliver(incident.id, delivery.id).state == "PENDING"
