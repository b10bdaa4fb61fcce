# SPDX-License-Identifier: Apache-2.0
"""Volumes of machines: attached, detached, and whose they are meanwhile."""

from typing import TYPE_CHECKING, Any

import pytest

from stratoplane.errors import (
    InUseError,
    InvalidSpecError,
    ResourceNotFoundError,
)
from stratoplane_engine.model.change import ChangeResult

if TYPE_CHECKING:
    from engine.tests.lifecycle.tenant_world import TenantWorld


def identifier(made: ChangeResult) -> str:
    return str(made.resource.id)


def test_volumes_are_attached_and_detached(tenant: "TenantWorld") -> None:
    kept, gone, new = (tenant.made("volume", size_gib=1) for _ in range(3))
    machine = tenant.made("virtual_machine", volume_ids=[identifier(kept), identifier(gone)])

    tenant.update(machine, volume_ids=[identifier(new), identifier(kept)])
    asked: list[tuple[str, Any]] = []
    tenant.settle(tenant.agent.recording(asked))

    assert [(verb, spec["volume_uids"]) for verb, spec in asked] == [("update", [identifier(new), identifier(kept)])]
    assert tenant.get(machine).spec.volume_ids == (new.resource.id, kept.resource.id)
    user = (machine.resource.id,)
    assert [tenant.get(volume).used_by for volume in (kept, gone, new)] == [user, (), user]


def test_a_volume_is_its_machines_until_it_is_really_detached(tenant: "TenantWorld") -> None:
    volume = tenant.made("volume", size_gib=1)
    machine = tenant.made("virtual_machine", volume_ids=[identifier(volume)])
    tenant.update(machine, volume_ids=[])

    with pytest.raises(InUseError):
        tenant.create("virtual_machine", volume_ids=[identifier(volume)])
    with pytest.raises(InUseError):
        tenant.delete(volume)
    tenant.settle()

    tenant.create("virtual_machine", volume_ids=[identifier(volume)])


def test_a_failed_attachment_leaves_the_volume_free_and_a_failed_detachment_leaves_it_used(
    tenant: "TenantWorld",
) -> None:
    volume, other = tenant.made("volume", size_gib=1), tenant.made("volume", size_gib=1)
    machine = tenant.made("virtual_machine", volume_ids=[identifier(volume)])

    tenant.update(machine, volume_ids=[identifier(other)])
    tenant.settle(tenant.agent.recording([], "update"))

    assert tenant.get(machine).spec.volume_ids == (volume.resource.id,)
    assert (tenant.get(volume).used_by, tenant.get(other).used_by) == ((machine.resource.id,), ())


def test_a_volume_that_is_being_made_is_attached_when_it_is_there(tenant: "TenantWorld") -> None:
    machine = tenant.made("virtual_machine")
    volume = tenant.create("volume", size_gib=1)
    tenant.update(machine, volume_ids=[identifier(volume)])
    asked: list[tuple[str, Any]] = []

    tenant.settle(tenant.agent.recording(asked))

    assert [verb for verb, _ in asked] == ["create", "update"]


def test_a_volume_of_another_cluster_another_machine_or_nowhere_cannot_be_attached(tenant: "TenantWorld") -> None:
    _, elsewhere = tenant.add_cluster()
    machine = tenant.made("virtual_machine", cluster=tenant.cluster)
    far = tenant.create("volume", size_gib=1, cluster=elsewhere)
    used = tenant.made("volume", size_gib=1, cluster=tenant.cluster)
    tenant.made("virtual_machine", volume_ids=[identifier(used)])
    before = tenant.everything()

    for volume, error in ((identifier(far), InvalidSpecError), (identifier(used), InUseError)):
        with pytest.raises(error):
            tenant.update(machine, volume_ids=[volume])
    with pytest.raises(ResourceNotFoundError):
        tenant.update(machine, volume_ids=[identifier(machine)])

    assert tenant.everything() == before
