# SPDX-License-Identifier: Apache-2.0
"""What can be asked of a machine beside a change: a reboot, and its console's text."""

from typing import TYPE_CHECKING, Any

import pytest

from stratoplane.errors import FeatureUnsupportedError, ResourceNotFoundError, StateConflictError

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld


def test_a_reboot_is_asked_of_the_agent_and_leaves_the_machine_running(site: "TenantWorld") -> None:
    machine = site.made("virtual_machine")
    accepted, asked = site.reboot(machine), list[tuple[str, Any]]()
    assert accepted.resource == site.get(machine)
    site.settle(site.hand.recording(asked))

    assert [verb for verb, _ in asked] == ["reboot"]
    assert site.job(accepted).state == "SUCCEEDED"
    assert site.get(machine).status == "RUNNING"


def test_the_consoles_text_is_the_jobs_output(site: "TenantWorld") -> None:
    machine = site.made("virtual_machine", power="STOPPED")
    accepted = site.read_console(machine)
    site.settle()

    assert site.job(accepted).output == {"text": "login:"}
    assert site.get(machine).status == "STOPPED"


@pytest.mark.parametrize(
    ("action", "status"),
    [
        *(("reboot", status) for status in ("STOPPED", "UPDATING", "PENDING", "DELETING", "FAILED", "LOST")),
        *(("read_console", status) for status in ("PENDING", "DELETING", "FAILED", "LOST")),
    ],
)
def test_a_machine_must_be_in_a_state_for_it(site: "TenantWorld", action: str, status: str) -> None:
    machine = site.made("virtual_machine", name="web")
    site.execute("UPDATE resource SET status = :status WHERE id = :id", status=status, id=machine.resource.id)
    before = site.everything()

    with pytest.raises(StateConflictError, match=f"virtual machine web is {status}; "):
        site.act(machine, action)

    assert site.everything() == before


def test_only_machines_can_be_asked(site: "TenantWorld") -> None:
    with pytest.raises(ResourceNotFoundError):
        site.act(site.made("volume", size_gib=1), "reboot")


@pytest.mark.parametrize(("action", "feature"), [("reboot", "reboot"), ("read_console", "console_log")])
def test_the_cluster_must_be_able_to(site: "TenantWorld", action: str, feature: str) -> None:
    machine = site.made("virtual_machine")
    site.execute("UPDATE cluster SET features = '{compute}' WHERE id = :id", id=site.cluster_id)
    before = site.everything()

    with pytest.raises(FeatureUnsupportedError) as caught:
        site.act(machine, action)

    assert caught.value.payload() == {"feature": feature, "cluster": site.cluster}
    assert site.everything() == before


def test_reading_the_console_during_a_change_leaves_the_change_to_end_by_itself(site: "TenantWorld") -> None:
    machine = site.made("virtual_machine")
    change = site.update(machine, power="STOPPED")
    reading = site.read_console(machine)
    assert site.get(machine).status == "UPDATING"

    site.settle()

    assert (site.job(change).state, site.job(reading).state) == ("SUCCEEDED", "SUCCEEDED")
    assert site.get(machine).status == "STOPPED"
    site.check_accounts()


def test_a_failed_action_leaves_the_machine_alone(site: "TenantWorld") -> None:
    machine = site.made("virtual_machine")
    accepted = site.reboot(machine)
    site.settle(site.hand.failed)

    assert site.job(accepted).state == "FAILED"
    assert (site.get(machine).status, site.get(machine).detail) == ("RUNNING", "")


def test_an_action_does_not_wipe_what_a_failed_change_left_to_read(site: "TenantWorld") -> None:
    machine = site.made("virtual_machine")
    site.update(machine, power="STOPPED")
    site.settle(site.hand.recording([], "update"))
    site.reboot(machine)
    site.settle()

    assert site.get(machine).detail == "no room"


def test_an_action_is_on_record(site: "TenantWorld") -> None:
    machine = site.made("virtual_machine")
    site.reboot(machine)

    events = site.rows(
        "SELECT detail FROM audit_event WHERE subject_id = :id AND action = 'tenant:resource:action-accepted'",
        id=machine.resource.id,
    )
    assert events == [{"detail": {"kind": "virtual_machine", "action": "reboot"}}]
