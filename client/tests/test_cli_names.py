# SPDX-License-Identifier: Apache-2.0
"""Names instead of ids on the command line: in what is shown, in options, and in every delete."""

import json

import pytest

from client.tests.contract_server import Command, Contract


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


def test_what_a_machine_uses_is_shown_by_name(cli: Command, contract: Contract, project: str) -> None:
    cli.done("vm", "attach", "web-1", "data", "--wait")
    (machine,) = json.loads(cli.done("vm", "list", "-o", "json"))
    (data,) = [each for each in contract.state.resources[project, "volumes"] if each["name"] == "data"]
    data["used_by"] = [machine["id"]]
    shown = dict(line.split(None, 1) for line in cli.done("vm", "show", "web-1").splitlines() if len(line.split()) > 1)
    assert shown["Volumes"].strip() == "data"
    (listed,) = [line for line in cli.done("volume", "list").splitlines() if line.startswith("data")]
    assert "web-1" in listed.split()
    assert json.loads(cli.done("volume", "list", "-o", "json"))[0]["used_by"] == [machine["id"]]


def test_drift_beside_fields_is_told_of_with_the_command_that_shows_it(olga: Command) -> None:
    answer = olga("drift", "list")
    assert "1 orphan: 'stratoplane drift orphans'" in answer.stderr.splitlines()
    assert olga("drift", "list", "-o", "json").stderr == ""


def test_several_objects_of_every_noun_are_deleted_and_one_that_is_missing_stops_no_other(
    alice: Command, olga: Command
) -> None:
    for name in ("shop", "depot"):
        olga.done("project", "create", name)
    answer = olga("project", "delete", "shop", "nope", "depot")
    assert (answer.returncode, answer.stdout.splitlines()) == (4, ["project shop deleted", "project depot deleted"])
    assert "cannot delete project nope: there is no project named 'nope'" in answer.stderr


def test_incidents_of_one_cluster_are_listed_by_its_name(olga: Command, contract: Contract) -> None:
    cluster = contract.state.stored["clusters"][0]
    olga.done("incident", "list", "--cluster", cluster["name"])
    assert contract.sent("GET")[-1].query["cluster_id"] == cluster["id"]
    assert "'stratoplane cluster list' shows what exists" in olga.failed(4, "incident", "list", "--cluster", "nope")


def test_the_audit_trail_is_narrowed(alice: Command, contract: Contract) -> None:
    alice.done("audit", "list", "--actor", "user:bob", "--since", "2026-11-02T08:30+01:00", "--until", "1h")
    query = contract.sent("GET")[-1].query
    assert (query["actor"], query["since"]) == ("user:bob", "2026-11-02T07:30:00+00:00")
    assert query["until"].endswith("+00:00")
    assert "is not a time" in alice.failed(2, "audit", "list", "--since", "yesterday")


def test_operators_name_projects_of_any_organization(olga: Command, contract: Contract) -> None:
    (project,) = json.loads(olga.done("project", "list", "-o", "json"))
    (home,) = json.loads(olga.done("org", "list", "-o", "json"))
    assert "networks" in olga.done("quota", "set", "--of-project", f"{home['name']}/web", "networks=5")
    assert contract.sent("PUT")[-1].path.endswith(f"/projects/{project['id']}/quotas")
    assert "there is no project named 'nope'" in olga.failed(4, "quota", "show", "--of-project", f"{home['name']}/nope")


def test_the_audit_trail_and_jobs_take_names_of_what_is_and_what_was(alice: Command, contract: Contract) -> None:
    alice.done("volume", "create", "data", "--size", "1", "--wait")
    alice.done("bucket", "create", "logs", "--wait")

    assert "data" in alice.done("audit", "list", "--subject", "data", "--project", "web")
    assert "logs" not in alice.done("audit", "list", "--subject", "volume/data")
    assert "bucket.create" not in alice.done("job", "list", "--resource", "data")
    alice.done("bucket", "create", "data", "--wait")
    assert "2 objects are named 'data'; use one of the ids" in alice.failed(2, "audit", "list", "--subject", "data")
    alice.done("volume", "delete", "data", "--wait")
    alice.done("bucket", "delete", "logs", "--wait")
    assert "logs" in alice.done("audit", "list", "--subject", "logs")
    assert "there is no object named 'nope'" in alice.failed(4, "audit", "list", "--subject", "nope")
    assert "takes an id" in alice.failed(2, "job", "list", "--all-orgs", "--resource", "data")
    web = contract.state.stored["projects"][0]["id"]
    alice.done("audit", "list", "--subject", "web")
    assert contract.requests[-1].query["subject_id"] == web


def test_drift_is_listed_by_the_name_of_a_resource(olga: Command) -> None:
    assert "web-1" in olga.done("drift", "list", "--resource", "web-1")
    assert olga("drift", "list", "--resource", "web-2").stdout == ""


def test_the_help_says_where_ids_are_shown(alice: Command) -> None:
    for words in (("job", "show"), ("incident", "resolve"), ("role-binding", "delete"), ("leak", "resolve")):
        assert f"s have no names: 'stratoplane {words[0]} list' shows the ids." in alice.done(*words, "--help")
