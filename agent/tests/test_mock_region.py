# SPDX-License-Identifier: Apache-2.0
"""The agent on the simulated region, which loses requests and replies, answers 503, and kills the agent."""

import time

import pytest

from agent.tests.lab.lab_control_plane import PATIENCE
from stratoplane.compute import ImageReference
from stratoplane.drivers import AvailableImage
from stratoplane.foreign import Adoption
from stratoplane.ids import new_id
from stratoplane.messages import Outcome
from stratoplane_mock.disturbances import FOREIGN_INSTALLATION
from stratoplane_mock.region import FILE_NAME, MockRegion
from stratoplane_mock.rules import Kind

FAULTS = (
    "lost_before@machine.create=0.1",
    "lost_after@machine.create=0.1",
    "unavailable@machine.create=0.1",
    "crash@machine.create=0.02",
    "lost_after@machine.delete=0.1",
    "crash@machine.delete=0.02",
    "unavailable@machine.observe=0.1",
)


@pytest.fixture
def region(agent, control_plane):
    control_plane.repeats_doubtful = True
    control_plane.acknowledge_seconds = 0.5
    agent.variables |= {
        "STRATOPLANE_AGENT_DRIVER": "mock",
        "STRATOPLANE_MOCK_FAULTS": ",".join(FAULTS),
        "STRATOPLANE_MOCK_SEED": "7",
    }
    return agent.start()


def all_results(control_plane, agent, identifiers, seconds=PATIENCE):
    """Wait for every result and start the agent again whenever the region has killed it; return how often it did."""
    kills, deadline = 0, time.monotonic() + seconds
    while not all(control_plane.entries[each].result for each in identifiers):
        assert time.monotonic() < deadline, "the region never settled"
        with control_plane.changed:
            control_plane.changed.wait(0.05)
        if agent.process.poll() is not None:
            kills += 1
            agent.start()
    return kills


def test_every_machine_is_made_once_and_deleted_once_whatever_goes_wrong(control_plane, region, machine):
    image = ImageReference(uid=new_id(), name="debian", source="debian.qcow2")
    specs = [machine(f"vm-{number}", image=image) for number in range(200)]
    created = [control_plane.queue("virtual_machine", "create", spec.uid, spec) for spec in specs]
    kills = all_results(control_plane, region, created)
    deleted = [control_plane.queue("virtual_machine", "delete", spec.uid) for spec in specs[:80]]
    kills += all_results(control_plane, region, deleted)
    # The region lists what there is when the agent comes back, faults or not.
    region.terminate()
    control_plane.inventories.clear()
    region.start()
    listed = control_plane.wait_until(lambda: control_plane.inventories.get("virtual_machine"), "an inventory")
    entries = [control_plane.entries[each] for each in (*created, *deleted)]

    assert {entry.result.outcome for entry in entries} == {Outcome.DONE}
    assert sorted(item.uid for item in listed[-1].items) == sorted(spec.uid for spec in specs[80:])
    assert kills > 0, "the seed hurt nobody"
    assert max(entry.epoch for entry in entries) > 1


def test_what_is_not_ours_is_told_with_the_inventory(control_plane, agent):
    control_plane.inventory_seconds = 0.2
    agent.variables |= {"STRATOPLANE_AGENT_DRIVER": "mock"}
    agent.start()
    told = lambda: [each for each in control_plane.inventories.get("volume", ()) if each.foreign is not None]  # noqa: E731  # short and local
    control_plane.wait_until(told, "the first list, which is empty")
    files = list(agent.folder.rglob(FILE_NAME))
    region = MockRegion.open(files[0])
    uid = region.admin.add_foreign(Kind.VOLUME)
    region.close()
    (news, *_) = control_plane.wait_until(lambda: [each for each in told() if each.foreign], "the list has changed")
    idle = control_plane.wait_until(
        lambda: [each for each in control_plane.inventories["volume"] if each.sequence == news.sequence + 1], "the next"
    )

    assert [(each.reference, each.status["size_gib"]) for each in news.foreign] == [(f"vol-{str(uid)[-12:]}", 1)]
    assert news.items == ()
    assert idle[0].foreign is None


def test_a_foreign_object_is_adopted_once_and_released_although_replies_are_lost(control_plane, agent):
    control_plane.repeats_doubtful = True
    agent.variables |= {
        "STRATOPLANE_AGENT_DRIVER": "mock",
        "STRATOPLANE_MOCK_FAULTS": "lost_after@volume.adopt=1.0,lost_after@volume.release=1.0",
    }
    agent.start()
    control_plane.wait_until(lambda: control_plane.inventories.get("volume"), "an inventory")
    region = MockRegion.open(next(agent.folder.rglob(FILE_NAME)))
    reference = f"vol-{str(region.admin.add_foreign(Kind.VOLUME))[-12:]}"
    adoption = Adoption(uid=new_id(), project_id=new_id(), name="mine", reference=reference)

    adopted = control_plane.queue("volume", "adopt", adoption.uid, adoption)
    all_results(control_plane, agent, [adopted])
    assert control_plane.entries[adopted].result.outcome is Outcome.DONE
    assert control_plane.entries[adopted].result.status["provider_reference"] == reference

    released = control_plane.queue("volume", "release", adoption.uid)
    all_results(control_plane, agent, [released])
    assert control_plane.entries[released].result.outcome is Outcome.DONE
    assert [str(each.installation) for each in region.admin.objects(Kind.VOLUME)] == [str(FOREIGN_INSTALLATION)]
    region.close()


def test_the_images_of_the_region_are_told_by_every_driver_that_needs_one(control_plane, agent):
    agent.variables |= {"STRATOPLANE_AGENT_DRIVER": "mock", "STRATOPLANE_MOCK_IMAGES": "debian.qcow2,rocky.qcow2"}
    agent.start()
    control_plane.wait_until(lambda: control_plane.hellos, "a hello")

    told = {each.interface: each.images for each in control_plane.hellos[-1].providers}
    known = (AvailableImage(source="debian.qcow2"), AvailableImage(source="rocky.qcow2"))
    assert told == {"compute": known, "network": None, "storage": known}
