# SPDX-License-Identifier: Apache-2.0
"""What jobs and their steps are called, for every request of every kind, and what is said before a machine stops."""

from typing import TYPE_CHECKING, Any

import pytest

from stratoplane_engine.db.connection import dump_json
from stratoplane_engine.drift.reconciler import reconcile
from stratoplane_engine.model.change import ChangeResult

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld

WAIT = "await_targets"


def named(answer: ChangeResult) -> tuple[str, ...]:
    """Return the name of a job and those of its steps."""
    assert answer.job is not None
    assert answer.plan.job_kind == answer.job.kind
    return (answer.job.kind, *(step.name for step in answer.job.steps))


def settled(tenant: "TenantWorld", answer: ChangeResult) -> tuple[str, list[str]]:
    """Return how a job ended, and what drivers were asked meanwhile."""
    asked: list[tuple[str, Any]] = []
    tenant.settle(tenant.agent.recording(asked))
    assert all(step.state == "DONE" for step in tenant.job(answer).steps), tenant.job(answer)
    tenant.check_accounts()
    return str(tenant.job(answer).state), [verb for verb, _ in asked]


def test_a_machines_jobs_are_called_by_what_was_asked_for(tenant: "TenantWorld") -> None:
    large, same = tenant.add_flavor("large", 4, 4096, 20), tenant.add_flavor("same", 4, 4096, 20)
    first, second = (str(tenant.made("volume", size_gib=1).resource.id) for _ in range(2))
    machine = tenant.create("virtual_machine", name="web")
    assert named(machine) == ("virtual_machine.create", WAIT, "provision")
    tenant.settle()
    requests: list[tuple[dict[str, Any], tuple[str, ...], list[str]]] = [
        ({"power": "STOPPED"}, ("stop", WAIT, "stop"), ["update"]),
        ({"power": "RUNNING"}, ("start", WAIT, "start"), ["update"]),
        ({"name": "api"}, ("rename", WAIT, "rename"), ["update"]),
        ({"name": "www", "labels": {"a": "b"}}, ("rename", WAIT, "rename"), ["update"]),
        ({"flavor": large}, ("resize", WAIT, "resize"), ["resize"]),
        ({"flavor": same}, ("set_flavor", WAIT, "set_flavor"), ["update"]),
        ({"volume_ids": [first]}, ("attach_volume", WAIT, "attach_volume"), ["update"]),
        ({"volume_ids": [first, second]}, ("attach_volume", WAIT, "attach_volume"), ["update"]),
        ({"volume_ids": [second, first]}, ("reorder_volumes", WAIT, "reorder_volumes"), ["update"]),
        ({"volume_ids": [second]}, ("detach_volume", WAIT, "detach_volume"), ["update"]),
        ({"volume_ids": [first]}, ("update", WAIT, "apply"), ["update"]),
        ({"volume_ids": [], "name": "web"}, ("update", WAIT, "apply"), ["update"]),
        ({"power": "STOPPED", "name": "old"}, ("update", WAIT, "apply"), ["update"]),
        # Half of it is what it is already, so that one thing is asked for.
        ({"power": "STOPPED", "name": "new"}, ("rename", WAIT, "rename"), ["update"]),
    ]
    for members, (verb, *steps), calls in requests:
        answer = tenant.update(machine, **members)
        assert named(answer) == (f"virtual_machine.{verb}", *steps), members
        assert settled(tenant, answer) == ("SUCCEEDED", calls), members

    changes: tuple[dict[str, Any], ...] = ({"power": "RUNNING"}, {"flavor": tenant.add_flavor("wide", 8, 4096, 20)})
    for change in changes:
        tenant.update(machine, **change)
        tenant.settle()
    several = tenant.update(machine, flavor=large, name="web")
    assert named(several) == ("virtual_machine.update", WAIT, "resize", "apply")
    assert settled(tenant, several) == ("SUCCEEDED", ["resize", "update"])
    assert named(tenant.reboot(machine)) == ("virtual_machine.reboot", "reboot")
    tenant.settle()
    assert named(tenant.read_console(machine)) == ("virtual_machine.read_console", "read")
    tenant.settle()
    assert named(tenant.delete(machine)) == ("virtual_machine.delete", "remove")


def test_jobs_of_other_kinds_are_called_by_what_was_asked_for(tenant: "TenantWorld") -> None:
    table: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
        ("volume", {"size_gib": 1}, {"size_gib": 2}, "resize"),
        ("volume", {"size_gib": 1}, {"name": "other"}, "rename"),
        ("network", {"cidr": "10.1.0.0/24"}, {"name": "other"}, "rename"),
        ("bucket", {}, {"name": "other"}, "rename"),
    ]
    for kind, made_of, members, verb in table:
        made = tenant.made(kind, **made_of)
        answer = tenant.update(made, **members)
        assert named(answer) == (f"{kind}.{verb}", WAIT, verb)
        assert settled(tenant, answer) == ("SUCCEEDED", ["update"])
        assert tenant.update(made, labels={"a": "b"}).job is None
    volume = tenant.made("volume", size_gib=1)
    several = tenant.update(volume, size_gib=2, name="big")
    assert named(several) == ("volume.update", WAIT, "apply")
    assert settled(tenant, several) == ("SUCCEEDED", ["update"])
    key = tenant.create(
        "key_pair", public_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJtvIW+jMSCUP6SYXq1TUD94sQdDOh/XsqMWl36IXsRh"
    )
    assert (key.plan.job_kind, tenant.update(key, name="other").job) == (None, None)


def test_what_is_observed_otherwise_names_the_change_that_asks_for_it(fresh_tenant: "TenantWorld") -> None:
    tenant = fresh_tenant
    volume = str(tenant.made("volume", size_gib=1).resource.id)
    for shown, members, verb in (
        ({"power": "STOPPED"}, {"power": "RUNNING"}, "start"),
        ({"vcpus": 31}, {"flavor": tenant.flavor}, "resize"),
        ({"volume_uids": []}, {"volume_ids": [volume]}, "attach_volume"),
        ({"name": "else"}, {"name": "web"}, "rename"),
        ({"power": "STOPPED", "name": "else"}, {"power": "RUNNING", "name": "web"}, "update"),
        # What no specification can hold names nothing; it is brought back in the general way.
        ({"vcpus": "many"}, {"flavor": tenant.flavor}, "update"),
    ):
        tenant.execute("UPDATE resource SET deleted_at = clock_timestamp() WHERE kind = 'virtual_machine'")
        tenant.execute("DELETE FROM resource_link")
        machine = tenant.made("virtual_machine", name="web", volume_ids=[volume])
        observed = {**tenant.row(machine)["observed"], **shown}
        tenant.execute(
            "UPDATE resource SET observed = CAST(:seen AS jsonb) WHERE id = :id",
            seen=dump_json(observed),
            id=machine.resource.id,
        )
        assert named(tenant.update(machine, **members))[0] == f"virtual_machine.{verb}", shown
        tenant.settle()


def test_what_the_reconciler_corrects_is_called_so(fresh_tenant: "TenantWorld") -> None:
    made = fresh_tenant.made("virtual_machine", name="web")
    fresh_tenant.list_objects(power="STOPPED")
    reconcile(fresh_tenant.database)
    job = fresh_tenant.rows("SELECT kind, actor, input FROM job ORDER BY created_at DESC LIMIT 1")[0]
    assert (job["kind"], job["actor"], [*job["input"]]) == ("virtual_machine.correct", "reconciler", ["drift"])
    fresh_tenant.settle()
    assert fresh_tenant.get(made).status == "RUNNING"


def test_a_change_behind_a_failed_one_keeps_its_name_and_gets_the_steps_for_both(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine", name="one")
    large = tenant.add_flavor("large", 4, 4096, 20)
    failing, following, last = (
        tenant.update(machine, flavor=large),
        tenant.update(machine, power="STOPPED"),
        tenant.update(machine, name="two"),
    )
    assert [named(each)[0].partition(".")[2] for each in (failing, following, last)] == ["resize", "stop", "rename"]

    tenant.settle(tenant.agent.recording([], "resize"))

    ended = [tenant.job(each) for each in (failing, following, last)]
    assert [job.state for job in ended] == ["FAILED", "SUCCEEDED", "SUCCEEDED"]
    assert [[step.name for step in job.steps] for job in ended[1:]] == [[WAIT, "resize", "stop"], [WAIT, "rename"]]
    found = tenant.get(machine)
    assert (found.spec.flavor, found.name, found.status) == (large, "two", "STOPPED")
    tenant.check_accounts()


def test_a_resize_behind_a_failed_rename_renames_too(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine", name="one")
    tenant.update(machine, name="two")
    following = tenant.update(machine, flavor=tenant.add_flavor("large", 4, 4096, 20))
    asked: list[tuple[str, Any]] = []
    tenant.settle(tenant.agent.recording(asked, "update"))

    job = tenant.job(following)
    assert (job.kind, job.state, [step.name for step in job.steps]) == (
        "virtual_machine.resize", "SUCCEEDED", [WAIT, "resize", "apply"],
    )  # fmt: skip
    assert [(verb, spec["name"]) for verb, spec in asked[-2:]] == [("resize", "two"), ("update", "two")]


def test_a_resize_that_a_later_one_takes_back_still_shows_what_is_there(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine")
    first = tenant.update(machine, flavor=tenant.add_flavor("large", 4, 4096, 10))
    second = tenant.update(machine, flavor=tenant.flavor)
    tenant.settle()
    assert [tenant.job(each).state for each in (first, second)] == ["SUCCEEDED", "SUCCEEDED"]
    assert (tenant.get(machine).status, tenant.used()["vcpus"]) == ("RUNNING", 1)
    tenant.check_accounts()


def test_a_job_that_an_earlier_version_stored_is_run_as_it_was_stored(tenant: "TenantWorld") -> None:
    large = tenant.add_flavor("large", 4, 4096, 20)
    table: tuple[tuple[dict[str, Any], list[str]], ...] = (
        ({"power": "STOPPED"}, ["update", "update"]),
        ({"flavor": large}, ["resize", "update"]),
    )
    for members, calls in table:
        for begun in (False, True):
            machine = tenant.made("virtual_machine")
            change = tenant.update(machine, **members)
            store_as_before(tenant, change, "virtual_machine.update", (WAIT, "resize", "apply"))
            asked: list[tuple[str, Any]] = []
            if begun:  # as a worker of that version left it
                tenant.drain()
                tenant.agent.work(tenant.agent.recording(asked))
            tenant.settle(tenant.agent.recording(asked))
            job = tenant.job(change)
            assert (job.kind, job.state) == ("virtual_machine.update", "SUCCEEDED")
            assert [step.name for step in job.steps] == [WAIT, "resize", "apply"]
            assert [verb for verb, _ in asked] == calls
            tenant.check_accounts()
    volume = tenant.made("volume", size_gib=1)
    for outcome, fails in (("FAILED", ("update",)), ("SUCCEEDED", ())):
        change = tenant.update(volume, size_gib=2)
        store_as_before(tenant, change, "volume.update", (WAIT, "apply"))
        tenant.settle(tenant.agent.recording([], *fails))
        assert tenant.job(change).state == outcome
    assert tenant.get(volume).spec.size_gib == 2


def store_as_before(tenant: "TenantWorld", change: ChangeResult, kind: str, steps: tuple[str, ...]) -> None:
    """Let a job be as a version stored it that called every change an update."""
    job_id = tenant.job_id(change)
    tenant.execute("UPDATE job SET kind = :kind WHERE id = :id", kind=kind, id=job_id)
    tenant.execute("DELETE FROM job_step WHERE job_id = :id", id=job_id)
    tenant.execute(
        "INSERT INTO job_step (organization_id, job_id, position, name) SELECT organization_id, id, s.n - 1, s.name"
        " FROM job, unnest(CAST(:steps AS text[])) WITH ORDINALITY AS s(name, n) WHERE id = :id",
        steps=list(steps),
        id=job_id,
    )


@pytest.mark.parametrize("live", [False, True])
def test_a_dry_run_says_what_becomes_of_a_machine_that_runs(tenant: "TenantWorld", live: bool) -> None:  # noqa: FBT001
    large, volume = tenant.add_flavor("large", 4, 4096, 20), str(tenant.made("volume", size_gib=1).resource.id)
    if live:
        tenant.execute("UPDATE cluster SET features = array_append(features, 'live_resize')")
    running, stopped = tenant.made("virtual_machine"), tenant.made("virtual_machine", power="STOPPED")
    starting = tenant.create("virtual_machine")
    dry = tenant.context(dry_run=True)
    restart = None if live else "RESTART"
    table: list[tuple[ChangeResult, dict[str, Any], str | None]] = [
        (running, {"flavor": large}, restart),
        (running, {"flavor": large, "name": "new"}, restart),
        (running, {"flavor": large, "power": "STOPPED"}, "STOP"),
        (running, {"power": "STOPPED"}, "STOP"),
        (running, {"name": "new"}, None),
        (running, {"volume_ids": [volume]}, None),
        (running, {"labels": {"a": "b"}}, None),
        (running, {}, None),
        (stopped, {"flavor": large}, None),
        (stopped, {"flavor": large, "power": "RUNNING"}, None),
        (starting, {"flavor": large}, restart),
    ]
    for machine, members, expected in table:
        assert tenant.update(machine, context=dry, **members).plan.interruption == expected, members
    assert tenant.reboot(running, context=dry).plan.interruption == "RESTART"
    assert tenant.update(tenant.made("volume", size_gib=1), context=dry, size_gib=2).plan.interruption is None
    tenant.update(running, power="STOPPED")
    assert tenant.update(running, context=dry, flavor=large).plan.interruption is None, "it is off by then"
    tenant.update(stopped, power="RUNNING")
    assert tenant.update(stopped, context=dry, flavor=large).plan.interruption == restart, "it runs by then"
    assert tenant.update(stopped, context=dry, power="STOPPED").plan.interruption == "STOP"
