# SPDX-License-Identifier: Apache-2.0
"""Resources of a project: pages, names, changes, plans, waiting."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from client.tests.contract_server import Contract, Fault
from client.tests.contract_server.fixtures import Later
from stratoplane_client import (
    Client,
    ConnectionFailedError,
    InUseError,
    JobFailedError,
    NameAmbiguousError,
    NameUnknownError,
    NotFoundError,
    QuotaFullError,
    UnexpectedAnswerError,
    VersionConflictError,
    WaitTimeoutError,
)
from stratoplane_client.resources import Networks, VirtualMachines

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqfMMYtQKbzYbqPTxMm1wwUJC2FnzcdIIRq0Gk0c7nL alice@laptop"
MACHINE = "0199d2a5-0c28-7a00-8000-9f504fb17c06"


@pytest.fixture
def machines(client: Client, project: str) -> VirtualMachines:
    return client.virtual_machines(project)


@pytest.fixture
def networks(client: Client, project: str) -> Networks:
    return client.networks(project)


def test_a_machine_from_creation_to_the_end(
    client: Client, project: str, machines: VirtualMachines, networks: Networks
) -> None:
    network = networks.create(name="front", cidr="10.0.0.0/24", mode="NAT").wait()
    key = client.key_pairs(project).create(name="alice", public_key=KEY)
    assert key.job is None
    assert key.wait().fingerprint == "SHA256:abc"

    change = machines.create(
        name="web-1",
        flavor="small",
        image="debian-12",
        network_ids=[network.id],
        key_pair="alice",
        user_data="#cloud-config",
        labels={"env": "prod"},
    )
    assert change.resource.status == "PENDING"
    assert change.job is not None
    assert change.job.kind == "virtual_machine.create"
    machine = change.wait()
    assert (machine.status, machine.addresses[0].address) == ("RUNNING", "10.0.0.5")

    assert machines.update(machine.id, power="STOPPED").wait().status == "STOPPED"
    assert machines.update(machine.id, power="STOPPED").job is None
    assert machines.update(machine.id, power="RUNNING", flavor="large").wait().flavor == "large"
    assert machines.reboot(machine.id).wait().status == "RUNNING"
    assert machines.console(machine.id) == "boot: done\n"
    assert machines.delete(machine.id).wait().name == "web-1"
    with pytest.raises(NotFoundError):
        machines.get(machine.id)


def test_volumes_and_buckets(client: Client, project: str) -> None:
    volumes, buckets = client.volumes(project), client.buckets(project)
    volume = volumes.create(name="data", size_gib=20, labels={"a": "b"}).wait()

    assert volumes.update(volume.id, size_gib=40).wait().size_gib == 40
    assert volumes.update(volume.id, name="data-2").resource.name == "data-2"
    assert buckets.create(name="backups").wait().status == "ACTIVE"
    assert [each.name for each in buckets.list()] == ["backups"]


def test_members_that_are_not_given_are_not_sent(contract: Contract, machines: VirtualMachines) -> None:
    volume = "0199d2a5-0c28-7a00-8000-9f504fb17c06"
    machines.create(name="web-1", flavor="small", boot_volume_id=volume)

    body = contract.sent("POST")[-1].body
    assert body == {"name": "web-1", "flavor": "small", "boot_volume_id": volume, "network_ids": [], "volume_ids": []}


def test_a_plan_changes_nothing(contract: Contract, machines: VirtualMachines, networks: Networks) -> None:
    plan = machines.plan.create(name="web-1", flavor="small", image="debian-12")

    assert plan.resource.name == "web-1"
    assert (plan.cluster, plan.quota, plan.steps) == ("rack-1", {"virtual_machines": 1}, ("await_targets", "provision"))
    assert list(machines.list()) == []
    kept = networks.create(name="front", cidr="10.0.0.0/24").wait()
    assert networks.plan.delete(kept.id).resource.name == "front"
    assert networks.get(kept.id) == kept


def test_a_server_without_dry_run_is_noticed(contract: Contract, networks: Networks) -> None:
    networks.plan._query = {}

    with pytest.raises(UnexpectedAnswerError, match="may have made the change"):
        networks.plan.create(name="front", cidr="10.0.0.0/24")


def test_lists_go_from_page_to_page(contract: Contract, networks: Networks) -> None:
    for number in range(7):
        networks.create(name=f"n{number}", cidr=f"10.0.{number}.0/24")
    contract.requests.clear()

    found = networks.list(page_size=3)

    assert contract.requests == []
    assert next(found).name == "n0"
    assert len(contract.requests) == 1
    assert [each.name for each in found] == [f"n{number}" for number in range(1, 7)]
    assert len(contract.requests) == 3


def test_a_list_that_leads_to_itself_ends(contract: Contract, networks: Networks) -> None:
    document = {"items": [], "next": "abc"}
    contract.faults.extend([Fault(status=200, document=document)] * 3)

    with pytest.raises(UnexpectedAnswerError, match="the same page"):
        list(networks.list())


def test_lists_are_filtered_by_the_server(networks: Networks) -> None:
    networks.create(name="front", cidr="10.0.0.0/24", labels={"env": "prod"}).wait()
    networks.create(name="back", cidr="10.0.1.0/24", labels={"env": "test"})

    assert [each.name for each in networks.list(labels="env=prod")] == ["front"]
    assert [each.name for each in networks.list(name_contains="ac")] == ["back"]
    assert [each.name for each in networks.list(status="ACTIVE")] == ["front"]


def test_finding_by_name_or_id(contract: Contract, client: Client, project: str, networks: Networks) -> None:
    made = networks.create(name="front", cidr="10.0.0.0/24").resource
    networks.create(name="front-2", cidr="10.0.1.0/24")

    assert networks.find("front").id == made.id
    assert networks.find(made.id).name == "front"
    with pytest.raises(NameUnknownError, match="there is no network named 'fron'"):
        networks.find("fron")
    with pytest.raises(NotFoundError):
        networks.find("0199d2a5-0c28-7a00-8000-9f504fb17c06")
    contract.add_project("web")
    with pytest.raises(NameAmbiguousError, match="2 projects are named 'web'"):
        client.projects.find("web")


def test_a_change_on_condition(networks: Networks) -> None:
    read = networks.create(name="front", cidr="10.0.0.0/24").wait()
    networks.update(read.id, labels={"by": "somebody-else"})

    with pytest.raises(VersionConflictError):
        networks.update(read.id, labels={"by": "me"}, if_match=read.etag)
    with pytest.raises(VersionConflictError):
        networks.delete(read.id, if_match=read.etag)
    fresh = networks.get(read.id)
    assert networks.update(read.id, labels={"by": "me"}, if_match=fresh.etag).resource.labels == {"by": "me"}


def test_refusals_carry_their_facts(contract: Contract, networks: Networks) -> None:
    kept = networks.create(name="front", cidr="10.0.0.0/24").wait()
    contract.state.resources[kept.project_id, "networks"][0]["used_by"] = [MACHINE]
    contract.state.limits["networks"] = 1

    with pytest.raises(InUseError) as in_use:
        networks.delete(kept.id)
    with pytest.raises(QuotaFullError) as full:
        networks.create(name="back", cidr="10.0.1.0/24")
    assert in_use.value.used_by == (MACHINE,)
    assert (full.value.key, full.value.document["limit"]) == ("networks", 1)


def test_a_failed_job_tells_why_in_the_providers_words(contract: Contract, networks: Networks) -> None:
    contract.state.failure = {
        "code": "conflict_at_provider",
        "detail": "the network exists",
        "provider_text": "virbr7\nin use",
    }

    with pytest.raises(JobFailedError, match=r"failed: the network exists \(provider: virbr7 in use\)") as caught:
        networks.create(name="front", cidr="10.0.0.0/24").wait()
    assert caught.value.job.error is not None
    assert caught.value.job.error.code == "conflict_at_provider"


def test_waiting_uses_the_long_poll_and_ends_in_time(
    contract: Contract, client: Client, project: str, networks: Networks
) -> None:
    contract.state.stuck = True
    change = networks.create(name="front", cidr="10.0.0.0/24")
    assert change.job is not None
    contract.requests.clear()

    with pytest.raises(WaitTimeoutError, match=f"job {change.job.id} is PENDING at step 'await_targets' after 1 s"):
        change.wait(timeout=1)
    assert [each.query for each in contract.requests] == [{"wait": "1"}]


def test_one_who_waits_is_woken_when_the_job_ends(contract: Contract, networks: Networks, later: Later) -> None:
    state = contract.state
    state.stuck = True
    change = networks.create(name="front", cidr="10.0.0.0/24")
    assert change.job is not None
    job_id = change.job.id
    contract.requests.clear()

    def let_it_end() -> None:
        job = state.jobs[job_id]
        with state.lock:
            assert state.changed.wait_for(lambda: contract.requests, timeout=60)
            state.stuck = False
            state.advance(job)
            state.advance(job)

    later(let_it_end)
    assert change.wait(timeout=60).status == "ACTIVE"


def test_a_waiter_bears_with_a_server_that_is_away_for_a_while(
    contract: Contract, networks: Networks, pauses: list[float]
) -> None:
    change = networks.create(name="front", cidr="10.0.0.0/24")
    away = Fault(status=503, document={"code": "service_unavailable"})
    contract.faults.extend([away] * 15 + [Fault(cut="before")] * 3)

    assert change.wait().status == "ACTIVE"
    # Seven tries at a time, and a second in between.
    assert pauses.count(1.0) == 2
    assert not contract.faults


def test_a_waiter_gives_up_a_server_that_stays_away(contract: Contract, networks: Networks) -> None:
    change = networks.create(name="front", cidr="10.0.0.0/24")
    contract.faults.extend([Fault(cut="before")] * 7)

    with pytest.raises(ConnectionFailedError):
        change.wait(timeout=0)


def test_progress_is_told_step_by_step(networks: Networks) -> None:
    seen = []
    networks.create(name="front", cidr="10.0.0.0/24").wait(
        progress=lambda job: seen.append((job.state, job.progress.done))
    )

    assert seen == [("RUNNING", 1), ("SUCCEEDED", 2)]


def test_a_server_that_holds_no_more_requests_is_not_flooded(
    contract: Contract, client: Client, networks: Networks, pauses: list[float]
) -> None:
    change = networks.create(name="front", cidr="10.0.0.0/24")
    assert change.job is not None

    client.jobs(change.resource.project_id).wait(change.job.id)

    # The server answered at once that the job is at its first step.
    assert pauses == [0.25]


def test_jobs_quotas_and_the_audit_trail_tell_the_story(client: Client, project: str, networks: Networks) -> None:
    change = networks.create(name="front", cidr="10.0.0.0/24")
    assert change.job is not None
    change.wait()
    jobs = client.jobs(project)

    assert [each.id for each in jobs.list()] == [change.job.id]
    assert list(jobs.list(status="FAILED")) == []
    assert [step.state for step in jobs.get(change.job.id).steps] == ["DONE", "DONE"]
    assert {each.key: each.used for each in client.quotas(project).project}["networks"] == 1
    event = next(client.audit_events(project).list())
    assert (event.actor, event.action, event.subject_name) == ("user:alice", "tenant:network:create", "front")
    assert [each.id for each in client.audit_events().list(subject_id=change.resource.id)]


def test_threads_share_a_client(client: Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert {found.version for found in pool.map(lambda _: client.version(), range(40))} == {"0.1.0"}
