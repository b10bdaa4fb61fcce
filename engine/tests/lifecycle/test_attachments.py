# SPDX-License-Identifier: Apache-2.0
"""Volumes of machines: attached, detached, and whose they are meanwhile."""

from typing import TYPE_CHECKING, Any

import pytest

from stratoplane.errors import (
    InUseError,
    InvalidSpecError,
    ResourceNotFoundError,
)
from stratoplane_engine.model.change import Accepted

if TYPE_CHECKING:
    from conftest import Site


def identifier(made: Accepted) -> str:
    return str(made.resource["id"])


def test_volumes_are_attached_and_detached(site: "Site") -> None:
    kept, gone, new = (site.made("volume", size_gib=1) for _ in range(3))
    machine = site.made("virtual_machine", volume_ids=[identifier(kept), identifier(gone)])

    site.update(machine, volume_ids=[identifier(new), identifier(kept)])
    asked: list[tuple[str, Any]] = []
    site.settle(site.hand.recording(asked))

    assert [(verb, spec["volume_uids"]) for verb, spec in asked] == [("update", [identifier(new), identifier(kept)])]
    assert site.get(machine)["volume_ids"] == [identifier(new), identifier(kept)]
    assert [site.get(volume)["used_by"] for volume in (kept, gone, new)] == [
        [identifier(machine)], [], [identifier(machine)]
    ]  # fmt: skip


def test_a_volume_is_its_machines_until_it_is_really_detached(site: "Site") -> None:
    volume = site.made("volume", size_gib=1)
    machine = site.made("virtual_machine", volume_ids=[identifier(volume)])
    site.update(machine, volume_ids=[])

    with pytest.raises(InUseError):
        site.create("virtual_machine", volume_ids=[identifier(volume)])
    with pytest.raises(InUseError):
        site.delete(volume)
    site.settle()

    site.create("virtual_machine", volume_ids=[identifier(volume)])


def test_a_failed_attachment_leaves_the_volume_free_and_a_failed_detachment_leaves_it_used(site: "Site") -> None:
    volume, other = site.made("volume", size_gib=1), site.made("volume", size_gib=1)
    machine = site.made("virtual_machine", volume_ids=[identifier(volume)])

    site.update(machine, volume_ids=[identifier(other)])
    site.settle(site.hand.recording([], "update"))

    assert site.get(machine)["volume_ids"] == [identifier(volume)]
    assert (site.get(volume)["used_by"], site.get(other)["used_by"]) == ([identifier(machine)], [])


def test_a_volume_that_is_being_made_is_attached_when_it_is_there(site: "Site") -> None:
    machine = site.made("virtual_machine")
    volume = site.create("volume", size_gib=1)
    site.update(machine, volume_ids=[identifier(volume)])
    asked: list[tuple[str, Any]] = []

    site.settle(site.hand.recording(asked))

    assert [verb for verb, _ in asked] == ["create", "update"]


def test_a_volume_of_another_cluster_another_machine_or_nowhere_cannot_be_attached(site: "Site") -> None:
    _, elsewhere = site.add_cluster()
    machine = site.made("virtual_machine", cluster=site.cluster)
    far = site.create("volume", size_gib=1, cluster=elsewhere)
    used = site.made("volume", size_gib=1, cluster=site.cluster)
    site.made("virtual_machine", volume_ids=[identifier(used)])
    before = site.everything()

    for volume, error in ((identifier(far), InvalidSpecError), (identifier(used), InUseError)):
        with pytest.raises(error):
            site.update(machine, volume_ids=[volume])
    with pytest.raises(ResourceNotFoundError):
        site.update(machine, volume_ids=[identifier(machine)])

    assert site.everything() == before
