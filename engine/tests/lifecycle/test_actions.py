# SPDX-License-Identifier: Apache-2.0
"""What can be asked of a machine beside a change: a reboot, and its console's text."""

from typing import TYPE_CHECKING, Any

import pytest

from stratoplane.errors import FeatureUnsupportedError, ResourceNotFoundError, StateConflictError

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld


def test_a_reboot_is_asked_of_the_agent_and_leaves_the_machine_running(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine")
    accepted, asked = tenant.reboot(machine), list[tuple[str, Any]]()
    assert accepted.resource == tenant.get(machine)
    tenant.settle(tenant.agent.recording(asked))

    assert [verb for verb, _ in asked] == ["reboot"]
    assert tenant.job(accepted).state == "SUCCEEDED"
    assert tenant.get(machine).status == "RUNNING"


def test_the_consoles_text_is_the_jobs_output(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine", power="STOPPED")
    accepted = tenant.read_console(machine)
    tenant.settle()

    assert tenant.job(accepted).output == {"text": "login:"}
    assert tenant.get(machine).status == "STOPPED"


@pytest.mark.parametrize(
    ("action", "status"),
    [
        *(("reboot", status) for status in ("STOPPED", "UPDATING", "PENDING", "DELETING", "FAILED", "LOST")),
        *(("read_console", status) for status in ("PENDING", "DELETING", "FAILED", "LOST")),
    ],
)
def test_a_machine_must_be_in_a_state_for_it(tenant: "TenantWorld", action: str, status: str) -> None:
    machine = tenant.made("virtual_machine", name="web")
    tenant.execute("UPDATE resource SET status = :status WHERE id = :id", status=status, id=machine.resource.id)
    before = tenant.everything()

    with pytest.raises(StateConflictError, match=f"virtual machine web is {status}; "):
        tenant.act(machine, action)

    assert tenant.everything() == before


def test_only_machines_can_be_asked(tenant: "TenantWorld") -> None:
    with pytest.raises(ResourceNotFoundError):
        tenant.act(tenant.made("volume", size_gib=1), "reboot")


@pytest.mark.parametrize(("action", "feature"), [("reboot", "reboot"), ("read_console", "console_log")])
def test_the_cluster_must_be_able_to(tenant: "TenantWorld", action: str, feature: str) -> None:
    machine = tenant.made("virtual_machine")
    tenant.execute("UPDATE cluster SET features = '{compute}' WHERE id = :id", id=tenant.cluster_id)
    before = tenant.everything()

    with pytest.raises(FeatureUnsupportedError) as caught:
        tenant.act(machine, action)

    assert caught.value.payload() == {"feature": feature, "cluster": tenant.cluster}
    assert tenant.everything() == before


def test_reading_the_console_during_a_change_leaves_the_change_to_end_by_itself(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine")
    change = tenant.update(machine, power="STOPPED")
    reading = tenant.read_console(machine)
    assert tenant.get(machine).status == "UPDATING"

    tenant.settle()

    assert (tenant.job(change).state, tenant.job(reading).state) == ("SUCCEEDED", "SUCCEEDED")
    assert tenant.get(machine).status == "STOPPED"
    tenant.check_accounts()


def test_a_failed_action_leaves_the_machine_alone(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine")
    accepted = tenant.reboot(machine)
    tenant.settle(tenant.agent.failed)

    assert tenant.job(accepted).state == "FAILED"
    assert (tenant.get(machine).status, tenant.get(machine).detail) == ("RUNNING", "")


def test_an_action_does_not_wipe_what_a_failed_change_left_to_read(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine")
    tenant.update(machine, power="STOPPED")
    tenant.settle(tenant.agent.recording([], "update"))
    tenant.reboot(machine)
    tenant.settle()

    assert tenant.get(machine).detail == "the provider has not enough room; choose a smaller size or another cluster"


def test_an_action_is_on_record(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine")
    tenant.reboot(machine)

    events = tenant.rows(
        "SELECT detail FROM audit_event WHERE subject_id = :id AND action = 'tenant:resource:action-accepted'",
        id=machine.resource.id,
    )
    assert events == [{"detail": {"kind": "virtual_machine", "action": "reboot"}}]
