# SPDX-License-Identifier: Apache-2.0
"""The platform's main job, through the REST API, by the real processes, on the mock cluster."""

from typing import Any

import pytest

IMAGE = "mock-linux"


@pytest.fixture
def machine(tenant: Any) -> dict[str, Any]:
    """A running machine on a network of its own with a data volume."""
    network = tenant.make("networks", name="net", cidr="10.20.0.0/24")
    volume = tenant.make("volumes", name="data", size_gib=5)
    made: dict[str, Any] = tenant.make(
        "virtual-machines",
        name="web",
        flavor="small",
        image=IMAGE,
        network_ids=[network["id"]],
        volume_ids=[volume["id"]],
    )
    return made


def test_a_machine_runs_with_an_address_on_its_network(tenant: Any, machine: dict[str, Any]) -> None:
    assert machine["status"] == "RUNNING"
    assert machine["addresses"][0]["address"].startswith("10.20.0.")
    assert machine["provider_reference"] == ""
    assert machine["observed_generation"] == machine["generation"]


def test_a_machine_asked_for_together_with_its_network_waits_for_it(tenant: Any) -> None:
    network = tenant.call("POST", "/networks", json={"name": "n", "cidr": "10.1.0.0/24"}).json()["network"]
    machine = tenant.make("virtual-machines", name="m", flavor="tiny", image=IMAGE, network_ids=[network["id"]])

    assert machine["status"] == "RUNNING"


def test_a_machine_is_stopped_resized_started_and_deleted(tenant: Any, machine: dict[str, Any]) -> None:
    path = f"/virtual-machines/{machine['id']}"

    assert tenant.change("PATCH", path, json={"power": "STOPPED"})["state"] == "SUCCEEDED"
    assert tenant.call("GET", path).json()["status"] == "STOPPED"
    assert tenant.change("PATCH", path, json={"flavor": "medium"})["state"] == "SUCCEEDED"
    assert tenant.call("GET", path).json()["vcpus"] == 2
    assert tenant.change("PATCH", path, json={"power": "RUNNING"})["state"] == "SUCCEEDED"
    assert tenant.call("GET", path).json()["status"] == "RUNNING"
    assert tenant.change("DELETE", path)["state"] == "SUCCEEDED"
    assert tenant.call("GET", path).status_code == 410


def test_quota_usage_follows_the_machine_and_returns_to_zero(tenant: Any, machine: dict[str, Any]) -> None:
    with_machine = tenant.used()
    tenant.change("DELETE", f"/virtual-machines/{machine['id']}")
    without = tenant.used()
    for each in machine["volume_ids"]:
        tenant.change("DELETE", f"/volumes/{each}")
    for each in machine["network_ids"]:
        tenant.change("DELETE", f"/networks/{each}")

    assert with_machine == {
        "virtual_machines": 1,
        "vcpus": 1,
        "memory_mib": 1024,
        "storage_gib": 15,
        "volumes": 1,
        "networks": 1,
    }
    assert without == {"storage_gib": 5, "volumes": 1, "networks": 1}
    assert tenant.used() == {}


def test_the_audit_trail_shows_who_asked_and_the_outcome(tenant: Any, machine: dict[str, Any]) -> None:
    events = tenant.call("GET", "/audit-events").json()["items"]
    story = [(each["action"], each["actor"]) for each in events if each["subject_id"] == machine["id"]]

    assert set(story) == {
        ("tenant:resource:create-accepted", f"user:{tenant.username}"),
        ("engine:job:succeeded", "engine"),
    }


def test_the_job_shows_its_steps(tenant: Any, machine: dict[str, Any]) -> None:
    jobs = tenant.call("GET", "/jobs").json()["items"]
    job = next(each for each in jobs if each["resource_id"] == machine["id"])

    assert job["state"] == "SUCCEEDED"
    assert [(step["name"], step["state"]) for step in job["steps"]] == [
        ("await_targets", "DONE"),
        ("provision", "DONE"),
    ]
    assert job["progress"] == {"done": 2, "total": 2, "step": None}


def test_a_machine_is_rebooted_and_its_console_read(tenant: Any, machine: dict[str, Any]) -> None:
    path = f"/virtual-machines/{machine['id']}"

    assert tenant.change("POST", f"{path}/reboots")["state"] == "SUCCEEDED"
    job = tenant.change("POST", f"{path}/console-logs")
    assert "web" in job["output"]["text"]


def test_volumes_are_attached_and_detached(tenant: Any, machine: dict[str, Any]) -> None:
    path = f"/virtual-machines/{machine['id']}"
    volume = machine["volume_ids"][0]

    assert tenant.change("PATCH", path, json={"volume_ids": []})["state"] == "SUCCEEDED"
    assert tenant.call("GET", f"/volumes/{volume}").json()["used_by"] == []
    assert tenant.change("PATCH", path, json={"volume_ids": [volume]})["state"] == "SUCCEEDED"
    assert tenant.call("GET", f"/volumes/{volume}").json()["used_by"] == [machine["id"]]


def test_a_bucket_and_a_key_pair_are_made(tenant: Any) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPm3mXJ7PzXzUJQYvRk3CkMCdPmjRDZqnPKMbT6nDkXX someone"
    bucket = tenant.make("buckets", name="files")
    pair = tenant.make("key-pairs", name="laptop", public_key=key)

    assert (bucket["status"], bucket["endpoint"] != "") == ("ACTIVE", True)
    assert (pair["status"], pair["fingerprint"][:7]) == ("ACTIVE", "SHA256:")


def test_the_same_idempotency_key_makes_one_machine(tenant: Any) -> None:
    body = {"name": "once", "flavor": "tiny", "image": IMAGE}
    headers = {"Idempotency-Key": '"a-key-of-mine"'}

    first = tenant.call("POST", "/virtual-machines", json=body, headers=headers)
    second = tenant.call("POST", "/virtual-machines", json=body, headers=headers)
    other = tenant.call("POST", "/virtual-machines", json={**body, "name": "twice"}, headers=headers)

    assert first.json()["virtual_machine"]["id"] == second.json()["virtual_machine"]["id"]
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(tenant.call("GET", "/virtual-machines").json()["items"]) == 1


def test_a_dry_run_keeps_nothing(tenant: Any) -> None:
    body = {"name": "perhaps", "flavor": "tiny", "image": IMAGE}
    answer = tenant.call("POST", "/virtual-machines", params={"dry_run": "true"}, json=body)

    assert (answer.status_code, answer.json()["dry_run"]) == (200, True)
    assert tenant.call("GET", "/virtual-machines").json()["items"] == []
    assert tenant.used() == {}


def test_prefer_wait_answers_with_the_end(tenant: Any) -> None:
    body = {"name": "soon", "flavor": "tiny", "image": IMAGE}
    answer = tenant.call("POST", "/virtual-machines", json=body, headers={"Prefer": "wait=20"})

    assert answer.json()["virtual_machine"]["status"] == "RUNNING"
    assert answer.json()["job"]["state"] == "SUCCEEDED"
