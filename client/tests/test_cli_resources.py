# SPDX-License-Identifier: Apache-2.0
"""Making, looking at, changing and deleting resources from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from client.tests.contract_server import Command, Contract, Fault

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqfMMYtQKbzYbqPTxMm1wwUJC2FnzcdIIRq0Gk0c7nL alice@laptop\n"


@pytest.fixture
def cli(alice: Command) -> Command:
    """The command with a network, a volume and a machine."""
    alice.done("network", "create", "front", "--cidr", "10.0.0.0/24", "--wait")
    alice.done("volume", "create", "data", "--size", "20", "--wait")
    alice.done(
        *("vm", "create", "web-1", "--flavor", "small", "--image", "debian-12", "--network", "front"),
        *("--label", "env=prod", "--wait"),
    )
    return alice


def machine(cli: Command) -> dict[str, Any]:
    found = json.loads(cli.done("vm", "show", "web-1", "-o", "json"))
    assert isinstance(found, dict)
    return found


def test_a_machine_is_made_of_names(cli: Command, contract: Contract) -> None:
    body = contract.sent("POST", "/virtual-machines")[0].body

    network = next(iter(contract.state.resources.values()))[0]
    assert body["network_ids"] == [network["id"]]
    assert body["labels"] == {"env": "prod"}
    assert "power" not in body
    assert machine(cli)["status"] == "RUNNING"


def test_waiting_says_what_came_of_it(alice: Command) -> None:
    answer = alice("network", "create", "front", "--cidr", "10.0.0.0/24", "--isolated", "--wait")

    assert answer.stdout.startswith("network front created: ACTIVE, 10.0.0.0/24 (")
    assert answer.stderr.splitlines() == ["network front: RUNNING 1/2, provision", "network front: SUCCEEDED 2/2"]


def test_without_waiting_the_job_is_named(alice: Command, contract: Contract) -> None:
    said = alice.done("network", "create", "front", "--cidr", "10.0.0.0/24")
    job_id = next(iter(contract.state.jobs))

    assert said == f"network front: create accepted, job {job_id}\n"
    assert "network.create of front SUCCEEDED" in alice.done("job", "wait", job_id)
    assert "provision DONE" in alice.done("job", "show", job_id)


def test_power_size_reboot_and_console(cli: Command) -> None:
    assert cli.done("vm", "stop", "web-1", "--wait").startswith("vm web-1 stopped: STOPPED, 10.0.0.5 (")
    assert cli.done("vm", "stop", "web-1") == "vm web-1 unchanged: STOPPED, 10.0.0.5\n"
    assert cli.done("vm", "start", machine(cli)["id"], "--wait").startswith("vm web-1 started: RUNNING")
    cli.done("vm", "resize", "web-1", "large", "--wait")
    assert machine(cli)["flavor"] == "large"
    assert "virtual_machine.resize" in cli.done("job", "list")
    assert cli.done("vm", "reboot", "web-1", "--wait").startswith("vm web-1 rebooted")
    assert cli.done("vm", "console", "web-1") == "boot: done\n"


def test_volumes_are_attached_and_detached_by_name(cli: Command) -> None:
    cli.done("vm", "attach", "web-1", "data", "--wait")
    assert len(machine(cli)["volume_ids"]) == 1
    cli.done("vm", "attach", "web-1", "data")
    assert len(machine(cli)["volume_ids"]) == 1
    cli.done("vm", "detach", "web-1", "data", "--wait")
    assert machine(cli)["volume_ids"] == []


def test_labels_are_changed_one_by_one(cli: Command) -> None:
    assert cli.done("vm", "update", "web-1", "--label", "tier=web").startswith("vm web-1 changed")
    cli.done("vm", "update", "web-1", "--remove-label", "env", "--label", "a=b")

    assert machine(cli)["labels"] == {"tier": "web", "a": "b"}
    assert cli.done("vm", "update", "web-1", "--label", "a=b").startswith("vm web-1 unchanged")
    assert "specify at least one of --name, --label and --remove-label" in cli.failed(2, "vm", "update", "web-1")


def test_who_was_overtaken_reads_again_and_changes_only_its_own(cli: Command, contract: Contract) -> None:
    conflict = Fault(status=412, document={"code": "version_mismatch", "detail": "it changed"})
    # The list that finds the name, then the change; the next change passes.
    contract.faults.extend([Fault(), conflict])

    cli.done("vm", "update", "web-1", "--label", "tier=web")

    assert machine(cli)["labels"] == {"env": "prod", "tier": "web"}
    assert len(contract.sent("PATCH")) == 2


def test_who_is_always_overtaken_is_told(cli: Command, contract: Contract) -> None:
    conflict = Fault(status=412, document={"code": "version_mismatch", "detail": "it changed"})
    contract.faults.extend([Fault(), conflict, Fault(), conflict, Fault(), conflict, Fault(), conflict])

    line = cli.failed(5, "vm", "update", "web-1", "--label", "tier=web")
    assert line == (
        "Error: cannot update vm web-1: it changed. It was changed in the meantime; check it and try again."
    )


def test_a_resize_says_before_it_begins_that_a_running_machine_is_interrupted(cli: Command, contract: Contract) -> None:
    said = cli("vm", "resize", "web-1", "large")
    assert said.stderr == "vm web-1: the running virtual machine is stopped and started again\n"
    assert said.stdout.startswith("vm web-1: resize accepted, job ")
    planned, made = contract.sent("PATCH")
    assert (planned.query, made.query) == ({"dry_run": "true"}, {})

    cli.done("vm", "stop", "web-1", "--wait")
    assert cli("vm", "resize", "web-1", "small", "--yes").stderr == ""
    assert " ".join(cli.done("vm", "resize", "--help").split()).count("stop a running machine for it") == 1


def test_a_dry_run_changes_nothing(cli: Command, contract: Contract) -> None:
    made = cli.done("vm", "create", "web-2", "--flavor", "small", "--image", "debian-12", "--dry-run")
    gone = cli.done("vm", "delete", "web-1", "--dry-run")

    assert made == (
        "Would create vm web-2 on cluster rack-1; quota: +1 virtual_machines; steps: await_targets > provision. "
        "Nothing was changed.\n"
    )
    assert gone.startswith("Would delete vm web-1 on cluster rack-1")
    assert cli.done("vm", "resize", "web-1", "large", "--dry-run").endswith(
        "resize; the running virtual machine is stopped and started again. Nothing was changed.\n"
    )
    assert cli.done("vm", "list", "-o", "name") == "web-1\n"
    assert contract.sent("DELETE")[0].query == {"dry_run": "true"}


def test_several_are_deleted_at_once_and_one_that_is_missing_stops_no_other(cli: Command) -> None:
    cli.done("vm", "create", "web-2", "--flavor", "small", "--image", "debian-12", "--stopped", "--wait")
    answer = cli("vm", "delete", "web-1", "nope", "web-2", "--wait")

    assert answer.returncode == 4
    assert [line.split(" (")[0] for line in answer.stdout.splitlines()] == ["vm web-1 deleted", "vm web-2 deleted"]
    assert answer.stderr.splitlines()[0] == (
        "Error: cannot delete vm nope: there is no virtual machine named 'nope'. "
        "'stratoplane vm list' shows what exists."
    )
    assert cli.done("vm", "list", "-o", "name") == ""


def test_keys_volumes_and_buckets(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "id.pub").write_text(KEY)
    assert "key alice created: SHA256:abc" in cli.done(
        "key", "create", "alice", "--public-key", str(tmp_path / "id.pub")
    )
    cli.done("key", "create", "bob", "--public-key", "-", stdin=KEY)
    assert cli.done("key", "list", "-o", "name").split() == ["alice", "bob"]
    assert cli.done("key", "delete", "alice", "bob") == "key alice deleted\nkey bob deleted\n"
    assert cli.done("volume", "resize", "data", "1TiB", "--wait").startswith("volume data resized: ACTIVE, 1024 GiB")
    assert cli.done("bucket", "create", "backups", "--wait").startswith("bucket backups created: ACTIVE")


def test_a_private_key_never_leaves(cli: Command, contract: Contract, tmp_path: Path) -> None:
    (tmp_path / "id").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    contract.requests.clear()

    assert "is a private key" in cli.failed(2, "key", "create", "x", "--public-key", str(tmp_path / "id"))
    assert "there is no public key in" in cli.failed(2, "key", "create", "x")
    assert "nowhere.pub" in cli.failed(2, "key", "create", "x", "--public-key", "nowhere.pub")
    assert contract.requests == []


def test_a_wait_is_for_a_state(cli: Command, contract: Contract) -> None:
    cli.done("vm", "stop", "web-1")

    assert cli.done("vm", "wait", "web-1", "--status", "stopped") == "vm web-1: STOPPED, 10.0.0.5\n"
    assert "it is STOPPED, and no running job will make it RUNNING" in cli.failed(
        1, "vm", "wait", "web-1", "--status", "RUNNING"
    )


def test_tables_line_up_and_say_what_counts(cli: Command) -> None:
    lines = cli.done("vm", "list").splitlines()

    assert lines[0].split() == ["NAME", "STATUS", "FLAVOR", "CPU", "MEMORY", "ADDRESSES", "IMAGE", "CLUSTER", "AGE"]
    assert lines[1].split()[:3] == ["web-1", "RUNNING", "small"]
    assert lines[0].index("STATUS") == lines[1].index("RUNNING")
    assert "1 GiB" in lines[1]


def test_json_and_yaml_hold_members_that_this_version_does_not_know(cli: Command, contract: Contract) -> None:
    newer = {"items": [{**machine(cli), "from_a_newer_server": True}], "next": None}
    contract.faults.extend([Fault(status=200, document=newer)] * 2)

    assert json.loads(cli.done("vm", "show", "web-1", "-o", "json"))["from_a_newer_server"] is True
    assert yaml.safe_load(cli.done("vm", "list", "-o", "yaml")) == newer["items"]


def test_json_and_yaml_hold_all_that_the_server_said(cli: Command) -> None:
    document = machine(cli)

    assert yaml.safe_load(cli.done("vm", "show", "web-1", "-o", "yaml")) == document
    assert json.loads(cli.done("vm", "list", "-o", "json")) == [document]
    assert yaml.safe_load(cli.done("vm", "list", "-o", "yaml")) == [document]
    changed = json.loads(cli.done("vm", "stop", "web-1", "--wait", "-o", "json"))
    assert (changed["virtual_machine"]["status"], changed["job"]["state"]) == ("STOPPED", "SUCCEEDED")
    several = json.loads(cli.done("vm", "start", "web-1", "web-1", "-o", "json"))
    assert several["job"]["kind"] == "virtual_machine.start"


def test_an_empty_list_says_so_to_people_only(alice: Command) -> None:
    answer = alice("vm", "list")

    assert (answer.stdout, answer.stderr) == ("", "There are no vms in this project.\n")
    assert alice("vm", "list", "--name", "x").stderr == "No vms match.\n"
    assert alice.done("vm", "list", "-o", "json") == "[]\n"
    assert alice.done("vm", "list", "-o", "yaml") == "[]\n"
    assert alice.done("vm", "list", "-o", "name") == ""


def test_lists_are_filtered_and_cut(cli: Command, contract: Contract) -> None:
    cli.done("network", "create", "back", "--cidr", "10.0.1.0/24", "--wait")

    assert cli.done("network", "list", "--name", "ac", "-o", "name") == "back\n"
    assert cli.done("network", "list", "--limit", "1", "-o", "name") == "front\n"
    assert cli.done("network", "list", "--status", "active", "--sort", "name", "-o", "name").split() == [
        "front",
        "back",
    ]
    query = contract.requests[-1].query
    assert (query["status"], query["sort"]) == ("ACTIVE", "name")


@pytest.mark.parametrize("source", ["file", "stdin"])
def test_user_data_reach_the_server_byte_for_byte(
    cli: Command, contract: Contract, tmp_path: Path, source: str
) -> None:
    text = "#cloud-config\r\nmotd: \u20ac\r\n\r\n"
    (tmp_path / "user-data").write_bytes(text.encode())
    given = {"file": (str(tmp_path / "user-data"), ""), "stdin": ("-", text)}[source]

    cli.done(
        "vm", "create", "web-2", "--flavor", "small", "--image", "debian-12", "--user-data", given[0], stdin=given[1]
    )

    assert contract.sent("POST", "/virtual-machines")[-1].body["user_data"] == text


@pytest.mark.parametrize("limit", ["-1", "--1", "-5", "+1", "1.5", "", "none", "\u0665"])
def test_a_limit_is_a_whole_number_or_unlimited(olga: Command, limit: str) -> None:
    line = olga.failed(2, "quota", "set", "--org", "globex", "--", f"vcpus={limit}")

    assert f"{limit!r} is not a valid limit; use a whole number, 0 or more, or 'unlimited'" in line


def test_quota_jobs_and_audit(cli: Command) -> None:
    quota = cli.done("quota", "show")
    assert "unlimited" in quota
    assert json.loads(cli.done("quota", "show", "-o", "json"))["project"]
    assert cli.done("job", "list", "--limit", "1").splitlines()[1].split()[:3] == [
        "virtual_machine.create",
        "web-1",
        "SUCCEEDED",
    ]
    assert cli.done("job", "list", "--status", "failed", "-o", "json") == "[]\n"
    assert "tenant:virtual_machine:create" in cli.done("audit", "list")
    assert "web-1" in cli.done("audit", "list", "--project", "web", "--subject", machine(cli)["id"])


def test_what_is_offered(alice: Command) -> None:
    assert "1 GiB" in alice.done("flavor", "list")
    assert "small" in alice.done("flavor", "show", "small")
    assert "debian-12" in alice.done("image", "show", "debian-12")
    assert alice.done("cluster", "list").split()[:3] == ["NAME", "ONLINE", "FEATURES"]
    assert "SCOPE" in alice.done("role", "list")
    assert "resource:read" in alice.done("role", "show", "project-member")


def test_operators_keep_the_platform(olga: Command) -> None:
    olga.done("org", "create", "globex", "--display-name", "Globex", "--label", "tier=gold")
    olga.done("user", "create", "hank", "--org", "globex", "--password-stdin", stdin="a long pass phrase\n")
    olga.done("role-binding", "create", "hank", "organization-admin", "--all-orgs")
    assert "hank" in olga.done("role-binding", "list", "--all-orgs")
    assert "hank" in olga.done("user", "list", "--all-orgs")
    assert "tier=gold" in olga.done("org", "show", "globex")
    olga.done("org", "update", "globex", "--label", "tier=silver")
    assert "networks" in olga.done("quota", "set", "--org", "globex", "networks=5", "vcpus=unlimited")
    olga.done("user", "delete", "hank", "--all-orgs")
    olga.done("org", "delete", "globex")
    olga.done("cluster", "create", "rack-2")
    assert olga("cluster", "join-token", "rack-2", "--expires-in", "10m").stdout == "join-me\n"
    assert "DRAINING" in olga.done("cluster", "update", "rack-2", "--state", "draining")
    olga.done("cluster", "delete", "rack-2")
    olga.done("flavor", "create", "huge", "--vcpus", "64", "--memory", "256GiB", "--disk", "100")
    assert "256 GiB" in olga.done("flavor", "list")
    olga.done("flavor", "update", "huge", "--vcpus", "32")
    olga.done("flavor", "delete", "huge")
    olga.done("image", "create", "debian-13", "--source", "d13.qcow2", "--format", "qcow2")
    olga.done("image", "update", "debian-13", "--description", "trixie")
    olga.done("image", "delete", "debian-13")
    agent = json.loads(olga.done("agent", "list", "--cluster", "rack-1", "-o", "json"))[0]["id"]
    assert "rack-1-agent" in olga.done("agent", "list")
    assert "revoked" in olga.done("agent", "revoke", agent)
    assert "no such folder" in olga.done("provider", "list")
    assert "naming" in olga.done("plugin", "list")
    leak = json.loads(olga.done("leak", "list", "--all", "-o", "json"))[0]["id"]
    assert " resolved: " in olga.done("leak", "resolve", leak, "--note", "deleted manually")
    assert olga.done("job", "list", "--all-orgs", "-o", "json") == "[]\n"
    assert olga.done("audit", "list", "--all-orgs", "-o", "json") == "[]\n"


def test_tenants_keep_users_and_roles(alice: Command) -> None:
    alice.done("user", "create", "bob", "--display-name", "Bob", "--password-stdin", stdin="a long pass phrase\n")
    binding = json.loads(
        alice.done("role-binding", "create", "bob", "project-member", "--project", "web", "-o", "json")
    )
    assert binding["project_id"]
    assert "Bob" in alice.done("user", "show", "bob")
    assert alice.done("role-binding", "list", "--project", "web", "-o", "name") == f"{binding['id']}\n"
    alice.done("role-binding", "delete", binding["id"])
    alice.done("user", "delete", "bob")
    assert "acme" in alice.done("org", "show")
    alice.done("project", "create", "shop")
    alice.done("project", "update", "shop", "--display-name", "The shop")
    assert "The shop" in alice.done("project", "show", "shop")
    alice.done("project", "delete", "shop")


def test_a_job_is_stopped_tried_again_looked_into_and_ended(contract: Contract, olga: Command) -> None:
    contract.state.stuck = True
    olga.done("network", "create", "front", "--cidr", "10.9.0.0/24")
    (job,) = json.loads(olga.done("job", "list", "-o", "json"))
    assert "cancellation of network.create of front requested" in olga.done("job", "cancel", job["id"])
    assert "Cancellation" in olga.done("job", "show", job["id"])
    assert "requested by user:olga" in olga.done("job", "show", job["id"])
    assert job["state"] in olga.done("job", "retry", job["id"])
    assert "cancellation of network.create of front requested" in olga.done("job", "cancel", job["id"], "--all-orgs")
    assert "connection refused" in olga.done("job", "operations", job["id"])
    assert "check 'stratoplane leak list'" in olga.done("job", "resolve", job["id"], "--note", "the rack is gone")
    refused = olga("job", "cancel", job["id"])
    assert "has ended (FAILED) and cannot be cancelled" in refused.stderr


def test_operators_handle_incidents(olga: Command) -> None:
    (incident,) = json.loads(olga.done("incident", "list", "-o", "json"))
    wanted = incident["id"]
    assert "rack-1 is silent" in olga.done("incident", "list", "--severity", "critical")
    assert "acknowledged" in olga.done("incident", "acknowledge", wanted, "--note", "looking")
    assert "user:bob" in olga.done("incident", "assign", wanted, "user:bob")
    assert "nobody" in olga.done("incident", "assign", wanted, "-")
    olga.done("incident", "note", wanted, "--note", "a cable")
    shown = olga.done("incident", "show", wanted)
    assert "ago assigned to user:bob by user:olga" in shown
    assert "ago unassigned by user:olga" in shown
    assert "ago noted by user:olga: a cable" in shown
    assert "webhook: opened FAILED after 12 attempts" in shown
    assert "resolved" in olga.done("incident", "resolve", wanted)
    assert "reopened" in olga.done("incident", "reopen", wanted)
    delivery = json.loads(olga.done("incident", "show", wanted, "-o", "json"))["deliveries"][0]["id"]
    assert "queued again" in olga.done("incident", "redeliver", wanted, delivery)


def test_operators_look_at_drift_and_set_policies(olga: Command) -> None:
    listed = olga.done("drift", "list").splitlines()
    assert listed[0].split()[:7] == ["KIND", "NAME", "FIELD", "DESIRED", "OBSERVED", "POLICY", "CORRECTIONS"]
    assert listed[1].split()[:6] == ["virtual_machine", "web-1", "power", "RUNNING", "STOPPED", "correct"]
    assert "correct, adopt, alert" in olga.done("drift", "policies")
    assert olga.done("drift", "set-policy", "virtual_machine", "power", "alert") == "power of virtual_machine: alert\n"
    assert olga.done("drift", "reset-policy", "virtual_machine", "power") == (
        "power of virtual_machine: reset to the default policy\n"
    )
    assert json.loads(olga.done("drift", "policies", "-o", "json"))[0]["is_set"] is False
    assert "volume" in olga.done("drift", "orphans")
    assert "SEALED" in olga.done("audit", "checkpoints")
