# SPDX-License-Identifier: Apache-2.0
"""The SDK and the command against the real platform: every operation of the API is called, and answers as expected."""

import json
import os
import re
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stratoplane_client import (
    AccessDeniedError,
    Client,
    InvalidRequestError,
    NotFoundError,
    Options,
    QuotaFullError,
    VersionConflictError,
)
from stratoplane_client.transport import Attempt
from stratoplane_mock.region import FILE_NAME, MockRegion
from stratoplane_mock.rules import Kind
from tests.end_to_end.conftest import Shell, wait_until

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqfMMYtQKbzYbqPTxMm1wwUJC2FnzcdIIRq0Gk0c7nL alice@laptop"
# What a client has no use for.
NOT_CALLED = {("GET", f"/api/common/v1/{name}") for name in ("live", "ready")}
"""What programs of the operator's ask for, not the SDK."""


class Recorder:
    """Remembers which operations were asked for."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()

    def __call__(self, attempt: Attempt) -> None:
        self.seen.add((attempt.call.method, templated(attempt.call.path)))


def templated(path: str) -> str:
    return re.sub(r"/(\{[a-z_]+\}|[0-9a-f]{8}-[0-9a-f-]{27})", "/*", path)


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def client(tenant: Any, recorder: Recorder) -> Iterator[Client]:
    """A client that acts as the tenant's administrator."""
    with Client(tenant.platform.url, options=Options(observe=recorder)) as found:
        found.login(tenant.username, tenant.password)
        yield found


@pytest.fixture
def operator(platform: Any, recorder: Recorder) -> Iterator[Client]:
    """A client that acts as the platform's administrator."""
    credentials = json.loads((platform.state / "credentials.json").read_text())
    with Client(platform.url, options=Options(observe=recorder)) as found:
        found.login(credentials["username"], credentials["password"])
        yield found


def test_a_tenant_does_everything_with_resources(client: Client, tenant: Any) -> None:
    project = tenant.project_id
    machines, networks, volumes = client.virtual_machines(project), client.networks(project), client.volumes(project)
    network = networks.create(name="front", cidr="10.20.0.0/24", labels={"env": "test"}).wait()
    volume = volumes.create(name="data", size_gib=5).wait()
    key = client.key_pairs(project).create(name="alice", public_key=PUBLIC_KEY).wait()
    wish: dict[str, Any] = {"name": "web-1", "flavor": "small", "image": "mock-linux", "network_ids": [network.id]}
    plan = machines.plan.create(**wish)
    assert (plan.quota["virtual_machines"], plan.cluster) == (1, network.cluster)
    assert list(machines.list()) == []

    machine = machines.create(**wish, volume_ids=[volume.id], key_pair="alice", user_data="#cloud-config\n").wait()
    assert machine.status == "RUNNING"
    assert machine.addresses[0].network_id == network.id
    assert machine.key_pair_id == key.id
    assert machines.find("web-1") == machines.get(machine.id)
    assert "login" in machines.console(machine.id)
    assert machines.reboot(machine.id).wait().status == "RUNNING"
    assert machines.update(machine.id, power="STOPPED").wait().status == "STOPPED"
    assert machines.update(machine.id, flavor="medium", volume_ids=[]).wait().vcpus == 2
    with pytest.raises(VersionConflictError):
        machines.update(machine.id, name="web-2", if_match=machine.etag)
    assert volumes.update(volume.id, size_gib=8).wait().size_gib == 8
    assert networks.update(network.id, name="back").resource.name == "back"
    buckets, keys = client.buckets(project), client.key_pairs(project)
    bucket = buckets.create(name="backups").wait()
    assert buckets.update(bucket.id, labels={"tier": "cold"}).resource.labels == {"tier": "cold"}
    assert keys.update(key.id, name="bob").resource.name == "bob"
    for nouns, each in ((machines, machine), (volumes, volume), (networks, network), (buckets, bucket), (keys, key)):
        assert nouns.get(each.id).id == each.id
        nouns.delete(each.id).wait()
        assert list(nouns.list()) == []
        with pytest.raises(NotFoundError):
            nouns.get(each.id)

    jobs = client.jobs(project)
    assert [jobs.get(each.id).state for each in jobs.list(status="FAILED")] == []
    assert {line.key: line.used for line in client.quotas(project).project}["vcpus"] == 0
    assert list(client.audit_events(project).list(subject_id=machine.id))
    assert next(client.audit_events().list()).organization_id == tenant.organization_id


def test_the_same_change_twice_has_one_effect(client: Client, tenant: Any) -> None:
    networks = client.networks(tenant.project_id)
    first = networks.create(name="front", cidr="10.20.0.0/24", idempotency_key="one")
    again = networks.create(name="front", cidr="10.20.0.0/24", idempotency_key="one")

    assert (first.replayed, again.replayed) == (False, True)
    assert again.resource.id == first.resource.id
    assert [each.id for each in networks.list(page_size=1)] == [first.resource.id]


def test_small_pages_hold_the_same_items_as_one_large_page(client: Client, tenant: Any) -> None:
    keys = client.key_pairs(tenant.project_id)
    made = {keys.create(name=f"key-{number}", public_key=PUBLIC_KEY).resource.id for number in range(5)}

    for sort in (None, "created_at", "-created_at", "name"):
        found = [each.id for each in keys.list(page_size=2, sort=sort)]
        assert set(found) == made
        assert len(found) == len(made)


def test_a_tenant_administers_its_organization(client: Client, tenant: Any) -> None:
    assert client.me().organization.id == client.organization().id == tenant.organization_id
    project = client.projects.create(name="shop", labels={"env": "test"})
    assert client.projects.update(project.id, display_name="Shop", if_match=project.etag).display_name == "Shop"
    user = client.users.create(username=f"bob-{uuid.uuid4().hex[:8]}", password="a long pass phrase")
    assert client.users.find(user.username) == client.users.get(user.id) == user
    binding = client.role_bindings.create(user_id=user.id, role="project-member", project_id=project.id)
    assert binding.id in {each.id for each in client.role_bindings.list()}
    assert "project-member" in {each.name for each in client.roles.list()}
    client.role_bindings.delete(binding.id)
    client.users.delete(user.id)
    assert client.projects.find("shop") == client.projects.get(project.id)
    client.projects.delete(project.id)
    assert {"small"} <= {each.name for each in client.flavors.list()}
    assert {"mock-linux"} <= {each.name for each in client.images.list()}
    assert any(each.online for each in client.clusters.list())
    token = client.tokens.create(name="ci", expires_in=3600)
    with Client(tenant.platform.url, token=token.token) as program:
        assert program.me().user.username == tenant.username
    assert "ci" in {each.name for each in client.tokens.list()}
    client.tokens.delete(token.id)
    assert client.version().api == "v1"
    assert client.health().status == "ok"
    client.logout()


def test_an_operator_administers_the_platform(operator: Client, tenant: Any) -> None:
    calls, name = operator.operator, f"x-{uuid.uuid4().hex[:8]}"
    organization = calls.organizations.create(name=name)
    assert calls.organizations.update(organization.id, display_name="X").display_name == "X"
    user = calls.users.create(organization_id=organization.id, username=name, password="a long pass phrase")
    assert calls.users.get(user.id) == calls.users.find(name)
    binding = calls.role_bindings.create(user_id=user.id, role="organization-admin")
    assert binding.id in {each.id for each in calls.role_bindings.list()}
    calls.role_bindings.delete(binding.id)
    calls.users.delete(user.id)
    assert calls.quotas.set_organization(organization.id, {"vcpus": 7}).organization
    assert {line.key: line.limit for line in calls.quotas.of_organization(organization.id).organization}["vcpus"] == 7
    assert calls.organizations.find(name) == calls.organizations.get(organization.id)
    calls.organizations.delete(organization.id)
    assert calls.quotas.set_project(tenant.project_id, {"networks": 0}).project
    assert {line.key: line.limit for line in calls.quotas.of_project(tenant.project_id).project}["networks"] == 0
    cluster = calls.clusters.create(name=name)
    assert calls.clusters.update(cluster.id, state="DISABLED").state == "DISABLED"
    assert calls.clusters.create_join_token(cluster.id, expires_in=60).token
    calls.clusters.delete(calls.clusters.get(cluster.id).id)
    flavor = calls.flavors.create(name=name, vcpus=1, memory_mib=64, disk_gib=1)
    assert calls.flavors.update(flavor.id, vcpus=2).vcpus == 2
    calls.flavors.delete(calls.flavors.get(flavor.id).id)
    image = calls.images.create(name=name, source=f"{name}.qcow2", minimum_disk_gib=2)
    assert calls.images.update(image.id, description="new").description == "new"
    calls.images.delete(calls.images.get(image.id).id)
    for listed in (calls.organizations, calls.users, calls.roles, calls.clusters, calls.flavors, calls.images):
        assert list(listed.list())
    assert "mock" in {each.driver for each in calls.providers.list()}
    assert {"naming"} <= {each.name for each in calls.plugins.list()}
    assert list(calls.audit_events.list(subject_id=cluster.id))


def test_an_operator_sees_every_job_and_a_full_quota_is_told(client: Client, operator: Client, tenant: Any) -> None:
    networks = client.networks(tenant.project_id)
    job = networks.create(name="front", cidr="10.20.0.0/24").job
    assert job is not None
    operator.operator.quotas.set_project(tenant.project_id, {"networks": 1})

    assert operator.operator.jobs.get(job.id).resource_name == "front"
    assert next(operator.operator.jobs.list()).id
    with pytest.raises(QuotaFullError) as caught:
        networks.create(name="back", cidr="10.21.0.0/24")
    assert caught.value.key == "networks"


@pytest.fixture
def absent_agent(platform: Any) -> Iterator[None]:
    """The cluster's agent stands still."""
    pid = platform.pid("agent")
    os.kill(pid, signal.SIGSTOP)
    yield
    os.kill(pid, signal.SIGCONT)


@pytest.mark.usefixtures("absent_agent")
def test_jobs_are_stopped_tried_again_and_ended_while_the_agent_is_away(
    client: Client, operator: Client, tenant: Any
) -> None:
    jobs, all_jobs, volumes = client.jobs(tenant.project_id), operator.operator.jobs, client.volumes(tenant.project_id)
    first = volumes.create(name="first", size_gib=1).job
    assert first is not None
    assert jobs.cancel(first.id).cancelled_by == f"user:{tenant.username}"
    tenant.end_of(first.id)
    assert jobs.get(first.id).state == "CANCELLED"

    again = jobs.retry(first.id)
    assert all_jobs.cancel(again.id).cancelled_by
    tenant.end_of(again.id)
    last = all_jobs.retry(again.id)
    wait_until(lambda: list(all_jobs.operations(last.id)), "the agent is asked")
    ended = all_jobs.resolve(last.id, note="the rack is gone")
    assert ended.error is not None
    assert (ended.state, ended.error.leaks) == ("FAILED", ("provision",))
    (leak,) = [each for each in operator.operator.leaks.list() if each.job_id == last.id]
    assert operator.operator.leaks.resolve(leak.id, note="nothing is there").note == "nothing is there"
    assert client.volumes(tenant.project_id).find("first").status == "FAILED"


def test_an_operator_handles_an_incident_and_its_agents(operator: Client) -> None:
    """The test before this one left one behind."""
    assert list(operator.operator.projects.list())
    incidents, agents = operator.operator.incidents, operator.operator.agents
    incident = next(iter(incidents.list(kind="leak")))
    assert incidents.acknowledge(incident.id, note="looking").status == "ACKNOWLEDGED"
    me = f"user:{operator.me().user.username}"
    assert incidents.assign(incident.id, assignee=me).assignee == me
    assert incidents.add_note(incident.id, note="a cable").events[-1].note == "a cable"
    assert incidents.resolve(incident.id).status == "RESOLVED"
    assert incidents.reopen(incident.id).status == "OPEN"
    assert incidents.get(incident.id).events[0].action == "opened"
    with pytest.raises(NotFoundError, match="delivery"):
        incidents.redeliver(incident.id, incident.id)
    assert list(agents.list())
    with pytest.raises(NotFoundError):
        agents.revoke(incident.id)


def test_an_operator_sets_drift_policies(operator: Client, tenant: Any) -> None:
    policies = operator.operator.drift_policies
    assert policies.set(kind="volume", field="size_gib", policy="adopt").is_set
    lines = {(each.kind, each.field): each.policy for each in policies.list()}
    assert (lines["volume", "size_gib"], lines["virtual_machine", "power"]) == ("adopt", "correct")
    policies.reset(kind="volume", field="size_gib")
    with pytest.raises(NotFoundError):
        policies.reset(kind="volume", field="size_gib")
    with pytest.raises(InvalidRequestError, match="can have alert, adopt"):
        policies.set(kind="volume", field="size_gib", policy="correct")
    calls = operator.operator
    assert [each for each in calls.drift.list(open=True) if each.project_id == tenant.project_id] == []
    assert {each.cluster for each in calls.orphans.list()} <= {"local-mock"}
    assert list(calls.foreign_objects.list(kind="volume")) == []


def test_an_operator_keeps_checkpoints_of_the_audit_trail(operator: Client, client: Client) -> None:
    calls = operator.operator
    newest = next(calls.audit_checkpoints.list())
    assert newest.note.splitlines()[1] == str(newest.size)
    sizes = [each.size for each in calls.audit_checkpoints.list(limit=2)]
    assert sizes == sorted(set(sizes), reverse=True)
    with pytest.raises(AccessDeniedError):
        next(client.operator.audit_checkpoints.list())


def test_an_operator_gives_a_foreign_object_to_a_project(operator: Client, client: Client, tenant: Any) -> None:
    region = MockRegion.open(next(tenant.platform.state.rglob(FILE_NAME)))
    uid = region.admin.add_foreign(Kind.VOLUME)
    foreign = operator.operator.foreign_objects
    (found,) = wait_until(lambda: list(foreign.list(kind="volume")), "the foreign volume is listed")
    words = {"cluster_id": found.cluster_id, "reference": found.reference, "project_id": tenant.project_id}
    job = foreign.adopt(kind="volume", name="adopted", **words)
    assert tenant.end_of(job.id)["state"] == "SUCCEEDED"

    volume = client.volumes(tenant.project_id).get(job.resource_id)
    assert (volume.name, volume.status, volume.size_gib) == ("adopted", "ACTIVE", found.status["size_gib"])
    assert tenant.used() == {"volumes": 1, "storage_gib": volume.size_gib}
    tenant.change("DELETE", f"/volumes/{volume.id}")
    assert [each.uid for each in region.admin.objects(Kind.VOLUME) if each.uid in (uid, volume.id)] == []
    region.close()


def test_the_kinds_of_the_platform_are_told_with_their_fields(client: Client) -> None:
    kinds = {each.member: each for each in client.kinds()}

    assert {"virtual_machine", "network", "volume", "bucket", "key_pair"} <= set(kinds)
    assert {"name", "flavor", "network_ids"} <= set(kinds["virtual_machine"].fields)


def test_an_operator_adopts_one_orphan_and_deletes_another(operator: Client, client: Client, tenant: Any) -> None:
    region = MockRegion.open(next(tenant.platform.state.rglob(FILE_NAME)))
    made = client.volumes(tenant.project_id).create(name="here", size_gib=1).wait()
    (ours,) = [each.installation for each in region.admin.objects(Kind.VOLUME) if str(each.uid) == made.id]
    kept, gone = (str(region.admin.add_orphan(Kind.VOLUME, ours)) for _ in range(2))
    orphans = operator.operator.orphans

    def listed() -> dict[str, Any]:
        return {each.uid: each for each in orphans.list()}

    wait_until(lambda: listed().keys() >= {kept, gone}, "both orphans are listed")
    found = listed()
    words = {"cluster_id": found[kept].cluster_id, "uid": kept, "project_id": tenant.project_id}
    job = orphans.adopt(name="kept", **words)
    assert tenant.end_of(job.id)["state"] == "SUCCEEDED"
    volume = client.volumes(tenant.project_id).get(kept)
    assert (volume.name, volume.status, volume.size_gib) == ("kept", "ACTIVE", found[kept].status["size_gib"])

    job = orphans.delete(cluster_id=found[gone].cluster_id, uid=gone, name=found[gone].name)
    wait_until(lambda: operator.operator.jobs.get(job.id).state == "SUCCEEDED", "the orphan is deleted")
    assert gone not in {str(each.uid) for each in region.admin.objects(Kind.VOLUME)}
    assert not listed().keys() & {kept, gone}
    for each in (volume.id, made.id):
        tenant.change("DELETE", f"/volumes/{each}")
    region.close()


def test_no_operation_of_the_api_was_left_out(recorder: Recorder, tenant: Any) -> None:
    """The tests before this one called them; each test file runs in one process, in its order."""
    document = tenant.client.get("/api/common/v1/openapi.json").json()
    offered = {
        (method.upper(), templated(path))
        for path, operations in document["paths"].items()
        for method in operations
        if method in {"get", "post", "patch", "put", "delete"}
    }

    assert offered - recorder.seen - NOT_CALLED == set()
    assert recorder.seen - offered == set()


def test_the_main_job_from_the_command_line(tenant: Any, tmp_path: Path) -> None:
    shell = Shell(tenant, tmp_path)
    shell.run(0, "network", "create", "front", "--cidr", "10.20.0.0/24", "--wait")
    shell.run(0, "volume", "create", "data", "--size", "5", "--wait")
    shell.run(0, "key", "create", "alice", "--public-key", "-", stdin=PUBLIC_KEY)
    wish = ("--flavor", "small", "--image", "mock-linux", "--network", "front", "--key", "alice")
    assert "Nothing was changed" in shell.run(0, "vm", "create", "web-1", *wish, "--dry-run")
    assert "vm web-1 created: RUNNING, 10.20.0." in shell.run(0, "vm", "create", "web-1", *wish, "--wait")
    assert "web-1  RUNNING  small" in shell.run(0, "vm", "list")
    shell.run(0, "vm", "attach", "web-1", "data", "--wait")
    assert json.loads(shell.run(0, "vm", "show", "web-1", "-o", "json"))["volume_ids"]
    shell.run(0, "vm", "stop", "web-1")
    assert "STOPPED" in shell.run(0, "vm", "wait", "web-1", "--status", "STOPPED")
    assert "login" in shell.run(0, "vm", "console", "web-1")
    assert "is used by" in shell.run(5, "network", "delete", "front")
    assert "virtual_machine.create" in shell.run(0, "job", "list")
    assert "tenant:resource:create-accepted" in shell.run(0, "audit", "list")
    shell.run(0, "vm", "delete", "web-1", "--wait")
    assert "There are no" not in shell.run(0, "vm", "list")


BAD_INPUT = (
    (2, ("network", "create", "x", "--cidr", "10.20.0.1/24"), "has host bits set; the network is 10.20.0.0/24"),
    (2, ("network", "create", "X!", "--cidr", "10.20.0.0/24"), "must be 1 to 63 of a-z"),
    (4, ("vm", "create", "x", "--flavor", "nope", "--image", "mock-linux"), "there is no flavor 'nope'"),
    (4, ("vm", "create", "x", "--flavor", "tiny", "--image", "nope"), "there is no image 'nope'"),
    (4, ("vm", "show", "nope"), "no virtual machine named 'nope'"),
    (3, ("org", "list"), "needs the permission platform:read"),
    (2, ("vm", "create", "x"), "Missing option '--flavor'"),
)


def test_bad_input_is_reported_in_one_line(tenant: Any, tmp_path: Path) -> None:
    shell = Shell(tenant, tmp_path)

    for code, words, line in BAD_INPUT:
        said = shell.run(code, *words)
        assert said.startswith("Error: ")
        assert said.count("\n") == 1
        assert line in said
